"""Signing responses in every form in which CAs send them: out come the certificates, in the order of the file.

PEM or DER of one certificate, PEM bundles, PKCS#7 (RFC 5652 SignedData without signatures: `.p7b`, `.p7c`, `.spc`) in
PEM, DER or bare base64, and PkiPath (a SEQUENCE OF Certificate, X.509 (2000), section 10). What belongs where in the
chain is decided by `reconciler.chains`, never by the order of the file.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING

from reconciler import der
from reconciler.errors import MaterialError
from reconciler.x509 import certificate, load_certificates

if TYPE_CHECKING:
    from reconciler.model import Certificate

# SAP takes 30,720 bytes; a bundle of a CA with its whole hierarchy has some 10,000.
MAX_RESPONSE = 1024 * 1024
MAX_CERTIFICATES = 100

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_PKCS7_PEM = re.compile(rb"-----BEGIN (PKCS7|CMS|PKCS #7 SIGNED DATA)-----(.*?)-----END \1-----", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_HINT = "expected PEM, DER, PKCS#7 (.p7b, .p7c, .spc) or PkiPath as the CA sent it"


def read_response(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a signing response.

    Raises:
        MaterialError: no certificates in any of the known forms, too many, or too long.
    """
    if len(data) > MAX_RESPONSE:
        raise MaterialError(f"{len(data):,} bytes are no signing response (limit: {MAX_RESPONSE:,})")
    found = _certificates(data)
    if not found:
        raise MaterialError("the signing response holds no certificate", hint=_HINT)
    if len(found) > MAX_CERTIFICATES:
        raise MaterialError(f"{len(found)} certificates in a signing response (limit: {MAX_CERTIFICATES})")
    for one in found:
        if one.problem:
            raise MaterialError(f"a certificate in it cannot be parsed: {one.problem}", hint=_HINT)
    # A CA may repeat the root or the leaf.
    return tuple({one.sha256: one for one in found}.values())


def _certificates(data: bytes) -> tuple[Certificate, ...]:
    if block := _PKCS7_PEM.search(data):
        return _from_der(_from_base64(block.group(2)))
    if b"-----BEGIN" in data:
        return load_certificates(data)
    if _BASE64.fullmatch(data) and data.strip():
        return _from_der(_from_base64(data))
    return _from_der(data)


def _from_base64(text: bytes) -> bytes:
    try:
        return a2b_base64(b"".join(text.split()), strict_mode=True)
    except Base64Error as error:
        raise MaterialError(f"broken base64 in the signing response: {error}", hint=_HINT) from None


def _from_der(data: bytes) -> tuple[Certificate, ...]:
    try:
        outer = der.read(data)
        parts = outer.expect(der.SEQUENCE, "signing response").children()
        if parts and parts[0].tag == der.OBJECT_IDENTIFIER:
            return _from_pkcs7(parts)
        # A certificate begins with its tbsCertificate, which begins with [0] or a number; a PkiPath with a certificate.
        first = parts[0].children()[0].tag if parts and parts[0].tag == der.SEQUENCE else None
        if first == der.SEQUENCE:
            # A PkiPath runs from the trust anchor to the leaf.
            return tuple(certificate(bytes(part.raw)) for part in reversed(parts))
        return (certificate(bytes(outer.raw)),)
    except (der.DerError, IndexError):
        raise MaterialError("the signing response is neither PEM nor DER", hint=_HINT) from None


def _from_pkcs7(parts: list[der.Element]) -> tuple[Certificate, ...]:
    if parts[0].oid() != _SIGNED_DATA:
        raise MaterialError("the PKCS#7 file holds no signed data, where certificates would be", hint=_HINT)
    signed_data = parts[1].inner("content").expect(der.SEQUENCE, "SignedData")
    implicit_zero = der.CONTEXT | der.CONSTRUCTED
    sets = [field for field in signed_data.children() if field.tag == implicit_zero]
    return tuple(certificate(bytes(one.raw)) for field in sets for one in field.children() if one.tag == der.SEQUENCE)
