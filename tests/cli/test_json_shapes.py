"""The shapes of the contract that programs rely on, written down here by hand; more fields may be added."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator

from tests.cli.pki import authority, pair
from tests.cli.repository import pairs, roots

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def nullable(schema):
    return {"anyOf": [schema, {"type": "null"}]}


def shape(**properties):
    """An object with at least these fields."""
    return {"type": "object", "required": sorted(properties), "properties": properties}


def items(schema):
    return {"type": "array", "items": schema}


TEXT, COUNT, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
CERTIFICATE = shape(
    subject=nullable(TEXT), issuer=nullable(TEXT), serial=nullable(TEXT), not_before=nullable(TIME),
    not_after=nullable(TIME), sha256=SHA256, key_algorithm=nullable(TEXT), key_size=nullable(COUNT),
    signature_algorithm=nullable(TEXT), subject_alt_names=nullable(items(TEXT)),
)  # fmt: skip
ENTRY = shape(
    alias=TEXT, kind={"enum": ["trusted-certificate", "key-pair", "secret-key", "other"]}, owner=nullable(TEXT),
    protected=FLAG, certificates=items(CERTIFICATE),
)  # fmt: skip
LIST = shape(format_version={"const": "1"}, entries=items(ENTRY))
SOURCE = shape(file=TEXT, line={"type": "integer", "minimum": 1})
ACTIONS = ["create", "import", "renew", "replace", "request", "rename", "delete", "create-store", "migrate"]
CHANGE = shape(
    action={"enum": ACTIONS}, alias=TEXT, reason={"type": "string", "pattern": "^[a-z-]+$"}, message=TEXT,
    affects=items(shape(alias=TEXT, chain_before=items(SHA256), chain_after=items(SHA256))),
    source=nullable(SOURCE), before=nullable({"type": "object"}), after=nullable({"type": "object"}),
)  # fmt: skip
STATUSES = [
    "in-sync", "missing", "differs", "awaiting-signature", "response-ready", "response-rejected", "ready-to-activate",
    "expiring", "expired", "unmanaged", "protected",
]  # fmt: skip
FINDING = shape(
    alias=TEXT, status={"enum": STATUSES}, expiry={"enum": ["ok", "expiring", "expired"]}, message=TEXT
)  # fmt: skip
COUNTED = ("create", "import", "renew", "replace", "request", "rename", "delete", "migrate", "unmanaged", "protected")
TARGET = shape(
    state=TEXT, keystore=TEXT, type={"enum": ["pkcs12", "jks", "jceks"]}, changes=items(CHANGE),
    findings=items(FINDING), summary=shape(**dict.fromkeys(COUNTED, COUNT)),
)  # fmt: skip
REPORT = shape(
    format_version={"const": "1"}, tool_version=TEXT, digest={"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    generated_at=TIME, targets=items(TARGET),
)  # fmt: skip


@pytest.fixture
def varied(typed_repository):
    """A keystore and a state file with a bit of everything."""
    repository = typed_repository
    repository.write("root.pem", authority("root").pem)
    repository.write("mine.pem", pair("mine", authority("root")).key_pem + pair("mine", authority("root")).chain_pem)
    repository.declare(
        roots(root="root.pem", other="root.pem", vendor_x="root.pem") + pairs(mine="{file: mine.pem}"), create=True
    )
    assert repository.apply().code == 0
    repository.write("root.pem", authority("another root").pem)
    specification = "{subject: {commonName: new}, key: {algorithm: EC, curve: secp256r1}}"
    repository.declare(
        'aliases: {protected: ["vendor_*"]}\n' + roots(root="root.pem", new="root.pem") + pairs(created=specification)
    )
    return repository


def fits(document, schema):
    problems = [error.message for error in Draft202012Validator(schema).iter_errors(document)]
    assert problems == []


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_a_report_has_the_shape_of_the_contract(varied, command):
    document = varied.run(command, "keystore.yaml", "--format", "json").document

    fits(document, REPORT)
    [target] = document["targets"]
    assert (target["state"], target["keystore"], target["type"]) == ("keystore.yaml", "live/store", varied.type)
    assert {name: target["summary"][name] for name in COUNTED} == {
        "create": 1, "import": 1, "renew": 0, "replace": 1, "request": 0, "rename": 0, "delete": 0, "migrate": 0,
        "unmanaged": 2, "protected": 1,
    }  # fmt: skip
    assert [(one["action"], one["alias"], one["source"]["file"]) for one in target["changes"]] == [
        ("replace", "root", "keystore.yaml"),
        ("import", "new", "keystore.yaml"),
        ("create", "created", "keystore.yaml"),
    ]  # fmt: skip
    assert [one["source"]["line"] for one in target["changes"]] == [
        varied.line_of(f'"{alias}":') for alias in ("root", "new", "created")
    ]
    assert {one["alias"]: one["status"] for one in target["findings"]} == {
        "root": "differs", "new": "missing", "created": "missing", "other": "unmanaged", "mine": "unmanaged",
        "vendor_x": "protected",
    }  # fmt: skip


def test_a_change_carries_public_facts_before_and_after(varied):
    [target] = varied.plan().document["targets"]
    changes = {one["alias"]: one for one in target["changes"]}

    fits(changes["root"]["before"], CERTIFICATE)
    fits(changes["root"]["after"], CERTIFICATE)
    assert changes["root"]["before"]["sha256"] == authority("root").sha256
    assert changes["root"]["after"]["sha256"] == authority("another root").sha256
    assert changes["root"]["certificate_change"] == "re-keyed"
    assert changes["new"]["before"] is None
    assert changes["created"]["before"] is None
    assert changes["created"]["after"]["key"] == "EC secp256r1"


def test_the_result_of_apply_has_the_shape_of_a_report_with_outcomes(varied):
    document = varied.apply("--format", "json").document

    fits(document, REPORT)
    outcome = shape(action={"enum": ACTIONS}, alias=TEXT, status={"enum": ["applied", "failed", "not-tried"]})
    fits(document["targets"][0]["outcomes"], items(outcome))
    assert [one["status"] for one in document["targets"][0]["outcomes"]] == ["applied"] * 3


def test_the_written_plan_is_the_printed_one(varied):
    printed = varied.plan("--out", "plan.json")

    assert (varied.directory / "plan.json").read_text(encoding="utf-8") == printed.out


def test_list_has_the_shape_of_the_contract(varied):
    document = varied.run("list", "keystore.yaml", "--format", "json").document

    fits(document, LIST)
    entries = {entry["alias"]: entry for entry in document["entries"]}
    assert entries["mine"]["kind"] == "key-pair"
    assert [one["sha256"] for one in entries["mine"]["certificates"]] == [
        pair("mine", authority("root")).sha256, authority("root").sha256,
    ]  # fmt: skip
    leaf = entries["mine"]["certificates"][0]
    assert (leaf["subject"], leaf["issuer"]) == ("CN=mine", "CN=root")
    assert int(leaf["serial"], 16) == pair("mine", authority("root")).certificate.serial_number
    assert (leaf["key_algorithm"], leaf["key_size"]) == ("EC", 256)
    assert leaf["signature_algorithm"] == "SHA256withECDSA"
    assert {alias: entry["protected"] for alias, entry in entries.items()} == {
        "root": False, "other": False, "vendor_x": True, "mine": False,
    }  # fmt: skip


def test_list_of_a_file_says_the_same_as_list_of_a_state(varied):
    of_state = varied.run("list", "keystore.yaml", "--format", "json").document
    of_file = varied.run("list", "live/store", "--password-env", "STORE_PASSWORD", "--format", "json").document

    for document in (of_state, of_file):
        document.pop("keystore")
        for entry in document["entries"]:
            entry.pop("protected")
            entry.pop("protected_by")
    assert of_file == of_state


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_a_password_file_may_end_in_a_line_break(varied, line_end):
    varied.write("password", f"changeit{line_end}")

    listed = varied.run("list", "live/store", "--password-file", "password", "--format", "json")

    assert listed.code == 0
    assert listed.document["warnings"] == []


def test_show_has_the_entry_of_list(varied):
    listed = {one["alias"]: one for one in varied.run("list", "keystore.yaml", "--format", "json").document["entries"]}

    shown = varied.run("show", "keystore.yaml", "MINE", "--format", "json").document

    assert shown["entries"] == [listed["mine"]]


def test_show_of_an_alias_that_is_not_there_suggests_one(varied):
    result = varied.run("show", "keystore.yaml", "mien")

    assert result.code == 1
    assert "live/store: error: there is no entry 'mien'" in result.err
    assert "did you mean 'mine'?" in result.err


def test_show_prints_every_certificate_as_keytool_spells_it(varied):
    shown = varied.run("show", "keystore.yaml", "mine").out

    digest = pair("mine", authority("root")).sha256.upper()
    assert re.search(f"SHA-256 +{':'.join(re.findall('..', digest))}", shown)
    assert "certificate 2 of 2" in shown


PROBLEM = shape(code=TEXT, message=TEXT, hint=nullable(TEXT), refusal=FLAG, source=nullable(SOURCE))


def test_validate_has_problems_as_data(varied):
    varied.declare(roots(sap_x="root.pem", y="none.pem") + "unknown: 1\n")

    result = varied.run("validate", "keystore.yaml", "--format", "json")

    assert result.code == 4
    fits(result.document, shape(format_version={"const": "1"}, valid={"const": False}, problems=items(PROBLEM)))
    assert [(one["refusal"], one["source"]["line"]) for one in result.document["problems"]] == [
        (True, varied.line_of("sap_x")), (False, varied.line_of("none.pem")), (False, varied.line_of("unknown")),
    ]  # fmt: skip


def test_validate_needs_neither_keystore_nor_secrets(varied):
    varied.live.unlink()

    result = varied.process("validate", "keystore.yaml", "--format", "json", env={})

    assert (result.code, result.document["valid"]) == (0, True)


def test_a_failure_is_data_too(varied):
    varied.live.write_bytes(b"")

    result = varied.plan()

    fits(result.document, REPORT)
    error = result.document["targets"][0]["error"]
    assert error["exit_code"] == result.code == 3
    assert error["where"] == "live/store"
    assert "an empty file" in error["message"]
    assert error["hint"]
