"""The only door to cryptography's X.509: parse certificates, make keys, requests and certificates, match them."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Certificate


class X509Certificate:
    """A certificate as it came, and facts about it that are worked out only when asked for.

    Implements `reconciler.model.Certificate`. A fact that cannot be parsed is None.
    """

    def __init__(self, der: bytes) -> None:
        self.der = der


def certificate(der: bytes) -> Certificate:
    """Wrap the DER bytes of one certificate; nothing is parsed until a fact is asked for."""
    return X509Certificate(der)
