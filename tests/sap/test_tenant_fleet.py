"""Many tenants in one run: side by side, in the order of the arguments, and one that fails stops no other."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sap.conftest import Place
from tests.sap.emulator.seeds import demo

if TYPE_CHECKING:
    from tests.sap.emulator import Emulator
    from tests.sap.repository import TenantRepository

_numbers = count(1)


@pytest.fixture
def fleet(reconcile: TenantRepository, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Six tenants, each with a state file that wants one root."""
    places = []
    for number in range(6):
        tenant = emulator.tenant(f"fleet-{next(_numbers)}")
        demo(tenant)
        place = Place(emulator, tenant)
        monkeypatch.setenv(f"KEY_{number}", emulator.service_key(tenant.name))
        text = (
            f"apiVersion: reconciler/v1\nkeystore:\n  type: sap-cloud-integration\n  url: {place.url}\n"
            f"  credentials: {{serviceKey: {{env: KEY_{number}}}}}\ntrustedRoots:\n{reconcile.root()}"
        )
        reconcile.write(f"t{number}.yaml", text)
        places.append(place)
    return places


FILES = [f"t{number}.yaml" for number in range(6)]


def test_tenants_are_read_side_by_side(reconcile: TenantRepository, fleet: list[Place]) -> None:
    for place in fleet:
        place.tenant.switches.latency = 0.2

    def seconds(jobs: str) -> float:
        begun = time.monotonic()
        assert reconcile("plan", *FILES, "--jobs", jobs).code == 0
        return time.monotonic() - begun

    assert seconds("6") < 0.5 * seconds("1")


def test_one_that_fails_stops_no_other_and_the_order_is_that_of_the_arguments(
    reconcile: TenantRepository, fleet: list[Place]
) -> None:
    for account in fleet[2].tenant.gate.clients.values():
        object.__setattr__(account, "secret", "another")

    plan = reconcile("plan", *FILES)
    applied = reconcile("apply", *FILES)

    assert plan.code == applied.code == 3
    assert [one["state"] for one in plan.document["targets"]] == FILES
    assert [one["state"] for one in applied.document["targets"]] == FILES
    assert [bool(one.get("error")) for one in applied.document["targets"]] == [n == 2 for n in range(6)]
    assert [len(place.writes) for place in fleet] == [1, 1, 0, 1, 1, 1]
    assert plan.err.count("error:") == 1


def test_the_bound_comes_from_the_environment_too(
    reconcile: TenantRepository, fleet: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_JOBS", "2")
    assert reconcile("drift", *FILES).code == 2
    monkeypatch.setenv("RECONCILE_JOBS", "none")
    assert reconcile("drift", *FILES).code == 1


def test_a_file_among_tenants_has_its_place(
    reconcile: TenantRepository, fleet: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile.write(
        "file.yaml",
        "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x.jks, create: true, password: {env: PW}}\n",
    )
    monkeypatch.setenv("PW", "changeit")

    plan = reconcile("plan", "t0.yaml", "file.yaml", "t1.yaml")

    assert [one["state"] for one in plan.document["targets"]] == ["t0.yaml", "file.yaml", "t1.yaml"]


def test_nothing_of_a_fleet_is_left_on_disk(reconcile: TenantRepository, fleet: list[Place]) -> None:
    assert reconcile("apply", *FILES).code == 0
    left = {path.suffix for path in Path().rglob("*") if path.is_file()}
    assert left <= {".yaml", ".pem", ".key"}
