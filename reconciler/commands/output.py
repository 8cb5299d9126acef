"""Results on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.reports.table import render
from reconciler.terminal import wants_colour

if TYPE_CHECKING:
    from reconciler.model import Report


def write_report(report: Report, format_name: str) -> None:
    """Print a report; one write, so that another process's lines do not fall in between."""
    write(render(format_name, report, colour=wants_colour(sys.stdout)))


def write(text: str) -> None:
    """Print text whatever the encoding of the terminal: what it cannot show is escaped."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
