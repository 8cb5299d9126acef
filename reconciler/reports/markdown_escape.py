"""Text from outside in GitHub-flavoured Markdown: never markup, a mention, a link or another table cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.reports.printable import clipped, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

# A comment that is not rendered: it tears apart what GitHub recognises in finished text, where no backslash helps:
# @mentions, issue numbers, bare addresses, :emoji:.
_NOTHING = "<!-- -->"
# Entities do not depend on what stands before them, as a backslash does in a table cell.
_ENTITIES = {char: f"&#{ord(char)};" for char in "<>&|\\`"}
_ESCAPED = str.maketrans(
    _ENTITIES
    | {char: f"\\{char}" for char in "*_[]~"}
    | {"@": f"@{_NOTHING}", "#": f"#{_NOTHING}", "$": "<span>$</span>"}
)
_LINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp|www|gh)(?=[:.-])")
_EMOJI = re.compile(r":(?=[\w+-]+:)")
# What starts a list, a ruler or indented code at the beginning of a block.
_BLOCK = re.compile(r"^[-+= ]|^\d(?=\d{0,8}[.)])")
# In a code span nothing has a meaning but the backtick that ends it and the bar that ends a table cell.
_PLAIN_CODE = re.compile(r"[^`|\\ ](?:[^`|\\]*[^`|\\ ])?")
# What begins a tag, a comment or an entity is written as one all the same: not everything that shows Markdown (a mail,
# a log, an older renderer) knows a code span when it sees one.
_MARKUP = re.compile(r"<[^ ]|&[#\w]")
_CODE_ENTITIES = str.maketrans(
    {char: f"&#{ord(char)};" for char in "<>&|\\`*_[]~#$:!"}
    # Mail addresses are looked for in the finished text, entities and all.
    | {"@": f"&#64;{_NOTHING}"}
)
_LONGEST = 300


def escaped(text: str) -> str:
    """Text on one line, shown as it is; what is longer than people read is clipped."""
    shown = clipped(printable(text), _LONGEST)
    text = _LINK.sub(rf"\1{_NOTHING}", shown.translate(_ESCAPED))
    text = _EMOJI.sub(f":{_NOTHING}", text)
    return _BLOCK.sub(lambda match: f"&#{ord(match.group())};", text)


def code(text: str) -> str:
    """Text as a code span: names, places, fingerprints. Empty text stays empty."""
    shown = clipped(printable(text), _LONGEST)
    if not shown:
        return ""
    if _PLAIN_CODE.fullmatch(shown) and not _MARKUP.search(shown):
        return f"`{shown}`"
    return f"<code>{shown.translate(_CODE_ENTITIES)}</code>"


def table_head(head: Sequence[str]) -> tuple[str, str]:
    """The first two lines of a table."""
    return row(head), f"|{'|'.join(' --- ' for _ in head)}|"


def row(cells: Sequence[str]) -> str:
    """One line of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"
