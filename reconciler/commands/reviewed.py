"""A plan that was reviewed: what was reviewed is what runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.files import reason_of

if TYPE_CHECKING:
    from datetime import timedelta

    from reconciler.model import Report

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_PLAN_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReviewedPlan:
    """The digest of a plan, and with a plan file also when it was made and what it said."""

    digest: str
    generated_at: datetime | None
    document: dict[str, Any] | None


def read_reviewed(argument: str) -> ReviewedPlan:
    """The plan behind `--plan`: a file that `plan --out` wrote, or its digest alone.

    Raises:
        ReconcileError: neither of the two.
    """
    if argument.startswith("sha256:"):
        if not _DIGEST.fullmatch(argument):
            raise ReconcileError("a digest is sha256: and 64 lower-case hexadecimal digits", where="--plan")
        return ReviewedPlan(argument, None, None)
    hint = "give the file that `reconcile plan --out` wrote, or its digest"
    try:
        path = Path(argument)
        if path.stat().st_size > _MAX_PLAN_FILE:
            raise ReconcileError("the plan file is too large", where=argument, hint=hint)
        document = json.loads(path.read_bytes())
        made = datetime.strptime(document["generated_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        digest = document["digest"]
    except OSError as error:
        raise ReconcileError(f"the plan cannot be read: {reason_of(error)}", where=argument, hint=hint) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ReconcileError("this is not a plan", where=argument, hint=hint) from None
    if document.get("format_version") != "1" or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ReconcileError("this is not a plan of this version", where=argument, hint=hint)
    return ReviewedPlan(digest, made, document)


def max_age(text: str) -> timedelta:
    """How old a plan may be, from `--max-plan-age`.

    Raises:
        ReconcileError: no duration.
    """
    from reconciler.desired import parse_duration

    try:
        return parse_duration(text)
    except ReconcileError as error:
        raise ReconcileError(error.message, where="--max-plan-age", hint=error.hint) from None


def check_age(reviewed: ReviewedPlan, now: datetime, max_age: timedelta) -> None:
    """Refuse a plan from the future or one that is too old.

    Raises:
        RefusedError: as said.
    """
    made = reviewed.generated_at
    if made is None:
        return
    if made > now:
        raise RefusedError(
            f"the plan was made in the future ({made:%Y-%m-%d %H:%M} UTC)", hint="check the clocks, then plan again"
        )
    if now - made > max_age:
        raise RefusedError(
            f"the plan of {made:%Y-%m-%d %H:%M} UTC is too old", hint="plan again, or allow more with --max-plan-age"
        )


def check_same(reviewed: ReviewedPlan, report: Report) -> None:
    """Refuse when what would be done now is not what was reviewed, and say what differs.

    Raises:
        RefusedError: the digests differ, or the plan file says something else than its digest stands for.
    """
    differences = _differences(reviewed.document, report) if reviewed.document is not None else []
    if report.digest == reviewed.digest:
        # Whoever reviewed a file read its changes and not its digest.
        if differences:
            raise RefusedError(
                "the plan file says something else than its digest: it was edited; nothing was written",
                hint="\n".join([*differences, "plan again and review it"]),
            )
        _check_states(reviewed.document or {}, report)
        return
    differences += _other_keystores(reviewed.document, report) if reviewed.document else []
    raise RefusedError(
        "the plan is stale: what would be done now is not what was reviewed; nothing was written",
        hint="\n".join([*differences, "plan again and review it"]),
    )


def _check_states(document: dict[str, Any], report: Report) -> None:
    """Refuse the plan of a keystore that has the same to do, and the same path beside its state file, elsewhere.

    Raises:
        RefusedError: a plan file of other state files.
    """
    states = [str(target.get("state", "")) for target in document.get("targets", ())]
    pairs = zip(states, (target.state for target in report.targets), strict=False)
    others = [f"reviewed: {old}, given: {new}" for old, new in pairs if _another_file(old, new)]
    if others:
        hint = "\n".join([*others[:_SHOWN], "plan the state files that are to be applied, and review that"])
        raise RefusedError("the plan is of another state file; nothing was written", hint=hint)


def _another_file(reviewed: str, given: str) -> bool:
    """Whether two paths cannot be one file, seen from two working directories.

    Of absolute ones nothing can be said: the plan may come from another machine.
    """
    paths = [PurePath(path.replace("\\", "/")) for path in (reviewed, given)]
    if any(path.is_absolute() for path in paths):
        return False
    one, two = ([part for part in path.parts if part != ".."] for path in paths)
    common = min(len(one), len(two))
    return bool(common) and one[-common:] != two[-common:]


def _differences(document: dict[str, Any], report: Report) -> list[str]:
    from reconciler.reports.document import report_document

    old, new = _lines(document), _lines(report_document(report))
    return [f"reviewed, not now: {line}" for line in old if line not in new] + [
        f"now, not reviewed: {line}" for line in new if line not in old
    ]


def _other_keystores(document: dict[str, Any], report: Report) -> list[str]:
    """Where the plan is of other keystores than this run is over; a damaged plan file gives no lines, not an error."""
    try:
        old = {str(target["keystore"]) for target in document["targets"]}
        states = [str(target["state"]) for target in document["targets"]]
    except (KeyError, TypeError):
        return []
    given = [target.state for target in report.targets]
    if given != states and sorted(given) == sorted(states):
        return [_OTHER_ORDER]
    new = {target.location for target in report.targets}
    lines = [f"only in the reviewed plan: {location}" for location in sorted(old - new)]
    lines += [f"not in the reviewed plan: {location}" for location in sorted(new - old)]
    shown = [*lines[:_SHOWN], f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else lines
    return [*shown, _SAME_FILES] if lines else []


_SHOWN = 10
_OTHER_ORDER = "the reviewed plan is of the same state files in another order: give STATE in the same order"
_SAME_FILES = "a plan holds for the state files that it was made of: give the same STATE, --shard and --changed-since"


def _receiver_lines(verdict: dict[str, Any]) -> list[str]:
    """What the digest holds of a receiver: its recorded chain and the verdict about it."""
    return [
        f"receiver {verdict['name']}: {chain['status']}, {chain['before']['anchor_alias']} -> "
        f"{chain['after']['anchor_alias']}, recorded chain {chain['certificates'][0]['sha256']}"
        for chain in verdict["chains"]
        if chain["origin"] == "recorded"
    ]


def _side_effects(change: dict[str, Any]) -> str:
    """Of which entries Java will show another chain."""
    affected = [f"{one['alias']} {' < '.join(one['chain_after'])}" for one in change["affects"]]
    return f"; changes the chain of {', '.join(affected)}" if affected else ""


def _lines(document: dict[str, Any]) -> list[str]:
    """Each change in one line, with all that the digest looks at; a damaged plan file gives no lines, not an error."""
    lines = []
    try:
        for target in document["targets"]:
            for change in target["changes"]:
                before = (change["before"] or {}).get("sha256", "nothing")
                after = change["after"] or {}
                wanted = after.get("sha256") or ", ".join(f"{key} {value}" for key, value in sorted(after.items()))
                what = f"{change['action']} {change['alias']} in {target['keystore']} ({change['reason']})"
                lines.append(f"{what}: {before} -> {wanted}{_side_effects(change)}")
            lines += [line for verdict in target.get("receivers", ()) for line in _receiver_lines(verdict)]
    except (KeyError, TypeError, AttributeError, IndexError):
        return []
    return lines
