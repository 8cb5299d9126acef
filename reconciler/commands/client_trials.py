"""The client certificate of tomorrow, shown to the receiver today: before it takes over, not after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.model import EntryKind, Step, StoreType, WantedCertificate, WantedImport
from reconciler.ownership import alias_key, staging_alias
from reconciler.terminal import say
from reconciler.trust import anchors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from reconciler.commands.receiver_checks import ReceiverWishes
    from reconciler.keystores.protocol import KeystoreReader
    from reconciler.model import Certificate, Change, Receiver, TargetPlan
    from reconciler.secret import Secret
    from reconciler.tls.client_key import KeyPair
    from reconciler.tls.results import ConnectResult
    from reconciler.trust import Anchor

# Steps after which the alias stands for a certificate that exists already.
_STAGED = frozenset({Step.TAKE_OVER, Step.ANSWER_TAKE_OVER})
_LIVE = frozenset({Step.ANSWER, Step.COMPLETE_CHAIN})
# How a server turns a client certificate down.
_TURNED_DOWN = frozenset({"client-cert-rejected", "closed-in-handshake", "handshake-failure"})


def rejected_client_certificates(
    plan: TargetPlan, wishes: ReceiverWishes, now: datetime, *, open_live_keys: bool
) -> Iterator[Problem]:
    """The receivers that take the certificate of today and would turn down the one that the plan puts in its place.

    Args:
        plan: The plan of one keystore.
        wishes: How receivers are asked.
        now: The moment.
        open_live_keys: Whether private keys of the live keystore may be opened.
    """
    if plan.desired.keystore.type is StoreType.SAP_CLOUD_INTEGRATION:
        return  # the private keys of a tenant stay in it
    trials = _Trials(plan, wishes, now, open_live_keys=open_live_keys)
    for receiver in plan.desired.receivers:
        change = _change_of(receiver, plan)
        if change is None or not receiver.key_pair or not trials.is_reached(receiver):
            continue
        future = trials.future(change)
        if future is not None and (problem := trials.problem(receiver, change, future)) is not None:
            yield problem


def _change_of(receiver: Receiver, plan: TargetPlan) -> Change | None:
    key = alias_key(receiver.key_pair or "")
    return next((one for one in plan.changes if alias_key(one.alias) == key), None)


class _Trials:
    """The keystore of one plan, opened when the first key is needed."""

    def __init__(self, plan: TargetPlan, wishes: ReceiverWishes, now: datetime, *, open_live_keys: bool) -> None:
        self._plan = plan
        self._wishes = wishes
        self._now = now
        self._opens = open_live_keys
        self._reader: KeystoreReader | None = None

    def is_reached(self, receiver: Receiver) -> bool:
        verdict = next(one for one in self._plan.receivers if one.receiver is receiver)
        return verdict.probe is not None and bool(verdict.probe.chain) and verdict.probe.asks is not False

    def future(self, change: Change) -> KeyPair | None:
        """The key pair that the alias gets, where it exists already and may be opened."""
        match change.step, change.wanted:
            case Step.PUT, WantedImport() as wanted:
                from reconciler.desired.material import open_key

                return _key_pair(change.alias, wanted.chain, lambda: open_key(wanted.material)[0])
            case step, _ if step in _STAGED and self._opens and change.staged is not None:
                chain = change.chain or change.staged.chain
                return _key_pair(change.alias, chain, lambda: self._key(staging_alias(change.alias)))
            case step, _ if step in _LIVE and self._opens:
                return _key_pair(change.alias, change.chain, lambda: self._key(change.alias))
            case _:
                return None

    def _key(self, alias: str) -> Secret:
        if self._reader is None:
            from reconciler.commands.targets import reader_of

            self._reader = reader_of(self._plan.desired)
            self._reader.read()
        return self._reader.private_key(alias)

    def problem(self, receiver: Receiver, change: Change, future: KeyPair) -> Problem | None:
        result = self._shown(receiver, future)
        if not result.client_certificate.presented or result.code not in _TURNED_DOWN:
            return None
        if not self._opens:
            say(f"receiver {receiver.name}: it turns down the certificate that {change.alias} gets: {result.message}")
            return None
        today = self._today(change)
        if today is None or self._shown(receiver, today).code in _TURNED_DOWN:
            say(
                f"receiver {receiver.name}: it turns down the certificate that {change.alias} gets, as the one of today"
            )
            return None
        return Problem(
            "client-certificate",
            f"receiver {receiver.name}: it takes the certificate that {change.alias} has today, and turns down the one "
            f"that the plan puts in its place: {result.message}",
            receiver.source,
            hint="ask its operator to import the new certificate or its CA first; until then leave the change out, "
            "or let the renewed key pair wait with `activation: approved`",
            refusal=True,
        )

    def _today(self, change: Change) -> KeyPair | None:
        before = change.before
        if before is None or before.kind is not EntryKind.KEY_PAIR or not before.chain:
            return None
        return _key_pair(before.alias, before.chain, lambda: self._key(before.alias))

    def _shown(self, receiver: Receiver, one: KeyPair) -> ConnectResult:
        from reconciler.tls.connecting import Wishes, connect
        from reconciler.tls.probing import destination_of
        from reconciler.tls.results import TrustSource

        source = TrustSource(self._plan.desired.keystore.location, tuple(self._anchors()), (one,))
        destination = destination_of(receiver, self._wishes.timeout, os.environ)
        return connect(destination, source, self._now, Wishes(client_alias=one.alias, probe_versions=False))

    def _anchors(self) -> Iterator[Anchor]:
        """The entries of today and those that the plan brings: a key is shown to trusted servers alone."""
        yield from anchors_of(self._plan.live.entries)
        for change in self._plan.changes:
            if isinstance(change.wanted, WantedCertificate):
                yield change.alias, change.wanted.certificate


def _key_pair(alias: str, chain: tuple[Certificate, ...], opened: Callable[[], Secret]) -> KeyPair:
    from reconciler.tls.client_key import KeyPair

    return KeyPair(alias, chain, opened)
