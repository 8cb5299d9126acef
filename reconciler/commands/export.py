"""`reconcile export`: what a partner needs of an entry: certificate, root, chain, public key. Never a private key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model import Certificate, Entry


@click.command(name="export", short_help="Write certificate, root, chain or public key of an entry.")
@options.keystore_or_state
@options.alias
@click.option("--certificate", is_flag=True, help="ALIAS.cer: the certificate, in PEM.")
@click.option("--root", is_flag=True, help="ALIAS_rootCA.cer: the root of its chain, in PEM.")
@click.option("--chain", is_flag=True, help="ALIAS.p7b: the whole chain, as PKCS#7 in PEM.")
@click.option("--ssh", is_flag=True, help="ALIAS.pub: the public key as OpenSSH writes it.")
@click.option("--next", "staged", is_flag=True, help="Of the renewed key pair that waits for its activation.")
@click.option("--out", "directory", metavar="DIR", default=".", help="Where the files go. Default: here.")
@options.passwords
def command(
    subject: str,
    alias: str,
    certificate: bool,
    root: bool,
    chain: bool,
    ssh: bool,
    staged: bool,
    directory: str,
    password_env: str | None,
    password_file: str | None,
) -> int:
    """Write what a partner needs of an entry into files. A private key is never among it.

    \b
    Examples:
      reconcile export keystore.yaml s4_client --certificate --chain
      reconcile export keystore.yaml s4_client --certificate --next
      reconcile export live/outbound.p12 s4_client --ssh --password-env KEYSTORE_PASSWORD
    """
    from reconciler.commands.public_files import write_public
    from reconciler.commands.show import find_entries
    from reconciler.commands.targets import opened_subject
    from reconciler.ownership import protected_by, staging_alias

    if not (certificate or root or chain or ssh):
        raise click.UsageError("say what to export: --certificate, --root, --chain, --ssh, or several of them")
    name = staging_alias(alias) if staged else alias
    with opened_subject(subject, password_env, password_file) as (live, desired, complete):
        of_sap = staged and desired.keystore.is_tenant and protected_by(alias) is not None
        snapshot = complete(live, [] if of_sap else [name], sap_keys=of_sap)
        entries, name = (snapshot.new_sap_keys or (), alias) if of_sap else (snapshot.entries, name)
        entry = find_entries(entries, name, desired.keystore.location)[-1]
        top = _top(entry, snapshot.entries) if root else None
        location = desired.keystore.location
        found = list(_files(entry, top, certificate=certificate, chain=chain, ssh=ssh, location=location))
    for file, content in found:
        write_public(Path(directory) / file, content)
    return 0


def _top(entry: Entry, entries: Sequence[Entry]) -> Certificate | None:
    """Where the chain ends; a root that is left out of it can be an entry of its own."""
    from reconciler.chains import chain_from
    from reconciler.x509 import is_signed_by

    known = [one for other in entries for one in other.chain]
    return chain_from(entry.chain[-1], known, is_signed_by)[-1] if entry.chain else None


def _files(  # one flag a file
    entry: Entry, top: Certificate | None, *, certificate: bool, chain: bool, ssh: bool, location: str
) -> Iterator[tuple[str, bytes]]:
    from reconciler.chains import is_self_issued
    from reconciler.commands.public_files import file_name
    from reconciler.errors import ReconcileError
    from reconciler.x509 import openssh_public_key, to_pem, to_pkcs7

    leaf = entry.leaf
    if leaf is None:
        raise ReconcileError(f"{entry.alias!r} is a {entry.kind} and holds no certificate", where=location)
    if certificate:
        yield file_name(entry.alias, ".cer"), to_pem([leaf])
    if top is not None:
        if not is_self_issued(top):
            raise ReconcileError(
                f"the chain of {entry.alias!r} ends at {top.issuer or 'an unknown issuer'} without its certificate",
                where=location,
                hint="the root is not in the keystore; ask the CA for it",
            )
        yield file_name(entry.alias, "_rootCA.cer"), to_pem([top])
    if chain:
        yield file_name(entry.alias, ".p7b"), to_pkcs7(entry.chain)
    if ssh:
        yield file_name(entry.alias, ".pub"), openssh_public_key(leaf, f"public key for alias {entry.alias}")
