"""A malformed extension of a certificate does not hide the others."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from reconciler.der import DerError
from reconciler.lone_extension import with_only
from reconciler.x509 import X509Certificate

KEY = ec.generate_private_key(ec.SECP256R1())
# What a parser takes for an extension of another form than its own.
MALFORMED = b"\x30\x03\x02\x01"
SAN, USAGE, POLICIES = "2.5.29.17", "2.5.29.15", "2.5.29.32"


def certificate(*malformed: str) -> bytes:
    """One with names, usages and basic constraints, apart from those that are malformed."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    good: list[x509.ExtensionType] = [
        x509.SubjectAlternativeName([x509.DNSName("example.com")]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectKeyIdentifier(b"12345678"),
    ]
    for one in good:
        if one.oid.dotted_string not in malformed:
            builder = builder.add_extension(one, critical=False)
    for oid in malformed:
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(oid), MALFORMED), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("malformed", [USAGE, POLICIES])
def test_the_others_are_read(malformed):
    one = X509Certificate(certificate(malformed))
    assert one.problem is None
    assert one.subject_alt_names == ("DNS:example.com",)
    assert one.extended_key_usage == ("clientAuth",)
    assert (one.is_ca, one.subject_key_identifier, one.key_usage) == (False, b"12345678", None)


def test_the_malformed_one_is_not_known():
    one = X509Certificate(certificate(SAN))
    assert (one.subject_alt_names, one.extended_key_usage) == ((), ("clientAuth",))


@pytest.mark.parametrize("data", ["3000", "30083006a30430023000"])
def test_a_certificate_that_is_none_is_told(data):
    with pytest.raises(DerError):
        with_only(bytes.fromhex(data), SAN)


def test_what_is_not_there_is_not_made_up():
    assert with_only(certificate(), USAGE) is None


def test_the_rest_of_the_certificate_is_what_it_was():
    given = certificate()
    whole, alone = (x509.load_der_x509_certificate(one) for one in (given, with_only(given, SAN) or b""))
    assert [one.oid.dotted_string for one in alone.extensions] == [SAN]
    assert (alone.subject, alone.serial_number, alone.signature) == (whole.subject, 1, whole.signature)


@given(st.integers(0, 400), st.binary(max_size=3))
def test_whatever_the_bytes_are_nothing_else_than_our_error_comes_out(place, octets):
    data = bytearray(certificate(USAGE))
    data[place : place + len(octets)] = octets
    with suppress(DerError):
        with_only(bytes(data), SAN)
    X509Certificate(bytes(data)).extended_key_usage  # noqa: B018  # it may say anything, and must not fail
