"""Every row of every table that maps a name to code, as (table, name, module, attribute)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli import COMMANDS
from reconciler.issuers.table import ISSUERS
from reconciler.keystores.formats import FORMATS as FILE_FORMATS
from reconciler.keystores.opening import KEYSTORES
from reconciler.reports.table import FORMATS as REPORT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Row(NamedTuple):
    table: str
    name: str
    module: str
    attribute: str


def rows() -> list[Row]:
    return [*_commands(), *_keystores(), *_file_formats(), *_issuers(), *_reports()]


def modules_of_rows() -> list[str]:
    """The modules behind the rows, apart from the commands: those are for the command line to import."""
    return sorted({row.module for row in rows() if row.table != "command"})


def _commands() -> Iterator[Row]:
    for name, (module, _summary) in COMMANDS.items():
        yield Row("command", name, module, "command")


def _keystores() -> Iterator[Row]:
    for store_type, targets in KEYSTORES.items():
        for target in targets:
            yield Row("keystore", store_type, *_split(target))


def _file_formats() -> Iterator[Row]:
    for store_type, row in FILE_FORMATS.items():
        for target in row:
            if target is not None:
                yield Row("file format", store_type, *_split(target))


def _issuers() -> Iterator[Row]:
    for name, target in ISSUERS.items():
        yield Row("issuer", name, *_split(target))


def _reports() -> Iterator[Row]:
    for name, module in REPORT_FORMATS.items():
        yield Row("report", name, module, "render")


def _split(target: str) -> tuple[str, str]:
    module, _, attribute = target.partition(":")
    return module, attribute
