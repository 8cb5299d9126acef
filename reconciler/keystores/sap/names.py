"""Distinguished names as a tenant writes them (`CN=x, O="Example, Inc.", C=DE`), read into their parts.

Most specific part first, values with special characters in quotes. What cannot be read for certain is None: then the
certificate itself is asked for.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler.names import canonical_value

# Java's and SAP's spellings -> the short names of this product.
_NAMES = {
    "CN": "CN", "C": "C", "L": "L", "ST": "ST", "S": "ST", "O": "O", "OU": "OU", "DC": "DC", "UID": "UID",
    "STREET": "STREET", "T": "title", "TITLE": "title", "SURNAME": "SN", "GIVENNAME": "GN",
    "SERIALNUMBER": "serialNumber", "E": "emailAddress", "EMAIL": "emailAddress", "EMAILADDRESS": "emailAddress",
}  # fmt: skip
_KEYWORDS = frozenset({"CN", "C", "L", "ST", "STREET", "O", "OU", "DC", "UID"})
_EMAIL_OID = "1.2.840.113549.1.9.1"
_ATTRIBUTE = re.compile(
    r"""\s*([A-Za-z][A-Za-z0-9.-]*)\s*=\s*
        (?:"((?:[^"\\]|\\.)*)"|((?:[^",+\\]|\\.)*))\s*(?:(,)|$)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_SPECIAL = re.compile(r'([,+"\\<>;])')

Attributes = tuple[tuple[str, str], ...]


@lru_cache(maxsize=8192)
def attributes_of(text: str) -> Attributes | None:
    """(short name, value), most specific first; None for what cannot be read for certain."""
    found: list[tuple[str, str]] = []
    at, ends = 0, False
    while at < len(text) or ends:
        match = _ATTRIBUTE.match(text, at)
        name = match and _NAMES.get(match[1].upper())
        if match is None or name is None:
            return None
        value = _value(match[2] if match[2] is not None else match[3].rstrip())
        if value is None or value.startswith("#"):
            return None
        found.append((name, value))
        at, ends = match.end(), match[4] is not None
    return tuple(found) or None


def _value(text: str) -> str | None:
    if "\\" not in text:
        return text
    # Two digits are one byte of UTF-8 (RFC 4514); anything else stands for itself.
    raw = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)
    if not re.search(r"\\[0-9A-Fa-f]{2}", text):
        return raw
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return None


def rfc4514(attributes: Attributes) -> str:
    """The text in which certificates are shown elsewhere."""
    return ",".join(f"{name}={_escaped(value)}" for name, value in attributes)


def _escaped(value: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", value)
    if escaped.endswith(" ") and value != " ":
        escaped = f"{escaped[:-1]}\\ "
    return f"\\{escaped}" if escaped.startswith((" ", "#")) else escaped


@lru_cache(maxsize=8192)
def canonical(attributes: Attributes) -> str | None:
    """The form in which names are compared (`reconciler.names`), for the usual encodings; None for other attributes."""
    parts = []
    for name, value in attributes:
        if name in _KEYWORDS and name != "DC":
            parts.append(f"{name.lower()}={canonical_value(value)}")
        elif name == "emailAddress" and value.isascii() and len(value) < 0x80:
            parts.append(f"{_EMAIL_OID}=#16{len(value):02x}{value.encode().hex()}")
        else:
            return None
    return ",".join(parts)
