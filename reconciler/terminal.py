"""How the program speaks at a terminal: colour or none, and an error as what, where, why and what to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from reconciler.errors import DesiredStateError, PlanRefusedError, PolicyError
from reconciler.reports.printable import Palette, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.errors import Problem, ReconcileError


def print_error(error: ReconcileError) -> None:
    """An error on standard error: what, where, and what to do, once for each problem."""
    match error:
        case PolicyError():
            for problem in error.problems:
                _print_problem(problem)
            if len(error.problems) > 1:
                say(error.message)
        case DesiredStateError() | PlanRefusedError():
            for problem in error.problems:
                _print_problem(problem)
            if len(error.problems) > 1:
                say(f"{len(error.problems)} problems; nothing was done")
        case _:
            say(error.message, where=error.where, hint=error.hint)


def _print_problem(problem: Problem) -> None:
    where = str(problem.source) if problem.source else None
    say(problem.message, where=where, hint=problem.hint, word="refused" if problem.refusal else "error")


def say(message: str, *, where: str | None = None, hint: str | None = None, word: str = "error") -> None:
    """One message on standard error."""
    paint = Palette(colour=wants_colour(sys.stderr))
    place = f"{printable(where)}: " if where else ""
    painted = paint.strong(word) if word == "note" else paint.bad(word)
    lines = [f"{place}{painted}: {printable(message)}"]
    lines += [f"  {paint.quiet('hint:')} {line}" for line in _lines(hint)]
    for line in lines:
        click.echo(line, err=True, color=True)


def _lines(hint: str | None) -> Iterator[str]:
    for line in (hint or "").splitlines():
        yield printable(line)


def wants_colour(stream: Any) -> bool:
    """Whether a stream gets colour: a terminal, and neither NO_COLOR nor CI nor TERM=dumb says otherwise."""
    if os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: Any) -> bool:
    """Whether somebody sits at the other end; a stream that was closed before the start (``<&-``) is None."""
    return stream is not None and bool(stream.isatty())


def leave_output() -> None:
    """Let what is still buffered for standard output go nowhere: flushing it at the exit would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
