"""What was done to a keystore file: a backup of what it was, and a record of each run, in a directory beside it.

``<keystore>.backups`` holds, for every run that wrote, ``<run>.<ext>`` (the file as it was before; none where the run
made the file) and ``<run>.run.json`` (what the run did). Both are readable by their owner alone. A record holds
aliases, reasons and fingerprints, never a key or a password.

The order survives a crash between any two steps: backup, record, and only then the new keystore. A record whose run
never got to replace the file shows it, since the file is still what it was before.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler import __version__
from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores.files import read_keystore_file, reason_of, remove_left_over, write_private_file
from reconciler.ownership import alias_key, staging_alias
from reconciler.runs import STAMP, EntryFacts, Run, RunChange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model import Change, Entry, RunFacts, Snapshot

FORMAT_VERSION = "1"
RECORD = ".run.json"
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)(\.run\.json|\.[^.]*)?")
# A record of ten thousand entries has 4 MB.
MAX_RECORD = 16 * 1024 * 1024


# ------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Writing:
    """One run about to write a keystore file.

    Attributes:
        path: The keystore file.
        before: Its content; None when there is none.
        after: What takes its place.
        live: What it shows.
        staged: What its successor shows.
        migrated: Whether type, password or encryption change.
        facts: What the record says of the plan; None when nobody said.
    """

    path: str
    before: bytes | None
    after: bytes
    live: Snapshot
    staged: Snapshot
    migrated: bool
    facts: RunFacts | None


def keep(writing: Writing, shown_as: str) -> tuple[Path, ...]:
    """Write backup and record; the files that were written, so that a run that fails can take them away again.

    Raises:
        ReconcileError: they cannot be written.
    """
    directory = directory_of(writing.path)
    written: list[Path] = []
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        run = _new_id(directory)
        if writing.before is not None:
            backup = directory / f"{run}{Path(writing.path).resolve().suffix}"
            write_private_file(backup, writing.before)
            written.append(backup)
        record = directory / f"{run}{RECORD}"
        write_private_file(record, json.dumps(_document(run, writing), indent=1).encode())
        written.append(record)
    except OSError as error:
        discard(written)
        raise ReconcileError(
            f"the backup of the keystore cannot be written: {reason_of(error)}; nothing was changed",
            where=shown_as,
            hint=f"make {directory.name} beside the keystore writable",
        ) from None
    return tuple(written)


def discard(files: tuple[Path, ...] | list[Path]) -> None:
    """Take files away again; what cannot be removed stays."""
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError:
            continue


def prune(path: str, keep: int) -> None:
    """Remove the runs before the `keep` newest, backup first: a record without its backup is still history.

    What runs that were killed have left half-written goes as well.
    """
    remove_left_over(directory_of(path), _NAME.pattern)
    by_run: dict[str, list[Path]] = {}
    for run, file in _files(directory_of(path)):
        by_run.setdefault(run, []).append(file)
    for run in sorted(by_run, reverse=True)[max(keep, 0) :]:
        discard(sorted(by_run[run], key=_is_record))


def directory_of(path: str) -> Path:
    """Where the backups of a keystore file are: beside the file itself, not beside a link to it."""
    resolved = Path(path).resolve()
    return resolved.with_name(f"{resolved.name}.backups")


def _new_id(directory: Path) -> str:
    """The moment; a microsecond after the newest run where the clock was put back."""
    now = datetime.now(UTC)
    newest = max((run for run, _ in _files(directory)), default=None)
    if newest is not None:
        now = max(now, datetime.strptime(newest, STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return now.strftime(STAMP)


def _document(run: str, writing: Writing) -> dict[str, Any]:
    facts, before = writing.facts, writing.live
    named = {alias_key(name) for change in (facts.changes if facts else ()) for name in _named_by(change)}
    touched = _touched(before, writing.staged, named)
    return {
        "format_version": FORMAT_VERSION,
        "run": run,
        "tool_version": __version__,
        "command": facts.command if facts else "apply",
        "state": facts.state if facts else "",
        "digest": facts.digest if facts else "",
        "undoes": facts.undoes if facts else None,
        "version_before": None if writing.before is None else sha256(writing.before).hexdigest(),
        "version_after": sha256(writing.after).hexdigest(),
        "migrated": writing.migrated,
        "changes": [_change(change) for change in (facts.changes if facts else ())],
        "entries": {key: {"before": _facts(old), "after": _facts(new)} for key, old, new in touched},
    }


def _named_by(change: Change) -> tuple[str, ...]:
    return change.alias, staging_alias(change.alias), change.new_alias or ""


def _touched(
    live: Snapshot, staged: Snapshot, named: Collection[str]
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """The entries that are not what they were: another kind, other bytes, or the longer chain that was asked for."""
    before = {alias_key(entry.alias): entry for entry in live.entries}
    after = {alias_key(entry.alias): entry for entry in staged.entries}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None or new is None or _is_other(old, new, by_chain=key in named):
            yield key, old, new


def _is_other(old: Entry, new: Entry, *, by_chain: bool) -> bool:
    return (old.digest, old.kind) != (new.digest, new.kind) or (by_chain and _chain(old) != _chain(new))


def _change(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "alias": change.alias,
        "reason": change.reason,
        **({"new_alias": change.new_alias} if change.new_alias else {}),
    }


def _facts(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    leaf = entry.leaf
    return {
        "kind": entry.kind,
        "sha256": list(_chain(entry)),
        "digest": entry.digest,
        "subject": leaf.subject if leaf else None,
    }


def _chain(entry: Entry) -> tuple[str, ...]:
    return tuple(one.sha256 for one in entry.chain)


# ------------------------------------------------------------------------------------------------- reading


def read_runs(path: str, shown_as: str) -> tuple[Run, ...]:
    """The runs of a keystore file, newest first; a backup without a record is one that says nothing of itself.

    Raises:
        ReconcileError: the directory cannot be read.
    """
    by_run: dict[str, list[Path]] = {}
    try:
        for run, file in _files(directory_of(path)):
            by_run.setdefault(run, []).append(file)
    except OSError as error:
        raise ReconcileError(f"the backups cannot be read: {reason_of(error)}", where=shown_as) from None
    return tuple(_run(run, by_run[run]) for run in sorted(by_run, reverse=True))


def read_backup(run: Run, shown_as: str) -> bytes:
    """The keystore file as it was before a run.

    Raises:
        ReconcileError: it is gone, or is not what the run left there.
    """
    data = None if run.backup is None else read_keystore_file(run.backup, shown_as=run.backup)
    if data is None:
        raise ReconcileError(
            f"the backup of the run {run.id} is gone",
            where=shown_as,
            hint="backups beyond the number that the state file keeps are removed",
        )
    if run.version_before is not None and sha256(data).hexdigest() != run.version_before:
        raise KeystoreUnreadableError(f"the backup of the run {run.id} was changed since", where=run.backup)
    return data


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """The files of runs: (run, file). What is called otherwise is not ours."""
    if not directory.is_dir():
        return
    for file in directory.iterdir():
        match = _NAME.fullmatch(file.name)
        if match is not None and _is_moment(match[1]):
            yield match[1], file


def _is_record(file: Path) -> bool:
    return file.name.endswith(RECORD)


def _is_moment(text: str) -> bool:
    try:
        datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _run(run: str, files: list[Path]) -> Run:
    backup = next((str(file) for file in files if not _is_record(file)), None)
    record = next((file for file in files if _is_record(file)), None)
    if record is None:
        return Run(run, backup, problem="there is no record of it")
    try:
        data = read_keystore_file(str(record), shown_as=record.name) or b""
        if len(data) > MAX_RECORD:
            return Run(run, backup, problem="its record is too large")
        return _from_document(run, backup, json.loads(data))
    except (KeystoreUnreadableError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Run(run, backup, problem="its record is damaged")


def _from_document(run: str, backup: str | None, document: dict[str, Any]) -> Run:
    if document["format_version"] != FORMAT_VERSION or document["run"] != run:
        return Run(run, backup, problem="its record is of another version, or of another run")
    before = document["version_before"]
    return Run(
        run,
        backup,
        _text(document["command"]),
        _text(document["state"]),
        _text(document["digest"]),
        _text(document["tool_version"]),
        None if document["undoes"] is None else _text(document["undoes"]),
        None if before is None else _text(before),
        _text(document["version_after"]),
        document["migrated"] is True,
        tuple(_read_change(change) for change in document["changes"]),
        tuple((_text(key), _read_facts(one["before"]), _read_facts(one["after"]))
              for key, one in document["entries"].items()),
    )  # fmt: skip


def _read_change(change: dict[str, Any]) -> RunChange:
    new_alias = change.get("new_alias")
    return RunChange(
        _text(change["action"]),
        _text(change["alias"]),
        _text(change["reason"]),
        None if new_alias is None else _text(new_alias),
    )


def _read_facts(facts: dict[str, Any] | None) -> EntryFacts | None:
    if facts is None:
        return None
    subject = facts["subject"]
    return EntryFacts(
        _text(facts["kind"]),
        tuple(_text(one) for one in facts["sha256"]),
        _text(facts["digest"]),
        None if subject is None else _text(subject),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value
