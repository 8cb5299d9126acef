"""From the name of a format to the code that renders it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model import Report

# Name -> module with `render(report, *, colour) -> str`.
FORMATS = {
    "text": "reconciler.reports.text",
    "json": "reconciler.reports.json_report",
    "markdown": "reconciler.reports.markdown",
    "html": "reconciler.reports.html",
    "sarif": "reconciler.reports.sarif",
    "junit": "reconciler.reports.junit",
    "prometheus": "reconciler.reports.prometheus",
    "ics": "reconciler.reports.ics",
}


def render(name: str, report: Report, *, colour: bool = False) -> str:
    """The report in the format called `name`."""
    text: str = import_module(FORMATS[name]).render(report, colour=colour)
    return text
