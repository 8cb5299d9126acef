"""A small lenient reader and a strict writer of ASN.1 in DER: offsets into one buffer, nothing is copied unasked.

The reader takes what real programs write: indefinite lengths, constructed strings, lengths in long form, sets in any
order (BER, X.690). Whatever the bytes are, it raises `DerError` and nothing else, and its work is bounded by the
length of the buffer: no announced length is believed before it was compared with the bytes that are there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31

CONSTRUCTED = 0x20
CONTEXT = 0x80

# Real files nest a dozen levels; only indefinite lengths and constructed strings make the reader recurse.
MAX_DEPTH = 32
# Java refuses object identifiers above 4096 octets; names and algorithms in use have fewer than 20.
MAX_OID_OCTETS = 1024
# 32768 bits: twice the largest RSA modulus that OpenSSL works with.
MAX_INTEGER_OCTETS = 4097
# One element each: bounds the memory that a file of empty elements can ask for.
MAX_CHILDREN = 200_000


class DerError(ReconcileError):
    """The bytes are not the ASN.1 that was expected."""


def header(data: bytes, position: int, limit: int, depth: int = MAX_DEPTH) -> tuple[int, int, int, int]:
    """The element at `position`, as (tag, start of content, end of content, start of what follows).

    The fast way for loops; `read` gives the same as an object. The tag is the identifier octet, or all identifier
    octets as one number where there are several. The last two differ only for indefinite lengths.

    Args:
        data: The buffer.
        position: Where the element begins.
        limit: Where the enclosing element ends.
        depth: How many levels of indefinite lengths may still be opened.

    Raises:
        DerError: no complete element stands there.
    """
    if position < 0 or position + 2 > limit or limit > len(data):
        raise DerError(f"the data ends inside an element at offset {position}")
    tag = data[position]
    position += 1
    if tag & 0x1F == 0x1F:
        tag, position = _long_tag(data, position, limit, tag)
    length = data[position]
    body = position + 1
    if length >= 0x80:
        if length == 0x80:
            return _indefinite(data, tag, body, limit, depth)
        size = length & 0x7F
        body += size
        if size > 8 or body > limit:
            raise DerError(f"a length that cannot be at offset {position}")
        length = int.from_bytes(data[position + 1 : body], "big")
    end = body + length
    if end > limit:
        raise DerError(f"an element at offset {position} announces {length} bytes, {limit - body} are there")
    return tag, body, end, end


def _long_tag(data: bytes, position: int, limit: int, tag: int) -> tuple[int, int]:
    for _ in range(4):
        if position + 1 >= limit:
            break
        octet = data[position]
        tag = tag << 8 | octet
        position += 1
        if octet < 0x80:
            return tag, position
    raise DerError(f"a tag that cannot be at offset {position}")


def _indefinite(data: bytes, tag: int, body: int, limit: int, depth: int) -> tuple[int, int, int, int]:
    first = tag
    while first > 0xFF:
        first >>= 8
    if not first & CONSTRUCTED or depth <= 0:
        raise DerError(f"an indefinite length that cannot be at offset {body - 1}")
    position = body
    while True:
        if position + 2 > limit:
            raise DerError(f"an indefinite length without end at offset {body - 1}")
        if data[position] == 0 and data[position + 1] == 0:
            return tag, body, position, position + 2
        position = header(data, position, limit, depth - 1)[3]


class Element:
    """One element: where it stands in the buffer, and its content on demand."""

    __slots__ = ("after", "body", "data", "end", "start", "tag")

    def __init__(self, data: bytes, start: int, limit: int) -> None:
        self.data = data
        self.start = start
        self.tag, self.body, self.end, self.after = header(data, start, limit)

    @property
    def raw(self) -> bytes:
        """The whole element as it came, header included."""
        return self.data[self.start : self.after]

    @property
    def content(self) -> bytes:
        """The content octets as they came."""
        return self.data[self.body : self.end]

    @property
    def is_constructed(self) -> bool:
        """Whether the content is elements itself."""
        tag = self.tag
        while tag > 0xFF:
            tag >>= 8
        return bool(tag & CONSTRUCTED)

    @property
    def is_der(self) -> bool:
        """Whether tag and length are the shortest ones; says nothing about the content."""
        return self.after == self.end and self.body - self.start == len(_head(self.tag, self.end - self.body))

    def children(self, limit: int = MAX_CHILDREN) -> list[Element]:
        """The elements inside.

        Raises:
            DerError: it is not constructed, its content is not elements, or there are more than `limit`.
        """
        return list(self.iterate(limit))

    def iterate(self, limit: int = MAX_CHILDREN) -> Iterator[Element]:
        """The elements inside, one by one; as `children`."""
        if not self.is_constructed:
            raise DerError(f"an element with parts was expected at offset {self.start}, tag 0x{self.tag:02x} is there")
        position, count = self.body, 0
        while position < self.end:
            count += 1
            if count > limit:
                raise DerError(f"more than {limit} parts in the element at offset {self.start}")
            child = Element(self.data, position, self.end)
            position = child.after
            yield child

    def expect(self, tag: int, what: str) -> Element:
        """This element, if it has `tag`; `what` names it in the error."""
        if self.tag != tag:
            raise DerError(f"{what} was expected at offset {self.start}, tag 0x{self.tag:02x} is there")
        return self

    def inner(self, what: str) -> Element:
        """The one element inside an explicit tag."""
        if not self.is_constructed or self.body >= self.end:
            raise DerError(f"{what} was expected inside the element at offset {self.start}")
        return Element(self.data, self.body, self.end)

    def octets(self, tag: int = OCTET_STRING) -> bytes:
        """The content of a string; the segments of a constructed one joined.

        Args:
            tag: The primitive tag; another one than OCTET STRING where it is tagged implicitly.
        """
        return _octets(self, tag, MAX_DEPTH)

    def integer(self, most: int = MAX_INTEGER_OCTETS) -> int:
        """The value of an INTEGER of up to `most` octets."""
        self.expect(INTEGER, "an integer")
        size = self.end - self.body
        if not 0 < size <= most:
            raise DerError(f"an integer of {size} bytes at offset {self.start}")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """The value of an OBJECT IDENTIFIER in dotted form."""
        self.expect(OBJECT_IDENTIFIER, "an object identifier")
        return dotted(self.content)

    def __repr__(self) -> str:
        return f"Element(tag=0x{self.tag:02x}, start={self.start}, body={self.body}, end={self.end})"


def read(data: bytes, position: int = 0, limit: int | None = None) -> Element:
    """The element at `position`; what follows it is not looked at.

    Raises:
        DerError: no complete element stands there.
    """
    return Element(data, position, len(data) if limit is None else limit)


def read_all(data: bytes) -> Element:
    """The one element that `data` consists of.

    Raises:
        DerError: it is not one, or something follows.
    """
    element = read(data)
    if element.after != len(data):
        raise DerError(f"{len(data) - element.after} bytes follow the element")
    return element


def _octets(element: Element, tag: int, depth: int) -> bytes:
    if element.tag == tag:
        return element.content
    if element.tag != tag | CONSTRUCTED or depth <= 0:
        raise DerError(f"a string was expected at offset {element.start}, tag 0x{element.tag:02x} is there")
    # The segments of an implicitly tagged string are OCTET STRINGs (X.690, 8.14 and 8.7.3).
    return b"".join(_octets(segment, OCTET_STRING, depth - 1) for segment in element.iterate())


@lru_cache(maxsize=512)
def dotted(content: bytes) -> str:
    """The dotted form of the content octets of an object identifier."""
    if not content or content[-1] >= 0x80 or len(content) > MAX_OID_OCTETS:
        raise DerError("an object identifier that is empty, unfinished or too long")
    arcs: list[int] = []
    value, begins = 0, True
    for octet in content:
        if begins and octet == 0x80:
            raise DerError("an object identifier with a padded part")
        value = value << 7 | octet & 0x7F
        begins = octet < 0x80
        if begins:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


# ----------------------------------------------------------------------------------------------- writing


def _head(tag: int, length: int) -> bytes:
    octets = tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    if length < 0x80:
        return octets + bytes((length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return octets + bytes((0x80 | len(size),)) + size


def encode(tag: int, *contents: bytes) -> bytes:
    """An element with `tag` around `contents`, in the shortest form."""
    return b"".join((_head(tag, sum(map(len, contents))), *contents))


def sequence(*items: bytes) -> bytes:
    """A SEQUENCE of elements that are encoded already."""
    return encode(SEQUENCE, *items)


def set_in_order(*items: bytes) -> bytes:
    """A SET in the order given: Java writes attributes so, and changing the order would change bytes for nothing."""
    return encode(SET, *items)


def set_of(*items: bytes) -> bytes:
    """A SET OF in the order that DER prescribes (X.690, 11.6)."""
    return encode(SET, *sorted(items))


def explicit(number: int, *items: bytes) -> bytes:
    """``[number] EXPLICIT`` around elements."""
    return encode(CONTEXT | CONSTRUCTED | number, *items)


def implicit(number: int, content: bytes) -> bytes:
    """``[number] IMPLICIT`` of a primitive type."""
    return encode(CONTEXT | number, content)


def octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return encode(OCTET_STRING, content)


def bit_string(content: bytes) -> bytes:
    """A BIT STRING without unused bits."""
    return encode(BIT_STRING, b"\0", content)


def null() -> bytes:
    """NULL."""
    return b"\x05\x00"


def boolean(value: bool) -> bytes:  # noqa: FBT001 - the value itself, not a switch
    """A BOOLEAN."""
    return encode(BOOLEAN, b"\xff" if value else b"\0")


def integer(value: int) -> bytes:
    """An INTEGER of any sign."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return encode(INTEGER, value.to_bytes(size, "big", signed=True))


def utf8_string(text: str) -> bytes:
    """A UTF8String."""
    return encode(UTF8_STRING, text.encode())


def bmp_string(text: str) -> bytes:
    """A BMPString as Java writes it: UTF-16, so that characters above U+FFFF are pairs of surrogates."""
    return encode(BMP_STRING, text.encode("utf-16-be", "surrogatepass"))


@lru_cache(maxsize=512)
def object_identifier(dotted_form: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form.

    Raises:
        DerError: it is not one.
    """
    try:
        first, second, *rest = map(int, dotted_form.split("."))
    except ValueError:
        raise DerError(f"not an object identifier: {dotted_form[:80]!r}") from None
    if not 0 <= first <= 2 or not 0 <= second < (40 if first < 2 else 1 << 64) or any(arc < 0 for arc in rest):
        raise DerError(f"not an object identifier: {dotted_form[:80]!r}")
    return encode(OBJECT_IDENTIFIER, *map(_base128, (40 * first + second, *rest)))


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | value & 0x7F)
    return bytes(reversed(octets))
