"""A calendar of coming expiries (RFC 5545): one all-day event for each certificate, with alarms before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.reports.facts import has_end, is_self_issued, name, short_name
from reconciler.reports.fleet import members
from reconciler.reports.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.model import Certificate, Report
    from reconciler.reports.fleet import Member

# Alarms, and how many places of one certificate are named in its event.
_ALARMS = ("-P30D", "-P7D")
_PLACES = 20


@dataclass
class _Event:
    """A certificate and everywhere it is."""

    certificate: Certificate
    end: datetime
    places: list[str] = field(default_factory=list)


def render(report: Report, *, colour: bool = False) -> str:
    """The report as iCalendar; `colour` is for terminals and changes nothing here."""
    del colour
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//reconcile//keystore expiries//EN", "CALSCALE:GREGORIAN",
             "METHOD:PUBLISH", "X-WR-CALNAME:Keystore expiries"]  # fmt: skip
    for event in _events(report):
        lines += _event(event, report.generated_at)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _events(report: Report) -> list[_Event]:
    """What has not ended yet, the next first; a certificate that is in many places is one event."""
    events: dict[str, _Event] = {}
    for member in members(report):
        for place, certificate in _certificates(member):
            end = certificate.not_after
            if end is None or not has_end(end) or end <= report.generated_at:
                continue
            events.setdefault(certificate.sha256, _Event(certificate, end)).places.append(place)
    return sorted(events.values(), key=lambda event: (event.end, event.certificate.sha256))


def _certificates(member: Member) -> Iterator[tuple[str, Certificate]]:
    """Each certificate with the place it is at; roots above a key pair are counted where they are trusted."""
    for standing in member.standings:
        for alias, entry in standing.entries:
            place = f"{alias} in {member.target.location} ({member.target.state})"
            for position, certificate in enumerate(entry.chain):
                if position == 0:
                    yield place, certificate
                elif not is_self_issued(certificate):
                    yield f"{place}, in its chain", certificate


def _event(event: _Event, now: datetime) -> Iterator[str]:
    certificate, day = event.certificate, event.end.date()
    summary = f"Certificate ends: {short_name(certificate)}"
    yield "BEGIN:VEVENT"
    # The same certificate keeps its event from run to run; a renewed one gets another.
    yield f"UID:{certificate.sha256}@reconcile"
    yield f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{_date(day.year, day.month, day.day)}"
    following = day + timedelta(days=1)
    yield f"DTEND;VALUE=DATE:{_date(following.year, following.month, following.day)}"
    yield f"SUMMARY:{_escaped(summary)}"
    yield f"DESCRIPTION:{_description(event)}"
    yield "CATEGORIES:Certificate expiry"
    yield "TRANSP:TRANSPARENT"
    for trigger in _ALARMS:
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escaped(summary)}", f"TRIGGER:{trigger}")
        yield "END:VALARM"
    yield "END:VEVENT"


def _date(year: int, month: int, day: int) -> str:
    # strftime("%Y") forgets the leading zeros of early years.
    return f"{year:04}{month:02}{day:02}"


def _description(event: _Event) -> str:
    lines = [
        f"{name(event.certificate)} ends on {event.end:%Y-%m-%d at %H:%M:%S} UTC.",
        *event.places[:_PLACES],
        *([f"and in {len(event.places) - _PLACES} more places"] if len(event.places) > _PLACES else []),
        f"SHA-256 {event.certificate.sha256}",
    ]
    return "\\n".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    r"""Text for a TEXT value (RFC 5545, 3.3.11): backslash, semicolon and comma get a backslash; controls are gone."""
    return printable(text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    """A content line in pieces of at most 75 octets (RFC 5545, 3.1), never inside a character."""
    piece, octets = "", 0
    for char in line:
        size = len(char.encode())
        if octets + size > 75:
            yield piece
            piece, octets = " ", 1
        piece += char
        octets += size
    yield piece
