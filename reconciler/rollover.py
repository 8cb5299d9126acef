"""Make before break: a root that another one replaces stays until every receiver is proven to be trusted without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.compare import REPLACED
from reconciler.model import Status, StoreType, WantedCertificate
from reconciler.ownership import alias_key
from reconciler.receivers import needed_by
from reconciler.trust import anchors_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model import DesiredState, Entry, Finding
    from reconciler.receivers import Circumstances

# Findings of a root that is in the keystore as declared.
_THERE = frozenset({Status.IN_SYNC, Status.EXPIRING, Status.EXPIRED})
_NAMED = 5  # receivers that a message names


def held_back(
    findings: Sequence[Finding], desired: DesiredState, after: Iterable[Entry], circumstances: Circumstances
) -> tuple[Finding, ...]:
    """The findings, those of replaced roots that have to stay as `still-needed`.

    Args:
        findings: Of the comparison.
        desired: What the file asks for.
        after: The entries after everything else that the plan does, the replaced roots among them.
        circumstances: Clock, horizon and connections.
    """
    anchors = anchors_of(after)
    result = []
    for finding in findings:
        if finding.reason == REPLACED:
            waits = tuple(_not_there(finding, findings, one_by_one=_writes_one_by_one(desired)))
            needs = needed_by(desired.receivers, finding.alias, anchors, circumstances)
            if waits or needs:
                result.append(_staying(finding, waits, needs))
                continue
            # The next one is judged without it: of two roots that carry one receiver, one may go.
            anchors = tuple(one for one in anchors if alias_key(one[0]) != alias_key(finding.alias))
        result.append(finding)
    return tuple(result)


def _writes_one_by_one(desired: DesiredState) -> bool:
    """In a file everything changes at once; in a tenant the new root has to be there before the old one goes."""
    return desired.keystore.type is StoreType.SAP_CLOUD_INTEGRATION


def _not_there(old: Finding, findings: Iterable[Finding], *, one_by_one: bool) -> Iterator[str]:
    """The roots that replace it and are not in place when it would go; an accepted difference is not mended at all."""
    for finding in findings:
        wanted = finding.wanted
        replaces = wanted.replaces if isinstance(wanted, WantedCertificate) else None
        is_late = finding.status not in _THERE if one_by_one else finding.status is Status.ACCEPTED
        if replaces and alias_key(replaces) == alias_key(old.alias) and is_late:
            yield finding.alias


def _staying(finding: Finding, waits: Sequence[str], needs: dict[str, str]) -> Finding:
    parts = [f"{', '.join(waits)} must be in the keystore first"] if waits else []
    if needs:
        named = [f"{name} ({reason})" for name, reason in list(needs.items())[:_NAMED]]
        more = [f"{len(needs) - _NAMED} more"] if len(needs) > _NAMED else []
        parts.append(f"still needed by {', '.join([*named, *more])}")
    message = f"{finding.message}, and it stays: {'; '.join(parts)}"
    return replace(finding, status=Status.STILL_NEEDED, message=message, receivers=tuple(needs))
