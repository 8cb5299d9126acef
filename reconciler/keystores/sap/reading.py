"""The reading requests of the API, typed: what every command that only reads holds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from reconciler.keystores.sap import material, odata
from reconciler.keystores.sap.aliases import hexalias
from reconciler.keystores.sap.entries import (
    SELECTED,
    chain_certificate,
    history_entry,
    keystore_state,
    tenant_entry,
)
from reconciler.keystores.sap.odata import MalformedAnswerError
from reconciler.keystores.sap.refusals import read_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.keystores.sap.entries import ChainCertificate, HistoryEntry, KeystoreState, TenantEntry
    from reconciler.keystores.sap.session import Session
    from reconciler.model import Certificate

T = TypeVar("T")

SYSTEM = "system"
NEW_SAP_KEYS = "KeyRenewal"
_ANY = "*/*"  # media resources: leaving the type open works, naming it is what the specification contradicts itself in
_MOST_PAGES = 500


class TenantReader:
    """One tenant to look at."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._selects = True

    @property
    def seen(self) -> dict[str, Any]:
        """What each entry looked like last, for a whole session: plans, writes and further reads tell it together."""
        return self._session.seen

    def close(self) -> None:
        """Close the idle connections, those of a writer in the same session as well."""
        self._session.close()

    # --------------------------------------------------------------------------------------------- entries

    def entries(self, keystore: str = SYSTEM) -> tuple[TenantEntry, ...]:
        """Every entry of a keystore, in the order of the tenant: one request for up to 1,000 of them.

        Raises:
            TenantUnreadableError: not read as a whole.
        """
        what = f"the list of entries of the keystore {keystore}"
        entries = self._listed(what, keystore)
        if _has_one_twice(entries):  # somebody wrote while the pages were read
            entries = self._listed(what, keystore)
        if _has_one_twice(entries):
            raise self._session.malformed(
                what, MalformedAnswerError("an alias is in it twice; the keystore may have changed while it was read")
            )
        return entries

    def _listed(self, what: str, keystore: str) -> tuple[TenantEntry, ...]:
        items = self._items("KeystoreEntries", what, {"keystoreName": keystore}, SELECTED)
        return tuple(self._typed(what, tenant_entry, item) for item in items)

    def entry(self, alias: str, keystore: str = SYSTEM) -> TenantEntry | None:
        """One entry as it is now; None when there is none.

        Raises:
            TenantUnreadableError: no clear answer.
        """
        what = f"the entry {alias!a}"
        path = f"KeystoreEntries('{hexalias(alias)}')"
        answer = self._session.look(path, what, {"keystoreName": keystore})
        if answer.status == 404:
            return None
        if not answer.ok:
            raise read_failure(answer, what, self._session.host, self._session.said(answer))
        item = self._understood(what, partial(odata.entity, answer.body, answer.content_type))
        return self._typed(what, tenant_entry, item)

    def state(self, keystore: str = SYSTEM) -> KeystoreState:
        """Who changed a keystore last and when: the cheapest way to notice a change.

        Raises:
            TenantUnreadableError: not read.
        """
        what = f"the state of the keystore {keystore}"
        options = {"$select": "LastModifiedBy,LastModifiedTime,Size"}
        path = f"Keystores('{keystore}')"
        answer = self._session.look(path, what, options)
        if answer.status == 400:
            answer = self._session.read(path, what)
        if not answer.ok:
            raise read_failure(answer, what, self._session.host, self._session.said(answer))
        item = self._understood(what, partial(odata.entity, answer.body, answer.content_type))
        return keystore_state(item, keystore)

    def new_sap_keys(self) -> tuple[TenantEntry, ...]:
        """The successors that SAP has prepared and that nobody has activated yet."""
        return self.entries(NEW_SAP_KEYS)

    def history(self) -> tuple[HistoryEntry, ...]:
        """The SAP keys that were replaced.

        Raises:
            TenantUnreadableError: not read as a whole.
        """
        what = "the history of SAP's keys"
        items = self._items("HistoryKeystoreEntries", what, {})
        return tuple(self._typed(what, history_entry, item) for item in items)

    def public_keystore(self) -> bytes:
        """The public content of the whole keystore as a JCEKS file, in one request: every certificate at once.

        Raises:
            TenantUnreadableError: not read, or not such a file.
        """
        what = "the public content of the keystore"
        answer = self._session.read(f"KeystoreResources('{SYSTEM}')", what)
        item = self._understood(what, partial(odata.entity, answer.body, answer.content_type))
        return self._understood(what, partial(material.decoded, item.get("Resource")))

    # ----------------------------------------------------------------------------------- parts of an entry

    def certificate(self, alias: str, keystore: str = SYSTEM, *, root: bool = False) -> Certificate:
        """The certificate of an entry, for a key pair its leaf, or the root of its chain.

        Raises:
            TenantUnreadableError: not read, also when there is no such alias.
        """
        what = f"the certificate of {alias!a}"
        options = {"keystoreName": keystore} | ({"rootCA": "true"} if root else {})
        body = self._media(alias, "Certificate/$value", what, options)
        return self._understood(what, partial(material.read_certificate, body))

    def chain(self, alias: str, keystore: str = SYSTEM, *, leaf_sha256: str | None = None) -> tuple[Certificate, ...]:
        """The chain of a key pair, leaf first.

        Args:
            alias: The key pair.
            keystore: Where it is.
            leaf_sha256: Its fingerprint from the list, against which the answer is checked.

        Raises:
            TenantUnreadableError: not read, or not the chain of that leaf.
        """
        what = f"the chain of {alias!a}"
        body = self._media(alias, "ChainResource/$value", what, {"keystoreName": keystore})
        return self._understood(what, partial(material.read_chain, body, leaf_sha256))

    def chain_certificates(self, alias: str, keystore: str = SYSTEM) -> tuple[ChainCertificate, ...]:
        """What the tenant states about the chain of a key pair, leaf first (the service counts from the root).

        Raises:
            TenantUnreadableError: not read as a whole.
        """
        what = f"the chain of {alias!a}"
        items = self._items(f"KeystoreEntries('{hexalias(alias)}')/ChainCertificates", what, {"keystoreName": keystore})
        chain = [self._typed(what, chain_certificate, item) for item in items]
        return tuple(sorted(chain, key=lambda one: -one.index))

    def signing_request(self, alias: str) -> bytes:
        """The signing request of a key pair as DER. The tenant makes it anew each time: compare its key and subject.

        Raises:
            TenantUnreadableError: not read, also when the alias is not a key pair.
        """
        what = f"the signing request of {alias!a}"
        body = self._media(alias, "SigningRequest/$value", what, {})
        return self._understood(what, partial(material.read_signing_request, body))

    def ssh_key(self, alias: str) -> str:
        """The public key in the format of OpenSSH; RSA and DSA only.

        Raises:
            TenantUnreadableError: not read, also for other kinds of keys.
        """
        what = f"the OpenSSH key of {alias!a}"
        body = self._media(alias, "Sshkey/$value", what, {})
        return self._understood(what, partial(_ssh_line, body))

    # ------------------------------------------------------------------------------------------ underneath

    def _media(self, alias: str, link: str, what: str, options: Mapping[str, str]) -> bytes:
        path = f"KeystoreEntries('{hexalias(alias)}')/{link}"
        answer = self._session.read(path, what, options, accept=_ANY)
        if "html" in answer.content_type:
            raise self._session.malformed(what, MalformedAnswerError("it is a web page"))
        return answer.body

    def _items(
        self, path: str, what: str, options: Mapping[str, str], selected: tuple[str, ...] = ()
    ) -> Iterator[odata.Properties]:
        """The entities of all pages. The next page is asked for at our own address, whatever host the link names."""
        asked, seen = dict(options), set[str]()
        while True:
            page = self._page(path, what, asked, selected)
            yield from page.items
            if page.next is None:
                return
            if page.next in seen or len(seen) >= _MOST_PAGES:
                raise self._session.malformed(what, MalformedAnswerError("its pages go in a circle"))
            seen.add(page.next)
            asked = dict(options) | self._understood(what, partial(_options_of, page.next))

    def _page(self, path: str, what: str, options: dict[str, str], selected: tuple[str, ...]) -> odata.Page:
        select = {"$select": ",".join(selected)} if selected and self._selects else {}
        answer = self._session.look(path, what, select | options)
        if answer.status == 400 and select:
            self._selects = False  # this tenant does not know an option or a property: everything then
            answer = self._session.look(path, what, {n: v for n, v in options.items() if n != "$select"})
        if not answer.ok:
            raise read_failure(answer, what, self._session.host, self._session.said(answer))
        return self._understood(what, partial(odata.page, answer.body, answer.content_type))

    def _typed(self, what: str, make: Callable[[odata.Properties], T], item: odata.Properties) -> T:
        return self._understood(what, partial(make, item))

    def _understood(self, what: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except MalformedAnswerError as error:
            raise self._session.malformed(what, error) from None


def _has_one_twice(entries: tuple[TenantEntry, ...]) -> bool:
    return len({entry.alias for entry in entries}) != len(entries)


def _options_of(link: str) -> dict[str, str]:
    """The options of a link to the next page."""
    try:
        query = parse_qsl(urlsplit(link).query, keep_blank_values=True)
    except ValueError:
        raise MalformedAnswerError("the link to its next page is broken") from None
    if not query:
        raise MalformedAnswerError("the link to its next page has no options")
    return dict(query)


def _ssh_line(body: bytes) -> str:
    line = body.decode("utf-8", "replace").strip()
    if not line.startswith(("ssh-", "ecdsa-")) or "\n" in line:
        raise MalformedAnswerError("it is not a key in the format of OpenSSH")
    return line
