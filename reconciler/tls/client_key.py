"""Which key pair Java would present to a server that asks, and how the key gets into the handshake.

The choice is that of `sun.security.ssl.SunX509KeyManagerImpl`, the JDK's default: by the key types that the server
asks for, and by the issuers in the key pair's chain. The private key never stands on a disk in clear: OpenSSL reads it
encrypted under a random passphrase from memory (Linux) or from a file that only the user can read, for a moment.
"""

from __future__ import annotations

import os
import secrets
import ssl
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model import Certificate
    from reconciler.secret import Secret
    from reconciler.tls.handshake_messages import CertificateRequest


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair of the keystore; `private_key` opens the key (PKCS#8 DER) when it is needed."""

    alias: str
    chain: tuple[Certificate, ...]
    private_key: Callable[[], Secret]


@dataclass(frozen=True, slots=True)
class Choice:
    """The key pair to present, or why there is none; `objection` says what the server's request has against it."""

    key_pair: KeyPair | None
    objection: str | None = None


def choose(key_pairs: Sequence[KeyPair], request: CertificateRequest | None) -> Choice:
    """The key pair that Java's key manager would take."""
    if not key_pairs:
        return Choice(None, "the keystore has no key pair")
    wanted = request.key_types if request else ()
    in_java_order = sorted(key_pairs, key=_java_order(len(key_pairs)))
    for key_type in wanted or _key_types(in_java_order):
        for one in in_java_order:
            if _key_type(one) == key_type and objection_to(one, request) is None:
                return Choice(one)
    reasons = "; ".join(f"{one.alias}: {objection_to(one, request)}" for one in key_pairs[:5])
    return Choice(None, f"no key pair fits what the server asks for ({reasons})")


def choose_alias(key_pairs: Sequence[KeyPair], alias: str, request: CertificateRequest | None) -> Choice:
    """The key pair that was asked for by name, whether the server's request fits it or not."""
    from reconciler.ownership import alias_key

    for one in key_pairs:
        if alias_key(one.alias) == alias_key(alias):
            return Choice(one, objection_to(one, request))
    names = ", ".join(one.alias for one in key_pairs[:10]) or "none"
    return Choice(None, f"the keystore has no key pair {alias} (key pairs: {names})")


def objection_to(one: KeyPair, request: CertificateRequest | None) -> str | None:
    """Why Java would not present `one`, or None."""
    if request is None:
        return None
    key_type = _key_type(one)
    if request.key_types and key_type not in request.key_types:
        return f"the server accepts no {key_type} keys"
    accepted = {canonical_name(name) for name in request.authorities}
    if accepted and not accepted & {certificate.issuer_key for certificate in one.chain}:
        return "it was issued by none of the CAs that the server accepts"
    return None


def _key_type(one: KeyPair) -> str:
    return one.chain[0].key_algorithm or ""


def _key_types(key_pairs: Sequence[KeyPair]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_key_type(one) for one in key_pairs))


def _java_order(count: int) -> Callable[[KeyPair], int]:
    """The key manager keeps its key pairs in a `HashMap`: their order is that of the buckets."""
    buckets = 16
    while count > buckets * 3 // 4:
        buckets *= 2

    def bucket(one: KeyPair) -> int:
        code = 0
        units = one.alias.encode("utf-16-be", "surrogatepass")
        for at in range(0, len(units), 2):
            code = (31 * code + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
        return (code ^ code >> 16) & (buckets - 1)

    return bucket


# --------------------------------------------------------------------------------------------- into the handshake


def load(context: ssl.SSLContext, one: KeyPair) -> None:
    """Let `context` present `one`, with its whole chain, as Java does.

    Raises:
        ReconcileError: the key cannot be opened, or OpenSSL cannot use it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    from reconciler.x509 import to_pem

    passphrase = secrets.token_urlsafe(32).encode()
    try:
        key = serialization.load_der_private_key(one.private_key().reveal(), None)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )
        with _readable_file(to_pem(one.chain) + encrypted) as path:
            context.load_cert_chain(path, password=passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ReconcileError(f"the key of {one.alias} cannot be used for TLS ({reason})", where=one.alias) from None


@contextmanager
def _readable_file(content: bytes) -> Iterator[str]:
    """A path under which OpenSSL can read `content` as long as the context lasts."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("reconcile", os.MFD_CLOEXEC)
        path, on_disk = f"/proc/self/fd/{descriptor}", False
    else:
        descriptor, path = tempfile.mkstemp(prefix="reconcile-")  # mode 0600
        on_disk = True
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield path
    finally:
        os.close(descriptor)
        if on_disk:
            os.unlink(path)  # noqa: PTH108  # the path is a plain string from mkstemp
