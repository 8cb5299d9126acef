"""Paths that the desired state names: relative to the file that names them, and inside the repository.

A pull request must not be able to read what lies beside the repository: certificates, key pair files and included
files stay inside it, symbolic links resolved. Only secrets and the keystore itself may lie anywhere.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import MaterialError


class Place(NamedTuple):
    """A file inside the repository: its absolute path, and how messages call it."""

    path: str
    shown: str


@dataclass(frozen=True, slots=True)
class Base:
    """Where the relative paths of one YAML file begin, and the repository that they stay inside.

    Attributes:
        directory: The absolute directory of the YAML file, links resolved.
        root: The absolute directory of the repository, links resolved.
        shown: The directory as messages call it, POSIX, empty for the current one.
        named: Every path that was asked for through this base and those of included files, links not resolved.
    """

    directory: str
    root: str
    shown: str
    named: set[str] = field(default_factory=set, repr=False, compare=False)
    _folders: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def show(self, written: str) -> str:
        """A path of the YAML file as messages call it."""
        return os.path.normpath(os.path.join(self.shown, written)).replace(os.sep, "/")

    def anywhere(self, written: str) -> str:
        """The absolute path of a file that may lie outside the repository.

        Raises:
            MaterialError: the text cannot be meant as a path.
        """
        if not written.isprintable():
            raise MaterialError("a path with a control character")
        if written.startswith("~"):
            raise MaterialError(f"{written}: `~` is not expanded", hint="write the path out")
        path = os.path.normpath(os.path.join(self.directory, written))
        self.named.add(path)
        return path

    def inside(self, written: str) -> str:
        """The absolute path of a file inside the repository, links resolved.

        Raises:
            MaterialError: the path leads out of the repository, by `..`, absolutely, or through a link.
        """
        # Ten thousand certificates lie in a handful of directories: each directory is resolved once.
        folder, name = os.path.split(self.anywhere(written))
        if (resolved := self._folders.get(folder)) is None:
            resolved = self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(resolved, name)
        if os.path.islink(path):
            path = os.path.realpath(path)
        if os.path.normcase(path).startswith(os.path.normcase(os.path.join(self.root, ""))):
            return path
        raise MaterialError(
            f"{self.show(written)} lies outside the repository ({self.root})",
            hint="put the file into the repository; only secrets and the keystore itself may lie elsewhere",
        )

    def place(self, written: str) -> Place:
        """A file inside the repository, whether it is there or not.

        Raises:
            MaterialError: as `inside`.
        """
        return Place(self.inside(written), self.show(written))


def base_of(file: str) -> Base:
    """The base of the paths in a state file, given as the user wrote its path."""
    path = Path(os.path.realpath(file))
    return Base(str(path.parent), str(_repository_of(path.parent)), os.path.dirname(file).replace(os.sep, "/"))


def base_of_included(outer: Base, written: str) -> Base:
    """The base of the paths in an included file: its own directory, in the repository of the file that includes it."""
    return Base(os.path.dirname(outer.inside(written)), outer.root, os.path.dirname(outer.show(written)), outer.named)


def _repository_of(directory: Path) -> Path:
    """The nearest directory with `.git` (a file in a worktree), else the directory itself."""
    return next((one for one in (directory, *directory.parents) if (one / ".git").exists()), directory)


def read_file(path: str, shown: str, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        MaterialError: it is missing, unreadable, larger, or not a file.
    """
    content = read_if_there(path, shown, limit)
    if content is None:
        raise MaterialError(f"{shown} cannot be read: there is no such file", hint=_neighbour(path))
    return content


def read_if_there(path: str, shown: str, limit: int) -> bytes | None:
    """As `read_file`, and None for a file that is missing.

    Raises:
        MaterialError: it is unreadable, larger, or not a file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise MaterialError(f"{shown} is not a file")
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise MaterialError(f"{shown} cannot be read: {reason}", hint=_neighbour(path)) from None
    if len(content) > limit:
        raise MaterialError(f"{shown} has more than {limit:,} bytes")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe without a writer would be waited for at the opening."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _neighbour(path: str) -> str | None:
    """A file beside the missing one that may be meant: another case, another ending, or in small directories a typo."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    stem = os.path.splitext(name)[0].lower()
    near = [one for one in names if os.path.splitext(one)[0].lower() == stem]
    if not near and len(names) <= _FEW:
        import difflib

        near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near and name not in names else None


_FEW = 50  # comparing is slow, and thousands of certificates may be missing at once
