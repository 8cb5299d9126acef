"""JUnit XML for the test pages of CI systems: one suite a keystore, one test an alias."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.model import Expiry, OutcomeStatus, PolicyLevel, ReceiverStatus, Status
from reconciler.reports.fleet import members
from reconciler.reports.policy import policy_of
from reconciler.reports.printable import printable
from reconciler.reports.receivers import receivers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import Failure, PolicyFinding, ReceiverVerdict, Report, Source, TargetReport
    from reconciler.reports.fleet import Member
    from reconciler.reports.standing import Standing

# How a test ended, as the element inside of <testcase>; a test that passed has none.
_FAILURE, _ERROR, _SKIPPED = "failure", "error", "skipped"
_ATTRIBUTES = {_FAILURE: "failures", _ERROR: "errors", _SKIPPED: "skipped"}


def render(report: Report, *, colour: bool = False) -> str:
    """The report as JUnit XML; `colour` is for terminals and changes nothing here."""
    del colour
    root = Element("testsuites", name=f"reconcile {report.command}", time="0")
    for member in members(report):
        root.append(_suite(report, member))
    _count(root, [case for suite in root for case in suite])
    indent(root, space=" ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(report: Report, member: Member) -> Element:
    target = member.target
    name = printable(f"{target.state} -> {target.location}")
    # XML Schema's dateTime; readers of this format want no zone.
    timestamp = report.generated_at.replace(tzinfo=None).isoformat(timespec="seconds")
    suite = Element("testsuite", name=name, timestamp=timestamp, time="0")
    suite.extend(_cases(report.command, member))
    _count(suite, list(suite))
    return suite


def _count(element: Element, cases: list[Element]) -> None:
    ends = Counter(end.tag for case in cases for end in case)
    element.set("tests", str(len(cases)))
    for tag, attribute in _ATTRIBUTES.items():
        element.set(attribute, str(ends[tag]))


def _cases(command: str, member: Member) -> Iterator[Element]:
    target = member.target
    if target.failure is not None:
        case = _case(target, "keystore", None)
        end = _ERROR if target.failure.is_tried else _SKIPPED
        _end(case, end, f"exit-{target.failure.exit_code}", target.failure.message, _failure_text(target.failure))
        yield case
    for standing in member.standings:
        case = _case(target, standing.title, standing.source)
        tag = _tag(command, standing)
        if tag is not None:
            _end(case, tag, _type(command, standing), standing.message, _text(standing))
        yield case
    for verdict in receivers_of(target):
        yield _receiver_case(command, target, verdict)
    for finding in policy_of(target):
        yield _policy_case(target, finding)


def _policy_case(target: TargetReport, finding: PolicyFinding) -> Element:
    """An error of the policy fails, as it stops a run; the rest is told and skipped."""
    case = _case(target, f"policy {finding.check} {finding.alias}", finding.source)
    tag = _FAILURE if finding.level is PolicyLevel.ERROR else _SKIPPED
    _end(case, tag, f"{finding.level} {finding.check}", finding.message, printable(finding.hint))
    return case


def _receiver_case(command: str, target: TargetReport, verdict: ReceiverVerdict) -> Element:
    """A receiver that differs (drift) or would break (plan) fails; one of which nothing is known is skipped."""
    case = _case(target, f"receiver {verdict.receiver.name}", verdict.receiver.source)
    if command == "drift" and verdict.differences:
        text = "\n".join(printable(f"{note.code}: {note.message}") for note in verdict.differences)
        _end(case, _FAILURE, verdict.differences[0].code, verdict.differences[0].message, text)
    elif verdict.status is ReceiverStatus.WOULD_BREAK and command != "drift":
        _end(case, _FAILURE, verdict.status, verdict.message, printable(verdict.hint))
    elif verdict.status in {ReceiverStatus.UNKNOWN, ReceiverStatus.UNTRUSTED}:
        _end(case, _SKIPPED, verdict.status, verdict.message, "")
    return case


def _case(target: TargetReport, name: str, source: Source | None) -> Element:
    case = Element("testcase", classname=printable(target.state), name=printable(name), time="0")
    if source is not None:
        case.set("file", printable(source.file))
        case.set("line", str(source.line))
    return case


def _end(case: Element, tag: str, kind: str, message: str, text: str) -> None:
    if tag == _SKIPPED:
        SubElement(case, tag, message=printable(f"{kind}: {message}"))
        return
    end = SubElement(case, tag, message=printable(message), type=kind)
    end.text = text


def _tag(command: str, standing: Standing) -> str | None:
    """How the test of one alias ends: what waits, is planned or is not ours is skipped, not failed."""
    if standing.outcome is not None:
        return {OutcomeStatus.APPLIED: None, OutcomeStatus.FAILED: _FAILURE}.get(standing.outcome.status, _SKIPPED)
    if command == "plan" and standing.change is not None:
        return _SKIPPED
    if (command == "drift" and standing.differs) or (standing.is_declared and standing.expiry is not Expiry.OK):
        return _FAILURE
    return None if standing.finding.status is Status.IN_SYNC else _SKIPPED


def _type(command: str, standing: Standing) -> str:
    if standing.outcome is not None:
        return standing.outcome.status
    if command == "plan" and standing.change is not None:
        return standing.change.action
    return standing.finding.status


def _text(standing: Standing) -> str:
    lines = [f"{one.field}: live {one.live}, declared {one.wanted}" for one in standing.finding.differences]
    leaf = standing.leaf
    if leaf is not None and leaf.not_after is not None:
        lines.append(f"certificate: {leaf.subject or ''}, valid until {leaf.not_after:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(map(printable, lines))


def _failure_text(failure: Failure) -> str:
    problems = failure.problems or ((failure.message, failure.where, failure.hint),)
    return "\n".join(printable(" | ".join(part for part in problem if part)) for problem in problems)
