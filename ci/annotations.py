"""Annotations at the lines of the YAML, from a validation or from the results of a SARIF report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from workflow_commands import Place, annotate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
# The runner shows ten of each level of a step and drops the rest: no more are written, and the gravest come first.
_MOST = 10


@dataclass(frozen=True)
class Annotation:
    """What is said at a line of a file."""

    level: str
    message: str
    place: Place
    title: str


def annotate_validation(file: Path) -> None:
    """What `validate --format json` found: the mistakes, and what the policy says."""
    document = _read(file)
    findings = document.get("problems", []) + document.get("policy", [])
    _write(_of_finding(finding) for finding in findings)


def annotate_results(sarif: Path) -> None:
    """Each result of a SARIF report."""
    _write(_of_result(result) for run in _read(sarif).get("runs", []) for result in run.get("results", []))


def _of_finding(finding: dict[str, Any]) -> Annotation:
    source = finding.get("source") or {}
    parts = (finding.get("alias"), finding.get("message"), finding.get("hint"))
    place = Place(source.get("file") or "", source.get("line") or 0, source.get("column") or 0)
    code = finding.get("code") or finding.get("check") or "validate"
    return Annotation(_level(finding.get("severity", "error")), "\n".join(text for text in parts if text), place, code)


def _of_result(result: dict[str, Any]) -> Annotation:
    location = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    region = location.get("region", {})
    file = unquote(location.get("artifactLocation", {}).get("uri", ""))
    place = Place(file, region.get("startLine", 0), region.get("startColumn", 0))
    text = result.get("message", {}).get("text", "")
    return Annotation(_level(result.get("level")), text, place, result.get("ruleId", ""))


def _level(name: Any) -> str:
    return _LEVELS.get(str(name), "warning")


def _write(annotations: Iterable[Annotation]) -> None:
    for one in _shown(list(annotations)):
        annotate(one.level, one.message, one.place, title=f"reconcile: {one.title}")


def _shown(annotations: list[Annotation]) -> Iterator[Annotation]:
    for level in _LEVELS.values():
        yield from [one for one in annotations if one.level == level][:_MOST]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
