"""Every `reconcile` command on a page is one that the program has, with options that it has."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from reconciler.cli import COMMANDS, reconcile
from tests.documentation.pages import blocks, pages, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import click

_INLINE = re.compile(r"`(reconcile [a-z][^`]*)`")
_IN_A_SCRIPT = re.compile(r"(?:^|[\s(;&|])(reconcile [a-z][^\n|;&>#]*)", re.MULTILINE)
_GLOBAL = re.compile(r"^reconcile (?:(?:-v|--verbose|--log-format \S+) )*")


def commands_in_scripts(page: Path) -> Iterator[str]:
    for block in blocks(page, "sh", "bash", "console"):
        for text in [line.removeprefix("$ ") for line in _joined(block.text) if _is_command(line, block.language)]:
            yield from (found.strip() for found in _IN_A_SCRIPT.findall(text))


def _joined(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def _is_command(line: str, language: str) -> bool:
    return language != "console" or line.startswith("$ ")


def commands_in_prose(page: Path) -> list[str]:
    return _INLINE.findall(page.read_text(encoding="utf-8"))


SCRIPTS = sorted({(shown(page), text) for page in pages() for text in commands_in_scripts(page)})
PROSE = sorted({(shown(page), text) for page in pages() for text in commands_in_prose(page)})


@pytest.mark.parametrize(("page", "text"), SCRIPTS)
def test_a_command_of_a_script_parses(page: str, text: str):
    del page
    command, arguments = _command(text)
    if "--help" not in arguments:
        # A command of its own would remember that it has no `-h`, for the rest of the process.
        program = reconcile.make_context("reconcile", ["plan"], resilient_parsing=True)
        command.make_context(command.name, arguments, parent=program)


@pytest.mark.parametrize(("page", "text"), PROSE)
def test_a_command_in_a_sentence_exists_with_its_options(page: str, text: str):
    del page
    command, arguments = _command(text)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {one.partition("=")[0] for one in arguments if one.startswith("--")} <= known | {"--help"}


def test_there_are_commands_to_look_at():
    assert len(SCRIPTS) > 10
    assert len(PROSE) > 5


def _command(text: str) -> tuple[click.Command, list[str]]:
    name, *arguments = shlex.split(_GLOBAL.sub("", text))
    command: click.Command = import_module(COMMANDS[name][0]).command
    return command, arguments
