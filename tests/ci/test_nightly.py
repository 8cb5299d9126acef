"""The nightly workflow: renewals, requests in a pull request, and one issue that opens, changes and closes."""

from __future__ import annotations

import re

from cryptography import x509

from tests.ci.conftest import CLIENTS, STATE, Project
from tests.ci.runner import git

REQUEST = "requests/keystore/outside_client.csr"
BRANCH = "reconcile/signing-requests"


def declare(project: Project, more: str) -> None:
    git(project.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    project.write_state(more)
    project.push("main")


def open_issues(project: Project) -> list[str]:
    return [issue["body"] for issue in project.forge.issues if issue["state"] == "open"]


def not_after(project: Project, alias: str) -> str:
    shown = project.place.run("show", str(project.live), alias, "--password-env", "STORE_PASSWORD")
    return re.search(r"valid until (\S+)", shown.out)[1]


def on_branch(project: Project) -> str:
    return git(project.origin, "show", f"{BRANCH}:{REQUEST}")


def test_a_quiet_night_writes_nothing_anywhere(applied):
    before = applied.live.read_bytes()
    assert {job.result for job in applied.night().values()} == {"success"}
    assert applied.live.read_bytes() == before
    assert applied.forge.writes == []
    assert git(applied.origin, "branch", "--list", BRANCH) == ""


def test_what_differs_is_one_issue_that_is_updated_and_closed_when_all_is_well(applied):
    for number in range(3):  # so that ours is not on the first page
        applied.forge.issues.append(
            {"number": 900 + number, "state": "open", "body": "Something else", "user": {"login": "dev"}}
        )
    applied.by_hand("trustedRoots:\n  by_hand: {file: root.pem}\n")
    applied.night()
    applied.night()
    [body] = open_issues(applied)[3:]
    assert "by_hand" in body
    assert applied.forge.writes == ["POST /repos/acme/keystores/issues"], "the second night had nothing to add"

    applied.by_hand("aliases: {absent: [isrg_root_x1]}\n")
    applied.night()
    [body] = open_issues(applied)[3:]
    assert "isrg_root_x1" in body

    applied.by_hand("aliases: {absent: [by_hand]}\n" + STATE[STATE.index("trustedRoots:") :])
    applied.night()
    assert len(open_issues(applied)) == 3
    [ours] = [issue for issue in applied.forge.issues if issue["number"] < 900]
    assert ours["state_reason"] == "completed"
    assert "as declared again" in applied.comments({"number": ours["number"]})[0]


def test_only_what_is_due_is_renewed_at_night(applied):
    declare(applied, CLIENTS)
    applied.place.write("keystore.yaml", STATE.format(live=applied.live).replace("KEYSTORE_", "STORE_") + CLIENTS)
    assert applied.place.apply().code == 0
    end = not_after(applied, "own_client")
    request = (applied.place.directory / REQUEST).read_bytes()
    (applied.clone / REQUEST).parent.mkdir(parents=True)
    (applied.clone / REQUEST).write_bytes(request)
    applied.push("main", "The request")

    declare(applied, CLIENTS.replace("own.example.com", "other.example.com"))
    applied.night()
    assert not_after(applied, "own_client") == end, "a wish of the state file is not for the night"
    declare(applied, CLIENTS)
    jobs = applied.night(days=70)
    assert jobs["keystore"].result == "success", jobs["keystore"].log
    assert not_after(applied, "own_client") > end, jobs["keystore"].log


def test_a_new_signing_request_is_proposed_once_in_a_pull_request(applied):
    declare(applied, CLIENTS)
    sha = git(applied.origin, "rev-parse", "main")
    digest = applied.merged(sha, digest="")["plan"].outputs["digest"]
    jobs = applied.merged(sha, digest=digest)
    assert {job.result for job in jobs.values()} == {"success"}, jobs["requests"].log
    [pull] = applied.forge.pulls
    assert pull["head"]["ref"] == BRANCH
    assert "/pulls" in applied.forge.writes[-1]
    request = x509.load_pem_x509_csr(on_branch(applied).encode())
    assert request.subject.rfc4514_string() == "CN=outside.example.com"
    assert git(applied.origin, "diff", "--name-only", f"main..{BRANCH}") == REQUEST, "and nothing else is committed"

    commit = git(applied.origin, "rev-parse", BRANCH)
    jobs = applied.night()
    assert "report.md" not in jobs["requests"].log
    assert git(applied.origin, "rev-parse", BRANCH) == commit, "the same request again is no news"
    assert len(applied.forge.pulls) == 1

    git(applied.origin, "update-ref", "refs/heads/main", BRANCH)
    jobs = applied.night()
    assert "no new signing requests" in jobs["requests"].log
    assert git(applied.origin, "rev-parse", BRANCH) == commit


def test_a_night_that_could_not_read_the_keystore_is_told_in_the_issue(applied):
    applied.live.write_bytes(b"no keystore at all")
    jobs = applied.night()
    assert {name: job.result for name, job in jobs.items()} == {
        "keystore": "failure", "issue": "success", "requests": "success",
    }  # fmt: skip
    [body] = open_issues(applied)
    assert "outbound.p12" in body


def test_a_night_that_did_not_get_to_its_end_is_told_in_the_issue(applied):
    def lost() -> None:
        for path in applied.runner.work.glob("artifacts-*/nightly"):
            path.rename(path.with_name("lost"))

    applied.runner.before["issue"] = lost
    applied.night()
    [body] = open_issues(applied)
    assert "did not get to its end" in body
