"""Edges of the connectivity test: a Python that shows less, slow peers, many at once, and the second opinion."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from datetime import UTC, datetime
from typing import NoReturn

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from reconciler.errors import KeystoreUnreadableError
from reconciler.secret import Secret
from reconciler.tls import dialing, second_opinion
from reconciler.tls.address import Address
from reconciler.tls.client_key import KeyPair
from reconciler.tls.connecting import Wishes, connect
from reconciler.tls.observing import Destination
from reconciler.tls.recording import Recording
from reconciler.tls.results import TrustSource
from reconciler.x509 import load_certificates
from tests.tls import peers
from tests.tls.catalogue import World
from tests.tls.pki import NOW, authority_key_identifier, ca, server, subject_key_identifier
from tests.tls.test_handshake_messages import vector


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("connecting"), {})


def probe(world, port: int, *, client: KeyPair | None = None, timeout: float = 5.0, **changes):
    source = TrustSource("entries", (("root", world.root.certificate),), (client,) if client else ())
    wishes = Wishes(client_alias="client" if client else None, probe_versions=False)
    destination = Destination(Address(peers.LOOPBACK, port), "server.example", timeout=timeout, **changes)
    return connect(destination, source, NOW, wishes)


def serving(world, version="TLSv1.3", policy=None, chain=None):
    client = (policy, world.client_root) if policy else None
    context = peers.server_context(world.fresh_directory(), chain or world.chain(), version, client)
    return peers.raw_server(peers.speaking_tls(context))


@pytest.mark.parametrize("minimum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("host", ["server.example", "127.0.0.1"])
def test_certificates_that_trustme_made_are_trusted(minimum, host):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = minimum
    authority.issue_cert(host).configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    me = authority.issue_cert("me@example.com")
    key = serialization.load_pem_private_key(me.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = load_certificates(me.cert_chain_pems[0].bytes())
    root = load_certificates(authority.cert_pem.bytes())[0]
    source = TrustSource("trustme", (("root", root),), (KeyPair("me", chain, lambda: Secret(pkcs8)),))
    with peers.raw_server(peers.speaking_tls(context)) as port:
        destination = Destination(Address(peers.LOOPBACK, port), host if host != peers.LOOPBACK else None)
        result = connect(destination, source, datetime.now(UTC), Wishes(client_alias="me"))
    assert (result.code, result.client_certificate.reaction) == ("ok", "accepted")


# -------------------------------------------------------------------------------- a Python without the callback


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_without_the_callback_the_chain_is_seen_and_the_request_is_unknown(world, monkeypatch, version):
    monkeypatch.setattr(Recording, "attach", lambda _self, _context: None)
    chain = world.chain()
    with serving(world, version, chain=chain) as port:
        result = probe(world, port)
    assert result.code == "ok"
    assert [one.der for one in result.chain] == [one.der for one in chain]
    assert result.client_certificate.requested == "unknown"
    assert "request-unknown" in {one.code for one in result.warnings}


def test_without_the_callback_a_client_certificate_is_tried_all_the_same(world, monkeypatch):
    monkeypatch.setattr(Recording, "attach", lambda _self, _context: None)
    with serving(world, policy="required") as port:
        assert probe(world, port).code == "client-cert-required"
        assert probe(world, port, client=world.key_pair("good")).code == "ok"


# ------------------------------------------------------------------------------------------------- slow peers


def test_a_peer_that_drips_octets_runs_into_the_time_out(world):
    def drip(peer: socket.socket) -> None:
        peer.recv(4096)
        for octet in bytes([22, 3, 3, 0x10, 0]) + bytes(4096):
            peer.sendall(bytes([octet]))
            time.sleep(0.05)

    with peers.raw_server(drip) as port:
        begin = time.monotonic()
        result = probe(world, port, timeout=0.5)
    assert result.code == "handshake-timeout"
    assert time.monotonic() - begin < 2


def test_a_mail_server_that_drips_runs_into_the_time_out(world):
    def drip(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"2")
            time.sleep(0.05)

    with peers.raw_server(drip) as port:
        result = probe(world, port, timeout=0.4, starttls="smtp")
    assert result.code == "handshake-timeout"


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3", "ldap"])
@pytest.mark.parametrize(
    "noise", [b"", b"\r\n" * 500, b"x" * 10_000, bytes(range(256)) * 20, b"\x30\x84\xff\xff\xff\xff" + bytes(100)]
)
def test_noise_instead_of_a_dialogue_is_told_as_not_tls(world, protocol, noise):
    def handle(peer: socket.socket) -> None:
        peer.sendall(noise)
        peer.shutdown(socket.SHUT_WR)
        peers.mute(peer)

    with peers.raw_server(handle) as port:
        assert probe(world, port, starttls=protocol, timeout=2).code in {"not-tls", "closed-in-handshake"}


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x03\x00\x04junk", b"\x15\x03\x03\x00\x02\x02\xff", b"\x16\x03\x03\xff\xff", b"\x80" * 50]
)
def test_noise_in_the_shape_of_tls_has_a_code_too(world, noise):
    with peers.raw_server(peers.saying(noise, after=True)) as port:
        result = probe(world, port, timeout=0.5)
    assert result.code in {"handshake-failure", "handshake-timeout", "not-tls"}
    assert result.message


def test_a_lookup_that_takes_too_long_is_left_behind(world, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(dialing.socket, "getaddrinfo", lambda *_, **__: released.wait(5))
    begin = time.monotonic()
    result = probe(world, 443, timeout=0.2)
    released.set()
    assert (result.code, time.monotonic() - begin < 1) == ("dns", True)


def test_an_unreachable_network_is_no_route(world, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(dialing.socket.socket, "connect", refuse)
    result = probe(world, 443)
    assert (result.code, result.java_message) == ("connect-refused", "No route to host")


def test_a_rejection_that_comes_late_in_tls_1_3_is_waited_for(world):
    """A server without session tickets gives no sign of content; its alert comes when it pleases."""
    context = peers.server_context(world.fresh_directory(), world.chain(), "TLSv1.3", ("required", world.client_root))
    context.num_tickets = 0
    with peers.raw_server(peers.speaking_tls(context)) as port:
        assert probe(world, port).code == "client-cert-required"
        begin = time.monotonic()
        result = probe(world, port, client=world.key_pair("good"))
        # Without a ticket nothing proves that the server is content: it was waited for, and it is only "presented".
        assert (result.code, result.client_certificate.reaction) == ("ok", "presented")
        assert time.monotonic() - begin > 0.9


def test_a_server_that_hangs_up_after_asking_is_told_with_a_hint(world):
    context = peers.server_context(world.fresh_directory(), world.chain(), "TLSv1.3", ("optional", world.client_root))

    def handle(peer: socket.socket) -> None:
        context.num_tickets = 0
        tls = context.wrap_socket(peer, server_side=True)
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tls.close()

    with peers.raw_server(handle) as port:
        result = probe(world, port)
    assert (result.code, result.client_certificate.requested) == ("closed-in-handshake", "yes")
    assert "--client-certificate" in result.hint


def test_a_certificate_that_nobody_can_read_is_shown_and_refused(world):
    broken = server().issued_by(world.root).der[:-40]

    def handle(peer: socket.socket) -> None:
        peer.recv(4096)
        hello = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2b" + b"\x00"
        peer.sendall(_record(2, hello) + _record(11, vector(3, vector(3, broken))))
        peers.mute(peer)

    with peers.raw_server(handle) as port:
        result = probe(world, port, timeout=1)
    assert (result.code, result.trust.reason, len(result.chain)) == ("local-policy", "unreadable", 1)


def _record(kind: int, body: bytes) -> bytes:
    return b"\x16\x03\x03" + vector(2, bytes([kind]) + vector(3, body))


def test_sixty_servers_side_by_side_with_six_dead_ones_take_one_time_out(world):
    results = []
    with serving(world) as good, peers.raw_server(peers.mute) as dead:
        ports = [good] * 54 + [dead] * 6

        def add(port: int) -> None:
            results.append(probe(world, port, timeout=2.0).code)

        threads = [threading.Thread(target=add, args=(port,)) for port in ports]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - begin < 4
    assert {code: results.count(code) for code in set(results)} == {"ok": 54, "handshake-timeout": 6}


# ------------------------------------------------------------------------------------------------ key material


def test_a_key_that_does_not_open_is_said_to_be_not_available(world):
    def refuse() -> NoReturn:
        raise KeystoreUnreadableError("the password does not open the key")

    good = world.key_pair("good")
    with serving(world, policy="required") as port:
        result = probe(world, port, client=KeyPair("client", good.chain, refuse))
    assert result.code == "client-key-not-available"
    assert "does not open" in result.message


# --------------------------------------------------------------------------------------------- second opinion


def test_a_strict_verifier_is_heard_and_does_not_decide(world):
    with serving(world) as port:
        result = probe(world, port)
    assert result.code == "ok"
    assert "strict-profile" in {one.code for one in result.warnings}


def test_a_chain_by_the_book_satisfies_the_strict_verifier():
    root = ca("CN=Root", subject_key_identifier(b"root"), length=None).issued_by()
    leaf = server("CN=server.example", authority_key_identifier(b"root")).issued_by(root)
    chain = [leaf.certificate]
    assert second_opinion.second_opinion(chain, [root.certificate], "server.example", NOW) is None


def test_an_old_cryptography_is_not_asked(world, monkeypatch):
    import cryptography

    monkeypatch.setattr(cryptography, "__version__", "48.0.1")
    chain = [one.certificate for one in world.chain()]
    assert second_opinion.second_opinion(chain, [world.root.certificate], "server.example", NOW) is None


def test_a_long_chain_is_not_put_before_the_strict_verifier(world):
    chain = [world.chain()[0].certificate] * 13
    assert second_opinion.second_opinion(chain, [world.root.certificate], "server.example", NOW) is None
