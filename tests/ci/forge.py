"""The part of GitHub's programming interface that our steps use, on a loopback address."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/keystores"
BOT = "github-actions[bot]"
# Small, so that the lists of the tests have several pages.
PAGE = 2


@dataclass
class Forge:
    """What it holds, and what each token may do: `{"issues": "write", …}`."""

    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    next_id: int = 1

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def add_comment(self, number: int, body: str, login: str) -> dict[str, Any]:
        author = {"login": login, "id": 1 if login == BOT else 2}
        comment = {"id": self.new_id(), "body": body, "user": author, "author": author}
        self.comments.setdefault(number, []).append(comment)
        return comment

    def add_pull(self, head: str, sha: str, number: int | None = None) -> dict[str, Any]:
        pull = {"number": number or self.new_id(), "head": {"ref": head, "sha": sha},
                "base": {"ref": "main"}, "state": "open",
                "merged_at": None, "merge_commit_sha": None}  # fmt: skip
        self.pulls.append(pull)
        return pull

    # ------------------------------------------------------------------------------------------- requests

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any], token: str) -> Any:
        """The status and the document."""
        root = f"/repos/{REPOSITORY}"
        for pattern, scopes, handler in (
            (rf"GET {root}/issues/(\d+)/comments", ("issues", "pull-requests"), self._list_comments),
            (rf"POST {root}/issues/(\d+)/comments", ("issues", "pull-requests"), self._new_comment),
            (rf"PATCH {root}/issues/comments/(\d+)", ("issues", "pull-requests"), self._edit_comment),
            (rf"GET {root}/commits/([0-9a-f]+)/pulls", ("pull-requests",), self._pulls_of),
            (rf"GET {root}/issues", ("issues",), self._list_issues),
            (rf"POST {root}/issues", ("issues",), self._new_issue),
            (rf"PATCH {root}/issues/(\d+)", ("issues",), self._edit_issue),
            (rf"GET {root}/pulls", ("pull-requests",), self._list_pulls),
            (rf"POST {root}/pulls", ("pull-requests",), self._new_pull),
            (r"GET /user", ("api",), self._user),
            (r"GET /projects/1/merge_requests/(\d+)/notes", ("api",), self._list_comments),
            (r"POST /projects/1/merge_requests/(\d+)/notes", ("api",), self._new_comment),
            (r"PUT /projects/1/merge_requests/\d+/notes/(\d+)", ("api",), self._edit_comment),
        ):
            found = re.fullmatch(pattern, f"{method} {path}")
            if found is None:
                continue
            if not self._may(token, scopes, "read" if method == "GET" else "write"):
                return 403, {"message": "Resource not accessible by integration"}
            if method != "GET":
                self.writes.append(f"{method} {path}")
            return handler(*found.groups(), query=query, body=body)
        return 404, {"message": "Not Found"}

    def _may(self, token: str, scopes: tuple[str, ...], access: str) -> bool:
        allowed = self.tokens.get(token, {})
        return any(allowed.get(scope) in {access, "write"} for scope in scopes)

    def _list_comments(self, number: str, **_: Any) -> Any:
        return 200, self.comments.get(int(number), [])

    def _new_comment(self, number: str, *, body: dict[str, Any], **_: Any) -> Any:
        return 201, self.add_comment(int(number), body["body"], BOT)

    def _edit_comment(self, number: str, *, body: dict[str, Any], **_: Any) -> Any:
        [comment] = [one for some in self.comments.values() for one in some if one["id"] == int(number)]
        comment["body"] = body["body"]
        return 200, comment

    def _user(self, **_: Any) -> Any:
        return 200, {"id": 1}

    def _pulls_of(self, commit: str, **_: Any) -> Any:
        return 200, [pull for pull in self.pulls if commit in {pull["merge_commit_sha"], pull["head"]["sha"]}]

    def _list_issues(self, *, query: dict[str, list[str]], **_: Any) -> Any:
        wanted = query.get("state", ["open"])[0]
        pulls = [{"number": pull["number"], "state": pull["state"], "body": "", "user": {"login": "somebody"},
                  "pull_request": {}} for pull in self.pulls]  # fmt: skip
        return 200, [issue for issue in [*pulls, *self.issues] if issue["state"] == wanted]

    def _new_issue(self, *, body: dict[str, Any], **_: Any) -> Any:
        issue = {"number": self.new_id(), "state": "open", "user": {"login": BOT}, **body}
        self.issues.append(issue)
        return 201, issue

    def _edit_issue(self, number: str, *, body: dict[str, Any], **_: Any) -> Any:
        [issue] = [one for one in self.issues if one["number"] == int(number)]
        issue.update(body)
        return 200, issue

    def _list_pulls(self, *, query: dict[str, list[str]], **_: Any) -> Any:
        owner, _, branch = query["head"][0].partition(":")
        assert owner == REPOSITORY.partition("/")[0]
        return 200, [pull for pull in self.pulls if pull["state"] == "open" and pull["head"]["ref"] == branch]

    def _new_pull(self, *, body: dict[str, Any], **_: Any) -> Any:
        return 201, self.add_pull(body["head"], "0" * 40) | {"base": {"ref": body["base"]}, "body": body["body"]}


class _Handler(BaseHTTPRequestHandler):
    def handle_any(self) -> None:
        forge: Forge = self.server.forge  # type: ignore[attr-defined]  # set below
        url, length = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or self.headers.get("PRIVATE-TOKEN", "")
        if forge.failures:
            status, document = forge.failures.pop(0), {"message": "not now"}
        else:
            status, document = forge.answer(self.command, url.path, parse_qs(url.query), body, token)
        self.send_response(status)
        if isinstance(document, list):
            document = self._page(document, url.path, parse_qs(url.query))
        content = json.dumps(document).encode()
        self.send_header("Content-Length", str(len(content)))
        if status in range(300, 400):
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815 - the names that http.server looks for

    def _page(self, document: list[Any], path: str, query: dict[str, list[str]]) -> list[Any]:
        number = int(query.get("page", ["1"])[0])
        if len(document) > number * PAGE:
            rest = "&".join(f"{name}={value[0]}" for name, value in query.items() if name != "page")
            host = f"http://{self.headers['Host']}"
            self.send_header("Link", f'<{host}{path}?{rest}&page={number + 1}>; rel="next"')
        return document[(number - 1) * PAGE : number * PAGE]

    def log_message(self, *_arguments: Any) -> None:
        pass


class ForgeServer:
    """The forge behind a socket."""

    def __init__(self) -> None:
        self.forge = Forge()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.forge = self.forge  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
