"""The JSON reports, judged by jsonschema with the schemas that we publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.model import Action, EntryKind, Expiry, OutcomeStatus, Status, Step, StoreType
from reconciler.reports.document import list_document
from reconciler.reports.json_text import dump
from reconciler.reports.table import render
from tests.builders import certificate, entry, key_pair, snapshot
from tests.cli.pki import authority
from tests.cli.repository import Repository, pairs, roots
from tests.reports import hostile, sample

SCHEMAS = Path(__file__).parents[2] / "schemas"
REPORTS = ("plan", "drift", "apply")


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return document


def strict(document: Any) -> Any:
    """The schema without the freedom to add fields: what we write is described to the last field."""
    if isinstance(document, dict):
        closed = {key: strict(value) for key, value in document.items()}
        return closed | {"additionalProperties": False} if "properties" in document else closed
    return [strict(one) for one in document] if isinstance(document, list) else document


def validator(document: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("name", [*REPORTS, "list", "validate", "history", "rollback"])
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("command", REPORTS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_reports_are_described_by_their_schema_to_the_last_field(command: str, report: Any) -> None:
    document = json.loads(render("json", report(command)))
    for one in schema(command), strict(schema(command)):
        validator(one).validate(document)


def test_a_plan_is_no_drift_report() -> None:
    document = json.loads(render("json", sample.fleet("plan")))
    assert list(validator(schema("drift")).iter_errors(document))


def test_the_list_of_a_keystore_is_described_to_the_last_field() -> None:
    live = snapshot(entry("a"), key_pair("b", certificate("CN=b", not_after=None, problem="broken")))
    document = json.loads(dump(list_document(live, {"a": "sap_*"}, "live/x.p12")))
    validator(strict(schema("list"))).validate(document)


def test_the_schemas_share_their_definitions() -> None:
    plan, drift, apply = (schema(name)["$defs"] for name in REPORTS)
    shared = plan.keys() - {"target"}
    assert all(plan[name] == drift[name] == apply[name] for name in shared)
    assert schema("rollback")["$defs"] == apply
    assert schema("list")["$defs"]["certificate"] == plan["certificate"]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (Action, ("change", "action")),
        (Step, ("change", "step")),
        (Status, ("finding", "status")),
        (Expiry, ("finding", "expiry")),
        (OutcomeStatus, ("outcome", "status")),
    ],
)
def test_the_schemas_know_every_word_of_the_model(values: Any, place: tuple[str, str]) -> None:
    definition, name = place
    assert schema("apply")["$defs"][definition]["properties"][name]["enum"] == [one.value for one in values]


def test_the_schema_of_list_knows_every_kind_and_type() -> None:
    document = schema("list")
    assert document["properties"]["type"]["enum"] == [one.value for one in StoreType]
    assert document["$defs"]["entry"]["properties"]["kind"]["enum"] == [one.value for one in EntryKind]


def test_the_summary_counts_every_action() -> None:
    document = json.loads(render("json", sample.fleet("plan")))
    assert {action.value for action in Action} < document["targets"][0]["summary"].keys()


def test_values_from_outside_arrive_as_they_were() -> None:
    report = hostile.report("drift")
    document = json.loads(render("json", report))
    aliases = [finding["alias"] for target in document["targets"] for finding in target["findings"]]
    expected = [finding.alias for one in report.targets if one.plan for finding in one.plan.findings]
    assert aliases == expected


def test_the_text_is_safe_for_a_terminal_and_is_utf_8() -> None:
    text = render("json", hostile.report("drift"))
    assert not {"\x1b", "\x9b", "\u202e", "\x7f", "\u200b"} & set(text)
    text.encode()


def test_drift_tells_coverage_and_ends() -> None:
    (target,) = json.loads(render("json", sample.single("drift")))["targets"]
    assert target["coverage"] == {
        "entries": 19, "managed": 12, "accepted": 1, "unmanaged": 3, "sap_owned": 2, "protected": 1,
    }  # fmt: skip
    assert [one["alias"] for one in target["ends"]["expired"]] == ["legacy_partner", "old_authority"]
    assert [one["alias"] for one in target["ends"]["inside_window"]] == ["test_key", "s4_client"]
    assert [(one["alias"], one["own"]) for one in target["ends"]["next_90_days"]] == [
        ("bank_client", False),
        ("soon_authority", True),
        ("retired_partner", True),
    ]


def test_under_ignore_unmanaged_entries_are_counted_and_not_listed() -> None:
    (target,) = json.loads(render("json", sample.ignoring("drift")))["targets"]
    assert target["summary"]["unmanaged"] == 3
    assert target["coverage"]["unmanaged"] == 3
    assert "unmanaged" not in {finding["status"] for finding in target["findings"]}
    assert "test_key" not in json.dumps(target["ends"])


# ------------------------------------------------------------------------------------- what the commands really write

SPEC = "{subject: {commonName: new.example.com}, key: {algorithm: EC, curve: secp256r1}, validity: 900d}"
AGAINST = "policy: {maximumValidity: 400d, checks: {validity-too-long: error}}\n"


@pytest.fixture
def used(tmp_path: Path) -> Repository:
    """A keystore with three runs behind it, the last of them a rollback."""
    repository = Repository(tmp_path)
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem") + pairs(pair=SPEC), create=True)
    assert repository.apply().code == 0
    repository.declare(pairs(second=SPEC))
    assert repository.apply().code == 0
    assert repository.run("rollback", "keystore.yaml", "--yes").code == 0
    return repository


@pytest.mark.parametrize(
    ("name", "arguments", "body"),
    [
        ("validate", ["validate", "keystore.yaml"], roots(root="root.pem")),
        ("validate", ["validate", "keystore.yaml"], roots(root="root.pem") + pairs(pair=SPEC) + AGAINST),
        ("validate", ["validate", "keystore.yaml"], "unknown: 1\n" + roots(sap_x="root.pem", y="none.pem")),
        ("history", ["history", "keystore.yaml"], ""),
        ("list", ["list", "keystore.yaml"], ""),
        ("list", ["show", "keystore.yaml", "root"], ""),
        ("plan", ["plan", "keystore.yaml"], roots(root="root.pem") + pairs(other=SPEC) + AGAINST),
        ("drift", ["drift", "keystore.yaml"], roots(root="root.pem") + pairs(other=SPEC) + AGAINST),
        ("apply", ["apply", "keystore.yaml", "--yes"], pairs(other=SPEC)),
        ("rollback", ["rollback", "keystore.yaml", "--yes"], ""),
        ("rollback", ["rollback", "keystore.yaml", "--plan-only"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_command_writes_is_described_to_the_last_field(used: Repository, name, arguments, body) -> None:
    used.declare(body)
    written = used.run(*arguments, "--format", "json").document
    validator(strict(schema(name))).validate(written)
    for key in schema(name)["required"]:
        less = {field: value for field, value in written.items() if field != key}
        assert list(validator(schema(name)).iter_errors(less)), f"{key} is needed"


def test_a_history_whose_record_is_damaged_is_described_as_well(used: Repository) -> None:
    [record, *_] = sorted(used.live.parent.rglob("*.run.json"))
    record.write_text("{")
    written = used.run("history", "keystore.yaml", "--format", "json").document
    assert any(run["problem"] for run in written["runs"])
    validator(strict(schema("history"))).validate(written)
