"""README.md offers two commands, each on one line: `.ci/run` takes them from there."""

from __future__ import annotations

from tests.documentation.pages import REPOSITORY, blocks

COMMANDS = [block.text for block in blocks(REPOSITORY / "README.md", "sh")]


def test_there_are_two_commands_of_one_line():
    assert [text.count("\n") for text in COMMANDS] == [1, 1]


def test_the_first_applies_the_example_and_the_second_runs_the_tests_last():
    first, second = COMMANDS
    assert first.rstrip().endswith("&& .venv/bin/reconcile apply examples/keystore.yaml --yes")
    assert second.rstrip().endswith("&& .venv/bin/python -m pytest")


def test_both_install_what_is_pinned_and_nothing_else():
    for text, name in zip(COMMANDS, ("run", "dev"), strict=True):
        assert f"--no-deps --require-hashes -r requirements/{name}.txt" in text
        assert text.count(" install ") == text.count("--no-deps") == 2
