"""`compare(desired, live, now, verify)`: one finding for every alias that is wanted or there.

The checks are small pure functions in ordered lists; the first that finds something decides, so the order is the
policy. `drift` prints the findings and `planning` turns them into changes: the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.acceptance import accept
from reconciler.chains import is_self_issued
from reconciler.expiry import NOTICE, day, expiry_of
from reconciler.key_pairs import SELF_SIGNED, Case, Verdict, judge_key_pair
from reconciler.migration import due
from reconciler.migration import finding as about_the_store
from reconciler.model import (
    Absent,
    Difference,
    Entry,
    EntryKind,
    Expiry,
    Finding,
    Status,
    Unmanaged,
    WantedCertificate,
    WantedExisting,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, previous_alias, protected_by, staging_alias
from reconciler.words import chain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.chains import Verify
    from reconciler.model import Certificate, DesiredState, Renamed, Snapshot, Wanted

# Reasons for which a person has to decide first: planning refuses them, drift shows them.
DECLARED_PROTECTED = "declared-protected"
TWO_SPELLINGS = "two-spellings"
KIND = "kind"
BOTH_NAMES = "both-names"
REFUSALS = frozenset({DECLARED_PROTECTED, TWO_SPELLINGS, KIND, BOTH_NAMES})
ALIAS_CASE, MISSING, RENAMED, ABSENT, REPLACED = "alias-case", "missing", "renamed", "absent", "replaced"
PREVIOUS = "previous"
# What nobody can accept: a person has to decide first, or it is ours to clear away.
NOT_ACCEPTABLE = REFUSALS | {PREVIOUS}


def compare(desired: DesiredState, live: Snapshot, now: datetime, verify: Verify) -> tuple[Finding, ...]:
    """What is true of the keystore itself where it has to migrate, then of every alias.

    The declared ones come in the order of the file, then the others as they are stored.

    Args:
        desired: What the file asks for.
        live: What is there; a keystore that does not exist holds nothing.
        now: The moment that expiry is judged at, aware.
        verify: Whether the first certificate was signed with the key of the second (`x509.is_signed_by`).
    """
    migration = due(desired, live)
    itself = () if migration is None else (about_the_store(desired, migration),)
    found = (*itself, *_Comparison(desired, live, now, verify).findings())
    return accept(found, desired.accepted, now, NOT_ACCEPTABLE)


@dataclass(frozen=True)
class _Comparison:
    desired: DesiredState
    live: Snapshot
    now: datetime
    verify: Verify

    def findings(self) -> list[Finding]:
        declared = [self._declared(wanted) for wanted in self.desired.wanted]
        spoken_of = {alias_key(one.alias) for one in self.desired.wanted}
        for rule in self.desired.renamed:
            spoken_of.add(alias_key(rule.old))
            if alias_key(rule.new) not in spoken_of:
                declared += self._only_renamed(rule)
                spoken_of.add(alias_key(rule.new))
        for absent in self.desired.absent:
            spoken_of.add(alias_key(absent.alias))
            declared += [self._to_remove(absent, entry) for entry in self._entries(absent.alias)]
        for old, wanted in self._replaced.items():
            spoken_of.add(old)
            declared += [self._to_replace(wanted, entry) for entry in self._entries(old)]
        spoken_of |= self._staging
        declared += self._previous()
        return declared + [self._undeclared(e) for e in self.live.entries if alias_key(e.alias) not in spoken_of]

    # ------------------------------------------------------------------------------------------ what is there

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return tuple(one.pattern for one in self.desired.protected)

    @cached_property
    def _by_key(self) -> dict[str, list[Entry]]:
        by_key: dict[str, list[Entry]] = {}
        for entry in self.live.entries:
            by_key.setdefault(alias_key(entry.alias), []).append(entry)
        return by_key

    def _entries(self, alias: str) -> list[Entry]:
        return self._by_key.get(alias_key(alias), [])

    @cached_property
    def _staging(self) -> set[str]:
        """Staging aliases belong to the key pairs that they are for: never unmanaged, pruned or adopted."""
        pairs = [one for one in self.desired.wanted if isinstance(one, WantedKeyPair)]
        replaced = {alias_key(previous_alias(one.alias)) for one in pairs if one.generate_in is not None}
        return replaced | {alias_key(staging_alias(one.alias)) for one in pairs}

    def _previous(self) -> Iterator[Finding]:
        """In a tenant: the key pairs that a renewal has replaced, once the alias is there again."""
        for one in self.desired.wanted:
            if isinstance(one, WantedKeyPair) and one.generate_in is not None and self._entries(one.alias):
                for entry in self._entries(previous_alias(one.alias)):
                    if entry.kind is EntryKind.KEY_PAIR and not protected_by(entry.alias, entry.owner, self._patterns):
                        message = f"the key pair that {one.alias} has replaced: nothing uses it any more"
                        expiry = expiry_of(entry.leaf, NOTICE, self.now)
                        yield Finding(entry.alias, Status.DIFFERS, PREVIOUS, message, expiry, (), None, entry,
                                      one.source)  # fmt: skip

    @cached_property
    def _pool(self) -> tuple[Certificate, ...]:
        """What chains can be completed from: the declared roots and every certificate of the live keystore."""
        roots = [one.certificate for one in self.desired.wanted if isinstance(one, WantedCertificate)]
        return (*roots, *(one for entry in self.live.entries for one in entry.chain))

    @cached_property
    def _old_names(self) -> dict[str, Renamed]:
        return {alias_key(rule.new): rule for rule in self.desired.renamed}

    @cached_property
    def _replaced(self) -> dict[str, WantedCertificate]:
        """The identities of trusted certificates that others replace, with the first that does."""
        found: dict[str, WantedCertificate] = {}
        for one in self.desired.wanted:
            if isinstance(one, WantedCertificate) and one.replaces:
                found.setdefault(alias_key(one.replaces), one)
        return found

    # ----------------------------------------------------------------------------------------------- declared

    def _declared(self, wanted: Wanted) -> Finding:
        found = self._entries(wanted.alias)
        rule = self._old_names.get(alias_key(wanted.alias))
        old = self._entries(rule.old) if rule else []
        if old and found:
            return self._finding(wanted, found, _both_names(rule))
        renamed_from = old[0] if old else self._other_spelling(wanted, found)
        reason = RENAMED if old else ALIAS_CASE
        found = found or old
        verdict = self._shape(wanted, found) or self._content(wanted, found[0])
        if verdict is None and found and not found[0].reachable:
            verdict = _out_of_reach(found[0])
        if renamed_from is not None and (verdict is None or verdict.status is Status.DIFFERS):
            verdict = verdict or Verdict(Status.DIFFERS, reason, f"still called {renamed_from.alias!r}")
            spelling = Difference("alias", renamed_from.alias, wanted.alias)
            verdict = Verdict(
                verdict.status, verdict.reason, verdict.message, (*verdict.differences, spelling), verdict.chain
            )
        return self._finding(wanted, found, verdict, renamed_from)

    def _other_spelling(self, wanted: Wanted, found: Sequence[Entry]) -> Entry | None:
        """In a tenant, whose rule about case nobody has published, another spelling is renamed, never added to."""
        other = self.desired.keystore.is_tenant and len(found) == 1 and found[0].alias != wanted.alias
        return found[0] if other and not isinstance(wanted, WantedExisting) else None

    def _finding(
        self, wanted: Wanted, found: Sequence[Entry], verdict: Verdict | None, renamed_from: Entry | None = None
    ) -> Finding:
        entry = found[0] if found else None
        expiry = self._expiry(wanted, entry)
        verdict = verdict or _by_the_clock(wanted, entry, expiry)
        return Finding(
            wanted.alias,
            verdict.status,
            verdict.reason,
            verdict.message,
            expiry,
            verdict.differences,
            wanted,
            entry,
            wanted.source,
            self._staged(wanted),
            verdict.chain,
            renamed_from,
            self._expecting(wanted) if verdict.status is Status.READY_TO_ACTIVATE else (),
        )

    def _expecting(self, wanted: Wanted) -> tuple[str, ...]:
        """The receivers that expect a key pair of us, and must import its successor."""
        key = alias_key(wanted.alias)
        return tuple(one.name for one in self.desired.receivers if alias_key(one.key_pair or "") == key)

    def _expiry(self, wanted: Wanted, entry: Entry | None) -> Expiry:
        before = NOTICE if isinstance(wanted, WantedCertificate) else wanted.renew_before
        return expiry_of(entry.leaf if entry else None, before, self.now)

    def _staged(self, wanted: Wanted) -> Entry | None:
        if not isinstance(wanted, WantedKeyPair):
            return None
        found = self._entries(staging_alias(wanted.alias))
        return found[0] if found and found[0].kind is EntryKind.KEY_PAIR else None

    def _shape(self, wanted: Wanted, found: Sequence[Entry]) -> Verdict | None:
        """What can be said before the content counts: whose it is, how often it is there, and of which kind."""
        for owner in [entry.owner for entry in found] or [None]:
            if pattern := protected_by(wanted.alias, owner, self._patterns):
                message = f"declared, but the entry is protected ({pattern}): it is never written"
                return Verdict(Status.PROTECTED, DECLARED_PROTECTED, message)
        if len(found) > 1:
            spellings = ", ".join(repr(entry.alias) for entry in found)
            message = f"the keystore holds it in several spellings: {spellings}"
            return Verdict(Status.DIFFERS, TWO_SPELLINGS, message)
        if not found:
            return self._missing(wanted)
        kind = EntryKind.TRUSTED_CERTIFICATE if isinstance(wanted, WantedCertificate) else EntryKind.KEY_PAIR
        if found[0].kind is kind:
            return None
        message = f"declared as a {kind}, but the live entry is a {found[0].kind}: kinds are not swapped"
        return Verdict(Status.DIFFERS, KIND, message, (Difference("kind", found[0].kind, kind),))

    def _missing(self, wanted: Wanted) -> Verdict:
        staged = self._staged(wanted)
        if isinstance(wanted, WantedKeyPair) and staged is not None:
            # Whoever took the alias away in the middle: what waits for it is at hand.
            case = Case(wanted, staged, staged, self._pool, self.now, self.verify)
            verdict = judge_key_pair(case)
            if verdict is not None and verdict.status is Status.READY_TO_ACTIVATE:
                return verdict
        what = "trusted certificate" if isinstance(wanted, WantedCertificate) else "key pair"
        return Verdict(Status.MISSING, MISSING, f"the {what} is declared and not there")

    def _content(self, wanted: Wanted, entry: Entry) -> Verdict | None:
        match wanted:
            case WantedCertificate():
                return _same_certificate(wanted.certificate.sha256, entry)
            case WantedExisting():
                return _same_certificate(wanted.sha256, entry) if wanted.sha256 else None
            case WantedImport():
                return _same_chain(wanted.chain, entry.chain)
            case WantedKeyPair():
                pool = (*self._pool, *wanted.chain, *wanted.issuer.certificates)
                return judge_key_pair(Case(wanted, entry, self._staged(wanted), pool, self.now, self.verify))

    # --------------------------------------------------------------------------------------------- the others

    def _only_renamed(self, rule: Renamed) -> list[Finding]:
        """A rename of an entry that nothing else is said of."""
        old, new = self._entries(rule.old), self._entries(rule.new)
        if not old:
            # It was done: the entry under its new name is one that no section describes.
            return [self._undeclared(entry) for entry in new]
        verdict = _both_names(rule) if new else Verdict(
            Status.DIFFERS, RENAMED, f"still called {rule.old!r}", (Difference("alias", rule.old, rule.new),)
        )  # fmt: skip
        owned = [p for e in old if (p := protected_by(e.alias, e.owner, self._patterns))]
        if owned:
            verdict = Verdict(Status.PROTECTED, DECLARED_PROTECTED, f"to be renamed, but protected ({owned[0]})")
        expiry = expiry_of(old[0].leaf, NOTICE, self.now)
        return [
            Finding(
                rule.new, verdict.status, verdict.reason, verdict.message, expiry, verdict.differences,
                None, old[0], rule.source, renamed_from=old[0],
            )
        ]  # fmt: skip

    def _to_remove(self, absent: Absent, entry: Entry) -> Finding:
        expiry = expiry_of(entry.leaf, NOTICE, self.now)
        if pattern := protected_by(entry.alias, entry.owner, self._patterns):
            message = f"to be removed, but the entry is protected ({pattern}): it is never written"
            return Finding(entry.alias, Status.PROTECTED, DECLARED_PROTECTED, message, expiry, (), None, entry,
                           absent.source)  # fmt: skip
        message = f"a {entry.kind} that must not be there"
        return Finding(entry.alias, Status.DIFFERS, ABSENT, message, expiry, (), None, entry, absent.source)

    def _to_replace(self, wanted: WantedCertificate, entry: Entry) -> Finding:
        """A root that goes; whether a receiver needs it still is for `planning` to find out."""
        expiry = expiry_of(entry.leaf, NOTICE, self.now)
        status, reason, message = Status.DIFFERS, REPLACED, f"{wanted.alias} replaces it"
        if pattern := protected_by(entry.alias, entry.owner, self._patterns):
            status, reason = Status.PROTECTED, DECLARED_PROTECTED
            message = f"to be replaced, but the entry is protected ({pattern}): it is never written"
        elif entry.kind is not EntryKind.TRUSTED_CERTIFICATE:
            reason = KIND
            message = f"{wanted.alias} replaces it, but it is a {entry.kind}: only trusted certificates are replaced"
        return Finding(entry.alias, status, reason, message, expiry, (), None, entry, wanted.source)

    def _undeclared(self, entry: Entry) -> Finding:
        expiry = expiry_of(entry.leaf, NOTICE, self.now)
        if pattern := protected_by(entry.alias, entry.owner, self._patterns):
            message = f"protected ({pattern}): shown, never written"
            return Finding(entry.alias, Status.PROTECTED, "protected", message, expiry, (), None, entry)
        message = f"a {entry.kind} that no file declares"
        if self.desired.unmanaged is Unmanaged.PRUNE and entry.kind is not EntryKind.TRUSTED_CERTIFICATE:
            message += "; keys are never pruned: name it under aliases.absent to remove it"
        return Finding(entry.alias, Status.UNMANAGED, "unmanaged", message, expiry, (), None, entry)


def incomplete(desired: DesiredState, live: Snapshot) -> tuple[str, ...]:
    """The entries whose whole chain is needed to judge them, where a keystore shows the leaf alone (a tenant)."""
    entries = {alias_key(entry.alias): entry for entry in live.entries if entry.kind is EntryKind.KEY_PAIR}
    old_names = {alias_key(rule.new): alias_key(rule.old) for rule in desired.renamed}
    needed = []
    for wanted in desired.wanted:
        key = alias_key(wanted.alias)
        names = [key, old_names.get(key, key), alias_key(staging_alias(wanted.alias))]
        needed += [entries[name].alias for name in names if name in entries and needs_chain(wanted, entries[name])]
    return tuple(dict.fromkeys(needed))


def needs_chain(wanted: Wanted, entry: Entry) -> bool:
    """Whether more than its leaf decides what is true of a key pair."""
    leaf = entry.chain[0]
    match wanted:
        case WantedImport():
            return len(wanted.chain) > 1 and leaf.sha256 == wanted.chain[0].sha256
        case WantedKeyPair():
            return wanted.issuer.type != SELF_SIGNED and not is_self_issued(leaf)
        case _:
            return False


def _both_names(rule: Renamed | None) -> Verdict:
    names = f"{rule.old!r} and {rule.new!r}" if rule else "both names"
    return Verdict(Status.DIFFERS, BOTH_NAMES, f"to be renamed, but {names} are both there")


def _out_of_reach(entry: Entry) -> Verdict:
    spelling = Difference("alias", entry.stored_alias or entry.alias, alias_key(entry.alias))
    message = f"stored as {spelling.live!r}: Java lists it but cannot find it under that name"
    return Verdict(Status.DIFFERS, ALIAS_CASE, message, (spelling,))


def _same_certificate(sha256: str, entry: Entry) -> Verdict | None:
    live = entry.chain[0].sha256
    if live == sha256:
        return None
    difference = Difference("certificate", live, sha256)
    return Verdict(Status.DIFFERS, "certificate", "another certificate than declared", (difference,))


def _same_chain(wanted: Sequence[Certificate], live: Sequence[Certificate]) -> Verdict | None:
    """In PKCS#12 Java goes on to the root where it finds one in the store: a longer live chain is no difference."""
    if [one.sha256 for one in live[: len(wanted)]] == [one.sha256 for one in wanted]:
        return None
    if live[0].sha256 == wanted[0].sha256:
        difference = Difference("chain", chain_text(live), chain_text(wanted))
    else:
        same_key = live[0].public_key_sha256 == wanted[0].public_key_sha256
        difference = Difference("certificate" if same_key else "key", live[0].sha256, wanted[0].sha256)
    message = f"another {difference.field} than declared"
    return Verdict(Status.DIFFERS, difference.field, message, (difference,))


def _by_the_clock(wanted: Wanted, entry: Entry | None, expiry: Expiry) -> Verdict:
    leaf = entry.leaf if entry else None
    until = day(leaf.not_after) if leaf else "?"
    match expiry:
        case Expiry.OK:
            return Verdict(Status.IN_SYNC, "in-sync", f"as declared, valid until {until}")
        case Expiry.EXPIRING:
            what = "a renewal is due" if isinstance(wanted, WantedKeyPair) else "about to expire"
            return Verdict(Status.EXPIRING, "expiring", f"valid until {until}: {what}")
        case Expiry.EXPIRED:
            return Verdict(Status.EXPIRED, "expired", f"expired on {until}")


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
