"""`reconcile plan`: what apply would do."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options
from reconciler.errors import ReconcileError
from reconciler.terminal import print_error

if TYPE_CHECKING:
    from reconciler.commands.report_files import ReportFile
    from reconciler.desired.shards import Shard
    from reconciler.model import Report


@click.command(name="plan", short_help="Show what apply would do.")
@options.states
@options.fleet
@options.stop_after
@click.option("--out", metavar="FILE", help="Write the plan here as JSON as well, for `apply --plan FILE`.")
@options.reports
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 2 when there are changes.",
    envvar="RECONCILE_DETAILED_EXITCODE",
)
@options.receivers(may_refuse=True)
def command(
    states: tuple[str, ...],
    changed_since: str | None,
    shard: Shard | None,
    stop_after: int | None,
    out: str | None,
    format_name: str,
    reports: tuple[ReportFile, ...],
    detailed_exitcode: bool,
    check_receivers: bool,
    require_receivers: bool,
    horizon: str,
    jobs: int,
    receiver_timeout: float,
) -> int:
    """Compare the desired state with the live keystore and show what apply would do.

    Reads only: no private key is decrypted, nothing is written. Exits with 4 when the plan would break a connection
    to a receiver: `apply` refuses such a plan.

    \b
    Examples:
      reconcile plan keystore.yaml
      reconcile plan keystore.yaml --out plan.json
      reconcile plan keystore.yaml --format markdown --detailed-exitcode
      reconcile plan fleet/ --report html=plan.html --report sarif=plan.sarif
      reconcile plan keystore.yaml --check-receivers --horizon 180d
    """
    from reconciler.commands.policy_checks import refuse_policy_errors
    from reconciler.commands.receiver_checks import ReceiverWishes, outlook_of, refuse_breaking
    from reconciler.commands.report_files import check_report_files, format_on_output, publish
    from reconciler.commands.selection import chosen_states
    from reconciler.commands.stopping import Failures
    from reconciler.commands.targets import Planning, exit_codes, plan_states, worst

    format_name = format_on_output(click.get_current_context(), format_name, reports)
    now, loaded = datetime.now(UTC), chosen_states(states, changed_since, shard)
    check_report_files(reports, loaded, [out])
    wishes = ReceiverWishes(check_receivers, require_receivers, horizon, jobs, receiver_timeout)
    how = Planning(outlook=outlook_of(loaded, wishes), failures=Failures(stop_after))
    report = plan_states(loaded, now, "plan", how, jobs)
    published = publish(report, format_name, reports)
    codes = exit_codes(report)
    for refuse in (
        partial(refuse_breaking, report, wishes, now, open_live_keys=False),
        partial(refuse_policy_errors, report),
    ):
        try:
            refuse()
        except ReconcileError as error:
            print_error(error)
            codes.append(error.exit_code)
    if out:
        _write_plan(report, out, complete=not any(codes))
    if detailed_exitcode and any(target.plan and target.plan.changes for target in report.targets):
        codes.append(2)
    return worst([*codes, *published])


def _write_plan(report: Report, out: str, *, complete: bool) -> None:
    from reconciler.commands.report_files import write_whole
    from reconciler.keystores.files import reason_of
    from reconciler.reports.table import render

    if not complete:
        from reconciler.terminal import say

        failed = any(target.failure for target in report.targets)
        why = "not every keystore could be planned" if failed else "`apply` would refuse it"
        say(f"the plan was not written, for {why}", where=out)
        return
    try:
        write_whole(Path(out), render("json", report).encode())
    except OSError as error:
        raise ReconcileError(f"the plan cannot be written: {reason_of(error)}", where=out) from None
