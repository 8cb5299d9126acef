"""What people have at a terminal: tables, progress over many keystores, and completion in bash, zsh and fish."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.cli import COMMANDS
from reconciler.commands.entry_table import drawn
from reconciler.reports.printable import width
from reconciler.reports.table import FORMATS
from tests.builders import NOW, certificate, entry, snapshot
from tests.cli.pki import authority
from tests.cli.repository import RECONCILE, Repository, pairs, roots
from tests.cli.test_output import at_a_terminal
from tests.reports import hostile

SHELLS = ("bash", "zsh", "fish")
CREATED = "{subject: {commonName: new.example.com}, key: {algorithm: EC, curve: secp256r1}}"
ESCAPE = "\x1b"


@pytest.fixture
def filled(repository):
    """A keystore with a root and a key pair."""
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(partner_root="root.pem") + pairs(partner_pair=CREATED, other=CREATED), create=True)
    assert repository.apply().code == 0
    return repository


# ------------------------------------------------------------------------------------------------------------- tables


def test_a_terminal_gets_a_table_and_a_pipe_plain_lines(filled):
    code, shown = at_a_terminal(filled, "list", "keystore.yaml", TERM="xterm", COLUMNS="100")
    piped = filled.process("list", "keystore.yaml").out

    assert code == 0
    assert "Alias" in shown
    assert "───" in shown
    assert ESCAPE in shown
    assert "partner_root" in shown
    assert "3 entries in live/store (pkcs12)" in shown
    assert ESCAPE not in piped
    assert "─" not in piped
    assert len(piped.splitlines()) == 4


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_of_a_machine_gets_plain_lines(filled, variable):
    _, shown = at_a_terminal(filled, "list", "keystore.yaml", **{"TERM": "xterm", **variable})

    assert shown == filled.process("list", "keystore.yaml").out


def table(*entries, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    return drawn(snapshot(*entries), {one.alias: None for one in entries}, NOW)


def plain(text):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_table_is_as_wide_as_the_terminal_at_most(monkeypatch, columns):
    entries = [entry(f"{'long' * 20}{number}", certificate("x" * 90)) for number in range(3)]

    lines = plain(table(*entries, columns=columns, monkeypatch=monkeypatch)).splitlines()

    assert max(map(width, lines)) <= columns


def test_what_has_ended_is_red_and_what_ends_soon_yellow(monkeypatch):
    entries = [
        entry("gone", certificate("a", not_after=NOW - timedelta(days=3))),
        entry("soon", certificate("b", not_after=NOW + timedelta(days=9))),
        entry("later", certificate("c", not_after=NOW + timedelta(days=400))),
    ]

    lines = {
        plain(line).split()[0]: line for line in table(*entries, columns=100, monkeypatch=monkeypatch).splitlines()
    }

    assert f"{ESCAPE}[31m" in lines["gone"]
    assert "2 days ago" in lines["gone"] or "3 days ago" in lines["gone"]
    assert f"{ESCAPE}[33m" in lines["soon"]
    assert "in 9 days" in lines["soon"]
    assert f"{ESCAPE}[33m" not in lines["later"]
    assert f"{ESCAPE}[31m" not in lines["later"]


@pytest.mark.parametrize("key", hostile.TEXTS)
def test_no_alias_or_subject_moves_the_cursor_or_is_taken_for_markup(monkeypatch, key):
    text = hostile.TEXTS[key]
    shown = plain(table(entry(text, certificate(text)), columns=200, monkeypatch=monkeypatch))

    assert all(char == "\n" or char.isprintable() or char == " " for char in shown)


def test_brackets_are_shown_as_they_are(monkeypatch):
    assert "[red]x[/red]" in table(entry("[red]x[/red]", certificate("y")), columns=100, monkeypatch=monkeypatch)


# ----------------------------------------------------------------------------------------------------------- progress


@pytest.fixture
def many(tmp_path):
    """Twelve state files whose keystores are to be made."""
    repository = Repository(tmp_path)
    for number in range(12):
        repository.declare(pairs(created=CREATED), create=True, path=f"live/{number}.p12")
        (tmp_path / "keystore.yaml").rename(tmp_path / f"{number:02}.yaml")
    return repository


@pytest.mark.parametrize("command", [["plan"], ["drift"], ["apply", "--yes"]], ids=" ".join)
def test_over_many_keystores_progress_is_shown_at_a_terminal_and_gone_afterwards(many, command):
    code, shown = at_a_terminal(many, *command, ".", TERM="xterm")

    assert code in {0, 2}
    assert f"{ESCAPE}[?25l" in shown
    assert shown.rindex(f"{ESCAPE}[?25h") < shown.rindex("Fleet")


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}], ids=str)
def test_progress_is_not_shown_to_machines(many, variable):
    _, shown = at_a_terminal(many, "drift", ".", **{"TERM": "xterm", **variable})

    assert ESCAPE not in shown
    assert many.process("drift", ".").err == ""


# --------------------------------------------------------------------------------------------------------- completion


def shell(name):
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: its completion would go untested")
    return found


def script(name):
    return subprocess.run([RECONCILE, "completion", name], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", SHELLS)
def test_each_shell_accepts_its_script(name, tmp_path):
    path = tmp_path / "script"
    path.write_text(script(name))

    subprocess.run([shell(name), "-n", path], check=True)


def offered(repository, *words, shell_name):
    """What the shell offers for the last of the words, its script sourced in it as people do."""
    environment = repository.environment(PATH=f"{Path(RECONCILE).parent}:{shutil.os.environ['PATH']}", TERM="dumb")
    line = " ".join(words)
    program = {
        "bash": 'eval "$(reconcile completion bash)"; '
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; "
        '_reconcile_completion reconcile "${COMP_WORDS[COMP_CWORD]}"; printf "%s\\n" "${COMPREPLY[@]}"',
        "fish": f"reconcile completion fish | source; complete --do-complete {line!r}",
        # Without a line editor there is nothing to complete in, so what the script would call is replaced.
        "zsh": "compdef() { :; }; _describe() { local -a a; a=(${(P)3}); print -l -- ${a%%:*} }; "
        "compadd() { shift $(( ${@[(i)-a]} )); local -a a; a=(${(P)1}); print -l -- $a }; _path_files() { print -l -- *; }; "
        'eval "$(reconcile completion zsh)"; '
        f"words=({' '.join(repr(word) for word in words)}); CURRENT={len(words)}; _reconcile_completion",
    }[shell_name]
    options = {"bash": ["--norc", "-c"], "fish": ["--no-config", "-c"], "zsh": ["-f", "-c"]}[shell_name]
    done = subprocess.run(
        [shell(shell_name), *options, program], capture_output=True, text=True, cwd=repository.directory, env=environment,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {found.split("\t")[0].strip() for found in done.stdout.splitlines() if found.strip()}


@pytest.mark.parametrize("name", SHELLS)
def test_commands_options_formats_and_aliases_are_offered(filled, name):
    assert offered(filled, "reconcile", "", shell_name=name) >= set(COMMANDS)
    assert offered(filled, "reconcile", "re", shell_name=name) == {"receivers"}
    assert offered(filled, "reconcile", "plan", "--det", shell_name=name) == {"--detailed-exitcode"}
    assert offered(filled, "reconcile", "drift", "--format", "", shell_name=name) >= set(FORMATS)
    assert offered(filled, "reconcile", "drift", "--report", "h", shell_name=name) == {"html="}
    assert offered(filled, "reconcile", "show", "keystore.yaml", "partner", shell_name=name) == {
        "partner_root", "partner_pair",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["bash", "zsh"])  # fish never adds a blank behind `=`
def test_behind_the_format_of_a_report_the_file_follows_without_a_blank(filled, name):
    """In a shell that somebody types in: whether it adds a blank is not among what a script offers."""
    options = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[name]
    load = {
        "bash": 'PS1="> "; eval "$(reconcile completion bash)"',
        "zsh": 'PS1="> "; autoload -U compinit; compinit -D -u; eval "$(reconcile completion zsh)"',
    }[name]
    environment = filled.environment(PATH=f"{Path(RECONCILE).parent}:{shutil.os.environ['PATH']}", TERM="xterm")
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [shell(name), *options], stdin=end, stdout=end, stderr=end, cwd=filled.directory, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(end)
    try:
        typed(terminal, f"{load}; echo loaded-$((1+1))\r", "loaded-2")
        typed(terminal, "reconcile drift keystore.yaml --report ht\t", "html=")
        typed(terminal, "out.html; echo typed-$((1+1))\r", "typed-2")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert (filled.directory / "out.html").exists()


def typed(terminal, keys, answer):
    """Type, then wait until the answer is there."""
    os.write(terminal, keys.encode())
    seen = b""
    end = time.monotonic() + 20
    while answer.encode() not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536)
    assert answer.encode() in seen, seen
    time.sleep(0.2)


@pytest.mark.parametrize("name", SHELLS)
def test_nothing_is_offered_and_nothing_said_where_the_state_file_is_wrong(filled, name):
    filled.write("keystore.yaml", "nonsense: [")

    assert offered(filled, "reconcile", "show", "keystore.yaml", "x", shell_name=name) == set()
    assert offered(filled, "reconcile", "show", "nowhere.yaml", "x", shell_name=name) == set()


def test_fish_and_bash_offer_files_for_a_state_file(filled):
    assert "keystore.yaml" in offered(filled, "reconcile", "plan", "key", shell_name="fish")
    environment = filled.environment(
        _RECONCILE_COMPLETE="bash_complete", COMP_WORDS="reconcile plan key", COMP_CWORD="2"
    )
    assert filled.process(env=environment).out == "file,key\n"


def test_only_shells_that_there_are_have_a_script(repository):
    result = repository.run("completion", "powershell")

    assert (result.code, result.out) == (1, "")
