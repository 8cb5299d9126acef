"""Faults that a test injects: which request they hit, how often, and what goes wrong."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Effect(StrEnum):
    """What goes wrong with a request."""

    DROP_BEFORE = "drop-before"  # the connection breaks before the request takes effect
    DROP_AFTER = "drop-after"  # ... after it took effect, before anything is answered
    TRUNCATE = "truncate"  # the body is cut in the middle
    TRUNCATE_SILENTLY = "truncate-silently"  # cut, with a Content-Length that fits what is left
    WRONG_TYPE = "wrong-type"  # a login page with status 200
    STATUS = "status"  # another status instead of the answer; nothing takes effect
    STATUS_AFTER = "status-after"  # it takes effect and is answered with another status
    EXPIRE_TOKENS = "expire-tokens"  # every token is void from now on
    FORGET_CSRF = "forget-csrf"  # every CSRF session is void from now on
    RUN = "run"  # something else happens right before the request
    RUN_AFTER = "run-after"  # ... right after it
    REDIRECT = "redirect"


@dataclass
class Fault:
    """One fault, used up after `times` requests.

    Attributes:
        effect: What goes wrong.
        method: The method that it hits, empty for all; `READ` and `WRITE` stand for kinds of
            methods (the token request is neither).
        contains: A part of the path below the service root (`oauth/token` for the token request), empty for all.
        times: How many requests it hits.
        skip: How many requests of that kind go through before.
        status: For STATUS, STATUS_AFTER and REDIRECT.
        headers: Sent along with the status.
        body: Sent along with the status.
        content_type: Of that body.
        run: For RUN and RUN_AFTER.
    """

    effect: Effect
    method: str = ""
    contains: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = "text/plain"
    run: Callable[[], object] | None = None

    def hits(self, method: str, path: str) -> bool:
        reads = method in {"GET", "HEAD"}
        kinds = {"": True, "READ": reads, "WRITE": not reads and path != "oauth/token"}
        return kinds.get(self.method, method == self.method) and self.contains in path


class Faults:
    """The faults of one tenant, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, effect: Effect | str, **options: object) -> Fault:
        """Inject a fault; the options are the attributes of `Fault`."""
        fault = Fault(Effect(effect), **options)  # type: ignore[arg-type]  # checked by the dataclass' own names
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """Those that have not hit as often as they should."""
        with self._lock:
            return tuple(self._faults)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted down."""
        with self._lock:
            for fault in self._faults:
                if not fault.hits(method, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None
