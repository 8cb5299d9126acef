"""A TCP connection within a deadline: names, addresses, the proxy in between, and what can go wrong with each."""

from __future__ import annotations

import errno
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.tls import failures
from reconciler.tls.failures import ConnectionFailedError, Failure
from reconciler.tls.proxy import tunnel

if TYPE_CHECKING:
    from reconciler.tls.address import Address
    from reconciler.tls.deadline import Deadline
    from reconciler.tls.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Line:
    """An open TCP connection to the server (or through the proxy) and how long it took."""

    sock: socket.socket
    peer: str
    lookup_seconds: float
    connect_seconds: float


def dial(address: Address, proxy: Proxy | None, deadline: Deadline) -> Line:
    """Connect to `address`, one resolved address after the other.

    Raises:
        ConnectionFailedError: with the code dns, connect-refused or connect-timeout.
    """
    host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
    begin = time.monotonic()
    found = _resolve(host, port, deadline)
    looked_up = time.monotonic()
    sock = _first_that_answers(found, f"{host}:{port}", deadline)
    try:
        if proxy:
            _through(sock, address, proxy, deadline)
        peer = str(sock.getpeername()[0])
    except BaseException:
        sock.close()
        raise
    return Line(sock, peer, looked_up - begin, time.monotonic() - looked_up)


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """`getaddrinfo` knows no time-out, so it runs beside us and is left behind when it takes too long."""
    outcome: list[Any] = []

    def look_up() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.remaining)
    if outcome and isinstance(outcome[0], list):
        return outcome[0]
    reason = "no answer in time" if not outcome else getattr(outcome[0], "strerror", None) or "not a valid name"
    raise ConnectionFailedError(
        Failure(
            failures.DNS,
            f"The name {host} cannot be resolved from this host: {reason}",
            "check the spelling, and whether the name is known here (VPN, private zones)",
            f"java.net.UnknownHostException: {host}",
        )
    )


def _first_that_answers(found: list[Any], shown: str, deadline: Deadline) -> socket.socket:
    errors: list[OSError] = []
    for at, (family, kind, protocol, _name, target) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.remaining / (len(found) - at))
            sock.connect(target)
        except OSError as error:
            sock.close()
            errors.append(error)
        else:
            return sock
    # A refusal says more than silence.
    refused = next((error for error in errors if isinstance(error, ConnectionRefusedError)), errors[-1])
    raise ConnectionFailedError(_not_connected(refused, shown, deadline))


def _not_connected(error: OSError, shown: str, deadline: Deadline) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure(
            failures.CONNECT_TIMEOUT,
            f"No answer from {shown} within {deadline.seconds:g} s: not even the TCP connection came about",
            "a firewall drops the packets, or the address is wrong; ask whether this host may connect (IP allow-list)",
            "Connect timed out",
        )
    if isinstance(error, ConnectionRefusedError):
        return Failure(
            failures.CONNECT_REFUSED,
            f"{shown} refuses the connection: nothing listens there",
            "check the port, and whether the server runs",
            "Connection refused",
        )
    no_route = error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}
    return Failure(
        failures.CONNECT_REFUSED,
        f"{shown} cannot be reached: {error.strerror or type(error).__name__}",
        "check network, VPN and firewall of this host",
        "No route to host" if no_route else error.strerror,
    )


def _through(sock: socket.socket, address: Address, proxy: Proxy, deadline: Deadline) -> None:
    try:
        tunnel(sock, address, proxy, deadline)
    except TimeoutError:
        raise ConnectionFailedError(
            Failure(failures.CONNECT_TIMEOUT, f"The proxy {proxy} did not answer in time", "ask who runs the proxy")
        ) from None
    except (OSError, UnicodeError) as error:
        raise ConnectionFailedError(
            Failure(failures.CONNECT_REFUSED, f"The proxy {proxy} broke off: {type(error).__name__}", "check the proxy")
        ) from None
