"""BKS and UBER files of Bouncy Castle: read, opened, never written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import x509
from reconciler.errors import KeystoreUnreadableError, RefusedError
from reconciler.keystores import bouncycastle
from reconciler.keystores.formats import parse_container
from reconciler.model import EntryKind, Remove
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.java_files import array, corpus_file, manifest, text

FILES = [name for name, record in manifest().items() if record["format"] in ("BKS", "UBER")]
OURS = Path(__file__).parent / "bouncycastle"
KINDS = {
    EntryKind.TRUSTED_CERTIFICATE: "trustedCertEntry",
    EntryKind.KEY_PAIR: "PrivateKeyEntry",
    EntryKind.SECRET_KEY: "SecretKeyEntry",
}
# What Bouncy Castle 1.72 itself says of the eight entries: see bouncycastle/README.md.
EIGHT = {
    "pair": (EntryKind.KEY_PAIR, 2),
    "own password": (EntryKind.KEY_PAIR, 2),
    "public": (EntryKind.KEY_PAIR, 2),
    "opaque": (EntryKind.KEY_PAIR, 2),
    "secret": (EntryKind.SECRET_KEY, 0),
    "Mixed Case": (EntryKind.TRUSTED_CERTIFICATE, 1),
    "mixed case": (EntryKind.TRUSTED_CERTIFICATE, 1),
    "\U0001f600 emoji": (EntryKind.TRUSTED_CERTIFICATE, 1),
}
OUR_FILES = ["v1.bks", "v2.bks", "v1.uber"]


def read(data, password="changeit"):
    return parse_container(data, None if password is None else Secret(password), origin="partner.bks")


def ours(name):
    return (OURS / name).read_bytes()


def error_of(data, password="changeit"):
    with pytest.raises(KeystoreUnreadableError) as raised:
        read(data, password)
    assert raised.value.where == "partner.bks"
    return raised.value.message


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_corpus_shows_what_keytool_shows(name):
    record = manifest()[name]

    container = read(corpus_file(name), record["store_password"])

    assert container.type == record["format"].lower()
    assert sorted(
        (e.alias, KINDS[e.kind], [c.sha256 for c in e.chain]) for e in container.snapshot().entries
    ) == sorted((entry["alias"], entry["type"], entry["chain_sha256"]) for entry in record["entries"])


def test_the_keys_of_the_corpus_open():
    container = read(corpus_file("own_chain.bks"))

    for entry in container.snapshot().entries:
        if entry.kind is EntryKind.KEY_PAIR:
            assert x509.key_fits(container.private_key(entry.alias, Secret("changeit")), entry.leaf)


def test_a_key_of_uber_with_a_password_of_its_own_opens():
    container = read(corpus_file("pyjks__custom_entry_passwords.uber"), "store_password")

    assert container.private_key("sealed_private_key", Secret("private_password")).reveal().startswith(b"\x30")


@pytest.mark.parametrize("name", OUR_FILES)
def test_entries_of_every_kind_are_shown_as_bouncy_castle_shows_them(name):
    snapshot = read(ours(name)).snapshot()

    assert {entry.alias: (entry.kind, len(entry.chain)) for entry in snapshot.entries} == EIGHT
    assert all(entry.reachable for entry in snapshot.entries)
    assert snapshot.integrity
    assert snapshot.warnings == ()
    assert len(snapshot.parts) == 8
    assert all(entry.created > datetime(2026, 1, 1, tzinfo=UTC) for entry in snapshot.entries)


@pytest.mark.parametrize("name", OUR_FILES)
def test_keys_open_with_their_own_passwords(name):
    container = read(ours(name))
    leaves = {entry.alias: entry.leaf for entry in container.snapshot().entries}

    assert x509.key_fits(container.private_key("pair", Secret("changeit")), leaves["pair"])
    assert x509.key_fits(container.private_key("own password", Secret("other pass")), leaves["pair"])


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("public", "holds a public key"),
        ("secret", "holds another kind of key"),
        ("opaque", "no private key under this alias"),
        ("Mixed Case", "no private key under this alias"),
        ("nobody", "no private key under this alias"),
        ("own password", "password does not open"),
    ],
)
def test_what_is_no_private_key_or_does_not_open_is_told(alias, reason):
    with pytest.raises(KeystoreUnreadableError, match=reason) as raised:
        read(ours("v2.bks")).private_key(alias, Secret("changeit"))

    assert raised.value.where == f"partner.bks, alias {alias}"


def test_another_case_of_an_alias_will_do_where_it_is_the_only_one():
    container = read(ours("v2.bks"))

    assert container.private_key("PAIR", Secret("changeit")) == container.private_key("pair", Secret("changeit"))


@pytest.mark.parametrize("name", OUR_FILES)
def test_nothing_is_written(name):
    container = read(ours(name))

    with pytest.raises(RefusedError, match="only read"):
        container.with_writes([Remove("pair")], password=None, now=NOW)
    with pytest.raises(RefusedError, match="only read"):
        container.to_bytes(Secret("changeit"))


# ---------------------------------------------------------------------------------- passwords and damage


@pytest.mark.parametrize("name", OUR_FILES)
def test_a_wrong_password_is_told(name):
    assert "password of the keystore is wrong" in error_of(ours(name), "other")


@pytest.mark.parametrize("password", [None, ""])
def test_bks_without_a_password_is_unchecked_and_uber_unreadable(password):
    snapshot = read(ours("v2.bks"), password).snapshot()

    assert not snapshot.integrity
    assert "not checked" in snapshot.warnings[0]
    assert "password" in error_of(ours("v1.uber"), password)


def test_a_missing_twofish_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "oxifish", None)

    with pytest.raises(KeystoreUnreadableError, match="Twofish") as raised:
        read(ours("v1.uber"))

    assert "uber" in raised.value.hint


def test_a_password_that_is_not_text_is_told():
    with pytest.raises(KeystoreUnreadableError, match="not text"):
        parse_container(ours("v2.bks"), Secret(b"\xff"), origin="partner.bks")


def header(version=2, iterations=1024, salt=bytes(20)):
    return pack(">ii", version, len(salt)) + salt + pack(">i", iterations)


@pytest.mark.parametrize(
    "data",
    [
        header(),
        header() + b"\x00",
        header(iterations=2**31 - 1) + b"\x00" + bytes(20),
        header(iterations=-1) + b"\x00" + bytes(20),
        header() + b"\x05\x00\x01a" + bytes(12),
        header() + b"\x01\x00\x01a" + bytes(8) + b"\x7f\xff\xff\xff",
        header() + b"\x01\x00\x01a" + bytes(8) + b"\xff\xff\xff\xff",
        header() + b"\x03\x00\x01a" + bytes(12) + b"\x7f\xff\xff\xff",
        header() + b"\x03\x00\x01a" + bytes(12) + b"\xff\xff\xff\xff",
        header(version=1),
        header(version=1) + bytes(15),
        header(version=1, iterations=2**31 - 1) + bytes(160),
    ],
)
def test_an_announced_size_or_count_is_never_believed(data):
    assert "cut off or damaged" in error_of(data)


def test_a_sealed_key_asks_for_no_more_iterations_than_are_run():
    sealed = header(iterations=2**31 - 1)[4:] + bytes(16)
    entry = b"\x04\x00\x01a" + bytes(12) + pack(">i", len(sealed)) + sealed
    container = read(header() + entry + b"\x00" + bytes(20), None)

    with pytest.raises(KeystoreUnreadableError, match="iterations"):
        container.private_key("a", Secret("x"))


@pytest.mark.parametrize("beginning", [header(version=3), header(salt=b""), header(salt=bytes(65))])
def test_a_beginning_that_bouncy_castle_does_not_write_is_refused(beginning):
    with pytest.raises(KeystoreUnreadableError, match="damaged"):
        bouncycastle.parse(beginning + b"\x00" + bytes(20), None, origin="partner.bks")


def test_a_key_in_the_clear_of_an_old_file_is_read():
    encoded = read(ours("v2.bks")).private_key("pair", Secret("changeit")).reveal()
    record = b"\x00" + text("PKCS#8") + text("EC") + array(encoded)
    data = header() + b"\x02" + text("old") + bytes(12) + record + b"\x00" + bytes(20)

    container = read(data, None)

    assert container.private_key("old", Secret("")).reveal() == encoded
    assert container.snapshot().entries[0].kind is EntryKind.SECRET_KEY


def test_a_wrong_password_that_passes_the_padding_is_still_a_wrong_password():
    with pytest.raises(KeystoreUnreadableError, match="does not open"):
        bouncycastle._private_key(b"\x00\xff\xff garbage", "partner.bks, alias a")


def test_a_certificate_that_is_not_x509_is_something_else():
    data = header() + b"\x01" + text("pgp") + bytes(12) + text("PGP") + array(b"key") + b"\x00" + bytes(20)

    [entry] = read(data, None).snapshot().entries

    assert (entry.kind, entry.chain, entry.note) == (EntryKind.OTHER, (), "a certificate that is not X.509")


@settings(max_examples=300)
@given(st.sampled_from(OUR_FILES), st.integers(0, 2**20), st.binary(min_size=1, max_size=4), st.booleans())
def test_damaged_files_are_read_or_refused_and_nothing_else(name, position, noise, with_password):
    damaged = bytearray(ours(name))
    position %= len(damaged)
    damaged[position : position + len(noise)] = noise

    try:
        container = read(bytes(damaged), "changeit" if with_password else None)
        for entry in container.snapshot().entries:
            container.private_key(entry.alias, Secret("changeit"))
    except KeystoreUnreadableError as error:
        assert "partner.bks" in error.where  # either way will do
