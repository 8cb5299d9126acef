"""SARIF 2.1.0 for code scanning: each finding at the line of the YAML that it is about."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from reconciler.compare import DECLARED_PROTECTED
from reconciler.model import Expiry, OutcomeStatus, ReceiverStatus, Source, Status
from reconciler.ownership import alias_key
from reconciler.reports.document import rfc3339
from reconciler.reports.fleet import members
from reconciler.reports.json_text import dump
from reconciler.reports.policy import policy_of
from reconciler.reports.printable import clipped, printable
from reconciler.reports.receivers import receivers_of
from reconciler.reports.sarif_rules import RULES
from reconciler.reports.standing import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import Failure, PolicyFinding, ReceiverVerdict, Report, TargetReport
    from reconciler.reports.fleet import Member
    from reconciler.reports.standing import Standing

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# GitHub refuses a file with more results in a run ("SARIF support for code scanning").
MOST_RESULTS = 25_000
_LONGEST_MESSAGE = 1000
_LEVELS = ("error", "warning", "note")


def render(report: Report, *, colour: bool = False) -> str:
    """The report as SARIF; `colour` is for terminals and changes nothing here."""
    del colour
    results = [result for member in members(report) for result in _results(report.command, member)]
    results.sort(key=lambda result: _LEVELS.index(result["level"]))
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report, results)]})


def _run(report: Report, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "tool": {"driver": _driver(report, results)},
        "automationDetails": {"id": f"reconcile/{report.command}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, len(results))],
        "results": results[:MOST_RESULTS],
    }


def _driver(report: Report, results: list[dict[str, Any]]) -> dict[str, Any]:
    used = {result["ruleId"] for result in results}
    return {
        "name": "reconcile",
        "version": report.tool_version,
        "rules": [rule.document() for rule in RULES.values() if rule.id in used],
    }


def _invocation(report: Report, count: int) -> dict[str, Any]:
    cut = f"{count - MOST_RESULTS} of {count} results were left out, the least severe first."
    failures = [target.failure for target in report.targets if target.failure]
    notifications = [_notification("error" if one.is_tried else "warning", one.message) for one in failures]
    if count > MOST_RESULTS:
        notifications.append(_notification("warning", cut))
    return {
        "executionSuccessful": all(target.failure is None for target in report.targets),
        "endTimeUtc": rfc3339(report.generated_at),
        "toolExecutionNotifications": notifications,
    }


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": _message(text)}}


# -------------------------------------------------------------------------------------------------- results


def _results(command: str, member: Member) -> Iterator[dict[str, Any]]:
    target = member.target
    if target.failure is not None and target.failure.is_tried:
        yield from _failure_results(target, target.failure)
    for standing in member.standings:
        for rule in _rules(standing):
            yield _result(command, target, standing, rule)
    for verdict in receivers_of(target):
        yield from _receiver_results(command, target, verdict)
    for finding in policy_of(target):
        yield _policy_result(target, finding)


def _policy_result(target: TargetReport, finding: PolicyFinding) -> dict[str, Any]:
    source = finding.source or (target.plan.desired.keystore.source if target.plan else None)
    subject = f"{finding.alias} {finding.sha256 or ''} {finding.message}"
    properties = {"alias": finding.alias, "keystore": target.location, "sha256": finding.sha256}
    return {
        **_rule_reference(finding.check),
        "level": str(finding.level),
        "message": {"text": _message(f"{finding.alias}: {finding.message}.")},
        "locations": [_location(source or Source(target.state, 1))],
        "partialFingerprints": {"reconcileFinding/v1": _fingerprint(target, subject, finding.check)},
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


_OF_RECEIVERS = {
    ReceiverStatus.WOULD_BREAK: "receiver-would-break",
    ReceiverStatus.UNTRUSTED: "receiver-untrusted",
    ReceiverStatus.UNKNOWN: "receiver-unknown",
}


def _receiver_results(command: str, target: TargetReport, verdict: ReceiverVerdict) -> Iterator[dict[str, Any]]:
    """In a drift report the differences; the verdict where it is not as good as it was."""
    receiver = verdict.receiver
    told = [("receiver-differs", note.code, note.message) for note in verdict.differences if command == "drift"]
    is_told = verdict.status in _OF_RECEIVERS and not told
    if is_told and not (command == "drift" and verdict.status is ReceiverStatus.WOULD_BREAK):
        told.append((_OF_RECEIVERS[verdict.status], verdict.status, verdict.message))
    for rule, code, message in told:
        yield {
            **_rule_reference(rule),
            "level": RULES[rule].level,
            "message": {"text": _message(f"receiver {receiver.name}: {message}.")},
            "locations": [_location(receiver.source)],
            "partialFingerprints": {"reconcileFinding/v1": _fingerprint(target, f"{receiver.name} {code}", rule)},
            "properties": {"receiver": receiver.name, "keystore": target.location, "code": code},
        }


def _rules(standing: Standing) -> Iterator[str]:
    """What a standing breaks: what was found, and on top of it that time runs out."""
    finding, outcome = standing.finding, standing.outcome
    if outcome is not None and outcome.status is not OutcomeStatus.APPLIED:
        yield "apply-failed" if outcome.status is OutcomeStatus.FAILED else "apply-not-tried"
    elif outcome is None and finding.reason == DECLARED_PROTECTED:
        yield "declared-protected"
    elif outcome is None and finding.acceptance is not None:
        yield finding.acceptance.status
    elif outcome is None and finding.status in _FOUND:
        yield finding.status
    if standing.expiry is not Expiry.OK:
        yield standing.expiry


# The statuses that are rules of their own; the others are in order, or are told by their expiry.
_FOUND = frozenset(Status) - {
    Status.IN_SYNC, Status.ACCEPTED, Status.PROTECTED, Status.EXPIRING, Status.EXPIRED,
}  # fmt: skip


def _result(command: str, target: TargetReport, standing: Standing, rule: str) -> dict[str, Any]:
    source = standing.source or (target.plan.desired.keystore.source if target.plan else None)
    leaf = standing.leaf
    properties = {
        "alias": standing.alias,
        "keystore": target.location,
        "expiry": standing.expiry,
        "notAfter": rfc3339(leaf.not_after) if leaf else None,
        "sha256": leaf.sha256 if leaf else None,
    }
    return {
        **_rule_reference(rule),
        "level": _level(command, standing, rule),
        "message": {"text": _message(_text(command, standing))},
        "locations": [_location(source or Source(target.state, 1))],
        "partialFingerprints": {"reconcileFinding/v1": _fingerprint(target, standing.alias, rule)},
        "properties": {name: value for name, value in properties.items() if value is not None},
        **_suppression(standing),
    }


def _suppression(standing: Standing) -> dict[str, Any]:
    """An accepted finding is the same result as before, suppressed by its line in the file (SARIF 3.27.23)."""
    acceptance = standing.finding.acceptance
    if acceptance is None:
        return {}
    by = acceptance.by
    why = f"Accepted until {by.until.isoformat()} by {by.owner}: {by.reason}"
    suppression = {"kind": "external", "status": "accepted", "justification": clipped(printable(why), _LONGEST_MESSAGE)}
    return {"suppressions": [{**suppression, "location": _location(by.source)}]}


def _rule_reference(rule: str) -> dict[str, Any]:
    return {"ruleId": RULES[rule].id}


def _level(command: str, standing: Standing, rule: str) -> str:
    """What a plan mends by itself is a note in it; what nobody declared is never louder than a warning."""
    if standing.finding.acceptance is not None or (command == "plan" and standing.change is not None):
        return "note"
    if rule in {Expiry.EXPIRED, Expiry.EXPIRING} and standing.severity is not Severity.NONE:
        return str(standing.severity)
    return RULES[rule].level


def _text(command: str, standing: Standing) -> str:
    sentence = f"{standing.title}: {standing.message}"
    if command == "plan" and standing.change is not None:
        sentence += f". The plan mends it ({standing.change.action}, {standing.change.reason})"
        sentence += "".join(f"; {warning}" for warning in standing.change.warnings)
    fields = [f"{one.field}: live {one.live}, declared {one.wanted}" for one in standing.finding.differences]
    return "; ".join([sentence, *fields]) + "."


def _failure_results(target: TargetReport, failure: Failure) -> Iterator[dict[str, Any]]:
    rule = {3: "keystore-unreadable", 4: "refused"}.get(failure.exit_code, "error")
    problems = failure.problems or ((failure.message, failure.where, failure.hint),)
    for message, where, hint in problems:
        text = f"{message}. {hint}" if hint else message
        yield {
            **_rule_reference(rule),
            "level": "error",
            "message": {"text": _message(text)},
            "locations": [_location(_source(where) or Source(target.state, 1))],
            "partialFingerprints": {"reconcileFinding/v1": _fingerprint(target, message, rule)},
            "properties": {"keystore": target.location},
        }


# ------------------------------------------------------------------------------------------------ locations

_PLACE = re.compile(r"(.+):(\d{1,9}):(\d{1,9})", re.DOTALL)


def _source(where: str | None) -> Source | None:
    """The place that a failure names, when it is one in a file and not a keystore or a host."""
    match = _PLACE.fullmatch(where or "")
    return Source(match[1], int(match[2]), int(match[3])) if match else None


def _location(source: Source) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(source.file)},
            "region": {"startLine": max(source.line, 1), "startColumn": max(source.column, 1)},
        }
    }


def _uri(path: str) -> str:
    """A path as a URI reference (RFC 3986): relative stays relative, so that it is found in the repository."""
    from urllib.parse import quote

    posix = path.replace("\\", "/")
    # A file name can hold bytes that are no text; they come as lone surrogates.
    quoted = quote(posix, safe="/!$&'()*+,;=@~", errors="surrogatepass")
    if posix.startswith("/"):
        return f"file://{quoted}"
    is_drive = re.match(r"[A-Za-z]:/", posix) is not None
    return f"file:///{posix[:2]}{quoted[4:]}" if is_drive else quoted


def _fingerprint(target: TargetReport, subject: str, rule: str) -> str:
    """The same for the same thing on every run, wherever its line has moved to."""
    identity = "\0".join((target.state, target.location, alias_key(subject), rule))
    return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()


def _message(text: str) -> str:
    """Text for a message string: braces would be placeholders (SARIF 3.11.5), brackets could be a link (3.11.6)."""
    shown = clipped(printable(text), _LONGEST_MESSAGE).replace("](", "] (")
    return shown.replace("{", "{{").replace("}", "}}")
