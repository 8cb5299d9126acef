"""The one door that every write passes: ownership, precondition, and proof that nothing else changed.

A `GuardedKeystore` is made by `open_keystore` alone and is the only object that holds a writable keystore. Before
anything becomes visible it checks, for each write, that the entry belongs neither to SAP nor to the file's protected
aliases and is still what the change was planned against; and, over the whole keystore as it was built and read back,
that every raw piece which no write names has kept its bytes and its place, and that Java shows every other entry as
before, apart from exactly the side effects that the plan announced. No flag, variable or key reaches in here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from reconciler.errors import RefusedError
from reconciler.model import EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename, Write
from reconciler.ownership import alias_key, looks_protected_by, protected_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.keystores.protocol import KeystoreWriter
    from reconciler.model import Affect, Certificate, Entry, Part, Snapshot
    from reconciler.secret import Secret


@dataclass(frozen=True, slots=True)
class Operation:
    """One write with what the plan knew: the entry it was planned against, and its announced side effects."""

    write: Write
    before: Entry | None = None
    affects: tuple[Affect, ...] = ()


@final
class GuardedKeystore:
    """A live keystore that can be written only with proof. See the module's docstring."""

    def __init__(self, writer: KeystoreWriter, protected_patterns: Sequence[str], location: str) -> None:
        self.__writer = writer
        self._patterns = tuple(protected_patterns)
        self._location = location

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
                self._check_precondition(operation, live)
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

    def _check_precondition(self, operation: Operation, live: Snapshot) -> None:
        write, planned = operation.write, operation.before
        found = _entries(live, write.alias)
        if [entry.digest for entry in found] != ([planned.digest] if planned else []):
            raise self._refused(f"the entry {write.alias!r} is not what it was when it was planned", hint="plan again")
        if planned is not None and not _keeps_kind(write, planned):
            raise self._refused(
                f"the entry {write.alias!r} is a {planned.kind} and would become something else",
                hint="rename or remove the live entry first",
            )
        if isinstance(write, Rename) and alias_key(write.new_alias) != alias_key(write.alias):
            if planned is None:
                raise self._refused(f"there is no entry {write.alias!r} to rename")
            if _entries(live, write.new_alias):
                raise self._refused(f"the alias {write.new_alias!r} is taken")

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
        """Each named entry is what its write asked for, private key included."""
        # Of several writes to one alias the last one counts.
        last = {key: operation.write for operation in operations for key in map(alias_key, _named_by(operation.write))}
        for operation in operations:
            write = operation.write
            if last[alias_key(write.alias)] is write:
                self._check_result(write, operation.before, staged)

    def _check_result(self, write: Write, before: Entry | None, staged: Snapshot) -> None:
        found = _entries(staged, write.new_alias if isinstance(write, Rename) else write.alias)
        match write:
            case PutCertificate():
                good = [(e.kind, e.reachable, chain_sha256(e)) for e in found] == [
                    (EntryKind.TRUSTED_CERTIFICATE, True, (write.certificate.sha256,))
                ]
            case PutKeyPair() | PutChain():
                good = self._is_key_pair(found, write)
            case Remove():
                good = not found
            case Rename():
                old = _entries(staged, write.alias) if alias_key(write.alias) != alias_key(write.new_alias) else []
                good = not old and before is not None and [chain_sha256(e) for e in found] == [chain_sha256(before)]
        if not good:
            raise self._refused(f"what was read back for {write.alias!r} is not what was to be written")

    def _is_key_pair(self, found: list[Entry], write: PutKeyPair | PutChain) -> bool:
        if [(entry.kind, entry.reachable) for entry in found] != [(EntryKind.KEY_PAIR, True)]:
            return False
        wanted = tuple(one.sha256 for one in write.chain)
        # Java may go on from the last certificate with what else the store holds; it must not turn off before.
        if chain_sha256(found[0])[: len(wanted)] != wanted:
            return False
        if isinstance(write, PutChain):
            return True
        return write.private_key is not None and self.__writer.staged_private_key(write.alias) == write.private_key

    def _refused(self, message: str, hint: str | None = None) -> RefusedError:
        return RefusedError(f"{message}; nothing was written", where=self._location, hint=hint)


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
