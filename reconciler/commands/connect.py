"""`reconcile connect`: the TLS connectivity test."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from reconciler.commands import options
from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from reconciler.model import Certificate
    from reconciler.tls.observing import Destination
    from reconciler.tls.results import ConnectResult, TrustSource
    from reconciler.tls.saving import SavedCertificate

_STARTTLS = ("smtp", "imap", "pop3", "ldap")


@click.command(name="connect", short_help="Test a TLS connection: chain, trust, host name, client certificate.")
@click.argument("address", metavar="HOST:PORT", required=False)
@click.option(
    "--keystore",
    metavar="STATE|KEYSTORE",
    help="Judge the server by this keystore. Without it: by Mozilla's public roots.",
)
@options.passwords
@click.option("--no-validate", is_flag=True, help="Trust and host name are told, but do not decide.")
@click.option(
    "--client-certificate",
    metavar="[ALIAS]",
    is_flag=False,
    flag_value="",
    help="Present the certificate of this key pair; without ALIAS the one that Java would choose.",
)
@click.option("--server-name", metavar="NAME", help="Ask for this name (SNI) and expect it in the certificate.")
@click.option("--starttls", type=click.Choice(_STARTTLS), help="Begin in plain text and change to TLS.")
@click.option("--proxy", metavar="URL", help="HTTP proxy; by default HTTPS_PROXY, ALL_PROXY and NO_PROXY count.")
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0.1, 600), default=10.0, show_default=True)
@click.option("--save", metavar="DIR", help="Write the certificates here and print the trustedRoots lines.")
@options.report_format("text", "json")
def command(**given: Any) -> int:
    """Connect to a server as Java would and tell everything about it.

    Without application data: the chain that the server sends, whether it is trusted, by which entry and until when,
    whether the host name fits, whether a client certificate is asked for, whom the server accepts, and how it reacts.

    \b
    Examples:
      reconcile connect my300000.example.com:443
      reconcile connect my300000.example.com:443 --keystore live/outbound.p12 --client-certificate s4_client
      reconcile connect mail.example.com:587 --starttls smtp --save certs
    """
    from reconciler.commands.output import write
    from reconciler.tls.connecting import Wishes, connect

    arguments = _Arguments(**_without_swallowed_address(given))
    source = _source(arguments)
    wishes = Wishes(validate=not arguments.no_validate, client_alias=arguments.client_certificate)
    result = connect(_destination(arguments), source, datetime.now(UTC), wishes)
    saved = _saved(arguments.save, result)
    write(_rendered(result, saved, arguments.format_name))
    return 0 if result.is_ok else 1


@dataclass(frozen=True, slots=True)
class _Arguments:
    address: str | None
    keystore: str | None
    password_env: str | None
    password_file: str | None
    no_validate: bool
    client_certificate: str | None
    server_name: str | None
    starttls: str | None
    proxy: str | None
    timeout: float
    save: str | None
    format_name: str


def _without_swallowed_address(given: dict[str, Any]) -> dict[str, Any]:
    """`--client-certificate HOST:PORT` means the flag and the address: an alias with a port is none."""
    alias = given["client_certificate"]
    if given["address"] is None and alias and ":" in alias:
        return {**given, "address": alias, "client_certificate": ""}
    return given


def _destination(arguments: _Arguments) -> Destination:
    from reconciler.tls.address import HTTPS_PORT, STARTTLS_PORTS, parse_address
    from reconciler.tls.observing import Destination
    from reconciler.tls.proxy import parse_proxy, proxy_of_environment

    if arguments.address is None:
        raise click.UsageError("Missing argument 'HOST:PORT'.")
    address = parse_address(arguments.address, STARTTLS_PORTS.get(arguments.starttls or "", HTTPS_PORT))
    proxy = parse_proxy(arguments.proxy) if arguments.proxy else proxy_of_environment(address, os.environ)
    return Destination(address, arguments.server_name, proxy, arguments.starttls, arguments.timeout)


def _source(arguments: _Arguments) -> TrustSource:
    from reconciler.commands.trust_source import mozilla_source, trust_source

    if arguments.keystore is not None:
        return trust_source(arguments.keystore, arguments.password_env, arguments.password_file)
    if arguments.client_certificate is not None:
        raise ReconcileError(
            "--client-certificate needs a keystore to take the key pair from", hint="add --keystore PATH"
        )
    if arguments.password_env or arguments.password_file:
        raise ReconcileError("a password option was given without --keystore")
    return mozilla_source()


def _saved(directory: str | None, result: ConnectResult) -> tuple[SavedCertificate, ...]:
    if directory is None or not result.chain:
        return ()
    from reconciler.tls.saving import save

    return save(directory, result.chain, _known_root(result.chain))


def _known_root(chain: tuple[Certificate, ...]) -> Certificate | None:
    """The root above the chain, when Mozilla's bundle has it."""
    from reconciler.desired.mozilla import bundle
    from reconciler.x509 import is_signed_by

    top = chain[-1]
    if top.sha256 in bundle() or top.issuer_key == top.subject_key:
        return None  # it was sent
    roots = [root.certificate for root in bundle().values() if root.certificate.subject_key == top.issuer_key]
    return next((root for root in roots if is_signed_by(top, root)), None)


def _rendered(result: ConnectResult, saved: tuple[SavedCertificate, ...], format_name: str) -> str:
    if format_name == "json":
        from reconciler.reports.connect_document import connect_document

        return json.dumps(connect_document(result, saved), indent=2, ensure_ascii=False) + "\n"
    from reconciler.reports.connect_text import render_connect
    from reconciler.terminal import wants_colour
    from reconciler.tls.saving import trusted_roots_lines

    lines = trusted_roots_lines(saved) if saved else ""
    return render_connect(result, saved, lines, colour=wants_colour(sys.stdout))
