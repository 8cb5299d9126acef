"""The calendar, read by the icalendar package."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from icalendar import Calendar, Event

from reconciler.reports.printable import printable
from reconciler.reports.table import render
from tests.builders import NOW, certificate, entry
from tests.reports import hostile, sample

COMMANDS = ("plan", "apply", "drift")


def calendar(report: Any) -> Calendar:
    found = Calendar.from_ical(render("ics", report).encode())
    assert isinstance(found, Calendar)
    return found


def events(report: Any) -> list[Event]:
    return [one for one in calendar(report).walk("VEVENT") if isinstance(one, Event)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("report", [sample.fleet, sample.single, hostile.report])
def test_the_calendar_is_read_without_errors(command: str, report: Any) -> None:
    found = calendar(report(command))
    assert found.get("VERSION") == "2.0"
    assert not [error for component in found.walk() for error in component.errors]


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_end_with_crlf_and_have_at_most_75_octets(command: str) -> None:
    raw = render("ics", hostile.report(command)).encode()
    assert raw.endswith(b"END:VCALENDAR\r\n")
    lines = raw.split(b"\r\n")
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)
    for line in lines:
        line.decode()  # no character is torn apart


def test_each_certificate_that_will_end_has_one_event_on_its_last_day() -> None:
    found = {str(one["SUMMARY"]).removeprefix("Certificate ends: "): one for one in events(sample.fleet("drift"))}
    assert "Old Authority" not in found, "what has ended is not coming"
    client = found["cpi-prod.example.com"]
    assert client["DTSTART"].dt == date(2026, 6, 21)
    assert client["DTEND"].dt == date(2026, 6, 22)
    assert "s4_client in ../live/prod.p12 (keystores/prod.yaml)" in client["DESCRIPTION"]


def test_a_certificate_in_several_keystores_is_one_event_that_names_them() -> None:
    (root,) = (one for one in events(sample.fleet("drift")) if "Example Root G1" in one["SUMMARY"])
    assert all(f"keystores/{name}.yaml" in root["DESCRIPTION"] for name in ("prod", "test", "dev"))


def test_certificates_above_a_key_pair_have_events_of_their_own() -> None:
    (issuing,) = (one for one in events(sample.single("drift")) if "Example Issuing CA 2" in one["SUMMARY"])
    assert "bank_client in ../live/prod.p12 (keystores/prod.yaml), in its chain" in issuing["DESCRIPTION"]


def test_the_identifier_of_an_event_is_the_certificate_and_nothing_else() -> None:
    first = {one["UID"]: one["SUMMARY"] for one in events(sample.fleet("drift"))}
    alone = {one["UID"]: one["SUMMARY"] for one in events(sample.report("plan", sample.target(sample.quiet())))}
    assert alone.items() <= first.items()
    assert len(first) == len(events(sample.fleet("drift")))


def test_events_come_in_the_order_of_their_days() -> None:
    days = [one["DTSTART"].dt for one in events(sample.fleet("drift"))]
    assert days == sorted(days)


def test_alarms_are_a_month_and_a_week_before() -> None:
    event = events(sample.single("drift"))[0]
    assert [one["TRIGGER"].dt for one in event.walk("VALARM")] == [timedelta(days=-30), timedelta(days=-7)]


def test_after_an_apply_the_new_certificate_is_in_the_calendar() -> None:
    days = {one["DTSTART"].dt for one in events(sample.single("apply")) if "cpi-prod" in one["SUMMARY"]}
    assert days == {(NOW + timedelta(days=365)).date()}


def test_a_certificate_without_an_end_is_in_no_calendar() -> None:
    forever = certificate("CN=forever", not_after=NOW.replace(year=9999, month=12, day=31))
    plan = sample.planned("a.yaml", "a.p12", sample.StoreType.PKCS12, [], [entry("forever", forever)])
    assert events(sample.report("drift", sample.target(plan))) == []


def test_many_places_are_counted() -> None:
    live = [entry(f"alias_{number}", certificate("CN=same")) for number in range(25)]
    plan = sample.planned("a.yaml", "a.p12", sample.StoreType.PKCS12, [], live)
    (event,) = events(sample.report("drift", sample.target(plan)))
    assert "and in 5 more places" in event["DESCRIPTION"]


@pytest.mark.parametrize("key", hostile.TEXTS)
def test_names_from_outside_are_text_and_not_properties(key: str) -> None:
    text = hostile.TEXTS[key]
    found = events(hostile.report("drift", {key: text}))
    assert len(found) == 3
    assert any(printable(text) in str(one["DESCRIPTION"]) for one in found)
