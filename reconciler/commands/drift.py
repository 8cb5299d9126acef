"""`reconcile drift`: how the live keystores differ from git, and what expires when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from reconciler.commands.report_files import ReportFile
    from reconciler.desired.shards import Shard


@click.command(name="drift", short_help="Show how the live keystores differ from git.")
@options.states
@options.fleet
@options.stop_after
@options.receivers(may_refuse=False)
@options.reports
def command(
    states: tuple[str, ...],
    changed_since: str | None,
    shard: Shard | None,
    stop_after: int | None,
    check_receivers: bool,
    horizon: str,
    jobs: int,
    receiver_timeout: float,
    format_name: str,
    reports: tuple[ReportFile, ...],
) -> int:
    """Show how the live keystore differs from git, and what is about to expire.

    With --check-receivers also how the receivers differ from what was recorded of them, and whether they still fit.
    Exits with 2 when there are differences, and with 1 when the policy has errors. Reads only.

    \b
    Examples:
      reconcile drift keystore.yaml
      reconcile drift keystore.yaml --format json
      reconcile drift keystore.yaml --check-receivers
      reconcile drift fleet/ --report html=drift.html --report sarif=drift.sarif
    """
    from reconciler.commands.policy_checks import refuse_policy_errors
    from reconciler.commands.receiver_checks import ReceiverWishes, outlook_of
    from reconciler.commands.report_files import check_report_files, format_on_output, publish
    from reconciler.commands.selection import chosen_states
    from reconciler.commands.stopping import Failures
    from reconciler.commands.targets import Planning, exit_codes, plan_states, worst
    from reconciler.compare import is_difference
    from reconciler.errors import PolicyError
    from reconciler.model import Unmanaged
    from reconciler.terminal import print_error

    format_name = format_on_output(click.get_current_context(), format_name, reports)
    loaded = chosen_states(states, changed_since, shard)
    check_report_files(reports, loaded)
    wishes = ReceiverWishes(check_receivers, False, horizon, jobs, receiver_timeout)
    how = Planning(outlook=outlook_of(loaded, wishes), sap_keys=True, failures=Failures(stop_after))
    report = plan_states(loaded, datetime.now(UTC), "drift", how, jobs)
    codes = [*publish(report, format_name, reports), *exit_codes(report)]
    try:
        refuse_policy_errors(report)
    except PolicyError as error:
        print_error(error)
        codes.append(error.exit_code)
    for target in report.targets:
        if target.plan is not None:
            listed = target.plan.desired.unmanaged is not Unmanaged.IGNORE
            if any(is_difference(finding, report_unmanaged=listed) for finding in target.plan.findings):
                codes.append(2)
            if any(verdict.differences for verdict in target.plan.receivers):
                codes.append(2)
    return worst(codes)
