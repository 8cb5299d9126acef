"""Whether the names of a certificate stay inside the name constraints above it, as the JDK compares them.

The rules are those of `sun.security.x509.NameConstraintsExtension.verify` and of the `constrains` methods of its name
classes. The JDK intersects permitted subtrees; to satisfy every set one after the other is the same.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from reconciler import path_facts as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.path_facts import GeneralName, NameConstraints, PathFacts

_REFUSED = "name constraints check failed"
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_HOST_OF_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)")


def violation(one: PathFacts, above: Iterable[NameConstraints], spend: Callable[[int], None]) -> str | None:
    """What the JDK says when a name of `one` is outside of the constraints, or None.

    Args:
        one: The certificate whose names are compared.
        above: The constraints of the certificates above it, the trust anchor's not among them (JDK rule).
        spend: Told how many comparisons will be made; it may raise to stop them.
    """
    names = None
    for constraints in above:
        if constraints.distances:
            return "java.io.IOException: Non-zero minimum BaseDistance in name constraints not supported"
        names = _names(one) if names is None else names
        spend(len(names) * (len(constraints.permitted) + len(constraints.excluded)))
        for name in names:
            reason = _against(name, constraints)
            if reason:
                return reason
    return None


def excluded_by_wildcard(one: PathFacts, above: Iterable[NameConstraints]) -> bool:
    """Whether a wildcard of `one` covers an excluded host: later JDKs refuse that, earlier ones accept it."""
    names = [str(value) for kind, value in one.alternative_names or () if kind == facts.DNS]
    wildcards = [name[1:] for name in names if name.startswith("*.")]
    excluded = [str(base) for constraints in above for kind, base in constraints.excluded if kind == facts.DNS]
    return any(
        base.lower().endswith(suffix.lower()) and "." not in base[: -len(suffix)]
        for suffix in wildcards[:100]
        for base in excluded[:1000]
    )


def _names(one: PathFacts) -> tuple[GeneralName, ...]:
    names: list[GeneralName] = [(facts.DIRECTORY, one.subject)] if one.subject else []
    if one.alternative_names is None:
        names += [(facts.EMAIL, email) for email in one.emails]
    else:
        names += one.alternative_names
    return (*names, *_common_name(one, {kind for kind, _value in names}))


def _common_name(one: PathFacts, kinds: set[int]) -> tuple[GeneralName, ...]:
    # "If there is no IPAddressName or DNSName in subjectAlternativeNames, see if the last CN can be used instead."
    text = one.common_name
    if text is None:
        return ()
    address = _address(text)
    if address is not None:
        return () if facts.IP in kinds else ((facts.IP, address),)
    labels = text.replace("*", "z").split(".")
    if facts.DNS in kinds or not all(_LABEL.fullmatch(label) for label in labels):
        return ()
    return ((facts.DNS, text),)


def _address(text: str) -> bytes | None:
    try:
        return ip_address(text).packed
    except ValueError:
        return None


def _against(name: GeneralName, constraints: NameConstraints) -> str | None:
    kind, value = name
    excluded = [base for base_kind, base in constraints.excluded if base_kind == kind]
    permitted = [base for base_kind, base in constraints.permitted if base_kind == kind]
    within = _WITHIN.get(kind)
    if within is None:
        # OtherName, X400Address, EDIPartyName and, unless equal, OIDName throw UnsupportedOperationException.
        return (
            f"Narrowing, widening, and matching are not supported for {_kind(kind)}." if excluded or permitted else None
        )
    if any(within(value, base) for base in excluded):
        return _REFUSED
    if permitted and not any(within(value, base) for base in permitted):
        return _REFUSED
    return None


def _kind(kind: int) -> str:
    return {facts.OTHER_NAME: "OtherName", facts.REGISTERED_ID: "OIDNames"}.get(kind, "this name type")


def _host_within(value: str | bytes, base: str | bytes) -> bool:
    name, tree = str(value).lower(), str(base).lower()
    if name == tree or not tree:
        return True
    if not name.endswith(tree):
        return False
    return (name[-len(tree) - 1] == ".") != (tree[0] == ".")


def _email_within(value: str | bytes, base: str | bytes) -> bool:
    name, tree = str(value).lower(), str(base).lower()
    if name == tree:
        return True
    if not name.endswith(tree) or "@" in tree:
        return False
    return tree.startswith(".") or name[: -len(tree) or None].endswith("@")


def _uri_within(value: str | bytes, base: str | bytes) -> bool:
    found = _HOST_OF_URI.match(str(value))
    host, tree = (found[1] if found else "").lower(), str(base).lower()
    if host == tree:
        return True
    # Only a constraint that begins with a dot covers other hosts than its own (RFC 5280, 4.2.1.10).
    return bool(host) and tree.startswith(".") and host.endswith(tree)


def _address_within(value: str | bytes, base: str | bytes) -> bool:
    if isinstance(value, str) or isinstance(base, str) or len(base) != 2 * len(value):
        return value == base
    half = len(value)
    return all(value[at] & base[half + at] == base[at] for at in range(half))


def _directory_within(value: str | bytes, base: str | bytes) -> bool:
    name, tree = str(value), str(base)
    if name == tree or not tree:
        return True
    before = name[: -len(tree)]
    if not name.endswith(tree) or not before.endswith(","):
        return False
    # The canonical form is the most specific part first; a comma inside a value is escaped.
    return (len(before) - len(before[:-1].rstrip("\\")) - 1) % 2 == 0


_WITHIN: dict[int, Callable[[str | bytes, str | bytes], bool]] = {
    facts.EMAIL: _email_within,
    facts.DNS: _host_within,
    facts.DIRECTORY: _directory_within,
    facts.URI: _uri_within,
    facts.IP: _address_within,
}
