"""Which key pair is presented: as Java's key manager decides, with a real one as the judge."""

from __future__ import annotations

import base64
import ssl
import sys
from pathlib import Path

import pytest

from reconciler.errors import ReconcileError
from reconciler.secret import Secret
from reconciler.tls import client_key
from reconciler.tls.client_key import KeyPair, choose, choose_alias, load
from reconciler.tls.handshake_messages import CertificateRequest
from tests.tls import jdk
from tests.tls.pki import Draft, ca, fresh, name


def key_pair(alias: str, issued, *above) -> KeyPair:
    chain = tuple(one.certificate for one in (issued, *above))
    return KeyPair(alias, chain, lambda: Secret(issued.key_der))


ROOT_A, ROOT_B = ca("CN=Root A").issued_by(), ca("CN=Root B").issued_by()
MIDDLE = ca("CN=Middle").issued_by(ROOT_A)
# One line each: alias, issuer, chain above, kind of key.
PAIRS = [
    (alias, Draft(f"CN={alias}", key=fresh(kind)).issued_by(issuer), above)
    for alias, kind, issuer, above in [
        ("s4_client", "ec", MIDDLE, (MIDDLE,)),
        ("partner", "rsa-2048", ROOT_B, ()),
        ("zeta", "ec", ROOT_B, (ROOT_B,)),
        ("alpha", "rsa-2048", ROOT_A, ()),
        *((f"pair{number}", "ec", ROOT_A, ()) for number in range(20)),
        ("c4c", "ec", ROOT_A, ()),
    ]
]
OURS = [key_pair(alias, issued, *above) for alias, issued, above in PAIRS]


def _questions() -> list[CertificateRequest]:
    issuer_lists = [(), ("CN=Root A",), ("CN=Root B",), ("CN=root b", "CN=Nobody"), ("CN=Middle",), ("CN=Nobody",)]
    type_lists = [("EC", "RSA"), ("RSA", "EC"), ("RSA",), ("EC",), ("DSA",)]
    return [CertificateRequest(types, tuple(map(name, issuers))) for types in type_lists for issuers in issuer_lists]


def test_the_choice_is_that_of_java_s_key_manager(java):
    def text(octets: bytes) -> str:
        return base64.b64encode(octets).decode()

    def algorithm(issued) -> str:
        return "RSA" if issued.certificate.key_algorithm == "RSA" else "EC"

    keys = [
        "\t".join(
            ["key", alias, algorithm(issued), text(issued.key_der), ",".join(text(one.der) for one in (issued, *above))]
        )
        for alias, issued, above in PAIRS
    ]
    asked = ["\t".join(["ask", ",".join(one.key_types), ",".join(map(text, one.authorities))]) for one in _questions()]
    theirs = jdk.run(java, "KeyManagerOracle.java", [*keys, *asked])
    choices = [choose(OURS, request).key_pair for request in _questions()]
    assert theirs == [choice.alias if choice else "null" for choice in choices]


def test_a_choice_that_fails_says_why_for_each_key_pair():
    choice = choose(OURS[:2], CertificateRequest(("DSA",), ()))
    assert choice.key_pair is None
    assert "s4_client: the server accepts no EC keys" in choice.objection


def test_without_a_request_the_first_of_java_s_order_is_taken():
    assert choose(OURS[:1], None).key_pair is OURS[0]


def test_an_empty_keystore_has_nothing_to_choose_from():
    assert choose([], None).objection == "the keystore has no key pair"


def test_a_key_pair_by_name_is_taken_whatever_the_server_asks_for():
    choice = choose_alias(OURS, "S4_Client", CertificateRequest(("EC",), (name("CN=Root B"),)))
    assert choice.key_pair is OURS[0]
    assert choice.objection == "it was issued by none of the CAs that the server accepts"


def test_an_alias_that_is_not_there_lists_those_that_are():
    assert "key pairs: s4_client, partner" in choose_alias(OURS[:2], "nobody", None).objection


def test_the_key_and_the_whole_chain_get_into_the_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load(context, OURS[0])


def test_the_key_never_stands_in_a_file_in_clear(monkeypatch, tmp_path):
    seen = []

    class Context:
        def load_cert_chain(self, path, *, password) -> None:
            file = Path(path)
            seen.append((file, file.read_bytes(), file.stat().st_mode & 0o777, len(password)))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(client_key.tempfile, "tempdir", str(tmp_path))
    load(Context(), OURS[0])
    path, content, mode, strength = seen[0]
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert (mode, strength >= 32) == (0o600, True)
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_another_certificate_is_an_error_without_the_key_in_it():
    mixed = KeyPair("mixed", OURS[0].chain, OURS[1].private_key)
    with pytest.raises(ReconcileError, match="NO_CERTIFICATE_ASSIGNED"):
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), mixed)


def test_bytes_that_are_no_key_are_an_error():
    with pytest.raises(ReconcileError, match="cannot be used for TLS"):
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), KeyPair("x", OURS[0].chain, lambda: Secret(b"nonsense")))
