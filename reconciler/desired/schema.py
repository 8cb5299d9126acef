"""Types and shapes, judged by `schemas/keystore.schema.json`; what jsonschema finds becomes sentences with a place.

Nothing here knows a key of the desired state by itself: what is expected stands in the schema, as `errorMessage` where
the keyword alone would not explain itself. Values at or below a key that may hold a secret are never repeated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from reconciler.desired.document import Section, may_hold_secret, quoted
from reconciler.desired.not_yet import not_yet
from reconciler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jsonschema.protocols import Validator

    from reconciler.desired.document import Document, Path
    from reconciler.desired.not_yet import NotYet

HOW_TO_NAME_IT = "write {env: NAME}, {file: PATH} or {command: [PROGRAM, ARGUMENT]}, never the secret itself"
# Nobody reads more, and a hostile file has half a million.
MAX_FAULTS = 1000
STATE, INCLUDED = "state file", "included file"


def check_shape(document: Document, role: str) -> tuple[list[Problem], frozenset[Path]]:
    """What is wrong with the shape of a document.

    Args:
        document: The file as it was read.
        role: `STATE` or `INCLUDED`.

    Returns:
        The problems, and the paths of what is wrong: nothing at, above or below them is to be used.
    """
    found = (fault for error in _validator(role).iter_errors(document.root) for fault in _faults(error))
    faults = list(islice(found, MAX_FAULTS))
    hiding = [fault for fault in faults if fault.row]
    problems: dict[object, Problem] = {}
    for fault in faults:
        if fault.row or not any(fault.is_hidden_by(other) for other in hiding):
            problem = _problem(document, fault, role)
            # One sentence to a value: that 'rsa' is unknown says enough, whatever else follows from it.
            key = fault.path if problem.code == "wrong-value" else (problem.source, problem.message)
            problems.setdefault(key, problem)
    bad = frozenset(fault.path for fault in faults)
    if len(faults) == MAX_FAULTS:
        message = f"more than {MAX_FAULTS} mistakes: the others are not shown"
        return [*problems.values(), Problem("too-many", message, document.source())], bad | {()}
    return list(problems.values()), bad


@dataclass(frozen=True, slots=True)
class _Fault:
    """One thing that jsonschema found: the path of the value, or of the key that is missing or unknown."""

    path: Path
    error: Any
    row: NotYet | None

    def is_hidden_by(self, other: _Fault) -> bool:
        depth = other.row.hides if other.row else len(other.path)
        return self.path[:depth] == other.path[:depth]


def _faults(error: Any) -> list[_Fault]:
    path = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            keys = [key for key in error.instance if key not in error.schema.get("properties", {})]
            return [_Fault((*path, key), error, not_yet((*path, key), error.instance[key])) for key in keys]
        case "required" | "dependentRequired":
            return [_Fault((*path, _missing_key(error)), error, None)]
        case _:
            return [_Fault(path, error, not_yet(path, error.instance))]


def _missing_key(error: Any) -> str:
    # jsonschema reports each missing key by itself, and names it only in its message.
    wanted = error.validator_value
    names = wanted if isinstance(wanted, list) else [name for need in wanted.values() for name in need]
    return next(str(name) for name in names if error.message.startswith(f"{name!r} "))


# ---------------------------------------------------------------------------------------------- the schema


def schema_path(name: str = "keystore.schema.json") -> FilePath:
    """A schema of ours: inside the package when it is installed, beside it in a checkout."""
    package = FilePath(__file__).parent.parent
    installed = package / "schemas" / name
    return installed if installed.exists() else package.parent / "schemas" / name


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_path().read_bytes())
    return schema


@cache
def typed_keys() -> frozenset[str]:
    """The keys under which the schema wants a boolean or an integer."""
    found = set()
    for properties in _every(_schema(), "properties"):
        found |= {key for key, value in properties.items() if value.get("type") in ("boolean", "integer")}
    return frozenset(found)


def _every(value: Any, key: str) -> Iterator[Any]:
    """Every value under `key`, wherever it stands."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from _every(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _every(inner, key)


@cache
def _validator(role: str) -> Validator:
    from jsonschema.validators import Draft202012Validator, extend

    schema = _schema()
    if role == INCLUDED:
        schema = {"$ref": "#/$defs/includedFile", "$defs": schema["$defs"]}
    judge: Any = extend
    validator: Validator = judge(Draft202012Validator, {"pattern": _pattern})(schema)
    return validator


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """`pattern` as JSON Schema means it: `$` is the end, where Python's would let one newline follow."""
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


# ----------------------------------------------------------------------------------------------- sentences


def _problem(document: Document, fault: _Fault, role: str) -> Problem:
    path, error = fault.path, fault.error
    match error.validator:
        case _ if fault.row:
            hint = "take it out of the file until then"
            source = document.source(path, key=fault.row.value is None)
            return Problem("not-yet", f"{fault.row.what} is not available yet", source, hint=hint)
        case "additionalProperties" if _is_secret(path[:-1]):
            # {hunter2} is a mapping with one key.
            return _secret_problem(document, path[:-1])
        case "additionalProperties":
            return _unknown_key(document, path, error, role)
        case "required":
            return _missing_key_problem(document, path, error, role)
        case "dependentRequired":
            return _missing_companion(document, path, error)
        case "type" | "minProperties" | "maxProperties" if _is_secret(path) and path[-1] not in _KINDS_OF_SECRET:
            return _secret_problem(document, path)
        case _:
            return _wrong_value(document, path, error)


_KINDS_OF_SECRET = (*range(100), "env", "file", "command")


# Below these a name is one that somebody chose: an alias such as `token_root` says nothing about its values.
_NAMED = (("trustedRoots",), ("keyPairs",), ("issuers",), ("receivers",), ("aliases", "renamed"))


def _is_secret(path: Path) -> bool:
    """Whether a value may be a secret."""
    named = next((one for one in _NAMED if path[: len(one)] == one), None)
    return may_hold_secret(path if named is None else (*named, *path[len(named) + 1 :]))


def _secret_problem(document: Document, path: Path) -> Problem:
    message = f"{spelled(path)} must say where the secret comes from"
    return Problem("secret", message, document.source(path), hint=HOW_TO_NAME_IT)


def _unknown_key(document: Document, path: Path, error: Any, role: str) -> Problem:
    *parents, key = path
    where = f"in {spelled(parents)}" if parents else f"at the top of the {role}"
    message = f"unknown key {quoted(str(key))} {where}"
    known = error.schema.get("properties", {})
    hint = (
        _elsewhere(tuple(parents), str(key), error.instance)
        or _abbreviated(str(key), known)
        or _one_level_up(tuple(parents), str(key), known)
        or _suggestion(str(key), list(known), _missing(error))
    )
    return Problem("unknown-key", message, document.source(path, key=True), hint=hint)


def _abbreviated(key: str, known: dict[str, Any]) -> str | None:
    """The key whose title names the abbreviation: `CN` is `commonName`, whose title is "Common name (CN)"."""
    name = next((name for name, value in known.items() if f"({key.upper()})" in value.get("title", "")), None)
    return name and f"did you mean `{name}`?"


def _one_level_up(path: Path, key: str, known: dict[str, Any]) -> str | None:
    """A hint for a key that stands beside the one below which it belongs."""
    below = (name for name, value in known.items() if key in value.get("properties", {}))
    return next((f"it belongs below {spelled([*path, name])}" for name in below), None)


def _missing(error: Any) -> list[str]:
    """The keys that have to be there and are not."""
    return [name for name in error.schema.get("required", ()) if name not in error.instance]


def _elsewhere(path: Path, key: str, instance: Section) -> str | None:
    """A hint for a key that exists, but not here."""
    if len(path) == 2 and path[0] == "keyPairs":
        here = next((kind for sign, kind in _KINDS.items() if sign in instance), "generated")
        if there := _of_another_kind(key, _DEFINITIONS, here):
            return f"it belongs to a key pair that is {there}; this one is {here}"
    if path[0:1] == ("issuers",) or path[-1:] == ("issuer",):
        here = str(instance.get("type"))
        if there := _of_another_kind(key, _ISSUERS, here):
            return f"it belongs to an issuer of the type {there}; this one is {here}"
    if (not path and key in _schema()["properties"]) or (
        path == ("aliases",) and key in _schema()["properties"]["aliases"]["properties"]
    ):
        return "it belongs into the state file itself, not into an included one"
    return None


# What tells the kind of a key pair, and where the keys of each kind stand in the schema.
_KINDS = {"file": "brought along (it has `file`)", "existing": "only watched (it has `existing`)"}
_DEFINITIONS = {
    "generated": "generatedKeyPair",
    _KINDS["file"]: "importedKeyPair",
    _KINDS["existing"]: "existingKeyPair",
}
_ISSUERS = {"self-signed": "selfSigned", "local-ca": "localCa", "external": "external", "command": "command"}


def _of_another_kind(key: str, kinds: dict[str, str], here: str) -> str | None:
    """The kind that knows a key which this one does not."""
    definitions = _schema()["$defs"]
    others = (kind for kind in kinds if kind != here)
    return next((kind for kind in others if key in definitions[kinds[kind]]["properties"]), None)


def _suggestion(key: str, known: list[str], missing: Sequence[str] = ()) -> str:
    import difflib

    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{by_lower[near[0]]}`?"
    # One name too many where one is missing: most likely it is that one in other words (`expires` for `until`).
    if len(missing) == 1:
        return f"did you mean `{missing[0]}`?"
    return f"known here: {', '.join(known)}" if known else "nothing can stand here"


def _missing_key_problem(document: Document, path: Path, error: Any, role: str) -> Problem:
    *parents, name = path
    where = spelled(parents) if parents else f"the {role}"
    needs = error.schema.get("errorMessage", f"needs `{name}`")
    known = error.schema.get("properties", {}).get(name) or _properties_at(parents).get(str(name), {})
    example = _dereferenced(known).get("examples", [None])[0]
    hint = f"for example {name}: {_flow(example)}" if example is not None else None
    return Problem("missing-key", f"{where} {needs}", document.source(parents, key=True), hint=hint)


def _properties_at(path: list[Any]) -> dict[str, Any]:
    """The keys of a section, where a condition inside it asks for one of them."""
    schema = _schema()
    for step in path:
        schema = schema.get("properties", {}).get(str(step), {})
    found: dict[str, Any] = schema.get("properties", {})
    return found


def _dereferenced(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what it refers to."""
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return {**_schema()["$defs"][reference], **schema} if reference else schema


def _missing_companion(document: Document, path: Path, error: Any) -> Problem:
    """A key without the one that must stand beside it, such as a root of the Mozilla bundle without its pin."""
    from reconciler.desired.mozilla import similar_to
    from reconciler.desired.pins import with_colons

    *parents, name = path
    other = next(key for key, needed in error.validator_value.items() if name in needed)
    near = similar_to(str(parents[-1])) if other == "bundle" else None
    hint = f'if you mean {near[1].label}: sha256: "{with_colons(near[0])}"' if near else None
    message = f"{spelled(parents)} needs `{name}` beside `{other}`"
    return Problem("missing-key", message, document.source((*parents, other), key=True), hint=hint)


def _flow(value: Any) -> str:
    """A value as it may stand in YAML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


def _wrong_value(document: Document, path: Path, error: Any) -> Problem:
    name = spelled(path) if path else "the file"
    expected, hint = _expected(error)
    if error.validator == "type":
        message = f"{name} is {_kind(error.instance)}: {expected}"
        return Problem("wrong-type", message, document.source(path), hint=hint)
    shown = isinstance(error.instance, str) and not _is_secret(path)
    message = f"{name} is {quoted(error.instance)}: {expected}" if shown else f"{name} {expected}"
    return Problem("wrong-value", message, document.source(path), hint=hint)


def _expected(error: Any) -> tuple[str, str | None]:
    wanted = error.validator_value
    match error.validator:
        case "type":
            return f"must be {_type_name(wanted)}", _type_hint(error)
        case _ if "errorMessage" in error.schema:
            return error.schema["errorMessage"], _near(error.instance, error.schema)
        case "enum" | "const":
            choices = wanted if error.validator == "enum" else [wanted]
            text = ", ".join(map(str, choices))
            return f"must be {'one of ' if len(choices) > 1 else ''}{text}", _near(error.instance, error.schema)
        case "minLength" | "minItems":
            return "must not be empty", None
        case "maxLength":
            return f"must have at most {wanted} characters", None
        case "maxItems":
            return f"must have at most {wanted} items", None
        case _:
            return "is not allowed here", None


def _near(value: Any, schema: dict[str, Any]) -> str | None:
    choices = schema.get("enum") or next((one["enum"] for one in schema.get("anyOf", ()) if "enum" in one), None)
    if choices is None or not isinstance(value, str):
        return None
    hint = _suggestion(value, [str(choice) for choice in choices])
    return hint if hint.startswith("did you mean") else None


_TYPES = {"object": "a mapping (`key: value` lines)", "array": "a list", "string": "text", "boolean": "true or false",
          "integer": "a whole number"}  # fmt: skip


def _type_name(wanted: str | list[str]) -> str:
    return " or ".join(_TYPES[one] for one in ([wanted] if isinstance(wanted, str) else wanted))


def _kind(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _type_hint(error: Any) -> str | None:
    wanted, value = error.validator_value, error.instance
    if value is None:
        empty = {"object": "write {} or take the key out", "array": "write [] or take the key out"}
        return empty.get(str(wanted), "give it a value or take the key out")
    if wanted == "boolean" and isinstance(value, str):
        return "write true or false, in lower case and without quotes"
    if wanted == "integer" and isinstance(value, str):
        return "write digits only, without quotes"
    if wanted == "array":
        return "write it in [brackets]" if isinstance(value, str) else None
    return None


def spelled(path: Iterable[str | int]) -> str:
    """A path as people write it: `keyPairs.s4_client.key.size`, `include[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if re.fullmatch(r"[\w-]{1,64}", step) else quoted(step))
    return f"`{text}`"
