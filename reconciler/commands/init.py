"""`reconcile init`: a starter repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where it goes in the new repository -> which of the starter files it is.
_FILES = {"keystore.yaml": "keystore.yaml", ".gitignore": "gitignore"}
_WORKFLOWS = {
    "github": {
        ".github/workflows/reconcile-pull-request.yml": "github/pull-request.yml",
        ".github/workflows/reconcile-apply.yml": "github/apply.yml",
        ".github/workflows/reconcile-nightly.yml": "github/nightly.yml",
    },
    "gitlab": {".gitlab-ci.yml": "gitlab-ci.yml"},
    "none": {},
}
_SCHEMA = "keystore.schema.json"

_COMMIT = "[0-9a-f]{40}|[0-9a-f]{64}"
_SOURCES = {
    "github": (
        re.compile(rf"(?P<where>[\w.-]+/[\w.-]+)@(?P<commit>{_COMMIT})", re.ASCII),
        "OWNER/NAME@COMMIT: the repository on GitHub that holds reconcile, and a whole commit id of it",
    ),
    "gitlab": (
        re.compile(rf"(?P<where>https://[\w.~:/-]+)@(?P<commit>{_COMMIT})", re.ASCII),
        "URL@COMMIT: a git repository with https:// that holds reconcile, and a whole commit id of it",
    ),
}
# The starter workflows say this where the action stands; the part between is the path of an action in the repository.
_ACTION = re.compile(r"RECONCILE/SOURCE((?:/[a-z]+)*)@0{40}")


@click.command(name="init", short_help="Write a starter repository.")
@click.argument("directory", metavar="[DIR]", default=".")
@click.option(
    "--ci", type=click.Choice(sorted(_WORKFLOWS)), default="github", show_default=True,
    help="Whose workflows are written: validate, plan, apply, nightly run.",
)  # fmt: skip
@click.option(
    "--source", metavar="SOURCE@COMMIT", envvar="RECONCILE_SOURCE",
    help="Where the workflows take this program from: OWNER/NAME@COMMIT on GitHub, https://…@COMMIT for GitLab.",
)  # fmt: skip
def command(directory: str, ci: str, source: str | None) -> int:
    """Write a starter repository into DIR (default: here).

    A state file that explains itself, its JSON Schema for editors, CI workflows, and a .gitignore for keystores, locks
    and backups. Files that exist are left as they are. A commit is asked for and no tag: a tag can be moved, and what
    it names sees the password of the keystore.

    \b
    Examples:
      reconcile init my-keystores
      reconcile init my-keystores --ci none
      reconcile init my-keystores --source OWNER/NAME@0123456789abcdef0123456789abcdef01234567
    """
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of
    from reconciler.reports.printable import printable

    root, place = Path(directory), _place(ci, source)
    try:
        for path, content in _contents(ci, place):
            written = _write(root / path, content)
            click.echo(f"{'wrote' if written else 'kept '}  {printable(str(root / path))}")
    except OSError as error:
        raise ReconcileError(f"the starter files cannot be written: {reason_of(error)}", where=directory) from None
    state = printable(str(root / "keystore.yaml"))
    click.echo(f"\nNext: edit {state}, set KEYSTORE_PASSWORD, and run\n  reconcile plan {state}")
    if ci != "none" and place is None:
        click.echo(f"\n{_REMINDERS[ci]}")
    return 0


_REMINDERS = {
    "github": (
        "The workflows do not know yet where this program comes from: set RECONCILE/SOURCE@000… in them to the\n"
        "repository on GitHub and a commit of it, or run this again elsewhere with --source OWNER/NAME@COMMIT."
    ),
    "gitlab": (
        "The pipeline does not know yet where this program comes from: set RECONCILE_SOURCE and RECONCILE_REVISION\n"
        "in .gitlab-ci.yml, or run this again elsewhere with --source https://…@COMMIT."
    ),
}


def _place(ci: str, source: str | None) -> tuple[str, str] | None:
    """The repository and the commit of `--source`.

    Raises:
        ReconcileError: it is not of the form that this CI takes.
    """
    from reconciler.errors import ReconcileError

    if source is None or ci not in _SOURCES:
        return None
    pattern, form = _SOURCES[ci]
    found = pattern.fullmatch(source)
    if found is None:
        raise ReconcileError(f"'{source}' is not a source for --ci {ci}", where="--source", hint=f"give {form}")
    return found["where"], found["commit"]


def _contents(ci: str, place: tuple[str, str] | None) -> Iterator[tuple[str, bytes]]:
    from importlib.resources import files

    from reconciler.desired.schema import schema_path

    starter = files("reconciler.starter")
    for path, name in _FILES.items():
        yield path, starter.joinpath(name).read_bytes()
    for path, name in _WORKFLOWS[ci].items():
        text = starter.joinpath(name).read_text(encoding="utf-8")
        yield path, (_with_source(text, *place) if place else text).encode()
    yield _SCHEMA, schema_path(_SCHEMA).read_bytes()


def _with_source(text: str, where: str, commit: str) -> str:
    """The workflow with the place that this program comes from."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(_ABOUT_THE_SOURCE)]
    text = _ACTION.sub(lambda found: f"{where}{found[1]}@{commit}", "".join(lines))
    text = text.replace('RECONCILE_SOURCE: ""', f'RECONCILE_SOURCE: "{where}"')
    return text.replace('RECONCILE_REVISION: ""', f'RECONCILE_REVISION: "{commit}"')


_ABOUT_THE_SOURCE = ("#\n", "# RECONCILE/SOURCE@000", "# commit of it: set both")


def _write(path: Path, content: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
