"""What the contract promises and this version does not do yet: known, and refused with a sentence instead of a guess.

One table. Whoever builds a row adds its keys to the schema and deletes the row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.desired.document import Path


@dataclass(frozen=True, slots=True)
class NotYet:
    """One promise that is not kept yet.

    Attributes:
        path: The keys down to it, ``*`` for any alias.
        what: The subject of the sentence "… is not available yet".
        value: The value of the key that is meant, ``*`` for any text; None where the key itself is.
        hides: How many steps of the path, when this row applies, have no other problems that are worth reading.
    """

    path: tuple[str, ...]
    what: str
    value: str | None = None
    hides: int = 99

    def applies(self, path: Path, value: object) -> bool:
        """Whether this row is about the key at `path` that has this (refused) `value`."""
        if len(path) != len(self.path):
            return False
        if not all(own in ("*", step) for own, step in zip(self.path, path, strict=True)):
            return False
        return self.value is None or (isinstance(value, str) and self.value in ("*", value))


def _issuer(name: str) -> tuple[NotYet, NotYet]:
    what = f"the issuer `{name}`"
    inline = NotYet(("keyPairs", "*", "issuer", "type"), what, name, hides=3)
    return inline, NotYet(("issuers", "*", "type"), what, name, hides=2)


NOT_YET = (
    *_issuer("vault"),
    *_issuer("est"),
    *_issuer("acme"),
)


def not_yet(path: Path, value: object) -> NotYet | None:
    """The row that is about a refused key or value, or None when it is simply wrong."""
    return next((row for row in NOT_YET if row.applies(path, value)), None)
