"""The one door that every write passes: ownership, precondition, and proof that nothing else changed.

A `GuardedKeystore` is made by `open_keystore` alone and is the only object that holds a writable keystore. Before
anything becomes visible it checks, for each write, that the entry belongs neither to SAP nor to the file's protected
aliases and is still what the change was planned against; and, over the whole keystore as it was built and read back,
that every raw piece which no write names has kept its bytes and its place, and that Java shows every other entry as
before, apart from exactly the side effects that the plan announced. No flag, variable or key reaches in here.

A keystore that migrates (another format, password or encryption) is the one case in which the bytes of entries that no
write names may change, so the proof is by meaning: the same aliases, kinds and certificates in the same order (between
JKS and PKCS#12, which Java writes keys first, in the same order of each kind); every private key that the old password
opened is, opened with the new one, the very same key; every other key kept its bytes. Within formats of one kind all
else is proven byte for byte. Entries of SAP and protected aliases are no exception and get none: their certificates
may move, since a certificate is its bytes; their keys move with their bytes unchanged or the keystore does not move.

A whole backup takes the keystore's place only to undo a migration: then it may differ in the entries that the undone
run touched, of which none can be protected, and in nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast, final

from reconciler.errors import ReconcileError, RefusedError
from reconciler.model import (
    EntryKind,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Restore,
    StoreType,
    Write,
)
from reconciler.ownership import alias_key, looks_protected_by, protected_by
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from reconciler.keystores.guarded_steps import GuardedSteps
    from reconciler.keystores.protocol import KeystoreWriter, StepwiseKeystore
    from reconciler.model import Affect, Certificate, Entry, Migration, Part, Snapshot


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

    def migrate(
        self,
        migration: Migration,
        operations: Sequence[Operation],
        *,
        planned_version: str,
        affects: Sequence[Affect] = (),
    ) -> tuple[Snapshot, tuple[str, ...]]:
        """Let the keystore become what is declared and carry out `operations`, in one atomic step.

        Args:
            migration: What it becomes; which of its entries are protected is found out here once more.
            operations: In the order of the plan, planned against the keystore as it is.
            planned_version: `Snapshot.version` of the keystore that the plan was made from.
            affects: The longer chains that Java shows in the new format, as the plan announced them.

        Returns:
            The keystore as it then is, and the aliases whose keys keep a password of their own.

        Raises:
            RefusedError: as `execute`, or the keystore cannot migrate whole. Nothing was written.
            ReconcileError: as `execute`.
        """
        writer = self.__writer
        with writer.begin() as live:
            self._check_version(live, planned_version)
            for operation in operations:
                self._check_ownership(operation.write, live)
            self._check_preconditions(live, operations)
            moved = writer.stage_migration(replace(migration, unchanged=self._protected_keys(live)))
            own = self._prove_moved(live, moved, migration, affects)
            staged = moved
            if operations:
                # The operations were planned against entries whose bytes are others by now; their content is proven.
                rebased = [replace(one, before=_same(moved, one.before)) for one in operations]
                staged = writer.stage([operation.write for operation in rebased])
                self._prove_parts(moved, staged, rebased)
                self._prove_other_entries(moved, staged, rebased)
                self._prove_written(staged, rebased)
            writer.commit()
            return staged, own

    def restore_file(self, run: str, touched: Collection[str], *, planned_version: str) -> Snapshot:
        """Put the whole backup of `run` in the place of the keystore, to undo a migration.

        Args:
            run: The run that is undone.
            touched: The identities of the entries that the run changed besides.
            planned_version: `Snapshot.version` that the run left and the plan was made from.

        Raises:
            RefusedError: the keystore is not what the run left, or more would change than the run did.
            ReconcileError: the backup cannot be used. Nothing was written.
        """
        writer = self.__writer
        with writer.begin() as live:
            self._check_version(live, planned_version)
            for key in touched:
                self._check_ownership(Remove(key), live)
            staged = writer.stage_backup(run)
            self._prove_same_content(live, staged, frozenset(touched))
            writer.commit()
            return staged

    def restoration(self, run: str, alias: str) -> Write:
        """The write that puts back what the backup of `run` holds under `alias`; see `KeystoreWriter.restoration`."""
        return self.__writer.restoration(run, alias)

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
            elif key not in taken and not isinstance(write, _MAKING):
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
        if planned is None and not isinstance(write, _MAKING):
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
            message = f"Java would show another chain for {before.alias!r}, and the plan does not say so"
            raise self._refused(message, hint=_FOUND_BY_NAME)
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
        if len(found) != 1 or found[0].reachable is not expected.reachable or found[0].kind is not expected.kind:
            return False
        entry = found[0]
        shown = chain_sha256(entry)
        if expected.digest is not None and entry.digest != expected.digest:
            return False
        if expected.exact and shown != expected.chain:
            return False
        # Java may go on from the last certificate with what else the store holds; it must not turn off before.
        if shown[: len(expected.chain)] != expected.chain:
            return False
        if expected.private_key is not None:
            return self.__writer.staged_private_key(entry.alias) == expected.private_key
        return expected.key_digest == entry.key_digest

    # ------------------------------------------------------------------------------ a keystore that migrates

    def _protected_keys(self, live: Snapshot) -> frozenset[str]:
        return frozenset(
            alias_key(entry.alias)
            for entry in live.entries
            if entry.kind is not EntryKind.TRUSTED_CERTIFICATE
            and protected_by(entry.alias, entry.owner, self._patterns)
        )

    def _prove_moved(
        self, live: Snapshot, moved: Snapshot, migration: Migration, affects: Sequence[Affect]
    ) -> tuple[str, ...]:
        """See the module's docstring. The aliases whose keys keep a password of their own."""
        alike = _has_same_pieces(live, moved)
        if moved.type is not migration.to_type or not moved.integrity:
            raise self._refused("what was built is not the keystore that was to be built")
        if _line_up(live, by_kind=not alike) != _line_up(moved, by_kind=not alike):
            raise self._refused("entries would appear, vanish, or change their kind or order")
        if _hidden(live) != _hidden(moved):
            raise self._refused("what Java does not show would appear, vanish or change")
        announced = {(alias_key(one.alias), one.chain_after) for one in affects}
        own = []
        for before, after in _pairs(live, moved):
            self._check_moved_chain(before, after, announced)
            if before.kind is EntryKind.KEY_PAIR and not self._is_same_key(before, after, live):
                own.append(before.alias)
            elif alike and before.kind is not EntryKind.KEY_PAIR and before.digest != after.digest:
                raise self._refused(f"the entry {before.alias!r} would change")
        if alike:
            self._prove_moved_parts(live, moved)
        return tuple(own)

    def _check_moved_chain(self, before: Entry, after: Entry, announced: set[tuple[str, tuple[str, ...]]]) -> None:
        old, new = chain_sha256(before), chain_sha256(after)
        extended = new[: len(old)] == old and (alias_key(before.alias), new) in announced
        if before.owner != after.owner or (before.reachable and not after.reachable):
            raise self._refused(f"the entry {before.alias!r} would change")
        if before.created and after.created and abs(before.created - after.created) >= _MOMENT:
            raise self._refused(f"the creation date of {before.alias!r} would change")
        if old != new and not extended:
            raise self._refused(f"Java would show another chain for {before.alias!r}, and the plan does not say so")

    def _is_same_key(self, before: Entry, after: Entry, live: Snapshot) -> bool:
        """Whether the key opened and opens, as the very same; False where it kept its bytes and was never opened.

        Raises:
            RefusedError: neither is so.
        """
        fixed = alias_key(before.alias) in self._protected_keys(live)
        carried = before.key_digest is not None and before.key_digest == after.key_digest
        if fixed and not carried:
            raise self._refused(f"the key of the protected entry {before.alias!r} would change", hint=_NOT_OURS)
        if fixed:
            return True
        try:
            key = self.__writer.private_key(before.alias)
        except ReconcileError:
            key = None
        ambiguous = len(_entries(live, before.alias)) > 1
        if key is not None and not ambiguous and self.__writer.staged_private_key(after.alias) == key:
            return True
        if carried and (key is None or ambiguous):
            return False
        raise self._refused(f"the private key of {before.alias!r} would be lost or become another one")

    def _prove_moved_parts(self, live: Snapshot, moved: Snapshot) -> None:
        """Every raw piece is there in its place; only the pieces that hold the keys of key pairs have other bytes."""
        pairs = {alias_key(entry.alias) for entry in live.entries if entry.kind is EntryKind.KEY_PAIR}
        fixed = self._protected_keys(live)
        same = len(live.parts) == len(moved.parts)
        left = Counter(alias_key(entry.alias) for entry in live.entries if alias_key(entry.alias) in pairs - fixed)
        for before, after in zip(live.parts, moved.parts, strict=False):
            same = same and replace(before, digest="") == replace(after, digest="")
            if before.digest != after.digest:
                key = before.alias_key or ""
                same = same and before.certificate_sha256 is None and left[key] > 0
                left[key] -= 1  # one piece for each entry: what it hides keeps its bytes
        if not same:
            raise self._refused("pieces of the keystore would be lost, altered or change their order")

    def _prove_same_content(self, live: Snapshot, staged: Snapshot, touched: frozenset[str]) -> None:
        """Apart from `touched`, the same entries with the same certificates; protected ones with the same keys."""
        before, after = _untouched(live, touched), _untouched(staged, touched)
        if [(one.kind, alias_key(one.alias)) for one in before] != [(one.kind, alias_key(one.alias)) for one in after]:
            raise self._refused("the backup holds other entries than the run that is undone left untouched")
        fixed, alike = self._protected_keys(live), _has_same_pieces(live, staged)
        for old, new in zip(before, after, strict=True):
            is_pair = old.kind is EntryKind.KEY_PAIR
            shown, common = chain_sha256(old), len(new.chain)
            # The migration may have let Java go on from the end of a chain; going back, it ends there again.
            extended = is_pair and alias_key(old.alias) not in fixed and 0 < common < len(shown)
            same = chain_sha256(new) == (shown[:common] if extended else shown)
            if not same or (alike and not is_pair and old.digest != new.digest):
                raise self._refused(f"the backup holds something else for {old.alias!r}, which the run did not touch")
            if is_pair:
                self._is_same_key(old, new, live)

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
    digest: str | None = None  # of every byte of the entry, where it comes out of a backup
    reachable: bool = True


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
            case Restore(entry=entry):
                was = _as_it_was(entry)
                expected[key] = was and replace(was, digest=entry.digest, reachable=entry.reachable)
    return expected


def _as_it_was(before: Entry | None) -> _Expected | None:
    if before is None:
        return None
    return _Expected(before.kind, chain_sha256(before), key_digest=before.key_digest)


# PKCS#12 tells keys apart by their creation date, so two that were made in one millisecond are moved apart by one.
_MOMENT = timedelta(seconds=1)
# Writes that may put an entry where there is none.
_MAKING = PutCertificate | PutKeyPair | Restore

# In PKCS#12 Java finds issuers by their names alone (`PKCS12KeyStore.engineGetCertificateChain`).
_FOUND_BY_NAME = (
    "a certificate that was just issued, or one that came with it, bears the name of the issuer in that chain: choose "
    "another `subject`, or declare what belongs into the chain under `trustedRoots` and apply that first"
)
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


def _same(snapshot: Snapshot, planned: Entry | None) -> Entry | None:
    """The entry that a planned one became."""
    found = _entries(snapshot, planned.alias) if planned is not None else []
    return found[0] if len(found) == 1 else planned


def _untouched(snapshot: Snapshot, touched: Collection[str]) -> list[Entry]:
    rest = [entry for entry in snapshot.entries if alias_key(entry.alias) not in touched]
    return sorted(rest, key=lambda entry: (entry.kind, alias_key(entry.alias), entry.alias))


def _has_same_pieces(one: Snapshot, other: Snapshot) -> bool:
    return (one.type is StoreType.PKCS12) == (other.type is StoreType.PKCS12)


def _line_up(snapshot: Snapshot, *, by_kind: bool) -> list[tuple[EntryKind, str]]:
    """The entries in their order, or in the order of each kind."""
    line = [(entry.kind, alias_key(entry.alias)) for entry in snapshot.entries]
    return sorted(line, key=lambda one: one[0]) if by_kind else line


def _hidden(snapshot: Snapshot) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.name, one.what, tuple(c.sha256 for c in one.certificates)) for one in snapshot.hidden]


def _pairs(live: Snapshot, moved: Snapshot) -> Iterator[tuple[Entry, Entry]]:
    """Each entry with what it became, once the two lines are known to be the same."""
    return zip(
        sorted(live.entries, key=lambda entry: entry.kind), sorted(moved.entries, key=lambda e: e.kind), strict=True
    )


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
        case Restore():
            return write.entry.chain
        case _:
            return ()


def _keeps_kind(write: Write, planned: Entry) -> bool:
    match write:
        case PutCertificate():
            return planned.kind is EntryKind.TRUSTED_CERTIFICATE
        case PutKeyPair() | PutChain():
            return planned.kind is EntryKind.KEY_PAIR
        case Restore():
            return planned.kind is write.entry.kind
        case _:
            return True
