"""A certificate authority whose certificate and key lie in files: for test landscapes and small private hierarchies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import IssuerError, MaterialError
from reconciler.issued import OUTLIVES_HINT, outlives
from reconciler.x509 import sign_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.issuers.protocol import Order
    from reconciler.model import Certificate, IssuerSpec
    from reconciler.secret import Secret


class LocalCa:
    """See `reconciler.issuers.protocol.Issuer`. `options["open_key"]` opens the CA's private key when it is needed."""

    def __init__(self, spec: IssuerSpec) -> None:
        self.spec = spec

    def issue(self, order: Order, now: datetime) -> tuple[Certificate, ...]:
        """The certificate and those of the authority.

        Raises:
            IssuerError: the CA's key cannot be opened, or the CA is not fit to sign.
        """
        authority = self.spec.certificates[0]
        if problem := outlives(order.wanted, authority, now):
            raise IssuerError(problem, where=str(self.spec.source or ""), hint=OUTLIVES_HINT)
        open_key: Callable[[], Secret] | Any = self.spec.options["open_key"]
        try:
            private_key = open_key()
        except MaterialError as error:
            raise IssuerError(f"the key of the CA: {error.message}", where=error.where, hint=error.hint) from None
        return (sign_request(order.signing_request, order.wanted, authority, private_key, now), *self.spec.certificates)
