"""`receivers`: the systems that are connected to, and the key pairs that they expect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.desired.aliases import is_plain
from reconciler.desired.document import quoted
from reconciler.desired.key_pairs import dns_name
from reconciler.desired.letters import file_name
from reconciler.desired.recorded_chains import read_recorded
from reconciler.desired.schema import spelled
from reconciler.errors import Problem, ReconcileError
from reconciler.model import Receiver, WantedCertificate
from reconciler.ownership import alias_key, protected_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.desired.document import Path, Section
    from reconciler.desired.reading import Part
    from reconciler.model import Wanted


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
    found: dict[str, tuple[Receiver, bool]] = {}
    for part in parts:
        for path, written in part.entries("receivers"):
            receiver = _receiver(part, path, written, sections, problems, in_tenant=in_tenant)
            if receiver is None:
                continue
            mine = (receiver, "chain" in written)
            first = found.setdefault(receiver.name, mine)
            if _contradict(mine, first):
                problems.append(_contradiction(receiver, first[0]))
    return tuple(receiver for receiver, _ in found.values())


def _contradict(mine: tuple[Receiver, bool], first: tuple[Receiver, bool]) -> bool:
    """Whether two declarations of one name mean different things; a default place of the chain contradicts nothing."""
    (one, has_chain), (other, other_has_chain) = mine, first
    if has_chain and other_has_chain and one.chain_path != other.chain_path:
        return True
    return (one.destination, one.key_pair) != (other.destination, other.key_pair)


def _receiver(  # noqa: PLR0913  # each is a fact of its own
    part: Part, path: Path, written: Section, sections: Mapping[str, str], problems: list[Problem], *, in_tenant: bool
) -> Receiver | None:
    name = str(path[-1])
    source = part.document.source(path, key=True)
    if not is_plain(name):
        problems.append(Problem("receiver", f"{quoted(name)} is no name for a receiver", source, hint="see aliases"))
        return None
    key_pair, before = written.get("keyPair"), len(problems)
    address = _checked(part, (*path, "address"), written, _address, problems)
    server_name = _checked(part, (*path, "serverName"), written, _server_name, problems)
    of_sap = in_tenant and key_pair is not None and protected_by(key_pair) is not None
    if key_pair is not None and not of_sap and sections.get(alias_key(key_pair)) != "keyPairs":
        hint = _who_may_be_meant(key_pair, sections)
        problems.append(_wrong(part, (*path, "keyPair"), f"is {quoted(key_pair)}, which is no key pair here", hint))
    if len(problems) > before or address is None:
        return None
    bare = Receiver(name, address, source, key_pair, server_name, written.get("starttls"))
    return _with_chain(part, path, written, bare, problems)


def _checked(
    part: Part, path: Path, written: Section, check: Callable[[str], str], problems: list[Problem]
) -> str | None:
    value: str = written.get(str(path[-1]), "")
    try:
        return check(value) if value else None
    except ReconcileError as error:
        problems.append(_wrong(part, path, f"is {quoted(value)}: {error.message}"))
        return None


def _with_chain(part: Part, path: Path, written: Section, bare: Receiver, problems: list[Problem]) -> Receiver | None:
    try:
        place = part.base.place(written["chain"] if "chain" in written else default_chain(part, bare.name))
        found = read_recorded(place)
    except ReconcileError as error:
        key = (*path, "chain") if "chain" in written else path
        problems.append(part.problem(key, error, "receiver"))
        return None
    receiver = replace(bare, chain_path=place.path, chain_shown=place.shown)
    if found is None:
        return receiver
    return replace(receiver, recorded=found.certificates, asks=found.asks, accepts=found.accepts)


def default_chain(part: Part, name: str) -> str:
    """Where a chain is recorded when nothing is said, relative to the file that declares the receiver."""
    return f"receivers/{PurePath(part.document.file).stem}/{file_name(name)}.pem"


def shared_chains(receivers: Sequence[Receiver], wanted: Sequence[Wanted]) -> Iterator[Problem]:
    """Chains whose file is needed for something else, which recording would overwrite."""
    first: dict[str, Receiver] = {}
    roots = {one.origin: one for one in wanted if isinstance(one, WantedCertificate)}
    for receiver in receivers:
        other = first.setdefault(receiver.chain_path, receiver)
        root = roots.get(receiver.chain_shown)
        if other.destination != receiver.destination:
            what = f"the recorded chain of {quoted(other.name)} as well, which is another server"
        elif root is not None:
            what = f"the certificate of {quoted(root.alias)} as well, which recording would overwrite"
        else:
            continue
        hint = "give it a file of its own with `chain`"
        yield Problem("receiver", f"{receiver.chain_shown} is {what}", receiver.source, hint=hint)


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


def _server_name(text: str) -> str:
    """A host name in its canonical spelling.

    Raises:
        ReconcileError: it is none; a server is never asked for by its IP address.
    """
    if text.startswith("*"):
        raise ReconcileError("must be one host, without `*`")
    return dns_name(text.removesuffix(".")).removeprefix("DNS:")


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
