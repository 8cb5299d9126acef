"""Accepted drift and the policy from outside: what is written, what is counted, how commands exit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.errors import RefusedError
from tests.cli.pki import authority, pair
from tests.cli.repository import pairs

TODAY = datetime.now(UTC).date()
SPEC = (
    "{{key: {{algorithm: EC, curve: secp256r1}}, subject: {{commonName: a.example.com}}, issuer: {{type: self-signed}}, "
    "validity: {}, renewBefore: {}}}"
)
OLD, NEW, STRAY = authority("Old"), authority("New"), authority("Stray")


def acceptance(alias, pin, until=TODAY + timedelta(days=90), **more):
    facts = {"alias": alias, "sha256": pin, "reason": "it moves", "owner": "team", "until": until.isoformat()} | more
    return "- {" + ", ".join(f'{key}: "{value}"' for key, value in facts.items()) + "}\n"


@pytest.fixture
def drifted(repository):
    """A keystore that holds an old `root` and a `stray`, which the file declares otherwise and not at all."""
    repository.write("old.pem", OLD.pem)
    repository.write("new.pem", NEW.pem)
    repository.write("stray.pem", STRAY.pem)
    repository.declare("trustedRoots: {root: {file: old.pem}, stray: {file: stray.pem}}\n", create=True)
    assert repository.apply().code == 0
    return repository


def declare(repository, accepted="", unmanaged="report", more=""):
    section = f"accepted:\n{accepted}" if accepted else ""
    repository.declare(
        f"aliases: {{unmanaged: {unmanaged}}}\ntrustedRoots: {{root: {{file: new.pem}}}}\n{section}{more}"
    )


def findings(result):
    [target] = result.document["targets"]
    return {one["alias"]: one["status"] for one in target["findings"]}


def test_what_is_accepted_is_neither_planned_nor_counted_nor_written(drifted):
    declare(drifted, acceptance("root", OLD.sha256) + acceptance("STRAY", STRAY.sha256.upper()), "prune")
    before = drifted.live.read_bytes()

    drift = drifted.run("drift", "keystore.yaml", "--format", "json")
    assert (drift.code, findings(drift)) == (0, {"root": "accepted", "stray": "accepted"})
    [target] = drift.document["targets"]
    assert target["coverage"]["accepted"] == 2
    assert target["findings"][0]["accepted"]["owner"] == "team"
    assert target["findings"][0]["accepted"]["source"]["line"] == drifted.line_of("accepted:") + 1

    planned = drifted.plan("--detailed-exitcode")
    assert (planned.code, planned.changes) == (0, [])
    assert drifted.apply().code == 0
    assert drifted.live.read_bytes() == before


def test_after_its_day_it_is_a_finding_again_and_the_line_is_told(drifted):
    declare(drifted, acceptance("root", OLD.sha256, TODAY - timedelta(days=1)))
    drift = drifted.run("drift", "keystore.yaml", "--format", "json")
    assert drift.code == 2
    assert findings(drift)["root"] == "differs"
    [told] = [one for one in drift.document["targets"][0]["policy"] if one["check"] == "acceptance-past"]
    assert (told["severity"], told["source"]["file"]) == ("warning", "keystore.yaml")
    assert told["source"]["line"] == drifted.line_of("accepted:") + 1
    assert drifted.plan().changes == [("replace", "root")]


def test_another_certificate_under_the_alias_is_planned(drifted):
    declare(drifted, acceptance("root", NEW.sha256))
    assert drifted.plan().changes == [("replace", "root")]
    assert drifted.apply().code == 0
    told = drifted.run("drift", "keystore.yaml")
    assert told.code == 2
    assert "1 note of the policy" in told.out  # nothing is left to accept


def test_a_reviewed_plan_is_stale_once_what_it_did_is_accepted(drifted):
    declare(drifted)
    assert drifted.run("plan", "keystore.yaml", "--out", "plan.json").code == 0
    declare(drifted, acceptance("root", OLD.sha256))
    result = drifted.run("apply", "keystore.yaml", "--plan", "plan.json", "--yes")
    assert result.code == 4
    assert "stale" in result.err


def test_an_entry_that_expires_is_counted_whoever_accepted_it(repository):
    short = pair("short", days=20)
    repository.write("short.pem", short.pem)
    repository.write("new.pem", NEW.pem)
    repository.declare("trustedRoots: {root: {file: short.pem}}\n", create=True)
    assert repository.apply().code == 0
    declare(repository, acceptance("root", short.sha256))
    drift = repository.run("drift", "keystore.yaml")
    assert drift.code == 2
    assert "acceptance-overtaken" in drift.out
    assert repository.plan().changes == [("replace", "root")]


def test_protected_entries_are_refused_whoever_accepts_them(drifted):
    drifted.declare(
        'aliases: {protected: ["root"]}\ntrustedRoots: {root: {file: new.pem}}\naccepted:\n'
        + acceptance("root", OLD.sha256)
    )
    assert drifted.run("drift", "keystore.yaml").code == 4
    assert drifted.plan().code == 4


# ---------------------------------------------------------------------------------------------------- policy

ERROR = "policy: {checks: {root-not-ca: error}}\n"


@pytest.fixture
def against(repository):
    """A repository that declares a root that is none, which its policy calls an error."""
    leaf = pair("leaf.example.com")
    repository.write("leaf.pem", leaf.pem)
    repository.declare(f"trustedRoots: {{root: {{file: leaf.pem}}}}\n{ERROR}", create=True)
    return repository


def test_an_error_of_the_policy_stops_validate_plan_apply_and_drift_with_1(against):
    before = against.files()
    line = against.line_of("root:")
    for arguments in (
        ["validate", "keystore.yaml"],
        ["plan", "keystore.yaml"],
        ["plan", "keystore.yaml", "--out", "plan.json"],
        ["plan", "keystore.yaml", "--detailed-exitcode"],
        ["apply", "keystore.yaml", "--yes"],
        ["apply", "keystore.yaml", "--yes", "--renewals-only"],
        ["apply", "keystore.yaml", "--yes", "--allow-mass-change"],
        ["drift", "keystore.yaml"],
    ):
        result = against.run(*arguments)
        assert result.code == 1, arguments
        assert f"keystore.yaml:{line}:" in result.err
        assert "root: the certificate does not say that it is a CA (policy: root-not-ca)" in result.err
        assert against.files() == before
    assert (
        "plan.json: error: the plan was not written, for `apply` would refuse it"
        in against.run("plan", "keystore.yaml", "--out", "plan.json").err
    )


def test_without_a_line_the_same_is_a_warning_and_is_applied_once(against):
    against.declare("trustedRoots: {root: {file: leaf.pem}}\n", create=True)
    validated = against.run("validate", "keystore.yaml")
    assert (validated.code, validated.err) == (0, "")
    assert "warning: root: the certificate does not say that it is a CA [root-not-ca]  keystore.yaml:" in validated.out
    assert against.apply().code == 0
    assert against.plan("--detailed-exitcode").code == 0
    assert against.run("drift", "keystore.yaml").code == 0


def test_validate_tells_programs_what_the_policy_has_to_say_without_any_secret(against):
    result = against.run("validate", "keystore.yaml", "--format", "json", STORE_PASSWORD="wrong")
    assert result.code == 1
    assert result.document["valid"] is False
    [told] = result.document["policy"]
    assert (told["state"], told["check"], told["severity"], told["live"]) == (
        "keystore.yaml", "root-not-ca", "error", False,
    )  # fmt: skip
    assert told["source"]["line"] == against.line_of("root:")
    page = against.run("validate", "keystore.yaml", "--format", "markdown").out
    assert "| error | root-not-ca | root |" in page


def test_a_shared_policy_of_an_include_stops_as_well_and_off_is_off(against):
    against.write("policy.yaml", ERROR)
    against.declare("include: [policy.yaml]\ntrustedRoots: {root: {file: leaf.pem}}\n", create=True)
    assert against.run("validate", "keystore.yaml").code == 1
    against.write("policy.yaml", "policy: {checks: {root-not-ca: off}}\n")
    result = against.run("validate", "keystore.yaml")
    assert (result.code, result.out) == (0, "keystore.yaml: valid, 1 declared\n")


def test_what_only_the_keystore_shows_is_a_warning_until_the_file_says_error(against):
    against.declare("trustedRoots: {root: {file: leaf.pem}}\n", create=True)
    assert against.apply().code == 0
    against.declare("aliases: {unmanaged: ignore}\n" + ERROR)
    assert against.run("drift", "keystore.yaml").code == 0
    against.declare("")
    assert against.run("drift", "keystore.yaml").code == 2
    against.declare(ERROR)
    assert against.run("drift", "keystore.yaml").code == 1
    assert against.run("validate", "keystore.yaml").code == 0


def test_an_error_about_one_entry_does_not_keep_the_nightly_renewal_of_another(repository):
    """A working connection is not broken by housekeeping: what stops by itself on a day must not stop renewals."""
    leaf = pair("leaf.example.com")
    repository.write("leaf.pem", leaf.pem)
    roots = "trustedRoots: {root: {file: leaf.pem}}\n"
    repository.declare(roots + pairs(due=SPEC.format("365d", "30d"), long=SPEC.format("900d", "30d")), create=True)
    assert repository.apply().code == 0
    old = repository.entries()
    due = pairs(due=SPEC.format("400d", "399d"), long=SPEC.format("950d", "949d"))
    policy = "policy: {checks: {root-not-ca: error, validity-too-long: error}, maximumValidity: 400d}\n"
    repository.declare(roots + due + policy)
    arguments = ["--yes", "--renewals-only", "--report", "json=done.json", "--report", "text=done.txt"]

    night = repository.run("apply", "keystore.yaml", *arguments)

    assert night.code == 1
    assert "root: the certificate does not say that it is a CA (policy: root-not-ca)" in night.err
    assert "long: valid for 950 days, and the policy allows 400 days (policy: validity-too-long)" in night.err
    assert "nothing was done" not in night.err
    now = repository.entries()
    assert now["due"]["certificates"][0]["sha256"] != old["due"]["certificates"][0]["sha256"]
    assert now["long"]["certificates"][0]["sha256"] == old["long"]["certificates"][0]["sha256"], (
        "what is against the policy is not made once more"
    )
    [target] = json.loads((repository.directory / "done.json").read_text())["targets"]
    assert {one["check"] for one in target["policy"] if one["severity"] == "error"} == {
        "root-not-ca", "validity-too-long",
    }  # fmt: skip
    assert "root-not-ca" in (repository.directory / "done.txt").read_text()

    by_day = repository.apply()
    assert by_day.code == 1
    assert repository.entries() == now


REPORTS = ("text", "markdown", "junit", "json", "html", "sarif", "prometheus")


def test_a_refusal_by_the_policy_says_which_errors_in_every_report(against):
    reports = [word for name in REPORTS for word in ("--report", f"{name}=refused.{name}")]
    assert against.apply(*reports).code == 1
    for name in REPORTS:
        assert "root-not-ca" in (against.directory / f"refused.{name}").read_text(), name
    text = (against.directory / "refused.text").read_text()
    assert "not applied: the policy has 1 error" in text
    assert "in the desired state" not in text


def test_a_refusal_by_the_policy_tells_each_error_once_and_where_it_is(against):
    against.write("other.yaml", "apiVersion: reconciler/v1\nkeystore: {type: jks, path: live/other, create: true, "
                  "password: {env: STORE_PASSWORD}}\n")  # fmt: skip
    reports = ["--report", "sarif=refused.sarif", "--report", "json=refused.json", "--report", "markdown=refused.md"]
    assert against.run("apply", "keystore.yaml", "other.yaml", "--yes", *reports).code == 1
    [run] = json.loads((against.directory / "refused.sarif").read_text())["runs"]
    about = [one for one in run["results"] if "does not say that it is a CA" in one["message"]["text"]]
    assert [one["ruleId"] for one in about] == ["root-not-ca"]
    first, second = json.loads((against.directory / "refused.json").read_text())["targets"]
    assert first["error"]["message"] == "not applied: the policy has 1 error"
    assert second["error"]["message"] == "not applied: the policy has errors in other keystores"
    assert second["error"]["tried"] is False
    page = (against.directory / "refused.md").read_text()
    assert page.count("does not say that it is a CA") == 1


def test_the_validation_of_a_large_fleet_fits_into_a_comment_and_says_what_it_cut(against):
    body = "".join(f"  root_{number:04}: {{file: leaf.pem}}\n" for number in range(600))
    against.declare(f"trustedRoots:\n{body}", create=True)
    page = against.run("validate", "keystore.yaml", "--format", "markdown").out
    assert len(page.encode()) < 65_000
    assert "more rows" in page
    assert "**Cut** to fit into one comment" in page
    against.declare(f"trustedRoots:\n{body.replace('leaf.pem', 'none.pem')}", create=True)
    page = against.run("validate", "keystore.yaml", "--format", "markdown").out
    assert len(page.encode()) < 65_000
    assert "**Cut** to fit into one comment" in page


def test_a_keystore_that_is_refused_at_night_does_not_keep_the_renewals_of_the_others(repository, monkeypatch):
    key_pair = pairs(due=SPEC.format("365d", "30d"))
    other = "apiVersion: reconciler/v1\nkeystore: {type: jks, path: live/other, create: true, password: {env: STORE_PASSWORD}}\n"
    repository.declare(key_pair, create=True)
    repository.write("other.yaml", other + key_pair)
    assert repository.run("apply", "keystore.yaml", "other.yaml", "--yes").code == 0
    due = pairs(due=SPEC.format("400d", "399d"))
    repository.declare(due, create=True)
    repository.write("other.yaml", other + due)
    store, other_store = repository.live.read_bytes(), repository.live.with_name("other").read_bytes()

    def refusing(report, *_arguments, **_options):
        if any(target.state == "keystore.yaml" for target in report.targets):
            raise RefusedError("the receiver bank would break")

    monkeypatch.setattr("reconciler.commands.receiver_checks.refuse_breaking", refusing)
    arguments = ["apply", "keystore.yaml", "other.yaml", "--yes"]
    assert repository.run(*arguments).code == 4
    assert repository.live.with_name("other").read_bytes() == other_store, "by day all or nothing"

    night = repository.run(*arguments, "--renewals-only", "--format", "json")
    assert night.code == 4
    assert "the receiver bank would break" in night.err
    assert repository.live.read_bytes() == store
    assert repository.live.with_name("other").read_bytes() != other_store
    first, second = night.document["targets"]
    assert first["error"]["exit_code"] == 4
    assert [one["status"] for one in second["outcomes"]] == ["applied"]
