"""Which entry of a keystore a certificate chain would end at, as Java sees it, and until when.

These are the rules of the JDK's trust manager, not those of the web: every entry anchors, be it root, intermediate or
leaf; the dates of an anchor do not count; nothing is downloaded. A chain that was sent in order is validated as it
stands; only otherwise is a path searched. The signature check comes in as a function, the clock as a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from reconciler.model import EntryKind
from reconciler.name_constraints import excluded_by_wildcard
from reconciler.path_building import (
    NO_PATH,
    SHA1_SIGNATURES,
    Judgement,
    Link,
    Purpose,
    Refused,
    Store,
    TooMuchWorkError,
    Work,
    require_usable_anchor,
    require_usage,
)
from reconciler.path_facts import UnreadableCertificateError, path_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Certificate, Entry

__all__ = ["OK", "Anchor", "Caution", "Purpose", "TrustVerdict", "anchors_of", "evaluate"]

Anchor = tuple[str, "Certificate"]
"""An alias and the certificate that stands under it."""

OK = "ok"

_EMPTY = "java.security.InvalidAlgorithmParameterException: the trustAnchors parameter must be non-empty"
# How many entries are tried for `anchors`, the list of all that could anchor.
MAX_TRIED_ANCHORS = 64
# How often the end of the trust is moved on because another path takes over.
_MAX_TURNS = 8


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that does not change Java's answer but that somebody should know; `code` is stable."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TrustVerdict:
    """What Java says about a chain, and what that rests on.

    Attributes:
        code: ``ok``, ``unknown-ca``, ``missing-intermediate``, ``self-signed``, ``expired``, ``not-yet-valid``,
            ``eku`` or ``local-policy``.
        reason: The finer stable code behind it, for example ``path-length`` under ``local-policy``.
        message: One sentence.
        hint: What to do; empty when there is nothing to do.
        java_message: What Java prints, without the class name of the outer exception; None when it accepts.
        path: Leaf first, the anchor last; empty without trust.
        anchor_alias: The alias that the path ends at.
        anchors: Every alias that would carry the chain alone, in the order of the keystore.
        until: The last moment at which Java still accepts if nothing changes; None when it has no end (the leaf
            itself is an entry) or when there is no trust.
        warnings: What other programs would object to, and what will need care.
    """

    code: str
    reason: str
    message: str
    hint: str = ""
    java_message: str | None = None
    path: tuple[Certificate, ...] = ()
    anchor_alias: str | None = None
    anchors: tuple[str, ...] = ()
    until: datetime | None = None
    warnings: tuple[Caution, ...] = ()

    @property
    def is_trusted(self) -> bool:
        """Whether Java goes on with the connection."""
        return self.code == OK


def anchors_of(entries: Iterable[Entry]) -> tuple[Anchor, ...]:
    """What Java's trust manager takes from a keystore, in its order.

    Trusted certificates, and of every key pair its own certificate (`sun.security.validator.TrustStoreUtil`). Entries
    that Java cannot reach by their alias are not among them.
    """
    kinds = {EntryKind.TRUSTED_CERTIFICATE, EntryKind.KEY_PAIR}
    return tuple((one.alias, one.leaf) for one in entries if one.leaf and one.reachable and one.kind in kinds)


def evaluate(
    chain: Sequence[Certificate],
    anchors: Iterable[Anchor],
    now: datetime,
    *,
    verify: Callable[[Certificate, Certificate], bool],
    purpose: Purpose = Purpose.SERVER,
) -> TrustVerdict:
    """Java's answer to `chain`, with the work bounded whatever the chain is.

    Args:
        chain: As the peer sent it, its own certificate first.
        anchors: The entries of the keystore, see `anchors_of`.
        now: Aware.
        verify: Whether the signature of the first certificate was made with the key of the second.
        purpose: What the first certificate is used for.
    """
    try:
        links = tuple(Link(one, path_facts(one.der)) for one in chain)
    except UnreadableCertificateError as error:
        return _refusal(Refused("unreadable", f"java.security.cert.CertificateParsingException: {error.message}"))
    if not links:
        return _refusal(Refused("no-certificate", "null or zero-length certificate chain"))
    return _Evaluation(links, Store(tuple(_readable(anchors))), now, Work(verify), purpose).verdict()


def _readable(anchors: Iterable[Anchor]) -> Iterator[Link]:
    for alias, one in anchors:
        try:
            yield Link(one, path_facts(one.der), alias)
        except UnreadableCertificateError:
            continue  # Java could not have loaded the entry either


class _Evaluation:
    """One chain against one keystore: the path, and what can be said about it or about its absence."""

    def __init__(self, chain: tuple[Link, ...], store: Store, now: datetime, work: Work, purpose: Purpose) -> None:
        self._chain = chain
        self._store = store
        self._now = now
        self._work = work
        self._purpose = purpose

    def verdict(self) -> TrustVerdict:
        try:
            return self._trusted(self._path(self._store, self._now))
        except Refused as refused:
            return self._explained(refused)
        except TooMuchWorkError:
            return _refusal(Refused("too-complex", NO_PATH))

    def _path(self, store: Store, now: datetime) -> tuple[Link, ...]:
        return Judgement(store, now, self._work, self._purpose).path(self._chain)

    # ---------------------------------------------------------------------------------------- trusted

    def _trusted(self, path: tuple[Link, ...]) -> TrustVerdict:
        anchors, complete = self._anchors(path[-1])
        cautions = tuple(self._cautions(path))
        if not complete:
            cautions += (Caution("anchors-incomplete", "not every entry that could anchor this chain was tried"),)
        alias = path[-1].alias
        return TrustVerdict(
            code=OK,
            reason=OK,
            message=f"Java trusts the chain: it ends at the entry {alias}",
            path=tuple(link.certificate for link in path),
            anchor_alias=alias,
            anchors=anchors,
            until=self._until(path),
            warnings=cautions,
        )

    def _anchors(self, used: Link) -> tuple[tuple[str, ...], bool]:
        """The aliases that carry the chain alone, and whether all were tried."""
        names = {link.facts.issuer for link in self._chain}
        entry = self._store.same(self._chain[0])
        candidates = [one for one in self._store.links if one.facts.subject in names or one is entry]
        carries: dict[bytes, bool] = {used.certificate.der: True}
        complete = True
        for one in candidates:
            if one.certificate.der not in carries and len(carries) < MAX_TRIED_ANCHORS and complete:
                complete = self._try_alone(one, carries)
        ders = {der for der, carried in carries.items() if carried}
        aliases = tuple(one.alias for one in self._store.links if one.certificate.der in ders)
        return aliases, complete and all(one.certificate.der in carries for one in candidates)

    def _try_alone(self, one: Link, carries: dict[bytes, bool]) -> bool:
        try:
            self._path(Store((one,)), self._now)
        except Refused:
            carries[one.certificate.der] = False
        except TooMuchWorkError:
            return False
        else:
            carries[one.certificate.der] = True
        return True

    def _until(self, path: tuple[Link, ...]) -> datetime | None:
        """The end of the path's dates, moved on while another path takes over at that moment."""
        until = _end(path)
        for _ in range(_MAX_TURNS):
            if until is None:
                return None
            try:
                later = _end(self._path(self._store, until + timedelta(seconds=1)))
            except (Refused, TooMuchWorkError, OverflowError):
                return until
            until = later
        return until

    def _cautions(self, path: tuple[Link, ...]) -> Iterator[Caution]:
        anchor, signed = path[-1], path[:-1]
        if not signed:
            yield Caution(
                "leaf-is-anchor",
                f"the entry {anchor.alias} is the server's own certificate: Java looks at neither its dates nor its "
                "usages, and the next renewal at the server breaks the connection",
            )
        elif not anchor.facts.is_self_issued:
            yield Caution(
                "intermediate-is-anchor",
                f"the entry {anchor.alias} is an intermediate certificate; they are replaced more often than roots",
            )
        if signed and self._now > anchor.facts.not_after:
            yield Caution("anchor-expired", f"the entry {anchor.alias} has expired; Java accepts that, others do not")
        if signed and self._now < anchor.facts.not_before:
            yield Caution("anchor-not-yet-valid", f"the entry {anchor.alias} is not yet valid; Java accepts that")
        yield from _cautions_about_order(self._chain)
        yield from _cautions_about_strength(signed)
        yield from _cautions_about_names(signed)
        yield from _cautions_about_policies(signed)
        yield from _cautions_about_distrust(path)

    # ------------------------------------------------------------------------------------ not trusted

    def _explained(self, refused: Refused) -> TrustVerdict:
        if refused.reason not in {"no-path", "no-anchor", "signature"}:
            return _refusal(refused)
        words = refused.java_message if self._store.links else _EMPTY
        try:
            found = self._hindrance(refused) or self._gap()
        except TooMuchWorkError:
            return _refusal(Refused("too-complex", words))
        return _refusal(Refused(found.reason, words, found.link))

    def _hindrance(self, otherwise: Refused) -> Refused | None:
        """What is wrong with the path that names and signatures alone would give; None when there is no such path."""
        searched = Judgement(self._store, self._now, self._work, self._purpose, strict=False)
        try:
            path = searched.search(self._chain)
        except Refused:
            return None
        try:
            Judgement(self._store, self._now, self._work, self._purpose).check(path)
            require_usable_anchor(path[-1])
            require_usage(path[0], self._purpose)
        except Refused as refused:
            return refused
        return otherwise

    def _gap(self) -> Refused:
        """Where the chain breaks off on its way up."""
        walked = [self._chain[0]]
        while (above := self._issuer(walked)) is not None:
            walked.append(above)
        top, alone = walked[-1], len(walked) == 1
        if self._is_self_signed(top):
            other_key = bool(self._store.called(top.facts.subject))
            return Refused("other-key" if other_key else "self-signed" if alone else "root-not-in-keystore", "", top)
        if self._store.called(top.facts.issuer):
            return Refused("other-key", "", top)
        rest = any(link not in walked for link in self._chain)
        return Refused("issuer-not-sent" if alone or rest else "issuer-not-in-keystore", "", top)

    def _issuer(self, walked: list[Link]) -> Link | None:
        top = walked[-1]
        for link in self._chain:
            self._work.step()
            named = link.facts.subject == top.facts.issuer and link not in walked
            if named and self._work.is_signed_by(top, link):
                return link
        return None

    def _is_self_signed(self, link: Link) -> bool:
        return link.facts.is_self_issued and self._work.is_signed_by(link, link)


def _end(path: tuple[Link, ...]) -> datetime | None:
    return min((link.facts.not_after for link in path[:-1]), default=None)


# ------------------------------------------------------------------------------------------------- warnings


def _cautions_about_order(chain: Sequence[Link]) -> Iterator[Caution]:
    if any(child.facts.issuer != issuer.facts.subject for child, issuer in pairwise(chain)):
        yield Caution(
            "chain-order",
            "the server sends its chain out of order or with certificates that do not belong to it; Java sorts it out, "
            "stricter clients do not",
        )


def _cautions_about_strength(signed: Sequence[Link]) -> Iterator[Caution]:
    for link in signed:
        if link.facts.signature_algorithm in SHA1_SIGNATURES:
            yield Caution(
                "weak-signature",
                f"{link.called} is signed with SHA-1: Java refuses that as soon as the root is one that ships with it",
            )
        bits = link.facts.key_bits
        if link.facts.key_algorithm == "RSA" and bits is not None and bits < 2048:
            yield Caution("weak-key", f"{link.called} has an RSA key of {bits} bits; others refuse less than 2048")


def _cautions_about_names(signed: Sequence[Link]) -> Iterator[Caution]:
    above = [link.facts.name_constraints for link in signed[1:] if link.facts.name_constraints]
    if signed and above and excluded_by_wildcard(signed[0].facts, above):
        yield Caution(
            "excluded-wildcard",
            "a wildcard of the certificate covers a host that its CA may not name; Java refuses that from the security "
            "updates of 2026 on",
        )


def _cautions_about_policies(signed: Sequence[Link]) -> Iterator[Caution]:
    if any(link.facts.has_policy_constraints for link in signed):
        yield Caution(
            "policies-not-checked",
            "a certificate of the chain constrains certificate policies; Java checks them, this verdict does not",
        )


# Roots of these owners ship with Java; from the release notes of the `jdk.security.caDistrustPolicies` property.
_DISTRUSTED = (
    (("GeoTrust", "thawte", "Thawte", "VeriSign"), date(2019, 4, 16)),
    (("Entrust", "AffirmTrust"), date(2024, 11, 11)),
    (("AC Camerfirma",), date(2025, 4, 15)),
    (("Chunghwa Telecom",), date(2026, 3, 17)),
)


def _cautions_about_distrust(path: Sequence[Link]) -> Iterator[Caution]:
    owner = dict(path[-1].certificate.subject_attributes or ()).get("O", "")
    for owners, day in _DISTRUSTED:
        if owner.startswith(owners) and path[0].facts.not_before.astimezone(UTC).date() > day:
            yield Caution(
                "distrusted-ca",
                f"current releases of Java refuse server certificates that were issued after {day} under public roots "
                f"of {owner}",
            )


# -------------------------------------------------------------------------------------------------- answers

_IMPORT = "import the right certificate under trustedRoots; `reconcile connect --save DIR` writes what the server sent"
_AT_THE_SERVER = "to be mended where the certificate was issued: tell the operator of the server"

# Reason: (code, sentence, hint). Fields: what the certificate is called, its issuer, its dates, the entry's alias.
_ANSWERS = {
    "unreadable": ("local-policy", "The server sent a certificate that Java cannot read", _AT_THE_SERVER),
    "no-certificate": ("local-policy", "The server sent no certificate", _AT_THE_SERVER),
    "too-complex": (
        "local-policy",
        "The chain asks for more work than any honest chain does; it was given up",
        "look at what the server sends (--save DIR): many certificates of the same name are an attack or a mistake",
    ),
    "issuer-not-in-keystore": (
        "unknown-ca",
        "No entry of the keystore anchors the chain: the issuer {issuer} is not in it",
        _IMPORT,
    ),
    "root-not-in-keystore": (
        "unknown-ca",
        "No entry of the keystore anchors the chain: its root {name} is not in it",
        _IMPORT,
    ),
    "other-key": (
        "unknown-ca",
        "The keystore has an entry with the name of the issuer {issuer}, but with another key",
        "the CA was renewed, or somebody imitates it: compare the fingerprints, then import the new certificate",
    ),
    "issuer-not-sent": (
        "missing-intermediate",
        "The issuer {issuer} of {name} is neither sent by the server nor in the keystore",
        "the server should send it; until it does, import it under trustedRoots (Java downloads nothing)",
    ),
    "self-signed": (
        "self-signed",
        "The server's certificate {name} is signed by itself and not in the keystore",
        "if it is the right one, import it under trustedRoots; `reconcile connect --save DIR` writes it with its pin",
    ),
    "no-path": (
        "local-policy",
        "Java finds no path although the signatures fit: too many intermediate certificates, or one that repeats",
        _AT_THE_SERVER,
    ),
    "expired": ("expired", "{name} has expired on {not_after}", "the operator of the server must renew it"),
    "not-yet-valid": (
        "not-yet-valid",
        "{name} is valid only from {not_before} on",
        "wait, or look at the clock of this host",
    ),
    "leaf-key-usage": ("eku", "The key usage of {name} does not allow signatures, so not TLS", _AT_THE_SERVER),
    "extended-key-usage": ("eku", "{name} is not meant for this side of a TLS connection", _AT_THE_SERVER),
    "netscape-type": ("eku", "The Netscape certificate type of {name} does not allow this use", _AT_THE_SERVER),
    "weak-algorithm": ("local-policy", "The key or the signature of {name} is too weak for Java", _AT_THE_SERVER),
    "key-usage": ("local-policy", "The key usage of {name} does not allow what it is used for", _AT_THE_SERVER),
    "not-a-ca": ("local-policy", "{name} signs a certificate but is not a CA certificate", _AT_THE_SERVER),
    "path-length": ("local-policy", "The path is longer than a CA above {name} allows", _AT_THE_SERVER),
    "name-constraints": ("local-policy", "{name} has a name that its CA may not certify", _AT_THE_SERVER),
    "critical-extension": ("local-policy", "{name} has a critical extension that Java does not know", _AT_THE_SERVER),
    "signature": ("local-policy", "The signature of {name} is not from the issuer that it names", _AT_THE_SERVER),
    "no-anchor": (
        "unknown-ca",
        "The keystore has an entry with the name of the issuer {issuer}, but the identifiers do not fit",
        "the CA was renewed, or somebody imitates it: compare the fingerprints, then import the new certificate",
    ),
    "anchor-not-a-ca": (
        "local-policy",
        "The entry {alias} would anchor the chain, but it is not a CA certificate",
        "import the root or the intermediate certificate instead",
    ),
    "anchor-key-usage": (
        "local-policy",
        "The entry {alias} would anchor the chain, but its key usage does not allow signing certificates",
        "import the root or the intermediate certificate instead",
    ),
}


def _refusal(refused: Refused) -> TrustVerdict:
    code, sentence, hint = _ANSWERS[refused.reason]
    link = refused.link
    fields = _fields(link) if link else {}
    return TrustVerdict(
        code=code,
        reason=refused.reason,
        message=sentence.format(**fields),
        hint=hint,
        java_message=refused.java_message,
    )


def _fields(link: Link) -> dict[str, str]:
    return {
        "name": link.called,
        "issuer": link.certificate.issuer or link.facts.issuer,
        "alias": link.alias,
        "not_before": f"{link.facts.not_before:%Y-%m-%d %H:%M:%S} UTC",
        "not_after": f"{link.facts.not_after:%Y-%m-%d %H:%M:%S} UTC",
    }
