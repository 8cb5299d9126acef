"""The guard: what passes the door, and that nothing else does."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import RefusedError
from reconciler.keystores.guarded import GuardedKeystore, Operation
from reconciler.model import (
    Affect,
    Entry,
    Part,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Snapshot,
    Write,
)
from reconciler.ownership import SAP_PATTERNS, alias_key
from reconciler.secret import Secret
from tests.builders import certificate, entry, key_pair, snapshot


class MemoryKeystore:
    """An honest keystore in memory, with a hook that lets a test make it dishonest."""

    def __init__(self, live: Snapshot, spoil=lambda staged: staged) -> None:
        self.live = live
        self.spoil = spoil
        self.committed: Snapshot | None = None
        self.keys: dict[str, Secret] = {}

    @contextlib.contextmanager
    def begin(self):
        yield self.live

    def read(self) -> Snapshot:
        return self.live

    def stage(self, writes: list[Write]) -> Snapshot:
        entries = list(self.live.entries)
        for write in writes:
            entries = self._after(entries, write)
        self.staged = self.spoil(snapshot(*entries))
        return self.staged

    def _after(self, entries: list[Entry], write: Write) -> list[Entry]:
        place = next((i for i, e in enumerate(entries) if alias_key(e.alias) == alias_key(write.alias)), None)
        old = entries[place] if place is not None else None
        match write:
            case PutCertificate():
                new = [entry(alias_key(write.alias), write.certificate)]
            case PutKeyPair():
                self.keys[write.alias] = write.private_key
                new = [key_pair(alias_key(write.alias), *write.chain)]
            case PutChain():
                kept = old.key_digest if old else None
                new = [key_pair(alias_key(write.alias), *write.chain, key_digest=kept)]
            case Remove():
                new = []
            case Rename():
                new = [replace(old, alias=alias_key(write.new_alias), digest=old.digest[::-1], reachable=True)]
        if place is None:
            return entries + new
        return entries[:place] + new + entries[place + 1 :]

    def staged_private_key(self, alias: str) -> Secret:
        return self.keys[alias]

    def commit(self) -> None:
        self.committed = self.staged


LIVE = snapshot(
    entry("alpha"),
    entry("sap_root"),
    key_pair("beta", certificate("CN=beta", issuer="CN=alpha")),
    key_pair("sap_cloudintegrationcertificate", certificate("CN=sap")),
    entry("gamma"),
    entry("given_by_sap", owner="SAP"),
)


def door(store: MemoryKeystore, *patterns: str) -> GuardedKeystore:
    return GuardedKeystore(store, patterns, "live/outbound.p12")


def refused(store: MemoryKeystore, *operations: Operation, patterns: tuple[str, ...] = ()) -> str:
    with pytest.raises(RefusedError) as caught:
        door(store, *patterns).execute(operations, planned_version=store.live.version)
    assert store.committed is None
    assert caught.value.exit_code == 4
    return caught.value.message


def live(alias: str) -> Entry:
    return next(e for e in LIVE.entries if e.alias == alias)


NEW = certificate("CN=new")


@pytest.mark.parametrize(
    "operation",
    [
        Operation(PutCertificate("delta", NEW)),
        Operation(PutCertificate("ALPHA", NEW), live("alpha")),
        Operation(PutKeyPair("delta", (NEW,), Secret("key"))),
        Operation(PutChain("beta", (NEW, certificate("CN=ca"))), live("beta")),
        Operation(Remove("gamma"), live("gamma")),
        Operation(Rename("gamma", "delta"), live("gamma")),
    ],
    ids=lambda o: f"{type(o.write).__name__} {o.write.alias}",
)
def test_an_honest_write_passes_and_is_committed(operation: Operation):
    store = MemoryKeystore(LIVE)
    door(store).execute([operation], planned_version=LIVE.version)
    assert store.committed is not None


def spellings(alias: str) -> st.SearchStrategy[str]:
    """`alias` in any case and with blanks around it."""
    cased = st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in alias)).map("".join)
    blanks = st.text(st.sampled_from(" \t"), max_size=2)
    return st.tuples(blanks, cased, blanks).map("".join)


SAP_NAMES = [pattern.replace("*", "") + tail for pattern in SAP_PATTERNS for tail in ("x", "1")] + [
    "sap_root",
    "hcicertificate",
    "hcimsgcertificate",
    "sap_",
]


@given(st.sampled_from(SAP_NAMES).flatmap(spellings), st.integers(0, 4))
def test_no_spelling_of_a_name_of_sap_gets_through(alias: str, kind: int):
    write = [
        PutCertificate(alias, NEW),
        PutKeyPair(alias, (NEW,), Secret("key")),
        PutChain(alias, (NEW,)),
        Remove(alias),
        Rename(alias, "free"),
    ][kind]
    found = [e for e in LIVE.entries if alias_key(e.alias) == alias_key(alias)]
    assert "protected" in refused(MemoryKeystore(LIVE), Operation(write, found[0] if found else None))


@given(st.sampled_from(SAP_NAMES).flatmap(spellings))
def test_nothing_can_be_renamed_to_a_name_of_sap(alias: str):
    assert "protected" in refused(MemoryKeystore(LIVE), Operation(Rename("alpha", alias), live("alpha")))


LOOK_ALIKES = ["ſap_root", "ｓａｐ＿root", "s\u200bap_root", "𝐬𝐚𝐩_x", "hcicertiﬁcate", "ₛap_x"]


@pytest.mark.parametrize("alias", LOOK_ALIKES)
def test_a_new_look_alike_of_a_protected_name_is_refused(alias: str):
    message = refused(MemoryKeystore(LIVE), Operation(PutCertificate(alias, NEW)))
    assert "protected" in message


def test_an_entry_that_the_store_gives_to_sap_is_refused_whatever_its_name():
    operation = Operation(PutCertificate("given_by_sap", NEW), live("given_by_sap"))
    assert "Owner SAP" in refused(MemoryKeystore(LIVE), operation)


def test_patterns_of_the_file_protect_more():
    operation = Operation(Remove("gamma"), live("gamma"))
    assert "gam*" in refused(MemoryKeystore(LIVE), operation, patterns=("gam*",))


def test_a_store_that_changed_since_the_plan_is_not_written():
    store = MemoryKeystore(LIVE)
    with pytest.raises(RefusedError, match="changed by somebody else"):
        door(store).execute([Operation(Remove("gamma"), live("gamma"))], planned_version="another")
    assert store.committed is None


@pytest.mark.parametrize(
    "operation",
    [
        Operation(PutCertificate("alpha", NEW), None),
        Operation(PutCertificate("delta", NEW), live("alpha")),
        Operation(Remove("gamma"), replace(live("gamma"), digest="0" * 64)),
    ],
    ids=["appeared", "vanished", "changed"],
)
def test_an_entry_that_is_not_what_was_planned_against_is_not_written(operation: Operation):
    assert "not what it was" in refused(MemoryKeystore(LIVE), operation)


@pytest.mark.parametrize(
    "operation",
    [
        Operation(PutCertificate("beta", NEW), live("beta")),
        Operation(PutKeyPair("alpha", (NEW,), Secret("key")), live("alpha")),
        Operation(PutChain("alpha", (NEW,)), live("alpha")),
    ],
)
def test_a_kind_is_never_swapped(operation: Operation):
    assert "would become something else" in refused(MemoryKeystore(LIVE), operation)


def test_a_rename_onto_a_living_entry_is_refused():
    assert "is taken" in refused(MemoryKeystore(LIVE), Operation(Rename("gamma", "alpha"), live("gamma")))


def rebuilt(staged: Snapshot, *entries: Entry) -> Snapshot:
    return snapshot(*entries)


SPOILS = {
    "an entry vanishes": lambda s: snapshot(*[e for e in s.entries if e.alias != "alpha"]),
    "an entry appears": lambda s: snapshot(*s.entries, entry("stranger")),
    "an entry's bytes change": lambda s: snapshot(
        *[replace(e, digest="f" * 64) if e.alias == "sap_root" else e for e in s.entries]
    ),
    "an entry's bytes change in silence": lambda s: replace(
        s, parts=tuple(replace(p, digest="f" * 64) if p.alias_key == "sap_root" else p for p in s.parts)
    ),
    "entries change places": lambda s: snapshot(*s.entries[::-1]),
    "a piece without a name is lost": lambda s: replace(s, parts=s.parts[1:]),
    "a piece without a name appears": lambda s: replace(s, parts=(*s.parts, Part(None, "e" * 64))),
    "a chain grows unannounced": lambda s: replace(
        s, entries=tuple(replace(e, chain=(*e.chain, NEW)) if e.alias == "beta" else e for e in s.entries)
    ),
    "a kind changes": lambda s: replace(
        s,
        entries=tuple(replace(e, kind="secret-key") if e.alias == "beta" else e for e in s.entries),
    ),
    "what was written is not there": lambda s: snapshot(*[e for e in s.entries if e.alias != "delta"]),
    "another certificate was written": lambda s: snapshot(
        *[entry("delta", certificate("CN=evil")) if e.alias == "delta" else e for e in s.entries]
    ),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_store_that_was_built_wrong_is_not_committed(spoil):
    refused(MemoryKeystore(LIVE, spoil), Operation(PutCertificate("delta", NEW)))


def test_a_private_key_that_reads_back_differently_is_not_committed():
    store = MemoryKeystore(LIVE)
    store.staged_private_key = lambda _alias: Secret("another key")
    assert "read back" in refused(store, Operation(PutKeyPair("delta", (NEW,), Secret("key"))))


def longer_chain(alias: str, *more):
    def spoil(staged: Snapshot) -> Snapshot:
        entries = tuple(replace(e, chain=(*e.chain, *more)) if e.alias == alias else e for e in staged.entries)
        return replace(staged, entries=entries)

    return spoil


def announced(alias: str, *chain) -> Affect:
    before = tuple(one.sha256 for one in live(alias).chain)
    return Affect(alias, before, tuple(one.sha256 for one in chain))


def test_an_announced_side_effect_passes_and_no_other():
    ca = certificate("CN=ca")
    operation = Operation(PutCertificate("delta", ca), None, (announced("beta", *live("beta").chain, ca),))
    good = MemoryKeystore(LIVE, longer_chain("beta", ca))
    door(good).execute([operation], planned_version=LIVE.version)
    assert good.committed is not None
    assert "another chain" in refused(MemoryKeystore(LIVE, longer_chain("beta", ca, ca)), operation)


def test_the_chain_of_a_protected_entry_may_only_be_extended():
    ca, other = certificate("CN=ca"), certificate("CN=other")
    name = "sap_cloudintegrationcertificate"

    def swap(staged: Snapshot) -> Snapshot:
        entries = tuple(replace(e, chain=(other, ca)) if e.alias == name else e for e in staged.entries)
        return replace(staged, entries=entries)

    extended = Operation(PutCertificate("delta", ca), None, (announced(name, *live(name).chain, ca),))
    good = MemoryKeystore(LIVE, longer_chain(name, ca))
    door(good).execute([extended], planned_version=LIVE.version)
    assert good.committed is not None
    swapped = Operation(PutCertificate("delta", ca), None, (announced(name, other, ca),))
    assert "more than an extension" in refused(MemoryKeystore(LIVE, swap), swapped)


# ------------------------------------------------------------------------------------------------ properties

names = st.text(st.sampled_from("abcSP_hi1"), min_size=1, max_size=4)


@st.composite
def stores(draw) -> Snapshot:
    aliases = draw(st.lists(names, max_size=8, unique_by=alias_key))
    return snapshot(*[entry(alias_key(a), certificate(f"CN={draw(st.integers(0, 3))}")) for a in aliases])


@st.composite
def operations(draw, store: Snapshot) -> list[Operation]:
    by_key = {alias_key(e.alias): e for e in store.entries}
    result = []
    for alias in draw(st.lists(names, max_size=4, unique_by=alias_key)):
        before = by_key.get(alias_key(alias))
        remove = before is not None and draw(st.booleans())
        write = Remove(alias) if remove else PutCertificate(alias, certificate(f"CN=new {draw(st.integers(0, 3))}"))
        result.append(Operation(write, before))
    return result


@given(st.data())
def test_random_honest_plans_pass_and_leave_the_rest_alone(data):
    store = data.draw(stores())
    todo = data.draw(operations(store))
    memory = MemoryKeystore(store)
    door(memory).execute(todo, planned_version=store.version)
    touched = {alias_key(o.write.alias) for o in todo}
    rest = [e for e in store.entries if alias_key(e.alias) not in touched]
    assert [e for e in memory.committed.entries if alias_key(e.alias) not in touched] == rest


@given(st.data())
def test_whatever_else_changes_is_noticed(data):
    store = data.draw(stores().filter(lambda s: s.entries))
    todo = data.draw(operations(store))
    touched = {alias_key(o.write.alias) for o in todo}
    rest = [e.alias for e in store.entries if alias_key(e.alias) not in touched]
    if not rest:
        return
    victim = data.draw(st.sampled_from(rest))
    how = data.draw(st.sampled_from(["lost", "altered", "altered in silence", "another certificate"]))

    def spoil(staged: Snapshot) -> Snapshot:
        others = [e for e in staged.entries if e.alias != victim]
        mine = next(e for e in staged.entries if e.alias == victim)
        changed = sha256(mine.digest.encode()).hexdigest()
        match how:
            case "lost":
                return snapshot(*others)
            case "altered":
                return snapshot(*[replace(e, digest=changed) if e is mine else e for e in staged.entries])
            case "altered in silence":
                parts = [replace(p, digest=changed) if p.digest == mine.digest else p for p in staged.parts]
                return replace(staged, parts=tuple(parts))
            case _:
                return snapshot(*[entry(e.alias, certificate("CN=evil")) if e is mine else e for e in staged.entries])

    refused(MemoryKeystore(store, spoil), *todo)


# ------------------------------------------------------------------------------------ several writes to an alias

WITH_NEXT = snapshot(
    *LIVE.entries, key_pair("beta.next", certificate("CN=next"), key_digest="the protected key of beta.next")
)


def take_over(*, answer: bool) -> list[Operation]:
    by_alias = {e.alias: e for e in WITH_NEXT.entries}
    staged = by_alias["beta.next"]
    first = [Operation(PutChain("beta.next", (NEW,)), staged)] if answer else []
    return [*first, Operation(Remove("beta"), by_alias["beta"]), Operation(Rename("beta.next", "beta"), staged)]


@pytest.mark.parametrize("answer", [False, True])
def test_a_staged_key_pair_takes_its_alias_over_in_one_step(answer: bool):
    store = MemoryKeystore(WITH_NEXT)
    door(store).execute(take_over(answer=answer), planned_version=WITH_NEXT.version)
    (after,) = [e for e in store.committed.entries if e.alias == "beta"]
    assert after.chain[0] == (NEW if answer else certificate("CN=next"))
    assert "beta.next" not in {e.alias for e in store.committed.entries}


def test_a_take_over_that_ends_with_another_key_is_not_committed():
    def spoil(staged: Snapshot) -> Snapshot:
        entries = tuple(replace(e, key_digest="another") if e.alias == "beta" else e for e in staged.entries)
        return replace(staged, entries=entries)

    store = MemoryKeystore(WITH_NEXT, spoil)
    with pytest.raises(RefusedError, match="read back"):
        door(store).execute(take_over(answer=False), planned_version=WITH_NEXT.version)
    assert store.committed is None


def test_a_take_over_without_removing_the_old_one_is_refused():
    store = MemoryKeystore(WITH_NEXT)
    with pytest.raises(RefusedError, match="is taken"):
        door(store).execute(take_over(answer=False)[1:], planned_version=WITH_NEXT.version)
    assert store.committed is None
