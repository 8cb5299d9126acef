"""The digest of the plan that people reviewed: from the comment of the merged pull request, or from a person."""

from __future__ import annotations

import os
import re
import sys

import github
import workflow_commands as runner

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BY_HAND = (
    "Look at the plan in the summary of this run. If it is right, run this workflow by hand and give it the digest "
    "that stands there."
)


def main() -> None:
    """Give it out where it is what would be done now."""
    planned = runner.required("RECONCILE_CI_PLANNED")
    given = os.environ.get("RECONCILE_CI_GIVEN", "").strip()
    digest, whence = (given, "given") if given else _of_pull_request()
    if not _DIGEST.fullmatch(digest):
        raise runner.StopError(f"the digest {whence} is not sha256: and 64 hexadecimal digits")
    if digest != planned:
        raise runner.StopError(
            f"what would be done now ({planned}) is not what was reviewed ({digest}, {whence}); nothing was written. "
            + _BY_HAND
        )
    runner.set_output("digest", digest)


def _of_pull_request() -> tuple[str, str]:
    api, repository = github.connect()
    commit, branch = runner.required("GITHUB_SHA"), runner.required("GITHUB_REF_NAME")
    pulls = [
        pull
        for pull in api.pages(f"/repos/{repository}/commits/{commit}/pulls?per_page=100")
        if pull.get("merged_at") and pull.get("merge_commit_sha") == commit and pull["base"]["ref"] == branch
    ]
    if not pulls:
        raise runner.StopError(
            f"{commit[:12]} is not the merge of a pull request into {branch}, so nobody reviewed a plan. {_BY_HAND}"
        )
    number, head = int(pulls[0]["number"]), pulls[0]["head"]["sha"]
    comment = github.ours(api.pages(f"/repos/{repository}/issues/{number}/comments?per_page=100"), github.key())
    mark = github.mark_of(comment["body"]) if comment else None
    if mark is None or mark.digest == "none":
        raise runner.StopError(f"pull request {number} shows no plan. {_BY_HAND}")
    if mark.head != head:
        raise runner.StopError(
            f"the plan in pull request {number} is of {mark.head[:12]}, merged was {head[:12]}. {_BY_HAND}"
        )
    return mark.digest, f"in pull request {number}"


if __name__ == "__main__":
    try:
        main()
    except (runner.StopError, ValueError, KeyError) as error:
        runner.annotate("error", str(error), title="reconcile")
        sys.exit(4)
