"""What is printed, where it goes, and what it never does to a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha1
from pathlib import Path

import pytest
from click import Group

from reconciler.cli import COMMANDS, reconcile
from tests.cli.pki import authority
from tests.cli.repository import PASSWORD, RECONCILE, pairs, roots
from tests.keystores.java_files import store, trusted

ESCAPE = "\x1b"
CREATED = "{subject: {commonName: new.example.com}, key: {algorithm: EC, curve: secp256r1}}"


@pytest.fixture
def changed(repository):
    """A keystore with one root and a state file that asks for more."""
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem"), create=True)
    assert repository.apply().code == 0
    repository.declare(roots(root="root.pem", more="root.pem") + pairs(created=CREATED), create=True)
    return repository


def at_a_terminal(repository, *arguments, **environment):
    """Run with standard output and standard error at a terminal; what it showed."""
    terminal, theirs = os.openpty()
    child = repository.start(*arguments, stdout=theirs, stderr=theirs, env=repository.environment(**environment))
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # the other end is closed: all is said
        pass
    child.wait(timeout=30)
    os.close(terminal)
    return child.returncode, shown.decode().replace("\r\n", "\n")


# -------------------------------------------------------------------------------------------------- colour


def test_a_terminal_gets_colour(changed):
    code, shown = at_a_terminal(changed, "plan", "keystore.yaml", TERM="xterm")

    assert code == 0
    assert f"{ESCAPE}[32m" in shown


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}], ids=str)
@pytest.mark.parametrize("command", ["plan", "apply", "list", "drift"])
def test_there_is_no_colour_where_somebody_said_so(changed, command, variable):
    yes = ["--yes"] if command == "apply" else []

    _, shown = at_a_terminal(changed, "-v", command, "keystore.yaml", *yes, **{"TERM": "xterm", **variable})

    assert ESCAPE not in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("command", ["plan", "apply", "list", "drift", "validate"])
def test_there_is_no_colour_in_a_pipe(changed, command):
    yes = ["--yes"] if command == "apply" else []

    result = changed.process("-v", command, "keystore.yaml", *yes)

    assert ESCAPE not in result.out + result.err


def test_an_error_at_a_terminal_is_red_and_in_a_pipe_is_not(changed):
    changed.live.write_bytes(b"")

    code, shown = at_a_terminal(changed, "list", "keystore.yaml", TERM="xterm")

    assert code == 3
    assert f"{ESCAPE}[31merror{ESCAPE}[0m" in shown
    assert ESCAPE not in changed.process("list", "keystore.yaml").err


def test_progress_is_shown_at_a_terminal_and_gone_afterwards(changed):
    code, shown = at_a_terminal(changed, "apply", "keystore.yaml", "--yes", TERM="xterm")

    assert code == 0
    assert shown.index(f"{ESCAPE}[?25l") < shown.index(f"{ESCAPE}[?25h")  # the cursor is hidden, and comes back
    assert "Applied" in shown.splitlines()[-1]


# ------------------------------------------------------------------------------------------------- streams


def test_results_go_to_standard_output_and_logs_to_standard_error(changed):
    result = changed.process("-v", "--log-format", "json", "plan", "keystore.yaml", "--format", "json")

    assert result.document["format_version"] == "1"
    assert [json.loads(line)["event"] for line in result.err.splitlines()] == ["keystore read"]


def test_without_verbose_standard_error_is_empty(changed):
    for command in (["plan"], ["apply", "--yes"], ["list"], ["drift"], ["validate"]):
        assert changed.process(command[0], "keystore.yaml", *command[1:]).err == "", command


def test_a_reader_that_goes_away_is_no_trouble(cacerts):
    quiet = subprocess.run(
        f"{RECONCILE} list {cacerts / 'jks'} --password-env P --format json | head -1",
        shell=True, capture_output=True, check=True, env={"PATH": os.environ["PATH"], "P": PASSWORD},
    )  # fmt: skip

    assert (quiet.stdout, quiet.stderr) == (b"{\n", b"")


@pytest.mark.parametrize("arguments", [["list", "keystore.yaml"], ["plan", "keystore.yaml", "--format", "json"]])
def test_a_full_disk_behind_standard_output_is_told(changed, arguments):
    with Path("/dev/full").open("wb") as full:
        child = changed.start(*arguments, stdout=full)
        _, err = child.communicate(timeout=30)

    assert child.returncode == 1
    assert err == b"standard output: error: the result cannot be written: no space left on device\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_stays_json_in_any_encoding(repository, encoding):
    aliases = ["größe", "ключ"]
    repository.type = "jks"
    repository.live.write_bytes(store(*map(trusted, aliases)))
    repository.declare()

    done = subprocess.run(
        [RECONCILE, "list", "keystore.yaml", "--format", "json"], cwd=repository.directory, capture_output=True,
        check=True, env=repository.environment(PYTHONIOENCODING=encoding),
    )  # fmt: skip

    assert [entry["alias"] for entry in json.loads(done.stdout.decode(encoding))["entries"]] == aliases


def test_a_name_that_is_no_text_is_no_traceback(changed):
    name = os.fsdecode(b"\xff\xfe.yaml")
    (changed.directory / name).write_bytes((changed.directory / "keystore.yaml").read_bytes())

    for arguments in (["plan"], ["plan", "--format", "json", "--out", "plan.json"], ["drift", "--format", "markdown"]):
        result = changed.process(arguments[0], name, *arguments[1:])
        assert result.code in (0, 2), result
        assert "unexpected" not in result.err
    assert changed.process("apply", name, "--plan", "plan.json", "--yes").code == 0


HOSTILE = "a\nb\x1b[2Jc\u202ed\re"


@pytest.mark.parametrize(
    "arguments", [["list"], ["plan"], ["drift"], ["plan", "--format", "markdown"], ["-v", "apply", "--yes"]]
)
def test_a_hostile_alias_cannot_move_the_cursor(repository, arguments):
    repository.type = "jks"
    repository.live.write_bytes(store(trusted(HOSTILE)))
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem"))
    command = arguments.index(next(word for word in arguments if word in COMMANDS))

    result = repository.process(*arguments[: command + 1], "keystore.yaml", *arguments[command + 1 :])

    assert result.code in (0, 2)
    assert not {"\x1b", "\r", "\u202e"} & set(result.out + result.err)


def test_a_hostile_alias_comes_through_json_whole(repository):
    repository.type = "jks"
    repository.live.write_bytes(store(trusted(HOSTILE)))
    repository.declare()

    assert list(repository.entries()) == [HOSTILE]


# -------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plna", "keystore.yaml"], "No such command 'plna'. Did you mean 'plan'?"),
        (["xyzzy"], "No such command 'xyzzy'. Commands: init, "),
        (["plan"], "Missing argument 'STATE...'"),
        (["plan", "keystore.yaml", "--ouT"], "No such option"),
        (["plan", "keystore.yaml", "--format", "xml"], "'xml' is not one of 'text', 'json', 'markdown'"),
        (["apply", "keystore.yaml", "--plan"], "requires an argument"),
        (["show", "keystore.yaml"], "Missing argument"),
        (["--log-format", "xml", "plan", "keystore.yaml"], "is not one of"),
        (["list", "a.jks", "b.jks"], "unexpected extra argument"),
        (["list", "keystore.yaml", "--password-env", "X"], "the state file says itself"),
        (["list", "live/store", "--password-env", "NOT_SET"], "the environment variable NOT_SET is not set"),
        (["list", "live/store", "--password-file", "none"], "the password file cannot be read"),
        (["list", "live/store", "--password-file", "a", "--password-env", "b"], "exclude each other"),
        (["plan", "missing.yaml"], "missing.yaml"),
        (["plan", "live"], "no state file found"),
        (["plan", "nothing-*.yaml"], "no state file found"),
        (["validate", "root.pem"], "root.pem:"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_in_the_command_is_exit_1_and_told(changed, arguments, message):
    result = changed.run(*arguments)

    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert result.err.startswith("error: ") or ": error: " in result.err
    assert "Traceback" not in result.err


def test_without_a_command_the_help_is_shown_and_it_is_a_mistake(repository):
    result = repository.run()

    assert result.code == 1
    assert "Commands:" in result.out


def test_the_version_is_told(repository):
    result = repository.run("--version")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("reconcile, version ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_every_command_has_an_example(repository, command, option):
    result = repository.run(command, option)

    assert (result.code, result.err) == (0, "")
    assert "Example" in result.out
    assert f"  reconcile {command}" in result.out
    assert max(map(len, result.out.splitlines())) <= 100


def test_the_overview_lists_every_command_and_every_exit_code(repository):
    result = repository.run("--help")

    assert all(f"  {command} " in result.out for command in COMMANDS)
    assert all(f"{code} " in result.out for code in (0, 1, 2, 3, 4, 5, 130))


def test_every_option_is_explained():
    assert isinstance(reconcile, Group)
    context = reconcile.make_context("reconcile", ["plan"], resilient_parsing=True)
    for name in COMMANDS:
        for parameter in reconcile.get_command(context, name).params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), (name, parameter.name)


def test_python_m_is_the_same_program(changed):
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan", "keystore.yaml", "--detailed-exitcode"],
        cwd=changed.directory, env=changed.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == changed.process("plan", "keystore.yaml").out


def test_options_can_come_from_the_environment(changed):
    assert changed.run("plan", "keystore.yaml", RECONCILE_FORMAT="json").changes
    assert changed.run("apply", "keystore.yaml", RECONCILE_YES="1").code == 0


# -------------------------------------------------------------------------------------------------- quiet


def test_where_nothing_is_to_do_little_is_said(changed):
    assert changed.apply().code == 0

    for arguments in (["plan"], ["apply", "--yes"], ["drift"]):
        result = changed.process(arguments[0], "keystore.yaml", *arguments[1:])
        assert (result.code, result.err) == (0, "")
        assert len(result.out.splitlines()) <= 3, result.out


def test_a_plan_says_what_changes_and_why_and_where(changed):
    shown = changed.process("plan", "keystore.yaml").out

    assert "+ import" in shown
    assert "+ create" in shown
    assert "CN=root" in shown
    assert "EC secp256r1, self-signed, valid 365d" in shown
    assert f"keystore.yaml:{changed.line_of('more')}" in shown
    assert "1 to create, 1 to import" in shown
    assert shown.splitlines()[-1].startswith("Digest of this plan: sha256:")


# --------------------------------------------------------------------------------------------------- init


def test_init_writes_a_repository_that_is_valid_and_can_be_applied(repository):
    result = repository.run("init", "new")

    assert (result.code, result.err) == (0, "")
    new = repository.directory / "new"
    written = {str(path.relative_to(new)) for path in new.rglob("*") if path.is_file()}
    workflows = {f".github/workflows/reconcile-{name}.yml" for name in ("pull-request", "apply", "nightly")}
    assert written == {"keystore.yaml", ".gitignore", "keystore.schema.json", *workflows}
    assert repository.run("validate", "new/keystore.yaml").code == 0
    assert repository.run("apply", "new/keystore.yaml", "--yes", KEYSTORE_PASSWORD=PASSWORD).code == 0
    ignored = (new / ".gitignore").read_text()
    assert all(name in ignored for name in ("live/", "*.lock", "*.backups/"))


def test_init_keeps_what_is_there(repository):
    repository.write("new/keystore.yaml", "mine")

    result = repository.run("init", "new")

    assert "kept   new/keystore.yaml" in result.out
    assert (repository.directory / "new" / "keystore.yaml").read_text() == "mine"
    before = repository.files()
    assert repository.run("init", "new").code == 0
    assert repository.files() == before


def test_init_where_nothing_can_be_written_is_told(repository):
    repository.write("a file", "")

    result = repository.run("init", "a file/new")

    assert result.code == 1
    assert result.err == "a file/new: error: the starter files cannot be written: not a directory\n"


def test_the_digest_of_the_hand_made_stores_is_javas():
    body = store(trusted("a"))[:-20]

    assert store(trusted("a"))[-20:] == sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
