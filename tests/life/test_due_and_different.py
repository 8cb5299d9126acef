"""A key pair that is due and differs besides: in one run everything is mended, and the next plan is empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands.carrying_out import carry_out, exit_code_of
from reconciler.commands.targets import Planning, plan_states
from reconciler.desired import load_states
from reconciler.model import OutcomeStatus
from tests.cli.conftest import _in_capitals
from tests.cli.pki import authority
from tests.life.test_responses import applied, planned

STATE = """\
apiVersion: reconciler/v1
keystore: {{type: {type}, path: live/store, password: {{file: password}}, create: true}}
aliases: {{renamed: {{{renamed}}}}}
issuers:
  ca: {{type: local-ca, certificate: ca.pem, key: {key}}}
keyPairs:
  {alias}:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: {name}}}
    validity: 90d
    renewBefore: 30d
    rekey: {rekey}
    activation: {activation}
    issuer: ca
"""
BEGIN = datetime.now(UTC) - timedelta(days=70)
DUE = BEGIN + timedelta(days=65)


@dataclass
class House:
    """A repository with one key pair, made at `BEGIN`."""

    root: Path
    facts: dict[str, Any]

    @property
    def state(self) -> Path:
        return self.root / "keystore.yaml"

    @property
    def store(self) -> Path:
        return self.root / "live" / "store"

    def declare(self, **facts: Any) -> None:
        self.facts |= facts
        self.state.write_text(STATE.format(**self.facts))

    def leaf(self, alias: str):
        plan = planned(self.state, DUE)
        return next(one.chain[0] for one in plan.live.entries if one.alias == alias)


@pytest.fixture(params=["jks", "pkcs12"])
def house(request, tmp_path) -> House:
    (tmp_path / "password").write_text("changeit\n")
    (tmp_path / "ca.pem").write_bytes(authority("CA of the house").pem)
    (tmp_path / "ca.key").write_bytes(authority("CA of the house").key_pem)
    facts = {"type": request.param, "renamed": "", "key": "ca.key", "alias": "own", "name": "one", "rekey": "true",
             "activation": "automatic"}  # fmt: skip
    made = House(tmp_path, facts)
    made.declare()
    applied(made.state, BEGIN)
    return made


@pytest.mark.parametrize("rekey", ["true", "false"])
@pytest.mark.parametrize("name", ["one", "two"])
def test_a_key_pair_is_renamed_and_renewed_in_one_run(house, rekey, name):
    old = house.leaf("own")
    house.declare(renamed="own: new", alias="new", rekey=rekey, name=name)
    done = applied(house.state, DUE)
    assert [one.change.action for one in done.outcomes] == ["rename", "renew"]
    assert planned(house.state, DUE).changes == ()
    new = house.leaf("new")
    assert (new.public_key_sha256 == old.public_key_sha256) is (rekey == "false")
    assert new.not_after > old.not_after


def test_a_rename_stands_where_the_renewal_beside_it_fails(house):
    house.declare(renamed="own: new", alias="new", key="other.key")
    (house.root / "other.key").write_bytes(authority("Somebody else").key_pem)
    done = carry_out(plan_states(load_states([str(house.state)]), DUE, "apply"), DUE).targets[0]
    assert [one.status for one in done.outcomes] == [OutcomeStatus.APPLIED, OutcomeStatus.FAILED]
    assert (done.failure, exit_code_of(done)) == (None, 5)


def test_the_nightly_run_renews_what_differs_besides(house):
    old = house.leaf("own")
    house.declare(name="two")
    report = plan_states(load_states([str(house.state)]), DUE, "apply", Planning(renewals_only=True))
    done = carry_out(report, DUE).targets[0]
    assert [one.status for one in done.outcomes] == [OutcomeStatus.APPLIED], done.failure
    assert house.leaf("own").not_after > old.not_after


@pytest.mark.parametrize("house", ["jks"], indirect=True)
@pytest.mark.parametrize("rekey", ["true", "false"])
def test_a_spelling_that_java_cannot_reach_is_mended_with_the_renewal(house, rekey):
    house.store.write_bytes(_in_capitals(house.store.read_bytes(), b"own", b"Own"))
    house.declare(rekey=rekey)
    done = applied(house.state, DUE)
    assert [one.change.step for one in done.outcomes] == ["respell", "generate" if rekey == "true" else "reissue"]
    assert planned(house.state, DUE).changes == ()


def test_a_renewal_that_waits_goes_along_with_the_new_name(house):
    house.declare(activation="approved")
    applied(house.state, DUE)
    waiting = house.leaf("own.next")

    house.declare(renamed="own: new", alias="new")
    done = applied(house.state, DUE)

    assert [(one.change.action, one.change.alias) for one in done.outcomes] == [
        ("rename", "own"),
        ("rename", "own.next"),
    ]
    assert planned(house.state, DUE).changes == ()
    assert house.leaf("new.next").sha256 == waiting.sha256
    house.state.write_text(house.state.read_text() + f"    activate: {waiting.sha256}\n")
    applied(house.state, DUE)
    assert house.leaf("new").sha256 == waiting.sha256


def test_a_key_that_waits_for_a_ca_goes_along_with_the_new_name(house):
    """Its request is asked for again, under the new name and over the same key."""
    house.declare()
    house.state.write_text(house.state.read_text().replace("issuer: ca", "issuer: {type: external}"))
    applied(house.state, DUE)
    waiting = house.leaf("own.next")
    text = house.state.read_text().replace("{renamed: {}}", "{renamed: {own: new}}").replace("  own:\n", "  new:\n")
    house.state.write_text(text)

    done = applied(house.state, DUE)

    assert [one.change.action for one in done.outcomes] == ["rename", "rename", "request"]
    plan = planned(house.state, DUE)
    assert plan.changes == ()
    assert house.leaf("new.next").public_key_sha256 == waiting.public_key_sha256
    request = plan.desired.wanted[0].correspondence.request
    assert request.public_key_sha256 == waiting.public_key_sha256


def test_a_change_of_the_key_that_is_taken_back_while_a_ca_is_asked_does_not_keep_the_renewal(house):
    outside = house.state.read_text().replace("issuer: ca", "issuer: {type: external}")
    house.state.write_text(outside.replace("secp256r1", "secp384r1").replace("rekey: true", "rekey: false"))
    early = BEGIN + timedelta(days=1)
    house.facts["replace"] = house.leaf("own").sha256
    house.state.write_text(house.state.read_text() + f"    replaceKey: {house.facts['replace']}\n")
    applied(house.state, early)
    assert house.leaf("own.next").curve == "secp384r1"

    house.state.write_text(outside.replace("rekey: true", "rekey: false"))
    applied(house.state, DUE)

    plan = planned(house.state, DUE)
    assert plan.changes == ()
    [finding] = [one for one in plan.findings if one.alias == "own"]
    assert (finding.status, finding.reason) == ("awaiting-signature", "requested")
    assert house.leaf("own.next").public_key_sha256 == house.leaf("own").public_key_sha256
