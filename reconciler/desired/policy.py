"""The section `policy` of a state file and of what it includes: one policy, whichever files its lines stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.desired.document import quoted
from reconciler.desired.durations import duration
from reconciler.errors import Problem, ReconcileError
from reconciler.model import Policy, PolicyLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from reconciler.desired.document import Path
    from reconciler.desired.reading import Part
    from reconciler.model import Source

SECTION = "policy"


def policy_of(parts: Sequence[Part], problems: list[Problem]) -> Policy:
    """The policy of all files together; what two files say differently is an error that names both lines."""
    said: dict[Path, tuple[str, Source]] = {}
    for part in parts:
        for path, value in _lines(part):
            source = part.document.source(path)
            first, place = said.setdefault(path, (value, source))
            if first != value:
                problems.append(_contradiction(path, value, source, place))
    levels = {str(path[-1]): PolicyLevel(value) for path, (value, _) in said.items() if len(path) == 3}
    return Policy(levels, _maximum(said, problems))


def _lines(part: Part) -> Iterator[tuple[Path, str]]:
    written = part.section(SECTION)
    checks = written.get("checks")
    path: Path
    for name, level in checks.items() if isinstance(checks, dict) else ():
        if part.can_use(path := (SECTION, "checks", name)):
            yield path, level
    if "maximumValidity" in written and part.can_use(path := (SECTION, "maximumValidity")):
        yield path, written["maximumValidity"]


def _maximum(said: dict[Path, tuple[str, Source]], problems: list[Problem]) -> timedelta | None:
    written = said.get((SECTION, "maximumValidity"))
    if written is None:
        return None
    try:
        return duration(written[0])
    except ReconcileError as error:
        message = f"`policy.maximumValidity` {error.message}"
        problems.append(Problem("wrong-value", message, written[1], hint=error.hint))
        return None


def _contradiction(path: Path, value: str, source: Source, first: Source) -> Problem:
    name = ".".join(map(str, path))
    message = f"`{name}` is {quoted(value)} here and something else in {first.file}, line {first.line}"
    return Problem("policy-twice", message, source, hint="one policy for one keystore: keep one of the two lines")
