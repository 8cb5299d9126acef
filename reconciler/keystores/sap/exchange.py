"""One HTTP request and its answer as values: what the session sends and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; the authorization and the CSRF token are added at the last moment and never kept here.

    Attributes:
        method: The HTTP method.
        url: The whole address, with the options.
        headers: All but those that carry secrets.
        secret_headers: Authorization, CSRF token and cookies, added by who signs the request.
        body: None for none. It may hold a password, so it is not part of the printed form.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def reads(self) -> bool:
        """Whether it can be repeated without a thought."""
        return self.method in READING


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether it is a success; the service answers writes with any of 200, 201, 202 and 204."""
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        """The media type with its parameters."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class Write:
    """A writing request as the typed requests order it.

    Attributes:
        method: POST, PUT or DELETE.
        path: Below the service root.
        what: What is done, for messages.
        options: The query.
        body: What is sent; None for DELETE. It may hold a password.
        content_type: The media type of the body.
    """

    method: str
    path: str
    what: str
    options: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"


class NotSentError(Exception):
    """No connection came about: the request did not reach the other side. The sentence says why."""

    def __init__(self, reason: str, *, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless  # trying again cannot help: the certificate, the name


class BrokenError(Exception):
    """The connection broke, or the body was cut short, after the request may have arrived."""

    def __init__(self, reason: str, *, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless
