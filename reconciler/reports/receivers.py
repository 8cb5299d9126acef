"""What a report says of the receivers: quiet where they are trusted as before, loud where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model import ReceiverStatus, Status
from reconciler.reports.facts import plural
from reconciler.reports.standing import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.model import ChainVerdict, Finding, Probe, ReceiverNote, ReceiverVerdict, TargetReport
    from reconciler.trust import TrustVerdict

# Roots that no receiver needs, and that a page for people lists.
_UNNEEDED_LISTED = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said of one receiver."""

    receiver: str
    code: str
    message: str
    severity: Severity
    hint: str = ""


_SEVERITIES = {
    ReceiverStatus.WOULD_BREAK: Severity.ERROR,
    ReceiverStatus.UNTRUSTED: Severity.WARNING,
    ReceiverStatus.UNKNOWN: Severity.WARNING,
    ReceiverStatus.NEWLY_TRUSTED: Severity.NOTE,
    ReceiverStatus.STILL_TRUSTED: Severity.NONE,
}
# Notes that people should see without asking; the others stand in the JSON report.
_SHOWN = frozenset({
    "expired", "root-expiring", "ends-within-horizon", "no-san", "name-mismatch", "not-reached", "client-ca",
    "leaf-is-anchor",
})  # fmt: skip
# In a drift report a receiver that is not recorded is one that nothing can be compared with.
_SHOWN_IN_DRIFT = _SHOWN | {"not-recorded"}


def receivers_of(target: TargetReport) -> tuple[ReceiverVerdict, ...]:
    """The verdicts of one keystore."""
    return target.plan.receivers if target.plan else ()


def status_severity(verdict: ReceiverVerdict) -> Severity:
    """How loud the verdict of a receiver is."""
    return _SEVERITIES[verdict.status]


def trusted_until(verdict: ReceiverVerdict) -> datetime | None:
    """The first end of the trust that the keystore of today puts in a receiver."""
    ends = [chain.before.until for chain in verdict.chains if chain.before.until is not None]
    return min(ends, default=None)


def difference_count(target: TargetReport) -> int:
    """How many receivers differ, as `drift` counts."""
    return sum(bool(verdict.differences) for verdict in receivers_of(target))


def lines(command: str, target: TargetReport) -> tuple[Line, ...]:
    """What is worth a line, in the order of the file."""
    return tuple(line for verdict in receivers_of(target) for line in _lines(command, verdict))


def _lines(command: str, verdict: ReceiverVerdict) -> Iterator[Line]:
    name, is_drift = verdict.receiver.name, command == "drift"
    bad_today = verdict.status in {ReceiverStatus.UNKNOWN, ReceiverStatus.UNTRUSTED} and not verdict.differences
    if not is_drift or bad_today:
        severity = _SEVERITIES[verdict.status]
        if severity is not Severity.NONE:
            yield Line(name, verdict.status, verdict.message, severity, verdict.hint)
    told = set()
    for note in verdict.differences if is_drift else ():
        told.add(note.code)
        yield Line(name, note.code, note.message, Severity.WARNING)
    for note in verdict.warnings:
        if note.code in (_SHOWN_IN_DRIFT if is_drift else _SHOWN) and note.code not in told:
            told.add(note.code)
            yield Line(name, note.code, note.message, Severity.NOTE)


def totals(target: TargetReport) -> str:
    """``3 receivers: 2 still trusted, 1 unknown``; empty without receivers."""
    verdicts = receivers_of(target)
    if not verdicts:
        return ""
    counts = {status: sum(verdict.status is status for verdict in verdicts) for status in ReceiverStatus}
    parts = [f"{count} {status.replace('-', ' ')}" for status, count in counts.items() if count]
    return f"{plural(len(verdicts), 'receiver')}: {', '.join(parts)}"


def unneeded(target: TargetReport) -> str:
    """Which roots no receiver needs, as far as that is known; empty where there are none."""
    found = target.plan.unneeded if target.plan else ()
    if not found:
        return ""
    more = [f"{len(found) - _UNNEEDED_LISTED} more"] if len(found) > _UNNEEDED_LISTED else []
    named = ", ".join([*found[:_UNNEEDED_LISTED], *more])
    return f"{plural(len(found), 'root')} that no receiver needs, as far as they are known: {named}"


def staying(target: TargetReport) -> tuple[Finding, ...]:
    """The roots that another one replaces and that somebody still needs."""
    findings = target.plan.findings if target.plan else ()
    return tuple(finding for finding in findings if finding.status is Status.STILL_NEEDED)


# ------------------------------------------------------------------------------------------------- as data


def receiver_document(verdict: ReceiverVerdict) -> dict[str, Any]:
    """One receiver for programs: `schemas/receivers.schema.json`."""
    receiver = verdict.receiver
    return {
        "name": receiver.name,
        "address": receiver.address,
        "server_name": receiver.server_name,
        "key_pair": receiver.key_pair,
        "status": verdict.status,
        "message": verdict.message,
        "hint": verdict.hint,
        "source": {"file": receiver.source.file, "line": receiver.source.line, "column": receiver.source.column},
        "recorded_in": receiver.chain_shown,
        "chains": [_chain(chain) for chain in verdict.chains],
        "probe": None if verdict.probe is None else _probe(verdict.probe),
        "differences": [_note(note) for note in verdict.differences],
        "warnings": [_note(note) for note in verdict.warnings],
    }


def _chain(chain: ChainVerdict) -> dict[str, Any]:
    from reconciler.reports.document import certificate_document, rfc3339

    return {
        "origin": chain.origin,
        "status": chain.status,
        "status_at_horizon": chain.later_status,
        "judged_at": rfc3339(chain.moment),
        "before": _trust(chain.before),
        "after": _trust(chain.after),
        "at_horizon": _trust(chain.later),
        "lost": list(chain.lost),
        "host_name": {"code": chain.host_code, "message": chain.host_message},
        "certificates": [certificate_document(one) for one in chain.chain],
    }


def _trust(verdict: TrustVerdict) -> dict[str, Any]:
    from reconciler.reports.document import rfc3339

    return {
        "code": verdict.code,
        "message": verdict.message,
        "anchor_alias": verdict.anchor_alias,
        "anchors": list(verdict.anchors),
        "until": rfc3339(verdict.until),
    }


def _probe(probe: Probe) -> dict[str, Any]:
    asked = {True: "yes", False: "no", None: "unknown"}[probe.asks]
    return {
        "code": probe.code,
        "message": probe.message,
        "client_certificate": {"requested": asked, "acceptable_cas": list(probe.accepts)},
    }


def _note(note: ReceiverNote) -> dict[str, Any]:
    return {"code": note.code, "message": note.message, "recorded": note.recorded, "seen": note.seen}
