"""Mozilla's bundle of public roots, as the certifi package carries it: certificates by their SHA-256."""

from __future__ import annotations

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
    """The root whose label looks like an alias, with its SHA-256: ``isrg_root_x1`` is `ISRG Root X1`."""
    import difflib

    by_name = {_plain(root.label): sha256 for sha256, root in bundle().items()}
    near = difflib.get_close_matches(_plain(alias), by_name, n=1, cutoff=0.8)
    return (by_name[near[0]], bundle()[by_name[near[0]]]) if near else None


def _label(comments: bytes) -> str:
    for line in comments.splitlines():
        if line.startswith(b"# Label:"):
            return line.removeprefix(b"# Label:").strip().strip(b'"').decode("utf-8", "replace")
    return "a root without a label"


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
