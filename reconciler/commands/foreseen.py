"""What an apply would run into, told by the plan: a mass change, a file that does not open, a CA that ends too early.

The private keys that are opened here are those that the repository brings along, never live ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError, RefusedError
from reconciler.issued import OUTLIVES_HINT, outlives
from reconciler.keystores.protocol import KeepsHistory
from reconciler.model import IssuerSpec, Step, WantedCertificate, WantedImport, WantedKeyPair
from reconciler.planning import check_mass_change, public_writes

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.keystores.protocol import KeystoreReader
    from reconciler.model import Change, TargetPlan

# What asks an issuer for a certificate.
_ISSUING = frozenset({Step.GENERATE, Step.REISSUE, Step.STAGE, Step.REKEY})
# What puts a private key in place.
_WITH_KEY = frozenset({Step.GENERATE, Step.STAGE, Step.PUT})


def check_writable(plan: TargetPlan, reader: KeystoreReader) -> None:
    """See that the keystore can be written at all.

    Raises:
        RefusedError: it cannot; apply would refuse as well.
    """
    if plan.changes and isinstance(reader, KeepsHistory):
        writes = [write for change in plan.changes for write in public_writes(change)]
        keys = any(
            change.step in _WITH_KEY and not isinstance(change.wanted, WantedCertificate) for change in plan.changes
        )
        reader.check_writable(writes, keys=keys)


def obstacles(plan: TargetPlan, now: datetime) -> tuple[str, ...]:
    """What apply would refuse, and the changes that would fail alone while others go on: a sentence each."""
    told = ((change, _obstacle(change, now)) for change in plan.changes)
    alone = (f"{change.alias}: {change.action} would fail: {why}" for change, why in told if why is not None)
    return (*_mass_change(plan), *alone)


def _mass_change(plan: TargetPlan) -> tuple[str, ...]:
    try:
        check_mass_change(plan)
    except RefusedError as error:
        return (f"{error.message}: apply does that only with --allow-mass-change",)
    return ()


def _obstacle(change: Change, now: datetime) -> str | None:
    match change.step, change.wanted:
        case Step.PUT, WantedImport() as wanted:
            return _unopened(wanted)
        case step, WantedKeyPair(issuer=IssuerSpec(type="local-ca", certificates=(authority, *_))) as wanted:
            problem = outlives(wanted, authority, now) if step in _ISSUING else None
            return problem and f"{problem}; {OUTLIVES_HINT}"
        case _:
            return None


def _unopened(wanted: WantedImport) -> str | None:
    from reconciler.desired.material import open_key

    try:
        open_key(wanted.material)
    except ReconcileError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return None
