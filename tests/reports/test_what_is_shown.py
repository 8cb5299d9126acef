"""What all formats build on: standings, ends, coverage, groups, causes, and the two columns of a change."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.compare import compare
from reconciler.model import (
    Action,
    Change,
    DesiredState,
    Expiry,
    Failure,
    Finding,
    Outcome,
    OutcomeStatus,
    PolicyFinding,
    PolicyLevel,
    RenewBefore,
    Report,
    Snapshot,
    Status,
    Step,
    StoreType,
    TargetPlan,
    TargetReport,
    Unmanaged,
    WantedExisting,
)
from reconciler.reports import facts
from reconciler.reports.coverage import Coverage, coverage
from reconciler.reports.document import wanted_document
from reconciler.reports.drift_groups import drift_groups
from reconciler.reports.facts import announcement
from reconciler.reports.fleet import causes, members
from reconciler.reports.horizon import Term, endings, first_to_end
from reconciler.reports.printable import clipped, padded, printable
from reconciler.reports.side_by_side import PENDING, compare_change
from reconciler.reports.standing import Severity, Standing, standings
from reconciler.reports.table import render
from tests.builders import (
    HERE,
    NOW,
    certificate,
    desired,
    entry,
    key_pair,
    snapshot,
    wanted_certificate,
    wanted_import,
    wanted_key_pair,
)
from tests.reports import sample

if TYPE_CHECKING:
    from reconciler.model import Entry


def planned(state: DesiredState, live: Snapshot, *changes: Change) -> TargetReport:
    plan = TargetPlan(state, live, compare(state, live, NOW, lambda _child, _issuer: True), changes)
    return TargetReport("keystore.yaml", "x.p12", live.type, plan)


def standing(status: Status, *, wanted: bool = True, expiry: Expiry = Expiry.OK, **more: Any) -> Standing:
    finding = Finding("one", status, more.pop("reason", "r"), "m", expiry, (), wanted_certificate() if wanted else None)
    return Standing(finding, entry("one"), expiry, more.pop("differs", False), **more)


# ------------------------------------------------------------------------------------------------ standings


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        (Status.IN_SYNC, Severity.NONE),
        (Status.MISSING, Severity.ERROR),
        (Status.DIFFERS, Severity.WARNING),
        (Status.AWAITING_SIGNATURE, Severity.NOTE),
        (Status.RESPONSE_REJECTED, Severity.ERROR),
        (Status.UNMANAGED, Severity.NOTE),
        (Status.PROTECTED, Severity.NONE),
    ],
)
def test_how_loud_a_finding_is(status: Status, severity: Severity) -> None:
    assert standing(status).severity is severity


def test_every_status_has_a_severity() -> None:
    assert all(standing(status).severity for status in Status)


def test_time_that_runs_out_is_louder_than_what_waits() -> None:
    assert standing(Status.AWAITING_SIGNATURE, expiry=Expiry.EXPIRED).severity is Severity.ERROR
    assert standing(Status.IN_SYNC, expiry=Expiry.EXPIRING).severity is Severity.WARNING


def test_what_nobody_declares_is_never_louder_than_a_warning() -> None:
    assert standing(Status.UNMANAGED, wanted=False, expiry=Expiry.EXPIRED).severity is Severity.WARNING
    assert standing(Status.UNMANAGED, wanted=False, expiry=Expiry.EXPIRING).severity is Severity.NOTE


def test_a_declared_protected_alias_is_an_error_in_every_report() -> None:
    report = Report("drift", NOW, "1", "sha256:" + "0" * 64, (
        planned(desired(wanted_certificate("sap_root")), snapshot(entry("sap_root"))),))  # fmt: skip
    (one,) = standings(report.targets[0], NOW)
    assert (one.severity, one.differs) == (Severity.ERROR, True)
    assert "Declared, but not ours" in render("text", report)
    assert '"ruleId": "declared-protected"' in render("sarif", report)


def test_after_an_apply_the_new_entry_counts() -> None:
    old, new = certificate("CN=a", not_after=NOW - timedelta(days=1)), certificate("CN=b")
    state, live = desired(wanted_key_pair("pair")), snapshot(key_pair("pair", old))
    change = Change(Action.RENEW, "pair", "expired", "renew", wanted=state.wanted[0], before=live.entries[0])
    done = Outcome(change, OutcomeStatus.APPLIED, "", key_pair("pair", new))
    (before,) = standings(planned(state, live, change), NOW)
    (after,) = standings(replace(planned(state, live, change), outcomes=(done,)), NOW)
    assert (before.leaf, before.expiry, before.differs) == (old, Expiry.EXPIRED, True)
    assert (after.leaf, after.expiry, after.differs, after.status) == (new, Expiry.OK, False, "applied")


def test_a_renewed_certificate_that_is_due_again_is_said_to_be() -> None:
    state, live = desired(wanted_import("pair")), snapshot(key_pair("pair"))
    change = Change(Action.REPLACE, "pair", "certificate", "replace", wanted=state.wanted[0], before=live.entries[0])
    soon = key_pair("pair", certificate("CN=c", not_after=NOW + timedelta(days=5)))
    target = replace(planned(state, live, change), outcomes=(Outcome(change, OutcomeStatus.APPLIED, "", soon),))
    (one,) = standings(target, NOW)
    assert (one.expiry, one.severity) == (Expiry.EXPIRING, Severity.WARNING)


def test_a_change_that_failed_leaves_what_was_there() -> None:
    state, live = desired(wanted_key_pair("pair")), snapshot()
    change = Change(Action.CREATE, "pair", "missing", "create", wanted=state.wanted[0])
    target = replace(planned(state, live, change), outcomes=(Outcome(change, OutcomeStatus.FAILED, "no answer"),))
    (one,) = standings(target, NOW)
    assert (one.entry, one.status, one.message, one.severity) == (None, "missing", "no answer", Severity.ERROR)


def test_ignored_entries_are_not_listed_and_do_not_differ() -> None:
    live = snapshot(entry("a"), entry("b"))
    listed = planned(desired(wanted_certificate("a")), live)
    ignored = planned(desired(wanted_certificate("a"), unmanaged=Unmanaged.IGNORE), live)
    assert [one.alias for one in standings(listed, NOW)] == ["a", "b"]
    assert [one.alias for one in standings(ignored, NOW)] == ["a"]


def test_an_entry_that_is_renamed_and_replaced_shows_the_replacement() -> None:
    rename = Change(Action.RENAME, "old", "renamed", "m", before=entry("old"), step=Step.RENAME, new_alias="one")
    put = Change(Action.REPLACE, "one", "certificate", "m", before=entry("old"))
    for changes in ((rename, put), (put, rename)):
        target = planned(desired(wanted_certificate("one")), snapshot(entry("one", certificate("CN=x"))), *changes)
        (one,) = standings(target, NOW)
        assert one.change is put


def test_what_became_of_the_worse_of_two_changes_counts() -> None:
    rename = Change(Action.RENAME, "old", "renamed", "m", before=entry("old"), step=Step.RENAME, new_alias="one")
    put = Change(Action.REPLACE, "one", "certificate", "m", before=entry("old"))
    outcomes = (Outcome(rename, OutcomeStatus.APPLIED), Outcome(put, OutcomeStatus.FAILED, "no"))
    target = planned(desired(wanted_certificate("one")), snapshot(), rename, put)
    (one,) = standings(replace(target, outcomes=outcomes), NOW)
    assert (one.status, one.message) == ("missing", "no")


def test_a_successor_that_waits_belongs_to_its_alias() -> None:
    staged = key_pair("pair.next", certificate("CN=next"))
    live = snapshot(key_pair("pair"), staged)
    target = planned(desired(wanted_key_pair("pair")), live)
    (one,) = standings(target, NOW)
    assert [alias for alias, _ in one.entries] == ["pair", "pair.next"]
    assert coverage(target) == Coverage(managed=2)
    report = Report("drift", NOW, "1", "sha256:" + "0" * 64, (target,))
    assert 'alias="pair.next"' in render("prometheus", report)
    assert "pair.next" in render("ics", report)
    assert "<h4>pair.next</h4>" in render("html", report)


def test_a_finding_about_the_keystore_itself_has_a_title() -> None:
    live = replace(snapshot(entry("a")), type=StoreType.JKS)
    (itself, _) = standings(planned(desired(wanted_certificate("a")), live), NOW)
    assert (itself.alias, itself.title, itself.differs) == ("", "the keystore itself", True)


# ------------------------------------------------------------------------------------------------- horizon


def ends(found: Entry, expiry: Expiry = Expiry.OK) -> tuple[Term, Any]:
    finding = Finding(found.alias, Status.IN_SYNC, "in-sync", "", expiry, (), wanted_certificate(found.alias), found)
    (ending,) = endings([Standing(finding, found, expiry, differs=False)], NOW)
    return ending.term, ending.certificate


@pytest.mark.parametrize(
    ("days", "expiry", "term"),
    [
        (-1, Expiry.EXPIRED, Term.EXPIRED),
        (10, Expiry.EXPIRING, Term.WINDOW),
        (200, Expiry.EXPIRING, Term.WINDOW),
        (90, Expiry.OK, Term.SOON),
        (91, Expiry.OK, Term.LATER),
    ],
)
def test_how_near_an_end_is(days: int, expiry: Expiry, term: Term) -> None:
    assert ends(entry("a", certificate("CN=a", not_after=NOW + timedelta(days=days))), expiry)[0] is term


def test_an_intermediate_that_ends_first_is_what_ends() -> None:
    leaf = certificate("CN=leaf", issuer="CN=ca", not_after=NOW + timedelta(days=300))
    ca = certificate("CN=ca", issuer="CN=root", not_after=NOW + timedelta(days=20))
    assert ends(key_pair("a", leaf, ca)) == (Term.SOON, ca)


def test_a_root_above_a_key_pair_does_not_count() -> None:
    leaf = certificate("CN=leaf", issuer="CN=root")
    root = certificate("CN=root", not_after=NOW - timedelta(days=900))
    assert ends(key_pair("a", leaf, root)) == (Term.LATER, leaf)


def test_what_has_no_end_comes_last() -> None:
    never = certificate("CN=n", not_after=NOW.replace(year=9999))
    assert ends(entry("a", never)) == (Term.NONE, None)
    assert first_to_end(replace(entry("a"), chain=())) is None
    report = sample.single("drift")
    terms = [one.term for one in endings(standings(report.targets[0], NOW), NOW)]
    assert terms[-1] is Term.NONE
    assert terms == sorted(terms, key=list(Term).index)


# ------------------------------------------------------------------------------------ coverage, groups, fleet


def test_coverage_tells_saps_entries_from_those_the_file_protects() -> None:
    live = snapshot(entry("a"), entry("b"), entry("sap_x"), entry("y", owner="SAP"), entry("vendor_z"))
    found = coverage(planned(desired(wanted_certificate("a"), wanted_certificate("m"), protected=("vendor_*",)), live))
    assert found == Coverage(managed=1, unmanaged=1, sap=2, protected=1)
    assert [found.share(count) for _, count in found.parts] == [20, 0, 20, 40, 20]


def test_an_empty_keystore_is_covered() -> None:
    assert Coverage().share(0) == 100


def test_every_status_that_differs_has_a_group() -> None:
    unseen = {Status.IN_SYNC, Status.EXPIRING, Status.EXPIRED}
    grouped = {status for status in Status if drift_groups([standing(status)])}
    assert grouped == set(Status) - unseen


def test_causes_are_what_two_keystores_share() -> None:
    report = sample.fleet("drift")
    (cause,) = causes("drift", members(report))
    assert (cause.alias, cause.what, cause.places) == ("isrg_root_x1", "missing", (1, 2))


def test_the_same_failure_in_several_keystores_is_one_cause() -> None:
    report = sample.report("plan", *(sample.failed(f"n{number}", sample.UNREADABLE) for number in range(3)))
    (cause,) = causes("plan", members(report))
    assert (cause.what, cause.detail, len(cause.places)) == ("failed", sample.UNREADABLE.message, 3)


def test_a_failure_that_names_its_keystore_has_the_same_cause_as_another() -> None:
    failed = [
        replace(
            sample.failed(host, Failure(f"{host} cannot be reached: refused", host, None, 3)),
            location=f"https://{host}",
        )
        for host in ("a.example.com", "b.example.com")
    ]
    (cause,) = causes("drift", members(sample.report("drift", *failed)))
    assert (cause.what, cause.detail, cause.places) == ("failed", "cannot be reached: refused", (1, 2))


def test_few_keystores_of_many_are_named_and_many_are_counted() -> None:
    failed = [sample.failed(f"n{number}", sample.UNREADABLE) for number in range(3)]
    quiet = [sample.target(sample.quiet()) for _ in range(3)]
    few = render("markdown", sample.report("drift", *failed, *quiet))
    many = render("markdown", sample.report("drift", *failed, *failed))
    assert "| 3 of 6: `keystores/n0.yaml`, `keystores/n1.yaml`, `keystores/n2.yaml` |" in few
    assert "| 6 of 6 |" in many


def test_an_alias_twice_in_one_keystore_is_no_fleet() -> None:
    report = sample.report("drift", planned(desired(), snapshot(entry("a"), entry("a"))))
    assert causes("drift", members(report)) == ()


def test_only_the_first_causes_are_listed_at_a_terminal() -> None:
    live = snapshot(*(entry(f"unknown_{number}") for number in range(15)))
    targets = [planned(desired(), live) for _ in range(2)]
    text = render("text", Report("drift", NOW, "1", "sha256:" + "0" * 64, tuple(targets)))
    assert text.count("2 of 2") == 10
    assert "and 5 more" in text


# --------------------------------------------------------------------------------------------- side by side


def columns(change: Change, after: Entry | None = None) -> dict[str, tuple[str, str]]:
    return {fact.label: (fact.before, fact.after) for fact in compare_change(change, after).facts}


def test_a_new_certificate_has_one_column() -> None:
    found = compare_change(Change(Action.IMPORT, "a", "missing", "m", wanted=wanted_certificate("a")))
    assert (found.has_before, found.has_after) == (False, True)


def test_a_removal_has_the_other_column() -> None:
    found = compare_change(Change(Action.DELETE, "a", "absent", "m", before=entry("a")))
    assert (found.has_before, found.has_after) == (True, False)


def test_a_removal_of_a_declared_key_pair_makes_none() -> None:
    change = Change(Action.DELETE, "a", "absent", "m", None, wanted_key_pair("a"), key_pair("a"), step=Step.REMOVE)
    assert not compare_change(change).has_after


def test_a_successor_that_takes_over_is_what_comes() -> None:
    staged = key_pair("a.next", certificate("CN=staged"))
    change = Change(Action.RENEW, "a", "activated", "m", None, wanted_key_pair("a"), key_pair("a"), staged=staged,
                    step=Step.TAKE_OVER)  # fmt: skip
    assert columns(change)["Subject"] == ("CN=a", "CN=staged")


def test_an_answer_that_is_put_in_place_is_what_comes() -> None:
    change = Change(Action.IMPORT, "a", "response-ready", "m", None, wanted_key_pair("a"), key_pair("a"),
                    step=Step.ANSWER, chain=(certificate("CN=answer"),))  # fmt: skip
    assert columns(change)["Subject"] == ("CN=a", "CN=answer")


def test_what_a_backup_holds_is_what_comes() -> None:
    change = Change(Action.REPLACE, "a", "rollback", "m", before=entry("a"), restored=entry("a", certificate("CN=old")),
                    step=Step.RESTORE)  # fmt: skip
    assert columns(change)["Subject"] == ("CN=a", "CN=old")


def test_a_rename_keeps_everything() -> None:
    for change in (
        Change(Action.RENAME, "a", "renamed", "m", before=entry("a"), step=Step.RENAME, new_alias="b"),
        Change(Action.REPLACE, "A", "alias-case", "m", None, wanted_key_pair("a"), key_pair("A"), step=Step.RESPELL),
    ):
        assert not any(fact.changes for fact in compare_change(change).facts)


def test_what_a_certificate_to_be_made_cannot_tell_yet_is_no_change() -> None:
    wanted = wanted_key_pair("a", subject_alt_names=("DNS:a.example",))
    change = Change(Action.RENEW, "a", "renewal-due", "m", wanted=wanted, before=key_pair("a"))
    found = {fact.label: fact for fact in compare_change(change).facts}
    assert (found["SHA-256"].after, found["SHA-256"].changes) == (PENDING, False)
    assert (found["Names"].before, found["Names"].after, found["Names"].changes) == ("none", "DNS:a.example", True)


def test_after_an_apply_the_certificate_that_was_made_is_shown() -> None:
    made = key_pair("a", certificate("CN=made"))
    change = Change(Action.CREATE, "a", "missing", "m", wanted=wanted_key_pair("a"))
    assert columns(change, made)["Subject"] == ("", "CN=made")


def test_making_the_keystore_compares_nothing() -> None:
    assert columns(Change(Action.CREATE_STORE, "", "missing", "m")) == {}


# ----------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (1, "today"),
        (25, "in 1 day"),
        (24 * 20, "in 20 days"),
        (24 * 800, "in 2 years"),
        (-1, "today"),
        (-25, "1 day ago"),
        (-24 * 12, "11 days ago"),
    ],
)
def test_how_long_it_is(hours: int, words: str) -> None:
    assert facts.left(NOW + timedelta(hours=hours), NOW) == words


def test_what_has_no_end_takes_no_time() -> None:
    assert facts.left(None, NOW) == facts.left(NOW.replace(year=9999), NOW) == ""
    assert facts.day(None) == "an unreadable date"
    assert facts.day(NOW.replace(year=9999)) == "no end"
    assert facts.day(NOW.replace(year=7)) == "0007-06-01"


@pytest.mark.parametrize(("minutes", "text"), [(365 * 1440, "365d"), (720, "12h"), (90, "90m")])
def test_durations_are_spelled_as_in_the_desired_state(minutes: int, text: str) -> None:
    assert facts.duration_text(timedelta(minutes=minutes)) == text


def test_names_of_certificates() -> None:
    assert facts.name(certificate("")) == "empty subject"
    assert facts.short_name(certificate("CN=x", subject_attributes=(("CN", "outer"), ("CN", "inner")))) == "inner"
    assert facts.short_name(certificate("O=only", subject_attributes=(("O", "only"),))) == "O=only"
    unreadable: Any = replace(certificate("x"), problem="broken")
    object.__setattr__(unreadable, "name", None)
    assert facts.name(unreadable) == "a certificate that cannot be parsed"


def test_what_is_declared_is_said_in_a_few_words() -> None:
    assert facts.declared(wanted_certificate("a")) == "trusted certificate, one"
    assert facts.declared(wanted_import("a")) == "key pair, one, from partner.p12"
    assert facts.declared(wanted_key_pair("a")) == "key pair, CN=one"
    assert facts.declared(WATCHED) == "key pair, watched"


WATCHED = WantedExisting("a", HERE, "0" * 64, RenewBefore(duration=timedelta(days=30)))


def test_a_watched_key_pair_is_documented_by_its_fingerprint() -> None:
    assert wanted_document(WATCHED) == {"sha256": "0" * 64}
    assert wanted_document(None) is None


def test_a_successor_that_takes_over_is_named_at_a_terminal() -> None:
    staged = key_pair("a.next", certificate("CN=staged"))
    change = Change(Action.RENEW, "a", "activated", "takes over", None, wanted_key_pair("a"), key_pair("a"),
                    staged=staged, step=Step.TAKE_OVER)  # fmt: skip
    target = planned(desired(wanted_key_pair("a")), snapshot(key_pair("a"), staged), change)
    text = render("text", Report("plan", NOW, "1", "sha256:" + "0" * 64, (target,)))
    assert "CN=staged" in text
    assert "takes over" in text


def test_printable_text_is_one_line_and_says_what_it_hides() -> None:
    assert printable("a\nb\x1b[1m\u202e\udc80\ufffe\u3164") == "a\\u{a}b\\u{1b}[1m\\u{202e}\\u{dc80}\\u{fffe}\\u{3164}"
    assert printable("Zürich 株式会社 🔒") == "Zürich 株式会社 🔒"
    assert [padded("長", 4), padded("long", 2), clipped("abcdef", 4)] == ["長  ", "long", "abc…"]


# ----------------------------------------------------------------------------------- acceptances, policy, waiting


def test_a_successor_that_waits_names_who_must_import_it_and_how_long_the_old_one_serves() -> None:
    moment = NOW + timedelta(days=20, hours=1)
    live = key_pair("pair", certificate("CN=one", not_after=moment))
    finding = Finding("pair", Status.READY_TO_ACTIVATE, "awaiting-approval", "…", live=live, receivers=("s4", "ariba"))
    assert announcement(finding, NOW) == (
        f"to be imported by s4, ariba; the certificate in use ends on {moment.date()}, in 20 days"
    )  # fmt: skip
    alone = replace(finding, receivers=(), live=None)
    assert announcement(alone, NOW) == "no receiver is declared for it"
    assert "the certificate in use ended on" in announcement(finding, NOW + timedelta(days=30))
    assert announcement(replace(finding, status=Status.DIFFERS), NOW) == ""


@pytest.mark.parametrize("name", ["text", "json", "markdown", "html", "sarif", "junit", "prometheus"])
@pytest.mark.parametrize("command", ["plan", "drift"])
def test_policy_and_acceptances_are_in_every_report(name: str, command: str) -> None:
    page = render(name, sample.single(command))
    assert "validity-too-long" in page
    assert "accepted" in page.lower()
    if name != "prometheus":  # numbers, and no prose
        for words in ("integration team", "the partner moves in spring", "valid for 800 days", "partner team"):
            assert words in page, words


def test_html_has_tables_of_the_policy_the_receivers_and_the_notes() -> None:
    one = sample.single("drift")
    target = replace(one.targets[0], notes=("a new SAP key waits for sap_x",))
    page = render("html", replace(one, targets=(target,)))
    for words in (
        "<h3>Policy</h3>", "<code>acceptance-past</code>", "keystores/prod.yaml:109",
        "<h3>Receivers</h3>", "s4.example.com:443", "keystores/prod.yaml:99", "a new SAP key waits for sap_x",
    ):  # fmt: skip
        assert words in page, words


def test_what_several_keystores_break_of_the_policy_is_told_once() -> None:
    told = PolicyFinding("weak-rsa", PolicyLevel.WARNING, "root", "the key is RSA 1024", "hint")
    plans = [replace(sample.quiet(), policy=(told,)) for _ in range(3)]
    page = render("text", sample.report("drift", *map(sample.target, plans)))
    assert re.search(r"3 of 3 +weak-rsa +root +the key is RSA 1024", page)
    assert "Policy: 3 warnings" in page


def test_a_keystore_against_its_policy_is_not_called_one_with_nothing_to_do() -> None:
    told = PolicyFinding("weak-rsa", PolicyLevel.ERROR, "root", "the key is RSA 1024", "hint")
    plan = replace(sample.quiet(), policy=(told,))
    for command in ("plan", "drift"):
        report = sample.report(command, sample.target(plan), sample.target(sample.quiet()))
        assert [member.verdict for member in members(report)] == ["against the policy", "with nothing to do"]
        assert "1 against the policy" in render("text", report)
        assert "1 keystore against the policy" in render("html", report)


def test_notes_are_no_cause_that_keystores_share() -> None:
    told = PolicyFinding("same-certificate", PolicyLevel.NOTE, "root", "the same", "hint")
    plans = [replace(sample.quiet(), policy=(told,)) for _ in range(3)]
    assert causes("drift", members(sample.report("drift", *map(sample.target, plans)))) == ()
