"""A small runner for GitHub workflows: the real YAML, the real scripts, and bare parts for what GitHub does itself.

It knows what our workflows use: jobs with `needs`, `if`, `outputs`, `permissions`, `environment`; composite actions;
checkout, artifacts and the upload of SARIF as stand-ins; the expressions that occur.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.ci.forge import REPOSITORY, ForgeServer

ROOT = Path(__file__).parent.parent.parent
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"'[^']*'|&&|\|\||!=|==|!|[A-Za-z_][\w-]*(?:\.[\w-]+)*(?:\(\))?|[()]|\s+")
_KEPT = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")"}


def load(path: Path) -> dict[str, Any]:
    """A workflow or an action; YAML 1.1 takes the key `on` for a boolean."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in document.items()}


@dataclass
class Job:
    """What became of a job."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    exit_codes: list[int] = field(default_factory=list)


@dataclass
class Runner:
    """Runs the workflows of a repository whose server is a bare directory."""

    origin: Path
    work: Path
    server: ForgeServer
    secrets: Mapping[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    sarif: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)

    def run(self, name: str, event_name: str, sha: str, event: dict[str, Any] | None = None,
            inputs: dict[str, str] | None = None, *, from_fork: bool = False,
            branch: str = "main") -> dict[str, Job]:  # fmt: skip
        """Run the workflow `name` as it stands in a commit; what became of its jobs."""
        checkout = self._clone(sha)
        workflow = load(checkout / ".github" / "workflows" / name)
        assert event_name in workflow["on"]
        # A scheduled run has neither repository nor branch in its event.
        event = {} if event_name == "schedule" else {"repository": {"default_branch": "main"}, **(event or {})}
        if "pull_request" in event:
            branch = f"{event['pull_request']['number']}/merge"
        github = {
            "event_name": event_name, "repository": REPOSITORY, "sha": sha, "event": event,
            "ref_name": branch, "ref_type": "branch",
        }  # fmt: skip
        run = _Run(self, workflow, github, inputs or {}, self._fresh("artifacts"), from_fork)
        return run.all()

    def _fresh(self, name: str) -> Path:
        path = self.work / f"{name}-{secrets.token_hex(4)}"
        path.mkdir(parents=True)
        return path

    def _clone(self, sha: str) -> Path:
        path = self._fresh("checkout")
        git(path, "clone", "--quiet", "--no-checkout", str(self.origin), ".")
        git(path, "checkout", "--quiet", sha)
        return path


@dataclass
class _Run:
    runner: Runner
    workflow: dict[str, Any]
    github: dict[str, Any]
    inputs: dict[str, str]
    artifacts: Path
    from_fork: bool
    jobs: dict[str, Job] = field(default_factory=dict)

    def all(self) -> dict[str, Job]:
        for name, job in self.workflow["jobs"].items():
            self.jobs[name] = self._job(name, job)
        return self.jobs

    def _job(self, name: str, job: dict[str, Any]) -> Job:
        needs = job.get("needs", [])
        needed = {one: self.jobs[one] for one in ([needs] if isinstance(needs, str) else needs)}
        condition = str(job.get("if", "true"))
        context = {
            "github": self.github, "inputs": self.inputs, "vars": {},
            "needs": {one: {"result": it.result, "outputs": it.outputs} for one, it in needed.items()},
        }  # fmt: skip
        well = all(it.result == "success" for it in needed.values())
        if not (well or "cancelled()" in condition) or not truth(condition, context):
            return Job("skipped")
        assert job["timeout-minutes"]
        if name in self.runner.before:
            self.runner.before[name]()
        if "environment" in job:
            self.runner.environments.append(job["environment"])
        return _JobRun(self, job, context).result()


class _JobRun:
    """One job on a machine of its own: a workspace, a temporary directory, a token with the job's permissions."""

    def __init__(self, run: _Run, job: dict[str, Any], context: dict[str, Any]) -> None:
        runner = run.runner
        self.run, self.job, self.done = run, job, Job("success")
        self.workspace, self.temp = runner._fresh("workspace"), runner._fresh("temp")
        # The environment of the program is made once for the tests, as `ci/install` would make it.
        (self.temp / "reconcile-venv").symlink_to(Path(sys.executable).parent.parent)
        (self.temp / "reconcile-venv.installed").touch()
        permissions = {} if run.from_fork else job.get("permissions", run.workflow["permissions"])
        token = secrets.token_hex(16)
        runner.server.forge.tokens[token] = permissions
        hidden = {} if run.from_fork else dict(runner.secrets)
        self.context = {
            **context, "runner": {"temp": str(self.temp)}, "steps": {}, "secrets": hidden,
            "github": {**run.github, "token": token},
        }  # fmt: skip

    def result(self) -> Job:
        for step in self.job["steps"]:
            condition = str(step.get("if", "true"))
            if self.done.result == "failure" and "cancelled()" not in condition:
                continue
            if truth(condition, self.context) and self._step(step) and not step.get("continue-on-error"):
                self.done.result = "failure"
        self.done.outputs = {name: fill(text, self.context) for name, text in self.job.get("outputs", {}).items()}
        return self.done

    def _step(self, step: dict[str, Any]) -> int:
        given = {name: fill(text, self.context) for name, text in step.get("with", {}).items()}
        environment = {name: fill(text, self.context) for name, text in step.get("env", {}).items()}
        uses, _, pin = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", pin)
        owner_and_name, path = "/".join(uses.split("/")[:2]), "/".join(uses.split("/")[2:])
        stand_in = {
            "actions/checkout": self._checkout,
            "actions/upload-artifact": self._upload,
            "actions/download-artifact": self._download,
            "github/codeql-action": self._sarif,
        }.get(owner_and_name)
        if stand_in is not None:
            return stand_in(given)
        code, outputs = self._composite(ROOT / path, given, environment)
        if "id" in step:
            self.context["steps"][step["id"]] = {"outputs": outputs}
        return code

    def _checkout(self, given: dict[str, str]) -> int:
        assert given["persist-credentials"] is False
        self.workspace = self.run.runner._clone(self.run.github["sha"])
        return 0

    def _upload(self, given: dict[str, str]) -> int:
        source = Path(given["path"])
        if not source.is_dir():
            return int(given.get("if-no-files-found") == "error")
        shutil.copytree(source, self.run.artifacts / given["name"])
        return 0

    def _download(self, given: dict[str, str]) -> int:
        source = self.run.artifacts / given["name"]
        if not source.is_dir():
            return 1
        shutil.copytree(source, given["path"])
        return 0

    def _sarif(self, given: dict[str, str]) -> int:
        file = Path(given["sarif_file"])
        self.run.runner.sarif.append(file.read_text(encoding="utf-8") if file.exists() else "")
        return int(not file.exists())

    def _composite(self, directory: Path, given: dict[str, str], environment: dict[str, str]) -> Any:
        action = load(directory / "action.yml")
        assert set(given) <= set(action["inputs"]), "an input that the action does not have"
        inputs = {}
        for name, about in action["inputs"].items():
            assert name in given or "default" in about or not about.get("required"), f"{name} is missing"
            inputs[name] = given.get(name, fill(about.get("default", ""), self.context))
        inner = {"inputs": inputs, "steps": {}, "runner": self.context["runner"], "github": self.context["github"]}
        for step in action["runs"]["steps"]:
            assert "${{" not in step["run"], "nothing is put into shell text"
            own = {name: fill(text, inner) for name, text in step.get("env", {}).items()}
            code, outputs = self._shell(step["run"], directory, {**environment, **own})
            inner["steps"][step.get("id", "")] = {"outputs": outputs}
            if code:
                break
        return code, {name: fill(about["value"], inner) for name, about in action.get("outputs", {}).items()}

    def _shell(self, script: str, directory: Path, environment: dict[str, str]) -> tuple[int, dict[str, str]]:
        output, summary = self.temp / "output", self.temp / "summary"
        output.write_text(""), summary.write_text("")
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        given = {
            **inherited, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(directory),
            "GITHUB_API_URL": self.run.runner.server.address, "GITHUB_SERVER_URL": self.run.runner.server.address,
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": self.run.github["sha"], "GITHUB_RUN_ID": "4711",
            "GITHUB_REF_NAME": self.run.github["ref_name"],
            "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "RUNNER_TEMP": str(self.temp),
            "GITHUB_WORKSPACE": str(self.workspace), **self.run.runner.environment, **environment,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=self.workspace, env=given,
            capture_output=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.done.log += done.stdout.decode() + done.stderr.decode()
        self.done.summary += summary.read_text(encoding="utf-8")
        self.done.exit_codes.append(done.returncode)
        return done.returncode, outputs_of(output.read_text(encoding="utf-8"))


def outputs_of(text: str) -> dict[str, str]:
    """What a step wrote into its file of outputs."""
    found = {}
    while text:
        head, _, text = text.partition("\n")
        name, _, delimiter = head.partition("<<")
        value, _, text = text.partition(f"\n{delimiter}\n")
        found[name] = value
    return found


def fill(text: Any, context: Mapping[str, Any]) -> Any:
    """A value with its expressions evaluated."""
    if not isinstance(text, str):
        return text
    return _EXPRESSION.sub(lambda found: str(evaluate(found[1], context)), text)


def truth(condition: str, context: Mapping[str, Any]) -> bool:
    """A condition, with or without the braces."""
    found = _EXPRESSION.fullmatch(condition.strip())
    return bool(evaluate(found[1] if found else condition, context))


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """An expression in Python's words."""
    words, rest = [], expression.strip()
    while rest:
        found = _TOKEN.match(rest)
        assert found, f"what does {rest!r} mean?"
        word, rest = found[0], rest[found.end() :]
        words.append(_KEPT.get(word) or _word(word, context))
    return eval("".join(words), {"__builtins__": {}})


def _word(word: str, context: Mapping[str, Any]) -> str:
    if word.startswith("'") or word.isspace():
        return word
    if word in {"true", "false"}:
        return word.title()
    if word == "cancelled()":
        return "False"
    value: Any = context
    for part in word.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return repr(value)


def git(directory: Path, *arguments: str) -> str:
    """Run git as a person of no configuration."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=directory, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()
