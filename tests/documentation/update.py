"""Write what the program says today into the documentation: `python -m tests.documentation.update`.

Outputs in console blocks that differ in more than times and fingerprints, the tables of the reference, and the
picture in the README. What it changed is for a person to read before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.documentation import keys, picture, policy_page
from tests.documentation.consoles import comparable, play_page, rendered
from tests.documentation.pages import pages, shown


def main() -> None:
    """Rewrite what differs and name it."""
    for page in pages():
        if update_consoles(page):
            sys.stdout.write(f"{shown(page)}: console blocks\n")
    if update_tables():
        sys.stdout.write(f"{shown(keys.PAGE)}: tables of keys\n")
    if update_policy():
        sys.stdout.write(f"{shown(policy_page.PAGE)}: tables of the policy\n")
    if picture.update():
        sys.stdout.write(f"{shown(picture.FILE)}: drawn again\n")


def update_consoles(page: Path) -> bool:
    """Put the outputs of today into a page; blocks that say the same stay as they are."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        played = play_page(page, Path(directory))
    new = text
    for block, now in reversed(played):
        if comparable(rendered(now)) != comparable(block.text):
            lines = rendered(now).splitlines(keepends=True)
            new = (
                new[: block.start]
                + "".join(f"{block.indent}{line}".rstrip() + "\n" for line in lines)
                + new[block.end :]
            )
    page.write_text(new, encoding="utf-8")
    return new != text


def update_tables() -> bool:
    """Put the keys of the schema into the reference."""
    text = keys.PAGE.read_text(encoding="utf-8")
    new = keys.TABLE.sub(
        lambda found: f"<!-- keys: {found['pointer']} -->\n{keys.table(found['pointer'])}<!-- end of keys -->", text
    )
    keys.PAGE.write_text(new, encoding="utf-8")
    return new != text


def update_policy() -> bool:
    """Put the checks and the distrusted roots into their page."""
    text = policy_page.PAGE.read_text(encoding="utf-8")
    new = policy_page.current(text)
    policy_page.PAGE.write_text(new, encoding="utf-8")
    return new != text


if __name__ == "__main__":
    main()
