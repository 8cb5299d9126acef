"""Metrics, read by the parser of prometheus_client."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.model import Report, Status
from reconciler.reports.printable import printable
from reconciler.reports.table import render
from tests.builders import NOW, certificate, entry
from tests.reports import hostile, sample

COMMANDS = ("plan", "apply", "drift")


def families(report: Report) -> dict[str, Any]:
    found = list(text_string_to_metric_families(render("prometheus", report)))
    names = [family.name for family in found]
    assert len(names) == len(set(names)), "the samples of one name stand together"
    return {family.name: family for family in found}


def values(report: Report, name: str, **labels: str) -> list[float]:
    return [one.value for one in families(report)[name].samples if labels.items() <= one.labels.items()]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_no_two_samples_have_the_same_name_and_labels(command: str, report: Any) -> None:
    samples = [one for family in families(report(command)).values() for one in family.samples]
    assert max(Counter((one.name, tuple(sorted(one.labels.items()))) for one in samples).values()) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_family_has_help_and_type_and_a_name_of_ours(command: str) -> None:
    for family in families(sample.fleet(command)).values():
        assert family.documentation
        assert family.type == "gauge"
        assert re.fullmatch(r"reconcile_(run|keystore|cert)_[a-z_]+", family.name)


def test_a_certificate_has_its_dates_and_its_identity() -> None:
    labels = {"keystore": "../live/prod.p12", "alias": "partner_client", "position": "1"}
    report = sample.single("drift")
    (info,) = (one for one in families(report)["reconcile_cert_info"].samples if labels.items() <= one.labels.items())
    plan: Any = report.targets[0].plan
    (issuing,) = {one.chain[1] for one in plan.live.entries if one.alias == "partner_client"}
    assert info.labels["subject"] == "CN=Example Issuing CA 3,O=Example,C=DE"
    assert info.labels["fingerprint_sha256"] == issuing.sha256
    assert values(report, "reconcile_cert_not_after", **labels) == [issuing.not_after.timestamp()]
    assert values(report, "reconcile_cert_expired", **labels) == [0]


def test_an_expired_certificate_is_expired_and_a_due_one_is_due() -> None:
    report = sample.single("drift")
    assert values(report, "reconcile_cert_expired", alias="old_authority") == [1]
    assert values(report, "reconcile_cert_renewal_due", alias="s4_client") == [1]
    assert values(report, "reconcile_cert_renewal_due", alias="example_root_g1") == [0]


def test_a_keystore_that_failed_is_down() -> None:
    report = sample.fleet("drift")
    assert values(report, "reconcile_keystore_up", keystore="../live/broken.p12") == [0]
    assert values(report, "reconcile_keystore_up", keystore="../live/prod.p12") == [1]


def test_counts_are_there_when_they_are_zero() -> None:
    report = sample.report("drift", sample.target(sample.quiet()))
    found = {one.labels["status"]: one.value for one in families(report)["reconcile_keystore_findings"].samples}
    assert found == {status.value: float(status is Status.IN_SYNC) for status in Status}


def test_a_plan_counts_changes_and_an_apply_counts_outcomes() -> None:
    assert values(sample.single("plan"), "reconcile_keystore_changes", action="renew") == [2]
    assert values(sample.single("apply"), "reconcile_keystore_outcomes", status="applied") == [7]


def test_the_time_of_the_run_is_there_to_alert_on_its_absence() -> None:
    assert values(sample.single("drift"), "reconcile_run_timestamp_seconds") == [NOW.timestamp()]


@pytest.mark.parametrize("key", hostile.TEXTS)
def test_labels_from_outside_come_back_as_they_were_printed(key: str) -> None:
    text = hostile.TEXTS[key]
    found = families(hostile.report("drift", {key: text}))["reconcile_cert_info"].samples
    assert {printable(text), printable(text + "2")} <= {one.labels.get("alias", "") for one in found}
    assert {name for name in families(hostile.report("drift", {key: text})) if "evil" in name} == set()


def test_an_alias_that_is_there_twice_has_two_series() -> None:
    twice = [entry("same", certificate("CN=a")), entry("same", certificate("CN=b"))]
    plan = sample.planned("a.yaml", "a.p12", sample.StoreType.PKCS12, [], twice)
    assert len(values(sample.report("drift", sample.target(plan)), "reconcile_cert_info", alias="same")) == 2
