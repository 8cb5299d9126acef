"""What the connectivity test found out, as values; the reports make text and JSON of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.trust import OK

if TYPE_CHECKING:
    from reconciler.host_names import HostNameVerdict
    from reconciler.model import Certificate
    from reconciler.tls.client_key import KeyPair
    from reconciler.tls.observing import Destination
    from reconciler.trust import Anchor, Caution, TrustVerdict


@dataclass(frozen=True, slots=True)
class TrustSource:
    """What a server is judged against, and what could be presented to it.

    Attributes:
        name: How the result calls it.
        keys_withheld: Why the private keys cannot be used here (those of a tenant), or None.
    """

    name: str
    anchors: tuple[Anchor, ...] = ()
    key_pairs: tuple[KeyPair, ...] = ()
    keys_withheld: str | None = None


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The client's side of the handshake.

    Attributes:
        requested: Whether the server asked for a certificate: yes, no or unknown.
        required: Whether it refuses without one: yes, no or unknown.
        acceptable_cas: Whom it accepts, as names; empty when it names nobody (then every CA may do).
        key_types: Which keys it accepts, in its order.
        presented: Whether a certificate was sent and its key proven.
        alias: The key pair that was presented, or was to be.
        reaction: ``accepted`` (refused without, content with it), ``presented`` (no objection, which proves nothing),
            ``closed``, or ``rejected: `` with the alert; None when nothing was presented.
    """

    requested: str = "unknown"
    required: str = "unknown"
    acceptable_cas: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()
    presented: bool = False
    alias: str | None = None
    reaction: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectResult:
    """The whole finding about one server.

    Attributes:
        code: See `reconciler.tls.failures.CODES`.
        validated: False with ``--no-validate``: then `trust` and `host_name` are told but do not decide.
        versions: TLS version -> whether the server speaks it; None where that stayed open.
    """

    destination: Destination
    code: str
    message: str
    trust_source: str
    hint: str = ""
    java_message: str | None = None
    validated: bool = True
    peer: str | None = None
    lookup_seconds: float | None = None
    connect_seconds: float | None = None
    handshake_seconds: float | None = None
    protocol: str | None = None
    cipher: str | None = None
    versions: tuple[tuple[str, bool | None], ...] = ()
    chain: tuple[Certificate, ...] = ()
    trust: TrustVerdict | None = None
    host_name: HostNameVerdict | None = None
    client_certificate: ClientCertificate = ClientCertificate()
    warnings: tuple[Caution, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Reached, and trusted unless validation is off."""
        return self.code == OK
