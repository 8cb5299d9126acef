"""A certificate as the list of a tenant states it; the certificate itself is asked for only when that is not enough.

Most questions of a plan are answered by the list: which certificate it is (its fingerprint), whom it names, until when
it lives, which key it has. The others need one request, made when the first of them is asked, and never twice.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import ReconcileError
from reconciler.keystores.sap.names import attributes_of, canonical, rfc4514

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.keystores.sap.entries import TenantCertificate
    from reconciler.model import Certificate

T = TypeVar("T")

_CURVES = {
    "secp256r1": ("secp256r1", "prime256v1", "p-256"),
    "secp384r1": ("secp384r1", "p-384"),
    "secp521r1": ("secp521r1", "p-521"),
}
_CURVE_OF_SIZE = {256: "secp256r1", 384: "secp384r1", 521: "secp521r1"}


class Source:
    """Where whole certificates come from while a reader is open; afterwards what was not asked for stays unknown."""

    def __init__(self, fetch: Callable[[str, str], Certificate]) -> None:
        self._fetch = fetch
        self.closed = False

    def whole(self, alias: str, keystore: str) -> Certificate | None:
        """The certificate of an entry; None when the reader was closed."""
        if self.closed:
            return None
        return self._fetch(alias, keystore)


class ListedCertificate:
    """Implements `reconciler.model.Certificate`; see the module's docstring."""

    def __init__(self, alias: str, keystore: str, stated: TenantCertificate, source: Source) -> None:
        self._alias = alias
        self._keystore = keystore
        self._stated = stated
        self._source = source
        self._found: Certificate | None = None

    def __repr__(self) -> str:
        return f"ListedCertificate({self._alias!a}, {(self._stated.sha256 or '?')[:16]}…)"

    def listed_by(self, source: Source) -> ListedCertificate:
        """The same statement, with somebody else to ask for the certificate itself."""
        return ListedCertificate(self._alias, self._keystore, self._stated, source)

    @property
    def _known(self) -> Certificate | None:
        """The certificate itself, asked for at the first need."""
        if self._found is None:
            found = self._source.whole(self._alias, self._keystore)
            if found is not None and self._stated.sha256 not in {None, found.sha256}:
                raise ReconcileError(
                    f"the entry {self._alias!a} was changed while the keystore was read", hint="run it again"
                )
            self._found = found
        return self._found

    def _asked(self, read: Callable[[Certificate], T | None]) -> T | None:
        """A fact of the certificate itself."""
        known = self._known
        return None if known is None else read(known)

    # -------------------------------------------------------------------------------- what the list states

    @cached_property
    def sha256(self) -> str:
        return self._stated.sha256 or self._whole().sha256

    @cached_property
    def _subject(self) -> tuple[tuple[str, str], ...] | None:
        return attributes_of(self._stated.subject) if self._stated.subject else None

    @cached_property
    def _issuer(self) -> tuple[tuple[str, str], ...] | None:
        return attributes_of(self._stated.issuer) if self._stated.issuer else None

    @property
    def subject(self) -> str | None:
        if self._subject is not None:
            return rfc4514(self._subject)
        return self._known.subject if self._known else self._stated.subject

    @property
    def issuer(self) -> str | None:
        if self._issuer is not None:
            return rfc4514(self._issuer)
        return self._known.issuer if self._known else self._stated.issuer

    @property
    def subject_attributes(self) -> tuple[tuple[str, str], ...] | None:
        if self._found is None and self._subject is not None:
            return self._subject[::-1]
        return self._known.subject_attributes if self._known else None

    @property
    def subject_key(self) -> str | None:
        stated = canonical(self._subject) if self._subject else None
        if self._found is None and stated is not None:
            return stated
        return self._known.subject_key if self._known else None

    @property
    def issuer_key(self) -> str | None:
        stated = canonical(self._issuer) if self._issuer else None
        if self._found is None and stated is not None:
            return stated
        return self._known.issuer_key if self._known else None

    @property
    def serial(self) -> int | None:
        stated = self._stated.serial
        return stated if stated is not None else self._asked(lambda one: one.serial)

    @property
    def not_before(self) -> datetime | None:
        return self._stated.not_before or self._asked(lambda one: one.not_before)

    @property
    def not_after(self) -> datetime | None:
        return self._stated.not_after or self._asked(lambda one: one.not_after)

    @property
    def key_algorithm(self) -> str | None:
        stated = (self._stated.key_type or "").strip().upper()
        if stated in {"RSA", "DSA", "EC"}:
            return stated
        return self._asked(lambda one: one.key_algorithm)

    @property
    def key_size(self) -> int | None:
        return self._stated.key_size or self._asked(lambda one: one.key_size)

    @property
    def curve(self) -> str | None:
        if self.key_algorithm != "EC":
            return None
        return self._stated_curve or self._asked(lambda one: one.curve)

    @cached_property
    def _stated_curve(self) -> str | None:
        """The curve in its SEC name, from Java's long text or from the size alone; None where that is not certain."""
        text = (self._stated.curve or "").lower()
        found = [name for name, spellings in _CURVES.items() if any(one in text for one in spellings)]
        if len(found) == 1:
            return found[0]
        return None if text else _CURVE_OF_SIZE.get(self._stated.key_size or 0)

    @property
    def signature_algorithm(self) -> str | None:
        return self._stated.signature_algorithm or self._asked(lambda one: one.signature_algorithm)

    @property
    def version(self) -> int | None:
        return self._stated.version or self._asked(lambda one: one.version)

    # ------------------------------------------------------------------------- what only the certificate tells

    @property
    def der(self) -> bytes:
        return self._whole().der

    def _whole(self) -> Certificate:
        found = self._known
        if found is None:
            raise ReconcileError(f"the certificate of {self._alias!a} was not read from the tenant")
        return found

    @property
    def public_key_sha256(self) -> str | None:
        return self._asked(lambda one: one.public_key_sha256)

    @property
    def subject_alt_names(self) -> tuple[str, ...] | None:
        return self._asked(lambda one: one.subject_alt_names)

    @property
    def key_usage(self) -> frozenset[str] | None:
        return self._asked(lambda one: one.key_usage)

    @property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        return self._asked(lambda one: one.extended_key_usage)

    @property
    def is_ca(self) -> bool | None:
        return self._asked(lambda one: one.is_ca)

    @property
    def path_length(self) -> int | None:
        return self._asked(lambda one: one.path_length)

    @property
    def subject_key_identifier(self) -> bytes | None:
        return self._asked(lambda one: one.subject_key_identifier)

    @property
    def authority_key_identifier(self) -> bytes | None:
        return self._asked(lambda one: one.authority_key_identifier)

    @property
    def problem(self) -> str | None:
        """What the tenant has read is readable; the certificate itself may still turn out not to be."""
        return self._found.problem if self._found is not None else None
