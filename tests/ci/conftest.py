"""A repository that `reconcile init` made, with a bare one as its server, a forge, and a runner."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import run
from tests.ci.forge import REPOSITORY, Forge, ForgeServer
from tests.ci.runner import ROOT, Job, Runner, git
from tests.cli.pki import authority
from tests.cli.repository import Repository

PASSWORD = "changeit"
SOURCE = "somebody/reconcile@" + "1234567890" * 4

STATE = """\
apiVersion: reconciler/v1
keystore: {{type: pkcs12, path: {live}, password: {{env: KEYSTORE_PASSWORD}}, create: true}}
trustedRoots:
  isrg_root_x1:
    bundle: mozilla
    sha256: "96:BC:EC:06:26:49:76:F3:74:60:77:9A:CF:28:C5:A7:CF:E8:A3:C0:AA:E1:1A:8F:FC:EE:05:C0:BD:DF:08:C6"
"""
DIGICERT = """\
  digicert_global_root_g2:
    bundle: mozilla
    sha256: "CB:3C:CB:B7:60:31:E5:E0:13:8F:8D:D3:9A:23:F9:DE:47:FF:C3:5E:43:C1:14:4C:EA:27:D4:6A:5A:B1:CB:5F"
"""
CLIENTS = """\
keyPairs:
  own_client:
    key: {algorithm: EC, curve: secp256r1}
    subject: {commonName: own.example.com}
    validity: 90d
    renewBefore: 30d
  outside_client:
    key: {algorithm: EC, curve: secp256r1}
    subject: {commonName: outside.example.com}
    issuer: {type: external}
"""


@dataclass
class Project:
    """A developer's clone, the server's repository, and the keystore on a volume that the runner has."""

    clone: Path
    origin: Path
    live: Path
    runner: Runner
    forge: Forge
    place: Repository

    def write_state(self, more: str = "") -> None:
        (self.clone / "keystore.yaml").write_text(STATE.format(live=self.live) + more, encoding="utf-8")

    def push(self, branch: str, message: str = "A change") -> str:
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "--quiet", "--allow-empty", "-m", message)
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.clone, "rev-parse", "HEAD")

    def propose(self, more: str, branch: str = "change") -> dict[str, Any]:
        """A branch with another state file, and its pull request."""
        git(self.clone, "checkout", "--quiet", "-B", branch, "origin/main")
        self.write_state(more)
        return self.forge.add_pull(branch, self.push(branch))

    def check(self, pull: dict[str, Any], *, fork: bool = False) -> dict[str, Job]:
        """The workflow of a pull request, on its merge into main."""
        git(self.clone, "checkout", "--quiet", "-B", "merged", "origin/main")
        git(self.clone, "merge", "--quiet", "--no-ff", "-m", "Merge into main", pull["head"]["sha"])
        sha = self.push(f"pull-{pull['number']}-merge")
        whose = "stranger/keystores" if fork else REPOSITORY
        head = {**pull["head"], "repo": {"full_name": whose}}
        event = {"pull_request": {**pull, "head": head, "user": {"login": "dev"}}}
        return self.runner.run("reconcile-pull-request.yml", "pull_request", sha, event, from_fork=fork)

    def merge(self, pull: dict[str, Any]) -> str:
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "-B", "main", "origin/main")
        git(self.clone, "merge", "--quiet", "--no-ff", "-m", f"Merge #{pull['number']}", pull["head"]["sha"])
        sha = self.push("main", f"Merge #{pull['number']}")
        pull.update(state="closed", merged_at="2026-01-01T00:00:00Z", merge_commit_sha=sha)
        return sha

    def merged(self, sha: str, **inputs: str) -> dict[str, Job]:
        """The workflow that applies: after a push to main, or by hand with inputs."""
        event = "workflow_dispatch" if inputs else "push"
        return self.runner.run("reconcile-apply.yml", event, sha, inputs=inputs)

    def night(self, days: int = 0) -> dict[str, Job]:
        """The nightly workflow, so many days from now."""
        if days:
            self.runner.environment["PYTHONPATH"] = str(Path(__file__).parent / "clock")
            self.runner.environment["CLOCK_AHEAD_DAYS"] = str(days)
        sha = git(self.origin, "rev-parse", "main")
        return self.runner.run("reconcile-nightly.yml", "schedule", sha)

    def by_hand(self, body: str) -> None:
        """Somebody changes the keystore past git, by a state file of his own."""
        self.place.write("root.pem", authority("By hand").pem)
        keystore = f"{{type: pkcs12, path: {self.live}, password: {{env: STORE_PASSWORD}}, create: true}}"
        self.place.write("keystore.yaml", f"apiVersion: reconciler/v1\nkeystore: {keystore}\n{body}")
        done = self.place.apply("--allow-mass-change")
        assert done.code == 0, done.err

    def entries(self) -> set[str]:
        """The aliases in the keystore."""
        listed = self.place.run("list", str(self.live), "--password-env", "STORE_PASSWORD", "--format", "json")
        return {entry["alias"] for entry in listed.document["entries"]}

    def comments(self, pull: dict[str, Any]) -> list[str]:
        return [comment["body"] for comment in self.forge.comments.get(pull["number"], [])]


@pytest.fixture
def server():
    with ForgeServer() as running:
        yield running


@pytest.fixture
def project(tmp_path, server):
    """After its first commit: nothing is applied yet."""
    origin, clone, live = tmp_path / "origin.git", tmp_path / "clone", tmp_path / "volume" / "outbound.p12"
    live.parent.mkdir()
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare")
    assert run(["init", str(clone), "--source", SOURCE]) == 0
    git(clone, "init", "--quiet")
    git(clone, "remote", "add", "origin", str(origin))
    runner = Runner(origin, tmp_path / "runner", server, {"KEYSTORE_PASSWORD": PASSWORD})
    made = Project(clone, origin, live, runner, server.forge, Repository(tmp_path / "by-hand"))
    made.write_state()
    made.push("main", "The beginning")
    git(clone, "fetch", "--quiet", "origin")
    return made


@pytest.fixture
def applied(project):
    """What main says is in the keystore."""
    project.by_hand(STATE.partition("trustedRoots:")[2].join(("trustedRoots:", "")))
    assert project.entries() == {"isrg_root_x1"}
    return project


@pytest.fixture
def scripts(monkeypatch):
    """The directory of the scripts, importable."""
    monkeypatch.syspath_prepend(str(ROOT / "ci"))
    before = set(sys.modules)
    yield ROOT / "ci"
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "ci")):
            del sys.modules[name]
