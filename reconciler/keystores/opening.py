"""From a type of keystore to the code that reads and writes it; the only place where a `GuardedKeystore` is made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcileError
from reconciler.keystores.guarded import GuardedKeystore
from reconciler.model import StoreType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.keystores.protocol import KeystoreReader
    from reconciler.model import KeystoreTarget, RunFacts
    from reconciler.secret import Secret

    PreviousPassword = Callable[[], Secret | None]

_FILES = ("reconciler.keystores.file_keystore:FileKeystore", "reconciler.keystores.file_keystore:WritableFileKeystore")

# Type -> what reads it and what writes it, imported when it is used.
KEYSTORES: dict[StoreType, tuple[str, str]] = {
    StoreType.PKCS12: _FILES,
    StoreType.JKS: _FILES,
    StoreType.JCEKS: _FILES,
}


def open_for_reading(
    target: KeystoreTarget, password: Secret | None, previous: PreviousPassword | None = None
) -> KeystoreReader:
    """A live keystore for commands that only look: the object has no method that writes.

    Args:
        target: The keystore that the desired state names.
        password: What opens it; None for a keystore without one.
        previous: Reads the previous password, where one is declared; called when the other one does not open it.
    """
    reader: KeystoreReader = _load(target, 0)(target, password, **_given(previous=previous))
    return reader


def open_keystore(
    target: KeystoreTarget,
    password: Secret | None,
    protected: Sequence[str],
    previous: PreviousPassword | None = None,
    facts: RunFacts | None = None,
) -> GuardedKeystore:
    """A live keystore that can be written, behind its guard.

    Args:
        target: The keystore that the desired state names.
        password: What opens it; None for a keystore without one.
        protected: The patterns of `aliases.protected`, in addition to SAP's.
        previous: Reads the previous password, where one is declared.
        facts: What the record of the run says of it, for keystores that keep one.
    """
    options = _given(previous=previous, facts=facts) if target.path else {}
    return GuardedKeystore(_load(target, 1)(target, password, **options), protected, target.location)


def _given(**options: object) -> dict[str, object]:
    """What was given: a tenant knows neither a previous password nor a record."""
    return {name: value for name, value in options.items() if value is not None}


def _load(target: KeystoreTarget, half: int) -> Any:
    row = KEYSTORES.get(target.type)
    if row is None:
        raise ReconcileError(f"a keystore of the type {target.type} cannot be opened", where=str(target.source))
    module, _, name = row[half].partition(":")
    return getattr(import_module(module), name)
