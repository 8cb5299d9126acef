"""The door for keystores that take one write at a time: ownership, precondition and proof around every single one.

Made by `GuardedKeystore.steps` alone. Each write looks at its entry again directly before it is sent, and again
before each repetition: the entry belongs neither to SAP (by its name, and by the `Owner` that the tenant states now)
nor to the file's protected aliases, and is what the plan, or an earlier write of this run, left there. Afterwards the
entry is read back and compared. A request whose outcome is not known is resolved by reading, never by sending it again.
At the end every entry that no write named is compared with what it was. No flag
reaches in here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, final

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.issued import common_name
from reconciler.keystores.guarded import Operation, chain_sha256
from reconciler.keystores.sap.failures import UnknownOutcomeError, WriteFailedError
from reconciler.model import EntryKind, Generate, PutCertificate, PutChain, PutKeyPair, Remove, Rename
from reconciler.ownership import alias_key, looks_protected_by, protected_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.keystores.protocol import StepwiseKeystore
    from reconciler.model import Certificate, Entry, Snapshot, WantedKeyPair, Write

# How long a confirmed write may take until reads show it, and an unknown outcome until it is judged by what is there.
_WAITS = (0.0, 0.2, 0.4, 0.8, 1.6, 3.0, 6.0)
_NOT_OURS = "entries of SAP and protected aliases are never written; take the alias out of the desired state"


class _DoneAlready(Exception):  # noqa: N818  # not an error: an earlier attempt had taken effect
    """What was to be written is there."""


@final
class GuardedSteps:
    """One run over a live keystore, write by write. See the module's docstring."""

    def __init__(
        self, keystore: StepwiseKeystore, protected_patterns: Sequence[str], location: str, planned: Snapshot
    ) -> None:
        self.__keystore = keystore
        self._patterns = tuple(protected_patterns)
        self._location = location
        self._planned = planned
        self._at_first: Snapshot | None = None
        self._known: dict[str, Entry | None] = {}  # what our own writes left, by the identity of the alias
        self._changed = ""
        self._found: Entry | None = None  # what was read back last

    # ------------------------------------------------------------------------------------------- looking

    def start(self) -> Snapshot:
        """The keystore as it is when the run begins; what differs from the plan is refused write by write."""
        self._at_first = self.__keystore.resume(self._planned)
        return self._at_first

    def signing_request(self, alias: str, wanted: WantedKeyPair) -> bytes:
        """The request for the key of `alias`, as PKCS#10 in DER."""
        return self.__keystore.signing_request(alias, wanted)

    def close(self) -> None:
        """Nothing more will be written."""
        self.__keystore.close()

    # ------------------------------------------------------------------------------------------- writing

    def write(self, operation: Operation) -> Entry | None:
        """Carry out one write and return the entry as it then is; None after a removal.

        Raises:
            RefusedError: a protected entry, or one that is not what it was when the plan was made. Nothing was written.
            ReconcileError: it was refused by the keystore, or what was read back is not what was to be written.
        """
        write, expected = operation.write, self._expected(operation)
        self._check_names(write)
        attempts = 0

        def check() -> None:
            nonlocal attempts
            attempts += 1
            self._check_live(operation, expected, again=attempts > 1)

        try:
            self.__keystore.send(write, expected, check)
        except _DoneAlready:
            pass
        except UnknownOutcomeError as error:
            return self._settled(operation, expected, error)
        except WriteFailedError as error:
            if error.attempts == 1 or not self._is_done(write, expected):
                error.hint = _hint_about_case(write) or error.hint
                raise
        return self._read_back(operation, expected)

    def _expected(self, operation: Operation) -> Entry | None:
        key = alias_key(operation.write.alias)
        return self._known.get(key, operation.before)

    def _check_names(self, write: Write) -> None:
        for alias in _named_by(write):
            if pattern := protected_by(alias, None, self._patterns):
                raise self._refused(f"the alias {alias!r} is protected ({pattern})", _NOT_OURS)
            if pattern := looks_protected_by(alias, self._patterns):
                raise self._refused(f"the alias {alias!r} imitates the protected {pattern}", "choose another name")
            for snapshot in (self._planned, self._at_first):
                for entry in snapshot.entries if snapshot else ():
                    if alias_key(entry.alias) == alias_key(alias):
                        self._check_owner(entry)

    def _check_owner(self, entry: Entry) -> None:
        if pattern := protected_by(entry.alias, entry.owner, self._patterns):
            raise self._refused(f"the entry {entry.alias!r} is protected ({pattern})", _NOT_OURS)

    def _check_live(self, operation: Operation, expected: Entry | None, *, again: bool) -> None:
        """Directly before an attempt: who changed the keystore last, and then the entries that the write names."""
        write = operation.write
        self._changed = self.__keystore.changed()
        live = {alias: self.__keystore.look(alias) for alias in self._looked_at(write, expected)}
        for entry in live.values():
            if entry is not None:
                self._check_owner(entry)
        if again and self._is_done(write, expected):
            raise _DoneAlready
        self._check_precondition(write, expected, live)

    @staticmethod
    def _looked_at(write: Write, expected: Entry | None) -> list[str]:
        """The alias as the keystore spells it, and as the write does."""
        spellings = [expected.alias] if expected is not None else []
        return list(dict.fromkeys([*spellings, *_named_by(write)]))

    def _check_precondition(self, write: Write, expected: Entry | None, live: dict[str, Entry | None]) -> None:
        found = live[expected.alias if expected is not None else write.alias]
        if (found.digest if found else None) != (expected.digest if expected else None):
            why = f" ({self._changed})" if self._changed else ""
            raise self._refused(f"the entry {write.alias!r} is not what it was when it was planned{why}", "plan again")
        if expected is not None and expected.alias != write.alias:
            hint = f"write {expected.alias!r} in the state file, or let it be renamed first"
            raise self._refused(f"the entry {write.alias!r} is spelled {expected.alias!r} in the keystore", hint)
        if expected is None and not isinstance(write, PutCertificate | PutKeyPair | Generate):
            raise self._refused(f"there is no entry {write.alias!r}")
        if expected is not None and not _keeps_kind(write, expected):
            what = f"is a {expected.kind} and would become something else"
            raise self._refused(f"the entry {write.alias!r} {what}", "rename or remove the live entry first")
        if isinstance(write, Rename):
            taken = live[write.new_alias]
            if taken is not None and expected is not None and taken.digest != expected.digest:
                raise self._refused(f"the alias {write.new_alias!r} is taken", "plan again")

    # -------------------------------------------------------------------------------------- reading back

    def _settled(self, operation: Operation, expected: Entry | None, error: UnknownOutcomeError) -> Entry | None:
        """Find out by reading whether a request whose connection broke took effect."""
        if self._awaited(operation.write, expected):
            return self._remember(operation.write)
        raise ReconcileError(
            f"{error.message}; read again: it was not done, or cannot be seen yet",
            where=error.where or self._location,
            hint="run it again: the next run begins with what is there then",
        )

    def _read_back(self, operation: Operation, expected: Entry | None) -> Entry | None:
        if self._awaited(operation.write, expected):
            return self._remember(operation.write)
        raise ReconcileError(
            f"{operation.write.alias}: the keystore confirmed the write, and what is read back is not what was written",
            where=self._location,
            hint="look at the entry; the next run begins with what is there then",
        )

    def _awaited(self, write: Write, expected: Entry | None) -> bool:
        for seconds in _WAITS:
            if seconds:
                time.sleep(seconds)
            if self._is_done(write, expected):
                return True
        return False

    def _remember(self, write: Write) -> Entry | None:
        self._known[alias_key(write.alias)] = None
        named = _named_by(write)[-1]
        self._known[alias_key(named)] = self._found
        if self._found is not None and self._found.alias != named:
            raise ReconcileError(
                f"{named}: it was written, and the keystore keeps it under the alias {self._found.alias!r}",
                where=self._location,
                hint=f"this keystore has its own rule about capitals: write {self._found.alias!r} in the state file",
            )
        return self._found

    def _is_done(self, write: Write, expected: Entry | None) -> bool:
        """Whether the entry is what the write asks for."""
        found = self._found = self.__keystore.look(_named_by(write)[-1])
        match write:
            case Remove():
                return found is None
            case Rename():
                if found is None or found.alias != write.new_alias or not _is_same(found, expected):
                    return False
                # Where case does not count, the old spelling still finds the entry.
                left = self.__keystore.look(write.alias)
                return left is None or left.alias == write.new_alias
            case PutCertificate():
                return _holds(found, EntryKind.TRUSTED_CERTIFICATE, [write.certificate])
            case Generate():
                return found is not None and _is_generated(found, write)
            case PutKeyPair() | PutChain():
                return _holds(found, EntryKind.KEY_PAIR, write.chain[:1]) and self._has_chain(found, write.chain)
            case _:
                return False

    def _has_chain(self, entry: Entry | None, chain: Sequence[Certificate]) -> bool:
        """Whether everything below the root is there; a tenant may leave the root out, or add one that it knows."""
        if entry is None or len(chain) == 1:
            return entry is not None
        snapshot = self._planned_with(entry)
        there = chain_sha256(self.__keystore.complete(snapshot, [entry.alias]).entries[0])
        needed = [one.sha256 for one in chain if one.subject_key != one.issuer_key or one.subject_key is None]
        return set(needed) <= set(there)

    def _planned_with(self, entry: Entry) -> Snapshot:
        return replace(self._planned, entries=(entry,))

    # --------------------------------------------------------------------------------------- the others

    def prove_others(self, after: Snapshot | None = None) -> tuple[str, ...]:
        """Compare every entry that no write named with what it was when the run began.

        Args:
            after: The keystore as it was read after the last write; None to read it now.

        Returns:
            What others have changed meanwhile, a sentence each: SAP renews its own entries by itself, and a write of
            ours addresses one alias. Also that it could not be found out.
        """
        if self._at_first is None:
            return ()
        try:
            return tuple(self._meanwhile(self._at_first, after or self.__keystore.read()))
        except KeystoreUnreadableError as error:
            return (f"whether other entries are what they were could not be read: {error.message}",)

    def _meanwhile(self, before: Snapshot, after: Snapshot) -> Iterator[str]:
        old = {one.alias: one for one in before.entries if alias_key(one.alias) not in self._known}
        new = {one.alias: one for one in after.entries if alias_key(one.alias) not in self._known}
        for alias in sorted(old.keys() | new.keys()):
            was, now = old.get(alias), new.get(alias)
            if was is not None and now is not None and was.digest == now.digest:
                continue
            what = "appeared" if was is None else "vanished" if now is None else "was changed"
            entry = now or was
            owned = entry is not None and protected_by(entry.alias, entry.owner)
            by = "by SAP" if owned else "by somebody else"
            yield f"the entry {alias!r} {what} {by} during the run; no request of this run addressed it"

    def _refused(self, message: str, hint: str | None = None) -> RefusedError:
        return RefusedError(f"{message}; it was not written", where=self._location, hint=hint)


def _named_by(write: Write) -> tuple[str, ...]:
    return (write.alias, write.new_alias) if isinstance(write, Rename) else (write.alias,)


def _hint_about_case(write: Write) -> str | None:
    if not isinstance(write, Rename) or alias_key(write.alias) != alias_key(write.new_alias):
        return None
    return f"where capitals do not count an alias keeps its spelling: write {write.alias!r} in the state file"


def _holds(entry: Entry | None, kind: EntryKind, leaf: Sequence[Certificate]) -> bool:
    return entry is not None and entry.kind is kind and chain_sha256(entry)[:1] == tuple(one.sha256 for one in leaf)


def _is_same(entry: Entry | None, expected: Entry | None) -> bool:
    """Whether a renamed entry holds what it held under its old name."""
    if entry is None or expected is None:
        return False
    return entry.kind is expected.kind and chain_sha256(entry)[:1] == chain_sha256(expected)[:1]


def _is_generated(entry: Entry, write: Generate) -> bool:
    """Whether an entry is the key pair that was ordered, as far as a list can tell."""
    leaf = entry.leaf
    if leaf is None or entry.kind is not EntryKind.KEY_PAIR:
        return False
    wanted = write.wanted
    same_key = leaf.key_algorithm == wanted.key.algorithm
    if wanted.key.algorithm == "EC":
        same_key = same_key and leaf.curve == wanted.key.curve
    else:
        same_key = same_key and leaf.key_size == wanted.key.size
    return same_key and common_name(leaf.subject_attributes or ()) == common_name(wanted.subject)


def _keeps_kind(write: Write, expected: Entry) -> bool:
    match write:
        case PutCertificate():
            return expected.kind is EntryKind.TRUSTED_CERTIFICATE
        case PutKeyPair() | PutChain():
            return expected.kind is EntryKind.KEY_PAIR
        case Generate():
            return False
        case _:
            return True
