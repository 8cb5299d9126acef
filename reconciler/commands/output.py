"""Results on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.reports.table import render
from reconciler.terminal import leave_output, wants_colour

if TYPE_CHECKING:
    from reconciler.model import Report


def write_report(report: Report, format_name: str) -> None:
    """Print a report; one write, so that another process's lines do not fall in between."""
    if format_name == "text" and _is_a_failure_alone(report):
        return  # nothing to say beside the error, which stands on standard error
    write(render(format_name, report, colour=wants_colour(sys.stdout)))


def _is_a_failure_alone(report: Report) -> bool:
    return len(report.targets) == 1 and report.targets[0].failure is not None and not report.targets[0].outcomes


def write(text: str) -> None:
    """Print text whatever the encoding of the terminal: what it cannot show is escaped.

    Raises:
        ReconcileError: the other end takes no more, a full disk for one.
        BrokenPipeError: the other end has gone away, as `| head` does.
    """
    if sys.stdout is None:  # closed before the start: nobody wants to read it
        return
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            sys.stdout.write(_escaped(text, sys.stdout.encoding or "ascii"))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        from reconciler.errors import ReconcileError
        from reconciler.keystores.files import reason_of

        leave_output()
        raise ReconcileError(f"the result cannot be written: {reason_of(error)}", where="standard output") from None


def _escaped(text: str, encoding: str) -> str:
    r"""`text` with what `encoding` lacks as JSON writes it (``\u00e9``): so JSON stays JSON, and text can be read."""
    import json

    lacking = {char for char in set(text) if not _has(encoding, char)}
    return text.translate({ord(char): json.dumps(char)[1:-1] for char in lacking})


def _has(encoding: str, char: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
