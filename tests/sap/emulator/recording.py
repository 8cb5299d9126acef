"""The log of every request that an emulator was sent, and the check that no write ever addressed SAP's entries."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

READING = frozenset({"GET", "HEAD", "OPTIONS"})
FORBIDDEN_OPTIONS = {"activate": "true", "importOption": "replace", "retrieveBackup": "backup_admin_system"}


@dataclass
class Recorded:
    """One request.

    Attributes:
        tenant: The name of the tenant.
        kind: token, csrf or api.
        method: The HTTP method.
        path: Below the service root.
        query: The options.
        aliases: Every alias that it addresses, from the URL and from the body.
        protected: Those of them that belong to SAP, by name or by Owner, at that moment.
        user: Who sent it.
        status: What was answered; 0 when the connection was dropped.
        fault: The fault that hit it, or empty.
        took_effect: Whether a writing request changed the tenant.
        at: Seconds on a monotonic clock.
        headers: Names of the headers that came along (never their values).
    """

    tenant: str
    kind: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    user: str = ""
    status: int = 0
    fault: str = ""
    took_effect: bool = False
    at: float = 0.0
    headers: frozenset[str] = frozenset()

    @property
    def is_write(self) -> bool:
        """Whether it could change the keystore."""
        return self.kind == "api" and self.method not in READING

    @property
    def violation(self) -> str:
        """Which rule of the product it breaks, or empty."""
        if not self.is_write:
            return ""
        if self.protected:
            return f"{self.method} {self.path} addresses SAP's {', '.join(self.protected)}"
        for name, value in FORBIDDEN_OPTIONS.items():
            if self.query.get(name) == value:
                return f"{self.method} {self.path} with {name}={value}"
        if self.path.startswith("KeystoreResources") and "deleteEntries" not in self.query:
            return f"{self.method} {self.path} writes the keystore as a whole"
        if len(self.aliases) > 1 and "renameAlias" not in self.query:
            return f"{self.method} {self.path} writes more than one alias: {', '.join(self.aliases)}"
        return ""


class Recording:
    """All requests of one emulator, in the order in which they arrived."""

    def __init__(self) -> None:
        self._requests: list[Recorded] = []
        self._lock = threading.Lock()

    def add(self, request: Recorded) -> None:
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def __iter__(self) -> Iterator[Recorded]:
        with self._lock:
            return iter(tuple(self._requests))

    def __len__(self) -> int:
        with self._lock:
            return len(self._requests)

    def of(self, kind: str, tenant: str | None = None) -> tuple[Recorded, ...]:
        return tuple(r for r in self if r.kind == kind and tenant in {None, r.tenant})

    @property
    def writes(self) -> tuple[Recorded, ...]:
        """The requests that could change a keystore."""
        return tuple(request for request in self if request.is_write)

    @property
    def lines(self) -> tuple[str, ...]:
        """`METHOD path` of each, for a quick assertion."""
        return tuple(f"{request.method} {request.path}" for request in self)

    def violations(self) -> tuple[str, ...]:
        """What no client of ours may ever do."""
        return tuple(request.violation for request in self if request.violation)

    def assert_innocent(self) -> None:
        """Fail when a writing request addressed SAP's entries, more than one alias, or a forbidden option."""
        assert self.violations() == ()
