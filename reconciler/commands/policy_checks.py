"""The policy at the commands: what it has to say of state files, and what its errors stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import PolicyError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model import PolicyFinding, Report


def refuse_policy_errors(report: Report) -> None:
    """Go no further where the policy has errors.

    Raises:
        PolicyError: with each of them.
    """
    refuse_errors(finding for target in report.targets if target.plan for finding in target.plan.policy)


def exit_code_of_errors(report: Report) -> int:
    """What the nightly run makes of errors: told, and no reason to leave the renewals of other aliases undone."""
    from reconciler.terminal import print_error

    try:
        refuse_policy_errors(report)
    except PolicyError as error:
        print_error(error)
        return error.exit_code
    return 0


def refuse_errors(findings: Iterable[PolicyFinding]) -> None:
    """The same for findings.

    Raises:
        PolicyError: with each of the errors among them.
    """
    from reconciler.policy import errors_of

    problems = [as_problem(finding) for finding in errors_of(tuple(findings))]
    if problems:
        raise PolicyError(problems)


def as_problem(finding: PolicyFinding) -> Problem:
    """A finding of the policy in the words of other problems of a state file."""
    message = f"{finding.alias}: {finding.message} (policy: {finding.check})"
    return Problem(finding.check, message, finding.source, hint=finding.hint)
