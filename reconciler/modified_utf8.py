"""Modified UTF-8, the text encoding of `java.io.DataInput`: aliases in JKS, JCEKS, BKS and UBER files stand in it.

It differs from UTF-8: U+0000 is ``C0 80``, and a character above U+FFFF is two surrogates of three bytes each, so that
every UTF-16 code unit stands for itself. As in Java, a string may hold half of a surrogate pair.
"""

from __future__ import annotations

from array import array
from sys import byteorder

_UTF_16 = "utf-16-le" if byteorder == "little" else "utf-16-be"


class ModifiedUtf8Error(ValueError):
    """The bytes are not modified UTF-8; where Java throws `UTFDataFormatException`."""


def decode(encoded: bytes) -> str:
    """The text, exactly as `DataInputStream.readUTF` reads it: overlong forms are accepted, four-byte forms are not.

    Raises:
        ModifiedUtf8Error: Java would refuse the bytes as well.
    """
    if encoded.isascii():
        return encoded.decode("ascii")
    units = array("H")
    position, end = 0, len(encoded)
    while position < end:
        first = encoded[position]
        length = _LENGTHS[first >> 4]
        tail = encoded[position + 1 : position + length]
        if len(tail) != length - 1 or any(octet & 0xC0 != 0x80 for octet in tail):
            raise ModifiedUtf8Error(f"malformed text at byte {position}")
        units.append(_code_unit(first, tail))
        position += length
    return units.tobytes().decode(_UTF_16, "surrogatepass")


def encode(text: str) -> bytes:
    """The bytes that `DataOutputStream.writeUTF` writes after the length."""
    if text.isascii() and "\0" not in text:
        return text.encode("ascii")
    units = memoryview(text.encode(_UTF_16, "surrogatepass")).cast("H")
    return b"".join(chr(unit).encode("utf-8", "surrogatepass") if unit else b"\xc0\x80" for unit in units)


# By the upper four bits of the first byte. 0 makes `decode` stop: a continuation byte, or the start of a form of four.
_LENGTHS = (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 0)
_MASKS = (0, 0x7F, 0x1F, 0x0F)


def _code_unit(first: int, tail: bytes) -> int:
    unit = first & _MASKS[len(tail) + 1]
    for octet in tail:
        unit = unit << 6 | octet & 0x3F
    return unit
