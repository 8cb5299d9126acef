"""Commits signing requests to a branch of their own and proposes them in one pull request."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import workflow_commands as runner
from signing_requests import collected, signed_part

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_TITLE = "Signing requests"
_BOT = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in (
        ("NAME", "github-actions[bot]"),
        ("EMAIL", "41898282+github-actions[bot]@users.noreply.github.com"),
    )
}


def main() -> None:
    """Push the branch when it says something new, and see that it is proposed."""
    requests = collected(Path(runner.required("RECONCILE_CI_REPORTS")))
    if not requests:
        runner.write("no new signing requests\n")
        return
    branch, base = (_branch(f"RECONCILE_CI_{name}") for name in ("BRANCH", "BASE"))
    checkout = Path.cwd()
    if _push(checkout, branch, requests):
        runner.write(f"pushed {len(requests)} signing requests to {branch}\n")
    if os.environ.get("GITLAB_CI") != "true":
        _propose(branch, base, list(requests))


def _branch(variable: str) -> str:
    name = runner.required(variable)
    if not _BRANCH.fullmatch(name) or ".." in name:
        raise runner.StopError(f"{variable} is not the name of a branch")
    return name


def _push(checkout: Path, branch: str, requests: dict[PurePosixPath, bytes]) -> bool:
    """Make the branch say what is wanted; whether that was necessary."""
    there = _fetched(checkout, branch)
    content = {path: _kept(checkout, there, path, text) for path, text in requests.items()}
    if there and _same(checkout, there, content):
        return False
    git(checkout, "checkout", "--quiet", "-B", branch, "HEAD")
    for path, text in content.items():
        target = _inside(checkout, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        git(checkout, "add", "--", str(path))
    if not git(checkout, "status", "--porcelain", "--untracked-files=no").strip():
        return False
    git(checkout, "commit", "--quiet", "-m", _message(list(content)))
    _send(checkout, branch, there)
    return True


def _fetched(checkout: Path, branch: str) -> str:
    """The commit that the branch is at on the server, fetched; empty when it does not exist."""
    listed = git(checkout, "ls-remote", "--heads", "origin", f"refs/heads/{branch}")
    if not listed.strip():
        return ""
    git(checkout, "fetch", "--quiet", "--depth=1", "origin", f"refs/heads/{branch}")
    return listed.split()[0]


def _kept(checkout: Path, there: str, path: PurePosixPath, text: bytes) -> bytes:
    """The request as the branch has it, when it asks for the same: a new signature is no news."""
    old = _show(checkout, there, path)
    return old if old and signed_part(old) == signed_part(text) else text


def _same(checkout: Path, there: str, content: dict[PurePosixPath, bytes]) -> bool:
    """Whether the branch holds just these requests on top of what it was made from."""
    return all(_show(checkout, there, path) == text for path, text in content.items())


def _show(checkout: Path, commit: str, path: PurePosixPath) -> bytes:
    if not commit:
        return b""
    done = _run(checkout, "show", f"{commit}:{path}")
    return done.stdout if done.returncode == 0 else b""


def _inside(checkout: Path, path: PurePosixPath) -> Path:
    """A path in the repository; never one of git's or of the CI's own."""
    first = path.parts[0].lower()
    target = checkout / path
    outside = path.is_absolute() or ".." in path.parts or not target.resolve().is_relative_to(checkout.resolve())
    if outside or first in {".git", ".github", ".gitlab-ci.yml"} or ".git" in (part.lower() for part in path.parts):
        raise runner.StopError(f"a signing request cannot go to {path}")
    return target


def _message(paths: list[PurePosixPath]) -> str:
    return f"{_TITLE}\n\n" + "\n".join(f"- {path}" for path in paths)


def _send(checkout: Path, branch: str, there: str) -> None:
    lease = f"--force-with-lease=refs/heads/{branch}:{there}"
    options = []
    if os.environ.get("GITLAB_CI") == "true":
        target = f"merge_request.target={runner.required('RECONCILE_CI_BASE')}"
        options = [f"--push-option={one}" for one in ("merge_request.create", target, f"merge_request.title={_TITLE}")]
    git(checkout, "push", "--quiet", lease, *options, "origin", f"HEAD:refs/heads/{branch}", signed_in=True)


def _propose(branch: str, base: str, paths: list[PurePosixPath]) -> None:
    import github

    api, repository = github.connect()
    owner = repository.partition("/")[0]
    head = quote(f"{owner}:{branch}", safe="")
    if next(api.pages(f"/repos/{repository}/pulls?state=open&head={head}&per_page=100"), None) is not None:
        return
    files = "\n".join(f"- `{path}`" for path in paths if "`" not in str(path) and str(path).isprintable())
    body = (
        "These key pairs wait for a certificate. Send each request to its certificate authority, and commit the answer "
        f"where the state file expects it (by default under `responses/`).\n\n{files}\n"
    )
    api.send("POST", f"/repos/{repository}/pulls", {"title": _TITLE, "head": branch, "base": base, "body": body})


# ------------------------------------------------------------------------------------------------------ git


def git(checkout: Path, *arguments: str, signed_in: bool = False) -> str:
    """Run git; its standard output.

    Raises:
        StopError: it failed.
    """
    done = _run(checkout, *arguments, signed_in=signed_in)
    if done.returncode:
        name = next(one for one in arguments if not one.startswith("-"))
        raise runner.StopError(f"git {name} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def _run(checkout: Path, *arguments: str, signed_in: bool = False) -> subprocess.CompletedProcess[bytes]:
    environment = {**_BOT, **os.environ, "GIT_TERMINAL_PROMPT": "0"}
    server = os.environ.get("GITHUB_SERVER_URL") or os.environ.get("CI_SERVER_URL", "")
    if server.startswith("https://"):
        environment |= _signed_in(server) if signed_in or arguments[0] in {"ls-remote", "fetch"} else {}
    line = ["git", "--literal-pathspecs", "-c", "safe.directory=*", *arguments]
    return subprocess.run(line, cwd=checkout, env=environment, capture_output=True, check=False)


def _signed_in(server: str) -> dict[str, str]:
    """The token for this one call, neither in its arguments nor left in the configuration of the checkout."""
    user = "oauth2" if os.environ.get("GITLAB_CI") == "true" else "x-access-token"
    basic = base64.b64encode(f"{user}:{runner.required('RECONCILE_CI_TOKEN')}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server.rstrip('/')}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


if __name__ == "__main__":
    try:
        main()
    except runner.StopError as error:
        runner.annotate("error", str(error), title="reconcile signing requests")
        sys.exit(1)
