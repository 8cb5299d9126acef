"""What a tenant says about its keystore, as frozen values; a field that is missing or unreadable is None."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.keystores.sap.aliases import from_hexalias
from reconciler.keystores.sap.odata import MalformedAnswerError, integer, moment, text
from reconciler.model import EntryKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# What a list asks for: everything but the two fingerprints that nobody compares, a third of the answer's bytes.
SELECTED = (
    "Hexalias", "Alias", "KeyType", "KeySize", "ValidNotBefore", "ValidNotAfter", "SerialNumber",
    "SignatureAlgorithm", "EllipticCurve", "Validity", "SubjectDN", "IssuerDN", "Version", "FingerprintSha256",
    "Type", "Owner", "LastModifiedBy", "LastModifiedTime", "CreatedBy", "CreatedTime", "Status",
)  # fmt: skip
_KINDS = {"keypair": EntryKind.KEY_PAIR, "certificate": EntryKind.TRUSTED_CERTIFICATE}
_SERIAL = re.compile(r"0[xX][0-9A-Fa-f]{1,128}")
_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class TenantCertificate:
    """Facts about one certificate as the tenant states them; the names are in SAP's spelling, to be shown only."""

    subject: str | None
    issuer: str | None
    serial: int | None
    not_before: datetime | None
    not_after: datetime | None
    key_type: str | None
    key_size: int | None
    curve: str | None
    signature_algorithm: str | None
    version: int | None
    sha256: str | None  # lower-case hexadecimal without colons
    sha1: str | None
    validity: str | None


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """One entry of a keystore of the tenant; for a key pair the certificate is its leaf."""

    alias: str
    kind: EntryKind
    owner: str | None
    certificate: TenantCertificate
    status: str | None
    created_by: str | None
    created_at: datetime | None
    modified_by: str | None
    modified_at: datetime | None

    @property
    def not_imported(self) -> str | None:
        """Why a write left this entry out, from its `Status` (`notImported: …`); None when it did not."""
        if self.status is None or not self.status.lower().startswith("notimported"):
            return None
        return self.status.partition(":")[2].strip() or self.status


@dataclass(frozen=True, slots=True)
class ChainCertificate:
    """One certificate of a key pair's chain; index 0 is the top."""

    index: int
    certificate: TenantCertificate


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A SAP key that was replaced."""

    entry: TenantEntry
    original_alias: str | None
    sequence: int | None
    active_from: datetime | None
    active_until: datetime | None
    activated_by: str | None
    deactivated_by: str | None


@dataclass(frozen=True, slots=True)
class KeystoreState:
    """A keystore as a whole: who changed it last, when, and how many entries it has."""

    name: str
    modified_by: str | None
    modified_at: datetime | None
    size: int | None


def tenant_entry(item: Mapping[str, Any]) -> TenantEntry:
    """One element of a list of entries.

    Raises:
        MalformedAnswerError: it has no alias: such an entry can be neither shown nor compared.
    """
    return TenantEntry(
        alias=_alias(item),
        kind=_kind(text(item.get("Type")) or ""),
        owner=text(item.get("Owner")),
        certificate=tenant_certificate(item),
        status=text(item.get("Status")),
        created_by=text(item.get("CreatedBy")),
        created_at=moment(item.get("CreatedTime")),
        modified_by=text(item.get("LastModifiedBy")),
        modified_at=moment(item.get("LastModifiedTime")),
    )


def tenant_certificate(item: Mapping[str, Any]) -> TenantCertificate:
    """The certificate part that entries and chain certificates share."""
    return TenantCertificate(
        subject=text(item.get("SubjectDN")),
        issuer=text(item.get("IssuerDN")),
        serial=_serial(item.get("SerialNumber")),
        not_before=moment(item.get("ValidNotBefore")),
        not_after=moment(item.get("ValidNotAfter")),
        key_type=text(item.get("KeyType")),
        key_size=integer(item.get("KeySize")),
        curve=text(item.get("EllipticCurve")),
        signature_algorithm=text(item.get("SignatureAlgorithm")),
        version=integer(item.get("Version")),
        sha256=fingerprint(item.get("FingerprintSha256"), 64),
        sha1=fingerprint(item.get("FingerprintSha1"), 40),
        validity=text(item.get("Validity")),
    )


def chain_certificate(item: Mapping[str, Any]) -> ChainCertificate:
    """One element of `ChainCertificates`.

    Raises:
        MalformedAnswerError: it does not say its place in the chain.
    """
    index = integer(item.get("Index"))
    if index is None:
        raise MalformedAnswerError("a certificate of the chain has no index")
    return ChainCertificate(index, tenant_certificate(item))


def history_entry(item: Mapping[str, Any]) -> HistoryEntry:
    """One element of `HistoryKeystoreEntries`."""
    return HistoryEntry(
        entry=tenant_entry(item),
        original_alias=text(item.get("OriginalAlias")),
        sequence=integer(item.get("ActivationSequenceNumber")),
        active_from=moment(item.get("ActiveFrom")),
        active_until=moment(item.get("ActiveUntil")),
        activated_by=text(item.get("ActivatedBy")),
        deactivated_by=text(item.get("DeactivatedBy")),
    )


def keystore_state(item: Mapping[str, Any], name: str) -> KeystoreState:
    """The properties of `Keystores('…')`."""
    return KeystoreState(
        name=text(item.get("Name")) or name,
        modified_by=text(item.get("LastModifiedBy")),
        modified_at=moment(item.get("LastModifiedTime")),
        size=integer(item.get("Size")),
    )


def fingerprint(value: object, digits: int) -> str | None:
    """A fingerprint as lower-case hexadecimal; None when it is none of that length."""
    if not isinstance(value, str):
        return None
    plain = value.replace(":", "").replace(" ", "").lower()
    return plain if len(plain) == digits and set(plain) <= _HEX_DIGITS else None


def _kind(stated: str) -> EntryKind:
    """`Key Pair` or `Certificate`; capitals and what stands between the words do not count."""
    return _KINDS.get("".join(filter(str.isalpha, stated)).lower(), EntryKind.OTHER)


def _alias(item: Mapping[str, Any]) -> str:
    alias = text(item.get("Alias")) or from_hexalias(text(item.get("Hexalias")) or "")
    if not alias:
        raise MalformedAnswerError("an entry in it has no alias")
    return alias


def _serial(value: object) -> int | None:
    if isinstance(value, str) and _SERIAL.fullmatch(value.strip()):
        return int(value.strip(), 16)
    return None
