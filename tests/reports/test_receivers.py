"""Receivers in the reports: the shape of the JSON, and how each format tells a break, a difference, what is unknown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from reconciler.model import Absent, Probe, Receiver, Report, TargetReport
from reconciler.reports.table import FORMATS, render
from tests.builders import HERE
from tests.tls.pki import NOW
from tests.unit.test_receivers import LEAF, MOVED, NEW, OLD, certificates, declare, plan, receiver, root, wanted

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "receivers.schema.json").read_text("utf-8"))
EVIL = "evil\u202e\x1b[31m|`<b>\n"


def report(command="plan", *, hostile=False):
    """A break, a receiver that differs, one of which nothing is known, one that is well."""
    name = EVIL if hostile else "s4hana"
    moved, dark = receiver("moved", LEAF, key_pair="pair", asks=True), receiver("dark", host="dark.example")
    well = Receiver("well", "server.example:444", HERE, recorded=certificates(MOVED), chain_shown="w.pem")
    state = declare(
        wanted("new", NEW), receivers=[receiver(name, LEAF, host="a.example"), moved, dark, well],
        absent=(Absent("old", HERE),) if command == "plan" else (),
    )  # fmt: skip
    probe = Probe(certificates(MOVED), asks=False)
    probes = [(moved, probe)]
    target = plan(state, root("old", OLD), root("new", NEW), probes=probes)
    shown = TargetReport(state.name, state.keystore.location, state.keystore.type, target)
    return Report(command, NOW, "1.0", "sha256:" + "0" * 64, (shown,))


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_the_json_is_as_its_schema_says(command):
    document = json.loads(render("json", report(command)))
    validator = Draft202012Validator(SCHEMA)
    Draft202012Validator.check_schema(SCHEMA)
    [target] = document["targets"]
    assert len(target["receivers"]) == 4
    for verdict in target["receivers"]:
        validator.validate(verdict)
        assert set(verdict) == set(SCHEMA["properties"])
        for chain in verdict["chains"]:
            assert set(chain) == set(SCHEMA["$defs"]["chain"]["properties"])


def test_a_report_without_receivers_says_nothing_of_them():
    target = plan(declare(), root("old", OLD))
    bare = Report("plan", NOW, "1.0", "sha256:0", (TargetReport("s", "k", None, target),))
    assert "receiver" not in render("text", bare)
    assert "receivers" not in json.loads(render("json", bare))["targets"][0]


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_pages_for_people_tell_what_is_not_well(name):
    planned, drift = render(name, report("plan")), render(name, report("drift"))
    assert re.search(r"s4hana.*would-break", planned)
    assert re.search(r"dark.*unknown", planned)
    assert "4 receivers: 2 would break, 1 unknown, 1 still trusted" in planned
    for code in ("leaf", "root", "client-certificate"):
        assert re.search(rf"moved.*{code}", drift)
    assert "well  " not in planned


def test_sarif_places_each_at_its_line():
    for command, rules in (("plan", {"receiver-would-break", "receiver-unknown"}), ("drift", {"receiver-differs"})):
        [run] = json.loads(render("sarif", report(command)))["runs"]
        results = [one for one in run["results"] if "receiver" in one["properties"]]
        assert rules <= {one["ruleId"] for one in results}
        assert {one["ruleId"] for one in results} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert len({one["partialFingerprints"]["reconcileFinding/v1"] for one in results}) == len(results)
        assert {one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in results} == {HERE.line}


def test_junit_has_a_test_for_each_receiver():
    for command, failed in (("plan", {"receiver s4hana", "receiver moved"}), ("drift", {"receiver moved"})):
        tree = ET.fromstring(render("junit", report(command)))
        cases = {case.get("name"): case for case in tree.iter("testcase") if case.get("name").startswith("receiver ")}
        assert len(cases) == 4
        assert {name for name, case in cases.items() if case.find("failure") is not None} == failed
        assert cases["receiver dark"].find("skipped") is not None


def test_metrics_tell_trust_reach_and_differences():
    text = render("prometheus", report("drift"))
    assert re.search(r'reconcile_receiver_trusted\{[^}]*receiver="s4hana"[^}]*\} 1', text)
    assert re.search(r'reconcile_receiver_reached\{[^}]*receiver="moved"[^}]*\} 1', text)
    assert re.search(r'reconcile_receiver_differences\{[^}]*receiver="moved"[^}]*\} [1-9]', text)
    assert not re.search(r'reconcile_receiver_trusted\{[^}]*receiver="dark"', text)


@pytest.mark.parametrize("command", ["plan", "drift", "apply"])
@pytest.mark.parametrize("name", FORMATS)
def test_names_from_outside_stay_harmless_in_every_format(name, command):
    text = render(name, replace(report(hostile=True), command=command))
    assert "\u202e" not in text or name in {"json", "sarif"}
    assert "\x1b" not in text


def test_a_root_that_stays_is_told_with_who_needs_it():
    target = plan(declare(wanted("new", NEW, replaces="old"), receivers=[receiver("s4hana", LEAF)]), root("old", OLD))
    shown = Report("plan", NOW, "1.0", "sha256:0", (TargetReport("s", "k", None, target),))
    for name in FORMATS:
        if name not in {"prometheus", "ics"}:
            assert "still needed by s4hana" in render(name, shown), name
    assert 'status="still-needed"} 1' in render("prometheus", shown)
