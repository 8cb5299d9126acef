"""What a plan asks of a tenant, and what it says: one token, one list, and more only where that is not enough."""

from __future__ import annotations

import pytest
from cryptography import x509

from tests.sap.emulator import DateLiteral
from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.keys import seeded_ec_key, seeded_key
from tests.sap.emulator.seeds import SAP_KEY_PAIR, many, partner_root
from tests.sap.repository import TenantRepository, our_root, pin

SELF_SIGNED = """\
keyPairs:
  own:
    key: {algorithm: EC, curve: secp256r1}
    subject: {commonName: own.example.com, organization: "Example, Inc.", country: DE}
    issuer: {type: self-signed}
"""
LOCAL_CA = """\
keyPairs:
  client:
    key: {algorithm: EC, curve: secp256r1}
    subject: {commonName: client.example.com, country: DE}
    issuer: {type: local-ca, certificate: ca.pem, key: ca.key}
"""


@pytest.mark.parametrize("count", [10, 3000])
def test_a_plan_is_one_token_and_one_list_and_no_write(reconcile: TenantRepository, count: int) -> None:
    many(reconcile.tenant, count)
    reconcile.tenant.switches.page_size = 10_000
    reconcile.declare("trustedRoots:\n" + reconcile.root())
    since = reconcile.since()

    assert reconcile("plan").changes == [("import", "our_root")]
    assert [(one.kind, one.path) for one in since.requests] == [("token", "oauth/token"), ("api", "KeystoreEntries")]


def test_three_thousand_entries_are_three_pages(reconcile: TenantRepository) -> None:
    many(reconcile.tenant, 2990)
    reconcile.declare()
    since = reconcile.since()

    assert reconcile("plan").target["summary"]["unmanaged"] == 2992
    assert since.lines == ["POST oauth/token", *["GET KeystoreEntries"] * 3]


def test_what_the_tenant_made_and_signed_itself_is_judged_by_the_list_alone(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root() + SELF_SIGNED)
    assert reconcile("apply").code == 0
    since = reconcile.since()

    assert reconcile("plan").changes == []
    assert since.lines == ["POST oauth/token", "GET KeystoreEntries"]


def test_of_a_key_pair_that_somebody_signed_the_chain_is_read_and_nothing_else(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root() + LOCAL_CA)
    assert reconcile("apply").code == 0
    since = reconcile.since()

    assert reconcile("plan").changes == []
    assert [line.rpartition("/")[0].rpartition("/")[2] for line in since.lines[2:]] == ["ChainResource"]


def test_a_second_apply_writes_nothing(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root() + LOCAL_CA)
    first = reconcile("apply")
    assert first.outcomes == {"our_root": "applied", "client": "applied"}
    since = reconcile.since()

    assert reconcile("apply").code == 0
    assert since.writes == []


@pytest.mark.parametrize(
    "switches",
    [
        {"date_literal": DateLiteral.WITHOUT_OFFSET},
        {"ignore_json": True},
        {"metadata": False, "lower_case_hex": True},
        {"extra_fields": True},
        {"missing_fields": ("FingerprintSha256",)},
        {"missing_fields": ("EllipticCurve", "Version", "CreatedBy", "LastModifiedBy")},
        {"missing_fields": ("KeyType", "KeySize", "ValidNotAfter", "SubjectDN", "IssuerDN")},
        {"refuse_select": True},
        {"certificate_encoding": "der"},
        {"page_size": 2, "relative_next": True},
        {"single_delete": False},
        {"pkcs7_only_chains": True, "created_status": 201},
        {"complete_chains": False},
        {"fold_alias_case": True},
        {"verify_writes_lazily": 0.05},
    ],
    ids=str,
)
def test_tenants_that_answer_otherwise_come_to_the_same_end(reconcile: TenantRepository, switches: dict) -> None:
    for name, value in switches.items():
        setattr(reconcile.tenant.switches, name, value)
    reconcile.declare("aliases: {absent: [partner_root]}\ntrustedRoots:\n" + reconcile.root() + LOCAL_CA)

    applied = reconcile("apply")

    assert set(applied.outcomes.values()) == {"applied"}, applied.out + applied.err
    assert reconcile("plan").changes == []
    assert "partner_root" not in reconcile.tenant.aliases()


def test_saps_entries_are_shown_and_never_planned(reconcile: TenantRepository) -> None:
    reconcile.declare("aliases: {unmanaged: prune}\n")

    plan = reconcile("plan")

    assert plan.changes == [("delete", "partner_root")]
    assert plan.target["summary"]["protected"] == 3
    reconcile.declare(f"aliases: {{absent: [{SAP_KEY_PAIR}]}}\n")
    assert reconcile("plan").code == 4


def test_an_entry_of_saps_with_an_ordinary_name_is_refused(reconcile: TenantRepository) -> None:
    reconcile.declare('aliases: {absent: ["emulated global root g2"]}\n')
    since = reconcile.since()

    assert reconcile("apply").code == 4
    assert since.writes == []


def test_another_spelling_is_renamed_and_never_made_anew(reconcile: TenantRepository) -> None:
    reconcile.tenant.put("Our_Root", our_root())
    reconcile.declare("trustedRoots:\n" + reconcile.root())

    plan = reconcile("plan")

    assert [(c["action"], c["alias"], c["new_alias"], c["reason"]) for c in plan.target["changes"]] == [
        ("rename", "Our_Root", "our_root", "alias-case")
    ]
    assert reconcile("apply").code == 0
    assert {"Our_Root", "our_root"} & set(reconcile.tenant.aliases()) == {"our_root"}
    reconcile.settles()


def test_drift_tells_of_a_new_sap_key_and_who_has_to_know(reconcile: TenantRepository) -> None:
    reconcile.declare(f'receivers:\n  erp: {{address: "erp.example.com:443", keyPair: {SAP_KEY_PAIR}}}\n')

    document = reconcile("drift").target

    [note] = document["notes"]
    assert "a new SAP key waits for sap_cloudintegrationcertificate" in note
    assert "erp (erp.example.com:443)" in note
    assert "Keystore Monitor" in note
    assert document["new_sap_keys"][0]["receivers"] == ["erp"]
    assert (
        document["new_sap_keys"][0]["activated_by_sap_on"] < document["new_sap_keys"][0]["certificates"][0]["not_after"]
    )
    assert [one["original_alias"] for one in document["replaced_sap_keys"]] == [SAP_KEY_PAIR]
    for form in ("text", "markdown"):
        assert "SAP" in reconcile("drift", "--format", form).out


def test_list_shows_owner_and_protection_without_asking_for_a_certificate(reconcile: TenantRepository) -> None:
    reconcile.declare()
    since = reconcile.since()

    entries = {one["alias"]: one for one in reconcile("list", "--format", "json").document["entries"]}

    assert entries[SAP_KEY_PAIR]["owner"] == "SAP"
    assert entries[SAP_KEY_PAIR]["protected"]
    assert entries["partner_root"]["certificates"][0]["sha256"] == pin(partner_root())
    assert entries["partner_root"]["certificates"][0]["subject"] == "CN=Partner Root CA,O=Partner\\, Inc.,C=DE"
    assert not [line for line in since.lines if "Certificate" in line]


def test_show_and_export_give_the_whole_chain(reconcile: TenantRepository) -> None:
    reconcile.declare()

    shown = reconcile("show", "partner_client", "--format", "json").document
    exported = reconcile("export", "partner_client", "--certificate", "--root", "--chain", "--ssh")

    assert len(shown["entries"][0]["certificates"]) == 2
    assert exported.code == 0, exported.err
    assert (reconcile.directory / "partner_client.pub").read_text().startswith("ssh-rsa ")
    assert (reconcile.directory / "partner_client.p7b").exists()
    assert reconcile("export", SAP_KEY_PAIR, "--certificate", "--next").code == 0


def test_a_signing_request_is_downloaded(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root() + LOCAL_CA)
    reconcile("apply")

    assert reconcile("csr", "client").code == 0
    assert b"BEGIN CERTIFICATE REQUEST" in (reconcile.directory / "client.csr").read_bytes()


def test_adopt_describes_a_tenant_and_the_plan_is_empty(reconcile: TenantRepository) -> None:
    reconcile.declare()

    adopted = reconcile("adopt", "keystore.yaml", "adopted")

    assert adopted.code == 0, adopted.out + adopted.err
    text = (reconcile.directory / "adopted" / "keystore.yaml").read_text()
    assert "existing: true" in text
    assert "sap-cloud-integration" in text
    assert reconcile("plan", "adopted/keystore.yaml").changes == []


def test_commands_that_read_use_the_credentials_for_reading(
    reconcile: TenantRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = reconcile.place.emulator.service_key(reconcile.place.name)
    reconcile.declare("trustedRoots:\n" + reconcile.root(), "readCredentials: {serviceKey: {env: SAP_READ_KEY}}\n")
    monkeypatch.setenv("SAP_READ_KEY", key)
    monkeypatch.delenv("SAP_SERVICE_KEY")

    assert reconcile("plan").code == 0
    refused = reconcile("apply")
    assert (refused.code, "SAP_SERVICE_KEY" in refused.err) == (1, True)
    monkeypatch.setenv("SAP_SERVICE_KEY", key)
    monkeypatch.delenv("SAP_READ_KEY")
    assert reconcile("apply").code == 0


def test_an_existing_key_pair_is_watched_by_its_fingerprint(reconcile: TenantRepository) -> None:
    leaf = make(distinguished_name(CommonName="x", Country="DE"), seeded_key(4))
    reconcile.tenant.put("watched", leaf, key=seeded_key(4))
    reconcile.declare(f'keyPairs:\n  watched: {{existing: true, sha256: "{pin(leaf)}"}}\n')

    assert reconcile("drift").target["findings"][0]["status"] == "in-sync"
    other = make(distinguished_name(CommonName="x", Country="DE"), seeded_ec_key(4))
    reconcile.tenant.put("watched", other, key=seeded_ec_key(4))
    assert reconcile("drift").target["findings"][0]["status"] == "differs"


def test_an_apply_signs_in_once(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root())
    since = reconcile.since()

    assert reconcile("apply").code == 0
    assert [one.path for one in since.requests if one.kind == "token"] == ["oauth/token"]
    assert len(since.writes) == 1


def test_where_no_owner_is_stated_saps_name_on_an_entry_protects_it(reconcile: TenantRepository) -> None:
    reconcile.tenant.switches.missing_fields = ("Owner",)
    reconcile.declare("aliases: {unmanaged: prune}\n")

    assert reconcile("plan").changes == [("delete", "partner_root")]


def test_many_certificates_come_in_one_request(reconcile: TenantRepository) -> None:
    many(reconcile.tenant, 30)
    reconcile.declare()
    since = reconcile.since()

    assert reconcile("adopt", "keystore.yaml", "adopted").code == 0
    assert since.lines[:3] == ["POST oauth/token", "GET KeystoreEntries", "GET KeystoreResources('system')"]
    assert len(since.lines) == 5  # and the token and the list of the proof


def test_a_reviewed_plan_is_applied_or_refused(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root() + LOCAL_CA)
    assert reconcile("plan", "--out", "plan.json").code == 0
    reconcile.tenant.put("our_root", our_root(77))

    assert reconcile("apply", "--plan", "plan.json").code == 4
    reconcile.tenant.remove("our_root")
    assert reconcile("apply", "--plan", "plan.json").code == 0


def test_a_servers_certificate_is_judged_against_a_tenant(reconcile: TenantRepository) -> None:
    reconcile.tenant.put("emulators_own", ca_of(reconcile), user="S0001234")
    reconcile.declare()
    address = f"127.0.0.1:{reconcile.place.emulator.port}"

    seen = reconcile("connect", address, "--keystore", "keystore.yaml", "--format", "json")

    assert seen.document["trust"]["anchor_alias"] == "emulators_own", seen.out


def ca_of(reconcile: TenantRepository) -> x509.Certificate:
    return x509.load_pem_x509_certificate(reconcile.place.emulator.ca_file.read_bytes())
