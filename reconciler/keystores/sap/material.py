"""Certificates, chains and signing requests as a tenant sends and takes them: PEM, base64 without armour, or DER."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from reconciler.der import DerError, read_all
from reconciler.keystores.sap.odata import MalformedAnswerError
from reconciler.x509 import certificate, to_pem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model import Certificate

PEM_TYPE = "application/pkix-cert"
PKCS7_TYPE = "application/pkcs7-mime"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----")
_CERTIFICATES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
_SEQUENCE = 0x30


def read_certificate(body: bytes) -> Certificate:
    """The certificate of `Certificate/$value`: PEM, base64 without armour, or DER.

    Raises:
        MalformedAnswerError: no certificate, or one that is cut short.
    """
    blocks = _unarmoured(body, "a certificate")
    return certificate(_whole(blocks[0], "a certificate"))


def read_chain(body: bytes, leaf_sha256: str | None = None) -> tuple[Certificate, ...]:
    """The chain of `ChainResource/$value`, leaf first: PKCS#7 in any of the three forms, or PEM certificates.

    A PKCS#7 file is a set without an order, so the order is made: from the leaf along the issuers.

    Args:
        body: The answer.
        leaf_sha256: The fingerprint of the leaf where it is known, which settles what a name alone may not.

    Raises:
        MalformedAnswerError: no chain, or one that is cut short.
    """
    if any(name in _CERTIFICATES for name, _ in _BLOCK.findall(body)):
        ders = _unarmoured(body, "a chain")
    else:
        ders = _from_pkcs7(_whole(_unarmoured(body, "a chain")[0], "a chain"))
    chain = tuple(certificate(_whole(der, "a certificate of the chain")) for der in ders)
    if leaf_sha256 is not None and leaf_sha256 not in {one.sha256 for one in chain}:
        raise MalformedAnswerError("the chain does not hold the certificate of the entry")
    return leaf_first(chain, leaf_sha256)


def decoded(text: object) -> bytes:
    """The bytes of a binary property.

    Raises:
        MalformedAnswerError: it is not base64.
    """
    if not isinstance(text, str) or not text:
        raise MalformedAnswerError("it holds no file")
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedAnswerError("its file is not base64") from None


def read_signing_request(body: bytes) -> bytes:
    """The PKCS#10 request of `SigningRequest/$value` as DER.

    Raises:
        MalformedAnswerError: none, or one that is cut short.
    """
    return _whole(_unarmoured(body, "a signing request")[0], "a signing request")


def leaf_first(certificates: Sequence[Certificate], leaf_sha256: str | None = None) -> tuple[Certificate, ...]:
    """The certificates along their issuers, beginning with the leaf; what is left over stands at the end."""
    rest = list({one.der: one for one in certificates}.values())
    ordered: list[Certificate] = []
    following = next((one for one in rest if one.sha256 == leaf_sha256), None) or _nobodys_issuer(rest)
    while following is not None:
        ordered.append(following)
        rest.remove(following)
        name = following.issuer_key
        following = next((one for one in rest if name is not None and one.subject_key == name), None)
    return (*ordered, *rest)


def _nobodys_issuer(certificates: Sequence[Certificate]) -> Certificate | None:
    """The certificate that issued none of the others."""
    for one in certificates:
        if one.subject_key not in {other.issuer_key for other in certificates if other is not one}:
            return one
    return certificates[0] if certificates else None


# ------------------------------------------------------------------------------------------------- sending


def pkcs7(certificates: Sequence[Certificate]) -> bytes:
    """The certificates as a PKCS#7 file in DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(one.der) for one in certificates], Encoding.DER)


def certificate_forms(one: Certificate) -> Iterable[tuple[bytes, str]]:
    """A certificate in the forms in which it can be uploaded, with their media types; what live tenants took first."""
    yield to_pem([one]), PEM_TYPE
    yield one.der, PEM_TYPE
    yield b2a_base64(one.der, newline=False), PEM_TYPE


def chain_forms(chain: Sequence[Certificate]) -> Iterable[tuple[bytes, str]]:
    """A chain in the forms in which it can be uploaded, with their media types; what live tenants took comes first."""
    yield to_pem(chain), PEM_TYPE
    yield pkcs7(chain), PKCS7_TYPE


# -------------------------------------------------------------------------------------------------- armour


def _unarmoured(body: bytes, what: str) -> list[bytes]:
    """The DER content of a body, of each PEM block where it has some."""
    if body[:1] == bytes([_SEQUENCE]):
        return [body]
    if b"-----BEGIN" in body:
        texts = [text for _, text in _BLOCK.findall(body)]
        if not texts or len(texts) != body.count(b"-----BEGIN"):
            raise MalformedAnswerError(f"{what} in PEM is cut short")
    else:
        texts = [body]
    try:
        return [a2b_base64(b"".join(text.split()), strict_mode=True) for text in texts]
    except Base64Error:
        raise MalformedAnswerError(f"it is not {what}") from None


def _whole(der: bytes, what: str) -> bytes:
    """The bytes, when they are one complete DER element."""
    try:
        read_all(der)
    except DerError:
        raise MalformedAnswerError(f"{what} is cut short or broken") from None
    if der[:1] != bytes([_SEQUENCE]):
        raise MalformedAnswerError(f"it is not {what}")
    return der


def _from_pkcs7(der: bytes) -> list[bytes]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    try:
        found = [one.public_bytes(Encoding.DER) for one in pkcs7.load_der_pkcs7_certificates(der)]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedAnswerError("its PKCS#7 file cannot be read") from None
    if not found:
        raise MalformedAnswerError("its PKCS#7 file holds no certificate")
    return found
