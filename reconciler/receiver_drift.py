"""What changed at a receiver since its chain was recorded, and what stops fitting: what `drift` counts as differences.

Only what was seen over a connection is compared: a chain that lies in the repository does not change by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.expiry import day
from reconciler.model import ReceiverNote
from reconciler.words import names_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Certificate, ChainVerdict, Probe, Receiver


def differences(
    receiver: Receiver, probe: Probe | None, chains: Sequence[ChainVerdict], now: datetime, horizon: datetime
) -> Iterator[ReceiverNote]:
    """Every difference, the certificate first, then what we present to the receiver.

    Args:
        receiver: With what was recorded.
        probe: What the receiver showed.
        chains: The verdicts about its chains; the last one is about what it sends now.
        now: The moment of the comparison.
        horizon: Roots that end before it are told.
    """
    if probe is None or not probe.chain:
        return
    if receiver.recorded:
        yield from _certificates(receiver.recorded, probe.chain)
    yield from _fitness(chains[-1], now, horizon)
    yield from _client_certificate(receiver, probe)


def changed_since(receiver: Receiver, probe: Probe) -> Iterator[ReceiverNote]:
    """How a receiver that was recorded differs from its record, whether that matters or not."""
    yield from _certificates(receiver.recorded, probe.chain)
    yield from _client_certificate(receiver, probe)


# ------------------------------------------------------------------------------------------ the certificates


def _certificates(recorded: Sequence[Certificate], seen: Sequence[Certificate]) -> Iterator[ReceiverNote]:
    old, new = recorded[0], seen[0]
    if old.der != new.der:
        how = f"{_key_change(old, new)}, valid until {day(new.not_after)}"
        yield ReceiverNote("leaf", f"another certificate than recorded: {how}", old.sha256, new.sha256)
    before, after = _between(recorded), _between(seen)
    if {one.der for one in before} != {one.der for one in after}:
        yield ReceiverNote("intermediate", _sent_otherwise(before, after), _names(before), _names(after))
    if _top(recorded) != _top(seen):
        root, other = _top_name(seen), _top_name(recorded)
        yield ReceiverNote("root", f"it hangs on another root now: {root} instead of {other}", other, root)


def _key_change(old: Certificate, new: Certificate) -> str:
    key = "the same key" if old.public_key_sha256 == new.public_key_sha256 else "a new key"
    issuer = "" if old.issuer_key == new.issuer_key else f", issued by {new.issuer} instead of {old.issuer}"
    return f"{key}{issuer}"


def _between(chain: Sequence[Certificate]) -> list[Certificate]:
    return [one for one in chain[1:] if one.subject_key != one.issuer_key]


def _sent_otherwise(before: Sequence[Certificate], after: Sequence[Certificate]) -> str:
    known, sent = {one.der for one in before}, {one.der for one in after}
    new = [one for one in after if one.der not in known]
    gone = [one for one in before if one.der not in sent]
    parts = [f"it sends {_names(new)}, which is not recorded"] if new else []
    parts += [f"it does not send {_names(gone)} any more"] if gone else []
    return "; ".join(parts)


def _names(certificates: Sequence[Certificate]) -> str:
    return names_text(one.subject or one.sha256 for one in certificates)


def _highest(chain: Sequence[Certificate]) -> Certificate:
    """The last certificate on the way up from the first one, whatever order they were sent in."""
    walked = [chain[0]]
    while len(walked) <= len(chain):
        top = walked[-1]
        above = next((one for one in chain if one.subject_key == top.issuer_key and one not in walked), None)
        if top.subject_key == top.issuer_key or above is None:
            return top
        walked.append(above)
    return walked[-1]


def _top(chain: Sequence[Certificate]) -> str | None:
    return _highest(chain).issuer_key


def _top_name(chain: Sequence[Certificate]) -> str:
    return _highest(chain).issuer or "?"


# ------------------------------------------------------------------------------------------ does it still fit?


def _fitness(chain: ChainVerdict, now: datetime, horizon: datetime) -> Iterator[ReceiverNote]:
    """Trust with the entries of today, the name, and the end of the root."""
    if not chain.before.is_trusted:
        soon = f" (the plan mends that: {chain.after.anchor_alias})" if chain.after.is_trusted else ""
        yield ReceiverNote(chain.before.code, f"the keystore does not trust it: {chain.before.message}{soon}")
    elif chain.moment < now:
        yield ReceiverNote("expired", f"its certificate has expired on {day(chain.moment)}")
    if chain.host_code != "ok":
        yield ReceiverNote(chain.host_code, f"its certificate does not fit the name: {chain.host_message}")
    root = chain.before.path[-1] if chain.before.path else None
    if root is not None and root.not_after is not None and root.not_after < horizon:
        what = "has ended" if root.not_after < now else "ends"
        message = f"the entry that it hangs on, {chain.before.anchor_alias}, {what} on {day(root.not_after)}"
        yield ReceiverNote("root-expiring", message)


# ------------------------------------------------------------------------------------- what we present to it


def _client_certificate(receiver: Receiver, probe: Probe) -> Iterator[ReceiverNote]:
    expected = receiver.asks if receiver.asks is not None else (True if receiver.key_pair else None)
    if expected is True and probe.asks is False:
        message = "it does not ask for a client certificate any more"
        yield ReceiverNote("client-certificate", message, "asked for", "not asked for")
    if expected is False and probe.asks is True:
        message = "it asks for a client certificate now"
        yield ReceiverNote("client-certificate", message, "not asked for", "asked for")
    recorded, seen = set(receiver.accepts), set(probe.accepts)
    if receiver.asks and probe.asks and recorded != seen:
        yield ReceiverNote("client-cas", _other_cas(recorded, seen), _accepted(recorded), _accepted(seen))


def _other_cas(recorded: set[str], seen: set[str]) -> str:
    new, gone = seen - recorded, recorded - seen
    if not seen or not recorded:
        return f"it accepts client certificates of {_accepted(seen)} now, instead of {_accepted(recorded)}"
    parts = [f"of {_accepted(new)} as well"] if new else []
    parts += [f"not of {_accepted(gone)} any more"] if gone else []
    return f"it accepts client certificates {', '.join(parts)}"


def _accepted(names: set[str]) -> str:
    return names_text(sorted(names)) if names else "any CA"
