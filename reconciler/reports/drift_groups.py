"""The parts of the drift view: which differences stand together, in the order in which people want to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.compare import ABSENT, DECLARED_PROTECTED
from reconciler.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.reports.standing import Standing


@dataclass(frozen=True, slots=True)
class Group:
    """One part of the drift view and what belongs to it."""

    key: str
    title: str
    standings: tuple[Standing, ...]


_WAITING = frozenset(
    {
        Status.AWAITING_SIGNATURE,
        Status.RESPONSE_READY,
        Status.RESPONSE_REJECTED,
        Status.READY_TO_ACTIVATE,
        Status.STILL_NEEDED,
    }
)

# Key, title, and what belongs there; the first that fits takes it. What is in sync or merely ends soon fits nowhere:
# the horizon shows it.
_GROUPS: tuple[tuple[str, str, Callable[[Standing], bool]], ...] = (
    ("refused", "Declared, but not ours", lambda one: one.finding.reason == DECLARED_PROTECTED),
    ("missing", "Missing", lambda one: one.finding.status is Status.MISSING),
    ("absent", "Must not be there", lambda one: one.finding.reason == ABSENT),
    ("changed", "Changed", lambda one: one.finding.status is Status.DIFFERS),
    ("waiting", "Waiting", lambda one: one.finding.status in _WAITING),
    ("unmanaged", "Not declared", lambda one: one.finding.status is Status.UNMANAGED),
    ("accepted", "Accepted", lambda one: one.finding.status is Status.ACCEPTED),
    ("protected", "Protected", lambda one: one.finding.status is Status.PROTECTED),
)


def drift_groups(standings: Iterable[Standing]) -> tuple[Group, ...]:
    """The groups that have something in them."""
    found: dict[str, list[Standing]] = {key: [] for key, _, _ in _GROUPS}
    for standing in standings:
        key = next((key for key, _, belongs in _GROUPS if belongs(standing)), None)
        if key is not None:
            found[key].append(standing)
    return tuple(Group(key, title, tuple(found[key])) for key, title, _ in _GROUPS if found[key])
