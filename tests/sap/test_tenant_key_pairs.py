"""Key pairs of a tenant through their lives: made there or here, signed by whichever issuer, renewed, replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    load_der_public_key,
    pkcs12,
)

from tests.sap.emulator import Effect
from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.keys import seeded_ec_key
from tests.sap.repository import TenantRepository, our_root, pin

EC = "{algorithm: EC, curve: secp256r1}"
LOCAL_CA = "{type: local-ca, certificate: ca.pem, key: ca.key}"


def pair(alias: str = "client", key: str = EC, issuer: str = LOCAL_CA, more: str = "") -> str:
    return (
        f"  {alias}:\n    key: {key}\n    subject: {{commonName: {alias}.example.com, country: DE}}\n"
        f"    issuer: {issuer}\n{more}"
    )


def declare(reconcile: TenantRepository, *pairs: str, head: str = "") -> None:
    reconcile.declare(head + "trustedRoots:\n" + reconcile.root() + "keyPairs:\n" + "".join(pairs))


def age(reconcile: TenantRepository, alias: str) -> None:
    """The entry's certificate over the same key ends tomorrow, as if a year had gone by."""
    entry = reconcile.tenant.find(alias)
    assert entry is not None
    now = datetime.now(UTC)
    options = {"not_before": now - timedelta(days=364), "not_after": now + timedelta(days=1)}
    if entry.leaf.issuer == entry.leaf.subject:
        old = make(entry.leaf.subject, entry.key, **options)
        reconcile.tenant.put(alias, old, key=entry.key)
        return
    old = make(entry.leaf.subject, entry.key, issuer=our_root(), issuer_key=seeded_ec_key(50), **options)
    reconcile.tenant.put(alias, old, our_root(), key=entry.key)


def spki(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_born_in_the_tenant_is_signed_by_our_ca_and_never_leaves_it(reconcile: TenantRepository) -> None:
    declare(reconcile, pair())

    assert reconcile("apply").outcomes == {"our_root": "applied", "client": "applied"}

    entry = reconcile.tenant.find("client")
    assert [one.subject for one in entry.chain] == [entry.leaf.subject, our_root().subject]
    assert not [line for line in reconcile.place.writes if "KeyPairResources" in line]
    reconcile.settles()


def test_a_renewal_keeps_the_key_and_is_one_write(reconcile: TenantRepository) -> None:
    declare(reconcile, pair())
    reconcile("apply")
    age(reconcile, "client")
    before = reconcile.tenant.find("client")
    plan = reconcile("plan")
    since = reconcile.since()

    assert plan.changes == [("renew", "client")]
    assert plan.target["changes"][0]["certificate_change"] == "same-key-renewed"
    assert reconcile("apply").code == 0
    assert len(since.writes) == 1
    after = reconcile.tenant.find("client")
    assert spki(after.leaf) == spki(before.leaf)
    assert after.leaf.not_valid_after_utc > before.leaf.not_valid_after_utc + timedelta(days=300)
    reconcile.settles()


@pytest.mark.parametrize("issuer", [LOCAL_CA, "{type: self-signed}"])
def test_a_new_key_takes_over_by_two_renames_and_the_old_one_goes_later(
    reconcile: TenantRepository, issuer: str
) -> None:
    declare(reconcile, pair(issuer=issuer, more="    rekey: true\n"))
    reconcile("apply")
    age(reconcile, "client")
    before = reconcile.tenant.find("client")

    plan = reconcile("plan")
    assert "between the two renames" in plan.target["changes"][0]["message"]
    assert reconcile("apply").outcomes == {"client": "applied"}

    assert spki(reconcile.tenant.find("client").leaf) != spki(before.leaf)
    assert spki(reconcile.tenant.find("client.previous").leaf) == spki(before.leaf)
    assert reconcile.tenant.find("client.next") is None
    later = reconcile("plan")
    assert [(c["action"], c["alias"], c["reason"]) for c in later.target["changes"]] == [
        ("delete", "client.previous", "previous")
    ]
    reconcile.settles()
    assert reconcile.tenant.find("client.previous") is None


@pytest.mark.parametrize("skip", range(6))
@pytest.mark.parametrize("effect", [Effect.DROP_BEFORE, Effect.DROP_AFTER, Effect.STATUS])
def test_a_take_over_can_be_interrupted_after_each_of_its_requests(
    reconcile: TenantRepository, effect: Effect, skip: int
) -> None:
    declare(reconcile, pair(more="    rekey: true\n"))
    reconcile("apply")
    age(reconcile, "client")
    before = spki(reconcile.tenant.find("client").leaf)
    options = {"status": 500} if effect is Effect.STATUS else {}
    reconcile.tenant.faults.add(effect, method="WRITE", skip=skip, **options)

    first = reconcile("apply")
    reconcile.tenant.faults.clear()

    assert first.code in {0, 1}, first.out
    for _ in range(3):
        if not reconcile("plan").changes:
            break
        assert reconcile("apply").code == 0
    assert reconcile("plan").changes == []
    assert spki(reconcile.tenant.find("client").leaf) != before
    assert {a for a in reconcile.tenant.aliases() if a.startswith("client")} == {"client"}


def test_names_are_possible_for_a_key_that_is_made_here(reconcile: TenantRepository) -> None:
    here = pair(key="{algorithm: EC, curve: secp256r1, generateIn: here}",
                more="    subjectAltNames: {dns: [client.example.com]}\n    rekey: true\n")  # fmt: skip
    declare(reconcile, here)

    assert reconcile("apply").outcomes["client"] == "applied"
    names = reconcile.tenant.find("client").leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["client.example.com"]
    age(reconcile, "client")
    since = reconcile.since()
    assert reconcile("apply").outcomes == {"client": "applied"}
    assert since.writes == ["POST KeyPairResources"]
    reconcile.settles()


def sign(reconcile: TenantRepository, alias: str, request: str | None = None) -> None:
    """What the CA does with the request that lies in the repository."""
    path = reconcile.directory / (request or f"requests/keystore/{alias}.csr")
    csr = x509.load_pem_x509_csr(path.read_bytes())
    key = load_der_public_key(_spki_of(csr))
    now = datetime.now(UTC).replace(microsecond=0)
    leaf = (
        x509.CertificateBuilder().subject_name(csr.subject).issuer_name(our_root().subject).public_key(key)
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365)).sign(seeded_ec_key(50), _sha256())
    )  # fmt: skip
    pem = leaf.public_bytes(Encoding.PEM) + our_root().public_bytes(Encoding.PEM)
    reconcile.write(str(path.with_suffix(".pem").relative_to(reconcile.directory)), pem)


def _spki_of(csr: x509.CertificateSigningRequest) -> bytes:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _sha256():
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


@pytest.mark.parametrize("rekey", [False, True])
@pytest.mark.parametrize("where", ["tenant", "here"])
def test_an_outside_ca_answers_and_renews(reconcile: TenantRepository, where: str, *, rekey: bool) -> None:
    key = f"{{algorithm: EC, curve: secp256r1, generateIn: {where}}}"
    issuer = "{type: external, response: requests/keystore/client.pem}"
    declare(reconcile, pair(key=key, issuer=issuer, more=f"    rekey: {str(rekey).lower()}\n"))

    assert reconcile("apply").outcomes["client"] == "applied"
    assert reconcile("drift").target["findings"][1]["status"] == "awaiting-signature"
    assert reconcile("plan").changes == []
    sign(reconcile, "client")
    assert reconcile("plan").changes == [("import", "client")]
    assert reconcile("apply").outcomes == {"client": "applied"}
    assert reconcile("plan").changes == []
    first = spki(reconcile.tenant.find("client").leaf)

    (reconcile.directory / "requests/keystore/client.pem").unlink()
    age(reconcile, "client")
    assert reconcile("apply").outcomes["client"] == "applied"
    assert reconcile("plan").changes == []
    sign(reconcile, "client")
    assert reconcile("apply").outcomes == {"client": "applied"}
    assert (spki(reconcile.tenant.find("client").leaf) != first) is rekey
    reconcile.settles()


def test_a_lost_request_of_a_key_that_was_made_here_is_made_with_a_new_key(reconcile: TenantRepository) -> None:
    key = "{algorithm: EC, curve: secp256r1, generateIn: here}"
    more = "    subjectAltNames: {dns: [client.example.com]}\n"
    declare(reconcile, pair(key=key, issuer="{type: external}", more=more))
    reconcile("apply")
    request = reconcile.directory / "requests/keystore/client.csr"
    request.unlink()

    assert reconcile("apply").code == 0
    names = x509.load_pem_x509_csr(request.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["client.example.com"]
    reconcile.settles()


def test_a_renewal_waits_for_approval_beside_the_old_key_pair(reconcile: TenantRepository) -> None:
    more = "    activation: approved\n"
    declare(reconcile, pair(more=more))
    reconcile("apply")
    age(reconcile, "client")
    before = spki(reconcile.tenant.find("client").leaf)

    assert reconcile("apply").outcomes == {"client": "applied"}
    assert reconcile("plan").changes == []
    assert spki(reconcile.tenant.find("client").leaf) == before
    waiting = reconcile.tenant.find("client.next")
    assert reconcile("export", "client", "--certificate", "--next").code == 0
    declare(reconcile, pair(more=more + f'    activate: "{pin(waiting.leaf)}"\n'))
    assert reconcile("apply").outcomes == {"client": "applied"}
    assert spki(reconcile.tenant.find("client").leaf) == spki(waiting.leaf)
    reconcile.settles()


@pytest.mark.parametrize("known", [True, False], ids=["its root is declared", "its root is unknown"])
def test_a_key_pair_is_brought_along(
    reconcile: TenantRepository, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    root, key = our_root(60), seeded_ec_key(61)
    leaf = make(distinguished_name(CommonName="brought", Country="DE"), key, issuer=root, issuer_key=seeded_ec_key(60))
    content = pkcs12.serialize_key_and_certificates(b"x", key, leaf, [root], BestAvailableEncryption(b"secret"))
    reconcile.write("brought.p12", content)
    monkeypatch.setenv("P12_PASSWORD", "secret")
    roots = "trustedRoots:\n" + reconcile.root("other_root", 60) if known else ""
    reconcile.declare(roots + "keyPairs:\n  brought: {file: brought.p12, password: {env: P12_PASSWORD}}\n")

    applied = reconcile("apply")

    assert applied.outcomes["brought"] == ("applied" if known else "failed")
    if known:
        reconcile.settles()
    else:
        assert (applied.code, "trust path" in applied.out) == (1, True)
        assert reconcile.tenant.find("brought") is None


def test_entries_are_renamed_and_removed_where_the_file_asks_for_it(reconcile: TenantRepository) -> None:
    reconcile.declare("aliases:\n  renamed: {partner_client: partner}\n  absent: [partner_root]\n")

    assert reconcile("plan").changes == [("delete", "partner_root"), ("rename", "partner_client")]
    assert set(reconcile("apply").outcomes.values()) == {"applied"}
    assert {"partner_root", "partner_client", "partner"} & set(reconcile.tenant.aliases()) == {"partner"}
    reconcile.settles()


def test_a_key_pair_is_not_overwritten_by_a_certificate(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root("partner_client"))
    since = reconcile.since()

    assert reconcile("apply").code == 4
    assert since.writes == []
