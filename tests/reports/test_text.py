"""The text report: quiet, aligned, within 80 columns where the facts allow it, and coloured only on request."""

from __future__ import annotations

import re

import pytest

from reconciler.reports.printable import width
from reconciler.reports.table import render
from tests.reports import hostile, sample

COLOURS = re.compile(r"\x1b\[(?:0|1|2|31|32|33)m")


def test_a_keystore_with_nothing_to_do_takes_two_lines() -> None:
    text = render("text", sample.report("plan", sample.target(sample.quiet())))
    assert text == (
        "keystores/dev.yaml -> ../live/dev.jceks (jceks)\n  Nothing to do: 1 declared, all as they should be\n"
    )


def test_a_keystore_without_drift_says_so() -> None:
    text = render("text", sample.report("drift", sample.target(sample.quiet())))
    assert "No drift; 1 of 1 declared in sync" in text


def test_the_only_keystore_that_failed_says_so() -> None:
    lines = render("text", sample.report("drift", sample.failed("broken", sample.UNREADABLE))).splitlines()
    assert lines[0] == "keystores/broken.yaml -> ../live/broken.p12 (pkcs12)"
    assert [line[:10] for line in lines[1:]] == ["  failed  "]


def test_quiet_keystores_of_a_large_fleet_are_counted() -> None:
    quiet = [sample.target(sample.quiet())] * 30
    text = render("text", sample.report("plan", *quiet, sample.target(sample.testing())))
    assert "30 keystores  nothing to do" in text
    assert text.count("keystores/dev.yaml") == 0


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_without_colour_there_is_no_escape_sequence(command: str) -> None:
    assert "\x1b" not in render("text", sample.fleet(command))
    assert "\x1b" not in render("text", hostile.report(command))


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_colour_adds_only_known_sequences_and_changes_no_word(command: str) -> None:
    coloured = render("text", hostile.report(command), colour=True)
    assert COLOURS.sub("", coloured) == render("text", hostile.report(command))


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_lines_fit_80_columns_but_for_what_cannot_be_broken(command: str) -> None:
    long = [line for line in render("text", sample.fleet(command)).splitlines() if width(line) > 80]
    whole = ("Digest of this plan", "  Plan: ", "  failed  ", "                     the issuer did not answer",
             "        the signing request")  # fmt: skip
    assert all(line.startswith(whole) for line in long)


def test_wide_characters_are_counted_as_terminals_do() -> None:
    assert [width(text) for text in ("abc", "株式", "e\u0301", "🔒", "Ł")] == [3, 4, 1, 2, 1]


def test_every_message_is_on_one_line() -> None:
    plain = render("text", hostile.report("drift", {"one": "x"})).count("\n")
    broken = render("text", hostile.report("drift", {"one": "x\ny"})).count("\n")
    assert plain == broken


def test_a_plan_says_what_affects_other_entries() -> None:
    text = render("text", sample.single("plan"))
    words = " ".join(text.split())
    assert "affects partner_client: Java will show a chain of 2 -> 3 certificates" in words


def test_a_plan_names_what_ends_and_is_mended_by_no_change() -> None:
    text = render("text", sample.single("plan"))
    after = text.split("Ends, and no change mends it\n")[1]
    assert after.splitlines()[0].split() == ["old_authority", "2026-05-20", "11", "days", "ago"]


def test_drift_shows_what_ends_apart_from_what_differs() -> None:
    text = render("text", sample.single("drift"))
    titles = [
        "Missing",
        "Must not be there",
        "Changed",
        "Waiting",
        "Not declared",
        "Expired",
        "Ends within its window",
        "Ends within 90 days",
    ]
    assert [line.strip() for line in text.splitlines() if line.strip() in titles] == titles
    assert "because of Example Issuing CA 2 in its chain" in text


def test_protected_entries_are_counted_and_not_listed() -> None:
    text = render("text", sample.single("drift"))
    assert "2 SAP-owned (11 %)" in text
    assert "sap_global_root" not in text


def test_an_apply_in_part_says_so_and_why() -> None:
    text = render("text", sample.single("apply"))
    assert "failed    create   concur_client" in text
    assert "the issuer did not answer within 30 seconds" in text
    assert text.endswith("Applied in part: 7 applied, 1 failed\n")


def test_a_fleet_ends_with_what_it_has_in_common() -> None:
    text = render("text", sample.fleet("drift"))
    assert re.search(r"   2 of 5  missing +isrg_root_x1  ISRG Root X1\n", text)
    assert (
        "Fleet: 5 keystores: 2 failed, 1 against the policy, 1 with differences,\n1 with nothing to do\n" in text
    )  # fmt: skip
