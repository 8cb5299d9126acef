"""The error catalogue: each scenario gives its code, and the table in the documentation is what was measured."""

from __future__ import annotations

import pytest

from reconciler.tls.failures import CODES
from tests.tls import catalogue

SCENARIOS = catalogue.all_scenarios()
MEASURED: dict[str, str] = {}


@pytest.fixture(scope="module")
def world(java, tmp_path_factory):
    with catalogue.world(java, tmp_path_factory.mktemp("catalogue")) as here:
        yield here


def test_every_scenario_has_its_own_title():
    assert len(SCENARIOS) == len({scenario.title for scenario in SCENARIOS})


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title.replace(" ", "-"))
def test_a_scenario_gives_its_code_and_its_findings(scenario, world):
    result = scenario.run(world)
    client = result.client_certificate
    MEASURED[scenario.title] = catalogue.row(scenario, result)
    assert (scenario.code, scenario.requested, scenario.required, scenario.reaction) == (
        result.code,
        client.requested,
        client.required,
        client.reaction,
    )
    assert client.acceptable_cas == (("CN=Client Root",) if client.requested == "yes" else ())
    assert result.message
    assert result.is_ok or result.hint
    assert scenario.code == "ok" or result.java_message or scenario.starttls


def test_every_code_of_the_contract_is_shown_by_a_scenario():
    # A tenant's keys, which stay in it, have a test of their own.
    assert {scenario.code for scenario in SCENARIOS} == set(CODES) - {"client-key-not-available"}


def test_the_table_in_the_documentation_is_what_was_measured():
    assert list(MEASURED) == [scenario.title for scenario in SCENARIOS], "this test needs the whole module"
    assert catalogue.table(list(MEASURED.values())) in catalogue.DOCUMENT.read_text("utf-8")
