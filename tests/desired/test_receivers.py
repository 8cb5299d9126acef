"""Receivers: an address that can be connected to, and a key pair that the files declare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.receivers import _address
from reconciler.errors import ReconcileError
from tests.desired.conftest import Repository, told

PAIRS = "keyPairs: {s4_client: {subject: {commonName: x}}, watched: {existing: true}}\ntrustedRoots: {}\n"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("my300000.example.com:443", "my300000.example.com:443"),
        ("MY300000.Example.COM:443", "my300000.example.com:443"),
        ("example.com.:8443", "example.com:8443"),
        ("localhost:1", "localhost:1"),
        ("my_host:65535", "my_host:65535"),
        ("192.0.2.1:443", "192.0.2.1:443"),
        ("'[2001:DB8::1]:443'", "[2001:db8::1]:443"),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example:443"),
        ("a.example:0443", "a.example:443"),
    ],
)
def test_a_receiver_has_an_address_and_a_line(repository: Repository, written: str, address: str) -> None:
    state = repository.state(f"{PAIRS}receivers:\n  s4hana: {{address: {written}, keyPair: S4_Client}}\n")

    assert [(one.name, one.address, one.key_pair, str(one.source)) for one in state.receivers] == [
        ("s4hana", address, "S4_Client", "keystore.yaml:6:3")
    ]


def test_a_receiver_may_expect_no_key_pair_or_one_that_is_only_watched(repository: Repository) -> None:
    state = repository.state(f"{PAIRS}receivers: {{a: {{address: 'a:1'}}, b: {{address: 'b:2', keyPair: watched}}}}")

    assert [one.key_pair for one in state.receivers] == [None, "watched"]


SHAPE = "must be HOST:PORT, such as my300000.example.com:443; an IPv6 address in [brackets]"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("example.com", SHAPE),
        ("example.com:", SHAPE),
        (":443", SHAPE),
        ("https://example.com:443", SHAPE),
        ("example.com:443/path", SHAPE),
        ("user@example.com:443", SHAPE),
        ("2001:db8::1:443", SHAPE),
        ("a b:1", SHAPE),
        ("example.com:123456", SHAPE),
        ("example.com:x", SHAPE),
        ("example.com:٤٤٣", SHAPE),
        ("example.com:0", "ports go from 1 to 65535"),
        ("example.com:65536", "ports go from 1 to 65535"),
        ("[example]:443", SHAPE),
        ("[1.2.3]:443", "only an IPv6 address stands in brackets"),
        ("[::1%eth0]:443", SHAPE),
        ("1.2.3.400:443", "must be a host name"),
        ("bücher.example:443", "must be ASCII"),
        ("*.example.com:443", "must be one host, without `*`"),
        ("a..b:443", "must be a host name"),
    ],
)
def test_what_is_no_address_is_refused_where_it_stands(repository: Repository, address: str, reason: str) -> None:
    [problem] = repository.problems_in(f"receivers: {{a: {{address: '{address}'}}}}")

    assert str(problem.source) == "keystore.yaml:3:26"
    assert problem.message.startswith(f"`receivers.a.address` is '{address}': {reason}")


@given(st.from_regex(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+):[0-9]{1,5}", fullmatch=True))
def test_any_address_of_the_right_shape_is_one_or_an_error(text: str) -> None:
    try:
        address = _address(text)
    except ReconcileError:
        return
    assert _address(address) == address


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("s4_clint", "did you mean 's4_client'?"),
        ("root", "it stands under `trustedRoots`; a client certificate needs its private key"),
        ("zzz", "declare it under `keyPairs`"),
    ],
)
def test_a_receiver_expects_a_key_pair_that_is_declared(repository: Repository, asked: str, hint: str) -> None:
    pin = "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
    body = PAIRS.replace("trustedRoots: {}", f"trustedRoots: {{root: {{bundle: mozilla, sha256: {pin}}}}}")
    problems = repository.problems_in(f"{body}receivers: {{a: {{address: 'a:1', keyPair: {asked}}}}}")

    assert [told(problem) for problem in problems] == [
        f"keystore.yaml:5:42: [receiver] `receivers.a.keyPair` is '{asked}', which is no key pair here ({hint})"
    ]


def test_a_key_pair_with_a_mistake_is_declared_all_the_same(repository: Repository) -> None:
    problems = repository.problems_in("keyPairs: {a: {}}\nreceivers: {r: {address: 'a:1', keyPair: a}}")

    assert [problem.code for problem in problems] == ["missing-key"]


def test_receivers_of_included_files_are_added_and_the_same_counts_once(repository: Repository) -> None:
    repository.write("x.yaml", "receivers: {a: {address: 'A:1', keyPair: s4_client}, c: {address: 'c:1'}}")
    state = repository.state(f"include: [x.yaml]\n{PAIRS}receivers: {{a: {{address: 'a:1', keyPair: s4_client}}}}")

    assert [one.name for one in state.receivers] == ["a", "c"]


def test_one_name_for_two_receivers_is_an_error_with_both_lines(repository: Repository) -> None:
    repository.write("x.yaml", "\nreceivers: {a: {address: 'b:1'}}")
    problems = repository.problems_in("include: [x.yaml]\nreceivers: {a: {address: 'a:1'}}")

    assert [told(problem) for problem in problems] == [
        (
            "x.yaml:2:13: [receiver] the receiver 'a' means something else here than in keystore.yaml, line 4 "
            "(make the two equal, or rename one of them)"
        )
    ]


@pytest.mark.parametrize("name", ['"a\\u202eb"', "''", "' a'", "x" * 251])
def test_the_name_of_a_receiver_can_be_shown(repository: Repository, name: str) -> None:
    [problem] = repository.problems_in(f"receivers:\n  ? {name}\n  : {{address: 'a:1'}}\n")

    assert problem.message.endswith("is no name for a receiver")
