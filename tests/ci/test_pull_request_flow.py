"""From a branch to an applied keystore: the workflows of `reconcile init`, run with plain git and loopback parts."""

from __future__ import annotations

import re
from typing import Any

from tests.ci.conftest import CLIENTS, DIGICERT, PASSWORD, STATE, Project
from tests.ci.runner import Job, git

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def results(jobs: dict[str, Job]) -> dict[str, str]:
    return {name: job.result for name, job in jobs.items()}


def volume(project: Project) -> dict[str, bytes]:
    """Everything on the volume, locks and backups included."""
    return {str(path): path.read_bytes() for path in sorted(project.live.parent.rglob("*")) if path.is_file()}


def proposed(project: Project, more: str = DIGICERT) -> dict[str, Any]:
    pull = project.propose(more)
    jobs = project.check(pull)
    assert results(jobs) == {"validate": "success", "plan": "success", "report": "success"}
    return pull


def test_a_pull_request_is_planned_merged_and_applied_by_the_digest_that_it_showed(applied):
    before = volume(applied)
    pull = proposed(applied)
    assert volume(applied) == before
    [comment] = applied.comments(pull)
    assert "digicert_global_root_g2" in comment
    digest = DIGEST.search(comment)[0]
    assert comment.count(digest) >= 2, "once for people, once for the merge"

    done = applied.merged(applied.merge(pull))
    assert set(results(done).values()) == {"success"}
    assert done["reviewed"].outputs["digest"] == digest
    assert applied.runner.environments == ["keystore"]
    assert applied.entries() == {"isrg_root_x1", "digicert_global_root_g2"}
    assert "digicert_global_root_g2" in done["apply"].summary


def test_without_a_pull_request_a_person_looks_at_the_plan_and_gives_its_digest(project):
    sha = git(project.origin, "rev-parse", "main")
    shown = project.merged(sha, digest="")
    assert results(shown) == {"plan": "success", "reviewed": "skipped", "apply": "skipped", "requests": "skipped"}
    done = project.merged(sha, digest=DIGEST.search(shown["plan"].summary)[0])
    assert set(results(done).values()) == {"success"}
    assert project.entries() == {"isrg_root_x1"}


def test_a_second_run_after_the_merge_does_nothing(applied):
    sha = applied.merge(proposed(applied))
    applied.merged(sha)
    before = volume(applied)
    again = applied.merged(sha)
    assert results(again) == {"plan": "success", "reviewed": "skipped", "apply": "skipped", "requests": "skipped"}
    assert volume(applied) == before


def test_what_somebody_imported_by_hand_in_between_survives_the_apply(applied):
    sha = applied.merge(proposed(applied))
    applied.by_hand("trustedRoots:\n  by_hand: {file: root.pem}\n")
    assert set(results(applied.merged(sha)).values()) == {"success"}
    assert applied.entries() == {"isrg_root_x1", "digicert_global_root_g2", "by_hand"}


def test_an_entry_removed_between_review_and_merge_is_refused_with_4_and_nothing_is_written(applied):
    pull = proposed(applied)
    applied.by_hand("aliases: {absent: [isrg_root_x1]}\n")
    before = volume(applied)
    done = applied.merged(applied.merge(pull))
    assert results(done) == {"plan": "success", "reviewed": "failure", "apply": "skipped", "requests": "skipped"}
    assert done["reviewed"].exit_codes == [4]
    assert "is not what was reviewed" in done["reviewed"].log
    assert volume(applied) == before


def test_an_entry_removed_while_the_approval_is_waited_for_is_refused_with_4_and_nothing_is_written(applied):
    sha = applied.merge(proposed(applied))
    seen = {}

    def meanwhile() -> None:
        applied.by_hand("aliases: {absent: [isrg_root_x1]}\n")
        seen["volume"] = volume(applied)

    applied.runner.before["apply"] = meanwhile
    done = applied.merged(sha)
    assert results(done)["apply"] == "failure"
    assert done["apply"].exit_codes == [0, 4]
    assert "the plan is stale" in done["apply"].log
    assert volume(applied) == seen["volume"]
    # By hand, with the digest of what is to be done now.
    applied.runner.before.clear()
    digest = DIGEST.search(applied.merged(sha, digest="")["plan"].summary)[0]
    assert set(results(applied.merged(sha, digest=digest)).values()) == {"success"}
    assert applied.entries() == {"isrg_root_x1", "digicert_global_root_g2"}


def test_a_second_push_replaces_the_comment_and_leaves_those_of_others(applied):
    pull = applied.propose(DIGICERT)
    applied.check(pull)
    mark = applied.comments(pull)[0].splitlines()[0]
    applied.forge.comments[pull["number"]].insert(0, {"id": 99, "body": mark + "\nI am it", "user": {"login": "eve"}})
    for number in range(3):
        applied.forge.add_comment(pull["number"], f"Looks good ({number})", "reviewer")
    applied.write_state(DIGICERT + CLIENTS)
    git(applied.clone, "checkout", "--quiet", "-B", "change", pull["head"]["sha"])
    applied.write_state(DIGICERT + CLIENTS)
    pull["head"]["sha"] = applied.push("change")
    applied.check(pull)
    ours = [one for one in applied.forge.comments[pull["number"]] if one["user"]["login"] == "github-actions[bot]"]
    assert len(ours) == 1
    assert "own_client" in ours[0]["body"]
    assert pull["head"]["sha"] in ours[0]["body"]
    assert "I am it" in applied.comments(pull)[0]


def test_a_plan_of_an_older_commit_than_the_merged_one_does_not_count(applied):
    pull = proposed(applied)
    git(applied.clone, "checkout", "--quiet", "-B", "change", pull["head"]["sha"])
    (applied.clone / "later.txt").write_text("not planned any more")
    pull["head"]["sha"] = applied.push("change")
    done = applied.merged(applied.merge(pull))
    assert results(done)["reviewed"] == "failure"
    assert "the plan in pull request" in done["reviewed"].log


def test_a_pull_request_into_another_branch_is_no_review_for_main(applied):
    pull = proposed(applied)
    pull["base"]["ref"] = "playground"
    done = applied.merged(applied.merge(pull))
    assert results(done)["reviewed"] == "failure"
    assert "not the merge of a pull request into main" in done["reviewed"].log


def test_a_comment_that_somebody_else_wrote_is_no_reviewed_plan(applied):
    pull = applied.propose(DIGICERT)
    sha = applied.merge(pull)
    planned = applied.merged(sha)["plan"].outputs["digest"]
    forged = f"<!-- reconcile-ci: plan digest={planned} head={pull['head']['sha']} -->\nAll fine"
    applied.forge.add_comment(pull["number"], forged, "eve")
    done = applied.merged(sha)
    assert results(done)["reviewed"] == "failure"
    assert "shows no plan" in done["reviewed"].log


def test_a_push_without_a_pull_request_is_not_applied(applied):
    git(applied.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    applied.write_state(DIGICERT)
    before = volume(applied)
    done = applied.merged(applied.push("main"))
    assert results(done)["reviewed"] == "failure"
    assert "run this workflow by hand" in done["reviewed"].log
    assert volume(applied) == before


def test_a_digest_given_by_hand_that_is_another_is_refused(applied):
    sha = applied.merge(applied.propose(DIGICERT))
    before = volume(applied)
    done = applied.merged(sha, digest="sha256:" + "0" * 64)
    assert results(done)["reviewed"] == "failure"
    assert volume(applied) == before


def test_nothing_runs_by_hand_on_a_branch_that_is_not_reviewed(applied):
    pull = applied.propose(DIGICERT)
    for workflow in ("reconcile-apply.yml", "reconcile-nightly.yml"):
        inputs = {"digest": "sha256:" + "0" * 64}
        done = applied.runner.run(workflow, "workflow_dispatch", pull["head"]["sha"], inputs=inputs, branch="change")
        assert set(results(done).values()) == {"skipped"}


def test_a_fork_is_validated_and_gets_neither_secret_nor_plan(applied):
    pull = applied.propose(DIGICERT)
    writes = len(applied.forge.writes)
    jobs = applied.check(pull, fork=True)
    assert results(jobs) == {"validate": "success", "plan": "skipped", "report": "skipped"}
    assert len(applied.forge.writes) == writes
    assert "valid" in jobs["validate"].summary


def test_a_mistake_is_an_annotation_at_its_line_and_stops_the_plan(applied):
    pull = applied.propose("aliases: {absnt: [x]}\n")
    jobs = applied.check(pull)
    assert results(jobs) == {"validate": "failure", "plan": "skipped", "report": "skipped"}
    line = STATE.count("\n") + 1
    assert re.search(
        rf"^::error file=keystore.yaml,line={line},col=\d+,title=reconcile%3A ", jobs["validate"].log, re.MULTILINE
    )


def test_the_report_reaches_code_scanning_and_the_summary(applied):
    proposed(applied)
    assert '"version": "2.1.0"' in applied.runner.sarif[-1]


def test_a_plan_that_fails_says_so_in_the_comment_and_cannot_be_applied(applied):
    pull = applied.propose(DIGICERT)
    applied.live.write_bytes(b"no keystore at all")
    jobs = applied.check(pull)
    assert jobs["plan"].result == "failure"
    assert jobs["report"].result == "success"
    [comment] = applied.comments(pull)
    assert "digest=none" in comment.splitlines()[0]


def test_no_password_is_anywhere_in_what_ci_keeps(applied):
    pull = proposed(applied)
    applied.merged(applied.merge(pull))
    kept = [path for path in applied.runner.work.rglob("*") if path.is_file() and "artifacts-" in str(path)]
    assert len(kept) > 10
    for path in kept:
        assert PASSWORD.encode() not in path.read_bytes(), path
