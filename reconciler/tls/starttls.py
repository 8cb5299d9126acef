"""From a plain connection to TLS: the dialogues of SMTP, IMAP, POP3 and LDAP before the handshake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.tls import failures
from reconciler.tls.failures import ConnectionFailedError, Failure

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from reconciler.tls.deadline import Deadline

_LONGEST_LINE = 2_048
_MOST_LINES = 200


class _Dialogue:
    """Lines to and from the server; nothing behind the end of a line is read."""

    def __init__(self, sock: socket.socket, deadline: Deadline, protocol: str) -> None:
        self._sock = sock
        self._deadline = deadline
        self._protocol = protocol

    def say(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.remaining)
        self._sock.sendall(data)

    def octets(self, count: int) -> bytes:
        """Exactly `count` octets; fewer only when the server closes."""
        data = bytearray()
        while len(data) < count:
            self._sock.settimeout(self._deadline.remaining)
            more = self._sock.recv(count - len(data))
            if not more:
                break
            data += more
        return bytes(data)

    def line(self) -> bytes:
        data = bytearray()
        while not data.endswith(b"\n"):
            octet = self.octets(1)
            if not octet or len(data) >= _LONGEST_LINE:
                raise self.failed(bytes(data), "ended the dialogue")
            data += octet
        return bytes(data).rstrip(b"\r\n")

    def lines(self, is_last: Callable[[bytes], object]) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < _MOST_LINES:
            found.append(self.line())
            if is_last(found[-1]):
                return found
        raise self.failed(found[-1], "does not come to an end")

    def failed(self, answer: bytes, what: str) -> ConnectionFailedError:
        shown = answer[:80].decode("ascii", "replace")
        said = f": {shown}" if shown else ""
        return ConnectionFailedError(
            Failure(
                failures.NOT_TLS,
                f"The server does not change to TLS with STARTTLS ({self._protocol}): it {what}{said}",
                "check port and protocol; a port with TLS from the start needs no --starttls",
            )
        )

    def expect(self, answer: bytes, beginning: bytes) -> None:
        if not answer.upper().startswith(beginning):
            raise self.failed(answer, "answers otherwise")


def _smtp(talk: _Dialogue) -> None:
    # RFC 3207. The last line of an answer has a blank after the number.
    def answer() -> list[bytes]:
        return talk.lines(lambda line: line[3:4] != b"-")

    talk.expect(answer()[-1], b"220")
    talk.say(b"EHLO localhost\r\n")
    offered = answer()
    talk.expect(offered[-1], b"250")
    if not any(line[4:].strip().upper() == b"STARTTLS" for line in offered):
        raise talk.failed(b"", "does not offer it")
    talk.say(b"STARTTLS\r\n")
    talk.expect(answer()[-1], b"220")


def _imap(talk: _Dialogue) -> None:
    # RFC 9051, 6.2.1.
    talk.expect(talk.line(), b"* OK")
    talk.say(b"a1 STARTTLS\r\n")
    talk.expect(talk.lines(lambda line: line.upper().startswith(b"A1 "))[-1], b"A1 OK")


def _pop3(talk: _Dialogue) -> None:
    # RFC 2595, 4.
    talk.expect(talk.line(), b"+OK")
    talk.say(b"STLS\r\n")
    talk.expect(talk.line(), b"+OK")


# ExtendedRequest of message 1 with the name of StartTLS (RFC 4511, 4.14).
_LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
# The messageID, then an ExtendedResponse ([APPLICATION 24]) whose first element is the resultCode success.
_LDAP_SUCCESS = re.compile(rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x84....)\x0a\x01\x00", re.DOTALL)


def _ldap(talk: _Dialogue) -> None:
    talk.say(_LDAP_REQUEST)
    head = talk.octets(2)
    if head[:1] != b"\x30" or len(head) < 2:
        raise talk.failed(b"", "gives no LDAP answer")
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(talk.octets(min(length & 0x7F, 4)), "big")
    if not _LDAP_SUCCESS.match(talk.octets(min(length, _LONGEST_LINE))):
        raise talk.failed(b"", "refuses it")


_DIALOGUES: dict[str, Callable[[_Dialogue], None]] = {"smtp": _smtp, "imap": _imap, "pop3": _pop3, "ldap": _ldap}


def start_tls(sock: socket.socket, protocol: str, deadline: Deadline) -> None:
    """Bring the connection to the point where the TLS handshake begins.

    Raises:
        ConnectionFailedError: the server does not offer STARTTLS or does not speak `protocol`.
        OSError: the connection broke or the time was up.
    """
    _DIALOGUES[protocol](_Dialogue(sock, deadline, protocol))
