"""`reconcile history`: what was applied to a keystore file, newest first, and what can still be undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.keystores.protocol import KeepsHistory
    from reconciler.model import DesiredState
    from reconciler.runs import EntryFacts, Run

STATE = options.state


@click.command(name="history", short_help="Tell what was applied to a keystore file, and what can be undone.")
@STATE
@options.report_format("text", "json")
def command(state: str, format_name: str) -> int:
    """Tell what each run did to a keystore file, newest first.

    Every run leaves a backup beside the keystore and a record of what it did; the newest are kept, as many as
    `keystore.backups.keep` says. For each it is told whether its backup is still there and opens with the password
    that is declared now, and whether the keystore is still what the run left.

    \b
    Examples:
      reconcile history keystore.yaml
      reconcile history keystore.yaml --format json
    """
    from reconciler.commands.output import write
    from reconciler.reports.json_text import dump

    desired, keystore = with_history(state)
    version = keystore.read().version
    told = list(_told(keystore, version))
    if format_name == "json":
        document = {"format_version": "1", "keystore": desired.keystore.location, "runs": told}
        write(dump(document))
    else:
        write("".join(f"{line}\n" for line in _text(desired, told)))
    return 0


def with_history(state: str) -> tuple[DesiredState, KeepsHistory]:
    """The one state file that is meant, and its keystore.

    Raises:
        ReconcileError: several state files, or a keystore that keeps no history.
    """
    from dataclasses import replace

    from reconciler.commands.targets import reader_of
    from reconciler.desired import load_states
    from reconciler.errors import ReconcileError
    from reconciler.keystores.protocol import KeepsHistory

    found = load_states([state])
    if len(found) != 1:
        raise ReconcileError(f"{len(found)} state files; this command takes one", where=state)
    reader = reader_of(found[0])
    if not isinstance(reader, KeepsHistory):
        raise ReconcileError(
            f"a keystore of the type {found[0].keystore.type} keeps no history",
            where=found[0].keystore.location,
            hint="only keystore files do",
        )
    return replace(found[0], keystore=replace(found[0].keystore, create=False)), reader


def _told(keystore: KeepsHistory, version: str) -> Iterator[dict[str, Any]]:
    from reconciler.reports.document import rfc3339
    from reconciler.runs import never_took_place

    runs = keystore.runs()
    interrupted = never_took_place(runs, version)
    for run in runs:
        yield {
            "run": run.id,
            "at": rfc3339(run.moment),
            "command": run.command,
            "undoes": run.undoes,
            "state": run.state,
            "tool_version": run.tool_version,
            "digest": run.digest,
            "migrated": run.migrated,
            "interrupted": run.id in interrupted,
            "current": bool(version) and run.version_after == version,
            "version_before": run.version_before,
            "version_after": run.version_after,
            "changes": [
                {"action": one.action, "alias": one.alias, "reason": one.reason, "new_alias": one.new_alias}
                for one in run.changes
            ],
            "entries": [
                {"alias": key, "before": _facts(before), "after": _facts(after)} for key, before, after in run.entries
            ],
            "backup": _backup(keystore, run),
            "problem": run.problem,
        }


def _facts(facts: EntryFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {"kind": facts.kind, "sha256": facts.chain[0] if facts.chain else None, "subject": facts.subject}


def _backup(keystore: KeepsHistory, run: Run) -> dict[str, Any] | None:
    if run.backup is None:
        return None
    return {"file": Path(run.backup).name, "opens_with": keystore.backup_opens(run)}


# ---------------------------------------------------------------------------------------------------- text


def _text(desired: DesiredState, told: list[dict[str, Any]]) -> Iterator[str]:
    from reconciler.reports.printable import printable

    location = printable(desired.keystore.location)
    if not told:
        yield f"{location}: nothing was applied yet, or no record of it is kept"
        return
    yield f"{location}: {len(told)} run{'' if len(told) == 1 else 's'}, newest first"
    for run in told:
        yield ""
        yield f"{run['run']}  {printable(_headline(run))}"
        if run["problem"] is None:
            yield from _what_it_did(run)
        yield f"  {_about_backup(run)}"


def _headline(run: dict[str, Any]) -> str:
    if run["problem"]:
        return str(run["problem"])
    what = f"rollback of {run['undoes']}" if run["undoes"] else run["command"]
    marks = [
        mark
        for mark, holds in (
            ("the keystore is still what this run left", run["current"]),
            ("interrupted before it changed the keystore, or taken back by hand", run["interrupted"]),
        )
        if holds
    ]
    return "; ".join([f"{what} {run['state']}", *marks])


def _what_it_did(run: dict[str, Any]) -> Iterator[str]:
    from reconciler.reports.printable import printable

    facts = {entry["alias"]: entry for entry in run["entries"]}
    for change in run["changes"]:
        alias, new_alias = change["alias"], change["new_alias"]
        name = f"{alias} -> {new_alias}" if new_alias else alias
        yield f"  {change['action']:<12} {printable(name):<36} {printable(change['reason'])}".rstrip()
        entry = facts.get((new_alias or alias).lower())
        if entry is not None:
            yield f"    {_short(entry['before'])} -> {_short(entry['after'])}"


def _short(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return "nothing"
    return f"SHA-256 {facts['sha256'][:16]}…" if facts["sha256"] else facts["kind"]


def _about_backup(run: dict[str, Any]) -> str:
    from reconciler.reports.printable import printable

    backup = run["backup"]
    if backup is None:
        made = run["version_before"] is None and run["problem"] is None
        return "made the keystore, so there is no backup" if made else "its backup is gone"
    opens = backup["opens_with"]
    how = f"opens with `{opens}`" if opens else "opens with no declared password, or was changed"
    return f"backup {printable(backup['file'])} {how}"
