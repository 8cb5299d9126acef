"""A report as plain data, in the shape that the contract gives to programs; the JSON report is this, dumped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model import Action, Status, WantedCertificate, WantedExisting, WantedImport, WantedKeyPair
from reconciler.ownership import protected_by as protection_of
from reconciler.reports.coverage import coverage
from reconciler.reports.facts import duration_text, serial
from reconciler.reports.horizon import Term, endings
from reconciler.reports.policy import policy_document
from reconciler.reports.receivers import receiver_document
from reconciler.reports.standing import standings
from reconciler.sap_keys import WHERE, activation_day, receivers_of
from reconciler.words import key_text, subject_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model import (
        Acceptance,
        Certificate,
        Change,
        Entry,
        Finding,
        Outcome,
        Receiver,
        Report,
        Snapshot,
        Source,
        TargetReport,
        Wanted,
    )

FORMAT_VERSION = "1"
# The findings that a summary counts beside the changes.
NOT_CHANGED = (Status.UNMANAGED, Status.ACCEPTED, Status.PROTECTED)


def report_document(report: Report) -> dict[str, Any]:
    """The report of `plan`, `drift` or `apply`: see "JSON of plan and drift" in the contract."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": report.tool_version,
        "command": report.command,
        "digest": report.digest,
        "generated_at": rfc3339(report.generated_at),
        "targets": [_target(report, target) for target in report.targets],
    }


def list_document(
    snapshot: Snapshot, protected_by: dict[str, str | None], location: str, receivers: Sequence[Receiver] = ()
) -> dict[str, Any]:
    """What `list` says of a keystore; `protected_by` tells for each alias what protects it, if anything does."""
    return {
        "format_version": FORMAT_VERSION,
        "keystore": location,
        "type": snapshot.type,
        "entries": [entry_document(entry, protected_by.get(entry.alias)) for entry in snapshot.entries],
        "hidden": [
            {
                "name": hidden.name,
                "what": hidden.what,
                "certificates": [certificate_document(one) for one in hidden.certificates],
            }
            for hidden in snapshot.hidden
        ],
        "warnings": list(snapshot.warnings),
        **sap_keys_document(snapshot, receivers),
    }


def sap_keys_document(snapshot: Snapshot, receivers: Sequence[Receiver]) -> dict[str, Any]:
    """SAP's new and replaced keys, where somebody asked for them."""
    if snapshot.new_sap_keys is None:
        return {}
    return {
        "new_sap_keys": [
            {
                **entry_document(new, protection_of(new.alias, new.owner)),
                "activated_by_sap_on": rfc3339(activation_day(new, snapshot)),
                "receivers": [one.name for one in receivers_of(new.alias, receivers)],
                "activate": WHERE,
            }
            for new in snapshot.new_sap_keys
        ],
        "replaced_sap_keys": [
            {
                **entry_document(old.entry, protection_of(old.entry.alias, old.entry.owner)),
                "original_alias": old.original_alias,
                "active_from": rfc3339(old.active_from),
                "active_until": rfc3339(old.active_until),
                "activated_by": old.activated_by,
                "deactivated_by": old.deactivated_by,
            }
            for old in snapshot.replaced_sap_keys or ()
        ],
    }


def entry_document(entry: Entry, protected_by: str | None) -> dict[str, Any]:
    """One entry of a live keystore."""
    return {
        "alias": entry.alias,
        "kind": entry.kind,
        "owner": entry.owner,
        "protected": protected_by is not None,
        "protected_by": protected_by,
        "created": rfc3339(entry.created),
        "reachable": entry.reachable,
        "note": entry.note,
        "certificates": [certificate_document(one) for one in entry.chain],
    }


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    """The facts of a certificate; what cannot be parsed is null."""
    names, usages = certificate.subject_alt_names, certificate.extended_key_usage
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": serial(certificate),
        "not_before": rfc3339(certificate.not_before),
        "not_after": rfc3339(certificate.not_after),
        "sha256": certificate.sha256,
        "key_algorithm": certificate.key_algorithm,
        "key_size": certificate.key_size,
        "curve": certificate.curve,
        "signature_algorithm": certificate.signature_algorithm,
        "subject_alt_names": None if names is None else list(names),
        "extended_key_usage": None if usages is None else list(usages),
    }


def summary(target: TargetReport) -> dict[str, int]:
    """How many changes of each kind, and how many entries are not ours to change."""
    plan = target.plan
    changes = plan.changes if plan else ()
    findings = plan.findings if plan else ()
    counts: dict[str, int] = {action.value: 0 for action in Action}
    for change in changes:
        counts[change.action] += 1
    for status in NOT_CHANGED:
        counts[status] = sum(finding.status is status for finding in findings)
    return counts


def _target(report: Report, target: TargetReport) -> dict[str, Any]:
    document: dict[str, Any] = {
        "state": target.state,
        "keystore": target.location,
        "type": target.type,
        "changes": [_change(change) for change in (target.plan.changes if target.plan else ())],
        "findings": [_finding(finding) for finding in _listed(target)],
        "summary": summary(target),
    }
    if target.plan is not None and target.plan.receivers:
        document["receivers"] = [receiver_document(verdict) for verdict in target.plan.receivers]
        document["unneeded_roots"] = list(target.plan.unneeded)
    if report.command == "drift" and target.plan is not None:
        document["coverage"] = _coverage(target)
        document["ends"] = _ends(target, report.generated_at)
        document |= sap_keys_document(target.plan.live, target.plan.desired.receivers)
    if target.plan is not None:
        document["policy"] = [policy_document(finding) for finding in target.plan.policy]
    if target.notes:
        document["notes"] = list(target.notes)
    if target.outcomes is not None:
        document["outcomes"] = [_outcome(outcome) for outcome in target.outcomes]
    if target.failure is not None:
        failure = target.failure
        document["error"] = {
            "message": failure.message,
            "where": failure.where,
            "hint": failure.hint,
            "exit_code": failure.exit_code,
            **({} if failure.is_tried else {"tried": False}),
            "problems": [
                {"message": message, "where": where, "hint": hint} for message, where, hint in failure.problems
            ],
        }
    return document


def _coverage(target: TargetReport) -> dict[str, int]:
    found = coverage(target)
    return {
        "entries": found.entries,
        "managed": found.managed,
        "accepted": found.accepted,
        "unmanaged": found.unmanaged,
        "sap_owned": found.sap,
        "protected": found.protected,
    }


# What ends soon, by name in the document.
_TERMS = {Term.EXPIRED: "expired", Term.WINDOW: "inside_window", Term.SOON: "next_90_days"}


def _ends(target: TargetReport, now: datetime) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _TERMS.values()}
    for ending in endings(standings(target, now), now):
        if ending.term in _TERMS:
            found[_TERMS[ending.term]].append(
                {
                    "alias": ending.standing.alias,
                    "not_after": rfc3339(ending.moment),
                    "sha256": ending.certificate.sha256 if ending.certificate else None,
                    "own": ending.is_own,
                }
            )
    return found


def _listed(target: TargetReport) -> list[Finding]:
    """Under `unmanaged: ignore` unmanaged entries are counted, not listed."""
    if target.plan is None:
        return []
    ignore = target.plan.desired.unmanaged == "ignore"
    return [f for f in target.plan.findings if not (ignore and f.status is Status.UNMANAGED)]


def _change(change: Change) -> dict[str, Any]:
    leaf = change.before.leaf if change.before else None
    return {
        "action": change.action,
        "alias": change.alias,
        "reason": change.reason,
        "message": change.message,
        "step": change.step,
        "new_alias": change.new_alias,
        "certificate_change": change.certificate_change,
        "warnings": list(change.warnings),
        "receivers": list(change.receivers),
        "affects": [
            {
                "alias": affect.alias,
                "chain_before": list(affect.chain_before),
                "chain_after": list(affect.chain_after),
            }
            for affect in change.affects
        ],
        "source": _source(change.source),
        "before": certificate_document(leaf) if leaf else None,
        "after": certificate_document(change.chain[0]) if change.chain else wanted_document(change.wanted),
    }


def wanted_document(wanted: Wanted | None) -> dict[str, Any] | None:
    """What the file asks for: the facts of a certificate that is there, or the specification of one to be made."""
    match wanted:
        case None:
            return None
        case WantedCertificate():
            return certificate_document(wanted.certificate)
        case WantedImport():
            return certificate_document(wanted.chain[0])
        case WantedExisting():
            return {"sha256": wanted.sha256}
        case WantedKeyPair():
            return {
                "subject": subject_text(wanted.subject),
                "key": key_text(wanted.key.algorithm, wanted.key.size, wanted.key.curve),
                "subject_alt_names": list(wanted.subject_alt_names),
                "extended_key_usage": list(wanted.extended_key_usage),
                "validity": duration_text(wanted.validity),
                "issuer": wanted.issuer.name or wanted.issuer.type,
                "rekey": wanted.rekey,
            }


def _finding(finding: Finding) -> dict[str, Any]:
    leaf = finding.live.leaf if finding.live else None
    return {
        "alias": finding.alias,
        "status": finding.status,
        "reason": finding.reason,
        "expiry": finding.expiry,
        "message": finding.message,
        "differences": [
            {"field": difference.field, "live": difference.live, "wanted": difference.wanted}
            for difference in finding.differences
        ],
        "receivers": list(finding.receivers),
        "source": _source(finding.source),
        "kind": finding.live.kind if finding.live else None,
        "sha256": leaf.sha256 if leaf else None,
        "not_after": rfc3339(leaf.not_after) if leaf else None,
        **({} if finding.acceptance is None else {"accepted": _acceptance(finding.acceptance)}),
    }


def _acceptance(acceptance: Acceptance) -> dict[str, Any]:
    """What the finding would be, and who answers for it."""
    by = acceptance.by
    return {
        "status": acceptance.status,
        "finding_reason": acceptance.reason,
        "reason": by.reason,
        "owner": by.owner,
        "until": by.until.isoformat(),
        "source": _source(by.source),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    leaf = outcome.after.leaf if outcome.after else None
    return {
        "action": outcome.change.action,
        "alias": outcome.change.alias,
        "reason": outcome.change.reason,
        "status": outcome.status,
        "message": outcome.message,
        "source": _source(outcome.change.source),
        "after": certificate_document(leaf) if leaf else None,
    }


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {"file": source.file, "line": source.line, "column": source.column}


def rfc3339(moment: datetime | None) -> str | None:
    """A moment in UTC as RFC 3339, to the second."""
    # isoformat, because strftime("%Y") forgets the leading zeros of early years.
    return None if moment is None else f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
