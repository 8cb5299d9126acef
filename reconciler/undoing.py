"""A run of the past -> the plan that undoes it: for every entry that it touched, back to what the backup holds. Pure.

An entry that is not what the run left is nobody's to undo: the plan is refused and names it. A run that let the
keystore itself migrate is undone by the whole backup, and only while the file is exactly what the run left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import PlanRefusedError, Problem, RefusedError
from reconciler.model import Action, Change, Entry, Step, TargetPlan
from reconciler.ownership import alias_key, protected_by
from reconciler.planning import Preview, with_affects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import DesiredState, Snapshot
    from reconciler.runs import EntryFacts, Run

ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class _Touched:
    """An entry that the run touched: what it was, what the run left, what is there, what the backup holds."""

    key: str
    before: EntryFacts | None
    after: EntryFacts | None
    live: Entry | None
    kept: Entry | None

    @property
    def is_as_before(self) -> bool:
        return self.live is None if self.before is None else self.before.is_still(self.live)

    @property
    def is_as_left(self) -> bool:
        return self.live is None if self.after is None else self.after.is_still(self.live)

    @property
    def needs_nothing(self) -> bool:
        """Whether it is what it was, as far as its own bytes go: certificates above a chain are not given back."""
        if self.before is not None and self.after is not None and self.before.digest == self.after.digest:
            return True
        left_exactly = self.live is not None and self.after is not None and self.live.digest == self.after.digest
        return self.is_as_before and not left_exactly


def plan_rollback(
    desired: DesiredState, live: Snapshot, run: Run, backup: Snapshot | None, preview: Preview
) -> TargetPlan:
    """What undoes `run`.

    Args:
        desired: The state file; of it only the keystore and the protected aliases count here.
        live: The keystore as it is.
        run: The run.
        backup: The keystore as it was before the run; None where it made the file.
        preview: What the keystore would show after some writes.

    Raises:
        PlanRefusedError: entries changed since, are protected, or are not in the backup as the record says.
        RefusedError: a migration can no longer be undone.
    """
    touched = list(_touched(run, live, backup))
    if run.migrated:
        if live.version != run.version_after:
            raise RefusedError(
                f"the keystore was changed since the run {run.id} let it migrate, and a migration is undone whole",
                where=desired.keystore.location,
                hint="declare the old type, password (with `previousPassword`) or encryption, and apply",
            )
        return TargetPlan(desired, live, (), (_whole(run, desired), *_named_besides(run, touched)))
    todo = [one for one in touched if not one.needs_nothing]
    problems = [problem for one in todo if (problem := _problem(one, run, desired)) is not None]
    if problems:
        raise PlanRefusedError(problems, desired.keystore.location)
    changes = sorted((_change(one, run) for one in todo), key=lambda change: list(Action).index(change.action))
    return TargetPlan(desired, live, (), with_affects(tuple(changes), desired, live, preview))


def _touched(run: Run, live: Snapshot, backup: Snapshot | None) -> Iterator[_Touched]:
    there = {alias_key(entry.alias): entry for entry in live.entries}
    kept = {alias_key(entry.alias): entry for entry in (backup.entries if backup else ())}
    for key, before, after in run.entries:
        yield _Touched(key, before, after, there.get(key), kept.get(key))


def _problem(one: _Touched, run: Run, desired: DesiredState) -> Problem | None:
    owner = one.live.owner if one.live else None
    if pattern := protected_by(one.key, owner, [rule.pattern for rule in desired.protected]):
        return _refusal("declared-protected", f"{one.key}: the entry is protected ({pattern}) and never written")
    if not one.is_as_left:
        what = "there is no such entry any more" if one.live is None else "it is not what the run left"
        hint = "change what the desired state says of it instead"
        return _refusal("changed-since", f"{one.key}: changed since the run {run.id}: {what}", hint)
    if one.before is not None and (one.kept is None or one.kept.digest != one.before.digest):
        return _refusal("backup", f"{one.key}: the backup of the run {run.id} does not hold what its record says")
    if one.before is not None and one.after is not None and one.before.kind != one.after.kind:
        return _refusal("kind", f"{one.key}: the run left a {one.after.kind} for a {one.before.kind}")
    return None


def _refusal(code: str, message: str, hint: str | None = None) -> Problem:
    return Problem(code, message, None, hint=hint, refusal=True)


def _change(one: _Touched, run: Run, step: Step | None = None) -> Change:
    action, phrase = _action(one)
    alias = one.live.alias if one.live else one.kept.alias if one.kept else one.key
    leaf = one.kept.leaf if one.kept and one.before else None
    subject = f": {leaf.subject}" if leaf and leaf.subject else ""
    return Change(
        action,
        alias,
        ROLLBACK,
        f"{phrase} by the run {run.id}{subject}",
        before=one.live,
        step=step or (Step.REMOVE if action is Action.DELETE else Step.RESTORE),
        restored=one.kept if one.before else None,
        run=run.id,
    )


def _action(one: _Touched) -> tuple[Action, str]:
    if one.before is None:
        return Action.DELETE, "take out what was added"
    if one.after is None:
        return Action.IMPORT, "put back what was removed"
    return Action.REPLACE, "put back what was replaced"


# -------------------------------------------------------------------------------------------- a migration


def _whole(run: Run, desired: DesiredState) -> Change:
    return Change(
        Action.MIGRATE,
        "",
        ROLLBACK,
        f"the whole keystore becomes again what it was before the run {run.id}, its type, password and encryption "
        "included",
        desired.keystore.source,
        step=Step.RESTORE_FILE,
        run=run.id,
    )


def _named_besides(run: Run, touched: list[_Touched]) -> Iterator[Change]:
    """What the run did to entries in the same step, which goes back with the file."""
    names = (name for change in run.changes for name in (change.alias, change.new_alias) if name)
    named = {alias_key(name) for name in names}
    named |= {alias_key(f"{name}.next") for name in named}
    for one in touched:
        if one.key in named or one.before is None or one.after is None:
            yield _change(one, run, Step.RESTORE_FILE)
