"""The report for pull requests: GitHub-flavoured Markdown that fits into one comment and says what it had to cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import Action, Expiry, OutcomeStatus, WantedKeyPair
from reconciler.reports import policy, receivers
from reconciler.reports.coverage import coverage
from reconciler.reports.document import NOT_CHANGED, summary
from reconciler.reports.drift_groups import drift_groups
from reconciler.reports.facts import (
    announcement,
    day,
    declared,
    fingerprint_or_text,
    left,
    name,
    place,
    plural,
    short_name,
)
from reconciler.reports.fleet import Verdict, causes, members
from reconciler.reports.horizon import Term
from reconciler.reports.markdown_escape import code, escaped, row, table_head
from reconciler.reports.side_by_side import CLASSIFICATIONS, PENDING, compare_change
from reconciler.reports.standing import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Change, Failure, Outcome, Report, Source
    from reconciler.reports.drift_groups import Group
    from reconciler.reports.fleet import Cause, Member
    from reconciler.reports.horizon import Ending
    from reconciler.reports.standing import Standing

__all__ = ["escaped", "listing", "render"]

# GitHub takes 65,536 characters for a comment. Counted in bytes, with room for what a workflow writes around it.
LIMIT = 60_000
# Nobody reads further down a table in a comment, and the other keystores want their place.
_MOST_ROWS = 100

_TITLES = {"plan": "Keystore plan", "apply": "Keystore apply", "drift": "Keystore drift"}


def render(report: Report, *, colour: bool = False) -> str:
    """The report as GitHub-flavoured Markdown; `colour` is for terminals and changes nothing here.

    Its first line is a comment that is the same for every run of the command: a workflow finds by it the comment that
    it wrote before, and replaces it.
    """
    del colour
    fleet = members(report)
    closing = [] if report.command == "drift" else [f"Digest: `{report.digest}`", ""]
    head = [f"<!-- reconcile: {report.command} -->", f"## {_title(report, fleet)}", ""]
    return _fitted(head, list(_parts(report, fleet)), closing)


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the page that can be left out or shortened: lines before, rows, lines after."""

    head: Sequence[str]
    rows: Sequence[str] = ()
    tail: Sequence[str] = ("",)


def _parts(report: Report, fleet: Sequence[Member]) -> Iterator[_Part]:
    """The most important first: what comes late is cut first."""
    if len(fleet) > 1:
        yield from _overview(report, fleet)
    tried = [member for member in fleet if len(fleet) == 1 or member.verdict is not Verdict.NOT_TRIED]
    for member in tried:
        if member.target.failure is not None:
            yield _failure(member, member.target.failure)
    for member in tried:
        if member.target.plan is not None and (len(fleet) == 1 or not _is_silent(report.command, member)):
            yield _Part((f"### {code(member.target.state)} → {code(member.target.location)}", ""), (), ())
            yield from _SECTIONS[report.command](member, report.generated_at)
            if member.target.notes:
                yield _Part([f"> {escaped(note)}<br>" for note in member.target.notes])


def _is_silent(command: str, member: Member) -> bool:
    if receivers.lines(command, member.target) or policy.loud(member.target):
        return False
    if command == "plan" and receivers.staying(member.target):
        return False
    return member.verdict is Verdict.QUIET and not (command == "drift" and member.near)


# -------------------------------------------------------------------------------------------- cut to measure


def listing(title: str, facts: Sequence[str], head: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """A page of facts, Markdown already, and of a table of texts from outside; it fits into a comment as well."""
    rows = [row([escaped(cell) for cell in one]) for one in cells]
    parts = [_Part((), facts)] if facts else []
    parts += [_Part(table_head(head), rows)] if rows else []
    return _fitted([f"## {title}", ""], parts, (), "The JSON has everything.")


def _fitted(
    head: Sequence[str],
    parts: Sequence[_Part],
    closing: Sequence[str],
    everything: str = "The JSON and HTML reports have everything.",
) -> str:
    page = _Page(LIMIT - _size(closing) - _CUT_NOTE)
    page.add(head)
    for part in parts:
        page.add_part(part)
    if page.cut:
        rows = f", {plural(page.cut_rows, 'row')} of tables among them" if page.cut_rows else ""
        note = f"**Cut** to fit into one comment: {plural(page.cut, 'part')}{rows}."
        page.lines += [f"{note} {everything}", ""]
    return "".join(f"{line}\n" for line in (*page.lines, *closing))


# What the note about the cut takes at most.
_CUT_NOTE = 400


class _Page:
    """Lines, as long as there is room."""

    def __init__(self, room: int) -> None:
        self.lines: list[str] = []
        self.cut = 0
        self.cut_rows = 0
        self._room = room

    def add(self, lines: Sequence[str]) -> None:
        self.lines += lines
        self._room -= _size(lines)

    def add_part(self, part: _Part) -> None:
        frame = _size(part.head) + _size(part.tail) + _MORE
        fitting = self._fitting(part.rows, self._room - frame)
        missing = len(part.rows) - fitting
        if frame > self._room or (part.rows and not fitting):
            self.cut += 1
            self.cut_rows += missing
            return
        more = [f"… and {plural(missing, 'more row')}", ""] if missing else []
        self.cut += bool(missing)
        self.cut_rows += missing
        tail = [*part.tail[:1], *more, *part.tail[1:]]
        self.add([*part.head, *part.rows[:fitting], *tail])

    @staticmethod
    def _fitting(rows: Sequence[str], room: int) -> int:
        for count, one in enumerate(rows[:_MOST_ROWS]):
            room -= _size((one,))
            if room < 0:
                return count
        return min(len(rows), _MOST_ROWS)


# The line that says that rows are missing.
_MORE = 40


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


# ------------------------------------------------------------------------------------------------- overview


def _title(report: Report, fleet: Sequence[Member]) -> str:
    match report.command:
        case "plan":
            what = _counted(sum(len(m.target.plan.changes) if m.target.plan else 0 for m in fleet), "change")
        case "drift":
            what = _counted(sum(member.differences for member in fleet), "difference")
        case _:
            what = _applied_title([outcome for member in fleet for outcome in member.target.outcomes or ()])
    failed = sum(member.target.failure is not None and member.target.failure.is_tried for member in fleet)
    left_out = sum(member.verdict is Verdict.NOT_TRIED for member in fleet)
    failures = f", {plural(failed, 'keystore')} failed" if failed else ""
    failures += f", {left_out} not tried" if left_out else ""
    return f"{_TITLES[report.command]}: {what}{failures}"


def _counted(count: int, what: str) -> str:
    return plural(count, what) if count else f"no {what}s"


def _applied_title(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "nothing to do"
    counts = {status: sum(outcome.status is status for outcome in outcomes) for status in OutcomeStatus}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _overview(report: Report, fleet: Sequence[Member]) -> Iterator[_Part]:
    counts = {verdict: sum(member.verdict is verdict for member in fleet) for verdict in Verdict}
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    yield _Part((f"{len(fleet)} keystores: {words}.",))
    shared = causes(report.command, fleet)
    if shared:
        head = ("**In several keystores**", "", *table_head(("what", "alias", "certificate", "keystores")))
        yield _Part(head, [_cause(cause, fleet) for cause in shared])
    loud = [member for member in fleet if member.verdict is not Verdict.QUIET or member.near]
    if loud:
        columns = ("keystore", "result", _COUNTED[report.command], "past or near their end", "next to end")
        yield _Part(table_head(columns), [_member(report.command, member, report.generated_at) for member in loud])


# What a keystore is judged by.
_COUNTED = {"plan": "changes", "apply": "changes", "drift": "differences"}


def _cause(cause: Cause, fleet: Sequence[Member]) -> str:
    """Of many keystores the number says enough; a few are named."""
    where = f"{len(cause.places)} of {len(fleet)}"
    if len(cause.places) <= _FEW_PLACES < len(fleet):
        where += ": " + ", ".join(code(fleet[place - 1].target.state) for place in cause.places)
    return row((cause.what, code(cause.alias), escaped(cause.detail), where))


_FEW_PLACES = 4


def _member(command: str, member: Member, now: datetime) -> str:
    plan, ending = member.target.plan, member.next_ending
    count = member.differences if command == "drift" else len(plan.changes) if plan else 0
    until = f"{day(ending.moment)}, {left(ending.moment, now)}" if ending else ""
    return row((code(member.target.state), member.verdict, str(count or ""), str(len(member.near) or ""), until))


def _failure(member: Member, failure: Failure) -> _Part:
    head = f"❌ {code(member.target.state)} → {code(member.target.location)}: **{escaped(failure.message)}**"
    return _Part((head, ""), [f"- {line}" for line in _failure_lines(failure)])


def _failure_lines(failure: Failure) -> Iterator[str]:
    if not failure.problems:
        yield from _placed("", failure.where, failure.hint)
    for message, where, hint in failure.problems:
        yield from _placed(message, where, hint)


def _placed(message: str, where: str | None, hint: str | None) -> Iterator[str]:
    parts = [escaped(message) if message else "", f"at {code(where)}" if where else "", escaped(hint) if hint else ""]
    if line := "; ".join(part for part in parts if part):
        yield line


# ----------------------------------------------------------------------------------------------------- plan


def _plan(member: Member, now: datetime) -> Iterator[_Part]:
    changes = member.target.plan.changes if member.target.plan else ()
    if changes:
        yield _Part(
            table_head(("change", "alias", "certificate", "reason", "asked for at")), list(map(_change, changes))
        )
    yield from _side_by_side([(change, None) for change in changes])
    unmended = [one for one in member.near if one.standing.change is None and one.standing.expiry is not Expiry.OK]
    if unmended:
        yield _endings("**Ends soon, and no change mends it**", unmended, now)
    accepted = [one for one in member.standings if one.finding.acceptance is not None]
    if accepted:
        yield _told("**Accepted**", ((one.alias, one.finding.message, one.source) for one in accepted))
    staying = receivers.staying(member.target)
    if staying:
        yield _told("**Stays for now**", ((one.alias, one.message, one.source) for one in staying))
    yield from _policy(member)
    yield from _receivers("plan", member)
    yield _Part((_totals(member),))


def _told(title: str, found: Iterable[tuple[str, str, Source | None]]) -> _Part:
    rows = [row((code(alias), escaped(message), code(place(source)))) for alias, message, source in found]
    return _Part((title, "", *table_head(("alias", "why", "asked for at"))), rows)


def _policy(member: Member) -> Iterator[_Part]:
    found = policy.policy_of(member.target)
    if found:
        rows = [
            row(
                (
                    f"{_SIGNS.get(policy.severity_of(one), '')} {one.level}".strip(),
                    one.check,
                    code(one.alias),
                    escaped(one.message),
                    code(place(one.source)),
                )
            )
            for one in found
        ]
        yield _Part(("**Policy**", "", *table_head(("severity", "check", "alias", "what", "declared at"))), rows)


def _receivers(command: str, member: Member) -> Iterator[_Part]:
    """What is worth a line about receivers, and how they all stand."""
    found = receivers.lines(command, member.target)
    if found:
        rows = [
            row((f"{_SIGNS.get(line.severity, '')} {code(line.receiver)}".strip(), line.code, escaped(line.message)))
            for line in found
        ]
        yield _Part(("**Receivers**", "", *table_head(("receiver", "what", "why"))), rows)
    for text in (receivers.totals(member.target), receivers.unneeded(member.target)):
        if text:
            yield _Part((f"{escaped(text)}.",))


_SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️"}


def _change(change: Change) -> str:
    kind = f", {CLASSIFICATIONS.get(change.certificate_change, '')}" if change.certificate_change else ""
    affects = "".join(
        f"<br>affects the chain of {code(affect.alias)}: {len(affect.chain_before)} → {len(affect.chain_after)}"
        for affect in change.affects
    )
    notes = "".join(f"<br>⚠️ {escaped(warning)}" for warning in change.warnings)
    known = f"<br>known to {', '.join(map(code, change.receivers))}" if change.receivers else ""
    what = _after_in_words(change) + notes + known + affects
    alias = f"{code(change.alias)} → {code(change.new_alias)}" if change.new_alias else code(change.alias)
    return row((change.action, alias, what, f"{change.reason}{kind}", code(place(change.source))))


def _after_in_words(change: Change) -> str:
    """What comes, or for a removal what goes; the message where no certificate is concerned."""
    facts = {fact.label: fact.after or fact.before for fact in compare_change(change).facts}
    if not facts or change.action is Action.RENAME:
        return escaped(change.message)
    parts = [facts["Subject"], f"{facts['Key']}, until {facts['Valid until']}"]
    if isinstance(change.wanted, WantedKeyPair):
        parts.append(change.message)
    return "<br>".join(escaped(part) for part in parts)


def _side_by_side(changes: Sequence[tuple[Change, Outcome | None]]) -> Iterator[_Part]:
    rows = [line for change, outcome in changes for line in _compared(change, outcome)]
    if rows:
        head = ("<details><summary>Certificates before and after</summary>", "")
        yield _Part((*head, *table_head(("alias", "", "before", "after"))), rows, ("", "</details>", ""))


def _compared(change: Change, outcome: Outcome | None) -> Iterator[str]:
    """What a reviewer compares: the facts that differ, and of what is new all facts."""
    comparison = compare_change(change, outcome.after if outcome else None)
    for fact in comparison.facts:
        if fact.after and fact.after not in {fact.before, PENDING}:
            yield row((code(change.alias), fact.label, code(fact.before), code(fact.after)))


def _totals(member: Member) -> str:
    counts = summary(member.target)
    actions = ", ".join(f"{counts[action]} {action}" for action in Action if counts[action]) or "Nothing to do"
    others = ", ".join(f"{counts[status]} {status}" for status in NOT_CHANGED if counts[status])
    return f"{actions}{f' ({others})' if others else ''}."


# ---------------------------------------------------------------------------------------------------- apply


def _apply(member: Member, now: datetime) -> Iterator[_Part]:
    outcomes = member.target.outcomes
    if outcomes is None:
        yield from _policy(member)
        if member.target.failure is None:
            yield _Part((_totals(member),))
        return
    yield _Part(table_head(("result", "change", "alias", "certificate now")), [_outcome(one, now) for one in outcomes])
    yield from _side_by_side([(one.change, one) for one in outcomes if one.status is OutcomeStatus.APPLIED])
    yield from _policy(member)
    if member.verdict is Verdict.APPLIED:
        yield _Part(("Read again and compared: all is as planned.",))


_RESULTS = {
    OutcomeStatus.APPLIED: "✅ applied",
    OutcomeStatus.FAILED: "❌ failed",
    OutcomeStatus.NOT_TRIED: "⏳ not tried",
}


def _outcome(outcome: Outcome, now: datetime) -> str:
    leaf = outcome.after.leaf if outcome.after else None
    known = f"{escaped(name(leaf))}<br>until {day(leaf.not_after)}, {left(leaf.not_after, now)}" if leaf else ""
    message = escaped(outcome.message)
    said = "<br>".join(part for part in (message, known) if part)
    return row((_RESULTS[outcome.status], outcome.change.action, code(outcome.change.alias), said))


# ---------------------------------------------------------------------------------------------------- drift


def _drift(member: Member, now: datetime) -> Iterator[_Part]:
    for group in drift_groups(member.standings):
        yield _group(group, now)
    if member.near:
        yield _endings("**Past or near its end**", member.near, now)
    yield from _policy(member)
    yield from _receivers("drift", member)
    found = coverage(member.target)
    parts = ", ".join(f"{count} {what} ({found.share(count)} %)" for what, count in found.parts if count)
    verdict = plural(member.differences, "difference") if member.differences else "No drift"
    yield _Part((f"{verdict}; {plural(found.entries, 'entry', 'entries')}{f': {parts}' if parts else ''}.",))


def _group(group: Group, now: datetime) -> _Part:
    if group.key == "changed":
        columns: tuple[str, ...] = ("alias", "what", "live", "declared", "declared at")
        rows = [line for standing in group.standings for line in _changed(standing)]
    else:
        columns = ("alias", "what", "certificate", "declared at")
        rows = [_standing(standing, now) for standing in group.standings]
    if group.key == "protected":
        title = f"<details><summary>{group.title}: {len(group.standings)}</summary>"
        return _Part((title, "", *table_head(columns)), rows, ("", "</details>", ""))
    return _Part((f"**{group.title}**", "", *table_head(columns)), rows)


def _standing(standing: Standing, now: datetime) -> str:
    finding, leaf = standing.finding, standing.leaf
    said = [escaped(text) for text in (finding.message, announcement(finding, now)) if text]
    if leaf is not None:
        certificate = f"{escaped(short_name(leaf))}<br>until {day(leaf.not_after)}"
    else:
        certificate = escaped(declared(finding.wanted)) if finding.wanted else ""
    return row((code(standing.title), "<br>".join(said), certificate, code(place(standing.source))))


def _changed(standing: Standing) -> Iterator[str]:
    finding = standing.finding
    classified = CLASSIFICATIONS.get(standing.change.certificate_change or "") if standing.change else None
    said = f"{finding.message} ({classified})" if classified else finding.message
    yield row((code(standing.title), escaped(said), "", "", code(place(finding.source))))
    for difference in finding.differences:
        yield row(
            (
                "",
                difference.field,
                code(fingerprint_or_text(difference.live)),
                code(fingerprint_or_text(difference.wanted)),
                "",
            )
        )


def _endings(title: str, found: Sequence[Ending], now: datetime) -> _Part:
    head = (title, "", *table_head(("alias", "ends", "", "certificate", "note")))
    return _Part(head, [_ending(ending, now) for ending in found])


def _ending(ending: Ending, now: datetime) -> str:
    standing = ending.standing
    certificate = escaped(short_name(ending.certificate)) if ending.certificate else ""
    notes = [
        f"**{ending.term}**" if ending.term is not Term.SOON else "",
        "" if ending.is_own else "in its chain",
        standing.finding.status if not standing.is_declared else "",
        "a planned change mends it" if standing.change and standing.outcome is None else "",
    ]
    note = ", ".join(note for note in notes if note)
    return row((code(standing.alias), day(ending.moment), left(ending.moment, now), certificate, note))


_SECTIONS = {"plan": _plan, "apply": _apply, "drift": _drift}
