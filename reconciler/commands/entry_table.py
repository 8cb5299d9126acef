"""The entries of a keystore as a table at a terminal; a pipe gets plain lines instead, which programs can cut."""

from __future__ import annotations

import io
from datetime import timedelta
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.commands.entry_words import KINDS, marks
from reconciler.reports.facts import day, has_end, left, short, short_name
from reconciler.reports.printable import printable

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model import Entry, Snapshot

# Narrower terminals do without the fingerprint, which `show` and `--format json` have whole.
_WIDE = 120
_SOON = timedelta(days=30)
# How long it is until then is said where people would count days.
_NEAR = timedelta(days=730)


def drawn(snapshot: Snapshot, protected: dict[str, str | None], now: datetime) -> str:
    """The table, with its colours, as wide as the terminal."""
    columns = get_terminal_size().columns
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    notes = {entry.alias: marks(entry, protected[entry.alias]) for entry in snapshot.entries}
    table.add_column("Alias", overflow="fold")
    table.add_column("Kind", no_wrap=True)
    table.add_column("Certificate", overflow="fold")
    table.add_column("Ends", no_wrap=True)
    if columns >= _WIDE:
        table.add_column("SHA-256", no_wrap=True, style="dim")
    if any(notes.values()):
        table.add_column("Note", overflow="fold")
    for entry in sorted(snapshot.entries, key=lambda one: one.alias):
        cells = [_alias(entry, protected[entry.alias]), Text(KINDS[entry.kind]), _certificate(entry), _end(entry, now)]
        cells += [Text(short(entry.leaf.sha256) if entry.leaf else "")] if columns >= _WIDE else []
        cells += [Text(printable(notes[entry.alias]), style="dim")] if any(notes.values()) else []
        table.add_row(*cells)
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=columns, legacy_windows=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _alias(entry: Entry, protected: str | None) -> Text:
    return Text(printable(entry.alias), style="dim" if protected else "bold")


def _certificate(entry: Entry) -> Text:
    return Text(printable(short_name(entry.leaf)) if entry.leaf else "")


def _end(entry: Entry, now: datetime) -> Text:
    """When the certificate ends: red when it has, yellow in its last thirty days."""
    end = entry.leaf.not_after if entry.leaf else None
    if end is None or not has_end(end):
        return Text("")
    style = "red" if end <= now else "yellow" if end - now <= _SOON else ""
    return Text(f"{day(end)}, {left(end, now)}" if end - now <= _NEAR else day(end), style=style)
