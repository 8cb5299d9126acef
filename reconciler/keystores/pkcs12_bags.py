"""The bags of a PKCS#12 file: each one as it came, with the few facts that decide what Java makes of it.

A bag is never changed in place; `with_attributes` makes another one around the same content.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from reconciler import der
from reconciler.der import DerError, header
from reconciler.x509 import certificate as certificate_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Certificate

# A keystore of 64 MB with certificates of ordinary size holds about half of this.
MAX_BAGS = 100_000


class BagKind(Enum):
    """The kinds of bags (RFC 7292, section 4.2)."""

    PLAIN_KEY = "private key in a plain key bag"
    KEY = "private key"
    CERTIFICATE = "certificate"
    REVOCATION_LIST = "certificate revocation list"
    SECRET_KEY = "secret key"  # noqa: S105 - what it is called
    NESTED = "bags inside a bag"
    UNKNOWN = "bag of an unknown kind"


class Bag(NamedTuple):
    """One SafeBag.

    Attributes:
        raw: The whole element as it came.
        kind: What is inside.
        value: The content of the value's explicit tag, as it came; left empty for certificates.
        name: The friendlyName, None where there is none.
        key_id: The localKeyID, None where there is none.
        trusted: Whether it has Oracle's attribute trustedKeyUsage, which makes a certificate an entry of its own.
        certificate: What a certificate bag holds.
    """

    raw: bytes
    kind: BagKind
    value: bytes
    name: str | None = None
    key_id: bytes | None = None
    trusted: bool = False
    certificate: Certificate | None = None


_KINDS = {
    der.object_identifier(f"1.2.840.113549.1.12.10.1.{number}")[2:]: kind
    for number, kind in (
        (1, BagKind.PLAIN_KEY),
        (2, BagKind.KEY),
        (3, BagKind.CERTIFICATE),
        (4, BagKind.REVOCATION_LIST),
        (5, BagKind.SECRET_KEY),
        (6, BagKind.NESTED),
    )
}
_KEY_BAG = der.object_identifier("1.2.840.113549.1.12.10.1.2")
_CERTIFICATE_BAG = der.object_identifier("1.2.840.113549.1.12.10.1.3")
_X509_CERTIFICATE = der.object_identifier("1.2.840.113549.1.9.22.1")
_FRIENDLY_NAME = der.object_identifier("1.2.840.113549.1.9.20")
_LOCAL_KEY_ID = der.object_identifier("1.2.840.113549.1.9.21")
_TRUSTED_KEY_USAGE = der.object_identifier("2.16.840.1.113894.746875.1.1")
# As Java writes it: trusted for every purpose.
_TRUSTED_FOR_ALL = der.sequence(_TRUSTED_KEY_USAGE, der.set_in_order(der.object_identifier("2.5.29.37.0")))


# ------------------------------------------------------------------------------------------------- reading


def read_bags(contents: bytes, *, most: int = MAX_BAGS) -> tuple[tuple[Bag, ...], bool]:
    """The bags of SafeContents, and whether they are all that is there.

    Raises:
        DerError: not SafeContents, more than `most` bags, or an attribute that Java refuses.
    """
    tag, position, end, after = header(contents, 0, len(contents))
    if tag != der.SEQUENCE:
        raise DerError("bags were expected")
    bags: list[Bag] = []
    while position < end:
        bag, position = _read_bag(contents, position, end)
        bags.append(bag)
        if len(bags) > most:
            raise DerError(f"more than {MAX_BAGS:,} bags")
    return tuple(bags), after == len(contents)


def read_bag(raw: bytes) -> Bag:
    """The one bag that `raw` is."""
    return _read_bag(raw, 0, len(raw))[0]


def _read_bag(data: bytes, start: int, limit: int) -> tuple[Bag, int]:
    tag, body, end, after = header(data, start, limit)
    if tag != der.SEQUENCE:
        raise DerError(f"a bag was expected at offset {start}")
    _, oid, oid_end, position = header(data, body, end)
    value_tag, value, value_end, position = header(data, position, end)
    if value_tag != 0xA0:
        raise DerError(f"the content of a bag was expected at offset {oid_end}")
    kind = _KINDS.get(data[oid:oid_end], BagKind.UNKNOWN)
    certificate = _read_certificate(data, value, value_end) if kind is BagKind.CERTIFICATE else None
    name = key_id = None
    trusted = False
    # Java takes whatever else stands there for "no attributes".
    if position < end and data[position] == der.SET:
        _, position, attributes_end, _ = header(data, position, end)
        name, key_id, trusted = _read_attributes(data, position, attributes_end)
    content = b"" if kind is BagKind.CERTIFICATE else data[value:value_end]
    return Bag(data[start:after], kind, content, name, key_id, trusted, certificate), after


def _read_certificate(data: bytes, start: int, limit: int) -> Certificate | None:
    """The certificate of a CertBag; None for another type than X.509."""
    _, body, end, _ = header(data, start, limit)
    _, oid, oid_end, position = header(data, body, end)
    if data[oid:oid_end] != _X509_CERTIFICATE[2:]:
        return None
    tag, body, end, _ = header(data, position, end)
    if tag != 0xA0:
        raise DerError(f"a certificate was expected at offset {position}")
    tag, octets, octets_end, _ = header(data, body, end)
    content = data[octets:octets_end] if tag == der.OCTET_STRING else der.Element(data, body, end).octets()
    return certificate_of(_without_tail(content))


def _without_tail(content: bytes) -> bytes:
    """Java reads one certificate and ignores what follows; what is no element is left to whoever parses it."""
    try:
        return content[: header(content, 0, len(content))[3]]
    except DerError:
        return content


def _read_attributes(data: bytes, position: int, limit: int) -> tuple[str | None, bytes | None, bool]:
    """friendlyName, localKeyID, and whether trustedKeyUsage is there; of several the last counts, as in Java."""
    name = key_id = None
    trusted = False
    while position < limit:
        _, body, end, position = header(data, position, limit)
        _, oid, oid_end, values = header(data, body, end)
        identifier = data[oid:oid_end]
        if identifier == _FRIENDLY_NAME[2:]:
            name = _first_value(data, values, end, "friendlyName").expect(der.BMP_STRING, "a friendlyName").content
        elif identifier == _LOCAL_KEY_ID[2:]:
            key_id = _first_value(data, values, end, "localKeyID").octets()
        elif identifier == _TRUSTED_KEY_USAGE[2:]:
            trusted = True
    # An odd octet or half a surrogate pair becomes U+FFFD, as in Java.
    return (None if name is None else name.decode("utf-16-be", "replace")), key_id, trusted


def _first_value(data: bytes, start: int, limit: int, what: str) -> der.Element:
    tag, body, end, _ = header(data, start, limit)
    if tag != der.SET:
        raise DerError(f"a {what} without a set of values at offset {start}")
    return der.Element(data, body, end)


def bags_inside(bag: Bag, *, most: int = MAX_BAGS) -> tuple[Bag, ...]:
    """The bags of a nested SafeContents; empty when they cannot be read: they are carried whole in any case."""
    try:
        return read_bags(bag.value, most=most)[0]
    except DerError:
        return ()


# ------------------------------------------------------------------------------------------------- writing


def certificate_bag(
    certificate: Certificate, *, name: str | None, key_id: bytes | None = None, trusted: bool = False
) -> Bag:
    """A certificate bag as Java writes it."""
    value = der.sequence(_X509_CERTIFICATE, der.explicit(0, der.octet_string(certificate.der)))
    attributes = [*_core_attributes(name, key_id), *([_TRUSTED_FOR_ALL] if trusted else [])]
    raw = _encoded([_CERTIFICATE_BAG, der.explicit(0, value)], attributes)
    # The certificate that was given is kept: what has been worked out about it need not be worked out again.
    return Bag(raw, BagKind.CERTIFICATE, b"", name, key_id, trusted, certificate)


def key_bag(protected: bytes, *, name: str | None, key_id: bytes) -> Bag:
    """A bag around an EncryptedPrivateKeyInfo as Java writes it."""
    raw = _encoded([_KEY_BAG, der.explicit(0, protected)], _core_attributes(name, key_id))
    return Bag(raw, BagKind.KEY, protected, name, key_id)


def with_name(bag: Bag, name: str) -> Bag:
    """The bag under another name; everything else, the order of the attributes included, stays as it is."""
    oid, value, *rest = der.read(bag.raw).children()
    has_attributes = bool(rest) and rest[0].tag == der.SET
    attributes = _renamed(rest[0] if has_attributes else None, _attribute(_FRIENDLY_NAME, der.bmp_string(name)))
    tail = [element.raw for element in rest[has_attributes:]]
    return bag._replace(raw=_encoded([oid.raw, value.raw], attributes, tail), name=name)


def _renamed(attributes: der.Element | None, name: bytes) -> list[bytes]:
    """The attributes with `name` in the place of the first friendlyName, else at the end; there is but one then."""
    renamed: list[bytes] = []
    for attribute in attributes.iterate() if attributes is not None else ():
        if attribute.inner("an attribute").content != _FRIENDLY_NAME[2:]:
            renamed.append(attribute.raw)
        elif name not in renamed:
            renamed.append(name)
    return renamed if name in renamed else [*renamed, name]


def with_protected_key(bag: Bag, protected: bytes) -> Bag:
    """The bag of a key around another EncryptedPrivateKeyInfo, its attributes as they are."""
    oid, _, *rest = der.read(bag.raw).children()
    raw = der.sequence(oid.raw, der.explicit(0, protected), *[element.raw for element in rest])
    return bag._replace(raw=raw, value=protected)


def other_attributes(bag: Bag) -> bool:
    """Whether the bag says more than a name, a localKeyID, and that it is trusted for everything."""
    _, _, *rest = der.read(bag.raw).children()
    if not rest or rest[0].tag != der.SET:
        return bool(rest)
    return any(not _is_ordinary(attribute) for attribute in rest[0].iterate())


def _is_ordinary(attribute: der.Element) -> bool:
    if attribute.raw == _TRUSTED_FOR_ALL:
        return True
    identifier = attribute.inner("an attribute").content
    return identifier in (_FRIENDLY_NAME[2:], _LOCAL_KEY_ID[2:])


def _core_attributes(name: str | None, key_id: bytes | None) -> list[bytes]:
    # The order is Java's, not that of DER (PKCS12KeyStore.getBagAttributes).
    attributes = []
    if name is not None:
        attributes.append(_attribute(_FRIENDLY_NAME, der.bmp_string(name)))
    if key_id is not None:
        attributes.append(_attribute(_LOCAL_KEY_ID, der.octet_string(key_id)))
    return attributes


def _attribute(oid: bytes, value: bytes) -> bytes:
    return der.sequence(oid, der.set_in_order(value))


def _encoded(head: Sequence[bytes], attributes: Sequence[bytes], tail: Sequence[bytes] = ()) -> bytes:
    return der.sequence(*head, *([der.set_in_order(*attributes)] if attributes else []), *tail)
