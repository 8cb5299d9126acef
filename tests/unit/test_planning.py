"""Planning: findings become changes, refusals explain themselves, and the digest covers what would be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.errors import PlanRefusedError, RefusedError
from reconciler.model import Action, Correspondence, IssuerSpec, KeySpec, PutCertificate, Snapshot, Source, StoreType
from reconciler.planning import check_mass_change, digest, plan_target
from tests.builders import (
    NOW,
    certificate,
    desired,
    entry,
    key_pair,
    snapshot,
    wanted_certificate,
    wanted_import,
    wanted_key_pair,
)

CA = certificate("CN=ca", key="ca")
FROM_CA = certificate("CN=one", issuer="CN=ca")


def plan(state, live, preview=None, now=NOW):
    return plan_target(state, live, now, preview or (lambda _writes: live), never)


def never(child, issuer) -> bool:
    return child.issuer_key == issuer.subject_key


def steps(target):
    return [(change.action.value, change.alias, change.reason) for change in target.changes]


# sentence -> (wanted, live entries, expected changes)
CASES = {
    "what is in sync is left alone": (wanted_certificate("one"), [entry("one")], []),
    "a missing certificate is imported": (wanted_certificate("one"), [], [("import", "one", "missing")]),
    "a missing key pair is created": (wanted_key_pair("pair"), [], [("create", "pair", "missing")]),
    "a missing brought-along key pair is imported": (wanted_import("pair"), [], [("import", "pair", "missing")]),
    "another certificate is replaced": (
        wanted_certificate("one", certificate("CN=x")), [entry("one")], [("replace", "one", "certificate")]),
    "a key pair that is due is renewed": (
        wanted_key_pair("pair"), [key_pair("pair", certificate("CN=one", not_after=NOW + timedelta(days=9)))],
        [("renew", "pair", "renewal-due")]),
    "an expired key pair is renewed": (
        wanted_key_pair("pair"), [key_pair("pair", certificate("CN=one", not_after=NOW - timedelta(days=9)))],
        [("renew", "pair", "expired")]),
    "another key specification is a renewal": (
        wanted_key_pair("pair", key=KeySpec("RSA", 4096)), [key_pair("pair", certificate("CN=one"))],
        [("renew", "pair", "key-spec")]),
    "an expiring root has no change: nobody can renew it for its owner": (
        wanted_certificate("one"), [entry("one", certificate("CN=one", not_after=NOW + timedelta(days=9)))], []),
    "an alias in capitals is rewritten": (
        wanted_certificate("one"), [entry("One", certificate("CN=one"), reachable=False)],
        [("replace", "one", "alias-case")]),
    "another certificate over the same key needs no leave": (
        wanted_import("pair", certificate("CN=one", issuer="CN=ca", serial=2)), [key_pair("pair", FROM_CA)],
        [("replace", "pair", "certificate")]),
    "a key whose certificate is due may be thrown away": (
        wanted_key_pair("pair"),
        [key_pair("pair", certificate("CN=one", issuer="CN=ca", not_after=NOW + timedelta(days=9)))],
        [("renew", "pair", "issuer")]),
    "a key may be thrown away where the file says so": (
        wanted_key_pair("pair", replace_key=FROM_CA.sha256), [key_pair("pair", FROM_CA)],
        [("renew", "pair", "issuer")]),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "live", "expected"), CASES.values(), ids=CASES)
def test_changes(wanted, live, expected):
    assert steps(plan(desired(wanted), snapshot(*live))) == expected


def test_unmanaged_and_protected_entries_are_never_planned():
    store = snapshot(entry("sap_root"), entry("other"), key_pair("third"))
    assert steps(plan(desired(), store)) == []


def test_a_missing_store_is_made_first_even_when_it_stays_empty():
    missing = Snapshot(StoreType.PKCS12, exists=False)
    assert steps(plan(desired(), missing)) == [("create-store", "", "missing")]
    assert steps(plan(desired(wanted_certificate("a")), missing))[0] == ("create-store", "", "missing")


def test_changes_come_in_the_order_of_the_actions():
    state = desired(wanted_key_pair("new"), wanted_certificate("one", certificate("CN=x")), wanted_certificate("root"))
    assert [change.action for change in plan(state, snapshot(entry("one"))).changes] == [
        Action.REPLACE,
        Action.IMPORT,
        Action.CREATE,
    ]


REFUSED = {
    "a protected alias": (wanted_certificate("one"), [entry("one", owner="SAP")], "declared-protected"),
    "two spellings": (wanted_certificate("one"), [entry("one"), entry("ONE")], "two-spellings"),
    "another kind": (wanted_certificate("one"), [key_pair("one")], "kind"),
    "a valid key that a CA certified, for a generated one": (
        wanted_key_pair("pair"), [key_pair("pair", FROM_CA)], "key-thrown-away"),
    "a valid key that a CA certified, for an imported one": (
        wanted_import("pair", certificate("CN=one", key="other")), [key_pair("pair", FROM_CA)], "key-thrown-away"),
    "a key with leave for another certificate": (
        wanted_key_pair("pair", replace_key="00"), [key_pair("pair", FROM_CA)], "key-thrown-away"),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "live", "code"), REFUSED.values(), ids=REFUSED)
def test_refusals_name_the_line_and_what_to_do(wanted, live, code):
    with pytest.raises(PlanRefusedError) as caught:
        plan(desired(wanted), snapshot(*live))
    (problem,) = caught.value.problems
    assert (problem.code, problem.source, caught.value.exit_code) == (code, wanted.source, 4)
    assert problem.hint


def test_all_refusals_are_told_at_once():
    state = desired(wanted_certificate("one"), wanted_certificate("two"))
    with pytest.raises(PlanRefusedError) as caught:
        plan(state, snapshot(key_pair("one"), key_pair("two")))
    assert len(caught.value.problems) == 2


def test_the_leave_to_throw_a_key_away_is_in_the_hint():
    with pytest.raises(PlanRefusedError) as caught:
        plan(desired(wanted_key_pair("pair")), snapshot(key_pair("pair", FROM_CA)))
    assert f"replaceKey: {FROM_CA.sha256}" in caught.value.problems[0].hint


# -------------------------------------------------------------------------------------------- side effects

LIVE = snapshot(key_pair("pair", FROM_CA), key_pair("sap_pair", FROM_CA), entry("one"))


def extending(*aliases: str, ca=CA):
    """A preview in which importing the CA lets Java show it at the end of some chains."""

    def preview(writes):
        added = [w for w in writes if isinstance(w, PutCertificate) and w.certificate.sha256 == CA.sha256]
        entries = [replace(e, chain=(*e.chain, ca)) if added and e.alias in aliases else e for e in LIVE.entries]
        return snapshot(*entries, *[entry(w.alias, w.certificate) for w in writes])

    return preview


def test_a_change_says_whose_chain_java_will_show_differently():
    state = desired(wanted_certificate("other"), wanted_certificate("ca", CA))
    other, ca = plan(state, LIVE, extending("pair", "sap_pair")).changes
    assert other.affects == ()
    assert [(a.alias, len(a.chain_before), len(a.chain_after)) for a in ca.affects] == [
        ("pair", 1, 2),
        ("sap_pair", 1, 2),
    ]


def test_the_chain_of_a_protected_entry_may_not_turn_off():
    def preview(writes):
        entries = [replace(e, chain=(CA,)) if e.alias == "sap_pair" else e for e in LIVE.entries]
        return snapshot(*entries, *[entry(w.alias, w.certificate) for w in writes])

    with pytest.raises(PlanRefusedError, match="sap_pair"):
        plan(desired(wanted_certificate("ca", CA)), LIVE, preview)


def test_a_change_that_would_hide_an_entry_is_refused():
    def preview(writes):
        return snapshot(*LIVE.entries[1:], *[entry(w.alias, w.certificate) for w in writes])

    with pytest.raises(PlanRefusedError, match="hide the entry 'pair'"):
        plan(desired(wanted_certificate("ca", CA)), LIVE, preview)


# ---------------------------------------------------------------------------------------------- mass change


def many(count: int):
    return [entry(f"root_{i}") for i in range(count)]


def replaced(count: int):
    return [wanted_certificate(f"root_{i}", certificate(f"CN=new {i}")) for i in range(count)]


@pytest.mark.parametrize(
    ("live", "changed", "refused"), [(10, 4, False), (16, 5, True), (17, 5, False), (100, 31, True)]
)
def test_much_at_once_is_refused(live: int, changed: int, refused: bool):
    target = plan(desired(*replaced(changed)), snapshot(*many(live)))
    if not refused:
        check_mass_change(target)
        return
    with pytest.raises(RefusedError, match=f"{changed} of {live}"):
        check_mass_change(target)


def test_protected_entries_do_not_make_a_mass_change_look_small():
    store = snapshot(*many(6), *[entry(f"sap_{i}") for i in range(90)])
    with pytest.raises(RefusedError):
        check_mass_change(plan(desired(*replaced(5)), store))


# --------------------------------------------------------------------------------------------------- digest

STATE = desired(wanted_certificate("one", certificate("CN=x")), wanted_key_pair("pair"))
STORE = snapshot(entry("one"))


def digest_of(state=STATE, store=STORE, now=NOW):
    return digest([plan(state, store, now=now)])


def test_the_digest_does_not_know_the_day_the_lines_or_the_messages():
    moved = [replace(w, source=Source("elsewhere.yaml", 99, 1)) for w in STATE.wanted]
    assert digest_of(now=NOW + timedelta(days=3)) == digest_of()
    assert digest_of(replace(STATE, wanted=tuple(moved), name="other.yaml")) == digest_of()


OTHERS = {
    "another certificate": (desired(wanted_certificate("one", certificate("CN=y")), wanted_key_pair("pair")), STORE),
    "another key": (desired(STATE.wanted[0], wanted_key_pair("pair", key=KeySpec("RSA", 4096))), STORE),
    "another subject": (desired(STATE.wanted[0], wanted_key_pair("pair", subject=(("CN", "z"),))), STORE),
    "another validity": (desired(STATE.wanted[0], wanted_key_pair("pair", validity=timedelta(days=1))), STORE),
    "one change less": (desired(STATE.wanted[0]), STORE),
    "another certificate before": (STATE, snapshot(entry("one", certificate("CN=z")))),
    "nothing before": (STATE, snapshot()),
}


@pytest.mark.parametrize(("state", "store"), OTHERS.values(), ids=OTHERS)
def test_the_digest_knows_what_would_be_done(state, store):
    assert digest_of(state, store) != digest_of()


def test_the_digest_knows_the_keystore():
    keystore = replace(STATE.keystore, location="live/other.p12")
    assert digest_of(replace(STATE, keystore=keystore)) != digest_of()


AUTHORITY = certificate("CN=authority", key="authority")


def issued(wanted_by=(), **issuer):
    return desired(
        wanted_key_pair("pair", issuer=IssuerSpec(**{"type": "command", "name": "ca"} | issuer), **dict(wanted_by))
    )


def asked_at(place):
    letters = Correspondence(f"/r/{place}", place, "/r/answer.pem", "answer.pem")
    return desired(wanted_key_pair("pair", issuer=IssuerSpec("external"), correspondence=letters))


ISSUERS = {
    "another CA under the same name": (issued(), issued(certificates=(AUTHORITY,))),
    "another program": (issued(options={"command": ("sign",)}), issued(options={"command": ("sign", "--test")})),
    "other certificates above": (issued(), issued({"chain": (AUTHORITY,)})),
    "another place of the request": (asked_at("requests/a.csr"), asked_at("requests/b.csr")),
}


@pytest.mark.parametrize(("one", "other"), ISSUERS.values(), ids=ISSUERS)
def test_the_digest_knows_who_signs(one, other):
    assert digest_of(one) != digest_of(other)


def test_the_digest_does_not_know_where_an_issuing_program_runs():
    here, there = (issued(options={"command": ("sign",), "directory": place}) for place in ("/a", "/b"))
    assert digest_of(here) == digest_of(there)


def test_the_digest_does_not_know_where_the_program_was_started():
    outside = replace(asked_at("states/requests/a.csr"), name="states/keystore.yaml")
    assert digest_of(outside) == digest_of(asked_at("requests/a.csr"))


def test_the_digest_knows_how_a_new_keystore_is_encrypted():
    def new(encryption):
        return replace(STATE, keystore=replace(STATE.keystore, create=True, encryption=encryption))

    nothing = Snapshot(StoreType.PKCS12, exists=False)
    assert digest_of(new("legacy"), nothing) != digest_of(new("modern"), nothing)
