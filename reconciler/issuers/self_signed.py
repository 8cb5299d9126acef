"""The key pair signs its own certificate: for receivers that import exactly this certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import IssuerError
from reconciler.x509 import self_signed

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.issuers.protocol import Order
    from reconciler.model import Certificate, IssuerSpec


class SelfSigned:
    """See `reconciler.issuers.protocol.Issuer`."""

    def __init__(self, spec: IssuerSpec) -> None:
        self.spec = spec

    def issue(self, order: Order, now: datetime) -> tuple[Certificate, ...]:
        """One certificate.

        Raises:
            IssuerError: the private key is not at hand.
        """
        if order.private_key is None:
            raise IssuerError("a certificate cannot sign itself when its private key stays in the keystore")
        return (self_signed(order.private_key, order.wanted, now),)
