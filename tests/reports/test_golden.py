"""The whole of one rich report, kept beside the tests so that a review sees every change of a page.

To write the files anew: RECONCILE_WRITE_GOLDEN=1 pytest tests/reports/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.reports.table import render
from tests.reports import sample

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"text": "txt", "markdown": "md", "json": "json"}


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
@pytest.mark.parametrize("name", ENDINGS)
def test_the_page_is_what_was_reviewed(name: str, command: str) -> None:
    path = GOLDEN / f"{command}.{ENDINGS[name]}"
    rendered = render(name, sample.fleet(command))
    if os.environ.get("RECONCILE_WRITE_GOLDEN"):
        path.write_text(rendered, encoding="utf-8", newline="")
    assert path.read_text(encoding="utf-8") == rendered
