"""The one door that every write passes: ownership, precondition, and proof that nothing else changed.

A `GuardedKeystore` is made by `open_keystore` alone and is the only object that holds a writable keystore. Before
anything becomes visible it checks, for each write, that the entry belongs neither to SAP nor to the file's protected
aliases and is still what the change was planned against; and, over the whole keystore as it was built and read back,
that every raw piece which no write names has kept its bytes and its place, and that Java shows every other entry as
before, apart from exactly the side effects that the plan announced. No flag, variable or key reaches in here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, final

from reconciler.errors import RefusedError
from reconciler.model import EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename, Write
from reconciler.ownership import alias_key, looks_protected_by, protected_by
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.keystores.guarded_steps import GuardedSteps
    from reconciler.keystores.protocol import KeystoreWriter, StepwiseKeystore
    from reconciler.model import Affect, Certificate, Entry, Part, Snapshot


@dataclass(frozen=True, slots=True)
class Operation:
    """One write with what the plan knew: the entry it was planned against, and its announced side effects."""

    write: Write
    before: Entry | None = None
    affects: tuple[Affect, ...] = ()


@final
class GuardedKeystore:
    """A live keystore that can be written only with proof. See the module's docstring."""

    def __init__(
        self, writer: KeystoreWriter | StepwiseKeystore, protected_patterns: Sequence[str], location: str
    ) -> None:
        self.__any: KeystoreWriter | StepwiseKeystore = writer
        self._patterns = tuple(protected_patterns)
        self._location = location

    @property
    def __writer(self) -> KeystoreWriter:
        if not hasattr(self.__any, "stage"):
            raise self._refused("this keystore takes one write at a time")
        return cast("KeystoreWriter", self.__any)

    def steps(self, planned: Snapshot) -> GuardedSteps:
        """The same door for a keystore that takes one write at a time, such as a tenant.

        Args:
            planned: What the plan was made from.
        """
        from reconciler.keystores.guarded_steps import GuardedSteps

        if not hasattr(self.__any, "send"):
            raise self._refused("this keystore is written as a whole")
        return GuardedSteps(cast("StepwiseKeystore", self.__any), self._patterns, self._location, planned)

    def execute(self, operations: Sequence[Operation], *, planned_version: str) -> Snapshot:
        """Carry out `operations` in one atomic step and return the keystore as it then is.

        Args:
            operations: In the order of the plan.
            planned_version: `Snapshot.version` of the keystore that the plan was made from.

        Raises:
            RefusedError: a protected entry, a keystore or an entry that is not what it was when the plan was made, or
                a result that differs from what was planned. Nothing was written.
            ReconcileError: the new keystore could not be built or written. Nothing was written.
        """
        writer = self.__writer
        with writer.begin() as live:
            self._check_version(live, planned_version)
            for operation in operations:
                self._check_ownership(operation.write, live)
            self._check_preconditions(live, operations)
            staged = writer.stage([operation.write for operation in operations])
            self._prove_parts(live, staged, operations)
            self._prove_other_entries(live, staged, operations)
            self._prove_written(staged, operations)
            writer.commit()
            return staged

    def private_key(self, alias: str) -> Secret:
        """The live private key of `alias` (PKCS#8 DER), for a renewal that keeps the key.

        Raises:
            KeystoreUnreadableError: there is none, or the store's password does not open it.
        """
        return self.__writer.private_key(alias)

    # ------------------------------------------------------------------------------------ before building

    def _check_version(self, live: Snapshot, planned_version: str) -> None:
        if live.version != planned_version:
            raise self._refused("the keystore was changed by somebody else since it was planned", hint="plan again")

    def _check_ownership(self, write: Write, live: Snapshot) -> None:
        for alias in _named_by(write):
            owners = {entry.owner for entry in live.entries if alias_key(entry.alias) == alias_key(alias)}
            for owner in owners or {None}:
                if pattern := protected_by(alias, owner, self._patterns):
                    raise self._refused(f"the alias {alias!r} is protected ({pattern})", hint=_NOT_OURS)
            if pattern := looks_protected_by(alias, self._patterns):
                raise self._refused(f"the alias {alias!r} imitates the protected {pattern}", hint="choose another name")

    def _check_preconditions(self, live: Snapshot, operations: Sequence[Operation]) -> None:
        """Every write finds what it was planned against: the live entry, or what an earlier write left there."""
        taken = {alias_key(entry.alias) for entry in live.entries}
        written: set[str] = set()
        for operation in operations:
            write, key = operation.write, alias_key(operation.write.alias)
            if key not in written:
                self._check_live(operation, live)
            elif key not in taken and not isinstance(write, PutCertificate | PutKeyPair):
                raise self._refused(f"there is no entry {write.alias!r} any more when it is to be written")
            taken.discard(key) if isinstance(write, Remove | Rename) else taken.add(key)
            written.add(key)
            if isinstance(write, Rename):
                new = alias_key(write.new_alias)
                if new in taken:
                    raise self._refused(f"the alias {write.new_alias!r} is taken")
                taken.add(new)
                written.add(new)

    def _check_live(self, operation: Operation, live: Snapshot) -> None:
        write, planned = operation.write, operation.before
        found = _entries(live, write.alias)
        if [entry.digest for entry in found] != ([planned.digest] if planned else []):
            raise self._refused(f"the entry {write.alias!r} is not what it was when it was planned", hint="plan again")
        if planned is None and not isinstance(write, PutCertificate | PutKeyPair):
            raise self._refused(f"there is no entry {write.alias!r}")
        if planned is not None and not _keeps_kind(write, planned):
            raise self._refused(
                f"the entry {write.alias!r} is a {planned.kind} and would become something else",
                hint="rename or remove the live entry first",
            )

    # ------------------------------------------------------------------------------ after reading it back

    def _prove_parts(self, live: Snapshot, staged: Snapshot, operations: Sequence[Operation]) -> None:
        """Raw pieces that no operation names are there byte for byte and in the same order."""
        touched = _touched(operations)
        before, after = Counter(_digests(live.parts)), Counter(_digests(staged.parts))
        gone, new = before - after, after - before
        given_up = _certificates(operation.before for operation in operations)
        brought = {c.sha256 for operation in operations for c in _chain_of(operation.write)}
        self._check_pieces(live.parts, gone, touched, given_up, "would be lost or altered")
        self._check_pieces(staged.parts, new, touched, brought, "would appear")
        kept = before & after
        if _in_order(live.parts, kept) != _in_order(staged.parts, kept):
            raise self._refused("entries that the plan does not name would change their order")

    def _check_pieces(
        self, parts: Iterable[Part], changed: Counter[str], touched: set[str], certificates: set[str], what: str
    ) -> None:
        for part in parts:
            if part.digest not in changed or part.alias_key in touched:
                continue
            # Certificates of a chain that belong to no entry come and go with the key pair that the plan names.
            if part.alias_key is None and part.certificate_sha256 in certificates:
                continue
            name = f"the entry {part.alias_key!r}" if part.alias_key else "a piece that belongs to no entry"
            raise self._refused(f"{name} {what}, and the plan does not name it")

    def _prove_other_entries(self, live: Snapshot, staged: Snapshot, operations: Sequence[Operation]) -> None:
        """Java shows every entry that no operation names as before, or as the plan announced."""
        touched = _touched(operations)
        announced: dict[str, set[tuple[str, ...]]] = {}
        for operation in operations:
            for affect in operation.affects:
                announced.setdefault(alias_key(affect.alias), set()).add(affect.chain_after)
        before = _others(live, touched)
        after = _others(staged, touched)
        if before.keys() != after.keys():
            names = ", ".join(sorted(name for name, _ in before.keys() ^ after.keys()))
            raise self._refused(f"entries that the plan does not name would appear or vanish: {names}")
        for key, entry in before.items():
            self._check_other(entry, after[key], announced.get(alias_key(entry.alias), set()))

    def _check_other(self, before: Entry, after: Entry, announced: set[tuple[str, ...]]) -> None:
        if (before.kind, before.digest, before.owner, before.reachable) != (
            after.kind,
            after.digest,
            after.owner,
            after.reachable,
        ):
            raise self._refused(f"the entry {before.alias!r} would change, and the plan does not name it")
        old, new = chain_sha256(before), chain_sha256(after)
        if old == new:
            return
        if new not in announced:
            raise self._refused(f"Java would show another chain for {before.alias!r}, and the plan does not say so")
        if protected_by(before.alias, before.owner, self._patterns) and new[: len(old)] != old:
            raise self._refused(
                f"the chain of the protected entry {before.alias!r} would change in more than an extension",
                hint=_NOT_OURS,
            )

    def _prove_written(self, staged: Snapshot, operations: Sequence[Operation]) -> None:
        """Each named alias holds what the last write to it asked for, private key included; or nothing."""
        for key, expected in _expectations(operations).items():
            found = _entries(staged, key)
            if not (self._is_as_expected(found, expected) if expected else not found):
                raise self._refused(f"what was read back for {key!r} is not what was to be written")

    def _is_as_expected(self, found: list[Entry], expected: _Expected) -> bool:
        if len(found) != 1 or not found[0].reachable or found[0].kind is not expected.kind:
            return False
        entry = found[0]
        shown = chain_sha256(entry)
        if expected.exact and shown != expected.chain:
            return False
        # Java may go on from the last certificate with what else the store holds; it must not turn off before.
        if shown[: len(expected.chain)] != expected.chain:
            return False
        if expected.private_key is not None:
            return self.__writer.staged_private_key(entry.alias) == expected.private_key
        return expected.key_digest == entry.key_digest

    def _refused(self, message: str, hint: str | None = None) -> RefusedError:
        return RefusedError(f"{message}; nothing was written", where=self._location, hint=hint)


@dataclass(frozen=True, slots=True)
class _Expected:
    """What an alias must hold in the end: a private key that was handed in, or the protected one that was there."""

    kind: EntryKind
    chain: tuple[str, ...]
    exact: bool = False
    private_key: Secret | None = None
    key_digest: str | None = None


def _expectations(operations: Sequence[Operation]) -> dict[str, _Expected | None]:
    """Follow the writes in their order: what each named alias holds at the end, None for nothing."""
    expected: dict[str, _Expected | None] = {}
    for operation in operations:
        write, key = operation.write, alias_key(operation.write.alias)
        there = expected[key] if key in expected else _as_it_was(operation.before)
        match write:
            case PutCertificate():
                alone = (write.certificate.sha256,)
                expected[key] = _Expected(EntryKind.TRUSTED_CERTIFICATE, alone, exact=True)
            case PutKeyPair():
                chain = tuple(one.sha256 for one in write.chain)
                # A key pair without its key cannot be proven: no store can hold the empty key.
                expected[key] = _Expected(EntryKind.KEY_PAIR, chain, private_key=write.private_key or Secret(b""))
            case PutChain():
                chain = tuple(one.sha256 for one in write.chain)
                expected[key] = replace(there, chain=chain, exact=False) if there else None
            case Remove():
                expected[key] = None
            case Rename():
                expected[key] = None
                expected[alias_key(write.new_alias)] = there
    return expected


def _as_it_was(before: Entry | None) -> _Expected | None:
    if before is None:
        return None
    return _Expected(before.kind, chain_sha256(before), key_digest=before.key_digest)


_NOT_OURS = "entries of SAP and protected aliases are never written; take the alias out of the desired state"


def chain_sha256(entry: Entry) -> tuple[str, ...]:
    """The chain of an entry as SHA-256 fingerprints, leaf first."""
    return tuple(one.sha256 for one in entry.chain)


def _named_by(write: Write) -> tuple[str, ...]:
    return (write.alias, write.new_alias) if isinstance(write, Rename) else (write.alias,)


def _touched(operations: Sequence[Operation]) -> set[str]:
    return {alias_key(alias) for operation in operations for alias in _named_by(operation.write)}


def _entries(snapshot: Snapshot, alias: str) -> list[Entry]:
    key = alias_key(alias)
    return [entry for entry in snapshot.entries if alias_key(entry.alias) == key]


def _others(snapshot: Snapshot, touched: set[str]) -> dict[tuple[str, int], Entry]:
    """Entries that no write names; two spellings of one alias are told apart by their place."""
    seen: Counter[str] = Counter()
    others = {}
    for entry in snapshot.entries:
        if alias_key(entry.alias) not in touched:
            others[entry.alias, seen[entry.alias]] = entry
            seen[entry.alias] += 1
    return others


def _digests(parts: Iterable[Part]) -> list[str]:
    return [part.digest for part in parts]


def _in_order(parts: Iterable[Part], kept: Counter[str]) -> list[str]:
    return [part.digest for part in parts if part.digest in kept]


def _certificates(entries: Iterable[Entry | None]) -> set[str]:
    return {one.sha256 for entry in entries if entry is not None for one in entry.chain}


def _chain_of(write: Write) -> tuple[Certificate, ...]:
    match write:
        case PutKeyPair() | PutChain():
            return write.chain
        case _:
            return ()


def _keeps_kind(write: Write, planned: Entry) -> bool:
    match write:
        case PutCertificate():
            return planned.kind is EntryKind.TRUSTED_CERTIFICATE
        case PutKeyPair() | PutChain():
            return planned.kind is EntryKind.KEY_PAIR
        case _:
            return True
