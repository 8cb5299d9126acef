"""The report for people at a terminal: what changes, why, and until when certificates live; quiet where all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.compare import is_difference
from reconciler.model import (
    Action,
    Expiry,
    OutcomeStatus,
    Status,
    Unmanaged,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.reports.document import duration_text, summary
from reconciler.reports.printable import Palette, printable
from reconciler.words import key_text, subject_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.model import Certificate, Change, Finding, Outcome, Report, TargetPlan, TargetReport

_SIGNS = {
    Action.CREATE_STORE: "+",
    Action.CREATE: "+",
    Action.IMPORT: "+",
    Action.DELETE: "-",
}
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
_ALIAS_WIDTH = 36


def render(report: Report, *, colour: bool = False) -> str:
    """The report as text; every line ends with a line break."""
    paint = Palette(colour=colour)
    lines: list[str] = []
    for target in report.targets:
        if len(report.targets) == 1 and target.failure and not target.outcomes:
            continue  # nothing to say beside the error
        if lines:
            lines.append("")
        lines += _SECTIONS[report.command](target, paint)
    if report.command == "plan" and any(target.plan and target.plan.changes for target in report.targets):
        lines += ["", paint.quiet(f"Digest of this plan: {report.digest}")]
    return "".join(f"{line}\n" for line in lines)


# ---------------------------------------------------------------------------------------------------- plan


def _plan(target: TargetReport, paint: Palette) -> Iterator[str]:
    yield _heading(target, paint)
    plan = target.plan
    if plan is None:
        yield from _failure(target, paint)
        return
    if plan.changes:
        yield ""
        for change in plan.changes:
            yield from _change(change, paint)
        yield ""
    yield from _attention(plan, paint)
    yield _totals(target, paint)


def _heading(target: TargetReport, paint: Palette) -> str:
    kind = f" ({target.type})" if target.type else ""
    return paint.strong(f"{printable(target.state)} -> {printable(target.location)}") + paint.quiet(kind)


def _failure(target: TargetReport, paint: Palette) -> Iterator[str]:
    """One line: the whole message, with its place and its hint, stands on standard error."""
    if target.failure is not None:
        yield f"  {paint.bad('failed')}  {printable(target.failure.message)}"


def _change(change: Change, paint: Palette) -> Iterator[str]:
    sign = _SIGNS.get(change.action, "~")
    colour = {"+": paint.good, "-": paint.bad, "~": paint.careful}[sign]
    alias = printable(change.alias) if change.alias else ""
    what, *more = _what(change)
    yield f"  {colour(sign)} {colour(f'{change.action:<12}')} {alias:<{_ALIAS_WIDTH}} {what}".rstrip()
    indent = " " * (2 + 2 + 12 + 2)
    for line in more:
        yield f"{indent}{line}"
    place = f"{change.source.file}:{change.source.line}" if change.source else ""
    yield f"{indent}{paint.quiet(f'{_why(change)}  {printable(place)}'.rstrip())}"
    for warning in change.warnings:
        yield f"{indent}{paint.careful('note' if change.migration else 'weaker')} {printable(warning)}"
    if change.receivers:
        names = printable(", ".join(change.receivers))
        yield f"{indent}{paint.careful('receivers')} that know this certificate: {names}"
    for affect in change.affects:
        shown = f"chain of {len(affect.chain_before)} -> {len(affect.chain_after)} certificates"
        yield f"{indent}{paint.careful('affects')} {printable(affect.alias)}: Java will show a {shown}"


def _why(change: Change) -> str:
    kind = f" ({change.certificate_change})" if change.certificate_change else ""
    return f"{change.reason}{kind}"


def _what(change: Change) -> list[str]:
    match change.wanted:
        case WantedCertificate() as wanted:
            new = wanted.certificate
            return [_name(new), f"valid until {_day(new.not_after)}, SHA-256 {_short(new.sha256)}", *_instead(change)]
        case WantedImport() as wanted:
            new = wanted.chain[0]
            facts = f"{key_text(new.key_algorithm, new.key_size, new.curve)}, valid until {_day(new.not_after)}"
            chain = f"chain of {len(wanted.chain)}, from {printable(wanted.origin)}"
            return [_name(new), f"{facts}, {chain}", *_instead(change)]
        case WantedKeyPair() if change.chain or change.staged:
            new = (change.chain or (change.staged.chain if change.staged else ()))[0]
            return [_name(new), printable(change.message), *_instead(change)]
        case WantedKeyPair() as wanted:
            key = key_text(wanted.key.algorithm, wanted.key.size, wanted.key.curve)
            names = f", {printable(', '.join(wanted.subject_alt_names))}" if wanted.subject_alt_names else ""
            issuer = printable(wanted.issuer.name or wanted.issuer.type)
            facts = f"{key}, {issuer}, valid {duration_text(wanted.validity)}{names}"
            return [printable(subject_text(wanted.subject[::-1])), facts, *_instead(change)]
        case _:
            return [printable(change.message)]


def _instead(change: Change) -> list[str]:
    leaf = change.before.leaf if change.before else None
    if leaf is None:
        return []
    return [f"instead of {_name(leaf)}, valid until {_day(leaf.not_after)}, SHA-256 {_short(leaf.sha256)}"]


def _attention(plan: TargetPlan, paint: Palette) -> Iterator[str]:
    """What no change mends: expiring entries that nobody renews for us."""
    changed = {change.alias for change in plan.changes}
    for finding in plan.findings:
        if finding.expiry is Expiry.OK or finding.alias in changed or finding.wanted is None:
            continue
        colour = paint.bad if finding.expiry is Expiry.EXPIRED else paint.careful
        yield f"  {colour(f'! {finding.expiry:<12}')} {printable(finding.alias):<{_ALIAS_WIDTH}} {finding.message}"


def _totals(target: TargetReport, paint: Palette) -> str:
    counts = summary(target)
    parts = [words.format(counts[action]) for action, words in _WORDS.items() if counts[action]]
    others = [f"{counts[name]} {name}" for name in (Status.UNMANAGED, Status.PROTECTED) if counts[name]]
    declared = sum(f.wanted is not None for f in target.plan.findings) if target.plan else 0
    if not parts:
        rest = f"; {', '.join(others)}" if others else ""
        return paint.good("  Nothing to do") + f": {declared} declared, all as they should be{rest}"
    rest = f" ({', '.join(others)})" if others else ""
    return f"  {paint.strong('Plan')}: {', '.join(parts)}{rest}"


# --------------------------------------------------------------------------------------------------- apply


def _apply(target: TargetReport, paint: Palette) -> Iterator[str]:
    yield _heading(target, paint)
    for outcome in target.outcomes or ():
        yield from _outcome(outcome, paint)
    yield from _failure(target, paint)
    if target.outcomes is None and target.failure is None:
        yield _totals(target, paint)
    elif target.outcomes is not None:
        yield _closing(target.outcomes, paint)


def _outcome(outcome: Outcome, paint: Palette) -> Iterator[str]:
    change = outcome.change
    colour, sign = {
        OutcomeStatus.APPLIED: (paint.good, "done"),
        OutcomeStatus.FAILED: (paint.bad, "failed"),
        OutcomeStatus.NOT_TRIED: (paint.careful, "not tried"),
    }[outcome.status]
    leaf = outcome.after.leaf if outcome.after else None
    facts = f"valid until {_day(leaf.not_after)}, SHA-256 {_short(leaf.sha256)}" if leaf else ""
    text = printable(outcome.message) or facts
    yield f"  {colour(f'{sign:<9}')} {change.action:<12} {printable(change.alias):<{_ALIAS_WIDTH}} {text}".rstrip()


def _closing(outcomes: tuple[Outcome, ...], paint: Palette) -> str:
    counts = {status: sum(outcome.status is status for outcome in outcomes) for status in OutcomeStatus}
    if counts[OutcomeStatus.APPLIED] == len(outcomes):
        return (
            f"  {paint.strong('Applied')}: all {len(outcomes)} changes; read again and compared, nothing is left to do"
        )
    words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"  {paint.bad('Applied in part')}: {words}"


# --------------------------------------------------------------------------------------------------- drift


def _drift(target: TargetReport, paint: Palette) -> Iterator[str]:
    yield _heading(target, paint)
    plan = target.plan
    if plan is None:
        yield from _failure(target, paint)
        return
    report_unmanaged = plan.desired.unmanaged is not Unmanaged.IGNORE
    different = [f for f in plan.findings if is_difference(f, report_unmanaged=report_unmanaged)]
    for finding in different:
        yield from _finding(finding, paint)
    counts = summary(target)
    declared = [finding for finding in plan.findings if finding.wanted is not None]
    in_sync = sum(finding.status is Status.IN_SYNC for finding in declared)
    text = (
        f"{in_sync} of {len(declared)} declared in sync, {counts[Status.UNMANAGED]} unmanaged, "
        f"{counts[Status.PROTECTED]} protected"
    )
    verdict = paint.careful(f"  Drift: {len(different)} differences") if different else paint.good("  No drift")
    yield f"{verdict}; {text}"


def _finding(finding: Finding, paint: Palette) -> Iterator[str]:
    severe = finding.status in {Status.MISSING, Status.EXPIRED} or finding.expiry is Expiry.EXPIRED
    colour = paint.bad if severe else paint.careful
    status = colour(f"{finding.status:<12}")
    place = f"  {finding.source.file}:{finding.source.line}" if finding.source else ""
    alias = f"{printable(finding.alias):<{_ALIAS_WIDTH}}"
    yield f"  {status} {alias} {printable(finding.message)}{paint.quiet(printable(place))}"
    for difference in finding.differences:
        live, wanted = printable(difference.live), printable(difference.wanted)
        yield f"{' ' * 15}{difference.field}: live {paint.bad(live)}, declared {paint.good(wanted)}"


_SECTIONS = {"plan": _plan, "apply": _apply, "drift": _drift}


# --------------------------------------------------------------------------------------------------- words


def _name(certificate: Certificate) -> str:
    return printable(certificate.subject or "a certificate that cannot be parsed")


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment is not None else "?"


def _short(sha256: str) -> str:
    return f"{sha256[:16]}…"
