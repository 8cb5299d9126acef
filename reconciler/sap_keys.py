"""SAP's own keys of a tenant, in sentences: what waits, when it takes over by itself, and who has to know. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.expiry import day
from reconciler.model import Step
from reconciler.ownership import alias_key, previous_alias
from reconciler.words import with_colons

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Change, Entry, Receiver, Snapshot

# A daily job activates a new key one day before the one in use ends (SAP Help, "Renewal of Keys Provided by SAP").
BEFORE_THE_END = timedelta(days=1)
WHERE = "in the Keystore Monitor, tab New SAP Keys, with Activate; reconcile never does"
DELAY = (
    "connections may use the keystore as it was for up to 24 hours, unless the integration flows that use it are "
    "restarted"
)


def activation_day(new: Entry, live: Snapshot) -> datetime | None:
    """When SAP activates a new key by itself; None where the key in use has no end that is known."""
    used = next((one for one in live.entries if alias_key(one.alias) == alias_key(new.alias)), None)
    end = used.leaf.not_after if used is not None and used.leaf is not None else None
    return None if end is None else end - BEFORE_THE_END


def receivers_of(alias: str, receivers: Sequence[Receiver]) -> tuple[Receiver, ...]:
    """The receivers that expect a key pair."""
    return tuple(one for one in receivers if alias_key(one.key_pair or "") == alias_key(alias))


def waiting_notes(live: Snapshot, receivers: Sequence[Receiver]) -> Iterator[str]:
    """One sentence or two about each successor that SAP has prepared."""
    for new in live.new_sap_keys or ():
        until = f", valid until {day(new.leaf.not_after)}" if new.leaf else ""
        pin = f", SHA-256 {with_colons(new.leaf.sha256)}" if new.leaf else ""
        at = activation_day(new, live)
        when = f"SAP activates it by itself on {day(at)}" if at else "SAP activates it by itself"
        expecting = receivers_of(new.alias, receivers)
        names = ", ".join(f"{one.name} ({one.address})" for one in expecting)
        who = names or "every receiver that trusts this certificate (none is declared under `receivers`)"
        yield (
            f"a new SAP key waits for {new.alias}{until}{pin}; {when}, the day before the one in use ends; "
            f"to import its certificate before: {who}; a person activates it {WHERE}"
        )


def history_notes(live: Snapshot) -> Iterator[str]:
    """One sentence about each key that was replaced, the last first."""
    for old in reversed(live.replaced_sap_keys or ()):
        until = f" until {day(old.active_until)}" if old.active_until else ""
        by = f", replaced by {old.deactivated_by}" if old.deactivated_by else ""
        yield f"{old.entry.alias}: was {old.original_alias}{until}{by}"


def applied_notes(changes: Sequence[Change], receivers: Sequence[Receiver]) -> Iterator[str]:
    """What to know after these changes of a tenant's keystore."""
    yield DELAY
    changed = dict.fromkeys(alias for one in changes for alias in (one.alias, one.new_alias or one.alias))
    concerned = dict.fromkeys(one for alias in changed for one in receivers_of(alias, receivers))
    if concerned:
        yield "receivers concerned: " + ", ".join(f"{one.name} ({one.address})" for one in concerned)
    for one in changes:
        if one.step in _REPLACING and one.before is not None:
            yield f"the key pair that was replaced is now called {previous_alias(one.alias)}; the next run deletes it"


_REPLACING = frozenset({Step.REKEY, Step.TAKE_OVER, Step.ANSWER_TAKE_OVER})
