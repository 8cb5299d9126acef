"""How long to wait before a request is sent again, and when to give up; urllib3's `Retry` does the arithmetic."""

from __future__ import annotations

from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util.retry import RequestHistory, Retry

_ATTEMPTS = 7
_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 20.0
_LONGEST_RETRY_AFTER = 60


class Patience:
    """The waits between the attempts of one request: 0.5, 1, 2, 4, 8, 16 seconds and some jitter, then no more."""

    def __init__(self, attempts: int = _ATTEMPTS, first: float = _FIRST_SECONDS) -> None:
        # A failure in the history makes `Retry` wait before the first repetition too.
        self._retry = Retry(
            total=attempts - 1,
            backoff_factor=first / 2,
            backoff_max=_LONGEST_SECONDS,
            backoff_jitter=first / 2,
            retry_after_max=_LONGEST_RETRY_AFTER,
            history=(RequestHistory(None, None, None, None, None),),
        )

    def wait(self, retry_after: str | None = None) -> float | None:
        """The seconds until the next attempt; None when there is none.

        Args:
            retry_after: What the server asks for in `Retry-After`: seconds or a date.
        """
        try:
            self._retry = self._retry.increment()
        except MaxRetryError:
            return None
        asked = self._asked(retry_after)
        return self._retry.get_backoff_time() if asked is None else min(asked, _LONGEST_RETRY_AFTER)

    def _asked(self, retry_after: str | None) -> float | None:
        if not retry_after:
            return None
        try:
            return max(0.0, self._retry.parse_retry_after(retry_after))
        except (InvalidHeader, ValueError, OverflowError):
            return None
