"""A keystore file as a live keystore: read it, preview writes, build the new file beside the old one, replace it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores.files import locked, read_keystore_file, reason_of, replace_file, write_private_file
from reconciler.keystores.formats import new_container, open_container, parse_container
from reconciler.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.keystores.protocol import Container
    from reconciler.model import KeystoreTarget, WantedKeyPair, Write
    from reconciler.secret import Secret


# What keytool asks for when it makes a keystore (`sun.security.tools.keytool.Main`).
LEAST_PASSWORD = 6


class FileKeystore:
    """The reading half: what `plan`, `drift`, `list` and `show` hold. It has no method that writes."""

    def __init__(self, target: KeystoreTarget, password: Secret | None) -> None:
        self.target = target
        self._password = password
        self._container: Container | None = None
        self._data: bytes | None = None

    def read(self) -> Snapshot:
        """See `KeystoreReader.read`. A missing file that may be created is an empty snapshot with `exists` False."""
        self._load()
        return self._snapshot(self._container, self._data)

    def preview(self, writes: Sequence[Write]) -> Snapshot:
        """See `KeystoreReader.preview`; the container of the last `read` is what the writes are tried on."""
        if self._container is None and self._data is None:
            self._load()
        container = self._container or new_container(self.target.type)
        return container.with_writes(writes, password=None, now=datetime.now(UTC)).snapshot()

    def signing_request(self, alias: str, wanted: WantedKeyPair) -> bytes:
        """See `KeystoreReader.signing_request`."""
        from reconciler.x509 import signing_request

        return signing_request(self.private_key(alias), wanted)

    def complete(self, live: Snapshot, aliases: Iterable[str], *, sap_keys: bool = False) -> Snapshot:  # noqa: ARG002
        """See `KeystoreReader.complete`: a file is read whole."""
        return live

    def close(self) -> None:
        """See `KeystoreReader.close`: a file is open for as long as it is read."""

    def private_key(self, alias: str) -> Secret:
        """See `KeystoreReader.private_key`."""
        if self._container is None:
            self._load()
        return self._open(self._container, alias)

    def _open(self, container: Container | None, alias: str) -> Secret:
        if container is None or self._password is None:
            raise ReconcileError("a private key needs a keystore with a password", where=self.target.location)
        return container.private_key(alias, self._password)

    def _load(self) -> None:
        target = self.target
        self._data = read_keystore_file(target.path, shown_as=target.location)
        if self._data is None:
            if not target.create:
                raise KeystoreUnreadableError(
                    "there is no such keystore file",
                    where=target.location,
                    hint="check the path, or let reconcile make it with `create: true`",
                )
            self._check_new_password()
            self._container = None
            return
        self._container, self._password = open_container(self._data, self._password, origin=target.location)
        self._check_type(self._container)
        self._check_integrity(self._container.snapshot().integrity)

    def _check_new_password(self) -> None:
        """A keystore that is to be made gets the least password that keytool would take."""
        if self._password is None or len(self._password.reveal()) < LEAST_PASSWORD:
            raise ReconcileError(
                f"the keystore is to be made, and its password has fewer than {LEAST_PASSWORD} characters",
                where=str(self.target.source),
                hint="declare a longer one under `keystore.password`",
            )

    def _check_type(self, container: Container) -> None:
        if container.type is not self.target.type:
            raise ReconcileError(
                f"the file holds a keystore of the type {container.type}, the desired state says {self.target.type}",
                where=str(self.target.source),
                hint=f"write `type: {container.type}`",
            )

    def _check_integrity(self, verified: bool) -> None:  # noqa: FBT001  # one flag, named by the caller
        if self.target.password_declared and not verified and not self.target.allow_no_integrity:
            raise RefusedError(
                "the keystore has no integrity check, so the declared password proves nothing: "
                "anybody could have changed the file",
                where=self.target.location,
                hint="make sure that the file is the right one and write `integrity: none` under `keystore:`",
            )

    def _snapshot(self, container: Container | None, data: bytes | None) -> Snapshot:
        if container is None or data is None:
            return Snapshot(type=self.target.type, exists=False)
        return replace(container.snapshot(), version=sha256(data).hexdigest())


class WritableFileKeystore(FileKeystore):
    """The writing half. Only `GuardedKeystore` holds one."""

    def __init__(self, target: KeystoreTarget, password: Secret | None) -> None:
        super().__init__(target, password)
        self._staged: tuple[bytes, Container] | None = None

    @contextlib.contextmanager
    def begin(self) -> Iterator[Snapshot]:
        """See `KeystoreWriter.begin`. The directory of a keystore that is to be created is made if need be."""
        target = self.target
        if target.create:
            self._make_directory()
        with locked(target.path, shown_as=target.location):
            try:
                yield self.read()
            finally:
                self._staged = None

    def stage(self, writes: Sequence[Write]) -> Snapshot:
        """See `KeystoreWriter.stage`: the new bytes are parsed from nothing, as any other reader would."""
        now = datetime.now(UTC)
        container = self._container or new_container(self.target.type)
        built = container.with_writes(writes, password=self._password, now=now).to_bytes(self._password)
        read_back = parse_container(built, self._password, origin=self.target.location)
        self._staged = (built, read_back)
        return self._snapshot(read_back, built)

    def staged_private_key(self, alias: str) -> Secret:
        """See `KeystoreWriter.staged_private_key`."""
        return self._open(self._staged[1] if self._staged else None, alias)

    def commit(self) -> None:
        """See `KeystoreWriter.commit`. The old file is kept as a backup beside the store first."""
        if self._staged is None:
            raise ReconcileError("nothing was staged", where=self.target.location)
        built, _ = self._staged
        backup = self._back_up()
        try:
            replace_file(self.target.path, built, expected=self._data, shown_as=self.target.location)
        except BaseException:
            self._forget(backup)
            raise

    def _make_directory(self) -> None:
        directory = Path(self.target.path).parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ReconcileError(
                f"the directory of the keystore cannot be made: {reason_of(error)}", where=self.target.location
            ) from None

    def _back_up(self) -> Path | None:
        if self._data is None:
            return None
        path = Path(self.target.path).resolve()
        directory = path.with_name(f"{path.name}.backups")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            backup = directory / f"{stamp}{path.suffix}"
            write_private_file(backup, self._data)
        except OSError as error:
            raise ReconcileError(
                f"the backup of the keystore cannot be written: {reason_of(error)}; nothing was changed",
                where=self.target.location,
                hint=f"make {directory.name} beside the keystore writable",
            ) from None
        return backup

    def _forget(self, backup: Path | None) -> None:
        """A backup says that something was applied: where the keystore is still the old one, there is none."""
        if backup is None:
            return
        with contextlib.suppress(OSError, ReconcileError):
            if read_keystore_file(self.target.path, shown_as=self.target.location) == self._data:
                backup.unlink()
