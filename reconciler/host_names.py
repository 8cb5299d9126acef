"""Whether a certificate is for a host, as the JDK decides it (`sun.security.util.HostnameChecker`, HTTPS rules).

An address is looked up among the iPAddress names only. A host is looked up among the dNSName names; where there is
none, the last common name counts. The JDK accepts wildcards in places where browsers do not: those are warnings.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from reconciler.path_facts import DNS, IP, UnreadableCertificateError, path_facts
from reconciler.trust import OK, Caution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import Certificate
    from reconciler.path_facts import PathFacts

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LONGEST_HOST = 255


@dataclass(frozen=True, slots=True)
class HostNameVerdict:
    """What Java says about the host name; `matched` is the name of the certificate that fits."""

    code: str  # ok, no-san, name-mismatch
    message: str
    hint: str = ""
    java_message: str | None = None
    matched: str | None = None
    warnings: tuple[Caution, ...] = ()


def host_name_verdict(one: Certificate, host: str) -> HostNameVerdict:
    """Java's answer to whether `one` is for `host`, a name or an address (IPv6 with or without brackets)."""
    host = _stripped(host)
    try:
        facts = path_facts(one.der)
    except UnreadableCertificateError as error:
        return _mismatch("name-mismatch", "The certificate cannot be read", error.message)
    address = literal_address(host)
    return _of_name(facts, host) if address is None else _of_address(facts, host, address)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that Java takes `host` for: also ``127.1``; IPv4 inside IPv6 is IPv4 to it."""
    if re.fullmatch(r"\d{1,10}(\.\d{1,10}){0,3}", host):
        return _short_address([int(part) for part in host.split(".")])
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def _short_address(parts: list[int]) -> IPv4Address | None:
    *leading, last = parts
    if any(part > 255 for part in leading) or last >= 1 << 8 * (4 - len(leading)):
        return None
    return IPv4Address(bytes(leading) + last.to_bytes(4 - len(leading), "big"))


def _stripped(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]
    return host.removesuffix(".")


# ------------------------------------------------------------------------------------------------- addresses


def _of_address(facts: PathFacts, host: str, address: IPv4Address | IPv6Address) -> HostNameVerdict:
    if facts.alternative_names is None:
        return _mismatch(
            "no-san",
            f"The certificate has no subject alternative names, so it cannot be for the address {host}",
            "No subject alternative names present",
        )
    for kind, value in facts.alternative_names:
        if kind == IP and isinstance(value, bytes) and _address(value) == address:
            return HostNameVerdict(OK, f"The certificate is for the address {address}", matched=str(address))
    return _mismatch(
        "name-mismatch",
        f"The certificate is not for the address {host}{_is_for(facts)}",
        f"No subject alternative names matching IP address {host} found",
    )


def _address(packed: bytes) -> IPv4Address | IPv6Address | None:
    if len(packed) == 4:
        return IPv4Address(packed)
    if len(packed) != 16:
        return None
    address = IPv6Address(packed)
    return address.ipv4_mapped or address


# ----------------------------------------------------------------------------------------------------- names


def _of_name(facts: PathFacts, host: str) -> HostNameVerdict:
    if not _is_host(host):
        return _mismatch(
            "name-mismatch",
            f"Java takes {host} for no host name: letters, digits and hyphens only",
            f"Illegal given domain name: {host}",
        )
    names = [str(value) for kind, value in facts.alternative_names or () if kind == DNS]
    if not names:
        return _of_common_name(facts, host)
    matched = next((name for name in names if _fits(host, name)), None)
    if matched is None:
        return _mismatch(
            "name-mismatch",
            f"The certificate is not for {host}{_is_for(facts)}",
            f"No subject alternative DNS name matching {host} found.",
        )
    return HostNameVerdict(OK, f"The certificate is for {matched}", matched=matched, warnings=tuple(_cautions(matched)))


def _of_common_name(facts: PathFacts, host: str) -> HostNameVerdict:
    name = facts.common_name
    if name is not None and not unicodedata.is_normalized("NFKC", name):
        return _mismatch("name-mismatch", f"The common name {name} is in no normal form", f"Not a formal name {name}")
    if name is None or not _fits(host, name):
        return _mismatch(
            "name-mismatch",
            f"The certificate is not for {host}: it has no DNS name, and its common name is {name or 'missing'}",
            f"No name matching {host} found",
        )
    only = Caution(
        "common-name-only",
        "only the common name fits, there is no DNS name: Java accepts that, browsers and most others do not",
    )
    return HostNameVerdict(OK, f"The certificate is for {name}", matched=name, warnings=(only, *_cautions(name)))


def _fits(host: str, name: str) -> bool:
    host, template = _unicode(host), _unicode(name)
    if not host or not template or _is_illegal_wildcard(template) or not _is_host(template.replace("*", "z")):
        return False
    labels, wanted = _labels(host), _labels(template)
    return len(labels) == len(wanted) and all(map(_label_fits, labels, wanted))


def _labels(host: str) -> list[str]:
    return [label for label in host.lower().split(".") if label]


def _label_fits(label: str, template: str) -> bool:
    first, *rest = template.split("*")
    if not rest:
        return label == template
    if not label.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = label.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return label[at:].endswith(rest[-1])


def _is_illegal_wildcard(template: str) -> bool:
    return template in {"*", "*."} or ("*" in template and "." not in template[template.rindex("*") :])


def _is_host(host: str) -> bool:
    """`SNIHostName`: the STD 3 rules hold for a label before and after it was turned into ASCII."""
    text = _ascii(host)
    labels = [*host.split("."), *text.split(".")]
    return 0 < len(text) <= _LONGEST_HOST and all(map(_is_label, labels))


def _is_label(label: str) -> bool:
    plain = "".join(c if c.isascii() else "x" for c in label)
    return _LABEL.fullmatch(plain) is not None


def _ascii(host: str) -> str:
    """`java.net.IDN.toASCII` (IDNA 2003, Unicode 3.2); empty when it would throw."""
    if host.isascii():
        return host
    from encodings.idna import ToASCII

    labels = re.split("[.\u3002\uff0e\uff61]", host)
    try:
        return ".".join(ToASCII(_assigned(label)).decode() if label else "" for label in labels)
    except UnicodeError:
        return ""


def _unicode(host: str) -> str:
    """`IDN.toUnicode(IDN.toASCII(host))`; empty when it would throw."""
    return ".".join(_label_in_unicode(label) for label in _ascii(host).split("."))


def _label_in_unicode(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    from encodings.idna import ToUnicode

    try:
        return _assigned(ToUnicode(label))
    except UnicodeError:
        return label  # toUnicode never fails: it gives back what it was given


def _assigned(text: str) -> str:
    from stringprep import in_table_a1

    if any(map(in_table_a1, text)):
        raise UnicodeError("a character that Unicode 3.2 does not have")
    return text


# -------------------------------------------------------------------------------------------------- wording


def _cautions(name: str) -> Iterator[Caution]:
    first, _, rest = name.partition(".")
    if "*" in rest:
        yield Caution(
            "unusual-wildcard", f"{name}: Java 17 accepts a wildcard behind the first label, Java 25 does not"
        )
    elif "*" in first and first != "*":
        yield Caution("unusual-wildcard", f"{name}: Java accepts a wildcard within a label, browsers do not")
    elif first == "*" and "." not in rest:
        yield Caution(
            "broad-wildcard",
            f"{name} covers a whole top-level domain: others refuse that, Java does under roots that ship with it",
        )


def _is_for(facts: PathFacts) -> str:
    names = [_shown(kind, value) for kind, value in facts.alternative_names or () if kind in {DNS, IP}]
    if not names:
        return ""
    return f", but for {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"


def _shown(kind: int, value: str | bytes) -> str:
    return str(_address(value)) if kind == IP and isinstance(value, bytes) else str(value)


def _mismatch(code: str, message: str, java_message: str) -> HostNameVerdict:
    hint = "connect to a name that the certificate has, or let the operator of the server add this one"
    return HostNameVerdict(code, message, hint, java_message)
