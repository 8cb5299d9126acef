"""How much of a keystore git answers for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import Status
from reconciler.ownership import protected_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model import Finding, TargetReport


@dataclass(frozen=True, slots=True)
class Coverage:
    """The live entries of a keystore, by who answers for them.

    Attributes:
        managed: Declared in git, as declared or not, or declared to be absent.
        accepted: Not as git says, declared or not, and somebody answers for it until a day.
        unmanaged: Not declared by anybody; counted under `unmanaged: ignore` as well.
        sap: SAP's own: nobody can manage them.
        protected: Protected by the state file.
    """

    managed: int = 0
    accepted: int = 0
    unmanaged: int = 0
    sap: int = 0
    protected: int = 0

    @property
    def entries(self) -> int:
        """All entries."""
        return self.managed + self.accepted + self.unmanaged + self.sap + self.protected

    def share(self, count: int) -> int:
        """`count` in percent of all entries, rounded; of an empty keystore everything is managed."""
        return round(100 * count / self.entries) if self.entries else 100

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """Name and count of each kind, the managed ones first."""
        return (
            ("managed", self.managed),
            ("accepted", self.accepted),
            ("unmanaged", self.unmanaged),
            ("SAP-owned", self.sap),
            ("protected", self.protected),
        )

    def __add__(self, other: Coverage) -> Coverage:
        """The coverage of two keystores together."""
        return Coverage(
            self.managed + other.managed,
            self.accepted + other.accepted,
            self.unmanaged + other.unmanaged,
            self.sap + other.sap,
            self.protected + other.protected,
        )


def coverage(target: TargetReport) -> Coverage:
    """The coverage of one keystore as it was read."""
    return _of(target.plan.findings) if target.plan else Coverage()


def _of(findings: Iterable[Finding]) -> Coverage:
    counts = {"managed": 0, "accepted": 0, "unmanaged": 0, "sap": 0, "protected": 0}
    for finding in findings:
        if finding.live is not None:
            counts[_answers(finding)] += 1
        # A successor that waits is no finding of its own; it is ours.
        counts["managed"] += finding.staged is not None
    return Coverage(**counts)


def _answers(finding: Finding) -> str:
    if finding.status is Status.PROTECTED:
        owner = finding.live.owner if finding.live else None
        return "sap" if protected_by(finding.alias, owner) else "protected"
    return _BY_STATUS.get(finding.status, "managed")


_BY_STATUS = {Status.UNMANAGED: "unmanaged", Status.ACCEPTED: "accepted"}
