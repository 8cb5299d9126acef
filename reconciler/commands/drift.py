"""`reconcile drift`: how the live keystores differ from git, and what expires when."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from reconciler.commands import options


@click.command(name="drift", short_help="Show how the live keystores differ from git.")
@options.states
@options.receivers(may_refuse=False)
@options.report_format("text", "json", "markdown")
def command(
    states: tuple[str, ...],
    check_receivers: bool,
    horizon: str,
    jobs: int,
    receiver_timeout: float,
    format_name: str,
) -> int:
    """Show how the live keystore differs from git, and what is about to expire.

    With --check-receivers also how the receivers differ from what was recorded of them, and whether they still fit.
    Exits with 2 when there are differences, and with 1 when the policy has errors. Reads only.

    \b
    Examples:
      reconcile drift keystore.yaml
      reconcile drift keystore.yaml --format json
      reconcile drift keystore.yaml --check-receivers
    """
    from reconciler.commands.output import write_report
    from reconciler.commands.policy_checks import refuse_policy_errors
    from reconciler.commands.receiver_checks import ReceiverWishes, outlook_of
    from reconciler.commands.targets import Planning, exit_codes, plan_states, worst
    from reconciler.compare import is_difference
    from reconciler.desired import load_states
    from reconciler.errors import PolicyError
    from reconciler.model import Unmanaged
    from reconciler.terminal import print_error

    loaded = load_states(states)
    wishes = ReceiverWishes(check_receivers, False, horizon, jobs, receiver_timeout)
    how = Planning(outlook=outlook_of(loaded, wishes), sap_keys=True)
    report = plan_states(loaded, datetime.now(UTC), "drift", how, jobs)
    write_report(report, format_name)
    codes = exit_codes(report)
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
