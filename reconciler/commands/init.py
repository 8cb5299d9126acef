"""`reconcile init`: a starter repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where it goes in the new repository -> which of the starter files it is.
_FILES = {
    "keystore.yaml": "keystore.yaml",
    ".gitignore": "gitignore",
    ".github/workflows/reconcile.yml": "reconcile.yml",
}
_SCHEMA = "keystore.schema.json"


@click.command(name="init", short_help="Write a starter repository.")
@click.argument("directory", metavar="[DIR]", default=".")
def command(directory: str) -> int:
    """Write a starter repository into DIR (default: here).

    A state file that explains itself, its JSON Schema for editors, a CI workflow and a .gitignore for keystores, locks
    and backups. Files that exist are left as they are.

    \b
    Example:
      reconcile init my-keystores
    """
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of
    from reconciler.reports.printable import printable

    root = Path(directory)
    try:
        for path, content in _contents():
            written = _write(root / path, content)
            click.echo(f"{'wrote' if written else 'kept '}  {printable(str(root / path))}")
    except OSError as error:
        raise ReconcileError(f"the starter files cannot be written: {reason_of(error)}", where=directory) from None
    state = printable(str(root / "keystore.yaml"))
    click.echo(f"\nNext: edit {state}, set KEYSTORE_PASSWORD, and run\n  reconcile plan {state}")
    return 0


def _contents() -> Iterator[tuple[str, bytes]]:
    from importlib.resources import files

    from reconciler.desired.schema import schema_path

    for path, name in _FILES.items():
        yield path, files("reconciler.starter").joinpath(name).read_bytes()
    yield _SCHEMA, schema_path(_SCHEMA).read_bytes()


def _write(path: Path, content: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
