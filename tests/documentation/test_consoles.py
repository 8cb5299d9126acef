"""What the pages promise on a console is what the program prints: every command is run, in a copy of the examples."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import program
from tests.documentation.consoles import comparable, play_page, programs, rendered
from tests.documentation.pages import blocks, pages, shown

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [page for page in pages() if blocks(page, "console")]


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are written for a POSIX shell")
@pytest.mark.parametrize("page", PAGES, ids=map(shown, PAGES))
def test_the_outputs_on_a_page_are_those_of_the_program(page: Path, tmp_path: Path):
    for name in programs(page):
        program(name)  # skips where it is missing
    for block, played in play_page(page, tmp_path):
        expected, got = comparable(block.text), comparable(rendered(played))
        assert got == expected, f"{block} differs; if the program is right: python -m tests.documentation.update"


def test_the_readme_and_the_guide_have_consoles():
    assert {"README.md", "docs/guide.md", "docs/cli.md"} <= {shown(page) for page in PAGES}


def test_times_and_fingerprints_do_not_count_in_a_comparison():
    one = "done s4  until 2027-11-24, 85b16afa0ba2b18f…"
    other = "done s4  until 2028-01-02, 0123456789abcdef…"
    assert comparable(one) == comparable(other)
    assert comparable(one) != comparable(other.replace("s4", "s5"))
