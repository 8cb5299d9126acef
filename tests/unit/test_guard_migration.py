"""The guard and a keystore that migrates or goes back whole: what passes the door, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.errors import KeystoreUnreadableError, RefusedError
from reconciler.keystores.guarded import GuardedKeystore, Operation
from reconciler.model import Affect, EntryKind, HiddenEntry, Migration, Part, PutCertificate, Snapshot, StoreType
from reconciler.secret import Secret
from tests.builders import NOW, certificate, entry, key_pair, snapshot
from tests.unit.test_guard import MemoryKeystore

LEAF, ROOT, NEW = certificate("CN=pair", issuer="CN=root"), certificate("CN=root"), certificate("CN=new")
JKS_TO_PKCS12 = Migration(StoreType.JKS, StoreType.PKCS12)
PASSWORD = Migration(StoreType.JKS, StoreType.JKS, new_password=True)
OWN = "a key with a password of its own"


def live() -> Snapshot:
    entries = (
        entry("alpha"),
        key_pair("pair", LEAF, key_digest="pair: old protection", created=NOW),
        key_pair("own", certificate("CN=own"), key_digest=OWN),
        key_pair("sap_cloudintegrationcertificate", certificate("CN=sap"), key_digest="sap"),
        entry("secret", kind=EntryKind.SECRET_KEY),
        entry("beta"),
    )
    return replace(snapshot(*entries, hidden=(HiddenEntry("x", "trailing bytes"),)), type=StoreType.JKS)


class MigratingKeystore(MemoryKeystore):
    """It protects the key of `pair` anew and carries the rest."""

    def __init__(self, before: Snapshot, spoil=lambda staged: staged) -> None:
        super().__init__(before)
        self.spoil_moved = spoil
        self.private_keys = {"pair": Secret("the key of pair")}
        self.staged_keys = dict(self.private_keys)
        self.unchanged: frozenset[str] = frozenset()

    def stage_migration(self, migration: Migration) -> Snapshot:
        self.unchanged = migration.unchanged
        entries = [self._moved(one) for one in self.live.entries]
        moved = replace(snapshot(*entries), type=migration.to_type, hidden=self.live.hidden, version="moved")
        self.staged = self.spoil_moved(moved)
        self.live = self.staged  # what further writes are made on
        return self.staged

    def _moved(self, one):
        changed = {"key_digest": "pair: new protection", "digest": one.digest[::-1]}
        return replace(one, **changed) if one.alias == "pair" else one

    def stage_backup(self, run: str) -> Snapshot:
        assert run == "run"
        self.staged = self.spoil_moved(live())
        return self.staged

    def private_key(self, alias: str) -> Secret:
        if alias not in self.private_keys:
            raise KeystoreUnreadableError("the password does not open it")
        return self.private_keys[alias]

    def staged_private_key(self, alias: str) -> Secret:
        return self.staged_keys[alias] if alias in self.staged_keys else self.keys[alias]


def door(store: MemoryKeystore, *patterns: str) -> GuardedKeystore:
    return GuardedKeystore(store, patterns, "live/outbound.jks")


def refused(store: MigratingKeystore, migration: Migration = PASSWORD, *patterns: str, **options) -> str:
    with pytest.raises(RefusedError) as caught:
        door(store, *patterns).migrate(migration, (), planned_version=store.live.version, **options)
    assert store.committed is None
    assert caught.value.exit_code == 4
    return caught.value.message


def changed(alias: str, **facts):
    return lambda staged: replace(
        staged, entries=tuple(replace(e, **facts) if e.alias == alias else e for e in staged.entries)
    )


def test_an_honest_migration_passes_and_tells_which_keys_keep_their_password():
    store = MigratingKeystore(live())
    _, own = door(store).migrate(PASSWORD, (), planned_version=store.live.version)
    assert store.committed is not None
    assert own == ("own",)


def test_protected_entries_are_found_by_the_guard_whatever_the_plan_says():
    store = MigratingKeystore(live())
    door(store, "ow*").migrate(replace(PASSWORD, unchanged=frozenset()), (), planned_version=store.live.version)
    assert store.unchanged == {"own", "sap_cloudintegrationcertificate"}


def test_further_writes_go_into_the_same_commit():
    store = MigratingKeystore(live())
    before = next(e for e in store.live.entries if e.alias == "alpha")
    writes = [Operation(PutCertificate("delta", NEW)), Operation(PutCertificate("alpha", NEW), before)]
    door(store).migrate(PASSWORD, writes, planned_version=store.live.version)
    found = {e.alias: e.chain[0] for e in store.committed.entries if e.alias in ("alpha", "delta")}
    assert found == {"alpha": NEW, "delta": NEW}


@pytest.mark.parametrize("alias", ["sap_new", " SAP_x", "hcicertificate1"])
def test_further_writes_do_not_touch_what_is_protected(alias: str):
    store = MigratingKeystore(live())
    with pytest.raises(RefusedError, match="protected"):
        door(store).migrate(PASSWORD, [Operation(PutCertificate(alias, NEW))], planned_version=store.live.version)
    assert store.committed is None


SPOILS = {
    "an entry vanishes": lambda s: replace(s, entries=s.entries[1:]),
    "an entry appears": lambda s: replace(s, entries=(*s.entries, entry("stranger"))),
    "entries change places": lambda s: replace(s, entries=s.entries[::-1]),
    "a kind changes": changed("alpha", kind=EntryKind.KEY_PAIR),
    "another certificate": changed("alpha", chain=(NEW,)),
    "a certificate is lost": changed("pair", chain=()),
    "a chain grows": changed("pair", chain=(LEAF, ROOT)),
    "a certificate's bytes change": changed("beta", digest="f" * 64),
    "a secret key changes": changed("secret", digest="f" * 64),
    "a key with a password of its own changes": changed("own", key_digest="another"),
    "the key of SAP changes": changed("sap_cloudintegrationcertificate", key_digest="another"),
    "a date changes": changed("pair", created=NOW + timedelta(days=1)),
    "an entry gets out of reach": changed("alpha", reachable=False),
    "a hidden piece is lost": lambda s: replace(s, hidden=()),
    "a piece is lost": lambda s: replace(s, parts=s.parts[1:]),
    "a piece appears": lambda s: replace(s, parts=(*s.parts, Part(None, "e" * 64))),
    "a piece changes in silence": lambda s: replace(s, parts=(replace(s.parts[0], digest="e" * 64), *s.parts[1:])),
    "a second piece of the same key changes": lambda s: replace(
        s, parts=tuple(replace(p, digest="e" * 64, alias_key="pair") for p in s.parts)
    ),
    "another format": lambda s: replace(s, type=StoreType.JCEKS),
    "no integrity check": lambda s: replace(s, integrity=False),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_migration_that_was_built_wrong_is_not_committed(spoil):
    refused(MigratingKeystore(live(), spoil))


def test_a_key_that_becomes_another_one_is_not_committed():
    store = MigratingKeystore(live())
    store.staged_keys["pair"] = Secret("another key")
    assert "become another one" in refused(store)


def test_a_key_that_opened_and_does_not_open_any_more_is_not_committed():
    store = MigratingKeystore(live())
    store.staged_keys["pair"] = Secret(b"")
    assert "lost" in refused(store)


def test_a_key_that_no_password_opens_keeps_its_bytes_or_the_keystore_stays():
    store = MigratingKeystore(live())
    store.private_keys = {}
    assert "'pair' would be lost" in refused(store)


def test_between_formats_the_order_counts_within_each_kind():
    keys_first = lambda s: replace(s, entries=tuple(sorted(s.entries, key=lambda e: e.kind)))  # noqa: E731
    store = MigratingKeystore(live(), keys_first)
    door(store).migrate(JKS_TO_PKCS12, (), planned_version=store.live.version)
    assert store.committed is not None
    backwards = MigratingKeystore(live(), lambda s: replace(s, entries=s.entries[::-1]))
    assert "order" in refused(backwards, JKS_TO_PKCS12)


def test_a_longer_chain_passes_if_it_was_announced_and_another_one_never():
    both = (LEAF.sha256, ROOT.sha256)
    announced = (Affect("pair", (LEAF.sha256,), both),)
    store = MigratingKeystore(live(), changed("pair", chain=(LEAF, ROOT)))
    door(store).migrate(JKS_TO_PKCS12, (), planned_version=store.live.version, affects=announced)
    assert store.committed is not None
    other = (Affect("pair", (LEAF.sha256,), (NEW.sha256,)),)
    swapped = MigratingKeystore(live(), changed("pair", chain=(NEW,)))
    assert "another chain" in refused(swapped, JKS_TO_PKCS12, affects=other)


def test_a_keystore_that_changed_since_the_plan_does_not_migrate():
    store = MigratingKeystore(live())
    with pytest.raises(RefusedError, match="changed by somebody else"):
        door(store).migrate(PASSWORD, (), planned_version="another")
    assert store.committed is None


# ----------------------------------------------------------------------------------- back to a whole backup


def migrated() -> Snapshot:
    store = MigratingKeystore(live())
    return store.stage_migration(PASSWORD)


def test_a_whole_backup_comes_back():
    store = MigratingKeystore(migrated())
    door(store).restore_file("run", (), planned_version="moved")
    assert store.committed is not None


RESTORED_WRONG = {
    "an entry more": lambda s: replace(s, entries=(*s.entries, entry("stranger"))),
    "an entry less": lambda s: replace(s, entries=s.entries[1:]),
    "another certificate": changed("alpha", chain=(NEW,)),
    "a longer chain": changed("pair", chain=(LEAF, ROOT)),
    "another secret key": changed("secret", digest="f" * 64),
    "the key of SAP changes": changed("sap_cloudintegrationcertificate", key_digest="another"),
    "a key with a password of its own changes": changed("own", key_digest="another"),
}


@pytest.mark.parametrize("spoil", RESTORED_WRONG.values(), ids=RESTORED_WRONG)
def test_a_backup_that_holds_something_else_does_not_come_back(spoil):
    store = MigratingKeystore(migrated(), spoil)
    with pytest.raises(RefusedError):
        door(store).restore_file("run", (), planned_version="moved")
    assert store.committed is None


def test_what_the_run_touched_may_differ():
    store = MigratingKeystore(migrated(), changed("alpha", chain=(NEW,)))
    door(store).restore_file("run", ("alpha",), planned_version="moved")
    assert store.committed is not None


def test_no_record_makes_a_protected_entry_one_that_was_touched():
    store = MigratingKeystore(migrated())
    with pytest.raises(RefusedError, match="protected"):
        door(store).restore_file("run", ("sap_cloudintegrationcertificate",), planned_version="moved")


def test_a_keystore_that_is_not_what_the_run_left_is_not_replaced_whole():
    store = MigratingKeystore(migrated())
    with pytest.raises(RefusedError, match="changed by somebody else"):
        door(store).restore_file("run", (), planned_version="another")
