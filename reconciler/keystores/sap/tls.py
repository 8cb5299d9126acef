"""The TLS side of a connection to a tenant: whom we trust, and the certificate that we show. There is no off switch."""

from __future__ import annotations

import os
import secrets
import ssl
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.keystores.sap.credentials import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.keystores.sap.credentials import ClientCertificate

CA_VARIABLE = "RECONCILE_CA_FILE"
CERT_VARIABLE = "SSL_CERT_FILE"


def tls_context(environ: Mapping[str, str], client: ClientCertificate | None = None) -> ssl.SSLContext:
    """What a connection is made with.

    Trusted are the roots of the system (or those of SSL_CERT_FILE, which OpenSSL reads itself), and in addition those
    in the file of RECONCILE_CA_FILE. Contexts without a client certificate are shared: reading the system's roots takes
    20 ms, which 200 tenants need not pay 200 times.

    Raises:
        ReconcileError: a file of roots cannot be read, or the client certificate does not fit its key.
    """
    private_roots, replaced_roots = environ.get(CA_VARIABLE, ""), environ.get(CERT_VARIABLE, "")
    state = (_state_of(CERT_VARIABLE, replaced_roots), _state_of(CA_VARIABLE, private_roots))
    if client is None:
        return _shared(replaced_roots, private_roots, (*state, environ.get("SSL_CERT_DIR", "")))
    context = _context(replaced_roots, private_roots)
    _load_client(context, client)
    return context


@lru_cache(maxsize=8)
def _shared(replaced_roots: str, private_roots: str, state: tuple[object, ...]) -> ssl.SSLContext:
    del state  # only tells apart what was read at another time or from elsewhere
    return _context(replaced_roots, private_roots)


def _context(replaced_roots: str, private_roots: str) -> ssl.SSLContext:
    if replaced_roots:
        # OpenSSL says nothing of a file without certificates, and the connection fails with a message that misleads.
        _load_roots(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), replaced_roots, CERT_VARIABLE)
    context = ssl.create_default_context()  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 began to insist on extensions that private roots of the past lack; 3.11, curl and Java do not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and paths.cafile is None and paths.capath is None:
        import certifi  # only where the system has no roots of its own

        context.load_verify_locations(certifi.where())
    if private_roots:
        _load_roots(context, private_roots, CA_VARIABLE)
    return context


def _load_roots(context: ssl.SSLContext, file: str, variable: str) -> None:
    try:
        context.load_verify_locations(file)
    except (ssl.SSLError, OSError):
        raise ReconcileError(f"{file} holds no certificates in PEM", hint=f"{variable} names it") from None


def _state_of(variable: str, file: str) -> tuple[str, int, int] | None:
    """A file of roots that can be read, and which one it is.

    OpenSSL ignores a file that is not there, and the connection then fails with a message that misleads.
    """
    if not file:
        return None
    try:
        with Path(file).open("rb") as opened:
            facts = os.fstat(opened.fileno())
    except OSError as error:
        raise ReconcileError(f"{file} cannot be read: {error.strerror}", hint=f"{variable} names it") from None
    return file, facts.st_mtime_ns, facts.st_size


# ------------------------------------------------------------------------------------------ client certificate


def _load_client(context: ssl.SSLContext, client: ClientCertificate) -> None:
    password = secrets.token_hex(32)
    with _on_disk(client, password) as file:
        try:
            context.load_cert_chain(file, password=password)
        except (ssl.SSLError, OSError):
            raise CredentialsError(
                "the client certificate and its key do not fit together", hint="give both in PEM"
            ) from None


@contextmanager
def _on_disk(client: ClientCertificate, password: str) -> Iterator[str]:
    """Certificate and key in a file for a moment: OpenSSL's interface in Python reads nothing else.

    The key in it is encrypted with a passphrase that nobody else has, the file is ours alone (mkstemp makes it 0600),
    and it is gone before the first connection.
    """
    content = client.certificate.reveal() + _encrypted(client, password)
    handle, name = mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)


def _encrypted(client: ClientCertificate, password: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # heavy, and only needed here
    from cryptography.hazmat.primitives import serialization as form  # as above

    try:
        key = form.load_pem_private_key(client.key.reveal(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialsError(
            "the private key of the client certificate cannot be read", hint="give it in PEM, without a passphrase"
        ) from None
    encryption = form.BestAvailableEncryption(password.encode())
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption)
