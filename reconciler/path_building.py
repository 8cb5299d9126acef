"""How the JDK finds a path from a certificate to an entry of the keystore, and what it checks along it.

The rules of `sun.security.validator.PKIXValidator`, `SunCertPathBuilder`, `PKIXCertPathValidator` and their checkers,
with revocation off. `reconciler.trust` asks this module and explains the answer. Not followed: certificate policies,
which the JDK looks at only where a certificate requires an explicit policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler import path_facts as facts
from reconciler.name_constraints import violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Certificate
    from reconciler.path_facts import PathFacts

# The limits are far above every real chain (a handful of certificates) and keep hostile ones under a second: a step
# takes microseconds, a signature check up to a few milliseconds (RSA with 16384 bits, OpenSSL's limit).
MAX_STEPS = 5_000
MAX_SIGNATURES = 120
MAX_COMPARISONS = 200_000
# `PKIXBuilderParameters.getMaxPathLength`: intermediates that are not self-issued, when a path must be searched.
MAX_INTERMEDIATES = 5

NO_PATH = (
    "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: "
    "unable to find valid certification path to requested target"
)
_NOT_VALID = "PKIX path validation failed: java.security.cert.CertPathValidatorException: "
NO_ANCHOR = f"{_NOT_VALID}Path does not chain with any of the trust anchors"

# jdk.certpath.disabledAlgorithms of JDK 17 and later.
_SMALLEST_KEYS = {"RSA": 1024, "DSA": 1024, "EC": 224}
_CURVES = frozenset({"1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"})
_BROKEN_SIGNATURES = {
    "1.2.840.113549.1.1.2": "MD2withRSA",
    "1.2.840.113549.1.1.4": "MD5withRSA",
}
SHA1_SIGNATURES = frozenset({"1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.10040.4.3"})
# The extensions that the JDK processes; another one that is critical is refused.
_UNDERSTOOD = frozenset(
    {
        facts.BASIC_CONSTRAINTS,
        facts.NAME_CONSTRAINTS,
        facts.CERTIFICATE_POLICIES,
        facts.POLICY_MAPPINGS,
        facts.POLICY_CONSTRAINTS,
        facts.INHIBIT_ANY_POLICY,
        facts.SUBJECT_ALT_NAME,
        facts.KEY_USAGE,
        facts.EXTENDED_KEY_USAGE,
    }
)
_ANY_PURPOSE = "2.5.29.37.0"
# The old "server gated cryptography" purposes of Microsoft and Netscape still count (EndEntityChecker).
_SERVER_PURPOSES = frozenset(
    {
        "1.3.6.1.5.5.7.3.1",
        _ANY_PURPOSE,
        "1.3.6.1.4.1.311.10.3.3",
        "2.16.840.1.113730.4.1",
    }
)
_CLIENT_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.2", _ANY_PURPOSE})


class Purpose(StrEnum):
    """What the first certificate of the chain is used for."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Link:
    """A certificate with what a path is judged by."""

    certificate: Certificate
    facts: PathFacts
    alias: str = ""

    @property
    def called(self) -> str:
        return self.certificate.subject or self.facts.subject or f"serial {self.facts.serial:x}"


class Refused(Exception):  # noqa: N818  # not an error: the answer no
    """Java's no: a stable reason, Java's words, and the certificate that it is about."""

    def __init__(self, reason: str, java_message: str, link: Link | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.java_message = java_message
        self.link = link


class TooMuchWorkError(Exception):
    """The chain asks for more work than any honest one."""

    refused = Refused("too-complex", NO_PATH)


class Work:
    """Counts what a chain costs, and remembers signatures: each pair is checked once."""

    def __init__(self, verify: Callable[[Certificate, Certificate], bool]) -> None:
        self._verify = verify
        self._known: dict[tuple[bytes, str], bool] = {}
        self._steps = MAX_STEPS
        self._comparisons = MAX_COMPARISONS

    def step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise TooMuchWorkError

    def compare(self, count: int) -> None:
        self._comparisons -= count
        if self._comparisons < 0:
            raise TooMuchWorkError

    def is_signed_by(self, child: Link, issuer: Link) -> bool:
        pair = (child.certificate.der, issuer.facts.key)
        if pair not in self._known:
            if len(self._known) >= MAX_SIGNATURES:
                raise TooMuchWorkError
            self._known[pair] = self._verify(child.certificate, issuer.certificate)
        return self._known[pair]


class Store:
    """The entries that anchor, by what they are looked up with."""

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = links
        self._by_subject: dict[str, list[Link]] = {}
        self._by_bytes: dict[bytes, Link] = {}
        for link in links:
            self._by_subject.setdefault(link.facts.subject, []).append(link)
            self._by_bytes.setdefault(link.certificate.der, link)

    def called(self, subject: str) -> Sequence[Link]:
        return self._by_subject.get(subject, ())

    def same(self, link: Link) -> Link | None:
        return self._by_bytes.get(link.certificate.der)

    def has_name_and_key(self, link: Link) -> bool:
        return any(one.facts.key == link.facts.key for one in self.called(link.facts.subject))


class Judgement:
    """One answer of the JDK: `PKIXValidator.engineValidate`, the search it falls back to, and the checks on a path.

    Attributes:
        strict: False lets the search pass over everything but names and signatures, to find out what was wrong.
    """

    def __init__(self, store: Store, now: datetime, work: Work, purpose: Purpose, *, strict: bool = True) -> None:
        self._store = store
        self._now = now
        self._work = work
        self._purpose = purpose
        self._strict = strict

    def path(self, chain: Sequence[Link]) -> tuple[Link, ...]:
        """The path, leaf first and anchor last; raises `Refused`."""
        entry = self._store.same(chain[0])
        if entry is not None:
            return (entry,)  # trusted at once: neither dates nor usages are looked at
        path = self._path_as_sent(chain)
        require_usable_anchor(path[-1])
        require_usage(path[0], self._purpose)
        return path

    def _path_as_sent(self, chain: Sequence[Link]) -> tuple[Link, ...]:
        for at in range(1, len(chain)):
            link = chain[at]
            if link.facts.subject != chain[at - 1].facts.issuer:
                return self.search(chain)
            if self._store.same(link) or self._store.has_name_and_key(link):
                return self._validated(chain[:at])
        if self._store.called(chain[-1].facts.issuer):
            return self._validated(chain)
        return self.search(chain)

    # ------------------------------------------------------------------------------ a chain in order

    def _validated(self, chain: Sequence[Link]) -> tuple[Link, ...]:
        """`PKIXCertPathValidator`: the anchors that fit the top one after the other; there is no search after it."""
        refused = Refused("no-anchor", NO_ANCHOR, chain[-1])
        for anchor in self._store.called(chain[-1].facts.issuer):
            self._work.step()
            if not identifiers_fit(chain[-1].facts, anchor.facts):
                continue
            try:
                self.check((*chain, anchor))
            except Refused as error:
                refused = error
            else:
                return (*chain, anchor)
        raise refused

    def check(self, path: tuple[Link, ...], *, searched: bool = False) -> None:
        """The checks along a path from the anchor down, in the JDK's order."""
        above: list[facts.NameConstraints] = []
        room = len(path) - 1
        for at in range(len(path) - 2, -1, -1):
            link, issuer = path[at], path[at + 1]
            self._work.step()
            _require_strong_algorithms(link, issuer)
            if at:
                room = _require_ca(link, room, is_top=at == len(path) - 2)
            self._require_names_inside(link, above, is_last=at == 0)
            if link.facts.name_constraints:
                above.append(link.facts.name_constraints)
            if not searched:
                self._require_valid_now(link)
            if not _can_verify(issuer) or not self._work.is_signed_by(link, issuer):
                raise Refused("signature", f"{_NOT_VALID}signature check failed", link)
            if link.facts.critical - _UNDERSTOOD:
                raise Refused("critical-extension", f"{_NOT_VALID}unrecognized critical extension(s)", link)

    def _require_names_inside(self, link: Link, above: Sequence[facts.NameConstraints], *, is_last: bool) -> None:
        if not above or (link.facts.is_self_issued and not is_last):
            return
        words = violation(link.facts, above, self._work.compare)
        if words is not None:
            raise Refused("name-constraints", words if words.startswith("N") else f"{_NOT_VALID}{words}", link)

    def _require_valid_now(self, link: Link) -> None:
        reason = self._out_of_time(link)
        if reason is not None:
            raise Refused(reason, f"{_NOT_VALID}validity check failed", link)

    def _out_of_time(self, link: Link) -> str | None:
        if self._now < link.facts.not_before:
            return "not-yet-valid"
        return "expired" if self._now > link.facts.not_after else None

    # ------------------------------------------------------------------------------ a path must be searched

    def search(self, chain: Sequence[Link]) -> tuple[Link, ...]:
        """`SunCertPathBuilder`: depth first from the leaf up, through what was sent, to an entry."""
        leaf = chain[0]
        path = None if self._strict and not self._may_stand(leaf) else self._search((leaf,), chain, 0)
        if path is None:
            raise Refused("no-path", NO_PATH, leaf)
        return path

    def _may_stand(self, link: Link) -> bool:
        return self._out_of_time(link) is None and not link.facts.critical - _UNDERSTOOD

    def _search(self, path: tuple[Link, ...], chain: Sequence[Link], intermediates: int) -> tuple[Link, ...] | None:
        top = path[-1]
        for anchor in self._store.called(top.facts.issuer):
            if self._completes(path, anchor):
                return (*path, anchor)
        if self._strict and intermediates >= MAX_INTERMEDIATES:
            return None
        for link in self._issuers(path, chain, intermediates):
            if top.facts.is_self_issued and link.facts.is_self_issued:
                return None  # "Successive certs are self-issued": the JDK leaves this branch altogether
            counts = not link.facts.is_self_issued and link.facts.is_ca
            found = self._search((*path, link), chain, intermediates + counts)
            if found:
                return found
        return None

    def _completes(self, path: tuple[Link, ...], anchor: Link) -> bool:
        self._work.step()
        if _is_repeated(anchor, path) or not _covers(anchor.facts, path[-1].facts):
            return False
        if not self._strict:
            return self._work.is_signed_by(path[-1], anchor)
        try:
            self.check((*path, anchor), searched=True)
        except Refused:
            return False
        return True

    def _issuers(self, path: tuple[Link, ...], chain: Sequence[Link], intermediates: int) -> Iterator[Link]:
        top = path[-1]
        named = [link for link in chain if link.facts.subject == top.facts.issuer and not self._store.same(link)]
        # The JDK tries the one first that the key identifier points at, then one whose issuer is an entry.
        named.sort(key=lambda link: (not _is_pointed_at(top, link), not self._store.called(link.facts.issuer)))
        for link in named:
            self._work.step()
            if _is_repeated(link, path) or (self._strict and not self._may_issue(link, intermediates)):
                continue
            if self._work.is_signed_by(top, link):
                yield link

    def _may_issue(self, link: Link, intermediates: int) -> bool:
        length = link.facts.path_length
        usage = link.facts.key_usage
        return (
            link.facts.is_ca
            and self._may_stand(link)
            and (length is None or length >= intermediates)
            and (usage is None or facts.KEY_CERT_SIGN in usage)
        )


# ------------------------------------------------------------------------------------------ the single rules


def identifiers_fit(child: PathFacts, anchor: PathFacts) -> bool:
    """`AdaptableX509CertSelector`: identifiers must agree where both sides have them."""
    wanted, own = child.authority_key_identifier, anchor.subject_key_identifier
    if wanted is not None and own is not None and wanted != own:
        return False
    return child.authority_serial is None or anchor.version < 3 or child.authority_serial == anchor.serial


def _is_pointed_at(child: Link, issuer: Link) -> bool:
    wanted = child.facts.authority_key_identifier
    return wanted is not None and wanted == issuer.facts.subject_key_identifier


def _covers(anchor: PathFacts, child: PathFacts) -> bool:
    """An anchor of version 1 or 2 must be valid over the whole life of what it signed, when a path is searched."""
    if anchor.version >= 3:
        return True
    return anchor.not_before <= child.not_before and child.not_after <= anchor.not_after


def _is_repeated(link: Link, path: Iterable[Link]) -> bool:
    return any(
        link.certificate.der == one.certificate.der
        or (
            link.facts.subject == one.facts.subject
            and link.facts.key == one.facts.key
            and link.facts.alternative_names_value == one.facts.alternative_names_value
        )
        for one in path
    )


def _require_strong_algorithms(link: Link, issuer: Link) -> None:
    """`AlgorithmChecker` with the default `jdk.certpath.disabledAlgorithms`."""
    broken = _BROKEN_SIGNATURES.get(link.facts.signature_algorithm)
    if broken:
        words = f"Algorithm constraints check failed on signature algorithm: {broken}"
        raise Refused("weak-algorithm", _NOT_VALID + words, link)
    usage = link.facts.key_usage
    if usage is not None and not usage & frozenset(range(7)):
        raise Refused("key-usage", f"{_NOT_VALID}incorrect KeyUsage extension bits", link)
    if _is_small(link):
        words = (
            f"Algorithm constraints check failed on keysize limits: {link.facts.key_algorithm} "
            f"{link.facts.key_bits} bit key used with certificate: {java_name(link.certificate)}"
        )
        raise Refused("weak-algorithm", _NOT_VALID + words, link)
    if _is_small(issuer):
        words = f"Algorithm constraints check failed on signature algorithm: {link.certificate.signature_algorithm}"
        raise Refused("weak-algorithm", _NOT_VALID + words, issuer)


def _is_small(link: Link) -> bool:
    bits = link.facts.key_bits
    return bits is not None and bits < _SMALLEST_KEYS.get(link.facts.key_algorithm, 0)


def _can_verify(issuer: Link) -> bool:
    """Since JDK 16 only three curves are left (JDK-8235540)."""
    return issuer.facts.curve is None or issuer.facts.curve in _CURVES


def _require_ca(link: Link, room: int, *, is_top: bool) -> int:
    """`KeyChecker` and `ConstraintsChecker` for an intermediate; returns how many may still follow it."""
    usage, length = link.facts.key_usage, link.facts.path_length
    if usage is not None and facts.KEY_CERT_SIGN not in usage:
        raise Refused("key-usage", f"{_NOT_VALID}CA key usage check failed: keyCertSign bit is not set", link)
    # An old root that its successor signed again may be of version 1 (key rollover).
    renewed_root = link.facts.version < 3 and is_top and link.facts.is_self_issued
    if not link.facts.is_ca and not renewed_root:
        words = "basic constraints check failed: this is not a CA certificate"
        raise Refused("not-a-ca", _NOT_VALID + words, link)
    if not link.facts.is_self_issued:
        if room <= 0:
            words = (
                "basic constraints check failed: pathLenConstraint violated - "
                "this cert must be the last cert in the certification path"
            )
            raise Refused("path-length", _NOT_VALID + words, link)
        room -= 1
    return room if length is None else min(room, length)


def require_usable_anchor(anchor: Link) -> None:
    """`PKIXValidator.verifyTrustAnchor`: what signs must be a CA, unless it is of version 1."""
    if anchor.facts.version < 3:
        return
    subject = f'TrustAnchor with subject "{java_name(anchor.certificate)}"'
    if not anchor.facts.is_ca:
        raise Refused("anchor-not-a-ca", f"{subject} is not a CA certificate", anchor)
    usage = anchor.facts.key_usage
    if usage is not None and facts.KEY_CERT_SIGN not in usage:
        words = f"{subject} does not have keyCertSign bit set in KeyUsage extension"
        raise Refused("anchor-key-usage", words, anchor)


def require_usage(leaf: Link, purpose: Purpose) -> None:
    """`EndEntityChecker`: a signature must be allowed, and the purpose."""
    usage, purposes, netscape = leaf.facts.key_usage, leaf.facts.extended_key_usage, leaf.facts.netscape_type
    server = purpose is Purpose.SERVER
    if usage is not None and facts.DIGITAL_SIGNATURE not in usage:
        raise Refused("leaf-key-usage", "KeyUsage does not allow digital signatures", leaf)
    if purposes is not None and not purposes & (_SERVER_PURPOSES if server else _CLIENT_PURPOSES):
        words = f"Extended key usage does not permit use for TLS {purpose} authentication"
        raise Refused("extended-key-usage", words, leaf)
    if netscape is not None and (1 if server else 0) not in netscape:
        raise Refused("netscape-type", f"Netscape cert type does not permit use for SSL {purpose}", leaf)


def java_name(one: Certificate) -> str:
    """The subject as Java prints it: most specific part first, a comma and a blank between."""
    attributes = one.subject_attributes or ()
    return ", ".join(f"{name}={value}" for name, value in reversed(attributes))
