"""The benchmark runs: whoever wants its numbers finds it working."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_it_measures_beside_keytool_and_judges_the_goals(java: str, keytool: str):
    del java, keytool
    command = [sys.executable, "-m", "benchmarks.side_by_side", "--sizes", "12", "--rounds", "1"]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "| 12 | jks |" in done.stdout
    assert "| 12 | pkcs12 |" in done.stdout
    assert "`--help`" in done.stdout


def test_it_measures_a_fleet_with_every_report(tmp_path: Path):
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fleets", "--keystores", "1,3", "--entries", "15"]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [*command, "--rounds", "1", "--directory", str(tmp_path)],
        cwd=root, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows[:3] == ["| keystores", "| 1", "| 3"]
    assert {f"| {name}" for name in ("text", "json", "markdown", "html", "sarif", "junit", "prometheus", "ics")} <= {
        *rows
    }
    assert len(list((tmp_path / "live").glob("*.p12"))) == 1
