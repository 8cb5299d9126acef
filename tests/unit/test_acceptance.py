"""Accepted drift: neither planned nor counted until its day, and never more than what was accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.acceptance import ACCEPTABLE, Idle, accept, idle
from reconciler.compare import NOT_ACCEPTABLE, compare, is_difference
from reconciler.model import Absent, Difference, Expiry, Finding, KeySpec, Renamed, Status, Unmanaged
from reconciler.planning import check_mass_change, digest, plan_target
from tests.builders import (
    HERE,
    NOW,
    accepted,
    certificate,
    desired,
    entry,
    key_pair,
    snapshot,
    wanted_certificate,
    wanted_key_pair,
)

OLD = certificate("CN=old")
EXPIRING = certificate("CN=old", not_after=NOW + timedelta(days=9))
EXPIRED = certificate("CN=old", not_after=NOW - timedelta(days=9))


def never(child, issuer) -> bool:
    return child.issuer_key == issuer.subject_key


def only(state, live, now=NOW):
    (finding,) = compare(state, live, now, never)
    return finding


def plan(state, live, now=NOW):
    return plan_target(state, live, now, lambda _writes: live, never)


def changes(state, live, now=NOW):
    return [(change.action.value, change.alias) for change in plan(state, live, now).changes]


# ------------------------------------------------------------------------------------------- what it does


def test_an_accepted_difference_is_neither_counted_nor_planned_and_says_who_answers_for_it():
    state = desired(wanted_certificate("one"), accepted=(accepted("ONE", OLD.sha256),))
    live = snapshot(entry("one", OLD))
    finding = only(state, live)
    assert (finding.status, finding.reason) == (Status.ACCEPTED, "accepted")
    assert finding.message == (
        "another certificate than declared; accepted until 2026-09-30 by team: it moves in spring"
    )  # fmt: skip
    assert finding.acceptance.status is Status.DIFFERS
    assert finding.acceptance.reason == "certificate"
    assert not is_difference(finding, report_unmanaged=True)
    assert changes(state, live) == []


def test_an_accepted_unmanaged_entry_is_not_pruned_and_its_neighbours_are():
    state = desired(unmanaged=Unmanaged.PRUNE, accepted=(accepted("one", OLD.sha256),))
    assert changes(state, snapshot(entry("one", OLD), entry("two"))) == [("delete", "two")]


@pytest.mark.parametrize("one", [EXPIRING, EXPIRED], ids=["about to end", "past its end"])
def test_an_accepted_entry_that_ends_is_a_finding_again_and_is_not_pruned_for_it(one):
    state = desired(unmanaged=Unmanaged.PRUNE, accepted=(accepted("one", one.sha256),))
    finding = only(state, snapshot(entry("one", one)))
    assert (finding.status, finding.reason) == (Status.UNMANAGED, "acceptance-overtaken")
    assert changes(state, snapshot(entry("one", one))) == []
    past = replace(state, accepted=(accepted("one", one.sha256, until=date(2026, 5, 31)),))
    assert changes(past, snapshot(entry("one", one))) == [("delete", "one")]


def test_an_accepted_entry_that_must_not_be_there_stays():
    state = desired(absent=(Absent("one", HERE),), accepted=(accepted("one", OLD.sha256),))
    assert changes(state, snapshot(entry("one", OLD))) == []


@pytest.mark.parametrize(
    "state", [desired(absent=(Absent("one", HERE),)), desired()], ids=["declared absent", "declared no more"]
)
def test_an_acceptance_of_fields_means_no_finding_without_a_differing_field(state):
    of_fields = replace(accepted("one", OLD.sha256), fields=frozenset({"chain"}))
    state = replace(state, accepted=(of_fields,))
    live = snapshot(entry("one", OLD))
    assert only(state, live).status is not Status.ACCEPTED
    assert [why for _, why in idle(state.accepted, compare(state, live, NOW, never), NOW)] == [Idle.UNUSED]


def test_an_accepted_old_name_stays_as_it_is():
    state = desired(renamed=(Renamed("old", "new", HERE),), accepted=(accepted("new", OLD.sha256),))
    assert changes(state, snapshot(entry("old", OLD))) == []


def test_an_old_root_stays_while_somebody_accepts_that_its_successor_is_another_one():
    new = wanted_certificate("new", certificate("CN=new"), replaces="before")
    state, live = desired(new), snapshot(entry("new", OLD), entry("before"))
    assert changes(state, live) == [("delete", "before"), ("replace", "new")]
    assert changes(replace(state, accepted=(accepted("new", OLD.sha256),)), live) == []


def test_what_is_accepted_is_not_part_of_a_mass_change():
    live = snapshot(*(entry(f"e{at}", certificate(f"CN={at}")) for at in range(6)))
    tolerated = tuple(accepted(one.alias, one.leaf.sha256) for one in live.entries[:2])
    state = desired(unmanaged=Unmanaged.PRUNE, accepted=tolerated)
    check_mass_change(plan(state, live))


def test_it_changes_the_digest_only_where_it_changes_what_is_done():
    live = snapshot(entry("one", OLD))
    tolerated = (accepted("one", OLD.sha256),)
    reporting, pruning = desired(), desired(unmanaged=Unmanaged.PRUNE)
    assert digest([plan(reporting, live)]) == digest([plan(replace(reporting, accepted=tolerated), live)])
    assert digest([plan(pruning, live)]) != digest([plan(replace(pruning, accepted=tolerated), live)])


# ------------------------------------------------------------------------------------- what it does not hide

# sentence -> (acceptance, live entry)
REFUSED = {
    "another certificate": (accepted("one", certificate("CN=x").sha256), entry("one", OLD)),
    "another alias": (accepted("two", OLD.sha256), entry("one", OLD)),
    "another finding": (accepted("one", OLD.sha256, status=Status.UNMANAGED), entry("one", OLD)),
    "other fields": (accepted("one", OLD.sha256, fields=frozenset({"key-spec"})), entry("one", OLD)),
    "a certificate that is about to end": (accepted("one", EXPIRING.sha256), entry("one", EXPIRING)),
    "a certificate that is past its end": (accepted("one", EXPIRED.sha256), entry("one", EXPIRED)),
    "what is past its last day": (accepted("one", OLD.sha256, until=date(2026, 5, 31)), entry("one", OLD)),
}  # fmt: skip


@pytest.mark.parametrize(("tolerated", "live"), REFUSED.values(), ids=REFUSED)
def test_it_does_not_hide(tolerated, live):
    state = desired(wanted_certificate("one"), accepted=(tolerated,))
    finding = only(state, snapshot(live))
    assert finding.status is Status.DIFFERS
    assert changes(state, snapshot(live)) == [("replace", "one")]


def test_protected_entries_are_never_accepted():
    tolerated = (accepted("sap_root", OLD.sha256), accepted("vendor_x", OLD.sha256), accepted("theirs", OLD.sha256))
    live = snapshot(entry("sap_root", OLD), entry("vendor_x", OLD), entry("theirs", OLD, owner="SAP"))
    found = compare(desired(protected=("vendor_*",), accepted=tolerated), live, NOW, never)
    assert {one.status for one in found} == {Status.PROTECTED}
    declared = desired(wanted_certificate("sap_root"), accepted=tolerated)
    assert only(declared, snapshot(entry("sap_root", OLD))).reason == "declared-protected"


def test_what_a_person_has_to_decide_first_is_not_accepted():
    pair = desired(wanted_certificate("one"), accepted=(accepted("one", OLD.sha256),))
    assert only(pair, snapshot(key_pair("one", OLD))).reason == "kind"


def test_a_difference_in_a_further_field_is_a_finding_again():
    tolerated = accepted("pair", certificate("CN=one").sha256, fields=frozenset({"key-spec"}))
    live = snapshot(key_pair("pair", certificate("CN=one")))
    stronger = wanted_key_pair("pair", key=KeySpec("RSA", 4096))
    assert only(desired(stronger, accepted=(tolerated,)), live).status is Status.ACCEPTED
    renamed = replace(stronger, subject=(("CN", "two"),))
    assert only(desired(renamed, accepted=(tolerated,)), live).status is Status.DIFFERS


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC), Status.ACCEPTED),
        (datetime(2026, 10, 1, 0, 0, 0, tzinfo=UTC), Status.UNMANAGED),
        (datetime(2026, 10, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=2))), Status.ACCEPTED),
    ],
)
def test_its_last_day_is_a_whole_day_in_utc(now, status):
    long_lived = certificate("CN=old", not_after=NOW + timedelta(days=900))
    state = desired(accepted=(accepted("one", long_lived.sha256),))
    assert only(state, snapshot(entry("one", long_lived)), now).status is status


# ------------------------------------------------------------------------------------------- idle acceptances


def test_an_acceptance_that_does_nothing_is_told_with_its_reason():
    unused, past = accepted("gone", OLD.sha256), accepted("one", OLD.sha256, until=date(2026, 1, 1))
    overtaken, used = accepted("two", EXPIRING.sha256), accepted("three", OLD.sha256)
    tolerated = (unused, past, overtaken, used)
    live = snapshot(entry("one", OLD), entry("two", EXPIRING), entry("three", OLD))
    findings = compare(desired(accepted=tolerated), live, NOW, never)
    assert list(idle(tolerated, findings, NOW)) == [
        (unused, Idle.UNUSED), (past, Idle.PAST), (overtaken, Idle.EXPIRY),
    ]  # fmt: skip


def test_the_second_of_two_that_fit_is_not_idle():
    narrow, wide = accepted("one", OLD.sha256, status=Status.UNMANAGED), accepted("one", OLD.sha256)
    findings = compare(desired(accepted=(narrow, wide)), snapshot(entry("one", OLD)), NOW, never)
    assert list(idle((narrow, wide), findings, NOW)) == []


# --------------------------------------------------------------------------------------------------- always

CERTIFICATES = (certificate("CN=a"), certificate("CN=b"))
ALIASES = st.sampled_from(["one", "ONE", "two"])
FIELDS = st.sampled_from(["certificate", "key", "subject"])
REASONS = st.sampled_from(["certificate", "unmanaged", "absent", *sorted(NOT_ACCEPTABLE)])


@st.composite
def findings_(draw):
    one = draw(st.sampled_from(CERTIFICATES))
    differences = tuple(Difference(name, "a", "b") for name in draw(st.sets(FIELDS)))
    return Finding(
        draw(ALIASES), draw(st.sampled_from(Status)), draw(REASONS), "message", draw(st.sampled_from(Expiry)),
        differences, live=draw(st.sampled_from([None, entry("one", one), entry("one", kind="secret-key")])),
    )  # fmt: skip


@st.composite
def acceptances(draw):
    return accepted(
        draw(ALIASES), draw(st.sampled_from(CERTIFICATES)).sha256,
        status=draw(st.sampled_from([None, *ACCEPTABLE])), fields=draw(st.frozensets(FIELDS)),
        until=draw(st.dates(date(2026, 5, 30), date(2026, 6, 3))),
    )  # fmt: skip


@given(st.lists(findings_(), max_size=3), st.lists(acceptances(), max_size=3))
def test_nothing_but_what_was_accepted_is_ever_hidden(found, tolerated):
    result = accept(found, tolerated, NOW, NOT_ACCEPTABLE)
    assert len(result) == len(found)
    for before, after in zip(found, result, strict=True):
        if after is before:
            continue
        if after.status is not Status.ACCEPTED:  # shown and counted as ever, and not pruned
            assert after == replace(before, reason="acceptance-overtaken")
            assert before.status is Status.UNMANAGED
            assert before.expiry is not Expiry.OK
            continue
        by = after.acceptance.by
        assert by in tolerated
        assert after == replace(
            before, status=Status.ACCEPTED, reason="accepted", message=after.message, acceptance=after.acceptance
        )
        assert before.alias.lower() == by.alias.lower()
        assert before.live.leaf.sha256 == by.sha256
        assert before.status in ACCEPTABLE
        assert by.status in (None, before.status)
        assert before.expiry is Expiry.OK
        assert before.reason not in NOT_ACCEPTABLE
        assert NOW.date() <= by.until
        assert not by.fields or {one.field for one in before.differences} <= by.fields


@given(st.lists(findings_(), max_size=3), st.lists(acceptances(), max_size=3))
def test_every_acceptance_either_hides_something_or_is_told(found, tolerated):
    findings = accept([one for one in found if one.status is not Status.ACCEPTED], tolerated, NOW, NOT_ACCEPTABLE)
    told = [one for one, _ in idle(tolerated, findings, NOW)]
    for one in tolerated:
        if one not in told:
            assert any(f.acceptance and f.alias.lower() == one.alias.lower() for f in findings)
