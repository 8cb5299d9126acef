"""Durations and shares of a lifetime, as the files spell them: ``365d``, ``12h``, ``90m``, ``33%``."""

from __future__ import annotations

from datetime import timedelta

from reconciler.errors import ReconcileError
from reconciler.model import RenewBefore

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
# A certificate can say 9999-12-31 at most (RFC 5280, 4.1.2.5); a century keeps every sum well away from it.
MAXIMUM = timedelta(days=36_525)
DEFAULT_VALIDITY = "365d"
DEFAULT_RENEW_BEFORE = "33%"


def duration(text: str) -> timedelta:
    """``365d``, ``12h`` or ``90m`` as a time span.

    Raises:
        ReconcileError: another spelling, nothing at all, or more than a century.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit() and len(number) <= 8):
        raise ReconcileError("must be a duration: a whole number with d, h or m, such as 365d")
    span = timedelta(**{_UNITS[unit]: int(number)})
    if not timedelta(0) < span <= MAXIMUM:
        raise ReconcileError(f"must lie between 1m and {MAXIMUM.days}d")
    return span


def seconds(text: str) -> float:
    """How long to wait for a program: ``90s``, ``5m`` or ``1h``, whose shape the schema has approved.

    Raises:
        ReconcileError: more than a day.
    """
    waiting = int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
    if waiting > 86_400:
        raise ReconcileError("must be one day at most")
    return float(waiting)


def renew_before(text: str) -> RenewBefore:
    """A duration, or the share of the lifetime that is left.

    Raises:
        ReconcileError: another spelling, or a share that is not between 0 and 100 %.
    """
    if not text.endswith("%"):
        return RenewBefore(duration=duration(text))
    whole, _, fraction = text[:-1].partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit() or not whole or len(text) > 8:
        raise ReconcileError("must be a duration such as 30d, or a share of the lifetime such as 33%")
    share = float(text[:-1]) / 100
    if not 0 < share < 1:
        raise ReconcileError("must be a share between 0 and 100 %")
    return RenewBefore(share=share)
