"""Puts the clock of a Python process ahead by CLOCK_AHEAD_DAYS, for runs of a later night."""

from __future__ import annotations

import datetime
import os

_TRUE = datetime.datetime
_AHEAD = datetime.timedelta(days=int(os.environ.get("CLOCK_AHEAD_DAYS", "0")))


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _TRUE)


class _Later(_TRUE, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return _TRUE.now(tz) + _AHEAD


datetime.datetime = _Later  # type: ignore[misc]
