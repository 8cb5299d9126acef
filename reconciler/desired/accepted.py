"""What somebody answers for until a day: the section `accepted` of a state file and of what it includes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from reconciler.desired.document import quoted
from reconciler.desired.pins import normalised_pin
from reconciler.errors import Problem
from reconciler.model import Accepted, Source, Status
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.desired.document import Path
    from reconciler.desired.reading import Part

SECTION = "accepted"


def accepted_in(parts: Sequence[Part], problems: list[Problem]) -> tuple[Accepted, ...]:
    """The acceptances of all files, in their order; the same in two files counts once."""
    found: dict[tuple[object, ...], Accepted] = {}
    for part in parts:
        for path in _usable(part):
            one = _accepted(part, path, problems)
            if one is None:
                continue
            first = found.setdefault(_meant(one), one)
            if replace(first, source=_NOWHERE) != replace(one, source=_NOWHERE):
                problems.append(_contradiction(one, first))
    return tuple(found.values())


def _usable(part: Part) -> Iterator[Path]:
    root = part.document.root
    written = root.get(SECTION) if isinstance(root, dict) else None
    for at in range(len(written) if isinstance(written, list) else 0):
        if part.can_use(path := (SECTION, at)):
            yield path


def _accepted(part: Part, path: Path, problems: list[Problem]) -> Accepted | None:
    written = part.document.root[SECTION][path[-1]]
    try:
        until = date.fromisoformat(written["until"])
    except ValueError:
        source = part.document.source((*path, "until"))
        message = f"there is no such day as {quoted(written['until'])}"
        problems.append(Problem("wrong-value", message, source, hint="write it as 2027-03-31"))
        return None
    return Accepted(
        written["alias"],
        normalised_pin(written["sha256"]),
        written["reason"],
        written["owner"],
        until,
        part.document.source(path),
        Status(written["status"]) if "status" in written else None,
        frozenset(written.get("fields", ())),
    )


def _meant(one: Accepted) -> tuple[object, ...]:
    return alias_key(one.alias), one.sha256, one.status, one.fields


def _contradiction(one: Accepted, first: Accepted) -> Problem:
    where = f"{first.source.file}, line {first.source.line}"
    message = f"the same finding of {quoted(one.alias)} is accepted otherwise in {where}"
    return Problem("accepted-twice", message, one.source, hint="keep one of the two")


_NOWHERE = Source("", 0)
