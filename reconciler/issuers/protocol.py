"""What an issuer must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Certificate, WantedKeyPair
    from reconciler.secret import Secret


class Issuer(Protocol):
    """Turns a key and what is wanted of it into a certificate chain."""

    def issue(self, wanted: WantedKeyPair, private_key: Secret, now: datetime) -> tuple[Certificate, ...]:
        """The chain, leaf first, for the public half of `private_key` (PKCS#8 DER).

        Raises:
            IssuerError: no certificate could be had.
        """
