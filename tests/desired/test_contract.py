"""The examples: the contract's own, in full, and the one that the repository ships."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.desired import load
from reconciler.desired.pins import with_colons
from reconciler.desired.schema import schema_path
from reconciler.desired.secrets import read_secret
from reconciler.model import (
    KeySpec,
    StoreType,
    Unmanaged,
    WantedCertificate,
    WantedExisting,
    WantedImport,
    WantedKeyPair,
)
from reconciler.x509 import to_pem
from tests.desired.test_material import LEAF, LEAF_KEY, MIDDLE, _p12, pem_of
from tests.desired.test_trusted_roots import ROOT

if TYPE_CHECKING:
    from tests.desired.conftest import Repository

EXAMPLE = Path(__file__).parents[2] / "examples" / "keystore.yaml"

CONTRACT = """\
# yaml-language-server: $schema=../schemas/keystore.schema.json
apiVersion: reconciler/v1

keystore:                              # the live keystore
  type: pkcs12                         # pkcs12 | jks | jceks | sap-cloud-integration
  path: live/outbound.p12              # relative to this file
  password: {env: KEYSTORE_PASSWORD}   # a secret is {env: NAME}, {file: PATH} or {command: [ARG, ...]}
  create: true                         # make the file if it is missing (default false: an error)

aliases:
  protected: ["vendor_*"]              # in addition to SAP's
  absent: [old_partner_root]           # must not exist
  renamed: {c4c: c4c_client}           # old: new
  unmanaged: report                    # report (default) | ignore | prune

trustedRoots:
  digicert_global_root_g2:
    file: certs/DigiCertGlobalRootG2.pem         # PEM or DER
    sha256: "CB:3C:CB:B7:60:31:E5:E0:13:8F:8D:D3:9A:23:F9:DE:47:FF:C3:5E:43:C1:14:4C:EA:27:D4:6A:5A:B1:CB:5F"
  isrg_root_x1:
    bundle: mozilla
    sha256: "96:BC:EC:06:26:49:76:F3:74:60:77:9A:CF:28:C5:A7:CF:E8:A3:C0:AA:E1:1A:8F:FC:EE:05:C0:BD:DF:08:C6"

keyPairs:
  s4_client:                           # generated
    key: {algorithm: RSA, size: 3072}
    subject: {commonName: cpi-prod.example.com, organization: Example, country: DE}
    subjectAltNames: {dns: [cpi-prod.example.com]}
    extendedKeyUsage: [clientAuth]     # the default
    validity: 365d                     # the default
    renewBefore: 30d
    rekey: true
    activation: automatic
    issuer: {type: self-signed}
  partner_client:                      # brought along
    file: secrets/partner.p12          # PKCS#12, JKS, JCEKS; or PEM with certificateFile
    alias: partner                     # which entry, when the file has several
    password: {env: PARTNER_PASSWORD}
  legacy_client:                       # watched, never written
    existing: true
    sha256: "…"

receivers:                             # whom we connect to
  s4hana:
    address: my300000.example.com:443
    keyPair: s4_client                 # the client certificate it expects
"""


@pytest.fixture
def files(repository: Repository) -> Repository:
    from reconciler.desired import mozilla

    pin = "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f"
    repository.write("certs/DigiCertGlobalRootG2.pem", to_pem([mozilla.bundle()[pin].certificate]))
    repository.write("secrets/partner.p12", _p12())
    return repository


LEGACY = "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"


def test_the_contracts_example_means_what_it_says(files: Repository) -> None:
    # The contract leaves the fingerprint of its last key pair out.
    files.write("keystore.yaml", CONTRACT.replace("…", LEGACY))
    state = load("keystore.yaml")
    root, bundled, generated, imported, watched = state.wanted

    assert (state.keystore.type, state.keystore.create, state.unmanaged) == (StoreType.PKCS12, True, Unmanaged.REPORT)
    assert [pattern.pattern for pattern in state.protected] == ["vendor_*"]
    assert [one.alias for one in state.absent] == ["old_partner_root"]
    assert [(one.old, one.new) for one in state.renamed] == [("c4c", "c4c_client")]
    assert isinstance(root, WantedCertificate)
    assert isinstance(bundled, WantedCertificate)
    assert (root.pinned, bundled.pinned, bundled.certificate.der) == (True, True, ROOT.der)
    assert isinstance(generated, WantedKeyPair)
    assert (generated.key, generated.rekey, generated.issuer.type) == (KeySpec("RSA", size=3072), True, "self-signed")
    assert isinstance(imported, WantedImport)
    assert imported.origin == "secrets/partner.p12"
    assert isinstance(watched, WantedExisting)
    assert (watched.alias, watched.sha256) == ("legacy_client", LEGACY)
    assert [(one.name, one.address, one.key_pair) for one in state.receivers] == [
        ("s4hana", "my300000.example.com:443", "s4_client")
    ]


TENANT = """\
apiVersion: reconciler/v1
keystore:
  type: sap-cloud-integration
  url: https://example.it-cpi018.cfapps.eu10-003.hana.ondemand.com
  credentials:
    serviceKey: {env: SAP_SERVICE_KEY}
  readCredentials: {serviceKey: {env: SAP_READ_KEY}}
"""


def test_the_contracts_tenant_is_read_and_no_secret_of_it_is(files: Repository) -> None:
    files.write("tenant.yaml", TENANT)

    keystore = load("tenant.yaml").keystore

    assert keystore.location == "https://example.it-cpi018.cfapps.eu10-003.hana.ondemand.com"
    assert [(name, ref.value) for name, ref in keystore.credentials] == [("serviceKey", "SAP_SERVICE_KEY")]
    assert [(name, ref.value) for name, ref in keystore.read_credentials] == [("serviceKey", "SAP_READ_KEY")]


# ------------------------------------------------------------------------------------------ the shipped one


def test_the_shipped_example_has_real_roots_and_both_kinds_of_keys() -> None:
    state = load(str(EXAMPLE))
    roots = [one for one in state.wanted if isinstance(one, WantedCertificate)]
    pairs = [one for one in state.wanted if isinstance(one, WantedKeyPair)]

    assert len(roots) >= 5
    assert len({root.certificate.sha256 for root in roots}) == len(roots)
    assert all(root.pinned and root.certificate.problem is None and root.certificate.is_ca for root in roots)
    assert {pair.key.algorithm for pair in pairs} == {"RSA", "EC"}
    assert state.keystore.create


def test_the_shipped_example_needs_no_preparation_and_its_password_says_what_it_is() -> None:
    password = load(str(EXAMPLE)).keystore.password

    assert password is not None
    assert read_secret(password).text() == "demonstration-only"


def test_each_alias_of_the_shipped_example_names_the_root_that_it_pins() -> None:
    from reconciler.desired import mozilla

    text = EXAMPLE.read_text(encoding="utf-8")
    for root in load(str(EXAMPLE)).wanted:
        if isinstance(root, WantedCertificate):
            assert with_colons(root.certificate.sha256) in text
            words = set(root.alias.split("_"))
            assert words & {word.lower() for word in mozilla.bundle()[root.certificate.sha256].label.split()}


@pytest.mark.parametrize("text", [EXAMPLE.read_text(encoding="utf-8")], ids=["examples/keystore.yaml"])
def test_an_editor_with_the_schema_agrees(text: str) -> None:
    schema: dict[str, Any] = json.loads(schema_path().read_text(encoding="utf-8"))

    Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_a_pem_key_with_its_certificates_is_accepted_as_the_contract_says(repository: Repository) -> None:
    repository.write("key.pem", pem_of(LEAF_KEY))
    repository.write("chain.pem", to_pem([MIDDLE, LEAF]))
    wanted = repository.wanted(
        dedent("""\
        keyPairs:
          a:
            file: key.pem
            certificateFile: chain.pem
        """)
    )
    assert isinstance(wanted, WantedImport)

    assert wanted.chain == (LEAF, MIDDLE)
