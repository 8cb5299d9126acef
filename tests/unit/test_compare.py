"""The comparison: one finding for every alias, the first check that finds something decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compare import compare, is_difference
from reconciler.expiry import expiry_of, renewal_due
from reconciler.model import EntryKind, Expiry, KeySpec, RenewBefore, Status
from reconciler.ownership import alias_key
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


def by_name(child, issuer) -> bool:
    return child.issuer_key == issuer.subject_key


OWN = certificate("CN=one")
CA = certificate("CN=ca", key="ca")
LEAF = certificate("CN=leaf", issuer="CN=ca")

# sentence -> (wanted, live entries, status, reason, expiry)
CASES = {
    "a certificate that is there is in sync": (
        wanted_certificate("one"), [entry("one")], Status.IN_SYNC, "in-sync", Expiry.OK),
    "the alias is compared ignoring case": (
        wanted_certificate("ONE", certificate("CN=one")), [entry("one")], Status.IN_SYNC, "in-sync", Expiry.OK),
    "a certificate that is not there is missing": (
        wanted_certificate("one"), [entry("two")], Status.MISSING, "missing", Expiry.OK),
    "another certificate differs": (
        wanted_certificate("one", certificate("CN=other")), [entry("one")],
        Status.DIFFERS, "certificate", Expiry.OK),
    "an alias stored in capitals is out of reach": (
        wanted_certificate("one"), [entry("One", certificate("CN=one"), reachable=False)],
        Status.DIFFERS, "alias-case", Expiry.OK),
    "another certificate counts before the spelling": (
        wanted_certificate("one", certificate("CN=other")), [entry("One", reachable=False)],
        Status.DIFFERS, "certificate", Expiry.OK),
    "two spellings are a question for a person": (
        wanted_certificate("one"), [entry("one"), entry("ONE")], Status.DIFFERS, "two-spellings", Expiry.OK),
    "a key pair where a certificate is declared is another kind": (
        wanted_certificate("one"), [key_pair("one")], Status.DIFFERS, "kind", Expiry.OK),
    "a secret key where a key pair is declared is another kind": (
        wanted_key_pair("one"), [entry("one", kind=EntryKind.SECRET_KEY)], Status.DIFFERS, "kind", Expiry.OK),
    "an entry that the tenant gives to SAP is protected": (
        wanted_certificate("one"), [entry("one", owner="SAP")],
        Status.PROTECTED, "declared-protected", Expiry.OK),
    "a root in its last month is expiring": (
        wanted_certificate("one", certificate("CN=one", not_after=NOW + timedelta(days=29))),
        [entry("one", certificate("CN=one", not_after=NOW + timedelta(days=29)))],
        Status.EXPIRING, "expiring", Expiry.EXPIRING),
    "a root past its end is expired": (
        wanted_certificate("one"), [entry("one", certificate("CN=one", not_after=NOW - timedelta(seconds=1)))],
        Status.EXPIRED, "expired", Expiry.EXPIRED),
    "a root that cannot be parsed is not claimed to expire": (
        wanted_certificate("one"), [entry("one", certificate("CN=one", not_after=None))],
        Status.IN_SYNC, "in-sync", Expiry.OK),
    "a generated key pair as declared is in sync": (
        wanted_key_pair("pair"), [key_pair("pair", OWN)], Status.IN_SYNC, "in-sync", Expiry.OK),
    "a smaller key differs": (
        wanted_key_pair("pair", key=KeySpec("RSA", 4096)), [key_pair("pair", OWN)],
        Status.DIFFERS, "key-spec", Expiry.OK),
    "another algorithm differs": (
        wanted_key_pair("pair", key=KeySpec("EC", curve="secp256r1")), [key_pair("pair", OWN)],
        Status.DIFFERS, "key-spec", Expiry.OK),
    "another subject differs": (
        wanted_key_pair("pair", subject=(("C", "DE"), ("CN", "one"))), [key_pair("pair", OWN)],
        Status.DIFFERS, "subject", Expiry.OK),
    "another alternative name differs": (
        wanted_key_pair("pair", subject_alt_names=("DNS:x",)), [key_pair("pair", OWN)],
        Status.DIFFERS, "subject-alt-names", Expiry.OK),
    "the order of alternative names does not count": (
        wanted_key_pair("pair", subject_alt_names=("DNS:x", "DNS:y")),
        [key_pair("pair", certificate("CN=one", subject_alt_names=("DNS:y", "DNS:x")))],
        Status.IN_SYNC, "in-sync", Expiry.OK),
    "another usage differs": (
        wanted_key_pair("pair", extended_key_usage=("serverAuth",)), [key_pair("pair", OWN)],
        Status.DIFFERS, "extended-key-usage", Expiry.OK),
    "a certificate of a CA where self-signed is declared differs": (
        wanted_key_pair("pair"), [key_pair("pair", certificate("CN=one", issuer="CN=ca"))],
        Status.DIFFERS, "issuer", Expiry.OK),
    "a key pair inside its renewal window is expiring": (
        wanted_key_pair("pair"), [key_pair("pair", certificate("CN=one", not_after=NOW + timedelta(days=20)))],
        Status.EXPIRING, "expiring", Expiry.EXPIRING),
    "a key pair that differs and expires says both": (
        wanted_key_pair("pair", key=KeySpec("RSA", 4096)),
        [key_pair("pair", certificate("CN=one", not_after=NOW + timedelta(days=20)))],
        Status.DIFFERS, "key-spec", Expiry.EXPIRING),
    "a leaf that cannot be parsed differs": (
        wanted_key_pair("pair"), [key_pair("pair", certificate("CN=one", problem="broken"))],
        Status.DIFFERS, "certificate", Expiry.OK),
    "an imported chain that is there is in sync": (
        wanted_import("pair", LEAF, CA), [key_pair("pair", LEAF, CA)], Status.IN_SYNC, "in-sync", Expiry.OK),
    "Java may show an imported chain longer than it was brought": (
        wanted_import("pair", LEAF), [key_pair("pair", LEAF, CA)], Status.IN_SYNC, "in-sync", Expiry.OK),
    "an imported chain that is cut short differs": (
        wanted_import("pair", LEAF, CA), [key_pair("pair", LEAF)], Status.DIFFERS, "chain", Expiry.OK),
    "an imported certificate over the same key differs": (
        wanted_import("pair", LEAF), [key_pair("pair", certificate("CN=leaf", issuer="CN=ca", serial=2))],
        Status.DIFFERS, "certificate", Expiry.OK),
    "another imported key differs": (
        wanted_import("pair", LEAF), [key_pair("pair", certificate("CN=leaf", issuer="CN=ca", key="other"))],
        Status.DIFFERS, "key", Expiry.OK),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "live", "status", "reason", "expiry"), CASES.values(), ids=CASES)
def test_finding(wanted, live, status, reason, expiry):
    finding = compare(desired(wanted), snapshot(*live), NOW, by_name)[0]
    assert (finding.status, finding.reason, finding.expiry) == (status, reason, expiry)
    assert finding.source == wanted.source
    assert "\n" not in finding.message


def test_entries_that_no_file_names_are_unmanaged_or_protected():
    store = snapshot(entry("SAP_Root"), entry("vendor_1"), entry("other"), entry("of_sap", owner="SAP"))
    findings = compare(desired(protected=("VENDOR_*",)), store, NOW, by_name)
    assert {f.alias: f.status.value for f in findings} == {
        "SAP_Root": "protected",
        "vendor_1": "protected",
        "other": "unmanaged",
        "of_sap": "protected",
    }


@given(
    st.lists(st.text(st.sampled_from("abAB_1"), min_size=1, max_size=3), unique_by=alias_key, max_size=6),
    st.lists(st.text(st.sampled_from("abAB_1"), min_size=1, max_size=3), unique_by=alias_key, max_size=6),
)
def test_every_alias_gets_exactly_one_finding(declared: list[str], live: list[str]):
    state = desired(*[wanted_certificate(alias) for alias in declared])
    findings = compare(state, snapshot(*[entry(alias) for alias in live]), NOW, by_name)
    keys = [alias_key(finding.alias) for finding in findings]
    assert sorted(keys) == sorted({*map(alias_key, declared), *map(alias_key, live)})


def test_a_keystore_that_holds_what_is_declared_has_no_difference():
    state = desired(wanted_certificate("a"), wanted_key_pair("b"))
    findings = compare(state, snapshot(entry("a"), key_pair("b", OWN)), NOW, by_name)
    assert not any(is_difference(finding, report_unmanaged=True) for finding in findings)


def test_unmanaged_entries_count_only_where_they_are_reported():
    (finding,) = compare(desired(), snapshot(entry("a")), NOW, by_name)
    assert is_difference(finding, report_unmanaged=True)
    assert not is_difference(finding, report_unmanaged=False)


def test_protected_entries_never_count():
    (finding,) = compare(
        desired(), snapshot(entry("sap_a", certificate(not_after=NOW))), NOW + timedelta(days=1), by_name
    )
    assert finding.expiry is Expiry.EXPIRED
    assert not is_difference(finding, report_unmanaged=True)


@pytest.mark.parametrize(
    ("before", "days"),
    [
        (RenewBefore(duration=timedelta(days=30)), 335),
        (RenewBefore(share=0.33), 244.55),
        (RenewBefore(share=0.5), 182.5),
    ],
)
def test_a_renewal_is_due_when_the_share_of_the_lifetime_is_left(before: RenewBefore, days: float):
    start = NOW
    one = certificate(not_before=start, not_after=start + timedelta(days=365))
    due = renewal_due(one, before)
    assert due == start + timedelta(days=days)
    assert expiry_of(one, before, due - timedelta(seconds=1)) is Expiry.OK
    assert expiry_of(one, before, due) is Expiry.EXPIRING
    assert expiry_of(one, before, start + timedelta(days=365)) is Expiry.EXPIRING
    assert expiry_of(one, before, start + timedelta(days=365, seconds=1)) is Expiry.EXPIRED
