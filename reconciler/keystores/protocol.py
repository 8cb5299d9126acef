"""What a keystore must be able to do, and what the container of a keystore file must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from reconciler.model import Entry, Migration, Snapshot, StoreType, WantedKeyPair, Write
    from reconciler.runs import Run
    from reconciler.secret import Secret


class KeystoreReader(Protocol):
    """A live keystore that can be looked at: what every reading command holds."""

    def read(self) -> Snapshot:
        """The keystore as it is now.

        Raises:
            KeystoreUnreadableError: missing, unreachable, wrong password, corrupt.
        """

    def preview(self, writes: Sequence[Write], *, migration: Migration | None = None) -> Snapshot:
        """What `read` would show after `writes`, calculated without writing, keys or passwords.

        With a migration the writes are tried on what the keystore becomes by it.

        Raises:
            PlanRefusedError: the keystore cannot migrate whole; lists everything that is in the way.
        """

    def private_key(self, alias: str) -> Secret:
        """The live private key (PKCS#8 DER) of `alias`, opened with the store's password. No plan needs it.

        Raises:
            ReconcileError: there is none, it cannot be opened, or it never leaves its keystore.
        """

    def signing_request(self, alias: str, wanted: WantedKeyPair) -> bytes:
        """A PKCS#10 request (DER) for the live key of `alias`, asking for what is declared."""

    def complete(self, live: Snapshot, aliases: Iterable[str], *, sap_keys: bool = False) -> Snapshot:
        """The same keystore with what a read leaves out, where it does: see `StepwiseKeystore`.

        Args:
            live: What `read` gave.
            aliases: The entries whose certificates are needed whole, chains included.
            sap_keys: Whether SAP's new and replaced keys are wanted too.
        """

    def close(self) -> None:
        """Nothing more will be asked; what was not read stays unknown."""


@runtime_checkable
class KeepsHistory(KeystoreReader, Protocol):
    """A live keystore of which every run leaves a record and a backup; see `reconciler.keystores.history`."""

    def runs(self) -> tuple[Run, ...]:
        """What was done to it, newest first."""

    def backup(self, run: str) -> Snapshot:
        """What it was before a run.

        Raises:
            ReconcileError: there is no such backup, or no declared password opens it.
        """

    def check_writable(self, writes: Sequence[Write], *, keys: bool) -> None:
        """See that nothing stands in the way of a plan: the password that a file needs, and what it can be.

        Args:
            writes: What can be known of what will be written.
            keys: Whether private keys will be put in.

        Raises:
            RefusedError: it could not be written.
        """

    def backup_opens(self, run: Run) -> str | None:
        """Which password opens the backup of a run: `password`, `previousPassword`, or None for neither."""


class KeystoreWriter(KeystoreReader, Protocol):
    """A live keystore that can be written. Only `GuardedKeystore` calls these methods."""

    def begin(self) -> AbstractContextManager[Snapshot]:
        """Lock the keystore, read it afresh, and unlock at the end."""

    def stage(self, writes: Sequence[Write]) -> Snapshot:
        """Build the new keystore beside the old one and show what was read back from it."""

    def stage_migration(self, migration: Migration) -> Snapshot:
        """Build what the keystore becomes, beside it, and show what was read back; `stage` then goes on from there.

        Raises:
            PlanRefusedError: it cannot migrate whole; lists everything that is in the way.
        """

    def restoration(self, run: str, alias: str) -> Write:
        """The write that puts back what the backup of `run` holds under `alias`.

        A `Restore` where the bytes can go back and still open with the password of the keystore; otherwise the same
        certificates and key, protected anew.

        Raises:
            ReconcileError: there is no such backup, it does not open, or the entry cannot be put back.
        """

    def stage_backup(self, run: str) -> Snapshot:
        """Take the whole backup of `run` for the new keystore and show what it holds.

        Raises:
            ReconcileError: there is no such backup, or neither password opens it.
        """

    def staged_private_key(self, alias: str) -> Secret:
        """The private key (PKCS#8 DER) of `alias` in what was staged, opened with the store's password."""

    def commit(self) -> None:
        """Put what was staged in the place of the old keystore, in one atomic step, after a last comparison."""


class StepwiseKeystore(KeystoreReader, Protocol):
    """A live keystore that takes one write at a time, such as a tenant. Only `GuardedSteps` calls what writes.

    Its `read` gives the certificate of each entry as the list states it, for a key pair the leaf alone.
    """

    def resume(self, planned: Snapshot) -> Snapshot:
        """The keystore that the plan was made from, to go on with; read again where that is not known any more."""

    def look(self, alias: str) -> Entry | None:
        """One entry as it is now, by its exact spelling; None when there is none."""

    def changed(self) -> str:
        """Who changed the keystore last, and when, in words; empty where that is not told."""

    def send(self, write: Write, before: Entry | None, check: Callable[[], None]) -> None:
        """Carry out one write.

        Args:
            write: What to do.
            before: The entry that is there now.
            check: Called directly before every attempt to send; what it raises ends the matter.

        Raises:
            UnknownOutcomeError: it may have taken effect: find out by reading.
            ReconcileError: it was refused.
        """


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a container becomes another one with the same entries.

    Attributes:
        type: What it becomes.
        encryption: How a PKCS#12 file is encrypted from now on; None as it is, and modern for a new one.
        old: What it opens with.
        new: What it will open with; None for a preview, in which nothing is opened or encrypted.
        unchanged: The identities of entries whose keys go over byte for byte or not at all.
    """

    type: StoreType
    encryption: str | None
    old: Secret | None
    new: Secret | None
    unchanged: frozenset[str]


class Container(Protocol):
    """The content of one keystore file, split into raw pieces that can go back as they came.

    A container is a value: `with_writes` gives another one. Pieces that no write names keep their bytes.
    """

    @property
    def type(self) -> StoreType: ...

    def snapshot(self) -> Snapshot:
        """Entries as Java shows them, hidden ones, raw parts, warnings; `version` is left empty."""

    def with_writes(self, writes: Sequence[Write], *, password: Secret | None, now: datetime) -> Container:
        """The container after `writes`, in order.

        Args:
            writes: What to do. A `PutKeyPair` without a private key is possible only with `password=None`.
            password: The store's password, with which new keys are protected; None for a preview, in which nothing is
                encrypted and `to_bytes` is not called.
            now: The creation date of new entries, aware, in UTC.

        Raises:
            ReconcileError: a write that this container cannot hold.
        """

    def to_bytes(self, password: Secret | None) -> bytes:
        """The keystore file. A container that came from a file and has no writes gives the same bytes."""

    def migrated(self, terms: Terms) -> Container:
        """The same pieces on other terms, for a type whose pieces are of the same kind.

        Keys that Java shows and that the old password opens are protected with the new one; everything else is carried
        byte for byte.

        Raises:
            CannotCarryError: something cannot be carried.
        """

    def peculiarities(self) -> tuple[tuple[str, str], ...]:
        """What a format with pieces of another kind cannot hold, beyond entries and hidden ones: (alias, what)."""

    def can_restore(self, alias: str, origin: Container) -> bool:
        """Whether the entry `alias` of another container can be put into this one byte for byte."""

    def private_key(self, alias: str, password: Secret) -> Secret:
        """The private key of `alias` as PKCS#8 DER, for imports and for proving what was written.

        Raises:
            KeystoreUnreadableError: no such key, or `password` does not open it.
        """
