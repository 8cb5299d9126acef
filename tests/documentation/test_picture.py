"""The picture of the README shows what the program prints."""

from __future__ import annotations

import sys

import pytest

from tests.documentation.picture import FILE, drawn, output_in_colour, words


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of POSIX")
def test_the_picture_shows_the_plan_of_today():
    svg = FILE.read_text(encoding="utf-8")
    assert words(svg) == words(drawn(output_in_colour())), "python -m tests.documentation.update draws it"
    assert "create-store" in words(svg)


def test_the_picture_asks_no_other_host_for_anything():
    svg = FILE.read_text(encoding="utf-8")
    assert svg.count("http") == svg.count("http://www.w3.org/") + svg.count("https://www.textualize.io")
    assert "url(" not in svg.replace("url(#", "")
