"""docs/policy.md lists the checks and the roots that the program knows."""

from __future__ import annotations

from reconciler.policy import CHECKS
from tests.documentation.policy_page import PAGE, current


def test_the_page_lists_what_the_program_knows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert current(text) == text, "python -m tests.documentation.update writes it"


def test_every_check_says_why_and_what_to_do() -> None:
    for check in CHECKS:
        assert check.title
        assert check.why.endswith(".")
        assert check.hint.endswith(".")
