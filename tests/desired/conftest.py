"""A repository to put state files into, and what is found wrong with them."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reconciler.desired import load, load_states
from reconciler.errors import DesiredStateError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model import DesiredState, Wanted

HEAD = "apiVersion: reconciler/v1\nkeystore: {type: pkcs12, path: live.p12, password: {env: PW}}\n"


class Repository:
    """A directory with `.git`, which is the current one while a test runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".git").mkdir()

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dedent(content).encode() if isinstance(content, str) else content)
        return file

    def state(self, body: str = "", path: str = "keystore.yaml") -> DesiredState:
        """The state of a file that says what every file says, and then `body`, which begins in line 3."""
        self.write(path, HEAD + dedent(body))
        return load(path)

    def wanted(self, body: str) -> Wanted:
        [only] = self.state(body).wanted
        return only

    def problems(self, content: str | bytes, path: str = "keystore.yaml") -> tuple[Problem, ...]:
        """What is wrong with a whole file."""
        self.write(path, content)
        return self.problems_of(path)

    def problems_in(self, body: str) -> tuple[Problem, ...]:
        """What is wrong with a file that says what every file says, and then `body`, which begins in line 3."""
        return self.problems(HEAD + dedent(body))

    @staticmethod
    def problems_of(*arguments: str) -> tuple[Problem, ...]:
        with pytest.raises(DesiredStateError) as caught:
            load_states(arguments)
        return caught.value.problems


def told(problem: Problem) -> str:
    """Place, code, message and hint in one text."""
    return f"{problem.source}: [{problem.code}] {problem.message} ({problem.hint})"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    return Repository(root)
