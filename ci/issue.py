"""One issue about what the nightly run found: opened when there is something, updated, closed when all is well."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import github
import workflow_commands as runner
from outcome import Outcome

if TYPE_CHECKING:
    from rest import Api

# GitHub takes 65,536 characters; what comes later has at least this much of them.
_LONGEST, _LEAST = 65_000, 1_000
_NOTE = "\n\n(cut: see the run)"


def main() -> None:
    """Open, update or close it."""
    api, repository = github.connect()
    outcomes = [Outcome.read(Path(line)) for line in runner.lines_of("RECONCILE_CI_REPORTS")]
    if not outcomes:
        raise runner.StopError("no directory of reports is named")
    mark = github.Mark(github.key())
    issues = f"/repos/{repository}/issues"
    there = github.ours(
        (one for one in api.pages(f"{issues}?state=open&per_page=100") if "pull_request" not in one), mark.key
    )
    if all(outcome.exit_code == 0 for outcome in outcomes):
        if there is not None:
            _close(api, issues, int(there["number"]))
        return
    body = _body(mark, outcomes)
    if there is None:
        title = os.environ.get("RECONCILE_CI_TITLE") or "The keystore and git differ"
        api.send("POST", issues, {"title": title, "body": body})
    elif there["body"] != body:
        api.send("PATCH", f"{issues}/{int(there['number'])}", {"body": body})


def _close(api: Api, issues: str, number: int) -> None:
    address = github.run_address()
    text = f"All is as declared again{f': [run]({address})' if address else ''}."
    api.send("POST", f"{issues}/{number}/comments", {"body": text})
    api.send("PATCH", f"{issues}/{number}", {"state": "closed", "state_reason": "completed"})


def _body(mark: github.Mark, outcomes: list[Outcome]) -> str:
    """What did not end well stands first and has the room that it needs."""
    address = github.run_address()
    run = f"From [this run]({address}), which has the reports in every format.\n\n" if address else ""
    body = f"{mark}\n{run}"
    told = sorted(outcomes, key=lambda outcome: outcome.exit_code == 0)
    for left, outcome in zip(range(len(told) - 1, -1, -1), told, strict=True):
        body += _cut(outcome.markdown, _LONGEST - len(body) - left * _LEAST) + "\n\n"
    return body


def _cut(markdown: str, room: int) -> str:
    """At the end of a line."""
    if len(markdown) <= room:
        return markdown
    return markdown[: room - len(_NOTE)].rpartition("\n")[0] + _NOTE


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, ValueError, KeyError) as error:
        runner.annotate("error", str(error), title="reconcile issue")
        sys.exit(1)
