"""The report for programs: JSON with a format version and a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.reports.document import report_document
from reconciler.reports.json_text import dump

if TYPE_CHECKING:
    from reconciler.model import Report


def render(report: Report, *, colour: bool = False) -> str:
    """The report as JSON text; `colour` is for people and changes nothing here."""
    del colour
    return dump(report_document(report))
