"""One TLS connection and everything that it shows: chain, request, alerts, times. Nothing is judged here.

Verification is off on purpose: the chain must be seen also when it is bad, and Java's rules are not OpenSSL's. No
application data is sent.
"""

from __future__ import annotations

import ssl
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.tls import failures
from reconciler.tls.alerts import alert_of_error, failure_of_alert
from reconciler.tls.deadline import Deadline
from reconciler.tls.dialing import dial
from reconciler.tls.failures import ConnectionFailedError, Failure
from reconciler.tls.recording import Recording
from reconciler.tls.starttls import start_tls

if TYPE_CHECKING:
    from reconciler.tls.address import Address
    from reconciler.tls.dialing import Line
    from reconciler.tls.handshake_messages import CertificateRequest
    from reconciler.tls.proxy import Proxy

OLD_VERSIONS = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}
JAVA_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
# ssl.OP_LEGACY_SERVER_CONNECT has a name only from Python 3.12 on. Java talks to servers without RFC 5746, OpenSSL 3
# by itself does not.
_LEGACY_SERVER_CONNECT = 0x4
# A rejection in TLS 1.3 comes one round trip after our last message; this long we listen at least.
_SETTLE_SECONDS = 1.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to, by which way, with which name."""

    address: Address
    server_name: str | None = None
    proxy: Proxy | None = None
    starttls: str | None = None
    timeout: float = 10.0

    @property
    def sni(self) -> str | None:
        """The name that goes into the ClientHello: like Java, none for addresses and names without a dot."""
        from reconciler.host_names import literal_address

        if self.server_name:
            return self.server_name
        host = self.address.host
        return host if "." in host and literal_address(host) is None else None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one connection showed.

    Attributes:
        failure: Why there is no TLS connection, or why it did not last; None when nothing was wrong.
        completed: Whether the handshake came to its end on our side.
        version: TLSv1.2, …; None before the server chose one.
        chain: DER, as sent.
        requested: Whether a client certificate was asked for; None when that cannot be known.
        presented: Whether a client certificate was sent and its key proven.
        confirmed: The server went on after the handshake (a ticket, or data): it is content with the client.
        closed: The server said farewell right after the handshake.
    """

    failure: Failure | None = None
    completed: bool = False
    peer: str | None = None
    lookup_seconds: float | None = None
    connect_seconds: float | None = None
    handshake_seconds: float | None = None
    version: str | None = None
    cipher: str | None = None
    chain: tuple[bytes, ...] = ()
    requested: bool | None = None
    request: CertificateRequest | None = None
    presented: bool = False
    confirmed: bool = False
    closed: bool = False
    warning_alerts: tuple[int, ...] = ()


def client_context(
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A context that accepts what Java accepts: weak keys and signatures are judged later, not refused by OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER_CONNECT
    _limit(context, oldest, newest)
    return context


def _limit(context: ssl.SSLContext, oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> None:
    if oldest not in OLD_VERSIONS.values():
        context.maximum_version, context.minimum_version = newest, oldest
        return
    with warnings.catch_warnings():
        # TLS 1.0 and 1.1 are asked for only to tell that a server knows nothing newer.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = oldest, newest


def observe(destination: Destination, context: ssl.SSLContext, *, has_client_key: bool = False) -> Observation:
    """Connect once, shake hands, and listen to what comes after; never raises for what the peer does.

    Args:
        destination: Where to.
        context: As from `client_context`.
        has_client_key: Whether a client certificate was loaded into `context`.
    """
    deadline = Deadline(destination.timeout)
    try:
        line = dial(destination.address, destination.proxy, deadline)
    except ConnectionFailedError as error:
        return Observation(failure=error.failure)
    with line.sock:
        return _Connection(line, destination, deadline, has_client_key=has_client_key).observe(context)


class _Connection:
    """An open TCP connection on its way through STARTTLS, the handshake and the moment after it."""

    def __init__(self, line: Line, destination: Destination, deadline: Deadline, *, has_client_key: bool) -> None:
        self._line = line
        self._destination = destination
        self._deadline = deadline
        self._has_client_key = has_client_key
        self._recording = Recording()
        self._tls: ssl.SSLSocket | None = None
        self._handshake_seconds: float | None = None
        self._spoke = False
        self._closed = False

    def observe(self, context: ssl.SSLContext) -> Observation:
        self._recording.attach(context)
        try:
            if self._destination.starttls:
                start_tls(self._line.sock, self._destination.starttls, self._deadline)
        except ConnectionFailedError as error:
            return self._result(error.failure)
        except OSError as error:
            return self._result(self._broken(error, "before the handshake"))
        with self._wrapped(context) as tls:
            return self._result(self._shake(tls))

    def _wrapped(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        name = self._destination.sni
        self._tls = context.wrap_socket(
            self._line.sock,
            server_hostname=name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # to hang up is something else than to say goodbye
        )
        return self._tls

    def _shake(self, tls: ssl.SSLSocket) -> Failure | None:
        begin = time.monotonic()
        try:
            tls.settimeout(self._deadline.remaining)
            tls.do_handshake()
        except OSError as error:  # ssl.SSLError and TimeoutError are among them
            return self._broken(error, "during the handshake")
        self._handshake_seconds = time.monotonic() - begin
        # Up to TLS 1.2 the handshake ends with the server's word about the client.
        if tls.version() != "TLSv1.3" or self._requested is False:
            return None
        return self._listen(tls, max(_SETTLE_SECONDS, 3 * self._handshake_seconds))

    def _listen(self, tls: ssl.SSLSocket, seconds: float) -> Failure | None:
        """Wait for a late rejection until there is a sign that none will come."""
        end = Deadline(min(seconds, self._deadline.remaining))
        while not end.is_over and not self._recording.has_ticket:
            tls.settimeout(min(_POLL_SECONDS, end.remaining))
            try:
                data = tls.recv(1)
            except TimeoutError:
                continue
            except OSError as error:
                return self._broken(error, "right after the handshake")
            self._spoke, self._closed = bool(data), not data and not self._recording.has_ticket
            return None
        return None

    def _broken(self, error: OSError, when: str) -> Failure:
        seen = self._recording
        alert = alert_of_error(error) if seen.fatal_alert is None else seen.fatal_alert
        if alert is not None:
            requested = self._has_client_key if self._requested is None else self._requested
            return failure_of_alert(alert, requested=requested, presented=self._presented)
        if isinstance(error, TimeoutError):
            return _silent(when, self._deadline.seconds)
        if seen.looks_like_tls is False:
            return _not_tls(seen.first_octets)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return _of_openssl(error, seen)
        return _closed(error, when, was_asked=seen.request is not None and not self._presented)

    @property
    def _requested(self) -> bool | None:
        # "No" can be said only at the end: a handshake that broke off may not have come to the request.
        if self._recording.request is not None:
            return True
        return False if self._recording.is_complete and self._handshake_seconds is not None else None

    @property
    def _presented(self) -> bool:
        # Without the recording, what we had is taken for what we showed.
        return self._recording.presented if self._recording.is_complete else self._has_client_key

    def _result(self, failure: Failure | None) -> Observation:
        tls, seen, completed = self._tls, self._recording, self._handshake_seconds is not None
        version = tls.version() if tls and completed else None
        cipher = tls.cipher() if tls and completed else None
        return Observation(
            failure=failure,
            completed=completed,
            peer=self._line.peer,
            lookup_seconds=self._line.lookup_seconds,
            connect_seconds=self._line.connect_seconds,
            handshake_seconds=self._handshake_seconds,
            version=version or _version_name(seen.version),
            cipher=cipher[0] if cipher else None,
            chain=seen.chain or _chain_of(tls),
            requested=self._requested,
            request=seen.request,
            presented=self._presented,
            confirmed=seen.has_ticket or self._spoke or (completed and version != "TLSv1.3"),
            closed=self._closed,
            warning_alerts=seen.warning_alerts,
        )


# --------------------------------------------------------------------------------------------- what went wrong


def _silent(when: str, seconds: float) -> Failure:
    return Failure(
        failures.HANDSHAKE_TIMEOUT,
        f"The server is silent {when}: no answer within {seconds:g} s",
        "the port may speak another protocol (see --starttls), or something in between swallows the packets",
        "Read timed out",
    )


def _closed(error: OSError, when: str, *, was_asked: bool) -> Failure:
    reset = isinstance(error, ConnectionResetError | BrokenPipeError)
    hint = "often a load balancer or firewall that knows no such name (try --server-name) or does not let this host in"
    if was_asked:
        hint = "it had asked for a client certificate: try --client-certificate ALIAS"
    return Failure(
        failures.CLOSED,
        f"The server {'resets' if reset else 'closes'} the connection {when}",
        hint,
        "Connection reset" if reset else "Remote host terminated the handshake",
    )


_GREETINGS = {
    b"220": "an SMTP or FTP server: try --starttls smtp",
    b"* OK": "an IMAP server: try --starttls imap",
    b"+OK": "a POP3 server: try --starttls pop3",
    b"HTTP": "an HTTP server without TLS: try the HTTPS port",
    b"SSH-": "an SSH server",
}


def _not_tls(octets: bytes) -> Failure:
    guess = next((text for start, text in _GREETINGS.items() if octets.startswith(start)), None)
    return Failure(
        failures.NOT_TLS,
        "The server answers, but not in TLS",
        f"this looks like {guess}" if guess else "check the port; mail and LDAP servers may need --starttls",
        "Unsupported or unrecognized SSL message",
    )


def _of_openssl(error: ssl.SSLError, recording: Recording) -> Failure:
    reason = error.reason or ""
    if reason in {"UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE"}:
        chosen = _version_name(recording.version)
        words = f"The server selected protocol version {_java_version(chosen)} is not accepted by client preferences"
        return Failure(
            failures.PROTOCOL_VERSION,
            f"The server chooses {chosen or 'a version'}, which Java does not offer any more",
            "the server needs TLS 1.2 or 1.3",
            f"{words} [TLS13, TLS12]",
        )
    if reason == "WRONG_VERSION_NUMBER" and recording.looks_like_tls is not True:
        return _not_tls(recording.first_octets)
    text = reason.replace("_", " ").lower() or type(error).__name__
    return Failure(
        failures.HANDSHAKE_FAILURE,
        f"The handshake fails on this side: {text}",
        "these are OpenSSL's words; Java may be stricter or more lenient here",
    )


def _java_version(name: str | None) -> str:
    return {"TLSv1": "TLS10", "TLSv1.1": "TLS11"}.get(name or "", "TLS10")


_VERSION_NAMES = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


def _version_name(version: int | None) -> str | None:
    return None if version is None else _VERSION_NAMES.get(version, f"0x{version:04x}")


def _chain_of(tls: ssl.SSLSocket | None) -> tuple[bytes, ...]:
    """The chain by the other way, for a Python without the callback; also after a failed handshake."""
    if tls is None:
        return ()
    try:
        if hasattr(tls, "get_unverified_chain"):  # Python 3.13 and later
            return tuple(tls.get_unverified_chain())
        inner = tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001  # private; there until 3.12
        encoding = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]  # noqa: SLF001  # as above
        return tuple(one.public_bytes(encoding) for one in inner.get_unverified_chain() or ())
    except (AttributeError, ValueError, OSError):
        return ()
