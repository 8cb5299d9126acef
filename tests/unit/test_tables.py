"""Names that stand for code in a table: each leads to something of the right kind, and the schema knows the same."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli import COMMANDS
from reconciler.desired.schema import schema_path
from reconciler.issuers.table import ISSUERS
from reconciler.keystores.opening import KEYSTORES
from tests.unit.tables import Row, rows

if TYPE_CHECKING:
    import click

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.table}-{row.name}-{row.attribute}" for row in ROWS])
def test_every_row_leads_to_code(row: Row):
    assert callable(getattr(import_module(row.module), row.attribute))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_called_as_the_table_calls_it(name: str):
    command: click.Command = import_module(COMMANDS[name][0]).command
    assert command.name == name
    assert command.help
    assert "Example" in command.help


def test_the_overview_names_every_command_with_one_sentence():
    for name, (_module, summary) in COMMANDS.items():
        assert summary.endswith("."), name
        assert len(summary) <= 80, name


def schema() -> dict[str, Any]:
    return json.loads(schema_path().read_bytes())


def test_the_schema_knows_the_keystores_that_can_be_opened():
    assert set(schema()["properties"]["keystore"]["properties"]["type"]["enum"]) == set(KEYSTORES)


def test_the_schema_knows_the_issuers_that_can_be_asked():
    assert set(schema()["$defs"]["issuerType"]["enum"]) == set(ISSUERS)
