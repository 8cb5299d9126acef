"""Alias by alias, what is true when a report is made: the finding, and after an apply what became of its change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from reconciler.compare import DECLARED_PROTECTED, is_difference
from reconciler.expiry import NOTICE, expiry_of
from reconciler.model import Action, Expiry, OutcomeStatus, RenewBefore, Status, Unmanaged, WantedCertificate
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from reconciler.model import Certificate, Change, Entry, Finding, Outcome, Source, TargetReport

T = TypeVar("T")

# What a standing says beside the statuses of findings: its change was applied.
APPLIED = "applied"


class Severity(StrEnum):
    """How loud a report says something."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Standing:
    """One alias of a keystore.

    Attributes:
        finding: What the comparison found.
        entry: The entry that is there now: after an apply that touched it, the new one.
        expiry: How that entry stands against the clock.
        differs: Whether git and the keystore differ in it, as `drift` counts.
        change: What a plan would do, or an apply did.
        outcome: What became of the change, after an apply.
    """

    finding: Finding
    entry: Entry | None
    expiry: Expiry
    differs: bool
    change: Change | None = None
    outcome: Outcome | None = None

    @property
    def alias(self) -> str:
        """The alias as the desired state spells it, or as the keystore does."""
        return self.finding.alias

    @property
    def title(self) -> str:
        """The alias, or words for a finding that is about the keystore itself."""
        is_whole = self.finding.live is None and self.finding.wanted is None and not self.alias
        return "the keystore itself" if is_whole else self.alias

    @property
    def is_declared(self) -> bool:
        """Whether a line of the file asks for something about it."""
        return self.finding.wanted is not None

    @property
    def entries(self) -> tuple[tuple[str, Entry], ...]:
        """What the keystore holds for it: the entry, and the successor that waits beside it."""
        staged = self.finding.staged if self.outcome is None else None
        found = [(self.alias, self.entry)] if self.entry else []
        return tuple(found + ([(staged.alias, staged)] if staged else []))

    @property
    def leaf(self) -> Certificate | None:
        """The certificate that is there now."""
        return self.entry.leaf if self.entry else None

    @property
    def status(self) -> str:
        """The status of the finding, or `applied`."""
        return APPLIED if _is_applied(self.outcome) else self.finding.status

    @property
    def message(self) -> str:
        """What there is to say, in one sentence."""
        if self.outcome is None:
            return self.finding.message
        return self.outcome.message or (self.change.message if self.change else "")

    @property
    def source(self) -> Source | None:
        """The line that asks for it, or that accepts what nobody asks for."""
        acceptance = self.finding.acceptance
        return self.finding.source or (acceptance.by.source if acceptance else None)

    @property
    def severity(self) -> Severity:
        """How loud to say it."""
        if self.outcome is not None and self.outcome.status is not OutcomeStatus.APPLIED:
            return Severity.ERROR if self.outcome.status is OutcomeStatus.FAILED else Severity.WARNING
        if self.expiry is not Expiry.OK:
            return _severity_of_expiry(self)
        if self.outcome is not None:
            return Severity.NONE
        if self.finding.reason == DECLARED_PROTECTED:
            return Severity.ERROR
        return _SEVERITIES[self.finding.status]


_SEVERITIES = {
    Status.IN_SYNC: Severity.NONE,
    Status.MISSING: Severity.ERROR,
    Status.DIFFERS: Severity.WARNING,
    Status.AWAITING_SIGNATURE: Severity.NOTE,
    Status.RESPONSE_READY: Severity.WARNING,
    Status.RESPONSE_REJECTED: Severity.ERROR,
    Status.READY_TO_ACTIVATE: Severity.NOTE,
    Status.STILL_NEEDED: Severity.NOTE,
    Status.EXPIRING: Severity.WARNING,
    Status.EXPIRED: Severity.ERROR,
    Status.UNMANAGED: Severity.NOTE,
    Status.ACCEPTED: Severity.NONE,
    Status.PROTECTED: Severity.NONE,
}


def _severity_of_expiry(standing: Standing) -> Severity:
    """What nobody declared is somebody else's to renew: it is said less loudly."""
    if standing.finding.wanted is None:
        return Severity.WARNING if standing.expiry is Expiry.EXPIRED else Severity.NOTE
    return Severity.ERROR if standing.expiry is Expiry.EXPIRED else Severity.WARNING


def standings(target: TargetReport, now: datetime) -> tuple[Standing, ...]:
    """Everything that a report lists of one keystore, in the order of its findings.

    Under `unmanaged: ignore` unmanaged entries are counted elsewhere and not listed.
    """
    plan = target.plan
    if plan is None:
        return ()
    ignore = plan.desired.unmanaged is Unmanaged.IGNORE
    changes = _by_alias(plan.changes, lambda change: change)
    outcomes = _by_alias(sorted(target.outcomes or (), key=_badness), lambda outcome: outcome.change)
    return tuple(
        _standing(finding, changes, outcomes, now, ignore=ignore)
        for finding in plan.findings
        if not (ignore and finding.status is Status.UNMANAGED)
    )


def _by_alias(items: Iterable[T], change_of: Callable[[T], Change]) -> dict[str, T]:
    """What belongs to each alias, under the name that it will have.

    An alias that is renamed and changed as well has two changes: the one of its content says more than the other.
    """
    found: dict[str, T] = {}
    for item in items:
        change = change_of(item)
        key = alias_key(change.new_alias or change.alias)
        if change.action is Action.RENAME:
            found.setdefault(key, item)
        elif change.action is not Action.CREATE_STORE and (key not in found or _renames(change_of(found[key]))):
            found[key] = item
    return found


def _renames(change: Change) -> bool:
    return change.action is Action.RENAME


def _badness(outcome: Outcome) -> int:
    return _WORST_FIRST.index(outcome.status)


_WORST_FIRST = (OutcomeStatus.FAILED, OutcomeStatus.NOT_TRIED, OutcomeStatus.APPLIED)


def _standing(
    finding: Finding, changes: dict[str, Change], outcomes: dict[str, Outcome], now: datetime, *, ignore: bool
) -> Standing:
    key = alias_key(finding.alias)
    change, outcome = changes.get(key), outcomes.get(key)
    if outcome is not None and _is_applied(outcome):
        entry = outcome.after
        expiry = expiry_of(entry.leaf if entry else None, _window(finding), now)
        return Standing(finding, entry, expiry, differs=False, change=change, outcome=outcome)
    differs = is_difference(finding, report_unmanaged=not ignore)
    return Standing(finding, finding.live, finding.expiry, differs, change, outcome)


def _is_applied(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status is OutcomeStatus.APPLIED


def _window(finding: Finding) -> RenewBefore:
    wanted = finding.wanted
    if wanted is None or isinstance(wanted, WantedCertificate):
        return NOTICE
    return wanted.renew_before
