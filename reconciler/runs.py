"""The runs that wrote a keystore file, as the records beside its backups tell them. Plain values; see `undoing`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Entry

STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """An entry before or after a run, as the record keeps it."""

    kind: str
    chain: tuple[str, ...]  # SHA-256, leaf first
    digest: str  # `Entry.digest`
    subject: str | None = None

    def is_still(self, entry: Entry | None) -> bool:
        """Whether a live entry is this one: the same bytes, or another program's rewriting of the same content."""
        if entry is None or entry.kind != self.kind:
            return False
        chain = tuple(one.sha256 for one in entry.chain)
        return entry.digest == self.digest or (bool(chain) and self.chain == chain)


@dataclass(frozen=True, slots=True)
class RunChange:
    """One change of a run, in the words of its plan."""

    action: str
    alias: str
    reason: str
    new_alias: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run that wrote the keystore.

    Attributes:
        id: Its moment in UTC, which sorts.
        backup: The path of the keystore file as it was before; None where there was none or it is gone.
        command: apply or rollback.
        state: The state file.
        digest: Of the plan.
        tool_version: Of the program that ran.
        undoes: The run that it undid.
        version_before: SHA-256 of the file before; None where the run made it.
        version_after: SHA-256 of the file that the run left.
        migrated: Whether the file changed its type, password or encryption.
        changes: What the plan said.
        entries: By the identity of the alias: what was there before and after; None for nothing.
        problem: Why the record cannot be read; then the rest says nothing.
    """

    id: str
    backup: str | None = None
    command: str = ""
    state: str = ""
    digest: str = ""
    tool_version: str = ""
    undoes: str | None = None
    version_before: str | None = None
    version_after: str = ""
    migrated: bool = False
    changes: tuple[RunChange, ...] = ()
    entries: tuple[tuple[str, EntryFacts | None, EntryFacts | None], ...] = ()
    problem: str | None = None

    @property
    def moment(self) -> datetime:
        """When it was."""
        return datetime.strptime(self.id, STAMP).replace(tzinfo=UTC)


def never_took_place(runs: Sequence[Run], live_version: str) -> frozenset[str]:
    """The runs that were interrupted between their record and the keystore, which then is still what it was before.

    Args:
        runs: Newest first.
        live_version: `Snapshot.version` of the keystore.
    """
    found = set()
    next_version: str | None = live_version or None
    for run in runs:
        if run.problem is None:
            if run.version_before == next_version != run.version_after:
                found.add(run.id)
            next_version = run.version_before
    return frozenset(found)
