"""Carrying a plan out, keystore by keystore: apply, read again, compare again."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.commands.fleet import is_long, worked_on
from reconciler.commands.progress import progress
from reconciler.commands.stopping import Failures
from reconciler.commands.targets import (
    Planning,
    access_of,
    failure_of,
    password_of,
    plan_state,
    previous_password_of,
)
from reconciler.errors import ReconcileError
from reconciler.logs import log
from reconciler.model import OutcomeStatus, RunFacts, Step
from reconciler.ownership import alias_key
from reconciler.terminal import is_terminal, print_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model import Change, KeystoreTarget, Outcome, Report, TargetPlan, TargetReport


_WAITS = (0.0, 1.0, 4.0)


def carry_out(report: Report, now: datetime, jobs: int = 1, failures: Failures | None = None) -> Report:
    """Apply every planned target; an error stays with its target, so that the others go on.

    Args:
        report: What was planned.
        now: The start of new certificates, and the moment of the second comparison.
        jobs: How many tenants are written side by side.
        failures: Those of the planning, and after how many the rest is not tried.
    """
    counted = failures or Failures()
    planned = [target for target in report.targets if target.plan is not None]
    alone = sum(target.plan is not None and target.plan.desired.keystore.is_tenant for target in planned) < 2
    shown = (alone or jobs < 2) and not is_long(planned)
    results = worked_on(
        planned, _keystore_of, lambda target: _unless_stopped(target, now, report.digest, counted, shown=shown), jobs
    )
    for _, error in results:
        if error is not None:
            print_error(error)
    done = iter(results)
    targets = tuple(target if target.plan is None else next(done)[0] for target in report.targets)
    return replace(report, command="apply", targets=targets)


def _keystore_of(target: TargetReport) -> KeystoreTarget:
    assert target.plan is not None  # noqa: S101  # `carry_out` has seen to it
    return target.plan.desired.keystore


def _unless_stopped(
    target: TargetReport, now: datetime, digest: str, failures: Failures, *, shown: bool
) -> tuple[TargetReport, ReconcileError | None]:
    if failures.are_too_many and target.failure is None and target.plan is not None and target.plan.changes:
        return replace(target, failure=failures.not_tried(target.location)), None
    done, error = _carried_out(target, now, digest, shown=shown)
    if error is not None or exit_code_of(done):
        failures.count([target.state])
    return done, error


def _carried_out(
    target: TargetReport, now: datetime, digest: str, *, shown: bool
) -> tuple[TargetReport, ReconcileError | None]:
    plan = target.plan
    if plan is None or not plan.changes or target.failure is not None:
        return target, None
    try:
        if plan.desired.keystore.is_tenant:
            return _applied_in_tenant(target, plan, now, shown=shown)
        # What the plan foresaw has happened or not by then.
        return replace(target, outcomes=_applied(plan, now, digest, shown=shown), notes=()), None
    except ReconcileError as error:
        return replace(target, failure=failure_of(error)), error


def _applied_in_tenant(
    target: TargetReport, plan: TargetPlan, now: datetime, *, shown: bool
) -> tuple[TargetReport, ReconcileError | None]:
    """Write by write; what was done is reported whatever happens afterwards."""
    from reconciler.applying_steps import apply_steps
    from reconciler.keystores.opening import open_keystore
    from reconciler.sap_keys import applied_notes

    desired = plan.desired
    patterns = [one.pattern for one in desired.protected]
    keystore = open_keystore(desired.keystore, access_of(desired.keystore, writing=True), patterns).steps(plan.live)
    try:
        with progress(len(plan.changes)) if shown else nullcontext(_silently) as show:
            run = apply_steps(plan, keystore, now, show)
        log("applied", keystore=desired.keystore.location, changes=len(plan.changes))
        outcomes, error, second = run.outcomes, run.error, None
        if any(outcome.status is OutcomeStatus.APPLIED for outcome in outcomes):
            outcomes, second, error = _verified_in_tenant(plan, outcomes, now)
        others = keystore.prove_others(second.live if second else None)
    finally:
        keystore.close()
    written = [o.change for o in outcomes if o.status is OutcomeStatus.APPLIED and o.change.step is not Step.REQUEST]
    notes = tuple(applied_notes(written, desired.receivers)) if written else ()
    failure = None if error is None else failure_of(error)
    return replace(target, outcomes=outcomes, failure=failure, notes=(*target.notes, *others, *notes)), error


def _verified_in_tenant(
    plan: TargetPlan, outcomes: tuple[Outcome, ...], now: datetime
) -> tuple[tuple[Outcome, ...], TargetPlan | None, ReconcileError | None]:
    """As `_verified`; a list of entries may be a moment behind the entries, of which each was read after its write."""
    for seconds in _WAITS:
        time.sleep(seconds)
        second = None
        try:
            second = _planned_again(plan, now)
            return _verified(plan, outcomes, second), second, None
        except ReconcileError as error:
            if second is None:
                return outcomes, None, error
            differs = error
    return outcomes, second, differs


def _silently(step: str, change: Change) -> None:
    log(step, alias=change.alias, action=change.action)


def _applied(plan: TargetPlan, now: datetime, digest: str, *, shown: bool) -> tuple[Outcome, ...]:
    from reconciler.applying import apply_target
    from reconciler.keystores.opening import open_keystore

    desired = plan.desired
    patterns = [one.pattern for one in desired.protected]
    target = desired.keystore
    facts = RunFacts("apply", desired.name, digest, plan.changes)
    keystore = open_keystore(target, password_of(target), patterns, previous_password_of(target), facts)
    with progress(len(plan.changes)) if shown else nullcontext(_silently) as show:
        outcomes = apply_target(plan, keystore, now, show)
    log("applied", keystore=desired.keystore.location, changes=len(plan.changes))
    if all(outcome.status is not OutcomeStatus.APPLIED for outcome in outcomes):
        return outcomes
    return _verified(plan, outcomes, _planned_again(plan, now))


def _planned_again(plan: TargetPlan, now: datetime) -> TargetPlan:
    """Read everything again, files of the repository included, and compare again."""
    from reconciler.desired import load

    desired = load(plan.desired.name)
    existing = replace(desired, keystore=replace(desired.keystore, create=False))
    return plan_state(existing, now, Planning(writing=True))


def _verified(plan: TargetPlan, outcomes: tuple[Outcome, ...], second: TargetPlan) -> tuple[Outcome, ...]:
    """What was applied is in sync.

    Raises:
        ReconcileError: something that was applied still differs.
    """
    location = plan.desired.keystore.location
    # Of two changes for one alias one may have failed: then what is left is known already.
    failed = {_key_of(one.change) for one in outcomes if one.status is OutcomeStatus.FAILED}
    remaining = [left for left in second.changes if alias_key(left.alias) not in failed]
    entries = {alias_key(entry.alias): entry for entry in second.live.entries}
    result = []
    for outcome in outcomes:
        change = outcome.change
        key = _key_of(change)
        if outcome.status is OutcomeStatus.APPLIED and any(_is_the_same(change, left) for left in remaining):
            raise ReconcileError(
                f"{change.alias}: was written, and the keystore still differs from the desired state",
                where=location,
                hint="run `reconcile drift` to see how" + ("" if plan.desired.keystore.is_tenant else _BACKUPS),
            )
        result.append(replace(outcome, after=entries.get(key)))
    return tuple(result)


def _key_of(change: Change) -> str:
    return alias_key(change.new_alias or change.alias)


def _is_the_same(done: Change, left: Change) -> bool:
    """Whether a change that is still to be made says that one that was made has had no effect."""
    if done.step is Step.RENAME:  # what else there is to do under the new name is another matter
        return left.step is Step.RENAME and alias_key(left.new_alias or "") == alias_key(done.new_alias or "")
    if _key_of(done) != alias_key(left.alias):
        return False
    if done.step is Step.REMOVE and done.before is not None and left.before is not None:
        return done.before.digest == left.before.digest  # another entry may have got the alias in the same run
    return True


def confirm(planned: Sequence[TargetPlan], *, yes: bool) -> None:
    """Ask whether to go on, at a terminal.

    Raises:
        ReconcileError: there is none and `yes` was not given, or the answer is no.
    """
    import click

    count = sum(len(target.changes) for target in planned)
    changes = "1 change" if count == 1 else f"{count} changes"
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise ReconcileError(
            f"{changes} to be applied, and there is no terminal to ask at; nothing was written",
            hint="review the plan and give --yes",
        )
    if not click.confirm(f"Apply {changes}?", err=True):
        raise ReconcileError("not applied, as you said; nothing was written")


def exit_code_of(target: TargetReport) -> int:
    """What the outcomes of a target make of the exit code: 5 applied in part, 1 not at all, else 0."""
    statuses = {outcome.status for outcome in target.outcomes or ()}
    if OutcomeStatus.FAILED not in statuses:
        return 0
    return 5 if OutcomeStatus.APPLIED in statuses else 1


_BACKUPS = "; the keystore as it was is in its .backups directory"
