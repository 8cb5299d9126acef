"""Commands that only look write the files that they are told to: never over a keystore, a key or a state file."""

from __future__ import annotations

import os

import pytest

from tests.cli.pki import authority, pair
from tests.cli.repository import pairs, roots

GENERATED = "{subject: {commonName: x}, key: {algorithm: EC, curve: secp256r1}}"
PRECIOUS = ("live/store", "keystore.yaml", "first.pem", "mine.pem", "bundle.pem")


@pytest.fixture
def house(repository):
    repository.write("first.pem", authority("first").pem)
    repository.write("mine.pem", pair("mine").key_pem + pair("mine").pem)
    repository.write("bundle.pem", pair("mine").pem + pair("mine").key_pem)
    repository.declare(roots(first="first.pem") + pairs(pair=GENERATED), create=True)
    assert repository.apply().code == 0
    return repository


@pytest.mark.parametrize("name", PRECIOUS)
def test_a_plan_replaces_nothing_but_a_plan(house, name):
    before = house.files()
    result = house.run("plan", "keystore.yaml", "--out", name)
    assert result.code == 1
    assert f"{name}: error: there is a file that is not a plan" in result.err
    assert house.files() == before


def test_a_plan_replaces_a_plan(house):
    for _ in range(2):
        assert house.run("plan", "keystore.yaml", "--out", "plan.json").code == 0
    house.write("empty.json", b"")
    assert house.run("plan", "keystore.yaml", "--out", "empty.json").code == 0
    assert house.run("plan", "keystore.yaml", "--out", os.devnull).code == 0


@pytest.mark.parametrize("name", [name for name in PRECIOUS if name != "first.pem"])
def test_a_signing_request_replaces_nothing_but_public_files(house, name):
    before = house.files()
    result = house.run("csr", "keystore.yaml", "pair", "--out", name)
    assert (result.code, house.files()) == (1, before)
    assert "it is not replaced" in result.err


def test_what_is_exported_again_replaces_what_was_exported(house):
    kinds = ("--certificate", "--root", "--chain", "--ssh")
    for _ in range(2):
        assert house.run("export", "keystore.yaml", "pair", *kinds).code == 0
        assert house.run("csr", "keystore.yaml", "pair").code == 0
    house.write("pair.cer", pair("mine").key_pem)
    before = house.files()
    assert house.run("export", "keystore.yaml", "pair", "--certificate").code == 1
    assert house.files() == before


def test_a_request_that_apply_has_written_can_be_derived_again_in_its_place(house):
    house.declare(pairs(out=GENERATED.replace("}}", "}, issuer: {type: external}}")))
    assert house.apply().code == 0
    assert house.run("csr", "keystore.yaml", "out", "--out", "requests/keystore/out.csr").code == 0
