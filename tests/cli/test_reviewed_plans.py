"""What was reviewed is what runs: plans from a file, and everything that makes one stale, old or no plan at all."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.pki import authority, pair
from tests.cli.repository import Repository, pairs, roots
from tests.cli.unprivileged import give_up_root

CREATED = "{subject: {commonName: new.example.com}, key: {algorithm: EC, curve: secp256r1}}"
DECLARED = roots(old="old.pem", new="new.pem") + pairs(created=CREATED)


@pytest.fixture
def planned(typed_repository):
    """A keystore in which one root is replaced, one imported, and a key pair created: as planned in `plan.json`."""
    return plan(typed_repository)


@pytest.fixture
def planned_pkcs12(repository):
    return plan(repository)


def plan(repository):
    repository.write("old.pem", authority("old").pem)
    repository.declare(roots(old="old.pem"), create=True)
    assert repository.apply().code == 0
    repository.write("old.pem", authority("the next old").pem)
    repository.write("new.pem", authority("new").pem)
    repository.declare(DECLARED)
    result = repository.plan("--out", "plan.json")
    assert result.code == 0, result.err
    assert result.changes == [("replace", "old"), ("import", "new"), ("create", "created")]
    return repository


def edit(repository, **fields):
    path = repository.directory / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields), encoding="utf-8")


def made(ago):
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")


def apply_plan(repository, *arguments, plan="plan.json", **environment):
    return repository.apply("--plan", plan, *arguments, **environment)


def refused(repository, *messages, code=4, **options):
    """Nothing is written, and the reasons are told."""
    before = repository.files()
    result = apply_plan(repository, **options)
    assert (result.code, repository.files()) == (code, before), result
    for message in messages:
        assert message in result.err
    return result


# ----------------------------------------------------------------------------------------- still the same plan


def test_a_plan_runs_as_it_was_reviewed(planned):
    result = apply_plan(planned, "--format", "json")

    assert result.code == 0, result.err
    assert [(one["alias"], one["status"]) for one in result.document["targets"][0]["outcomes"]] == [
        ("old", "applied"), ("new", "applied"), ("created", "applied"),
    ]  # fmt: skip
    assert set(planned.entries()) == {"old", "new", "created"}


def test_the_same_plan_runs_on_another_day(planned):
    edit(planned, generated_at=made(timedelta(days=3)))

    assert apply_plan(planned).code == 0


def test_a_comment_in_the_yaml_leaves_the_plan_as_it_is(planned_pkcs12):
    planned_pkcs12.declare(f"\n# A comment,\n# and another.\n\n{DECLARED}# And one at the end.\n")

    assert apply_plan(planned_pkcs12).code == 0


def test_the_order_of_the_yaml_and_of_the_files_does_not_count(planned_pkcs12):
    planned_pkcs12.write("moved/new.pem", authority("new").pem)
    planned_pkcs12.declare(pairs(created=CREATED) + roots(old="old.pem", new="moved/new.pem"))

    assert apply_plan(planned_pkcs12).code == 0


def test_two_plans_of_the_same_have_the_same_digest(planned):
    digests = {planned.plan().document["digest"] for _ in range(2)}
    text = planned.run("plan", "keystore.yaml").out

    assert len(digests) == 1
    assert digests.pop() in text


def test_a_digest_alone_is_enough(planned_pkcs12):
    digest = json.loads((planned_pkcs12.directory / "plan.json").read_text())["digest"]

    assert apply_plan(planned_pkcs12, plan=digest).code == 0


def test_an_applied_plan_is_spent(planned_pkcs12):
    assert apply_plan(planned_pkcs12).code == 0

    refused(planned_pkcs12, "the plan is stale", "reviewed, not now: create created")


def test_a_renewal_that_fell_due_since_the_plan_is_not_in_it(repository):
    leaf = pair("soon", days=40, start=-9)
    repository.write("soon.pem", leaf.key_pem + leaf.pem)
    repository.declare(pairs(soon="{file: soon.pem, renewBefore: 1d}"), create=True)
    assert repository.apply().code == 0
    generated = "{subject: {commonName: soon}, key: {algorithm: EC, curve: secp256r1}, validity: 40d, renewBefore: 32d}"
    repository.declare(pairs(soon=generated))
    due = repository.plan("--out", "plan.json")
    assert [(one["action"], one["reason"]) for one in due.document["targets"][0]["changes"]] == [
        ("renew", "renewal-due")
    ]

    refused_as_of_then = apply_plan(repository)
    edit(repository, generated_at=made(timedelta(days=5)))
    stale = refused_as_of_then.code

    assert stale == 0  # due now, and due when it was planned
    assert apply_plan(repository).code == 4  # as of five days ago nothing was due


# --------------------------------------------------------------------------------------------- another plan


def test_another_certificate_is_refused_with_what_differs(planned):
    planned.write("new.pem", authority("not the reviewed one").pem)

    result = refused(planned, "the plan is stale", "plan again and review it")

    for when, name in (("reviewed, not now", "new"), ("now, not reviewed", "not the reviewed one")):
        assert f"{when}: import new in live/store (missing): nothing -> {authority(name).sha256}" in result.err
    assert "created" not in result.err


OTHERWISE = {
    "subject": "{subject: {commonName: other.example.com}, key: {algorithm: EC, curve: secp256r1}}",
    "curve": CREATED.replace("secp256r1", "secp384r1"),
    "validity": CREATED.replace("}}", "}, validity: 30d}"),
    "rekey": CREATED.replace("}}", "}, rekey: false}"),
    "usage": CREATED.replace("}}", "}, extendedKeyUsage: [serverAuth]}"),
    "names": CREATED.replace("}}", "}, subjectAltNames: {dns: [a.example.com]}}"),
}


@pytest.mark.parametrize("specification", OTHERWISE.values(), ids=OTHERWISE)
def test_another_specification_is_refused(planned_pkcs12, specification):
    planned_pkcs12.declare(roots(old="old.pem", new="new.pem") + pairs(created=specification))

    refused(
        planned_pkcs12, "the plan is stale", "reviewed, not now: create created", "now, not reviewed: create created"
    )


def test_one_change_more_or_less_is_refused(planned_pkcs12):
    planned_pkcs12.declare(roots(old="old.pem", new="new.pem"))

    refused(planned_pkcs12, "the plan is stale", "reviewed, not now: create created")


def test_another_live_entry_is_refused_with_what_it_was(planned):
    planned.write("another.pem", authority("somebody else's").pem)
    other = Repository(planned.directory / "other", planned.type)
    other.write("another.pem", authority("somebody else's").pem)
    other.declare(roots(old="another.pem"), create=True)
    assert other.apply().code == 0
    planned.live.write_bytes(other.live.read_bytes())

    result = refused(planned, "the plan is stale")

    for when, name in (("reviewed, not now", "old"), ("now, not reviewed", "somebody else's")):
        assert f"{when}: replace old in live/store (certificate): {authority(name).sha256}" in result.err


def test_another_keystore_is_refused(planned_pkcs12):
    planned_pkcs12.declare(DECLARED, path="live/another", create=True)

    refused(planned_pkcs12, "the plan is stale", "now, not reviewed: create-store")


def test_another_digest_is_refused(planned_pkcs12):
    refused(planned_pkcs12, "the plan is stale", plan=f"sha256:{'0' * 64}")


def test_a_reviewed_plan_of_several_keystores_runs_whole_or_not_at_all(planned_pkcs12):
    repository = planned_pkcs12
    second = Repository(repository.directory / "second", "jks")
    second.write("new.pem", authority("new").pem)
    second.declare(roots(new="new.pem"), create=True)
    states = ("keystore.yaml", "second/keystore.yaml")
    assert repository.run("plan", *states, "--out", "plan.json").code == 0
    second.live.write_bytes(b"no keystore any more")
    repository.write("old.pem", authority("never reviewed").pem)
    before = repository.files()

    result = repository.run("apply", *states, "--plan", "plan.json", "--yes")

    assert result.code == 3
    assert "the reviewed plan is not applied, for not all of its keystores can be planned" in result.err
    assert repository.files() == before


@pytest.fixture
def twins(planned_pkcs12):
    """Two keystores of one name with the same to do, in two directories."""
    for name in ("prod", "test"):
        twin = Repository(planned_pkcs12.directory / name, "jks")
        twin.write("new.pem", authority("new").pem)
        twin.declare(roots(new="new.pem"), create=True)
    assert planned_pkcs12.run("plan", "test/keystore.yaml", "--out", "plan.json").code == 0
    return planned_pkcs12


def test_the_plan_of_a_keystore_is_no_plan_of_its_twin(twins):
    before = twins.files()

    result = twins.run("apply", "prod/keystore.yaml", "--plan", "plan.json", "--yes")

    assert (result.code, twins.files()) == (4, before)
    assert "reviewed: test/keystore.yaml, given: prod/keystore.yaml" in result.err


@pytest.mark.parametrize("state", ["./keystore.yaml", "../test/keystore.yaml", "{}/keystore.yaml"])
def test_a_plan_runs_from_another_working_directory(twins, state, monkeypatch):
    monkeypatch.setattr(twins, "directory", inside := twins.directory / "test")

    assert twins.run("apply", state.format(inside), "--plan", "../plan.json", "--yes").code == 0


def test_the_same_keystores_in_another_order_are_told_as_that(planned_pkcs12):
    second = Repository(planned_pkcs12.directory / "second", "jks")
    second.write("new.pem", authority("new").pem)
    second.declare(roots(new="new.pem"), create=True)
    assert planned_pkcs12.run("plan", "keystore.yaml", "second/keystore.yaml", "--out", "plan.json").code == 0
    before = planned_pkcs12.files()

    result = planned_pkcs12.run("apply", "second/keystore.yaml", "keystore.yaml", "--plan", "plan.json", "--yes")

    assert (result.code, planned_pkcs12.files()) == (4, before)
    assert "of the same state files in another order" in result.err


def test_without_a_plan_one_broken_keystore_does_not_stop_the_others(planned_pkcs12):
    repository = planned_pkcs12
    second = Repository(repository.directory / "second", "jks")
    second.declare()
    second.live.write_bytes(b"no keystore")

    result = repository.run("apply", "keystore.yaml", "second/keystore.yaml", "--yes", "--format", "json")

    assert result.code == 3
    assert [one.get("error", {}).get("exit_code") for one in result.document["targets"]] == [None, 3]
    assert set(repository.entries()) == {"old", "new", "created"}


# ------------------------------------------------------------------------- a file that does not say what its digest stands for


def _without_changes(target):
    target["changes"] = []


def _with_another_certificate(target):
    target["changes"][0]["after"]["sha256"] = "0" * 64


def _with_a_stronger_key(target):
    target["changes"][-1]["after"]["key"] = "EC secp521r1"


def _with_another_alias(target):
    target["changes"][0]["alias"] = "harmless"


def _with_a_side_effect(target):
    target["changes"][0]["affects"] = [{"alias": "other", "chain_before": [], "chain_after": []}]


@pytest.mark.parametrize(
    "edited",
    [_without_changes, _with_another_certificate, _with_a_stronger_key, _with_another_alias, _with_a_side_effect],
)
def test_a_plan_file_that_was_edited_under_its_digest_is_refused(planned_pkcs12, edited):
    targets = json.loads((planned_pkcs12.directory / "plan.json").read_text())["targets"]
    edited(targets[0])
    edit(planned_pkcs12, targets=targets)

    refused(planned_pkcs12, "says something else than its digest", "now, not reviewed: ")


def test_a_plan_file_without_its_targets_is_refused(planned_pkcs12):
    edit(planned_pkcs12, targets=[])

    refused(planned_pkcs12, "says something else than its digest")


def test_another_wording_in_the_plan_file_is_no_other_plan(planned_pkcs12):
    targets = json.loads((planned_pkcs12.directory / "plan.json").read_text())["targets"]
    targets[0]["changes"][0]["message"] = "said in another way"
    targets[0]["changes"][0]["source"]["line"] = 99
    edit(planned_pkcs12, targets=targets)

    assert apply_plan(planned_pkcs12).code == 0


# ---------------------------------------------------------------------------------------------------- times


def test_a_plan_from_the_future_is_refused(planned_pkcs12):
    edit(planned_pkcs12, generated_at=made(timedelta(hours=-1)))

    refused(planned_pkcs12, "the plan was made in the future", "check the clocks")


def test_an_old_plan_is_refused(planned_pkcs12):
    edit(planned_pkcs12, generated_at=made(timedelta(days=7, minutes=1)))

    refused(planned_pkcs12, "is too old", "--max-plan-age")


@pytest.mark.parametrize("by_variable", [False, True])
def test_an_older_plan_can_be_allowed(planned_pkcs12, by_variable):
    edit(planned_pkcs12, generated_at=made(timedelta(days=9)))

    if by_variable:
        result = apply_plan(planned_pkcs12, RECONCILE_MAX_PLAN_AGE="10d")
    else:
        result = apply_plan(planned_pkcs12, "--max-plan-age", "10d")

    assert result.code == 0, result.err


def test_less_can_be_allowed(planned_pkcs12):
    edit(planned_pkcs12, generated_at=made(timedelta(hours=2)))

    assert apply_plan(planned_pkcs12, "--max-plan-age", "90m").code == 4


@pytest.mark.parametrize("age", ["", "x", "7", "-1d", "1y", "99999999999999999999d", "1e9d"])
def test_an_age_that_is_none_is_told(planned_pkcs12, age):
    before = planned_pkcs12.files()

    result = apply_plan(planned_pkcs12, "--max-plan-age", age)

    assert (result.code, planned_pkcs12.files()) == (1, before)
    assert "unexpected" not in result.err
    assert "--max-plan-age" in result.err


# -------------------------------------------------------------------------------------------- no plan at all

DAMAGED = {
    "empty": b"",
    "no JSON": b"digest",
    "cut off": None,
    "a list": b"[]",
    "a number": b"1",
    "text": b'"plan"',
    "null": b"null",
    "nested": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "a long number": b"1" * 10_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_plan_is_told(planned_pkcs12, content):
    path = planned_pkcs12.directory / "plan.json"
    path.write_bytes(path.read_bytes()[:500] if content is None else content)

    result = refused(planned_pkcs12, code=1)

    assert result.err.startswith("plan.json: error: this is not a plan")


@pytest.mark.parametrize(
    "fields",
    [
        {"format_version": "2"}, {"format_version": 1}, {"digest": None}, {"digest": "0" * 64},
        {"digest": f"sha256:{'0' * 63}"},
        {"digest": f"sha256:{'A' * 64}"}, {"digest": ["sha256"]}, {"generated_at": None}, {"generated_at": 0},
        {"generated_at": "yesterday"}, {"generated_at": "2026-01-01T00:00:00"},
        {"generated_at": "2026-01-01T00:00:00+02:00"},
    ],
    ids=str,
)  # fmt: skip
def test_a_plan_with_a_wrong_field_is_told(planned_pkcs12, fields):
    edit(planned_pkcs12, **fields)

    assert "plan.json: error: this is not a plan" in refused(planned_pkcs12, code=1).err


@pytest.mark.parametrize(
    "targets", [None, 1, [1], [{"changes": 1}], [{"changes": [{}]}], [{"changes": [None]}]], ids=str
)
def test_a_stale_plan_with_damaged_changes_is_still_refused(planned_pkcs12, targets):
    edit(planned_pkcs12, targets=targets, digest=f"sha256:{'0' * 64}")

    refused(planned_pkcs12, "the plan is stale")


@pytest.mark.parametrize("digest", ["sha256:", "sha256:xyz", f"sha256:{'A' * 64}", f"sha256:{'0' * 65}"])
def test_a_digest_of_the_wrong_form_is_told(planned_pkcs12, digest):
    refused(planned_pkcs12, "a digest is sha256: and 64 lower-case hexadecimal digits", code=1, plan=digest)


def test_a_plan_that_is_not_there_is_told(planned_pkcs12):
    refused(planned_pkcs12, "missing.json: error: the plan cannot be read: no such file", code=1, plan="missing.json")


def test_a_directory_is_no_plan(planned_pkcs12):
    refused(planned_pkcs12, "live: error: the plan cannot be read: is a directory", code=1, plan="live")


def test_a_plan_without_permission_is_told(planned_pkcs12):
    (planned_pkcs12.directory / "plan.json").chmod(0)

    result = planned_pkcs12.process("apply", "keystore.yaml", "--plan", "plan.json", preexec_fn=give_up_root)

    assert result.code == 1
    assert "plan.json: error: the plan cannot be read: permission denied" in result.err


def test_what_a_damaged_plan_says_cannot_move_the_cursor(planned_pkcs12):
    document = json.loads((planned_pkcs12.directory / "plan.json").read_text())
    document["targets"][0]["changes"][0]["alias"] = "\x1b[2J\r\n\u202e"
    edit(planned_pkcs12, targets=document["targets"], digest=f"sha256:{'0' * 64}")

    result = refused(planned_pkcs12, "the plan is stale")

    assert not re.search("[\x1b\r\u202e]", result.err)


# ---------------------------------------------------------------------------------------------- exit codes


def test_a_detailed_exit_code_tells_whether_there_are_changes(planned_pkcs12):
    arguments = ("plan", "keystore.yaml", "--detailed-exitcode")

    assert planned_pkcs12.run(*arguments).code == 2
    assert planned_pkcs12.run("plan", "keystore.yaml", RECONCILE_DETAILED_EXITCODE="1").code == 2
    assert planned_pkcs12.run("plan", "keystore.yaml").code == 0
    assert planned_pkcs12.apply().code == 0
    assert planned_pkcs12.run(*arguments).code == 0
    planned_pkcs12.live.unlink()
    assert planned_pkcs12.run(*arguments).code == 3


def test_over_several_keystores_the_worst_code_counts(planned_pkcs12):
    broken = Repository(planned_pkcs12.directory / "broken", "jks")
    broken.declare()
    arguments = ("keystore.yaml", "broken/keystore.yaml")

    assert planned_pkcs12.run("plan", *arguments, "--detailed-exitcode").code == 3
    assert planned_pkcs12.run("drift", *arguments).code == 3


def test_a_plan_with_a_failure_is_not_written_to_the_file(planned_pkcs12):
    planned_pkcs12.live.unlink()
    before = (planned_pkcs12.directory / "plan.json").read_bytes()

    result = planned_pkcs12.run("plan", "keystore.yaml", "--out", "plan.json")

    assert result.code == 3
    assert (planned_pkcs12.directory / "plan.json").read_bytes() == before
    assert "plan.json: error: the plan was not written, for not every keystore could be planned\n" in result.err


def test_drift_exits_with_2_where_there_are_differences(planned_pkcs12):
    assert planned_pkcs12.run("drift", "keystore.yaml").code == 2
    assert planned_pkcs12.apply().code == 0
    assert planned_pkcs12.run("drift", "keystore.yaml").code == 0
    planned_pkcs12.declare(roots(old="old.pem"))
    assert planned_pkcs12.run("drift", "keystore.yaml").code == 2  # unmanaged entries are reported
    planned_pkcs12.declare(roots(old="old.pem") + "aliases: {unmanaged: ignore}\n")
    assert planned_pkcs12.run("drift", "keystore.yaml").code == 0
