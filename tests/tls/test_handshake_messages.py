"""The layouts of handshake messages, and that no octets can disturb their reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.tls import handshake_messages as messages
from reconciler.tls.distinguished_names import readable_name
from tests.tls.pki import name


def vector(octets: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return len(body).to_bytes(octets, "big") + body


NAME = name("CN=Root,O=Example")


def test_a_request_of_tls_1_2_has_types_and_names():
    body = vector(1, b"\x01\x40") + vector(2, b"\x04\x03\x04\x01\x08\x07") + vector(2, vector(2, NAME))
    request = messages.certificate_request(body, 0x0303)
    assert request.key_types == ("EC", "RSA", "Ed25519")
    assert request.authorities == (NAME,)


def test_a_request_of_tls_1_2_keeps_to_the_types_it_names():
    body = vector(1, b"\x01") + vector(2, b"\x04\x03\x04\x01") + vector(2)
    assert messages.certificate_request(body, 0x0303).key_types == ("RSA",)


def test_a_request_of_tls_1_3_has_extensions():
    schemes = vector(2, vector(2, b"\x08\x04\x04\x03\x08\x09"))
    names = vector(2, vector(2, vector(2, NAME)))
    body = vector(1) + vector(2, b"\x00\x0d" + schemes + b"\x00\x2f" + names)
    request = messages.certificate_request(body, 0x0304)
    assert request.key_types == ("RSA", "EC", "RSASSA-PSS")
    assert request.authorities == (NAME,)


def test_certificates_are_read_in_both_layouts():
    assert messages.certificates(vector(3, vector(3, b"one"), vector(3, b"two")), 0x0303) == (b"one", b"two")
    entries = vector(3, vector(3, b"one") + vector(2), vector(3, b"two") + vector(2, b"xx"))
    assert messages.certificates(vector(1) + entries, 0x0304) == (b"one", b"two")


def test_an_empty_certificate_message_has_no_certificate():
    assert messages.certificates(vector(1) + vector(3), 0x0304) == ()


def test_the_version_of_a_server_hello_is_found_in_its_extension():
    hello = b"\x03\x03" + bytes(32) + vector(1) + b"\x13\x01\x00"
    assert messages.server_hello_version(hello) == 0x0303
    assert messages.server_hello_version(hello + vector(2, b"\x00\x2b\x00\x02\x03\x04")) == 0x0304


@given(body=st.binary(max_size=400), version=st.sampled_from([0x0301, 0x0303, 0x0304]))
def test_no_octets_disturb_the_reader(body, version):
    messages.certificate_request(body, version)
    messages.certificates(body, version)
    messages.server_hello_version(body)


def test_names_of_authorities_are_readable():
    assert readable_name(NAME) == "O=Example,CN=Root"
    assert readable_name(name("O=a\\b")) == "O=a\\\\b"


@given(st.binary(max_size=100))
def test_whatever_an_authority_is_called_it_can_be_shown(octets):
    assert isinstance(readable_name(octets), str)
