"""`reconcile apply`: does what the plan says, reads again, compares again, reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconciler.commands import options
from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from reconciler.commands.receiver_checks import ReceiverWishes
    from reconciler.commands.report_files import ReportFile
    from reconciler.commands.reviewed import ReviewedPlan
    from reconciler.commands.stopping import Failures
    from reconciler.desired.shards import Shard
    from reconciler.model import DesiredState, Report


@click.command(name="apply", short_help="Do it, read again, compare again, report.")
@options.states
@options.fleet
@options.stop_after
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
@options.reports
def command(
    states: tuple[str, ...],
    changed_since: str | None,
    shard: Shard | None,
    stop_after: int | None,
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
    reports: tuple[ReportFile, ...],
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
      reconcile apply keystore.yaml --plan plan.json --yes --report html=applied.html
    """
    from reconciler.commands.carrying_out import carry_out, exit_code_of
    from reconciler.commands.policy_checks import exit_code_of_errors, refuse_policy_errors
    from reconciler.commands.receiver_checks import ReceiverWishes, outlook_of
    from reconciler.commands.report_files import check_report_files, format_on_output, publish, refused, write_files
    from reconciler.commands.reviewed import check_age, max_age, read_reviewed
    from reconciler.commands.selection import chosen_states
    from reconciler.commands.stopping import Failures
    from reconciler.commands.targets import Planning, exit_codes, plan_states, worst

    now = datetime.now(UTC)
    format_name = format_on_output(click.get_current_context(), format_name, reports)
    loaded = chosen_states(states, changed_since, shard)
    check_report_files(reports, loaded, [plan_argument])
    click.get_current_context().with_resource(_sessions(loaded))
    wishes = ReceiverWishes(check_receivers, require_receivers, horizon, jobs, receiver_timeout)
    outlook = outlook_of(loaded, wishes)
    how = Planning(
        renewals_only=renewals_only, outlook=outlook, writing=True, feasible=True, failures=Failures(stop_after)
    )
    reviewed = None if plan_argument is None else read_reviewed(plan_argument)
    if reviewed is not None:
        check_age(reviewed, now, max_age(max_plan_age))
    moment = reviewed.generated_at if reviewed and reviewed.generated_at else now
    report = plan_states(loaded, moment, "plan", how, jobs)
    if reviewed is not None and any(exit_codes(report)):
        return _not_as_reviewed(report, format_name, reports)
    try:
        if renewals_only and reviewed is None:
            report = _each_for_itself(report, wishes, now, how.failures, allow_mass_change=allow_mass_change)
        else:
            _check(report, reviewed, wishes, now, allow_mass_change=allow_mass_change)
        if not renewals_only:
            refuse_policy_errors(report)
        _show_and_confirm(report, format_name, yes=yes)
    except ReconcileError as error:
        write_files(refused(report, error), reports)
        raise
    done = carry_out(report, datetime.now(UTC), jobs, how.failures)
    published = publish(done, format_name, reports)
    against = exit_code_of_errors(done) if renewals_only else 0
    return worst([*exit_codes(done), *map(exit_code_of, done.targets), *published, against])


def _check(
    report: Report, reviewed: ReviewedPlan | None, wishes: ReceiverWishes, now: datetime, *, allow_mass_change: bool
) -> None:
    """Refuse what was not reviewed, deletes much at once, or would break a connection.

    Raises:
        RefusedError: as said.
    """
    from reconciler.commands.receiver_checks import refuse_breaking
    from reconciler.commands.reviewed import check_same
    from reconciler.planning import check_mass_change

    if reviewed is not None:
        check_same(reviewed, report)
    if not allow_mass_change:
        for target in report.targets:
            if target.plan is not None:
                check_mass_change(target.plan)
    refuse_breaking(report, wishes, now, open_live_keys=True)


def _each_for_itself(
    report: Report, wishes: ReceiverWishes, now: datetime, failures: Failures, *, allow_mass_change: bool
) -> Report:
    """The nightly run: a keystore that is refused does not keep the renewals of the others."""
    from reconciler.commands.targets import failure_of
    from reconciler.errors import RefusedError
    from reconciler.terminal import print_error

    targets = []
    for target in report.targets:
        try:
            _check(replace(report, targets=(target,)), None, wishes, now, allow_mass_change=allow_mass_change)
            targets.append(target)
        except RefusedError as error:
            print_error(error)
            failures.count([target.state])
            targets.append(replace(target, failure=failure_of(error)))
    return replace(report, targets=tuple(targets))


def _show_and_confirm(report: Report, format_name: str, *, yes: bool) -> None:
    from reconciler.commands.carrying_out import confirm
    from reconciler.commands.output import write_report

    planned = [target.plan for target in report.targets if target.plan is not None and target.failure is None]
    if any(plan.changes for plan in planned):
        if format_name == "text":
            write_report(report, "text")
        confirm(planned, yes=yes)


def _sessions(states: Sequence[DesiredState]) -> AbstractContextManager[None]:
    """Reading, writing and reading again sign in at a tenant once."""
    from contextlib import nullcontext

    if not any(state.keystore.is_tenant for state in states):
        return nullcontext()
    from reconciler.keystores.sap.client import sharing_sessions

    return sharing_sessions()


def _not_as_reviewed(report: Report, format_name: str, reports: Sequence[ReportFile]) -> int:
    """A reviewed plan runs whole or not at all: a keystore that cannot be planned again cannot be compared."""
    from reconciler.commands.report_files import publish
    from reconciler.commands.targets import exit_codes, worst
    from reconciler.terminal import say

    published = publish(replace(report, command="apply"), format_name, reports)
    if len(report.targets) > 1:
        say("the reviewed plan is not applied, for not all of its keystores can be planned; nothing was written")
    return worst([*exit_codes(report), *published])
