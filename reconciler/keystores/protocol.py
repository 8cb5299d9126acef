"""What a keystore must be able to do, and what the container of a keystore file must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from reconciler.model import Entry, Snapshot, StoreType, WantedKeyPair, Write
    from reconciler.secret import Secret


class KeystoreReader(Protocol):
    """A live keystore that can be looked at: what every reading command holds."""

    def read(self) -> Snapshot:
        """The keystore as it is now.

        Raises:
            KeystoreUnreadableError: missing, unreachable, wrong password, corrupt.
        """

    def preview(self, writes: Sequence[Write]) -> Snapshot:
        """What `read` would show after `writes`, calculated without writing, keys or passwords."""

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


class KeystoreWriter(KeystoreReader, Protocol):
    """A live keystore that can be written. Only `GuardedKeystore` calls these methods."""

    def begin(self) -> AbstractContextManager[Snapshot]:
        """Lock the keystore, read it afresh, and unlock at the end."""

    def stage(self, writes: Sequence[Write]) -> Snapshot:
        """Build the new keystore beside the old one and show what was read back from it."""

    def staged_private_key(self, alias: str) -> Secret:
        """The private key (PKCS#8 DER) of `alias` in what was staged, opened with the store's password."""

    def commit(self) -> None:
        """Put what was staged in the place of the old keystore, in one atomic step, after a last comparison."""


class StepwiseKeystore(KeystoreReader, Protocol):
    """A live keystore that takes one write at a time, such as a tenant. Only `GuardedSteps` calls what writes.

    Its `read` gives the certificate of each entry as the list states it, for a key pair the leaf alone.
    """

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

    def private_key(self, alias: str, password: Secret) -> Secret:
        """The private key of `alias` as PKCS#8 DER, for imports and for proving what was written.

        Raises:
            KeystoreUnreadableError: no such key, or `password` does not open it.
        """
