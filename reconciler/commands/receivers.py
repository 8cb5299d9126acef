"""`reconcile receivers`: what the receivers send, recorded in the repository for review in git."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Certificate, Probe, Receiver


@click.group(name="receivers", short_help="Record in the repository what the receivers send.")
def command() -> None:
    """The systems that the state files name under `receivers`.

    \b
    Example:
      reconcile receivers record keystore.yaml
    """


@command.command(name="record", short_help="Write the chains that the receivers send now.")
@options.states
@click.option("--receiver", "names", metavar="NAME", multiple=True, help="Only this receiver; may be given repeatedly.")
@options.probing
def record(states: tuple[str, ...], names: tuple[str, ...], jobs: int, receiver_timeout: float) -> int:
    """Connect to the receivers and write what they send into the repository, each into its own PEM file.

    Needs neither the keystore nor any secret. Files change only where the receiver did; review them in git like any
    other change: from then on every plan is judged by them.

    \b
    Examples:
      reconcile receivers record keystore.yaml
      reconcile receivers record keystore.yaml --receiver s4hana
    """
    from reconciler.desired import load_states
    from reconciler.tls.probing import probe_receivers

    receivers = _chosen([one for state in load_states(states) for one in state.receivers], names)
    found = probe_receivers(receivers, timeout=receiver_timeout, environment=os.environ, jobs=jobs)
    recorded = [_record(one, found[one.destination]) for one in receivers]
    return 0 if all(recorded) else 1


def _chosen(receivers: Sequence[Receiver], names: Sequence[str]) -> list[Receiver]:
    """The receivers that are meant, each file once.

    Raises:
        ReconcileError: a name that no state file knows, no receiver at all, or one file for two servers.
    """
    from reconciler.errors import ReconcileError

    known = {one.name for one in receivers}
    for name in names:
        if name not in known:
            raise ReconcileError(f"no receiver is called {name}", hint=_meant(name, known))
    if not receivers:
        raise ReconcileError("the state files name no receivers", hint="receivers: {name: {address: HOST:PORT}}")
    by_file: dict[str, Receiver] = {}
    for one in receivers:
        if names and one.name not in names:
            continue
        other = by_file.setdefault(one.chain_path, one)
        if other.destination != one.destination:
            message = f"{one.chain_shown} is to hold the chains of {other.address} and of {one.address}"
            raise ReconcileError(message, where=str(one.source), hint="give each a file of its own with `chain`")
    return list(by_file.values())


def _meant(name: str, known: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"receivers: {', '.join(sorted(known)) or 'none'}"


def _record(receiver: Receiver, probe: Probe) -> bool:
    """Write one file where it has to change, say what changed, and tell whether all is well."""
    from reconciler.desired.recorded_chains import MAX_CERTIFICATES, recorded_text
    from reconciler.reports.printable import printable
    from reconciler.terminal import say

    problem = next((one.problem for one in probe.chain if one.problem), None)
    if len(probe.chain) > MAX_CERTIFICATES:
        problem = f"it sends {len(probe.chain)} certificates, and Java takes {MAX_CERTIFICATES} at most"
    if not probe.chain or problem:
        say(f"{receiver.name}: nothing was recorded: {problem or probe.message}", where=receiver.address)
        return False
    if _is_same(receiver, probe):
        click.echo(f"{printable(receiver.name)}: unchanged")
        return True
    _write(receiver, recorded_text(receiver, probe.chain, asks=probe.asks, accepts=probe.accepts))
    click.echo(f"{printable(receiver.name)}: wrote {printable(receiver.chain_shown)}")
    for line in _changes(receiver, probe):
        click.echo(f"  {printable(line)}")
    return True


def _is_same(receiver: Receiver, probe: Probe) -> bool:
    """Whether the file says what was seen; what could not be seen this time does not count."""
    asks = receiver.asks if probe.asks is None else probe.asks
    same_chain = [one.der for one in receiver.recorded] == [one.der for one in probe.chain]
    return same_chain and receiver.asks == asks and set(receiver.accepts) == set(probe.accepts)


def _changes(receiver: Receiver, probe: Probe) -> list[str]:
    from reconciler.receiver_drift import changed_since

    if not receiver.recorded:
        return [_certificate(one) for one in probe.chain]
    return [f"{note.code}: {note.message}" for note in changed_since(receiver, probe)] or ["its notes"]


def _certificate(one: Certificate) -> str:
    from reconciler.expiry import day
    from reconciler.words import with_colons

    return f"{one.subject}, until {day(one.not_after)}, SHA-256 {with_colons(one.sha256)}"


def _write(receiver: Receiver, content: bytes) -> None:
    """In one step: a reader sees the old file or the new one.

    Raises:
        ReconcileError: it cannot be written.
    """
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of

    path = Path(receiver.chain_path)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise ReconcileError(f"the chain cannot be written: {reason_of(error)}", where=receiver.chain_shown) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
