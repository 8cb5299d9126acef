"""Host names: what Java accepts is in the oracle's cases; here is what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.host_names import HostNameVerdict, host_name_verdict, literal_address
from reconciler.x509 import certificate
from tests.tls.pki import Draft, alternative_names


def leaf(*names: str, subject: str = "CN=server.example"):
    extensions = (alternative_names(*names),) if names else ()
    return Draft(subject, extensions=extensions).issued_by().certificate


@pytest.mark.parametrize(
    ("names", "host", "code", "matched", "warnings"),
    [
        (("DNS:server.example",), "server.example", "ok", "server.example", set()),
        (("DNS:server.example",), "server.example.", "ok", "server.example", set()),
        (("DNS:*.example",), "server.example", "ok", "*.example", {"broad-wildcard"}),
        (("DNS:*.a.example",), "server.a.example", "ok", "*.a.example", set()),
        (("DNS:s*.a.example",), "server.a.example", "ok", "s*.a.example", {"unusual-wildcard"}),
        (("DNS:server.*.example",), "server.a.example", "ok", "server.*.example", {"unusual-wildcard"}),
        ((), "server.example", "ok", "server.example", {"common-name-only"}),
        ((), "other.example", "name-mismatch", None, set()),
        (("DNS:server.example",), "other.example", "name-mismatch", None, set()),
        (("IP:192.0.2.1",), "192.0.2.1", "ok", "192.0.2.1", set()),
        (("IP:192.0.2.1",), "192.0.2.2", "name-mismatch", None, set()),
        (("IP:2001:db8::1",), "[2001:db8:0::1]", "ok", "2001:db8::1", set()),
        ((), "192.0.2.1", "no-san", None, set()),
        (("DNS:x.example",), "192.0.2.1", "name-mismatch", None, set()),
        (("DNS:a_b.example",), "a_b.example", "name-mismatch", None, set()),
    ],
)
def test_a_host_gets_code_name_and_warnings(names, host, code, matched, warnings):
    result = host_name_verdict(leaf(*names), host)
    assert (code, matched) == (result.code, result.matched)
    assert warnings == {one.code for one in result.warnings}


def test_a_mismatch_names_whom_the_certificate_is_for():
    result = host_name_verdict(leaf("DNS:a.example", "IP:192.0.2.1"), "b.example")
    assert "a.example, 192.0.2.1" in result.message
    assert result.java_message == "No subject alternative DNS name matching b.example found."
    assert result.hint


def test_a_name_in_no_normal_form_is_refused_with_java_s_words():
    result = host_name_verdict(leaf(subject="CN=\ufb01le.example"), "file.example")
    assert (result.code, result.java_message.startswith("Not a formal name")) == ("name-mismatch", True)


def test_bytes_that_are_no_certificate_are_an_answer_too():
    assert host_name_verdict(certificate(b"nonsense"), "x").code == "name-mismatch"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3", "1.2.0.3"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("256.1.1.1", None),
        ("1.2.3.4.5", None),
        ("4294967296", None),
        ("example", None),
        ("", None),
    ],
)
def test_what_java_takes_for_an_address(host, address):
    found = literal_address(host)
    assert address == (None if found is None else str(found))


@given(host=st.text(max_size=80), name=st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_whatever_the_names_are_there_is_a_verdict(host, name):
    assert isinstance(host_name_verdict(leaf(f"DNS:{name}"), host), HostNameVerdict)
