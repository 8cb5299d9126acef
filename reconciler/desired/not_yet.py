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


def _issuer(name: str) -> NotYet:
    return NotYet(("keyPairs", "*", "issuer", "type"), f"the issuer `{name}`", name, hides=3)


NOT_YET = (
    NotYet(("keystore", "type"), "a tenant of SAP Cloud Integration as the keystore", "sap-cloud-integration", hides=1),
    NotYet(("keystore", "previousPassword"), "changing the password of a keystore (`previousPassword`)"),
    NotYet(("aliases", "absent"), "removing entries (`aliases.absent`)"),
    NotYet(("aliases", "renamed"), "renaming entries (`aliases.renamed`)"),
    NotYet(("aliases", "unmanaged"), "removing what the file does not name (`unmanaged: prune`)", "prune"),
    NotYet(("trustedRoots", "*", "replaces"), "exchanging one trusted root for another (`replaces`)"),
    NotYet(("keyPairs", "*", "existing"), "watching a key pair without writing it (`existing`)", hides=2),
    NotYet(("keyPairs", "*", "activate"), "approving a renewed key pair (`activate`)"),
    NotYet(("keyPairs", "*", "activation"), "a renewal that waits for approval (`activation: approved`)", "approved"),
    NotYet(("keyPairs", "*", "key", "generateIn"), "choosing where a key is born (`generateIn`)"),
    NotYet(("keyPairs", "*", "issuer"), "an issuer that is named under `issuers`", "*"),
    _issuer("local-ca"),
    _issuer("external"),
    _issuer("command"),
    _issuer("vault"),
    _issuer("est"),
    _issuer("acme"),
    NotYet(("issuers",), "the section `issuers`"),
    NotYet(("receivers",), "the section `receivers`"),
    NotYet(("policy",), "the section `policy`"),
    NotYet(("accepted",), "the section `accepted`"),
)


def not_yet(path: Path, value: object) -> NotYet | None:
    """The row that is about a refused key or value, or None when it is simply wrong."""
    return next((row for row in NOT_YET if row.applies(path, value)), None)
