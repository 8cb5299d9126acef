"""The writing requests against the emulator: what they change, what they refuse, and what they never do."""

from __future__ import annotations

import base64
import inspect
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from reconciler.errors import KeystoreUnreadableError, MaterialError, ReconcileError, RefusedError
from reconciler.keystores.sap import writing
from reconciler.keystores.sap.failures import (
    AliasNotFoundError,
    ForbiddenEntryError,
    KeystoreLockedError,
    MissingRoleError,
    NotTrustedError,
    UnknownOutcomeError,
    WriteFailedError,
)
from reconciler.keystores.sap.key_orders import KeyOrderError, KeyPairOrder
from reconciler.keystores.sap.writing import KeyPairFile, TenantWriter
from reconciler.secret import Secret
from reconciler.x509 import certificate
from tests.sap.emulator import CLIENT, Effect, TrustEnvelope
from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.entries import SAP
from tests.sap.emulator.gate import READ_ROLE, Account
from tests.sap.emulator.keys import seeded_ec_key, seeded_key
from tests.sap.emulator.seeds import partner_root

ORDER = KeyPairOrder("mine", "EC", "client.example.com", "DE", curve="secp256r1", organization="Example, Inc.")


def wrapped(one: x509.Certificate):
    return certificate(one.public_bytes(Encoding.DER))


def self_signed(name="lonely", number=7, **options):
    return make(distinguished_name(CommonName=name, Country="DE"), seeded_ec_key(number), **options)


def issued(name="issued", key=None, number=8):
    """A certificate that the tenant's partner root signed."""
    subject = distinguished_name(CommonName=name, Country="DE")
    return make(subject, key or seeded_ec_key(number), issuer=partner_root(), issuer_key=seeded_ec_key(100))


def file(key, leaf, *others, password=b"Pass-w0rd"):
    content = pkcs12.serialize_key_and_certificates(b"x", key, leaf, others, BestAvailableEncryption(password))
    return KeyPairFile(Secret(content), Secret(password))


# ----------------------------------------------------------------------------------------------- certificates


def test_a_certificate_is_created_and_then_updated(place):
    writer = place.writer()
    first, second = self_signed("one"), self_signed("two")
    writer.put_certificate("root", wrapped(first), update=False, fingerprint_verified=True)
    assert place.tenant.find("root").leaf == first
    created = place.tenant.find("root").created_at
    writer.put_certificate("root", wrapped(second), update=True, fingerprint_verified=True)
    assert place.tenant.find("root").leaf == second
    assert place.tenant.find("root").created_at == created


def test_update_is_strict_in_both_directions(place):
    one = wrapped(self_signed())
    with pytest.raises(WriteFailedError, match="already exists") as caught:
        place.writer().put_certificate("partner_root", one, update=False, fingerprint_verified=True)
    assert (caught.value.status, caught.value.exit_code) == (400, 1)
    with pytest.raises(WriteFailedError, match="does not exist"):
        place.writer().put_certificate("new", one, update=True, fingerprint_verified=True)
    with pytest.raises(WriteFailedError, match="cannot be overwritten"):
        place.writer().put_certificate("partner_client", one, update=True, fingerprint_verified=True)


@pytest.mark.parametrize("envelope", TrustEnvelope)
def test_an_untrusted_certificate_is_refused_with_its_fingerprint(place, envelope):
    place.tenant.switches.trust_envelope = envelope
    one = wrapped(self_signed())
    with pytest.raises(NotTrustedError, match="no trust path") as caught:
        place.writer().put_certificate("new", one, update=False, fingerprint_verified=False)
    assert caught.value.sha256 == (None if envelope is TrustEnvelope.PLAIN else one.sha256)
    assert "pin" in str(caught.value.hint)
    assert place.tenant.find("new") is None
    assert len(place.writes) == 1  # never repeated with fingerprintVerified=true


def test_a_certificate_whose_issuer_is_trusted_needs_no_verified_fingerprint(place):
    place.writer().put_certificate("new", wrapped(issued()), update=False, fingerprint_verified=False)
    assert place.tenant.find("new") is not None


def test_a_certificate_over_ten_kilobytes_is_not_sent(place):
    with pytest.raises(MaterialError, match="10240"):
        place.writer().put_certificate("new", certificate(b"\x30" * 10241), update=False, fingerprint_verified=True)
    assert place.lines == []


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_success_is_a_success(place, status):
    place.tenant.switches.created_status = status
    written = place.writer().put_certificate("n", wrapped(issued()), update=False, fingerprint_verified=False)
    assert (written.status, written.entries) == (status, None)


def test_a_list_after_a_write_is_read(place):
    answer = b'{"d": {"results": [{"Alias": "n", "Status": "new"}, {"Alias": "o", "Status": "unchanged"}]}}'
    options = {"body": answer, "content_type": "application/json", "status": 200}
    place.tenant.faults.add(Effect.STATUS_AFTER, method="PUT", **options)
    written = place.writer().put_certificate("n", wrapped(issued()), update=False, fingerprint_verified=False)
    assert [entry.alias for entry in written.entries] == ["n", "o"]


def test_a_write_that_says_200_and_left_the_entry_out_is_a_failure(place):
    answer = b'{"d": {"results": [{"Alias": "n", "Status": "notImported: The alias is not allowed."}]}}'
    options = {"body": answer, "content_type": "application/json", "status": 200}
    place.tenant.faults.add(Effect.STATUS, method="PUT", **options)
    with pytest.raises(WriteFailedError, match="left it out: The alias is not allowed"):
        place.writer().put_certificate("n", wrapped(issued()), update=False, fingerprint_verified=False)


# -------------------------------------------------------------------------------------------------- key pairs


def test_a_key_pair_is_generated_in_the_tenant(place):
    writer = place.writer()
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    writer.generate_key_pair(ORDER)
    entry = place.tenant.find("mine")
    assert entry.leaf.subject.rfc4514_string() == "CN=client.example.com,O=Example\\, Inc.,C=DE"
    assert entry.leaf.public_key().curve.name == "secp256r1"
    timed = KeyPairOrder(
        "rsa", "RSA", "c", "DE", key_size=2048, not_before=moment, not_after=moment + timedelta(days=9)
    )
    writer.generate_key_pair(timed)
    leaf = place.tenant.find("rsa").leaf
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (moment, moment + timedelta(days=9))
    assert leaf.public_key().key_size == 2048
    with pytest.raises(WriteFailedError, match="already exists"):
        writer.generate_key_pair(ORDER)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"key_type": "Ed25519"}, "cannot be generated"),
        ({"key_type": "RSA", "curve": None}, "needs a size"),
        ({"curve": None}, "either a curve or a size"),
        ({"key_size": 256}, "either a curve or a size"),
        ({"common_name": ""}, "common name"),
        ({"country": "DEU"}, "two letters"),
        ({"organization": "x" * 501}, "Organization is longer"),
    ],
)
def test_a_key_pair_that_a_tenant_cannot_make_is_not_ordered(place, changes, problem):
    fields = {name: getattr(ORDER, name) for name in KeyPairOrder.__slots__} | changes
    with pytest.raises(KeyOrderError, match=problem) as caught:
        place.writer().generate_key_pair(KeyPairOrder(**fields))
    assert "generateIn: here" in str(caught.value.hint)
    assert place.lines == []


def test_a_key_pair_comes_in_a_pkcs12_file(place):
    key = seeded_key(4)
    leaf = issued("brought", key)
    writer = place.writer()
    writer.import_key_pair("brought", file(key, leaf, partner_root()), update=False, fingerprint_verified=False)
    assert place.tenant.find("brought").chain == (leaf, partner_root())
    other = make(distinguished_name(CommonName="again"), key)
    writer.import_key_pair("brought", file(key, other), update=True, fingerprint_verified=True)
    assert place.tenant.find("brought").leaf == other
    lonely = file(seeded_ec_key(7), self_signed())
    with pytest.raises(NotTrustedError):
        writer.import_key_pair("lonely", lonely, update=False, fingerprint_verified=False)


def test_a_pkcs12_file_with_another_password_is_refused(place):
    good = file(seeded_key(4), issued("x", seeded_key(4)))
    wrong = KeyPairFile(good.pkcs12, Secret("other"))
    with pytest.raises(WriteFailedError, match="Check the password"):
        place.writer().import_key_pair("k", wrong, update=False, fingerprint_verified=True)
    rubbish = KeyPairFile(Secret(b"rubbish"), Secret("x"))
    with pytest.raises(WriteFailedError, match="type of file"):
        place.writer().import_key_pair("k", rubbish, update=False, fingerprint_verified=True)
    binary = KeyPairFile(good.pkcs12, Secret(b"\xff"))
    with pytest.raises(MaterialError, match="not text"):
        place.writer().import_key_pair("k", binary, update=False, fingerprint_verified=True)
    large = KeyPairFile(Secret(b"x" * 30073), Secret("x"))
    with pytest.raises(MaterialError, match="30072"):
        place.writer().import_key_pair("k", large, update=False, fingerprint_verified=True)


# ----------------------------------------------------------------------------------------- signing responses


def answered(place, *, root=True):
    """A key pair of the tenant's own, and the partner's answer to its request."""
    place.writer().generate_key_pair(ORDER)
    key = place.tenant.find("mine").key
    leaf = issued("client.example.com", key)
    return [wrapped(leaf)] + ([wrapped(partner_root())] if root else [])


@pytest.mark.parametrize("switch", ["", "pkcs7_only_chains", "pem_only_chains"])
@pytest.mark.parametrize("root", [True, False])
def test_a_signing_response_is_installed(place, switch, root):
    chain = answered(place, root=root)
    if switch:
        setattr(place.tenant.switches, switch, True)
    place.writer().put_chain("mine", chain, fingerprint_verified=False)
    installed = [one.public_bytes(Encoding.DER) for one in place.tenant.find("mine").chain]
    assert installed == [chain[0].der, partner_root().public_bytes(Encoding.DER)]
    assert len([w for w in place.writes if "Chain" in w]) == (2 if switch == "pkcs7_only_chains" else 1)


def test_a_request_keeps_key_and_subject_after_the_response(place):
    reader = place.reader()
    chain = answered(place)
    before = x509.load_der_x509_csr(reader.signing_request("mine"))
    place.writer().put_chain("mine", chain, fingerprint_verified=False)
    after = x509.load_der_x509_csr(reader.signing_request("mine"))
    assert (before.public_key(), before.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)) == (
        after.public_key(),
        after.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME),
    )
    assert (before.signature_hash_algorithm.name, after.signature_hash_algorithm.name) == ("sha512", "sha256")


def test_a_response_that_does_not_fit_is_refused(place):
    answered(place)
    writer = place.writer()
    with pytest.raises(WriteFailedError, match="different from the public key"):
        writer.put_chain("mine", [wrapped(issued("other"))], fingerprint_verified=True)
    with pytest.raises(WriteFailedError, match="does not represent a Key Pair"):
        writer.put_chain("partner_root", [wrapped(issued())], fingerprint_verified=True)
    with pytest.raises(AliasNotFoundError, match="not found in the keystore"):
        writer.put_chain("nobody", [wrapped(issued())], fingerprint_verified=True)
    chain = [wrapped(issued("client.example.com", place.tenant.find("mine").key)), wrapped(self_signed())]
    with pytest.raises(WriteFailedError, match="could not be validated"):
        writer.put_chain("mine", chain, fingerprint_verified=True)


def test_a_response_of_an_untrusted_authority_needs_a_verified_fingerprint(place):
    place.writer().generate_key_pair(ORDER)
    own = make(distinguished_name(CommonName="x"), place.tenant.find("mine").key)
    with pytest.raises(NotTrustedError):
        place.writer().put_chain("mine", [wrapped(own)], fingerprint_verified=False)
    place.writer().put_chain("mine", [wrapped(own)], fingerprint_verified=True)
    assert place.tenant.find("mine").leaf == own


def test_a_chain_that_is_too_large_as_pem_goes_as_pkcs7_and_else_not_at_all(place, monkeypatch):
    chain = answered(place)
    monkeypatch.setattr(writing, "MAX_KEY_PAIR", 1100)
    place.writer().put_chain("mine", chain, fingerprint_verified=False)
    assert place.tenant.find("mine").leaf.public_bytes(Encoding.DER) == chain[0].der
    monkeypatch.setattr(writing, "MAX_KEY_PAIR", 500)
    count = len(place.writes)
    with pytest.raises(MaterialError, match="larger than"):
        place.writer().put_chain("mine", chain, fingerprint_verified=False)
    assert len(place.writes) == count


# ---------------------------------------------------------------------------------------- rename and delete


@pytest.mark.parametrize("new", ["plain", "a/b", "a;b\\c", "ä ö & = % ? #", "日本", "[1]_x", "y" * 250])
def test_an_entry_is_renamed_to_any_alias(place, new):
    leaf = place.tenant.find("partner_client").leaf
    place.writer().rename("partner_client", new)
    assert place.tenant.find("partner_client") is None
    assert place.tenant.find(new).leaf == leaf


def test_a_rename_onto_another_or_of_nobody_is_refused(place):
    with pytest.raises(WriteFailedError, match="already exists"):
        place.writer().rename("partner_client", "partner_root")
    with pytest.raises(AliasNotFoundError):
        place.writer().rename("nobody", "somebody")


@pytest.mark.parametrize("alias", ["plain", "a;b", "a\\b", "a\\;b;", "日本;", "x" * 250, "in  side"])
@pytest.mark.parametrize("single", [True, False])
def test_exactly_one_entry_is_deleted(place, alias, single):
    place.tenant.switches.single_delete = single
    for name in {alias, *alias.split(";"), *alias.split("\\")} - {""}:
        place.tenant.put(name, partner_root())
    before = set(place.tenant.aliases())
    place.writer().delete(alias)
    assert before - set(place.tenant.aliases()) == {alias}


def test_the_missing_request_is_tried_once_in_a_session(place):
    place.tenant.switches.single_delete = False
    writer = place.writer()
    writer.delete("partner_root")
    writer.delete("partner_client")
    assert [line.split("(")[0] for line in place.writes] == [
        "DELETE KeystoreEntries",
        "PUT KeystoreResources",
        "PUT KeystoreResources",
    ]


def test_an_alias_with_blanks_around_it_is_never_in_a_list(place):
    place.tenant.put("plain ", partner_root())
    place.writer().delete("plain ")
    place.tenant.put("plain ", partner_root())
    place.tenant.switches.single_delete = False
    with pytest.raises(RefusedError, match="blanks"):
        place.writer().delete("plain ")


def test_a_deletion_of_nobody_is_said(place):
    with pytest.raises(AliasNotFoundError) as caught:
        place.writer().delete("nobody")
    assert caught.value.status == 404


# ------------------------------------------------------------------------------------------- what SAP keeps


RESERVED = ["sap_cloudintegrationcertificate", "sap_x", "SAP_x", "hcicertificate", "hcimsgcertificate"]


@pytest.mark.parametrize("alias", RESERVED)
def test_no_request_is_ever_made_for_a_reserved_alias(place, alias):
    writer, one = place.writer(), wrapped(issued())
    pair = KeyPairFile(Secret(b"x"), Secret("x"))
    attempts = [
        lambda: writer.put_certificate(alias, one, update=True, fingerprint_verified=True),
        lambda: writer.import_key_pair(alias, pair, update=True, fingerprint_verified=True),
        lambda: writer.put_chain(alias, [one], fingerprint_verified=True),
        lambda: writer.generate_key_pair(KeyPairOrder(alias, "EC", "x", "DE", curve="secp256r1")),
        lambda: writer.rename(alias, "x"),
        lambda: writer.rename("partner_root", alias),
        lambda: writer.delete(alias),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedError, match="belongs to SAP"):
            attempt()
    assert place.lines == []


def test_an_entry_that_only_the_owner_protects_is_protected_by_the_tenant(emulator):
    tenant = emulator.tenant("owner")  # not from the fixture: it asks for what our product never does
    tenant.put("plain name", partner_root(), owner=SAP)
    from tests.sap.conftest import Place

    with pytest.raises(ForbiddenEntryError, match="keeps this alias or entry for SAP") as caught:
        Place(emulator, tenant).writer().delete("plain name")
    assert caught.value.exit_code == 4
    assert emulator.requests.violations() != ()


def test_there_is_no_function_for_what_the_product_never_does():
    source = inspect.getsource(writing) + inspect.getsource(TenantWriter)
    for forbidden in ("importOption", "activate=", '"activate"', "retrieveBackup", '"copy"', "keystoreName"):
        assert forbidden not in source
    public = {name for name in vars(TenantWriter) if not name.startswith("_")}
    assert public == {"put_certificate", "import_key_pair", "generate_key_pair", "put_chain", "rename", "delete"}


def test_a_reader_has_nothing_to_write_with(place):
    public = {name for name in dir(place.reader()) if not name.startswith("_")}
    assert public == {
        "close",
        "entries",
        "entry",
        "state",
        "new_sap_keys",
        "history",
        "public_keystore",
        "seen",
        "certificate",
        "chain",
        "chain_certificates",
        "signing_request",
        "ssh_key",
    }


# ----------------------------------------------------------------------------------------- what goes wrong


def test_a_missing_role_is_not_taken_for_a_reserved_alias(place):
    account = place.tenant.gate.clients[CLIENT]
    place.tenant.gate.clients[CLIENT] = Account(account.name, account.secret, frozenset({READ_ROLE}))
    with pytest.raises(MissingRoleError, match="SecurityMaterialEdit") as caught:
        place.writer().delete("partner_root")
    assert "tokens issued before" in str(caught.value.hint)


OUTCOMES = {
    400: WriteFailedError,
    401: WriteFailedError,
    403: MissingRoleError,
    404: AliasNotFoundError,
    409: NotTrustedError,
    413: WriteFailedError,
    415: WriteFailedError,
    423: KeystoreLockedError,
    429: WriteFailedError,
    500: UnknownOutcomeError,
    502: UnknownOutcomeError,
    503: KeystoreLockedError,
    504: UnknownOutcomeError,
    507: WriteFailedError,
}


@pytest.mark.parametrize(("status", "kind"), OUTCOMES.items())
@pytest.mark.parametrize("body", [b"", b'{"error": {"message": {"value": "said so"}}}', b"\xff\xfe<", b"<html>"])
def test_every_status_has_its_error(place, status, kind, body):
    options = {"status": status, "body": body, "content_type": "application/json", "times": 99}
    place.tenant.faults.add(Effect.STATUS, method="PUT", **options)
    expected = ForbiddenEntryError if status == 403 and body else kind
    with pytest.raises(expected, match="import of the certificate 'n'") as caught:
        place.writer().put_certificate("n", wrapped(issued()), update=False, fingerprint_verified=False)
    assert ("said so" in str(caught.value)) == (b"said so" in body)
    assert isinstance(caught.value, ReconcileError)
    assert not isinstance(caught.value, KeystoreUnreadableError)
    assert place.tenant.find("n") is None


WRITES = {
    "certificate": lambda w: w.put_certificate("n", wrapped(issued()), update=False, fingerprint_verified=False),
    "key pair": lambda w: w.import_key_pair(
        "n", file(seeded_key(4), issued("n", seeded_key(4))), update=False, fingerprint_verified=False
    ),
    "generation": lambda w: w.generate_key_pair(KeyPairOrder("n", "EC", "x", "DE", curve="secp256r1")),
    "chain": lambda w: w.put_chain("partner_client", [wrapped(issued("n", seeded_key(3)))], fingerprint_verified=False),
    "rename": lambda w: w.rename("partner_client", "n"),
    "delete": lambda w: w.delete("partner_client"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("effect", "done"),
    [(Effect.DROP_BEFORE, False), (Effect.DROP_AFTER, True), (Effect.STATUS, False), (Effect.STATUS_AFTER, True)],
)
def test_a_write_with_an_unknown_outcome_says_so_and_reading_tells(place, write, effect, done):
    before = place.tenant.keystore().entries
    place.tenant.faults.add(effect, method="WRITE", status=502)
    with pytest.raises(UnknownOutcomeError, match="not known"):
        write(place.writer())
    assert (place.tenant.keystore().entries != before) is done
    assert len(place.writes) == 1
    if not done:
        write(place.writer())
        assert place.tenant.keystore().entries != before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.WRONG_TYPE])
def test_a_write_that_was_confirmed_does_not_fail_over_the_words_of_its_answer(place, write, effect):
    place.tenant.switches.created_status = 200
    place.tenant.faults.add(effect, method="WRITE")
    assert write(place.writer()).entries is None


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 423}, {"status": 429}])
def test_every_write_waits_for_a_lock_and_takes_effect_once(place, write, fault):
    place.tenant.faults.add(Effect.STATUS, method="WRITE", times=2, **fault)
    write(place.writer())
    assert [request.took_effect for request in place.requests if request.is_write] == [False, False, True]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_survives_the_end_of_its_token(place, write):
    session = place.session()
    place.tenant.faults.add(Effect.EXPIRE_TOKENS, method="WRITE")
    write(TenantWriter(session))
    assert [request.took_effect for request in place.requests if request.is_write][-1]


def test_a_read_may_be_a_moment_behind_a_write(place):
    place.tenant.switches.verify_writes_lazily = 0.3
    reader, writer = place.reader(), place.writer()
    writer.delete("partner_root")
    assert reader.entry("partner_root") is not None
    time.sleep(0.35)
    assert reader.entry("partner_root") is None


def test_the_file_of_a_key_pair_does_not_print():
    made = file(seeded_key(4), issued("x", seeded_key(4)))
    assert base64.b64encode(made.pkcs12.reveal()).decode()[:20] not in repr(made)
    assert "Pass-w0rd" not in repr(made)
