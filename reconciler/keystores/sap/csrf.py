"""The CSRF token that writes carry, with the cookies of the session that it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING
from urllib.request import Request as AddressedRequest

from reconciler.secret import Secret

if TYPE_CHECKING:
    from reconciler.keystores.sap.exchange import Answer

HEADER = "X-CSRF-Token"
# Any GET gives a token. Clients ask at the service root; a tenant that has nothing to show there is asked for what
# each has.
_PLACES = ("", "KeystoreEntries?keystoreName=system")


class CsrfSession:
    """What the last fetch gave; the session uses it under a lock.

    With a bearer token many tenants give none and check none: the absence is remembered, so that it is asked for once.
    """

    def __init__(self) -> None:
        self._token: Secret | None = None
        self._known = False
        self._asked = 0
        self._jar = CookieJar()

    @property
    def known(self) -> bool:
        """Whether a fetch has answered, with a token or without."""
        return self._known

    @property
    def place(self) -> str:
        """What to fetch, below the service root."""
        return _PLACES[self._asked % len(_PLACES)]

    def learn(self, answer: Answer, url: str) -> None:
        """Take token and cookies from the answer to a fetch."""
        value = answer.headers.get(HEADER.lower(), "").strip()
        self._token = Secret(value) if value and value.lower() not in {"required", "fetch"} else None
        self._known = True
        self._jar.clear()
        self._jar.extract_cookies(_Headers(answer.cookies), _addressed(url))  # type: ignore[arg-type]  # info() is all it uses

    def forget(self) -> None:
        """The tenant did not accept it: the next write fetches again, elsewhere where this place gave none."""
        if self._token is None:
            self._asked += 1
        self._token, self._known = None, False

    def headers(self, url: str) -> dict[str, str]:
        """What a write to `url` carries."""
        request = _addressed(url)
        self._jar.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        token = {HEADER: self._token.text()} if self._token else {}
        return token | ({"Cookie": cookie} if cookie else {})


def is_refusal(answer: Answer) -> bool:
    """Whether a 403 is about the CSRF token: it says `Required` in the header, or speaks of it in a few words."""
    if answer.status != 403:
        return False
    required = answer.headers.get(HEADER.lower(), "").strip().lower() == "required"
    return required or b"csrf" in answer.body[:1000].lower()


def _addressed(url: str) -> AddressedRequest:
    """An address as the standard library's cookie jar wants to see it; nothing is opened."""
    return AddressedRequest(url)  # noqa: S310 - only https comes here, and nothing is opened


@dataclass(frozen=True, slots=True)
class _Headers:
    """An answer as the standard library's cookie jar wants to see it."""

    cookies: tuple[str, ...]

    def info(self) -> HTTPMessage:
        message = HTTPMessage()
        for cookie in self.cookies:
            message["Set-Cookie"] = cookie
        return message
