"""JKS and JCEKS keystores, split into raw entries: what no write names goes back byte for byte, undecrypted.

Version 1 of the layout is read and kept: Java reads it to this day, and going over to version 2 would change the
bytes of every entry. New files have version 2.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha1, sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores.java_data import MAX_ENTRIES, JavaData, write_int
from reconciler.keystores.jks_entry import (
    EPOCH,
    PRIVATE_KEY,
    SECRET_KEY,
    TRUSTED_CERTIFICATE,
    X509,
    Layout,
    RawEntry,
    check_alias,
    new_entry,
    read_entry,
)
from reconciler.keystores.sun_keys import is_jks_protection
from reconciler.model import (
    HiddenEntry,
    Part,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Restore,
    Snapshot,
    StoreType,
)
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconciler.keystores.protocol import Container, Terms
    from reconciler.model import Certificate, Write
    from reconciler.secret import Secret

MAGICS = {StoreType.JKS: b"\xfe\xed\xfe\xed", StoreType.JCEKS: b"\xce\xce\xce\xce"}
VERSIONS = (1, 2)
DIGEST_BYTES = 20

_WHITENER = b"Mighty Aphrodite"  # goes into the digest after the password (`JavaKeyStore.getPreKeyedHash`)


@dataclass(frozen=True)
class JksContainer:
    """The content of one JKS or JCEKS file; implements `reconciler.keystores.protocol.Container`.

    Attributes:
        layout: Type and version of the file.
        entries: In file order, those that a later one of the same alias hides included.
        count: The number of entries as the file states it; negative means none, as for Java.
        trailing: What follows the digest; Java ignores it.
        verified: Whether the digest was checked against a password.
        preview: Whether it came out of `with_writes` without a password.
    """

    layout: Layout
    entries: tuple[RawEntry, ...] = ()
    count: int = 0
    trailing: bytes = b""
    origin: str = ""
    verified: bool = True
    preview: bool = False

    @property
    def type(self) -> StoreType:
        """JKS or JCEKS, by the magic number."""
        return self.layout.type

    def snapshot(self) -> Snapshot:
        """See `Container.snapshot`."""
        return Snapshot(
            type=self.type,
            entries=tuple(entry.shown for entry in _visible(self.entries)),
            hidden=tuple(self._hidden()),
            parts=tuple(self._parts()),
            warnings=tuple(self._warnings()),
            integrity=self.verified,
        )

    def _hidden(self) -> Iterable[HiddenEntry]:
        visible = {id(entry) for entry in _visible(self.entries)}
        for entry in self.entries:
            if id(entry) not in visible:
                what = "an earlier entry of the same alias, which the later one replaces when Java loads the file"
                yield HiddenEntry(entry.alias, what, entry.shown.chain)
        if self.trailing:
            yield HiddenEntry("trailing bytes", f"{len(self.trailing):,} bytes after the end of the keystore")

    def _parts(self) -> Iterable[Part]:
        for entry in self.entries:
            yield Part(entry.key, entry.shown.digest)
        if self.trailing:
            yield Part(None, sha256(self.trailing).hexdigest())

    def _warnings(self) -> Iterable[str]:
        if not self.verified:
            yield "no password was given, so the integrity of the keystore was not checked"
        if self.count < 0:
            yield f"the file states {self.count} entries, which Java reads as none"
        if self.trailing:
            yield f"{len(self.trailing):,} bytes follow the end of the keystore; Java ignores them, they are kept"

    def with_writes(self, writes: Sequence[Write], *, password: Secret | None, now: datetime) -> JksContainer:
        """See `Container.with_writes`.

        A written alias is stored in lower case, as Java stores it, and takes the place of every spelling of itself.
        """
        if not writes:
            return self
        editor = _Editor(self, password, (now - EPOCH) // timedelta(milliseconds=1))
        for write in writes:
            editor.apply(write)
        entries = editor.entries()
        return replace(self, entries=entries, count=len(entries), preview=self.preview or password is None)

    def to_bytes(self, password: Secret | None) -> bytes:
        """See `Container.to_bytes`.

        Raises:
            RefusedError: there is no password, or the content was never checked against one: a new digest would make
                a file look genuine that may have been tampered with.
        """
        if password is None or self.preview or not self.verified:
            raise RefusedError(
                f"a {self.type} keystore is not written without its password",
                where=self.origin or None,
                hint="declare `password:` under `keystore:`",
            )
        pieces = [MAGICS[self.type], write_int(self.layout.version), write_int(self.count)]
        pieces += (entry.raw for entry in self.entries)
        body = b"".join(pieces)
        return b"".join((body, _digest(body, password, self.origin), self.trailing))

    def migrated(self, terms: Terms) -> JksContainer:
        """See `Container.migrated`: JKS and JCEKS hold the same entries, secret keys and some protections apart."""
        from reconciler.keystores.moving import check_carried

        moved = [self._moved(entry, terms) for entry in self.entries]
        check_carried([(entry.alias, one) for entry, one in zip(self.entries, moved, strict=True) if type(one) is str])
        entries = tuple(one for one in moved if isinstance(one, RawEntry))
        return replace(self, layout=replace(self.layout, type=terms.type), entries=entries)

    def _moved(self, entry: RawEntry, terms: Terms) -> RawEntry | str:
        """An entry on other terms, or why it cannot be."""
        to_jks = terms.type is StoreType.JKS
        if entry.tag == SECRET_KEY and to_jks:
            return "a JKS keystore holds no secret keys"
        if entry.tag != PRIVATE_KEY:
            return entry
        # Java takes a private key without certificates for a secret key, and so does everything here.
        is_pair = bool(entry.certificates)
        if not is_pair and self.type is StoreType.JKS and terms.type is StoreType.JCEKS:
            return "a private key without certificates, at which Java fails in a JCEKS keystore"
        fixed = entry.key in terms.unchanged
        if is_pair and not fixed:
            if terms.new is None:
                return entry
            key = self._opened(entry, terms.old)
            if key is not None:
                return entry.reprotected(_protected(terms.type, key, terms.new))
        if to_jks and not is_jks_protection(entry.protected):
            why = "it is protected" if fixed else "its key is not one that the keystore's password opens"
            return f"{why}, and a JKS keystore cannot hold it as it is"
        return entry

    def _opened(self, entry: RawEntry, password: Secret | None) -> Secret | None:
        """The private key, where the alias means this entry and the password is its own."""
        reached = _reached([one for one in _visible(self.entries) if one.key == entry.key])
        if password is None or reached is not entry:
            return None
        with suppress(KeystoreUnreadableError):
            return self.private_key(entry.alias, password)
        return None

    def peculiarities(self) -> tuple[tuple[str, str], ...]:
        """See `Container.peculiarities`."""
        return tuple((entry.alias, what) for entry in self.entries if (what := entry.peculiarity()) is not None)

    def raw_entry(self, alias: str) -> RawEntry | None:
        """The entry that an alias means, for `Restore`."""
        return _reached([entry for entry in _visible(self.entries) if entry.key == alias_key(alias)])

    def can_restore(self, alias: str, origin: Container) -> bool:
        """See `Container.can_restore`."""
        entry = origin.raw_entry(alias) if isinstance(origin, JksContainer) else None
        if entry is None or not isinstance(origin, JksContainer) or origin.layout.version != self.layout.version:
            return False
        if self.type is StoreType.JCEKS or entry.tag == TRUSTED_CERTIFICATE:
            return True
        return entry.tag == PRIVATE_KEY and is_jks_protection(entry.protected)

    def private_key(self, alias: str, password: Secret) -> Secret:
        """See `Container.private_key`."""
        from reconciler.keystores.sun_keys import recover

        entry = _reached([entry for entry in _visible(self.entries) if entry.key == alias_key(alias)])
        where = f"{self.origin}, alias {alias}"
        if entry is None or entry.tag != PRIVATE_KEY:
            raise KeystoreUnreadableError("there is no private key under this alias", where=where)
        return recover(entry.protected, password, where=where)


def parse(data: bytes, password: Secret | None, *, origin: str) -> JksContainer:
    """The container of a JKS or JCEKS file.

    Args:
        data: The whole file.
        password: The password of the keystore; None reads it without checking its integrity, as Java can.
        origin: What errors call the file.

    Raises:
        KeystoreUnreadableError: wrong password, damaged, or too large.
    """
    source = JavaData(data, origin=origin)
    layout = _layout(source)
    count = source.signed_int()
    if count > MAX_ENTRIES or count * layout.smallest_entry > source.remaining:
        raise source.damaged(f"{count:,} entries are announced, more than fit into the file or are read")
    entries = tuple(read_entry(source, layout) for _ in range(count))
    end = source.position
    digest = source.take(DIGEST_BYTES)
    container = JksContainer(
        layout, entries, count, data[source.position :], origin=origin, verified=password is not None
    )
    if password is not None and not compare_digest(digest, _digest(memoryview(data)[:end], password, origin)):
        raise _does_not_fit(container)
    return container


def empty(store_type: StoreType) -> JksContainer:
    """A new keystore without entries."""
    return JksContainer(Layout(store_type, VERSIONS[-1]))


def empty_jks(encryption: str | None = None) -> JksContainer:
    """A new JKS keystore; the format has one encryption."""
    del encryption
    return empty(StoreType.JKS)


def empty_jceks(encryption: str | None = None) -> JksContainer:
    """A new JCEKS keystore; the format has one encryption."""
    del encryption
    return empty(StoreType.JCEKS)


def _layout(source: JavaData) -> Layout:
    magic = source.take(4)
    store_type = next((name for name, bytes_ in MAGICS.items() if bytes_ == magic), None)
    if store_type is None:
        raise source.damaged("the magic number of JKS and JCEKS is missing")
    version = source.signed_int()
    if version not in VERSIONS:
        raise source.damaged(f"the version is {version} instead of 1 or 2")
    return Layout(store_type, version)


def _digest(body: bytes | memoryview, password: Secret, origin: str) -> bytes:
    try:
        text = password.text()
    except UnicodeDecodeError:
        raise KeystoreUnreadableError("the password is not text in UTF-8", where=origin) from None
    # The integrity check of the format, whatever one thinks of it.
    digest = sha1(text.encode("utf-16-be"), usedforsecurity=False)
    digest.update(_WHITENER)
    digest.update(body)
    return digest.digest()


def _does_not_fit(container: JksContainer) -> KeystoreUnreadableError:
    """Why the digest is another one: mostly the password, unless the content has visible damage as well."""
    if container.trailing or container.count < 0 or any(entry.shown.note for entry in container.entries):
        return KeystoreUnreadableError(
            "the keystore is damaged or was tampered with, or the password is wrong",
            where=container.origin,
            hint="try the password with `keytool -list`; if it is the right one, restore the file from a backup",
        )
    return KeystoreUnreadableError(
        "the password of the keystore is wrong (or somebody who does not know it changed the file)",
        where=container.origin,
        hint="check `password:`; a password has no blanks or line ends around it",
    )


def _visible(entries: Sequence[RawEntry]) -> list[RawEntry]:
    """Those that Java keeps: the later of two entries whose stored aliases are the very same."""
    last = {entry.alias: entry for entry in entries}
    return [entry for entry in entries if last[entry.alias] is entry]


def _reached(spellings: Sequence[RawEntry]) -> RawEntry | None:
    """The entry that an alias means: the one that Java finds, or the only one there is."""
    found = [entry for entry in spellings if entry.is_reachable] or spellings
    return found[0] if len(found) == 1 else None


def _protected(store_type: StoreType, key: Secret, password: Secret) -> bytes:
    from reconciler.keystores.sun_keys import protect_jceks, protect_jks

    return (protect_jks if store_type is StoreType.JKS else protect_jceks)(key, password)


class _Editor:
    """Applies writes to a list of entries, finding them by the identity of their alias."""

    def __init__(self, container: JksContainer, password: Secret | None, now: int) -> None:
        self._layout = container.layout
        self._origin = container.origin
        self._password = password
        self._now = now
        self._slots: list[RawEntry | None] = list(container.entries)
        self._places: dict[str, list[int]] = {}
        for place, entry in enumerate(container.entries):
            self._places.setdefault(entry.key, []).append(place)

    def entries(self) -> tuple[RawEntry, ...]:
        """What is left."""
        return tuple(entry for entry in self._slots if entry is not None)

    def apply(self, write: Write) -> None:
        """Carry one write out.

        Raises:
            ReconcileError: it cannot be.
        """
        match write:
            case PutCertificate(alias, certificate, created):
                self._refuse_other_kind(alias, TRUSTED_CERTIFICATE)
                self._put(alias, self._moment(created), (certificate,), None)
            case PutKeyPair(alias, chain, private_key, created):
                self._refuse_other_kind(alias, PRIVATE_KEY)
                self._put(alias, self._moment(created), chain, self._protected(alias, private_key))
            case PutChain(alias, chain):
                old = self._existing(alias)
                self._refuse_other_kind(alias, PRIVATE_KEY)
                self._put(alias, old.created, chain, old.protected)
            case Remove(alias):
                self._existing(alias)
                self._take_out(alias_key(alias))
            case Rename(alias, new_alias):
                self._rename(alias, new_alias)
            case Restore(alias, origin=JksContainer() as origin):
                self._restore(alias, origin)
            case Restore(alias):
                raise ReconcileError("the backup is of another format", where=self._where(alias))

    def _moment(self, created: datetime | None) -> int:
        return self._now if created is None else (created - EPOCH) // timedelta(milliseconds=1)

    def _restore(self, alias: str, origin: JksContainer) -> None:
        entry = origin.raw_entry(alias)
        if entry is None:
            raise ReconcileError("the backup does not hold the entry", where=self._where(alias))
        self._refuse_other_kind(alias, entry.tag)
        self._place(entry, self._take_out(entry.key))

    def _put(self, alias: str, created: int, chain: Sequence[Certificate], protected: bytes | None) -> None:
        if not chain:
            raise ReconcileError("a key pair without certificates is not written", where=self._where(alias))
        key = alias_key(alias)
        certificates = tuple((X509, certificate.der) for certificate in chain)
        entry = new_entry(self._layout, key, created, certificates, protected)
        self._place(entry, self._take_out(key))

    def _rename(self, alias: str, new_alias: str) -> None:
        old, new_key = self._existing(alias), alias_key(new_alias)
        check_alias(new_key)
        if new_key != old.key and self._places.get(new_key):
            raise RefusedError(f"{alias} cannot become {new_alias}: that alias is taken", where=self._where(alias))
        self._place(old.renamed(new_key), self._take_out(old.key))

    def _place(self, entry: RawEntry, place: int | None) -> None:
        if place is None:
            place = len(self._slots)
            self._slots.append(None)
        self._slots[place] = entry
        self._places[entry.key] = [place]

    def _take_out(self, key: str) -> int | None:
        """Empty every place of an alias; the first of them, for what comes instead."""
        places = self._places.pop(key, [])
        for place in places:
            self._slots[place] = None
        return places[0] if places else None

    def _spellings(self, alias: str) -> list[RawEntry]:
        """The entries that Java shows under any spelling of an alias."""
        there = [self._slots[place] for place in self._places.get(alias_key(alias), ())]
        return _visible([entry for entry in there if entry is not None])

    def _existing(self, alias: str) -> RawEntry:
        spellings = self._spellings(alias)
        entry = _reached(spellings)
        if entry is None:
            listed = ", ".join(entry.alias for entry in spellings)
            reason = f"the alias is ambiguous: {listed}" if listed else "there is no such entry"
            raise ReconcileError(reason, where=self._where(alias))
        return entry

    def _refuse_other_kind(self, alias: str, tag: int) -> None:
        if any(entry.tag != tag for entry in self._spellings(alias)):
            raise RefusedError(
                "an entry of another kind has this alias, and kinds are not swapped",
                where=self._where(alias),
                hint="rename or remove it first",
            )

    def _protected(self, alias: str, key: Secret | None) -> bytes:
        if self._password is None:  # a preview: nothing is encrypted
            return b""
        if key is None:
            raise ReconcileError("a key pair is not written without its private key", where=self._where(alias))
        return _protected(self._layout.type, key, self._password)

    def _where(self, alias: str) -> str:
        return f"{self._origin}, alias {alias}" if self._origin else f"alias {alias}"
