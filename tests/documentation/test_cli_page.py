"""docs/cli.md shows the help of every command (test_consoles.py runs them) and every exit code."""

from __future__ import annotations

import pytest

from reconciler import errors
from reconciler.cli import COMMANDS, ERROR, INTERRUPTED
from tests.documentation.consoles import steps
from tests.documentation.pages import REPOSITORY, blocks

PAGE = REPOSITORY / "docs" / "cli.md"
HELPS = {step.command for block in blocks(PAGE, "console") for step in steps(block)}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_on_the_page(name: str):
    assert f"reconcile {name} --help" in HELPS


def test_every_exit_code_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    raised = {one.exit_code for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "exit_code")}
    for code in raised | {0, 2, 5, ERROR, INTERRUPTED}:
        assert f"\n| {code} |" in text, code
