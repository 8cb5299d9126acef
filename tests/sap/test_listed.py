"""Certificates as the list of a tenant states them: the same facts as the certificate itself, without asking for it."""

from __future__ import annotations

from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.keystores.sap.entries import tenant_certificate
from reconciler.keystores.sap.listed import ListedCertificate, Source
from reconciler.keystores.sap.names import attributes_of, canonical, rfc4514
from reconciler.keystores.sap.odata import date_literal
from reconciler.x509 import certificate
from tests.sap.emulator.certificates import distinguished_name, facts, make
from tests.sap.emulator.keys import seeded_ec_key, seeded_key

FACTS = (
    "sha256", "subject", "issuer", "subject_attributes", "subject_key", "issuer_key", "serial", "not_before",
    "not_after", "key_algorithm", "key_size", "curve", "signature_algorithm", "version",
)  # fmt: skip
NAMES = {
    "plain": {"CommonName": "x", "Country": "DE"},
    "comma": {"CommonName": "cust.example.com", "Organization": "Example, Inc.", "Country": "DE"},
    "quotes": {"CommonName": 'a "b" c', "Organization": "back\\slash; + <x>", "Country": "DE"},
    "umlauts": {"CommonName": "Müller & Söhne", "Locality": "Köln", "State": "NRW", "Country": "DE"},
    "e-mail": {"CommonName": "x", "Country": "DE", "Email": "a@example.com"},
}


def stated(one: x509.Certificate, **changed: object) -> ListedCertificate:
    def never(alias: str, keystore: str):
        raise AssertionError("the certificate itself was asked for")

    return ListedCertificate("x", "system", tenant_certificate({**listed_facts(one), **changed}), Source(never))


def listed_facts(one: x509.Certificate) -> dict[str, object]:
    return {name: date_literal(v) if isinstance(v, datetime) else v for name, v in facts(one).items()}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("key", [seeded_ec_key(3), seeded_key(3)], ids=["EC", "RSA"])
def test_the_list_gives_the_facts_of_the_certificate(name: dict[str, str], key) -> None:
    one = make(distinguished_name(**name), key)
    listed, whole = stated(one), certificate(one.public_bytes(Encoding.DER))

    assert {fact: getattr(listed, fact) for fact in FACTS} == {fact: getattr(whole, fact) for fact in FACTS}
    assert listed.problem is None


def test_what_the_list_does_not_tell_is_asked_for_once() -> None:
    one = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(3))
    asked = []
    source = Source(lambda *place: asked.append(place) or certificate(one.public_bytes(Encoding.DER)))
    listed = ListedCertificate("x", "system", tenant_certificate(listed_facts(one)), source)

    assert (listed.subject_alt_names, listed.is_ca, listed.extended_key_usage) == ((), None, None)
    assert listed.der == one.public_bytes(Encoding.DER)
    assert asked == [("x", "system")]


def test_after_the_end_what_was_not_asked_for_stays_unknown() -> None:
    one = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(3))
    listed = stated(one)
    listed._source.closed = True

    assert (listed.subject_alt_names, listed.public_key_sha256) == (None, None)
    with pytest.raises(ReconcileError, match="was not read"):
        _ = listed.der


def test_a_certificate_that_is_another_than_listed_is_an_error() -> None:
    one = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(3))
    other = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(4))
    source = Source(lambda *_: certificate(other.public_bytes(Encoding.DER)))

    with pytest.raises(ReconcileError, match="changed while"):
        _ = ListedCertificate("x", "system", tenant_certificate(listed_facts(one)), source).der


@pytest.mark.parametrize(
    ("text", "curve"),
    [
        ("secp256r1 [NIST P-256,X9.62 prime256v1] (1.2.840.10045.3.1.7)", "secp256r1"),
        ("secp384r1", "secp384r1"),
        ("NIST P-521", "secp521r1"),
        (None, "secp256r1"),
    ],
)
def test_a_curve_is_known_by_any_of_its_names(text: str | None, curve: str) -> None:
    one = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(3))
    assert stated(one, EllipticCurve=text).curve == curve


@pytest.mark.parametrize(
    "text", ["", "CN", "CN=x,", "CN=x, 1.2.3=#0500", "CN=#0500", 'CN="x', "CN=a+OU=b", "=x", "X Y=z"]
)
def test_a_name_that_cannot_be_read_for_certain_is_not_guessed(text: str) -> None:
    assert attributes_of(text) is None


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('CN=x, OU=Unit, OU=Other, O="Example, Inc.", C=DE',
         (("CN", "x"), ("OU", "Unit"), ("OU", "Other"), ("O", "Example, Inc."), ("C", "DE"))),
        ("EMAILADDRESS=a@b.example, CN=x", (("emailAddress", "a@b.example"), ("CN", "x"))),
        ("E=a@b.example,CN=x\\, y,S=Bayern", (("emailAddress", "a@b.example"), ("CN", "x, y"), ("ST", "Bayern"))),
        ("CN=K\\C3\\B6ln", (("CN", "Köln"),)),
    ],
)  # fmt: skip
def test_names_are_read_in_every_spelling(text: str, attributes) -> None:
    assert attributes_of(text) == attributes


@given(st.text(max_size=60))
def test_no_text_is_too_odd_for_a_name(text: str) -> None:
    found = attributes_of(text)
    if found is not None:
        assert rfc4514(found)
        canonical(found)


@example("𝗔")  # which is an A only after it was put into lower case
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20))
def test_the_canonical_form_is_that_of_the_certificate(value: str) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)])
    whole = certificate(make(name, seeded_ec_key(3)).public_bytes(Encoding.DER))

    assert canonical((("CN", value),)) == whole.subject_key
    assert rfc4514((("CN", value),)) == whole.subject
