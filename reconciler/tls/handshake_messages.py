"""What stands in the messages of a handshake: who asks for client certificates, and which certificates were sent.

Pure: bytes in, values out. Layouts: RFC 5246, 7.4 (TLS 1.2) and RFC 8446, 4 (TLS 1.3). What cannot be read counts as
not there: a diagnosis must not fail over the thing that it diagnoses.
"""

from __future__ import annotations

from dataclasses import dataclass

TLS_1_3 = 0x0304

SERVER_HELLO = 2
NEW_SESSION_TICKET = 4
CERTIFICATE = 11
CERTIFICATE_REQUEST = 13
CERTIFICATE_VERIFY = 15

_SIGNATURE_ALGORITHMS = 13
_SUPPORTED_VERSIONS = 43
_CERTIFICATE_AUTHORITIES = 47

# ClientCertificateType of TLS 1.2 (RFC 5246, 7.4.4; RFC 8422, 5.5), as Java's key types.
_CERTIFICATE_TYPES = {1: ("RSA", "RSASSA-PSS"), 2: ("DSA",), 64: ("EC", "Ed25519", "Ed448")}
# The key that a signature scheme needs (RFC 8446, 4.2.3); TLS 1.2 names hash and signature in the two octets.
_SCHEME_KEYS = {
    0x0804: "RSA",
    0x0805: "RSA",
    0x0806: "RSA",
    0x0807: "Ed25519",
    0x0808: "Ed448",
    0x0809: "RSASSA-PSS",
    0x080A: "RSASSA-PSS",
    0x080B: "RSASSA-PSS",
}
_SIGNATURE_KEYS = {1: "RSA", 2: "DSA", 3: "EC"}


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The server's wish for a client certificate.

    Attributes:
        key_types: Which keys may be presented, in the order in which the server prefers their signatures.
        authorities: The acceptable CAs as DER names; empty when every CA will do.
    """

    key_types: tuple[str, ...] = ()
    authorities: tuple[bytes, ...] = ()


class _Truncated(Exception):  # noqa: N818  # never leaves this module
    """A length that points behind the end."""


class _Cursor:
    """Reads vectors with length prefixes from a buffer."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise _Truncated
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets), "big")

    def vector(self, octets: int) -> _Cursor:
        return _Cursor(self.take(self.number(octets)))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


def server_hello_version(body: bytes) -> int | None:
    """The version that a ServerHello chose."""
    try:
        cursor = _Cursor(body)
        version = cursor.number(2)
        cursor.take(32)
        cursor.vector(1)
        cursor.take(3)
        chosen = _extensions(cursor.vector(2)).get(_SUPPORTED_VERSIONS) if not cursor.is_done else None
        return int.from_bytes(chosen, "big") if chosen else version
    except _Truncated:
        return None


def certificate_request(body: bytes, version: int) -> CertificateRequest:
    """The content of a CertificateRequest (without the four octets of the handshake header)."""
    try:
        return _request_1_3(_Cursor(body)) if version >= TLS_1_3 else _request_1_2(_Cursor(body), version)
    except _Truncated:
        return CertificateRequest()


def _request_1_3(cursor: _Cursor) -> CertificateRequest:
    cursor.vector(1)
    extensions = _extensions(cursor.vector(2))
    schemes = _Cursor(extensions.get(_SIGNATURE_ALGORITHMS, b"\0\0")).vector(2)
    names = _Cursor(extensions.get(_CERTIFICATE_AUTHORITIES, b"\0\0")).vector(2)
    return CertificateRequest(_key_types(schemes), _names(names))


def _request_1_2(cursor: _Cursor, version: int) -> CertificateRequest:
    types = cursor.vector(1).rest()
    allowed = tuple(key for one in types for key in _CERTIFICATE_TYPES.get(one, ()))
    if version >= 0x0303:
        preferred = _key_types(cursor.vector(2))
        allowed = tuple(key for key in preferred if key in allowed) or allowed
    return CertificateRequest(allowed, _names(cursor.vector(2)))


def _extensions(cursor: _Cursor) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while not cursor.is_done:
        kind = cursor.number(2)
        found[kind] = cursor.vector(2).rest()
    return found


def _key_types(schemes: _Cursor) -> tuple[str, ...]:
    found: dict[str, None] = {}
    while not schemes.is_done:
        scheme = schemes.number(2)
        key = _SCHEME_KEYS.get(scheme) or _SIGNATURE_KEYS.get(scheme & 0xFF)
        if key:
            found[key] = None
    return tuple(found)


def _names(cursor: _Cursor) -> tuple[bytes, ...]:
    names: list[bytes] = []
    while not cursor.is_done:
        names.append(cursor.vector(2).rest())
    return tuple(names)


def certificates(body: bytes, version: int) -> tuple[bytes, ...]:
    """The certificates (DER) of a Certificate message, in the order in which they were sent."""
    found: list[bytes] = []
    try:
        cursor = _Cursor(body)
        if version >= TLS_1_3:
            cursor.vector(1)
        entries = cursor.vector(3)
        while not entries.is_done:
            found.append(entries.vector(3).rest())
            if version >= TLS_1_3:
                entries.vector(2)
    except _Truncated:
        pass
    return tuple(one for one in found if one)
