"""The names of acceptable CAs, which a server sends as DER, as people read them (RFC 4514)."""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler import der

_KEYWORDS = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_CHARSETS = {der.BMP_STRING: "utf-16-be", der.UNIVERSAL_STRING: "utf-32-be", der.T61_STRING: "latin-1"}


@lru_cache(maxsize=1024)
def readable_name(name: bytes) -> str:
    """A DER name as text, most specific part first; hexadecimal when it is none."""
    try:
        rdns = der.read_all(name).expect(der.SEQUENCE, "a name").children(200)
        return ",".join("+".join(_attribute(one) for one in rdn.iterate(20)) for rdn in reversed(rdns))
    except (der.DerError, ValueError):
        return f"#{name[:40].hex()}"


def _attribute(element: der.Element) -> str:
    kind, value = element.children(2)
    text = value.content.decode(_CHARSETS.get(value.tag, "utf-8"), "replace")
    escaped = re.sub(r'([,+"\\<>;])', r"\\\1", text)
    oid = kind.oid()
    return f"{_KEYWORDS.get(oid, oid)}={escaped}"
