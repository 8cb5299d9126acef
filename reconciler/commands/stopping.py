"""When a run over many keystores gives up: after so many that failed, what has not begun does not begin."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from reconciler.model import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable


class Failures:
    """How many keystores failed, counted by all threads of a run, and how many may."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lock = Lock()
        self._failed: set[str] = set()

    def count(self, states: Iterable[str]) -> None:
        """These state files failed; one that fails twice counts once."""
        with self._lock:
            self._failed.update(states)

    @property
    def are_too_many(self) -> bool:
        """Whether nothing more is to begin."""
        return self._most is not None and len(self._failed) >= self._most

    def not_tried(self, location: str) -> Failure:
        """What is said of a keystore that was left out."""
        failed = "1 keystore" if self._most == 1 else f"{self._most} keystores"
        return Failure(
            f"not tried: {failed} had failed before (--stop-after {self._most})",
            location,
            "mend what failed, then run again",
            1,
            is_tried=False,
        )
