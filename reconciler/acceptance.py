"""Accepted drift: which findings somebody answers for, and which acceptances speak of nothing any more. Pure.

An acceptance is narrow on purpose. It is about one alias, one live certificate (by SHA-256) and one kind of finding,
and it ends with its day. Whatever else comes to be true of the alias is a finding again, and so is the same difference
once its certificate is about to end: nobody is to learn of an outage from an acceptance.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model import Acceptance, Expiry, Status
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Accepted, Finding

# What can be accepted: what is live and not as git says. What is missing has no live certificate to accept, and an
# answer of a CA is worth a look each time.
ACCEPTABLE = frozenset({Status.DIFFERS, Status.UNMANAGED})
REASON = "accepted"
# About to end, so it is a finding again; and no reason to remove what somebody still answers for.
OVERTAKEN = "acceptance-overtaken"


def accept(
    findings: Sequence[Finding], accepted: Sequence[Accepted], now: datetime, never: frozenset[str]
) -> tuple[Finding, ...]:
    """The findings, those that somebody answers for as `accepted`.

    Args:
        findings: Of a comparison.
        accepted: What the files accept.
        now: The moment of the comparison.
        never: Reasons of findings that nobody can accept.
    """
    if not accepted:
        return tuple(findings)
    in_force: dict[str, list[Accepted]] = {}
    for one in accepted:
        if not is_past(one, now):
            in_force.setdefault(alias_key(one.alias), []).append(one)
    return tuple(_judged(finding, in_force.get(alias_key(finding.alias), ()), never) for finding in findings)


def _judged(finding: Finding, candidates: Iterable[Accepted], never: frozenset[str]) -> Finding:
    one = next((one for one in candidates if speaks_of(one, finding)), None)
    if one is None or finding.reason in never:
        return finding
    if finding.expiry is not Expiry.OK:
        return replace(finding, reason=OVERTAKEN) if finding.status is Status.UNMANAGED else finding
    message = f"{finding.message}; accepted until {one.until.isoformat()} by {one.owner}: {one.reason}"
    acceptance = Acceptance(one, finding.status, finding.reason, finding.message)
    return replace(finding, status=Status.ACCEPTED, reason=REASON, message=message, acceptance=acceptance)


def speaks_of(one: Accepted, finding: Finding) -> bool:
    """Whether an acceptance means this finding, whatever the day and the certificate's end are."""
    if finding.status not in ACCEPTABLE or (one.status is not None and one.status is not finding.status):
        return False
    leaf = finding.live.leaf if finding.live else None
    if leaf is None or leaf.sha256 != one.sha256 or alias_key(one.alias) != alias_key(finding.alias):
        return False
    differing = {difference.field for difference in finding.differences}
    return not one.fields or (bool(differing) and differing <= one.fields)


def is_past(one: Accepted, now: datetime) -> bool:
    """Whether the last day of an acceptance is over, in UTC."""
    return now.astimezone(UTC).date() > one.until


class Idle(StrEnum):
    """Why an acceptance does nothing."""

    PAST = "acceptance-past"
    UNUSED = "acceptance-unused"
    EXPIRY = OVERTAKEN


def idle(accepted: Iterable[Accepted], findings: Sequence[Finding], now: datetime) -> Iterator[tuple[Accepted, Idle]]:
    """The acceptances that do nothing, each with why."""
    by_alias: dict[str, list[Finding]] = {}
    for finding in findings:
        by_alias.setdefault(alias_key(finding.alias), []).append(finding)
    for one in accepted:
        about = by_alias.get(alias_key(one.alias), ())
        if is_past(one, now):
            yield one, Idle.PAST
        elif any(speaks_of(one, finding) and finding.expiry is not Expiry.OK for finding in about):
            yield one, Idle.EXPIRY
        elif not any(_is_accepted_by(one, finding) for finding in about):
            yield one, Idle.UNUSED


def _is_accepted_by(one: Accepted, finding: Finding) -> bool:
    """Whether it is what a finding is accepted by, or would be if another one did not come first."""
    if finding.acceptance is None:
        return False
    return speaks_of(one, replace(finding, status=finding.acceptance.status))
