"""Reports in files: several from one run, whole or not at all, and never in the place of something else."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import time
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import cmarkgfm
import pytest
from icalendar import Calendar
from jsonschema import Draft7Validator
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from reconciler.modified_utf8 import encode
from reconciler.reports.table import FORMATS
from tests.cli.pki import authority
from tests.cli.repository import RECONCILE, Repository, pairs, roots
from tests.documentation.pages import REPOSITORY
from tests.keystores.java_files import store, trusted
from tests.reports.hostile import TEXTS

CREATED = "{subject: {commonName: new.example.com}, key: {algorithm: EC, curve: secp256r1}}"
COMMANDS = {"plan": (), "apply": ("--yes",), "drift": ()}
CODES = {"plan": 0, "apply": 0, "drift": 2}
FILES = {name: f"reports/{name}.out" for name in FORMATS}
ALL = [word for name, file in FILES.items() for word in ("--report", f"{name}={file}")]
# How each form begins, so that none is taken for another.
BEGINNINGS = {
    "json": "{", "markdown": "<!-- reconcile: ", "html": "<!DOCTYPE html>", "sarif": "{", "junit": "<?xml", "prometheus": "# HELP ",
    "ics": "BEGIN:VCALENDAR\r\n",
}  # fmt: skip


@pytest.fixture
def changed(repository):
    """A keystore with one root and a state file that asks for a key pair more."""
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem"), create=True)
    assert repository.apply().code == 0
    repository.declare(roots(root="root.pem") + pairs(created=CREATED), create=True)
    return repository


def run(repository, command, *arguments, **environment):
    return repository.run(command, "keystore.yaml", *COMMANDS[command], *arguments, **environment)


def content(repository, file):
    return (repository.directory / file).read_bytes().decode()


# ------------------------------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("command", COMMANDS)
def test_one_run_writes_every_form(changed, command):
    result = run(changed, command, *ALL)

    assert (result.code, result.err) == (CODES[command], "")
    for name, beginning in BEGINNINGS.items():
        assert content(changed, FILES[name]).startswith(beginning), name
    assert "created" in content(changed, FILES["text"])
    assert json.loads(content(changed, FILES["json"]))["targets"][0]["state"] == "keystore.yaml"
    assert json.loads(content(changed, FILES["sarif"]))["version"] == "2.1.0"
    assert ET.fromstring(content(changed, FILES["junit"])).tag == "testsuites"
    assert changed.leftovers() == []


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("command", ["plan", "drift"])
def test_every_form_fits_on_standard_output_too(changed, command, name):
    result = run(changed, command, "--format", name, "--report", f"{name}=same")

    assert result.code == CODES[command]
    if name in {"text", "markdown"}:  # the others hold the moment to the second
        assert result.out == content(changed, "same")
    assert result.out.startswith(BEGINNINGS.get(name, ""))


@pytest.mark.parametrize("name", FORMATS)
def test_an_apply_prints_what_came_of_it_in_every_form(changed, name):
    result = run(changed, "apply", "--format", name)

    assert (result.code, result.err) == (0, "")
    assert result.out


def test_an_apply_reports_the_result_and_not_the_plan(changed):
    run(changed, "apply", "--report", "json=done.json")

    [target] = json.loads(content(changed, "done.json"))["targets"]
    assert [outcome["status"] for outcome in target["outcomes"]] == ["applied"]


def test_lines_end_as_they_were_rendered(changed):
    run(changed, "drift", "--report", "ics=a.ics", "--report", "text=a.txt")

    assert b"\r\r" not in (changed.directory / "a.ics").read_bytes()
    assert content(changed, "a.ics").count("\n") == content(changed, "a.ics").count("\r\n") > 3
    assert "\r" not in content(changed, "a.txt")


def test_a_report_has_no_colour_even_where_the_terminal_has_some(changed):
    run(changed, "plan", "--report", "text=a.txt", TERM="xterm")

    assert "\x1b" not in content(changed, "a.txt")


def test_a_report_may_be_read_by_whom_the_umask_lets(changed):
    changed.process("plan", "keystore.yaml", "--report", "html=a.html", preexec_fn=lambda: os.umask(0o022))

    assert stat.S_IMODE((changed.directory / "a.html").stat().st_mode) == 0o644


def test_directories_are_made_and_old_reports_replaced(changed):
    changed.write("deep/er/plan.html", "of yesterday")

    assert run(changed, "plan", "--report", "html=deep/er/plan.html", "--report", "text=new/place/plan.txt").code == 0
    assert content(changed, "deep/er/plan.html").startswith("<!DOCTYPE html>")
    assert "created" in content(changed, "new/place/plan.txt")


def test_a_link_stays_a_link(changed):
    target = changed.write("kept/there.txt", "old")
    (changed.directory / "here.txt").symlink_to(target)

    run(changed, "plan", "--report", "text=here.txt")

    assert (changed.directory / "here.txt").is_symlink()
    assert "created" in target.read_text()


def test_a_report_can_go_into_a_pipe(changed):
    result = changed.process("plan", "keystore.yaml", "--report", "text=/dev/stderr")

    assert "created" in result.err


@pytest.mark.parametrize(
    "name", ["a b.html", "größe.html", "-x.html", "a=b.html", "'\"$(x).html", "\udcff.html", " .html"]
)
def test_a_file_may_have_any_name(changed, name):
    result = changed.process("plan", "keystore.yaml", "--report", f"html={name}", "--report", f"json=sub/{name}")

    assert (result.code, result.err) == (0, "")
    assert content(changed, name).startswith("<!DOCTYPE html>")
    assert content(changed, f"sub/{name}").startswith("{")


# ------------------------------------------------------------------------------------------------------ variable


@pytest.mark.parametrize(
    "value", ["html=a b.html json=c.json", "html=a b.html\njson=c.json\n", "\n  html=a b.html\n  json=c.json"], ids=repr
)
def test_the_variable_names_several(changed, value):
    assert run(changed, "drift", RECONCILE_REPORT=value).code == 2
    assert content(changed, "a b.html").startswith("<!DOCTYPE html>")
    assert content(changed, "c.json").startswith("{")


def test_the_command_line_goes_before_the_variable(changed):
    run(changed, "plan", "--report", "text=mine.txt", RECONCILE_REPORT="text=theirs.txt")

    assert content(changed, "mine.txt")
    assert not (changed.directory / "theirs.txt").exists()


# ------------------------------------------------------------------------------------------------ standard output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dash_is_standard_output(changed, command):
    result = run(changed, command, "--report", "json=-", "--report", "text=a.txt")

    assert result.document["format_version"] == "1"
    assert content(changed, "a.txt")


@pytest.mark.parametrize("more", [("--report", "html=-"), ("--report", "json=-"), ("--format", "html")], ids=" ".join)
def test_only_one_report_fits_on_standard_output(changed, more):
    before = changed.files()
    result = run(changed, "apply", "--report", "json=-", *more)

    assert (result.code, result.out, changed.files()) == (1, "", before)
    assert "Only one report fits on standard output" in result.err


def test_a_dash_may_repeat_the_format_and_goes_before_the_variable_for_it(changed):
    assert run(changed, "plan", "--report", "json=-", "--format", "json").document
    assert run(changed, "plan", "--report", "json=-", RECONCILE_FORMAT="markdown").document


# ---------------------------------------------------------------------------------------- refused before any work


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        (["htlm=a.html"], "'htlm' is no format. Did you mean 'html'?"),
        (["HTML=a.html"], "'HTML' is no format. Did you mean 'html'?"),
        (["docx=a"], f"'docx' is no format. Formats: {', '.join(FORMATS)}."),
        (["a.html"], "'a.html' is not FORMAT=FILE, as in html=drift.html."),
        (["html="], "'html=' is not FORMAT=FILE"),
        (["html=a", "json=a"], "--report json=a: error: the file of --report html=a as well"),
        (["html=a", "html=a"], "--report html=a: error: the file of --report html=a as well"),
        (["html=a", "json=live/../a"], "--report json=live/../a: error: the file of --report html=a as well"),
        (["html=a", "json=link"], "--report json=link: error: the file of --report html=a as well"),
        (["html=live"], "--report html=live: error: this is a directory; a report needs a file"),
        (["html=live/store"], "--report html=live/store: error: the file of live/store as well"),
        (["html=keystore.yaml"], "--report html=keystore.yaml: error: the file of keystore.yaml as well"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_meant_is_an_error_before_any_work(changed, command, reports, message):
    (changed.directory / "link").symlink_to("a")
    before = changed.files()

    result = run(changed, command, *(word for one in reports for word in ("--report", one)))

    assert (result.code, result.out, changed.files()) == (1, "", before)
    assert message in result.err.replace(str(changed.directory) + "/", "")


def test_a_report_in_the_place_of_the_plan_is_an_error(changed):
    assert run(changed, "plan", "--out", "plan.json", "--report", "json=plan.json").code == 1
    assert run(changed, "plan", "--out", "plan.json").code == 0
    before = changed.files()
    assert run(changed, "apply", "--plan", "plan.json", "--report", "json=plan.json").code == 1
    assert changed.files() == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "content",
    [
        store(trusted("a", authority("a").der)),
        authority("a").der,
        authority("a").pem,
        b"# ours\napiVersion: reconciler/v1\n",
        b"bag attributes\n-----BEGIN PRIVATE KEY-----\n",
    ],
    ids=["a keystore", "a certificate in DER", "a certificate in PEM", "a state file of another run", "a key"],
)
def test_a_report_replaces_no_keystore_certificate_key_or_state_file(changed, command, content):
    (changed.directory / "precious").write_bytes(content)
    before = changed.files()

    result = run(changed, command, "--report", "html=precious")

    assert (result.code, result.out, changed.files()) == (1, "", before)
    assert "precious: error: there is a keystore, a certificate, a key or a state file, and it is not replaced" in (
        result.err
    )


def test_a_report_replaces_a_report(changed):
    for name in FORMATS:
        for _ in range(2):
            assert run(changed, "plan", "--report", f"{name}=report").code == 0


# ----------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_that_cannot_be_written_is_told_and_loses_no_other(changed, command):
    changed.write("file", "no directory")

    result = run(
        changed, command, "--report", "html=file/a.html", "--report", "text=a.txt", "--report", "json=/dev/full"
    )

    assert result.code == 1
    assert "created" in result.out
    assert "created" in content(changed, "a.txt")
    assert "file/a.html: error: the html report cannot be written: not a directory\n" in result.err
    assert "/dev/full: error: the json report cannot be written: no space left on device\n" in result.err


def test_a_report_that_cannot_be_written_does_not_keep_the_plan_back(changed):
    changed.write("file", "no directory")

    assert run(changed, "plan", "--out", "plan.json", "--report", "html=file/a.html").code == 1
    assert run(changed, "apply", "--plan", "plan.json").code == 0


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_a_keystore_that_cannot_be_read_is_in_the_reports(changed, command):
    changed.live.write_bytes(b"no keystore")
    changed.write("file", "no directory")

    result = run(changed, command, *ALL, "--report", "html=file/a.html")

    assert result.code == 3
    assert "the html report cannot be written" in result.err
    [target] = json.loads(content(changed, FILES["json"]))["targets"]
    assert target["error"]["exit_code"] == 3
    assert "keystore-unreadable" in content(changed, FILES["sarif"])


@pytest.mark.parametrize("command", COMMANDS)
def test_the_only_keystore_that_failed_leaves_the_word_to_the_error_and_stands_in_the_file(changed, command):
    changed.live.write_bytes(b"no keystore")

    result = run(changed, command, "--report", "text=a.txt")

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("live/store: error: ")
    assert content(changed, "a.txt").splitlines()[0] == "keystore.yaml -> live/store (pkcs12)"
    assert content(changed, "a.txt").splitlines()[1].startswith("  failed  ")


def test_an_apply_in_part_stays_five_whatever_becomes_of_the_reports(changed):
    changed.write("file", "no directory")
    broken = "{subject: {commonName: b.example.com}, issuer: {type: command, command: ['false']}}"
    changed.declare(roots(root="root.pem") + pairs(created=CREATED, broken=broken), create=True)

    result = run(
        changed, "apply", "--report", "json=a.json", "--report", "html=file/a.html", RECONCILE_ALLOW_COMMANDS="1"
    )

    assert result.code == 5, result
    [target] = json.loads(content(changed, "a.json"))["targets"]
    assert {outcome["status"] for outcome in target["outcomes"]} == {"applied", "failed"}


@pytest.mark.parametrize("unwritable", [False, True])
def test_a_stale_plan_is_refused_and_in_the_reports(changed, unwritable):
    changed.write("file", "no directory")
    assert run(changed, "plan", "--out", "plan.json").code == 0
    changed.declare(roots(root="root.pem") + pairs(created=CREATED, more=CREATED), create=True)
    more = ["--report", "html=file/a.html"] if unwritable else []

    result = run(changed, "apply", "--plan", "plan.json", "--report", "json=a.json", "--report", "sarif=a.sarif", *more)

    assert (result.code, result.out) == (4, "")
    [target] = json.loads(content(changed, "a.json"))["targets"]
    assert "the plan is stale" in target["error"]["message"]
    assert target["error"]["exit_code"] == 4
    assert "refused" in content(changed, "a.sarif")


def test_a_reviewed_plan_of_a_keystore_that_cannot_be_read_is_in_the_reports(changed):
    assert run(changed, "plan", "--out", "plan.json").code == 0
    changed.live.write_bytes(b"no keystore")

    assert run(changed, "apply", "--plan", "plan.json", "--report", "json=a.json").code == 3
    assert json.loads(content(changed, "a.json"))["targets"][0]["error"]["exit_code"] == 3


def _six_of_eight_are_to_go(repository):
    names = [f"root{number}" for number in range(8)]
    for name in names:
        repository.write(f"{name}.pem", authority(name).pem)
    repository.declare(roots(**{name: f"{name}.pem" for name in names}), create=True)
    assert repository.apply().code == 0
    repository.declare(f"aliases: {{absent: [{', '.join(names[:6])}]}}\n" + roots(root7="root7.pem"))


def test_a_mass_change_is_refused_and_in_the_reports(repository):
    _six_of_eight_are_to_go(repository)

    assert run(repository, "apply", *ALL).code == 4
    for name in ("text", "markdown", "html", "sarif", "junit", "json"):
        assert "6 of 8" in content(repository, FILES[name]), name


def test_whoever_reviews_a_mass_change_reads_that_apply_refuses_it(repository):
    _six_of_eight_are_to_go(repository)

    assert run(repository, "plan", *ALL).code == 0
    for name in ("text", "markdown", "html", "json"):
        assert "--allow-mass-change" in content(repository, FILES[name]), name


def test_without_a_terminal_and_without_yes_the_reports_say_so(changed):
    result = changed.run("apply", "keystore.yaml", "--report", "markdown=a.md")

    assert result.code == 1
    assert "there is no terminal to ask at" in content(changed, "a.md")


def test_reports_are_written_although_nobody_reads_standard_output(changed):
    reading, writing = os.pipe()
    os.close(reading)
    child = changed.start(
        "apply", "keystore.yaml", "--yes", "--report", "json=a.json", "--format", "json", stdout=writing
    )
    os.close(writing)
    _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (1, b"")
    assert json.loads(content(changed, "a.json"))["targets"][0]["outcomes"]


def test_an_interrupted_run_leaves_no_half_of_a_report(changed):
    """A pipe that nobody reads holds the second report up; the first is whole, the third is not begun."""
    os.mkfifo(changed.directory / "pipe")
    changed.write("c.html", "of yesterday")
    words = ["--report", "html=a.html", "--report", "json=pipe", "--report", "html=c.html"]
    child = changed.start("drift", "keystore.yaml", *words)
    _until((changed.directory / "a.html").exists)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)

    assert child.returncode == 130
    assert content(changed, "a.html").endswith("</html>\n")
    assert content(changed, "c.html") == "of yesterday"
    assert changed.leftovers() == []


def test_an_interrupt_while_a_report_is_written_leaves_the_old_one(changed, monkeypatch):
    def interrupted(self, target):
        raise KeyboardInterrupt

    changed.write("a.html", "of yesterday")
    monkeypatch.setattr(Path, "replace", interrupted)

    assert run(changed, "drift", "--report", "html=a.html").code == 130
    assert content(changed, "a.html") == "of yesterday"
    assert changed.leftovers() == []


def _until(happened):
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_program_says_which_forms_there_are():
    import subprocess

    for command in COMMANDS:
        shown = subprocess.run([RECONCILE, command, "--help"], capture_output=True, text=True, check=True).stdout
        assert "--report FORMAT=FILE" in shown
        assert f"[{'|'.join(FORMATS)}]" in shown


# --------------------------------------------------------------------------- hostile names, from the keystore to the file

# Java writes aliases in lower case and MUTF-8; what no keystore file can hold is not asked of it.
HOSTILE = {
    name: text for name, text in TEXTS.items() if text.strip() and not any("\ud800" <= c <= "\udfff" for c in text)
}


@pytest.fixture(scope="module")
def hostile_reports(tmp_path_factory):
    """Every report of a JKS keystore whose aliases and subjects come from an attacker."""
    repository = Repository(tmp_path_factory.mktemp("hostile"), "jks")
    entries = [trusted(encode(text.lower()), authority(_short(text)).der) for text in HOSTILE.values()]
    repository.live.write_bytes(store(*entries))
    repository.declare()
    result = repository.run("drift", "keystore.yaml", *ALL)
    assert (result.code, result.err) == (2, "")
    return {name: content(repository, file) for name, file in FILES.items()}


def _short(text):
    """As much as a common name holds (X.520: 64 characters, and cryptography counts bytes)."""
    return text.encode()[:60].decode(errors="ignore")


def test_hostile_aliases_and_subjects_are_all_told(hostile_reports):
    aliases = [finding["alias"] for finding in json.loads(hostile_reports["json"])["targets"][0]["findings"]]

    assert sorted(aliases) == sorted(text.lower() for text in HOSTILE.values())


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"json", "sarif"}))
def test_hostile_names_send_nothing_to_a_terminal_or_an_editor(hostile_reports, name):
    text = hostile_reports[name].replace("\r\n", "\n")

    assert not {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"}


def test_hostile_names_are_only_text_for_the_readers_of_each_form(hostile_reports):
    """Judged by the programs of others: the schema of OASIS, junitparser, prometheus_client, icalendar, cmark-gfm."""
    schema = json.loads((REPOSITORY / "tests/reports/published/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(json.loads(hostile_reports["sarif"]))
    assert JUnitXml.fromstring(hostile_reports["junit"].encode()).failures == len(HOSTILE)
    metrics = {family.name for family in text_string_to_metric_families(hostile_reports["prometheus"])}
    assert all(name.startswith("reconcile_") for name in metrics)
    assert "evil_metric" not in metrics
    assert {event["UID"] for event in Calendar.from_ical(hostile_reports["ics"]).walk("VEVENT")}
    assert "<script>alert" not in hostile_reports["html"]
    markdown = cmarkgfm.github_flavored_markdown_to_html(hostile_reports["markdown"])
    assert not re.search(r"<(script|img|a|iframe|h1)\b", markdown)
