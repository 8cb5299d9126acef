"""In PKCS#12 Java finds chains among all certificates: what a certificate that is yet to be issued does to others."""

from __future__ import annotations

import pytest

from tests.cli.pki import authority, pair
from tests.cli.repository import pairs

CA = authority("CA of several")
LEAF = "{file: leaf.pem}"
GENERATED = "{{subject: {{commonName: {name}}}, key: {{algorithm: EC, curve: secp256r1}}, issuer: {issuer}}}"
BY_CA = "{type: local-ca, certificate: ca.pem, key: ca.key}"


@pytest.fixture
def alone(repository):
    """A keystore whose key pair is alone, without the certificate of its CA."""
    repository.write("ca.pem", CA.pem)
    repository.write("ca.key", CA.key_pem)
    leaf = pair("leaf", CA)
    repository.write("leaf.pem", leaf.key_pem + leaf.pem)
    repository.declare(pairs(leaf=LEAF), create=True)
    assert repository.apply().code == 0
    return repository


def chains(repository):
    return {alias: len(entry["certificates"]) for alias, entry in repository.entries().items()}


def test_the_certificates_of_the_ca_that_come_along_are_foreseen(alone):
    alone.declare(pairs(leaf=LEAF, new=GENERATED.format(name="x", issuer=BY_CA)))

    [target] = alone.plan().document["targets"]
    [affect] = target["changes"][0]["affects"]
    assert (affect["alias"], len(affect["chain_before"]), len(affect["chain_after"])) == ("leaf", 1, 2)
    assert alone.apply().code == 0
    assert chains(alone) == {"leaf": 2, "new": 2}
    assert alone.plan().changes == []


def test_a_new_certificate_that_would_pass_for_the_issuer_of_another_is_refused_with_the_way_out(alone):
    alone.declare(pairs(leaf=LEAF, new=GENERATED.format(name="CA of several", issuer="{type: self-signed}")))
    before = alone.files()

    result = alone.apply()

    assert result.code == 4
    assert "another chain for 'leaf'" in result.err
    assert "choose another `subject`" in result.err
    assert alone.files() == before
