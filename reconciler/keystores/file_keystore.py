"""A keystore file as a live keystore: read it, preview writes, build the new file beside the old one, replace it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, PlanRefusedError, Problem, ReconcileError, RefusedError
from reconciler.keystores import history
from reconciler.keystores.files import locked, read_keystore_file, reason_of, replace_file
from reconciler.keystores.formats import FORMATS, new_container, open_container, parse_container
from reconciler.model import EntryKind, PutCertificate, PutKeyPair, Restore, Snapshot, StoreType
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.keystores.protocol import Container
    from reconciler.model import Entry, KeystoreTarget, Migration, RunFacts, WantedKeyPair, Write
    from reconciler.runs import Run
    from reconciler.secret import Secret

    PreviousPassword = Callable[[], Secret | None]


class FileKeystore:
    """The reading half: what `plan`, `drift`, `list` and `show` hold. It has no method that writes."""

    def __init__(
        self, target: KeystoreTarget, password: Secret | None, previous: PreviousPassword | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            target: The keystore that the desired state names.
            password: The declared password; None for a keystore without one.
            previous: Reads the previous password, when the declared one does not open the keystore.
        """
        self.target = target
        self._declared = password
        self._previous = previous
        self._password = password  # what the file opened with
        self._opened_with_previous = False
        self._container: Container | None = None
        self._data: bytes | None = None
        self._backups: dict[str, tuple[Container, Secret | None]] = {}

    def read(self) -> Snapshot:
        """See `KeystoreReader.read`. A missing file that may be created is an empty snapshot with `exists` False."""
        self._load()
        return self._snapshot(self._container, self._data)

    def preview(self, writes: Sequence[Write], *, migration: Migration | None = None) -> Snapshot:
        """See `KeystoreReader.preview`; the container of the last `read` is what the writes are tried on."""
        if self._container is None and self._data is None:
            self._load()
        container = self._container or self._new_container()
        if migration is not None:
            container = self._migrated(container, migration, None)
        known = [self._public(write, container) for write in writes]
        return container.with_writes(known, password=None, now=datetime.now(UTC)).snapshot()

    def check_writable(self, writes: Sequence[Write], *, keys: bool) -> None:
        """See `KeepsHistory.check_writable`: without a password no key can be wanted, so all is known."""
        if self._password is not None:
            self._check_password(self._password, keys=keys)
            return
        container = self._container or self._new_container()
        known = [self._public(write, container) for write in writes]
        try:
            container.with_writes(known, password=None, now=datetime.now(UTC)).to_bytes(None)
        except RefusedError as error:
            raise RefusedError(error.message, where=self.target.location, hint=error.hint) from None

    def _check_password(self, password: Secret, *, keys: bool) -> None:
        """A password that Java could not use is refused where it begins to matter; files that have one keep it."""
        target = self.target
        new = self._container is None and target.type is StoreType.PKCS12
        jceks_key = keys and target.type is StoreType.JCEKS
        if (new or jceks_key) and not password.is_printable_ascii and _is_text(password):
            raise RefusedError(
                _FOR_EVERY_JAVA if new else "a JCEKS keystore protects keys with printable ASCII passwords only",
                where=target.location,
                hint="choose a password of printable ASCII characters" + ("" if new else ", or use PKCS#12 or JKS"),
            )

    def private_key(self, alias: str) -> Secret:
        """See `KeystoreReader.private_key`."""
        if self._container is None:
            self._load()
        return self._open(self._container, alias, self._password)

    def signing_request(self, alias: str, wanted: WantedKeyPair) -> bytes:
        """See `KeystoreReader.signing_request`."""
        from reconciler.x509 import signing_request

        return signing_request(self.private_key(alias), wanted)

    def complete(self, live: Snapshot, aliases: Iterable[str], *, sap_keys: bool = False) -> Snapshot:  # noqa: ARG002
        """See `KeystoreReader.complete`: a file is read whole."""
        return live

    def close(self) -> None:
        """See `KeystoreReader.close`: a file is open for as long as it is read."""

    def runs(self) -> tuple[Run, ...]:
        """What was done to the keystore, newest first."""
        return history.read_runs(self.target.path, self.target.location)

    def backup(self, run: str) -> Snapshot:
        """The keystore as it was before a run.

        Raises:
            ReconcileError: there is no such backup, or neither password opens it.
        """
        return self._backup(run)[0].snapshot()

    def backup_opens(self, run: Run) -> str | None:
        """Which password opens the backup of a run: `password`, `previousPassword`, or None for neither."""
        try:
            data = history.read_backup(run, self.target.location)
        except ReconcileError:
            return None
        return self._password_name(data)

    # --------------------------------------------------------------------------------------------- opening

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
            self._container = None
            return
        self._container, self._password, self._opened_with_previous = self._opened(self._data, target.location)
        self._check_type(self._container)
        self._check_integrity(self._container.snapshot().integrity)

    def _opened(self, data: bytes, origin: str) -> tuple[Container, Secret | None, bool]:
        """The container, the password that opened it, and whether that was the previous one.

        Raises:
            KeystoreUnreadableError: neither password opens it; says why the declared one does not.
        """
        try:
            return *open_container(data, self._declared, origin=origin), False
        except KeystoreUnreadableError as error:
            if self._previous is None or self._declared is None:
                raise
            first = error
        try:
            previous = self._previous()
            return parse_container(data, previous, origin=origin), previous, True
        except KeystoreUnreadableError:
            message = f"neither `password` nor `previousPassword` opens the keystore: {first.message}"
        except ReconcileError as error:
            message = f"{first.message}; and `previousPassword` could not be tried: {error.message}"
        raise KeystoreUnreadableError(message, where=first.where, hint=first.hint)

    def _check_type(self, container: Container) -> None:
        if FORMATS[container.type].empty is None:
            raise ReconcileError(
                f"the file holds a keystore of the type {container.type}, which is only read as a source of imports",
                where=str(self.target.source),
                hint=f"convert it to {self.target.type} with keytool -importkeystore",
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
        shown = replace(container.snapshot(), version=sha256(data).hexdigest())
        if not self._opened_with_previous or container is not self._container:
            return shown
        return replace(shown, opened_with_previous=True, old_backups=tuple(self._old_backups()))

    def _old_backups(self) -> Iterator[str]:
        for run in self.runs():
            if run.backup is not None and self.backup_opens(run) == PREVIOUS:
                yield Path(run.backup).name

    def _password_name(self, data: bytes) -> str | None:
        try:
            return PREVIOUS if self._opened(data, self.target.location)[2] else DECLARED
        except ReconcileError:
            return None

    def _new_container(self) -> Container:
        return new_container(self.target.type, self.target.encryption)

    def _open(self, container: Container | None, alias: str, password: Secret | None) -> Secret:
        if container is None or password is None:
            raise ReconcileError("a private key needs a keystore with a password", where=self.target.location)
        return container.private_key(alias, password)

    # ------------------------------------------------------------------------------------------- migrating

    def _migrated(self, container: Container, migration: Migration, new: Secret | None) -> Container:
        """What the keystore becomes; a preview where there is no new password."""
        from reconciler.keystores.moving import CannotCarryError, moved
        from reconciler.keystores.protocol import Terms

        if self._declared is None:
            reason = "a keystore migrates only under a password, and none is declared"
            raise self._cannot_migrate([("", reason)])
        if migration.to_type is StoreType.PKCS12 and not self._declared.is_printable_ascii:
            raise self._cannot_migrate([("", _FOR_EVERY_JAVA)])
        terms = Terms(migration.to_type, migration.to_encryption, self._password, new, migration.unchanged)
        try:
            return moved(container, terms, datetime.now(UTC))
        except CannotCarryError as error:
            raise self._cannot_migrate(error.reasons) from None

    def _cannot_migrate(self, reasons: Sequence[tuple[str, str]]) -> PlanRefusedError:
        target = self.target
        problems = [
            Problem("migrate", f"{alias or 'the keystore'}: cannot be carried: {why}", target.source, refusal=True)
            for alias, why in reasons
        ]
        problems[-1].hint = "nothing was written; take out what cannot be carried, or leave `keystore:` as the file is"
        return PlanRefusedError(problems, target.location)

    # -------------------------------------------------------------------------------------------- backups

    def _backup(self, run_id: str) -> tuple[Container, Secret | None]:
        if run_id not in self._backups:
            run = next((one for one in self.runs() if one.id == run_id), None)
            if run is None:
                raise ReconcileError(f"there is no run {run_id}", where=self.target.location, hint=_SEE_HISTORY)
            data = history.read_backup(run, self.target.location)
            container, password, _ = self._opened(data, f"the backup of {run_id}")
            self._backups[run_id] = (container, password)
        return self._backups[run_id]

    def _public(self, write: Write, container: Container) -> Write:
        """A write as far as it can be told without opening a key."""
        if not isinstance(write, Restore):
            return write
        origin, _ = self._backup(write.run)
        if container.can_restore(write.alias, origin):
            return replace(write, origin=origin)
        return self._put_again(write.entry, None)

    def _put_again(self, entry: Entry, key: Secret | None) -> Write:
        """An entry of a backup as a write that makes it anew."""
        match entry.kind:
            case EntryKind.TRUSTED_CERTIFICATE if entry.chain:
                return PutCertificate(entry.stored_alias or entry.alias, entry.chain[0], entry.created)
            case EntryKind.KEY_PAIR if entry.chain:
                return PutKeyPair(entry.alias, entry.chain, key, entry.created)
            case _:
                raise ReconcileError(
                    f"the {entry.kind} {entry.alias!r} cannot be put back: the keystore has another format since",
                    where=self.target.location,
                )


DECLARED, PREVIOUS = "password", "previousPassword"
# Measured: with such a password Java 17 opens neither kind of encryption, Java 25 current encryption alone, in which
# the password is UTF-8; for the older schemes it takes other octets than RFC 7292 (and OpenSSL) says.
_FOR_EVERY_JAVA = "not every Java opens a PKCS#12 file whose password has other characters than printable ASCII"
_SEE_HISTORY = "see: reconcile history"


class WritableFileKeystore(FileKeystore):
    """The writing half. Only `GuardedKeystore` holds one."""

    def __init__(
        self,
        target: KeystoreTarget,
        password: Secret | None,
        previous: PreviousPassword | None = None,
        facts: RunFacts | None = None,
    ) -> None:
        """See `FileKeystore`; `facts` go into the record of the run."""
        super().__init__(target, password, previous)
        self._facts = facts
        self._moved: Container | None = None
        self._staged: tuple[bytes, Container] | None = None
        self._new_password = password  # what the staged file opens with
        self._is_migration = False

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
                self._staged = self._moved = None
                self._is_migration = False

    def stage(self, writes: Sequence[Write]) -> Snapshot:
        """See `KeystoreWriter.stage`: the new bytes are parsed from nothing, as any other reader would."""
        now = datetime.now(UTC)
        container = self._moved or self._container or self._new_container()
        password = self._new_password if self._moved is not None else self._password
        known = [self._with_origin(write) for write in writes]
        return self._stage(container.with_writes(known, password=password, now=now).to_bytes(password), password)

    def stage_migration(self, migration: Migration) -> Snapshot:
        """See `KeystoreWriter.stage_migration`."""
        if self._container is None or self._declared is None:
            raise ReconcileError("there is no keystore that could migrate", where=self.target.location)
        container = self._migrated(self._container, migration, self._declared)
        shown = self._stage(container.to_bytes(self._declared), self._declared)
        self._moved = self._staged[1] if self._staged else None
        self._is_migration = True
        return shown

    def stage_backup(self, run: str) -> Snapshot:
        """See `KeystoreWriter.stage_backup`."""
        container, password = self._backup(run)
        self._check_type(container)
        one = next(one for one in self.runs() if one.id == run)
        self._is_migration = True
        return self._stage(history.read_backup(one, self.target.location), password)

    def _stage(self, built: bytes, password: Secret | None) -> Snapshot:
        read_back = parse_container(built, password, origin=self.target.location)
        self._staged = (built, read_back)
        self._new_password = password
        return self._snapshot(read_back, built)

    def staged_private_key(self, alias: str) -> Secret:
        """See `KeystoreWriter.staged_private_key`."""
        return self._open(self._staged[1] if self._staged else None, alias, self._new_password)

    def restoration(self, run: str, alias: str) -> Write:
        """See `KeystoreWriter.restoration`."""
        if self._container is None and self._data is None:
            self._load()
        origin, password = self._backup(run)
        entry = next((one for one in origin.snapshot().entries if alias_key(one.alias) == alias_key(alias)), None)
        if entry is None:
            raise ReconcileError(f"the backup holds no entry {alias!r}", where=self.target.location)
        live = self._container or self._new_container()
        fits = live.can_restore(alias, origin)
        if entry.kind is not EntryKind.KEY_PAIR:
            return Restore(alias, entry, run, origin) if fits else self._put_again(entry, None)
        if fits and (password == self._password or not _opens(origin, alias, password)):
            # Under the same password, or under one of its own that no store's password opens.
            return Restore(alias, entry, run, origin)
        return self._put_again(entry, self._open(origin, alias, password))

    def _with_origin(self, write: Write) -> Write:
        return replace(write, origin=self._backup(write.run)[0]) if isinstance(write, Restore) else write

    def commit(self) -> None:
        """See `KeystoreWriter.commit`. The old file is kept as a backup beside the store first, with a record."""
        if self._staged is None:
            raise ReconcileError("nothing was staged", where=self.target.location)
        built, container = self._staged
        target = self.target
        live = Snapshot(target.type, exists=False) if self._container is None else self._container.snapshot()
        writing = history.Writing(
            target.path, self._data, built, live, container.snapshot(), self._is_migration, self._facts
        )  # fmt: skip
        written = history.keep(writing, target.location)
        try:
            replace_file(target.path, built, expected=self._data, shown_as=target.location)
        except ReconcileError:
            # The old file is untouched. After any other end nobody knows, and the backup stays.
            history.discard(written)
            raise
        history.prune(target.path, target.keep_backups)

    def _make_directory(self) -> None:
        directory = Path(self.target.path).parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ReconcileError(
                f"the directory of the keystore cannot be made: {reason_of(error)}", where=self.target.location
            ) from None


def _is_text(password: Secret) -> bool:
    """One that is no text is told by whoever needs its characters."""
    try:
        password.text()
    except UnicodeDecodeError:
        return False
    return True


def _opens(container: Container, alias: str, password: Secret | None) -> bool:
    if password is None:
        return False
    try:
        container.private_key(alias, password)
    except KeystoreUnreadableError:
        return False
    return True
