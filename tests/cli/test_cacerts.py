"""The trusted roots of the Java that is installed, as a live keystore, with keytool and a Java program as judges."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import blocks, listing, undated
from tests.cli.repository import PASSWORD, Repository, pairs, roots

NEW_ROOT, NEW_PAIR = "a_new_root", "a_new_pair"
KINDS = {"trustedCertEntry": "trusted-certificate", "PrivateKeyEntry": "key-pair", "SecretKeyEntry": "secret-key"}


@pytest.fixture(scope="module", params=["jks", "pkcs12"])
def before(request, cacerts, tmp_path_factory):
    """A repository whose live keystore is Java's."""
    repository = Repository(tmp_path_factory.mktemp("java"), request.param)
    repository.live.write_bytes((cacerts / request.param).read_bytes())
    repository.declare()
    return repository


@pytest.fixture(scope="module")
def after(before, new_root, tmp_path_factory):
    """The same after a state file has added a root and a key pair."""
    repository = Repository(tmp_path_factory.mktemp("java"), before.type)
    repository.live.write_bytes(before.live.read_bytes())
    repository.write("new_root.pem", new_root.pem)
    specification = "{subject: {commonName: client.example.com}, key: {algorithm: RSA, size: 3072}}"
    repository.declare(
        roots(**{NEW_ROOT: "new_root.pem"}) + pairs(**{NEW_PAIR: specification}) + "aliases: {unmanaged: ignore}\n"
    )
    applied = repository.apply("--format", "json")
    assert applied.code == 0, applied.err
    assert applied.changes == [("import", NEW_ROOT), ("create", NEW_PAIR)]
    return repository


@pytest.fixture(scope="module")
def keytool_says(before, after, keytools):
    """What keytool prints of both: plain, as PEM, and in detail."""
    commands = [listing(one.live, PASSWORD, *options) for one in (before, after) for options in ([], ["-rfc"], ["-v"])]
    return keytools(commands)


def entries_of(printed):
    """The aliases, kinds and fingerprints of a plain listing."""
    found = re.findall(
        r"^(.+), \w{3} \d{1,2}, \d{4}, (\w+),\s*\nCertificate fingerprint \(SHA-256\): ([0-9A-F:]+)$",
        printed,
        re.MULTILINE,
    )
    return sorted((alias, KINDS[kind], fingerprint.replace(":", "").lower()) for alias, kind, fingerprint in found)


def test_list_equals_keytool_entry_by_entry(before, keytool_says):
    expected = entries_of(keytool_says[0])
    assert len(expected) > 100
    assert f"contains {len(expected)} entries" in keytool_says[0]

    listed = before.process("list", "keystore.yaml", "--format", "json")

    assert (listed.code, listed.err) == (0, "")
    assert (
        sorted((e["alias"], e["kind"], e["certificates"][0]["sha256"]) for e in listed.document["entries"]) == expected
    )


def test_after_apply_keytool_sees_the_two_new_entries(before, after, keytool_says, new_root):
    old, new = entries_of(keytool_says[0]), entries_of(keytool_says[3])

    added = {alias: (kind, fingerprint) for alias, kind, fingerprint in new if (alias, kind, fingerprint) not in old}
    assert added.keys() == {NEW_ROOT, NEW_PAIR}
    assert added[NEW_ROOT] == ("trusted-certificate", new_root.sha256)
    assert added[NEW_PAIR][0] == "key-pair"
    assert [one for one in old if one not in new] == []


@pytest.mark.parametrize("place", [1, 2], ids=["as PEM", "in detail"])
def test_after_apply_keytool_prints_every_old_entry_as_before(before, keytool_says, place):
    old, new = blocks(keytool_says[place]), blocks(keytool_says[place + 3])
    dated = undated if before.type == "pkcs12" else str

    assert {alias: dated(block) for alias, block in new.items() if alias in old} == {
        alias: dated(block) for alias, block in old.items()
    }
    assert len(old) > 100


def test_a_java_program_signs_with_the_new_key(after, run_java):
    printed = run_java("KeyUser", after.type.upper(), str(after.live), NEW_PAIR, PASSWORD=PASSWORD)

    assert printed == "verified RSA\n"


def test_a_second_apply_writes_nothing(after):
    before = after.files()

    again = after.process("apply", "keystore.yaml", "--yes", "--format", "json")

    assert (again.code, again.changes) == (0, [])
    assert after.files() == before
    assert len(after.backups()) == 1


def test_the_backup_is_the_keystore_as_it_was(before, after):
    [backup] = after.backups()

    assert backup.read_bytes() == before.live.read_bytes()
    assert backup.stat().st_mode & 0o077 == 0
