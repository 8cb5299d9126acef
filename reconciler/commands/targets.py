"""From the arguments of a command to live keystores: state files or a keystore file, their passwords, their readers."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.commands.stopping import Failures
from reconciler.errors import DesiredStateError, PlanRefusedError, ReconcileError
from reconciler.logs import log
from reconciler.model import (
    DesiredState,
    Failure,
    KeystoreTarget,
    Report,
    Source,
    TargetReport,
)
from reconciler.secret import Secret
from reconciler.terminal import is_terminal, print_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.keystores.opening import Access
    from reconciler.keystores.protocol import KeystoreReader
    from reconciler.model import Snapshot, TargetPlan
    from reconciler.receivers import Outlook

    Complete = Callable[..., Snapshot]

# Over several targets the first of these that occurred is the exit code: see the contract.
_PRECEDENCE = (5, 4, 3, 1, 2, 0)


def worst(codes: Sequence[int]) -> int:
    """The exit code of a run over several targets."""
    return next((code for code in _PRECEDENCE if code in codes), 0)


def password_of(target: KeystoreTarget) -> Secret | None:
    """The password that a state file declares, read when it is needed."""
    from reconciler.desired.secrets import read_secret

    return None if target.password is None else read_secret(target.password)


def previous_password_of(target: KeystoreTarget) -> Callable[[], Secret | None] | None:
    """What reads the previous password, where one is declared: it may be gone once nothing needs it any more."""
    from reconciler.desired.secrets import read_secret

    reference = target.previous_password
    return None if reference is None else lambda: read_secret(reference)


def access_of(target: KeystoreTarget, *, writing: bool = False) -> Access:
    """What opens a keystore: its password, or the credentials of a tenant; those for reading where it is only read."""
    if not target.is_tenant:
        return password_of(target)
    from reconciler.desired.secrets import read_secret

    fields = target.credentials if writing or not target.read_credentials else target.read_credentials
    return {name: value if isinstance(value, str) else read_secret(value) for name, value in fields}


def reader_of(desired: DesiredState, *, writing: bool = False) -> KeystoreReader:
    """The live keystore of a state file, for looking at.

    Args:
        desired: The state file.
        writing: Whether the command writes afterwards, so that it signs in at a tenant with the same credentials.
    """
    from reconciler.keystores.opening import open_for_reading

    keystore = desired.keystore
    return open_for_reading(keystore, access_of(keystore, writing=writing), previous_password_of(keystore))


@dataclass(frozen=True, slots=True)
class Planning:
    """What a command wants of its plans.

    Attributes:
        renewals_only: Plan only what time and arrived answers ask for.
        outlook: What is known of the receivers beside the state files.
        writing: Whether the command writes afterwards, so that it signs in at a tenant with the same credentials.
        sap_keys: Whether SAP's new and replaced keys of a tenant are to be known as well.
        feasible: Whether it is foreseen what apply would run into; findings are true all the same.
        failures: After how many that failed the rest is not tried.
    """

    renewals_only: bool = False
    outlook: Outlook | None = None
    writing: bool = False
    sap_keys: bool = False
    feasible: bool = False
    failures: Failures = field(default_factory=Failures)


AS_USUAL = Planning()


def plan_states(
    states: Sequence[DesiredState], now: datetime, command: str, how: Planning = AS_USUAL, jobs: int = 1
) -> Report:
    """Read every live keystore and plan it; one that fails does not stop the others.

    Args:
        states: The state files.
        now: The moment of the comparison.
        command: What the report is for: plan, apply, drift.
        how: What the command wants of its plans.
        jobs: How many tenants are read side by side.
    """
    from reconciler.commands.fleet import worked_on
    from reconciler.planning import digest

    results = worked_on(states, lambda state: state.keystore, lambda state: _planned(state, now, how), jobs)
    for _, error in results:
        if error is not None:
            print_error(error)
    reports = tuple(report for report, _ in results)
    plans = [report.plan for report in reports if report.plan is not None]
    return Report(command, now, __version__, digest(plans), reports)


def exit_codes(report: Report) -> list[int]:
    """The exit code of each target of a report that failed, or 0."""
    return [target.failure.exit_code if target.failure else 0 for target in report.targets]


def plan_state(state: DesiredState, now: datetime, how: Planning = AS_USUAL) -> TargetPlan:
    """Read the live keystore of one state file and plan it.

    Args:
        state: The state file.
        now: The moment of the comparison.
        how: What the command wants of the plan.

    Raises:
        ReconcileError: as reading and planning do.
    """
    from reconciler.compare import incomplete
    from reconciler.desired import resolve
    from reconciler.planning import plan_target
    from reconciler.policy import barred, judge
    from reconciler.x509 import is_signed_by

    resolved = resolve(state)
    reader = reader_of(resolved, writing=how.writing)
    try:
        live = reader.read()
        live = reader.complete(live, incomplete(resolved, live), sap_keys=how.sap_keys)
        log("keystore read", keystore=state.keystore.location, entries=len(live.entries))
        only, outlook = how.renewals_only, how.outlook
        held = barred(resolved, now) if only else frozenset()
        plan = plan_target(
            resolved, live, now, reader.preview, is_signed_by, renewals_only=only, barred=held, outlook=outlook
        )
        if how.feasible:
            from reconciler.commands.foreseen import check_writable

            check_writable(plan, reader)
    finally:
        reader.close()
    # Of a tenant the policy knows what the plan has asked for: it is not worth a request for each certificate.
    return replace(plan, policy=judge(plan, now))


def _planned(state: DesiredState, now: datetime, how: Planning) -> tuple[TargetReport, ReconcileError | None]:
    keystore = state.keystore
    if how.failures.are_too_many:
        left_out = how.failures.not_tried(keystore.location)
        return TargetReport(state.name, keystore.location, keystore.type, failure=left_out), None
    try:
        plan = plan_state(state, now, how)
    except ReconcileError as error:
        how.failures.count([state.name])
        return TargetReport(state.name, keystore.location, keystore.type, failure=failure_of(error)), error
    return TargetReport(state.name, keystore.location, keystore.type, plan, notes=_notes(plan, now, how)), None


def _notes(plan: TargetPlan, now: datetime, how: Planning) -> tuple[str, ...]:
    """What is to be said of a keystore and of its plan, beside entries and changes."""
    foreseen: tuple[str, ...] = ()
    if how.feasible:
        from reconciler.commands.foreseen import obstacles

        foreseen = obstacles(plan, now)
    if not plan.desired.keystore.is_tenant:
        return (*foreseen, *_file_notes(plan))
    from reconciler.sap_keys import waiting_notes

    return (*foreseen, *plan.live.warnings, *waiting_notes(plan.live, plan.desired.receivers))


def _file_notes(plan: TargetPlan) -> tuple[str, ...]:
    from reconciler.keystores.files import names_of_file

    names = names_of_file(plan.desired.keystore.path) if plan.changes and plan.live.exists else 1
    if names == 1:
        return ()
    return (f"the keystore file has {names} names (hard links): the other ones will keep the content of today",)


def failure_of(error: ReconcileError) -> Failure:
    """An error as data."""
    problems = error.problems if isinstance(error, DesiredStateError | PlanRefusedError) else ()
    return Failure(
        error.message,
        error.where,
        error.hint,
        error.exit_code,
        tuple((problem.message, str(problem.source or ""), problem.hint) for problem in problems),
    )


# --------------------------------------------------------------------------------- a state or a keystore file


@contextmanager
def opened_subject(
    subject: str, password_env: str | None, password_file: str | None
) -> Iterator[tuple[Snapshot, DesiredState, Complete]]:
    """The live keystore behind a STATE or KEYSTORE argument, with the state file or a bare one made up for the file.

    The third is `KeystoreReader.complete`: what a read of a tenant leaves out can be asked for until the end.
    """
    if is_keystore_file(subject):
        snapshot, bare = _read_keystore_file(subject, password_env, password_file)
        yield snapshot, bare, _as_it_is
        return
    desired = _state_of(subject, password_env, password_file)
    # Looking at a keystore whose integrity nobody can check does no harm: here it is a warning, not a refusal.
    reader = reader_of(replace(desired, keystore=replace(desired.keystore, allow_no_integrity=True)))
    try:
        yield reader.read(), desired, reader.complete
    finally:
        reader.close()


def read_subject(
    subject: str,
    password_env: str | None,
    password_file: str | None,
    *,
    whole: Sequence[str] = (),
    sap_keys: bool = False,
) -> tuple[Snapshot, DesiredState]:
    """The same for commands that need no more than one look.

    Args:
        subject: STATE or KEYSTORE.
        password_env: The variable with the password of a keystore file.
        password_file: The file with it.
        whole: The entries whose certificates are needed whole, where a read leaves something out.
        sap_keys: Whether SAP's new and replaced keys of a tenant are wanted as well.
    """
    with opened_subject(subject, password_env, password_file) as (snapshot, desired, complete):
        return complete(snapshot, whole, sap_keys=sap_keys), desired


def _as_it_is(live: Snapshot, _aliases: Iterable[str], *, sap_keys: bool = False) -> Snapshot:  # noqa: ARG001
    return live


def _state_of(subject: str, password_env: str | None, password_file: str | None) -> DesiredState:
    if password_env or password_file:
        raise ReconcileError(
            "a password option was given, but the argument is a state file",
            where=subject,
            hint="the state file says itself where its keystore's password comes from",
        )
    from reconciler.desired import load_states

    found = load_states([subject])
    if len(found) != 1:
        raise ReconcileError(f"{len(found)} state files; this command takes one", where=subject)
    return found[0]


def is_keystore_file(argument: str) -> bool:
    """Whether an argument names a keystore: everything that is neither a YAML file nor a directory."""
    return not argument.lower().endswith((".yaml", ".yml")) and not Path(argument).is_dir()


def _read_keystore_file(
    path: str, password_env: str | None, password_file: str | None
) -> tuple[Snapshot, DesiredState]:
    from hashlib import sha256

    from reconciler.errors import KeystoreUnreadableError
    from reconciler.keystores.files import read_keystore_file
    from reconciler.keystores.formats import open_container

    data = read_keystore_file(path, shown_as=path)
    if data is None:
        raise KeystoreUnreadableError("there is no such file", where=path, hint="check the path")
    password = given_password(path, password_env, password_file)
    container, _ = open_container(data, password, origin=path)
    snapshot = replace(container.snapshot(), version=sha256(data).hexdigest())
    target = KeystoreTarget(snapshot.type, path, Source(path, 1), path=str(Path(path).resolve()))
    return snapshot, DesiredState(path, target)


def given_password(path: str, password_env: str | None, password_file: str | None) -> Secret | None:
    """The password of a keystore file, from the options or a prompt; None where there is neither."""
    if password_env and password_file:
        raise ReconcileError("--password-env and --password-file exclude each other", where=path)
    if password_env:
        value = os.environ.get(password_env)
        if value is None:
            raise ReconcileError(
                f"the environment variable {password_env} is not set", where=path, hint="set it, or name another one"
            )
        return Secret(_without_line_break(value))
    if password_file:
        try:
            return Secret(_without_line_break(Path(password_file).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            raise ReconcileError("the password file cannot be read", where=password_file) from None
    if is_terminal(sys.stdin):
        import click

        typed: str = click.prompt(
            f"Password of {path} (empty: none)", hide_input=True, default="", show_default=False, err=True
        )
        return Secret(typed) if typed else None
    return None


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
