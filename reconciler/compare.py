"""`compare(desired, live, now)`: one finding for every alias that is wanted or there.

The checks are small pure functions in ordered lists; the first that finds something decides, so the order is the
policy. `drift` prints the findings and `planning` turns them into changes: the two cannot disagree.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.model import (
    Difference,
    EntryKind,
    Expiry,
    Finding,
    RenewBefore,
    Status,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, protected_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.model import Certificate, DesiredState, Entry, Snapshot, Wanted

# What nobody renews for us (trusted certificates, brought-along and unmanaged entries) is announced this long before.
NOTICE = timedelta(days=30)

# Reasons for which a person has to decide first: planning refuses them, drift shows them.
DECLARED_PROTECTED = "declared-protected"
TWO_SPELLINGS = "two-spellings"
KIND = "kind"
REFUSALS = frozenset({DECLARED_PROTECTED, TWO_SPELLINGS, KIND})
ALIAS_CASE = "alias-case"


def compare(desired: DesiredState, live: Snapshot, now: datetime) -> tuple[Finding, ...]:
    """What is true of every alias: the declared ones in the order of the file, then the others as they are stored.

    Args:
        desired: What the file asks for.
        live: What is there; a keystore that does not exist holds nothing.
        now: The moment that expiry is judged at, aware.
    """
    patterns = tuple(one.pattern for one in desired.protected)
    by_key: dict[str, list[Entry]] = {}
    for entry in live.entries:
        by_key.setdefault(alias_key(entry.alias), []).append(entry)
    declared = {alias_key(wanted.alias) for wanted in desired.wanted}
    findings = [_declared(wanted, by_key.get(alias_key(wanted.alias), []), patterns, now) for wanted in desired.wanted]
    findings += [
        _undeclared(entry, patterns, now) for key, entries in by_key.items() if key not in declared for entry in entries
    ]
    return tuple(findings)


# ------------------------------------------------------------------------------------------------ declared


def _declared(wanted: Wanted, found: Sequence[Entry], patterns: Sequence[str], now: datetime) -> Finding:
    entry = found[0] if found else None
    expiry = _expiry(wanted, entry, now)
    for check in _CHECKS:
        if (verdict := check(wanted, found, patterns)) is not None:
            status, reason, message, differences = verdict
            return Finding(wanted.alias, status, reason, message, expiry, differences, wanted, entry)
    leaf = entry.leaf if entry else None
    until = _day(leaf.not_after) if leaf else "?"
    match expiry:
        case Expiry.OK:
            return Finding(wanted.alias, Status.IN_SYNC, "in-sync", f"as declared, valid until {until}", expiry,
                           (), wanted, entry)  # fmt: skip
        case Expiry.EXPIRING:
            return Finding(wanted.alias, Status.EXPIRING, "expiring", _due_message(wanted, until), expiry,
                           (), wanted, entry)  # fmt: skip
        case Expiry.EXPIRED:
            return Finding(wanted.alias, Status.EXPIRED, "expired", f"expired on {until}", expiry,
                           (), wanted, entry)  # fmt: skip


Verdict = tuple[Status, str, str, tuple[Difference, ...]]


def _is_protected(wanted: Wanted, found: Sequence[Entry], patterns: Sequence[str]) -> Verdict | None:
    for owner in [entry.owner for entry in found] or [None]:
        if pattern := protected_by(wanted.alias, owner, patterns):
            message = f"declared, but the entry is protected ({pattern}): it is never written"
            return Status.PROTECTED, DECLARED_PROTECTED, message, ()
    return None


def _has_two_spellings(_wanted: Wanted, found: Sequence[Entry], _patterns: Sequence[str]) -> Verdict | None:
    if len(found) < 2:
        return None
    spellings = ", ".join(repr(entry.alias) for entry in found)
    return Status.DIFFERS, TWO_SPELLINGS, f"the keystore holds it in several spellings: {spellings}", ()


def _is_missing(wanted: Wanted, found: Sequence[Entry], _patterns: Sequence[str]) -> Verdict | None:
    if found:
        return None
    what = "trusted certificate" if isinstance(wanted, WantedCertificate) else "key pair"
    return Status.MISSING, "missing", f"the {what} is declared and not there", ()


def _is_another_kind(wanted: Wanted, found: Sequence[Entry], _patterns: Sequence[str]) -> Verdict | None:
    kind = EntryKind.TRUSTED_CERTIFICATE if isinstance(wanted, WantedCertificate) else EntryKind.KEY_PAIR
    live = found[0].kind
    if live is kind:
        return None
    message = f"declared as a {kind}, but the live entry is a {live}: kinds are not swapped"
    return Status.DIFFERS, KIND, message, (Difference("kind", live, kind),)


def _content_differs(wanted: Wanted, found: Sequence[Entry], _patterns: Sequence[str]) -> Verdict | None:
    differences = _differences(wanted, found[0])
    if not differences:
        return None
    fields = ", ".join(difference.field for difference in differences)
    return Status.DIFFERS, differences[0].field, f"another {fields} than declared", differences


def _is_out_of_reach(_wanted: Wanted, found: Sequence[Entry], _patterns: Sequence[str]) -> Verdict | None:
    entry = found[0]
    if entry.reachable:
        return None
    spelling = Difference("alias", entry.stored_alias or entry.alias, alias_key(entry.alias))
    message = f"stored as {spelling.live!r}: Java lists it but cannot find it under that name"
    return Status.DIFFERS, ALIAS_CASE, message, (spelling,)


_CHECKS: tuple[Callable[[Wanted, Sequence[Entry], Sequence[str]], Verdict | None], ...] = (
    _is_protected,
    _has_two_spellings,
    _is_missing,
    _is_another_kind,
    _content_differs,
    _is_out_of_reach,
)


# ------------------------------------------------------------------------------------------------- content


def _differences(wanted: Wanted, entry: Entry) -> tuple[Difference, ...]:
    match wanted:
        case WantedCertificate():
            return _certificate_differences(wanted.certificate, entry.chain[0])
        case WantedImport():
            return _chain_differences(wanted.chain, entry.chain)
        case WantedKeyPair():
            return _key_pair_differences(wanted, entry.chain)


def _certificate_differences(wanted: Certificate, live: Certificate) -> tuple[Difference, ...]:
    if live.sha256 == wanted.sha256:
        return ()
    return (Difference("certificate", live.sha256, wanted.sha256),)


def _chain_differences(wanted: Sequence[Certificate], live: Sequence[Certificate]) -> tuple[Difference, ...]:
    """In PKCS#12 Java goes on to the root where it finds one in the store: a longer live chain is no difference."""
    if [one.sha256 for one in live[: len(wanted)]] == [one.sha256 for one in wanted]:
        return ()
    if live[0].sha256 == wanted[0].sha256:
        return (Difference("chain", _subjects(live), _subjects(wanted)),)
    first = "certificate" if live[0].public_key_sha256 == wanted[0].public_key_sha256 else "key"
    return (Difference(first, live[0].sha256, wanted[0].sha256),)


def _key_pair_differences(wanted: WantedKeyPair, live: Sequence[Certificate]) -> tuple[Difference, ...]:
    leaf = live[0]
    if leaf.public_key_sha256 is None:
        return (Difference("certificate", f"unreadable: {leaf.problem}", "a readable certificate"),)
    key = wanted.key
    pairs = [
        (
            "key-spec",
            key_text(leaf.key_algorithm, leaf.key_size, leaf.curve),
            key_text(key.algorithm, key.size, key.curve),
        ),
        ("subject", subject_text(leaf.subject_attributes or ()), subject_text(wanted.subject)),
        ("subject-alt-names", _set_text(leaf.subject_alt_names or ()), _set_text(wanted.subject_alt_names)),
        ("extended-key-usage", _set_text(leaf.extended_key_usage or ()), _set_text(wanted.extended_key_usage)),
    ]
    differences = [Difference(name, there, asked) for name, there, asked in pairs if there != asked]
    if leaf.issuer_key != leaf.subject_key or len(live) != 1:
        differences.append(Difference("issuer", leaf.issuer or "unreadable", "self-signed"))
    return tuple(differences)


def key_text(algorithm: str | None, size: int | None, curve: str | None) -> str:
    """A key in words: ``RSA 3072``, ``EC secp256r1``, ``Ed25519``."""
    match algorithm:
        case None:
            return "unreadable"
        case "EC":
            return f"EC {curve or size}"
        case "Ed25519" | "Ed448":
            return algorithm
        case _:
            return f"{algorithm} {size}"


def subject_text(attributes: Sequence[tuple[str, str]]) -> str:
    """A subject in words, in the order of the certificate: enough to compare two, not an encoding."""
    return ", ".join(f"{name}={value}" for name, value in attributes)


def _set_text(values: Sequence[str]) -> str:
    return ", ".join(sorted(set(values))) or "none"


def _subjects(chain: Sequence[Certificate]) -> str:
    return " < ".join(one.subject or one.sha256 for one in chain)


# --------------------------------------------------------------------------------------------------- expiry


def renewal_due(certificate: Certificate, before: RenewBefore) -> datetime | None:
    """The moment from which a renewal is due; None when the validity cannot be read."""
    if certificate.not_after is None or certificate.not_before is None:
        return None
    if before.duration is not None:
        return certificate.not_after - before.duration
    lifetime = certificate.not_after - certificate.not_before
    return certificate.not_after - lifetime * (before.share if before.share is not None else 1 / 3)


def expiry_of(certificate: Certificate | None, before: RenewBefore, now: datetime) -> Expiry:
    """How a certificate stands against the clock; what cannot be read is not claimed to expire."""
    if certificate is None or certificate.not_after is None:
        return Expiry.OK
    if now > certificate.not_after:
        return Expiry.EXPIRED
    due = renewal_due(certificate, before)
    return Expiry.EXPIRING if due is not None and now >= due else Expiry.OK


def _expiry(wanted: Wanted, entry: Entry | None, now: datetime) -> Expiry:
    before = RenewBefore(duration=NOTICE) if isinstance(wanted, WantedCertificate) else wanted.renew_before
    return expiry_of(entry.leaf if entry else None, before, now)


def _due_message(wanted: Wanted, until: str) -> str:
    return f"valid until {until}: " + ("a renewal is due" if isinstance(wanted, WantedKeyPair) else "about to expire")


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment is not None else "an unreadable date"


# ------------------------------------------------------------------------------------------------ the others


def _undeclared(entry: Entry, patterns: Sequence[str], now: datetime) -> Finding:
    expiry = expiry_of(entry.leaf, RenewBefore(duration=NOTICE), now)
    if pattern := protected_by(entry.alias, entry.owner, patterns):
        message = f"protected ({pattern}): shown, never written"
        return Finding(entry.alias, Status.PROTECTED, "protected", message, expiry, (), None, entry)
    message = f"a {entry.kind} that no file declares"
    return Finding(entry.alias, Status.UNMANAGED, "unmanaged", message, expiry, (), None, entry)


def is_difference(finding: Finding, *, report_unmanaged: bool) -> bool:
    """Whether `drift` exits with 2 for this finding: see the contract, "Findings"."""
    match finding.status:
        case Status.MISSING | Status.DIFFERS | Status.RESPONSE_READY | Status.RESPONSE_REJECTED:
            return True
        case Status.UNMANAGED:
            return report_unmanaged
        case Status.PROTECTED:
            return finding.reason == DECLARED_PROTECTED
        case _:
            return finding.wanted is not None and finding.expiry is not Expiry.OK
