"""`receivers`: the systems that are connected to, and the key pairs that they expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.desired.aliases import is_plain
from reconciler.desired.document import quoted
from reconciler.desired.key_pairs import dns_name
from reconciler.desired.schema import spelled
from reconciler.errors import Problem, ReconcileError
from reconciler.model import Receiver
from reconciler.ownership import alias_key, protected_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.desired.document import Path, Section
    from reconciler.desired.reading import Part


def receivers_of(
    parts: Sequence[Part], sections: Mapping[str, str], problems: list[Problem], *, in_tenant: bool = False
) -> tuple[Receiver, ...]:
    """Every receiver that the files declare; the same in two files counts once.

    Args:
        parts: The files.
        sections: The section of every declared alias, by `alias_key`.
        problems: Gets what is wrong.
        in_tenant: Whether a receiver may expect a key pair of SAP's, which nobody declares.
    """
    found: dict[str, Receiver] = {}
    for part in parts:
        for path, written in part.entries("receivers"):
            receiver = _receiver(part, path, written, sections, problems, in_tenant=in_tenant)
            if receiver is None:
                continue
            first = found.setdefault(receiver.name, receiver)
            if (first.address, first.key_pair) != (receiver.address, receiver.key_pair):
                problems.append(_contradiction(receiver, first))
    return tuple(found.values())


def _receiver(  # noqa: PLR0913  # each is a fact of its own
    part: Part, path: Path, written: Section, sections: Mapping[str, str], problems: list[Problem], *, in_tenant: bool
) -> Receiver | None:
    name = str(path[-1])
    source = part.document.source(path, key=True)
    if not is_plain(name):
        problems.append(Problem("receiver", f"{quoted(name)} is no name for a receiver", source, hint="see aliases"))
        return None
    try:
        address = _address(written["address"])
    except ReconcileError as error:
        problems.append(_wrong(part, (*path, "address"), f"is {quoted(written['address'])}: {error.message}"))
        return None
    key_pair = written.get("keyPair")
    of_sap = in_tenant and key_pair is not None and protected_by(key_pair) is not None
    if key_pair is not None and not of_sap and sections.get(alias_key(key_pair)) != "keyPairs":
        hint = _who_may_be_meant(key_pair, sections)
        problems.append(_wrong(part, (*path, "keyPair"), f"is {quoted(key_pair)}, which is no key pair here", hint))
        return None
    return Receiver(name, address, source, key_pair)


def _wrong(part: Part, path: Path, message: str, hint: str | None = None) -> Problem:
    return Problem("receiver", f"{spelled(path)} {message}", part.document.source(path), hint=hint)


def _address(text: str) -> str:
    """HOST:PORT in its canonical spelling.

    Raises:
        ReconcileError: no host, or no port.
    """
    from ipaddress import IPv6Address, ip_address

    host, _, port = text.rpartition(":")
    if not 0 < int(port) < 65_536:
        raise ReconcileError("ports go from 1 to 65535")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        if host.startswith("["):
            raise ReconcileError("only an IPv6 address stands in brackets") from None
        if host.startswith("*"):
            raise ReconcileError("must be one host, without `*`") from None
        return f"{dns_name(host.removesuffix('.')).removeprefix('DNS:')}:{int(port)}"
    return f"[{address}]:{int(port)}" if isinstance(address, IPv6Address) else f"{address}:{int(port)}"


def _who_may_be_meant(asked: str, sections: Mapping[str, str]) -> str:
    import difflib

    if sections.get(alias_key(asked)) == "trustedRoots":
        return "it stands under `trustedRoots`; a client certificate needs its private key"
    names = [alias for alias, section in sections.items() if section == "keyPairs"]
    near = difflib.get_close_matches(alias_key(asked), names, n=1)
    return f"did you mean {quoted(near[0])}?" if near else "declare it under `keyPairs`"


def _contradiction(receiver: Receiver, first: Receiver) -> Problem:
    where = f"{first.source.file}, line {first.source.line}"
    message = f"the receiver {quoted(receiver.name)} means something else here than in {where}"
    return Problem("receiver", message, receiver.source, hint="make the two equal, or rename one of them")
