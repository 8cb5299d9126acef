"""What a report says of the policy: the findings in the order of their gravity, and how many there are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.model import PolicyLevel
from reconciler.reports.facts import plural
from reconciler.reports.standing import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model import PolicyFinding, TargetReport

_SAID = (PolicyLevel.ERROR, PolicyLevel.WARNING, PolicyLevel.NOTE)


def policy_of(target: TargetReport) -> tuple[PolicyFinding, ...]:
    """The findings of one keystore, the gravest first."""
    return target.plan.policy if target.plan else ()


def severity_of(finding: PolicyFinding) -> Severity:
    """How loud to say a finding."""
    return Severity(finding.level)


def loud(target: TargetReport) -> tuple[PolicyFinding, ...]:
    """The errors and warnings, without the notes."""
    return tuple(finding for finding in policy_of(target) if finding.level is not PolicyLevel.NOTE)


def errors(target: TargetReport) -> tuple[PolicyFinding, ...]:
    """What stops a run."""
    return tuple(finding for finding in policy_of(target) if finding.level is PolicyLevel.ERROR)


def has_errors(target: TargetReport) -> bool:
    """Whether the policy stops a run."""
    return bool(errors(target))


def notes(target: TargetReport) -> str:
    """How many notes there are, in words; empty where there are none."""
    count = sum(finding.level is PolicyLevel.NOTE for finding in policy_of(target))
    return f"{plural(count, 'note')} of the policy" if count else ""


def counted(findings: Iterable[PolicyFinding]) -> str:
    """``1 error, 3 warnings``; empty where there is nothing."""
    counts = Counter(finding.level for finding in findings)
    return ", ".join(plural(counts[level], level) for level in _SAID if counts[level])


def policy_document(finding: PolicyFinding) -> dict[str, Any]:
    """One finding for programs."""
    source = finding.source
    return {
        "check": finding.check,
        "severity": finding.level,
        "alias": finding.alias,
        "message": finding.message,
        "hint": finding.hint,
        "source": None if source is None else {"file": source.file, "line": source.line, "column": source.column},
        "sha256": finding.sha256,
        "live": finding.is_live,
    }
