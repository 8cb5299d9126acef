"""The STATE arguments of a command: files, directories and globs become state files, each keystore once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.desired.document import Section, read_document
from reconciler.desired.letters import shared_letters
from reconciler.desired.loading import load
from reconciler.errors import DesiredStateError, Problem, ReconcileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model import DesiredState

_SUFFIXES = (".yaml", ".yml")
_WILDCARDS = frozenset("*?[")


def load_states(arguments: Sequence[str]) -> tuple[DesiredState, ...]:
    """Read the state files that the arguments of a command name.

    Args:
        arguments: Files, directories (searched with their subdirectories for state files) and globs.

    Raises:
        DesiredStateError: with the problems of all files.
        ReconcileError: an argument names no state file.
    """
    states: list[DesiredState] = []
    problems: list[Problem] = []
    for path in _each_once(arguments):
        try:
            states.append(load(path))
        except DesiredStateError as error:
            problems += error.problems
    problems += _shared_keystores(states)
    problems += shared_letters(states)
    if problems:
        raise DesiredStateError(problems)
    return tuple(states)


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
