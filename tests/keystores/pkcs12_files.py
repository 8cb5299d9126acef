"""PKCS#12 files put together bag by bag, and the keys and certificates to put into them."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from functools import cache

from cryptography import x509 as crypto_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from reconciler import der, x509
from reconciler.keystores.pkcs12_bags import certificate_bag, key_bag, read_bag
from reconciler.keystores.pkcs12_crypto import Passphrase, java_encryption, protect_key
from reconciler.keystores.pkcs12_mac import java_mac
from reconciler.keystores.pkcs12_pfx import Envelope, Pfx, Safe, encode_pfx
from reconciler.secret import Secret
from tests.builders import NOW
from tests.conftest import CORPUS

PASSWORD = Secret("changeit")
KINDS = {
    "trusted-certificate": "trustedCertEntry",
    "key-pair": "PrivateKeyEntry",
    "secret-key": "SecretKeyEntry",
}


@cache
def key(name):
    """A private key, one for each name."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def pkcs8(name):
    return Secret(key(name).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@cache
def certificate(subject, issuer=None, *, by=None, of=None, ski=None, aki=None, serial=1):
    """A certificate for the key `of` signed by the key `by`; names say which, and the subject's key is the default.

    `ski` and `aki` name the key whose identifier stands in the extension.
    """
    issuer = issuer or subject
    of, by = of or subject, by or issuer
    builder = (
        crypto_x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key(of).public_key())
        .serial_number(serial)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(crypto_x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if ski:
        builder = builder.add_extension(_identifier(ski), critical=False)
    if aki:
        identifier = crypto_x509.AuthorityKeyIdentifier(_identifier(aki).digest, None, None)
        builder = builder.add_extension(identifier, critical=False)
    return x509.certificate(builder.sign(key(by), hashes.SHA256()).public_bytes(Encoding.DER))


def _name(text):
    common = crypto_x509.NameAttribute(NameOID.COMMON_NAME, text)
    return crypto_x509.Name([crypto_x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), common])


def _identifier(name):
    return crypto_x509.SubjectKeyIdentifier.from_public_key(key(name).public_key())


@cache
def protected(name="pair", password="changeit"):
    return protect_key(pkcs8(name).reveal(), Passphrase(Secret(password)))


def shrouded(name, key_id, of="pair"):
    """The bag of a private key; a name or localKeyID of None is left out."""
    bag = key_bag(protected(of), name="x" if name is None else name, key_id=b"x" if key_id is None else key_id)
    return _without(bag, [b"\x14"] * (name is None) + [b"\x15"] * (key_id is None))


def leaf(one, name=None, key_id=None):
    return certificate_bag(one, name=name, key_id=key_id)


def trusted(one, name=None, key_id=None):
    return certificate_bag(one, name=name, key_id=key_id, trusted=True)


def plain_key(name, key_id, of="pair"):
    """A plain key bag as `openssl pkcs12 -keypbe NONE` writes it."""
    bag = shrouded(name, key_id, of)
    head = der.object_identifier("1.2.840.113549.1.12.10.1.1")
    attributes = [element.raw for element in der.read(bag.raw).children()[2:]]
    return read_bag(der.sequence(head, der.explicit(0, pkcs8(of).reveal()), *attributes))


def other_bag(oid, value=b"", name=None):
    attributes = [] if name is None else [der.set_in_order(attribute("1.2.840.113549.1.9.20", der.bmp_string(name)))]
    return read_bag(der.sequence(der.object_identifier(oid), der.explicit(0, value or der.null()), *attributes))


def attribute(oid, *values):
    return der.sequence(der.object_identifier(oid), der.set_in_order(*values))


def _without(bag, endings):
    """The bag without the attributes whose object identifier ends so."""
    first, second, *rest = der.read(bag.raw).children()
    kept = [a.raw for element in rest for a in element.children() if a.children()[0].content[-1:] not in endings]
    attributes = [der.set_in_order(*kept)] if kept else []
    return read_bag(der.sequence(first.raw, second.raw, *attributes))


def file_of(*safes, mac=True, encrypted=False, password=PASSWORD):
    """A PKCS#12 file: each argument is the list of bags of one ContentInfo."""
    envelope = Envelope(java_encryption()) if encrypted else None
    pfx = Pfx(tuple(Safe(tuple(bags), envelope) for bags in safes), java_mac() if mac else None)
    return encode_pfx(pfx, Passphrase(password), reuse=False)


def shape(snapshot):
    """What can be compared with Java: kind and chain by alias."""
    return {one.alias: (KINDS[one.kind], tuple(c.sha256 for c in one.chain)) for one in snapshot.entries}


def shape_in_java(view):
    assert view.error is None, view.error
    return {alias: (one.kind, one.chain) for alias, one in view.entries.items()}


@cache
def records():
    """The PKCS#12 files of the corpus."""
    files = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))["files"]
    return {record["file"].removeprefix("files/"): record for record in files if record["format"] == "PKCS12"}


@cache
def corpus_file(name):
    return (CORPUS / "files" / name).read_bytes()


def corpus_password(name):
    password = records()[name]["store_password"]
    return None if password is None else Secret(password)


def openssl_counts(openssl, path, password):
    """How many certificates and private keys OpenSSL finds."""
    run = subprocess.run(
        [openssl, "pkcs12", "-in", path, "-nodes", "-passin", "env:STOREPASS", "-legacy"],
        capture_output=True,
        text=True,
        errors="replace",  # names in an encoding of their own
        check=False,
        env={"STOREPASS": "" if password is None else password.text()},
    )
    if run.returncode:
        return None
    return run.stdout.count("BEGIN CERTIFICATE"), run.stdout.count("PRIVATE KEY-----\n") // 2
