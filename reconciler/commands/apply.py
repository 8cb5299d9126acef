"""`reconcile apply`: does what the plan says, reads again, compares again, reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from reconciler.model import DesiredState, Report


@click.command(name="apply", short_help="Do it, read again, compare again, report.")
@options.states
@click.option("--plan", "plan_argument", metavar="PLAN", help="Apply only this reviewed plan: a file, or sha256:….")
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.", envvar="RECONCILE_YES")
@click.option(
    "--max-plan-age", metavar="DURATION", default="7d", show_default=True, envvar="RECONCILE_MAX_PLAN_AGE",
    help="Refuse a reviewed plan that is older.",
)  # fmt: skip
@click.option(
    "--allow-mass-change",
    is_flag=True,
    help="Let a plan delete or replace much of a keystore at once. Opens nothing else.",
)
@click.option(
    "--renewals-only",
    is_flag=True,
    envvar="RECONCILE_RENEWALS_ONLY",
    help="Only what time and arrived answers ask for: the nightly run.",
)
@options.receivers(may_refuse=True)
@options.report_format("text", "json", "markdown")
def command(
    states: tuple[str, ...],
    plan_argument: str | None,
    yes: bool,
    max_plan_age: str,
    allow_mass_change: bool,
    renewals_only: bool,
    check_receivers: bool,
    require_receivers: bool,
    horizon: str,
    jobs: int,
    receiver_timeout: float,
    format_name: str,
) -> int:
    """Bring the live keystore to the desired state.

    The plan is shown and confirmed first, or was reviewed before and is given with --plan: then it is worked out again
    and refused when it differs. The new keystore is built beside the old one, read back and compared before it takes
    its place in one step; the old one stays as a backup. A plan that would break the connection to a receiver of the
    state file is refused.

    \b
    Examples:
      reconcile apply keystore.yaml
      reconcile apply keystore.yaml --yes
      reconcile apply keystore.yaml --plan plan.json --yes
    """
    from reconciler.commands.carrying_out import carry_out, confirm, exit_code_of
    from reconciler.commands.output import write_report
    from reconciler.commands.policy_checks import refuse_policy_errors
    from reconciler.commands.receiver_checks import ReceiverWishes, outlook_of, refuse_breaking
    from reconciler.commands.reviewed import check_age, check_same, max_age, read_reviewed
    from reconciler.commands.targets import Planning, exit_codes, plan_states, worst
    from reconciler.desired import load_states
    from reconciler.planning import check_mass_change

    now = datetime.now(UTC)
    loaded = load_states(states)
    click.get_current_context().with_resource(_sessions(loaded))
    wishes = ReceiverWishes(check_receivers, require_receivers, horizon, jobs, receiver_timeout)
    outlook = outlook_of(loaded, wishes)
    how = Planning(renewals_only=renewals_only, outlook=outlook, writing=True)
    if plan_argument is None:
        report = plan_states(loaded, now, "plan", how, jobs)
    else:
        reviewed = read_reviewed(plan_argument)
        check_age(reviewed, now, max_age(max_plan_age))
        report = plan_states(loaded, reviewed.generated_at or now, "plan", how, jobs)
        if any(exit_codes(report)):
            return _not_as_reviewed(report, format_name)
        check_same(reviewed, report)
    planned = [target.plan for target in report.targets if target.plan is not None]
    if not allow_mass_change:
        for target in planned:
            check_mass_change(target)
    refuse_breaking(report, wishes, now, open_live_keys=True)
    refuse_policy_errors(report)
    if any(target.changes for target in planned):
        if format_name == "text":
            write_report(report, "text")
        confirm(planned, yes=yes)
    done = carry_out(report, datetime.now(UTC), jobs)
    write_report(done, format_name)
    return worst([*exit_codes(done), *map(exit_code_of, done.targets)])


def _sessions(states: Sequence[DesiredState]) -> AbstractContextManager[None]:
    """Reading, writing and reading again sign in at a tenant once."""
    from contextlib import nullcontext

    if not any(state.keystore.is_tenant for state in states):
        return nullcontext()
    from reconciler.keystores.sap.client import sharing_sessions

    return sharing_sessions()


def _not_as_reviewed(report: Report, format_name: str) -> int:
    """A reviewed plan runs whole or not at all: a keystore that cannot be planned again cannot be compared."""
    from reconciler.commands.output import write_report
    from reconciler.commands.targets import exit_codes, worst
    from reconciler.terminal import say

    write_report(replace(report, command="apply"), format_name)
    if len(report.targets) > 1:
        say("the reviewed plan is not applied, for not all of its keystores can be planned; nothing was written")
    return worst(exit_codes(report))
