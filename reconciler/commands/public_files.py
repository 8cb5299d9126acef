"""Files that a command writes for people to pass on: certificates, chains, public keys, signing requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

# Reserved on Windows whatever the ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MAX_STEM = 100


def file_name(alias: str, ending: str) -> str:
    """A name for a file that is safe on every system and still shows the alias."""
    stem = re.sub(r"[^\w.-]+", "_", alias, flags=re.UNICODE).strip("._ ")[:_MAX_STEM] or "entry"
    return f"{'_' if _DEVICES.fullmatch(stem) else ''}{stem}{ending}"


def write_public(path: Path, content: bytes) -> None:
    """Write a file, replacing an older one of the same name, and say so.

    Raises:
        ReconcileError: it cannot be written, or a file of another kind is there.
    """
    from reconciler.commands.replaceable import PUBLIC, check_replaceable
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of
    from reconciler.reports.printable import printable

    check_replaceable(path, PUBLIC, "a certificate, a chain, a public key or a request")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ReconcileError(f"the file cannot be written: {reason_of(error)}", where=str(path)) from None
    click.echo(f"wrote {printable(str(path))}")
