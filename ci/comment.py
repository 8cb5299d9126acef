"""One comment in a pull request that shows the plan: written once, found again by its first line, replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import github
import workflow_commands as runner
from outcome import Outcome

# GitHub takes 65,536 characters; the report itself stays under 60,000 bytes.
_LONGEST = 65_000


def main() -> None:
    """Write or replace it."""
    api, repository = github.connect()
    number = int(runner.required("RECONCILE_CI_NUMBER"))
    outcome = Outcome.read(Path(runner.required("RECONCILE_CI_REPORTS")))
    mark = github.Mark(github.key(), outcome.digest, runner.required("RECONCILE_CI_HEAD"))
    body = f"{mark}\n{outcome.markdown}\n\n{_footer(mark)}"[:_LONGEST]
    comments = f"/repos/{repository}/issues/{number}/comments"
    there = github.ours(api.pages(f"{comments}?per_page=100"), mark.key)
    if there is None:
        api.send("POST", comments, {"body": body})
    elif there["body"] != body:
        api.send("PATCH", f"/repos/{repository}/issues/comments/{int(there['id'])}", {"body": body})


def _footer(mark: github.Mark) -> str:
    address = github.run_address()
    run = f", [run]({address})" if address else ""
    return f"<sub>Planned for {mark.head[:12]}{run}. The merge applies this plan and no other.</sub>\n"


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, ValueError) as error:
        runner.annotate("error", str(error), title="reconcile comment")
        sys.exit(1)
