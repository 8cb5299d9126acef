"""The life of a declared key pair, one situation after the other: what is found, and what the plan does about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from reconciler.model import Absent, Correspondence, IssuerSpec, Receiver, Renamed, RequestFacts, Unmanaged
from reconciler.planning import plan_target
from tests.builders import (
    HERE,
    NOW,
    certificate,
    desired,
    entry,
    key_pair,
    snapshot,
    wanted_certificate,
    wanted_key_pair,
)

DAY = timedelta(days=1)


def by_name(child, issuer) -> bool:
    return child.issuer_key == issuer.subject_key


def signed(name="CN=one", key="key-1", issuer="CN=ca", **facts: Any):
    return certificate(name, issuer=issuer, key=key, **facts)


def own(key="key-1", **facts: Any):
    """The certificate under which a key waits, or a self-signed one."""
    return certificate("CN=one", key=key, **facts)


CA = certificate("CN=ca", key="ca", is_ca=True)
DUE = {"not_after": NOW + 9 * DAY}
LOCAL = IssuerSpec("local-ca", certificates=(CA,))
COMMAND = IssuerSpec("command")


def asked(key="key-1", subject=(("CN", "one"),), names=()):
    return RequestFacts(sha256(key.encode()).hexdigest(), subject, names)


def letters(request=None, response=None, problem=None):
    return Correspondence(
        "/r/one.csr", "requests/one.csr", "/r/one.pem", "responses/one.pem", request, response, problem
    )


def external(request=None, response=None, problem=None, **more: Any):
    facts = {"issuer": IssuerSpec("external"), "rekey": False, "correspondence": letters(request, response, problem)}
    return wanted_key_pair("pair", **(facts | more))


def generated(**more: Any):
    return wanted_key_pair("pair", **more)


def live(*chain: Any):
    return key_pair("pair", *chain)


def staged(*chain: Any):
    return key_pair("pair.next", *chain)


ROOT = wanted_certificate("root", CA)
FROM_CA = (signed(), CA)
NEW = signed(serial=2)
STAGED = signed(key="key-2")

# sentence -> (wanted, live entries, status, reason, step or None)
CASES = {
    # -- a CA that answers later: the first certificate
    "a missing key pair is generated": (
        external(), [], "missing", "missing", "generate"),
    "a fresh key without a request waits for one": (
        external(), [live(own())], "awaiting-signature", "request-missing", "request"),
    "a request that is out is waited for": (
        external(asked()), [live(own())], "awaiting-signature", "requested", None),
    "a request for another key is written again": (
        external(asked("key-9")), [live(own())], "awaiting-signature", "request-outdated", "request"),
    "a request for another subject is written again": (
        external(asked(subject=(("CN", "x"),))), [live(own())], "awaiting-signature", "request-outdated", "request"),
    "a request for other names is written again": (
        external(asked(names=("DNS:x",))), [live(own())], "awaiting-signature", "request-outdated", "request"),
    "an answer that fits is put in place": (
        external(asked(), FROM_CA), [live(own())], "response-ready", "response-ready", "answer"),
    "an answer is completed from the trusted roots": (
        external(asked(), (signed(),)), [live(own()), entry("root", CA)],
        "response-ready", "response-ready", "answer"),
    "an answer for another key is rejected": (
        external(asked(), (signed(key="key-9"), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an expired answer is rejected": (
        external(asked(), (signed(not_after=NOW - DAY), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer that is not valid yet is rejected": (
        external(asked(), (signed(not_before=NOW + DAY), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer that would be due at once is rejected": (
        external(asked(), (signed(**DUE), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer without the usage is rejected": (
        external(asked(), (signed(extended_key_usage=("serverAuth",)), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer without any usage extension may be used for all": (
        external(asked(), (signed(extended_key_usage=None), CA)), [live(own())],
        "response-ready", "response-ready", "answer"),
    "an answer without a declared name is rejected": (
        external(asked(names=("DNS:x",)), FROM_CA, subject_alt_names=("DNS:x",)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer with another common name is rejected": (
        external(asked(), (signed(subject_attributes=(("CN", "two"),)), CA)), [live(own())],
        "response-rejected", "response-rejected", None),
    "an answer whose issuer is not at hand is rejected": (
        external(asked(), (signed(),)), [live(own())], "response-rejected", "response-rejected", None),
    "an answer signed by something that is no CA is rejected": (
        external(asked(), (signed(), replace(CA, is_ca=False))), [live(own())],
        "response-rejected", "response-rejected", None),
    "garbage is rejected": (
        external(asked(), None, "neither PEM nor DER"), [live(own())],
        "response-rejected", "response-rejected", None),
    "a key that is too small by now is generated again while it waits": (
        external(asked()), [live(own(key_size=1024))], "differs", "key-spec", "generate"),
    # -- later
    "an answer that is live is spent": (
        external(asked(), FROM_CA), [live(*FROM_CA)], "in-sync", "in-sync", None),
    "garbage where nothing is waited for does not matter": (
        external(asked(), None, "neither PEM nor DER"), [live(*FROM_CA)], "in-sync", "in-sync", None),
    "what the CA made of the subject is not drift": (
        external(asked()), [live(signed(subject_attributes=(("CN", "one"), ("O", "CA says"))), CA)],
        "in-sync", "in-sync", None),
    "another subject than was requested is": (
        external(asked(), subject=(("CN", "two"),)), [live(*FROM_CA)], "differs", "subject", "request"),
    "names that the CA added are not drift": (
        external(asked()), [live(signed(subject_alt_names=("DNS:one",)), CA)], "in-sync", "in-sync", None),
    "a name that is missing is": (
        external(asked(), subject_alt_names=("DNS:x",)), [live(*FROM_CA)], "differs", "subject-alt-names", "request"),
    "a renewal over the same key begins with a request": (
        external(asked("key-0")), [live(signed(**DUE), CA)], "expiring", "expiring", "request"),
    "and waits": (
        external(asked()), [live(signed(**DUE), CA)], "awaiting-signature", "requested", None),
    "a spent answer does not end the waiting": (
        external(asked(), (signed(**DUE), CA)), [live(signed(**DUE), CA)], "awaiting-signature", "requested", None),
    "until the new answer comes": (
        external(asked(), (NEW, CA)), [live(signed(**DUE), CA)], "response-ready", "response-ready", "answer"),
    "a renewal with a new key is prepared beside the old one": (
        external(asked(), rekey=True), [live(signed(**DUE), CA)], "expiring", "expiring", "stage"),
    "the prepared key waits while the old one serves": (
        external(asked("key-2"), rekey=True), [live(signed(**DUE), CA), staged(own("key-2"))],
        "awaiting-signature", "requested", None),
    "an answer for the prepared key takes the alias over": (
        external(asked("key-2"), (STAGED, CA), rekey=True), [live(signed(**DUE), CA), staged(own("key-2"))],
        "response-ready", "response-ready", "answer-take-over"),
    "a staged key pair that is complete takes over": (
        external(asked("key-2"), (STAGED, CA), rekey=True), [live(signed(**DUE), CA), staged(STAGED, CA)],
        "ready-to-activate", "automatic", "take-over"),
    "a staged key of the wrong kind is made again": (
        external(asked("key-2"), rekey=True), [live(signed(**DUE), CA), staged(own("key-2", key_size=1024))],
        "expiring", "expiring", "stage"),
    # -- approval
    "an approved renewal waits when its answer comes": (
        external(asked("key-2"), (STAGED, CA), rekey=True, activation="approved"),
        [live(signed(**DUE), CA), staged(own("key-2"))],
        "response-ready", "response-ready", "answer-staged"),
    "it says that it waits": (
        generated(issuer=LOCAL, activation="approved"), [live(signed(**DUE), CA), staged(STAGED, CA)],
        "ready-to-activate", "awaiting-approval", None),
    "it takes over when its fingerprint is committed": (
        generated(issuer=LOCAL, activation="approved", activate=STAGED.sha256),
        [live(signed(**DUE), CA), staged(STAGED, CA)],
        "ready-to-activate", "activated", "take-over"),
    "another fingerprint does not activate it": (
        generated(issuer=LOCAL, activation="approved", activate="00" * 32),
        [live(signed(**DUE), CA), staged(STAGED, CA)],
        "ready-to-activate", "awaiting-approval", None),
    "a renewal that needs approval is prepared beside the old one": (
        generated(issuer=LOCAL, activation="approved"), [live(signed(**DUE), CA)], "expiring", "expiring", "stage"),
    "one that waited too long is made again": (
        generated(issuer=LOCAL, activation="approved"),
        [live(signed(**DUE), CA), staged(signed(key="key-2", **DUE), CA)],
        "expiring", "expiring", "stage"),
    "over the same key it waits as well": (
        external(asked(), (NEW, CA), activation="approved"), [live(signed(**DUE), CA)],
        "response-ready", "response-ready", "answer-staged"),
    "the first certificate needs no approval": (
        external(asked(), FROM_CA, activation="approved"), [live(own())],
        "response-ready", "response-ready", "answer"),
    # -- issuers that answer at once
    "a certificate of the declared CA is in sync": (
        generated(issuer=LOCAL), [live(*FROM_CA)], "in-sync", "in-sync", None),
    "one of another CA is not": (
        generated(issuer=LOCAL, replace_key=signed(issuer="CN=x").sha256),
        [live(signed(issuer="CN=x"), certificate("CN=x"))],
        "differs", "issuer", "generate"),
    "a self-signed one is not either": (
        generated(issuer=LOCAL), [live(own())], "differs", "issuer", "generate"),
    "a program's certificate is taken as it is": (
        generated(issuer=COMMAND), [live(*FROM_CA)], "in-sync", "in-sync", None),
    "but it must come from the program": (
        generated(issuer=COMMAND), [live(own())], "differs", "issuer", "generate"),
    "a renewal that keeps its key": (
        generated(issuer=LOCAL, rekey=False), [live(signed(**DUE), CA)], "expiring", "expiring", "reissue"),
    "a new key specification needs a new key all the same": (
        generated(issuer=LOCAL, rekey=False), [live(signed(key_size=1024, **DUE), CA)],
        "differs", "key-spec", "generate"),
    # -- chains
    "a chain that stops short is completed": (
        generated(issuer=LOCAL), [live(signed()), entry("root", CA)], "differs", "chain", "complete-chain"),
    "a chain out of order is put in order": (
        generated(issuer=COMMAND), [live(signed(issuer="CN=mid"), CA, certificate("CN=mid", issuer="CN=ca", key="mid"))],
        "differs", "chain", "complete-chain"),
    "a chain that nothing at hand completes is left alone": (
        generated(issuer=COMMAND), [live(signed())], "in-sync", "in-sync", None),
    # -- interrupted
    "an alias that was lost while its successor was complete": (
        generated(issuer=LOCAL), [staged(STAGED, CA)], "ready-to-activate", "automatic", "take-over"),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "entries", "status", "reason", "step"), CASES.values(), ids=CASES)
def test_situation(wanted, entries, status, reason, step):
    target = plan_target(desired(wanted), snapshot(*entries), NOW, lambda _: snapshot(*entries), by_name)
    finding = next(f for f in target.findings if f.alias == "pair")
    assert (finding.status, finding.reason) == (status, reason), finding.message
    steps = [change.step for change in target.changes if change.alias == "pair"]
    assert steps == ([step] if step else [])


def test_the_staging_alias_is_never_unmanaged_nor_pruned():
    state = desired(generated(issuer=LOCAL), unmanaged=Unmanaged.PRUNE)
    store = snapshot(live(*FROM_CA), staged(own("key-2")))
    target = plan_target(state, store, NOW, lambda _: store, by_name)
    assert "pair.next" not in {finding.alias for finding in target.findings}


def test_waiting_tells_its_age_and_does_not_hide_that_time_runs_out():
    wanted = external(asked("key-2"), rekey=True)
    store = snapshot(live(signed(**DUE), CA), staged(own("key-2", not_before=NOW - 3 * DAY)))
    (finding,) = plan_target(desired(wanted), store, NOW, lambda _: store, by_name).findings
    assert "for 3 days" in finding.message
    assert finding.expiry == "expiring"


@pytest.mark.parametrize(
    ("age", "words"), [(timedelta(hours=3), "since today"), (DAY, "for 1 day;"), (9 * DAY, "for 9 days;")]
)
def test_the_age_of_a_request_is_told_in_days_and_of_one_from_today_as_such(age, words):
    store = snapshot(live(own(not_before=NOW - age)))
    (finding,) = plan_target(desired(external(asked())), store, NOW, lambda _: store, by_name).findings
    assert f"is out {words}" in f"{finding.message};"


def test_a_successor_that_waits_names_the_receivers_that_expect_the_key_pair():
    receivers = (Receiver("s4", "s4.example.com:443", HERE, "PAIR"), Receiver("x", "x.example.com:443", HERE, "other"))
    state = desired(generated(issuer=LOCAL, activation="approved"), receivers=receivers)
    store = snapshot(live(signed(**DUE), CA), staged(STAGED, CA))
    finding = next(one for one in plan_target(state, store, NOW, lambda _: store, by_name).findings)
    assert (finding.status, finding.receivers) == ("ready-to-activate", ("s4",))


def changes(state, *entries):
    store = snapshot(*entries)
    return [
        (c.action.value, c.alias, c.step.value)
        for c in plan_target(state, store, NOW, lambda _: store, by_name).changes
    ]


def test_a_rename_is_pending_until_it_is_done():
    state = desired(wanted_certificate("new", certificate("CN=x")), renamed=(Renamed("old", "new", HERE),))
    assert changes(state, entry("old", certificate("CN=x"))) == [("rename", "old", "rename")]
    assert changes(state, entry("new", certificate("CN=x"))) == []


def test_a_rename_and_another_certificate_are_two_changes():
    state = desired(wanted_certificate("new", certificate("CN=y")), renamed=(Renamed("old", "new", HERE),))
    assert changes(state, entry("old", certificate("CN=x"))) == [("rename", "old", "rename"), ("replace", "new", "put")]


def test_a_rename_of_what_no_section_describes():
    state = desired(renamed=(Renamed("old", "new", HERE),))
    assert changes(state, key_pair("old")) == [("rename", "old", "rename")]
    assert changes(state, key_pair("new")) == []


def test_both_names_are_refused():
    from reconciler.errors import PlanRefusedError

    state = desired(renamed=(Renamed("old", "new", HERE),))
    with pytest.raises(PlanRefusedError, match="both there"):
        changes(state, entry("old"), entry("new"))


def test_what_must_be_absent_is_deleted_whatever_it_is():
    state = desired(absent=(Absent("one", HERE), Absent("two", HERE), Absent("three", HERE)))
    assert changes(state, entry("one"), key_pair("two")) == [("delete", "one", "remove"), ("delete", "two", "remove")]


def test_prune_deletes_trusted_certificates_and_no_key():
    state = desired(unmanaged=Unmanaged.PRUNE)
    assert changes(state, entry("one"), key_pair("two"), entry("sap_root")) == [("delete", "one", "remove")]


WEAKER = {
    "a smaller key": ({"key_size": 4096}, "smaller key"),
    "a lost name": ({"subject_alt_names": ("DNS:x",)}, "a name is lost: DNS:x"),
}


@pytest.mark.parametrize(("facts", "sentence"), WEAKER.values(), ids=WEAKER)
def test_a_weaker_renewal_says_so(facts, sentence):
    store = snapshot(live(own(**DUE, **facts)))
    (change,) = plan_target(desired(generated()), store, NOW, lambda _: store, by_name).changes
    assert any(sentence in warning for warning in change.warnings)


def test_a_usage_that_is_lost_is_said():
    store = snapshot(live(own(**DUE)))
    wanted = generated(extended_key_usage=("serverAuth",))
    (change,) = plan_target(desired(wanted), store, NOW, lambda _: store, by_name).changes
    assert any("clientAuth is lost" in warning for warning in change.warnings)


def test_the_nightly_run_leaves_everything_else_alone():
    state = desired(wanted_certificate("root", CA), generated(issuer=LOCAL), wanted_key_pair("other"))
    store = snapshot(live(signed(**DUE), CA))
    target = plan_target(state, store, NOW, lambda _: store, by_name, renewals_only=True)
    assert [(c.alias, c.reason) for c in target.changes] == [("pair", "renewal-due")]
