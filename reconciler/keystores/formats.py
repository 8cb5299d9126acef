"""The table of keystore file formats; a format is imported when a file of it is met."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores.detect import detect
from reconciler.model import StoreType

if TYPE_CHECKING:
    from reconciler.keystores.protocol import Container
    from reconciler.secret import Secret


class Format(NamedTuple):
    """Where the two functions of a format are: ``package.module:name``."""

    parse: str  # (data, password, *, origin) -> Container
    empty: str | None  # (encryption) -> Container; None for formats that are only read


FORMATS: dict[StoreType, Format] = {
    StoreType.PKCS12: Format("reconciler.keystores.pkcs12:parse", "reconciler.keystores.pkcs12:empty"),
    StoreType.JKS: Format("reconciler.keystores.jks:parse", "reconciler.keystores.jks:empty_jks"),
    StoreType.JCEKS: Format("reconciler.keystores.jks:parse", "reconciler.keystores.jks:empty_jceks"),
    StoreType.BKS: Format("reconciler.keystores.bouncycastle:parse", None),
    StoreType.UBER: Format("reconciler.keystores.bouncycastle:parse", None),
}


def parse_container(data: bytes, password: Secret | None, *, origin: str) -> Container:
    """The container that a keystore file holds, of the type that its content shows.

    Args:
        data: The whole file.
        password: The password of the keystore; None reads what can be read without.
        origin: What errors call the file.

    Raises:
        KeystoreUnreadableError: not a keystore, wrong password, damaged, or too large.
    """
    parse = _resolve(FORMATS[detect(data, origin)].parse)
    container: Container = parse(data, password, origin=origin)
    return container


def open_container(data: bytes, password: Secret | None, *, origin: str) -> tuple[Container, Secret | None]:
    """The container of a keystore file, and the password that it opens with.

    Where none is declared, the empty one is tried: it is how some programs write keystores "without a password", and
    nobody can declare it, since an empty secret is mostly one that CI kept back.

    Raises:
        KeystoreUnreadableError: see `parse_container`.
    """
    from reconciler.secret import Secret

    if password is None:
        with suppress(KeystoreUnreadableError):
            container = parse_container(data, nothing := Secret(b""), origin=origin)
            if container.snapshot().integrity:
                return container, nothing
    return parse_container(data, password, origin=origin), password


def new_container(store_type: StoreType, encryption: str | None = None) -> Container:
    """A container without entries, as current Java makes it unless `encryption` says otherwise (`legacy`).

    Raises:
        ReconcileError: keystores of this type are not files, or are only read.
    """
    row = FORMATS.get(store_type)
    if row is None or row.empty is None:
        raise ReconcileError(
            f"a keystore file of the type {store_type} cannot be created",
            hint="use pkcs12, jks or jceks",
        )
    container: Container = _resolve(row.empty)(*([encryption] if encryption else []))
    return container


def _resolve(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
