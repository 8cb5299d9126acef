"""What an issuer must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Certificate, WantedKeyPair
    from reconciler.secret import Secret


@dataclass(frozen=True, slots=True)
class Order:
    """What a certificate is asked for with.

    Attributes:
        wanted: What is declared.
        signing_request: The PKCS#10 request as DER, signed with the key that is to be certified.
        private_key: That key as PKCS#8 DER where it is at hand; None where it never leaves its keystore.
        renews: The certificate over the same key that is to be renewed; None for the first one of a key.
    """

    wanted: WantedKeyPair
    signing_request: bytes
    private_key: Secret | None
    renews: Certificate | None = None


class Issuer(Protocol):
    """Turns a signing request into certificates, or puts the request where somebody will answer it."""

    def issue(self, order: Order, now: datetime) -> tuple[Certificate, ...] | None:
        """The certificates that came back, in any order; None when the answer comes later.

        Raises:
            IssuerError: no certificate could be had.
        """
