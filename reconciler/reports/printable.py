"""Making text from outside harmless for a terminal, and colour where a terminal wants it."""

from __future__ import annotations

import unicodedata

# Control characters, invisible formatting (right-to-left marks and friends), line separators, lone surrogates.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""`text` on one line, with every character that could move a cursor or hide another one written as ``\u{…}``.

    Aliases and subjects come from outside: an alias can hold a line break, an escape sequence or a right-to-left mark.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if unicodedata.category(c) not in _HARMFUL else f"\\u{{{ord(c):x}}}" for c in text)


class Palette:
    """Colours by meaning; without colour every method gives back the text as it is."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

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
