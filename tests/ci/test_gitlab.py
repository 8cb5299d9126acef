"""The pipeline for GitLab: its scripts, job by job, against a loopback address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import run
from tests.ci.conftest import CLIENTS, DIGICERT, PASSWORD, Project
from tests.ci.runner import ROOT, git

TOKEN = "glpat-of-the-project"


class Pipeline:
    """Runs the `script` of a job as GitLab's runner does: each line in turn, and the first that fails ends it."""

    def __init__(self, project: Project, address: str) -> None:
        self.project, self.address = project, address
        starter = project.clone.parent / "gitlab"
        assert run(["init", str(starter), "--ci", "gitlab"]) == 0
        self.jobs: dict[str, Any] = yaml.safe_load((starter / ".gitlab-ci.yml").read_text())

    def run(self, name: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        job = self.jobs[name]
        # The rest of `before_script` fetches and installs the program, which is here already.
        [function] = [line for line in self.jobs[".reconcile"]["before_script"] if line.startswith("run()")]
        lines = [function, 'export RECONCILE_CI_STATES="$RECONCILE_STATES"', *job["script"]]
        given = {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CI": "true", "GITLAB_CI": "true",
            "RECONCILE_HOME": str(ROOT), "RECONCILE_CI_VENV": str(Path(sys.executable).parent.parent),
            "RECONCILE_STATES": "keystore.yaml", "KEYSTORE_PASSWORD": PASSWORD, "CI_API_V4_URL": self.address,
            "CI_PROJECT_ID": "1", "CI_DEFAULT_BRANCH": "main", "CI_SERVER_URL": self.address,
            "CI_COMMIT_SHA": git(self.project.clone, "rev-parse", "HEAD"), **variables,
        }  # fmt: skip
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(lines)], cwd=self.project.clone, env=given,
            capture_output=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def has(self, path: str) -> bool:
        return (self.project.clone / path).is_file()

    def artifacts_of(self, name: str) -> list[str]:
        given = self.jobs[name]["artifacts"]
        return [*given["paths"], *given["reports"].values()]


@pytest.fixture
def pipeline(applied, server):
    server.forge.tokens[TOKEN] = {"api": "write"}
    return Pipeline(applied, server.address)


def test_a_merge_request_gets_one_note_and_its_reports(pipeline):
    project = pipeline.project
    project.write_state(DIGICERT)
    variables = {"CI_MERGE_REQUEST_IID": "7", "RECONCILE_TOKEN": TOKEN}
    for _ in range(2):
        done = pipeline.run("plan", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
    [note] = project.forge.comments[7]
    assert "digicert_global_root_g2" in note["body"]
    for path in pipeline.artifacts_of("plan"):
        assert (project.clone / path).exists(), path
    for finding in json.loads((project.clone / "reports/plan/code-quality.json").read_text()):
        assert finding["location"]["path"] == "keystore.yaml"
        assert finding["location"]["lines"]["begin"] > 1
        assert finding["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert finding["fingerprint"]
        assert finding["description"]
    assert TOKEN.encode() not in done.stdout + done.stderr


def test_without_a_token_the_plan_is_made_and_says_why_there_is_no_note(pipeline):
    done = pipeline.run("plan", CI_MERGE_REQUEST_IID="7")
    assert done.returncode == 0
    assert b"RECONCILE_TOKEN is not set" in done.stdout


def test_the_plan_of_the_pipeline_is_applied_and_one_that_is_stale_is_refused(pipeline):
    project = pipeline.project
    project.write_state(DIGICERT)
    assert pipeline.run("plan").returncode == 0
    project.by_hand("aliases: {absent: [isrg_root_x1]}\n")
    before = project.live.read_bytes()
    refused = pipeline.run("apply")
    assert refused.returncode == 4
    assert b"now, not reviewed" in refused.stdout
    assert project.live.read_bytes() == before
    assert pipeline.run("plan").returncode == 0
    assert pipeline.run("apply").returncode == 0
    assert project.entries() == {"isrg_root_x1", "digicert_global_root_g2"}


def test_a_night_renews_reports_and_fails_where_git_and_keystore_differ(pipeline):
    project = pipeline.project
    assert pipeline.run("nightly").returncode == 0
    project.by_hand("trustedRoots:\n  by_hand: {file: root.pem}\n")
    done = pipeline.run("nightly")
    assert done.returncode == 2
    for path in pipeline.artifacts_of("nightly"):
        assert (project.clone / path).exists(), path


def test_signing_requests_are_pushed_with_the_wish_for_a_merge_request(pipeline):
    project = pipeline.project
    git(project.origin, "config", "receive.advertisePushOptions", "true")
    hook = project.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ | sort > options\n")
    hook.chmod(0o755)
    project.write_state(CLIENTS)
    project.push("main")
    assert pipeline.run("plan").returncode == 0
    done = pipeline.run("apply")
    assert done.returncode == 0, done.stdout + done.stderr
    options = (project.origin / "options").read_text()
    assert "=merge_request.create\n" in options
    assert "=merge_request.target=main\n" in options
    assert "outside_client.csr" in git(project.origin, "diff", "--name-only", "main..reconcile/signing-requests")


def test_validation_needs_no_secret(pipeline):
    assert pipeline.run("validate", KEYSTORE_PASSWORD="").returncode == 0
    pipeline.project.write_state("aliases: {absnt: [x]}\n")
    assert pipeline.run("validate", KEYSTORE_PASSWORD="").returncode == 1
