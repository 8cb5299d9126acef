"""Takes known secrets out of what a server said: a gateway that repeats our token must not get it into our messages."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "***"
# Longer than a SHA-512 in hexadecimal, and no words: a token or an upload, perhaps cut off in the middle.
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{129,}")


class Redaction:
    """The secrets of one session, and a function that masks them."""

    def __init__(self) -> None:
        self._secrets: list[Secret] = []

    def add(self, *secrets: Secret) -> None:
        """Mask these from now on."""
        self._secrets += [secret for secret in secrets if secret and secret not in self._secrets]

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Mask what the secret headers of a request carry: as a whole, behind `Basic` or `Bearer`, cookie by cookie."""
        for name, value in headers.items():
            parts = [cookie.partition("=")[2] for cookie in value.split("; ")] if name == "Cookie" else []
            self.add(*(Secret(part.strip()) for part in (value, value.partition(" ")[2], *parts)))

    def clean(self, text: str) -> str:
        """The text with every secret masked, in the forms in which a server could repeat it."""
        forms = {form for secret in self._secrets for form in _forms(secret.reveal())}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return _BLOB.sub(MASK, text)

    def __repr__(self) -> str:
        return f"Redaction({len(self._secrets)} secrets)"


def _forms(content: bytes) -> Iterable[str]:
    plain = content.decode("utf-8", "replace").strip()
    yield from (plain, quote(plain, safe=""), quote_plus(plain), quote(plain))
    yield base64.b64encode(content).decode()
    yield plain.encode("ascii", "backslashreplace").decode()
    yield json.dumps(plain)[1:-1]
