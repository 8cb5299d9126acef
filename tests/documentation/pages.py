"""The pages of the documentation and the fenced blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block: what its first line calls it, its text without indentation, and where the text stands."""

    page: Path
    language: str
    text: str
    start: int
    end: int
    indent: str

    @property
    def line(self) -> int:
        return self.page.read_text(encoding="utf-8").count("\n", 0, self.start) + 1

    def __str__(self) -> str:
        return f"{shown(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Everything that people read: the pages at the top and under docs/."""
    top = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((REPOSITORY / "docs").rglob("*.md"))]


def shown(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in one of some languages (all of them when none is named)."""
    text = page.read_text(encoding="utf-8")
    found = [_block(page, match) for match in _FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def _block(page: Path, match: re.Match[str]) -> Block:
    indent = match["indent"]
    lines = [line.removeprefix(indent) for line in match["text"].splitlines(keepends=True)]
    return Block(page, match["language"], "".join(lines), match.start("text"), match.end("text"), indent)
