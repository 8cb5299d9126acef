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

_LONGEST = 65_000


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
    """What did not end well stands first, and each has its share of the room."""
    address = github.run_address()
    run = f"From [this run]({address}), which has the reports in every format.\n\n" if address else ""
    told = sorted(outcomes, key=lambda outcome: outcome.exit_code == 0)
    room = (_LONGEST - len(run) - len(str(mark))) // len(told)
    return f"{mark}\n{run}" + "\n\n".join(_cut(outcome.markdown, room - 2) for outcome in told)


def _cut(markdown: str, room: int) -> str:
    note = "\n\n(cut: see the run)"
    return markdown if len(markdown) <= room else markdown[: room - len(note)] + note


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, ValueError, KeyError) as error:
        runner.annotate("error", str(error), title="reconcile issue")
        sys.exit(1)
