"""Annotations at the lines of the YAML, from the problems of a validation or the results of a SARIF report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from workflow_commands import Place, annotate

if TYPE_CHECKING:
    from pathlib import Path

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
# The runner shows ten of each level of a step and drops the rest, so the gravest come first and few are written.
_MOST = 10


def annotate_problems(validation: Path) -> None:
    """Each problem of `validate --format json`."""
    for problem in _read(validation).get("problems", [])[:_MOST]:
        source = problem.get("source") or {}
        message = "\n".join(text for text in (problem.get("message"), problem.get("hint")) if text)
        place = Place(source.get("file") or "", source.get("line") or 0, source.get("column") or 0)
        annotate("error", message, place, title=f"reconcile: {problem.get('code') or 'validate'}")


def annotate_results(sarif: Path) -> None:
    """Each result of a SARIF report, the gravest first."""
    written = dict.fromkeys(_LEVELS.values(), 0)
    for run in _read(sarif).get("runs", []):
        for result in run.get("results", []):
            level = _LEVELS.get(result.get("level", "warning"), "warning")
            written[level] += 1
            if written[level] <= _MOST:
                _annotate_result(level, result)


def _annotate_result(level: str, result: dict[str, Any]) -> None:
    location = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    region = location.get("region", {})
    file = unquote(location.get("artifactLocation", {}).get("uri", ""))
    place = Place(file, region.get("startLine", 0), region.get("startColumn", 0))
    annotate(level, result.get("message", {}).get("text", ""), place, title=f"reconcile: {result.get('ruleId', '')}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
