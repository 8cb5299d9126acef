"""Many keystores in one report: what they have in common, and one line for each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model import OutcomeStatus, WantedCertificate
from reconciler.ownership import alias_key
from reconciler.reports.facts import short_name
from reconciler.reports.horizon import Term, endings
from reconciler.reports.policy import has_errors, loud, severity_of
from reconciler.reports.receivers import difference_count
from reconciler.reports.standing import APPLIED, Severity, Standing, standings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model import Failure, Report, TargetReport
    from reconciler.reports.horizon import Ending


class Verdict(StrEnum):
    """How one keystore came out of the run, the worst first."""

    FAILED = "failed"
    NOT_TRIED = "not tried"
    PART = "applied in part"
    APPLIED = "applied"
    POLICY = "against the policy"
    DIFFERS = "with differences"
    CHANGES = "with changes"
    QUIET = "with nothing to do"


@dataclass(frozen=True, slots=True)
class Member:
    """One keystore of the fleet, with everything that is worked out about it once."""

    place: int  # its place in the report, from 1
    target: TargetReport
    verdict: Verdict
    standings: tuple[Standing, ...]
    endings: tuple[Ending, ...]

    @property
    def differences(self) -> int:
        """How many aliases and receivers differ, as `drift` counts."""
        return sum(standing.differs for standing in self.standings) + difference_count(self.target)

    @property
    def near(self) -> tuple[Ending, ...]:
        """What is past its end or ends within the window or 90 days."""
        return tuple(ending for ending in self.endings if ending.term in _NEAR)

    @property
    def next_ending(self) -> Ending | None:
        """What ends next, and has not yet."""
        return next((one for one in self.endings if one.moment and one.term is not Term.EXPIRED), None)


_NEAR = frozenset({Term.EXPIRED, Term.WINDOW, Term.SOON})


def members(report: Report) -> tuple[Member, ...]:
    """The keystores of a report in its order.

    Several formats of the same report are written one after the other: what they share is worked out once.
    """
    if not _latest or _latest[0][0] is not report:
        _latest[:] = [(report, _members(report))]
    return _latest[0][1]


_latest: list[tuple[Report, tuple[Member, ...]]] = []


def _members(report: Report) -> tuple[Member, ...]:
    return tuple(_member(report, place, target) for place, target in enumerate(report.targets, 1))


def _member(report: Report, place: int, target: TargetReport) -> Member:
    found = standings(target, report.generated_at)
    verdict = _verdict(report.command, target, found)
    return Member(place, target, verdict, found, endings(found, report.generated_at))


def _verdict(command: str, target: TargetReport, found: Sequence[Standing]) -> Verdict:
    if target.outcomes:
        complete = all(outcome.status is OutcomeStatus.APPLIED for outcome in target.outcomes)
        return Verdict.APPLIED if complete and target.failure is None else Verdict.PART
    if target.failure is not None or target.plan is None:
        return Verdict.FAILED if target.failure is None or target.failure.is_tried else Verdict.NOT_TRIED
    if command != "apply" and has_errors(target):
        return Verdict.POLICY
    if command == "drift":
        differs = any(standing.differs for standing in found) or difference_count(target)
        return Verdict.DIFFERS if differs else Verdict.QUIET
    return Verdict.CHANGES if target.plan.changes else Verdict.QUIET


@dataclass(frozen=True, slots=True)
class Cause:
    """The same thing in several keystores: ``isrg_root_x1 missing`` in 37 of 40."""

    alias: str
    what: str  # missing, differs, unmanaged, import, …
    detail: str  # the certificate it is about, or the message of a failure
    severity: Severity
    places: tuple[int, ...]  # the keystores, by their place in the report


def causes(command: str, fleet: Sequence[Member]) -> tuple[Cause, ...]:
    """What several keystores have in common, the most frequent first."""
    found: dict[tuple[str, str, str], list[tuple[int, Severity]]] = {}
    aliases: dict[tuple[str, str, str], str] = {}
    for member in fleet:
        for alias, what, detail, severity in _symptoms(command, member):
            key = (alias_key(alias), what, detail)
            aliases.setdefault(key, alias)
            found.setdefault(key, []).append((member.place, severity))
    shared = [
        Cause(aliases[key], key[1], key[2], seen[0][1], tuple(dict.fromkeys(place for place, _ in seen)))
        for key, seen in found.items()
        if len({place for place, _ in seen}) > 1
    ]
    return tuple(sorted(shared, key=lambda cause: (-len(cause.places), cause.alias, cause.what, cause.detail)))


def _symptoms(command: str, member: Member) -> Iterator[tuple[str, str, str, Severity]]:
    if member.target.failure is not None and member.verdict is Verdict.FAILED:
        yield "", "failed", _reason(member.target.failure, member.target.location), Severity.ERROR
    if member.target.failure is not None and member.verdict is Verdict.NOT_TRIED:
        yield "", "not tried", member.target.failure.message.removeprefix("not tried: "), Severity.WARNING
    for standing in member.standings:
        what = _symptom(command, standing)
        if what is not None:
            yield standing.alias, what, _subject(standing), standing.severity
    for finding in loud(member.target):
        yield finding.alias, finding.check, finding.message, severity_of(finding)


def _reason(failure: Failure, location: str) -> str:
    """Why a keystore failed, without its own name: so the same reason is the same text for all of them."""
    reason = failure.message
    for name in (failure.where, location):
        reason = reason.replace(name, "…") if name else reason
    return reason.removeprefix("… ")


def _symptom(command: str, standing: Standing) -> str | None:
    if standing.outcome is not None:
        return APPLIED if standing.status == APPLIED else standing.outcome.status
    if command != "drift" and standing.change is not None:
        return standing.change.action
    return standing.finding.status if standing.differs else None


def _subject(standing: Standing) -> str:
    wanted = standing.finding.wanted
    certificate = wanted.certificate if isinstance(wanted, WantedCertificate) else standing.leaf
    return short_name(certificate) if certificate else ""
