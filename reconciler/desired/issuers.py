"""`issuers`, and the issuer that stands with its key pair: from the words of the file to an `IssuerSpec`.

A program that signs is never run here, and the private key of a CA is not opened: what leads to it is handed on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reconciler.desired.document import quoted
from reconciler.desired.durations import seconds
from reconciler.desired.material import KeyPairFile, chain_of, look, open_key
from reconciler.desired.schema import spelled
from reconciler.errors import MaterialError, Problem, ReconcileError
from reconciler.key_pairs import EXTERNAL, LOCAL_CA, SELF_SIGNED
from reconciler.model import IssuerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.desired.document import Path, Section
    from reconciler.desired.reading import Part
    from reconciler.model import Certificate, Source
    from reconciler.secret import Secret

TYPES = (SELF_SIGNED, LOCAL_CA, EXTERNAL, "command")
DEFAULT_TIMEOUT = "5m"
LETTERS = ("request", "response")


@dataclass(frozen=True, slots=True, repr=False)
class CaKey:
    """Opens the private key of a CA when it is called; holds where it lies, and no secret."""

    material: KeyPairFile

    def __call__(self) -> Secret:
        """The private key as PKCS#8 DER.

        Raises:
            MaterialError: it cannot be opened, or is not the key of the CA's certificate.
        """
        return open_key(self.material)[0]

    def __repr__(self) -> str:
        return f"CaKey({self.material.shown!r})"


def named_issuers(parts: Sequence[Part], problems: list[Problem]) -> dict[str, IssuerSpec | None]:
    """Every issuer that a file names; None for one that is wrong, which `problems` says."""
    found: dict[str, IssuerSpec | None] = {}
    for part in parts:
        for name in part.section("issuers"):
            path: Path = ("issuers", name)
            written = part.section("issuers")[name]
            spec = issuer_spec(part, path, written, name, problems) if part.can_use(path) else None
            first = found.setdefault(name, spec)
            if spec is not None and first is not None and issuer_meaning(first) != issuer_meaning(spec):
                where = f"{first.source.file}, line {first.source.line}" if first.source else ""
                message = f"the issuer {quoted(name)} means something else here than in {where}"
                hint = "make the two equal, or rename one of them"
                problems.append(Problem("issuer", message, spec.source, hint=hint))
    return found


def issuer_of(
    part: Part, path: Path, written: Section, named: Mapping[str, IssuerSpec | None], problems: list[Problem]
) -> IssuerSpec | None:
    """The issuer of the key pair at `path`; None when it is wrong, which `problems` says."""
    asked = written.get("issuer")
    if asked is None:
        return IssuerSpec(SELF_SIGNED)
    if not isinstance(asked, str):
        return issuer_spec(part, (*path, "issuer"), asked, None, problems)
    if asked not in named:
        message = f"{spelled((*path, 'issuer'))} is {quoted(asked)}, and no issuer is called so"
        source = part.document.source((*path, "issuer"))
        problems.append(Problem("issuer", message, source, hint=_who_may_be_meant(asked, list(named))))
    return named.get(asked)


def _who_may_be_meant(asked: str, names: list[str]) -> str:
    import difflib

    if near := difflib.get_close_matches(asked, names, n=1):
        return f"did you mean {quoted(near[0])}?"
    if not names and asked in TYPES:
        return f"a type stands in braces: {{type: {asked}}}"
    return f"known under `issuers`: {', '.join(map(quoted, names))}" if names else "declare it under `issuers`"


def issuer_spec(
    part: Part, path: Path, written: Section, name: str | None, problems: list[Problem]
) -> IssuerSpec | None:
    """An issuer whose shape the schema has approved; None when it is wrong, which `problems` says."""
    spec = IssuerSpec(written["type"], name, source=part.document.source(path, key=True))
    match spec.type:
        case "local-ca":
            return _local_ca(part, path, written, spec, problems)
        case "external":
            return _external(part, path, written, spec, problems)
        case "command":
            return _command(part, path, written, spec, problems)
        case _:
            return spec


def _command(part: Part, path: Path, written: Section, spec: IssuerSpec, problems: list[Problem]) -> IssuerSpec | None:
    if not written["command"][0].strip():
        source = part.document.source((*path, "command", 0))
        problems.append(Problem("wrong-value", f"{spelled((*path, 'command'))} names no program", source))
        return None
    try:
        timeout = seconds(written.get("timeout", DEFAULT_TIMEOUT))
    except ReconcileError as error:
        problems.append(part.problem((*path, "timeout"), error, "wrong-value"))
        return None
    options = {"command": tuple(written["command"]), "directory": part.base.directory, "timeout": timeout}
    return replace(spec, options=options)


def _external(part: Part, path: Path, written: Section, spec: IssuerSpec, problems: list[Problem]) -> IssuerSpec | None:
    options: dict[str, object] = {}
    for key in LETTERS:
        if key in written:
            try:
                options[key] = part.base.place(written[key])
            except ReconcileError as error:
                problems.append(part.problem((*path, key), error))
                return None
    return replace(spec, options=options)


# ------------------------------------------------------------------------------------- a CA that lies in files


def _local_ca(part: Part, path: Path, written: Section, spec: IssuerSpec, problems: list[Problem]) -> IssuerSpec | None:
    password = part.secret((*path, "password"), written, problems)
    key_password = part.secret((*path, "keyPassword"), written, problems)
    try:
        material = replace(_material(part, written), password=password, key_password=key_password)
        certificates = _as_authority(look(material))
    except ReconcileError as error:
        key = "file" if "file" in written else "certificate"
        problems.append(part.problem((*path, key), _in_words_of_issuers(error), "issuer"))
        return None
    return replace(spec, certificates=certificates, options={"open_key": CaKey(material)})


def _material(part: Part, written: Section) -> KeyPairFile:
    if "file" in written:
        file = part.base.place(written["file"])
        return KeyPairFile(file.path, file.shown, written.get("alias"))
    key, certificate = part.base.place(written["key"]), part.base.place(written["certificate"])
    return KeyPairFile(key.path, key.shown, certificate_path=certificate.path, certificate_shown=certificate.shown)


def _as_authority(certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """The certificates of a CA and of those that signed it, its own first, when it may sign."""
    for authority in certificates[:1]:
        name = quoted(authority.subject or authority.sha256, 120)
        if authority.is_ca is not True:
            raise MaterialError(
                f"{name} is not the certificate of a CA", hint="a CA says so in its basic constraints (CA:TRUE)"
            )
        if authority.key_usage is not None and "keyCertSign" not in authority.key_usage:
            raise MaterialError(f"the key usage of {name} does not allow it to sign certificates (keyCertSign)")
    return certificates


def _in_words_of_issuers(error: ReconcileError) -> ReconcileError:
    """What a key pair file says about itself, without the keys that only key pairs have."""
    hint = error.hint
    if hint and any(key in hint for key in ("certificateFile", "trustedRoots", "keyPairs")):
        hint = "a CA is `certificate` and `key`, in PEM or DER, or one `file` with both"
    return MaterialError(error.message, where=error.where, hint=hint)


def with_certificates(spec: IssuerSpec) -> IssuerSpec:
    """A CA in a keystore file with its certificates, for which the file's password is read.

    Raises:
        MaterialError: the file or its password is not what it should be, or holds no CA.
    """
    if spec.type != LOCAL_CA or spec.certificates:
        return spec
    try:
        return replace(spec, certificates=_as_authority(chain_of(material_of(spec))))
    except ReconcileError as error:
        raise _in_words_of_issuers(error) from None


def material_of(spec: IssuerSpec) -> KeyPairFile:
    """The files of a local CA."""
    return cast("CaKey", spec.options["open_key"]).material


# ------------------------------------------------------------------------------------------------- sameness


def issuer_meaning(spec: IssuerSpec) -> tuple[object, ...]:
    """What an issuer is, apart from where it stands."""
    if spec.type == LOCAL_CA:
        return spec.type, spec.name, spec.certificates, *material_of(spec).meaning()
    return spec.type, spec.name, tuple(sorted(spec.options.items()))


def issuer_problem(spec: IssuerSpec, error: ReconcileError) -> Problem:
    """What is wrong with a CA once its secrets are read: said where the secret is named, or where the issuer is."""
    named: list[Source | None] = [ref.source for ref in material_of(spec).secrets()]
    source = next((one for one in named if str(one) == error.where), spec.source)
    return Problem("issuer", error.message, source, hint=error.hint)
