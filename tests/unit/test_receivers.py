"""Receivers: what a plan means for them, who needs which root, and what changed since they were recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model import (
    Absent,
    Action,
    Entry,
    EntryKind,
    Probe,
    Receiver,
    ReceiverStatus,
    Renamed,
    Snapshot,
    Status,
    StoreType,
    Unmanaged,
    WantedCertificate,
)
from reconciler.planning import digest, plan_target
from reconciler.receivers import Outlook
from reconciler.x509 import is_signed_by
from tests.builders import HERE, desired
from tests.tls.pki import NOW, Draft, ca, server

OLD = ca("CN=Old Root").issued_by()
NEW = ca("CN=New Root").issued_by()
OTHER = ca("CN=Other Root").issued_by()
# The same CA under the old root and, cross-signed for a month, under the new one.
MIDDLE_KEY = Draft("CN=x").key
MIDDLE = ca("CN=Issuing CA", key=MIDDLE_KEY).issued_by(OLD)
CROSS = ca("CN=Issuing CA", key=MIDDLE_KEY, not_after=NOW + timedelta(days=30)).issued_by(NEW)

LEAF = server().issued_by(OLD)
MOVED = server().issued_by(NEW)


def certificates(*issued):
    return tuple(one.certificate for one in issued)


def receiver(name="s4hana", *chain, **more):
    host = more.pop("host", "server.example")
    shown = f"receivers/{name}.pem"
    return Receiver(name, f"{host}:443", HERE, chain_shown=shown, recorded=certificates(*chain), **more)


def root(alias, issued, kind=EntryKind.TRUSTED_CERTIFICATE, **more):
    return Entry(alias, kind, (issued.certificate,), issued.certificate.sha256, **more)


def wanted(alias, issued, **more):
    return WantedCertificate(alias, HERE, issued.certificate, origin=f"{alias}.pem", **more)


def plan(state, *entries, probes=(), days=90, now=NOW, store_type=StoreType.PKCS12):
    """The plan, with a keystore that does what it is asked for (entries are all trusted certificates)."""
    live = Snapshot(store_type, entries=entries, version="1")

    def preview(writes):
        after = {entry.alias: entry for entry in entries}
        for write in writes:
            match type(write).__name__:
                case "PutCertificate":
                    after[write.alias] = replace(root(write.alias, OLD), chain=(write.certificate,))
                case "Remove":
                    del after[write.alias]
                case "Rename":
                    after[write.new_alias] = replace(after.pop(write.alias), alias=write.new_alias)
        return replace(live, entries=tuple(after.values()))

    found = {one.destination: probe for one, probe in probes}
    outlook = Outlook(timedelta(days=days), found)
    return plan_target(state, live, now, preview, is_signed_by, outlook=outlook)


def declare(*wanted_roots, receivers=(), **more):
    state = desired(*wanted_roots)
    return replace(state, receivers=tuple(receivers), **more)


def statuses(target):
    return {verdict.receiver.name: verdict.status for verdict in target.receivers}


S4 = receiver("s4hana", LEAF)

# sentence -> (what is declared beside the receiver, what is live, the verdict)
VERDICTS = {
    "a root that stays keeps its receiver": (declare(wanted("old", OLD), receivers=[S4]), ("old",), "still-trusted"),
    "a root that comes makes its receiver trusted": (
        declare(wanted("old", OLD), receivers=[S4]), (), "newly-trusted"),
    "a root that is not declared and stays keeps its receiver": (declare(receivers=[S4]), ("old",), "still-trusted"),
    "a root that must be absent breaks its receiver": (
        declare(receivers=[S4], absent=(Absent("old", HERE),)), ("old",), "would-break"),
    "a root that is pruned breaks its receiver": (
        declare(receivers=[S4], unmanaged=Unmanaged.PRUNE), ("old",), "would-break"),
    "a root that is replaced under its own alias breaks its receiver": (
        declare(wanted("old", NEW), receivers=[S4]), ("old",), "would-break"),
    "a root under another alias keeps its receiver": (
        declare(receivers=[S4], renamed=(Renamed("old", "better", HERE),)), ("old",), "still-trusted"),
    "the same root twice keeps its receiver when one goes": (
        declare(wanted("twin", OLD), receivers=[S4], absent=(Absent("old", HERE),)), ("old",), "still-trusted"),
    "a receiver that nobody trusts is no reason to refuse": (
        declare(receivers=[S4], absent=(Absent("new", HERE),)), ("new",), "untrusted"),
    "a receiver that was never recorded is unknown": (
        declare(receivers=[receiver()], absent=(Absent("old", HERE),)), ("old",), "unknown"),
}  # fmt: skip

LIVE = {"old": OLD, "new": NEW}


@pytest.mark.parametrize(("state", "live", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_what_a_plan_means_for_a_receiver(state, live, expected):
    target = plan(state, *(root(alias, LIVE[alias]) for alias in live))
    assert statuses(target) == {one.name: expected for one in state.receivers}


def test_a_break_names_the_alias_the_reason_and_the_way_out():
    target = plan(declare(receivers=[S4], absent=(Absent("old", HERE),)), root("old", OLD))
    [verdict] = target.receivers
    assert verdict.chains[0].lost == ("old",)
    assert "receivers/s4hana.pem is trusted by old, and the plan deletes it (absent)" in verdict.message
    assert "replaces: old" in verdict.hint
    assert "reconcile receivers record --receiver s4hana" in verdict.hint


def test_every_chain_that_is_known_counts():
    probe = Probe(certificates(MOVED))
    state = declare(receivers=[S4], absent=(Absent("old", HERE),))
    target = plan(state, root("old", OLD), root("new", NEW), probes=[(S4, probe)])
    [verdict] = target.receivers
    assert [(chain.origin, chain.status) for chain in verdict.chains] == [
        ("recorded", ReceiverStatus.WOULD_BREAK),
        ("probe", ReceiverStatus.STILL_TRUSTED),
    ]
    assert verdict.status is ReceiverStatus.WOULD_BREAK


def test_a_chain_that_is_sent_as_it_was_recorded_is_judged_once():
    [verdict] = plan(declare(receivers=[S4]), root("old", OLD), probes=[(S4, Probe(certificates(LEAF)))]).receivers
    assert [chain.origin for chain in verdict.chains] == ["recorded"]
    assert verdict.differences == ()


def test_what_breaks_within_the_horizon_is_broken_by_the_plan():
    crossed = receiver("s4hana", server().issued_by(Draft("CN=Issuing CA", MIDDLE_KEY).issued_by()), MIDDLE, CROSS)
    state = declare(receivers=[crossed], absent=(Absent("old", HERE),))
    store = root("old", OLD), root("new", NEW)
    near, far = plan(state, *store, days=20), plan(state, *store, days=90)
    assert statuses(near) == {"s4hana": "still-trusted"}
    assert statuses(far) == {"s4hana": "would-break"}
    assert "2026-08-30" in far.receivers[0].message


def test_a_chain_that_was_recorded_long_ago_protects_as_well():
    state = declare(receivers=[S4], absent=(Absent("old", HERE),))
    [verdict] = plan(state, root("old", OLD), now=NOW + timedelta(days=800)).receivers
    assert verdict.status is ReceiverStatus.WOULD_BREAK
    assert verdict.chains[0].moment == LEAF.certificate.not_after
    assert "expired" in {note.code for note in verdict.warnings}


def test_an_intermediate_that_ends_within_the_horizon_is_told():
    short = ca("CN=Short CA", not_after=NOW + timedelta(days=30)).issued_by(OLD)
    one = receiver("s4hana", server().issued_by(short), short)
    [verdict] = plan(declare(receivers=[one]), root("old", OLD)).receivers
    assert verdict.status is ReceiverStatus.STILL_TRUSTED
    assert "ends-within-horizon" in {note.code for note in verdict.warnings}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "ok"),
        ({"host": "elsewhere.example"}, "name-mismatch"),
        ({"host": "[2001:db8::1]"}, "name-mismatch"),
        ({"host": "127.0.0.1", "server_name": "server.example"}, "ok"),
        ({"host": "server.example", "server_name": "elsewhere.example"}, "ok"),
    ],
)
def test_the_name_is_judged_as_java_does(more, expected):
    [verdict] = plan(declare(receivers=[receiver("s4hana", LEAF, **more)]), root("old", OLD)).receivers
    assert verdict.chains[0].host_code == expected


def test_roots_that_no_receiver_needs_are_listed_but_not_those_of_sap_or_in_waiting():
    state = declare(wanted("fresh", OTHER, replaces="gone"), wanted("old", OLD), receivers=[S4])
    target = plan(state, root("old", OLD), root("new", NEW), root("sap_root", OTHER), root("fresh", OTHER))
    assert target.unneeded == ("new",)


def test_without_a_known_chain_nothing_is_called_unneeded():
    assert plan(declare(wanted("old", OLD), receivers=[receiver()]), root("old", OLD)).unneeded == ()


# -------------------------------------------------------------------------------------------------- replaces

REPLACING = wanted("new", NEW, replaces="old")


def replaced(target):
    """The finding about `old`, and whether it goes."""
    [finding] = [one for one in target.findings if one.alias == "old"]
    return finding, [(one.action, one.reason) for one in target.changes if one.alias == "old"]


def test_a_replaced_root_stays_while_a_receiver_hangs_on_it():
    target = plan(declare(REPLACING, receivers=[S4]), root("old", OLD))
    finding, changes = replaced(target)
    assert (finding.status, finding.receivers, changes) == (Status.STILL_NEEDED, ("s4hana",), [])
    assert "still needed by s4hana (the chain recorded in receivers/s4hana.pem ends at it)" in finding.message
    assert [change.alias for change in target.changes] == ["new"]


def test_a_replaced_root_stays_while_nothing_is_known_of_a_receiver():
    finding, changes = replaced(plan(declare(REPLACING, receivers=[receiver("dark")]), root("old", OLD)))
    assert (finding.receivers, changes) == (("dark",), [])
    assert "dark (nothing is known of it)" in finding.message


def test_a_replaced_root_goes_when_every_receiver_is_proven_to_be_trusted_without_it():
    state = declare(REPLACING, receivers=[receiver("s4hana", MOVED)])
    _, changes = replaced(plan(state, root("old", OLD), root("new", NEW)))
    assert changes == [(Action.DELETE, "replaced")]


def test_a_connection_proves_it_as_a_recorded_chain_does():
    dark = receiver("dark")
    state = declare(REPLACING, receivers=[dark])
    target = plan(state, root("old", OLD), root("new", NEW), probes=[(dark, Probe(certificates(MOVED)))])
    assert replaced(target)[1] == [(Action.DELETE, "replaced")]


def test_a_connection_that_shows_the_old_chain_holds_the_root():
    one = receiver("s4hana", MOVED)
    target = plan(
        declare(REPLACING, receivers=[one]), root("old", OLD), root("new", NEW),
        probes=[(one, Probe(certificates(LEAF)))],
    )  # fmt: skip
    finding, changes = replaced(target)
    assert changes == []
    assert "the chain that it sends now ends at it" in finding.message


def test_a_receiver_that_hangs_on_another_root_does_not_hold_it():
    state = declare(REPLACING, receivers=[receiver("mail", server().issued_by(OTHER))])
    assert replaced(plan(state, root("old", OLD), root("other", OTHER)))[1] == [(Action.DELETE, "replaced")]


def test_a_replaced_root_goes_at_once_where_no_receivers_are_declared_and_the_plan_says_so():
    target = plan(declare(REPLACING), root("old", OLD))
    [change] = [one for one in target.changes if one.alias == "old"]
    assert "no receivers are declared" in change.message


def test_of_two_replaced_roots_that_carry_one_receiver_one_goes():
    crossed = receiver("s4hana", server().issued_by(Draft("CN=Issuing CA", MIDDLE_KEY).issued_by()), MIDDLE, CROSS)
    state = declare(
        wanted("a", OTHER, replaces="old"), wanted("b", MOVED, replaces="new"), receivers=[crossed]
    )  # fmt: skip
    target = plan(state, root("old", OLD), root("new", NEW), days=10)
    gone = [one.alias for one in target.changes if one.reason == "replaced"]
    kept = [one.alias for one in target.findings if one.status is Status.STILL_NEEDED]
    assert (len(gone), len(kept)) == (1, 1)
    assert statuses(target) == {"s4hana": "still-trusted"}


def test_in_a_tenant_which_is_written_one_by_one_the_new_root_comes_first():
    state = declare(REPLACING, receivers=[receiver("s4hana", MOVED)])
    tenant = replace(state, keystore=replace(state.keystore, type=StoreType.SAP_CLOUD_INTEGRATION))
    first = plan(tenant, root("old", OLD), store_type=StoreType.SAP_CLOUD_INTEGRATION)
    assert [(one.action, one.alias) for one in first.changes] == [(Action.IMPORT, "new")]
    assert "new must be in the keystore first" in replaced(first)[0].message
    second = plan(tenant, root("old", OLD), root("new", NEW), store_type=StoreType.SAP_CLOUD_INTEGRATION)
    assert [(one.action, one.alias) for one in second.changes] == [(Action.DELETE, "old")]


def test_when_the_replaced_root_has_gone_there_is_nothing_to_do():
    target = plan(declare(REPLACING, receivers=[receiver("s4hana", MOVED)]), root("new", NEW))
    assert (target.changes, [one.alias for one in target.findings]) == ((), ["new"])


# ---------------------------------------------------------------------------------------------------- digest


def test_the_digest_covers_recorded_chains_and_their_verdicts():
    with_old = plan(declare(receivers=[S4]), root("old", OLD))
    assert digest([with_old]) != digest([plan(declare(receivers=[receiver("s4hana", MOVED)]), root("old", OLD))])
    # Somebody took away the unmanaged root on which the receiver hung.
    assert digest([with_old]) != digest([plan(declare(receivers=[S4]))])


def test_the_digest_does_not_cover_what_connections_show_nor_the_horizon_nor_the_day():
    plain = digest([plan(declare(receivers=[S4]), root("old", OLD))])
    probed = plan(declare(receivers=[S4]), root("old", OLD), probes=[(S4, Probe(certificates(MOVED)))], days=10)
    assert digest([probed]) == plain
    assert digest([plan(declare(receivers=[S4]), root("old", OLD), now=NOW + timedelta(days=400))]) == plain


def test_receivers_without_a_record_leave_the_digest_as_it_was():
    assert digest([plan(declare(receivers=[receiver()]), root("old", OLD))]) == digest(
        [plan(declare(), root("old", OLD))]
    )


# ----------------------------------------------------------------------------------------------------- drift


def differing(one, probe, *entries, **more):
    [verdict] = plan(declare(receivers=[one]), *entries, probes=[(one, probe)], **more).receivers
    return {note.code: note for note in verdict.differences}


def test_a_receiver_that_is_as_recorded_does_not_differ():
    assert differing(S4, Probe(certificates(LEAF)), root("old", OLD)) == {}


def test_a_receiver_that_was_not_reached_does_not_differ():
    [verdict] = plan(declare(receivers=[S4]), root("old", OLD), probes=[(S4, Probe(code="dns", message="x"))]).receivers
    assert verdict.differences == ()
    assert "not-reached" in {note.code for note in verdict.warnings}


def test_a_renewed_leaf_is_told_with_its_key():
    found = differing(S4, Probe(certificates(server().issued_by(OLD))), root("old", OLD))
    assert set(found) == {"leaf"}
    assert "a new key" in found["leaf"].message
    same_key = server(key=LEAF.key).issued_by(OLD)
    assert "the same key" in differing(S4, Probe(certificates(same_key)), root("old", OLD))["leaf"].message


def test_a_new_intermediate_is_told():
    leaf = server().issued_by(MIDDLE)
    other = ca("CN=Issuing CA 2").issued_by(OLD)
    one = receiver("s4hana", leaf, MIDDLE)
    found = differing(one, Probe(certificates(server().issued_by(other), other)), root("old", OLD))
    assert set(found) == {"leaf", "intermediate"}
    assert found["intermediate"].message == (
        "it sends CN=Issuing CA 2, which is not recorded; it does not send CN=Issuing CA any more"
    )


def test_a_new_root_is_told_and_whether_it_is_trusted():
    found = differing(S4, Probe(certificates(MOVED)), root("old", OLD))
    # With only its own certificate sent, Java misses the issuer, be it a root or not.
    assert set(found) == {"leaf", "root", "missing-intermediate"}
    assert "CN=New Root instead of CN=Old Root" in found["root"].message
    trusted = differing(S4, Probe(certificates(MOVED)), root("old", OLD), root("new", NEW))
    assert set(trusted) == {"leaf", "root"}


def test_a_root_that_ends_within_the_horizon_is_told():
    found = differing(S4, Probe(certificates(LEAF)), root("old", OLD), days=5000)
    assert set(found) == {"root-expiring"}


def test_a_host_that_is_not_covered_any_more_is_told():
    elsewhere = server(names=("DNS:elsewhere.example",)).issued_by(OLD)
    assert "name-mismatch" in differing(S4, Probe(certificates(elsewhere)), root("old", OLD))


def test_an_expired_certificate_is_told():
    late = NOW + timedelta(days=300)
    assert "expired" in differing(S4, Probe(certificates(LEAF)), root("old", OLD), now=late)


ASKED = receiver("s4hana", LEAF, key_pair="pair", asks=True, accepts=("CN=Client CA",))


@pytest.mark.parametrize(
    ("one", "probe", "expected"),
    [
        (ASKED, Probe(certificates(LEAF), asks=True, accepts=("CN=Client CA",)), set()),
        (ASKED, Probe(certificates(LEAF), asks=False), {"client-certificate"}),
        (ASKED, Probe(certificates(LEAF), asks=None), set()),
        (ASKED, Probe(certificates(LEAF), asks=True, accepts=("CN=Client CA 2",)), {"client-cas"}),
        (ASKED, Probe(certificates(LEAF), asks=True), {"client-cas"}),
        (replace(ASKED, asks=False, accepts=()), Probe(certificates(LEAF), asks=True), {"client-certificate"}),
        # Hand-made records say nothing of client certificates, but the file expects one.
        (replace(ASKED, asks=None, accepts=()), Probe(certificates(LEAF), asks=False), {"client-certificate"}),
        (replace(S4, asks=None), Probe(certificates(LEAF), asks=False), set()),
    ],
)
def test_what_a_receiver_wants_of_its_clients_is_compared(one, probe, expected):
    assert set(differing(one, probe, root("old", OLD))) == expected


def test_the_words_for_other_cas_say_what_came_and_what_went():
    one = replace(ASKED, accepts=("CN=A", "CN=B"))
    note = differing(one, Probe(certificates(LEAF), asks=True, accepts=("CN=B", "CN=C")), root("old", OLD))[
        "client-cas"
    ]
    assert note.message == "it accepts client certificates of CN=C as well, not of CN=A any more"
    assert (note.recorded, note.seen) == ("CN=A, CN=B", "CN=B, CN=C")
