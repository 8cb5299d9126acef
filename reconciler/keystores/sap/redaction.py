"""Takes known secrets out of what a server said: a gateway that repeats our token must not get it into our messages."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.secret import Secret

MASK = "***"


class Redaction:
    """The secrets of one session, and a function that masks them."""

    def __init__(self) -> None:
        self._secrets: list[Secret] = []

    def add(self, *secrets: Secret) -> None:
        """Mask these from now on."""
        self._secrets += [secret for secret in secrets if secret]

    def clean(self, text: str) -> str:
        """The text with every secret masked, in the forms in which a server could repeat it."""
        forms = {form for secret in self._secrets for form in _forms(secret.reveal())}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return text

    def __repr__(self) -> str:
        return f"Redaction({len(self._secrets)} secrets)"


def _forms(content: bytes) -> Iterable[str]:
    plain = content.decode("utf-8", "replace").strip()
    yield from (plain, quote(plain, safe=""), quote_plus(plain), quote(plain))
    yield base64.b64encode(content).decode()
    yield plain.encode("ascii", "backslashreplace").decode()
