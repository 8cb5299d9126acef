"""The one place that talks HTTP: a pool of TLS connections that sends one request once, and says exactly what broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from reconciler import __version__
from reconciler.keystores.sap.exchange import Answer, BrokenError, NotSentError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from reconciler.keystores.sap.exchange import Request

# A keystore has at most 6 MB; with three fingerprints each and 6,000 entries a list stays below 12 MB.
MAX_BODY = 64 * 1024 * 1024
CONNECT_SECONDS = 15.0
READ_SECONDS = 90.0  # SAP publishes no limit for an OData request; its proxies cut at about a minute


class Wire:
    """Connections to one tenant and its token endpoint; may be used by several threads.

    Redirects are not followed: credentials would go with them, and the API has none.
    """

    def __init__(
        self, context: ssl.SSLContext, environ: Mapping[str, str], *, read_seconds: float = READ_SECONDS
    ) -> None:
        self._context = context
        self._environ = environ
        self._timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds)
        self._pools: dict[str, urllib3.PoolManager] = {}

    def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            NotSentError: it did not arrive.
            BrokenError: it may have arrived, and there is no whole answer.
        """
        try:
            response = self._pool(request.url).request(
                request.method,
                request.url,
                headers={
                    "User-Agent": f"reconcile/{__version__}",
                    "Accept-Encoding": "gzip",
                    **request.headers,
                    **request.secret_headers,
                },
                body=request.body,
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except (ConnectTimeoutError, ProxyError, LocationParseError) as error:  # refused connections are of the first
            raise _not_sent(error) from None
        except SSLError as error:
            raise _tls_failure(error) from None
        except (HTTPError, OSError) as error:
            raise BrokenError(_words(error)) from None
        return _answer(response, request)

    def close(self) -> None:
        """Close the idle connections."""
        for pool in self._pools.values():
            pool.clear()

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxy(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._new_pool(proxy)
        return self._pools[proxy]

    def _new_pool(self, proxy: str) -> urllib3.PoolManager:
        if not proxy:
            return urllib3.PoolManager(num_pools=4, maxsize=4, ssl_context=self._context, timeout=self._timeout)
        address = urllib3.util.parse_url(proxy)
        headers = urllib3.make_headers(proxy_basic_auth=address.auth) if address.auth else None
        return urllib3.ProxyManager(
            address._replace(auth=None).url,
            num_pools=4,
            maxsize=4,
            proxy_headers=headers,
            ssl_context=self._context,
            timeout=self._timeout,
        )

    def _proxy(self, url: str) -> str:
        """The proxy that HTTPS_PROXY asks for, unless NO_PROXY excludes the host; empty for none."""
        env = self._environ
        proxy = next(
            (env[name] for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY") if env.get(name)), ""
        )
        if not proxy:
            return ""
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # in the library, not in its stubs

        host = urllib3.util.parse_url(url).host or ""
        excluded = env.get("no_proxy") or env.get("NO_PROXY") or ""
        if proxy_bypass_environment(host, {"no": excluded}):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"


def _answer(response: urllib3.BaseHTTPResponse, request: Request) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    cookies = tuple(response.headers.getlist("set-cookie"))
    try:
        body = _body(response)
    except BrokenError:
        response.close()
        # The status of a write has been heard: that is the answer, even though its words are lost.
        if request.reads:
            raise
        body = b""
    response.release_conn()
    return Answer(response.status, headers, body, cookies)


def _body(response: urllib3.BaseHTTPResponse) -> bytes:
    try:
        body = response.read(MAX_BODY + 1, decode_content=True)
    except (HTTPError, OSError) as error:
        raise BrokenError(_cut(error)) from None
    if len(body) > MAX_BODY:
        raise BrokenError(f"the answer is larger than {MAX_BODY // 1024 // 1024} MB", hopeless=True)
    return body


def _not_sent(error: HTTPError) -> NotSentError:
    if isinstance(error, NameResolutionError):
        return NotSentError("its name cannot be resolved", hopeless=True)
    if isinstance(error, LocationParseError):
        return NotSentError("its address cannot be parsed", hopeless=True)
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return NotSentError(f"no connection within {CONNECT_SECONDS:.0f} seconds")
    if isinstance(error, ProxyError):
        return NotSentError("the proxy did not connect us")
    return NotSentError(_words(error))


def _tls_failure(error: SSLError) -> NotSentError | BrokenError:
    """Nothing was sent to a server whose certificate we did not accept; other errors can come in the middle."""
    text = str(error)
    for mark, reason in _NOT_ACCEPTED_BY_US:
        if mark in text:
            return NotSentError(reason, hopeless=True)
    for mark, reason in _NOT_ACCEPTED_BY_SERVER:
        if mark in text:
            return BrokenError(reason, hopeless=True)
    return BrokenError("the TLS connection broke")


_NOT_ACCEPTED_BY_US = (
    ("ostname mismatch", "its certificate is for another host"),
    ("IP address mismatch", "its certificate is for another host"),
    ("certificate has expired", "its certificate has expired"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
)
_NOT_ACCEPTED_BY_SERVER = (
    ("ALERT_CERTIFICATE_REQUIRED", "it wants a client certificate"),
    ("UNKNOWN_CA", "it does not accept the client certificate"),
    ("BAD_CERTIFICATE", "it does not accept the client certificate"),
)


def _cut(error: Exception) -> str:
    return "the answer cannot be decompressed" if isinstance(error, DecodeError) else "the answer was cut short"


def _words(error: Exception) -> str:
    """What broke, without addresses, pools and objects in it."""
    text = str(error).lower()
    for mark, words in _REASONS:
        if mark in text:
            return words
    return "the connection broke"


_REASONS = (
    ("refused", "the connection was refused"),
    ("unreachable", "the network is unreachable"),
    ("timed out", "it did not answer in time"),
    ("without response", "the connection was closed without an answer"),
    ("reset", "the connection was reset"),
    ("broken pipe", "the connection was closed"),
    ("aborted", "the connection was closed"),
)
