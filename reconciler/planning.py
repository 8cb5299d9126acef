"""Findings -> Plan: the one place where what is true becomes what would be done, and where a plan gets its digest."""

from __future__ import annotations

import json
import posixpath
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeAlias

from reconciler.acceptance import OVERTAKEN
from reconciler.chains import chain_from
from reconciler.compare import (
    ABSENT,
    ALIAS_CASE,
    INTERRUPTED,
    PREVIOUS,
    REFUSALS,
    RENAMED,
    REPLACED,
    by_the_clock,
    compare,
)
from reconciler.errors import PlanRefusedError, Problem, RefusedError
from reconciler.issued import classify, planned_weaknesses, weaknesses
from reconciler.key_pairs import (
    AWAITING_APPROVAL,
    CHAIN,
    EXTERNAL,
    REQUESTED,
    SELF_SIGNED,
    is_placeholder,
    needs_new_key,
)
from reconciler.migration import change as about_the_store
from reconciler.migration import due
from reconciler.model import (
    Action,
    Affect,
    Change,
    EntryKind,
    Expiry,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    Restore,
    Status,
    Step,
    StoreType,
    TargetPlan,
    Unmanaged,
    WantedCertificate,
    WantedExisting,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, protected_by, staging_alias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.chains import Verify
    from reconciler.model import (
        Certificate,
        DesiredState,
        Entry,
        Finding,
        Migration,
        ReceiverVerdict,
        Snapshot,
        Wanted,
        Write,
    )
    from reconciler.receivers import Outlook

# A plan that deletes or replaces more of the visible unprotected entries than this needs --allow-mass-change.
MASS_SHARE = 0.30
MASS_COUNT = 5


class Preview(Protocol):
    """`KeystoreReader.preview`: what the keystore would show after some writes, without writing.

    With a migration, the writes are tried on what the keystore becomes by it.
    """

    def __call__(self, writes: Sequence[Write], /, *, migration: Migration | None = None) -> Snapshot: ...


def plan_target(  # noqa: PLR0913  # each is a fact of its own
    desired: DesiredState,
    live: Snapshot,
    now: datetime,
    preview: Preview,
    verify: Verify,
    *,
    renewals_only: bool = False,
    barred: frozenset[str] = frozenset(),
    outlook: Outlook | None = None,
) -> TargetPlan:
    """What apply would do to one keystore.

    Args:
        desired: What the file asks for.
        live: The keystore that was read.
        now: The moment of the comparison.
        preview: What the keystore would show after some writes.
        verify: Whether the first certificate was signed with the key of the second.
        renewals_only: Plan only what time and arrived answers ask for.
        barred: The identities of aliases for which that is not done either.
        outlook: What is known of the receivers beside the desired state.

    Raises:
        PlanRefusedError: a declared alias is protected, would change its kind, or exists in two spellings; a valid
            key that somebody else certified would be thrown away; or the keystore cannot migrate whole.
    """
    findings = compare(desired, live, now, verify)
    problems = [problem for finding in findings if (problem := _refusal(finding)) is not None]
    if problems:
        raise PlanRefusedError(problems, desired.keystore.location)
    migration = None if renewals_only else due(desired, live)
    tried = preview if migration is None else partial(preview, migration=migration)
    findings = _held_back(findings, desired, live, tried, (now, verify, outlook))
    changes = _all_changes(findings, desired, live, renewals_only=renewals_only, barred=barred)
    if migration is None:
        plan = TargetPlan(desired, live, findings, with_affects(changes, desired, live, preview, verify))
    else:
        moved = tried(())
        first = _migrate(desired, live, moved, migration)
        plan = TargetPlan(desired, live, findings, (first, *with_affects(changes, desired, moved, tried, verify)))
    return with_receivers(plan, tried, (now, verify, outlook))


def _all_changes(
    findings: Sequence[Finding],
    desired: DesiredState,
    live: Snapshot,
    *,
    renewals_only: bool,
    barred: frozenset[str] = frozenset(),
) -> tuple[Change, ...]:
    changes = [
        change
        for finding in findings
        if not renewals_only or (_is_asked_for_by_time(finding) and alias_key(finding.alias) not in barred)
        for change in _changes(finding, desired)
    ]
    if not live.exists and not renewals_only:
        changes.insert(0, _create_store(desired))
    return tuple(sorted(changes, key=lambda change: _ORDER[change.action]))


# ----------------------------------------------------------------------------------------------- receivers


ReceiverFacts: TypeAlias = "tuple[datetime, Verify, Outlook | None]"  # what receivers are judged by, beside the entries


def _held_back(
    findings: tuple[Finding, ...], desired: DesiredState, live: Snapshot, preview: Preview, facts: ReceiverFacts
) -> tuple[Finding, ...]:
    """The findings, with the roots that are replaced and that somebody still needs."""
    if not any(finding.reason == REPLACED for finding in findings):
        return findings
    # Judging trust is a good part of the program; most plans have no use for it, and imports are the start-up time.
    from reconciler.receivers import circumstances, foreseeable
    from reconciler.rollover import held_back

    others = [finding for finding in findings if finding.reason != REPLACED]
    changes = _all_changes(others, desired, live, renewals_only=False)
    after = foreseeable(_after(changes, live, preview), changes)
    return held_back(findings, desired, after, circumstances(*facts))


def with_receivers(
    plan: TargetPlan, preview: Preview, facts: ReceiverFacts, *, becomes: Snapshot | None = None
) -> TargetPlan:
    """The plan with what it means for the receivers that the desired state names.

    Args:
        plan: Of whatever kind: a rollback can break a connection as well.
        preview: What the keystore would show after some writes.
        facts: The moment, the check of signatures, and what is known of the receivers beside the desired state.
        becomes: The keystore after the changes, where it is known whole.
    """
    receivers = plan.desired.receivers
    if not receivers:
        return plan
    from reconciler.receivers import circumstances, foreseeable, judge_receivers, unneeded_roots

    after = becomes or _after(plan.changes, plan.live, preview)
    entries = foreseeable(after, plan.changes)
    verdicts = judge_receivers(receivers, plan.live.entries, entries, plan.changes, circumstances(*facts))
    return replace(plan, receivers=verdicts, unneeded=unneeded_roots(after.entries, verdicts, plan.desired))


def _after(changes: Sequence[Change], live: Snapshot, preview: Preview) -> Snapshot:
    """The keystore after the changes, as far as a plan can know it."""
    writes = [write for change in changes for write in public_writes(change)]
    return preview(writes) if writes else live


_ORDER = {action: place for place, action in enumerate(Action)}
# What the nightly run does: time has come, or an answer.
_BY_TIME = frozenset({Status.EXPIRING, Status.EXPIRED, Status.RESPONSE_READY, Status.READY_TO_ACTIVATE})
# What must not keep a renewal that is due until it is too late: a difference, a request that was lost on its way.
_IN_THE_WAY = frozenset({Status.DIFFERS, Status.AWAITING_SIGNATURE})
# And it goes on where a take-over was interrupted, and clears away what it has left.
_LEFT_OVER = frozenset({PREVIOUS, INTERRUPTED})


def _is_asked_for_by_time(finding: Finding) -> bool:
    """Whether the nightly run does it."""
    if finding.status in _BY_TIME or finding.reason in _LEFT_OVER:
        return True
    due = finding.expiry is not Expiry.OK and isinstance(finding.wanted, WantedKeyPair)
    return due and finding.status in _IN_THE_WAY


# ------------------------------------------------------------------------------------- a finding -> changes


def _changes(finding: Finding, desired: DesiredState) -> Iterator[Change]:
    """The changes for one alias: usually one, two where an entry is renamed and its content changes as well."""
    if finding.status is Status.ACCEPTED:
        return
    if finding.renamed_from is not None:
        yield _rename(finding)
    match finding.wanted:
        case WantedCertificate() | WantedImport():
            yield from _put(finding)
        case WantedKeyPair() as wanted:
            yield from _key_pair(finding, wanted, desired)
        case WantedExisting() | None:
            yield from _remove(finding, desired)


def _rename(finding: Finding) -> Change:
    old = finding.renamed_from
    alias = old.alias if old else ""
    message = f"rename {alias!r} to {finding.alias!r}"
    reason = ALIAS_CASE if alias_key(alias) == alias_key(finding.alias) else RENAMED
    if finding.reason == INTERRUPTED:
        reason, message = INTERRUPTED, f"{message}: {finding.message}"
    return Change(
        Action.RENAME, alias, reason, message, finding.source, None, old, step=Step.RENAME, new_alias=finding.alias
    )


def _put(finding: Finding) -> Iterator[Change]:
    match finding.status:
        case Status.MISSING:
            yield _change(finding, Action.IMPORT, Step.PUT)
        case Status.DIFFERS if finding.reason == ALIAS_CASE and finding.renamed_from is None:
            yield _change(finding, Action.REPLACE, Step.RESPELL)
        case Status.DIFFERS if finding.reason not in _ONLY_RENAMED:
            yield _change(finding, Action.REPLACE, Step.PUT)


def _key_pair(finding: Finding, wanted: WantedKeyPair, desired: DesiredState) -> Iterator[Change]:
    receivers = tuple(one.name for one in desired.receivers if alias_key(one.key_pair or "") == alias_key(wanted.alias))
    for one in _in_turn(finding, wanted):
        for action, step, reason in _key_pair_step(one, wanted):
            yield replace(_change(one, action, step, reason), receivers=receivers)


def _in_turn(finding: Finding, wanted: WantedKeyPair) -> Iterator[Finding]:
    """A finding; where the name or the chain of a certificate is mended that is due as well, its renewal after that."""
    if finding.status is not Status.DIFFERS or finding.reason not in _BESIDE_A_RENEWAL or finding.expiry is Expiry.OK:
        yield finding
        return
    verdict = by_the_clock(wanted, finding.live, finding.expiry)
    due = replace(
        finding, status=verdict.status, reason=verdict.reason, message=verdict.message, differences=(), chain=()
    )  # fmt: skip
    # A certificate of its own in the place of the old one brings its chain along.
    if finding.reason != CHAIN or _renewal(due, wanted) not in _WHOLE:
        yield finding
    yield due


def _key_pair_step(finding: Finding, wanted: WantedKeyPair) -> Iterator[tuple[Action, Step, str]]:
    reason = finding.reason
    match finding.status:
        case Status.MISSING:
            yield Action.CREATE, Step.GENERATE, reason
        case Status.DIFFERS if reason == ALIAS_CASE and finding.renamed_from is None:
            yield Action.REPLACE, Step.RESPELL, reason
        case Status.DIFFERS if reason == CHAIN:
            yield Action.RENEW, Step.COMPLETE_CHAIN, reason
        case Status.DIFFERS if reason not in _ONLY_RENAMED:
            yield Action.RENEW, _renewal(finding, wanted), reason
        case Status.EXPIRING | Status.EXPIRED:
            due = "renewal-due" if finding.status is Status.EXPIRING else reason
            yield Action.RENEW, _renewal(finding, wanted), due
        case Status.RESPONSE_READY:
            yield Action.IMPORT, _answer_step(finding, wanted), reason
        case Status.READY_TO_ACTIVATE if reason != AWAITING_APPROVAL:
            yield Action.RENEW, Step.TAKE_OVER, reason
        case Status.AWAITING_SIGNATURE if reason != REQUESTED:
            yield _request_again(finding, wanted)


# What a rename alone mends.
_ONLY_RENAMED = frozenset({RENAMED, ALIAS_CASE, INTERRUPTED})
# Differences that leave the certificate itself as it is declared.
_BESIDE_A_RENEWAL = frozenset({RENAMED, ALIAS_CASE, CHAIN})
_WHOLE = frozenset({Step.GENERATE, Step.REISSUE, Step.REKEY})


def _request_again(finding: Finding, wanted: WantedKeyPair) -> tuple[Action, Step, str]:
    """The request for the key that waits; where it was made here for a tenant, the key is not here any more."""
    waiting = finding.staged or finding.live
    lost = wanted.generate_in == "here" and waiting is not None and is_placeholder(wanted, waiting)
    if lost:
        return Action.RENEW, Step.STAGE if finding.staged else Step.GENERATE, finding.reason
    return Action.REQUEST, Step.REQUEST, finding.reason


def _gets_new_key(finding: Finding, wanted: WantedKeyPair) -> bool:
    return wanted.rekey or needs_new_key(wanted, finding.differences)


def _renewal_in_tenant(finding: Finding, wanted: WantedKeyPair) -> Step:
    """As `_renewal`, where a key cannot leave the keystore and an alias must be free for a key that is born there."""
    new_key = _gets_new_key(finding, wanted)
    waits_alone = finding.live is not None and is_placeholder(wanted, finding.live)
    if wanted.issuer.type == EXTERNAL and not waits_alone:
        return Step.STAGE if new_key or finding.staged else Step.REQUEST
    if wanted.activation == "approved" and not waits_alone:
        return Step.STAGE
    if not new_key and wanted.issuer.type != SELF_SIGNED:
        return Step.REISSUE
    return Step.REKEY if wanted.born_in_tenant and not waits_alone else Step.GENERATE


def _renewal(finding: Finding, wanted: WantedKeyPair) -> Step:
    """How a key pair is renewed: see "Renewals that others must know of" and "Issuers" in the contract.

    What waits already and is not what is wanted now is made again in its place, or its key would be the one that every
    further request asks for.
    """
    if wanted.generate_in is not None:
        return _renewal_in_tenant(finding, wanted)
    new_key = _gets_new_key(finding, wanted)
    waits_alone = finding.live is not None and is_placeholder(wanted, finding.live)
    if wanted.issuer.type == EXTERNAL and not waits_alone:
        return Step.STAGE if new_key or finding.staged else Step.REQUEST
    if wanted.activation == "approved" and not waits_alone:
        return Step.STAGE
    return Step.GENERATE if new_key else Step.REISSUE


def _answer_step(finding: Finding, wanted: WantedKeyPair) -> Step:
    staged = finding.staged is not None
    first = finding.live is not None and is_placeholder(wanted, finding.live) and not staged
    if first or (not staged and wanted.activation == "automatic"):
        return Step.ANSWER
    approved = wanted.activation == "automatic" or wanted.activate == finding.chain[0].sha256
    return Step.ANSWER_TAKE_OVER if approved else Step.ANSWER_STAGED


def _remove(finding: Finding, desired: DesiredState) -> Iterator[Change]:
    live = finding.live
    if finding.reason == ABSENT and live is not None:
        message = f"delete the {live.kind} that must not be there"
        yield Change(Action.DELETE, live.alias, ABSENT, message, finding.source, None, live, step=Step.REMOVE)
    if finding.reason == REPLACED and finding.status is Status.DIFFERS and live is not None:
        who = "no receiver needs it" if desired.receivers else "no receivers are declared that could need it"
        message = f"delete the trusted certificate: {finding.message}, and {who}"
        yield Change(Action.DELETE, live.alias, REPLACED, message, finding.source, None, live, step=Step.REMOVE)
    if finding.reason == PREVIOUS and live is not None:
        message = f"delete {finding.message}"
        yield Change(Action.DELETE, live.alias, PREVIOUS, message, finding.source, None, live, step=Step.REMOVE)
    prunes = desired.unmanaged is Unmanaged.PRUNE and finding.status is Status.UNMANAGED
    if prunes and finding.reason != OVERTAKEN and live is not None and live.kind is EntryKind.TRUSTED_CERTIFICATE:
        message = "delete the trusted certificate that no file declares"
        yield Change(Action.DELETE, live.alias, "prune", message, None, None, live, step=Step.REMOVE)


def _change(finding: Finding, action: Action, step: Step, reason: str | None = None) -> Change:
    leaf, chain = finding.live.leaf if finding.live else None, _new_chain(finding)
    classified: str | None = None
    warnings: tuple[str, ...] = ()
    if leaf is not None and step not in {Step.RESPELL, Step.REQUEST, Step.COMPLETE_CHAIN}:
        classified, warnings = _classified(leaf, chain, finding, step)
    return Change(
        action,
        finding.alias,
        reason or finding.reason,
        _message(action, step, finding),
        finding.source,
        finding.wanted,
        finding.live,
        step=step,
        staged=finding.staged,
        chain=chain,
        certificate_change=classified,
        warnings=warnings,
    )


def _new_chain(finding: Finding) -> tuple[Certificate, ...]:
    """The chain that will be put in place, where it exists already."""
    match finding.wanted:
        case WantedCertificate() as wanted:
            return (wanted.certificate,)
        case WantedImport() as wanted:
            return wanted.chain
        case _:
            return finding.chain


def _classified(
    leaf: Certificate, chain: Sequence[Certificate], finding: Finding, step: Step
) -> tuple[str, tuple[str, ...]]:
    """How the certificate changes, and in what it becomes weaker."""
    wanted = finding.wanted
    if step is Step.TAKE_OVER and finding.staged is not None:
        chain = finding.staged.chain
    if chain:
        return classify(leaf, chain[0]), weaknesses(leaf, chain[0])
    if not isinstance(wanted, WantedKeyPair):
        return "same-key-renewed", ()
    fields = {difference.field for difference in finding.differences}
    new_key = step in {Step.GENERATE, Step.REKEY} or (step is Step.STAGE and _gets_new_key(finding, wanted))
    kind = "same-key-renewed"
    if new_key:
        kind = "re-keyed"
    elif "issuer" in fields:
        kind = "other-issuer"
    elif fields & {"subject", "subject-alt-names"}:
        kind = "names-changed"
    return kind, planned_weaknesses(leaf, wanted)


def _create_store(desired: DesiredState) -> Change:
    keystore = desired.keystore
    message = f"make the {keystore.type} keystore {keystore.location}"
    return Change(Action.CREATE_STORE, "", "missing", message, keystore.source, step=Step.CREATE_STORE)


_VERBS = {
    Step.GENERATE: "generate a new key with a certificate by",
    Step.REISSUE: "a new certificate over the same key by",
    Step.STAGE: "prepare a renewed key pair beside the old one, with a certificate by",
    Step.REKEY: "a new key beside the old one, which takes the alias over with its certificate, by",
    Step.REQUEST: "write the signing request for",
    Step.ANSWER: "put the signing response in place, from",
    Step.ANSWER_STAGED: "put the signing response onto the prepared key pair, from",
    Step.ANSWER_TAKE_OVER: "put the signing response onto the prepared key pair, which takes over, from",
    Step.TAKE_OVER: "the prepared key pair takes over, by",
    Step.COMPLETE_CHAIN: "complete the chain, by",
    Step.RESPELL: "the same key pair under its spelling in lower case, by",
}


def _message(action: Action, step: Step, finding: Finding) -> str:
    match finding.wanted:
        case WantedCertificate() as wanted:
            subject = wanted.certificate.subject or f"SHA-256 {wanted.certificate.sha256}"
            return f"{action} trusted certificate {subject}: {finding.message}"
        case WantedImport() as wanted:
            return f"{action} key pair {wanted.chain[0].subject or ''} from {wanted.origin}: {finding.message}"
        case WantedKeyPair() as wanted:
            gap = _GAP if wanted.generate_in is not None and step in _BY_RENAMING else ""
            return f"{_VERBS[step]} {wanted.issuer.name or wanted.issuer.type}: {finding.message}{gap}"
        case _:
            return f"{action}: {finding.message}"


# In a tenant one key pair takes the place of another by two renames.
_BY_RENAMING = frozenset({Step.REKEY, Step.TAKE_OVER, Step.ANSWER_TAKE_OVER})
_GAP = (
    "; the old key pair becomes `.previous`, and between the two renames, some seconds, no entry has this alias; "
    "the next run deletes the old one"
)


# ------------------------------------------------------------------------------------------------ refusals


def _refusal(finding: Finding) -> Problem | None:
    if finding.reason in REFUSALS:
        return Problem(
            finding.reason,
            f"{finding.alias}: {finding.message}",
            finding.source,
            hint=_HINTS[finding.reason],
            refusal=True,
        )
    if _throws_a_key_away(finding):
        leaf = finding.live.leaf if finding.live else None
        return Problem(
            "key-thrown-away",
            f"{finding.alias}: the live private key would be thrown away, and its certificate was issued by "
            f"{leaf.issuer if leaf else '?'} and is still valid",
            finding.source,
            hint=f"if that is what you want, write `replaceKey: {leaf.sha256 if leaf else ''}` for this alias",
            refusal=True,
        )
    return None


_HINTS = {
    "both-names": "decide which of the two is right: remove the other one, or take the line under `renamed` out",
    "declared-protected": "take the alias out of the desired state: entries of SAP and protected aliases are not ours",
    "two-spellings": "remove one of them with the program that wrote them; Java reaches only the lower-case one",
    "kind": "rename the alias in the desired state, or rename or remove the live entry first",
}


def _throws_a_key_away(finding: Finding) -> bool:
    """A change that discards a private key which somebody else certified, valid and outside its renewal window."""
    wanted, live = finding.wanted, finding.live
    if finding.status is not Status.DIFFERS or finding.expiry is not Expiry.OK or finding.reason in _KEEP_THE_KEY:
        return False
    leaf = live.leaf if live else None
    if leaf is None or leaf.issuer_key == leaf.subject_key:
        return False
    match wanted:
        case WantedImport():
            discarded = wanted.chain[0].public_key_sha256 != leaf.public_key_sha256
        case WantedKeyPair():
            discarded = _gets_new_key(finding, wanted)
        case _:
            return False
    return discarded and (wanted.replace_key or "") != leaf.sha256


_KEEP_THE_KEY = frozenset({ALIAS_CASE, RENAMED, CHAIN, INTERRUPTED})


def check_mass_change(target: TargetPlan) -> None:
    """Refuse a plan that deletes or replaces much of a keystore at once (`--allow-mass-change` skips this check).

    Raises:
        RefusedError: more than 30 % of the visible unprotected entries, and at least 5; or all of them.
    """
    patterns = [one.pattern for one in target.desired.protected]
    free = [entry for entry in target.live.entries if protected_by(entry.alias, entry.owner, patterns) is None]
    # What a take-over has replaced is no loss: something else bears the alias by now.
    changes = [change for change in target.changes if change.reason != PREVIOUS]
    lost = sum(change.action in {Action.DELETE, Action.REPLACE} for change in changes)
    deleted = sum(change.action is Action.DELETE for change in changes)
    added = sum(change.action in {Action.IMPORT, Action.CREATE} for change in target.changes)
    empties = bool(free) and deleted == len(free) == len(target.live.entries) and not added
    if empties or (lost >= MASS_COUNT and lost > MASS_SHARE * len(free)):
        what = "empty the keystore" if empties else f"delete or replace {lost} of {len(free)} entries"
        raise RefusedError(
            f"the plan would {what}",
            where=target.desired.keystore.location,
            hint="look at the plan again; if it is right, apply it with --allow-mass-change",
        )


# -------------------------------------------------------------------------------------------- side effects


def public_writes(change: Change) -> tuple[Write, ...]:
    """What a change writes, as far as a plan can know it: without private keys, and without certificates to come.

    A certificate that does not exist yet cannot be previewed, those above it can (`with_affects`). Where the new one
    itself should turn up in somebody else's chain, the guard finds that nobody announced it, and refuses.
    """
    alias, staged = change.alias, staging_alias(change.alias)
    match change.step:
        case Step.PUT if isinstance(change.wanted, WantedCertificate):
            return (PutCertificate(alias, change.wanted.certificate),)
        case Step.PUT:
            return (PutKeyPair(alias, change.chain),)
        case Step.RESPELL:
            return (Rename(alias, alias_key(alias)),)
        case Step.RENAME:
            return (Rename(alias, change.new_alias or alias),)
        case Step.REMOVE:
            return (Remove(alias),)
        case Step.RESTORE if change.restored is not None and change.run is not None:
            return (Restore(alias, change.restored, change.run),)
        case Step.ANSWER | Step.COMPLETE_CHAIN:
            return (PutChain(alias, change.chain),)
        case Step.ANSWER_STAGED:
            return (PutKeyPair(staged, change.chain),)
        case Step.ANSWER_TAKE_OVER | Step.TAKE_OVER:
            return _take_over(change)
        case _:
            return ()


def _take_over(change: Change) -> tuple[Write, ...]:
    alias, staged = change.alias, staging_alias(change.alias)
    answer: tuple[Write, ...] = (PutChain(staged, change.chain),) if change.step is Step.ANSWER_TAKE_OVER else ()
    away: tuple[Write, ...] = (Remove(alias),) if change.before is not None else ()
    return (*answer, *away, Rename(staged, alias))


def _migrate(desired: DesiredState, live: Snapshot, moved: Snapshot, migration: Migration) -> Change:
    """The migration; in another format Java may go on from the end of a chain, and may do nothing else.

    Raises:
        PlanRefusedError: it would show a chain otherwise.
    """
    change = replace(about_the_store(desired, live, migration), affects=_side_effects(live, moved, set()))
    other = [one for one in change.affects if one.chain_after[: len(one.chain_before)] != one.chain_before]
    if other:
        message = "cannot be carried: in a {} keystore Java would show another chain for it"
        raise PlanRefusedError(
            [
                Problem("migrate", f"{one.alias}: {message.format(migration.to_type)}", change.source, refusal=True)
                for one in other
            ],
            desired.keystore.location,
        )
    return change


def with_affects(
    changes: tuple[Change, ...], desired: DesiredState, live: Snapshot, preview: Preview, verify: Verify | None = None
) -> tuple[Change, ...]:
    """Let each change say what Java would show differently for entries that no change names.

    Args:
        changes: The changes.
        desired: What the file asks for.
        live: The keystore that they are planned against.
        preview: What it would show after some writes.
        verify: The check of signatures, where certificates are to be issued.
    """
    writes = {
        place: found
        for place, change in enumerate(changes)
        if (found := (*public_writes(change), *_brought_along(change, desired, live, verify)))
    }
    if not writes or not live.exists:
        return changes
    named = {alias_key(alias) for change in changes for alias in named_by(change)}
    everything = preview([write for found in writes.values() for write in found])
    if not _side_effects(live, everything, named):
        return changes
    # Rare: find out which change does it by adding them one after the other.
    result, before = list(changes), live
    done: list[Write] = []
    for place, found in writes.items():
        done += found
        after = preview(done)
        affects = _side_effects(before, after, named)
        _refuse_hurting_protected(affects, before, desired, changes[place])
        result[place] = replace(changes[place], affects=affects)
        before = after
    return tuple(result)


# What puts a certificate into the keystore that is yet to be issued.
_ISSUING = frozenset({Step.GENERATE, Step.REISSUE, Step.STAGE})


def _brought_along(
    change: Change, desired: DesiredState, live: Snapshot, verify: Verify | None
) -> Iterator[PutCertificate]:
    """The certificates of the CA that come with one that is yet to be issued.

    In PKCS#12 Java finds them for the keys of others as well, wherever in the file they are.
    """
    wanted = change.wanted
    if verify is None or change.step not in _ISSUING or live.type is not StoreType.PKCS12:
        return
    if isinstance(wanted, WantedKeyPair) and wanted.issuer.certificates:
        roots = [one.certificate for one in desired.wanted if isinstance(one, WantedCertificate)]
        there = [one for entry in live.entries for one in entry.chain]
        pool = [*wanted.issuer.certificates, *wanted.chain, *roots, *there]
        known = {part.certificate_sha256 for part in live.parts} | set(_shas(there))
        for one in chain_from(wanted.issuer.certificates[0], pool, verify):
            if one.sha256 not in known:
                yield PutCertificate(f"issued by {one.sha256}", one)


def named_by(change: Change) -> tuple[str, ...]:
    """The aliases that a change is about."""
    return (change.alias, staging_alias(change.alias), *([change.new_alias] if change.new_alias else []))


def _side_effects(before: Snapshot, after: Snapshot, named: set[str]) -> tuple[Affect, ...]:
    shown = {alias_key(entry.alias): _chain(entry) for entry in after.entries}
    affects = []
    for entry in before.entries:
        key = alias_key(entry.alias)
        old, new = _chain(entry), shown.get(key, ())
        if key not in named and old != new:
            affects.append(Affect(entry.alias, old, new))
    return tuple(affects)


def _refuse_hurting_protected(
    affects: Sequence[Affect], before: Snapshot, desired: DesiredState, change: Change
) -> None:
    owners = {alias_key(entry.alias): entry.owner for entry in before.entries}
    patterns = [one.pattern for one in desired.protected]
    for affect in affects:
        pattern = protected_by(affect.alias, owners.get(alias_key(affect.alias)), patterns)
        lost = not affect.chain_after
        if lost or (pattern and affect.chain_after[: len(affect.chain_before)] != affect.chain_before):
            what = "hide the entry" if lost else f"change the chain of the protected entry ({pattern})"
            problem = Problem(
                "side-effect",
                f"{change.alias}: this would {what} {affect.alias!r}",
                change.source,
                hint="choose another alias, or take the certificate out of the desired state",
                refusal=True,
            )
            raise PlanRefusedError([problem], desired.keystore.location)


def _chain(entry: Entry) -> tuple[str, ...]:
    return tuple(one.sha256 for one in entry.chain)


# -------------------------------------------------------------------------------------------------- digest


def digest(targets: Sequence[TargetPlan]) -> str:
    """``sha256:`` over the canonical JSON of what would be done.

    In it: targets, actions, aliases, reasons, side effects, the full fingerprints before, the desired spec or
    certificate, and the verdicts about recorded chains. Not in it: times,
    messages, line numbers, versions, random values. So a comment added to the YAML or
    another day leaves it as it is, and another certificate in the keystore does not.
    """
    document = [
        {
            "keystore": target.desired.keystore.location,
            "type": target.desired.keystore.type,
            "changes": [_digested(change, posixpath.dirname(target.desired.name)) for change in target.changes],
            **_digested_format(target),
            **_digested_receivers(target.receivers),
        }
        for target in targets
    ]
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{sha256(canonical.encode()).hexdigest()}"


def _digested_format(target: TargetPlan) -> dict[str, object]:
    """How a keystore that is yet to be made will be encrypted; of one that is there, the migration tells."""
    encryption = target.desired.keystore.encryption
    return {} if target.live.exists or encryption is None else {"encryption": encryption}


def _digested_receivers(verdicts: Sequence[ReceiverVerdict]) -> dict[str, object]:
    """What the plan means for recorded chains. What a connection shows is not of the repository, so it stays out."""
    judged = [
        [verdict.receiver.name, *verdict.receiver.destination, _shas(chain.chain), chain.status,
         chain.before.anchor_alias, chain.after.anchor_alias]
        for verdict in verdicts for chain in verdict.chains if chain.origin == "recorded"
    ]  # fmt: skip
    return {"receivers": judged} if judged else {}


def _shas(chain: Sequence[Certificate]) -> list[str]:
    return [one.sha256 for one in chain]


def _digested(change: Change, directory: str) -> dict[str, object]:
    moved = change.migration
    migration = moved and [
        moved.from_type, moved.to_type, moved.from_encryption, moved.to_encryption, moved.new_password,
    ]  # fmt: skip
    return {
        "action": change.action,
        "alias": alias_key(change.alias),
        "reason": change.reason,
        "step": change.step,
        "new_alias": change.new_alias,
        "chain": [one.sha256 for one in change.chain],
        "staged": None if change.staged is None else _chain(change.staged),
        "affects": [[affect.alias, affect.chain_before, affect.chain_after] for affect in change.affects],
        "before": None if change.before is None else [change.before.kind, _chain(change.before)],
        "desired": _spec(change.wanted, directory),
        **({} if migration is None else {"migration": migration}),
        **({} if change.run is None else {"restored": [change.run, change.restored and _chain(change.restored)]}),
    }


def _spec(wanted: Wanted | None, directory: str) -> object:
    match wanted:
        case None:
            return None
        case WantedCertificate():
            return {"certificate": wanted.certificate.sha256}
        case WantedImport():
            return {"chain": [one.sha256 for one in wanted.chain]}
        case WantedExisting():
            return {"existing": wanted.sha256}
        case WantedKeyPair():
            return {
                "key": [wanted.key.algorithm, wanted.key.size, wanted.key.curve],
                "subject": wanted.subject,
                "subject_alt_names": sorted(wanted.subject_alt_names),
                "extended_key_usage": sorted(wanted.extended_key_usage),
                "validity": int(wanted.validity.total_seconds()),
                "rekey": wanted.rekey,
                "issuer": _issuer_spec(wanted, directory),
                **({} if wanted.generate_in is None else {"generate_in": wanted.generate_in}),
            }


def _issuer_spec(wanted: WantedKeyPair, directory: str) -> list[object]:
    """Who signs: the same name for another CA, another program or another place of the request is something else.

    The place counts from the state file, so that it does not matter where the program is started. Where an issuing
    program runs and how long it may take are of the machine, and stay out.
    """
    issuer, letters = wanted.issuer, wanted.correspondence
    command = issuer.options.get("command", ())
    return [
        issuer.type,
        issuer.name,
        _shas(issuer.certificates),
        [str(word) for word in command] if isinstance(command, tuple) else [],
        None if letters is None else posixpath.relpath(letters.request_shown, directory or "."),
        _shas(wanted.chain),
    ]
