"""How JKS and JCEKS protect private keys; that Java opens ours is proved in test_jks_corpus."""

from __future__ import annotations

import hashlib

import pytest

from reconciler import der
from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores import sun_keys
from reconciler.keystores.sun_keys import JCEKS_OID, JKS_OID, protect_jceks, protect_jks, recover
from reconciler.secret import Secret
from tests.keystores.java_files import new_key, protected_key

PASSWORD = Secret("changeit")
KEY = new_key()[0]
# What Cipher.getInstance("PBEWithMD5AndTripleDES") of JDK 17 and 25 makes of "hello world" with the password changeit,
# the salt 01020304 01020304 (equal halves) and 10 iterations.
JAVA_EQUAL_HALVES = bytes.fromhex("2bf11e2e410cad0d602140c0358fff66")


def opened(protected, password=PASSWORD):
    return recover(protected, password, where="x.jks, alias a")


def refusal(protected, password=PASSWORD):
    with pytest.raises(KeystoreUnreadableError) as raised:
        opened(protected, password)
    assert raised.value.where == "x.jks, alias a"
    return raised.value.message


def protected_as(oid, parameters, content):
    return der.sequence(der.sequence(der.object_identifier(oid), *parameters), der.octet_string(content))


def jceks(iterations, salt=b"saltsalt", content=bytes(16)):
    return protected_as(JCEKS_OID, [der.sequence(der.octet_string(salt), der.integer(iterations))], content)


@pytest.mark.parametrize("protect", [protect_jks, protect_jceks])
def test_a_protected_key_opens_with_its_password_only(protect):
    protected = protect(KEY, PASSWORD)

    assert opened(protected) == KEY
    assert KEY.reveal() not in protected
    assert "password does not open" in refusal(protected, Secret("changeIt"))


@pytest.mark.parametrize("protect", [protect_jks, protect_jceks])
def test_two_protections_of_one_key_differ(protect):
    assert protect(KEY, PASSWORD) != protect(KEY, PASSWORD)


def test_the_way_of_current_java_is_written():
    jks, with_iterations = der.read_all(protect_jks(KEY, PASSWORD)), der.read_all(protect_jceks(KEY, PASSWORD))

    assert jks.children()[0].raw == der.sequence(der.object_identifier(JKS_OID), der.null())
    oid, parameters = with_iterations.children()[0].children()
    assert oid.oid() == JCEKS_OID
    assert len(parameters.children()[0].octets()) == 8
    assert parameters.children()[1].integer() == 200_000


def test_a_key_of_keytool_opens():
    assert opened(protected_key()).reveal().startswith(b"\x30")


@pytest.mark.parametrize("password", ["", "grün 鍵", "\U0001f600"])
def test_jks_takes_any_password(password):
    assert opened(protect_jks(KEY, Secret(password)), Secret(password)) == KEY


def test_a_password_that_is_not_text_is_told():
    with pytest.raises(ReconcileError, match="not text"):
        protect_jks(KEY, Secret(b"\xff"))


@pytest.mark.parametrize("password", ["grün", "tab\t", "\x7f"])
def test_jceks_writes_with_printable_ascii_only(password):
    with pytest.raises(ReconcileError, match="printable ASCII"):
        protect_jceks(KEY, Secret(password))


def test_a_jceks_key_that_newer_java_made_with_a_password_outside_ascii_opens(monkeypatch):
    monkeypatch.setattr(sun_keys, "_printable", Secret.reveal)

    assert opened(protect_jceks(KEY, Secret("grün"), iterations=20), Secret("grün")) == KEY


# ------------------------------------------------------------------------------------ salts of equal halves


def _derived(first, iterations=10):
    result = b""
    for half in (first, b"\x01\x02\x03\x04"):
        state = half
        for _ in range(iterations):
            state = hashlib.md5(state + b"changeit").digest()
        result += state
    return result


def test_equal_halves_of_a_salt_are_turned_round_as_current_java_does():
    first, second = next(sun_keys._salt_halves(b"\x01\x02\x03\x04" * 2))

    assert sun_keys._encrypt(b"hello world", sun_keys._derive(first, second, b"changeit", 10)) == JAVA_EQUAL_HALVES


@pytest.mark.parametrize("first", [b"\x04\x03\x02\x01", b"\x04\x01\x02\x04"], ids=["current Java", "old Java"])
def test_keys_under_a_salt_of_equal_halves_open_whichever_java_wrote_them(first):
    content = sun_keys._encrypt(KEY.reveal(), _derived(first))

    assert opened(jceks(10, b"\x01\x02\x03\x04" * 2, content)) == KEY


def test_no_salt_of_equal_halves_is_written(monkeypatch):
    salts = iter([b"samesame", b"same one"])
    monkeypatch.setattr(sun_keys, "urandom", lambda _: next(salts))

    assert b"same one" in protect_jceks(KEY, PASSWORD)


# -------------------------------------------------------------------------------------------- hostile keys


@pytest.mark.parametrize("iterations", [5_000_001, 2**31 - 1, 2**200, 0, -1])
def test_an_iteration_count_is_judged_before_it_is_run(iterations):
    assert "iterations" in refusal(jceks(iterations))


@pytest.mark.parametrize(
    "protected",
    [
        b"",
        b"\x30",
        b"\x30\x80" * 50_000,
        der.sequence(),
        der.sequence(der.sequence(), der.octet_string(b"")),
        der.sequence(der.sequence(der.null()), der.octet_string(b"")),
        der.sequence(der.octet_string(b""), der.octet_string(b"")),
        protected_as(JCEKS_OID, [], bytes(16)),
        protected_as(JCEKS_OID, [der.null()], bytes(16)),
        protected_as(JCEKS_OID, [der.sequence()], bytes(16)),
        protected_as(JCEKS_OID, [der.sequence(der.integer(1), der.integer(1))], bytes(16)),
        protected_as("1.2.840.113549.1.5.13", [der.null()], bytes(16)),
        jceks(1, salt=b"short"),
        jceks(1, salt=bytes(1000)),
        jceks(1, content=b"not whole blocks"[:-1]),
        jceks(1, content=b""),
        protected_as(JKS_OID, [der.null()], b""),
        protected_as(JKS_OID, [der.null()], bytes(39)),
        bytes(1024 * 1024 + 1),
    ],
)
def test_a_key_that_cannot_be_is_an_error(protected):
    assert refusal(protected)


def test_what_opens_but_is_no_key_is_told():
    assert "not a private key" in refusal(protect_jks(Secret(b"just text"), PASSWORD))
    assert "does not open" in refusal(protect_jceks(Secret(b"just text"), PASSWORD, iterations=1))
