"""The door for one write at a time, tried with whatever hypothesis thinks of: SAP's entries and all others stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.guarded import GuardedKeystore, Operation
from reconciler.keystores.sap.failures import UnknownOutcomeError, WriteFailedError
from reconciler.model import (
    Entry,
    EntryKind,
    Generate,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Snapshot,
    StoreType,
)
from reconciler.ownership import alias_key, looks_protected_by, protected_by
from reconciler.secret import Secret
from tests.builders import FakeCertificate, wanted_key_pair

SAP, OURS = "SAP", "Tenant Administrator"
PATTERNS = ("vendor_*",)
NEW = FakeCertificate("CN=new")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def entry(
    alias: str, certificate=None, kind=EntryKind.TRUSTED_CERTIFICATE, owner: str = OURS, version: int = 0
) -> Entry:
    certificate = certificate or FakeCertificate(f"CN={alias}")
    digest = f"{kind}/{owner}/{certificate.sha256}/{version}"
    return Entry(alias, kind, (certificate,), digest, owner=owner)


class MemoryTenant:
    """A tenant in memory that does what it is told, whoever the entry belongs to: only the door keeps it from that."""

    def __init__(self, entries, trouble=()):
        self.entries = {one.alias: one for one in entries}
        self.trouble = list(trouble)
        self.sent: list[tuple[str, ...]] = []
        self.version = 1

    def read(self):
        return Snapshot(StoreType.SAP_CLOUD_INTEGRATION, entries=tuple(self.entries.values()))

    def resume(self, planned):
        return self.read()

    def complete(self, live, aliases, *, sap_keys=False):
        return live

    def look(self, alias):
        return self.entries.get(alias)

    def changed(self):
        return "last changed by somebody"

    def close(self):
        pass

    def send(self, write, before, check):
        for _ in range(2):
            check()
            trouble = self.trouble.pop(0) if self.trouble else "none"
            named = (write.alias, write.new_alias) if isinstance(write, Rename) else (write.alias,)
            self.sent.append(named)
            if trouble == "busy":
                continue  # nothing took effect; the client looks again and sends again
            if trouble == "busy-but-done":
                self._do(write)
                continue
            if trouble == "refused":
                raise WriteFailedError("refused", status=400)
            if trouble != "lost":
                self._do(write)
            if trouble in {"lost", "unknown"}:
                raise UnknownOutcomeError("the connection broke")
            return
        raise WriteFailedError("busy", status=429, attempts=2)

    def _do(self, write):
        self.version += 1
        match write:
            case PutCertificate():
                self.entries[write.alias] = entry(write.alias, write.certificate, version=self.version)
            case PutKeyPair() | PutChain():
                self.entries[write.alias] = entry(write.alias, write.chain[0], EntryKind.KEY_PAIR, version=self.version)
            case Generate():
                made = FakeCertificate(f"CN={write.alias}", subject_attributes=write.wanted.subject)
                self.entries[write.alias] = entry(write.alias, made, EntryKind.KEY_PAIR, version=self.version)
            case Remove():
                self.entries.pop(write.alias, None)
            case Rename():
                self.entries[write.new_alias] = replace(self.entries.pop(write.alias), alias=write.new_alias)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.keystores.guarded_steps._WAITS", (0.0,))


LIVE = (
    entry("root"),
    entry("pair", kind=EntryKind.KEY_PAIR),
    entry("other"),
    entry("vendor_root"),
    entry("sap_cloudintegrationcertificate", kind=EntryKind.KEY_PAIR, owner=SAP),
    entry("baltimore cybertrust root", owner=SAP),
)
ALIASES = [
    *(one.alias for one in LIVE), "new", "Sap_new", "  sap_x", "hcicertificate1", "ſap_root", "VENDOR_x", "ROOT",
]  # fmt: skip
aliases = st.sampled_from(ALIASES)
writes = st.one_of(
    st.builds(lambda a: PutCertificate(a, NEW), aliases),
    st.builds(lambda a: PutKeyPair(a, (NEW,), Secret("key")), aliases),
    st.builds(lambda a: PutChain(a, (NEW,)), aliases),
    st.builds(lambda a: Generate(a, wanted_key_pair(a), NOW), aliases),
    st.builds(Remove, aliases),
    st.builds(Rename, aliases, aliases),
)
befores = st.sampled_from([None, *LIVE, entry("root", version=7), entry("pair", FakeCertificate("CN=elsewhere"))])
troubles = st.lists(st.sampled_from(["none", "busy", "busy-but-done", "refused", "lost", "unknown"]), max_size=6)


def is_ours(alias: str) -> bool:
    owner = next((one.owner for one in LIVE if alias_key(one.alias) == alias_key(alias)), None)
    return protected_by(alias, owner, PATTERNS) is None and looks_protected_by(alias, PATTERNS) is None


@given(st.lists(st.tuples(writes, befores), max_size=5), troubles)
def test_no_request_ever_names_a_protected_alias_and_no_other_entry_changes(operations, trouble) -> None:
    tenant = MemoryTenant(LIVE, trouble)
    steps = GuardedKeystore(tenant, PATTERNS, "https://tenant").steps(tenant.read())
    steps.start()
    for write, before in operations:
        try:
            steps.write(Operation(write, before))
        except ReconcileError:
            continue

    sent = {alias for named in tenant.sent for alias in named}
    assert all(is_ours(alias) for alias in sent)
    left = {one.alias: one for one in LIVE if alias_key(one.alias) not in {alias_key(alias) for alias in sent}}
    assert {alias: tenant.entries[alias] for alias in left} == left


@given(writes, befores)
def test_what_is_written_was_as_planned_and_ends_as_asked(write, before) -> None:
    tenant = MemoryTenant(LIVE)
    was = dict(tenant.entries)
    steps = GuardedKeystore(tenant, PATTERNS, "https://tenant").steps(tenant.read())
    try:
        after = steps.write(Operation(write, before))
    except RefusedError:
        assert tenant.sent == []
        assert tenant.entries == was
        return
    assert was.get(write.alias) == (before if before is None else was[before.alias])
    assert (after is None) is isinstance(write, Remove)


def door(tenant: MemoryTenant):
    return GuardedKeystore(tenant, PATTERNS, "https://tenant").steps(tenant.read())


def test_a_later_write_of_the_run_expects_what_an_earlier_one_left() -> None:
    tenant = MemoryTenant(LIVE)
    steps = door(tenant)

    steps.write(Operation(Generate("fresh", wanted_key_pair("fresh"), NOW), None))
    steps.write(Operation(PutChain("fresh", (NEW,)), None))
    steps.write(Operation(Rename("fresh", "final"), None))

    assert tenant.entries["final"].chain == (NEW,)


@pytest.mark.parametrize(("trouble", "applied"), [("unknown", True), ("lost", False), ("busy-but-done", True)])
def test_an_unknown_outcome_is_resolved_by_reading_and_never_sent_again(trouble: str, applied: bool) -> None:
    tenant = MemoryTenant(LIVE, [trouble])
    try:
        door(tenant).write(Operation(PutCertificate("new", NEW), None))
        done = True
    except ReconcileError:
        done = False
    assert done is applied
    assert len(tenant.sent) == 1


def test_another_spelling_counts_as_the_entry() -> None:
    tenant = MemoryTenant(LIVE)
    with pytest.raises(RefusedError):
        door(tenant).write(Operation(PutCertificate("ROOT", NEW), LIVE[0]))
    assert tenant.sent == []


def test_the_others_are_compared_at_the_end() -> None:
    tenant = MemoryTenant(LIVE)
    steps = door(tenant)
    steps.start()
    steps.write(Operation(PutCertificate("new", NEW), None))
    tenant.entries["other"] = entry("other", FakeCertificate("CN=changed"))
    tenant.entries["baltimore cybertrust root"] = entry("baltimore cybertrust root", NEW, owner=SAP)

    assert [note.partition(" during")[0] for note in steps.prove_others()] == [
        "the entry 'baltimore cybertrust root' was changed by SAP",
        "the entry 'other' was changed by somebody else",
    ]


def test_a_door_for_files_takes_no_steps_and_the_other_way_round() -> None:
    with pytest.raises(RefusedError, match="one write at a time"):
        GuardedKeystore(MemoryTenant(LIVE), (), "x").execute([], planned_version="")
