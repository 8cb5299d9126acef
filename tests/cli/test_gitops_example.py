"""`examples/gitops`: the commands of its README, as they stand there, in a copy; and the pictures of its report."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import run
from tests.documentation.pages import REPOSITORY
from tests.documentation.screenshots import IMAGES, MOST_BYTES, NAMES

EXAMPLE = REPOSITORY / "examples" / "gitops"
KINDS = {"integration": "pkcs12", "legacy": "jceks", "shop": "jks"}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The example after all commands of its README, and what each of them ended with."""
    directory = tmp_path_factory.mktemp("gitops")
    (directory / ".git").mkdir()  # paths of state files stay inside the repository
    copy = directory / "examples" / "gitops"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("live", "requests", "reports", ".git"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(directory)}
    ends = []
    for block in re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("cd "):
                directory /= line.removeprefix("cd ")
                continue
            done = subprocess.run(
                line, shell=True, cwd=directory, env=environment, capture_output=True, text=True, check=False
            )
            ends.append((line, done.returncode, done.stdout, done.stderr))
    return copy, ends


def test_the_commands_of_the_readme_end_as_they_should(played):
    _, ends = played

    assert [code for _, code, _, _ in ends] == [0, 0, 0, 2], ends
    assert all(err == "" for _, _, _, err in ends), ends


def test_the_demo_writes_every_report_of_plan_and_drift(played):
    copy, _ = played
    suffixes = {"txt", "md", "html", "json", "sarif", "xml", "prom", "ics"}

    names = {path.name for path in (copy / "reports").iterdir()} - {"plan.json"}
    assert names | {"plan.json"} == {f"{command}.{suffix}" for command in ("plan", "drift") for suffix in suffixes}


def test_there_is_one_keystore_of_each_kind_and_all_have_drift(played):
    copy, _ = played
    targets = json.loads((copy / "reports" / "drift.json").read_text(encoding="utf-8"))["targets"]

    assert {Path(target["state"]).stem: target["type"] for target in targets} == KINDS
    found = {finding["status"] for target in targets for finding in target["findings"]}
    assert found >= {"missing", "differs", "unmanaged", "protected", "accepted", "awaiting-signature", "in-sync"}


def test_after_the_apply_only_what_nobody_declared_and_a_signature_is_left(played):
    _, ends = played
    drift = ends[-1][2]

    assert "Not declared" in drift
    assert "awaiting" in drift or "the signing request" in drift
    assert "Missing" not in drift
    assert "Changed" not in drift


@pytest.mark.parametrize("directory", [EXAMPLE, EXAMPLE.parent])
def test_whoever_gives_the_whole_directory_gets_a_fleet(directory, capsys):
    assert run(["validate", str(directory)]) == 0
    assert "keystores/shop.yaml: valid" in capsys.readouterr().out


def test_the_example_says_nothing_of_this_machine():
    for path in EXAMPLE.rglob("*"):
        if path.is_file() and path.suffix in {".yaml", ".yml", ".state", ".md", ".py"}:
            assert str(REPOSITORY) not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", NAMES)
def test_each_picture_is_there_small_and_shown_in_the_readme(name):
    content = (IMAGES / name).read_bytes()
    width, height = struct.unpack(">II", content[16:24])

    assert content.startswith(b"\x89PNG")
    assert len(content) < MOST_BYTES
    assert (width, height) == ((390, 844) if "phone" in name else (1280, 900))
    assert f"docs/images/{name}" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
