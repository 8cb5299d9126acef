"""Markdown, rendered by cmark-gfm as GitHub renders it."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import OutcomeStatus, Report
from reconciler.reports.markdown import LIMIT, listing
from reconciler.reports.markdown_escape import code, escaped
from reconciler.reports.printable import clipped, printable
from reconciler.reports.table import render
from tests.builders import NOW
from tests.reports import hostile, sample

COMMANDS = ("plan", "apply", "drift")
# GitHub's own limit for the body of a comment.
GITHUB = 65_536
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
OURS = TABLES | {"blockquote", "h2", "h3", "p", "strong", "code", "ul", "li", "details", "summary", "br", "span"}


class Page(HTMLParser):
    """What a browser would get: tags, comments, and text, with what stands in code apart from the rest."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments: set[str] = set()
        self.texts: list[str] = []
        self.cells: list[list[str]] = []
        self._in_code = 0
        self._cell: list[str] | None = None
        # GitHub passes raw HTML on to its sanitiser.
        self.feed(cmarkgfm.github_flavored_markdown_to_html(source, Options.CMARK_OPT_UNSAFE))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._in_code += tag == "code"
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag == "code"
        if tag in {"td", "th"} and self._cell is not None:
            self.cells[-1].append("".join(self._cell))
            self._cell = None

    def handle_comment(self, data: str) -> None:
        self.comments.add(data)

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.texts.append(data)
        if self._cell is not None:
            self._cell.append(data)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_only_our_own_elements_come_out(command: str, report: Any) -> None:
    page = Page(render("markdown", report(command)))
    assert page.tags <= OURS
    assert page.attributes == set()
    assert page.comments <= {" ", f" reconcile: {command} "}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("key", hostile.TEXTS)
def test_each_hostile_text_stays_text(key: str, command: str) -> None:
    page = Page(render("markdown", hostile.report(command, {key: hostile.TEXTS[key]})))
    assert page.tags <= OURS
    widths = {len(row) for row in page.cells}
    assert widths <= {3, 4, 5}, "no cell is torn in two"


# What GitHub makes a link or a picture of in finished text, where no backslash helps.
LIVE = re.compile(r"@[A-Za-z0-9]|#\d|\bGH-\d|https?://|www\.\w|:\w+:|\$\S+\$")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("key", ["mention", "address", "markdown", "template"])
def test_nothing_is_left_for_github_to_link(key: str, command: str) -> None:
    page = Page(render("markdown", hostile.report(command, {key: hostile.TEXTS[key]})))
    assert [text for text in page.texts if LIVE.search(text)] == []


def rendered(markdown: str) -> str:
    page = cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE)
    return html.unescape(re.sub(r"</?(?:p|code|span)>|<!-- -->", "", page)).strip("\n")


# Any text, and text that is nothing but what Markdown, GitHub and HTML look for.
words = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(st.sampled_from("`*_[]()<>{}|\\&#@$~!:;-+=.,/\"'1ahttpw \n\t"), max_size=30),
)


@given(words)
def test_escaped_text_is_shown_as_it_is_printed(text: str) -> None:
    assert rendered(f"x {escaped(text)} x").split() == f"x {printable(text)} x".split()


@given(words)
def test_code_is_shown_as_it_is_printed(text: str) -> None:
    if text:
        assert rendered(f"x{code(text)}x") == f"x{printable(text)}x"


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_a_table_has_the_cells_that_were_put_in(rows: list[tuple[str, str]]) -> None:
    page = Page(listing("page", (), ("a", "b"), rows))
    expected = [[" ".join(printable(cell).split()) for cell in row] for row in rows]
    assert [[" ".join(cell.split()) for cell in row] for row in page.cells[1:]] == expected


@given(words)
def test_text_at_the_start_of_a_block_opens_nothing(text: str) -> None:
    page = Page(escaped(text))
    assert page.tags <= {"p", "span"}


def test_no_tag_and_no_comment_of_somebody_else_stands_in_the_source() -> None:
    assert "<script>" not in code("<script>alert(1)</script>")
    assert "<!-- reconcile: drift -->" not in code("<!-- reconcile: drift -->")
    assert "&lt;" not in code("&lt;b&gt;")
    assert code("leaf < authority & root") == "`leaf < authority & root`"


def test_long_values_are_clipped() -> None:
    assert len(escaped("x" * 5000)) == len(clipped("x" * 5000, 300))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_line_marks_the_comment_of_this_command(command: str) -> None:
    for report in (sample.fleet(command), sample.single(command), hostile.report(command)):
        assert render("markdown", report).splitlines()[0] == f"<!-- reconcile: {command} -->"


def many(command: str, keystores: int) -> Report:
    one = sample.applied(sample.production()) if command == "apply" else sample.target(sample.production())
    return sample.report(command, *(replace(one, state=f"keystores/{place:03}.yaml") for place in range(keystores)))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_large_fleet_stays_under_the_limit_of_github_and_says_what_was_cut(command: str) -> None:
    text = render("markdown", many(command, 300))
    assert len(text.encode()) <= LIMIT < GITHUB
    assert len(text.encode()) > LIMIT * 0.9, "the room is used"
    assert re.search(r"\*\*Cut\*\* to fit into one comment: \d+ parts, \d+ rows of tables among them\.", text)
    if command != "drift":
        assert "Digest: `sha256:" in text.splitlines()[-2]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_fleet_stays_under_the_limit(command: str) -> None:
    texts = {str(number): f"{number} {'@<|`$' * 50}" for number in range(200)}
    assert len(render("markdown", hostile.report(command, texts)).encode()) <= LIMIT


def test_a_report_that_fits_is_not_cut() -> None:
    assert "**Cut**" not in render("markdown", sample.fleet("drift"))


def test_a_table_that_is_too_long_counts_its_missing_rows() -> None:
    one = sample.target(sample.production())
    plan: Any = one.plan
    findings = tuple(replace(plan.findings[-1], alias=f"protected_{number}") for number in range(130))
    report = sample.report("drift", replace(one, plan=replace(plan, findings=findings, changes=())))
    assert "… and 30 more rows" in render("markdown", report)


def test_the_title_counts_what_the_report_is_about() -> None:
    titles = {command: render("markdown", sample.fleet(command)).splitlines()[1] for command in COMMANDS}
    assert titles == {
        "plan": "## Keystore plan: 10 changes, 2 keystores failed",
        "apply": "## Keystore apply: 9 applied, 1 failed, 1 keystore failed",
        "drift": "## Keystore drift: 14 differences, 2 keystores failed",
    }


def test_an_apply_tells_how_each_change_ended() -> None:
    report = sample.single("apply")
    one = report.targets[0]
    last = one.outcomes[-1]  # type: ignore[index]  # the sample has outcomes
    ends = (*one.outcomes[:-1], replace(last, status=OutcomeStatus.NOT_TRIED, message="stopped before"))  # type: ignore[index]  # as above
    text = render("markdown", replace(report, targets=(replace(one, outcomes=ends),)))
    results = [
        row[0] for row in Page(text).cells if len(row) == 4 and row[1] in {"import", "create", "renew", "replace"}
    ]
    assert sorted(results) == ["⏳ not tried", *["✅ applied"] * 4, "❌ failed"]


def test_nothing_to_do_is_said_in_one_line() -> None:
    text = render("markdown", Report("plan", NOW, "1", "sha256:" + "0" * 64, (sample.target(sample.quiet()),)))
    assert "Nothing to do." in text
    assert "|" not in text
