"""Structured log lines on standard error: human by default, JSON on request, nothing without `--verbose`.

structlog costs more start-up time than everything else together, so it is imported with the first line that is
really written.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_settings: dict[str, Any] = {"verbose": False, "log_format": "human", "logger": None}


def configure(*, verbose: bool, log_format: str) -> None:
    """Remember what the command line asks for; nothing is imported yet."""
    _settings.update(verbose=verbose, log_format=log_format, logger=None)


def log(event: str, **fields: object) -> None:
    """Write one line: an event in words and its fields. Secrets print as ``***``; see `reconciler.secret`."""
    if not _settings["verbose"]:
        return
    if _settings["logger"] is None:
        _settings["logger"] = _make_logger()
    _settings["logger"].info(event, **fields)


def _make_logger() -> Any:
    import structlog

    from reconciler.terminal import wants_colour

    render: Any
    if _settings["log_format"] == "json":
        render = structlog.processors.JSONRenderer()
    else:
        render = structlog.dev.ConsoleRenderer(colors=wants_colour(sys.stderr))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _on_one_line,
            render,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return structlog.get_logger()


def _on_one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    from reconciler.reports.printable import printable

    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}
