"""Distinguished names in the canonical form in which Java compares them (`X500Principal.equals`).

The rules are those of `sun.security.x509.AVA.toRFC2253CanonicalString` and of the classes `RDN` and `X500Name` around
it: what `X500Principal.getName("CANONICAL")` returns. The form is for comparison, not for people.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from reconciler import der
from reconciler.der import header

# The keywords of RFC 2253. The value of every other type is compared by its bytes, as ``#`` and hexadecimal.
_KEYWORDS = {
    der.object_identifier(oid)[2:]: keyword
    for oid, keyword in (
        ("2.5.4.3", "cn"),
        ("2.5.4.6", "c"),
        ("2.5.4.7", "l"),
        ("2.5.4.8", "st"),
        ("2.5.4.9", "street"),
        ("2.5.4.10", "o"),
        ("2.5.4.11", "ou"),
        ("0.9.2342.19200300.100.1.25", "dc"),
        ("0.9.2342.19200300.100.1.1", "uid"),
    )
}
# Only these two string types have a text form; an IA5String (usual for DC and e-mail) is compared by its bytes. JDK 17
# reads both as UTF-8, later ones a PrintableString as Latin-1: that differs only outside of what it may contain.
_CHARSETS = {der.PRINTABLE_STRING: "latin-1", der.UTF8_STRING: "utf-8"}
_ESCAPED = frozenset(',+<>;"\\')
# What `String.trim` takes away.
_TRIMMED = "".join(map(chr, range(0x21)))


@lru_cache(maxsize=4096)
def canonical_name(name: bytes) -> str | None:
    """The canonical form of a DER `Name`; None when it cannot be parsed."""
    try:
        tag, position, end, after = header(name, 0, len(name))
        if tag != der.SEQUENCE or after != len(name):
            return None
        rdns = []
        while position < end:
            start = position
            position = header(name, start, end)[3]
            rdns.append(_canonical_rdn(name[start:position]))
    except der.DerError:
        return None
    rdns.reverse()
    return ",".join(rdns)


# Names of one keystore share most of their parts: country, organization, unit.
@lru_cache(maxsize=8192)
def _canonical_rdn(rdn: bytes) -> str:
    tag, position, end, _ = header(rdn, 0, len(rdn))
    if tag != der.SET:
        raise der.DerError("a part of a name was expected")
    attributes = []
    while position < end:
        tag, body, attribute_end, position = header(rdn, position, end)
        if tag != der.SEQUENCE:
            raise der.DerError("an attribute of a name was expected")
        attributes.append(_canonical_attribute(rdn, body, attribute_end))
    if len(attributes) > 1:
        # Known keywords first, then in the order of Java's strings, which are UTF-16.
        attributes.sort(key=lambda pair: (not pair[0], pair[1].encode("utf-16-be", "surrogatepass")))
    return "+".join([text for _, text in attributes])


def _canonical_attribute(data: bytes, start: int, limit: int) -> tuple[bool, str]:
    """Whether the type has a keyword, and the canonical text."""
    tag, body, end, value_start = header(data, start, limit)
    value_tag, value, value_end, after = header(data, value_start, limit)
    if tag != der.OBJECT_IDENTIFIER or after != limit:
        raise der.DerError("an attribute of a name has a type and a value")
    content = data[value:value_end]
    keyword, charset = _KEYWORDS.get(data[body:end]), _CHARSETS.get(value_tag)
    if keyword is None or charset is None:
        return keyword is not None, f"{keyword or der.dotted(data[body:end])}=#{der.encode(value_tag, content).hex()}"
    return True, f"{keyword}={canonical_value(content.decode(charset, 'replace'))}"


def canonical_value(text: str) -> str:
    """The value of an attribute with a keyword, in the form in which it is compared."""
    if not _ESCAPED.isdisjoint(text) or text.startswith("#"):
        escaped = [f"\\{c}" if c in _ESCAPED else c for c in text]
        text = ("\\" if text.startswith("#") else "") + "".join(escaped)
    while "  " in text:
        text = text.replace("  ", " ")
    text = text.strip(_TRIMMED)
    # Upper case first: that is what makes sharp s equal to ss.
    return text.lower() if text.isascii() else unicodedata.normalize("NFKD", text.upper().lower())
