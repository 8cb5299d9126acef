"""How certificates stand against the clock. Pure: the moment is handed in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.model import Expiry, RenewBefore

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Certificate

# What nobody renews for us (trusted certificates, unmanaged entries) is announced this long before.
NOTICE = RenewBefore(duration=timedelta(days=30))
_DEFAULT_SHARE = 0.33


def renewal_due(certificate: Certificate, before: RenewBefore) -> datetime | None:
    """The moment from which a renewal is due; None when the validity cannot be read."""
    if certificate.not_after is None or certificate.not_before is None:
        return None
    if before.duration is not None:
        return certificate.not_after - before.duration
    lifetime = certificate.not_after - certificate.not_before
    return certificate.not_after - lifetime * (before.share if before.share is not None else _DEFAULT_SHARE)


def expiry_of(certificate: Certificate | None, before: RenewBefore, now: datetime) -> Expiry:
    """How a certificate stands against the clock; what cannot be read is not claimed to expire."""
    if certificate is None or certificate.not_after is None:
        return Expiry.OK
    if now > certificate.not_after:
        return Expiry.EXPIRED
    due = renewal_due(certificate, before)
    return Expiry.EXPIRING if due is not None and now >= due else Expiry.OK


def day(moment: datetime | None) -> str:
    """A day in words."""
    return moment.strftime("%Y-%m-%d") if moment is not None else "an unreadable date"
