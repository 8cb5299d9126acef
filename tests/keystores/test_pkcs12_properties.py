"""Any writes on any arrangement of bags, against a model: what was asked for is there, the rest is as it was."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.keystores.pkcs12 import parse
from reconciler.model import PutCertificate, PutChain, PutKeyPair, Remove, Rename
from reconciler.ownership import alias_key
from tests.builders import NOW
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    KINDS,
    PASSWORD,
    certificate,
    file_of,
    leaf,
    pkcs8,
    plain_key,
    shape,
    shape_in_java,
    shrouded,
    trusted,
)

ROOT = certificate("Root", ski="Root")
ISSUING = certificate("Issuing", "Root", ski="Issuing", aki="Root")
LEAVES = [certificate("pair", "Issuing", aki="Issuing", serial=n) for n in range(1, 4)]
SELF_SIGNED = certificate("pair", serial=9)
POOL = [ROOT, ISSUING, *LEAVES, SELF_SIGNED]
CHAINS = [(LEAVES[0], ISSUING, ROOT), (LEAVES[1], ISSUING), (LEAVES[2],), (SELF_SIGNED,), (ISSUING, ROOT)]
NAMES = [None, "a", "A", "b", "c", "1"]
IDS = [None, b"Time 1700000000001", b"\x02", b"01"]
ALIASES = ["a", "A", "b", "c", "d", "1", "2"]

names, key_ids, pool = st.sampled_from(NAMES), st.sampled_from(IDS), st.sampled_from(POOL)
bags = st.one_of(
    st.builds(shrouded, names, key_ids),
    st.builds(trusted, pool, names, key_ids),
    st.builds(leaf, pool, names, key_ids),
    st.builds(leaf, pool, names, key_ids),
    st.builds(plain_key, names, key_ids),
)
arrangements = st.lists(st.lists(bags, max_size=5), max_size=3)
aliases = st.sampled_from(ALIASES)
writes = st.lists(
    st.one_of(
        st.builds(PutCertificate, aliases, pool),
        st.builds(PutKeyPair, aliases, st.sampled_from(CHAINS), st.just(pkcs8("pair"))),
        st.builds(PutChain, aliases, st.sampled_from(CHAINS)),
        st.builds(Remove, aliases),
        st.builds(Rename, aliases, aliases),
    ),
    min_size=1,
    max_size=6,
)


def named_by(write):
    return {alias_key(write.alias)} | ({alias_key(write.new_alias)} if isinstance(write, Rename) else set())


def expected_of(write):
    """What must be at which alias after a write: kind and first certificate."""
    match write:
        case PutCertificate(alias, one):
            return {alias_key(alias): ("trustedCertEntry", one.sha256)}
        case PutKeyPair(alias, chain, _) | PutChain(alias, chain):
            return {alias_key(alias): ("PrivateKeyEntry", chain[0].sha256)}
        case _:
            return {}


def firsts(snapshot):
    return {one.alias: (KINDS[one.kind], one.leaf.sha256 if one.leaf else None) for one in snapshot.entries}


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(one in rest for one in part)


def check_one_write(container, write, *, encrypted):
    """Apply one write in two ways, and compare with what was there."""
    before = container.snapshot()
    try:
        after = container.with_writes([write], password=PASSWORD, now=NOW)
    except ReconcileError:
        assert container.snapshot() == before
        return container
    preview = container.with_writes([write], password=None, now=NOW).snapshot()
    read_back = parse(after.to_bytes(PASSWORD), PASSWORD, origin="test.p12")
    snapshot = read_back.snapshot()

    assert shape(preview) == shape(snapshot) == shape(after.snapshot())
    assert snapshot.parts == after.snapshot().parts
    assert snapshot.integrity
    check_against_model(before, snapshot, write)
    return read_back


def check_against_model(before, snapshot, write):
    named, now_there = named_by(write), {one.alias: one for one in snapshot.entries}
    for one in before.entries:
        if one.alias not in named:
            assert now_there[one.alias].digest == one.digest
            assert now_there[one.alias].kind == one.kind
    for alias, first in expected_of(write).items():
        assert firsts(snapshot)[alias] == first
    if isinstance(write, Remove):
        assert alias_key(write.alias) not in now_there
    if isinstance(write, Rename):
        assert firsts(snapshot)[alias_key(write.new_alias)] == firsts(before)[alias_key(write.alias)]
    kept = [part.digest for part in before.parts if part.alias_key not in named and part.certificate_sha256 is None]
    assert is_subsequence(kept, [part.digest for part in snapshot.parts])
    lost = {part.certificate_sha256 for part in before.parts} - {part.certificate_sha256 for part in snapshot.parts}
    of_the_named = {one.sha256 for entry in before.entries if entry.alias in named for one in entry.chain}
    of_hidden_twins = {part.certificate_sha256 for part in before.parts if part.alias_key in named}
    assert lost <= of_the_named | of_hidden_twins


@settings(max_examples=150, deadline=timedelta(seconds=5))
@given(arrangements, writes, st.booleans())
def test_each_write_does_what_it_says_and_nothing_else(arrangement, sequence, encrypted):
    container = parse(file_of(*arrangement, encrypted=encrypted), PASSWORD, origin="test.p12")
    for write in sequence:
        container = check_one_write(container, write, encrypted=encrypted)


@settings(max_examples=60, deadline=timedelta(seconds=5))
@given(arrangements, writes)
def test_writes_together_do_the_same_as_one_by_one(arrangement, sequence):
    start = parse(file_of(*arrangement), PASSWORD, origin="test.p12")
    together = one_by_one = None
    try:
        together = start.with_writes(sequence, password=None, now=NOW)
        one_by_one = start
        for write in sequence:
            one_by_one = one_by_one.with_writes([write], password=None, now=NOW)
    except ReconcileError:
        return  # a detour may lead through what cannot be written, and the whole be possible, or the other way round
    assert firsts(together.snapshot()) == firsts(one_by_one.snapshot())


def test_java_sees_what_we_see_after_any_writes(tmp_path, java_sees):
    chance = random.Random(7)
    questions, shapes = [], []
    for number in range(120):
        arrangement = [[random_bag(chance) for _ in range(chance.randrange(6))] for _ in range(chance.randrange(1, 3))]
        container = parse(file_of(*arrangement), PASSWORD, origin="test.p12")
        for _ in range(chance.randrange(1, 6)):
            try:
                container = container.with_writes([random_write(chance)], password=PASSWORD, now=NOW)
            except ReconcileError:
                continue
        path = tmp_path / f"{number}.p12"
        path.write_bytes(container.to_bytes(PASSWORD))
        questions.append(Question(path, "pkcs12"))
        shapes.append(shape(container.snapshot()))
    assert [shape_in_java(view) for view in java_sees(questions)] == shapes


def random_bag(chance):
    name, key_id, one = chance.choice(NAMES), chance.choice(IDS), chance.choice(POOL)
    make = chance.choice([shrouded, trusted, leaf, leaf, plain_key])
    return make(name, key_id) if make in (shrouded, plain_key) else make(one, name, key_id)


def random_write(chance):
    alias = chance.choice(ALIASES)
    return chance.choice(
        [
            PutCertificate(alias, chance.choice(POOL)),
            PutKeyPair(alias, chance.choice(CHAINS), pkcs8("pair")),
            PutChain(alias, chance.choice(CHAINS)),
            Remove(alias),
            Rename(alias, chance.choice(ALIASES)),
        ]
    )
