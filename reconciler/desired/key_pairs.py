"""`keyPairs` that are generated: from the words of the file to a `WantedKeyPair`, with every default filled in.

What the schema can judge is judged; here stand the rules that it cannot say: how names are normalised so that a
comparison by text is a comparison by meaning, and that a renewal must be due before the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from reconciler.desired.document import Section, quoted
from reconciler.desired.durations import DEFAULT_RENEW_BEFORE, DEFAULT_VALIDITY, duration, renew_before
from reconciler.desired.pins import normalised_pin
from reconciler.desired.schema import spelled
from reconciler.errors import Problem, ReconcileError
from reconciler.key_pairs import EXTERNAL
from reconciler.model import KeySpec, WantedKeyPair
from reconciler.x509 import USAGE_OIDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from reconciler.desired.document import Document, Path
    from reconciler.model import IssuerSpec, RenewBefore

T = TypeVar("T")

DEFAULT_KEY = {"algorithm": "RSA", "size": 3072}
DEFAULT_RSA_BITS = 3072
DEFAULT_CURVE = "secp256r1"
DEFAULT_USAGE = ("clientAuth",)
MAX_COMMON_NAME_BYTES = 64

# The order of the certificate, from the general to the specific: RFC 4514 text then begins with the common name.
_SUBJECT = (
    ("country", "C"),
    ("state", "ST"),
    ("locality", "L"),
    ("organization", "O"),
    ("organizationalUnit", "OU"),
    ("commonName", "CN"),
    ("email", "emailAddress"),
)


def generated_key_pair(
    document: Document, path: Path, written: Section, issuer: IssuerSpec, problems: list[Problem]
) -> WantedKeyPair | None:
    """One generated key pair, whose shape the schema has approved; None when `problems` got something to say.

    Its chain and its letters, which lie in other files, are still missing.
    """
    before = len(problems)
    reader = _Reader(document, path, written, problems)
    validity, renewal = reader.times()
    reader.check_common_name()
    names = tuple(dict.fromkeys(reader.names()))
    usages = tuple(dict.fromkeys(reader.usages()))
    if len(problems) > before or validity is None or renewal is None:
        return None
    return WantedKeyPair(
        alias=str(path[-1]),
        source=document.source(path, key=True),
        key=_key(written.get("key", DEFAULT_KEY)),
        subject=_subject(written["subject"]),
        subject_alt_names=names,
        extended_key_usage=usages,
        validity=validity,
        renew_before=renewal,
        # A CA that is asked by hand is not asked to trust a new key each time, unless the file says so.
        rekey=written.get("rekey", issuer.type != EXTERNAL),
        issuer=issuer,
        activation=written.get("activation", "automatic"),
        activate=normalised_pin(written["activate"]) if "activate" in written else None,
        replace_key=replaceable_key(written),
        generate_in=written.get("key", {}).get("generateIn"),
    )


def replaceable_key(written: Section) -> str | None:
    """The live certificate whose key may be thrown away, as lower-case hexadecimal."""
    return normalised_pin(written["replaceKey"]) if "replaceKey" in written else None


class _Reader:
    """The parts of one key pair in which more than the shape can be wrong."""

    def __init__(self, document: Document, path: Path, written: Section, problems: list[Problem]) -> None:
        self._document = document
        self._path = path
        self._written = written
        self._problems = problems

    def _say(self, path: Path, message: str, hint: str | None = None) -> None:
        place = (*self._path, *path)
        self._problems.append(
            Problem("wrong-value", f"{spelled(place)} {message}", self._document.source(place), hint=hint)
        )

    def times(self) -> tuple[timedelta | None, RenewBefore | None]:
        validity = self._read("validity", DEFAULT_VALIDITY, duration)
        renewal = self._read("renewBefore", DEFAULT_RENEW_BEFORE, renew_before)
        if validity and renewal and renewal.duration and renewal.duration >= validity:
            lasts = self._written.get("validity", f"{DEFAULT_VALIDITY}, the default")
            self._say(
                ("renewBefore",),
                f"must be shorter than the validity ({lasts}): otherwise every run renews",
                "or say a share of the lifetime, such as 33%",
            )
        return validity, renewal

    def _read(self, key: str, default: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(self._written.get(key, default))
        except ReconcileError as error:
            self._say((key,), error.message, error.hint)
            return None

    def check_common_name(self) -> None:
        # X.520 counts characters; the library that writes the certificate counts bytes, as some readers do.
        octets = len(self._written["subject"].get("commonName", "").encode())
        if octets > MAX_COMMON_NAME_BYTES:
            self._say(("subject", "commonName"), f"takes {octets} bytes in UTF-8; a certificate holds 64")

    def names(self) -> Iterator[str]:
        written = self._written.get("subjectAltNames", {})
        for kind, values in written.items():
            for at, value in enumerate(values):
                try:
                    yield _NAMES[kind](value)
                except ReconcileError as error:
                    self._say(("subjectAltNames", kind, at), f"is {quoted(value)}: {error.message}", error.hint)

    def usages(self) -> Iterator[str]:
        for at, value in enumerate(self._written.get("extendedKeyUsage", DEFAULT_USAGE)):
            try:
                yield _usage(value)
            except ReconcileError as error:
                self._say(("extendedKeyUsage", at), f"is {quoted(value)}: {error.message}")


def _key(written: dict[str, object]) -> KeySpec:
    size, curve = written.get("size", DEFAULT_RSA_BITS), written.get("curve", DEFAULT_CURVE)
    match written.get("algorithm", "EC" if "curve" in written else "RSA"):
        case "RSA":
            return KeySpec("RSA", size=int(str(size)))
        case "EC":
            return KeySpec("EC", curve=str(curve))
        case other:
            return KeySpec(str(other))


def _subject(written: Section) -> tuple[tuple[str, str], ...]:
    attributes: list[tuple[str, str]] = []
    for key, name in _SUBJECT:
        values = written.get(key, ())
        attributes += [(name, value) for value in ([values] if isinstance(values, str) else values)]
    # ISO 3166 codes are capitals; some CAs refuse others.
    return tuple((name, value.upper() if name == "C" else value) for name, value in attributes)


# --------------------------------------------------------------------------------- subject alternative names

# RFC 1123 labels; the underscore is no host name but stands in many internal ones, and Java accepts it.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_EMAIL = re.compile(r"([!-?A-~]{1,64})@([!-?A-~]{1,255})")


def dns_name(text: str) -> str:
    """``DNS:`` and a host name in lower case. International names are asked for as the certificate holds them."""
    if not text.isascii():
        raise ReconcileError("must be ASCII", hint="write an international name in its xn--… form")
    name = text.lower()
    labels = name.removeprefix("*.").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ReconcileError("must be a host name; `*` can stand for the whole first label only")
    if labels[-1].isdigit():
        raise ReconcileError("must be a host name", hint="an IP address belongs under `ip`")
    if name.startswith("*.") and len(labels) < 2:
        raise ReconcileError("must not stand for every name of a top-level domain")
    return f"DNS:{name}"


def ip_name(text: str) -> str:
    """``IP:`` and the address in its canonical text (RFC 5952)."""
    from ipaddress import ip_address

    try:
        address = ip_address(text)
    except ValueError:
        raise ReconcileError("must be an IPv4 or IPv6 address, without a prefix length") from None
    if getattr(address, "scope_id", None):
        raise ReconcileError("must not carry a zone (`%…`): a certificate has no place for it")
    return f"IP:{address}"


def email_name(text: str) -> str:
    """``email:`` and the address; the domain in lower case, the rest as it is (RFC 5280, 7.5)."""
    found = _EMAIL.fullmatch(text)
    if found is None or found[2].startswith("*"):
        raise ReconcileError("must be an e-mail address in ASCII, such as integration@example.com")
    return f"email:{found[1]}@{dns_name(found[2]).removeprefix('DNS:')}"


def uri_name(text: str) -> str:
    """``URI:`` and the URI as it is: what may be changed in one depends on its scheme."""
    if not _URI.fullmatch(text):
        raise ReconcileError("must be an absolute URI in ASCII, such as https://example.com/id")
    return f"URI:{text}"


_NAMES: dict[str, Callable[[str], str]] = {"dns": dns_name, "ip": ip_name, "email": email_name, "uri": uri_name}


# ------------------------------------------------------------------------------------- extended key usage

_USAGE_NAMES = {oid: name for name, oid in USAGE_OIDS.items()}


def _usage(text: str) -> str:
    """A usage by its name where it has one, otherwise by its object identifier."""
    if text in USAGE_OIDS:
        return text
    first, second = text.split(".")[:2]
    if first != "2" and int(second) > 39:
        # X.660: only the arc 2 has room for more.
        raise ReconcileError("must be an object identifier; below 0 and 1 the second number is at most 39")
    return _USAGE_NAMES.get(text, text)
