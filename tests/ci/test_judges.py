"""Our workflows, the action and what `reconcile init` writes, judged by actionlint, zizmor and the published schemas."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.cli import run
from tests.ci.conftest import SOURCE
from tests.ci.runner import ROOT, git, load
from tests.conftest import program

PROGRAMS = Path(sys.executable).parent
ACTIONS = sorted([ROOT / "action.yml", *(ROOT / "ci").glob("*/action.yml")])
GITLAB_SOURCE = "https://git.example.com/tools/reconcile.git@" + "1234567890" * 4
SOURCES = {"github": SOURCE, "gitlab": GITLAB_SOURCE, "none": SOURCE}
PIN = re.compile(r"^ *(?:- )?uses: (?P<action>[^@\s]+)@(?P<pin>\S+)(?P<version> # v\d+\.\d+\.\d+)?$", re.MULTILINE)


def judge(program: str, *arguments: object, cwd: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run(
        [PROGRAMS / program, *map(str, arguments)], cwd=cwd, capture_output=True, check=False, timeout=120
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def schema(name: str, *files: Path) -> tuple[int, str]:
    return judge("check-jsonschema", "--builtin-schema", f"vendor.{name}", *files)


def started(directory: Path, ci: str, *, source: bool) -> Path:
    given = ["--source", SOURCES[ci]] if source else []
    assert run(["init", str(directory), "--ci", ci, *given]) == 0
    git(directory, "init", "--quiet")
    return directory


@pytest.fixture(params=[True, False], ids=["with a source", "without one"])
def starter(tmp_path, request):
    return started(tmp_path / "starter", "github", source=request.param)


def workflows(starter: Path) -> list[Path]:
    return sorted((starter / ".github" / "workflows").iterdir())


def test_actionlint_finds_nothing_in_our_own_workflows():
    assert judge("actionlint") == (0, "")


def test_zizmor_finds_nothing_in_our_own_workflows_and_actions():
    code, told = judge("zizmor", "--offline", "--no-progress", ".github", *ACTIONS)
    assert code == 0, told


def test_actionlint_finds_nothing_in_what_init_writes(starter):
    assert judge("actionlint", cwd=starter) == (0, "")


def test_zizmor_finds_nothing_in_what_init_writes(starter):
    code, told = judge("zizmor", "--offline", "--no-progress", ".", cwd=starter)
    assert code == 0, told


def test_actions_and_workflows_fit_their_schemas(starter):
    assert schema("github-actions", *ACTIONS)[0] == 0
    assert schema("github-workflows", *workflows(starter))[0] == 0


@pytest.mark.parametrize("source", [True, False])
def test_the_pipeline_for_gitlab_fits_its_schema(tmp_path, source):
    starter = started(tmp_path / "starter", "gitlab", source=source)
    code, told = schema("gitlab-ci", starter / ".gitlab-ci.yml")
    assert code == 0, told
    text = (starter / ".gitlab-ci.yml").read_text()
    assert ('RECONCILE_SOURCE: "https://git.example.com/tools/reconcile.git"' in text) is source


def test_shellcheck_finds_nothing_in_the_installation_and_in_the_scripts_for_gitlab(tmp_path):
    shellcheck = program("shellcheck")
    pipeline = yaml.safe_load((started(tmp_path / "starter", "gitlab", source=False) / ".gitlab-ci.yml").read_text())
    before = pipeline[".reconcile"]["before_script"]
    for name, job in pipeline.items():
        if isinstance(job, dict) and "script" in job:
            (tmp_path / f"{name}.sh").write_text("\n".join(["#!/bin/bash", "set -e", *before, *job["script"], ""]))
    scripts = [ROOT / "ci" / "install", *tmp_path.glob("*.sh")]
    assert len(scripts) == 5
    done = subprocess.run([shellcheck, *scripts], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_the_judges_do_judge(tmp_path):
    starter = started(tmp_path / "starter", "github", source=True)
    file = starter / ".github" / "workflows" / "reconcile-apply.yml"
    good = file.read_text()
    file.write_text(good.replace("needs.plan.outputs.digest", "needs.plan.outputs.digst"))
    assert judge("actionlint", cwd=starter)[0] == 1
    file.write_text(re.sub(r"actions/checkout@\w+", "actions/checkout@v4", good))
    assert judge("zizmor", "--offline", ".", cwd=starter)[0] != 0
    file.write_text(good.replace("timeout-minutes", "timeout-hours"))
    assert schema("github-workflows", file)[0] == 1


def test_every_action_of_others_is_pinned_by_a_whole_commit_with_its_version(starter):
    ours = (SOURCE.partition("@")[0], "RECONCILE/SOURCE")
    found = [match for file in workflows(starter) for match in PIN.finditer(file.read_text())]
    assert len(found) == sum(file.read_text().count("uses:") for file in workflows(starter))
    for match in found:
        assert re.fullmatch("[0-9a-f]{40}", match["pin"])
        assert match["action"].startswith(ours) or match["version"]


def test_the_pins_of_the_starter_are_those_of_our_own_workflow_where_both_have_them(starter):
    own = {match["action"]: match["pin"] for match in PIN.finditer((ROOT / ".github/workflows/ci.yml").read_text())}
    for file in workflows(starter):
        for match in PIN.finditer(file.read_text()):
            assert own.get(match["action"], match["pin"]) == match["pin"]


def test_jobs_that_see_a_secret_cannot_write_and_jobs_that_write_see_none(starter):
    for file in workflows(starter):
        workflow = load(file)
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            sees = "secrets." in str(job["steps"])
            writes = "write" in job["permissions"].values()
            assert not (sees and writes), file


def test_what_writes_a_keystore_is_one_at_a_time_and_is_never_cancelled(starter):
    applying = {
        name: job
        for file in workflows(starter)
        for name, job in load(file)["jobs"].items()
        if any(step.get("with", {}).get("command") == "apply" for step in job["steps"])
    }
    assert set(applying) == {"apply", "keystore"}
    for job in applying.values():
        assert job["concurrency"] == {"group": "reconcile-keystore", "cancel-in-progress": False}
        assert job["environment"]


def test_no_expression_stands_in_shell_text_of_the_actions():
    for action in ACTIONS:
        for step in load(action)["runs"]["steps"]:
            assert "${{" not in step["run"], action


def test_the_hooks_for_pre_commit_are_what_it_takes():
    assert judge("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml") == (0, "")


def test_the_hook_lets_a_good_state_file_pass_and_stops_a_bad_one(tmp_path, monkeypatch):
    starter = started(tmp_path / "starter", "none", source=False)
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{PROGRAMS}:{os.environ['PATH']}")
    git(starter, "add", "-A")
    arguments = ("try-repo", ROOT, "reconcile-validate-installed", "--all-files", "--verbose")
    code, told = judge("pre-commit", *arguments, cwd=starter)
    assert code == 0, told
    assert "keystore.yaml: valid" in told
    (starter / "keystore.yaml").write_text("apiVersion: reconciler/v1\nkeystor: {}\n")
    code, told = judge("pre-commit", *arguments, cwd=starter)
    assert code == 1
    assert "did you mean `keystore`?" in told


class TestTheImage:
    LINES = (ROOT / "Dockerfile").read_text().splitlines()

    def of(self, word: str) -> list[str]:
        return [line.removeprefix(f"{word} ") for line in self.LINES if line.startswith(f"{word} ")]

    def test_it_runs_as_somebody_who_is_not_root(self):
        assert int(self.of("USER")[-1]) > 0
        assert self.LINES.index(f"USER {self.of('USER')[-1]}") > max(
            number for number, line in enumerate(self.LINES) if line.startswith("FROM ")
        )

    def test_its_packages_are_held_to_their_hashes(self):
        for name in ("run", "build"):
            assert f"--require-hashes -r /source/requirements/{name}.txt" in "\n".join(self.LINES)
        assert "--no-build-isolation" in "\n".join(self.LINES)

    def test_its_base_has_a_version_and_names_no_registry(self):
        for base in self.of("FROM"):
            assert re.fullmatch(r"python:3\.\d+-slim(@sha256:[0-9a-f]{64})?( AS \w+)?", base)

    def test_what_it_copies_is_there_and_is_let_in(self):
        let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        copied = {name for line in self.of("COPY") if "--from" not in line for name in line.split()[:-1]}
        assert copied == let_in
        for name in copied - {"reconciler"}:  # away where the tests run on the wheel
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
def test_what_init_writes_is_a_valid_repository(tmp_path, monkeypatch, ci, capsys):
    monkeypatch.chdir(started(tmp_path / "starter", ci, source=False))
    assert run(["validate", "keystore.yaml"]) == 0
    assert Path(".gitignore").read_text().startswith("# Live keystores")
    assert Path(".github").exists() is (ci == "github")
    assert Path(".gitlab-ci.yml").exists() is (ci == "gitlab")
    assert ("comes from" in capsys.readouterr().out) is (ci != "none")


@pytest.mark.parametrize(
    ("ci", "source"),
    [
        ("github", "somebody/reconcile"),
        ("github", "somebody/reconcile@v1"),
        ("github", "somebody/reconcile@1234567"),
        ("github", GITLAB_SOURCE),
        ("github", "a/b@" + "1" * 40 + "\n    run: id"),
        ("gitlab", SOURCE),
        ("gitlab", 'https://x" ; id; "@' + "1" * 40),
        ("gitlab", "http://git.example.com/r@" + "1" * 40),
    ],
)
def test_a_source_that_is_no_place_with_a_whole_commit_is_refused(tmp_path, capsys, ci, source):
    assert run(["init", str(tmp_path / "starter"), "--ci", ci, "--source", source]) == 1
    assert "hint: give " in capsys.readouterr().err
    assert not (tmp_path / "starter").exists()


def test_the_source_is_in_all_places_and_the_remark_about_it_is_gone(tmp_path):
    starter = started(tmp_path / "starter", "github", source=True)
    for file in workflows(starter):
        text = file.read_text()
        assert SOURCE.partition("@")[0] in text
        assert "RECONCILE/SOURCE" not in text
