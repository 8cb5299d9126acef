"""The tables of docs/reference.md: one row for each key of the desired state, taken from the JSON Schema.

A table stands between `<!-- keys: #/pointer -->`, which names an object of the schema, and `<!-- end of keys -->`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.documentation.pages import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = REPOSITORY / "docs" / "reference.md"
SCHEMA = REPOSITORY / "schemas" / "keystore.schema.json"
TABLE = re.compile(r"<!-- keys: (?P<pointer>\S+) -->\n(?P<rows>.*?)<!-- end of keys -->", re.DOTALL)
_TYPES = {
    "object": "mapping", "array": "list", "string": "text", "boolean": "`true` or `false`", "integer": "whole number",
}  # fmt: skip


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_bytes())
    return loaded


def pointed(pointer: str) -> dict[str, Any]:
    """The part of the schema at a JSON pointer such as ``#/properties/keystore``."""
    part: Any = schema()
    for step in pointer.removeprefix("#").strip("/").split("/"):
        part = part[step] if step else part
    resolved: dict[str, Any] = part
    return resolved


def table(pointer: str) -> str:
    """The table of an object of the schema, as Markdown."""
    part = pointed(pointer)
    required = part.get("required", [])
    rows = [_row(key, value, required=key in required) for key, value in part["properties"].items()]
    return "\n".join(["| Key | Value | Default | Meaning |", "|---|---|---|---|", *rows]) + "\n"


def objects_with_keys() -> set[str]:
    """The pointers of all objects of the schema that have keys of their own."""
    return set(_objects(schema(), "#"))


def _objects(part: Any, pointer: str) -> Iterator[str]:
    if not isinstance(part, dict):
        return
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        yield pointer
    for key, inner in part.items():
        yield from _objects(inner, f"{pointer}/{key}")


def _row(key: str, value: dict[str, Any], *, required: bool) -> str:
    if "$ref" in value:
        value = pointed(value["$ref"]) | {name: own for name, own in value.items() if name != "$ref"}
    default = f"`{_yaml(value['default'])}`" if "default" in value else ("required" if required else "")
    meaning = value["description"].replace("|", "\\|")
    examples = [f"`{_yaml(example)}`" for example in value.get("examples", ())[:1]]
    shown = f"{meaning} Example: {examples[0]}" if examples and _is_telling(value) else meaning
    return f"| `{key}` | {_kind(value)} | {default} | {shown} |"


def _is_telling(value: dict[str, Any]) -> bool:
    """Whether an example says more than the possible values do."""
    return not ({"enum", "const"} & value.keys()) and value.get("type") != "boolean"


def _kind(value: dict[str, Any]) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    kinds = value.get("type", "object")
    return " or ".join(_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _yaml(value: Any) -> str:
    """A value as it can stand on one line of YAML."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_yaml, value)) + "]"
        case str() if ":" in value and len(value) > 60:
            return f'"{value[:23]}…"'  # a fingerprint: its beginning shows the form
        case _:
            return str(value)
