"""A repository, its keystore, and receivers on loopback that can change while a test runs."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.cli.repository import Repository
from tests.tls import peers
from tests.tls.pki import CLIENT_AUTH, Draft, Issued, ca, extended_key_usage, key_usage, pem, server

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

TODAY = datetime.now(UTC).replace(microsecond=0)
DAYS = {"not_before": TODAY - timedelta(days=2), "not_after": TODAY + timedelta(days=300)}


def root(name: str) -> Issued:
    return ca(f"CN={name}", not_before=TODAY - timedelta(days=9), not_after=TODAY + timedelta(days=3000)).issued_by()


def leaf(issuer: Issued, **more: Any) -> Issued:
    return server("CN=localhost", names=("DNS:localhost",), **{**DAYS, **more}).issued_by(issuer)


def client(issuer: Issued, **more: Any) -> Issued:
    usages = (key_usage(0), extended_key_usage(CLIENT_AUTH))
    return Draft("CN=me", extensions=usages, **{**DAYS, **more}).issued_by(issuer)


@dataclass
class Receiver:
    """A TLS server whose identity can be changed between two connections."""

    directory: Path
    context: ssl.SSLContext
    port: int = 0

    def show(self, chain: list[Issued], version: str = "TLSv1.3", accepted: list[Issued] | None = None) -> None:
        """From now on, show `chain`; with `accepted`, insist on a client certificate of one of these CAs."""
        self.context = context(self.directory, chain, version, accepted)

    def answer(self, peer: socket.socket) -> None:
        peers.speaking_tls(self.context)(peer)


def context(directory: Path, chain: list[Issued], version: str, accepted: list[Issued] | None) -> ssl.SSLContext:
    made = peers.server_context(directory, chain, version, ("required", accepted[0]) if accepted else None)
    for one in (accepted or [])[1:]:
        made.load_verify_locations(cadata=pem(one).decode())
    return made


class Site(Repository):
    """A repository with certificates beside its state file."""

    @contextlib.contextmanager
    def receiver(self, *chain: Issued, accepted: list[Issued] | None = None) -> Iterator[Receiver]:
        directory = self.directory / "server"
        one = Receiver(directory, context(directory, list(chain), "TLSv1.3", accepted))
        with peers.raw_server(one.answer) as port:
            one.port = port
            yield one

    def certificates(self, **issued: Issued) -> None:
        for name, one in issued.items():
            self.write(f"{name}.pem", pem(one))

    def state(self, roots: dict[str, Any], receivers: dict[str, Any], **sections: Any) -> None:
        """The state file; YAML takes JSON."""
        body = {"trustedRoots": roots, "receivers": receivers, **sections}
        self.declare("".join(f"{name}: {json.dumps(value)}\n" for name, value in body.items() if value), create=True)
