"""The JKS and JCEKS files of the corpus: read as the manifest says, and added to without touching anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler import x509
from reconciler.keystores.formats import parse_container
from reconciler.model import EntryKind, PutCertificate, PutKeyPair
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.conftest import Question
from tests.keystores.java_files import corpus_file, manifest, new_key, root

FILES = [name for name, record in manifest().items() if record["format"] in ("JKS", "JCEKS")]
KINDS = {
    EntryKind.TRUSTED_CERTIFICATE: "trustedCertEntry",
    EntryKind.KEY_PAIR: "PrivateKeyEntry",
    EntryKind.SECRET_KEY: "SecretKeyEntry",
}
NEW_ROOT, NEW_PAIR = "a new root", "a new pair"


def password_of(name):
    return Secret(manifest()[name]["store_password"])


def read(name):
    return parse_container(corpus_file(name), password_of(name), origin=name)


def with_additions(name):
    key, leaf = new_key()
    writes = [PutCertificate(NEW_ROOT, x509.certificate(root())), PutKeyPair(NEW_PAIR, (leaf,), key)]
    return read(name).with_writes(writes, password=password_of(name), now=NOW).to_bytes(password_of(name))


def test_the_corpus_has_files_of_both_types():
    assert {manifest()[name]["format"] for name in FILES} == {"JKS", "JCEKS"}
    assert len(FILES) == 16


@pytest.mark.parametrize("name", FILES)
def test_a_file_shows_what_keytool_shows(name):
    record = manifest()[name]

    container = read(name)

    assert container.type == record["format"].lower()
    shown = [
        (entry.alias, KINDS[entry.kind], [one.sha256 for one in entry.chain], _milliseconds(entry.created))
        for entry in container.snapshot().entries
    ]
    assert sorted(shown) == sorted(
        (entry["alias"], entry["type"], entry["chain_sha256"], entry["created_ms"]) for entry in record["entries"]
    )


def _milliseconds(created):
    return (created - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_back_byte_for_byte(name):
    assert read(name).to_bytes(password_of(name)) == corpus_file(name)


@pytest.mark.parametrize("name", FILES)
def test_every_private_key_opens_with_its_password(name):
    record, container = manifest()[name], read(name)
    leaves = {entry.alias: entry.leaf for entry in container.snapshot().entries}

    for entry in record["entries"]:
        if entry["type"] == "PrivateKeyEntry":
            alias = entry["alias"]
            key = container.private_key(alias, Secret(record["key_passwords"][alias]))
            assert x509.key_fits(key, leaves[alias])


@pytest.mark.parametrize("name", FILES)
def test_additions_leave_every_old_byte_in_place(name):
    old, new = corpus_file(name), with_additions(name)

    entries = old[12:-20]  # between magic number, version, count and the digest
    assert new[:8] == old[:8]
    assert new[12:].startswith(entries)
    old_parts, new_parts = read(name).snapshot().parts, _parsed(name, new).snapshot().parts
    assert new_parts[: len(old_parts)] == old_parts
    assert [part.alias_key for part in new_parts[len(old_parts) :]] == [NEW_ROOT, NEW_PAIR]


def _parsed(name, data):
    return parse_container(data, password_of(name), origin=name)


# ------------------------------------------------------------------------------------------ Java judges


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("written")
    for name in FILES:
        (directory / name).write_bytes(with_additions(name))
    return directory


def _questions(directory, names):
    for name in names:
        record = manifest()[name]
        password = record["store_password"]
        keys = {**record["key_passwords"], NEW_PAIR: password}
        yield Question(directory / name, record["format"], password, keys)


@pytest.fixture(scope="module")
def seen(java_sees, written):
    return dict(zip(FILES, java_sees(list(_questions(written, FILES))), strict=True))


@pytest.mark.parametrize("name", FILES)
def test_java_sees_the_old_entries_unchanged_and_the_new_ones(name, seen):
    view = seen[name]

    assert view.error is None
    old = {
        entry["alias"]: (entry["type"], entry["created_ms"], tuple(entry["chain_sha256"]))
        for entry in manifest()[name]["entries"]
    }
    now = _milliseconds(NOW)
    new = {
        NEW_ROOT: ("trustedCertEntry", now, (x509.certificate(root()).sha256,)),
        NEW_PAIR: ("PrivateKeyEntry", now, (new_key()[1].sha256,)),
    }
    assert {a: (e.kind, e.created_ms, e.chain) for a, e in view.entries.items()} == old | new


@pytest.mark.parametrize("name", FILES)
def test_java_opens_the_old_keys_and_the_new_one(name, seen):
    expected = {entry["alias"]: entry.get("key_algorithm") for entry in manifest()[name]["entries"]}

    for alias, algorithm in seen[name].opened.items():
        assert algorithm == expected.get(alias, "EC"), alias
    assert NEW_PAIR in seen[name].opened


def test_the_newest_java_sees_the_same(newer_java_sees, written, seen):
    names = ["own_chain.jks", "own_chain.jceks", "own_secret.jceks", "pyjks__custom_entry_passwords.jceks"]

    assert newer_java_sees(list(_questions(written, names))) == [seen[name] for name in names]


@pytest.mark.parametrize("name", ["own_chain.jks", "own_secret.jceks", "spring-boot__test.jks"])
def test_keytool_prints_the_old_entries_as_before(name, keytool_blocks, written, corpus):
    password = manifest()[name]["store_password"]

    before, after = keytool_blocks(corpus / "files" / name, password), keytool_blocks(written / name, password)

    assert before
    assert {alias: block for alias, block in after.items() if alias in before} == before
    assert after.keys() - before.keys() == {NEW_ROOT, NEW_PAIR}
