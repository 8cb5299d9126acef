"""What is true of each format: deterministic, UTF-8, whole lines, and nothing from outside that does harm."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from reconciler.model import Report, TargetReport
from reconciler.reports.table import FORMATS, render
from tests.builders import NOW, certificate, desired, entry, snapshot
from tests.reports import hostile, sample

COMMANDS = ("plan", "apply", "drift")
EXPECTED = {"text", "json", "markdown", "html", "sarif", "junit", "prometheus", "ics"}


def test_the_table_has_every_format_of_the_contract() -> None:
    assert set(FORMATS) == EXPECTED


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_input_gives_the_same_bytes(name: str, command: str) -> None:
    assert render(name, sample.fleet(command)) == render(name, sample.fleet(command))


@pytest.mark.parametrize("name", FORMATS)
def test_the_bytes_do_not_depend_on_the_order_of_hashes_or_the_language_of_the_machine(name: str) -> None:
    program = (
        "import sys; from tests.reports import sample; from reconciler.reports.table import render;"
        f"sys.stdout.buffer.write(render({name!r}, sample.fleet('drift')).encode())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, "PATH": ""},
        ).stdout
        for seed, locale, zone in (("1", "C", "UTC"), ("2", "de_DE.UTF-8", "Asia/Tokyo"))
    }
    assert len(seen) == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_hostile_report_is_rendered_as_utf_8_of_whole_lines(name: str, command: str) -> None:
    text = render(name, hostile.report(command), colour=True)
    assert text.encode("utf-8").endswith(b"\n")


@pytest.mark.parametrize("name", sorted(EXPECTED - {"json", "sarif"}))
@pytest.mark.parametrize("command", COMMANDS)
def test_no_control_or_invisible_character_comes_through(name: str, command: str) -> None:
    text = render(name, hostile.report(command)).replace("\r\n", "\n")
    found = {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"}
    assert not found


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("key", hostile.TEXTS)
def test_each_hostile_text_alone_is_rendered(name: str, key: str) -> None:
    for command in COMMANDS:
        assert render(name, hostile.report(command, {key: hostile.TEXTS[key]}))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_report_without_keystores_and_one_without_entries_are_rendered(name: str, command: str) -> None:
    empty = sample.target(sample.planned("a.yaml", "a.p12", sample.StoreType.PKCS12, [], []))
    for targets in ((), (empty,), (empty, empty)):
        text = render(name, Report(command, NOW, "1", "sha256:" + "0" * 64, targets))
        assert text.endswith("\n") or not text


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_keystore_that_failed_is_in_every_report(name: str, command: str) -> None:
    text = render(name, sample.fleet(command))
    if name != "ics":  # what could not be read has no dates
        assert "broken" in text


UNREADABLE: dict[str, Any] = {
    "subject_attributes": None,
    "serial": None,
    "not_before": None,
    "not_after": None,
    "key_algorithm": None,
    "key_size": None,
    "signature_algorithm": None,
    "subject_alt_names": None,
    "extended_key_usage": None,
    "is_ca": None,
    "version": None,
    "problem": "error parsing asn1 value",
}
EARLY, LATE = datetime.min.replace(tzinfo=NOW.tzinfo), datetime.max.replace(tzinfo=NOW.tzinfo)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "facts",
    [UNREADABLE, {"not_before": EARLY, "not_after": EARLY}, {"not_before": EARLY, "not_after": LATE},
     {"not_before": LATE, "not_after": NOW}, {"serial": -5}, {"subject_alt_names": None}],
)  # fmt: skip
def test_certificates_with_impossible_facts_are_rendered(name: str, command: str, facts: dict[str, Any]) -> None:
    one = certificate("CN=odd", **facts)
    plan = sample.planned("a.yaml", "a.p12", sample.StoreType.PKCS12, [], [entry("odd", one)])
    assert render(name, sample.report(command, sample.target(plan)))


def test_colour_changes_nothing_but_text() -> None:
    report = sample.fleet("drift")
    changed = {name for name in FORMATS if render(name, report, colour=True) != render(name, report)}
    assert changed == {"text"}


def test_no_report_holds_a_private_key_or_a_password() -> None:
    for command in COMMANDS:
        for name in FORMATS:
            assert not re.search(r"PRIVATE|password=|Secret\(", render(name, sample.fleet(command)))


def test_reading_the_table_imports_no_renderer() -> None:
    program = (
        "import sys; import reconciler.reports.table;"
        "print([name for name in sys.modules if name.startswith(('jinja2', 'reconciler.reports.html'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(EXPECTED - {"html"}))
def test_only_html_needs_jinja2(name: str) -> None:
    program = f"""
import sys
sys.modules["jinja2"] = None
from tests.reports import sample
from reconciler.reports.table import render
render({name!r}, sample.single("plan"))
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_snapshot_of_a_missing_keystore_is_rendered() -> None:
    from reconciler.planning import plan_target

    live = replace(snapshot(), exists=False)
    plan = plan_target(desired(), live, NOW, lambda _writes: live, lambda _child, _issuer: True)
    report = Report("plan", NOW, "1", "sha256:" + "0" * 64, (TargetReport("a.yaml", "a.p12", None, plan),))
    for name in FORMATS:
        assert render(name, report)
    assert "create-store" in render("text", report)
