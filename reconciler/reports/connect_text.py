"""The finding of `reconcile connect` for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.reports.printable import Palette, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Certificate
    from reconciler.tls.results import ClientCertificate, ConnectResult
    from reconciler.tls.saving import SavedCertificate

_MOST_NAMES = 10
_WIDTH = 13


def render_connect(
    result: ConnectResult, saved: Sequence[SavedCertificate] = (), trusted_roots: str = "", *, colour: bool = False
) -> str:
    """The finding as text; `trusted_roots` are the lines for the state file that ``--save`` asked for."""
    paint = Palette(colour=colour)
    lines = [*_verdict(result, paint), "", *_connection(result), *_chain(result), *_judgement(result, paint)]
    lines += _client(result.client_certificate) if result.peer else ()
    lines += [f"{paint.careful('warning')} {one.code}: {printable(one.message)}" for one in result.warnings]
    lines += [f"saved {printable(one.file)}" for one in saved if one.file]
    lines += [paint.quiet("Seen from this host, not from a tenant of SAP Cloud Integration.")]
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}\n{trusted_roots}" if trusted_roots else text


def _verdict(result: ConnectResult, paint: Palette) -> Iterator[str]:
    code = paint.good(result.code) if result.is_ok else paint.bad(result.code)
    yield f"{printable(str(result.destination.address))}: {code}"
    yield f"  {printable(result.message)}"
    if result.java_message:
        yield f"  Java says: {printable(result.java_message)}"
    if result.hint:
        yield f"  {paint.quiet('hint:')} {printable(result.hint)}"


def _row(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}}{printable(value)}"


def _connection(result: ConnectResult) -> Iterator[str]:
    destination = result.destination
    if result.peer:
        way = f" through the proxy {destination.proxy}" if destination.proxy else ""
        yield _row("address", f"{result.peer}{way}{_times(result)}")
    if destination.server_name:
        yield _row("server name", destination.server_name)
    if result.protocol:
        yield _row("protocol", f"{result.protocol}{f' with {result.cipher}' if result.cipher else ''}")
    spoken = [name for name, spoken in result.versions if spoken]
    if spoken:
        yield _row("speaks", ", ".join(spoken))


def _times(result: ConnectResult) -> str:
    times = [
        f"{name} {seconds * 1000:.0f} ms"
        for name, seconds in (
            ("lookup", result.lookup_seconds),
            ("connect", result.connect_seconds),
            ("handshake", result.handshake_seconds),
        )
        if seconds is not None
    ]
    return f" ({', '.join(times)})" if times else ""


def _chain(result: ConnectResult) -> Iterator[str]:
    for at, one in enumerate(result.chain):
        yield _row("chain" if at == 0 else "", f"{at + 1}. {one.subject or 'a certificate that cannot be read'}")
        yield _row("", f"   issued by {one.issuer or '?'}, {_dates(one)}, {_key(one)}")
        yield _row("", f"   SHA-256 {one.sha256}")


def _dates(one: Certificate) -> str:
    return f"{_day(one.not_before)} to {_day(one.not_after)}"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "?"


def _key(one: Certificate) -> str:
    size = f" {one.curve or one.key_size}" if one.key_size else ""
    return f"{one.key_algorithm or '?'}{size}, {one.signature_algorithm or '?'}"


def _judgement(result: ConnectResult, paint: Palette) -> Iterator[str]:
    if result.trust is not None:
        trust = result.trust
        mark = paint.good(trust.code) if trust.is_trusted else paint.bad(trust.code)
        yield f"{'trust':<{_WIDTH}}{mark}: {printable(trust.message)}"
        yield _row("", f"judged by {result.trust_source}")
        if trust.is_trusted:
            until = f"{trust.until:%Y-%m-%d %H:%M} UTC" if trust.until else "as long as the entry stays"
            yield _row("", f"until {until}; entries that carry the chain: {', '.join(trust.anchors)}")
    if result.host_name is not None:
        name = result.host_name
        mark = paint.good(name.code) if name.code == "ok" else paint.bad(name.code)
        yield f"{'host name':<{_WIDTH}}{mark}: {printable(name.message)}"


_REQUESTS = {
    ("no", "no"): "not asked for",
    ("yes", "yes"): "required",
    ("yes", "no"): "asked for, not required by the handshake",
    ("yes", "unknown"): "asked for",
}
_REACTIONS = {
    "accepted": "presented and accepted",
    "presented": "presented; the server did not object, which proves nothing",
    "closed": "presented; the server closed the connection",
}


def _client(client: ClientCertificate) -> Iterator[str]:
    yield _row("client cert", _REQUESTS.get((client.requested, client.required), "not known whether it is asked for"))
    if client.acceptable_cas:
        more = len(client.acceptable_cas) - _MOST_NAMES
        for at, name in enumerate(client.acceptable_cas[:_MOST_NAMES]):
            yield _row("", f"{'accepts ' if at == 0 else '        '}{name}")
        if more > 0:
            yield _row("", f"        and {more} more")
    if client.alias:
        reaction = _REACTIONS.get(client.reaction or "", client.reaction) or "not presented"
        yield _row("", f"{client.alias}: {reaction}")
