"""JUnit XML, read by junitparser as CI systems do."""

from __future__ import annotations

from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from reconciler.reports.printable import printable
from reconciler.reports.table import render
from tests.reports import hostile, sample

COMMANDS = ("plan", "apply", "drift")


def parsed(report: Any) -> JUnitXml:
    return JUnitXml.fromstring(render("junit", report).encode())


def cases(report: Any) -> dict[str, TestCase]:
    return {case.name: case for suite in parsed(report) for case in suite}


def ends(report: Any) -> dict[str, str]:
    return {name: type(case.result[0]).__name__ if case.result else "" for name, case in cases(report).items()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_the_counts_are_what_a_parser_counts(command: str, report: Any) -> None:
    found = parsed(report(command))
    written = (found.tests, found.failures, found.errors, found.skipped)
    suites = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in found]
    found.update_statistics()
    assert written == (found.tests, found.failures, found.errors, found.skipped)
    for suite in found:
        suite.update_statistics()
    assert suites == [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in found]


def test_drift_fails_for_what_the_exit_code_counts() -> None:
    found = ends(sample.single("drift"))
    failed = {name for name, end in found.items() if end == "Failure"}
    assert {name for name in failed if not name.startswith("policy ")} == {
        standing.alias for standing in sample.standings("drift") if standing.differs
    }
    assert {name for name in failed if name.startswith("policy ")} == {
        "policy root-expired old_authority",
        "policy root-expired legacy_partner",
    }
    assert {name for name, end in found.items() if end == "Skipped"} == {
        "sap_global_root",
        "sap_cloudintegrationcertificate",
        "tolerated_partner",
        "vendor_root",
        "waiting_client",
        "receiver s4hana",  # nothing is recorded, so nothing can be said
        "policy root-not-ca legacy_partner",
        "policy root-not-ca tolerated_partner",
        "policy validity-too-long partner_client",
        "policy validity-too-long bank_client",
        "policy acceptance-past moved_partner",
    }


def test_what_a_plan_would_change_is_skipped_and_says_what() -> None:
    found = cases(sample.single("plan"))
    (skipped,) = found["isrg_root_x1"].result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "import: the trusted certificate is declared and not there"
    (failure,) = found["old_authority"].result
    assert isinstance(failure, Failure)


def test_an_apply_passes_what_it_did_and_fails_what_it_could_not() -> None:
    found = ends(sample.single("apply"))
    assert found["isrg_root_x1"] == ""
    assert found["concur_client"] == "Failure"


def test_a_keystore_that_failed_is_an_error() -> None:
    suites = {suite.name: suite for suite in parsed(sample.fleet("drift"))}
    (case,) = suites["keystores/broken.yaml -> ../live/broken.p12"]
    (error,) = case.result
    assert isinstance(error, Error)
    assert error.type == "exit-3"
    assert "check the password" in error.text


def test_a_test_names_file_and_line() -> None:
    element = cases(sample.single("drift"))["isrg_root_x1"]._elem
    assert (element.get("file"), element.get("line")) == ("keystores/prod.yaml", "23")


@pytest.mark.parametrize("key", hostile.TEXTS)
def test_names_from_outside_are_names_and_not_markup(key: str) -> None:
    text = hostile.TEXTS[key]
    found = cases(hostile.report("drift", {key: text}))
    assert printable(text) in found
    assert printable(text + "2") in found
