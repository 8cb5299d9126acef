"""What a JKS or JCEKS file holds, as Java shows it; every quirk here is put to Java as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import pack

import pytest

from reconciler.errors import KeystoreUnreadableError
from reconciler.keystores import java_data
from reconciler.keystores.jks import parse
from reconciler.model import EntryKind, StoreType
from tests.keystores.conftest import Question
from tests.keystores.java_files import (
    CREATED,
    PASSWORD,
    key_pair,
    protected_key,
    root,
    sealed_object,
    secret,
    secret_key,
    store,
    text,
    trusted,
)


def read(data, password=PASSWORD):
    return parse(data, None if password is None else secret(password), origin="live.jks")


def shown(data, password=PASSWORD):
    return read(data, password).snapshot()


def error_of(data, password=PASSWORD):
    with pytest.raises(KeystoreUnreadableError) as raised:
        read(data, password)
    assert raised.value.where == "live.jks"
    return raised.value.message


ROOT_SHA256 = sha256(root()).hexdigest()

# Name -> (type, file, what Java shows: alias -> (kind, number of certificates), or None where Java refuses the file).
QUIRKS = {
    "one of each": (
        "jceks",
        store(trusted(), key_pair(), secret_key(), kind="jceks"),
        {"root": ("trustedCertEntry", 1), "pair": ("PrivateKeyEntry", 1), "secret": ("SecretKeyEntry", 0)},
    ),
    "no entries": ("jks", store(), {}),
    "a key without chain": ("jks", store(key_pair(chain=[])), {"pair": ("SecretKeyEntry", 0)}),
    "a negative chain": ("jks", store(key_pair(chain=[], count=-1)), {"pair": ("SecretKeyEntry", 0)}),
    "a negative chain in JCEKS": ("jceks", store(key_pair(chain=[], count=-1), kind="jceks"), None),
    "a negative count": ("jks", store(count=-1), {}),
    "trailing bytes": ("jks", store(trusted(), trailing=b"more"), {"root": ("trustedCertEntry", 1)}),
    "the same alias twice": ("jks", store(trusted("a"), key_pair("a")), {"a": ("PrivateKeyEntry", 1)}),
    "an empty alias": ("jks", store(trusted("")), {"": ("trustedCertEntry", 1)}),
    "an alias with NUL and an emoji": (
        "jks",
        store(trusted(b"\xc0\x80\xed\xa0\xbd\xed\xb8\x80")),
        {"\0\U0001f600": ("trustedCertEntry", 1)},
    ),
    "an alias in UTF-8 that Java does not read": ("jks", store(trusted("\U0001f600")), None),
    "the other name of X.509": ("jks", store(trusted(kind="x509")), {"root": ("trustedCertEntry", 1)}),
    "bytes after a certificate": ("jks", store(trusted(der=root() + b"more")), {"root": ("trustedCertEntry", 1)}),
    "version 1": (
        "jks",
        store(trusted(version=1), key_pair(version=1), version=1),
        {"root": ("trustedCertEntry", 1), "pair": ("PrivateKeyEntry", 1)},
    ),
    "version 3": ("jks", store(version=3), None),
    "a secret key in JKS": ("jks", store(secret_key()), None),
    "an unknown kind of entry": ("jks", store(pack(">i", 4) + text("a") + pack(">q", 1)), None),
    "a date before 1970": ("jks", store(trusted(created=-1)), {"root": ("trustedCertEntry", 1)}),
    "more entries than there are": ("jks", store(trusted(), count=2), None),
    "fewer entries than there are": ("jks", store(trusted(), trusted("b"), count=1), None),
}

KINDS = {
    EntryKind.TRUSTED_CERTIFICATE: "trustedCertEntry",
    EntryKind.KEY_PAIR: "PrivateKeyEntry",
    EntryKind.SECRET_KEY: "SecretKeyEntry",
}


@pytest.fixture(scope="module", params=["java_sees", "newer_java_sees"])
def java_views(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("quirks")
    questions = []
    for number, (kind, data, _) in enumerate(QUIRKS.values()):
        path = directory / str(number)
        path.write_bytes(data)
        questions.append(Question(path, kind))
    return dict(zip(QUIRKS, request.getfixturevalue(request.param)(questions), strict=True))


@pytest.mark.parametrize("name", QUIRKS)
def test_java_shows_a_quirk_as_the_table_says(name, java_views):
    view, expected = java_views[name], QUIRKS[name][2]

    if expected is None:
        assert view.error is not None
    else:
        assert {alias: (entry.kind, len(entry.chain)) for alias, entry in view.entries.items()} == expected


@pytest.mark.parametrize("name", [name for name, row in QUIRKS.items() if row[2] is not None])
def test_a_quirk_is_shown_as_java_shows_it(name):
    _, data, expected = QUIRKS[name]

    entries = shown(data).entries

    assert {entry.alias: (KINDS[entry.kind], len(entry.chain)) for entry in entries} == expected
    assert all(entry.chain == () or entry.leaf.sha256 == ROOT_SHA256 for entry in entries)


@pytest.mark.parametrize("name", [name for name, row in QUIRKS.items() if row[2] is None])
def test_what_java_refuses_is_refused_with_a_reason(name):
    assert "live.jks" not in error_of(QUIRKS[name][1])


@pytest.mark.parametrize("name", [name for name, row in QUIRKS.items() if row[2] is not None])
def test_a_file_without_writes_comes_back_byte_for_byte(name):
    data = QUIRKS[name][1]

    assert read(data).to_bytes(secret()) == data


def test_entries_carry_their_date_in_utc():
    [entry] = shown(store(trusted(created=CREATED))).entries

    assert entry.created == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)


@pytest.mark.parametrize("created", [2**63 - 1, -(2**63)])
def test_a_date_that_python_does_not_know_is_no_date(created):
    [entry] = shown(store(trusted(created=created))).entries

    assert entry.created is None


def test_a_date_before_1970_is_read_as_one():
    [entry] = shown(store(trusted(created=-1))).entries

    assert entry.created == datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)


def test_the_digest_of_an_entry_covers_every_byte_of_it():
    raw = trusted()

    snapshot = shown(store(raw))

    assert snapshot.entries[0].digest == sha256(raw).hexdigest()
    assert [(part.alias_key, part.digest) for part in snapshot.parts] == [("root", sha256(raw).hexdigest())]


def test_an_earlier_entry_of_the_same_alias_is_hidden_and_kept():
    earlier, later = trusted("a"), key_pair("a")

    snapshot = shown(store(earlier, trusted("b"), later))

    assert [(entry.alias, entry.kind) for entry in snapshot.entries] == [
        ("b", EntryKind.TRUSTED_CERTIFICATE),
        ("a", EntryKind.KEY_PAIR),
    ]
    [hidden] = snapshot.hidden
    assert hidden.name == "a"
    assert [one.sha256 for one in hidden.certificates] == [ROOT_SHA256]
    assert [part.alias_key for part in snapshot.parts] == ["a", "b", "a"]
    assert read(store(earlier, later)).to_bytes(secret()) == store(earlier, later)


def test_an_alias_in_capitals_is_listed_and_marked_beside_its_twin():
    entries = shown(store(trusted("Partner"), key_pair("partner"))).entries

    assert [(entry.alias, entry.stored_alias, entry.reachable) for entry in entries] == [
        ("Partner", "Partner", False),
        ("partner", "partner", True),
    ]
    assert "capitals" in entries[0].note
    assert entries[1].note is None


def test_bytes_after_the_keystore_are_told_hidden_and_kept():
    data = store(trusted(), trailing=b"more")

    snapshot = shown(data)

    assert "4 bytes follow" in snapshot.warnings[0]
    assert snapshot.hidden[0].what == "4 bytes after the end of the keystore"
    assert snapshot.parts[-1].alias_key is None


def test_a_key_without_chain_is_told():
    [entry] = shown(store(key_pair(chain=[]))).entries

    assert "without certificates" in entry.note


def test_a_certificate_that_is_none_does_not_make_the_keystore_unreadable():
    entries = shown(store(trusted("good"), trusted("bad", der=b"no certificate"))).entries

    assert [(entry.alias, entry.note) for entry in entries] == [
        ("good", None),
        ("bad", "something that is not a certificate: Java refuses the whole keystore"),
    ]


def test_a_certificate_of_another_type_is_kept_as_something_else():
    data = store(trusted("pgp", der=b"key", kind="PGP"))

    [entry] = shown(data).entries

    assert (entry.kind, entry.chain) == (EntryKind.OTHER, ())
    assert "'PGP'" in entry.note
    assert read(data).to_bytes(secret()) == data


def test_half_of_a_surrogate_pair_in_an_alias_is_spelled_out():
    data = store(trusted(b"x\xed\xa0\x80"))

    [entry] = shown(data).entries

    assert entry.alias == "x\\ud800"
    assert read(data).to_bytes(secret()) == data


@pytest.mark.parametrize(("kind", "expected"), [("jks", StoreType.JKS), ("jceks", StoreType.JCEKS)])
def test_the_magic_number_tells_the_type(kind, expected):
    assert read(store(trusted(), kind=kind)).type is expected


# ---------------------------------------------------------------------------------- passwords and damage


def test_without_a_password_the_integrity_is_unchecked_and_said_to_be():
    snapshot = shown(store(trusted()), password=None)

    assert not snapshot.integrity
    assert "not checked" in snapshot.warnings[0]
    assert shown(store(trusted())).integrity


def test_a_password_of_any_characters_and_an_empty_one_are_taken():
    assert shown(store(trusted(), password="ლ(ಠ益ಠლ)\U0001f600"), "ლ(ಠ益ಠლ)\U0001f600").integrity
    assert shown(store(trusted(), password=""), "").integrity


def test_a_wrong_password_is_told_from_a_damaged_file():
    assert "password of the keystore is wrong" in error_of(store(trusted()), "other")
    assert "cut off or damaged" in error_of(store(trusted())[:-30])
    assert "damaged or was tampered with" in error_of(store(trusted(), trusted("b"), count=1))


def test_a_password_that_is_not_text_is_told():
    with pytest.raises(KeystoreUnreadableError, match="not text"):
        parse(store(), secret(b"\xff"), origin="live.jks")


@pytest.mark.parametrize("position", range(0, len(store(trusted())), 7))
def test_a_changed_byte_is_always_noticed(position):
    data = bytearray(store(trusted()))
    data[position] ^= 0x01

    assert error_of(bytes(data))


def test_a_file_cut_off_anywhere_is_an_error():
    data = store(trusted(), key_pair(), secret_key(), kind="jceks")

    for length in [*range(0, len(data), 13), len(data) - 1]:
        assert error_of(data[:length], password=None)


# ---------------------------------------------------------------------------------------- hostile files


@pytest.mark.parametrize(
    "data",
    [
        store(count=2**31 - 1),
        store(key_pair(chain=[], count=2**31 - 1)),
        store(pack(">i", 2) + text("a") + pack(">q", 1) + text("X.509") + pack(">i", -1)),
        store(pack(">i", 2) + text("a") + pack(">q", 1) + text("X.509") + pack(">i", 2**31 - 1)),
        store(secret_key(sealed=sealed_object()[:40]), kind="jceks"),
    ],
)
def test_an_announced_size_is_never_believed(data):
    assert "cut off or damaged" in error_of(data)


def test_a_file_that_is_too_large_is_not_read(monkeypatch):
    monkeypatch.setattr(java_data, "MAX_BYTES", 100)

    assert "at most 100 are read" in error_of(store(trusted()))


def test_a_file_of_very_many_empty_certificates_is_not_read(monkeypatch):
    monkeypatch.setattr(java_data, "MAX_ARRAYS", 10)

    assert "more than 10 certificates" in error_of(store(key_pair(chain=[b""] * 11, protected=protected_key())))
