"""JSON over HTTP with the standard library alone: what the steps ask of GitHub's and GitLab's programming interface."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from workflow_commands import StopError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT = 30
_TRIES = 4
_MOST_PAGES = 100
_LARGEST = 16 * 1024 * 1024
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the token along, to whatever host it names."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


@dataclass(frozen=True)
class Api:
    """One programming interface with its base address and the headers that sign us in."""

    base: str
    headers: dict[str, str] = field(repr=False)
    pause: float = 1.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise StopError("the address of the programming interface must begin with https://")

    def get(self, path: str) -> Any:
        """One answer."""
        return self._send("GET", self._url(path))[0]

    def pages(self, path: str) -> Iterator[Any]:
        """The elements of a list, page by page."""
        url = self._url(path)
        for _ in range(_MOST_PAGES):
            elements, link = self._send("GET", url)
            yield from elements
            found = _NEXT.search(link)
            if found is None:
                return
            url = self._same_host(found[1])

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """A writing request, sent once."""
        return self._send(method, self._url(path), body)[0]

    def _url(self, path: str) -> str:
        return self.base.rstrip("/") + path

    def _same_host(self, url: str) -> str:
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise StopError("the next page is on another host")
        return url

    def _send(self, method: str, url: str, body: dict[str, Any] | None = None) -> tuple[Any, str]:
        """The answer and its Link header; reading is tried again when the server is busy, writing is not."""
        tries = _TRIES if method == "GET" else 1
        for number in range(1, tries + 1):
            try:
                return self._once(method, url, body)
            except HTTPError as error:
                if number == tries or (error.code != 429 and error.code < 500):
                    raise StopError(f"{method} {urlsplit(url).path}: {error.code}{_reason(error)}") from None
            except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
                if number == tries:
                    raise StopError(f"{method} {urlsplit(url).path}: {getattr(error, 'reason', error)}") from None
            time.sleep(self.pause * 2**number)
        raise AssertionError

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[Any, str]:
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        request = Request(url, data, {**self.headers, **kind}, method=method)
        with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT) as answer:
            content = answer.read(_LARGEST)
            link = answer.headers.get("Link", "")
        try:
            return (json.loads(content) if content else None), link
        except (ValueError, RecursionError):
            raise StopError(f"{method} {urlsplit(url).path}: the answer is no JSON") from None


def _reason(error: HTTPError) -> str:
    """What the server says about it, in one line."""
    try:
        message = json.loads(error.read(10_000)).get("message", "")
    except (ValueError, AttributeError, OSError):
        return ""
    text = "".join(char for char in str(message) if char.isprintable())
    return f" {text[:300]}" if text else ""
