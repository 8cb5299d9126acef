"""From a type of keystore to the code that reads and writes it; the only place where a `GuardedKeystore` is made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcileError
from reconciler.keystores.guarded import GuardedKeystore
from reconciler.model import StoreType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.keystores.protocol import KeystoreReader
    from reconciler.model import KeystoreTarget, RunFacts
    from reconciler.secret import Secret

    PreviousPassword = Callable[[], Secret | None]
    # The password of a file, or the credentials of a tenant by their names in the state file.
    Access = Secret | Mapping[str, Secret | str] | None

_FILES = ("reconciler.keystores.file_keystore:FileKeystore", "reconciler.keystores.file_keystore:WritableFileKeystore")

# Type -> what reads it and what writes it, imported when it is used.
KEYSTORES: dict[StoreType, tuple[str, str]] = {
    StoreType.PKCS12: _FILES,
    StoreType.JKS: _FILES,
    StoreType.JCEKS: _FILES,
    StoreType.SAP_CLOUD_INTEGRATION: (
        "reconciler.keystores.sap.keystore:TenantKeystore",
        "reconciler.keystores.sap.keystore:WritableTenantKeystore",
    ),
}


def open_for_reading(
    target: KeystoreTarget, access: Access, previous: PreviousPassword | None = None
) -> KeystoreReader:
    """A live keystore for commands that only look: the object has no method that writes.

    Args:
        target: The keystore that the desired state names.
        access: What opens it: a password, None for a keystore without one, the credentials of a tenant.
        previous: Reads the previous password, where one is declared; called when the other one does not open it.
    """
    reader: KeystoreReader = _load(target, 0)(target, access, **_given(previous=previous))
    return reader


def open_keystore(
    target: KeystoreTarget,
    access: Access,
    protected: Sequence[str],
    previous: PreviousPassword | None = None,
    facts: RunFacts | None = None,
) -> GuardedKeystore:
    """A live keystore that can be written, behind its guard.

    Args:
        target: The keystore that the desired state names.
        access: What opens it: a password, None for a keystore without one, the credentials of a tenant.
        protected: The patterns of `aliases.protected`, in addition to SAP's.
        previous: Reads the previous password, where one is declared.
        facts: What the record of the run says of it, for keystores that keep one.
    """
    options = _given(previous=previous, facts=facts) if target.path else {}
    return GuardedKeystore(_load(target, 1)(target, access, **options), protected, target.location)


def _given(**options: object) -> dict[str, object]:
    """What was given: a tenant knows neither a previous password nor a record."""
    return {name: value for name, value in options.items() if value is not None}


def _load(target: KeystoreTarget, half: int) -> Any:
    row = KEYSTORES.get(target.type)
    if row is None:
        raise ReconcileError(f"a keystore of the type {target.type} cannot be opened", where=str(target.source))
    module, _, name = row[half].partition(":")
    return getattr(import_module(module), name)
