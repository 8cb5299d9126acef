"""The report for people at a terminal: what changes, why, and until when certificates live; quiet where all is well."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from reconciler.model import (
    Action,
    Expiry,
    OutcomeStatus,
    Status,
    Step,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.reports import policy, receivers
from reconciler.reports.coverage import Coverage, coverage
from reconciler.reports.document import NOT_CHANGED, summary
from reconciler.reports.drift_groups import drift_groups
from reconciler.reports.facts import (
    announcement,
    day,
    declared,
    declared_subject,
    duration_text,
    fingerprint_or_text,
    key,
    left,
    name,
    place,
    plural,
    short,
    short_name,
)
from reconciler.reports.fleet import Verdict, causes, members
from reconciler.reports.horizon import Term
from reconciler.reports.printable import Palette, padded, printable, width
from reconciler.reports.side_by_side import compare_change
from reconciler.reports.standing import Severity
from reconciler.words import key_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Change, Outcome, PolicyFinding, Report, TargetReport
    from reconciler.reports.drift_groups import Group
    from reconciler.reports.fleet import Cause, Member
    from reconciler.reports.horizon import Ending
    from reconciler.reports.standing import Standing

_SIGNS = {
    Action.CREATE_STORE: "+",
    Action.CREATE: "+",
    Action.IMPORT: "+",
    Action.DELETE: "-",
}
# What `summary` counts, in words.
_WORDS = {
    Action.CREATE_STORE: "{} keystore to make",
    Action.CREATE: "{} to create",
    Action.IMPORT: "{} to import",
    Action.RENEW: "{} to renew",
    Action.REPLACE: "{} to replace",
    Action.REQUEST: "{} to request",
    Action.RENAME: "{} to rename",
    Action.DELETE: "{} to delete",
    Action.MIGRATE: "{} to migrate",
}
# Lines are filled up to this many columns; a single fact is never broken, so that it can be searched for.
_COLUMNS = 80
_ALIAS_WIDTH = 36
# More keystores without anything to say than this are counted, not listed.
_QUIET_LISTED = 10
_CAUSES_SHOWN = 10


def render(report: Report, *, colour: bool = False) -> str:
    """The report as text; every line ends with a line break."""
    return "".join(f"{line}\n" for line in _lines(report, Palette(colour=colour)))


def _lines(report: Report, paint: Palette) -> Iterator[str]:
    fleet = members(report)
    loud = [member for member in fleet if len(fleet) == 1 or not _is_silent(report.command, member)]
    for member in loud:
        if member is not loud[0]:
            yield ""
        yield _heading(member.target, paint)
        yield from _SECTIONS[report.command](member, report.generated_at, paint)
        for note in member.target.notes:
            yield f"  {paint.careful('note')}  {printable(note)}"
    if len(fleet) > 1:
        yield from _fleet(report, fleet, paint)
    if report.command == "plan" and any(target.plan and target.plan.changes for target in report.targets):
        yield from ("", paint.quiet(f"Digest of this plan: {report.digest}"))


def _heading(target: TargetReport, paint: Palette) -> str:
    kind = f" ({target.type})" if target.type else ""
    return paint.strong(f"{printable(target.state)} -> {printable(target.location)}") + paint.quiet(kind)


def _failure(target: TargetReport, paint: Palette) -> Iterator[str]:
    """One line: the whole message, with its place and its hint, stands on standard error."""
    if target.failure is not None:
        failed = f"{paint.bad('failed')}  " if target.failure.is_tried else ""
        yield f"  {failed}{printable(target.failure.message)}"


# ---------------------------------------------------------------------------------------------------- plan


def _plan(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    plan = member.target.plan
    if plan is None:
        yield from _failure(member.target, paint)
        return
    if plan.changes:
        yield ""
        columns = _alias_columns(change.alias for change in plan.changes)
        for change in plan.changes:
            yield from _change(change, columns, paint)
        yield ""
    yield from _unmended_lines(member, now, paint)
    parts = (
        _accepted(member, now, paint),
        _policy(policy.loud(member.target), paint),
        _staying(member, paint),
        _receivers(member, paint),
    )
    for part in parts:
        if found := list(part):
            yield from (*([] if plan.changes else [""]), *found, "")
    yield from _totals(member, paint)
    yield from _about_receivers(member, paint)


def _unmended_lines(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    left_over = _unmended(member)
    columns = _alias_columns(ending.standing.alias for ending in left_over)
    if left_over:
        yield f"  {paint.strong('Ends, and no change mends it')}"
        for ending in left_over:
            yield from _ending(ending, now, columns, paint)
        yield ""


def _staying(member: Member, paint: Palette) -> Iterator[str]:
    """The roots that are kept for their receivers."""
    found = receivers.staying(member.target)
    if found:
        yield f"  {paint.strong('Stays for now')}"
    columns = _alias_columns(finding.alias for finding in found)
    for finding in found:
        alias = (padded(printable(finding.alias), columns), paint.careful)
        yield from _row(4, 8, alias, (printable(finding.message), _plain), (place(finding.source), paint.quiet))


def _accepted(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    """What the plan leaves as it is, because somebody answers for it."""
    found = [standing for standing in member.standings if standing.finding.status is Status.ACCEPTED]
    if found:
        yield f"  {paint.strong('Accepted')}"
    columns = _alias_columns(standing.alias for standing in found)
    for standing in found:
        alias, where = (padded(printable(standing.alias), columns), _plain), printable(place(standing.source))
        yield from _row(4, 8, alias, *_pieces(standing, now), (where, paint.quiet))


def _policy(found: Sequence[PolicyFinding], paint: Palette) -> Iterator[str]:
    """What the policy has to say, a line for each finding; notes are counted below, not listed."""
    if found:
        yield f"  {paint.strong('Policy')}"
    columns = _alias_columns(finding.alias for finding in found)
    for finding in found:
        level = (f"{finding.level:<7}", _severity_colour(policy.severity_of(finding), paint))
        alias = (padded(printable(finding.alias), columns), _plain)
        message, where = (printable(finding.message), _plain), printable(place(finding.source))
        yield from _row(4, 8, level, (finding.check, paint.quiet), alias, message, (where, paint.quiet))


def _receivers(member: Member, paint: Palette, command: str = "plan") -> Iterator[str]:
    """What is worth a line about receivers."""
    found = receivers.lines(command, member.target)
    if found:
        yield f"  {paint.strong('Receivers')}"
    columns = _alias_columns(line.receiver for line in found)
    codes = max((len(line.code) for line in found), default=0)
    for line in found:
        name = (padded(printable(line.receiver), columns), _plain)
        code = (padded(printable(line.code), codes), _severity_colour(line.severity, paint))
        yield from _row(4, 8, name, code, (printable(line.message), _plain))


def _about_receivers(member: Member, paint: Palette) -> Iterator[str]:
    for text in (receivers.totals(member.target), receivers.unneeded(member.target)):
        if text:
            yield from (paint.quiet(line) for line in _filled(text.split(", "), "  "))


def _unmended(member: Member) -> list[Ending]:
    """What is declared, ends within its window, and is mended by no change."""
    return [
        ending
        for ending in member.endings
        if ending.standing.expiry is not Expiry.OK and ending.standing.change is None and ending.standing.is_declared
    ]


def _change(change: Change, columns: int, paint: Palette) -> Iterator[str]:
    sign = _SIGNS.get(change.action, "~")
    colour = _colour_of(sign, paint)
    indent = 2 + 2 + 8 + 1
    alias, facts = printable(change.alias), _what(change)
    # The first fact stands beside the alias where there is room for it.
    beside = printable(facts[0]) if alias else ""
    if indent + max(columns, width(alias)) + 2 + width(beside) > _COLUMNS:
        beside = ""
    action = f"{change.action:<8}" if alias else change.action
    head = f"  {colour(sign)} {colour(action)}"
    if alias:
        head += f" {paint.strong(alias)}"
    if beside:
        head += f"{' ' * (columns - width(alias))}  {beside}"
    yield head.rstrip()
    yield from _filled(facts[1:] if beside else facts, " " * indent)
    yield from (paint.quiet(line) for line in _filled(_instead(change), " " * indent))
    yield f"{' ' * indent}{paint.quiet(_why(change))}"
    for warning in change.warnings:
        word = "note:" if change.migration else "weaker:"
        yield from _row(indent, indent, (word, paint.careful), (printable(warning), _plain))
    if change.receivers:
        names = printable(", ".join(change.receivers))
        yield from _row(indent, indent, ("known to", paint.careful), (names, _plain))
    for affect in change.affects:
        shown = f"chain of {len(affect.chain_before)} -> {len(affect.chain_after)} certificates"
        affected = f"affects {printable(affect.alias)}:"
        yield from _row(indent, indent, (affected, paint.careful), (f"Java will show a {shown}", _plain))


def _colour_of(sign: str, paint: Palette) -> Callable[[str], str]:
    return {"+": paint.good, "-": paint.bad, "~": paint.careful}[sign]


def _why(change: Change) -> str:
    kind = f" ({change.certificate_change})" if change.certificate_change else ""
    return printable(f"{change.reason}{kind}  {place(change.source)}".rstrip())


def _what(change: Change) -> list[str]:
    """Facts about what comes."""
    match change.wanted:
        case WantedCertificate() as wanted:
            new = wanted.certificate
            return [name(new), f"valid until {day(new.not_after)}", f"SHA-256 {short(new.sha256)}"]
        case WantedImport() as wanted:
            new = wanted.chain[0]
            facts = [name(new), key(new), f"valid until {day(new.not_after)}"]
            return [*facts, f"chain of {len(wanted.chain)}", f"from {wanted.origin}"]
        case WantedKeyPair() if change.chain or change.staged:
            new = (change.chain or (change.staged.chain if change.staged else ()))[0]
            return [name(new), key(new), f"valid until {day(new.not_after)}", change.message]
        case WantedKeyPair() as wanted:
            made = key_text(wanted.key.algorithm, wanted.key.size, wanted.key.curve)
            issuer, validity = wanted.issuer.name or wanted.issuer.type, f"valid {duration_text(wanted.validity)}"
            return [declared_subject(wanted), made, issuer, validity, *wanted.subject_alt_names]
        case _ if change.action is Action.DELETE and change.before and change.before.leaf:
            old = change.before.leaf
            return [name(old), f"valid until {day(old.not_after)}", f"SHA-256 {short(old.sha256)}"]
        case _ if change.new_alias:
            return [f"to {change.new_alias}"]
        case _:
            return [change.message]


def _instead(change: Change) -> list[str]:
    leaf = change.before.leaf if change.before else None
    if leaf is None or change.step in _KEEPING:
        return []
    return [f"instead of {name(leaf)}", f"valid until {day(leaf.not_after)}", f"SHA-256 {short(leaf.sha256)}"]


# What puts nothing in the place of the certificate that is there.
_KEEPING = frozenset({Step.REMOVE, Step.RENAME, Step.RESPELL, Step.REQUEST, Step.STAGE})


def _totals(member: Member, paint: Palette) -> Iterator[str]:
    counts = summary(member.target)
    parts = [words.format(counts[action]) for action, words in _WORDS.items() if counts[action]]
    others = [f"{counts[status]} {status}" for status in NOT_CHANGED if counts[status]]
    others += [notes] if (notes := policy.notes(member.target)) else []
    declared = sum(standing.is_declared for standing in member.standings)
    if not parts:
        rest = f"; {', '.join(others)}" if others else ""
        yield paint.good("  Nothing to do") + f": {declared} declared, all as they should be{rest}"
        return
    first, *more = _filled([f"Plan: {parts[0]}", *parts[1:]], "  ")
    lines = [f"  {paint.strong('Plan')}{first.removeprefix('  Plan')}", *more]
    rest = f"({', '.join(others)})" if others else ""
    if rest and width(([first, *more])[-1]) + 1 + width(rest) <= _COLUMNS:
        lines[-1] += f" {paint.quiet(rest)}"
    elif rest:
        lines.append(f"  {paint.quiet(rest)}")
    yield from lines


# --------------------------------------------------------------------------------------------------- apply


def _apply(member: Member, _now: datetime, paint: Palette) -> Iterator[str]:
    target = member.target
    columns = _alias_columns(outcome.change.alias for outcome in target.outcomes or ())
    for outcome in target.outcomes or ():
        yield from _outcome(outcome, columns, paint)
    yield from _failure(target, paint)
    # Beside what was done only the errors, which say why the nightly run has left something undone.
    told = policy.loud(target) if target.outcomes is None else policy.errors(target)
    if found := list(_policy(told, paint)):
        yield from ("", *found, "")
    if target.outcomes is None and target.failure is None:
        yield from _totals(member, paint)
    elif target.outcomes is not None:
        yield _closing(target.outcomes, paint)


def _outcome(outcome: Outcome, columns: int, paint: Palette) -> Iterator[str]:
    change = outcome.change
    colour, sign = {
        OutcomeStatus.APPLIED: (paint.good, "done"),
        OutcomeStatus.FAILED: (paint.bad, "failed"),
        OutcomeStatus.NOT_TRIED: (paint.careful, "not tried"),
    }[outcome.status]
    leaf = outcome.after.leaf if outcome.after else None
    head = f"  {colour(f'{sign:<9}')} {change.action:<8} {padded(printable(change.alias), columns)}"
    text = printable(outcome.message)
    if not text and leaf:
        text = f"until {day(leaf.not_after)}, {short(leaf.sha256)}"
    if _OUTCOME_INDENT + columns + 2 + width(text) <= _COLUMNS or not text:
        yield f"{head}  {text}".rstrip()
    else:
        yield head.rstrip()
        yield f"{' ' * _OUTCOME_INDENT}{text}"


# The columns before the alias: two blanks, the result, the action.
_OUTCOME_INDENT = 2 + 9 + 1 + 8 + 1


def _closing(outcomes: tuple[Outcome, ...], paint: Palette) -> str:
    counts = {status: sum(outcome.status is status for outcome in outcomes) for status in OutcomeStatus}
    if counts[OutcomeStatus.APPLIED] == len(outcomes):
        what = f"all {len(outcomes)} changes" if len(outcomes) != 1 else "1 change"
        return f"  {paint.strong('Applied')}: {what}; read again and compared, all is as planned"
    words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"  {paint.bad('Applied in part')}: {words}"


# --------------------------------------------------------------------------------------------------- drift


def _drift(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    if member.target.plan is None:
        yield from _failure(member.target, paint)
        return
    parts = [lines for part in _DRIFT_PARTS if (lines := list(part(member, now, paint)))]
    for lines in parts:
        yield from ("", *lines)
    if parts:
        yield ""
    yield from _drift_totals(member, paint)


def _differences(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    """Each group of differences; protected entries are counted below, not listed."""
    groups = [group for group in drift_groups(member.standings) if group.key != "protected"]
    columns = _alias_columns(standing.title for group in groups for standing in group.standings)
    for group in groups:
        if group is not groups[0]:
            yield ""
        yield from _group(group, now, columns, paint)


def _group(group: Group, now: datetime, columns: int, paint: Palette) -> Iterator[str]:
    yield f"  {paint.strong(group.title)}"
    for standing in group.standings:
        alias = (padded(printable(standing.title), columns), _severity_colour(standing.severity, paint))
        where = (printable(place(standing.source)), paint.quiet)
        yield from _row(4, 8, alias, *_pieces(standing, now), where)
        for label, live, wanted in _differing(standing):
            yield from _difference(printable(label), printable(live), printable(wanted), paint)


def _pieces(standing: Standing, now: datetime) -> Iterator[tuple[str, Callable[[str], str]]]:
    """What is said of an alias, in pieces that can stand on lines of their own."""
    acceptance = standing.finding.acceptance
    pieces = [_said(standing), *announcement(standing.finding, now).split("; ")]
    if acceptance is not None:
        by = acceptance.by
        pieces = [acceptance.message, f"until {by.until.isoformat()} by {by.owner}:", by.reason]
    for piece in pieces:
        yield printable(piece), _plain


def _said(standing: Standing) -> str:
    """What the group's title leaves open: what kind of entry it is and whose certificate, or in what it differs."""
    finding, entry, leaf = standing.finding, standing.entry, standing.leaf
    match finding.status:
        case Status.MISSING if finding.wanted is not None:
            return declared(finding.wanted)
        case Status.UNMANAGED if entry is not None:
            kind = entry.kind.replace("-", " ")
            return f"{kind}, {short_name(leaf)}, until {day(leaf.not_after)}" if leaf else kind
        case _:
            classified = standing.change.certificate_change if standing.change else None
            return f"{finding.message} ({classified})" if classified else finding.message


def _differing(standing: Standing) -> Iterator[tuple[str, str, str]]:
    """The differences that were found, and of two certificates what tells them apart."""
    fields = set()
    for difference in standing.finding.differences:
        fields.add(difference.field)
        yield difference.field, fingerprint_or_text(difference.live), fingerprint_or_text(difference.wanted)
    if standing.change is not None and not fields.isdisjoint({"certificate", "key"}):
        for fact in compare_change(standing.change).facts:
            if fact.changes and fact.label in {"Subject", "Valid until"}:
                yield fact.label.lower(), fact.before, fact.after


def _difference(label: str, live: str, wanted: str, paint: Palette) -> Iterator[str]:
    if width(f"        {label}  {live} -> {wanted}") <= _COLUMNS:
        yield f"        {paint.quiet(label)}  {live} {paint.quiet('->')} {wanted}"
        return
    yield f"        {paint.quiet(label)}"
    yield f"          {live}"
    yield f"       {paint.quiet('->')} {wanted}"


def _expiries(member: Member, now: datetime, paint: Palette) -> Iterator[str]:
    near = member.near
    columns = _alias_columns(ending.standing.alias for ending in near)
    for term, found in groupby(near, key=lambda ending: ending.term):
        yield f"  {paint.strong(_TERM_TITLES[term])}"
        for ending in found:
            yield from _ending(ending, now, columns, paint)


_TERM_TITLES = {
    Term.EXPIRED: "Expired",
    Term.WINDOW: "Ends within its window",
    Term.SOON: "Ends within 90 days",
}

# The parts of the drift view, in the order of the page.
_DRIFT_PARTS: tuple[Callable[[Member, datetime, Palette], Iterator[str]], ...] = (
    _differences,
    _expiries,
    lambda member, _now, paint: _policy(policy.loud(member.target), paint),
    lambda member, _now, paint: _receivers(member, paint, "drift"),
)


def _ending(ending: Ending, now: datetime, columns: int, paint: Palette) -> Iterator[str]:
    colour = {Term.EXPIRED: paint.bad, Term.WINDOW: paint.careful}.get(ending.term, _plain)
    alias = (padded(printable(ending.standing.alias), columns), colour)
    when = (f"{day(ending.moment)}  {left(ending.moment, now):<13}", _plain)
    notes = [note for note in (_whose(ending), "" if ending.is_own else _above(ending)) if note]
    yield from _row(4, columns + 6, alias, when, (", ".join(notes), paint.quiet))


def _above(ending: Ending) -> str:
    issuer = short_name(ending.certificate) if ending.certificate else ""
    return f"because of {printable(issuer)} in its chain"


def _whose(ending: Ending) -> str:
    """Who looks after it: nobody, or the next apply."""
    standing = ending.standing
    if standing.change is not None:
        return f"{_DONE.get(standing.change.action, 'changed')} by the next apply"
    return "" if standing.is_declared else standing.finding.status


_DONE = {
    Action.RENEW: "renewed",
    Action.REPLACE: "replaced",
    Action.IMPORT: "replaced",
    Action.RENAME: "renamed",
    Action.DELETE: "removed",
    Action.REQUEST: "requested anew",
}


def _drift_totals(member: Member, paint: Palette) -> Iterator[str]:
    declared = [standing for standing in member.standings if standing.is_declared]
    in_sync = sum(standing.finding.status is Status.IN_SYNC for standing in declared)
    different = member.differences
    verdict = paint.careful(f"Drift: {plural(different, 'difference')}") if different else paint.good("No drift")
    notes = policy.notes(member.target)
    yield f"  {verdict}; {in_sync} of {len(declared)} declared in sync{f'; {notes}' if notes else ''}"
    yield from (paint.quiet(line) for line in _coverage(coverage(member.target), "  "))
    yield from _about_receivers(member, paint)


def _coverage(found: Coverage, indent: str) -> Iterator[str]:
    parts = [f"{count} {what} ({found.share(count)} %)" for what, count in found.parts if count]
    return _filled([plural(found.entries, "entry", "entries"), *parts], indent)


_SECTIONS = {"plan": _plan, "apply": _apply, "drift": _drift}


# --------------------------------------------------------------------------------------------------- fleet


def _is_silent(command: str, member: Member) -> bool:
    if member.verdict is Verdict.NOT_TRIED:
        return True
    if member.verdict is not Verdict.QUIET:
        return False
    if receivers.lines(command, member.target) or policy.loud(member.target):
        return False
    return not (member.near if command == "drift" else _unmended(member) or receivers.staying(member.target))


def _fleet(report: Report, fleet: Sequence[Member], paint: Palette) -> Iterator[str]:
    silent = [member for member in fleet if _is_silent(report.command, member)]
    if len(silent) < len(fleet):
        yield ""
    left_out = [member for member in silent if member.verdict is Verdict.NOT_TRIED]
    yield from _listed([member for member in silent if member not in left_out], paint.good("nothing to do"), paint)
    yield from _listed(left_out, paint.careful("not tried"), paint)
    if silent:
        yield ""
    yield from _causes(causes(report.command, fleet), len(fleet), paint)
    counts = {verdict: sum(member.verdict is verdict for member in fleet) for verdict in Verdict}
    parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    first, *more = _filled([f"Fleet: {len(fleet)} keystores: {parts[0]}", *parts[1:]], "")
    yield from (f"{paint.strong('Fleet')}{first.removeprefix('Fleet')}", *more)
    if found := policy.counted(finding for member in fleet for finding in policy.policy_of(member.target)):
        yield paint.quiet(f"Policy: {found}")
    if report.command == "drift":
        total = sum((coverage(member.target) for member in fleet), Coverage())
        yield from (paint.quiet(line) for line in _coverage(total, ""))


def _listed(members_of_a_kind: Sequence[Member], what: str, paint: Palette) -> Iterator[str]:
    if len(members_of_a_kind) > _QUIET_LISTED:
        yield f"{paint.strong(f'{len(members_of_a_kind)} keystores')}  {what}"
        return
    for member in members_of_a_kind:
        yield f"{_heading(member.target, paint)}  {what}"


def _causes(found: Sequence[Cause], total: int, paint: Palette) -> Iterator[str]:
    if not found:
        return
    yield paint.strong("In several keystores")
    shown = found[:_CAUSES_SHOWN]
    columns = _alias_columns(cause.alias for cause in shown)
    for cause in shown:
        what = _severity_colour(cause.severity, paint)(f"{cause.what:<10}")
        count = f"{len(cause.places):>4} of {total}"
        yield f"{count}  {what}  {padded(printable(cause.alias), columns)}  {printable(cause.detail)}".rstrip()
    if len(found) > len(shown):
        yield paint.quiet(f"  and {len(found) - len(shown)} more")
    yield ""


# -------------------------------------------------------------------------------------------------- layout


def _filled(facts: Sequence[str], indent: str) -> Iterator[str]:
    """Facts, as many on a line as there is room for."""
    line = ""
    for fact in map(printable, facts):
        # One column is left for the comma that may follow.
        if line and width(indent) + width(line) + 2 + width(fact) >= _COLUMNS:
            yield f"{indent}{line},"
            line = fact
        else:
            line = f"{line}, {fact}" if line else fact
    if line:
        yield f"{indent}{line}"


def _row(indent: int, further: int, *pieces: tuple[str, Callable[[str], str]]) -> Iterator[str]:
    """Pieces side by side; what does not fit goes to the next line, `further` columns in."""
    line: list[tuple[str, Callable[[str], str]]] = []
    start, columns = indent, indent
    for text, colour in pieces:
        if line and text and columns + 2 + width(text) > _COLUMNS:
            yield _joined(start, line)
            line, start, columns = [], further, further
        if text:
            columns += width(text) + (2 if line else 0)
            line.append((text, colour))
    yield _joined(start, line)


def _joined(indent: int, pieces: Sequence[tuple[str, Callable[[str], str]]]) -> str:
    *before, (last, colour) = pieces
    # Blanks at the end are dropped before the colour goes round them.
    shown = [paint(text) for text, paint in before] + [colour(last.rstrip())]
    return f"{' ' * indent}{'  '.join(shown)}".rstrip()


def _plain(text: str) -> str:
    return text


def _alias_columns(aliases: Iterable[str]) -> int:
    """How wide a column for these aliases is; longer ones stick out."""
    return max((w for alias in aliases if (w := width(printable(alias))) <= _ALIAS_WIDTH), default=0)


def _severity_colour(severity: Severity, paint: Palette) -> Callable[[str], str]:
    return {Severity.ERROR: paint.bad, Severity.WARNING: paint.careful}.get(severity, _plain)
