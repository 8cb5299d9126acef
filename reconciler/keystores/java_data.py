"""Reads and writes what `java.io.DataOutputStream` writes: big-endian numbers, texts and byte arrays with a length."""

from __future__ import annotations

from struct import Struct

from reconciler.errors import KeystoreUnreadableError
from reconciler.modified_utf8 import ModifiedUtf8Error, decode, encode

# SAP Cloud Integration takes keystores up to 6 MB, and 10,000 certificates of usual size make 12 MB; 64 MiB leave room
# for every real keystore and bound the memory (some four times as much) and the time that a hostile file can ask for.
MAX_BYTES = 64 * 1024 * 1024
# Certificates and keys together. Empty ones take a few bytes of the file, but several hundred bytes of memory each.
MAX_ARRAYS = 200_000
# Several hundred times a usual truststore.
MAX_ENTRIES = 100_000
MAX_TEXT_BYTES = 65535  # the length in front of a text has two bytes

_U2 = Struct(">H")
_S4 = Struct(">i")
_S8 = Struct(">q")


class JavaData:
    """A position in a buffer. No announced length is believed before it was compared with the bytes that are there."""

    __slots__ = ("_arrays_left", "data", "end", "origin", "position")

    def __init__(self, data: bytes, *, origin: str) -> None:
        """Begin at the first byte of `data`; `origin` names the file in errors.

        Raises:
            KeystoreUnreadableError: there is more than `MAX_BYTES` of it.
        """
        if len(data) > MAX_BYTES:
            raise KeystoreUnreadableError(
                f"the file has {len(data):,} bytes, and at most {MAX_BYTES:,} are read as a keystore", where=origin
            )
        self.data = data
        self.end = len(data)
        self.position = 0
        self.origin = origin
        self._arrays_left = MAX_ARRAYS

    @property
    def remaining(self) -> int:
        """How many bytes follow."""
        return self.end - self.position

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self.position
        stop = start + length
        if length < 0 or stop > self.end:
            raise self.damaged(f"{length} bytes are announced, {self.end - start} follow")
        self.position = stop
        return self.data[start:stop]

    def byte(self) -> int:
        """An unsigned byte."""
        return self.take(1)[0]

    def unsigned_short(self) -> int:
        """Two bytes."""
        number: int = _U2.unpack(self.take(2))[0]
        return number

    def signed_int(self) -> int:
        """Four bytes, signed as in Java."""
        number: int = _S4.unpack(self.take(4))[0]
        return number

    def signed_long(self) -> int:
        """Eight bytes, signed as in Java."""
        number: int = _S8.unpack(self.take(8))[0]
        return number

    def text(self) -> str:
        """A text in modified UTF-8 behind its length (`readUTF`)."""
        start = self.position
        try:
            return decode(self.take(self.unsigned_short()))
        except ModifiedUtf8Error as error:
            self.position = start
            raise self.damaged(f"{error} of a text") from None

    def array(self) -> bytes:
        """Bytes behind a length of four bytes."""
        self._arrays_left -= 1
        if self._arrays_left < 0:
            raise self.damaged(f"more than {MAX_ARRAYS:,} certificates and keys, which are not read,")
        return self.take(self.signed_int())

    def damaged(self, reason: str) -> KeystoreUnreadableError:
        """The error to raise where the content cannot be what it should be; the password plays no part in it."""
        return KeystoreUnreadableError(
            f"the keystore is cut off or damaged: {reason} at byte {self.position}",
            where=self.origin,
            hint="restore it from a backup, or copy it again (in binary mode)",
        )


def write_int(number: int) -> bytes:
    """Four bytes."""
    return _S4.pack(number)


def write_long(number: int) -> bytes:
    """Eight bytes."""
    return _S8.pack(number)


def write_text(text: str) -> bytes:
    """A text in modified UTF-8 behind its length (`writeUTF`); at most `MAX_TEXT_BYTES` once encoded."""
    encoded = encode(text)
    return _U2.pack(len(encoded)) + encoded


def write_array(content: bytes) -> bytes:
    """Bytes behind a length of four bytes."""
    return _S4.pack(len(content)) + content
