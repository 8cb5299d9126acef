"""The STATE arguments of a command: files, directories and globs become state files, each keystore once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.desired.document import Section, read_document
from reconciler.desired.letters import shared_letters
from reconciler.desired.loading import load_noting
from reconciler.errors import DesiredStateError, Problem, ReconcileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.desired.loading import Loaded
    from reconciler.desired.shards import Shard
    from reconciler.model import DesiredState

_SUFFIXES = (".yaml", ".yml")
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state files of a run, and how many the arguments named before a choice was made."""

    states: tuple[DesiredState, ...]
    total: int


def load_states(arguments: Sequence[str]) -> tuple[DesiredState, ...]:
    """Read the state files that the arguments of a command name.

    Args:
        arguments: Files, directories (searched with their subdirectories for state files) and globs.

    Raises:
        DesiredStateError: with the problems of all files.
        ReconcileError: an argument names no state file.
    """
    return load_fleet(arguments).states


def load_fleet(
    arguments: Sequence[str],
    shard: Shard | None = None,
    is_touched: Callable[[Loaded], bool] | None = None,
) -> Fleet:
    """Read some of the state files that the arguments of a command name.

    Args:
        arguments: As in `load_states`.
        shard: Read only the files of this share.
        is_touched: Keep only those; what is wrong with another file is not told.

    Raises:
        DesiredStateError: with the problems of the files that were chosen, and of keystores that two files share.
        ReconcileError: an argument names no state file.
    """
    paths = _each_once(arguments)
    loaded = [load_noting(path) for path in paths if shard is None or shard.takes(path)]
    chosen = [one for one in loaded if is_touched is None or is_touched(one)]
    problems = [problem for one in chosen for problem in one.problems]
    states = [one.state for one in loaded if one.state is not None]
    problems += _shared_keystores(states)
    problems += shared_letters(states)
    if problems:
        raise DesiredStateError(_each_once_told(problems))
    return Fleet(tuple(one.state for one in chosen if one.state is not None), len(paths))


def _each_once_told(problems: Iterable[Problem]) -> list[Problem]:
    """A mistake in a file that many include is one mistake."""
    return list({(problem.code, problem.message, str(problem.source)): problem for problem in problems}.values())


def _each_once(arguments: Iterable[str]) -> list[str]:
    """The state files in the order of the arguments; a file that two arguments name counts once."""
    found: dict[str, str] = {}
    for argument in arguments:
        named = Path(argument)
        if named.is_dir():
            paths = _state_files(_below(named))
        elif _WILDCARDS.intersection(argument) and not named.exists():
            paths = _state_files(_matching(argument))
        else:
            paths = [argument]  # a file that is named is loaded whatever it holds
        if not paths:
            raise ReconcileError(
                "no state file found", where=argument, hint="a state file ends in .yaml or .yml and has an `apiVersion`"
            )
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _below(directory: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                yield str(Path(folder, name))


def _matching(pattern: str) -> Iterator[str]:
    from glob import iglob

    for path in sorted(iglob(pattern, recursive=True)):  # noqa: PTH207  # the pattern is relative or absolute, as typed
        if Path(path).is_dir():
            yield from _below(Path(path))
        else:
            yield path


def _state_files(paths: Iterable[str]) -> list[str]:
    """Those that are meant for us: broken YAML is, so that it is not passed over; other YAML and parts are not."""
    return [path for path in paths if _is_state_file(path)]


def _is_state_file(path: str) -> bool:
    try:
        root = read_document(Path(path).read_bytes(), path).root
    except DesiredStateError:
        return True
    except OSError:
        return True
    return isinstance(root, Section) and (
        "keystore" in root or str(root.get("apiVersion", "")).startswith("reconciler/")
    )


def _shared_keystores(states: Iterable[DesiredState]) -> Iterator[Problem]:
    first: dict[str, DesiredState] = {}
    for state in states:
        key = (
            os.path.normcase(os.path.realpath(state.keystore.path)) if state.keystore.path else state.keystore.location
        )
        other = first.setdefault(key, state)
        if other is not state:
            message = f"{state.keystore.location} is the keystore of {other.name} as well"
            hint = "one keystore, one state file: join them with `include`, or run them one after the other"
            yield Problem("same-keystore", message, state.keystore.source, hint=hint)
