"""BKS and UBER keystores of Bouncy Castle, for reading only: they are sources of imports, never a live keystore.

Layout: `org.bouncycastle.jcajce.provider.keystore.bc.BcKeyStoreSpi`. The arithmetic (the key derivation of PKCS #12 and
the protection of keys) is pyjks's. The entries are split here, since pyjks believes every announced length, runs any
number of iterations, and reads aliases as plain UTF-8, so that one with an emoji makes a keystore unreadable.

UBER is encrypted with Twofish, which cryptography does not have: it needs the extra ``uber`` of this package.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from reconciler.errors import KeystoreUnreadableError, RefusedError
from reconciler.keystores.java_data import JavaData
from reconciler.keystores.jks_entry import X509_TYPES, instant
from reconciler.model import Entry, EntryKind, Part, Snapshot, StoreType
from reconciler.ownership import alias_key
from reconciler.secret import Secret
from reconciler.x509 import certificate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model import Write

VERSIONS = (1, 2)
# BcKeyStoreSpi refuses UBER files above `MIN_ITERATIONS << 6`, and writes at most 2047 iterations in either format.
MAX_ITERATIONS = 1024 << 6
MAX_SALT_BYTES = 64  # it writes 20
DIGEST_BYTES = 20

_END, _CERTIFICATE, _PLAIN_KEY, _OPAQUE, _SEALED = 0, 1, 2, 3, 4
_PRIVATE, _PUBLIC = 0, 1
_BLOCK_BYTES = 16
_SMALLEST_CERTIFICATE = 6


class Derivation(NamedTuple):
    """From what, besides the password, a key is derived."""

    salt: bytes
    iterations: int


@dataclass(frozen=True)
class BouncyEntry:
    """One entry as it stands in the file; `content` is the key: sealed, opaque, or a record in the clear."""

    tag: int
    alias: str
    created: int
    chain: tuple[tuple[str, bytes], ...]
    content: bytes
    raw: bytes

    @property
    def digest(self) -> str:
        """SHA-256 over the bytes."""
        return sha256(self.raw).hexdigest()

    @property
    def shown(self) -> Entry:
        """What keytool shows with Bouncy Castle's provider: any key with a chain is a key pair."""
        foreign = any(name not in X509_TYPES for name, _ in self.chain)
        return Entry(
            alias=self.alias,
            kind=EntryKind.OTHER if foreign else self._kind(),
            chain=() if foreign else tuple(certificate(content) for _, content in self.chain),
            digest=self.digest,
            stored_alias=self.alias,
            created=instant(self.created),
            note="a certificate that is not X.509" if foreign else None,
        )

    def _kind(self) -> EntryKind:
        if self.tag == _CERTIFICATE:
            return EntryKind.TRUSTED_CERTIFICATE
        return EntryKind.KEY_PAIR if self.chain else EntryKind.SECRET_KEY


@dataclass(frozen=True)
class BouncyContainer:
    """The content of one BKS or UBER file; the reading half of `reconciler.keystores.protocol.Container`."""

    type: StoreType
    entries: tuple[BouncyEntry, ...]
    origin: str
    verified: bool

    def snapshot(self) -> Snapshot:
        """See `Container.snapshot`. The later of two entries with the same alias counts, as in JKS."""
        last = {entry.alias: entry for entry in self.entries}
        unchecked = ("no password was given, so the integrity of the keystore was not checked",)
        return Snapshot(
            type=self.type,
            entries=tuple(entry.shown for entry in self.entries if last[entry.alias] is entry),
            parts=tuple(Part(alias_key(entry.alias), entry.digest) for entry in self.entries),
            warnings=() if self.verified else unchecked,
            integrity=self.verified,
        )

    def with_writes(self, writes: Sequence[Write], *, password: Secret | None, now: datetime) -> NoReturn:  # noqa: ARG002  # the protocol's signature
        """Nothing is written into these formats.

        Raises:
            RefusedError: always.
        """
        raise self._read_only()

    def to_bytes(self, password: Secret | None) -> NoReturn:  # noqa: ARG002  # the protocol's signature
        """Nothing is written in these formats.

        Raises:
            RefusedError: always.
        """
        raise self._read_only()

    def private_key(self, alias: str, password: Secret) -> Secret:
        """See `Container.private_key`. Aliases are case-sensitive here; another case will do if it is the only one."""
        where = f"{self.origin}, alias {alias}"
        entry = self._find(alias)
        if entry is None or entry.tag not in (_PLAIN_KEY, _SEALED):
            raise KeystoreUnreadableError("there is no private key under this alias", where=where)
        record = entry.content if entry.tag == _PLAIN_KEY else _unsealed(entry.content, password, where)
        return _private_key(record, where)

    def _find(self, alias: str) -> BouncyEntry | None:
        exact = [entry for entry in self.entries if entry.alias == alias]
        if exact:
            return exact[-1]
        similar = {entry.alias: entry for entry in self.entries if alias_key(entry.alias) == alias_key(alias)}
        return next(iter(similar.values())) if len(similar) == 1 else None

    def _read_only(self) -> RefusedError:
        return RefusedError(
            f"a keystore of the type {self.type} is only read, as a source of imports",
            where=self.origin,
            hint="convert it with `keytool -importkeystore` to PKCS#12 to manage it",
        )


def parse(data: bytes, password: Secret | None, *, origin: str) -> BouncyContainer:
    """The container of a BKS or UBER file.

    Args:
        data: The whole file.
        password: The password of the keystore. BKS can be read without, which leaves its integrity unchecked.
        origin: What errors call the file.

    Raises:
        KeystoreUnreadableError: wrong password, damaged, or too large.
    """
    source = JavaData(data, origin=origin)
    version, derivation = _header(source)
    if is_uber(data, origin=origin):
        entries = _read_uber(source.take(source.remaining), derivation, password, origin)
        return BouncyContainer(StoreType.UBER, entries, origin, verified=True)
    start = source.position
    entries = _entries(source)
    body, digest = data[start : source.position], source.take(DIGEST_BYTES)
    verified = bool(password)  # as Bouncy Castle: an empty password checks nothing
    if password and not hmac.compare_digest(digest, _mac(body, version, derivation, password, origin)):
        raise _wrong_password(origin)
    return BouncyContainer(StoreType.BKS, entries, origin, verified)


def is_uber(data: bytes, *, origin: str) -> bool:
    """Whether a Bouncy Castle file is UBER: both begin alike in version 1, but only BKS shows its entries.

    Raises:
        KeystoreUnreadableError: it does not even begin as one.
    """
    source = JavaData(data, origin=origin)
    version, _ = _header(source)
    if version != 1:
        return False
    encrypted_bytes = source.remaining
    try:
        _entries(source)
    except KeystoreUnreadableError:
        complete = False
    else:
        complete = source.remaining == DIGEST_BYTES
    return not complete and encrypted_bytes > 0 and encrypted_bytes % _BLOCK_BYTES == 0


def _header(source: JavaData) -> tuple[int, Derivation]:
    version = source.signed_int()
    if version not in VERSIONS:
        raise source.damaged(f"the version is {version} instead of 1 or 2")
    return version, _derivation(source)


def _derivation(source: JavaData) -> Derivation:
    salt, iterations = source.array(), source.signed_int()
    if not 0 < len(salt) <= MAX_SALT_BYTES:
        raise source.damaged(f"a salt of {len(salt)} bytes")
    if not 0 < iterations <= MAX_ITERATIONS:
        raise source.damaged(f"{iterations:,} iterations, between 1 and {MAX_ITERATIONS:,} are run")
    return Derivation(salt, iterations)


def _entries(source: JavaData) -> tuple[BouncyEntry, ...]:
    entries = []
    while (tag := source.byte()) != _END:
        entries.append(_entry(source, tag))
    return tuple(entries)


def _entry(source: JavaData, tag: int) -> BouncyEntry:
    start = source.position - 1
    alias = source.text().encode("utf-8", "backslashreplace").decode("utf-8")
    created = source.signed_long()
    count = source.signed_int()
    if not 0 <= count * _SMALLEST_CERTIFICATE <= source.remaining:
        raise source.damaged(f"a chain of {count} certificates is announced")
    chain = tuple(_certificate(source) for _ in range(count))
    content = b""
    if tag == _CERTIFICATE:
        chain = (_certificate(source),)
    elif tag == _PLAIN_KEY:
        content = _key_record(source)
    elif tag in (_OPAQUE, _SEALED):
        content = source.array()
    else:
        raise source.damaged(f"an entry of the unknown kind {tag}")
    return BouncyEntry(tag, alias, created, chain, content, source.data[start : source.position])


def _certificate(source: JavaData) -> tuple[str, bytes]:
    return source.text(), source.array()


def _key_record(source: JavaData) -> bytes:
    start = source.position
    source.byte()
    source.text()
    source.text()
    source.array()
    return source.data[start : source.position]


def _read_uber(
    encrypted: bytes, derivation: Derivation, password: Secret | None, origin: str
) -> tuple[BouncyEntry, ...]:
    if password is None:
        raise KeystoreUnreadableError("an UBER keystore cannot be read without its password", where=origin)
    store = _decrypt_uber(encrypted, derivation, password, origin)
    body, digest = store[:-DIGEST_BYTES], store[-DIGEST_BYTES:]
    if not hmac.compare_digest(digest, sha1(body, usedforsecurity=False).digest()):
        raise _wrong_password(origin)
    return _entries(JavaData(body, origin=origin))


def _decrypt_uber(encrypted: bytes, derivation: Derivation, password: Secret, origin: str) -> bytes:
    from jks.rfc7292 import PURPOSE_IV_MATERIAL, PURPOSE_KEY_MATERIAL

    try:
        from oxifish import TwofishKey
    except ImportError:
        raise KeystoreUnreadableError(
            "an UBER keystore is encrypted with Twofish, for which a package is missing",
            where=origin,
            hint='pip install "reconcile-keystore[uber]", or convert the file with `keytool -importkeystore`',
        ) from None
    text = _text(password, origin)
    key = _derived(PURPOSE_KEY_MATERIAL, text, derivation, 32)
    iv = _derived(PURPOSE_IV_MATERIAL, text, derivation, 16)
    try:
        return bytes(TwofishKey(key).decrypt(encrypted, iv=iv))
    except ValueError:  # the padding does not come out
        raise _wrong_password(origin) from None


def _mac(body: bytes, version: int, derivation: Derivation, password: Secret, origin: str) -> bytes:
    from jks.rfc7292 import PURPOSE_MAC_MATERIAL

    # Version 1 took the 20 bytes of the key for 20 bits; that is what version 2 mends (CVE-2018-5382).
    key_bytes = 2 if version == 1 else 20
    key = _derived(PURPOSE_MAC_MATERIAL, _text(password, origin), derivation, key_bytes)
    return hmac.digest(key, body, "sha1")


def _derived(purpose: int, password: str, derivation: Derivation, length: int) -> bytes:
    from jks.rfc7292 import derive_key

    salt, iterations = derivation
    key = derive_key(sha1, purpose, password, salt, iterations, length)  # type: ignore[arg-type]  # the stub wants a digest where the function wants the maker of one
    return bytes(key)


def _unsealed(content: bytes, password: Secret, where: str) -> bytes:
    from jks.rfc7292 import decrypt_PBEWithSHAAnd3KeyTripleDESCBC
    from jks.util import KeystoreException

    source = JavaData(content, origin=where)
    derivation = _derivation(source)
    encrypted = source.take(source.remaining)
    try:
        record: bytes = decrypt_PBEWithSHAAnd3KeyTripleDESCBC(encrypted, _text(password, where), *derivation)
    except (KeystoreException, ValueError):
        raise _wrong_key_password(where) from None
    return record


def _private_key(record: bytes, where: str) -> Secret:
    source = JavaData(record, origin=where)
    try:
        kind, encoding, _, encoded = source.byte(), source.text(), source.text(), source.array()
    except KeystoreUnreadableError:  # one wrong password in 256 passes the padding
        raise _wrong_key_password(where) from None
    if kind != _PRIVATE or encoding not in ("PKCS#8", "PKCS8"):
        what = "a public key" if kind == _PUBLIC else "another kind of key"
        raise KeystoreUnreadableError(f"the entry holds {what}, not a private key", where=where)
    return Secret(encoded)


def _text(password: Secret, where: str) -> str:
    try:
        return password.text()
    except UnicodeDecodeError:
        raise KeystoreUnreadableError("the password is not text in UTF-8", where=where) from None


def _wrong_password(origin: str) -> KeystoreUnreadableError:
    return KeystoreUnreadableError(
        "the password of the keystore is wrong, or the file was changed", where=origin, hint="check the password"
    )


def _wrong_key_password(where: str) -> KeystoreUnreadableError:
    return KeystoreUnreadableError(
        "the password does not open the private key",
        where=where,
        hint="keys in BKS and UBER keystores may have passwords of their own",
    )
