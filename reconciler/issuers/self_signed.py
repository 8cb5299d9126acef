"""The key pair signs its own certificate: for receivers that import exactly this certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.x509 import self_signed

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Certificate, IssuerSpec, WantedKeyPair
    from reconciler.secret import Secret


class SelfSigned:
    """See `reconciler.issuers.protocol.Issuer`."""

    def __init__(self, spec: IssuerSpec) -> None:
        self.spec = spec

    def issue(self, wanted: WantedKeyPair, private_key: Secret, now: datetime) -> tuple[Certificate, ...]:
        """A chain of one certificate."""
        return (self_signed(private_key, wanted, now),)
