"""`reconcile csr`: the signing request of a key pair, made from the live key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from reconciler.model import DesiredState, Snapshot, WantedKeyPair


@click.command(name="csr", short_help="Write the signing request of a key pair.")
@options.state
@options.alias
@click.option("--out", metavar="PATH", help="Where to write it; `-` is standard output. Default: ALIAS.csr, here.")
def command(state: str, alias: str, out: str | None) -> int:
    """Write the signing request (PKCS#10, PEM) of a declared key pair.

    It is made from the key that waits for a certificate: the one that is prepared for a renewal, else the live one. The
    same request as apply writes for an external issuer can be derived again at any time.

    \b
    Examples:
      reconcile csr keystore.yaml s4_client
      reconcile csr keystore.yaml s4_client --out -
    """
    from reconciler.commands.output import write
    from reconciler.commands.public_files import file_name, write_public
    from reconciler.commands.targets import reader_of
    from reconciler.desired import load
    from reconciler.x509 import request_to_pem

    desired = load(state)
    wanted = _wanted(desired, alias)
    reader = reader_of(desired)
    try:
        waiting = _waiting(reader.read(), wanted, desired)
        text = request_to_pem(reader.signing_request(waiting, wanted))
    finally:
        reader.close()
    if out == "-":
        write(text.decode())
    else:
        write_public(Path(out or file_name(wanted.alias, ".csr")), text)
    return 0


def _wanted(desired: DesiredState, alias: str) -> WantedKeyPair:
    from difflib import get_close_matches

    from reconciler.errors import ReconcileError
    from reconciler.model import WantedKeyPair
    from reconciler.ownership import alias_key

    pairs = {alias_key(one.alias): one for one in desired.wanted if isinstance(one, WantedKeyPair)}
    if (found := pairs.get(alias_key(alias))) is not None:
        return found
    near = get_close_matches(alias_key(alias), pairs, n=1)
    hint = f"did you mean {pairs[near[0]].alias!r}?" if near else f"declared: {', '.join(sorted(pairs)) or 'none'}"
    raise ReconcileError(
        f"there is no generated key pair {alias!r} in the desired state", where=desired.name, hint=hint
    )


def _waiting(live: Snapshot, wanted: WantedKeyPair, desired: DesiredState) -> str:
    """The alias whose key waits for a certificate."""
    from reconciler.errors import ReconcileError
    from reconciler.model import EntryKind
    from reconciler.ownership import alias_key, staging_alias

    pairs = {alias_key(entry.alias): entry for entry in live.entries if entry.kind is EntryKind.KEY_PAIR}
    for alias in (staging_alias(wanted.alias), wanted.alias):
        if alias_key(alias) in pairs:
            return alias
    raise ReconcileError(
        f"there is no key pair {wanted.alias!r} yet", where=desired.keystore.location, hint="`reconcile apply` makes it"
    )
