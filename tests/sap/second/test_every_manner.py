"""The whole product over tenants that answer every open question of the description in another way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from tests.sap.second.manner import CONTRARY
from tests.sap.second.repository import LOCAL_CA, Repository, certificate, key, name, pair, pem, root, root_key, sha256

every_manner = pytest.mark.parametrize("manner_name", list(CONTRARY), indirect=True)


def state(repository: Repository, partner: str = "A Partner") -> str:
    leaf = certificate(name("server"), key(70), (root("Our Root"), root_key("Our Root")))
    if not (repository.directory / "server.pem").exists():
        repository.write("server.pem", pem(leaf))
    return (
        "trustedRoots:\n"
        + repository.root("our_root", "Our Root")
        + repository.root("partner", partner)
        + "  server: {file: server.pem}\n"
        + "keyPairs:\n"
        + pair("tenant_rsa", "{algorithm: RSA, size: 2048}")
        + pair("tenant_ec")
        + pair("own", issuer="{type: self-signed}")
        + pair(
            "here",
            "{algorithm: EC, curve: secp384r1, generateIn: here}",
            more="    subjectAltNames: {dns: [h.example.com]}\n",
        )
        + pair("ext", issuer="{type: external}")
        + (repository.directory / "brought.lines").read_text()
    )


_FILLED: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {}


@pytest.fixture
def filled(reconcile: Repository, manner_name: str) -> Repository:
    """A repository and its tenant after the first apply, which is done once for each manner."""
    if manner_name in _FILLED:
        items, files = _FILLED[manner_name]
        reconcile.tenant.keystore.items.update(items)
        for name, content in files.items():
            reconcile.write(name, content)
        reconcile.declare(state(reconcile))
        return reconcile
    reconcile.write("brought.lines", reconcile.brought_along("brought", 71))
    reconcile.declare(state(reconcile))
    reconcile.applied("our_root", "partner", "server", "tenant_rsa", "tenant_ec", "own", "here", "ext", "brought")
    files = {
        str(f.relative_to(reconcile.directory)): f.read_bytes() for f in reconcile.directory.rglob("*") if f.is_file()
    }
    _FILLED[manner_name] = dict(reconcile.tenant.keystore.items), files
    return reconcile


@every_manner
def test_a_new_state_is_applied_and_then_as_declared(filled: Repository) -> None:
    plan = filled("plan")
    assert (plan.code, plan.changes) == (0, []), plan.out + plan.err
    count = len(filled.tenant.writes)
    assert filled("apply").code == 0
    assert len(filled.tenant.writes) == count
    items = filled.tenant.keystore.items
    assert items["tenant_rsa"].leaf.issuer == root("Our Root").subject
    assert items["here"].leaf.issuer == root("Our Root").subject
    assert sha256(items["brought"].chain[0]) in filled("show", "brought").out.replace(":", "").lower()
    assert items["legacy"].chain


@every_manner
def test_what_reads_reads_everything(filled: Repository) -> None:
    listed = filled("list")
    assert listed.code == 0, listed.err
    aliases = {entry["alias"] for entry in json.loads(listed.out)["entries"]}
    assert aliases == set(filled.tenant.keystore.items)
    for alias in filled.tenant.keystore.items:
        shown = filled("show", alias)
        assert shown.code == 0, shown.err
        assert sha256(filled.tenant.keystore.items[alias].leaf) in shown.out.replace(":", "").lower()
    drift = filled("drift")
    assert drift.code == 2, drift.err  # entries that no file declares
    assert "sap_cloudintegrationcertificate" in drift.out
    assert not any("KeyRenewal" in write for write in filled.tenant.writes)


@every_manner
def test_public_parts_are_exported(filled: Repository) -> None:
    items = filled.tenant.keystore.items
    for option, file in (("--certificate", "tenant_rsa.cer"), ("--root", "tenant_rsa_rootCA.cer"),
                         ("--chain", "tenant_rsa.p7b"), ("--ssh", "tenant_rsa.pub")):  # fmt: skip
        done = filled("export", "tenant_rsa", option)
        assert done.code == 0, done.err
        assert (filled.directory / file).stat().st_size
    leaf = x509.load_pem_x509_certificate((filled.directory / "tenant_rsa.cer").read_bytes())
    assert leaf == items["tenant_rsa"].leaf
    content = (filled.directory / "tenant_rsa.p7b").read_bytes()
    chain = (pkcs7.load_pem_pkcs7_certificates if b"BEGIN" in content else pkcs7.load_der_pkcs7_certificates)(content)
    assert leaf in chain
    new = filled("export", "sap_cloudintegrationcertificate", "--certificate", "--next")
    assert new.code == 0, new.err
    assert filled("csr", "tenant_ec").code == 0
    request = x509.load_pem_x509_csr((filled.directory / "tenant_ec.csr").read_bytes())
    assert request.public_key() == items["tenant_ec"].leaf.public_key()


@every_manner
def test_the_answer_of_a_ca_replacement_rename_deletion_and_prune(filled: Repository) -> None:
    request = x509.load_pem_x509_csr(next(filled.directory.glob("requests/**/*.csr")).read_bytes())
    answer = certificate(request.subject, request, (root("Our Root"), root_key("Our Root")))
    filled.write("responses/keystore/ext.pem", pem(answer))
    body = state(filled, partner="Another Partner!")
    body = body.replace("{type: external}", "{type: external, response: responses/keystore/ext.pem}")
    body = body.replace("  server: {file: server.pem}\n", "")
    body = body.replace(
        "keyPairs:\n",
        filled.root("moved", "An Old Root of Ours").replace("  moved:", '  "new; \\\\root":') + "keyPairs:\n",
    )
    filled.declare(body + 'aliases: {renamed: {"Old Root/ä": "new; \\\\root"}, absent: [legacy], unmanaged: prune}\n')
    plan = filled("plan")
    assert plan.code == 0, plan.err
    assert sorted(plan.changes) == sorted(
        [
            ("import", "ext"),
            ("replace", "partner"),
            ("rename", "Old Root/ä"),
            ("delete", "legacy"),
            ("delete", "server"),
        ]
    )
    done = filled("apply")
    assert done.code == 0, done.out + done.err
    items = filled.tenant.keystore.items
    assert items["ext"].leaf == answer
    assert items["partner"].leaf == root("Another Partner!")
    assert {"legacy", "server"}.isdisjoint(items)
    assert "baltimore cybertrust root" in items
    filled.settles()


@every_manner
def test_renewals_over_the_same_key_with_a_new_one_and_by_upload(filled: Repository) -> None:
    filled.declare(
        state(filled).replace(
            "    issuer: " + LOCAL_CA + "\n  own", "    issuer: " + LOCAL_CA + "\n    rekey: true\n  own"
        )
    )
    before = dict(filled.tenant.keystore.items)
    for alias in ("tenant_rsa", "tenant_ec", "own", "here"):
        filled.age(alias)
    done = filled.applied("tenant_rsa", "tenant_ec", "own", "here")
    assert done.code == 0
    after = filled.tenant.keystore.items
    for alias, same in (("tenant_rsa", True), ("tenant_ec", False), ("own", False)):
        assert (after[alias].leaf.public_key() == before[alias].leaf.public_key()) is same, alias
    assert "tenant_ec.previous" in after
    filled.settles()
    assert "tenant_ec.previous" not in filled.tenant.keystore.items


@every_manner
def test_entries_of_sap_are_refused_by_name_and_by_owner(filled: Repository) -> None:
    writes = len(filled.tenant.writes)
    for alias in ("sap_cloudintegrationcertificate", "baltimore cybertrust root", "HciCertificate1"):
        filled.declare(f'aliases: {{absent: ["{alias}"]}}\n')
        refused = filled("plan")
        assert refused.code in {1, 4}, refused.out
    filled.declare("trustedRoots:\n" + filled.root("x", "A Partner").replace("  x:", "  baltimore cybertrust root:"))
    assert filled("apply").code == 4
    assert len(filled.tenant.writes) == writes


@every_manner
def test_a_tenant_is_adopted_and_the_next_plan_is_empty(filled: Repository) -> None:
    filled.declare()
    done = filled("adopt", "adopted")
    assert done.code == 0, done.err
    [file] = (filled.directory / "adopted").glob("*.yaml")
    plan = filled("plan", str(file))
    assert (plan.code, plan.changes) == (0, []), plan.out + plan.err


def test_an_apply_reads_the_list_before_and_after_and_each_entry_before_its_write(filled: Repository) -> None:
    filled.declare(state(filled) + "aliases: {absent: [legacy]}\n")
    filled.age("tenant_ec")
    start = len(filled.tenant.asked)
    filled.applied("legacy", "tenant_ec")
    lines = filled.tenant.lines[start:]
    assert [lines.count(line) for line in ("token", "GET KeystoreEntries")] == [0, 2]
    assert lines.count("POST token") == 1
    for place, line in enumerate(lines):
        if line.startswith(("PUT", "DELETE")):
            alias = line.partition("'")[2].partition("'")[0]
            before = [one for one in lines[:place] if not one.endswith("/")]
            assert before[-1] == f"GET KeystoreEntries('{alias}')"


def test_what_others_do_during_a_run_is_told(filled: Repository) -> None:
    filled.declare(state(filled) + "aliases: {absent: [legacy]}\n")
    filled.tenant.before_write = lambda: filled.tenant.keystore.put("unasked", root("Somebody Else"))
    done = filled("apply")
    assert done.code == 0, done.err
    assert "the entry 'unasked' appeared by somebody else during the run" in done.out


def test_a_list_that_is_behind_the_entries_is_waited_for(filled: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.commands.carrying_out._WAITS", (0.0, 0.2, 0.4))
    filled.tenant.keystore.list_delay = 0.3
    filled.declare(state(filled) + "aliases: {absent: [legacy]}\n")
    filled.applied("legacy")


def test_a_mass_change_is_refused_before_anything_is_sent(filled: Repository) -> None:
    for number in range(8):
        filled.tenant.keystore.put(f"stray{number}", root(f"Stray {number}"))
    filled.declare(state(filled) + "aliases: {unmanaged: prune}\n")
    count = len(filled.tenant.writes)
    assert filled("apply").code == 4
    assert len(filled.tenant.writes) == count
    done = filled("apply", "--allow-mass-change")
    assert done.code == 0, done.err
    assert not any(alias.startswith("stray") for alias in filled.tenant.keystore.items)
    assert {"legacy", "baltimore cybertrust root"} <= set(filled.tenant.keystore.items)
    filled.settles()


@pytest.mark.parametrize("manner_name", ["wire"], indirect=True)
def test_a_list_that_changes_between_its_pages_is_read_again(reconcile: Repository) -> None:
    for number in range(12):
        reconcile.tenant.keystore.put(f"root{number}", root("Our Root"))
    reconcile.tenant.between_pages = [lambda: reconcile.tenant.keystore.put_first("a new one", root("Baltimore"))]
    reconcile.declare()
    listed = reconcile("list")
    assert listed.code == 0, listed.err
    assert {entry["alias"] for entry in json.loads(listed.out)["entries"]} == set(reconcile.tenant.keystore.items)


def test_a_certificate_that_is_too_large_as_pem_goes_as_der(reconcile: Repository) -> None:
    names = [x509.DNSName(f"host-{number}.of-a-very-large-company.example.com") for number in range(190)]
    fat = certificate(name("fat"), key(80), names=names)
    assert len(fat.public_bytes(Encoding.DER)) < 10240 < len(pem(fat))
    reconcile.write("fat.pem", pem(fat))
    reconcile.declare(f"trustedRoots:\n  fat: {{file: fat.pem, sha256: {sha256(fat)}}}\n")
    reconcile.applied("fat")
    assert reconcile.tenant.keystore.items["fat"].leaf == fat
    reconcile.settles()


def test_a_tenant_that_keeps_aliases_in_lower_case_says_what_to_write(reconcile: Repository) -> None:
    reconcile.tenant.keystore.fold()
    reconcile.declare("trustedRoots:\n" + reconcile.root("Our_Root", "Our Root") + "keyPairs:\n" + pair("Client"))
    first = reconcile("apply")
    assert first.code == 1
    for outcome in first.target["outcomes"]:
        assert f"write '{outcome['alias'].lower()}' in the state file" in outcome["message"]
    again = reconcile("apply")
    assert again.code != 0
    for outcome in again.target["outcomes"]:
        assert "in the state file" in outcome["message"]
    reconcile.declare("trustedRoots:\n" + reconcile.root("our_root", "Our Root") + "keyPairs:\n" + pair("client"))
    assert reconcile("apply").code == 0
    reconcile.settles()
