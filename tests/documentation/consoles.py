"""Console blocks: `$ command` lines with the output that the reader is promised, played in a copy of the examples.

The commands of one page run one after the other in one directory, so a page can tell a story.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.documentation.pages import REPOSITORY, Block, blocks

if TYPE_CHECKING:
    from pathlib import Path

PROMPT, MORE = "$ ", "> "


@dataclass(frozen=True)
class Step:
    """One command, as it is shown (with further lines after a backslash or a `>`), and what follows it."""

    shown: str
    output: str

    @property
    def command(self) -> str:
        """What the shell gets."""
        first, *more = self.shown.splitlines()
        return "\n".join([first.removeprefix(PROMPT), *(line.removeprefix(MORE) for line in more)])


def steps(block: Block) -> list[Step]:
    """The commands of a console block with their outputs."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith(PROMPT):
            found.append(([line], []))
        elif found and not found[-1][1] and (found[-1][0][-1].endswith("\\") or line.startswith(MORE)):
            found[-1][0].append(line)
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block}: a console block begins with `{PROMPT}`")
    return [Step("\n".join(command), _text(output)) for command, output in found]


def rendered(played: list[Step]) -> str:
    """The text of a console block."""
    return "".join(f"{step.shown}\n{step.output}" for step in played)


def play_page(page: Path, directory: Path) -> list[tuple[Block, list[Step]]]:
    """Run every console block of a page in `directory`, which is filled with the examples first."""
    consoles = blocks(page, "console")
    if not consoles:
        return []
    environment = prepared(directory)
    return [(block, [_play(step, directory, environment) for step in steps(block)]) for block in consoles]


def programs(page: Path) -> set[str]:
    """The programs of others that the console blocks of a page call."""
    commands = [step.command for block in blocks(page, "console") for step in steps(block)]
    return {name for name in ("keytool", "openssl", "git") if any(name in command for command in commands)}


def prepared(directory: Path) -> dict[str, str]:
    """Fill a directory with the examples and a `reconcile` that is this one; give the environment to run it in."""
    ignored = shutil.ignore_patterns("live", "*.lock", "__pycache__")
    shutil.copytree(REPOSITORY / "examples", directory / "examples", ignore=ignored)
    programs = directory / ".bin"
    programs.mkdir()
    program = programs / "reconcile"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(directory),
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _play(step: Step, directory: Path, environment: dict[str, str]) -> Step:
    done = subprocess.run(
        ["/bin/sh", "-c", step.command], cwd=directory, env=environment, text=True, encoding="utf-8", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
    )  # fmt: skip
    return Step(step.shown, _text([line.rstrip() for line in done.stdout.splitlines()]))


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# What is another one at every run, or on every day: (pattern, what stands for it in the comparison).
_CHANGING = (
    (re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?(?: UTC)?"), "<time>"),
    (re.compile(r"\b\d{8}T\d{6}\.\d+Z"), "<time>"),
    (re.compile(r"\b(?:[0-9A-F]{2}:){19,}[0-9A-F]{2}\b"), "<fingerprint>"),
    (re.compile(r"\b(?<!sha256:)[0-9a-f]{12,64}\b"), "<digits>"),
    (re.compile(r"\bin \d+ days\b"), "in <n> days"),
    (re.compile(r"\b\d+ bytes\b|\b\d{4,6}(?= <time>)"), "<size>"),
)


def comparable(text: str) -> str:
    """Output without what is another one at every run: times, fingerprints and serial numbers of new certificates."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
