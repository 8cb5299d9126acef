"""What a strict verifier (cryptography's, the rules of the web) has against a chain that Java trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.host_names import literal_address
from reconciler.trust import Caution

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconciler.model import Certificate

# cryptography before 49 does not come back from hostile chains: 100 intermediates of one name are enough.
_FIRST_BOUNDED = 49
_LONGEST_CHAIN = 12


def second_opinion(
    chain: Sequence[Certificate], anchors: Iterable[Certificate], host: str, now: datetime
) -> Caution | None:
    """A caution when the strict verifier refuses; None when it agrees or cannot be asked."""
    import cryptography

    if int(cryptography.__version__.partition(".")[0]) < _FIRST_BOUNDED or not 0 < len(chain) <= _LONGEST_CHAIN:
        return None
    reason = _refusal(chain, anchors, host, now)
    if reason is None:
        return None
    return Caution("strict-profile", f"a strict verifier (the rules for the public web) refuses this chain: {reason}")


def _refusal(chain: Sequence[Certificate], anchors: Iterable[Certificate], host: str, now: datetime) -> str | None:
    from cryptography import x509
    from cryptography.x509 import verification

    address = literal_address(host)
    try:
        subject = x509.IPAddress(address) if address else x509.DNSName(host)
        leaf, *intermediates = (x509.load_der_x509_certificate(one.der) for one in chain)
        store = verification.Store([x509.load_der_x509_certificate(one.der) for one in anchors])
        builder = verification.PolicyBuilder().store(store).time(now)
        builder.build_server_verifier(subject).verify(leaf, intermediates)
    except (ValueError, TypeError, OverflowError, verification.VerificationError) as error:
        return " ".join(str(error).split())[:300] or type(error).__name__
    return None
