"""The arguments of a command: files, directories, globs; every problem of every file; each keystore once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.desired import load_states
from reconciler.errors import ReconcileError
from reconciler.model import StoreType

if TYPE_CHECKING:
    from tests.desired.conftest import Repository


def state_for(path: str) -> str:
    return f"apiVersion: reconciler/v1\nkeystore: {{type: jks, path: {path}}}\n"


@pytest.fixture
def fleet(repository: Repository) -> Repository:
    repository.write("states/b.yaml", state_for("b.jks"))
    repository.write("states/a.yml", state_for("a.jks"))
    repository.write("states/deep/c.yaml", state_for("c.jks"))
    repository.write("states/common.yaml", "trustedRoots: {}\n")
    repository.write("states/.hidden/x.yaml", state_for("x.jks"))
    repository.write("states/notes.txt", "not YAML: [")
    repository.write("states/workflow.yaml", "on: push\njobs: {}\n")
    return repository


def names(*arguments: str) -> list[str]:
    return [state.name for state in load_states(arguments)]


def test_files_come_in_the_order_of_the_arguments(fleet: Repository) -> None:
    assert names("states/b.yaml", "states/a.yml") == ["states/b.yaml", "states/a.yml"]


def test_a_directory_is_searched_for_state_files_and_nothing_else(fleet: Repository) -> None:
    assert names("states") == ["states/a.yml", "states/b.yaml", "states/deep/c.yaml"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("states/*.yaml", ["states/b.yaml"]),
        ("states/**/*.yaml", ["states/b.yaml", "states/deep/c.yaml"]),
        ("states/[ab].y*ml", ["states/a.yml", "states/b.yaml"]),
        ("st*", ["states/a.yml", "states/b.yaml", "states/deep/c.yaml"]),
    ],
)
def test_a_glob_that_the_shell_left_alone_is_expanded(fleet: Repository, pattern: str, expected: list[str]) -> None:
    assert names(pattern) == expected


def test_a_file_that_two_arguments_name_counts_once(fleet: Repository) -> None:
    assert names("states/b.yaml", "states", "./states/b.yaml") == [
        "states/b.yaml",
        "states/a.yml",
        "states/deep/c.yaml",
    ]


def test_a_file_with_signs_of_a_glob_in_its_name_is_that_file(fleet: Repository) -> None:
    fleet.write("states[1].yaml", state_for("y.jks"))

    assert names("states[1].yaml") == ["states[1].yaml"]


@pytest.mark.parametrize("argument", ["nothing*.yaml", "empty"])
def test_an_argument_that_names_no_state_file_is_an_error(fleet: Repository, argument: str) -> None:
    (fleet.root / "empty").mkdir()
    with pytest.raises(ReconcileError) as caught:
        load_states([argument])

    assert caught.value.message == "no state file found"
    assert caught.value.where == argument


def test_a_missing_file_is_said(fleet: Repository) -> None:
    [problem] = fleet.problems_of("states/bb.yaml")

    assert problem.message == "states/bb.yaml cannot be read: there is no such file"
    assert problem.hint == "did you mean b.yaml?"


def test_broken_yaml_in_a_directory_is_not_passed_over(fleet: Repository) -> None:
    fleet.write("states/broken.yaml", "a: [")
    [problem] = fleet.problems_of("states")

    assert problem.source is not None
    assert problem.source.file == "states/broken.yaml"


def test_a_link_to_nothing_is_not_passed_over(fleet: Repository) -> None:
    (fleet.root / "states" / "gone.yaml").symlink_to("nowhere.yaml")
    [problem] = fleet.problems_of("states")

    assert problem.message == "states/gone.yaml cannot be read: there is no such file"


def test_a_state_file_whose_keystore_is_misspelt_is_not_passed_over(fleet: Repository) -> None:
    fleet.write("states/typo.yaml", "apiVersion: reconciler/v1\nkeystor: {}\n")
    problems = fleet.problems_of("states")

    assert {problem.source.file for problem in problems if problem.source} == {"states/typo.yaml"}


def test_the_problems_of_all_files_come_at_once(fleet: Repository) -> None:
    fleet.write("states/a.yml", "x: 1")
    fleet.write("states/b.yaml", "y: 1")

    problems = fleet.problems_of("states/b.yaml", "states/a.yml")
    assert list(dict.fromkeys(problem.source.file for problem in problems if problem.source)) == [
        "states/b.yaml",
        "states/a.yml",
    ]


@pytest.mark.parametrize("other", ["b.jks", "./b.jks", "../states/b.jks", "link.jks"])
def test_the_same_keystore_in_two_state_files_is_an_error(fleet: Repository, other: str) -> None:
    (fleet.root / "states" / "link.jks").symlink_to("b.jks")
    fleet.write("states/d.yaml", state_for(other))
    [problem] = fleet.problems_of("states/b.yaml", "states/d.yaml")

    assert problem.message == f"{other} is the keystore of states/b.yaml as well"
    assert str(problem.source) == "states/d.yaml:2:1"


def test_the_target_keeps_the_path_as_written_and_as_it_is(fleet: Repository) -> None:
    fleet.write("states/d.yaml", state_for("../live/./d.jks"))
    [state] = load_states(["states/d.yaml"])

    assert state.keystore.type is StoreType.JKS
    assert state.keystore.location == "../live/./d.jks"
    assert state.keystore.path == str(fleet.root / "live" / "d.jks")


def test_an_absolute_path_to_a_state_file_works_from_anywhere(
    fleet: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    [state] = load_states([str(fleet.root / "states" / "b.yaml")])

    assert state.keystore.path == str(fleet.root / "states" / "b.jks")
