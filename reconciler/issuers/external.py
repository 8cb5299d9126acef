"""An authority that answers later: the signing request is put into the repository, and the answer comes there."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import IssuerError
from reconciler.words import subject_text
from reconciler.x509 import request_to_pem

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.issuers.protocol import Order
    from reconciler.model import IssuerSpec


class External:
    """See `reconciler.issuers.protocol.Issuer`."""

    def __init__(self, spec: IssuerSpec) -> None:
        self.spec = spec

    def issue(self, order: Order, now: datetime) -> None:
        """Write the signing request in PEM to `request:`; what lies there is replaced in one step.

        Raises:
            IssuerError: it cannot be written.
        """
        letters = order.wanted.correspondence
        if letters is None:
            raise IssuerError("the desired state does not say where the signing request goes")
        try:
            _write(Path(letters.request_path), _noted(order, now) + request_to_pem(order.signing_request))
        except OSError as error:
            raise IssuerError(
                f"the signing request cannot be written: {(error.strerror or 'error').lower()}",
                where=letters.request_shown,
                hint="the keystore is ready; make the directory writable and run again, or use `reconcile csr`",
            ) from None


def _noted(order: Order, now: datetime) -> bytes:
    """What people and the next run want to know of the request, above it (RFC 7468, section 2: explanatory text)."""
    notes = {
        "Signing request": order.wanted.alias,
        "Subject": subject_text(order.wanted.subject),
        "Requested": f"{now:%Y-%m-%d}",
    }
    if order.renews is not None:
        notes["Renews"] = order.renews.sha256
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in notes.items()).encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # A signing request is public: it goes to a CA and into git.
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
