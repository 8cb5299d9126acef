"""What an HTML report shows, worked out before it is laid out; nothing here is escaped, the template does that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import Action, EntryKind, OutcomeStatus, Status, Step, WantedKeyPair
from reconciler.reports.coverage import Coverage, coverage
from reconciler.reports.document import summary
from reconciler.reports.drift_groups import drift_groups
from reconciler.reports.facts import announcement, day, declared, left, place, plural, short
from reconciler.reports.fleet import Verdict, causes, members
from reconciler.reports.horizon import Term
from reconciler.reports.html_certificates import Certificates
from reconciler.reports.html_timeline import TONES, calendar, timeline
from reconciler.reports.policy import policy_of, severity_of
from reconciler.reports.receivers import receivers_of, status_severity, trusted_until
from reconciler.reports.side_by_side import CLASSIFICATIONS, compare_change
from reconciler.reports.standing import APPLIED, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.model import Affect, Change, Difference, Failure, Outcome, PolicyFinding, ReceiverVerdict, Report
    from reconciler.reports.fleet import Cause, Member
    from reconciler.reports.horizon import Ending
    from reconciler.reports.html_certificates import Chain, Listed
    from reconciler.reports.html_timeline import Calendar, Timeline
    from reconciler.reports.side_by_side import Fact
    from reconciler.reports.standing import Standing

SEVERITY_TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.NOTE: "note", Severity.NONE: "good"}
_VERDICT_TONES = {
    Verdict.FAILED: "bad",
    Verdict.NOT_TRIED: "warn",
    Verdict.PART: "bad",
    Verdict.APPLIED: "good",
    Verdict.POLICY: "bad",
    Verdict.DIFFERS: "warn",
    Verdict.CHANGES: "note",
    Verdict.QUIET: "good",
}
_ACTION_TONES = {Action.DELETE: "bad", Action.CREATE: "good", Action.IMPORT: "good", Action.CREATE_STORE: "good"}
_SEVERITIES = list(Severity)
_VERDICTS = list(Verdict)
# Of more keystores than this only the overview is open when the page opens.
_OPEN = 12


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the summary."""

    number: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the coverage bar, in percent of its width."""

    label: str
    count: int
    percent: int
    x: str
    width: str
    tone: str


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table of findings."""

    alias: str
    status: str
    tone: str
    needs_attention: bool
    message: str
    differences: tuple[Difference, ...]
    kind: str
    until: str
    left: str
    until_tone: str
    is_above: bool  # it is a certificate above the entry's own that ends first
    certificate: Listed | None
    declared: str
    place: str


@dataclass(frozen=True, slots=True)
class Card:
    """One change, side by side."""

    alias: str
    action: str
    tone: str
    reason: str
    classification: str
    message: str
    is_worded: bool  # the message says how the key pair gets its certificate
    place: str
    facts: tuple[Fact, ...]
    has_before: bool
    has_after: bool
    before: tuple[Listed, ...]
    after: tuple[Listed, ...]
    affects: tuple[tuple[str, list[str], list[str]], ...]
    warnings: tuple[str, ...]
    receivers: str
    result: str
    result_tone: str
    result_message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of what the policy has to say."""

    level: str
    tone: str
    check: str
    alias: str
    message: str
    hint: str
    place: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of the table of receivers."""

    name: str
    address: str
    status: str
    tone: str
    message: str
    hint: str
    notes: tuple[str, ...]
    key_pair: str
    until: str
    left: str
    place: str


@dataclass(frozen=True, slots=True)
class Section:
    """One keystore."""

    id: str
    state: str
    location: str
    type: str
    verdict: str
    tone: str
    is_open: bool
    failure: Failure | None
    counts: str
    shares: tuple[Share, ...]
    timeline: Timeline | None
    cards_title: str
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    ignored: int
    chains: tuple[Chain, ...]
    policy: tuple[Rule, ...]
    receivers: tuple[Connection, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One keystore in the overview of a fleet."""

    id: str
    state: str
    location: str
    verdict: str
    tone: str
    changes: int
    differences: int
    expired: int
    near: int
    managed: str
    next: str
    failure: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    command: str
    title: str
    sentence: str
    tone: str
    generated_at: str
    version: str
    digest: str
    tiles: tuple[Tile, ...]
    shares: tuple[Share, ...]
    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    states: tuple[str, ...]
    calendar: Calendar | None
    sections: tuple[Section, ...]
    statuses: tuple[tuple[str, int], ...]
    total: int
    certificates: Certificates


_TITLES = {"plan": "Keystore plan", "apply": "Keystore apply", "drift": "Keystore drift"}


def page(report: Report) -> Page:
    """Everything that the page shows."""
    fleet, certificates = members(report), Certificates()
    is_fleet = len(fleet) > 1
    sections = tuple(_section(report, member, certificates, len(fleet)) for member in fleet)
    statuses = Counter(line.status for section in sections for line in section.lines)
    return Page(
        command=report.command,
        title=_TITLES[report.command],
        sentence=_sentence(report.command, fleet),
        tone=_worst_tone(fleet),
        generated_at=f"{report.generated_at:%Y-%m-%d %H:%M} UTC",
        version=report.tool_version,
        digest=report.digest if report.command != "drift" else "",
        tiles=tuple(_tiles(report.command, fleet)),
        shares=_shares(sum((coverage(member.target) for member in fleet), Coverage()))
        if report.command != "apply"
        else (),
        rows=tuple(_row(report, member) for member in sorted(fleet, key=_badness)) if is_fleet else (),
        causes=causes(report.command, fleet),
        states=tuple(member.target.state for member in fleet),
        calendar=calendar([one for member in fleet for one in member.endings], report.generated_at)
        if is_fleet
        else None,
        sections=sections,
        statuses=tuple(sorted(statuses.items())),
        total=sum(statuses.values()),
        certificates=certificates,
    )


def _sentence(command: str, fleet: Sequence[Member]) -> str:
    """The whole page in one sentence."""
    counts = Counter(member.verdict for member in fleet)
    concerned = sum(bool(member.differences if command == "drift" else _change_count(member)) for member in fleet)
    where = f" in {concerned} of {len(fleet)} keystores"
    match command:
        case "drift":
            count = sum(member.differences for member in fleet)
            what = plural(count, "difference") if count else "Git and the keystores agree"
        case "plan":
            count = sum(map(_change_count, fleet))
            what = plural(count, "change") + " planned" if count else "Nothing to do"
        case _:
            outcomes = Counter(one.status for member in fleet for one in member.target.outcomes or ())
            count = 0
            what = ", ".join(f"{outcomes[end]} {end}" for end in OutcomeStatus if outcomes[end]) or "Nothing to do"
    failed = f"; {plural(counts[Verdict.FAILED], 'keystore')} failed" if counts[Verdict.FAILED] else ""
    against = f"; {plural(counts[Verdict.POLICY], 'keystore')} against the policy" if counts[Verdict.POLICY] else ""
    return f"{what}{where if count and len(fleet) > 1 else ''}{failed}{against}."


def _change_count(member: Member) -> int:
    return len(member.target.plan.changes) if member.target.plan else 0


def _badness(member: Member) -> int:
    """The worst first, whatever the order of the command line; equals stay in that order."""
    return _VERDICTS.index(member.verdict)


def _worst_tone(fleet: Iterable[Member]) -> str:
    tones = {_VERDICT_TONES[member.verdict] for member in fleet}
    return next((tone for tone in ("bad", "warn", "note") if tone in tones), "good")


def _tiles(command: str, fleet: Sequence[Member]) -> Iterator[Tile]:
    if len(fleet) > 1:
        yield Tile(str(len(fleet)), "keystores", "")
    match command:
        case "plan":
            counts = sum((Counter(summary(member.target)) for member in fleet), Counter())
            yield from (
                Tile(str(counts[one]), f"to {one}", _ACTION_TONES.get(one, "note")) for one in Action if counts[one]
            )
        case "apply":
            ended = Counter(one.status for member in fleet for one in member.target.outcomes or ())
            yield from (Tile(str(ended[end]), str(end), _RESULT_TONES[end]) for end in OutcomeStatus if ended[end])
        case _:
            statuses = Counter(one.finding.status for member in fleet for one in member.standings if one.differs)
            # What ends is counted below, whatever else is true of it.
            for status in Status:
                if statuses[status] and status not in {Status.EXPIRED, Status.EXPIRING}:
                    yield Tile(str(statuses[status]), _words(status), _STATUS_TONES.get(status, "note"))
    terms = Counter(one.term for member in fleet for one in member.endings)
    for term, label in (
        (Term.EXPIRED, "past their end"),
        (Term.WINDOW, "inside their window"),
        (Term.SOON, "end within 90 days"),
    ):
        if terms[term]:
            yield Tile(str(terms[term]), label, TONES[term])


_RESULT_TONES = {OutcomeStatus.APPLIED: "good", OutcomeStatus.FAILED: "bad", OutcomeStatus.NOT_TRIED: "warn"}
_STATUS_TONES = {Status.MISSING: "bad", Status.DIFFERS: "warn", Status.RESPONSE_REJECTED: "bad"}


_SHARE_TONES = ("managed", "accepted", "unmanaged", "sap", "protected")


def _shares(found: Coverage) -> tuple[Share, ...]:
    shares, before = [], 0
    for (label, count), tone in zip(found.parts, _SHARE_TONES, strict=True):
        if count:
            x, width = 100 * before / found.entries, 100 * count / found.entries
            shares.append(Share(label, count, found.share(count), f"{x:.2f}%", f"{width:.2f}%", tone))
            before += count
    return tuple(shares)


def _row(report: Report, member: Member) -> Row:
    target, ending, found = member.target, member.next_ending, coverage(member.target)
    terms = Counter(one.term for one in member.endings)
    return Row(
        id=f"k{member.place}",
        state=target.state,
        location=target.location,
        verdict=member.verdict,
        tone=_VERDICT_TONES[member.verdict],
        changes=len(target.plan.changes) if target.plan else 0,
        differences=member.differences,
        expired=terms[Term.EXPIRED],
        near=terms[Term.WINDOW] + terms[Term.SOON],
        managed=f"{found.share(found.managed)} %" if target.plan else "",
        next=f"{day(ending.moment)}, {left(ending.moment, report.generated_at)}" if ending else "",
        failure=target.failure.message if target.failure else "",
    )


# ------------------------------------------------------------------------------------------------- section


def _section(report: Report, member: Member, certificates: Certificates, count: int) -> Section:
    target, now = member.target, report.generated_at
    use = f" ({target.state})" if count > 1 else ""
    ends = {id(ending.standing): ending for ending in member.endings}
    ordered = sorted(member.standings, key=lambda standing: _SEVERITIES.index(standing.severity))
    lines = tuple(_line(standing, ends.get(id(standing)), certificates, now, use) for standing in ordered)
    chains = tuple(_chains(member.standings, certificates, use))
    cards = tuple(_card(change, outcome, certificates, use) for change, outcome in _changes(report.command, member))
    found = coverage(target)
    listed = sum(standing.finding.status is Status.UNMANAGED for standing in member.standings)
    return Section(
        id=f"k{member.place}",
        state=target.state,
        location=target.location,
        type=target.type or "",
        verdict=member.verdict,
        tone=_VERDICT_TONES[member.verdict],
        is_open=count == 1 or (count <= _OPEN and member.verdict is not Verdict.QUIET),
        failure=target.failure,
        counts=_counts(report.command, member),
        # Who answers for what is true of the keystore as it was read: after an apply it would be old news.
        shares=_shares(found) if target.plan and report.command != "apply" else (),
        timeline=timeline(member.endings, now),
        cards_title={"plan": "Changes", "apply": "Changes"}.get(report.command, "Live and declared, side by side"),
        cards=cards,
        lines=lines,
        ignored=found.unmanaged - listed,
        chains=chains,
        policy=tuple(map(_rule, policy_of(target))),
        receivers=tuple(_connection(report.command, verdict, now) for verdict in receivers_of(target)),
        notes=target.notes,
    )


def _rule(finding: PolicyFinding) -> Rule:
    tone = SEVERITY_TONES[severity_of(finding)]
    where = place(finding.source)
    return Rule(finding.level, tone, finding.check, finding.alias, finding.message, finding.hint, where)


def _connection(command: str, verdict: ReceiverVerdict, now: datetime) -> Connection:
    receiver, until = verdict.receiver, trusted_until(verdict)
    differences = verdict.differences if command == "drift" else ()
    notes = dict.fromkeys(note.message for note in (*differences, *verdict.warnings))
    return Connection(
        name=receiver.name,
        address=receiver.address,
        status=_words(verdict.status),
        tone=SEVERITY_TONES[Severity.WARNING if differences else status_severity(verdict)],
        message=verdict.message,
        hint=verdict.hint,
        notes=tuple(note for note in notes if note != verdict.message),
        key_pair=receiver.key_pair or "",
        until=day(until) if until else "",
        left=left(until, now) if until else "",
        place=place(receiver.source),
    )


def _counts(command: str, member: Member) -> str:
    """What is in the section, for its heading."""
    if member.target.plan is None:
        return ""
    if command == "drift":
        groups = [f"{len(group.standings)} {group.title.lower()}" for group in drift_groups(member.standings)]
        return ", ".join(groups) or "in sync"
    counts = summary(member.target)
    return ", ".join(f"{counts[action]} to {action}" for action in Action if counts[action]) or "nothing to do"


def _changes(command: str, member: Member) -> list[tuple[Change, Outcome | None]]:
    plan = member.target.plan
    if member.target.outcomes is not None:
        return [(outcome.change, outcome) for outcome in member.target.outcomes]
    if plan is None or command == "apply":
        return []
    if command == "plan":
        return [(change, None) for change in plan.changes]
    # Drift looks at what differs, not at what an apply would renew by the way.
    differing = (standing.change for standing in member.standings if standing.finding.status is Status.DIFFERS)
    return [(change, None) for change in differing if change is not None and change.step not in _ONE_SIDED]


# What leaves nothing to compare: the same certificate on both sides, or none on one.
_ONE_SIDED = frozenset({Step.RENAME, Step.RESPELL, Step.REMOVE, Step.MIGRATE})


def _card(change: Change, outcome: Outcome | None, certificates: Certificates, use: str) -> Card:
    comparison = compare_change(change, outcome.after if outcome else None)
    listed = f"{change.new_alias or change.alias}{use}"
    return Card(
        alias=f"{change.alias} → {change.new_alias}" if change.new_alias else change.alias,
        action=change.action,
        tone=_ACTION_TONES.get(change.action, "warn"),
        reason=change.reason,
        classification=CLASSIFICATIONS.get(change.certificate_change or "", change.certificate_change or ""),
        message=change.message,
        is_worded=isinstance(change.wanted, WantedKeyPair),
        place=place(change.source),
        facts=comparison.facts,
        has_before=comparison.has_before,
        has_after=comparison.has_after and change.step not in _ONE_SIDED,
        before=tuple(certificates.add(one, listed) for one in comparison.before[:1]),
        after=tuple(certificates.add(one, listed) for one in comparison.after[:1]),
        warnings=change.warnings,
        receivers=", ".join(change.receivers),
        affects=tuple(_affected(affect, certificates) for affect in change.affects),
        result=outcome.status if outcome else "",
        result_tone=_RESULT_TONES[outcome.status] if outcome else "",
        result_message=outcome.message if outcome else "",
    )


def _affected(affect: Affect, certificates: Certificates) -> tuple[str, list[str], list[str]]:
    def titles(chain: Iterable[str]) -> list[str]:
        return [found.title if (found := certificates.find(sha256)) else short(sha256) for sha256 in chain]

    return affect.alias, titles(affect.chain_before), titles(affect.chain_after)


def _line(standing: Standing, ending: Ending | None, certificates: Certificates, now: datetime, use: str) -> Line:
    leaf, finding = standing.leaf, standing.finding
    return Line(
        alias=standing.title,
        status=_words(standing.outcome.status if standing.outcome else finding.status),
        tone="" if finding.status is Status.PROTECTED and not standing.differs else SEVERITY_TONES[standing.severity],
        needs_attention=standing.differs or standing.severity in {Severity.ERROR, Severity.WARNING},
        message="; ".join(text for text in (standing.message, announcement(finding, now)) if text),
        differences=finding.differences if standing.status != APPLIED else (),
        kind=standing.entry.kind.replace("-", " ") if standing.entry else "",
        until=day(ending.moment) if ending and ending.moment else "",
        left=left(ending.moment, now) if ending else "",
        until_tone=TONES.get(ending.term, "") if ending else "",
        is_above=ending is not None and not ending.is_own,
        certificate=certificates.add(leaf, f"{standing.alias}{use}") if leaf else None,
        declared=declared(finding.wanted) if finding.wanted and leaf is None else "",
        place=place(standing.source),
    )


def _chains(standings: Iterable[Standing], certificates: Certificates, use: str) -> Iterator[Chain]:
    for standing in standings:
        for alias, entry in standing.entries:
            if entry.chain and entry.kind is EntryKind.KEY_PAIR:
                yield certificates.chain(alias, entry.chain, f"{alias}{use}")


def _words(status: str) -> str:
    return status.replace("-", " ")
