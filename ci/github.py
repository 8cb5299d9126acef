"""GitHub: who we are there, and the text by which we find again what we wrote."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest import Api
from workflow_commands import StopError, required

if TYPE_CHECKING:
    from collections.abc import Iterable

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_MARK = re.compile(
    r"<!-- reconcile-ci: (?P<key>[A-Za-z0-9._-]+) digest=(?P<digest>sha256:[0-9a-f]{64}|none)"
    r" head=(?P<head>[0-9a-f]{40,64}|none) -->"
)


@dataclass(frozen=True)
class Mark:
    """The first line of a comment or an issue of ours."""

    key: str
    digest: str = "none"
    head: str = "none"

    def __str__(self) -> str:
        return f"<!-- reconcile-ci: {self.key} digest={self.digest or 'none'} head={self.head or 'none'} -->"


def mark_of(body: str | None) -> Mark | None:
    """The mark that a text begins with."""
    found = _MARK.match(body or "")
    return Mark(found["key"], found["digest"], found["head"]) if found else None


def connect() -> tuple[Api, str]:
    """The programming interface, and `owner/name` of the repository."""
    repository = required("GITHUB_REPOSITORY")
    if not _REPOSITORY.fullmatch(repository):
        raise StopError("GITHUB_REPOSITORY is not owner/name")
    headers = {
        "Authorization": f"Bearer {required('RECONCILE_CI_TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "reconcile-ci",
    }
    return Api(os.environ.get("GITHUB_API_URL") or "https://api.github.com", headers), repository


def key() -> str:
    """What tells several comments or issues of ours apart."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", os.environ.get("RECONCILE_CI_KEY") or "plan")
    return name.replace("--", "-")


def ours(texts: Iterable[dict[str, Any]], wanted: str) -> dict[str, Any] | None:
    """The text with our mark that we wrote ourselves: anybody can write a comment that looks like ours."""
    author = os.environ.get("RECONCILE_CI_AUTHOR") or "github-actions[bot]"
    for text in texts:
        mark = mark_of(text.get("body"))
        if mark and mark.key == wanted and (text.get("user") or {}).get("login") == author:
            return text
    return None


def run_address() -> str:
    """Where this run can be looked at."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (os.environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if server and run else ""
