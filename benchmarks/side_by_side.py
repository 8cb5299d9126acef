"""`reconcile` beside `keytool -list` on the same keystores: `python -m benchmarks.side_by_side [--sizes 10,150]`.

Needs Java. Prints Markdown tables: medians of the wall time, the ratio to keytool, and peaks of memory. `plan` has
nothing to do; it is measured with 10 declared entries and with all of them. `--detailed-exitcode` makes a run fail that
finds a change.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.keystores import PASSWORD_VARIABLE, Subject, environment, make
from benchmarks.measuring import Measured, side_by_side

SIZES = (10, 150, 1_000, 10_000)
KEYTOOL, LIST, SOME, EVERY = "keytool -list", "list", "plan, 10 declared", "plan, all declared"
# What the product promises, as shares of keytool's time: (entries, command, share).
GOALS = ((150, LIST, 0.35), (150, SOME, 0.7), (10_000, LIST, 0.1), (10_000, SOME, 0.4))
HELP_SECONDS, MEGABYTES = 0.1, 150


@dataclass(frozen=True)
class Row:
    subject: Subject
    results: dict[str, Measured]

    def ratio(self, command: str) -> float:
        return self.results[command].seconds / self.results[KEYTOOL].seconds


def main() -> None:
    """Measure and print."""
    options = _options()
    program = _program()
    start = side_by_side({"--help": [*program, "--help"]}, environment(), options.rounds * 2)["--help"]
    with tempfile.TemporaryDirectory() as name:
        rows = [
            Row(subject, side_by_side(_commands(program, subject), environment(), options.rounds))
            for size in options.sizes
            for subject in make(Path(name) / str(size), size)
        ]
    print(_about(options.rounds))
    print(f"\n`reconcile --help`: {_time(start.seconds)} ({start.megabytes:.0f} MB)\n")
    print(_times(rows))
    print(_memory(rows))
    print(_processor(rows))
    print(_goals(rows, start))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", default=SIZES, type=lambda text: tuple(int(one) for one in text.split(",")), metavar="N,N"
    )
    parser.add_argument("--rounds", default=7, type=int, help="runs of each command (7)")
    return parser.parse_args()


def _program() -> list[str]:
    """The installed program beside this Python, as people call it."""
    script = Path(sys.executable).with_name("reconcile")
    return [str(script)] if script.exists() else [sys.executable, "-m", "reconciler"]


def _commands(program: list[str], subject: Subject) -> dict[str, list[str]]:
    return {
        KEYTOOL: ["keytool", "-list", "-keystore", str(subject.keystore), "-storepass:env", PASSWORD_VARIABLE],
        LIST: [*program, "list", str(subject.keystore), "--password-env", PASSWORD_VARIABLE],
        SOME: [*program, "plan", str(subject.some_declared), "--detailed-exitcode"],
        EVERY: [*program, "plan", str(subject.all_declared), "--detailed-exitcode"],
    }


# -------------------------------------------------------------------------------------------------- tables


def _about(rounds: int) -> str:
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    cores = f"{os.cpu_count()} cores{load}"
    return (
        f"Python {platform.python_version()}, {java}, {platform.system()}, {cores}; medians of {rounds} runs in turn."
    )


def _times(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        cells = [_time(row.results[KEYTOOL].seconds)]
        cells += [f"{_time(row.results[one].seconds)} ({row.ratio(one):.2f})" for one in (LIST, SOME, EVERY)]
        lines.append(_line(row.subject, cells))
    return _table("Wall time, and its share of keytool's", lines)


def _memory(rows: list[Row]) -> str:
    lines = [_line(row.subject, [f"{one.megabytes:.0f} MB" for one in row.results.values()]) for row in rows]
    return _table("Peak of resident memory", lines)


def _processor(rows: list[Row]) -> str:
    lines = [_line(row.subject, [_time(one.processor_seconds) for one in row.results.values()]) for row in rows]
    return _table("Processor time (user and system), which other programs disturb less", lines)


def _table(title: str, lines: list[str]) -> str:
    head = f"| entries | type | {KEYTOOL} | {LIST} | {SOME} | {EVERY} |"
    return "\n".join([f"{title}:\n", head, "|---:|---|---:|---:|---:|---:|", *lines, ""])


def _line(subject: Subject, cells: list[str]) -> str:
    return f"| {subject.entries:,} | {subject.type} | {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _goals(rows: list[Row], start: Measured) -> str:
    lines = [_verdict("`--help`", start.seconds, HELP_SECONDS, "s")]
    for entries, command, share in GOALS:
        for row in rows:
            if row.subject.entries == entries:
                name = f"`{command}` on {entries:,} entries ({row.subject.type})"
                lines.append(_verdict(name, row.ratio(command), share, "of keytool's time"))
    peak = max(one.megabytes for row in rows for name, one in row.results.items() if name != KEYTOOL)
    lines.append(_verdict("memory", peak, MEGABYTES, "MB"))
    return "\n".join(["Goals:\n", *lines])


def _verdict(name: str, value: float, limit: float, unit: str) -> str:
    return f"- {'met' if value <= limit else 'missed'}: {name}: {value:.2f}, goal {limit} {unit}"


if __name__ == "__main__":
    if shutil.which("keytool") is None:
        sys.exit("keytool is not installed")
    main()
