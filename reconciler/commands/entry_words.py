"""What an entry of a keystore is called in lists, and what is special about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model import Entry

KINDS = {"trusted-certificate": "certificate", "key-pair": "key pair", "secret-key": "secret key", "other": "other"}


def marks(entry: Entry, protected: str | None) -> str:
    """What is special about an entry."""
    return "; ".join(mark for mark in (f"protected ({protected})" if protected else "", entry.note or "") if mark)
