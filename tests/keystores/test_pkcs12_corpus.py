"""The PKCS#12 files of the corpus: read as the manifest says, and added to without touching anything else."""

from __future__ import annotations

import pytest

from reconciler import x509
from reconciler.errors import KeystoreUnreadableError
from reconciler.keystores.pkcs12 import parse
from reconciler.model import PutCertificate, PutKeyPair, Remove, Rename
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    KINDS,
    PASSWORD,
    certificate,
    corpus_file,
    corpus_password,
    openssl_counts,
    pkcs8,
    records,
    shape,
    shape_in_java,
)

FILES = list(records())
READABLE = [name for name in FILES if records()[name]["outcome"] == "entries"]
# keytool refuses the integrity check of this one (PBMAC1), which JDK 26 is the first to know.
FOR_JAVA = [name for name in READABLE if records()[name]["keytool"]["result"] == "entries"]
NEW_ROOT = certificate("New")


def read(name):
    return parse(corpus_file(name), corpus_password(name), origin=name)


def with_root(name, alias="a new root"):
    after = read(name).with_writes([PutCertificate(alias, NEW_ROOT)], password=corpus_password(name), now=NOW)
    return after.to_bytes(corpus_password(name))


def test_the_corpus_has_25_readable_files():
    assert (len(FILES), len(READABLE), len(FOR_JAVA)) == (26, 25, 24)


@pytest.mark.parametrize("name", FOR_JAVA)
def test_a_file_shows_what_keytool_shows(name):
    expected = {
        one["alias"]: (one["type"], tuple(one["chain_sha256"]), one.get("created_ms"))
        for one in records()[name].get("entries", [])
    }
    shown = {
        one.alias: (
            KINDS[one.kind],
            tuple(c.sha256 for c in one.chain),
            None if one.created is None else round(one.created.timestamp() * 1000),
        )
        for one in read(name).snapshot().entries
    }
    assert shown == expected


@pytest.mark.parametrize("name", READABLE)
def test_every_certificate_that_openssl_finds_is_shown_or_listed(name):
    found = records()[name]["openssl"]
    snapshot = read(name).snapshot()
    listed = {one.sha256 for entry in (*snapshot.entries, *snapshot.hidden) for one in _certificates(entry)}
    assert listed >= set(found["cert_sha256"] if found else ())


def _certificates(one):
    return one.chain if hasattr(one, "chain") else one.certificates


@pytest.mark.parametrize("name", READABLE)
def test_a_file_comes_back_byte_for_byte(name):
    assert read(name).to_bytes(corpus_password(name)) == corpus_file(name)


@pytest.mark.parametrize("name", READABLE)
def test_every_private_key_opens_with_its_password(name):
    container = read(name)
    leaves = {one.alias: one.leaf for one in container.snapshot().entries}
    for one in records()[name].get("entries", []):
        if one["type"] == "PrivateKeyEntry":
            key = container.private_key(one["alias"], Secret(records()[name]["key_passwords"][one["alias"]]))
            assert x509.key_fits(key, leaves[one["alias"]])


@pytest.mark.parametrize("name", READABLE)
def test_adding_a_root_moves_no_other_bag(name):
    before = read(name)
    after = parse(with_root(name), corpus_password(name), origin=name)
    assert [bag.raw for bag in after._view.bags if bag.name != "a new root"] == [bag.raw for bag in before._view.bags]
    old = {one.alias: one for one in before.snapshot().entries}
    new = {one.alias: one for one in after.snapshot().entries}
    assert new.pop("a new root").chain == (NEW_ROOT,)
    assert new == old
    assert after.snapshot().hidden == before.snapshot().hidden


def test_java_shows_the_new_root_and_the_others_as_they_were(tmp_path, java_sees):
    questions = []
    for name in FOR_JAVA:
        path = tmp_path / name
        path.write_bytes(with_root(name))
        password = corpus_password(name)
        keys = records()[name]["key_passwords"]
        questions.append(Question(path, "pkcs12", None if password is None else password.text(), keys))
    for name, view in zip(FOR_JAVA, java_sees(questions), strict=True):
        shown = shape_in_java(view)
        assert shown.pop("a new root") == ("trustedCertEntry", (NEW_ROOT.sha256,)), name
        assert shown == shape(read(name).snapshot()), name
        assert not [alias for alias, answer in view.opened.items() if answer.startswith("error")], name


@pytest.mark.parametrize("name", READABLE)
def test_openssl_finds_one_certificate_more_and_every_key(name, openssl, tmp_path):
    path, original = tmp_path / "after.p12", tmp_path / "before.p12"
    path.write_bytes(with_root(name))
    original.write_bytes(corpus_file(name))
    before = openssl_counts(openssl, original, corpus_password(name))
    after = openssl_counts(openssl, path, corpus_password(name))
    if name == "go-pkcs12__rfc9579-a1.p12" or before is None:
        assert after is before is None  # PBMAC1, and keys with a password of their own
    else:
        assert after == (before[0] + 1, before[1])


@pytest.mark.parametrize(
    "name", ["own_chain.pkcs12", "own_secret.pkcs12", "own_legacy.pkcs12", "kafka_client.keystore.jks"]
)
def test_keytool_prints_the_same_about_every_other_entry(name, tmp_path, keytool_blocks):
    path, password = tmp_path / name, corpus_password(name).text()
    path.write_bytes(corpus_file(name))
    before = keytool_blocks(path, password)
    path.write_bytes(with_root(name))
    after = keytool_blocks(path, password)
    del after["a new root"]
    # Trusted certificates have no date in the file: keytool prints today's, in both.
    assert after == before


@pytest.mark.parametrize("name", READABLE)
def test_a_key_pair_can_be_added_renamed_and_removed_again(name):
    before, password = read(name), corpus_password(name) or PASSWORD
    writes = [PutKeyPair("new pair", (certificate("pair"),), pkcs8("pair"))]
    added = before.with_writes(writes, password=password, now=NOW)
    again = parse(added.to_bytes(password), password, origin=name)
    assert again.private_key("new pair", password) == pkcs8("pair")
    renamed = again.with_writes([Rename("new pair", "newer")], password=password, now=NOW)
    removed = renamed.with_writes([Remove("newer")], password=password, now=NOW)
    back = parse(removed.to_bytes(password), password, origin=name)
    assert [bag.raw for bag in back._view.bags] == [bag.raw for bag in before._view.bags]
    assert back.snapshot().entries == before.snapshot().entries


class TestPbmac1:
    def test_a_valid_check_is_verified_and_warned_of(self):
        snapshot = read("go-pkcs12__rfc9579-a1.p12").snapshot()
        assert snapshot.integrity
        assert [one.alias for one in snapshot.entries] == ["1"]
        assert any("Java before 26" in warning for warning in snapshot.warnings)

    def test_a_check_with_another_iteration_count_is_refused(self):
        with pytest.raises(KeystoreUnreadableError, match="its integrity check does not fit") as caught:
            read("go-pkcs12__rfc9579-a4.p12")
        assert caught.value.where == "go-pkcs12__rfc9579-a4.p12"

    def test_it_is_made_anew_of_the_same_kind(self):
        after = parse(with_root("go-pkcs12__rfc9579-a1.p12"), Secret("1234"), origin="x")
        before = read("go-pkcs12__rfc9579-a1.p12")
        assert after._pfx.mac.scheme == before._pfx.mac.scheme
        assert after._pfx.mac.iterations == before._pfx.mac.iterations
        assert after._pfx.mac.derivation.salt != before._pfx.mac.derivation.salt

    @pytest.mark.parametrize("announced", [1, 19])
    def test_a_short_key_is_refused(self, announced):
        # In A.1 the keyLength of 32 is followed by the function; a shorter one of the same encoding.
        data = corpus_file("go-pkcs12__rfc9579-a1.p12").replace(
            bytes.fromhex("020120300c"), bytes((2, 1, announced)) + b"\x30\x0c"
        )
        assert data != corpus_file("go-pkcs12__rfc9579-a1.p12")
        with pytest.raises(KeystoreUnreadableError, match=f"announces {announced} bytes for its key"):
            parse(data, Secret("1234"), origin="x")
