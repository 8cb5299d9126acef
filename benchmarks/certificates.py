"""Certificates as large as real ones, for the keystores that are measured on."""

from __future__ import annotations

import datetime as dt
import json
import sys
from itertools import cycle
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_FROM = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_UNTIL = dt.datetime(2049, 1, 1, tzinfo=dt.UTC)


def write_certificates(directory: Path, entries: int, key_pairs: int) -> dict[str, str]:
    """Certificates as large as real roots are; the alias of each with its SHA-256."""
    directory.mkdir()
    keys = cycle([rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())] * 2)
    written = {}
    for number in range(entries - key_pairs):
        alias = f"root{number:05}"
        name = x509.Name([
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Example Trust Services {number % 97}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Example Root CA {number}"),
        ])  # fmt: skip
        written[alias] = _write(directory / f"{alias}.der", next(keys), name, is_ca=True)
    for number in range(key_pairs):
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"client{number}.example.com")])
        written[f"client{number}"] = _write(directory / f"client{number}.der", key, name, is_ca=False)
        content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        (directory / f"client{number}.key").write_bytes(content)
    return written


def _write(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: x509.Name, *, is_ca: bool) -> str:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if is_ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    else:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    path.write_bytes(certificate.public_bytes(Encoding.DER))
    return certificate.fingerprint(hashes.SHA256()).hex()


if __name__ == "__main__":
    print(json.dumps(write_certificates(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
