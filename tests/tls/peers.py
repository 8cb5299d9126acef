"""Servers on loopback for the connectivity test: good ones, strict ones, and peers that are out of their minds."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tls.jdk import JAVA, OPTIONS
from tests.tls.pki import Issued, pem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = "127.0.0.1"
VERSIONS = {
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


# ------------------------------------------------------------------------------------------------ plain peers


@contextlib.contextmanager
def raw_server(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that calls `handle` for each connection; gives its port."""
    listener = socket.create_server((LOOPBACK, 0), backlog=64)
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    def answer(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            peer.settimeout(10)
            handle(peer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        done.set()
        # Wakes accept up, which closing alone does not.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def mute(peer: socket.socket) -> None:
    """Reads and says nothing, until the other side is tired of it."""
    while peer.recv(4096):
        pass


def closing(peer: socket.socket) -> None:
    """Says goodbye at once, and reads on so that the goodbye is not a reset."""
    peer.shutdown(socket.SHUT_WR)
    mute(peer)


def closing_on_hello(peer: socket.socket) -> None:
    """Reads the ClientHello and closes."""
    peer.recv(4096)


def resetting(peer: socket.socket) -> None:
    """Reads the ClientHello and resets the connection."""
    peer.recv(4096)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def saying(greeting: bytes, *, after: bool = False) -> Callable[[socket.socket], None]:
    """Speaks another protocol, at once or after it was spoken to."""

    def handle(peer: socket.socket) -> None:
        if after:
            peer.recv(4096)
        peer.sendall(greeting)
        mute(peer)

    return handle


def alerting(number: int) -> Callable[[socket.socket], None]:
    """Answers the ClientHello with a fatal alert."""

    def handle(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(bytes([21, 3, 3, 0, 2, 2, number]))
        mute(peer)

    return handle


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose backlog is full: further connections get no answer (as behind a firewall that drops)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield held.getsockname()[1]


# ---------------------------------------------------------------------------------------------- Python's ssl


def write_identity(directory: Path, chain: list[Issued]) -> tuple[Path, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    certificates, key = directory / "chain.pem", directory / "key.pem"
    certificates.write_bytes(pem(*chain))
    key.write_bytes(chain[0].key_pem)
    return certificates, key


def server_context(
    directory: Path, chain: list[Issued], version: str, client: tuple[str, Issued] | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = VERSIONS[version]
        context.minimum_version = VERSIONS[version]
    context.load_cert_chain(*write_identity(directory, chain))
    if client:
        policy, authority = client
        context.verify_mode = ssl.CERT_REQUIRED if policy == "required" else ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=pem(authority).decode())
    return context


def speaking_tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """Shakes hands and waits for the other side to leave."""

    def handle(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as tls:
            mute(tls)

    return handle


# ----------------------------------------------------------------------------------------------- other programs


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server did not start"
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 0.5):
            return
        time.sleep(0.01)
    raise AssertionError("the server does not listen")


@contextlib.contextmanager
def _running(arguments: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def openssl_server(
    directory: Path, chain: list[Issued], version: str, client: tuple[str, Issued] | None = None
) -> Iterator[int]:
    """`openssl s_server`, whose policy towards clients is none, optional or required."""
    leaf, key = directory / "leaf.pem", directory / "key.pem"
    directory.mkdir(parents=True, exist_ok=True)
    leaf.write_bytes(pem(chain[0]))
    key.write_bytes(chain[0].key_pem)
    port = free_port()
    options = ["-accept", f"{LOOPBACK}:{port}", "-cert", str(leaf), "-key", str(key), "-www", "-quiet"]
    options.append({"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}[version])
    if len(chain) > 1:
        above = directory / "above.pem"
        above.write_bytes(pem(*chain[1:]))
        options += ["-cert_chain", str(above)]
    if client:
        policy, authority = client
        accepted = directory / "accepted.pem"
        accepted.write_bytes(pem(authority))
        verify = ["-Verify", "5", "-verify_return_error"] if policy == "required" else ["-verify", "5"]
        options += [*verify, "-CAfile", str(accepted)]
    program = shutil.which("openssl")
    assert program, "openssl is not installed"
    with _running([program, "s_server", *options], port) as running:
        yield running


@contextlib.contextmanager
def nginx_server(
    directory: Path, chain: list[Issued], version: str, client: tuple[str, Issued] | None = None
) -> Iterator[int]:
    """nginx; it answers a client that it does not like in HTTP."""
    certificates, key = write_identity(directory, chain)
    port = free_port()
    lines = [
        f"listen {LOOPBACK}:{port} ssl;",
        f"ssl_certificate {certificates};",
        f"ssl_certificate_key {key};",
        f"ssl_protocols {version};",
    ]
    if client:
        policy, authority = client
        accepted = directory / "accepted.pem"
        accepted.write_bytes(pem(authority))
        lines += [f"ssl_verify_client {'on' if policy == 'required' else 'optional'};"]
        lines += [f"ssl_client_certificate {accepted};", "ssl_verify_depth 3;"]
    paths = "".join(f"{kind}_temp_path {directory}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;\n"
        f"events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {directory}/body; {paths}\n"
        f"server {{ {' '.join(lines)} }} }}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    assert Path(program).exists(), "nginx is not installed (Debian package nginx-light)"
    with _running([program, "-e", f"{directory}/error.log", "-c", str(configuration)], port) as running:
        yield running


@contextlib.contextmanager
def java_servers(
    java: str, directory: Path, chain: list[Issued], authority: Issued
) -> Iterator[dict[tuple[str, str], int]]:
    """One JVM with a TLS server for every version and policy: ``(version, policy)`` -> port."""
    certificates, key = directory / "chain.pem", directory / "key.der"
    directory.mkdir(parents=True, exist_ok=True)
    certificates.write_bytes(pem(*chain))
    key.write_bytes(chain[0].key_der)
    accepted = directory / "accepted.pem"
    accepted.write_bytes(pem(authority))
    process = subprocess.Popen(
        [java, *OPTIONS, str(JAVA / "TlsServers.java"), str(certificates), str(key), str(accepted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stdin
    assert process.stdout
    try:
        lines = [process.stdout.readline().split() for _ in range(6)]
        yield {(version, policy): int(port) for version, policy, port in lines}
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
