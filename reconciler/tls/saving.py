"""Writing what a server sent into files whose names fit `trustedRoots`, and the lines of the state file for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.ownership import looks_protected_by, protected_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model import Certificate

_LONGEST_ALIAS = 60
# Windows keeps these names for devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SavedCertificate:
    """One certificate of the chain: its alias and file; no file where the bundle has it already."""

    alias: str
    certificate: Certificate
    file: str | None
    is_anchor: bool  # a certificate that one would trust: a CA, or a leaf that stands alone


def save(directory: str, chain: Sequence[Certificate], root: Certificate | None) -> tuple[SavedCertificate, ...]:
    """Write the chain into `directory`, which is made when it is missing.

    A file of the same name with another content is left alone: the new one gets a number.

    Args:
        directory: Where to.
        chain: As sent.
        root: The root above the chain, when a known bundle has it.

    Raises:
        ReconcileError: the directory or a file cannot be written.
    """
    from reconciler.x509 import to_pem

    saved = [SavedCertificate(_alias(root), root, None, is_anchor=True)] if root else []
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        for one, is_anchor in _with_roles(chain):
            alias, path = _write(Path(directory), _alias(one), to_pem([one]))
            saved.append(SavedCertificate(alias, one, path.as_posix(), is_anchor))
    except OSError as error:
        raise ReconcileError(
            f"the certificates cannot be saved: {error.strerror or type(error).__name__}", where=directory
        ) from None
    return tuple(saved)


def _with_roles(chain: Sequence[Certificate]) -> Iterator[tuple[Certificate, bool]]:
    for at, one in enumerate(chain):
        yield one, at > 0 or len(chain) == 1


def _write(directory: Path, alias: str, content: bytes) -> tuple[str, Path]:
    for number in range(1, 1000):
        name = alias if number == 1 else f"{alias}_{number}"
        path = directory / f"{name}.pem"
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if path.is_file() and path.read_bytes() == content:
                return name, path
        else:
            return name, path
    raise ReconcileError(f"too many files are called {alias}", where=str(directory))


def _alias(one: Certificate) -> str:
    """A name that is an alias, a file name and a YAML key without quotes: lower-case letters, digits, underscores."""
    attributes = dict(one.subject_attributes or ())
    text = attributes.get("CN") or attributes.get("OU") or attributes.get("O") or ""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    alias = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST_ALIAS].strip("_")
    if not alias or not alias[0].isalpha():
        alias = f"certificate_{alias or one.sha256[:12]}"
    if _DEVICES.fullmatch(alias) or protected_by(alias) or looks_protected_by(alias):
        alias = f"x_{alias}"
    return alias


def trusted_roots_lines(saved: Sequence[SavedCertificate]) -> str:
    """The `trustedRoots` section for what was saved, with pins; from the top of the chain down."""
    anchors = [one for one in saved if one.is_anchor]
    ordered = [one for one in anchors if one.file is None] + [one for one in reversed(anchors) if one.file]
    lines = ["trustedRoots:"]
    for one in ordered:
        pin = ":".join(one.certificate.sha256[at : at + 2].upper() for at in range(0, 64, 2))
        lines.append(f"  {one.alias}:")
        lines.append(f"    file: {_quoted(one.file)}" if one.file else "    bundle: mozilla")
        lines.append(f'    sha256: "{pin}"')
    return "".join(f"{line}\n" for line in lines)


def _quoted(path: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./-]+", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
