"""PKCS#12 keystores: split into bags, shown as Java shows them, written so that nothing else moves.

A file is a `Pkcs12Container`. Its parts are in modules of their own: the frame (`pkcs12_pfx`), the bags
(`pkcs12_bags`), Java's view of them (`pkcs12_view`, `pkcs12_chains`), the writes (`pkcs12_writes`) and the arithmetic
(`pkcs12_crypto`, `pkcs12_mac`, `pkcs12_rc2`). Why this is not left to a library: docs/decisions/0003-own-containers.md.

Limits: 64 MB, 100,000 bags, 5,000,000 iterations for one derivation and four times that for a file, chains of 100.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from reconciler.der import DerError
from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores.pkcs12_bags import BagKind, other_attributes
from reconciler.keystores.pkcs12_crypto import Passphrase, open_key
from reconciler.keystores.pkcs12_pfx import Pfx, encode_pfx, new_pfx, read_pfx
from reconciler.keystores.pkcs12_profiles import MODERN, PROFILES, profile_of
from reconciler.keystores.pkcs12_view import JavaView
from reconciler.model import EntryKind, PutKeyPair, Snapshot, StoreType
from reconciler.ownership import alias_key
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.keystores.pkcs12_bags import Bag
    from reconciler.keystores.pkcs12_writes import Carried
    from reconciler.keystores.protocol import Container, Terms
    from reconciler.model import Certificate, Write


class HiddenKey(NamedTuple):
    """A private key that is in the file and that Java does not show: a source of imports, never written.

    OpenSSL's ``-keypbe NONE`` writes such keys; so are keys without localKeyID after the first, and keys that a later
    entry of the same alias hides.
    """

    name: str  # the friendlyName, empty when there is none
    what: str
    chain: tuple[Certificate, ...]  # by localKeyID or name; empty when nothing says which certificate is its own
    position: int  # for `Pkcs12Container.open_hidden`


class OpenedKey(NamedTuple):
    """A private key as PKCS#8 DER, with its chain."""

    private_key: Secret
    chain: tuple[Certificate, ...]


class Pkcs12Container:
    """The content of a PKCS#12 file; implements `reconciler.keystores.protocol.Container`."""

    type = StoreType.PKCS12

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        pfx: Pfx,
        *,
        origin: str,
        data: bytes | None = None,
        opened_with: Secret | None = None,
        password_is_ascii: bool = True,
        preview: bool = False,
    ) -> None:
        self._pfx = pfx
        self._origin = origin
        self._data = data  # the file, as long as nothing was written
        self._opened_with = opened_with
        self._password_is_ascii = password_is_ascii
        self._preview = preview

    def __repr__(self) -> str:
        return f"Pkcs12Container({self._origin!r}, {len(self._view.bags)} bags)"

    @property
    def bags(self) -> Sequence[Bag]:
        """Every bag in file order, as it came."""
        return self._view.bags

    @cached_property
    def _view(self) -> JavaView:
        return JavaView([safe.bags for safe in self._pfx.safes])

    # ------------------------------------------------------------------------------------------- reading

    def snapshot(self) -> Snapshot:
        """See `Container.snapshot`."""
        view = self._view
        try:
            return Snapshot(
                type=self.type,
                entries=view.entries(),
                hidden=view.hidden(),
                parts=view.parts(),
                warnings=tuple(self._warnings()),
                integrity=self._pfx.mac is not None and self._pfx.verified,
                encryption=profile_of(self._pfx),
            )
        except KeystoreUnreadableError as error:
            error.where = error.where or self._origin
            raise

    def _warnings(self) -> list[str]:
        mac, envelopes = self._pfx.mac, [safe.envelope for safe in self._pfx.safes if safe.envelope is not None]
        warnings = []
        if mac is None:
            warnings.append("the file has no integrity check: nobody can tell whether it was changed")
        elif not self._pfx.verified:
            warnings.append("the file's integrity check was not made, because no password was given")
        if mac is not None and not mac.readable_by_java:
            warnings.append(
                "Java before 26 cannot open the file: its integrity check is of a kind that it does not know"
            )
        if any(not envelope.encryption.readable_by_java for envelope in envelopes):
            warnings.append("Java cannot open the file: it does not know the cipher of its certificates")
        if not self._password_is_ascii:
            warnings.append(
                "the password has characters beyond printable ASCII: Java 17 does not open the file with it, and newer "
                "Java only where the encryption is current"
            )
        return warnings

    def private_key(self, alias: str, password: Secret) -> Secret:
        """See `Container.private_key`; a name that only a hidden key has is taken for that key."""
        claim = self._view.shown.get(alias_key(alias))
        if claim is not None and claim.kind is EntryKind.KEY_PAIR:
            return self._opened(claim.position, password, alias)
        hidden = [key for key in self.hidden_keys() if alias_key(key.name) == alias_key(alias)]
        if claim is None and len(hidden) == 1:
            return self._opened(hidden[0].position, password, alias)
        raise KeystoreUnreadableError(f"there is no key pair {alias!r} in the keystore", where=self._origin)

    def hidden_keys(self) -> tuple[HiddenKey, ...]:
        """The private keys that Java does not show."""
        view = self._view
        return tuple(
            HiddenKey(
                view.bags[position].name or "",
                view.why_hidden(position),
                tuple(view.certificate(one) for one in view.hidden_chain(position)),
                position,
            )
            for position in view.hidden_keys
        )

    def open_hidden(self, key: HiddenKey, password: Secret) -> OpenedKey:
        """A hidden key with its chain: where no attribute tells which certificate is its own, the public key does.

        Raises:
            KeystoreUnreadableError: `password` does not open it. A plain key needs none.
        """
        private_key = self._opened(key.position, password, key.name)
        return OpenedKey(private_key, key.chain or self._chain_by_public_key(private_key))

    def _chain_by_public_key(self, private_key: Secret) -> tuple[Certificate, ...]:
        from reconciler.x509 import public_key_sha256_of

        try:
            wanted = public_key_sha256_of(private_key)
        except ValueError:
            return ()
        for position, certificate in self._view.certificates.items():
            if certificate.public_key_sha256 == wanted:
                return tuple(self._view.certificate(one) for one in self._view.chain_from_certificate(position))
        return ()

    def _opened(self, position: int, password: Secret, alias: str) -> Secret:
        bag = self._view.bags[position]
        if bag.kind is BagKind.PLAIN_KEY:
            return Secret(bag.value)
        return open_key(bag.value, password, alias=alias, where=self._origin)

    # ------------------------------------------------------------------------------------------- writing

    def with_writes(self, writes: Sequence[Write], *, password: Secret | None, now: datetime) -> Pkcs12Container:
        """See `Container.with_writes`."""
        if not writes:
            return self
        from reconciler.keystores.pkcs12_writes import Draft

        passphrase = None if password is None else Passphrase(password, where=self._origin)
        plain = password is None and self._pfx.mac is None
        try:
            self._check_whole()
            profile = PROFILES.get(profile_of(self._pfx) or "", PROFILES[MODERN])
            draft = Draft(self._pfx.safes, passphrase, now, profile, plain=plain)
            for write in writes:
                draft.apply(write)
            safes = draft.finished()
        except DerError as error:
            raise RefusedError(f"the keystore cannot be written whole: {error}", where=self._origin) from None
        except ReconcileError as error:
            error.where = error.where or self._origin
            raise
        return Pkcs12Container(
            self._pfx._replace(safes=safes),
            origin=self._origin,
            opened_with=self._opened_with,
            password_is_ascii=self._password_is_ascii and (passphrase is None or passphrase.is_printable_ascii),
            preview=self._preview or (password is None and any(isinstance(write, PutKeyPair) for write in writes)),
        )

    def migrated(self, terms: Terms) -> Pkcs12Container:
        """See `Container.migrated`: every bag keeps its place, and those of keys that open get a new protection."""
        if terms.new is None:
            return self
        from reconciler.keystores.pkcs12_migration import migrated_pfx

        try:
            pfx = migrated_pfx(self._pfx, terms, self._opening_keys(terms))
        except DerError as error:
            raise RefusedError(f"the keystore cannot be written whole: {error}", where=self._origin) from None
        is_ascii = Passphrase(terms.new, where=self._origin).is_printable_ascii
        return Pkcs12Container(pfx, origin=self._origin, opened_with=terms.old, password_is_ascii=is_ascii)

    def _opening_keys(self, terms: Terms) -> dict[int, Secret]:
        """The keys that Java shows and that the store's password opens, by position; the others stay as they are."""
        opened = {}
        for claim in self._view.shown.values():
            if terms.old is not None and claim.kind is EntryKind.KEY_PAIR and claim.key not in terms.unchanged:
                with suppress(KeystoreUnreadableError):
                    opened[claim.position] = self._opened(claim.position, terms.old, claim.alias)
        return opened

    def peculiarities(self) -> tuple[tuple[str, str], ...]:
        """See `Container.peculiarities`."""
        found = []
        if self._pfx.extra or self._pfx.tail or self._pfx.obstacle:
            found.append(("", "bytes around its contents, which only this file has"))
        for claim in self._view.shown.values():
            positions = [position for position in (claim.position, self._view.leaf(claim)) if position is not None]
            if any(other_attributes(self._view.bags[position]) for position in positions):
                found.append((claim.key, "it has attributes that only PKCS#12 can hold"))
        return tuple(found)

    def carried(self, alias: str) -> Carried | None:
        """An entry as bags, for `Restore`; None where its bags mean something else in another file."""
        from reconciler.keystores.pkcs12_writes import Carried

        view = self._view
        claim = view.shown.get(alias_key(alias))
        if claim is None:
            return None
        own, at = view.bags[claim.position], view.leaf(claim)
        if claim.unnamed or (claim.kind is EntryKind.KEY_PAIR and (own.key_id is None or at is None)):
            return None
        chain = tuple(view.certificate(position) for position in view.chain(claim))
        return Carried(claim.alias, claim.kind, own, None if at is None else view.bags[at], chain)

    def can_restore(self, alias: str, origin: Container) -> bool:
        """See `Container.can_restore`."""
        return isinstance(origin, Pkcs12Container) and origin.carried(alias) is not None

    def _check_whole(self) -> None:
        if self._pfx.obstacle is not None:
            raise RefusedError(f"the keystore cannot be written whole: {self._pfx.obstacle}")

    def to_bytes(self, password: Secret | None) -> bytes:
        """See `Container.to_bytes`.

        Under another password than the file was opened with, certificates are encrypted and the integrity check is
        made with the new one; keys keep the password that they have.
        """
        same = password == self._opened_with
        if self._data is not None and same:
            return self._data
        if self._preview:
            raise RefusedError(
                "a private key cannot be kept without a password to protect it",
                where=self._origin,
                hint="name the keystore's password under `keystore:`",
            )
        try:
            return encode_pfx(self._pfx, None if password is None else Passphrase(password), reuse=same)
        except ReconcileError as error:
            error.where = error.where or self._origin
            raise


def parse(data: bytes, password: Secret | None, *, origin: str) -> Pkcs12Container:
    """The keystore in `data`; `origin` is what messages call it.

    Without a password the integrity check is not made, and encrypted certificates are an error: Java would silently
    show a keystore without them.

    Raises:
        KeystoreUnreadableError: not PKCS#12, damaged, wrong or missing password, beyond a limit.
    """
    pfx = read_pfx(data, password, origin=origin)
    is_ascii = password is None or Passphrase(password).is_printable_ascii
    return Pkcs12Container(pfx, origin=origin, data=data, opened_with=password, password_is_ascii=is_ascii)


def empty(encryption: str = MODERN) -> Pkcs12Container:
    """A new keystore as current Java writes it (AES-256, HmacPBESHA256, 10,000 iterations), or as old Java did."""
    profile = PROFILES[encryption]
    return Pkcs12Container(new_pfx(profile.certificates(), profile.mac()), origin="the new keystore")
