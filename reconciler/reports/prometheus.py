"""Metrics for Prometheus, in its text exposition format: for the textfile collector of the node exporter.

Names and labels follow what people know from x509-certificate-exporter (`not_after`, `not_before`, `expired`) and the
blackbox exporter (`subject`, `issuer`, `fingerprint_sha256`), under a prefix of our own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.model import Action, Expiry, OutcomeStatus, PolicyLevel, Status
from reconciler.policy import CHECKS
from reconciler.reports.coverage import coverage
from reconciler.reports.document import summary
from reconciler.reports.facts import key, serial
from reconciler.reports.fleet import members
from reconciler.reports.policy import policy_of
from reconciler.reports.printable import printable
from reconciler.reports.receivers import receivers_of, trusted_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.model import Certificate, ReceiverVerdict, Report, TargetReport
    from reconciler.reports.fleet import Member


@dataclass
class _Family:
    """All samples of one name, which must stand together."""

    name: str
    help: str
    samples: list[tuple[str, int]] = field(default_factory=list)

    def add(self, labels: str, value: float) -> None:
        self.samples.append((labels, int(value)))

    def lines(self) -> Iterator[str]:
        if self.samples:
            yield f"# HELP {self.name} {self.help}"
            yield f"# TYPE {self.name} gauge"
            for labels, value in self.samples:
                yield f"{self.name}{{{labels}}} {value}" if labels else f"{self.name} {value}"


class _Metrics:
    """The families in the order of the page."""

    def __init__(self) -> None:
        self.run = _Family("reconcile_run_timestamp_seconds", "When this report was made.")
        self.info = _Family("reconcile_run_info", "Which command and version made this report.")
        self.up = _Family("reconcile_keystore_up", "Whether the keystore could be read and compared.")
        self.differences = _Family("reconcile_keystore_differences", "Aliases in which git and the keystore differ.")
        self.findings = _Family("reconcile_keystore_findings", "Aliases by what was found.")
        self.entries = _Family("reconcile_keystore_entries", "Live entries by who answers for them.")
        self.policy = _Family("reconcile_keystore_policy_findings", "Findings of the policy by check and severity.")
        self.changes = _Family("reconcile_keystore_changes", "Planned changes by kind.")
        self.outcomes = _Family("reconcile_keystore_outcomes", "Changes by how they ended.")
        self.not_after = _Family("reconcile_cert_not_after", "End of a certificate, seconds since the epoch.")
        self.not_before = _Family("reconcile_cert_not_before", "Start of a certificate, seconds since the epoch.")
        self.expired = _Family("reconcile_cert_expired", "Whether a certificate is past its end.")
        self.renewal = _Family("reconcile_cert_renewal_due", "Whether a declared certificate is inside its window.")
        self.certificate = _Family("reconcile_cert_info", "Who a certificate is for and who issued it.")
        self.error = _Family("reconcile_cert_error", "Certificates that cannot be parsed.")
        self.trusted = _Family("reconcile_receiver_trusted", "Whether a receiver is trusted by the keystore of today.")
        self.reached = _Family("reconcile_receiver_reached", "Whether a receiver that was asked sent its chain.")
        self.until = _Family("reconcile_receiver_trusted_until", "End of the trust in a receiver, seconds.")
        self.receiver_differences = _Family("reconcile_receiver_differences", "Differences from what was recorded.")

    def lines(self) -> Iterator[str]:
        for family in vars(self).values():
            yield from family.lines()


def render(report: Report, *, colour: bool = False) -> str:
    """The report as metrics; `colour` is for terminals and changes nothing here."""
    del colour
    metrics = _Metrics()
    metrics.run.add("", report.generated_at.timestamp())
    metrics.info.add(_labels(command=report.command, version=report.tool_version), 1)
    seen: Counter[str] = Counter()
    for member in members(report):
        _add_member(metrics, report, member, seen)
    return "".join(f"{line}\n" for line in metrics.lines())


def _add_member(metrics: _Metrics, report: Report, member: Member, seen: Counter[str]) -> None:
    target = member.target
    own = _unique(_labels(state=target.state, keystore=target.location), seen)
    is_up = target.plan is not None and target.failure is None
    metrics.up.add(f"{own},{_labels(type=target.type or '')}", is_up)
    if target.plan is None:
        return
    metrics.differences.add(own, member.differences)
    _add_counts(metrics, report, member, own)
    aliases: Counter[str] = Counter()
    for standing in member.standings:
        for alias, entry in standing.entries:
            labels = f"{own},{_unique(_labels(alias=alias), aliases)}"
            for position, certificate in enumerate(entry.chain):
                _add_certificate(metrics, certificate, f'{labels},position="{position}"', report.generated_at)
            if standing.is_declared and entry is standing.entry and entry.chain:
                metrics.renewal.add(labels, standing.expiry is not Expiry.OK)
    for verdict in receivers_of(target):
        labels = _labels(receiver=verdict.receiver.name, address=verdict.receiver.address)
        _add_receiver(metrics, verdict, f"{own},{labels}")


def _add_receiver(metrics: _Metrics, verdict: ReceiverVerdict, labels: str) -> None:
    if verdict.probe is not None:
        metrics.reached.add(labels, bool(verdict.probe.chain))
        metrics.receiver_differences.add(labels, len(verdict.differences))
    if verdict.chains:
        metrics.trusted.add(labels, all(chain.before.is_trusted for chain in verdict.chains))
    if (until := trusted_until(verdict)) is not None:
        metrics.until.add(labels, until.timestamp())


def _add_counts(metrics: _Metrics, report: Report, member: Member, own: str) -> None:
    """Zeros as well: an alert on a count needs a series that is always there."""
    target = member.target
    found = Counter(finding.status for finding in target.plan.findings) if target.plan else Counter()
    for status in Status:
        metrics.findings.add(f"{own},{_labels(status=status)}", found[status])
    for ownership, count in coverage(target).parts:
        metrics.entries.add(f"{own},{_labels(ownership=ownership)}", count)
    told = Counter((finding.check, str(finding.level)) for finding in policy_of(target))
    for check, level in sorted({*told, *_policy_checks(target)}):
        metrics.policy.add(f"{own},{_labels(check=check, severity=level)}", told[check, level])
    changes = summary(target)
    for action in Action if report.command == "plan" else ():
        metrics.changes.add(f"{own},{_labels(action=action)}", changes[action])
    ended = Counter(outcome.status for outcome in target.outcomes or ())
    for end in OutcomeStatus if report.command == "apply" else ():
        metrics.outcomes.add(f"{own},{_labels(status=end)}", ended[end])


def _policy_checks(target: TargetReport) -> Iterator[tuple[str, str]]:
    """Every check with the severity that it has in this keystore."""
    said = target.plan.desired.policy.levels if target.plan else {}
    for check in CHECKS:
        level = said.get(check.id, check.level)
        if level is not PolicyLevel.OFF:
            yield check.id, level.value


def _add_certificate(metrics: _Metrics, certificate: Certificate, labels: str, now: datetime) -> None:
    identity = _labels(
        subject=certificate.subject or "",
        issuer=certificate.issuer or "",
        serial_number=serial(certificate) or "",
        key=key(certificate),
        fingerprint_sha256=certificate.sha256,
    )
    metrics.certificate.add(f"{labels},{identity}", 1)
    if certificate.problem is not None:
        metrics.error.add(labels, 1)
    if certificate.not_before is not None:
        metrics.not_before.add(labels, certificate.not_before.timestamp())
    if certificate.not_after is not None:
        metrics.not_after.add(labels, certificate.not_after.timestamp())
        metrics.expired.add(labels, now > certificate.not_after)


def _labels(**labels: str) -> str:
    return ",".join([f'{name}="{_escaped(text)}"' for name, text in labels.items()])


def _unique(labels: str, seen: Counter[str]) -> str:
    """No two samples may carry the same labels: two aliases can be printed alike, or be in the keystore twice."""
    seen[labels] += 1
    return labels if seen[labels] == 1 else f'{labels},occurrence="{seen[labels]}"'


def _escaped(text: str) -> str:
    """A label value: backslash, quote and line feed are escaped; other control characters are printed as such."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
