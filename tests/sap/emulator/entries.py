"""Entries of an emulated keystore as frozen values, and their properties in SAP's names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.sap.emulator.certificates import facts, public_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography import x509

    from tests.sap.emulator.keys import PrivateKey

SAP = "SAP"
TENANT = "Tenant Administrator"
KEY_PAIR = "Key Pair"
CERTIFICATE = "Certificate"
RESERVED_NAMES = ("hcicertificate", "hcicertificate1", "hcimsgcertificate")
RESERVED_PREFIX = "sap_"


def is_reserved(alias: str) -> bool:
    """Whether the service keeps the alias for SAP."""
    return alias.lower().startswith(RESERVED_PREFIX) or alias.lower() in RESERVED_NAMES


def why_reserved(alias: str) -> str:
    """The service's words for it."""
    if alias.lower() in RESERVED_NAMES:
        return f"The alias is not allowed. The alias '{alias.lower()}' is reserved for SAP."
    return "The alias is not allowed. Aliases starting with 'sap_' are reserved for SAP."


def hexalias(alias: str) -> str:
    return alias.encode().hex().upper()


@dataclass(frozen=True)
class StoredEntry:
    """One entry; the chain is leaf first, and a key makes it a key pair."""

    alias: str
    chain: tuple[x509.Certificate, ...]
    owner: str
    created_by: str
    created_at: datetime
    modified_by: str
    modified_at: datetime
    key: PrivateKey | None = None
    request_hash: str = "SHA512"

    @property
    def type(self) -> str:
        return KEY_PAIR if self.key is not None else CERTIFICATE

    @property
    def is_sap(self) -> bool:
        return self.owner == SAP or is_reserved(self.alias)

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def public_key(self) -> bytes:
        return public_bytes(self.leaf)

    @property
    def size(self) -> int:
        """Bytes that the entry roughly takes in the keystore file."""
        key = 0 if self.key is None else self.key.key_size
        return key + sum(len(public_bytes(certificate)) + 600 for certificate in self.chain)

    def renamed(self, alias: str) -> StoredEntry:
        return replace(self, alias=alias)

    def properties(self, status: str = "unchanged") -> dict[str, Any]:
        """The properties of the type `KeystoreEntry`."""
        anonymous = self.owner == SAP
        return {
            "Hexalias": hexalias(self.alias),
            "Alias": self.alias,
            **facts(self.leaf),
            "Type": self.type,
            "Owner": self.owner,
            "LastModifiedBy": SAP if anonymous else self.modified_by,
            "LastModifiedTime": self.modified_at,
            "CreatedBy": SAP if anonymous else self.created_by,
            "CreatedTime": self.created_at,
            "Status": status,
        }

    def chain_properties(self) -> list[dict[str, Any]]:
        """The properties of the type `ChainCertificate`: index 0 is the root, the highest one the leaf."""
        return [
            {
                "Hexalias": hexalias(self.alias),
                "Index": index,
                "Alias": self.alias,
                **_without_curve(facts(certificate)),
            }
            for index, certificate in enumerate(reversed(self.chain))
        ]


@dataclass(frozen=True)
class HistoryEntry:
    """A SAP key that was replaced."""

    entry: StoredEntry  # under its original alias
    sequence: int
    active_from: datetime
    active_until: datetime
    activated_by: str
    deactivated_by: str

    @property
    def alias(self) -> str:
        return f"[{self.sequence}]_{self.entry.alias}"

    def properties(self) -> dict[str, Any]:
        return {
            **self.entry.renamed(self.alias).properties(),
            "ActivatedBy": self.activated_by,
            "DeactivatedBy": self.deactivated_by,
            "ActiveFrom": self.active_from,
            "ActiveUntil": self.active_until,
            "ActivationSequenceNumber": self.sequence,
            "OriginalAlias": self.entry.alias,
        }


def _without_curve(properties: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in properties.items() if name != "EllipticCurve"}
