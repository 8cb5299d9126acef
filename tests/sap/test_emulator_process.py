"""The emulator on its own, as its README says to start it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.keystores.sap.client import open_reader, open_writer
from reconciler.secret import Secret

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(tmp_path):
    command = [sys.executable, "-m", "tests.sap.emulator", "--port", "0", "--directory", str(tmp_path / "e"),
               "--tenant", "default", "--tenant", "prod", "--entries", "3", "--switch", "page_size=2",
               "--switch", "csrf=always", "--switch", "gzip"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if "ready" in line:
            break
    yield process, lines, tmp_path / "e"
    process.stdout.close()
    if process.poll() is None:
        process.kill()
    process.wait()


def test_it_starts_says_what_to_type_and_ends_on_a_signal(started):
    process, lines, directory = started
    exports = dict(
        shlex.split(line.removeprefix("export "))[0].partition("=")[::2] for line in lines if line.startswith("export")
    )
    environ = {"RECONCILE_CA_FILE": exports["RECONCILE_CA_FILE"]}
    for name in ("default", "prod"):
        file = directory / f"{name}-service-key.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key = file.read_text()
        url = json.loads(key)["oauth"]["url"]
        assert any(line.startswith(f"# {name}: {url} ") for line in lines)
        reader, writer = open_writer(url, {"serviceKey": Secret(key)}, environ)
        assert len(reader.entries()) == 8
        writer.delete("partner_root")
        assert len(open_reader(url, {"serviceKey": Secret(key)}, environ).entries()) == 7
        reader.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_switch_that_does_not_exist_is_named(tmp_path):
    command = [sys.executable, "-m", "tests.sap.emulator", "--switch", "nonsense=1", "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "page_size" in done.stderr


def test_the_readme_names_every_switch():
    from dataclasses import fields

    from tests.sap.emulator import Switches

    named = set(
        re.findall(r"^\| `(\w+)`", (Path(__file__).parent / "emulator" / "README.md").read_text(), re.MULTILINE)
    )
    assert {field.name for field in fields(Switches)} <= named
