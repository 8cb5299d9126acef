"""From state files to `DesiredState`: read, include, check, build; every problem at once, in the order of the files.

`load` needs neither a keystore nor a secret. `resolve` adds what only a password shows: the chains of key pairs that
are brought along in keystore files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from reconciler.desired.aliases import Declared, check_aliases
from reconciler.desired.document import MAX_BYTES, Document, Section, quoted, read_document
from reconciler.desired.durations import DEFAULT_RENEW_BEFORE, renew_before
from reconciler.desired.key_pairs import generated_key_pair, replaceable_key
from reconciler.desired.material import KeyPairFile, chain_of, look
from reconciler.desired.paths import Base, base_of, base_of_included, read_file
from reconciler.desired.schema import INCLUDED, STATE, check_shape, spelled, typed_keys
from reconciler.desired.secrets import secret_ref
from reconciler.desired.trusted_roots import trusted_root
from reconciler.errors import DesiredStateError, Problem, ReconcileError
from reconciler.model import (
    DesiredState,
    KeystoreTarget,
    ProtectedPattern,
    Source,
    StoreType,
    Unmanaged,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.desired.document import Path
    from reconciler.model import RenewBefore, SecretRef, Wanted

SECTIONS = ("trustedRoots", "keyPairs")
MAX_INCLUDE_DEPTH = 16


def load(path: str) -> DesiredState:
    """Read one state file with everything that it includes.

    Args:
        path: The file, as the user wrote it; messages call it so.

    Raises:
        DesiredStateError: with every problem that was found.
    """
    reading = _Reading()
    reading.read_state(path)
    state = _Building(reading).state() if reading.parts else None
    if reading.problems or state is None:
        raise DesiredStateError(_in_file_order(reading))
    return state


def resolve(state: DesiredState) -> DesiredState:
    """The state with the chains of its imports, for which passwords of key pair files may be needed.

    Raises:
        DesiredStateError: a file or its password is not what it should be.
    """
    problems: list[Problem] = []
    wanted = tuple(_resolved(one, problems) if isinstance(one, WantedImport) else one for one in state.wanted)
    if problems:
        raise DesiredStateError(problems)
    return replace(state, wanted=wanted)


def _resolved(wanted: WantedImport, problems: list[Problem]) -> WantedImport:
    if wanted.chain:
        return wanted
    material = cast("KeyPairFile", wanted.material)
    try:
        return replace(wanted, chain=chain_of(material))
    except ReconcileError as error:
        # What is wrong with a secret is said where the secret is named.
        secrets = [ref.source for ref in (material.password, material.key_password) if ref is not None]
        source = next((one for one in secrets if str(one) == error.where), wanted.source)
        problems.append(Problem("key-pair-file", error.message, source, hint=error.hint))
        return wanted


def _in_file_order(reading: _Reading) -> list[Problem]:
    order = {file: place for place, file in enumerate(reading.order)}

    def place(problem: Problem) -> tuple[int, int, int]:
        source = problem.source or Source("", 0)
        return order.get(source.file, len(order)), source.line, source.column

    return sorted(reading.problems, key=place)


# -------------------------------------------------------------------------------------- files and includes


@dataclass(frozen=True, slots=True)
class _Part:
    """One file that was read, and the paths in it that must not be used."""

    document: Document
    base: Base
    bad: frozenset[Path]
    above_bad: frozenset[Path]

    def can_use(self, path: Path) -> bool:
        """Whether the schema approves of the value at `path`, of all above it and of all below it."""
        if not self.bad:
            return True
        return path not in self.above_bad and not any(path[:end] in self.bad for end in range(len(path) + 1))

    def section(self, name: str) -> Section:
        """A section of the file, empty when it is missing or no mapping."""
        root = self.document.root
        section = root.get(name) if isinstance(root, Section) else None
        return section if isinstance(section, Section) else Section()


@dataclass(slots=True)
class _Reading:
    """All files of one state, read once each, in the order in which they are named."""

    parts: list[_Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def read_state(self, path: str) -> None:
        shown = path.replace(os.sep, "/")
        self.order.append(shown)
        content = self._content(path, shown, Source(shown, 1))
        if content is not None:
            self._read(content, shown, STATE, base_of(path), {os.path.realpath(path): Source(shown, 1)})

    def _content(self, path: str, shown: str, asked_for_at: Source) -> bytes | None:
        try:
            # One byte more than is allowed, so that the document itself says that it is too large.
            return read_file(path, shown, MAX_BYTES + 1)
        except ReconcileError as error:
            self.problems.append(Problem("file", error.message, asked_for_at, hint=error.hint))
            return None

    def _read(self, content: bytes, shown: str, role: str, base: Base, open_files: dict[str, Source]) -> None:
        try:
            document = read_document(content, shown, typed_keys())
        except DesiredStateError as error:
            self.problems += error.problems
            return
        shape, bad = check_shape(document, role)
        self.problems += [*document.problems, *shape]
        part = _Part(document, base, bad, frozenset(path[:end] for path in bad for end in range(len(path))))
        self.parts.append(part)
        self._seen.update(open_files)
        for path, written in self._includes(part):
            self._include(part, path, written, open_files)

    def _includes(self, part: _Part) -> Iterator[tuple[Path, str]]:
        root = part.document.root
        named = root.get("include") if isinstance(root, Section) else None
        if isinstance(named, list):
            for at, written in enumerate(named):
                if part.can_use(("include", at)):
                    yield ("include", at), written

    def _include(self, part: _Part, path: Path, written: str, open_files: dict[str, Source]) -> None:
        source = part.document.source(path)
        try:
            base = base_of_included(part.base, written)
            real = part.base.inside(written)
        except ReconcileError as error:
            self.problems.append(Problem("include", error.message, source, hint=error.hint))
            return
        shown = part.base.show(written)
        if real in open_files:
            message = f"{shown} includes itself, by way of {open_files[real].file}, line {open_files[real].line}"
            self.problems.append(Problem("include", message, source, hint="take one of the two `include` lines out"))
        elif len(open_files) > MAX_INCLUDE_DEPTH:
            self.problems.append(Problem("include", f"includes nested deeper than {MAX_INCLUDE_DEPTH} files", source))
        elif real not in self._seen:
            self.order.append(shown)
            content = self._content(real, shown, source)
            if content is not None:
                self._read(content, shown, INCLUDED, base, {**open_files, real: source})


# ------------------------------------------------------------------------------------------------ building


class _Building:
    """The desired state out of the files that were read; what is wrong goes to the problems of the reading."""

    def __init__(self, reading: _Reading) -> None:
        self._parts = reading.parts
        self._problems = reading.problems

    def state(self) -> DesiredState | None:
        """The state, or None when not even its keystore can be told."""
        first = self._parts[0]
        protected = self._protected(first)
        self._problems += check_aliases(list(self._declared()), protected)
        keystore = self._keystore(first)
        wanted = self._merged()
        if keystore is None:
            return None
        if "password" not in first.section("keystore"):
            self._check_passwordless(keystore, wanted)
        rules = first.section("aliases")
        unmanaged = rules.get("unmanaged", "report") if first.can_use(("aliases", "unmanaged")) else "report"
        return DesiredState(first.document.file, keystore, wanted, protected, Unmanaged(unmanaged))

    def _keystore(self, part: _Part) -> KeystoreTarget | None:
        written = part.section("keystore")
        if not written or not part.can_use(("keystore",)):
            return None
        try:
            path = part.base.anywhere(written["path"])
        except ReconcileError as error:
            self._say(part, ("keystore", "path"), error)
            return None
        password = self._secret(part, ("keystore", "password"), written)
        return KeystoreTarget(
            StoreType(written["type"]),
            written["path"].replace(os.sep, "/"),
            part.document.source(("keystore",), key=True),
            path=path,
            create=written.get("create", False),
            allow_no_integrity=written.get("integrity") == "none",
            password_declared=password is not None,
            password=password,
        )

    def _protected(self, part: _Part) -> tuple[ProtectedPattern, ...]:
        patterns = part.section("aliases").get("protected")
        if not isinstance(patterns, list):
            return ()
        return tuple(
            ProtectedPattern(pattern, part.document.source(path))
            for at, pattern in enumerate(patterns)
            if part.can_use(path := ("aliases", "protected", at))
        )

    def _declared(self) -> Iterator[Declared]:
        for part in self._parts:
            for section in SECTIONS:
                for alias in part.section(section):
                    source = part.document.source((section, alias), key=True)
                    yield Declared(alias, section, part.document.file, source)

    def _merged(self) -> tuple[Wanted, ...]:
        """Everything that is wanted; the same alias with the same meaning in two files counts once."""
        merged: dict[str, Wanted] = {}
        for part in self._parts:
            for wanted in self._wanted(part):
                first = merged.setdefault(alias_key(wanted.alias), wanted)
                # Two spellings and two sections are collisions, which `check_aliases` reports.
                if first is wanted or first.alias != wanted.alias:
                    continue
                mine, other = _meaning(wanted), _meaning(first)
                if mine[0] == other[0] and mine != other:
                    self._problems.append(_contradiction(wanted, first))
        return tuple(merged.values())

    def _wanted(self, part: _Part) -> Iterator[Wanted]:
        for alias, written in part.section("trustedRoots").items():
            path: Path = ("trustedRoots", alias)
            if part.can_use(path):
                try:
                    yield trusted_root(alias, written, part.document.source(path, key=True), part.base)
                except ReconcileError as error:
                    self._say(part, path, error)
        for alias, written in part.section("keyPairs").items():
            path = ("keyPairs", alias)
            if part.can_use(path):
                wanted = (
                    self._import(part, path, written) if "file" in written else self._generated(part, path, written)
                )
                if wanted is not None:
                    yield wanted

    def _generated(self, part: _Part, path: Path, written: Section) -> WantedKeyPair | None:
        return generated_key_pair(part.document, path, written, self._problems)

    def _import(self, part: _Part, path: Path, written: Section) -> WantedImport | None:
        renewal = self._renewal(part, (*path, "renewBefore"), written)
        try:
            material = self._material(part, path, written)
            chain = look(material)
        except ReconcileError as error:
            self._say(part, path, error)
            return None
        if renewal is None:
            return None
        return WantedImport(
            str(path[-1]),
            part.document.source(path, key=True),
            chain,
            material.shown,
            renewal,
            material,
            replaceable_key(written),
        )

    def _renewal(self, part: _Part, path: Path, written: Section) -> RenewBefore | None:
        try:
            return renew_before(written.get("renewBefore", DEFAULT_RENEW_BEFORE))
        except ReconcileError as error:
            self._say(part, path, error)
            return None

    def _material(self, part: _Part, path: Path, written: Section) -> KeyPairFile:
        certificates = written.get("certificateFile")
        return KeyPairFile(
            part.base.inside(written["file"]),
            part.base.show(written["file"]),
            written.get("alias"),
            self._secret(part, (*path, "password"), written),
            self._secret(part, (*path, "keyPassword"), written),
            None if certificates is None else part.base.inside(certificates),
            "" if certificates is None else part.base.show(certificates),
        )

    def _secret(self, part: _Part, path: Path, written: Section) -> SecretRef | None:
        value = written.get(str(path[-1]))
        if value is None:
            return None
        try:
            return secret_ref(part.document, path, value, part.base)
        except ReconcileError as error:
            self._say(part, path, error)
            return None

    def _check_passwordless(self, keystore: KeystoreTarget, wanted: tuple[Wanted, ...]) -> None:
        pair = next((one for one in wanted if not isinstance(one, WantedCertificate)), None)
        if pair is not None:
            message = f"`keystore` needs `password`: the private key of {quoted(pair.alias)} cannot be kept without one"
            hint = "for example password: {env: KEYSTORE_PASSWORD}"
            self._problems.append(Problem("missing-key", message, keystore.source, hint=hint))

    def _say(self, part: _Part, path: Path, error: ReconcileError) -> None:
        document = part.document
        source = document.source(path, key=True)
        entry = part.section(str(path[0])).get(str(path[-1]))
        if isinstance(entry, Section):
            # The line of the file or the pin is nearer to the cause than the line of the alias.
            key = next((key for key in ("file", "sha256") if key in entry), None)
            source = source if key is None else document.source((*path, key))
        code = _CODES.get(str(path[0]), "file")
        self._problems.append(Problem(code, f"{spelled(path)}: {error.message}", source, hint=error.hint))


_CODES = {"trustedRoots": "certificate", "keyPairs": "key-pair-file"}


def _contradiction(wanted: Wanted, first: Wanted) -> Problem:
    where = f"{first.source.file}, line {first.source.line}"
    message = f"the alias {quoted(wanted.alias)} means something else here than in {where}"
    return Problem("alias-collision", message, wanted.source, hint="make the two entries equal, or rename one of them")


def _meaning(wanted: Wanted) -> tuple[object, ...]:
    """What an entry asks for, apart from where it stands."""
    match wanted:
        case WantedCertificate():
            return "trustedRoots", wanted.certificate.der
        case WantedKeyPair():
            return "keyPairs", replace(wanted, source=_NOWHERE, issuer=replace(wanted.issuer, source=None))
        case WantedImport():
            material = cast("KeyPairFile", wanted.material)
            secrets = [_origin_of(ref) for ref in (material.password, material.key_password)]
            file = replace(material, password=None, key_password=None)
            return "keyPairs", file, *secrets, wanted.renew_before, wanted.replace_key


_NOWHERE = Source("", 0)


def _origin_of(ref: SecretRef | None) -> object:
    return ref and (ref.kind, ref.value)
