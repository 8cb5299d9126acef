"""A signed-in conversation with one tenant: tokens, CSRF, pace, waiting and repeating; nothing about keystores.

Reading requests are repeated until they succeed or patience ends. Writing requests are repeated only when the tenant
said that it did nothing (401, 403 for the CSRF token, 423, 429, 503) or no connection came about; when one breaks in
the middle, `UnknownOutcomeError` tells the caller to find out by reading.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler.keystores.sap.credentials import BasicUser, CertificateOnly, CertificateToken, ClientSecret
from reconciler.keystores.sap.exchange import Answer, BrokenError, NotSentError, Request
from reconciler.keystores.sap.failures import SignInError, TenantUnreadableError, UnknownOutcomeError, WriteFailedError
from reconciler.keystores.sap.hosts import api_url, check_allowed
from reconciler.keystores.sap.odata import MalformedAnswerError, error_text
from reconciler.keystores.sap.pace import wait_for_turn
from reconciler.keystores.sap.patience import Patience
from reconciler.keystores.sap.redaction import Redaction
from reconciler.keystores.sap.refusals import BROKEN, BUSY, read_failure, write_failure
from reconciler.keystores.sap.tls import CA_VARIABLE, tls_context
from reconciler.keystores.sap.tokens import Tokens, basic
from reconciler.keystores.sap.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.keystores.sap.credentials import Credentials
    from reconciler.keystores.sap.csrf import CsrfSession
    from reconciler.keystores.sap.exchange import Write
    from reconciler.secret import Secret

JSON = "application/json"


class Session:
    """One tenant, one set of credentials; may be used by several threads.

    Args:
        url: The address of the tenant, with or without `/api/v1`.
        credentials: How to sign in.
        environ: The environment, for allowed hosts, private roots and the proxy.
        patience: Makes the waits of one request.
        sleep: How waiting is done.

    Raises:
        RefusedError: the credentials may not be sent to one of the addresses.
        ReconcileError: an address, a file of roots or the client certificate is not what it should be.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        environ: Mapping[str, str],
        *,
        patience: Callable[[], Patience] = Patience,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.api = api_url(url)
        self.host = self.api.removeprefix("https://").partition("/")[0]
        _check_hosts(self.api, credentials, environ)
        self._credentials = credentials
        self._patience = patience
        self._sleep = sleep
        self._redaction = Redaction()
        self._redaction.add(*credentials.secrets)
        self._wire = Wire(tls_context(environ, credentials.client_certificate), environ)
        self._tokens = self._new_tokens()
        self._csrf: CsrfSession | None = None
        self._csrf_lock = threading.RLock()
        self.seen: dict[str, Any] = {}  # for who reads entries: what each looked like last, over the whole run

    def __repr__(self) -> str:
        return f"Session({self.api!r})"

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()

    # -------------------------------------------------------------------------------------------- requests

    def read(self, path: str, what: str, options: Mapping[str, str] | None = None, *, accept: str = JSON) -> Answer:
        """GET `path`, which must be there.

        Args:
            path: Below the service root.
            what: The thing that is read, for messages.
            options: The query.
            accept: The media type that is asked for.

        Raises:
            TenantUnreadableError: no success, whatever was tried.
        """
        answer = self.look(path, what, options, accept=accept)
        if not answer.ok:
            raise read_failure(answer, what, self.host, self.said(answer))
        return answer

    def look(self, path: str, what: str, options: Mapping[str, str] | None = None, *, accept: str = JSON) -> Answer:
        """GET `path`, where an answer such as 404 is one to look at.

        Raises:
            TenantUnreadableError: no answer, or one that says that the credentials are not accepted.
        """
        request = Request("GET", self.url(path, options), {"Accept": accept})
        answer = self._delivered(request, what)
        if answer.status == 401:
            raise read_failure(answer, what, self.host, self.said(answer))
        return answer

    def write(self, write: Write, check: Callable[[], None] | None = None) -> Answer:
        """Send a writing request.

        Args:
            write: What to send.
            check: Called directly before every attempt, also after a wait for a lock: what it raises ends the matter.

        Raises:
            UnknownOutcomeError: the request may have taken effect.
            ReconcileError: what `write_failure` makes of the answer.
        """
        headers = {"Accept": JSON} | ({} if write.body is None else {"Content-Type": write.content_type})
        request = Request(write.method, self.url(write.path, write.options), headers, write.body)
        answer = self._delivered(request, write.what, check)
        if not answer.ok:
            raise write_failure(answer, write.what, self.host, self.said(answer))
        return answer

    def url(self, path: str, options: Mapping[str, str] | None = None) -> str:
        """The whole address of a request; every value of the query is encoded in full."""
        query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in (options or {}).items())
        return f"{self.api}/{path}" + (f"?{query}" if query else "")

    def said(self, answer: Answer) -> str:
        """The tenant's words in an error answer, without secrets that it repeats."""
        return error_text(answer.body, answer.content_type, self._redaction.clean)

    def mask(self, *secrets: Secret) -> None:
        """Keep these out of what the tenant says, too: the password of an upload."""
        self._redaction.add(*secrets)

    def malformed(self, what: str, error: MalformedAnswerError) -> TenantUnreadableError:
        """The error for an answer that was a success and cannot be understood."""
        return TenantUnreadableError(
            f"{what} could not be read: the answer is not usable, {error}",
            where=self.host,
            hint="check that url is the address of the tenant's API, and that no proxy answers in its place",
        )

    # -------------------------------------------------------------------------------------------- delivery

    def _delivered(self, request: Request, what: str, check: Callable[[], None] | None = None) -> Answer:
        """Send until there is an answer that waiting does not change."""
        patience, attempts, second_chances = self._patience(), 0, {401, 403}
        while True:
            token, signed = self._signed(request)
            if check is not None:
                check()
            wait_for_turn(self.api, self._credentials.user)
            attempts += 1
            answer = self._attempt(signed, what, patience)
            if answer is None:
                continue
            if answer.status in second_chances and self._can_sign_again(request, answer, token):
                second_chances.discard(answer.status)
                continue
            if not _worth_waiting(request, answer) or not self._waited(patience, answer):
                return replace(answer, attempts=attempts)
            second_chances = {401, 403}  # what was good before the wait may have ended during it

    def _attempt(self, request: Request, what: str, patience: Patience) -> Answer | None:
        """The answer; None after a wait when there was none and it may be sent again."""
        try:
            return self._wire.send(request)
        except NotSentError as error:
            if error.hopeless or not self._waited(patience):
                raise self._not_sent(request, what, error) from None
        except BrokenError as error:
            if not request.reads:
                raise UnknownOutcomeError(
                    f"{what}: {error.reason}; whether it was done is not known", where=self.host
                ) from None
            if error.hopeless or not self._waited(patience):
                raise TenantUnreadableError(f"{what} could not be read: {error.reason}", where=self.host) from None
        return None

    def _not_sent(self, request: Request, what: str, error: NotSentError) -> TenantUnreadableError | WriteFailedError:
        hint = _trust_hint(error.reason)
        if request.reads:
            return TenantUnreadableError(
                f"{self.host} cannot be reached: {error.reason}", where=self.host, hint=hint or "check the url"
            )
        message = f"{what}: it could not be sent, {error.reason}"
        return WriteFailedError(message, status=0, where=self.host, hint=hint)

    def _waited(self, patience: Patience, answer: Answer | None = None) -> bool:
        """Wait before the next attempt; False when there is to be none."""
        seconds = patience.wait(answer.headers.get("retry-after") if answer else None)
        if seconds is None:
            return False
        self._sleep(seconds)
        return True

    # ---------------------------------------------------------------------------------------------- signing

    def _signed(self, request: Request) -> tuple[Secret | None, Request]:
        """The request with everything secret that it carries, and the token among it."""
        headers = {} if request.reads else self._csrf_headers(request.url)
        token = None
        match self._credentials.sign_in:
            case BasicUser(username=name, password=password):
                headers["Authorization"] = basic(name, password)
            case ClientSecret() | CertificateToken() if self._tokens is not None:
                token = self._tokens.current()
                headers["Authorization"] = "Bearer " + token.text()
            case _:
                pass  # the TLS handshake has shown the certificate
        signed = replace(request, secret_headers=dict(request.secret_headers) | headers)
        self._redaction.add_headers(signed.secret_headers)
        return token, signed

    def _can_sign_again(self, request: Request, answer: Answer, token: Secret | None) -> bool:
        """Whether a fresh token, or a fresh CSRF token, may help."""
        from reconciler.keystores.sap.csrf import is_refusal  # http.cookiejar, only for writes

        if answer.status == 401 and token is not None and self._tokens is not None:
            self._tokens.discard(token)
            return True
        if not request.reads and self._csrf is not None and is_refusal(answer):
            self._csrf.forget()
            return True
        return False

    def _csrf_headers(self, url: str) -> dict[str, str]:
        from reconciler.keystores.sap.csrf import HEADER, CsrfSession  # as above

        with self._csrf_lock:
            if self._csrf is None:
                self._csrf = CsrfSession()
            if not self._csrf.known:
                fetch = Request("GET", f"{self.api}/{self._csrf.place}", {"Accept": JSON, HEADER: "Fetch"})
                answer = self._delivered(fetch, "the CSRF token")
                if answer.status == 401:
                    raise read_failure(answer, "the CSRF token", self.host, self.said(answer))
                self._csrf.learn(answer, self.api)
            return self._csrf.headers(url)

    def _new_tokens(self) -> Tokens | None:
        match self._credentials.sign_in:
            case ClientSecret() | CertificateToken() as sign_in:
                return Tokens(sign_in, self._send_to_token_endpoint, self._redaction)
            case BasicUser() | CertificateOnly():
                return None

    def _send_to_token_endpoint(self, request: Request) -> Answer:
        """Like any other request, without a turn: the rate limit is that of the API. Asking twice harms nobody."""
        patience = self._patience()
        self._redaction.add_headers(request.secret_headers)
        host = request.url.removeprefix("https://").partition("/")[0]
        while True:
            try:
                answer = self._wire.send(request)
            except (NotSentError, BrokenError) as error:
                if error.hopeless or not self._waited(patience):
                    raise SignInError(
                        f"no token from {host}: {error.reason}", where=host, hint=_trust_hint(error.reason)
                    ) from None
                continue
            if answer.status not in BUSY | BROKEN or not self._waited(patience, answer):
                return answer


def _worth_waiting(request: Request, answer: Answer) -> bool:
    return answer.status in BUSY or (request.reads and answer.status in BROKEN)


def _check_hosts(api: str, credentials: Credentials, environ: Mapping[str, str]) -> None:
    """Where something would be sent that others could use, its receivers must be allowed; a certificate proves only."""
    match credentials.sign_in:
        case ClientSecret(token_url=token_url) | CertificateToken(token_url=token_url):
            check_allowed((token_url, api), credentials.trusted_urls, environ)
        case BasicUser():
            check_allowed((api,), credentials.trusted_urls, environ)
        case CertificateOnly():
            pass


def _trust_hint(reason: str) -> str | None:
    if "not trusted" not in reason:
        return None
    return f"put its private root into a PEM file and name it in {CA_VARIABLE}; verification cannot be turned off"
