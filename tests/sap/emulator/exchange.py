"""A request and its answer as the emulator's handlers see them, without HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any


class ServiceError(Exception):
    """An answer other than success; `text` None gives `"value": null`, as the specification's 403 samples do."""

    def __init__(
        self,
        status: int,
        text: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        entity: dict[str, Any] | None = None,
        empty: bool = False,
    ) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers or {}
        self.entity = entity
        self.empty = empty

    @property
    def code(self) -> str:
        """The reason phrase, which is what the service puts into `code`."""
        return HTTPStatus(self.status).phrase


@dataclass(frozen=True)
class Request:
    """One request below the tenant's root."""

    method: str
    path: str  # below /api/v1, without the leading slash
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes = b""
    base: str = ""  # absolute URL of the service root
    user: str = ""

    @property
    def wants_json(self) -> bool:
        if "$format" in self.query:
            return self.query["$format"] == "json"
        return "json" in self.headers.get("accept", "")

    @property
    def keystore_name(self) -> str:
        return self.query.get("keystoreName", "system")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A custom option, `true` or `false`."""
        text = self.query.get(name)
        if text is None:
            return default
        if text not in {"true", "false"}:
            raise ServiceError(400, f"Invalid value '{text}' for the option '{name}'.")
        return text == "true"

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            raise ServiceError(400, "The request body is not valid JSON.") from None
        if not isinstance(value, dict):
            raise ServiceError(400, "The request body must be a JSON object.")
        return value

    def text_field(self, name: str, *, required: bool = False) -> str | None:
        value = self.json.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str) or (required and not value):
            raise ServiceError(400, f"The property '{name}' is missing or invalid.")
        return value


@dataclass
class Response:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
