"""OAuth 2.0 client credentials: one token for a session, fetched when it is first needed and again before it ends."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from reconciler.keystores.sap.credentials import ClientSecret
from reconciler.keystores.sap.exchange import Answer, Request
from reconciler.keystores.sap.failures import SignInError
from reconciler.keystores.sap.odata import error_text, printable
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.keystores.sap.credentials import CertificateToken
    from reconciler.keystores.sap.redaction import Redaction

# A token that ends sooner than this is not started with: a request may wait for its turn, and clocks differ.
_SKEW = 60.0
_UNKNOWN_LIFETIME = 600.0


@dataclass(frozen=True, slots=True)
class _Token:
    value: Secret
    good_until: float


class Tokens:
    """The token of one session; may be used by several threads."""

    def __init__(
        self,
        sign_in: ClientSecret | CertificateToken,
        send: Callable[[Request], Answer],
        redaction: Redaction,
    ) -> None:
        self._sign_in = sign_in
        self._send = send
        self._redaction = redaction
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def current(self) -> Secret:
        """A token that is good for now.

        Raises:
            SignInError: the token endpoint does not give one.
        """
        with self._lock:
            if self._token is None or self._token.good_until <= time.monotonic():
                self._token = self._fetched()
            return self._token.value

    def discard(self, value: Secret) -> None:
        """Forget a token that the tenant did not accept, unless another thread has already got a new one."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _fetched(self) -> _Token:
        """Ask for a token: with the options in the address as SAP documents it, then in the form as RFC 6749 does."""
        answer = self._send(_request(self._sign_in, in_form=False))
        if answer.status in {400, 405, 411, 415}:
            answer = self._send(_request(self._sign_in, in_form=True))
        token = _parsed(answer, self._sign_in, self._redaction.clean)
        self._redaction.add(token.value)
        return token


def _request(sign_in: ClientSecret | CertificateToken, *, in_form: bool) -> Request:
    from oauthlib.oauth2 import BackendApplicationClient  # 12 ms, not needed with basic authentication

    with_id = not isinstance(sign_in, ClientSecret)
    form = BackendApplicationClient(sign_in.client_id).prepare_request_body(include_client_id=with_id)
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    url = sign_in.token_url if in_form else _with_options(sign_in.token_url, form)
    return Request("POST", url, headers, form.encode() if in_form else b"", _authorization(sign_in))


def _with_options(url: str, form: str) -> str:
    """The address with the options of the form, those that it already has left alone."""
    parts = urlsplit(url)
    options = dict(parse_qsl(form)) | dict(parse_qsl(parts.query))
    return parts._replace(query=urlencode(options, quote_via=quote)).geturl()


def _authorization(sign_in: ClientSecret | CertificateToken) -> dict[str, str]:
    if not isinstance(sign_in, ClientSecret):
        return {}
    return {"Authorization": basic(sign_in.client_id, sign_in.client_secret)}


def basic(name: str, secret: Secret) -> str:
    """The value of an `Authorization` header for a name and a secret."""
    return "Basic " + base64.b64encode(name.encode() + b":" + secret.reveal()).decode()


def _parsed(answer: Answer, sign_in: ClientSecret | CertificateToken, clean: Callable[[str], str]) -> _Token:
    from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error  # as above

    host = urlsplit(sign_in.token_url).netloc
    if not answer.ok and answer.status not in {400, 401, 403}:
        raise _refused(
            host, f"HTTP {answer.status} {error_text(answer.body, answer.content_type, clean)}".strip(), answer
        )
    client = BackendApplicationClient(sign_in.client_id)
    try:
        token = client.parse_request_body_response(answer.body.decode())
        value = token["access_token"]
        lifetime = float(token.get("expires_in") or _UNKNOWN_LIFETIME)
    except OAuth2Error as error:
        reason = printable(clean(error.description or error.error or "no token in the answer"))
        raise _refused(host, reason, answer) from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        # The exception may carry the answer, and with it a token.
        raise _refused(host, "the answer is not a token", answer) from None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise _refused(host, "the answer is not a token", answer)
    return _Token(Secret(value), time.monotonic() + max(lifetime - _SKEW, lifetime / 2))


def _refused(host: str, reason: str, answer: Answer) -> SignInError:
    return SignInError(
        f"no token from {host}: {reason}",
        where=host,
        status=answer.status,
        hint="check that the service key is of the plan api and has not been deleted",
    )
