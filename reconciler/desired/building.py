"""The desired state out of the files that were read: every section in its own module, here what joins them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from reconciler.desired.accepted import accepted_in
from reconciler.desired.alias_rules import (
    absent_in,
    check_renames,
    check_replaced,
    declared_by,
    renamed_in,
    replaced_in,
)
from reconciler.desired.aliases import Declared, check_aliases
from reconciler.desired.document import quoted
from reconciler.desired.durations import DEFAULT_RENEW_BEFORE, renew_before
from reconciler.desired.issuers import issuer_meaning, issuer_of, named_issuers
from reconciler.desired.key_pairs import generated_key_pair, replaceable_key
from reconciler.desired.letters import Letters, shared_letters
from reconciler.desired.material import KeyPairFile, further_certificates, look
from reconciler.desired.pins import normalised_pin
from reconciler.desired.policy import policy_of
from reconciler.desired.receivers import receivers_of, shared_chains
from reconciler.desired.tenant import TENANT, default_rekey, file_problems, tenant_problems, tenant_target
from reconciler.desired.trusted_roots import trusted_root
from reconciler.errors import Problem, ReconcileError
from reconciler.model import (
    DesiredState,
    IssuerSpec,
    KeystoreTarget,
    ProtectedPattern,
    Source,
    StoreType,
    Unmanaged,
    WantedCertificate,
    WantedExisting,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.desired.document import Path, Section
    from reconciler.desired.reading import Part, Reading
    from reconciler.model import Absent, Certificate, Renamed, RenewBefore, Wanted

SECTIONS = ("trustedRoots", "keyPairs")
DEFAULT_BACKUPS = 10


class Building:
    """One state; what is wrong with it goes to the problems of its reading."""

    def __init__(self, reading: Reading) -> None:
        self._parts = reading.parts
        self._first = reading.parts[0]
        self._problems = reading.problems
        self._issuers: dict[str, IssuerSpec | None] = {}
        self._is_tenant = False
        self._letters = Letters(self._first, self._problems)

    def state(self) -> DesiredState | None:
        """The state, or None when not even its keystore can be told."""
        first = self._first
        protected = self._protected()
        declared = list(self._declared())
        absent, renamed = self._rules(declared, protected)
        keystore = self._keystore()
        self._is_tenant = self._first.section("keystore").get("type") == StoreType.SAP_CLOUD_INTEGRATION
        self._issuers = named_issuers(self._parts, self._problems)
        wanted = self._merged()
        sections = {alias_key(one.alias): one.section for one in declared}
        receivers = receivers_of(self._parts, sections, self._problems, in_tenant=self._is_tenant)
        self._problems += shared_chains(receivers, wanted)
        accepted = accepted_in(self._parts, self._problems)
        self._problems += tenant_problems(wanted) if self._is_tenant else file_problems(wanted)
        if keystore is None:
            return None
        if "password" not in first.section("keystore") and not self._is_tenant:
            self._check_passwordless(keystore, wanted)
        rules = first.section("aliases")
        unmanaged = rules.get("unmanaged", "report") if first.can_use(("aliases", "unmanaged")) else "report"
        state = DesiredState(
            first.document.file,
            keystore,
            wanted,
            protected,
            Unmanaged(unmanaged),
            absent,
            renamed,
            receivers,
            accepted,
            policy_of(self._parts, self._problems),
        )
        self._problems += shared_letters([state])
        return state

    # -------------------------------------------------------------------------------------- the keystore

    def _keystore(self) -> KeystoreTarget | None:
        part, problems = self._first, self._problems
        written = part.section("keystore")
        if not written or not part.can_use(("keystore",)):
            return None
        if written["type"] == StoreType.SAP_CLOUD_INTEGRATION:
            return tenant_target(part, written, problems)
        try:
            path = part.base.anywhere(written["path"])
        except ReconcileError as error:
            problems.append(part.problem(("keystore", "path"), error))
            return None
        password = part.secret(("keystore", "password"), written, problems)
        return KeystoreTarget(
            StoreType(written["type"]),
            written["path"].replace(os.sep, "/"),
            part.document.source(("keystore",), key=True),
            path=path,
            create=written.get("create", False),
            allow_no_integrity=written.get("integrity") == "none",
            password_declared=password is not None,
            password=password,
            previous_password=part.secret(("keystore", "previousPassword"), written, problems),
            encryption=written.get("encryption"),
            keep_backups=written.get("backups", {}).get("keep", DEFAULT_BACKUPS),
        )

    def _check_passwordless(self, keystore: KeystoreTarget, wanted: tuple[Wanted, ...]) -> None:
        pair = next((one for one in wanted if isinstance(one, WantedKeyPair | WantedImport)), None)
        if pair is not None:
            message = f"`keystore` needs `password`: the private key of {quoted(pair.alias)} cannot be kept without one"
            hint = "for example password: {env: KEYSTORE_PASSWORD}"
            self._problems.append(Problem("missing-key", message, keystore.source, hint=hint))

    # ------------------------------------------------------------------------------- the rules for aliases

    def _protected(self) -> tuple[ProtectedPattern, ...]:
        part = self._first
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

    def _rules(
        self, declared: Sequence[Declared], protected: Sequence[ProtectedPattern]
    ) -> tuple[tuple[Absent, ...], tuple[Renamed, ...]]:
        """What is to go and to be renamed, judged together with what is declared."""
        absent = [one for part in self._parts for one in absent_in(part)]
        renamed = list(renamed_in(self._first))
        new_places = [self._first.document.source(("aliases", "renamed", one.old)) for one in renamed]
        replaced = [one for part in self._parts for one in replaced_in(part)]
        rules = declared_by(absent, renamed, new_places)
        self._problems += check_aliases([*declared, *rules, *replaced], protected)
        self._problems += check_renames(renamed, absent)
        self._problems += check_replaced(replaced, renamed)
        once: dict[str, Absent] = {}
        for one in absent:
            once.setdefault(alias_key(one.alias), one)
        return tuple(once.values()), tuple(renamed)

    # ------------------------------------------------------------------------------------ what is wanted

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

    def _wanted(self, part: Part) -> Iterator[Wanted]:
        for path, written in part.entries("trustedRoots"):
            try:
                yield trusted_root(str(path[-1]), written, part.document.source(path, key=True), part.base)
            except ReconcileError as error:
                self._say(part, path, error)
        for path, written in part.entries("keyPairs"):
            wanted = self._key_pair(part, path, written)
            if wanted is not None:
                yield wanted

    def _key_pair(self, part: Part, path: Path, written: Section) -> Wanted | None:
        if "file" in written:
            return self._import(part, path, written)
        if "existing" in written:
            return self._existing(part, path, written)
        return self._generated(part, path, written)

    def _generated(self, part: Part, path: Path, written: Section) -> WantedKeyPair | None:
        problems = len(self._problems)
        issuer = issuer_of(part, path, written, self._issuers, self._problems)
        # Whoever signs is wrong: the rest is read all the same, for what is wrong there.
        wanted = generated_key_pair(part.document, path, written, issuer or IssuerSpec("?"), self._problems)
        chain = self._chain(part, path, written)
        letters = self._letters.of(part, path, written, issuer) if issuer else None
        if wanted is None or issuer is None or len(self._problems) > problems:
            return None
        wanted = replace(wanted, chain=chain, correspondence=letters)
        return self._in_tenant(wanted, written) if self._is_tenant else wanted

    @staticmethod
    def _in_tenant(wanted: WantedKeyPair, written: Section) -> WantedKeyPair:
        """With the defaults that are others in a tenant."""
        wanted = replace(wanted, generate_in=wanted.generate_in or TENANT)
        return wanted if "rekey" in written else replace(wanted, rekey=default_rekey(wanted))

    def _chain(self, part: Part, path: Path, written: Section) -> tuple[Certificate, ...]:
        found: dict[bytes, Certificate] = {}
        for at, file in enumerate(written.get("chain", ())):
            try:
                found |= {one.der: one for one in further_certificates(part.base.place(file))}
            except ReconcileError as error:
                self._problems.append(part.problem((*path, "chain", at), error, "certificate"))
        return tuple(found.values())

    def _existing(self, part: Part, path: Path, written: Section) -> WantedExisting | None:
        renewal = self._renewal(part, path, written)
        if renewal is None:
            return None
        pin = normalised_pin(written["sha256"]) if "sha256" in written else None
        return WantedExisting(str(path[-1]), part.document.source(path, key=True), pin, renewal)

    def _import(self, part: Part, path: Path, written: Section) -> WantedImport | None:
        renewal = self._renewal(part, path, written)
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

    def _renewal(self, part: Part, path: Path, written: Section) -> RenewBefore | None:
        try:
            return renew_before(written.get("renewBefore", DEFAULT_RENEW_BEFORE))
        except ReconcileError as error:
            self._problems.append(part.problem((*path, "renewBefore"), error, "wrong-value"))
            return None

    def _material(self, part: Part, path: Path, written: Section) -> KeyPairFile:
        certificates = written.get("certificateFile")
        return KeyPairFile(
            part.base.inside(written["file"]),
            part.base.show(written["file"]),
            written.get("alias"),
            part.secret((*path, "password"), written, self._problems),
            part.secret((*path, "keyPassword"), written, self._problems),
            None if certificates is None else part.base.inside(certificates),
            "" if certificates is None else part.base.show(certificates),
        )

    def _say(self, part: Part, path: Path, error: ReconcileError) -> None:
        """At the line of the file or the pin, which is nearer to the cause than the line of the alias."""
        section, alias = path
        entry = part.section(str(section))[str(alias)]
        key = next((key for key in ("file", "sha256") if key in entry), None)
        problem = part.problem(path, error, _CODES[str(section)])
        if key is not None:
            problem.source = part.document.source((*path, key))
        self._problems.append(problem)


_CODES = {"trustedRoots": "certificate", "keyPairs": "key-pair-file"}


def _contradiction(wanted: Wanted, first: Wanted) -> Problem:
    where = f"{first.source.file}, line {first.source.line}"
    message = f"the alias {quoted(wanted.alias)} means something else here than in {where}"
    return Problem("alias-collision", message, wanted.source, hint="make the two entries equal, or rename one of them")


def _meaning(wanted: Wanted) -> tuple[object, ...]:
    """What an entry asks for, apart from where it stands."""
    match wanted:
        case WantedCertificate():
            return "trustedRoots", wanted.certificate.der, wanted.replaces and alias_key(wanted.replaces)
        case WantedKeyPair():
            bare = replace(wanted, source=_NOWHERE, issuer=IssuerSpec(wanted.issuer.type))
            return "keyPairs", bare, *issuer_meaning(wanted.issuer)
        case WantedExisting():
            return "keyPairs", replace(wanted, source=_NOWHERE)
        case WantedImport():
            material = cast("KeyPairFile", wanted.material)
            return "keyPairs", *material.meaning(), wanted.renew_before, wanted.replace_key


_NOWHERE = Source("", 0)
