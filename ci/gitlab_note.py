"""One note in a merge request that shows the plan: written once, found again by its first line, replaced."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import github
import workflow_commands as runner
from outcome import Outcome
from rest import Api


def main() -> None:
    """Write or replace it; outside of a merge request, or without a token, there is nothing to do."""
    number, token = os.environ.get("CI_MERGE_REQUEST_IID", ""), os.environ.get("RECONCILE_TOKEN", "")
    if not number:
        return
    if not token:
        runner.write("no note in the merge request: the variable RECONCILE_TOKEN is not set\n")
        return
    outcome = Outcome.read(Path(runner.required("RECONCILE_CI_REPORTS")))
    mark = github.Mark(github.key(), outcome.digest, os.environ.get("CI_COMMIT_SHA", ""))
    address = os.environ.get("CI_JOB_URL", "")
    body = f"{mark}\n{outcome.markdown}\n\n{f'[Job]({address})' if address else ''}\n"
    api = Api(runner.required("CI_API_V4_URL"), {"PRIVATE-TOKEN": token, "User-Agent": "reconcile-ci"})
    notes = f"/projects/{int(runner.required('CI_PROJECT_ID'))}/merge_requests/{int(number)}/notes"
    us = api.get("/user")["id"]
    for note in api.pages(f"{notes}?per_page=100"):
        found = github.mark_of(note.get("body"))
        if found and found.key == mark.key and note["author"]["id"] == us:
            if note["body"] != body:
                api.send("PUT", f"{notes}/{int(note['id'])}", {"body": body})
            return
    api.send("POST", notes, {"body": body})


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, ValueError, KeyError) as error:
        runner.write(f"error: {error}\n")
        sys.exit(1)
