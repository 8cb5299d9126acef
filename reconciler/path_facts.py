"""What a certification path is judged by, read from the DER bytes of a certificate the way the JDK reads them.

The JDK is lenient where strict parsers are not: a malformed extension that is not critical counts as absent, odd key
identifiers and name constraints are kept. What it does refuse, `path_facts` refuses with the JDK's words
(`sun.security.x509.X509CertImpl`, `X509CertInfo`, `CertificateExtensions`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from reconciler import der
from reconciler.errors import ReconcileError
from reconciler.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Kinds of general names: the context tags of RFC 5280, 4.2.1.6.
OTHER_NAME, EMAIL, DNS, DIRECTORY, URI, IP, REGISTERED_ID = 0, 1, 2, 4, 6, 7, 8

# Bits of keyUsage (RFC 5280, 4.2.1.3).
DIGITAL_SIGNATURE, KEY_CERT_SIGN = 0, 5

SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALT_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
NAME_CONSTRAINTS = "2.5.29.30"
CERTIFICATE_POLICIES = "2.5.29.32"
POLICY_MAPPINGS = "2.5.29.33"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
POLICY_CONSTRAINTS = "2.5.29.36"
EXTENDED_KEY_USAGE = "2.5.29.37"
INHIBIT_ANY_POLICY = "2.5.29.54"
NETSCAPE_CERT_TYPE = "2.16.840.1.113730.1.1"

_COMMON_NAME = "2.5.4.3"
_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_RSA_KEYS = {"1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.10": "RSASSA-PSS"}
_DSA_KEY = "1.2.840.10040.4.1"
_EC_KEY = "1.2.840.10045.2.1"
_EDWARDS_KEYS = {"1.3.101.112": ("Ed25519", 255), "1.3.101.113": ("Ed448", 448)}
_CURVE_BITS = {
    "1.2.840.10045.3.1.1": 192,
    "1.2.840.10045.3.1.7": 256,
    "1.3.132.0.10": 256,
    "1.3.132.0.33": 224,
    "1.3.132.0.34": 384,
    "1.3.132.0.35": 521,
}
_EXPLICIT = der.CONTEXT | der.CONSTRUCTED
# The largest real certificates name a few hundred hosts.
_MAX_NAMES = 20_000


class UnreadableCertificateError(ReconcileError):
    """The JDK would not take these bytes for a certificate; the message is its own, as far as it has one."""


GeneralName = tuple[int, str | bytes]
"""The kind, and the value: text; for IP addresses the bytes; for directory names the canonical form."""


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """The subtrees of nameConstraints; `distances` is set where a base distance is given, which the JDK refuses."""

    permitted: tuple[GeneralName, ...] = ()
    excluded: tuple[GeneralName, ...] = ()
    distances: bool = False


@dataclass(frozen=True, slots=True)
class PathFacts:
    """One certificate, as path building and validation look at it.

    Attributes:
        subject: In the canonical form in which Java compares names, like `issuer`.
        common_name: The most specific one (the last of the certificate), as text.
        key: SHA-256 over the SubjectPublicKeyInfo.
        curve: The dotted OID of the curve of an EC key.
        is_ca: basicConstraints with cA, in a version 3 certificate.
        path_length: None where it is not limited.
        key_usage: Bit numbers; None when absent.
        extended_key_usage: Dotted OIDs; None when absent.
        alternative_names: None when there is no such extension (or none that can be read).
    """

    version: int
    serial: int
    subject: str
    issuer: str
    common_name: str | None
    emails: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    key_algorithm: str
    key_bits: int | None
    curve: str | None
    signature_algorithm: str
    critical: frozenset[str]
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[int] | None = None
    extended_key_usage: frozenset[str] | None = None
    alternative_names: tuple[GeneralName, ...] | None = None
    alternative_names_value: bytes | None = None
    name_constraints: NameConstraints | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    authority_serial: int | None = None
    netscape_type: frozenset[int] | None = None
    has_policy_constraints: bool = False

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are the same name; says nothing about the signature."""
        return self.subject == self.issuer


@lru_cache(maxsize=4096)
def path_facts(certificate: bytes) -> PathFacts:
    """The facts of one certificate in DER.

    Raises:
        UnreadableCertificateError: the JDK would not load it either.
    """
    try:
        return _facts(certificate)
    except (der.DerError, ValueError, OverflowError, IndexError) as error:
        raise UnreadableCertificateError(f"java.io.IOException: {error}") from None


def _facts(certificate: bytes) -> PathFacts:
    tbs = der.read(certificate).expect(der.SEQUENCE, "a certificate").children(4)[0]
    fields = tbs.expect(der.SEQUENCE, "the content of a certificate").children(16)
    version = fields.pop(0).inner("a version").integer() + 1 if fields[0].tag == _EXPLICIT else 1
    serial, algorithm, issuer, validity, subject, key = fields[:6]
    not_before, not_after = validity.children(2)
    extensions = _Extensions(fields[6:], version)
    if issuer.body == issuer.end:
        raise UnreadableCertificateError("Empty issuer DN not allowed in X509Certificates")
    if subject.body == subject.end:
        extensions.need_critical_names()
    attributes = _attributes(subject)
    is_ca, path_length = extensions.read(BASIC_CONSTRAINTS, _basic_constraints) or (False, None)
    authority_key, authority_serial = extensions.read(AUTHORITY_KEY_IDENTIFIER, _authority) or (None, None)
    key_algorithm, key_bits, curve = _public_key(key)
    return PathFacts(
        version=version,
        serial=serial.integer(),
        subject=_name(subject),
        issuer=_name(issuer),
        common_name=next((value for oid, value in reversed(attributes) if oid == _COMMON_NAME), None),
        emails=tuple(value for oid, value in attributes if oid == _EMAIL_ADDRESS),
        not_before=_time(not_before),
        not_after=_time(not_after),
        key=sha256(key.raw).hexdigest(),
        key_algorithm=key_algorithm,
        key_bits=key_bits,
        curve=curve,
        signature_algorithm=algorithm.children(8)[0].oid(),
        critical=extensions.critical,
        is_ca=is_ca,
        path_length=path_length if is_ca else None,
        key_usage=extensions.read(KEY_USAGE, _bits),
        extended_key_usage=extensions.read(EXTENDED_KEY_USAGE, _oids),
        alternative_names=extensions.read(SUBJECT_ALT_NAME, _general_names),
        alternative_names_value=extensions.value(SUBJECT_ALT_NAME),
        name_constraints=extensions.read(NAME_CONSTRAINTS, _name_constraints),
        subject_key_identifier=extensions.read(SUBJECT_KEY_IDENTIFIER, der.Element.octets),
        authority_key_identifier=authority_key,
        authority_serial=authority_serial,
        netscape_type=extensions.read(NETSCAPE_CERT_TYPE, _bits),
        has_policy_constraints=extensions.value(POLICY_CONSTRAINTS) is not None,
    )


# ----------------------------------------------------------------------------------------------- extensions


class _Extensions:
    """The extensions by OID. One that cannot be read counts as absent unless it is critical (the JDK's rule)."""

    def __init__(self, fields: list[der.Element], version: int) -> None:
        self._found: dict[str, tuple[bool, bytes]] = {}
        if fields and version == 1:
            raise UnreadableCertificateError("no more data allowed for version 1 certificate")
        for field in fields:
            if field.tag != _EXPLICIT | 3:
                continue  # issuerUniqueID, subjectUniqueID
            if version < 3:
                raise UnreadableCertificateError("Extensions not allowed in v2 certificate")
            for extension in field.inner("extensions").iterate(1000):
                self._add(extension.children(3))

    def _add(self, parts: list[der.Element]) -> None:
        oid = parts[0].oid()
        if oid in self._found:
            raise UnreadableCertificateError("java.io.IOException: Duplicate extensions not allowed")
        self._found[oid] = (len(parts) == 3 and parts[1].content != b"\0", parts[-1].octets())

    @property
    def critical(self) -> frozenset[str]:
        return frozenset(oid for oid, (critical, _value) in self._found.items() if critical)

    def value(self, oid: str) -> bytes | None:
        return self._found[oid][1] if oid in self._found else None

    def read(self, oid: str, parse: Callable[[der.Element], T]) -> T | None:
        critical, value = self._found.get(oid, (False, None))
        if value is None:
            return None
        try:
            return parse(der.read_all(value))
        except (der.DerError, UnreadableCertificateError, ValueError, IndexError):
            if critical:
                raise
            return None

    def need_critical_names(self) -> None:
        """An empty subject asks for a critical subjectAltName (`X509CertInfo.verifyCert`)."""
        prefix = "X.509 Certificate is incomplete: "
        critical, _value = self._found.get(SUBJECT_ALT_NAME, (None, b""))
        if critical is None:
            raise UnreadableCertificateError(
                f"{prefix}subject field is empty, and SubjectAlternativeName extension is absent"
            )
        if not critical:
            raise UnreadableCertificateError(
                f"{prefix}SubjectAlternativeName extension MUST be marked critical when subject field is empty"
            )


def _basic_constraints(element: der.Element) -> tuple[bool, int | None]:
    is_ca, length = False, None
    for part in element.expect(der.SEQUENCE, "basic constraints").children(2):
        if part.tag == der.BOOLEAN:
            is_ca = part.content != b"\0"
        else:
            length = part.integer()
    # A negative length is no limit to the JDK's comparison either way; nobody may rely on it.
    return is_ca, length if length is None or length >= 0 else 0


def _bits(element: der.Element) -> frozenset[int]:
    unused, *octets = element.octets(der.BIT_STRING)
    count = len(octets) * 8 - unused
    return frozenset(bit for bit in range(min(count, 64)) if octets[bit // 8] & 0x80 >> bit % 8)


def _oids(element: der.Element) -> frozenset[str]:
    return frozenset(one.oid() for one in element.expect(der.SEQUENCE, "key purposes").iterate(1000))


def _authority(element: der.Element) -> tuple[bytes | None, int | None]:
    key, serial = None, None
    for part in element.expect(der.SEQUENCE, "an authority key identifier").children(3):
        match part.tag & 0x1F:
            case 0:
                key = part.content
            case 2:
                serial = int.from_bytes(part.content, "big", signed=True)
    return key, serial


# ---------------------------------------------------------------------------------------------------- names


def _name(element: der.Element) -> str:
    canonical = canonical_name(element.raw)
    if canonical is None:
        raise UnreadableCertificateError("a distinguished name that cannot be read")
    return canonical


def _attributes(name: der.Element) -> list[tuple[str, str]]:
    pairs = [attribute.children(2) for rdn in name.iterate() for attribute in rdn.iterate()]
    return [(oid.oid(), _text(value)) for oid, value in pairs]


_CHARSETS = {der.BMP_STRING: "utf-16-be", der.UNIVERSAL_STRING: "utf-32-be", der.T61_STRING: "latin-1"}


def _text(value: der.Element) -> str:
    return value.content.decode(_CHARSETS.get(value.tag, "utf-8"), "replace")


def _general_names(element: der.Element) -> tuple[GeneralName, ...]:
    return tuple(_general_name(one) for one in element.expect(der.SEQUENCE, "general names").iterate(_MAX_NAMES))


def _general_name(element: der.Element) -> GeneralName:
    kind = element.tag & 0x1F
    if kind in {EMAIL, DNS, URI}:
        return kind, element.content.decode("ascii", "replace")
    if kind == DIRECTORY:
        return kind, _name(element.inner("a directory name"))
    if kind == IP and len(element.content) not in {4, 8, 16, 32}:
        raise UnreadableCertificateError("java.io.IOException: Invalid IPAddressName")
    return kind, element.content


def _name_constraints(element: der.Element) -> NameConstraints:
    subtrees: dict[int, tuple[GeneralName, ...]] = {}
    distances = False
    for part in element.expect(der.SEQUENCE, "name constraints").children(2):
        parts = [subtree.children(3) for subtree in part.iterate(_MAX_NAMES)]
        distances = distances or any(len(subtree) > 1 for subtree in parts)
        subtrees[part.tag & 0x1F] = tuple(_general_name(subtree[0]) for subtree in parts)
    return NameConstraints(subtrees.get(0, ()), subtrees.get(1, ()), distances)


# ----------------------------------------------------------------------------------------- keys and dates


def _public_key(element: der.Element) -> tuple[str, int | None, str | None]:
    """Algorithm, size in bits, curve."""
    algorithm, key = element.children(2)
    oid, *parameters = algorithm.children(2)
    name = oid.oid()
    if name in _RSA_KEYS:
        return _RSA_KEYS[name], _modulus_bits(key), None
    if name == _EC_KEY:
        curve = _curve(parameters)
        return "EC", _CURVE_BITS.get(curve), curve
    if name == _DSA_KEY:
        prime = parameters[0].children(3)[0].integer() if parameters else None
        return "DSA", None if prime is None else prime.bit_length(), None
    return (*_EDWARDS_KEYS.get(name, (name, None)), None)


def _modulus_bits(key: der.Element) -> int:
    try:
        modulus, _exponent = der.read_all(key.octets(der.BIT_STRING)[1:]).children(2)
        return modulus.integer().bit_length()
    except (der.DerError, ValueError):
        raise UnreadableCertificateError(
            "java.io.IOException: subject key, java.security.InvalidKeyException: Invalid RSA public key"
        ) from None


def _curve(parameters: list[der.Element]) -> str:
    if not parameters or parameters[0].tag != der.OBJECT_IDENTIFIER:
        raise UnreadableCertificateError("java.io.IOException: Only named ECParameters supported")
    return parameters[0].oid()


_TIME = re.compile(rb"(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:[.,](\d{1,9}))?(?:Z|([+-])(\d\d)(\d\d))")


def _time(element: der.Element) -> datetime:
    digits = 2 if element.tag == der.UTC_TIME else 4
    found = _TIME.fullmatch(element.content)
    if found is None or len(found[1]) != digits:
        raise UnreadableCertificateError("java.io.IOException: Parse Generalized time, invalid format")
    year, month, day, hour, minute, second = (int(found[at] or 0) for at in range(1, 7))
    if digits == 2:
        year += 1900 if year >= 50 else 2000  # RFC 5280, 4.1.2.5.1
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return moment + offset if found[8] == b"-" else moment - offset
