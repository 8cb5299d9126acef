"""From one format of keystore files to another, entry by entry; or not at all, with everything that is in the way.

JKS and JCEKS hold pieces of the same kind, so between them (and within a format) pieces move as they are: that is
`Container.migrated`. Between them and PKCS#12 an entry is taken out and put in again, in the order of its kind: what
Java writes begins with the keys. Certificates move byte for byte; keys have to be opened, since each side knows only
its own protections, so a key that the store's password does not open stays where it is, and the keystore with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, RefusedError
from reconciler.keystores.formats import new_container
from reconciler.model import EntryKind, PutCertificate, PutKeyPair, StoreType
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.keystores.protocol import Container, Terms
    from reconciler.model import Entry, Snapshot, Write

_JAVA_FORMATS = frozenset({StoreType.JKS, StoreType.JCEKS})


class CannotCarryError(RefusedError):
    """What a keystore of the wanted type cannot hold: (alias or nothing, why)."""

    def __init__(self, reasons: Sequence[tuple[str, str]]) -> None:
        super().__init__("the keystore cannot migrate whole")
        self.reasons = tuple(reasons)


def check_carried(reasons: Sequence[tuple[str, str]]) -> None:
    """Refuse if there is a reason to.

    Raises:
        CannotCarryError: there is one.
    """
    if reasons:
        raise CannotCarryError(reasons)


def are_alike(one: StoreType, other: StoreType) -> bool:
    """Whether two formats hold pieces of the same kind."""
    return one is other or {one, other} <= _JAVA_FORMATS


def moved(container: Container, terms: Terms, now: datetime) -> Container:
    """What `container` becomes on other terms.

    Args:
        container: The keystore as it is.
        terms: What it becomes.
        now: The creation date of entries for which the old format keeps none.

    Raises:
        CannotCarryError: something would be lost.
        ReconcileError: the new format cannot hold an entry.
    """
    if are_alike(container.type, terms.type):
        return container.migrated(terms)
    snapshot = container.snapshot()
    reasons = [*_in_the_way(snapshot, terms), *container.peculiarities()]
    writes: list[Write] = []
    for entry in snapshot.entries:
        write = _write(container, entry, terms)
        if isinstance(write, str):
            reasons.append((entry.alias, write))
        elif write is not None:
            writes.append(write)
    check_carried(reasons)
    return new_container(terms.type, terms.encryption).with_writes(writes, password=terms.new, now=now)


def _in_the_way(snapshot: Snapshot, terms: Terms) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for entry in snapshot.entries:
        key = alias_key(entry.alias)
        if key in seen:
            yield entry.alias, f"two spellings of an alias are one in {terms.type}"
        seen.add(key)
        if entry.kind in (EntryKind.SECRET_KEY, EntryKind.OTHER) or not entry.chain:
            yield entry.alias, _kind_in_words(entry, terms)
        elif entry.kind is EntryKind.KEY_PAIR and key in terms.unchanged:
            yield entry.alias, f"it is protected, and a {terms.type} keystore cannot hold its key as it is"
    for hidden in snapshot.hidden:
        yield hidden.name, f"hidden from Java ({hidden.what}): it would be lost"


def _kind_in_words(entry: Entry, terms: Terms) -> str:
    if entry.kind is EntryKind.KEY_PAIR or entry.key_digest is not None:
        return "a private key without certificates, which has no place in another format"
    if entry.kind is EntryKind.SECRET_KEY:
        return f"a secret key cannot be carried from {'JCEKS' if terms.type is StoreType.PKCS12 else 'PKCS#12'}"
    return "it is neither a certificate nor a key pair"


def _write(container: Container, entry: Entry, terms: Terms) -> Write | str | None:
    """The write that puts an entry into the new keystore, why there is none, or None where that was said already."""
    match entry.kind:
        case EntryKind.TRUSTED_CERTIFICATE if entry.chain:
            return PutCertificate(entry.stored_alias or entry.alias, entry.chain[0], entry.created)
        case EntryKind.KEY_PAIR if entry.chain and alias_key(entry.alias) not in terms.unchanged:
            if terms.new is None or terms.old is None:
                return PutKeyPair(entry.alias, entry.chain, None, entry.created)
            try:
                key = container.private_key(entry.alias, terms.old)
            except KeystoreUnreadableError:
                return "the keystore's password does not open its key: one of its own cannot be carried"
            return PutKeyPair(entry.alias, entry.chain, key, entry.created)
        case _:
            return None
