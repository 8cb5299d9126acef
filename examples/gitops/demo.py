"""Make three live keystores as somebody left them, compare them with git, and write every report.

    python examples/gitops/demo.py [DIRECTORY]

DIRECTORY is where the reports go; `reports/` beside this file where none is given. Keystores that an earlier run made
are thrown away.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUFFIXES = {"text": "txt", "markdown": "md", "html": "html", "json": "json", "sarif": "sarif", "junit": "xml",
            "prometheus": "prom", "ics": "ics"}  # fmt: skip


def main() -> None:
    """Do it, and tell what was written."""
    parser = ArgumentParser(description="Make the live keystores as they were found, and every report of them.")
    parser.add_argument("reports", nargs="?", type=Path, default=HERE / "reports", help="the directory of the reports")
    reports = parser.parse_args().reports.resolve()
    for name in ("live", "requests"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    # Not `.yaml`: two state files for one keystore would be an error when a directory is given.
    as_found = [f"as-found/{name}.state" for name in ("integration", "legacy", "shop")]
    reconcile("apply", *as_found, "--yes", expected=0)
    for command, expected in (("plan", 0), ("drift", 2)):
        reconcile(command, "keystores", *asked(command, reports), expected=expected)
    for path in sorted(reports.iterdir()):
        sys.stdout.write(f"{path.stat().st_size:>9,}  {path}\n")


def asked(command: str, directory: Path) -> list[str]:
    """The options for a report in every form."""
    files = {name: directory / f"{command}.{suffix}" for name, suffix in SUFFIXES.items()}
    return [word for name, file in files.items() for word in ("--report", f"{name}={file}")]


def reconcile(*arguments: str, expected: int) -> None:
    """Run the program in this directory, quietly unless something is wrong."""
    command = [sys.executable, "-m", "reconciler", *arguments]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
