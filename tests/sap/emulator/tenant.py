"""The state of one emulated tenant: its keystores, SAP's key history, and what happens outside the API."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.sap.emulator.entries import SAP, TENANT, HistoryEntry, StoredEntry
from tests.sap.emulator.exchange import ServiceError
from tests.sap.emulator.faults import Faults
from tests.sap.emulator.gate import Gate
from tests.sap.emulator.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cryptography import x509

    from tests.sap.emulator.keys import PrivateKey

SYSTEM = "system"
BACKUP = "backup_admin_system"
RENEWAL = "KeyRenewal"
HISTORY = "KeyHistory"
Entries = dict[str, StoredEntry]


@dataclass(frozen=True)
class Keystore:
    """A keystore at one moment; a write makes another one."""

    entries: Mapping[str, StoredEntry] = field(default_factory=dict)
    modified_by: str = SAP
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    visible_from: float = 0.0


class Tenant:
    """One tenant; everything about it is done while `lock` is held."""

    def __init__(self, name: str, switches: Switches | None = None, now: Callable[[], datetime] | None = None) -> None:
        self.name = name
        self.switches = switches or Switches()
        self.faults = Faults()
        self.lock = threading.RLock()
        self.history: list[HistoryEntry] = []
        self._now = now or (lambda: datetime.now(UTC))
        self._versions: dict[str, list[Keystore]] = {name: [Keystore()] for name in (SYSTEM, BACKUP, RENEWAL)}
        self.has_backup = False
        self.gate = Gate(self.switches)

    # ------------------------------------------------------------------------------------------- looking

    def now(self) -> datetime:
        """The tenant's clock; dates of entries carry milliseconds."""
        moment = self._now()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def keystore(self, name: str = SYSTEM) -> Keystore:
        """What the keystore is."""
        return self._history_of(name)[-1]

    def shown(self, name: str = SYSTEM) -> Keystore:
        """What a read is shown, which may be a moment behind."""
        if name == HISTORY:
            return Keystore({entry.alias: entry.entry.renamed(entry.alias) for entry in self.history})
        moment = time.monotonic()
        return next(version for version in reversed(self._history_of(name)) if version.visible_from <= moment)

    def _history_of(self, name: str) -> list[Keystore]:
        if name not in self._versions:
            raise ServiceError(400, f"Keystore name '{name}' is invalid.")
        return self._versions[name]

    def find(self, alias: str, name: str = SYSTEM) -> StoredEntry | None:
        """The entry that is there."""
        return self._lookup(self.keystore(name).entries, alias)

    def find_shown(self, alias: str, name: str = SYSTEM) -> StoredEntry | None:
        """The entry that a read is shown."""
        return self._lookup(self.shown(name).entries, alias)

    def _lookup(self, entries: Mapping[str, StoredEntry], alias: str) -> StoredEntry | None:
        if not self.switches.fold_alias_case:
            return entries.get(alias)
        return next((entry for name, entry in entries.items() if name.lower() == alias.lower()), None)

    def aliases(self, name: str = SYSTEM) -> tuple[str, ...]:
        return tuple(self.keystore(name).entries)

    def certificates(self) -> Iterator[x509.Certificate]:
        """Every certificate of the keystore in use: what an upload may be trusted by."""
        for entry in self.keystore().entries.values():
            yield from entry.chain

    # ------------------------------------------------------------------------------------------- writing

    def commit(self, entries: Mapping[str, StoredEntry], user: str, name: str = SYSTEM) -> None:
        """Put `entries` in the place of the keystore.

        Raises:
            ServiceError: 413, the keystore would be full.
        """
        if sum(entry.size for entry in entries.values()) > self.switches.keystore_bytes:
            raise ServiceError(413, "The maximum size of the keystore is exceeded.")
        delay = self.switches.verify_writes_lazily
        version = Keystore(dict(entries), user, self.now(), time.monotonic() + delay if delay else 0.0)
        versions = self._history_of(name)
        versions.append(version)
        if not delay:
            del versions[:-1]

    def entry(
        self,
        alias: str,
        chain: tuple[x509.Certificate, ...],
        user: str,
        *,
        key: PrivateKey | None = None,
        owner: str = TENANT,
        request_hash: str = "SHA512",
    ) -> StoredEntry:
        """A new entry, made now."""
        moment = self.now()
        return StoredEntry(alias, chain, owner, user, moment, user, moment, key, request_hash)

    # ------------------------------------------------------------------------- what others do meanwhile

    def put(
        self,
        alias: str,
        *chain: x509.Certificate,
        key: PrivateKey | None = None,
        owner: str = TENANT,
        user: str = "S0001234",
        keystore: str = SYSTEM,
    ) -> StoredEntry:
        """Somebody else puts an entry there, without the API's checks."""
        with self.lock:
            entry = self.entry(alias, chain, user, key=key, owner=owner)
            self.commit({**self.keystore(keystore).entries, alias: entry}, user, keystore)
            return entry

    def remove(self, alias: str, *, user: str = "S0001234", keystore: str = SYSTEM) -> None:
        """Somebody else removes an entry."""
        with self.lock:
            rest = {name: entry for name, entry in self.keystore(keystore).entries.items() if name != alias}
            self.commit(rest, user, keystore)

    def activate(self, alias: str, user: str = SAP) -> None:
        """A new SAP key takes the place of the old one, which goes into the history.

        Raises:
            ServiceError: 404, no such successor.
        """
        with self.lock:
            successor = self.find(alias, RENEWAL)
            if successor is None:
                raise ServiceError(404, f"Alias '{alias}' not found in the keystore")
            old = self.find(alias)
            if old is not None:
                self._to_history(old, user)
            moment = self.now()
            active = replace(successor, modified_by=user, modified_at=moment)
            self.commit({**self.keystore().entries, alias: active}, user)
            self.remove(alias, user=user, keystore=RENEWAL)

    def daily_job(self) -> tuple[str, ...]:
        """SAP activates by itself what would expire within a day; the aliases that it activated."""
        limit = self.now() + timedelta(days=1)
        due = []
        for alias in self.aliases(RENEWAL):
            current = self.find(alias)
            if current is not None and current.leaf.not_valid_after_utc <= limit:
                self.activate(alias)
                due.append(alias)
        return tuple(due)

    def _to_history(self, entry: StoredEntry, user: str) -> None:
        sequence = 1 + max((old.sequence for old in self.history), default=0)
        self.history.append(HistoryEntry(entry, sequence, entry.modified_at, self.now(), SAP, user))
