"""`reconcile plan`: what apply would do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from reconciler.model import Report


@click.command(name="plan", short_help="Show what apply would do.")
@options.states
@click.option("--out", metavar="FILE", help="Write the plan here as JSON as well, for `apply --plan FILE`.")
@options.jobs
@options.report_format("text", "json", "markdown")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 2 when there are changes.",
    envvar="RECONCILE_DETAILED_EXITCODE",
)
def command(states: tuple[str, ...], out: str | None, jobs: int, format_name: str, detailed_exitcode: bool) -> int:
    """Compare the desired state with the live keystore and show what apply would do.

    Reads only: no private key is decrypted, nothing is written.

    \b
    Examples:
      reconcile plan keystore.yaml
      reconcile plan keystore.yaml --out plan.json
      reconcile plan keystore.yaml --format markdown --detailed-exitcode
    """
    from reconciler.commands.output import write_report
    from reconciler.commands.targets import exit_codes, plan_states, worst
    from reconciler.desired import load_states

    report = plan_states(load_states(states), datetime.now(UTC), "plan", jobs=jobs)
    write_report(report, format_name)
    codes = exit_codes(report)
    if out and not any(codes):
        _write_plan(report, out)
    if detailed_exitcode and any(target.plan and target.plan.changes for target in report.targets):
        codes.append(2)
    return worst(codes)


def _write_plan(report: Report, out: str) -> None:
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of
    from reconciler.reports.table import render

    try:
        Path(out).write_text(render("json", report), encoding="utf-8")
    except OSError as error:
        raise ReconcileError(f"the plan cannot be written: {reason_of(error)}", where=out) from None
