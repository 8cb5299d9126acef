"""The writing requests of the API, typed: each names exactly one alias (a rename two), and none is missing by accident.

There is no function here for what the product never does: import or restore of a whole keystore, activation of SAP's
keys, mass deletion of more than one alias. What is refused before anything is sent: SAP's aliases, aliases and uploads
that are too long.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.errors import MaterialError, RefusedError
from reconciler.keystores.sap import odata
from reconciler.keystores.sap.aliases import hexalias, mass_deletion_of, writable
from reconciler.keystores.sap.entries import tenant_entry
from reconciler.keystores.sap.exchange import Write
from reconciler.keystores.sap.failures import WriteFailedError
from reconciler.keystores.sap.material import certificate_forms, chain_forms
from reconciler.keystores.sap.odata import MalformedAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.keystores.sap.entries import TenantEntry
    from reconciler.keystores.sap.exchange import Answer
    from reconciler.keystores.sap.key_orders import KeyPairOrder
    from reconciler.keystores.sap.session import Session
    from reconciler.model import Certificate
    from reconciler.secret import Secret

MAX_CERTIFICATE = 10240  # bytes; release notes and Keystore Monitor
MAX_KEY_PAIR = 30072  # bytes of a PKCS#12 file or a chain; the metadata (the monitor says 30720)
# That there is no such request. 404 can say so as well, of an entry that is there.
_NO_SINGLE_DELETE = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class KeyPairFile:
    """A PKCS#12 file with one key pair, and its password."""

    pkcs12: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class Written:
    """A write that the tenant confirmed.

    Attributes:
        status: The HTTP status, one of 200, 201, 202 and 204.
        entries: All entries after the write where the tenant listed them, else None. Read again before relying on it:
            a read may be a moment behind a write.
    """

    status: int
    entries: tuple[TenantEntry, ...] | None = None


class TenantWriter:
    """One tenant to write to.

    Every method takes a `check` that is called directly before each attempt to send, also after a wait for somebody
    else's lock: reading the entry again belongs there. What all of them raise:

        UnknownOutcomeError: the connection broke, or the tenant failed, in the middle: find out by reading.
        KeystoreLockedError: somebody else kept the keystore locked for as long as we waited.
        NotTrustedError, AliasNotFoundError, MissingRoleError, ForbiddenEntryError, WriteFailedError: refused.
        RefusedError, MaterialError: nothing was sent.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._single_delete = True

    def put_certificate(
        self,
        alias: str,
        certificate: Certificate,
        *,
        update: bool,
        fingerprint_verified: bool,
        check: Callable[[], None] | None = None,
    ) -> Written:
        """Set one trusted certificate.

        Args:
            alias: New with `update=False`, existing with `update=True`; the tenant is strict in both directions.
            certificate: Sent as PEM, which live tenants took; as DER or base64, which the specification names, where
                the tenant does not take that or it would be too large.
            update: Whether it replaces a certificate.
            fingerprint_verified: Whether a person has vouched for the fingerprint. Without it the tenant wants a trust
                path from what it already has.
            check: See the class.
        """
        _check_size(f"the certificate for {alias!a}", certificate.der, MAX_CERTIFICATE)
        path = f"CertificateResources('{hexalias(writable(alias))}')/$value"
        options = _import_options(update=update, fingerprint_verified=fingerprint_verified)
        what = f"import of the certificate {alias!a}"
        forms = [form for form in certificate_forms(certificate) if len(form[0]) <= MAX_CERTIFICATE]
        return self._put_in_one_form([Write("PUT", path, what, options, *form) for form in forms], alias, check)

    def import_key_pair(
        self,
        alias: str,
        file: KeyPairFile,
        *,
        update: bool,
        fingerprint_verified: bool,
        check: Callable[[], None] | None = None,
    ) -> Written:
        """Set one key pair from a PKCS#12 file that holds nothing else; the options are those of `put_certificate`."""
        _check_size(f"the key pair for {alias!a}", file.pkcs12.reveal(), MAX_KEY_PAIR)
        self._session.mask(file.password, file.pkcs12)
        body = {
            "Hexalias": hexalias(writable(alias)),
            "Alias": alias,
            "Resource": b64encode(file.pkcs12.reveal()).decode(),
            "Password": _password(file),
        }
        options = _import_options(update=update, fingerprint_verified=fingerprint_verified)
        what = f"import of the key pair {alias!a}"
        return self._put(Write("POST", "KeyPairResources", what, options, _json(body)), alias, check)

    def generate_key_pair(self, order: KeyPairOrder, check: Callable[[], None] | None = None) -> Written:
        """Have the tenant make a key pair with a self-signed certificate; the alias must be free."""
        alias = writable(order.alias)
        what = f"generation of the key pair {alias!a}"
        options = {"returnKeystoreEntries": "false"}
        write = Write("POST", "KeyPairGenerationRequests", what, options, _json(order.properties()))
        return self._put(write, alias, check)

    def put_chain(
        self,
        alias: str,
        chain: Sequence[Certificate],
        *,
        fingerprint_verified: bool,
        check: Callable[[], None] | None = None,
    ) -> Written:
        """Install the answer of a certification authority on an existing key pair.

        Sent as PEM, which live tenants took in every observed case; as PKCS#7, which the specification names, where
        the tenant does not take that or it would be too large.

        Args:
            alias: The key pair.
            chain: Leaf first, with or without the root.
            fingerprint_verified: As for a certificate, about the top of the chain.
            check: See the class.
        """
        path = f"CertificateChainResources('{hexalias(writable(alias))}')/$value"
        options = _import_options(fingerprint_verified=fingerprint_verified)
        what = f"import of the signing response for {alias!a}"
        forms = [form for form in chain_forms(chain) if len(form[0]) <= MAX_KEY_PAIR]
        if not forms:
            raise MaterialError(f"the chain for {alias!a} is larger than the {MAX_KEY_PAIR} bytes that a tenant takes")
        return self._put_in_one_form([Write("PUT", path, what, options, *form) for form in forms], alias, check)

    def rename(self, alias: str, new: str, check: Callable[[], None] | None = None) -> Written:
        """Give an entry another alias, which must be free."""
        path = f"KeystoreEntries('{hexalias(writable(alias))}')"
        options = {"renameAlias": writable(new), "returnKeystoreEntries": "false"}
        write = Write("PUT", path, f"rename of {alias!a} to {new!a}", options, _json({"Status": None}))
        return self._put(write, new, check)

    def delete(self, alias: str, check: Callable[[], None] | None = None) -> Written:
        """Delete one entry; a tenant without that request gets the mass deletion of just this alias.

        The mass deletion says nothing about aliases that do not exist, so its success is to be verified by reading.
        """
        what = f"deletion of {alias!a}"
        path = f"KeystoreEntries('{hexalias(writable(alias))}')"
        if self._single_delete:
            try:
                return self._put(Write("DELETE", path, what), alias, check)
            except WriteFailedError as failure:
                if failure.status not in _NO_SINGLE_DELETE or (
                    failure.status == 404 and not self._is_there(path, what)
                ):
                    raise
                self._single_delete = False
        return self._put(_mass_deletion(alias, what), alias, check)

    # ------------------------------------------------------------------------------------------ underneath

    def _is_there(self, path: str, what: str) -> bool:
        return self._session.look(path, what).ok

    def _put_in_one_form(self, writes: Sequence[Write], alias: str, check: Callable[[], None] | None) -> Written:
        """The first form of the upload that the tenant takes: a refused type (415) has written nothing."""
        for write in writes[:-1]:
            try:
                return self._put(write, alias, check)
            except WriteFailedError as failure:
                if failure.status != 415:
                    raise
        return self._put(writes[-1], alias, check)

    def _put(self, write: Write, alias: str, check: Callable[[], None] | None) -> Written:
        answer = self._session.write(write, check)
        entries = _listed(answer)
        for entry in entries or ():
            # A list after a write can say, with status 200, that this very entry was left out.
            if entry.alias == alias and (reason := entry.not_imported):
                raise WriteFailedError(
                    f"{write.what}: the tenant left it out: {odata.printable(reason)}",
                    status=answer.status,
                    text=odata.printable(reason),
                    attempts=answer.attempts,
                    where=self._session.host,
                )
        return Written(answer.status, entries)


def _mass_deletion(alias: str, what: str) -> Write:
    if alias != alias.strip():
        # Nobody has said whether the service trims the parts of the list, and without the blanks it is another alias.
        raise RefusedError(
            f"{what}: this tenant deletes by list only, where blanks around an alias may not count",
            hint="delete it in the Keystore Monitor",
        )
    options = {"deleteEntries": "true", "returnKeystoreEntries": "false"}
    return Write("PUT", "KeystoreResources('system')", what, options, _json({"Aliases": mass_deletion_of(alias)}))


def _import_options(*, fingerprint_verified: bool, update: bool | None = None) -> dict[str, str]:
    options = {"fingerprintVerified": _flag(fingerprint_verified), "returnKeystoreEntries": "false"}
    return options if update is None else options | {"update": _flag(update)}


def _password(file: KeyPairFile) -> str:
    try:
        return file.password.text()
    except UnicodeDecodeError:
        raise MaterialError("the password of the key pair is not text, and a tenant takes nothing else") from None


def _flag(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _check_size(what: str, content: bytes, limit: int) -> None:
    if len(content) > limit:
        raise MaterialError(f"{what} has {len(content)} bytes, a tenant takes {limit}")


def _listed(answer: Answer) -> tuple[TenantEntry, ...] | None:
    """The entries in the answer to a write; None when it has none. A confirmed write does not fail over its words."""
    try:
        page = odata.page(answer.body, answer.content_type)
        return tuple(tenant_entry(item) for item in page.items) if page.next is None else None
    except MalformedAnswerError:
        return None
