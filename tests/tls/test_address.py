"""Addresses and proxies as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.tls.address import Address, parse_address
from reconciler.tls.proxy import parse_proxy, proxy_of_environment


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com:8443", "example.com", 8443),
        ("example.com", "example.com", 443),
        ("https://example.com/path?x=1", "example.com", 443),
        ("https://user@example.com:8443/", "example.com", 8443),
        ("192.0.2.1:1", "192.0.2.1", 1),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("2001:db8::1", "2001:db8::1", 443),
        ("example.com.:443", "example.com", 443),
    ],
)
def test_an_address_is_read(text, host, port):
    assert Address(host, port) == parse_address(text)


@pytest.mark.parametrize("text", ["", ":443", "host:", "host:0", "host:65536", "host:x", "a b:1", "[::1", "/path"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ReconcileError):
        parse_address(text)


@given(st.text(max_size=60))
def test_whatever_is_written_only_a_reconcile_error_comes(text):
    try:
        parsed = parse_address(text)
    except ReconcileError:
        return
    assert 0 < parsed.port < 65536


def test_an_ipv6_address_is_shown_in_brackets():
    assert str(Address("::1", 443)) == "[::1]:443"


def test_a_proxy_keeps_its_password_to_itself():
    proxy = parse_proxy("http://me:swor%40d@proxy.example:8080")
    assert (proxy.host, proxy.port, proxy.credentials.reveal()) == ("proxy.example", 8080, b"me:swor@d")
    assert "swor" not in f"{proxy} {proxy!r}"


def test_a_proxy_s_port_goes_without_saying():
    assert parse_proxy("proxy.example").port == 3128


@pytest.mark.parametrize(
    "url", ["https://proxy.example", "socks5://proxy", "http://", "http://proxy:99999", "http://me:pw@"]
)
def test_a_bad_proxy_url_is_refused_without_repeating_it(url):
    with pytest.raises(ReconcileError) as caught:
        parse_proxy(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p1"}, "p1:3128"),
        ({"https_proxy": "http://p2:1"}, "p2:1"),
        ({"ALL_PROXY": "p3"}, "p3:3128"),
        ({"HTTP_PROXY": "p4"}, None),
        ({"HTTPS_PROXY": "p5", "NO_PROXY": "example.com"}, None),
        ({"HTTPS_PROXY": "p5", "no_proxy": "other, .example.com"}, None),
        ({"HTTPS_PROXY": "p5", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "p5", "NO_PROXY": "ample.com"}, "p5:3128"),
        ({"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_environment_names_the_proxy(environment, expected):
    proxy = proxy_of_environment(Address("my.example.com", 443), environment)
    assert expected == (None if proxy is None else str(proxy))
