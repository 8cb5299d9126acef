"""What a plan means for the receivers: is each of them trusted before and after it, now and at a horizon?

Pure: chains come from the repository (recorded) or from a connection that the edge made (a probe). Every chain that is
known of a receiver counts, so that one that is moving from CA to CA, or answers from several machines, is safe with
both. Trust is Java's (`reconciler.trust`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.expiry import day
from reconciler.host_names import host_name_verdict
from reconciler.model import (
    ChainVerdict,
    EntryKind,
    ReceiverNote,
    ReceiverStatus,
    ReceiverVerdict,
    Step,
    WantedCertificate,
)
from reconciler.ownership import alias_key, protected_by
from reconciler.receiver_drift import differences
from reconciler.trust import OK, anchors_of, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model import Certificate, Change, DesiredState, Entry, Probe, Receiver, Snapshot
    from reconciler.trust import Anchor, TrustVerdict

    Verify = Callable[[Certificate, Certificate], bool]
    Destination = tuple[str, str | None, str | None]

RECORDED, PROBE = "recorded", "probe"
_WORST_FIRST = tuple(ReceiverStatus)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a plan is told about its receivers beside the desired state.

    Attributes:
        horizon: How far ahead trust is judged a second time.
        probes: What connections showed, by `Receiver.destination`; empty when none were made.
    """

    horizon: timedelta = timedelta(days=90)
    probes: Mapping[Destination, Probe] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What receivers are judged by, besides the entries.

    Attributes:
        now: Aware, in UTC.
        horizon: The later moment at which they are judged again.
        verify: Whether the signature of the first certificate was made with the key of the second.
        probes: See `Outlook`.
    """

    now: datetime
    horizon: datetime
    verify: Verify
    probes: Mapping[Destination, Probe]


def circumstances(now: datetime, verify: Verify, outlook: Outlook | None = None) -> Circumstances:
    """The circumstances of a plan that is made now."""
    outlook = outlook or Outlook()
    return Circumstances(now, now + outlook.horizon, verify, outlook.probes)


# ------------------------------------------------------------------------------------------------ the verdicts


def judge_receivers(
    receivers: Iterable[Receiver],
    before: Iterable[Entry],
    after: Iterable[Entry],
    changes: Sequence[Change],
    facts: Circumstances,
) -> tuple[ReceiverVerdict, ...]:
    """One verdict for each receiver.

    Args:
        receivers: Of the desired state.
        before: The entries of today.
        after: The entries after the plan.
        changes: The plan.
        facts: Clock, horizon and connections.
    """
    judge = _Judge(anchors_of(before), anchors_of(after), changes, facts)
    return tuple(judge.verdict(receiver) for receiver in receivers)


def known_chains(receiver: Receiver, probe: Probe | None) -> Iterator[tuple[str, tuple[Certificate, ...]]]:
    """The chains of a receiver by where they come from; the same chain from both counts once, as recorded."""
    if receiver.recorded:
        yield RECORDED, receiver.recorded
    if probe is not None and probe.chain and probe.chain != receiver.recorded:
        yield PROBE, probe.chain


class _Judge:
    """One plan for one keystore."""

    def __init__(
        self,
        before: tuple[Anchor, ...],
        after: tuple[Anchor, ...],
        changes: Sequence[Change],
        facts: Circumstances,
    ) -> None:
        # Most plans change no root: then the second question is the first one.
        self._before, self._after = before, before if after == before else after
        self._changes = changes
        self._facts = facts

    def verdict(self, receiver: Receiver) -> ReceiverVerdict:
        probe = self._facts.probes.get(receiver.destination)
        known = known_chains(receiver, probe)
        chains = tuple(self._chain(receiver, origin, chain) for origin, chain in known)
        status, message, hint = self._summary(receiver, probe, chains)
        return ReceiverVerdict(
            receiver,
            status,
            message,
            hint,
            chains,
            probe,
            tuple(differences(receiver, probe, chains, self._facts.now, self._facts.horizon)),
            tuple(self._warnings(receiver, probe, chains)),
        )

    def _chain(self, receiver: Receiver, origin: str, chain: tuple[Certificate, ...]) -> ChainVerdict:
        now, horizon = self._facts.now, self._facts.horizon
        before, then = self._trust(chain, self._before, now, horizon)
        same = self._after is self._before
        after, later = (before, then) if same else self._trust(chain, self._after, now, horizon)
        status, later_status = _compared(before, after), _compared(then, later)
        broken = before if status is ReceiverStatus.WOULD_BREAK else then
        is_broken = ReceiverStatus.WOULD_BREAK in {status, later_status}
        host = host_name_verdict(chain[0], receiver.server_name or receiver.host)
        if receiver.server_name and host.code != OK:
            # Java compares the name that it asked for, and if that does not fit, the host that it connected to.
            connected = host_name_verdict(chain[0], receiver.host)
            host = connected if connected.code == OK else host
        return ChainVerdict(
            origin=origin,
            chain=chain,
            moment=_judged_at(chain, now),
            status=status,
            before=before,
            after=after,
            later=later,
            later_status=later_status,
            lost=self._lost(broken) if is_broken else (),
            host_code=host.code,
            host_message=host.message,
        )

    def _trust(
        self, chain: Sequence[Certificate], anchors: tuple[Anchor, ...], now: datetime, horizon: datetime
    ) -> tuple[TrustVerdict, TrustVerdict]:
        """Java's answer now and at the horizon."""
        moment, later = _judged_at(chain, now), _judged_at(chain, horizon)
        answer = evaluate(chain, anchors, moment, verify=self._facts.verify)
        lasts = answer.until is not None and later <= answer.until
        if moment == later or (answer.is_trusted and lasts):
            return answer, answer
        return answer, evaluate(chain, anchors, later, verify=self._facts.verify)

    def _lost(self, before: TrustVerdict) -> tuple[str, ...]:
        """What carries the chain today and is not there any more, or is another certificate."""
        after = {(alias_key(alias), one.der) for alias, one in self._after}
        kept = {alias_key(alias) for alias, one in self._before if (alias_key(alias), one.der) in after}
        gone = tuple(alias for alias in before.anchors if alias_key(alias) not in kept)
        return gone or ((before.anchor_alias,) if before.anchor_alias else ())

    # --------------------------------------------------------------------------------------------- in words

    def _summary(
        self, receiver: Receiver, probe: Probe | None, chains: tuple[ChainVerdict, ...]
    ) -> tuple[ReceiverStatus, str, str]:
        if not chains:
            return _unknown(receiver, probe)
        worst = min(chains, key=lambda one: _WORST_FIRST.index(_overall(one)))
        status = _overall(worst)
        match status:
            case ReceiverStatus.WOULD_BREAK:
                return status, self._breaking(receiver, worst), _way_out(receiver, worst)
            case ReceiverStatus.UNTRUSTED:
                return status, f"not trusted, with or without this plan: {worst.after.message}", worst.after.hint
            case ReceiverStatus.NEWLY_TRUSTED:
                return status, f"trusted from this plan on, by {worst.after.anchor_alias}", ""
            case _:
                return status, f"trusted, by {worst.after.anchor_alias}{_changed_anchor(worst)}", ""

    def _breaking(self, receiver: Receiver, chain: ChainVerdict) -> str:
        where = _where(receiver, chain)
        at_once = chain.status is ReceiverStatus.WOULD_BREAK
        when, then = ("then", chain.after) if at_once else (f"on {day(self._facts.horizon)}", chain.later)
        lost = ", ".join(chain.lost)
        why = "; ".join(_why(change) for change in self._changes_of(chain.lost)) or "the plan takes it away"
        return f"{where} is trusted by {lost}, and {why}; {when}: {then.message}"

    def _changes_of(self, aliases: Sequence[str]) -> list[Change]:
        keys = {alias_key(alias) for alias in aliases}
        return [one for one in self._changes if alias_key(one.alias) in keys]

    def _warnings(
        self, receiver: Receiver, probe: Probe | None, chains: tuple[ChainVerdict, ...]
    ) -> Iterator[ReceiverNote]:
        if probe is not None and not probe.chain:
            yield ReceiverNote("not-reached", f"not reached from here: {probe.message}")
        if not receiver.recorded and probe is not None and probe.chain:
            yield ReceiverNote("not-recorded", f"nothing is recorded in {receiver.chain_shown}")
        for chain in chains:
            yield from self._chain_warnings(receiver, chain)
        yield from self._client_warnings(receiver, probe)

    def _chain_warnings(self, receiver: Receiver, chain: ChainVerdict) -> Iterator[ReceiverNote]:
        where, now, horizon = _where(receiver, chain), self._facts.now, self._facts.horizon
        if chain.host_code != OK:
            yield ReceiverNote(chain.host_code, f"{where} does not fit the name: {chain.host_message}")
        if chain.moment < now:
            what = "record the new one" if chain.origin == RECORDED else "nobody can connect until it is renewed"
            yield ReceiverNote("expired", f"{where} begins with a certificate of {day(chain.moment)}: {what}")
        if chain.after.is_trusted and not chain.later.is_trusted:
            message = f"{where} is trusted only until {day(chain.after.until)}: {chain.later.message}"
            yield ReceiverNote("ends-within-horizon", message)
        for caution in chain.after.warnings:
            yield ReceiverNote(caution.code, caution.message)
        yield from _anchor_warnings(chain, horizon)

    def _client_warnings(self, receiver: Receiver, probe: Probe | None) -> Iterator[ReceiverNote]:
        """The CAs that the server accepts, against the certificate that the plan puts in place."""
        if probe is None or not probe.accepted_keys or receiver.key_pair is None:
            return
        for change in self._changes_of([receiver.key_pair]):
            future = change.chain or (change.staged.chain if change.staged else ())
            if future and not accepts(probe, future):
                message = (
                    f"it does not accept the issuer of the certificate that {change.alias} gets: {future[0].issuer}"
                )
                yield ReceiverNote("client-ca", message)


def accepts(probe: Probe, chain: Sequence[Certificate]) -> bool:
    """Whether the receiver names an issuer of `chain`, or nobody in particular (`SunX509KeyManagerImpl`)."""
    return not probe.accepted_keys or bool(probe.accepted_keys & {one.issuer_key for one in chain})


def _judged_at(chain: Sequence[Certificate], moment: datetime) -> datetime:
    """Whether an entry carries a chain does not end with the chain's own certificate, which its owner renews.

    Without this a chain that was recorded a year ago would protect nothing, and a horizon would say only that
    certificates end.
    """
    end = chain[0].not_after
    return moment if end is None else min(moment, end)


def _compared(before: TrustVerdict, after: TrustVerdict) -> ReceiverStatus:
    if before.is_trusted:
        return ReceiverStatus.STILL_TRUSTED if after.is_trusted else ReceiverStatus.WOULD_BREAK
    return ReceiverStatus.NEWLY_TRUSTED if after.is_trusted else ReceiverStatus.UNTRUSTED


def _overall(chain: ChainVerdict) -> ReceiverStatus:
    """A connection that would break later because of this plan is broken by it as well."""
    return ReceiverStatus.WOULD_BREAK if chain.later_status is ReceiverStatus.WOULD_BREAK else chain.status


def _unknown(receiver: Receiver, probe: Probe | None) -> tuple[ReceiverStatus, str, str]:
    record = f"record its chain: reconcile receivers record --receiver {receiver.name}"
    if probe is not None:
        return ReceiverStatus.UNKNOWN, f"nothing is recorded, and not reached: {probe.message}", record
    return ReceiverStatus.UNKNOWN, "nothing is recorded, and nobody asked it", f"{record}; or give --check-receivers"


def _where(receiver: Receiver, chain: ChainVerdict) -> str:
    return (
        f"the chain recorded in {receiver.chain_shown}" if chain.origin == RECORDED else "the chain that it sends now"
    )


def _changed_anchor(chain: ChainVerdict) -> str:
    old, new = chain.before.anchor_alias, chain.after.anchor_alias
    return "" if alias_key(old or "") == alias_key(new or "") else f" instead of {old}"


def _why(change: Change) -> str:
    verb = {"delete": "deletes it", "replace": "replaces it", "rename": "renames it"}.get(change.action, "changes it")
    return f"the plan {verb} ({change.reason})"


def _way_out(receiver: Receiver, chain: ChainVerdict) -> str:
    old = chain.lost[0] if chain.lost else "the entry"
    ways = [
        f"keep {old}, or let the receiver's new root replace it: trustedRoots: {{new_root: {{…, replaces: {old}}}}}"
    ]
    if chain.origin == RECORDED:
        record = f"reconcile receivers record --receiver {receiver.name}"
        ways.append(f"if the receiver has moved already, record what it sends now: {record}")
    return "; ".join(ways)


def _anchor_warnings(chain: ChainVerdict, horizon: datetime) -> Iterator[ReceiverNote]:
    root = chain.after.path[-1] if chain.after.path else None
    if root is not None and root.not_after is not None and chain.moment <= root.not_after < horizon:
        message = (
            f"the entry {chain.after.anchor_alias} ends on {day(root.not_after)}: the receiver will move to another"
        )
        yield ReceiverNote("root-expiring", message)


# ------------------------------------------------------------------------------------- roots: needed, not needed


def needed_by(
    receivers: Iterable[Receiver], alias: str, anchors: tuple[Anchor, ...], facts: Circumstances
) -> dict[str, str]:
    """Who is not proven to be trusted without `alias`, by name, with the reason.

    Args:
        receivers: Of the desired state.
        alias: The entry that is to go.
        anchors: All entries that will be there beside it, and itself.
        facts: Clock, horizon and connections.
    """
    without = tuple(one for one in anchors if alias_key(one[0]) != alias_key(alias))
    found = {}
    for receiver in receivers:
        reason = _need(receiver, anchors, without, facts)
        if reason is not None:
            found[receiver.name] = reason
    return found


def _need(
    receiver: Receiver, anchors: tuple[Anchor, ...], without: tuple[Anchor, ...], facts: Circumstances
) -> str | None:
    judge = _Judge(anchors, without, (), facts)
    probe = facts.probes.get(receiver.destination)
    verdict = judge.verdict(receiver)
    if not verdict.chains:
        return "nothing is known of it"
    for chain in verdict.chains:
        if _overall(chain) is ReceiverStatus.WOULD_BREAK:
            moved = probe is not None and chain.origin == RECORDED and len(verdict.chains) > 1
            return f"{_where(receiver, chain)} ends at it{' (record it anew)' if moved else ''}"
    return None


def unneeded_roots(
    entries: Iterable[Entry], verdicts: Sequence[ReceiverVerdict], desired: DesiredState
) -> tuple[str, ...]:
    """The trusted certificates that carry no chain that is known.

    Those of SAP, protected ones, and those that wait for receivers to come over to them are not listed.
    """
    chains = [chain for verdict in verdicts for chain in verdict.chains]
    if not chains:
        return ()
    needed = {alias_key(alias) for chain in chains for alias in (*chain.after.anchors, *chain.later.anchors)}
    needed |= {alias_key(one.alias) for one in desired.wanted if isinstance(one, WantedCertificate) and one.replaces}
    patterns = [one.pattern for one in desired.protected]
    return tuple(
        entry.alias
        for entry in entries
        if entry.kind is EntryKind.TRUSTED_CERTIFICATE
        and alias_key(entry.alias) not in needed
        and protected_by(entry.alias, entry.owner, patterns) is None
    )


def foreseeable(after: Snapshot, changes: Sequence[Change]) -> tuple[Entry, ...]:
    """The entries after a plan without the key pairs whose certificate is still to be made: nobody knows it."""
    made = {alias_key(change.alias) for change in changes if change.step is Step.GENERATE}
    return tuple(entry for entry in after.entries if alias_key(entry.alias) not in made)
