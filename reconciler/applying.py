"""Plan -> outcomes: gets what each change needs (keys, certificates) and hands it to the guarded keystore.

A change whose material cannot be had fails alone; the others go on. What is ready then goes into the keystore in one
atomic step, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reconciler.compare import ALIAS_CASE
from reconciler.errors import ReconcileError
from reconciler.keystores.guarded import Operation
from reconciler.model import (
    Action,
    Outcome,
    OutcomeStatus,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Rename,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.keystores.guarded import GuardedKeystore
    from reconciler.model import Change, TargetPlan, Write

T = TypeVar("T")


def apply_target(
    target: TargetPlan,
    keystore: GuardedKeystore,
    now: datetime,
    progress: Callable[[str, Change], None],
) -> tuple[Outcome, ...]:
    """Carry out the plan for one keystore.

    Args:
        target: The plan; its `live` snapshot is what the keystore must still be.
        keystore: The guarded keystore.
        now: The start of new certificates.
        progress: Called with what is being done and the change it is done for.

    Returns:
        One outcome for each change, in the order of the plan.

    Raises:
        RefusedError: the guard refused; nothing was written.
        ReconcileError: the keystore could not be written; nothing was.
    """
    prepared: dict[int, Operation] = {}
    failed: dict[int, str] = {}
    for place, change in enumerate(target.changes):
        if change.action is Action.CREATE_STORE:
            continue
        progress("preparing", change)
        try:
            prepared[place] = Operation(_write(change, keystore, now), change.before, change.affects)
        except ReconcileError as error:
            failed[place] = f"{error.message}; {error.hint}" if error.hint else error.message
    if prepared or (target.changes and not failed):
        for place in prepared:
            progress("writing", target.changes[place])
        keystore.execute(list(prepared.values()), planned_version=target.live.version)
    return tuple(_outcome(place, change, failed, bool(prepared)) for place, change in enumerate(target.changes))


def _outcome(place: int, change: Change, failed: dict[int, str], written: bool) -> Outcome:  # noqa: FBT001  # internal
    if place in failed:
        return Outcome(change, OutcomeStatus.FAILED, failed[place])
    if change.action is Action.CREATE_STORE and not written and failed:
        return Outcome(change, OutcomeStatus.NOT_TRIED, "there was nothing to put into it")
    return Outcome(change, OutcomeStatus.APPLIED)


def _write(change: Change, keystore: GuardedKeystore, now: datetime) -> Write:
    match change.wanted:
        case _ if change.reason == ALIAS_CASE:
            return Rename(change.alias, alias_key(change.alias))
        case WantedCertificate() as wanted:
            return PutCertificate(wanted.alias, wanted.certificate)
        case WantedImport() as wanted:
            from reconciler.desired.material import open_key

            private_key, chain = open_key(wanted.material)
            if [one.sha256 for one in chain] != [one.sha256 for one in wanted.chain]:
                raise ReconcileError(f"{wanted.origin} was changed since it was planned", hint="plan again")
            return PutKeyPair(wanted.alias, chain, private_key)
        case WantedKeyPair() as wanted:
            return _issued(change, wanted, keystore, now)
        case _:
            raise ReconcileError(f"{change.action} is not built yet")


def _issued(change: Change, wanted: WantedKeyPair, keystore: GuardedKeystore, now: datetime) -> Write:
    from reconciler.issuers.table import issuer_for
    from reconciler.x509 import generate_private_key

    issuer = issuer_for(wanted.issuer)
    keeps_key = change.action is Action.RENEW and not wanted.rekey and change.certificate_change != "re-keyed"
    if keeps_key:
        return PutChain(wanted.alias, issuer.issue(wanted, keystore.private_key(wanted.alias), now))
    private_key = _interruptibly(lambda: generate_private_key(wanted.key))
    return PutKeyPair(wanted.alias, issuer.issue(wanted, private_key, now), private_key)


def _interruptibly(work: Callable[[], T]) -> T:
    """Do `work` in a thread: OpenSSL looks for the primes of a large key for seconds, and Ctrl-C has to be heard."""
    from threading import Thread

    done: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:  # noqa: BLE001  # raised again where somebody waits for it
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
