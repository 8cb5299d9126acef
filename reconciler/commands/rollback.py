"""`reconcile rollback`: undo what a run did to a keystore file, as an ordinary plan; say what git still asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconciler.commands import options
from reconciler.commands.history import STATE, with_history
from reconciler.commands.receiver_checks import ReceiverWishes

if TYPE_CHECKING:
    from reconciler.keystores.protocol import KeepsHistory
    from reconciler.model import Change, DesiredState, Outcome, Report, Snapshot, TargetPlan
    from reconciler.runs import Run


@click.command(name="rollback", short_help="Undo what a run did to a keystore file.")
@STATE
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--plan-only", is_flag=True, help="Show what would be undone, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.", envvar="RECONCILE_YES")
@click.option(
    "--allow-mass-change",
    is_flag=True,
    help="Let a rollback delete or replace much of a keystore at once. Opens nothing else.",
)
@options.report_format("text", "json")
def command(state: str, run: str | None, plan_only: bool, yes: bool, allow_mass_change: bool, format_name: str) -> int:
    """Undo what a run did to a keystore file: the last one, or RUN as `history` calls it (its beginning will do).

    For every entry that the run touched, what the backup holds is put back: removed ones come back, added ones go,
    replaced ones are what they were. An entry that was changed since is not touched, and nothing is. A rollback is a
    run like any other, with a backup of its own, and can be undone. The desired state is not changed: afterwards it is
    told what it still asks for, which the next apply would do. One that would break the connection to a receiver, as
    far as that is recorded, is refused.

    \b
    Examples:
      reconcile rollback keystore.yaml --plan-only
      reconcile rollback keystore.yaml --yes
      reconcile rollback keystore.yaml 20261124T043147 --yes
    """
    from reconciler.commands.carrying_out import confirm
    from reconciler.commands.output import write_report
    from reconciler.commands.receiver_checks import refuse_breaking
    from reconciler.planning import check_mass_change

    now = datetime.now(UTC)
    desired, keystore = with_history(state)
    live = keystore.read()
    undone = chosen_run(keystore.runs(), run, live.version, desired.keystore.location)
    plan = _plan(desired, keystore, live, undone, now)
    report = _report(plan)
    if format_name == "text" and plan.changes:
        write_report(report, "text")
    refuse_breaking(report, _RECORDED, now, open_live_keys=False)
    if plan_only or not plan.changes:
        _finish(report, undone, None, format_name)
        return 0
    if not allow_mass_change:
        check_mass_change(plan)
    confirm([plan], yes=yes)
    outcomes = _carry_out(plan, undone, report.digest)
    done = replace(report, command="apply", targets=(replace(report.targets[0], outcomes=outcomes),))
    if format_name == "text":
        _write_outcomes(outcomes, undone)
    _finish(done, undone, _still_asked_for(state), format_name)
    return _exit_code(done)


def chosen_run(runs: tuple[Run, ...], asked_for: str | None, version: str, location: str) -> Run:
    """The run that is meant: the last one that took place, or the one whose name begins as asked for.

    Raises:
        ReconcileError: there is none, or there are several.
    """
    from reconciler.errors import ReconcileError
    from reconciler.runs import never_took_place

    hint = "see: reconcile history"
    interrupted = never_took_place(runs, version)
    if asked_for is None:
        found = [run for run in runs if run.id not in interrupted][:1]
    else:
        found = [run for run in runs if run.id.startswith(asked_for)]
    if len(found) != 1:
        what = "there is no run to undo" if not found else f"{len(found)} runs begin with {asked_for!r}"
        raise ReconcileError(what, where=location, hint=hint)
    if found[0].problem is not None:
        raise ReconcileError(f"the run {found[0].id} cannot be undone: {found[0].problem}", where=location, hint=hint)
    if found[0].id in interrupted:
        message = f"the run {found[0].id} never changed the keystore, or somebody took it back by hand"
        raise ReconcileError(message, where=location, hint=hint)
    return found[0]


# What is recorded of the receivers is judged, as for any plan; a rollback asks none of them.
_RECORDED = ReceiverWishes(check=False, require=False, horizon="90d", jobs=1, timeout=10.0)


def _plan(desired: DesiredState, keystore: KeepsHistory, live: Snapshot, run: Run, now: datetime) -> TargetPlan:
    from reconciler.commands.receiver_checks import outlook_of
    from reconciler.planning import with_receivers
    from reconciler.undoing import plan_rollback
    from reconciler.x509 import is_signed_by

    needed = run.migrated or any(before is not None for _, before, _ in run.entries)
    backup = keystore.backup(run.id) if needed else None
    plan = plan_rollback(desired, live, run, backup, keystore.preview)
    facts = (now, is_signed_by, outlook_of([desired], _RECORDED))
    return with_receivers(plan, keystore.preview, facts, becomes=backup if run.migrated else None)


def _report(plan: TargetPlan) -> Report:
    from reconciler import __version__
    from reconciler.model import Report, TargetReport
    from reconciler.planning import digest

    keystore = plan.desired.keystore
    target = TargetReport(plan.desired.name, keystore.location, keystore.type, plan)
    return Report("plan", datetime.now(UTC), __version__, digest([plan]), (target,))


def _carry_out(plan: TargetPlan, run: Run, digest: str) -> tuple[Outcome, ...]:
    from reconciler.applying import apply_target
    from reconciler.commands.progress import progress
    from reconciler.commands.targets import password_of, previous_password_of
    from reconciler.keystores.opening import open_keystore
    from reconciler.model import RunFacts
    from reconciler.undoing import ROLLBACK

    target = plan.desired.keystore
    facts = RunFacts(ROLLBACK, plan.desired.name, digest, plan.changes, run.id)
    patterns = [one.pattern for one in plan.desired.protected]
    keystore = open_keystore(target, password_of(target), patterns, previous_password_of(target), facts)
    with progress(len(plan.changes)) as show:
        outcomes = apply_target(plan, keystore, datetime.now(UTC), show)
    return _verified(plan, outcomes)


def _verified(plan: TargetPlan, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Read again and compare: every alias holds what the backup holds, or nothing.

    Raises:
        ReconcileError: one does not.
    """
    from reconciler.commands.targets import reader_of
    from reconciler.errors import ReconcileError
    from reconciler.model import OutcomeStatus
    from reconciler.ownership import alias_key

    there = {alias_key(entry.alias): entry for entry in reader_of(plan.desired).read().entries}
    checked = []
    for outcome in outcomes:
        change = outcome.change
        found = there.get(alias_key(change.alias)) if change.alias else None
        if change.alias and outcome.status is OutcomeStatus.APPLIED and not _is_back(change, found):
            raise ReconcileError(
                f"{change.alias}: was put back, and the keystore still holds something else",
                where=plan.desired.keystore.location,
            )
        checked.append(replace(outcome, after=found))
    return tuple(checked)


def _is_back(change: Change, found: object) -> bool:
    from reconciler.model import Entry

    wanted = change.restored
    if wanted is None or not isinstance(found, Entry):
        return wanted is None and found is None
    own, expected = [one.sha256 for one in found.chain], [one.sha256 for one in wanted.chain]
    return found.kind is wanted.kind and own[: len(expected)] == expected


def _still_asked_for(state: str) -> TargetPlan | None:
    """The ordinary plan, now: what git and the keystore no longer agree on. None where it cannot be told."""
    from reconciler.commands.targets import plan_state
    from reconciler.desired import load_states
    from reconciler.errors import ReconcileError
    from reconciler.terminal import print_error, say

    try:
        return plan_state(load_states([state])[0], datetime.now(UTC))
    except ReconcileError as error:
        print_error(error)
        say("it was undone; what git still asks for cannot be told", word="note")
        return None


def _finish(report: Report, run: Run, asked: TargetPlan | None, format_name: str) -> None:
    from reconciler.commands.output import write
    from reconciler.reports.document import report_document
    from reconciler.reports.json_text import dump

    if format_name == "json":
        document = report_document(replace(report, command="rollback"))
        document["run"] = run.id
        document["git_still_asks_for"] = None
        if asked is not None:
            changes = report_document(_report(asked))["targets"][0]["changes"]
            document["git_still_asks_for"] = changes
        write(dump(document))
    elif report.targets[0].plan is not None and not report.targets[0].plan.changes:
        write(f"nothing to undo: the keystore is as it was before the run {run.id}\n")
    elif asked is not None:
        write("".join(f"{line}\n" for line in _asked_text(asked)))


def _write_outcomes(outcomes: tuple[Outcome, ...], run: Run) -> None:
    from reconciler.commands.output import write
    from reconciler.model import OutcomeStatus
    from reconciler.reports.printable import printable

    lines = [
        f"  {one.status:<9} {one.change.action:<12} {printable(one.change.alias):<36} {printable(one.message)}".rstrip()
        for one in outcomes
    ]
    whole = all(one.status is OutcomeStatus.APPLIED for one in outcomes)
    lines.append(f"  the run {run.id} is undone{'' if whole else ' in part'}; read again and compared")
    write("".join(f"{line}\n" for line in lines))


def _asked_text(asked: TargetPlan) -> list[str]:
    from reconciler.reports.printable import printable

    if not asked.changes:
        return ["git asks for nothing else: the desired state and the keystore agree"]
    changes = [
        f"  {change.action:<12} {printable(change.alias):<36} {printable(change.message)}".rstrip()
        for change in asked.changes
    ]
    return ["git still asks for:", *changes, "change the desired state before the next apply, or it will be done again"]


def _exit_code(report: Report) -> int:
    from reconciler.commands.carrying_out import exit_code_of

    return exit_code_of(report.targets[0])
