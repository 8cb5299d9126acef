"""`examples/cloud-integration`: the commands of its README, as they stand there, do what it says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
EXAMPLE = TOP / "examples" / "cloud-integration"
# The port of the README may be taken on this machine.
PORT = "8443"


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture
def commands(tmp_path: Path) -> list[str]:
    """The commands of the README in a copy of the repository that they may write into."""
    port = _free_port()
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "cloud-integration",
                    ignore=shutil.ignore_patterns("emulator", "requests"))  # fmt: skip
    for file in (tmp_path / "examples" / "cloud-integration").glob("*.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace(PORT, port), encoding="utf-8")
    (tmp_path / "tests").symlink_to(TOP / "tests")
    blocks = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line.replace(PORT, port) for block in blocks for line in block.splitlines()]


@pytest.fixture
def environ() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ} | {
        "PATH": path, "PYTHONPATH": str(TOP),
    }  # fmt: skip


@pytest.fixture
def emulator(commands: list[str], environ: dict[str, str], tmp_path: Path) -> Iterator[None]:
    command = ["exec " + commands[0]]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, shell=True, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any(line.startswith("# ready") for line in running.stdout)
        yield
        running.terminate()


@pytest.mark.usefixtures("emulator")
def test_the_readmes_commands_work_as_a_new_user_types_them(
    commands: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    export = commands[1]
    said = {}
    for command in commands[2:]:
        done = subprocess.run(
            f"{export}\n{command}", cwd=tmp_path, env=environ, shell=True, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said.setdefault(command, []).append(done.stdout)

    plan, empty = said["reconcile plan examples/cloud-integration"][0], said[
        "reconcile plan examples/cloud-integration --detailed-exitcode"
    ][0]  # fmt: skip
    assert "s4_client" in plan
    assert "Digest" not in empty
    first, second = said["reconcile apply examples/cloud-integration --yes"]
    assert "24 hours" in first
    assert "24 hours" not in second
    assert "a new SAP key waits" in said["reconcile list examples/cloud-integration/prod.yaml"][0]
    drift = subprocess.run(
        f"{export}\nreconcile drift examples/cloud-integration",
        cwd=tmp_path, env=environ, shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert drift.returncode == 2
    assert (tmp_path / "examples/cloud-integration/requests/prod/bank_client.csr").exists()
