"""Which entries go, are replaced or get another name (`absent`, `replaces`, `renamed`), and what contradicts that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.desired.aliases import Declared
from reconciler.desired.document import quoted
from reconciler.errors import Problem
from reconciler.model import Absent, Renamed
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.desired.document import Path
    from reconciler.desired.reading import Part
    from reconciler.model import Source

ABSENT, RENAMED, REPLACES = "aliases.absent", "aliases.renamed", "trustedRoots.*.replaces"


def absent_in(part: Part) -> Iterator[Absent]:
    """What a file wants to be gone."""
    aliases = part.section("aliases").get("absent")
    if isinstance(aliases, list):
        for at, alias in enumerate(aliases):
            path: Path = ("aliases", "absent", at)
            if part.can_use(path):
                yield Absent(alias, part.document.source(path))


def renamed_in(part: Part) -> Iterator[Renamed]:
    """The renames of the state file, in its order."""
    names = part.section("aliases").get("renamed")
    if isinstance(names, dict):
        for old, new in names.items():
            path: Path = ("aliases", "renamed", old)
            if part.can_use(path):
                yield Renamed(old, new, part.document.source(path, key=True))


def declared_by(absent: Sequence[Absent], renamed: Sequence[Renamed], new_places: Sequence[Source]) -> list[Declared]:
    """The aliases of the rules, to be judged as all others are; those of entries that exist may be spelled anyhow."""
    gone = [Declared(one.alias, ABSENT, one.source.file, one.source, made=False) for one in absent]
    old = [Declared(one.old, RENAMED, one.source.file, one.source, made=False) for one in renamed]
    return gone + old + [
        Declared(one.new, RENAMED, place.file, place, collides=False)
        for one, place in zip(renamed, new_places, strict=True)
    ]  # fmt: skip


def replaced_in(part: Part) -> Iterator[Declared]:
    """The aliases that trusted roots of a file replace, to be judged as those that are to go."""
    for path, written in part.entries("trustedRoots"):
        if "replaces" in written:
            source = part.document.source((*path, "replaces"))
            yield Declared(written["replaces"], REPLACES, part.document.file, source, made=False)


def check_replaced(replaced: Sequence[Declared], renamed: Sequence[Renamed]) -> Iterator[Problem]:
    """An alias that one rule makes by renaming and another takes away."""
    new_names = {alias_key(rule.new): rule for rule in renamed}
    for one in replaced:
        rule = new_names.get(alias_key(one.alias))
        if rule is not None:
            why = f"is to be replaced, and {_place(rule.source)} gives {quoted(rule.old)} that name"
            hint = "name the entry that is there: let it replace the old alias, and take the rename out"
            yield Problem("replaces", f"{quoted(one.alias)} {why}", one.source, hint=hint)


def check_renames(renamed: Sequence[Renamed], absent: Sequence[Absent]) -> Iterator[Problem]:
    """What makes a rename depend on the order of renames, or contradict another rule."""
    old_names = {alias_key(one.old): one for one in renamed}
    gone = {alias_key(one.alias): one for one in absent}
    new_names: dict[str, Renamed] = {}
    for rule in renamed:
        key = alias_key(rule.new)
        before = new_names.setdefault(key, rule)
        if key == alias_key(rule.old):
            yield _problem(rule, "which is the same alias: case does not count", "take the line out")
        elif key in old_names:
            yield _problem(rule, f"which {_place(old_names[key].source)} renames as well", _ONE_STEP)
        elif before is not rule:
            yield _problem(rule, f"as does {quoted(before.old)} in {_place(before.source)}")
        elif key in gone:
            yield _problem(rule, f"which must not exist ({_place(gone[key].source)})")


_ONE_STEP = "rename in one step to the last name; for a swap, rename through a third name, in two runs"


def _problem(rule: Renamed, why: str, hint: str = "take one of the two out") -> Problem:
    message = f"{quoted(rule.old)} is to become {quoted(rule.new)}, {why}"
    return Problem("rename", message, rule.source, hint=hint)


def _place(source: Source) -> str:
    return f"{source.file}, line {source.line}"
