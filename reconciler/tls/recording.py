"""What passes by during a handshake, written down as it comes and understood afterwards.

The standard library's `SSLContext._msg_callback` (private, Python 3.8 and later) shows every handshake message and
alert, in TLS 1.3 decrypted. Where a Python has none, what only it can tell is unknown, not "no".
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from reconciler.tls import handshake_messages as messages

if TYPE_CHECKING:
    from reconciler.tls.handshake_messages import CertificateRequest

_ALERT = 21
_HANDSHAKE = 22
_RECORD_HEADER = 256
_WANTED = frozenset(
    {
        messages.SERVER_HELLO,
        messages.NEW_SESSION_TICKET,
        messages.CERTIFICATE,
        messages.CERTIFICATE_REQUEST,
        messages.CERTIFICATE_VERIFY,
    }
)
# A handshake has a dozen messages; a peer that sends more (tickets without end) is not recorded further.
_MOST_MESSAGES = 200


class Recording:
    """The handshake messages and alerts of one connection."""

    def __init__(self) -> None:
        self.is_complete = False
        self.first_octets = b""
        self._messages: list[tuple[str, int, int, bytes]] = []
        self._alerts: list[tuple[str, int, int]] = []

    def attach(self, context: ssl.SSLContext) -> None:
        """Listen to the connections of `context`, if this Python can."""
        if hasattr(ssl.SSLContext, "_msg_callback"):
            context._msg_callback = self._note  # type: ignore[attr-defined]  # noqa: SLF001  # private, feature-tested
            self.is_complete = True

    def _note(
        self, _connection: Any, direction: str, version: int, content_type: int, message_type: int, data: bytes
    ) -> None:
        # An exception here would surface inside the handshake, so nothing is interpreted here.
        kind = int(content_type)
        if kind == _RECORD_HEADER and direction == "read" and not self.first_octets:
            self.first_octets = bytes(data[:5])
        elif kind == _ALERT and len(data) == 2 and len(self._alerts) < _MOST_MESSAGES:
            self._alerts.append((direction, data[0], data[1]))
        elif kind == _HANDSHAKE and len(data) >= 4 and data[0] in _WANTED and len(self._messages) < _MOST_MESSAGES:
            self._messages.append((direction, data[0], int(version), bytes(data[4:])))
        del message_type

    def _find(self, direction: str, kind: int) -> tuple[int, bytes] | None:
        for way, message, version, body in self._messages:
            if way == direction and message == kind:
                return version, body
        return None

    @property
    def version(self) -> int | None:
        """The version that the server chose."""
        found = self._find("read", messages.SERVER_HELLO)
        return messages.server_hello_version(found[1]) if found else None

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates that the server sent, as sent."""
        found = self._find("read", messages.CERTIFICATE)
        return messages.certificates(found[1], self.version or found[0]) if found else ()

    @property
    def request(self) -> CertificateRequest | None:
        """The server's wish for a client certificate, or None when it had none."""
        found = self._find("read", messages.CERTIFICATE_REQUEST)
        return messages.certificate_request(found[1], self.version or found[0]) if found else None

    @property
    def presented(self) -> bool:
        """Whether we sent a certificate and proved to have its key."""
        found = self._find("write", messages.CERTIFICATE)
        sent = bool(found and messages.certificates(found[1], self.version or found[0]))
        return sent and self._find("write", messages.CERTIFICATE_VERIFY) is not None

    @property
    def has_ticket(self) -> bool:
        """Whether the server gave a session ticket, which it does after it is content with the client."""
        return self._find("read", messages.NEW_SESSION_TICKET) is not None

    @property
    def fatal_alert(self) -> int | None:
        """The number of the fatal alert that the server sent."""
        return next((number for way, level, number in self._alerts if way == "read" and level == 2), None)

    @property
    def warning_alerts(self) -> tuple[int, ...]:
        """The alerts of the server that did not end the connection, without its farewell."""
        return tuple(number for way, level, number in self._alerts if way == "read" and level == 1 and number != 0)

    @property
    def looks_like_tls(self) -> bool | None:
        """Whether the first octets of the server were those of a TLS record; None when none were seen."""
        if not self.first_octets:
            return None
        return 20 <= self.first_octets[0] <= 24 and self.first_octets[1:2] == b"\x03"
