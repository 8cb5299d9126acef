"""Whatever breaks at whichever write: the run says so, and the next one goes on from there."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.sap.second.repository import Repository, certificate, key, name, pair, pem, root, root_key, sha256

FAULTS = ["before", "after", "cut", "cut after"]
APPROVED = "    rekey: true\n    activation: approved\n"


def declare(reconcile: Repository, pairs: str, roots: str = "", tail: str = "") -> None:
    lines = "trustedRoots:\n" + reconcile.root("our_root", "Our Root") + roots
    reconcile.declare(lines + "keyPairs:\n" + pairs + tail)


def here(alias: str = "here", more: str = "") -> str:
    return pair(alias, "{algorithm: EC, curve: secp256r1, generateIn: here}", more=more)


def everything_new(reconcile: Repository) -> None:
    leaf = certificate(name("server"), key(70), (root("Our Root"), root_key("Our Root")))
    reconcile.write("server.pem", pem(leaf))
    pairs = pair("tenant") + pair("own", issuer="{type: self-signed}") + here() + reconcile.brought_along("brought", 71)
    declare(reconcile, pairs + pair("ext", issuer="{type: external}"), "  server: {file: server.pem}\n")


def everything_else(reconcile: Repository) -> None:
    pairs = pair("tenant") + pair("own", issuer="{type: self-signed}", more="    rekey: true\n") + here()
    declare(reconcile, pairs, reconcile.root("partner", "A Partner"))
    assert reconcile("apply").code == 0
    for alias in ("tenant", "own", "here"):
        reconcile.age(alias)
    tail = 'aliases: {absent: [legacy], renamed: {"Old Root/ä": new_root}}\n'
    declare(reconcile, pairs, reconcile.root("partner", "Another Partner!"), tail)


def staged(reconcile: Repository) -> None:
    pairs = pair("tenant", more=APPROVED) + here(more=APPROVED)
    declare(reconcile, pairs)
    assert reconcile("apply").code == 0
    for alias in ("tenant", "here"):
        reconcile.age(alias)


def approved(reconcile: Repository) -> None:
    staged(reconcile)
    assert reconcile("apply").code == 0
    items = reconcile.tenant.keystore.items
    activate = {
        alias: f"{APPROVED}    activate: {sha256(items[f'{alias}.next'].leaf)}\n" for alias in ("tenant", "here")
    }
    declare(reconcile, pair("tenant", more=activate["tenant"]) + here(more=activate["here"]))


SCENARIOS: dict[str, tuple[Callable[[Repository], None], int]] = {
    "everything is new": (everything_new, 8),
    "everything else changes": (everything_else, 8),
    "successors are prepared": (staged, 3),
    "successors take over": (approved, 4),
}
# Every write of every scenario once; the faults take turns, so that all four meet all kinds of writes.
CASES = [
    (kind, at, FAULTS[(at + shift) % len(FAULTS)])
    for shift, (kind, (_, count)) in enumerate(SCENARIOS.items())
    for at in range(count)
]


@pytest.mark.parametrize(("kind", "at", "fault"), CASES)
def test_a_run_converges_after_any_fault_at_any_write(reconcile: Repository, kind: str, at: int, fault: str) -> None:
    SCENARIOS[kind][0](reconcile)
    wanted = {change["alias"] for change in reconcile("plan").target["changes"]}
    reconcile.tenant.fault_at(at, fault, 502)

    first = reconcile("apply")

    assert reconcile.tenant.faults == {}, "there is no such write"
    assert first.code in {0, 1, 4, 5}, first.out + first.err
    outcomes = first.outcomes
    assert set(outcomes) == wanted
    assert ("failed" in outcomes.values()) == (first.code != 0)
    if first.code == 5:
        assert "applied" in outcomes.values()
    reconcile.settles()


@pytest.mark.parametrize("manner_name", ["old-specification", "terse", "hasty"], indirect=True)
def test_a_locked_keystore_is_waited_for_and_then_named(reconcile: Repository) -> None:
    declare(reconcile, pair("tenant"))
    reconcile.tenant.locked = 2
    assert reconcile("apply").code == 0
    reconcile.settles()
    reconcile.age("tenant")
    reconcile.tenant.locked = 99
    locked = reconcile("apply")
    assert locked.code == 4
    assert "somebody else is changing the keystore" in locked.err
    reconcile.tenant.locked = 0
    reconcile.settles()


def test_a_token_that_ends_between_two_writes_is_renewed(reconcile: Repository) -> None:
    everything_new(reconcile)
    reconcile.tenant.before_write = reconcile.tenant.tokens.clear
    assert reconcile("apply").code == 0
    reconcile.tenant.before_write = None
    reconcile.settles()


def test_json_of_a_partial_run_names_each_change(reconcile: Repository) -> None:
    everything_new(reconcile)
    reconcile.tenant.fault_at(3, "before", 400)
    done = reconcile("apply")
    assert done.code == 5
    [target] = json.loads(done.out)["targets"]
    failed = [one for one in target["outcomes"] if one["status"] == "failed"]
    assert len(failed) == 1
    assert "400" in failed[0]["message"]
