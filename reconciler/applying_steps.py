"""Plan -> outcomes where the keystore takes one write at a time: a tenant of SAP Cloud Integration.

Each change is carried out by itself, and one that fails does not stop the others, unless what failed concerns them all
(nobody answers, the role is missing, somebody keeps the keystore locked): then the rest is not tried. Every change can
be taken up again by the next run after any of its requests:

- a key pair that was made and not yet signed differs in its issuer, and the next run asks for the signature;
- one that waits under `<alias>.next` is signed there, or takes over;
- an alias that is free because the take-over stopped between its two renames gets `<alias>.next`.

Roots go before the chains that hang on them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.applying import interruptibly, judged_chain
from reconciler.chains import is_self_issued
from reconciler.errors import IssuerError, KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores.guarded import Operation
from reconciler.keystores.sap.failures import KeystoreLockedError, MissingRoleError, WriteFailedError
from reconciler.model import (
    Action,
    Generate,
    Outcome,
    OutcomeStatus,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Step,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, previous_alias, staging_alias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.keystores.guarded_steps import GuardedSteps
    from reconciler.model import Certificate, Change, Entry, TargetPlan, Write
    from reconciler.secret import Secret

# What concerns every change that is still to come.
_FOR_ALL = (KeystoreUnreadableError, MissingRoleError, KeystoreLockedError)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of the changes, in the order of the plan.

    Attributes:
        outcomes: One for each change.
        error: What decides the exit code where nothing was applied; None where the outcomes say enough.
    """

    outcomes: tuple[Outcome, ...]
    error: ReconcileError | None = None


def apply_steps(
    target: TargetPlan, keystore: GuardedSteps, now: datetime, progress: Callable[[str, Change], None]
) -> Run:
    """Carry out the plan for one tenant, write by write.

    Args:
        target: The plan.
        keystore: The door.
        now: The start of new certificates.
        progress: Called with what is being done and the change it is done for.

    Raises:
        ReconcileError: nothing could be tried.
    """
    return _Application(target, keystore, now, progress).run()


class _Application:
    """One run over one tenant."""

    def __init__(
        self, target: TargetPlan, keystore: GuardedSteps, now: datetime, progress: Callable[[str, Change], None]
    ) -> None:
        self.target = target
        self.keystore = keystore
        self.now = now
        self.progress = progress
        self._entries: dict[str, tuple[Certificate, ...]] = {}  # what is there, with what this run has put or taken

    def run(self) -> Run:
        self._entries = {alias_key(entry.alias): entry.chain for entry in self.keystore.start().entries}
        outcomes: dict[int, Outcome] = {}
        errors: list[ReconcileError] = []
        ordered = sorted(enumerate(self.target.changes), key=lambda numbered: _turn(numbered[1]))
        for place, change in ordered:
            if errors and _concerns_all(errors[-1]):
                outcomes[place] = Outcome(change, OutcomeStatus.NOT_TRIED, f"not tried: {errors[-1].message}")
                continue
            for step in ("preparing", "writing"):
                self.progress(step, change)
            try:
                self._carry_out(change)
            except ReconcileError as error:
                errors.append(error)
                message = f"{error.message}; {error.hint}" if error.hint else error.message
                outcomes[place] = Outcome(change, OutcomeStatus.FAILED, message)
            else:
                outcomes[place] = Outcome(change, OutcomeStatus.APPLIED)
        applied = any(one.status is OutcomeStatus.APPLIED for one in outcomes.values())
        deciding = None if applied else _deciding(errors)
        return Run(tuple(outcomes[place] for place in range(len(outcomes))), deciding)

    # ---------------------------------------------------------------------------------------- one change

    def _carry_out(self, change: Change) -> None:
        match change.step, change.wanted:
            case Step.RENAME, _:
                self._write(Rename(change.alias, change.new_alias or change.alias), change.before)
            case Step.REMOVE, _:
                self._write(Remove(change.alias), change.before)
            case Step.PUT, WantedCertificate() as wanted:
                self._put_certificate(change, wanted)
            case Step.PUT, WantedImport() as wanted:
                self._import(change, wanted)
            case _, WantedKeyPair() as wanted:
                self._key_pair(change, wanted)
            case step, _:
                raise self._impossible(step)

    def _key_pair(self, change: Change, wanted: WantedKeyPair) -> None:
        alias, staged = change.alias, staging_alias(change.alias)
        match change.step:
            case Step.GENERATE | Step.STAGE | Step.REKEY:
                self._new_key(change, wanted)
            case Step.REISSUE:
                self._sign(change, wanted, alias, change.before)
            case Step.REQUEST:
                self._sign(change, wanted, staged if change.staged else alias, change.staged or change.before)
            case Step.ANSWER | Step.COMPLETE_CHAIN:
                self._write(self._chain(alias, change.chain), change.before)
            case Step.ANSWER_STAGED | Step.ANSWER_TAKE_OVER:
                self._answer_staged(change)
            case Step.TAKE_OVER:
                pass
            case step:
                raise self._impossible(step)
        if change.step in {Step.REKEY, Step.ANSWER_TAKE_OVER, Step.TAKE_OVER}:
            self._take_over(change)

    def _impossible(self, step: Step) -> RefusedError:
        return RefusedError(f"a tenant cannot do this: {step}", where=self.target.desired.keystore.location)

    def _write(self, write: Write, before: Entry | None) -> Entry | None:
        after = self.keystore.write(Operation(write, before))
        key = alias_key(write.alias)
        match write:
            case PutCertificate():
                self._entries[key] = (write.certificate,)
            case PutKeyPair() | PutChain():
                self._entries[key] = write.chain
            case Remove():
                self._entries.pop(key, None)
            case Rename():
                # Under its old name it could not be asked for any more, and `after` knows the new one.
                self._entries.pop(key, None)
                self._entries[alias_key(write.new_alias)] = after.chain if after is not None else ()
        return after

    @property
    def live(self) -> list[Certificate]:
        """Every certificate that is there now."""
        return [one for chain in self._entries.values() for one in chain]

    def _put_certificate(self, change: Change, wanted: WantedCertificate) -> None:
        certificate = wanted.certificate
        vouched = wanted.pinned or self._is_trusted(certificate)
        self._write(PutCertificate(change.alias, certificate, vouched=vouched), change.before)

    def _import(self, change: Change, wanted: WantedImport) -> None:
        from reconciler.desired.material import open_key

        private_key, chain = open_key(wanted.material)
        if [one.sha256 for one in chain] != [one.sha256 for one in wanted.chain]:
            raise ReconcileError(f"{wanted.origin} was changed since it was planned", hint="plan again")
        # Whoever holds the private key of a self-signed certificate needs nobody to vouch for it.
        vouched = (len(chain) == 1 and is_self_issued(chain[0])) or self._is_trusted(chain[-1])
        self._write(PutKeyPair(change.alias, chain, private_key, vouched=vouched), change.before)

    def _chain(self, alias: str, chain: tuple[Certificate, ...]) -> PutChain:
        return PutChain(alias, chain, vouched=self._is_trusted(chain[-1]))

    def _answer_staged(self, change: Change) -> None:
        if change.staged is None:
            raise ReconcileError(
                f"{change.alias}: the answer is for a key that is in use, and a tenant cannot copy it to let it wait",
                hint="take `activation: approved` out, or write `rekey: true`",
            )
        self._write(self._chain(staging_alias(change.alias), change.chain), change.staged)

    def _is_trusted(self, certificate: Certificate) -> bool:
        """Whether the tenant, the pins of the file or our own authorities vouch for it already."""
        from reconciler.x509 import is_signed_by

        desired = self.target.desired
        pinned = [o.certificate for o in desired.wanted if isinstance(o, WantedCertificate) and o.pinned]
        own = [c for o in desired.wanted if isinstance(o, WantedKeyPair) for c in o.issuer.certificates]
        known = [*self.live, *pinned, *own]
        if any(one.sha256 == certificate.sha256 for one in known):
            return True
        issuers = (one for one in known if one.subject_key is not None and one.subject_key == certificate.issuer_key)
        return not is_self_issued(certificate) and any(is_signed_by(certificate, one) for one in issuers)

    # --------------------------------------------------------------------------------------- a new key

    def _new_key(self, change: Change, wanted: WantedKeyPair) -> None:
        beside = change.step is not Step.GENERATE
        alias = staging_alias(wanted.alias) if beside else wanted.alias
        before = change.staged if beside else change.before
        if wanted.born_in_tenant:
            self._born_in_tenant(change, wanted, alias, before)
        else:
            self._made_here(wanted, alias, before)

    def _born_in_tenant(self, change: Change, wanted: WantedKeyPair, alias: str, before: Entry | None) -> None:
        """A key pair that an interrupted run has made is taken up again, any other is in the way."""
        usable = before is not None and change.step is not Step.GENERATE and _fits(wanted, before)
        if before is not None and not usable:
            self._write(Remove(alias), before)
        made = before if usable else self._write(Generate(alias, wanted, self.now), None)
        if wanted.issuer.type != "self-signed":
            self._sign(change, wanted, alias, made)

    def _made_here(self, wanted: WantedKeyPair, alias: str, before: Entry | None) -> None:
        from reconciler.issuers.protocol import Order
        from reconciler.issuers.table import issuer_for
        from reconciler.key_pairs import EXTERNAL
        from reconciler.x509 import generate_private_key, public_key_sha256_of, self_signed, signing_request

        private_key: Secret = interruptibly(lambda: generate_private_key(wanted.key))
        issuer = issuer_for(wanted.issuer)
        order = Order(wanted, signing_request(private_key, wanted), private_key, None)
        if wanted.issuer.type == EXTERNAL:
            placeholder = (self_signed(private_key, wanted, self.now),)
            self._write(PutKeyPair(alias, placeholder, private_key, vouched=True), before)
            issuer.issue(order, self.now)
            return
        returned = _answered(issuer.issue(order, self.now))
        chain = self._judged(returned, wanted, public_key_sha256_of(private_key))
        self._write(PutKeyPair(alias, chain, private_key, vouched=True), before)

    def _sign(self, change: Change, wanted: WantedKeyPair, alias: str, live: Entry | None) -> None:
        """The tenant's signing request to the issuer, and the chain that came back onto the key pair."""
        from reconciler.issuers.protocol import Order
        from reconciler.issuers.table import issuer_for
        from reconciler.x509 import request_facts

        request = self.keystore.signing_request(alias, wanted)
        facts = request_facts(request)
        if facts is None:
            raise IssuerError(f"the signing request of {alias!r} cannot be read")
        renews = live.leaf if live is not None and _renews(change, wanted, live) else None
        returned = issuer_for(wanted.issuer).issue(Order(wanted, request, None, renews), self.now)
        if returned is None:
            return  # the answer comes later
        chain = self._judged(returned, wanted, facts.public_key_sha256)
        # Our own issuer step has made or checked it, so nobody else needs to vouch for it.
        self._write(PutChain(alias, chain, vouched=True), live)

    def _judged(
        self, returned: tuple[Certificate, ...], wanted: WantedKeyPair, public_key_sha256: str
    ) -> tuple[Certificate, ...]:
        return judged_chain(self.target.desired, self.live, returned, wanted, public_key_sha256, self.now)

    def _take_over(self, change: Change) -> None:
        """Two renames; when the second is refused, the first is taken back so that the alias serves on."""
        alias, previous, staged = change.alias, previous_alias(change.alias), staging_alias(change.alias)
        if change.before is not None:
            self._write(Rename(alias, previous), change.before)
        try:
            self._write(Rename(staged, alias), change.staged)
        except ReconcileError:
            if change.before is not None:
                with suppress(ReconcileError):
                    self._write(Rename(previous, alias), None)
            raise


def _concerns_all(error: ReconcileError) -> bool:
    """Whether the changes that are still to come would fail for the same reason."""
    nobody_answers = isinstance(error, WriteFailedError) and error.status in {0, 401, 429}
    return nobody_answers or isinstance(error, _FOR_ALL)


def _turn(change: Change) -> tuple[int, int]:
    """Deletions and renames first, then certificates, those that sign others first, then key pairs."""
    if change.action in {Action.DELETE, Action.RENAME}:
        return (0, 0 if change.action is Action.DELETE else 1)
    if isinstance(change.wanted, WantedCertificate):
        return (1, 0 if is_self_issued(change.wanted.certificate) else 1)
    return (2, 0)


def _deciding(errors: Sequence[ReconcileError]) -> ReconcileError | None:
    """A refusal, or a tenant that does not answer, has an exit code of its own when nothing was applied."""
    return next((error for error in errors if error.exit_code in {3, 4}), None)


def _fits(wanted: WantedKeyPair, entry: Entry) -> bool:
    """Whether a key pair that waits carries the key and the subject that are wanted now."""
    from reconciler.key_pairs import content_differences

    fields = {difference.field for difference in content_differences(wanted, entry.chain)}
    unsigned = is_self_issued(entry.chain[0]) and wanted.issuer.type != "self-signed"
    return unsigned and not fields & {"key-spec", "subject"}


def _renews(change: Change, wanted: WantedKeyPair, live: Entry) -> bool:
    from reconciler.key_pairs import is_placeholder

    return change.step in {Step.REQUEST, Step.REISSUE} and not change.staged and not is_placeholder(wanted, live)


def _answered(returned: tuple[Certificate, ...] | None) -> tuple[Certificate, ...]:
    if returned is None:
        raise IssuerError("the issuer did not answer")
    return returned
