"""CAs for tests: certificates with the extensions of a CA, and what they sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from reconciler.x509 import certificate

if TYPE_CHECKING:
    from reconciler.model import Certificate

Key = ec.EllipticCurvePrivateKey
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY, ROOT_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


def certified(
    name: str, key: Key, issuer: str, issuer_key: Key, *, ca: bool | None = True, signs: bool = True
) -> Certificate:
    def as_name(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])

    builder = x509.CertificateBuilder().subject_name(as_name(name)).issuer_name(as_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(START).not_valid_after(START + timedelta(days=7300))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not signs:
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = builder.add_extension(usage, critical=True)
    return certificate(builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER))


ROOT = certified("Root", ROOT_KEY, "Root", ROOT_KEY)
CA = certified("Issuing CA", KEY, "Root", ROOT_KEY)


def key_pem(key: Key = KEY, password: str | None = None) -> bytes:
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def key_store(password: str, *certificates: Certificate, key: Key = KEY) -> bytes:
    """A PKCS#12 file with the entry `ca`."""
    loaded = [x509.load_der_x509_certificate(one.der) for one in certificates]
    return pkcs12.serialize_key_and_certificates(
        b"ca", key, loaded[0], loaded[1:], BestAvailableEncryption(password.encode())
    )
