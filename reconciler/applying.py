"""Plan -> outcomes: gets what each change needs (keys, certificates) and hands it to the guarded keystore.

A change whose material cannot be had fails alone; the others go on. What is ready then goes into the keystore in one
atomic step, or not at all. Signing requests are written last: when something goes wrong in between, the next run finds
a key that waits without a request, and writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import IssuerError, ReconcileError
from reconciler.issued import Rejected, judge_issued
from reconciler.keystores.guarded import Operation
from reconciler.model import (
    Outcome,
    OutcomeStatus,
    PutChain,
    PutKeyPair,
    Step,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, staging_alias
from reconciler.planning import public_writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from reconciler.issuers.protocol import Issuer, Order
    from reconciler.keystores.guarded import GuardedKeystore
    from reconciler.model import Certificate, Change, DesiredState, Entry, TargetPlan, Write
    from reconciler.secret import Secret

T = TypeVar("T")

# What is done to the keystore itself, not to an entry.
_WHOLE_FILE = frozenset({Step.MIGRATE, Step.RESTORE_FILE})


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a change writes, and the order that goes to an issuer who answers later."""

    operations: tuple[Operation, ...]
    issuer: Issuer | None = None
    order: Order | None = None


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
    return _Application(target, keystore, now, progress).outcomes()


class _Application:
    """One run over one keystore."""

    def __init__(
        self, target: TargetPlan, keystore: GuardedKeystore, now: datetime, progress: Callable[[str, Change], None]
    ) -> None:
        self.target = target
        self.keystore = keystore
        self.now = now
        self.progress = progress
        self.failed: dict[int, str] = {}
        self.own_passwords: tuple[str, ...] = ()

    def outcomes(self) -> tuple[Outcome, ...]:
        prepared = self._prepared()
        operations = [operation for one in prepared.values() for operation in one.operations]
        creates = any(change.step is Step.CREATE_STORE for change in self.target.changes)
        whole = any(change.step in _WHOLE_FILE for change in self.target.changes)
        if operations or whole or (creates and not self.failed):
            for place in prepared:
                self.progress("writing", self.target.changes[place])
            self._write(operations)
        self._send(prepared)
        return tuple(self._outcome(place, bool(operations)) for place in range(len(self.target.changes)))

    def _write(self, operations: list[Operation]) -> None:
        """One atomic step for all: what the keystore itself becomes, and what its entries become."""
        version, changes = self.target.live.version, self.target.changes
        moving = next((change for change in changes if change.migration is not None), None)
        back = [change for change in changes if change.step is Step.RESTORE_FILE]
        if back and back[0].run is not None:
            touched = {alias_key(change.alias) for change in back if change.alias}
            self.keystore.restore_file(back[0].run, touched, planned_version=version)
        elif moving is not None and moving.migration is not None:
            _, self.own_passwords = self.keystore.migrate(
                moving.migration, operations, planned_version=version, affects=moving.affects
            )
        else:
            self.keystore.execute(operations, planned_version=version)

    def _prepared(self) -> dict[int, _Prepared]:
        prepared = {}
        for place, change in enumerate(self.target.changes):
            if change.step is Step.CREATE_STORE or change.step in _WHOLE_FILE:
                continue
            self.progress("preparing", change)
            try:
                prepared[place] = self._prepare(change)
            except ReconcileError as error:
                self._fail(place, error)
        return prepared

    def _fail(self, place: int, error: ReconcileError) -> None:
        self.failed[place] = f"{error.message}; {error.hint}" if error.hint else error.message

    def _send(self, prepared: dict[int, _Prepared]) -> None:
        for place, one in prepared.items():
            if one.issuer is not None and one.order is not None:
                try:
                    one.issuer.issue(one.order, self.now)
                except ReconcileError as error:
                    self._fail(place, error)

    def _outcome(self, place: int, written: bool) -> Outcome:  # noqa: FBT001  # one fact about the whole run
        change = self.target.changes[place]
        if place in self.failed:
            return Outcome(change, OutcomeStatus.FAILED, self.failed[place])
        if change.step is Step.CREATE_STORE and not written and self.failed:
            return Outcome(change, OutcomeStatus.NOT_TRIED, "there was nothing to put into it")
        message = ""
        if change.step is Step.MIGRATE and self.own_passwords:
            message = f"keys that keep a password of their own: {', '.join(self.own_passwords)}"
        return Outcome(change, OutcomeStatus.APPLIED, message)

    # ---------------------------------------------------------------------------------------- one change

    def _prepare(self, change: Change) -> _Prepared:
        match change.step, change.wanted:
            case Step.PUT, WantedImport() as wanted:
                from reconciler.desired.material import open_key

                private_key, chain = open_key(wanted.material)
                if [one.sha256 for one in chain] != [one.sha256 for one in wanted.chain]:
                    raise ReconcileError(f"{wanted.origin} was changed since it was planned", hint="plan again")
                return _single(change, PutKeyPair(wanted.alias, chain, private_key))
            case Step.GENERATE | Step.REISSUE | Step.STAGE | Step.REQUEST, WantedKeyPair() as wanted:
                return self._issued(change, wanted)
            case Step.RESTORE, _ if change.run is not None:
                return _single(change, self.keystore.restoration(change.run, change.alias))
            case Step.ANSWER_STAGED, WantedKeyPair() as wanted:
                return self._answered_beside(change, wanted)
            case _:
                return _Prepared(tuple(_operations(change, public_writes(change))))

    def _answered_beside(self, change: Change, wanted: WantedKeyPair) -> _Prepared:
        """The answer goes onto the prepared key pair; where there is none, onto a copy of the live key."""
        alias = staging_alias(wanted.alias)
        if change.staged is not None:
            return _Prepared((Operation(PutChain(alias, change.chain), change.staged, change.affects),))
        write = PutKeyPair(alias, change.chain, self.keystore.private_key(_alias_of_old(change)))
        return _Prepared((Operation(write, None, change.affects),))

    def _issued(self, change: Change, wanted: WantedKeyPair) -> _Prepared:
        """A key, new or kept, and what its issuer says: certificates now, or nothing until later."""
        from reconciler.issuers.protocol import Order
        from reconciler.issuers.table import issuer_for
        from reconciler.key_pairs import EXTERNAL, is_placeholder
        from reconciler.x509 import signing_request

        private_key = self._private_key(change, wanted)
        issuer = issuer_for(wanted.issuer)
        renews = change.before.leaf if change.before and not is_placeholder(wanted, change.before) else None
        keeps_key = change.step in {Step.REQUEST, Step.REISSUE} and change.staged is None
        order = Order(wanted, signing_request(private_key, wanted), private_key, renews if keeps_key else None)
        if wanted.issuer.type == EXTERNAL:
            return _Prepared(self._waiting(change, wanted, private_key), issuer, order)
        returned = issuer.issue(order, self.now)
        if returned is None:
            raise IssuerError("the issuer did not answer")
        chain = self._judged(returned, wanted, private_key)
        return _Prepared((self._placed(change, wanted, chain, private_key),))

    def _private_key(self, change: Change, wanted: WantedKeyPair) -> Secret:
        """The key that the certificate is for: a new one only where the plan says so."""
        from reconciler.x509 import generate_private_key

        if change.step is Step.GENERATE or (change.step is Step.STAGE and change.certificate_change == "re-keyed"):
            return interruptibly(lambda: generate_private_key(wanted.key))
        waiting = change.staged if change.step is Step.REQUEST else None
        return self.keystore.private_key(waiting.alias if waiting is not None else _alias_of_old(change))

    def _waiting(self, change: Change, wanted: WantedKeyPair, private_key: Secret) -> tuple[Operation, ...]:
        """A new key waits under a certificate that it signed itself; its start dates the request."""
        from reconciler.x509 import self_signed

        if change.step is Step.REQUEST:
            return ()
        placeholder = (self_signed(private_key, wanted, self.now),)
        return (self._placed(change, wanted, placeholder, private_key),)

    def _judged(
        self, returned: tuple[Certificate, ...], wanted: WantedKeyPair, private_key: Secret
    ) -> tuple[Certificate, ...]:
        """See `judged_chain`."""
        from reconciler.x509 import public_key_sha256_of

        live = [one for entry in self.target.live.entries for one in entry.chain]
        return judged_chain(self.target.desired, live, returned, wanted, public_key_sha256_of(private_key), self.now)

    def _placed(
        self, change: Change, wanted: WantedKeyPair, chain: tuple[Certificate, ...], private_key: Secret
    ) -> Operation:
        if change.step is Step.STAGE:
            write: Write = PutKeyPair(staging_alias(wanted.alias), chain, private_key)
            return Operation(write, change.staged, change.affects)
        if change.step is Step.REISSUE:
            return Operation(PutChain(wanted.alias, chain), change.before, change.affects)
        return Operation(PutKeyPair(wanted.alias, chain, private_key), change.before, change.affects)


def judged_chain(  # noqa: PLR0913, PLR0917  # each is a fact of its own
    desired: DesiredState,
    live: Sequence[Certificate],
    returned: tuple[Certificate, ...],
    wanted: WantedKeyPair,
    public_key_sha256: str,
    now: datetime,
) -> tuple[Certificate, ...]:
    """The chain of what an issuer returned, once everything that is declared was found in it.

    Raises:
        IssuerError: something was not.
    """
    from reconciler.x509 import is_signed_by

    if wanted.issuer.type == "self-signed":
        return returned
    roots = [one.certificate for one in desired.wanted if isinstance(one, WantedCertificate)]
    pool = (*roots, *live, *wanted.chain, *wanted.issuer.certificates)
    judged = judge_issued(returned, wanted, public_key_sha256, pool, now, is_signed_by)
    if isinstance(judged, Rejected):
        raise IssuerError(f"what the issuer returned cannot be used: {judged.reason}")
    return judged


def _alias_of_old(change: Change) -> str:
    """What the live entry is called before anything is written: an earlier change may rename it."""
    return change.before.alias if change.before is not None else change.alias


def _single(change: Change, write: Write) -> _Prepared:
    return _Prepared((Operation(write, change.before, change.affects),))


def _operations(change: Change, writes: tuple[Write, ...]) -> Iterator[Operation]:
    """Each write with the live entry that it was planned against."""
    staged = alias_key(staging_alias(change.alias))
    for write in writes:
        before: Entry | None = change.staged if alias_key(write.alias) == staged else change.before
        yield Operation(write, before, change.affects)


def interruptibly(work: Callable[[], T]) -> T:
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
