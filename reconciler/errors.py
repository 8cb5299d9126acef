"""What can go wrong, as one family of exceptions: a leaf exists only where a caller or an exit code differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Source


class ReconcileError(Exception):
    """An error that a user can act on: what, where, why, and what to do next.

    `str()` is the sentence alone; `where` names the file and line, the alias or the host; `hint` says what to try.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class Problem:
    """One thing that is wrong in the desired state, with its place and a stable code."""

    __slots__ = ("code", "hint", "message", "refusal", "source")

    def __init__(
        self, code: str, message: str, source: Source | None, *, hint: str | None = None, refusal: bool = False
    ) -> None:
        self.code = code
        self.message = message
        self.source = source
        self.hint = hint
        self.refusal = refusal  # a refusal for safety (exit code 4) rather than a mistake (exit code 1)

    def __repr__(self) -> str:
        return f"Problem({self.code!r}, {self.message!r}, {self.source!r})"


class DesiredStateError(ReconcileError):
    """The desired state is wrong; carries every problem that was found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the desired state")
        self.problems = tuple(problems)
        # A file that touches a protected alias is refused (4) even when it has ordinary mistakes as well.
        self.exit_code = 4 if any(problem.refusal for problem in problems) else 1


class PolicyError(DesiredStateError):
    """The policy of the state file has errors; carries each of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        count = len(problems)
        self.message = f"the policy has {count} error{'s' if count != 1 else ''}"
        self.args = (self.message,)


class KeystoreUnreadableError(ReconcileError):
    """The live keystore could not be read: missing, unreachable, wrong password, corrupt."""

    exit_code = 3


class RefusedError(ReconcileError):
    """Refused for safety: protected alias, stale plan, mass change, store locked or changed under us."""

    exit_code = 4


class PlanRefusedError(RefusedError):
    """The desired state asks for what is never done; carries every such place."""

    def __init__(self, problems: Sequence[Problem], location: str) -> None:
        super().__init__(problems[0].message, where=str(problems[0].source or location), hint=problems[0].hint)
        self.problems = tuple(problems)


class MaterialError(ReconcileError):
    """A file that the desired state names (certificate, key pair, signing response) is not what it should be."""


class IssuerError(ReconcileError):
    """An issuer did not deliver a certificate that could be used; the other changes go on without it."""
