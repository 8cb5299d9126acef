"""Entries and chains as Java shows them, for files that no honest program would write; Java is the judge."""

from __future__ import annotations

import random

import pytest

from reconciler.keystores.pkcs12 import parse
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    PASSWORD,
    certificate,
    file_of,
    leaf,
    other_bag,
    plain_key,
    shape,
    shape_in_java,
    shrouded,
    trusted,
)

ROOT = certificate("Root", ski="Root")
ROOT_BARE = certificate("Root", serial=2)
ROOT_OTHER_KEY = certificate("Root", of="Other", by="Other", ski="Other")
ROOT_CROSSED = certificate("Root", by="Other", ski="Root", aki="Other", serial=3)  # self-issued, not self-signed
ISSUING = certificate("Issuing", "Root", ski="Issuing", aki="Root")
ISSUING_BARE = certificate("Issuing", "Root", serial=2)
ISSUING_BY_OTHER = certificate("Issuing", "Root", by="Other", aki="Other", serial=3)
PAIR = certificate("pair", "Issuing", aki="Issuing")
PAIR_BARE = certificate("pair", "Issuing", serial=2)
PAIR_WRONG_AKI = certificate("pair", "Issuing", aki="Other", serial=3)
PAIR_SPELLED = certificate("pair", "  ISSUING", by="Issuing", serial=4)
PAIR_SELF = certificate("pair", serial=5)
LOOP_A = certificate("A", "B", of="A", by="B")
LOOP_B = certificate("B", "A", of="B", by="A")
UNRELATED = certificate("Unrelated")
ALL = [
    ROOT, ROOT_BARE, ROOT_OTHER_KEY, ROOT_CROSSED, ISSUING, ISSUING_BARE, ISSUING_BY_OTHER, PAIR, PAIR_BARE,
    PAIR_WRONG_AKI, PAIR_SPELLED, PAIR_SELF, LOOP_A, LOOP_B, UNRELATED,
]  # fmt: skip
ONE, TWO = b"Time 1700000000001", b"\x02\x02"

ARRANGED = {
    "an ordinary chain": [[shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), leaf(ISSUING), leaf(ROOT)]],
    "certificates before keys": [[leaf(ROOT), leaf(ISSUING), leaf(PAIR, "pair", ONE)], [shrouded("pair", ONE)]],
    "the issuer is a trusted certificate": [[shrouded("pair", ONE)], [leaf(PAIR, None, ONE), trusted(ISSUING, "ca")]],
    "the same subject with two keys": [
        [shrouded("pair", ONE)],
        [leaf(ISSUING, None, ONE), leaf(ROOT_OTHER_KEY), leaf(ROOT)],
    ],
    "the same subject, nothing but names": [
        [shrouded("pair", ONE)],
        [leaf(PAIR_BARE, None, ONE), leaf(ISSUING_BY_OTHER), leaf(ISSUING), leaf(ROOT_OTHER_KEY), leaf(ROOT)],
    ],
    "an authority key identifier that fits nobody": [
        [shrouded("pair", ONE)],
        [leaf(PAIR_WRONG_AKI, None, ONE), leaf(ISSUING)],
    ],
    "a fallback without key identifier": [
        [shrouded("pair", ONE)],
        [leaf(PAIR_WRONG_AKI, None, ONE), leaf(ISSUING_BARE), leaf(ISSUING), leaf(ISSUING_BY_OTHER)],
    ],
    "the last fallback counts": [
        [shrouded("pair", ONE)],
        [leaf(ISSUING, None, ONE), leaf(ROOT_BARE), leaf(certificate("Root", serial=9)), leaf(ROOT_OTHER_KEY)],
    ],
    "an issuer spelled in other case and blanks": [
        [shrouded("pair", ONE)],
        [leaf(PAIR_SPELLED, None, ONE), leaf(ISSUING)],
    ],
    "a loop of two": [[shrouded("pair", ONE)], [leaf(LOOP_A, None, ONE), leaf(LOOP_B)]],
    "self-issued but signed by another": [
        [shrouded("pair", ONE)],
        [leaf(ROOT_CROSSED, None, ONE), leaf(ROOT_OTHER_KEY)],
    ],
    "self-issued, its own namesake first": [
        [shrouded("pair", ONE)],
        [leaf(ROOT_OTHER_KEY), leaf(ROOT_BARE, None, ONE)],
    ],
    "self-signed under the name of another": [[shrouded("pair", ONE)], [leaf(PAIR_SELF, None, ONE), leaf(PAIR)]],
    "no certificate for the key": [[shrouded("pair", ONE)], [leaf(PAIR, "other", TWO)]],
    "a leaf by name in other case": [[shrouded("PAIR", ONE)], [leaf(PAIR, "Pair")]],
    "a leaf by name, the last counts": [[shrouded("pair", ONE)], [leaf(PAIR, "pair"), leaf(PAIR_SELF, "pair")]],
    "a leaf by localKeyID, the last counts": [
        [shrouded("pair", ONE)],
        [leaf(PAIR, "a", ONE), leaf(PAIR_SELF, "b", ONE)],
    ],
    "localKeyID and name, the first counts": [
        [shrouded("pair", ONE)],
        [leaf(PAIR, "pair", ONE), leaf(PAIR_SELF, "PAIR", ONE), leaf(UNRELATED, "b", ONE)],
    ],
    "localKeyID before name": [[shrouded("pair", ONE)], [leaf(PAIR, "x", ONE), leaf(PAIR_SELF, "pair")]],
    "a trusted certificate is never a leaf": [[shrouded("pair", ONE)], [trusted(PAIR, "pair2", ONE)]],
    "one key without localKeyID": [[shrouded("pair", None)], [leaf(PAIR), leaf(ISSUING)]],
    "one key without anything": [[shrouded(None, None)], [leaf(PAIR), leaf(ISSUING)]],
    "a key without localKeyID after certificates": [[leaf(PAIR)], [shrouded("pair", None)]],
    "a key without localKeyID, the leaf not first": [[shrouded("pair", None)], [leaf(ISSUING), leaf(PAIR)]],
    "a key without localKeyID, leaf with the implied one": [
        [shrouded("pair", None)],
        [leaf(ISSUING, None, TWO), leaf(PAIR, None, b"01")],
    ],
    "a second key without localKeyID is skipped": [[shrouded("a", ONE), shrouded("b", None)], [leaf(PAIR, None, ONE)]],
    "first without, second with localKeyID": [
        [shrouded("a", None), shrouded("b", ONE)],
        [leaf(PAIR, None, ONE), leaf(PAIR_SELF)],
    ],
    "two keys share a localKeyID": [[shrouded("a", ONE), shrouded("b", ONE)], [leaf(PAIR, None, ONE)]],
    "nothing has a name": [
        [shrouded(None, ONE), shrouded(None, TWO)],
        [trusted(ROOT), leaf(PAIR, None, TWO), trusted(UNRELATED)],
    ],
    "a name that is a number": [[shrouded("2", ONE)], [trusted(ROOT), trusted(UNRELATED)]],
    "keys that differ in case": [
        [shrouded("Pair", ONE), shrouded("PAIR", TWO)],
        [leaf(PAIR, None, ONE), leaf(PAIR_SELF, None, TWO)],
    ],
    "a certificate hides a key": [[shrouded("sap_x", ONE)], [leaf(PAIR, "sap_x", ONE), trusted(ROOT, "SAP_X")]],
    "a key hides a certificate": [[trusted(ROOT, "SAP_X")], [shrouded("sap_x", ONE)], [leaf(PAIR, "sap_x", ONE)]],
    "certificates that differ in case": [[trusted(ROOT, "Root"), trusted(UNRELATED, "x"), trusted(ISSUING, "ROOT")]],
    "dotted capital I and sharp s": [
        [trusted(ROOT, "İ"), trusted(ISSUING, "i̇"), trusted(PAIR, "Straße"), trusted(UNRELATED, "STRASSE")]
    ],
    "leaf names that only Java takes for equal": [[shrouded("\u017fap", ONE)], [leaf(PAIR, "SAP")]],
    "leaf names with a dotless i": [[shrouded("\u0131I", ONE)], [leaf(PAIR, "i\u0130")]],
    "an empty name": [[shrouded("", ONE)], [leaf(PAIR, "", ONE), trusted(ROOT, "")]],
    "a localKeyID that is not a time": [
        [shrouded("a", b"Time x"), shrouded("b", b"Time -5"), shrouded("c", b"\xff")],
        [leaf(PAIR, "a")],
    ],
    "plain keys and unknown bags": [
        [plain_key("plain", ONE), other_bag("1.2.840.113549.1.12.10.1.4"), other_bag("1.2.3.4")],
        [leaf(PAIR, "plain", ONE)],
    ],
    "a plain key does not count as the first": [[plain_key("plain", ONE), shrouded("pair", None)], [leaf(PAIR)]],
    "bags inside a bag are not read": [
        [other_bag("1.2.840.113549.1.12.10.1.6", b"0\x00"), shrouded("pair", ONE)],
        [leaf(PAIR, "pair")],
    ],
    "no contents at all": [],
    "empty contents": [[], []],
}


def random_files():
    """Any bags in any order: what a transcription of the rules gets wrong shows here."""
    chance = random.Random(20260601)
    names = [None, "a", "A", "b", "1", "2", "pair"]
    ids = [None, None, ONE, TWO, b"01"]

    def bag():
        name, key_id = chance.choice(names), chance.choice(ids)
        match chance.randrange(8):
            case 0 | 1:
                return shrouded(name, key_id)
            case 2:
                return trusted(chance.choice(ALL), name, key_id)
            case 3:
                return plain_key(name, key_id)
            case _:
                return leaf(chance.choice(ALL), name, key_id)

    for _ in range(400):
        yield [[bag() for _ in range(chance.randrange(7))] for _ in range(chance.randrange(1, 4))]


CASES = [*ARRANGED.values(), *random_files()]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("arranged")
    questions = []
    for number, safes in enumerate(CASES):
        path = directory / f"{number}.p12"
        path.write_bytes(file_of(*safes))
        questions.append(Question(path, "pkcs12"))
    return questions


@pytest.fixture(scope="module")
def java_views(written, java_sees):
    return java_sees(written)


@pytest.fixture(scope="module")
def newer_java_views(written, newer_java_sees):
    return newer_java_sees(written)


def ours(question):
    return parse(question.path.read_bytes(), PASSWORD, origin=str(question.path)).snapshot()


@pytest.mark.parametrize("name", ARRANGED)
def test_an_arrangement_is_shown_as_java_17_and_25_show_it(name, written, java_views, newer_java_views):
    number = list(ARRANGED).index(name)
    shown = shape(ours(written[number]))
    assert shown == shape_in_java(java_views[number])
    assert shown == shape_in_java(newer_java_views[number])


def test_any_bags_in_any_order_are_shown_as_java_shows_them(written, java_views):
    for question, view in list(zip(written, java_views, strict=True))[len(ARRANGED) :]:
        assert shape(ours(question)) == shape_in_java(view), CASES[int(question.path.stem)]


def test_the_creation_date_is_the_one_in_the_local_key_id(written, java_views):
    number = list(ARRANGED).index("an ordinary chain")
    created = ours(written[number]).entries[0].created
    assert round(created.timestamp() * 1000) == java_views[number].entries["pair"].created_ms == 1_700_000_000_001


def test_every_certificate_is_either_shown_or_listed_as_hidden(written):
    for question in written:
        snapshot = ours(question)
        shown = {one.sha256 for entry in snapshot.entries for one in entry.chain}
        listed = {one.sha256 for hidden in snapshot.hidden for one in hidden.certificates}
        assert {part.certificate_sha256 for part in snapshot.parts} - {None} == shown | listed
