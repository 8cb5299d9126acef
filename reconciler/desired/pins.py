"""Pins: the SHA-256 of a certificate, in any of the spellings that people paste."""

from __future__ import annotations


def normalised_pin(text: str) -> str:
    """A SHA-256 in any usual spelling as lower-case hexadecimal without colons."""
    return text.replace(":", "").replace(" ", "").lower()


def with_colons(sha256: str) -> str:
    """A SHA-256 as keytool and browsers show it."""
    return ":".join(sha256[at : at + 2] for at in range(0, len(sha256), 2)).upper()
