"""Distinguished names in the canonical form in which Java compares them (`X500Principal.equals`).

The rules are those of `sun.security.x509.AVA.toRFC2253CanonicalString` and of the classes `RDN` and `X500Name` around
it: what `X500Principal.getName("CANONICAL")` returns. The form is for comparison, not for people.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from reconciler import der

# The keywords of RFC 2253. The value of every other type is compared by its bytes, as ``#`` and hexadecimal.
_KEYWORDS = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
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
        rdns = der.read_all(name).expect(der.SEQUENCE, "a name").children()
        return ",".join([_canonical_rdn(rdn.raw) for rdn in reversed(rdns)])
    except der.DerError:
        return None


# Names of one keystore share most of their parts: country, organization, unit.
@lru_cache(maxsize=8192)
def _canonical_rdn(raw: bytes) -> str:
    rdn = der.read(raw).expect(der.SET, "a part of a name")
    attributes = [_canonical_attribute(attribute) for attribute in rdn.iterate()]
    if len(attributes) > 1:
        # Known keywords first, then in the order of Java's strings, which are UTF-16.
        attributes.sort(key=lambda pair: (not pair[0], pair[1].encode("utf-16-be", "surrogatepass")))
    return "+".join([text for _, text in attributes])


def _canonical_attribute(attribute: der.Element) -> tuple[bool, str]:
    """Whether the type has a keyword, and the canonical text."""
    parts = attribute.expect(der.SEQUENCE, "an attribute of a name").children(3)
    if len(parts) != 2:
        raise der.DerError("an attribute of a name has a type and a value")
    oid, value = parts[0].oid(), parts[1]
    keyword, charset = _KEYWORDS.get(oid), _CHARSETS.get(value.tag)
    if keyword is None or charset is None:
        text = f"{keyword or oid}=#{der.encode(value.tag, value.content).hex()}"
    else:
        text = f"{keyword}={canonical_value(value.content.decode(charset, 'replace'))}"
    # Upper case first: that is what makes sharp s equal to ss.
    return keyword is not None, unicodedata.normalize("NFKD", text.upper().lower())


def canonical_value(text: str) -> str:
    """The value of an attribute with a keyword, before its case is folded."""
    if not _ESCAPED.isdisjoint(text) or text.startswith("#"):
        escaped = [f"\\{c}" if c in _ESCAPED else c for c in text]
        text = ("\\" if text.startswith("#") else "") + "".join(escaped)
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip(_TRIMMED)
