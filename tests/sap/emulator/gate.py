"""Who may come in: accounts, tokens, CSRF sessions and the rate limit of one emulated tenant."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.sap.emulator.exchange import Response, ServiceError
from tests.sap.emulator.switches import CsrfRule, Switches

if TYPE_CHECKING:
    from tests.sap.emulator.exchange import Request

READ_ROLE = "MonitoringDataRead"
EDIT_ROLE = "SecurityMaterialEdit"
ALL_ROLES = frozenset({READ_ROLE, EDIT_ROLE})


@dataclass(frozen=True)
class Account:
    """Somebody who may call the API: a service instance, a user, or the holder of a client certificate."""

    name: str
    secret: str = ""
    roles: frozenset[str] = ALL_ROLES
    certificate: bytes = b""  # DER, for those that come with one


@dataclass
class _Token:
    account: Account
    expires: float


class Gate:
    """Accounts and what they were given."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.clients: dict[str, Account] = {}
        self.users: dict[str, Account] = {}
        self._tokens: dict[str, _Token] = {}
        self._sessions: dict[str, str] = {}  # cookie -> CSRF token
        self._recent: deque[tuple[float, str]] = deque()

    # -------------------------------------------------------------------------------------------- tokens

    def token(self, request: Request, peer: bytes) -> Response:
        """The token endpoint: client credentials by Basic, in the form, or by a client certificate."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        asked = form if self._switches.token_from_body_only else {**request.query, **form}
        if asked.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "Unsupported grant type")
        account = self._client(request, asked, peer)
        if account is None:
            said = request.headers.get("authorization", "") if self._switches.echo_credentials else ""
            return _oauth_error(401, "invalid_client", f"Bad credentials {said}".strip())
        return self._issued(account)

    def _client(self, request: Request, form: dict[str, str], peer: bytes) -> Account | None:
        name, secret = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        account = self.clients.get(name)
        if account is None:
            return None
        if account.certificate:
            return account if account.certificate == peer else None
        return account if secrets.compare_digest(account.secret.encode(), secret.encode()) else None

    def _issued(self, account: Account) -> Response:
        token = "eyJ" + secrets.token_urlsafe(96)
        lifetime = self._switches.token_lifetime
        self._tokens[token] = _Token(account, time.monotonic() + lifetime)
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(lifetime),
            "scope": " ".join(sorted(account.roles)),
            "jti": secrets.token_hex(16),
        }
        return Response(200, json.dumps(answer).encode(), "application/json;charset=UTF-8")

    def expire_tokens(self) -> None:
        self._tokens.clear()

    # ------------------------------------------------------------------------------------------- sign-in

    def account(self, request: Request, peer: bytes) -> Account:
        """Who sends the request.

        Raises:
            ServiceError: 401.
        """
        header = request.headers.get("authorization", "")
        if header.lower().startswith("bearer "):
            return self._bearer(header[7:].strip())
        if given := _basic(header):
            user = self.users.get(given[0])
            if user is not None and secrets.compare_digest(user.secret.encode(), given[1].encode()):
                return user
        elif peer:
            for account in self.clients.values():
                if account.certificate == peer:
                    return account
        raise self._unauthorized(header)

    def _bearer(self, text: str) -> Account:
        token = self._tokens.get(text)
        if token is None or token.expires <= time.monotonic():
            raise self._unauthorized(text)
        return token.account

    def _unauthorized(self, said: str) -> ServiceError:
        text = f"Invalid token: {said}" if self._switches.echo_credentials else None
        return ServiceError(401, text, headers={"WWW-Authenticate": "Bearer"}, empty=text is None)

    def check_role(self, account: Account, *, writing: bool) -> None:
        """403 without a body, as a tenant answers when the role is missing."""
        if (EDIT_ROLE if writing else READ_ROLE) not in account.roles:
            raise ServiceError(403, empty=True)

    # ---------------------------------------------------------------------------------------------- CSRF

    def fetch_csrf(self, request: Request) -> dict[str, str]:
        """The headers that answer `X-CSRF-Token: Fetch`."""
        if request.headers.get("x-csrf-token", "").lower() != "fetch" or self._switches.csrf is CsrfRule.NEVER:
            return {}
        cookie, token = secrets.token_hex(16), secrets.token_hex(16).upper()
        self._sessions[cookie] = token
        return {"X-CSRF-Token": token, "Set-Cookie": f"JSESSIONID={cookie}; Path=/; Secure; HttpOnly"}

    def check_csrf(self, request: Request) -> None:
        """403 with `X-CSRF-Token: Required`."""
        basic = request.headers.get("authorization", "").lower().startswith("basic ")
        rule = self._switches.csrf
        if rule is CsrfRule.NEVER or (rule is CsrfRule.BASIC and not basic):
            return
        expected = self._sessions.get(_cookie(request.headers.get("cookie", ""), "JSESSIONID"))
        if expected is None or request.headers.get("x-csrf-token") != expected:
            headers = {"X-CSRF-Token": "Required"}
            raise ServiceError(403, "CSRF token validation failed", headers=headers)

    def forget_csrf(self) -> None:
        self._sessions.clear()

    # -------------------------------------------------------------------------------------------- limits

    def check_rate(self, user: str) -> None:
        """429 for the requests beyond the limit of a second."""
        if not self._switches.rate_limit:
            return
        now = time.monotonic()
        while self._recent and self._recent[0][0] <= now - 1.0:
            self._recent.popleft()
        mine = sum(1 for _, name in self._recent if name == user)
        too_many = len(self._recent) >= self._switches.requests_per_second_tenant
        if too_many or mine >= self._switches.requests_per_second_user:
            raise ServiceError(429, "Too many requests", headers=self.retry_after())
        self._recent.append((now, user))

    def retry_after(self) -> dict[str, str]:
        value = self._switches.retry_after
        return {} if value is None else {"Retry-After": value}

    def check_lock(self) -> None:
        """503 or 423 while somebody else writes."""
        if self._switches.locked:
            text = "The keystore is locked by another user."
            raise ServiceError(self._switches.locked, text, headers=self.retry_after())


def _oauth_error(status: int, code: str, text: str) -> Response:
    body = json.dumps({"error": code, "error_description": text}).encode()
    return Response(status, body, "application/json;charset=UTF-8")


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if colon else None


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
