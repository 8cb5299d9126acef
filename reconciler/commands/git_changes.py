"""What git says has changed since a revision, and which state files that touches."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.desired.loading import Loaded

# Set while git runs a hook: they would turn our questions about one repository into questions about another.
_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
_OPTION = "--changed-since"
_SHALLOW = (
    "this is a shallow clone, which lacks older commits: fetch them (`fetch-depth: 0` for actions/checkout, "
    "`GIT_DEPTH: 0` in GitLab, `git fetch --unshallow` by hand)"
)


class GitChanges:
    """The files that differ from a revision, repository by repository."""

    def __init__(self, revision: str) -> None:
        if revision.startswith("-") or not revision:
            raise ReconcileError(
                f"{revision!r} cannot be a revision",
                where=_OPTION,
                hint="a branch, a tag or a commit, as in origin/main",
            )
        self._revision = revision
        self._changed: dict[str, frozenset[str]] = {}
        self._trails = Trails()

    def touch(self, loaded: Loaded) -> bool:
        """Whether a state file, what it includes or any file that they name differs, or was there and is gone.

        Raises:
            ReconcileError: git cannot tell.
        """
        from reconciler.desired.paths import base_of

        root = base_of(loaded.path).root
        if root not in self._changed:
            self._changed[root] = frozenset(map(os.path.normcase, changed_files(root, self._revision)))
        named = {os.path.abspath(loaded.path), *loaded.named}  # noqa: PTH100  # a link is not to be resolved yet
        return not self._changed[root].isdisjoint(self._trails.over(named))


class Trails:
    """Every name on the way to a file: its directories, and each symbolic link that leads to it."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[str, frozenset[str]]] = {}

    def over(self, paths: Iterable[str]) -> set[str]:
        """The names on the way to all of these absolute paths."""
        return {os.path.normcase(name) for path in paths for name in self._trail(path, _MOST_LINKS)[1]}

    def _trail(self, path: str, links: int) -> tuple[str, frozenset[str]]:
        folder, name = os.path.split(path)
        if not name:
            return path, frozenset()
        real, seen = self._folder(folder, links)
        here = os.path.join(real, name)  # noqa: PTH118  # text from beginning to end
        seen |= {here}
        if not links or not os.path.islink(here):  # noqa: PTH114
            return here, seen
        target = os.path.normpath(os.path.join(real, os.readlink(here)))  # noqa: PTH115, PTH118
        last, more = self._trail(target, links - 1)
        return last, seen | more

    def _folder(self, folder: str, links: int) -> tuple[str, frozenset[str]]:
        if folder not in self._folders:
            self._folders[folder] = self._trail(folder, links)
        return self._folders[folder]


_MOST_LINKS = 40  # as Linux has it; a loop of links leads nowhere


def changed_files(root: str, revision: str) -> set[str]:
    """The absolute paths that differ between where the branch left `revision` and the working tree.

    Untracked files count, and both names of a renamed one. Changes that `revision` got since then do not.

    Raises:
        ReconcileError: git is not there, this is no repository, or the revision is unknown.
    """
    top = os.path.realpath(_git(root, "rev-parse", "--show-toplevel").decode("utf-8", "surrogateescape").rstrip("\n"))
    base = _base(top, revision)
    differing = _git(
        top, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-relative",
        "--ignore-submodules=none", base, "--",
    )  # fmt: skip
    untracked = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    names = {os.fsdecode(name).rstrip("/") for name in (differing + untracked).split(b"\0") if name}
    return {os.path.normpath(os.path.join(top, name)) for name in names}  # noqa: PTH118


def _base(top: str, revision: str) -> str:
    commit = _answer(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit is None:
        raise ReconcileError(
            f"git knows no revision {revision!r}", where=_OPTION, hint=_history_hint(top, "check the name, or fetch it")
        )
    base = _answer(top, "merge-base", commit, "HEAD")
    if base is None:
        raise ReconcileError(
            f"{revision!r} and HEAD have no commit in common",
            where=_OPTION,
            hint=_history_hint(top, "name a revision that the branch comes from"),
        )
    return base


def _history_hint(top: str, otherwise: str) -> str:
    return _SHALLOW if _answer(top, "rev-parse", "--is-shallow-repository") == "true" else otherwise


def _answer(directory: str, *arguments: str) -> str | None:
    done = _run(directory, *arguments)
    text = done.stdout.decode("ascii", "replace").strip()
    return text.splitlines()[0] if done.returncode == 0 and text else None


def _git(directory: str, *arguments: str) -> bytes:
    done = _run(directory, *arguments)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ReconcileError(
            f"git cannot tell what has changed: {said[0] if said else 'it failed'}",
            where=directory,
            hint=f"{_OPTION} needs the repository that the state files are in, with its .git",
        )
    return done.stdout


def _run(directory: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    # Without optional locks git does not write the index either: reading commands cannot write.
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", directory, *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        reason = (error.strerror or "unknown").lower()
        raise ReconcileError(
            f"git cannot be started: {reason}", where=_OPTION, hint="install git, or leave the option out"
        ) from None
