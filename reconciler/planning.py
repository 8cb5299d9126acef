"""Findings -> Plan: the one place where what is true becomes what would be done, and where a plan gets its digest."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from reconciler.compare import ALIAS_CASE, REFUSALS, compare
from reconciler.errors import PlanRefusedError, Problem, RefusedError
from reconciler.model import (
    Action,
    Affect,
    Change,
    Expiry,
    PutCertificate,
    PutKeyPair,
    Rename,
    Status,
    TargetPlan,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)
from reconciler.ownership import alias_key, protected_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model import Certificate, DesiredState, Entry, Finding, Snapshot, Wanted, Write

# A plan that deletes or replaces more of the visible unprotected entries than this needs --allow-mass-change.
MASS_SHARE = 0.30
MASS_COUNT = 5


class Preview(Protocol):
    """`KeystoreReader.preview`: what the keystore would show after some writes, without writing."""

    def __call__(self, writes: Sequence[Write], /) -> Snapshot: ...


def plan_target(desired: DesiredState, live: Snapshot, now: datetime, preview: Preview) -> TargetPlan:
    """What apply would do to one keystore.

    Args:
        desired: What the file asks for.
        live: The keystore that was read.
        now: The moment of the comparison.
        preview: What the keystore would show after some writes.

    Raises:
        PlanRefusedError: a declared alias is protected, would change its kind, or exists in two spellings; or a valid
            key that somebody else certified would be thrown away.
    """
    findings = compare(desired, live, now)
    changes = [change for finding in findings if (change := _change(finding)) is not None]
    problems = [problem for finding in findings if (problem := _refusal(finding)) is not None]
    if problems:
        raise PlanRefusedError(problems, desired.keystore.location)
    if not live.exists:
        changes.insert(0, _create_store(desired))
    changes.sort(key=lambda change: _ORDER[change.action])
    return TargetPlan(desired, live, findings, _with_affects(tuple(changes), desired, live, preview))


_ORDER = {action: place for place, action in enumerate(Action)}


# ------------------------------------------------------------------------------------ a finding -> a change


def _change(finding: Finding) -> Change | None:
    wanted = finding.wanted
    if wanted is None:
        return None
    match finding.status:
        case Status.MISSING:
            action = Action.CREATE if isinstance(wanted, WantedKeyPair) else Action.IMPORT
        case Status.DIFFERS if finding.reason == ALIAS_CASE:
            action = Action.REPLACE
        case Status.DIFFERS:
            action = Action.RENEW if isinstance(wanted, WantedKeyPair) else Action.REPLACE
        case Status.EXPIRING | Status.EXPIRED if isinstance(wanted, WantedKeyPair):
            action = Action.RENEW
        case _:
            return None
    return Change(
        action,
        wanted.alias,
        "renewal-due" if finding.status is Status.EXPIRING else finding.reason,
        _message(action, finding),
        wanted.source,
        wanted,
        finding.live,
        certificate_change=_certificate_change(wanted, finding),
    )


def _create_store(desired: DesiredState) -> Change:
    keystore = desired.keystore
    message = f"make the {keystore.type} keystore {keystore.location}"
    return Change(Action.CREATE_STORE, "", "missing", message, keystore.source)


def _message(action: Action, finding: Finding) -> str:
    match finding.wanted:
        case WantedCertificate() as wanted:
            subject = wanted.certificate.subject or f"SHA-256 {wanted.certificate.sha256}"
            what = f"trusted certificate {subject}"
        case WantedImport() as wanted:
            what = f"key pair {wanted.chain[0].subject or ''} from {wanted.origin}"
        case WantedKeyPair() as wanted:
            what = f"key pair, {wanted.issuer.type}"
        case None:
            what = ""
    verb = {
        Action.IMPORT: "import",
        Action.CREATE: "generate",
        Action.RENEW: "renew",
        Action.REPLACE: "replace by",
    }.get(action, action)
    return f"{verb} {what}: {finding.message}"


def _certificate_change(wanted: Wanted, finding: Finding) -> str | None:
    """How a certificate changes, for people: see the contract, "Changes"."""
    if finding.live is None or finding.live.leaf is None or finding.reason == ALIAS_CASE:
        return None
    fields = {difference.field for difference in finding.differences}
    match wanted:
        case WantedKeyPair():
            if "key-spec" in fields or wanted.rekey:
                return "re-keyed"
            if fields & {"subject", "subject-alt-names"}:
                return "names-changed"
            return "other-issuer" if "issuer" in fields else "same-key-renewed"
        case WantedImport():
            return _between(finding.live.leaf, wanted.chain[0])
        case WantedCertificate():
            return _between(finding.live.leaf, wanted.certificate)


def _between(old: Certificate, new: Certificate) -> str:
    if old.public_key_sha256 != new.public_key_sha256:
        return "re-keyed"
    if old.issuer_key != new.issuer_key:
        return "other-issuer"
    if (old.subject_key, old.subject_alt_names) != (new.subject_key, new.subject_alt_names):
        return "names-changed"
    return "same-key-renewed"


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
    "declared-protected": "take the alias out of the desired state: entries of SAP and protected aliases are not ours",
    "two-spellings": "remove one of them with the program that wrote them; Java reaches only the lower-case one",
    "kind": "rename the alias in the desired state, or rename or remove the live entry first",
}


def _throws_a_key_away(finding: Finding) -> bool:
    """A change that discards a private key which somebody else certified, valid and outside its renewal window."""
    wanted, live = finding.wanted, finding.live
    if finding.status is not Status.DIFFERS or finding.expiry is not Expiry.OK or finding.reason == ALIAS_CASE:
        return False
    leaf = live.leaf if live else None
    if leaf is None or leaf.issuer_key == leaf.subject_key:
        return False
    match wanted:
        case WantedImport():
            discarded = wanted.chain[0].public_key_sha256 != leaf.public_key_sha256
        case WantedKeyPair():
            discarded = wanted.rekey or any(difference.field == "key-spec" for difference in finding.differences)
        case _:
            return False
    return discarded and (wanted.replace_key or "") != leaf.sha256


def check_mass_change(target: TargetPlan) -> None:
    """Refuse a plan that deletes or replaces much of a keystore at once (`--allow-mass-change` skips this check).

    Raises:
        RefusedError: more than 30 % of the visible unprotected entries, and at least 5; or all of them.
    """
    patterns = [one.pattern for one in target.desired.protected]
    free = [entry for entry in target.live.entries if protected_by(entry.alias, entry.owner, patterns) is None]
    lost = sum(change.action in {Action.DELETE, Action.REPLACE} for change in target.changes)
    deleted = sum(change.action is Action.DELETE for change in target.changes)
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


def public_write(change: Change) -> Write | None:
    """What a change writes, as far as a plan can know it: no private key, and a placeholder for a new certificate."""
    match change.wanted:
        case _ if change.reason == ALIAS_CASE:
            return Rename(change.alias, alias_key(change.alias))
        case WantedCertificate() as wanted:
            return PutCertificate(wanted.alias, wanted.certificate)
        case WantedImport() as wanted:
            return PutKeyPair(wanted.alias, wanted.chain)
        case _:
            # A self-signed certificate is the end of its own chain and is found as an issuer only by certificates
            # that name its new key; the guard proves it when the certificate exists.
            return None


def _with_affects(
    changes: tuple[Change, ...], desired: DesiredState, live: Snapshot, preview: Preview
) -> tuple[Change, ...]:
    """Let each change say what Java would show differently for entries that no change names."""
    writes = {place: write for place, change in enumerate(changes) if (write := public_write(change)) is not None}
    if not writes or not live.exists:
        return changes
    named = {alias_key(change.alias) for change in changes}
    everything = preview(list(writes.values()))
    if not _side_effects(live, everything, named):
        return changes
    # Rare: find out which change does it by adding them one after the other.
    result, done, before = list(changes), [], live
    for place, write in writes.items():
        done.append(write)
        after = preview(done)
        affects = _side_effects(before, after, named)
        _refuse_hurting_protected(affects, before, desired, changes[place])
        result[place] = replace(changes[place], affects=affects)
        before = after
    return tuple(result)


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

    In it: targets, actions, aliases, reasons, side effects, the full fingerprints before, and the desired spec or
    certificate. Not in it: times, messages, line numbers, versions, random values. So a comment added to the YAML or
    another day leaves it as it is, and another certificate in the keystore does not.
    """
    document = [
        {
            "keystore": target.desired.keystore.location,
            "type": target.desired.keystore.type,
            "changes": [_digested(change) for change in target.changes],
        }
        for target in targets
    ]
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{sha256(canonical.encode()).hexdigest()}"


def _digested(change: Change) -> dict[str, object]:
    return {
        "action": change.action,
        "alias": alias_key(change.alias),
        "reason": change.reason,
        "affects": [[affect.alias, affect.chain_before, affect.chain_after] for affect in change.affects],
        "before": None if change.before is None else [change.before.kind, _chain(change.before)],
        "desired": _spec(change.wanted),
    }


def _spec(wanted: Wanted | None) -> object:
    match wanted:
        case None:
            return None
        case WantedCertificate():
            return {"certificate": wanted.certificate.sha256}
        case WantedImport():
            return {"chain": [one.sha256 for one in wanted.chain]}
        case WantedKeyPair():
            return {
                "key": [wanted.key.algorithm, wanted.key.size, wanted.key.curve],
                "subject": wanted.subject,
                "subject_alt_names": sorted(wanted.subject_alt_names),
                "extended_key_usage": sorted(wanted.extended_key_usage),
                "validity": int(wanted.validity.total_seconds()),
                "rekey": wanted.rekey,
                "issuer": [wanted.issuer.type, wanted.issuer.name],
            }
