"""SARIF, judged by the JSON Schema that OASIS publishes for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from reconciler.model import Source, TargetReport
from reconciler.reports import sarif
from reconciler.reports.sarif_rules import RULES
from reconciler.reports.table import render
from tests.reports import hostile, sample

SCHEMA = json.loads((Path(__file__).parent / "published" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
COMMANDS = ("plan", "apply", "drift")


def run(report: Any) -> dict[str, Any]:
    document = json.loads(render("sarif", report))
    Draft7Validator(SCHEMA).validate(document)
    (one,) = document["runs"]
    found: dict[str, Any] = one
    return found


def results(report: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run(report)["results"]
    return found


def by_alias(report: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results(report):
        found.setdefault(result["properties"].get("alias", ""), []).append(result["ruleId"])
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_reports_are_valid_by_the_published_schema(command: str, report: Any) -> None:
    run(report(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_rule_that_is_used_is_described(command: str) -> None:
    found = run(sample.fleet(command))
    described = {rule["id"] for rule in found["tool"]["driver"]["rules"]}
    assert described == {result["ruleId"] for result in found["results"]}
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in found["tool"]["driver"]["rules"])


def test_every_rule_is_well_formed_by_the_schema() -> None:
    definition = {"$ref": "#/definitions/reportingDescriptor", "definitions": SCHEMA["definitions"]}
    for rule in RULES.values():
        Draft7Validator(definition).validate(rule.document())


def test_drift_has_a_result_for_each_difference_and_each_end() -> None:
    assert by_alias(sample.single("drift")) == {
        "isrg_root_x1": ["missing"],
        "concur_client": ["missing"],
        "old_authority": ["expired", "root-expired"],
        "partner_authority": ["differs"],
        "s4_client": ["expiring"],
        "successfactors_client": ["differs"],
        "partner_client": ["differs", "validity-too-long"],
        "bank_client": ["validity-too-long"],
        "c4c_client": ["differs"],
        "retired_partner": ["differs"],
        "waiting_client": ["awaiting-signature"],
        "legacy_partner": ["root-expired", "expired", "root-not-ca", "unmanaged"],
        "test_key": ["unmanaged", "expiring"],
        "some_secret": ["unmanaged"],
        "tolerated_partner": ["unmanaged", "root-not-ca"],
        "moved_partner": ["acceptance-past"],
        "": ["receiver-unknown"],
    }


def test_what_is_accepted_is_the_same_result_suppressed_by_its_line() -> None:
    (found,) = (one for one in results(sample.single("drift")) if "suppressions" in one)
    assert (found["ruleId"], found["level"], found["properties"]["alias"]) == ("unmanaged", "note", "tolerated_partner")
    (suppression,) = found["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == (
        "Accepted until 2027-03-31 by integration team: the partner moves in spring"
    )  # fmt: skip
    assert suppression["location"]["physicalLocation"]["region"]["startLine"] == 102


def test_results_point_at_the_line_of_the_yaml() -> None:
    (missing,) = (one for one in results(sample.single("drift")) if one["properties"].get("alias") == "isrg_root_x1")
    place = missing["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "keystores/prod.yaml"
    assert place["region"] == {"startLine": 23, "startColumn": 3}


def test_what_nobody_declares_points_at_the_line_of_the_keystore() -> None:
    (found,) = (one for one in results(sample.single("drift")) if one["properties"].get("alias") == "some_secret")
    assert found["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_a_refusal_points_at_the_line_that_it_names() -> None:
    found = [one for one in results(sample.fleet("drift")) if one["ruleId"] == "refused"]
    place = found[0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("keystores/refused.yaml", 8)


def test_a_keystore_that_cannot_be_read_makes_the_run_unsuccessful() -> None:
    found = run(sample.fleet("drift"))
    assert found["invocations"][0]["executionSuccessful"] is False
    assert [one["ruleId"] for one in found["results"]].count("keystore-unreadable") == 1


def test_what_a_plan_mends_is_a_note_in_it() -> None:
    levels = {one["properties"].get("alias"): one["level"] for one in results(sample.single("plan"))}
    assert levels["isrg_root_x1"] == "note"
    assert levels["old_authority"] == "error"


def test_an_apply_reports_what_failed_and_not_what_it_mended() -> None:
    found = by_alias(sample.single("apply"))
    assert found["concur_client"] == ["apply-failed"]
    assert "isrg_root_x1" not in found


def test_the_fingerprint_survives_another_line_and_another_day() -> None:
    def fingerprints(report: Any) -> set[str]:
        return {one["partialFingerprints"]["reconcileFinding/v1"] for one in results(report)}

    report = sample.report("drift", sample.target(sample.testing()))
    target = report.targets[0]
    plan: Any = target.plan
    moved = tuple(replace(one, source=Source(one.source.file, 99)) for one in plan.findings)
    later = replace(report, targets=(replace(target, plan=replace(plan, findings=moved)),))
    assert fingerprints(later) == fingerprints(report)
    assert results(later)[0]["locations"] != results(report)[0]["locations"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("keystores/prod.yaml", "keystores/prod.yaml"),
        ("a b/ü#1?.yaml", "a%20b/%C3%BC%231%3F.yaml"),
        ("dir\\file.yaml", "dir/file.yaml"),
        ("/abs/x.yaml", "file:///abs/x.yaml"),
        ("C:\\repo\\x y.yaml", "file:///C:/repo/x%20y.yaml"),
        ("100%.yaml", "100%25.yaml"),
        ("odd\udcff.yaml", "odd%ED%B3%BF.yaml"),
    ],
)
def test_paths_become_uri_references(path: str, uri: str) -> None:
    target = TargetReport(path, "x.p12", None, failure=replace(sample.UNREADABLE, where=f"{path}:3:1"))
    (found,) = results(sample.report("drift", target))
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_braces_and_links_in_names_mean_nothing() -> None:
    texts = [one["message"]["text"] for one in results(hostile.report("drift", {"b": "{0} [click](http://x) }"}))]
    assert all("{{0}} [click] (http://x) }}" in text for text in texts)


def test_a_run_too_large_for_github_is_cut_from_its_quiet_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 8)
    found = run(sample.single("drift"))
    assert len(found["results"]) == 8
    assert {one["level"] for one in found["results"]} == {"error", "warning"}
    (notification,) = found["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("16 of 24 results were left out")
