"""Every row of the error catalogue as a scenario with a real peer on loopback, and the table of what was measured.

`python -m tests.tls.catalogue` runs them all and writes the table into `docs/connect.md`; a test compares the two.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from reconciler import der
from reconciler.secret import Secret
from reconciler.tls.address import Address
from reconciler.tls.client_key import KeyPair
from reconciler.tls.connecting import Wishes, connect
from reconciler.tls.observing import Destination
from reconciler.tls.results import ConnectResult, TrustSource
from tests.tls import peers
from tests.tls.pki import (
    CLIENT_AUTH,
    NOW,
    Draft,
    Issued,
    ca,
    extended_key_usage,
    extension,
    key_usage,
    name_constraints,
    server,
)

DOCUMENT = Path(__file__).parents[2] / "docs/connect.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
DAY = timedelta(days=1)
BOTH = ("TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class World:
    """The certificates of all scenarios, and what the servers need to start."""

    directory: Path
    java_ports: dict[tuple[str, str], int]
    root: Issued = field(default_factory=lambda: ca("CN=Root").issued_by())
    client_root: Issued = field(default_factory=lambda: ca("CN=Client Root").issued_by())

    def chain(self, draft: Draft | None = None, above: Draft | None = None) -> list[Issued]:
        intermediate = (above or ca("CN=Intermediate")).issued_by(self.root)
        return [(draft or server()).issued_by(intermediate), intermediate]

    def key_pair(self, kind: str) -> KeyPair:
        issuer = self.client_root if kind == "good" else ca("CN=Other Client Root").issued_by()
        draft = Draft(f"CN={kind}", extensions=(key_usage(0), extended_key_usage(CLIENT_AUTH)))
        issued = draft.issued_by(issuer)
        return KeyPair("client", (issued.certificate,), lambda: Secret(issued.key_der))

    def fresh_directory(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.directory))


Start = Callable[[World], AbstractContextManager[int]]


@dataclass(frozen=True)
class Scenario:
    """A peer, what is tried with it, and what must be found out."""

    group: str
    peer: str
    code: str
    start: Start
    version: str = ""
    client: str = ""  # which certificate we present: "", "good" or "wrong CA"
    requested: str = "no"
    required: str = "no"
    reaction: str | None = None
    host: str = peers.LOOPBACK
    server_name: str | None = "server.example"
    starttls: str | None = None
    timeout: float = 5.0

    @property
    def title(self) -> str:
        return " ".join(filter(None, (self.group, self.peer, self.version, self.client)))

    def run(self, world: World) -> ConnectResult:
        with self.start(world) as port:
            destination = Destination(Address(self.host, port), self.server_name, None, self.starttls, self.timeout)
            key_pairs = (world.key_pair(self.client),) if self.client else ()
            source = TrustSource("the test's entries", (("root", world.root.certificate),), key_pairs)
            wishes = Wishes(client_alias="client" if self.client else None)
            return connect(destination, source, NOW, wishes)


def all_scenarios() -> list[Scenario]:
    return [*_no_connection(), *_no_tls(), *_certificates(), *_clients(), *_mail()]


# --------------------------------------------------------------------------------------- without a connection


def _raw(handle: Callable[..., None]) -> Start:
    return lambda _world: peers.raw_server(handle)


@contextlib.contextmanager
def _nothing(_world: World) -> Iterator[int]:
    yield 443


def _no_connection() -> Iterator[Scenario]:
    unknown = {"requested": "unknown", "required": "unknown"}
    group = "connection"
    yield Scenario(group, "name that does not exist", "dns", _nothing, host="nothing.invalid", **unknown)
    yield Scenario(group, "nothing listens", "connect-refused", lambda _world: peers.closed_port(), **unknown)
    yield Scenario(
        group, "packets are dropped", "connect-timeout", lambda _world: peers.deaf_port(), timeout=0.5, **unknown
    )


def _no_tls() -> Iterator[Scenario]:
    handshake, words = "handshake", {"requested": "unknown", "required": "unknown"}
    http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    yield Scenario(handshake, "mute", "handshake-timeout", _raw(peers.mute), timeout=0.5, **words)
    yield Scenario(handshake, "answers in HTTP", "not-tls", _raw(peers.saying(http, after=True)), **words)
    yield Scenario(handshake, "greets in SMTP", "not-tls", _raw(peers.saying(b"220 mail.example ESMTP\r\n")), **words)
    yield Scenario(handshake, "greets in SSH", "not-tls", _raw(peers.saying(b"SSH-2.0-OpenSSH_9.2\r\n")), **words)
    yield Scenario(handshake, "closes at once", "closed-in-handshake", _raw(peers.closing), **words)
    yield Scenario(
        handshake, "closes on the first message", "closed-in-handshake", _raw(peers.closing_on_hello), **words
    )
    yield Scenario(handshake, "resets on the first message", "closed-in-handshake", _raw(peers.resetting), **words)
    yield Scenario(handshake, "alert handshake_failure", "handshake-failure", _raw(peers.alerting(40)), **words)
    yield Scenario(handshake, "alert protocol_version", "protocol-version", _raw(peers.alerting(70)), **words)
    yield Scenario(handshake, "alert insufficient_security", "handshake-failure", _raw(peers.alerting(71)), **words)
    yield Scenario(handshake, "alert internal_error", "handshake-failure", _raw(peers.alerting(80)), **words)
    yield Scenario(handshake, "alert unrecognized_name", "sni", _raw(peers.alerting(112)), **words)
    old = partial(_python, version="TLSv1.1")
    yield Scenario(handshake, "speaks only TLS 1.1", "protocol-version", old, version="TLSv1.1", **words)
    for version in BOTH:
        yield Scenario(
            handshake, "knows no such name", "sni", partial(_strict_about_names, version=version), version, **words
        )


@contextlib.contextmanager
def _python(world: World, *, version: str, chain: list[Issued] | None = None) -> Iterator[int]:
    context = peers.server_context(world.fresh_directory(), chain or world.chain(), version)
    with peers.raw_server(peers.speaking_tls(context)) as port:
        yield port


@contextlib.contextmanager
def _strict_about_names(world: World, *, version: str) -> Iterator[int]:
    import ssl

    context = peers.server_context(world.fresh_directory(), world.chain(), version)
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with peers.raw_server(peers.speaking_tls(context)) as port:
        yield port


# --------------------------------------------------------------------------------------------- certificates


def _chains() -> Iterator[tuple[str, str, Callable[[World], list[Issued]], str | None]]:
    named = "server.example"
    client_only = Draft("CN=server.example", extensions=(extended_key_usage(CLIENT_AUTH),))
    odd = server("CN=server.example", extension("1.2.3.4", der.null(), critical=True))
    elsewhere = ca("CN=Intermediate", name_constraints(permitted=("DNS:other.example",)))
    yield "in order", "ok", lambda world: world.chain(), named
    yield "with its root", "ok", lambda world: [*world.chain(), world.root], named
    yield "out of order", "ok", _out_of_order, named
    yield "by its address", "ok", lambda world: world.chain(server(names=("IP:127.0.0.1",))), None
    yield "root not in the keystore", "unknown-ca", _of_another_root, named
    yield "only its own", "missing-intermediate", lambda world: world.chain()[:1], named
    yield "signed by itself", "self-signed", lambda _world: [server().issued_by()], named
    yield "expired", "expired", lambda world: world.chain(server(not_after=NOW - DAY)), named
    yield "intermediate expired", "expired", lambda world: world.chain(above=ca("CN=I", not_after=NOW - DAY)), named
    yield "not yet valid", "not-yet-valid", lambda world: world.chain(server(not_before=NOW + DAY)), named
    yield "for another name", "name-mismatch", lambda world: world.chain(server(names=("DNS:a.example",))), named
    yield "for another address", "name-mismatch", lambda world: world.chain(server(names=("IP:192.0.2.1",))), None
    yield "address, but no alternative names", "no-san", lambda world: world.chain(Draft("CN=127.0.0.1")), None
    yield "for clients only", "eku", lambda world: world.chain(client_only), named
    yield "unknown critical extension", "local-policy", lambda world: world.chain(odd), named
    yield "outside of its CA's names", "local-policy", lambda world: world.chain(above=elsewhere), named
    yield "eleven certificates", "local-policy", _eleven, named


def _out_of_order(world: World) -> list[Issued]:
    upper = ca("CN=Upper").issued_by(world.root)
    lower = ca("CN=Lower").issued_by(upper)
    return [server().issued_by(lower), upper, lower]


def _of_another_root(_world: World) -> list[Issued]:
    other = ca("CN=Other Root").issued_by()
    intermediate = ca("CN=Other Intermediate").issued_by(other)
    return [server().issued_by(intermediate), intermediate, other]


def _eleven(world: World) -> list[Issued]:
    above, chain = world.root, []
    for number in range(10):
        above = ca(f"CN=Intermediate {number}").issued_by(above)
        chain.insert(0, above)
    return [server().issued_by(above), *chain]


def _certificates() -> Iterator[Scenario]:
    for title, code, build, server_name in _chains():
        for version in BOTH:

            def start(
                world: World, version: str = version, build: Callable[[World], list[Issued]] = build
            ) -> AbstractContextManager[int]:
                return _python(world, version=version, chain=build(world))

            yield Scenario("certificate", title, code, start, version, server_name=server_name)


# -------------------------------------------------------------------------------------- client certificates


def _openssl(world: World, *, version: str, policy: str) -> AbstractContextManager[int]:
    client = None if policy == "none" else (policy, world.client_root)
    return peers.openssl_server(world.fresh_directory(), world.chain(), version, client)


def _nginx(world: World, *, version: str, policy: str) -> AbstractContextManager[int]:
    client = None if policy == "none" else (policy, world.client_root)
    return peers.nginx_server(world.fresh_directory(), world.chain(), version, client)


@contextlib.contextmanager
def _java(world: World, *, version: str, policy: str) -> Iterator[int]:
    yield world.java_ports[version, policy]


# (policy of the server, certificate that is presented) -> (code, required, reaction). The reactions of OpenSSL to a
# certificate that it does not like are those of `-verify_return_error`; without it (optional) it goes on.
_STRICT = {
    ("none", ""): ("ok", "no", None),
    ("none", "good"): ("ok", "no", None),
    ("optional", ""): ("ok", "no", None),
    ("optional", "good"): ("ok", "no", "presented"),
    ("optional", "wrong CA"): ("ok", "no", "presented"),
    ("required", ""): ("client-cert-required", "yes", None),
    ("required", "good"): ("ok", "yes", "accepted"),
    ("required", "wrong CA"): ("client-cert-rejected", "yes", "rejected: unknown_ca"),
}
# The JDK answers a certificate from a strange CA with certificate_unknown, and does so also where it only wants one.
_OF_JAVA = _STRICT | {
    ("optional", "wrong CA"): ("client-cert-rejected", "no", "rejected: certificate_unknown"),
    ("required", "wrong CA"): ("client-cert-rejected", "yes", "rejected: certificate_unknown"),
}
# nginx never refuses at the level of TLS.
_OF_NGINX = {
    (policy, client): ("ok", "no", "presented" if client and policy != "none" else None) for policy, client in _STRICT
}


def _clients() -> Iterator[Scenario]:
    for program, start, answers in (
        ("openssl s_server", _openssl, _STRICT),
        ("Java", _java, _OF_JAVA),
        ("nginx", _nginx, _OF_NGINX),
    ):
        for (policy, client), (code, required, reaction) in answers.items():
            for version in BOTH:
                yield Scenario(
                    "client certificate",
                    f"{program}, {policy}",
                    code,
                    partial(start, version=version, policy=policy),
                    version,
                    client,
                    "no" if policy == "none" else "yes",
                    required,
                    reaction,
                )


# ------------------------------------------------------------------------------------------------- STARTTLS


def _dialogue(*steps: bytes | int) -> Callable[..., None]:
    """Says the bytes and waits for a line where a number stands."""

    def handle(peer: object) -> None:
        for step in steps:
            if isinstance(step, bytes):
                peer.sendall(step)  # type: ignore[attr-defined]
            else:
                peer.recv(4096)  # type: ignore[attr-defined]

    return handle


_LDAP_YES = bytes.fromhex("300c02010178070a010004000400")
_LDAP_NO = bytes.fromhex("300c02010178070a010204000400")
_DIALOGUES = {
    "smtp": (
        b"220-mail.example\r\n220 ready\r\n",
        1,
        b"250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
        1,
        b"220 go\r\n",
    ),
    "imap": (b"* OK ready\r\n", 1, b"* CAPABILITY IMAP4\r\na1 OK go\r\n"),
    "pop3": (b"+OK ready\r\n", 1, b"+OK go\r\n"),
    "ldap": (1, _LDAP_YES),
}
_REFUSALS = {
    "smtp": (b"220 ready\r\n", 1, b"250 mail.example\r\n", 1),
    "imap": (b"* OK ready\r\n", 1, b"a1 BAD no\r\n"),
    "pop3": (b"+OK ready\r\n", 1, b"-ERR no\r\n"),
    "ldap": (1, _LDAP_NO),
}


def _mail() -> Iterator[Scenario]:
    for protocol, steps in _DIALOGUES.items():
        yield Scenario("STARTTLS", protocol, "ok", partial(_upgrading, steps=steps), "TLSv1.3", starttls=protocol)
    for protocol, steps in _REFUSALS.items():
        yield Scenario(
            "STARTTLS",
            f"{protocol}, refused",
            "not-tls",
            _raw(_dialogue(*steps)),
            starttls=protocol,
            requested="unknown",
            required="unknown",
        )


@contextlib.contextmanager
def _upgrading(world: World, *, steps: tuple[bytes | int, ...]) -> Iterator[int]:
    context = peers.server_context(world.fresh_directory(), world.chain(), "TLSv1.3")
    plain, secure = _dialogue(*steps), peers.speaking_tls(context)

    def handle(peer: object) -> None:
        plain(peer)
        secure(peer)  # type: ignore[arg-type]

    with peers.raw_server(handle) as port:
        yield port


# ------------------------------------------------------------------------------------------------- the table


@contextlib.contextmanager
def world(java: str, directory: Path) -> Iterator[World]:
    """A world with the servers of a JDK running in it."""
    plain = World(directory, {})
    with peers.java_servers(java, directory / "java", plain.chain(), plain.client_root) as ports:
        plain.java_ports.update(ports)
        yield plain


def row(scenario: Scenario, result: ConnectResult) -> str:
    client = result.client_certificate
    asked = {"no": "no", "yes": "yes", "unknown": "?"}[client.requested]
    cells = (
        scenario.group,
        scenario.peer,
        scenario.version or "-",
        scenario.client or "-",
        f"`{result.code}`",
        (result.java_message or "-").replace("|", "\\|"),
        asked,
        {"no": "no", "yes": "yes", "unknown": "?"}[client.required],
        client.reaction or "-",
    )
    return f"| {' | '.join(cells)} |"


HEAD = """| | The server | TLS | We present | Code | Java's words | Asked | Required | Reaction |
|---|---|---|---|---|---|---|---|---|"""


def table(rows: list[str]) -> str:
    return "\n".join([BEGIN, "", HEAD, *rows, "", END])


def main() -> None:
    java = shutil.which("java")
    assert java, "java is not installed"
    with tempfile.TemporaryDirectory() as directory, world(java, Path(directory)) as here:
        rows = [row(scenario, scenario.run(here)) for scenario in all_scenarios()]
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(before + table(rows) + rest.partition(END)[2], "utf-8")
    sys.stdout.write(f"{len(rows)} rows\n")


if __name__ == "__main__":
    main()
