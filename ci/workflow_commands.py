"""The runner's own language: annotations, outputs, the job summary, and text that must not be taken for commands.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# GitHub takes 1 MiB of summary from a step.
_LONGEST_SUMMARY = 1024 * 1024 - 1024


class StopError(Exception):
    """A step that cannot go on; the message is for the person who reads the log."""


def on_github() -> bool:
    """Whether a runner of GitHub reads our output."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


@dataclass(frozen=True)
class Place:
    """Where an annotation stands; a file alone will do."""

    file: str = ""
    line: int = 0
    column: int = 0


def annotate(level: str, message: str, place: Place | None = None, *, title: str = "") -> None:
    """An annotation: `level` is error, warning or notice."""
    at = place or Place()
    properties = {"file": at.file, "line": at.line, "col": at.column, "title": title}
    given = ",".join(f"{name}={escaped_property(str(value))}" for name, value in properties.items() if value)
    write(f"::{level}{' ' if given else ''}{given}::{escaped_data(message)}\n")


def escaped_data(text: str) -> str:
    """As the runner wants what follows the second pair of colons."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """As the runner wants the value of a property."""
    return escaped_data(text).replace(":", "%3A").replace(",", "%2C")


@contextmanager
def plain_output() -> Iterator[None]:
    """What is written meanwhile is text, even where a line of it looks like a command to the runner."""
    if not on_github():
        yield
        return
    token = secrets.token_hex(16)
    write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        write(f"::{token}::\n")


def set_output(name: str, value: str) -> None:
    """An output of the step; the delimiter cannot be guessed by who chose the value."""
    delimiter = secrets.token_hex(16)
    _append("GITHUB_OUTPUT", f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


def add_summary(markdown: str) -> None:
    """A piece of the job summary."""
    text = markdown.encode()
    if len(text) > _LONGEST_SUMMARY:
        text = text[:_LONGEST_SUMMARY].decode(errors="ignore").encode() + b"\n\n(cut)\n"
    _append("GITHUB_STEP_SUMMARY", text.decode() + "\n")


def write(text: str) -> None:
    """On standard output, at once: the program that runs beside us writes there as well."""
    sys.stdout.write(text.encode("utf-8", errors="replace").decode())
    sys.stdout.flush()


def required(name: str) -> str:
    """The value of an environment variable that must be there."""
    value = os.environ.get(name, "")
    if not value:
        raise StopError(f"{name} is not set")
    return value


def lines_of(name: str) -> list[str]:
    """The lines of an environment variable that are not blank."""
    return [line.strip() for line in os.environ.get(name, "").splitlines() if line.strip()]


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
