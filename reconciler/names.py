"""Distinguished names in the canonical form in which Java compares them (`X500Principal.equals`)."""

from __future__ import annotations


def canonical_name(name: bytes) -> str | None:
    """The canonical form of a DER `Name`; None when it cannot be parsed."""
    raise NotImplementedError
