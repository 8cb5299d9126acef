"""What runs out when: entries by how near their end is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model import Expiry
from reconciler.reports.facts import has_end, is_self_issued

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model import Certificate, Entry
    from reconciler.reports.standing import Standing

SOON = timedelta(days=90)


class Term(StrEnum):
    """How near the end of an entry is, the nearest first."""

    EXPIRED = "expired"
    WINDOW = "inside the window"
    SOON = "next 90 days"
    LATER = "later"
    NONE = "no end"


@dataclass(frozen=True, slots=True)
class Ending:
    """One entry and the certificate of it that ends first.

    Attributes:
        standing: The entry.
        term: How near that end is.
        certificate: The certificate that ends first: mostly the entry's own, sometimes one that it hangs on.
        moment: When it ends; None where nothing is known to end.
    """

    standing: Standing
    term: Term
    certificate: Certificate | None
    moment: datetime | None

    @property
    def is_own(self) -> bool:
        """Whether it is the entry's own certificate that ends first."""
        leaf = self.standing.leaf
        return self.certificate is None or leaf is None or self.certificate.sha256 == leaf.sha256


def endings(standings: Sequence[Standing], now: datetime) -> tuple[Ending, ...]:
    """Every entry that is there, in the order in which they end; what has no end comes last."""
    found = [_ending(standing, now) for standing in standings if standing.entry is not None]
    return tuple(sorted(found, key=_order))


def _order(ending: Ending) -> tuple[bool, float, str]:
    moment = ending.moment
    return (moment is None, moment.timestamp() if moment else 0.0, ending.standing.alias)


def _ending(standing: Standing, now: datetime) -> Ending:
    certificate = first_to_end(standing.entry) if standing.entry else None
    moment = certificate.not_after if certificate else None
    if moment is None:
        return Ending(standing, Term.NONE, certificate, None)
    return Ending(standing, _term(standing, moment, now), certificate, moment)


def _term(standing: Standing, moment: datetime, now: datetime) -> Term:
    if now > moment:
        return Term.EXPIRED
    if standing.expiry is not Expiry.OK:
        return Term.WINDOW
    return Term.SOON if moment - now <= SOON else Term.LATER


def first_to_end(entry: Entry) -> Certificate | None:
    """The certificate of a chain that ends first, or None where none has an end that can be read.

    The root of a chain does not count: whoever verifies the chain has a root of his own, and Java accepts an anchor
    that is past its end.
    """
    own, *above = entry.chain or (None,)
    candidates = [own, *(one for one in above if one is not None and not is_self_issued(one))]
    dated = [one for one in candidates if one is not None and has_end(one.not_after)]
    return min(dated, key=lambda one: one.not_after.timestamp() if one.not_after else 0.0, default=None)
