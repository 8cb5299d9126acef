"""The report for pull requests: Markdown that stays readable as plain text and escapes everything from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.compare import is_difference
from reconciler.model import Unmanaged
from reconciler.reports.document import summary
from reconciler.reports.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model import Change, Report, TargetReport

_TITLES = {"plan": "Keystore plan", "apply": "Keystore apply", "drift": "Keystore drift"}
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]()#+-.!|~>@"} | {"<": "&lt;", "&": "&amp;"})


def render(report: Report, *, colour: bool = False) -> str:
    """The report as GitHub-flavoured Markdown; `colour` is for terminals and changes nothing here."""
    del colour
    lines = [f"## {_TITLES[report.command]}", ""]
    for target in report.targets:
        lines += _target(report.command, target)
    if report.command != "drift":
        lines += [f"Digest: `{report.digest}`", ""]
    return "".join(f"{line}\n" for line in lines)


def _target(command: str, target: TargetReport) -> Iterator[str]:
    yield f"### {escaped(target.state)} → {escaped(target.location)}"
    yield ""
    if target.failure is not None:
        yield f"**Failed**: {escaped(target.failure.message)}"
        if target.failure.where:
            yield f"at {escaped(target.failure.where)}"
        if target.failure.hint:
            yield f"_{escaped(target.failure.hint)}_"
        yield ""
    if target.plan is None:
        return
    if command == "drift":
        yield from _findings(target)
    elif command == "apply" and target.outcomes is not None:
        rows = [(o.status, o.change.action, o.change.alias, o.message) for o in target.outcomes]
        yield from table(("result", "change", "alias", "message"), rows)
    else:
        yield from table(("change", "alias", "reason", "what", "asked for by"), map(_row, target.plan.changes))
    yield _totals(target)
    yield ""


def _row(change: Change) -> tuple[str, ...]:
    place = f"{change.source.file}:{change.source.line}" if change.source else ""
    affects = "".join(f"; affects the chain of {affect.alias}" for affect in change.affects)
    return (change.action, change.alias, change.reason, change.message + affects, place)


def _findings(target: TargetReport) -> Iterator[str]:
    plan = target.plan
    if plan is None:
        return
    report_unmanaged = plan.desired.unmanaged is not Unmanaged.IGNORE
    rows = [
        (f.status, f.alias, f.expiry, f.message, f"{f.source.file}:{f.source.line}" if f.source else "")
        for f in plan.findings
        if is_difference(f, report_unmanaged=report_unmanaged)
    ]
    yield from table(("finding", "alias", "expiry", "message", "declared at"), rows)


def _totals(target: TargetReport) -> str:
    counts = {name: count for name, count in summary(target).items() if count}
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "Nothing to do."


def table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Iterator[str]:
    """A table, or nothing at all where there are no rows."""
    cells = [[escaped(cell) for cell in row] for row in rows]
    if cells:
        yield f"| {' | '.join(head)} |"
        yield f"|{'|'.join(' --- ' for _ in head)}|"
        for row in cells:
            yield f"| {' | '.join(row)} |"
        yield ""


def escaped(text: str) -> str:
    """Text from outside, so that it cannot become markup, a mention or another table cell."""
    return printable(text).translate(_SPECIAL)
