"""HTTP proxies: which one to use, and the tunnel through it (CONNECT, RFC 9110, 9.3.6)."""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.secret import Secret
from reconciler.tls import failures
from reconciler.tls.failures import ConnectionFailedError, Failure

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from reconciler.tls.address import Address
    from reconciler.tls.deadline import Deadline

_URL = re.compile(
    r"(?:(?P<scheme>[a-z0-9]+)://)?(?:(?P<user>[^@]*)@)?(?P<host>\[[^\]]+\]|[^:/@]+)(?::(?P<port>\d+))?/?"
)
_DEFAULT_PORT = 3128
_LONGEST_ANSWER = 16_384


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks plain HTTP, and what it is told about who asks."""

    host: str
    port: int
    credentials: Secret | None = None  # user:password

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """A proxy from ``http://[user:password@]host[:port]``.

    Raises:
        ReconcileError: it is no such URL. The message does not repeat it: it may hold a password.
    """
    found = _URL.fullmatch(url.strip())
    if found is None or (found["scheme"] or "http") != "http":
        raise ReconcileError(
            "the proxy is not written as http://HOST:PORT",
            hint="only proxies that are themselves reached over plain HTTP are supported",
        )
    port = int(found["port"] or _DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ReconcileError("the port of the proxy is not between 1 and 65535")
    credentials = Secret(_unquoted(found["user"])) if found["user"] else None
    return Proxy(found["host"].strip("[]"), port, credentials)


def _unquoted(text: str) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text)


def proxy_of_environment(address: Address, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that ``HTTPS_PROXY`` or ``ALL_PROXY`` names, as curl reads them; None where ``NO_PROXY`` excepts."""
    lower = {name.lower(): value for name, value in environ.items() if value}
    url = lower.get("https_proxy") or lower.get("all_proxy")
    if not url or _is_excepted(address.host, lower.get("no_proxy", "")):
        return None
    return parse_proxy(url)


def _is_excepted(host: str, exceptions: str) -> bool:
    host = host.lower()
    for entry in re.split(r"[,\s]+", exceptions.lower()):
        name = entry.lstrip("*").lstrip(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def tunnel(sock: socket.socket, address: Address, proxy: Proxy, deadline: Deadline) -> None:
    """Ask the proxy on the other end of `sock` for a tunnel to `address`.

    Raises:
        ConnectionFailedError: it does not give one.
    """
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.credentials:
        token = b2a_base64(proxy.credentials.reveal(), newline=False).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    sock.settimeout(deadline.remaining)
    sock.sendall("\r\n".join([*lines, "", ""]).encode("idna" if not str(address).isascii() else "ascii"))
    status = _status(_head(sock, deadline))
    if not 200 <= status < 300:
        raise ConnectionFailedError(_refusal(status, proxy))


def _head(sock: socket.socket, deadline: Deadline) -> bytes:
    # Octet by octet: what follows the head belongs to the server behind the proxy.
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(deadline.remaining)
        octet = sock.recv(1)
        if not octet or len(head) > _LONGEST_ANSWER:
            break
        head += octet
    return bytes(head)


def _status(head: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    return int(found[1]) if found else 0


_REASONS = {
    0: "gave no HTTP answer",
    403: "does not allow the address (403)",
    407: "asks for a user and a password (407)",
    502: "could not reach the address (502)",
    503: "could not reach the address (503)",
    504: "got no answer from the address in time (504)",
}


def _refusal(status: int, proxy: Proxy) -> Failure:
    code = failures.CONNECT_TIMEOUT if status == 504 else failures.CONNECT_REFUSED
    reason = _REASONS.get(status, f"refused the tunnel ({status})")
    hint = "write them into the proxy's URL, in an environment variable" if status == 407 else "ask who runs the proxy"
    words = f'Unable to tunnel through proxy. Proxy returns "HTTP/1.1 {status}"' if status else None
    return Failure(code, f"The proxy {proxy} {reason}", hint, words)
