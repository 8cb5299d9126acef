"""Making text from outside harmless for a terminal, and colour where a terminal wants it."""

from __future__ import annotations

import unicodedata

# Control characters, invisible formatting (right-to-left marks and friends), line separators, lone surrogates.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and marks that show nothing (Default_Ignorable_Code_Point in DerivedCoreProperties.txt, beyond Cf): two
# aliases that differ in one of them would look the same.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def printable(text: str) -> str:
    r"""`text` on one line, with every character that could move a cursor or hide another one written as ``\u{…}``.

    Aliases and subjects come from outside: an alias can hold a line break, an escape sequence or a right-to-left mark.
    What is left can stand in XML and HTML as well: noncharacters and lone surrogates are written out, too.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{{{ord(c):x}}}" if _is_harmful(c) else c for c in text)


def _is_harmful(char: str) -> bool:
    if unicodedata.category(char) in _HARMFUL or char in _INVISIBLE:
        return True
    # Noncharacters: the last two of every plane, and 32 in the middle of the first (Unicode 23.7).
    return ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def width(text: str) -> int:
    """How many columns a terminal gives to `text`, which is printable."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def padded(text: str, columns: int) -> str:
    """`text` filled up with blanks to `columns` of a terminal; longer text stays whole."""
    return text + " " * (columns - width(text))


def clipped(text: str, length: int) -> str:
    """`text`, or its beginning and an ellipsis where it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


class Palette:
    """Colours by meaning; without colour every method gives back the text as it is."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text

    def good(self, text: str) -> str:
        """Added, done, in sync."""
        return self._in("32", text)

    def careful(self, text: str) -> str:
        """Changed, soon due."""
        return self._in("33", text)

    def bad(self, text: str) -> str:
        """Removed, failed, expired."""
        return self._in("31", text)

    def quiet(self, text: str) -> str:
        """Said, but not in the foreground."""
        return self._in("2", text)

    def strong(self, text: str) -> str:
        """A heading."""
        return self._in("1", text)
