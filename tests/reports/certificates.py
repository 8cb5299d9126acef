"""Real certificates that are the same bytes on every run: Ed25519 signs without chance, and nothing else signs here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.x509 import X509Certificate
from tests.builders import NOW


@dataclass(frozen=True)
class Issuer:
    name: x509.Name
    key: ed25519.Ed25519PrivateKey


def signing_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def distinguished_name(common_name: str, organization: str = "Example", country: str = "DE") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def public_key(kind: str, seed: str) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
    number = int.from_bytes(sha256(seed.encode()).digest(), "big")
    match kind:
        case "EC":
            return ec.derive_private_key(number % (2**255) + 1, ec.SECP256R1()).public_key()
        case "Ed25519":
            return signing_key(seed).public_key()
        case _:
            # Nobody has the private half: a modulus of the right length is enough to be certified.
            size = int(kind.removeprefix("RSA "))
            return rsa.RSAPublicNumbers(65537, (1 << (size - 1)) | (number << 8) | 1).public_key()


@cache
def certificate(
    common_name: str,
    *,
    issued_by: str | None = None,
    key: str = "Ed25519",
    seed: str | None = None,
    days: float = 265,
    age: float = 100,
    names: tuple[str, ...] = (),
    is_ca: bool = False,
    serial: int | None = None,
    organization: str = "Example",
    now: datetime = NOW,
) -> X509Certificate:
    """A certificate of `common_name`, self-signed, or by the authority called `issued_by`."""
    subject = distinguished_name(common_name, organization)
    signer = signing_key(issued_by or seed or common_name)
    own = public_key("Ed25519" if issued_by is None else key, seed or common_name)
    number = int.from_bytes(sha256(repr((common_name, issued_by, seed, days)).encode()).digest()[:16], "big")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(distinguished_name(issued_by) if issued_by else subject)
        .public_key(own)
        .serial_number(serial or number)
        .not_valid_before(now - timedelta(days=age))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return X509Certificate(builder.sign(signer, None).public_bytes(Encoding.DER))


def authority(common_name: str, *, days: float = 3000, issued_by: str | None = None) -> X509Certificate:
    return certificate(common_name, is_ca=True, days=days, age=700, issued_by=issued_by)
