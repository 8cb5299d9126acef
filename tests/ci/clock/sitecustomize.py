"""Puts the clock of `reconcile` ahead by CLOCK_AHEAD_DAYS, for runs of a later night.

Only in our own modules: cryptography wants the class of the standard library.
"""

from __future__ import annotations

import builtins
import datetime as dt
import os
import sys
from typing import Any

_TRUE = dt.datetime
_AHEAD = dt.timedelta(days=int(os.environ.get("CLOCK_AHEAD_DAYS", "0")))
_import = builtins.__import__


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _TRUE)

    def __call__(cls, *arguments: Any, **named: Any) -> dt.datetime:
        return _TRUE(*arguments, **named)


class _Later(_TRUE, metaclass=_Kind):
    """Stands in for the class; every value is one of the true class."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return _TRUE.now(tz) + _AHEAD


def _patched_import(name: str, *arguments: Any, **named: Any) -> Any:
    module = _import(name, *arguments, **named)
    if name.startswith("reconciler"):
        for loaded, ours in list(sys.modules.items()):
            if loaded.startswith("reconciler") and getattr(ours, "datetime", None) is _TRUE:
                ours.datetime = _Later  # type: ignore[attr-defined]  # it has it, as was just seen
    return module


builtins.__import__ = _patched_import
