"""The policy: an ordered table of checks on what is declared and what is live, beyond what git asks for. Pure.

Each check looks at `Exhibit`s, one for each alias that has something to judge, and says a sentence where something is
the matter. How grave that is stands in the table, unless a file says otherwise. What a plan is about to replace is not
judged: what comes in its place is. Protected entries are not judged either, since nobody here can change them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from reconciler.acceptance import Idle, idle
from reconciler.chains import is_self_issued
from reconciler.expiry import day
from reconciler.model import (
    EntryKind,
    PolicyFinding,
    PolicyLevel,
    Status,
    Unmanaged,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key
from reconciler.words import key_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import (
        Accepted,
        Certificate,
        DesiredState,
        Entry,
        Finding,
        Probe,
        Receiver,
        Source,
        TargetPlan,
        Wanted,
    )

MINIMUM_RSA = 2048
# A published day of distrust is worth a word this long before.
NEAR = timedelta(days=365)
_WEAK_DIGESTS = ("MD2", "MD4", "MD5", "SHA1")
_RSA = frozenset({"RSA", "RSASSA-PSS"})


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What there is to judge of one alias.

    Attributes:
        alias: The alias.
        kind: A trusted certificate or a key pair.
        chain: Its own certificate first; empty where nobody knows it yet.
        source: Where it is declared or accepted.
        wanted: What the file asks for, where it does.
        is_live: Whether `chain` is what the keystore holds, and not what the repository does.
        is_accepted: Whether somebody answers for it as it is.
    """

    alias: str
    kind: EntryKind
    chain: tuple[Certificate, ...]
    source: Source | None = None
    wanted: Wanted | None = None
    is_live: bool = False
    is_accepted: bool = False

    @property
    def leaf(self) -> Certificate | None:
        """Its own certificate."""
        return self.chain[0] if self.chain else None

    @property
    def is_root(self) -> bool:
        """Whether it is a trusted certificate."""
        return self.kind is EntryKind.TRUSTED_CERTIFICATE


@dataclass(frozen=True)
class Case:
    """Everything that the checks of one keystore may look at."""

    desired: DesiredState
    now: datetime
    plan: TargetPlan | None = None

    @cached_property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """What is declared, then what only the keystore shows."""
        declared = [_declared(wanted) for wanted in self.desired.wanted]
        found = declared if self.plan is None else [*declared, *_live(self.plan)]
        return tuple(replace(one, chain=tuple(map(_shared, one.chain))) for one in found)

    @property
    def probes(self) -> dict[str, Probe]:
        """What connections to the receivers showed, by the names of the receivers."""
        verdicts = self.plan.receivers if self.plan else ()
        return {verdict.receiver.name: verdict.probe for verdict in verdicts if verdict.probe is not None}


Told: TypeAlias = "tuple[Exhibit | Receiver | Accepted, str]"  # what it is about, and the sentence


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table.

    Attributes:
        id: Stable: people set severities, suppress and filter by it.
        title: What it looks for, in a few words.
        level: How grave that is where no file says otherwise.
        why: Why it matters.
        hint: What to do.
        source: Who says so; empty where it goes without saying.
        look: What finds it.
    """

    id: str
    title: str
    level: PolicyLevel
    why: str
    hint: str
    source: str
    look: Callable[[Case], Iterator[Told]]


def judge_declared(desired: DesiredState, now: datetime) -> tuple[PolicyFinding, ...]:
    """What the policy has to say of what is declared: neither keystore nor secrets are needed.

    Args:
        desired: What the files say.
        now: The moment that ends and days of distrust are judged at, aware.
    """
    return _judge(Case(desired, now))


def judge(plan: TargetPlan, now: datetime) -> tuple[PolicyFinding, ...]:
    """What the policy has to say of what is declared and what is live.

    Args:
        plan: The keystore with its findings and changes.
        now: As in `judge_declared`.
    """
    return _judge(Case(plan.desired, now, plan))


def barred(desired: DesiredState, now: datetime) -> frozenset[str]:
    """The identities of the aliases that are declared against the policy: nothing is to be made as they are declared.

    Args:
        desired: What the files say.
        now: As in `judge_declared`.
    """
    found = _found(Case(desired, now))
    errors = [about for about, finding in found if finding.level is PolicyLevel.ERROR]
    return frozenset(alias_key(about.alias) for about in errors if isinstance(about, Exhibit))


def _found(case: Case) -> Iterator[tuple[Exhibit | Receiver | Accepted, PolicyFinding]]:
    levels = case.desired.policy.levels
    for check in CHECKS:
        if levels.get(check.id) is not PolicyLevel.OFF:
            for about, message in check.look(case):
                yield about, _finding(check, about, message, levels.get(check.id))


def _judge(case: Case) -> tuple[PolicyFinding, ...]:
    once: dict[tuple[object, ...], PolicyFinding] = {}
    for _, one in _found(case):  # what is declared so is live so after an apply
        once.setdefault((one.check, one.level, one.alias, one.message, one.source), one)
    return tuple(sorted(once.values(), key=lambda finding: _GRAVEST_FIRST.index(finding.level)))


_GRAVEST_FIRST = list(PolicyLevel)


def errors_of(findings: Sequence[PolicyFinding]) -> tuple[PolicyFinding, ...]:
    """Those that stop a run."""
    return tuple(finding for finding in findings if finding.level is PolicyLevel.ERROR)


def _finding(
    check: Check, about: Exhibit | Receiver | Accepted, message: str, said: PolicyLevel | None
) -> PolicyFinding:
    found = PolicyFinding(check.id, said or check.level, "", message, check.hint, about.source)
    match about:
        case Exhibit():
            leaf = about.leaf.sha256 if about.leaf else None
            level = _level(about, found.level, said)
            return replace(found, alias=about.alias, level=level, sha256=leaf, is_live=about.is_live)
        case _:
            name = about.alias if hasattr(about, "alias") else about.name
            return replace(found, alias=name)


def _level(about: Exhibit, level: PolicyLevel, said: PolicyLevel | None) -> PolicyLevel:
    """What only the keystore shows stops nobody unless a file says so; what is accepted stops nobody at all."""
    if about.is_accepted:
        return PolicyLevel.NOTE
    if about.is_live and said is None and level is PolicyLevel.ERROR:
        return PolicyLevel.WARNING
    return level


# ------------------------------------------------------------------------------------------------- exhibits


_SEEN: dict[object, Certificate] = {}
_MOST_SEEN = 4096


def _shared(certificate: Certificate) -> Certificate:
    """The first of equal certificates: a root that a fleet has in every keystore is parsed once."""
    if len(_SEEN) >= _MOST_SEEN:
        _SEEN.clear()
    return _SEEN.setdefault(certificate, certificate)


def _declared(wanted: Wanted) -> Exhibit:
    match wanted:
        case WantedCertificate():
            return Exhibit(wanted.alias, EntryKind.TRUSTED_CERTIFICATE, (wanted.certificate,), wanted.source, wanted)
        case WantedImport():
            return Exhibit(wanted.alias, EntryKind.KEY_PAIR, wanted.chain, wanted.source, wanted)
        case _:
            return Exhibit(wanted.alias, EntryKind.KEY_PAIR, (), wanted.source, wanted)


def _live(plan: TargetPlan) -> Iterator[Exhibit]:
    """What the repository does not hold, and what no change of the plan is about to replace."""
    changed = {alias_key(name) for change in plan.changes for name in (change.alias, change.new_alias) if name}
    for finding in plan.findings:
        entry = finding.live
        if entry is None or not entry.chain or alias_key(finding.alias) in changed:
            continue
        if finding.acceptance is not None:
            by = finding.acceptance.by.source
            yield _of(finding, entry, finding.source or by, is_accepted=True)
        elif finding.status is Status.UNMANAGED and plan.desired.unmanaged is not Unmanaged.IGNORE:
            yield _of(finding, entry, None)
        elif _is_only_live(finding) and entry.kind is EntryKind.KEY_PAIR:
            yield _of(finding, entry, finding.source)


def _is_only_live(finding: Finding) -> bool:
    """Whether the certificates of a declared entry are in the keystore alone."""
    return finding.status is not Status.PROTECTED and not (
        finding.wanted is None or isinstance(finding.wanted, WantedCertificate | WantedImport)
    )


def _of(finding: Finding, entry: Entry, source: Source | None, *, is_accepted: bool = False) -> Exhibit:
    return Exhibit(
        finding.alias, entry.kind, entry.chain, source, finding.wanted, is_live=True, is_accepted=is_accepted
    )


# --------------------------------------------------------------------------------------------------- checks


def _each(look: Callable[[Exhibit, Case], Iterator[str]]) -> Callable[[Case], Iterator[Told]]:
    """A check that looks at one alias after the other."""

    def looking(case: Case) -> Iterator[Told]:
        for exhibit in case.exhibits:
            for message in look(exhibit, case):
                yield exhibit, message

    return looking


def _which(at: int, certificate: Certificate) -> str:
    """Which certificate of a chain: nothing for its own."""
    return "" if at == 0 else f" of certificate {at + 1} of its chain ({certificate.subject or certificate.sha256})"


def _weak_rsa(exhibit: Exhibit, _case: Case) -> Iterator[str]:
    wanted = exhibit.wanted
    if isinstance(wanted, WantedKeyPair) and not exhibit.is_live and _is_weak(wanted.key.algorithm, wanted.key.size):
        yield f"a key of {key_text(wanted.key.algorithm, wanted.key.size, None)}"
    for at, one in enumerate(exhibit.chain):
        if _is_weak(one.key_algorithm, one.key_size):
            yield f"the key{_which(at, one)} is {key_text(one.key_algorithm, one.key_size, None)}"


def _is_weak(algorithm: str | None, size: int | None) -> bool:
    return algorithm in _RSA and size is not None and size < MINIMUM_RSA


def _weak_signature(exhibit: Exhibit, _case: Case) -> Iterator[str]:
    """Of self-issued certificates the signature does not count: nobody checks it (RFC 8446, 4.2.3; RFC 5280, 6.1)."""
    for at, one in enumerate(exhibit.chain):
        algorithm = one.signature_algorithm or ""
        if algorithm.startswith(_WEAK_DIGESTS) and not is_self_issued(one):
            yield f"the signature{_which(at, one)} is {algorithm}"


def _root_not_ca(exhibit: Exhibit, _case: Case) -> Iterator[str]:
    root = exhibit.leaf
    # Of an entry of a tenant that nothing needed whole the list says nothing of this.
    if not exhibit.is_root or root is None or root.problem is not None or root.public_key_sha256 is None:
        return
    # Before version 3 a certificate could not say whether it is a CA: old roots are taken for what they are.
    if not root.is_ca and not (root.version != 3 and is_self_issued(root)):
        yield "the certificate does not say that it is a CA"
    elif root.is_ca and root.key_usage is not None and "keyCertSign" not in root.key_usage:
        yield "the certificate is a CA whose key usage does not allow it to sign certificates"


def _root_not_self_issued(exhibit: Exhibit, _case: Case) -> Iterator[str]:
    root = exhibit.leaf
    if exhibit.is_root and root is not None and root.subject_key is not None and not is_self_issued(root):
        yield f"issued by {root.issuer}: no root"


def _client_auth_missing(exhibit: Exhibit, case: Case) -> Iterator[str]:
    if exhibit.kind is not EntryKind.KEY_PAIR or not _is_client(exhibit, case.desired):
        return
    wanted, leaf = exhibit.wanted, exhibit.leaf
    if isinstance(wanted, WantedKeyPair) and not exhibit.is_live:
        usages: Sequence[str] | None = wanted.extended_key_usage
    else:
        usages = leaf.extended_key_usage if leaf else None
    # Without the extension a certificate is good for everything (RFC 5280, 4.2.1.12).
    if usages and not {"clientAuth", "anyExtendedKeyUsage"} & set(usages):
        yield f"the certificate is for {', '.join(usages)}, not for clientAuth"


def _is_client(exhibit: Exhibit, desired: DesiredState) -> bool:
    """Everything but a generated key pair that says itself what else it is for, and that no receiver is named with."""
    named = any(alias_key(one.key_pair or "") == alias_key(exhibit.alias) for one in desired.receivers)
    return named or not isinstance(exhibit.wanted, WantedKeyPair)


def _validity_too_long(exhibit: Exhibit, case: Case) -> Iterator[str]:
    maximum = case.desired.policy.maximum_validity
    if maximum is None or exhibit.kind is not EntryKind.KEY_PAIR:
        return
    wanted, leaf = exhibit.wanted, exhibit.leaf
    if isinstance(wanted, WantedKeyPair) and not exhibit.is_live:
        validity: timedelta | None = wanted.validity
    else:
        validity = leaf.not_after - leaf.not_before if leaf and leaf.not_after and leaf.not_before else None
    # A certificate includes its last second: 365 days of validity are one second short of 365 days.
    if validity is not None and validity > maximum:
        shown, allowed = _days(validity), _days(maximum)
        yield f"valid for {shown if shown != allowed else validity}, and the policy allows {allowed}"


def _days(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return f"{days:.0f} days" if days >= 1 else f"{duration}"


def _same_certificate(case: Case) -> Iterator[Told]:
    """One alias of each kind for one certificate; a certificate of ours that we trust as well is two things."""
    groups: dict[tuple[EntryKind, str], dict[str, Exhibit]] = {}
    for exhibit in case.exhibits:
        if exhibit.leaf is not None:
            groups.setdefault((exhibit.kind, exhibit.leaf.sha256), {}).setdefault(alias_key(exhibit.alias), exhibit)
    for group in groups.values():
        first, *others = group.values()
        for other in others:
            yield other, f"the same certificate as under {first.alias!r}"


def _chain_order(exhibit: Exhibit, _case: Case) -> Iterator[str]:
    """By names alone: whether the signatures are right is for whoever verifies the chain."""
    if exhibit.kind is not EntryKind.KEY_PAIR:
        return
    for at, (child, issuer) in enumerate(zip(exhibit.chain, exhibit.chain[1:], strict=False), 1):
        if child.issuer_key is not None and child.issuer_key != issuer.subject_key:
            yield f"certificate {at} of the chain was issued by {child.issuer}, and {issuer.subject} follows it"
            return


def _root_expired(exhibit: Exhibit, case: Case) -> Iterator[str]:
    root = exhibit.leaf
    if exhibit.is_root and root is not None and root.not_after is not None and case.now > root.not_after:
        yield f"expired on {day(root.not_after)}"


def _root_distrusted(exhibit: Exhibit, case: Case) -> Iterator[str]:
    return _distrust(exhibit, case, is_past=True)


def _root_distrust_soon(exhibit: Exhibit, case: Case) -> Iterator[str]:
    return _distrust(exhibit, case, is_past=False)


def _distrust(exhibit: Exhibit, case: Case, *, is_past: bool) -> Iterator[str]:
    # The list is data that few commands need; imports are the start-up time.
    from reconciler.distrusted_roots import DISTRUSTED

    root = exhibit.leaf
    row = DISTRUSTED.get(root.sha256) if exhibit.is_root and root is not None else None
    if row is None:
        return
    today = case.now.astimezone(UTC).date()
    if (today > row.day) is is_past and row.day - today <= NEAR:
        yield f"{row.name}: {row.effect} ({row.source})"


def _two_key_pairs_fit(case: Case) -> Iterator[Told]:
    pairs = _key_pairs(case)
    probes = case.probes
    for receiver in case.desired.receivers:
        if receiver.key_pair is not None:
            continue
        probe = probes.get(receiver.name)
        asks = receiver.asks if probe is None or probe.asks is None else probe.asks
        fitting = [alias for alias, chain, issuers in pairs if _fits(receiver, probe, chain, issuers)]
        if asks and len(fitting) > 1:
            names = ", ".join(map(repr, fitting))
            yield receiver, f"it asks for a client certificate, and {len(fitting)} key pairs fit: {names}"


def _key_pairs(case: Case) -> list[tuple[str, tuple[Certificate, ...], tuple[str, ...]]]:
    """Each key pair with its chain, and with the names of the issuers of one that is still to be made."""
    found: dict[str, tuple[str, tuple[Certificate, ...], tuple[str, ...]]] = {}
    for exhibit in case.exhibits:
        if exhibit.kind is EntryKind.KEY_PAIR:
            wanted = exhibit.wanted
            issuers = wanted.issuer.certificates if isinstance(wanted, WantedKeyPair) else ()
            names = tuple(one.subject for one in issuers if one.subject is not None)
            if exhibit.chain or alias_key(exhibit.alias) not in found:
                found[alias_key(exhibit.alias)] = (exhibit.alias, exhibit.chain, names)
    return list(found.values())


def _fits(receiver: Receiver, probe: Probe | None, chain: tuple[Certificate, ...], issuers: tuple[str, ...]) -> bool:
    if probe is not None and probe.accepted_keys and chain:
        return any(one.issuer_key in probe.accepted_keys for one in chain)
    accepted = probe.accepts if probe is not None and probe.accepts else receiver.accepts
    return not accepted or bool(set(accepted) & {*issuers, *(one.issuer for one in chain)})


def _idle(why: Idle, sentence: str) -> Callable[[Case], Iterator[Told]]:
    """Acceptances that do nothing; that one matches nothing can be told only of a live keystore."""

    def looking(case: Case) -> Iterator[Told]:
        findings = case.plan.findings if case.plan else ()
        for one, reason in idle(case.desired.accepted, findings, case.now):
            if reason is why and (case.plan is not None or why is Idle.PAST):
                yield one, sentence.format(until=one.until.isoformat(), owner=one.owner)

    return looking


_WARNING, _NOTE = PolicyLevel.WARNING, PolicyLevel.NOTE
CHECKS: tuple[Check, ...] = (
    Check(
        "weak-rsa",
        "RSA key below 2048 bits",
        _WARNING,
        "Such keys can be broken, and Java refuses them in TLS below 1024 bits, many others below 2048.",
        "Get a certificate over a key of at least 2048 bits.",
        "NIST SP 800-131A Rev. 2; CA/Browser Forum Baseline Requirements, 6.1.5",
        _each(_weak_rsa),
    ),
    Check(
        "weak-signature",
        "Signature with MD5 or SHA-1",
        _WARNING,
        "Signatures over MD5 and SHA-1 can be forged; Java and most others refuse chains with them.",
        "Have the certificate issued again with SHA-256.",
        "RFC 6194; RFC 9155; jdk.certpath.disabledAlgorithms in java.security",
        _each(_weak_signature),
    ),
    Check(
        "root-not-ca",
        "Trusted certificate that is no CA",
        _WARNING,
        "It trusts one server alone, and stops when that server gets another certificate.",
        "Trust the root that issued it, where there is one.",
        "RFC 5280, 4.2.1.9",
        _each(_root_not_ca),
    ),
    Check(
        "root-not-self-issued",
        "Trusted certificate that somebody else issued",
        _NOTE,
        "An intermediate is replaced more often than its root, and then the connection breaks.",
        "Trust the root above it.",
        "RFC 5280, 6.1.1",
        _each(_root_not_self_issued),
    ),
    Check(
        "client-auth-missing",
        "Client key pair whose certificate is not for clientAuth",
        _WARNING,
        "A server may refuse a client certificate that does not name this usage.",
        "Have it issued again with clientAuth, or name it in `extendedKeyUsage`.",
        "RFC 5280, 4.2.1.12",
        _each(_client_auth_missing),
    ),
    Check(
        "validity-too-long",
        "Key pair that is valid longer than `maximumValidity`",
        _WARNING,
        "What is valid for long is replaced seldom, and a key that leaked is good for all that time.",
        "Ask for a shorter `validity`, or set another `policy.maximumValidity`.",
        "",
        _each(_validity_too_long),
    ),
    Check(
        "same-certificate",
        "The same certificate under two aliases",
        _NOTE,
        "Whoever removes or replaces one of them believes the other gone as well.",
        "Keep one of the aliases.",
        "",
        _same_certificate,
    ),
    Check(
        "chain-order",
        "Chain in which a certificate is not issued by the next",
        _WARNING,
        "Receivers that follow the order do not find the root.",
        "Put the certificates in order: its own first, then each one that issued the one before.",
        "RFC 5246, 7.4.2; RFC 8446, 4.4.2",
        _each(_chain_order),
    ),
    Check(
        "root-expired",
        "Trusted certificate past its end",
        _WARNING,
        "Java still accepts an anchor that is past its end, others do not, and its authority has moved on.",
        "Find out which root the receivers use now; declare it with `replaces:`.",
        "RFC 5280, 6.1.1; PKIX in Java does not check the validity of an anchor",
        _each(_root_expired),
    ),
    Check(
        "root-distrusted",
        "Root that Java or browsers no longer trust",
        _WARNING,
        "Its receivers get their next certificate from another root.",
        "Ask the receivers for their new root, and declare it with `replaces:`.",
        "The statements that `reconciler/distrusted_roots.py` names",
        _each(_root_distrusted),
    ),
    Check(
        "root-distrust-soon",
        "Root whose day of distrust is published and near",
        _NOTE,
        "Its receivers will move to another root before that day.",
        "Ask the receivers for their new root, and declare it beside the old one.",
        "The statements that `reconciler/distrusted_roots.py` names",
        _each(_root_distrust_soon),
    ),
    Check(
        "two-key-pairs-fit",
        "Receiver that names no key pair while several fit",
        _WARNING,
        "Which of them is shown depends on the order of the keystore, and changes with it.",
        "Name the right one as `keyPair` of the receiver.",
        "Java: X509KeyManager.chooseClientAlias",
        _two_key_pairs_fit,
    ),
    Check(
        "acceptance-past",
        "Acceptance whose last day is over",
        _WARNING,
        "What it accepted is a finding again.",
        "Mend the finding, or agree on another day.",
        "",
        _idle(Idle.PAST, "accepted until {until} by {owner}: that day is over"),
    ),
    Check(
        "acceptance-unused",
        "Acceptance that matches no finding",
        _NOTE,
        "The entry has changed, or is gone, or is as declared: there is nothing to accept any more.",
        "Take it out of the file.",
        "",
        _idle(Idle.UNUSED, "accepted until {until} by {owner}, and no finding has this certificate and status"),
    ),
    Check(
        "acceptance-overtaken",
        "Acceptance of a certificate that is about to end",
        _WARNING,
        "That a certificate ends cannot be accepted: it is a finding again.",
        "Replace the certificate, or remove the entry.",
        "",
        _idle(Idle.EXPIRY, "accepted until {until} by {owner}, but the certificate is about to end or has ended"),
    ),
)
