"""The geometry of the timelines: positions in percent of the width, so that a picture fits every screen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.expiry import renewal_due
from reconciler.model import WantedCertificate
from reconciler.reports.facts import day, left
from reconciler.reports.horizon import Term
from reconciler.reports.printable import clipped, printable, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.reports.horizon import Ending

# Of an unreadable crowd the nearest are shown; the table has all.
_PAST_SHOWN = 6
_COMING_SHOWN = 18
_ROW = 36  # pixels
_HEAD = 22
_SHORTEST, _LONGEST = timedelta(days=120), timedelta(days=730)
_BEFORE = 0.12  # the share of the width that is past
_LABEL = 34
_CHARACTER = 7.25  # pixels of a character of a label, in 12 pixels of a monospaced font

# Not strftime: what a page says must not depend on the locale of the machine.
_MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December")  # fmt: skip

# A class for the colour and a shape, so that colour is not the only difference.
TONES = {Term.EXPIRED: "bad", Term.WINDOW: "warn", Term.SOON: "note", Term.LATER: "good"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One entry: from the start of its certificate to its end."""

    label: str
    label_width: int  # what covers the lines behind it, in pixels
    day: str
    left: str
    tone: str
    term: str
    y: int
    x: str
    width: str
    window_x: str
    window_width: str
    end: str
    is_clipped: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A month on the axis."""

    x: str
    label: str
    is_minor: bool  # left out where there is little room


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture of one keystore."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    today: str
    height: int
    left_out: int
    description: str


def timeline(endings: Sequence[Ending], now: datetime) -> Timeline | None:
    """What ends when; None where nothing has an end."""
    dated = [ending for ending in endings if ending.moment is not None]
    shown = _shown(dated, now)
    if not shown:
        return None
    scale = _Scale.for_(shown, now)
    bars = tuple(_bar(ending, place, scale, now) for place, ending in enumerate(shown))
    height = _HEAD + _ROW * len(bars) + 4
    words = "; ".join(f"{bar.label} {bar.left}" for bar in bars)
    return Timeline(bars, tuple(scale.ticks(now)), scale.at(now), height, len(dated) - len(shown), words)


def _shown(dated: Sequence[Ending], now: datetime) -> list[Ending]:
    past = [ending for ending in dated if ending.term is Term.EXPIRED]
    coming = [ending for ending in dated if ending.term is not Term.EXPIRED]
    within = [ending for ending in coming if ending.moment and ending.moment - now <= _LONGEST]
    # Where nothing ends within two years, at least what ends first.
    return [*past[-_PAST_SHOWN:], *(within[:_COMING_SHOWN] or coming[:3])]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime

    @classmethod
    def for_(cls, shown: Sequence[Ending], now: datetime) -> _Scale:
        last = max((ending.moment for ending in shown if ending.moment), default=now)
        span = min(max(last - now, _SHORTEST), _LONGEST) * 1.06
        return cls(now - span * _BEFORE, now + span)

    def share(self, moment: datetime) -> float:
        """Where a moment is between start (0) and end (1); clipped at both."""
        return min(max((moment - self.start) / (self.end - self.start), 0.0), 1.0)

    def at(self, moment: datetime) -> str:
        return _percent(self.share(moment))

    def ticks(self, now: datetime) -> Iterator[Tick]:
        months = (self.end - self.start).days / 30
        step = 1 if months <= 8 else 2 if months <= 14 else 3
        year, month, count = self.start.year, self.start.month, 0
        while (tick := datetime(year, month, 1, tzinfo=UTC)) < self.end:
            share = self.share(tick)
            is_free = 0.02 < share < 0.95 and abs(share - self.share(now)) > 0.045
            if (month - 1) % step == 0 and is_free:
                name = _MONTH_NAMES[month - 1][:3]
                yield Tick(self.at(tick), f"{name} {year}" if month == 1 or step == 3 else name, count % 2 == 0)
                count += 1
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _bar(ending: Ending, place: int, scale: _Scale, now: datetime) -> Bar:
    end = ending.moment or now
    start = ending.certificate.not_before if ending.certificate else None
    left_x, right_x = scale.share(start or scale.start), scale.share(end)
    due = min(max(_due(ending) or end, start or end), end)
    due_x = scale.share(due)
    label = clipped(printable(ending.standing.alias), _LABEL)
    return Bar(
        label=label,
        label_width=round(_CHARACTER * width(label)) + 3,
        day=day(end),
        left=left(end, now),
        tone=TONES.get(ending.term, "good"),
        term=ending.term,
        y=_HEAD + _ROW * place,
        x=_percent(left_x),
        width=_percent(max(right_x - left_x, 0.0)),
        window_x=_percent(due_x),
        window_width=_percent(max(right_x - due_x, 0.0)),
        end=_percent(right_x),
        is_clipped=end > scale.end,
    )


def _due(ending: Ending) -> datetime | None:
    """When a renewal is due, for what has a window of its own."""
    wanted = ending.standing.finding.wanted
    if wanted is None or isinstance(wanted, WantedCertificate) or ending.certificate is None or not ending.is_own:
        return None
    return renewal_due(ending.certificate, wanted.renew_before)


# ---------------------------------------------------------------------------------------------------- fleet

_MONTHS = 24
_COLUMN_HEIGHT = 96


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a column that has one colour."""

    tone: str
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """How many entries end in one month."""

    x: str
    width: str
    middle: str
    label: str
    is_minor: bool  # left out where there is little room
    title: str
    count: int
    top: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The picture of a fleet: what ends in which month."""

    columns: tuple[Column, ...]
    base: int
    height: int
    later: int


def calendar(endings: Sequence[Ending], now: datetime) -> Calendar | None:
    """Entries by the month of their end, what has ended first; None where nothing ends within two years."""
    counts: list[dict[str, int]] = [{} for _ in range(_MONTHS + 1)]
    later = 0
    for ending in endings:
        if ending.moment is None:
            continue
        place = 0 if ending.term is Term.EXPIRED else 1 + _months(now, ending.moment)
        if place > _MONTHS:
            later += 1
            continue
        tone = TONES.get(ending.term, "good")
        counts[place][tone] = counts[place].get(tone, 0) + 1
    most = max(sum(one.values()) for one in counts)
    if not most:
        return None
    base = _COLUMN_HEIGHT + 18
    columns = tuple(_column(place, one, most, base, now) for place, one in enumerate(counts))
    return Calendar(columns, base, base + 20, later)


def _months(now: datetime, moment: datetime) -> int:
    return (moment.year - now.year) * 12 + moment.month - now.month


def _column(place: int, counts: dict[str, int], most: int, base: int, now: datetime) -> Column:
    count = sum(counts.values())
    pieces, y = [], base
    for tone in ("bad", "warn", "note", "good"):
        if counts.get(tone):
            height = max(round(_COLUMN_HEIGHT * counts[tone] / most), 2)
            y -= height
            pieces.append(Piece(tone, y, height))
    share = 1 / (_MONTHS + 1)
    label, title = _month(place, now)
    return Column(
        x=_percent(share * (place + 0.1)),
        width=_percent(share * 0.8),
        middle=_percent(share * (place + 0.5)),
        label=label,
        is_minor=place % 6 != 1,
        title=title,
        count=count,
        top=y,
        pieces=tuple(pieces),
    )


def _month(place: int, now: datetime) -> tuple[str, str]:
    """What stands under a column, every third one labelled, and its full name."""
    if place == 0:
        return "past", "ended already"
    months = now.month - 1 + place - 1
    year, month = now.year + months // 12, _MONTH_NAMES[months % 12]
    return f"{month[:3]} {year % 100:02}" if place % 3 == 1 else "", f"{month} {year}"
