"""From the type of an issuer in the desired state to the code that issues."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from reconciler.errors import IssuerError

if TYPE_CHECKING:
    from reconciler.issuers.protocol import Issuer
    from reconciler.model import IssuerSpec

ISSUERS = {
    "self-signed": "reconciler.issuers.self_signed:SelfSigned",
    "local-ca": "reconciler.issuers.local_ca:LocalCa",
    "external": "reconciler.issuers.external:External",
    "command": "reconciler.issuers.command:Command",
}


def issuer_for(spec: IssuerSpec) -> Issuer:
    """The issuer that a key pair names.

    Raises:
        IssuerError: there is none of this type.
    """
    row = ISSUERS.get(spec.type)
    if row is None:
        raise IssuerError(f"there is no issuer of the type {spec.type!r}", hint=f"known types: {', '.join(ISSUERS)}")
    module, _, name = row.partition(":")
    issuer: Issuer = getattr(import_module(module), name)(spec)
    return issuer
