"""The reading requests against the emulator, in every manner in which a tenant may answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.keystores.sap import entries as typed
from reconciler.keystores.sap.entries import SELECTED
from reconciler.keystores.sap.failures import TenantUnreadableError
from reconciler.keystores.sap.material import leaf_first
from reconciler.model import EntryKind
from reconciler.x509 import certificate
from tests.sap.emulator import DateLiteral, Effect
from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.keys import seeded_ec_key, seeded_key
from tests.sap.emulator.seeds import many, partner_root

SAP_KEY = "sap_cloudintegrationcertificate"


def test_a_list_tells_kind_owner_and_certificate_of_each_entry(place):
    entries = {entry.alias: entry for entry in place.reader().entries()}
    assert list(entries) == [
        "emulated cybertrust root",
        "emulated global root g2",
        SAP_KEY,
        "partner_root",
        "partner_client",
    ]
    pair, root = entries["partner_client"], entries["partner_root"]
    assert (pair.kind, pair.owner) == (EntryKind.KEY_PAIR, "Tenant Administrator")
    assert (root.kind, entries[SAP_KEY].owner) == (EntryKind.TRUSTED_CERTIFICATE, "SAP")
    stored = place.tenant.find("partner_client").leaf
    assert pair.certificate.sha256 == certificate(stored.public_bytes(Encoding.DER)).sha256
    assert pair.certificate.serial == stored.serial_number
    assert pair.certificate.not_after == stored.not_valid_after_utc
    assert (pair.certificate.key_type, pair.certificate.key_size) == ("RSA", 2048)
    assert pair.certificate.subject == "CN=client.example.com, O=Example, C=DE"
    assert root.certificate.issuer == 'CN=Partner Root CA, O="Partner, Inc.", C=DE'
    assert (pair.status, pair.certificate.validity) == ("unchanged", None)


VARIATIONS = {
    "dates without offset": {"date_literal": DateLiteral.WITHOUT_OFFSET},
    "lower-case keys": {"lower_case_hex": True},
    "no metadata": {"metadata": False},
    "unknown fields": {"extra_fields": True},
    "XML whatever is asked for": {"ignore_json": True},
    "compressed": {"gzip": True},
    "two to a page": {"page_size": 2},
    "one to a page, relative links": {"page_size": 1, "relative_next": True},
    "two to a page of XML": {"page_size": 2, "ignore_json": True},
    "no selection": {"ignore_select": True},
    "selection refused": {"refuse_select": True},
    "selection refused, in pages of XML": {"refuse_select": True, "ignore_json": True, "page_size": 3},
}


@pytest.mark.parametrize("switches", VARIATIONS.values(), ids=VARIATIONS)
def test_a_tenant_that_answers_in_another_manner_says_the_same(place, switches):
    def seen():
        reader = place.reader()
        chain = reader.chain_certificates("partner_client")
        one, state = reader.entry("partner_client"), reader.state()
        return reader.entries(), reader.new_sap_keys(), reader.history(), one, state, chain

    expected = seen()
    for name, value in switches.items():
        setattr(place.tenant.switches, name, value)
    now = seen()
    if switches.keys() & {"ignore_select", "refuse_select"}:
        now = (_without_sha1(now[0]), _without_sha1(now[1]), *now[2:])  # what was not asked for comes as well
    assert now == expected


def _without_sha1(entries):
    return tuple(replace(entry, certificate=replace(entry.certificate, sha1=None)) for entry in entries)


@pytest.mark.parametrize("field", [name for name in SELECTED if name not in {"Hexalias", "Alias"}])
def test_a_field_that_a_tenant_does_not_have_is_a_field_less(place, field):
    place.tenant.switches.missing_fields = (field,)
    place.tenant.switches.ignore_select = True
    assert len(place.reader().entries()) == 5


def test_alias_and_key_stand_in_for_each_other(place):
    for field in ("Alias", "Hexalias"):
        place.tenant.switches.missing_fields = (field,)
        assert [entry.alias for entry in place.reader().entries()][-1] == "partner_client"
    place.tenant.switches.missing_fields = ("Alias", "Hexalias")
    with pytest.raises(TenantUnreadableError, match="has no alias"):
        place.reader().entries()


def test_three_thousand_entries_take_three_requests(place):
    many(place.tenant, 2995)
    place.tenant.switches.page_size = 1000
    entries = place.reader().entries()
    assert len(entries) == 3000
    assert place.lines == ["POST oauth/token"] + ["GET KeystoreEntries"] * 3


def test_no_page_is_asked_for_twice(place):
    body = b'{"d": {"results": [], "__next": "KeystoreEntries?$skiptoken=1"}}'
    place.tenant.faults.add(
        Effect.STATUS, contains="Entries", status=200, times=9, body=body, content_type="application/json"
    )
    with pytest.raises(TenantUnreadableError, match="circle"):
        place.reader().entries()
    assert len(place.requests) == 3


@pytest.mark.parametrize("link", ["KeystoreEntries", "https://[", "?"])
def test_a_broken_link_to_the_next_page_is_an_error(place, link):
    body = f'{{"d": {{"results": [], "__next": "{link}"}}}}'.encode()
    place.tenant.faults.add(Effect.STATUS, contains="Entries", status=200, body=body, content_type="application/json")
    with pytest.raises(TenantUnreadableError, match="link to its next page"):
        place.reader().entries()


def test_an_alias_that_is_listed_twice_is_an_error(place):
    body = b'{"d": {"results": [{"Alias": "a"}, {"Alias": "a"}]}}'
    answer = {"status": 200, "body": body, "content_type": "application/json"}
    place.tenant.faults.add(Effect.STATUS, contains="Entries", times=2, **answer)  # it is read once more
    with pytest.raises(TenantUnreadableError, match="twice"):
        place.reader().entries()


@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.TRUNCATE_SILENTLY, Effect.WRONG_TYPE])
@pytest.mark.parametrize("xml", [True, False])
def test_an_answer_that_is_no_whole_answer_is_never_an_empty_keystore(place, effect, xml):
    place.tenant.switches.ignore_json = xml
    place.tenant.switches.page_size = 2
    place.tenant.faults.add(effect, contains="KeystoreEntries", skip=1, times=99)
    with pytest.raises(TenantUnreadableError, match="could not be read") as caught:
        place.reader().entries()
    assert caught.value.exit_code == 3
    assert caught.value.where == place.reader()._session.host


@pytest.mark.parametrize("status", [200, 204])
def test_an_answer_without_a_body_is_never_an_empty_keystore(place, status):
    place.tenant.faults.add(Effect.STATUS, contains="KeystoreEntries", status=status, content_type="")
    with pytest.raises(TenantUnreadableError):
        place.reader().entries()


@pytest.mark.parametrize(
    ("status", "words"), [(403, "MonitoringDataRead"), (404, "address"), (400, "HTTP 400"), (418, "HTTP 418")]
)
def test_a_refusal_says_what_may_be_missing(place, status, words):
    place.tenant.faults.add(Effect.STATUS, contains="Keystore", status=status, times=9)
    for read in (place.reader().entries, place.reader().state, lambda: place.reader().certificate("partner_root")):
        with pytest.raises(TenantUnreadableError, match=words) as caught:
            read()
        assert caught.value.status == status


def test_one_entry_is_read_or_is_not_there(place):
    reader = place.reader()
    assert reader.entry("partner_client").alias == "partner_client"
    assert reader.entry("no such") is None
    assert reader.entry(SAP_KEY).owner == "SAP"
    with pytest.raises(TenantUnreadableError, match="400"):
        reader.entry("a", "no such keystore")


@pytest.mark.parametrize("alias", ["a/b", "a\\b", "ümlaut", "日本", "a;b", "[1]_x", "a b", "100%", "a'b", "x" * 250])
def test_any_alias_can_be_asked_for(place, alias):
    place.tenant.put(alias, partner_root())
    assert place.reader().entry(alias).alias == alias
    assert place.reader().certificate(alias).der == partner_root().public_bytes(Encoding.DER)


def test_the_state_of_a_keystore_changes_with_every_write(place):
    reader = place.reader()
    before = reader.state()
    assert (before.name, before.size) == ("system", 5)
    place.tenant.put("x", partner_root(), user="S0009999")
    after = reader.state()
    assert (after.modified_by, after.size) == ("S0009999", 6)
    assert after.modified_at >= before.modified_at
    assert reader.state("backup_admin_system").size == 0


# --------------------------------------------------------------------------------------- parts of an entry


@pytest.mark.parametrize("encoding", ["pem", "base64", "der"])
def test_a_certificate_is_read_in_every_encoding(place, encoding):
    place.tenant.switches.certificate_encoding = encoding
    stored = place.tenant.find("partner_client")
    reader = place.reader()
    assert reader.certificate("partner_client").der == stored.leaf.public_bytes(Encoding.DER)
    assert reader.certificate("partner_client", root=True).der == partner_root().public_bytes(Encoding.DER)


@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.TRUNCATE_SILENTLY, Effect.WRONG_TYPE])
@pytest.mark.parametrize("encoding", ["pem", "base64", "der"])
def test_a_certificate_that_is_cut_is_no_certificate(place, effect, encoding):
    place.tenant.switches.certificate_encoding = encoding
    place.tenant.faults.add(effect, contains="$value", times=99)
    with pytest.raises(TenantUnreadableError, match="could not be read"):
        place.reader().certificate("partner_client")


def test_a_chain_is_read_leaf_first_and_checked_against_the_list(place):
    reader = place.reader()
    leaf = reader.entry("partner_client").certificate.sha256
    chain = reader.chain("partner_client", leaf_sha256=leaf)
    stored = place.tenant.find("partner_client").chain
    assert [one.der for one in chain] == [one.public_bytes(Encoding.DER) for one in stored]
    assert [one.certificate.sha256 for one in reader.chain_certificates("partner_client")] == [
        one.sha256 for one in chain
    ]
    with pytest.raises(TenantUnreadableError, match="does not hold the certificate of the entry"):
        reader.chain("partner_client", leaf_sha256="0" * 64)


@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.TRUNCATE_SILENTLY, Effect.WRONG_TYPE])
def test_a_chain_that_is_cut_is_no_chain(place, effect):
    place.tenant.faults.add(effect, contains="ChainResource", times=99)
    with pytest.raises(TenantUnreadableError):
        place.reader().chain("partner_client")


def test_a_chain_that_is_sent_as_certificates_in_any_order_is_ordered(place):
    stored = place.tenant.find("partner_client").chain
    body = b"".join(one.public_bytes(Encoding.PEM) for one in reversed(stored))
    place.tenant.faults.add(Effect.STATUS, contains="ChainResource", status=200, body=body)
    assert place.reader().chain("partner_client")[0].der == stored[0].public_bytes(Encoding.DER)


def test_certificates_with_equal_names_do_not_make_a_chain_endless():
    name, key = distinguished_name(CommonName="same"), seeded_ec_key()
    both = [certificate(make(name, key).public_bytes(Encoding.DER)) for _ in range(3)]
    assert sorted(one.sha256 for one in leaf_first(both)) == sorted(one.sha256 for one in both)
    assert leaf_first([]) == ()
    assert leaf_first(both, both[1].sha256)[0] == both[1]


def test_a_signing_request_has_the_key_and_the_subject(place):
    request = x509.load_der_x509_csr(place.reader().signing_request("partner_client"))
    assert request.public_key() == seeded_key(3).public_key()
    assert request.subject.rfc4514_string() == "CN=client.example.com,O=Example,C=DE"
    with pytest.raises(TenantUnreadableError, match="does not represent a Key Pair"):
        place.reader().signing_request("partner_root")


def test_an_openssh_key_is_one_line(place):
    assert place.reader().ssh_key("partner_client").startswith("ssh-rsa AAAA")
    with pytest.raises(TenantUnreadableError, match="cannot be exported"):
        place.reader().ssh_key("partner_root")
    place.tenant.faults.add(Effect.STATUS, contains="Sshkey", status=200, body=b"nothing")
    with pytest.raises(TenantUnreadableError, match="OpenSSH"):
        place.reader().ssh_key("partner_client")


# --------------------------------------------------------------------------------------------- SAP's keys


def test_a_new_sap_key_and_the_history_are_shown(place):
    reader = place.reader()
    (waiting,) = reader.new_sap_keys()
    assert (waiting.alias, waiting.owner) == (SAP_KEY, "SAP")
    (old,) = reader.history()
    assert (old.entry.alias, old.original_alias, old.sequence) == (f"[1]_{SAP_KEY}", SAP_KEY, 1)
    assert old.active_from < old.active_until
    assert (old.activated_by, old.deactivated_by) == ("SAP", "SAP")


def test_a_key_that_sap_activates_shows_in_all_three_places(place):
    reader = place.reader()
    (waiting,) = reader.new_sap_keys()
    place.tenant.activate(SAP_KEY)
    assert reader.new_sap_keys() == ()
    assert reader.entry(SAP_KEY).certificate.sha256 == waiting.certificate.sha256
    assert [old.sequence for old in reader.history()] == [1, 2]


def test_sap_activates_by_itself_one_day_before_the_end(place):
    end = place.tenant.find(SAP_KEY).leaf.not_valid_after_utc
    place.tenant._now = lambda: end - timedelta(days=2)
    assert place.tenant.daily_job() == ()
    place.tenant._now = lambda: end - timedelta(hours=23)
    assert place.tenant.daily_job() == (SAP_KEY,)
    assert place.reader().new_sap_keys() == ()


def test_an_entry_is_a_frozen_value(place):
    entry = place.reader().entries()[0]
    with pytest.raises(AttributeError):
        entry.alias = "x"
    assert entry == place.reader().entries()[0]
    assert hash(entry) == hash(place.reader().entries()[0])
    assert isinstance(entry, typed.TenantEntry)
    assert entry.created_at <= datetime.now(UTC)


def test_the_public_content_of_the_keystore_is_one_request(place):
    content = place.reader().public_keystore()

    assert content[:4] == b"\xce\xce\xce\xce"
    assert place.lines[-1] == "GET KeystoreResources('system')"


@pytest.mark.parametrize("effect", [Effect.WRONG_TYPE, Effect.TRUNCATE_SILENTLY])
def test_public_content_that_is_broken_is_an_error(place, effect):
    place.tenant.faults.add(effect, contains="KeystoreResources")
    with pytest.raises(TenantUnreadableError):
        place.reader().public_keystore()
