"""One point in time that everything a connection does must end by."""

from __future__ import annotations

import time


class Deadline:
    """Counts down from `seconds`; a socket gets what is left before each step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, never below a millisecond: zero would mean something else to a socket."""
        return max(self._end - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end
