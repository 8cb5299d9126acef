"""The HTML page in a real browser: headless Chromium, driven by Playwright.

The browser is Debian's (`apt-get install chromium`), or the one that RECONCILE_CHROMIUM names. Where there is none
these tests fail: a page that nobody has opened is not tested.
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from reconciler.reports.table import render
from reconciler.x509 import load_certificates
from tests.reports import hostile, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import Report

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def chromium() -> str:
    for name in (os.environ.get("RECONCILE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    pytest.fail("no Chromium: install Debian's package chromium, or name a browser in RECONCILE_CHROMIUM")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Chromium refuses its own sandbox to root, as containers of CI systems are.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=FLAGS + sandbox)
        yield started
        started.close()


class Opened:
    """A page in the browser, and everything that went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", self._request)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def opening(report: Report, **options: Any) -> Opened:
        path = tmp_path / "report.html"
        path.write_text(render("html", report), encoding="utf-8", newline="")
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        one = Opened(context.new_page())
        one.page.goto(path.as_uri())
        return one

    yield opening
    for context in contexts:
        context.close()


def shown(page: Page) -> list[str]:
    return [row.inner_text() for row in page.locator(".findings tbody tr:visible > th").all()]


def test_the_page_asks_for_nothing_and_complains_of_nothing(opened: Any) -> None:
    one = opened(sample.fleet("drift"))
    one.page.wait_for_load_state("networkidle")
    assert one.complaints == []
    assert [url for url in one.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_no_hostile_text_runs(opened: Any, command: str) -> None:
    one = opened(hostile.report(command))
    one.page.locator("#words").fill("script")
    assert one.complaints == []
    assert one.page.locator("script").count() == 1
    assert one.page.locator("main img, main iframe, main b:not(.tile b)").count() == 0


def test_the_filter_finds_words_a_status_and_what_needs_attention(opened: Any) -> None:
    page = opened(sample.fleet("drift")).page
    everything = len(shown(page))
    page.locator("#words").fill("ISRG prod.yaml")
    assert shown(page) == ["isrg_root_x1"]
    assert page.locator("#filter output").inner_text() == "1 of 25"
    assert page.locator(".keystore:visible").count() == 1
    page.locator("#words").fill("")
    assert len(shown(page)) == everything
    page.locator("#filter select").select_option("unmanaged")
    assert shown(page) == ["legacy_partner", "test_key", "some_secret"]
    page.locator("#filter select").select_option("")
    page.locator("#filter [type=checkbox]").check()
    assert "example_root_g1" not in shown(page)
    assert "old_authority" in shown(page)


def test_the_filter_works_on_a_phone(opened: Any) -> None:
    page = opened(sample.single("drift"), viewport=PHONE).page
    page.locator("#words").fill("concur")
    assert shown(page) == ["concur_client"]


def test_a_link_opens_the_certificate_that_is_closed(opened: Any) -> None:
    page = opened(sample.fleet("drift")).page
    facts = page.locator("#c1")
    assert not facts.is_visible()
    page.locator("a[href='#c1']").first.click()
    assert facts.is_visible()


def test_the_filter_is_reached_and_used_with_the_keyboard_alone(opened: Any) -> None:
    page = opened(sample.single("drift")).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    page.keyboard.type("concur")
    assert shown(page) == ["concur_client"]


def test_a_downloaded_certificate_is_the_one_in_the_keystore(opened: Any) -> None:
    report = sample.single("drift")
    plan: Any = report.targets[0].plan
    (expected,) = (one.leaf for one in plan.live.entries if one.alias == "example_root_g1")
    page = opened(report, accept_downloads=True).page
    page.locator("tr", has=page.locator("th", has_text="example_root_g1")).locator("a").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Example_Root_G1.pem").click()
    (one,) = load_certificates(Path(download.value.path()).read_bytes())
    assert sha256(one.der).hexdigest() == expected.sha256


def test_a_downloaded_chain_is_the_one_in_the_keystore(opened: Any) -> None:
    report = sample.single("drift")
    plan: Any = report.targets[0].plan
    (expected,) = (one.chain for one in plan.live.entries if one.alias == "partner_client")
    page = opened(report, accept_downloads=True).page
    with page.expect_download() as download:
        page.locator(".chain", has=page.locator("h4", has_text="partner_client")).get_by_role(
            "link", name="Chain"
        ).click()
    assert download.value.suggested_filename == "partner_client_chain.pem"
    chain = load_certificates(Path(download.value.path()).read_bytes())
    assert [one.sha256 for one in chain] == [one.sha256 for one in expected]


def test_without_script_everything_is_there_and_can_be_downloaded(opened: Any) -> None:
    page = opened(sample.fleet("drift"), java_script_enabled=False, accept_downloads=True).page
    assert not page.locator("#filter").is_visible()
    assert not page.locator("#theme").is_visible()
    assert len(shown(page)) == 24  # the quiet keystore is closed
    page.locator("details.certificate summary").first.click()
    with page.expect_download() as download:
        page.locator("details.certificate a[download]").first.click()
    assert load_certificates(Path(download.value.path()).read_bytes())


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_the_page_is_dark_or_light_as_the_system_says_and_as_the_button_says(opened: Any) -> None:
    light = opened(sample.single("plan"), color_scheme="light").page
    dark = opened(sample.single("plan"), color_scheme="dark").page
    paper, night = background(light), background(dark)
    assert paper != night
    button = light.locator("#theme")
    assert button.inner_text() == "Theme: system"
    button.click()
    assert (button.inner_text(), background(light)) == ("Theme: light", paper)
    button.click()
    assert (button.inner_text(), background(light)) == ("Theme: dark", night)
    dark.locator("#theme").click()
    assert background(dark) == paper


@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_nothing_sticks_out_of_a_phone(opened: Any, command: str, report: Any) -> None:
    page = opened(report(command), viewport=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_no_barrier(opened: Any, scheme: str, size: dict[str, int]) -> None:
    for report in (sample.fleet("drift"), sample.single("apply")):
        # axe puts its script into the page, which the policy of the page would not let in.
        page = opened(report, color_scheme=scheme, viewport=size, bypass_csp=True).page
        page.locator("details.certificate summary").first.click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_what_is_printed_is_light_and_complete(opened: Any) -> None:
    page = opened(sample.fleet("drift"), color_scheme="dark").page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.locator(".keystore:not([open])").count() == 0
    assert not page.locator("#filter").is_visible()
