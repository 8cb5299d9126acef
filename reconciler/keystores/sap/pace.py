"""Keeps to SAP's rate limits: 12 requests a second for a tenant, 10 for a user (SAP Help, "Rate Limits on SAP CI")."""

from __future__ import annotations

import threading
import time
from collections import deque

PER_TENANT = 12
PER_USER = 10
# Longer than the second that SAP counts: what leaves here evenly may arrive there closer together.
_WINDOW = 1.1


class Pace:
    """Lets so many requests through in any window of time; the others wait for their turn."""

    def __init__(self, limit: int, window: float = _WINDOW) -> None:
        self._window = window
        self._turns: deque[float] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def turn(self, now: float) -> float:
        """Take a turn: the moment at which the request may leave, `now` or later."""
        with self._lock:
            full = len(self._turns) == self._turns.maxlen
            at = max(now, self._turns[0] + self._window) if full else now
            self._turns.append(at)
            return at


_paces: dict[tuple[str, str | None], Pace] = {}
_paces_lock = threading.Lock()


def wait_for_turn(api_url: str, user: str) -> None:
    """Wait until neither the tenant's limit nor the user's is exceeded; shared by all sessions of the process."""
    at = time.monotonic()
    for key, limit in (((api_url, user), PER_USER), ((api_url, None), PER_TENANT)):
        at = _pace(key, limit).turn(at)
    delay = at - time.monotonic()
    if delay > 0:
        time.sleep(delay)


def _pace(key: tuple[str, str | None], limit: int) -> Pace:
    with _paces_lock:
        return _paces.setdefault(key, Pace(limit))
