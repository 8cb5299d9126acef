"""The receivers of a run: asked before it is planned, and able to refuse it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.errors import PlanRefusedError, Problem, ReconcileError
from reconciler.logs import log
from reconciler.model import ReceiverStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.model import DesiredState, ReceiverVerdict, Report, TargetPlan
    from reconciler.receivers import Outlook


@dataclass(frozen=True, slots=True)
class ReceiverWishes:
    """The options about receivers: see `options.receivers`."""

    check: bool
    require: bool
    horizon: str
    jobs: int
    timeout: float


def outlook_of(states: Sequence[DesiredState], wishes: ReceiverWishes) -> Outlook | None:
    """What plans are told of their receivers; None where no state file names one.

    Raises:
        ReconcileError: the horizon is no duration, or the proxy of the environment is none.
    """
    from reconciler.desired import parse_duration

    try:
        horizon = parse_duration(wishes.horizon)
    except ReconcileError as error:
        raise ReconcileError(f"{error.message}", where="--horizon") from None
    receivers = [one for state in states for one in state.receivers]
    if not receivers:
        return None
    from reconciler.receivers import Outlook

    if not wishes.check:
        return Outlook(min(horizon, _FARTHEST))
    from reconciler.tls.probing import probe_receivers

    found = probe_receivers(receivers, timeout=wishes.timeout, environment=os.environ, jobs=wishes.jobs)
    log("receivers asked", receivers=len(found), reached=sum(bool(one.chain) for one in found.values()))
    return Outlook(min(horizon, _FARTHEST), found)


# Any further, and the end of the calendar is near.
_FARTHEST = timedelta(days=36_525)


def refuse_breaking(report: Report, wishes: ReceiverWishes, now: datetime, *, open_live_keys: bool) -> None:
    """Refuse plans that would break a connection.

    Args:
        report: The plans.
        wishes: The options.
        now: The moment at which client certificates are tried.
        open_live_keys: Whether a live private key may be opened to try it at the receiver: plans never do.

    Raises:
        PlanRefusedError: naming every receiver.
    """
    plans = [target.plan for target in report.targets if target.plan is not None and target.plan.changes]
    problems = [(plan, problem) for plan in plans for problem in _problems(plan, wishes)]
    if wishes.check and not problems:
        from reconciler.commands.client_trials import rejected_client_certificates

        for plan in plans:
            found = rejected_client_certificates(plan, wishes, now, open_live_keys=open_live_keys)
            problems += [(plan, problem) for problem in found]
    if problems:
        raise PlanRefusedError([problem for _, problem in problems], problems[0][0].desired.keystore.location)


def _problems(plan: TargetPlan, wishes: ReceiverWishes) -> Iterator[Problem]:
    for verdict in plan.receivers:
        if verdict.status is ReceiverStatus.WOULD_BREAK:
            yield _problem(verdict, "would-break", "would break")
        elif verdict.status is ReceiverStatus.UNKNOWN and wishes.require:
            yield _problem(verdict, "unknown", "is unknown")


def _problem(verdict: ReceiverVerdict, code: str, what: str) -> Problem:
    message = f"the receiver {verdict.receiver.name} {what}: {verdict.message}"
    return Problem(code, message, verdict.receiver.source, hint=verdict.hint or None, refusal=True)
