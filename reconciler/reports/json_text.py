"""JSON that any program and any terminal can take: what is invisible or no character at all is written as an escape."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

# JSON escapes C0 controls itself. Beyond them: DEL and C1 (a terminal obeys them), bidirectional and other invisible
# formatting, separators of lines, noncharacters, and lone surrogates, which UTF-8 cannot carry.
_ESCAPED = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)


def dump(document: Any) -> str:
    """`document` as indented JSON with a line break at the end; other programs read the very same values from it."""
    # In pieces: all of them together in a list take several times the memory of the text.
    text = StringIO()
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(document):
        text.write(piece)
    text.write("\n")
    return _ESCAPED.sub(_escape, text.getvalue())


def _escape(match: re.Match[str]) -> str:
    # Characters beyond the first plane are two surrogates in JSON (RFC 8259, 7).
    return json.dumps(match.group())[1:-1]
