"""One entry of a JKS or JCEKS keystore: read from its bytes, shown as Java shows it, and made anew.

Sources: `sun.security.provider.JavaKeyStore.engineLoad` and `com.sun.crypto.provider.JceKeyStore.engineLoad`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.keystores.java_data import MAX_TEXT_BYTES, write_array, write_int, write_long, write_text
from reconciler.keystores.java_serialization import skip_sealed_object
from reconciler.model import Entry, EntryKind, StoreType
from reconciler.modified_utf8 import ModifiedUtf8Error
from reconciler.modified_utf8 import decode as modified_utf8_text
from reconciler.modified_utf8 import encode as modified_utf8
from reconciler.ownership import alias_key
from reconciler.x509 import certificate

if TYPE_CHECKING:
    from reconciler.keystores.java_data import JavaData
    from reconciler.model import Certificate

PRIVATE_KEY, TRUSTED_CERTIFICATE, SECRET_KEY = 1, 2, 3
X509 = "X.509"
X509_TYPES = frozenset({"X.509", "X509", "x.509", "x509"})  # names under which Java finds its certificate factory

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAG_BYTES, _TEXT_LENGTH_BYTES, _CREATED_BYTES, _LENGTH_BYTES = 4, 2, 8, 4


@dataclass(frozen=True)
class Layout:
    """What decides how entries are laid out: the type of the keystore and the version of the file.

    Version 1, of JDK 1.1 and never written since, has no type in front of a certificate.
    """

    type: StoreType
    version: int

    @property
    def smallest_certificate(self) -> int:
        """The bytes that a certificate takes at least."""
        return 4 if self.version == 1 else 6

    @property
    def smallest_entry(self) -> int:
        """The bytes that an entry takes at least: a trusted certificate without alias and content."""
        return 14 + self.smallest_certificate


@dataclass(frozen=True)
class RawEntry:
    """One entry as it stands in the file, with the fields in it.

    Attributes:
        alias: The alias as stored. Half of a surrogate pair, which Java allows, is spelled ``\\ud800``: such a text
            could be neither printed nor written to a file.
        created: Milliseconds since 1970.
        protected: The EncryptedPrivateKeyInfo, the serialized secret key, or nothing.
        certificates: (type, content) as stored, the leaf first.
        raw: Every byte of the entry.
    """

    tag: int
    alias: str
    created: int
    protected: bytes
    certificates: tuple[tuple[str, bytes], ...]
    raw: bytes

    @property
    def key(self) -> str:
        """The identity of the alias."""
        return alias_key(self.alias)

    @property
    def is_reachable(self) -> bool:
        """Whether Java finds the entry: it looks the alias up in lower case, but loads it as it was stored."""
        return self.alias == self.key

    @property
    def shown(self) -> Entry:
        """What Java shows. Worked out once, since a preview shows most entries again."""
        known: Entry | None = self.__dict__.get("_shown")
        if known is None:  # not `cached_property`, which takes a lock for every entry until Python 3.12
            known = self.__dict__["_shown"] = self._show()
        return known

    def _show(self) -> Entry:
        chain, oddity = self._chain()
        notes = (self._alias_note(), oddity, self._key_note())
        return Entry(
            alias=self.alias,
            kind=self._kind() if chain or not self.certificates else EntryKind.OTHER,
            chain=chain,
            digest=sha256(self.raw).hexdigest(),
            stored_alias=self.alias,
            reachable=notes[0] is None,
            created=instant(self.created),
            note="; ".join(filter(None, notes)) or None,
            key_digest=sha256(self.protected).hexdigest() if self.tag == PRIVATE_KEY else None,
        )

    def _kind(self) -> EntryKind:
        if self.tag == TRUSTED_CERTIFICATE:
            return EntryKind.TRUSTED_CERTIFICATE
        return EntryKind.KEY_PAIR if self.certificates else EntryKind.SECRET_KEY

    def _chain(self) -> tuple[tuple[Certificate, ...], str | None]:
        """The certificates, and what is odd about them; none where one of them is not X.509."""
        chain, oddity = [], None
        for name, content in self.certificates:
            if name not in X509_TYPES:
                return (), f"a certificate of the type {name[:40]!r}, which Java cannot load"
            length = _sequence_length(content)
            if length == 0:
                oddity = "something that is not a certificate: Java refuses the whole keystore"
            elif length != len(content):
                oddity = oddity or "bytes follow a certificate, which Java ignores"
            chain.append(certificate(content[: length or None]))
        return tuple(chain), oddity

    def _alias_note(self) -> str | None:
        return None if self.is_reachable else "stored with capitals: Java lists the alias but cannot reach the entry"

    def _key_note(self) -> str | None:
        if self.tag != PRIVATE_KEY or self.certificates:
            return None
        return "a private key without certificates, which Java takes for a secret key"

    def renamed(self, alias: str) -> RawEntry:
        """The same entry under another alias, all other bytes as they are."""
        after_alias = _TAG_BYTES + _TEXT_LENGTH_BYTES + int.from_bytes(self.raw[4:6], "big")
        raw = self.raw[:_TAG_BYTES] + write_text(alias) + self.raw[after_alias:]
        return RawEntry(self.tag, alias, self.created, self.protected, self.certificates, raw)

    def reprotected(self, protected: bytes) -> RawEntry:
        """The same key pair around another EncryptedPrivateKeyInfo, all other bytes as they are."""
        start = _TAG_BYTES + _TEXT_LENGTH_BYTES + int.from_bytes(self.raw[4:6], "big") + _CREATED_BYTES
        raw = self.raw[:start] + write_array(protected) + self.raw[start + _LENGTH_BYTES + len(self.protected) :]
        return RawEntry(self.tag, self.alias, self.created, protected, self.certificates, raw)

    def peculiarity(self) -> str | None:
        """What no other format could hold of it, or None."""
        try:
            alias = modified_utf8_text(self.raw[6 : 6 + int.from_bytes(self.raw[4:6], "big")])
        except ModifiedUtf8Error:
            alias = ""
        if alias != self.alias:
            return "its alias is not text"
        chain, _ = self._chain()
        if [content for _, content in self.certificates] != [one.der for one in chain]:
            return "a certificate that is not X.509, or bytes behind one"
        return None


def read_entry(data: JavaData, layout: Layout) -> RawEntry:
    """The entry at the position of `data`.

    Raises:
        KeystoreUnreadableError: none stands there, or one that Java does not know either.
    """
    start = data.position
    tag = data.signed_int()
    if tag not in (PRIVATE_KEY, TRUSTED_CERTIFICATE) and (tag != SECRET_KEY or layout.type is not StoreType.JCEKS):
        raise data.damaged(f"an entry of the unknown kind {tag}")
    alias = _printable(data.text())
    created = data.signed_long()
    protected = b""
    certificates: tuple[tuple[str, bytes], ...] = ()
    if tag == TRUSTED_CERTIFICATE:
        certificates = (_certificate(data, layout),)
    elif tag == PRIVATE_KEY:
        protected = data.array()
        certificates = _chain(data, layout)
    else:
        protected = _sealed_object(data)
    return RawEntry(tag, alias, created, protected, certificates, data.data[start : data.position])


def _certificate(data: JavaData, layout: Layout) -> tuple[str, bytes]:
    return X509 if layout.version == 1 else data.text(), data.array()


def _chain(data: JavaData, layout: Layout) -> tuple[tuple[str, bytes], ...]:
    count = data.signed_int()
    # JavaKeyStore takes a negative count for an empty chain, JceKeyStore fails on it.
    if count * layout.smallest_certificate > data.remaining or (count < 0 and layout.type is StoreType.JCEKS):
        raise data.damaged(f"a chain of {count} certificates is announced")
    return tuple(_certificate(data, layout) for _ in range(count))


def _sealed_object(data: JavaData) -> bytes:
    start = data.position
    skip_sealed_object(data)
    return data.data[start : data.position]


def new_entry(
    layout: Layout,
    alias: str,
    created: int,
    certificates: tuple[tuple[str, bytes], ...],
    protected: bytes | None = None,
) -> RawEntry:
    """An entry from its fields, in the layout of the file that it goes into.

    Args:
        layout: That of the file.
        alias: As it is to be stored.
        created: Milliseconds since 1970.
        certificates: (type, content), the leaf first.
        protected: The EncryptedPrivateKeyInfo of a key pair; None makes a trusted certificate.

    Raises:
        ReconcileError: the alias cannot be stored.
    """
    check_alias(alias)
    tag = TRUSTED_CERTIFICATE if protected is None else PRIVATE_KEY
    raw = write_int(tag) + write_text(alias) + write_long(created)
    if protected is not None:
        raw += write_array(protected) + write_int(len(certificates))
    for name, content in certificates:
        raw += (b"" if layout.version == 1 else write_text(name)) + write_array(content)
    return RawEntry(tag, alias, created, protected or b"", certificates, raw)


def check_alias(alias: str) -> None:
    """Make sure that the format can hold an alias.

    Raises:
        ReconcileError: it cannot.
    """
    if len(modified_utf8(alias)) > MAX_TEXT_BYTES:
        raise ReconcileError(
            f"an alias of {len(alias):,} characters does not fit into a Java keystore",
            where=f"alias {alias[:40]!r}…",
            hint=f"it has room for {MAX_TEXT_BYTES:,} bytes",
        )
    if _printable(alias) != alias:
        raise ReconcileError("the alias holds half of a surrogate pair, which is not text", where=f"alias {alias!r}")


def _printable(alias: str) -> str:
    return alias if alias.isascii() else alias.encode("utf-8", "backslashreplace").decode("utf-8")


def instant(milliseconds: int) -> datetime | None:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # Java goes to the year 292 million, Python to 9999
        return None


def _sequence_length(content: bytes) -> int:
    """How many bytes the ASN.1 sequence at the beginning has; 0 when none begins there."""
    if content[:2] == b"\x30\x82":  # nearly all certificates have between 256 and 65535 bytes
        length = 4 + int.from_bytes(content[2:4], "big")
        if length <= len(content):
            return length
    from reconciler import der

    try:
        return der.read(content).expect(der.SEQUENCE, "a certificate").after
    except der.DerError:
        return 0
