"""The findings of a SARIF report in the form that GitLab shows in merge requests, that of Code Climate.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import workflow_commands as runner

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def main() -> None:
    """Write it beside the SARIF report."""
    reports = Path(runner.required("RECONCILE_CI_REPORTS"))
    try:
        runs = json.loads((reports / "report.sarif").read_bytes()).get("runs", [])
    except (OSError, ValueError) as error:
        raise runner.StopError(f"there is no SARIF report to read in {reports}") from error
    found = [_finding(result) for run in runs for result in run.get("results", [])]
    (reports / "code-quality.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _finding(result: dict[str, Any]) -> dict[str, Any]:
    location = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    prints = result.get("partialFingerprints") or {"message": result["message"]["text"]}
    return {
        "description": result["message"]["text"],
        "check_name": result.get("ruleId", "reconcile"),
        "fingerprint": sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest(),
        "severity": _SEVERITIES.get(result.get("level", "warning"), "minor"),
        "location": {
            "path": unquote(location.get("artifactLocation", {}).get("uri", "keystore.yaml")),
            "lines": {"begin": location.get("region", {}).get("startLine", 1)},
        },
    }


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, KeyError) as error:
        runner.write(f"error: {error}\n")
        sys.exit(1)
