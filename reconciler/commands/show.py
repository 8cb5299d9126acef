"""`reconcile show`: one entry of a keystore with its whole chain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import Certificate, Entry


@click.command(name="show", short_help="Show one entry with its whole chain.")
@options.keystore_or_state
@options.alias
@options.passwords
@options.report_format("text", "json")
def command(subject: str, alias: str, password_env: str | None, password_file: str | None, format_name: str) -> int:
    """Show one entry of a live keystore with all its certificates.

    \b
    Examples:
      reconcile show keystore.yaml s4_client
      reconcile show live/outbound.p12 s4_client --password-env KEYSTORE_PASSWORD
    """
    from reconciler.commands.output import write
    from reconciler.commands.targets import read_subject
    from reconciler.ownership import protected_by
    from reconciler.reports.document import entry_document

    snapshot, desired = read_subject(subject, password_env, password_file, whole=[alias])
    patterns = [one.pattern for one in desired.protected]
    found = find_entries(snapshot.entries, alias, desired.keystore.location)
    protection = [protected_by(entry.alias, entry.owner, patterns) for entry in found]
    if format_name == "json":
        entries = [entry_document(entry, by) for entry, by in zip(found, protection, strict=True)]
        document = {"format_version": "1", "keystore": desired.keystore.location, "entries": entries,
                    "warnings": list(snapshot.warnings)}  # fmt: skip
        write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return 0
    lines = [line for entry, by in zip(found, protection, strict=True) for line in _text(entry, by)]
    lines += [f"warning: {warning}" for warning in snapshot.warnings]
    write("".join(f"{line}\n" for line in lines))
    return 0


def find_entries(entries: tuple[Entry, ...], alias: str, location: str) -> list[Entry]:
    """The entries of an alias, usually one.

    Raises:
        ReconcileError: there is none; the hint names the nearest.
    """
    from difflib import get_close_matches

    from reconciler.errors import ReconcileError
    from reconciler.ownership import alias_key

    found = [entry for entry in entries if alias_key(entry.alias) == alias_key(alias)]
    if not found:
        near = get_close_matches(alias, [entry.alias for entry in entries], n=3)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "see: reconcile list"
        raise ReconcileError(f"there is no entry {alias!r}", where=location, hint=hint)
    return found


def _text(entry: Entry, protected: str | None) -> Iterator[str]:
    from reconciler.reports.printable import printable

    yield f"{printable(entry.alias)}: {entry.kind}"
    if entry.stored_alias and entry.stored_alias != entry.alias:
        yield f"  stored as    {printable(entry.stored_alias)}"
    if protected:
        yield f"  protected    {protected}"
    if entry.owner:
        yield f"  owner        {printable(entry.owner)}"
    if entry.created:
        yield f"  created      {entry.created:%Y-%m-%d %H:%M:%S} UTC"
    if entry.note:
        yield f"  note         {printable(entry.note)}"
    for place, certificate in enumerate(entry.chain, 1):
        yield f"  certificate {place} of {len(entry.chain)}"
        yield from _certificate(certificate)


def _certificate(one: Certificate) -> Iterator[str]:
    from reconciler.reports.printable import printable
    from reconciler.words import key_text, with_colons

    if one.problem:
        yield f"    cannot be parsed: {printable(one.problem)}"
    facts = (
        ("subject", one.subject),
        ("issuer", one.issuer),
        ("serial", None if one.serial is None else f"{one.serial:x}"),
        ("valid from", None if one.not_before is None else f"{one.not_before:%Y-%m-%d %H:%M:%S} UTC"),
        ("valid until", None if one.not_after is None else f"{one.not_after:%Y-%m-%d %H:%M:%S} UTC"),
        ("key", key_text(one.key_algorithm, one.key_size, one.curve)),
        ("signature", one.signature_algorithm),
        ("names", ", ".join(one.subject_alt_names or ())),
        ("usage", ", ".join(one.extended_key_usage or ())),
        ("SHA-256", with_colons(one.sha256)),
    )
    for name, value in facts:
        if value:
            yield f"    {name:<12}{printable(value)}"
