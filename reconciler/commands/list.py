"""`reconcile list`: the entries of a keystore, as the Keystore Monitor's table."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconciler.commands import options
from reconciler.commands.entry_words import KINDS, marks
from reconciler.terminal import wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import DesiredState, Entry, Snapshot


@click.command(name="list", short_help="List the entries of a keystore.")
@options.keystore_or_state
@options.passwords
@options.report_format("text", "json")
def command(subject: str, password_env: str | None, password_file: str | None, format_name: str) -> int:
    """List the entries of a live keystore: the one that a state file names, or a keystore file.

    \b
    Examples:
      reconcile list keystore.yaml
      reconcile list live/outbound.p12 --password-env KEYSTORE_PASSWORD --format json
    """
    from reconciler.commands.output import write
    from reconciler.commands.targets import read_subject
    from reconciler.ownership import protected_by

    snapshot, desired = read_subject(subject, password_env, password_file, sap_keys=True)
    patterns = [one.pattern for one in desired.protected]
    protected = {entry.alias: protected_by(entry.alias, entry.owner, patterns) for entry in snapshot.entries}
    if format_name == "json":
        from reconciler.reports.document import list_document

        document = list_document(snapshot, protected, desired.keystore.location, desired.receivers)
        write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif wants_colour(sys.stdout):
        from reconciler.commands.entry_table import drawn

        write(drawn(snapshot, protected, datetime.now(UTC)) + "".join(_notes(snapshot, desired)))
    else:
        write(_text(snapshot, protected, desired))
    return 0


def _text(snapshot: Snapshot, protected: dict[str, str | None], desired: DesiredState) -> str:
    from reconciler.reports.printable import printable

    entries = sorted(snapshot.entries, key=lambda entry: entry.alias)
    width = max((len(printable(entry.alias)) for entry in entries), default=5)
    lines = [_row(entry, protected[entry.alias], min(width, 60)) for entry in entries]
    return "".join([*(f"{line}\n" for line in lines), *_notes(snapshot, desired)])


def _notes(snapshot: Snapshot, desired: DesiredState) -> Iterator[str]:
    """What stands below the entries."""
    from reconciler.reports.printable import printable
    from reconciler.sap_keys import history_notes, waiting_notes

    entries, location = snapshot.entries, desired.keystore.location
    lines = [f"{len(entries)} entries in {printable(location)} ({snapshot.type})"]
    lines += [f"hidden from Java: {printable(hidden.name)}: {printable(hidden.what)}" for hidden in snapshot.hidden]
    lines += [f"warning: {printable(warning)}" for warning in snapshot.warnings]
    lines += [f"note: {printable(note)}" for note in waiting_notes(snapshot, desired.receivers)]
    lines += [f"history of SAP's keys: {printable(note)}" for note in history_notes(snapshot)]
    yield from (f"{line}\n" for line in lines)


def _row(entry: Entry, protected: str | None, width: int) -> str:
    from reconciler.reports.printable import printable

    leaf = entry.leaf
    until = leaf.not_after.strftime("%Y-%m-%d") if leaf and leaf.not_after else "-"
    sha256 = f"{leaf.sha256[:16]}…" if leaf else "-"
    columns = f"{printable(entry.alias):<{width}}  {KINDS[entry.kind]:<11}  {until:<10}  {sha256:<17}"
    return f"{columns}  {marks(entry, protected)}".rstrip()
