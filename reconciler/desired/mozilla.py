"""Mozilla's bundle of public roots, as the certifi package carries it: certificates by their SHA-256."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model import Certificate


@dataclass(frozen=True, slots=True)
class Root:
    """One certificate of the bundle, with the name that Mozilla gives it."""

    label: str
    certificate: Certificate


@cache
def bundle() -> dict[str, Root]:
    """The bundle by SHA-256 (lower-case hexadecimal), read once."""
    import certifi

    from reconciler.x509 import load_certificates

    roots: dict[str, Root] = {}
    end = b"-----END CERTIFICATE-----"
    # Each certificate follows its own comments, which carry the label.
    for chunk in Path(certifi.where()).read_bytes().split(end)[:-1]:
        certificate = load_certificates(chunk + end)[0]
        roots[certificate.sha256] = Root(_label(chunk), certificate)
    return roots


def version() -> str:
    """Which bundle this is, for messages."""
    import certifi

    return f"certifi {certifi.__version__}"


def similar_to(alias: str) -> tuple[str, Root] | None:
    """The root whose label has the words of an alias, with its SHA-256: ``isrg_x1`` is `ISRG Root X1`."""
    words = _words(alias)
    likeness, sha256 = max((len(words & theirs) / len(words | theirs), sha256) for sha256, theirs in _labels().items())
    return (sha256, bundle()[sha256]) if likeness >= _ENOUGH else None


_ENOUGH = 0.6


@cache
def _labels() -> dict[str, frozenset[str]]:
    return {sha256: _words(root.label) for sha256, root in bundle().items()}


def _label(comments: bytes) -> str:
    for line in comments.splitlines():
        if line.startswith(b"# Label:"):
            return line.removeprefix(b"# Label:").strip().strip(b'"').decode("utf-8", "replace")
    return "a root without a label"


def _words(name: str) -> frozenset[str]:
    """The words of a label or an alias: `Global Root G2`, ``global-root-g2`` and ``GlobalRootG2`` have the same."""
    return frozenset(word.lower() for word in _WORD.findall(name.replace("DigiCert", "Digicert")))


# A capital in the middle begins a word only after a small letter: `X1` and `GTS` are one each.
_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
