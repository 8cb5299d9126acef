"""The pictures of the HTML report in the README: `python -m tests.documentation.screenshots` takes them again.

They show the demo in `examples/gitops` in headless Chromium, in light and dark, on a desktop and on a phone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.documentation.pages import REPOSITORY
from tests.reports.test_browser import DESKTOP, FLAGS, PHONE, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = REPOSITORY / "docs" / "images"
DEMO = REPOSITORY / "examples" / "gitops" / "demo.py"
# What a README can show without making people wait.
MOST_BYTES = 150_000
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
SCHEMES = ("light", "dark")
NAMES = [f"drift-{size}-{scheme}.png" for size in SIZES for scheme in SCHEMES]


def main() -> None:
    """Make the demo, open its drift report and take the pictures."""
    from playwright.sync_api import sync_playwright

    # As in the browser test: Chromium refuses its own sandbox to root.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        subprocess.run([sys.executable, DEMO, name], check=True, stdout=subprocess.DEVNULL)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS + sandbox)
        for size, options in SIZES.items():
            for scheme in SCHEMES:
                path = IMAGES / f"drift-{size}-{scheme}.png"
                path.write_bytes(_taken(browser, Path(name) / "drift.html", scheme, options))
                sys.stdout.write(f"{path.stat().st_size:>9,}  {path.relative_to(REPOSITORY)}\n")
        browser.close()


def _taken(browser: Browser, page_file: Path, scheme: Any, options: dict[str, Any]) -> bytes:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto(page_file.as_uri())
    picture = page.screenshot()
    context.close()
    return picture


if __name__ == "__main__":
    main()
