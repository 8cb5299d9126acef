"""The ways in which a connection fails: a stable code, a sentence, Java's words for it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

DNS = "dns"
CONNECT_REFUSED = "connect-refused"
CONNECT_TIMEOUT = "connect-timeout"
HANDSHAKE_TIMEOUT = "handshake-timeout"
NOT_TLS = "not-tls"
CLOSED = "closed-in-handshake"
PROTOCOL_VERSION = "protocol-version"
HANDSHAKE_FAILURE = "handshake-failure"
SNI = "sni"
CLIENT_CERT_REQUIRED = "client-cert-required"
CLIENT_CERT_REJECTED = "client-cert-rejected"
CLIENT_KEY_NOT_AVAILABLE = "client-key-not-available"

CODES = (
    "ok",
    DNS,
    CONNECT_REFUSED,
    CONNECT_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    NOT_TLS,
    CLOSED,
    PROTOCOL_VERSION,
    HANDSHAKE_FAILURE,
    SNI,
    CLIENT_CERT_REQUIRED,
    CLIENT_CERT_REJECTED,
    CLIENT_KEY_NOT_AVAILABLE,
    "unknown-ca",
    "missing-intermediate",
    "self-signed",
    "expired",
    "not-yet-valid",
    "no-san",
    "name-mismatch",
    "eku",
    "local-policy",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no connection. `alert` is the number of the fatal alert that the peer sent."""

    code: str
    message: str
    hint: str = ""
    java_message: str | None = None
    alert: int | None = None


class ConnectionFailedError(Exception):
    """Carries a `Failure` from the place where it is seen to the place where it is reported."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
