"""Generated key pairs: defaults, order, normalised names, and the rules that a schema cannot say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import load
from reconciler.desired.key_pairs import dns_name, email_name, ip_name, uri_name
from reconciler.errors import ReconcileError
from reconciler.model import KeySpec, RenewBefore, Source, WantedExisting, WantedKeyPair
from reconciler.x509 import generate_private_key, self_signed, to_pem
from tests.desired.authorities import CA, ROOT

if TYPE_CHECKING:
    from tests.desired.conftest import Repository


def pair(repository: Repository, more: str = "") -> WantedKeyPair:
    wanted = repository.wanted("keyPairs:\n  a:\n    subject: {commonName: x}\n" + more)
    assert isinstance(wanted, WantedKeyPair)
    return wanted


def test_what_is_left_out_has_the_documented_default(repository: Repository) -> None:
    wanted = pair(repository)

    assert wanted.key == KeySpec("RSA", size=3072)
    assert wanted.subject == (("CN", "x"),)
    assert wanted.subject_alt_names == ()
    assert wanted.extended_key_usage == ("clientAuth",)
    assert wanted.validity == timedelta(days=365)
    assert wanted.renew_before == RenewBefore(share=0.33)
    assert wanted.rekey is True
    assert wanted.issuer.type == "self-signed"
    assert wanted.activation == "automatic"
    assert wanted.replace_key is None
    assert str(wanted.source) == "keystore.yaml:4:3"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{algorithm: RSA}", KeySpec("RSA", size=3072)),
        ("{algorithm: RSA, size: 4096}", KeySpec("RSA", size=4096)),
        ("{algorithm: EC}", KeySpec("EC", curve="secp256r1")),
        ("{algorithm: EC, curve: secp521r1}", KeySpec("EC", curve="secp521r1")),
        ("{algorithm: Ed25519}", KeySpec("Ed25519")),
    ],
)
def test_a_key_is_what_the_file_says(repository: Repository, written: str, expected: KeySpec) -> None:
    assert pair(repository, f"    key: {written}\n").key == expected


def test_the_subject_goes_from_the_general_to_the_specific_whatever_the_order_of_the_file(
    repository: Repository,
) -> None:
    wanted = repository.wanted("""\
        keyPairs:
          a:
            subject:
              commonName: x
              email: a@b.example
              organizationalUnit: [IT, Integration]
              country: de
              organization: NO
              locality: Walldorf
              state: Baden-Württemberg
        """)
    assert isinstance(wanted, WantedKeyPair)

    assert wanted.subject == (
        ("C", "DE"),
        ("ST", "Baden-Württemberg"),
        ("L", "Walldorf"),
        ("O", "NO"),
        ("OU", "IT"),
        ("OU", "Integration"),
        ("CN", "x"),
        ("emailAddress", "a@b.example"),
    )


def test_a_certificate_made_of_it_says_the_same_as_the_file(repository: Repository) -> None:
    wanted = repository.wanted("""\
        keyPairs:
          a:
            key: {algorithm: EC}
            subject: {commonName: Müller, organization: Example, country: de, email: a@b.example, organizationalUnit: X}
            subjectAltNames:
              dns: [CPI.example.com, "*.Example.org"]
              ip: [192.0.2.1, "2001:DB8:0::1"]
              email: [Integration@Example.COM]
              uri: ["https://example.com/Id"]
            extendedKeyUsage: [clientAuth, serverAuth, 1.3.6.1.5.5.7.3.4, 1.3.6.1.4.1.311.20.2.2]
        """)
    assert isinstance(wanted, WantedKeyPair)
    certificate = self_signed(generate_private_key(wanted.key), wanted, datetime(2026, 1, 1, tzinfo=UTC))

    assert certificate.subject_attributes == wanted.subject
    assert certificate.subject is not None
    assert certificate.subject.startswith("emailAddress=a@b.example,CN=Müller,OU=X,O=Example,C=DE")
    assert certificate.subject_alt_names == wanted.subject_alt_names
    assert certificate.extended_key_usage == wanted.extended_key_usage
    assert wanted.extended_key_usage[2:] == ("emailProtection", "1.3.6.1.4.1.311.20.2.2")


def test_a_common_name_longer_than_a_certificate_holds_is_refused_in_bytes_too(repository: Repository) -> None:
    [problem] = repository.problems_in(f"keyPairs: {{a: {{subject: {{commonName: {'ä' * 33}}}}}}}")

    assert problem.message == "`keyPairs.a.subject.commonName` takes 66 bytes in UTF-8; a certificate holds 64"


def test_an_empty_list_of_usages_leaves_the_extension_out(repository: Repository) -> None:
    assert pair(repository, "    extendedKeyUsage: []\n").extended_key_usage == ()


def test_a_name_that_is_given_twice_counts_once(repository: Repository) -> None:
    names = pair(
        repository, "    subjectAltNames: {dns: [A.example, a.example], ip: ['::1', '0::1']}\n"
    ).subject_alt_names

    assert names == ("DNS:a.example", "IP:::1")


def test_a_key_that_may_be_thrown_away_is_named_by_its_certificate(repository: Repository) -> None:
    assert pair(repository, f"    replaceKey: {'AB:' * 31}AB\n").replace_key == "ab" * 32


def test_a_renewal_that_waits_for_approval_names_the_certificate_that_may_take_over(repository: Repository) -> None:
    wanted = pair(repository, f"    activation: approved\n    activate: {'AB:' * 31}AB\n")

    assert (wanted.activation, wanted.activate) == ("approved", "ab" * 32)
    assert pair(repository, "    activation: approved\n").activate is None


def test_further_certificates_for_the_chain_come_in_any_form_each_once(repository: Repository) -> None:
    repository.write("chain/a.pem", to_pem([CA, ROOT]))
    repository.write("chain/b.der", ROOT.der)
    repository.write("chain/c.p7b", pkcs7.serialize_certificates([load_der_x509_certificate(CA.der)], Encoding.DER))
    wanted = pair(repository, "    chain: [chain/a.pem, chain/b.der, chain/c.p7b]\n")

    assert wanted.chain == (CA, ROOT)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("missing.pem", None, "missing.pem cannot be read: there is no such file"),
        ("../x.pem", None, "../x.pem lies outside the repository"),
        ("x.pem", b"", "x.pem is no file with certificates"),
        ("x.pem", b"hello", "x.pem is no file with certificates"),
        ("x.pem", b"\x30\x03\x02\x01\x05", "x.pem is no file with certificates"),
        ("x.pem", b"\x30\x80" * 9999, "x.pem is no file with certificates"),
    ],
)
def test_a_file_of_the_chain_that_is_none_is_said_at_its_place(
    repository: Repository, file: str, content: bytes | None, message: str
) -> None:
    repository.write("ok.pem", to_pem([CA]))
    if content is not None:
        repository.write(file, content)
    [problem] = repository.problems_in(f"keyPairs: {{a: {{subject: {{commonName: x}}, chain: [ok.pem, {file}]}}}}")

    assert problem.message.startswith(f"`keyPairs.a.chain[1]`: {message}")
    assert str(problem.source) == "keystore.yaml:3:58"


def test_a_key_pair_may_be_watched_only(repository: Repository) -> None:
    repository.write(
        "keystore.yaml",
        "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x}\nkeyPairs:\n  a: {existing: true}\n"
        f"  b: {{existing: true, sha256: '{'AB:' * 31}AB', renewBefore: 30d}}\n",
    )
    # Nothing is written, so the keystore needs no password.
    assert load("keystore.yaml").wanted == (
        WantedExisting("a", Source("keystore.yaml", 4, 3), None, RenewBefore(share=0.33)),
        WantedExisting("b", Source("keystore.yaml", 5, 3), "ab" * 32, RenewBefore(duration=timedelta(days=30))),
    )


def test_a_watched_key_pair_in_two_files_counts_once_and_is_no_other(repository: Repository) -> None:
    repository.write("x.yaml", "\nkeyPairs: {a: {existing: true}}")
    state = repository.state("include: [x.yaml]\nkeyPairs: {a: {existing: true}}")

    assert len(state.wanted) == 1
    for other in ("{existing: true, renewBefore: 1d}", "{subject: {commonName: x}}"):
        [problem] = repository.problems_in(f"include: [x.yaml]\nkeyPairs: {{a: {other}}}")
        assert "means something else here than in keystore.yaml, line 4" in problem.message


def test_the_time_of_a_watched_key_pair_is_checked(repository: Repository) -> None:
    [problem] = repository.problems_in("keyPairs: {a: {existing: true, renewBefore: 99999999d}}")

    assert problem.message == "`keyPairs.a.renewBefore`: must lie between 1m and 36525d"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("validity: 30d, renewBefore: 30d", "`keyPairs.a.renewBefore` must be shorter than the validity (30d): otherwise every run renews"),
        ("validity: 30d, renewBefore: 721h", "`keyPairs.a.renewBefore` must be shorter than the validity (30d): otherwise every run renews"),
        ("renewBefore: 400d", "`keyPairs.a.renewBefore` must be shorter than the validity (365d, the default): otherwise every run renews"),
        ("validity: 36526d", "`keyPairs.a.validity` must lie between 1m and 36525d"),
        ("extendedKeyUsage: [1.40.3]", "`keyPairs.a.extendedKeyUsage[0]` is '1.40.3': must be an object identifier; below 0 and 1 the second number is at most 39"),
        ("subjectAltNames: {dns: [ok.example, 'bücher.example']}", "`keyPairs.a.subjectAltNames.dns[1]` is 'bücher.example': must be ASCII"),
    ],
)  # fmt: skip
def test_what_the_schema_cannot_say_is_said(repository: Repository, more: str, message: str) -> None:
    [problem] = repository.problems_in(f"keyPairs: {{a: {{subject: {{commonName: x}}, {more}}}}}")

    assert problem.message == message


# ------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (dns_name, "Example.COM", "DNS:example.com"),
        (dns_name, "localhost", "DNS:localhost"),
        (dns_name, "*.example.com", "DNS:*.example.com"),
        (dns_name, "my_host.internal", "DNS:my_host.internal"),
        (dns_name, "XN--BCHER-KVA.example", "DNS:xn--bcher-kva.example"),
        (ip_name, "192.0.2.1", "IP:192.0.2.1"),
        (ip_name, "2001:DB8::0:1", "IP:2001:db8::1"),
        (email_name, "First.Last@Example.com", "email:First.Last@example.com"),
        (uri_name, "HTTPS://Example.com/A", "URI:HTTPS://Example.com/A"),
        (uri_name, "urn:uuid:1", "URI:urn:uuid:1"),
    ],
)
def test_names_are_normalised_as_far_as_case_does_not_count(read, text: str, expected: str) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((dns_name, t) for t in ["", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a b", "*", "*.com", "a.*.b", "*a.b.c", "1.2.3.4", "x" * 64 + ".a", "a." * 130 + "b", "a:443", "https://a", "a\n"]),
        *((ip_name, t) for t in ["", "1.2.3", "1.2.3.4/24", "fe80::1%eth0", "01.2.3.4", "example.com"]),
        *((email_name, t) for t in ["", "a", "@b.c", "a@", "a@b@c", "a b@c.d", "ä@b.c", "a@*.b.c", "a@[1.2.3.4]"]),
        *((uri_name, t) for t in ["", "/path", "example.com", "https://ä.example", "https://a b", ":x"]),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(read, text: str) -> None:
    with pytest.raises(ReconcileError):
        read(text)


@given(st.sampled_from([dns_name, ip_name, email_name, uri_name]), st.text(max_size=40))
def test_any_text_is_a_name_or_an_error(read, text: str) -> None:
    try:
        name = read(text)
    except ReconcileError:
        return
    assert read(name.partition(":")[2]) == name
