"""What goes wrong in real life: message, exit code, and the keystore as it was."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from reconciler.keystores import file_keystore
from reconciler.keystores.formats import parse_container
from reconciler.secret import Secret
from tests.cli.pki import authority, pair
from tests.cli.repository import PASSWORD, Repository, pairs, roots
from tests.cli.unprivileged import give_up_root
from tests.conftest import program

GENERATED = "{subject: {commonName: x}, key: {algorithm: EC, curve: secp256r1}}"


@pytest.fixture
def filled(typed_repository):
    """A repository whose keystore holds a root and a key pair, and whose state file asks for another root."""
    return fill(typed_repository)


@pytest.fixture
def filled_pkcs12(repository):
    return fill(repository)


def fill(repository):
    for name in ("first", "second"):
        repository.write(f"{name}.pem", authority(name).pem)
    repository.declare(roots(first="first.pem") + pairs(pair=GENERATED), create=True)
    applied = repository.apply()
    assert applied.code == 0, applied.err
    declare_second(repository)
    return repository


def declare_second(repository):
    repository.declare(roots(first="first.pem", second="second.pem") + pairs(pair=GENERATED))


def fails(repository, code, message, *arguments, **options):
    """A command fails as said, and not a byte, a time or a file of the repository is another one.

    With options for the process it is one of its own.
    """
    before = repository.files()
    arguments = arguments or ("apply", "keystore.yaml", "--yes")
    result = repository.process(*arguments, **options) if options else repository.run(*arguments)
    assert (result.code, repository.files()) == (code, before), result
    assert message in result.err
    assert "Traceback" not in result.err
    assert "unexpected" not in result.err
    return result


def is_complete(repository, *aliases):
    """The keystore is whole, holds these entries, and nothing lies beside it; the lock is free."""
    assert repository.leftovers() == []
    assert set(repository.entries()) == set(aliases)
    again = repository.apply("--format", "json")
    assert (again.code, again.changes) == (0, [])
    container = parse_container(repository.live.read_bytes(), Secret(PASSWORD), origin="live")
    assert container.private_key("pair", Secret(PASSWORD))


# ---------------------------------------------------------------------------------------- what cannot be read

COMMANDS = {
    "list": ("list", "keystore.yaml"),
    "show": ("show", "keystore.yaml", "first"),
    "drift": ("drift", "keystore.yaml"),
    "plan": ("plan", "keystore.yaml"),
    "apply": ("apply", "keystore.yaml", "--yes"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_password_is_told(filled, command):
    environment = filled.environment(STORE_PASSWORD="not the password")

    result = fails(filled, 3, "wrong", *COMMANDS[command], env=environment)

    assert result.err.startswith("live/store: error: ")
    assert "hint: " in result.err
    assert "not the password" not in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_keystore_is_told_with_the_way_to_make_it(filled_pkcs12, command):
    filled_pkcs12.live.unlink()

    result = fails(filled_pkcs12, 3, "there is no such keystore file", *COMMANDS[command])

    assert "create: true" in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file_is_told(filled_pkcs12, command):
    filled_pkcs12.live.write_bytes(b"")

    fails(filled_pkcs12, 3, "not a keystore but an empty file", *COMMANDS[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_in_its_place_is_told(filled_pkcs12, command):
    filled_pkcs12.live.unlink()
    filled_pkcs12.live.mkdir()

    fails(filled_pkcs12, 3, "is a directory", *COMMANDS[command])


@pytest.mark.parametrize("command", ["list", "apply"])
def test_a_named_pipe_is_not_waited_for(filled_pkcs12, command):
    filled_pkcs12.live.unlink()
    os.mkfifo(filled_pkcs12.live)

    result = filled_pkcs12.process(*COMMANDS[command])

    assert result.code == 3
    assert "not a regular file" in result.err


def test_a_circle_of_links_is_told(filled_pkcs12):
    filled_pkcs12.live.unlink()
    filled_pkcs12.live.symlink_to("store")

    result = filled_pkcs12.process("apply", "keystore.yaml", "--yes")

    assert result.code == 3
    assert "too many levels of symbolic links" in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_without_permission_is_told(filled_pkcs12, command):
    filled_pkcs12.live.chmod(0)

    fails(filled_pkcs12, 3, "permission denied", *COMMANDS[command], preexec_fn=give_up_root)


def test_a_truncated_file_is_told_at_any_length(filled):
    whole = filled.live.read_bytes()
    lengths = {*range(1, 64), *range(64, len(whole) - 32, len(whole) // 40), *range(len(whole) - 32, len(whole))}
    for length in sorted(lengths):
        filled.live.write_bytes(whole[:length])
        for command in ("list", "apply"):
            result = filled.run(*COMMANDS[command])
            assert (result.code, result.out) == (3, ""), (length, result)
            assert result.err.startswith("live/store: error: "), length
            assert 1 <= len(result.err.splitlines()) <= 2, length
        assert filled.live.read_bytes() == whole[:length]


def test_one_flipped_bit_is_noticed_anywhere(filled):
    whole = filled.live.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x10
        filled.live.write_bytes(spoilt)
        result = filled.apply()
        assert result.code in (1, 3), (place, result)  # 1: it has become another type of keystore
        assert "unexpected" not in result.err, (place, result.err)
        assert filled.live.read_bytes() == spoilt


def test_another_type_than_declared_is_a_migration_that_is_planned_first(filled_pkcs12):
    filled_pkcs12.declare(type="jks")
    before = filled_pkcs12.live.read_bytes()

    result = filled_pkcs12.run("plan", "keystore.yaml", "--detailed-exitcode")

    assert result.code == 2
    assert "migrate" in result.out
    assert filled_pkcs12.live.read_bytes() == before


# ------------------------------------------------------------------------------------- what cannot be written


def test_a_read_only_directory_is_told(filled):
    filled.live.parent.chmod(0o555)
    try:
        (filled.live.parent / "store.lock").unlink()
        fails(filled, 1, "the directory of the keystore must be writable", preexec_fn=give_up_root)
    finally:
        filled.live.parent.chmod(0o755)
    assert filled.apply().code == 0
    is_complete(filled, "first", "second", "pair")


def test_a_read_only_directory_with_a_lock_file_is_told(filled_pkcs12):
    filled_pkcs12.live.parent.chmod(0o555)
    try:
        fails(filled_pkcs12, 1, "the keystore cannot be written: permission denied", preexec_fn=give_up_root)
    finally:
        filled_pkcs12.live.parent.chmod(0o755)


def test_backups_that_cannot_be_written_are_told(filled_pkcs12):
    directory = filled_pkcs12.live.with_name("store.backups")
    directory.mkdir(exist_ok=True)
    directory.chmod(0o555)

    result = fails(filled_pkcs12, 1, "the backup of the keystore cannot be written", preexec_fn=give_up_root)

    assert "make store.backups beside the keystore writable" in result.err


def test_a_directory_that_cannot_be_made_is_told(repository):
    repository.write("first.pem", authority("first").pem)
    repository.write("a file", "")
    repository.declare(roots(first="first.pem"), create=True, path="a file/store")

    assert repository.process("plan", "keystore.yaml").code == 3
    assert repository.process("apply", "keystore.yaml", "--yes").code == 3


@pytest.mark.parametrize(
    "share", [0.0, 0.5, 1.0], ids=["nothing", "half of the backup", "the backup, not the new file"]
)
def test_a_full_disk_leaves_the_old_keystore(filled, share):
    """A limit on the size of files is what a full disk is to the one who writes."""
    size = filled.live.stat().st_size
    limit = int(size * share)
    environment = filled.environment(PYTHONDONTWRITEBYTECODE="1")
    before = filled.files()

    result = filled.process(
        "apply", "keystore.yaml", "--yes", env=environment,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip

    assert result.code == 1, result
    assert "cannot be written: file too large" in result.err
    assert filled.files() == before
    assert filled.apply().code == 0
    is_complete(filled, "first", "second", "pair")


def test_a_plan_that_cannot_be_written_is_told(filled_pkcs12):
    result = filled_pkcs12.process("plan", "keystore.yaml", "--out", "/dev/full")

    assert result.code == 1
    assert result.err == "/dev/full: error: the plan cannot be written: no space left on device\n"


# ------------------------------------------------------------------------------------------ racing writers

HOLD_LOCK = """
import fcntl, sys
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("by_another_name", [False, True], ids=["the same name", "a link to it"])
def test_a_second_apply_at_the_same_time_is_refused(filled_pkcs12, by_another_name):
    repository = filled_pkcs12
    if by_another_name:
        (repository.directory / "link").symlink_to("live/store")
        repository.declare(roots(second="second.pem"), path="link")
    lock = repository.live.with_name("store.lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "locked\n"
        result = fails(repository, 4, "the keystore is locked: another apply is at work")
        assert "wait until it has finished" in result.err
        assert repository.process("plan", "keystore.yaml").code == 0
        holder.stdin.close()
    assert repository.apply().code == 0


def test_of_many_applies_at_once_each_is_whole_or_refused(filled):
    running = [filled.start("apply", "keystore.yaml", "--yes") for _ in range(4)]
    codes = []
    for child in running:
        _, err = child.communicate(timeout=60)
        codes.append(child.returncode)
        assert child.returncode == 0 or b"locked" in err or b"was changed by somebody else" in err, err

    assert set(codes) <= {0, 4}
    assert 0 in codes
    is_complete(filled, "first", "second", "pair")
    assert len(filled.backups()) == 1


@pytest.fixture
def change_by_keytool(filled):
    """Somebody else adds an entry with keytool."""

    def change():
        subprocess.run(
            [
                program("keytool"), "-importcert", "-noprompt", "-alias", "theirs", "-file", "second.pem",
                "-keystore", filled.live, "-storepass", PASSWORD, "-storetype", filled.type,
            ],
            check=True, capture_output=True, cwd=filled.directory,
        )  # fmt: skip

    return change


def test_what_somebody_added_since_the_plan_stays(filled, change_by_keytool):
    assert filled.run("plan", "keystore.yaml", "--out", "plan.json").code == 0
    change_by_keytool()

    applied = filled.apply("--plan", "plan.json")

    assert applied.code == 0, applied.err
    is_complete(filled, "first", "second", "pair", "theirs")


def test_a_change_between_planning_and_locking_is_refused(filled, change_by_keytool, monkeypatch):
    from reconciler.keystores import opening

    def open_late(*arguments):
        change_by_keytool()
        return original(*arguments)

    original = opening.open_keystore
    monkeypatch.setattr(opening, "open_keystore", open_late)

    result = filled.apply()

    assert result.code == 4
    assert "the keystore was changed by somebody else since it was planned; nothing was written" in result.err
    assert "hint: plan again" in result.err
    monkeypatch.undo()
    assert set(filled.entries()) == {"first", "pair", "theirs"}
    assert filled.backups() == []
    assert filled.leftovers() == []


def test_a_change_between_reading_and_replacing_is_refused(filled, change_by_keytool, monkeypatch):
    def replace_late(*arguments, **options):
        change_by_keytool()
        original(*arguments, **options)

    original = file_keystore.replace_file
    monkeypatch.setattr(file_keystore, "replace_file", replace_late)

    result = filled.apply()

    assert result.code == 4
    assert "the keystore was changed by somebody else in the meantime; nothing was written" in result.err
    monkeypatch.undo()
    assert set(filled.entries()) == {"first", "pair", "theirs"}
    assert filled.leftovers() == []


def test_a_keystore_that_appeared_since_the_plan_is_not_written_over(typed_repository, monkeypatch):
    repository = typed_repository
    other = fill(Repository(repository.directory / "other", repository.type)).live.read_bytes()
    repository.write("first.pem", authority("first").pem)
    repository.declare(roots(first="first.pem"), create=True)
    original = file_keystore.replace_file

    def replace_late(*arguments, **options):
        repository.live.write_bytes(other)
        original(*arguments, **options)

    monkeypatch.setattr(file_keystore, "replace_file", replace_late)

    assert repository.apply().code == 4
    assert repository.live.read_bytes() == other


def test_a_key_pair_file_that_changed_since_the_plan_is_not_imported(filled_pkcs12, monkeypatch):
    from reconciler.desired import material

    repository = filled_pkcs12
    repository.write("mine.pem", pair("mine").key_pem + pair("mine").pem)
    repository.declare(pairs(mine="{file: mine.pem}"))
    original = material.open_key

    def open_late(key_pair_file):
        repository.write("mine.pem", pair("other").key_pem + pair("other").pem)
        return original(key_pair_file)

    monkeypatch.setattr(material, "open_key", open_late)
    before = repository.live.read_bytes()

    result = repository.apply()

    assert result.code == 1
    assert "mine.pem was changed since it was planned" in result.out
    assert repository.live.read_bytes() == before


# ------------------------------------------------------------------------------------- after it was written


def test_a_keystore_that_is_set_back_right_after_the_write_is_noticed(filled, monkeypatch):
    """Some programs write the whole file from memory; apply reads again and compares again."""
    old = filled.live.read_bytes()

    def replace_in_vain(*arguments, **options):
        original(*arguments, **options)
        filled.live.write_bytes(old)

    original = file_keystore.replace_file
    monkeypatch.setattr(file_keystore, "replace_file", replace_in_vain)

    result = filled.apply()

    assert result.code == 1
    assert "second: was written, and the keystore still differs from the desired state" in result.err
    assert "its .backups directory" in result.err


def test_what_can_be_done_is_done_and_the_rest_is_told(filled_pkcs12):
    repository = filled_pkcs12
    repository.declare(
        roots(second="second.pem") + pairs(mine="{file: mine.pem, password: {env: NOT_SET}}"), create=True
    )
    sealed = pair("mine").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    repository.write("mine.pem", sealed + pair("mine").pem)

    result = repository.apply("--format", "json")

    assert result.code == 5
    [target] = result.document["targets"]
    assert [(one["alias"], one["status"]) for one in target["outcomes"]] == [("second", "applied"), ("mine", "failed")]
    assert "NOT_SET is not set" in target["outcomes"][1]["message"]
    assert set(repository.entries()) == {"first", "second", "pair"}
    before = repository.files()
    assert repository.apply().code == 1  # nothing was applied
    assert repository.files() == before


SEALED = pair("mine").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
WRONG = "{file: mine.pem, password: {env: WRONG}}"


def test_a_key_file_that_does_not_open_is_told_by_the_plan(filled_pkcs12):
    repository = filled_pkcs12
    repository.write("mine.pem", SEALED + pair("mine").pem)
    repository.declare(roots(second="second.pem") + pairs(mine=WRONG))

    planned = repository.plan(WRONG="y")

    assert (planned.code, planned.changes) == (0, [("import", "second"), ("import", "mine")])
    [note] = planned.document["targets"][0]["notes"]
    assert note.startswith("mine: import would fail: ")
    assert "password" in note
    assert note in " ".join(repository.run("plan", "keystore.yaml", WRONG="y").out.split())
    assert "notes" not in repository.plan(WRONG="x").document["targets"][0]
    assert repository.run("drift", "keystore.yaml", WRONG="y").code == 2


def test_a_ca_that_ends_too_early_is_told_by_the_plan(filled_pkcs12):
    repository = filled_pkcs12
    repository.write("ca.pem", authority("A CA").pem)
    repository.write("ca.key", authority("A CA").key_pem)
    issuer = "{type: local-ca, certificate: ca.pem, key: ca.key}"
    repository.declare(pairs(late=f"{{subject: {{commonName: x}}, validity: 9999d, issuer: {issuer}}}"))

    [note] = repository.plan().document["targets"][0]["notes"]

    assert "would outlive it" in note
    assert repository.apply().code == 1


def test_without_its_password_a_keystore_is_not_written(filled):
    filled.declare(roots(first="first.pem", second="second.pem"), password=None)
    if filled.type == "pkcs12":
        fails(filled, 3, "its certificates are encrypted and no password is given")
        return

    fails(filled, 4, "is not written without its password")
    listed = filled.run("list", "keystore.yaml")
    assert listed.code == 0
    assert "warning: no password was given, so the integrity of the keystore was not checked" in listed.out
    # What apply refuses, plan does not promise; what is true is true all the same.
    fails(filled, 4, "is not written without its password", "plan", "keystore.yaml")
    assert filled.run("drift", "keystore.yaml").code == 2


@pytest.mark.parametrize("body", ["", roots(first="first.pem")], ids=["empty", "with a root"])
@pytest.mark.parametrize(
    "command", [("plan", "keystore.yaml"), ("apply", "keystore.yaml", "--yes")], ids=lambda c: c[0]
)
def test_without_a_password_no_keystore_is_made(typed_repository, command, body):
    typed_repository.write("first.pem", authority("first").pem)
    typed_repository.declare(body, password=None, create=True)
    fails(typed_repository, 4, "live/store: error: a", *command)


# ------------------------------------------------------------------------------------------------- asking


def test_further_names_of_the_file_are_told_before_they_are_left_behind(filled_pkcs12):
    other = filled_pkcs12.directory / "copy"
    os.link(filled_pkcs12.live, other)
    before = other.read_bytes()
    planned = filled_pkcs12.run("plan", "keystore.yaml")
    assert "2 names (hard links)" in planned.out
    assert filled_pkcs12.apply().code == 0
    assert other.read_bytes() == before != filled_pkcs12.live.read_bytes()
    assert "hard links" not in filled_pkcs12.run("plan", "keystore.yaml").out


def test_without_yes_and_without_a_terminal_nothing_is_written(filled):
    result = fails(filled, 1, "1 change to be applied, and there is no terminal to ask at", "apply", "keystore.yaml")

    assert "give --yes" in result.err
    assert "import" in result.out


def test_without_changes_nobody_is_asked(filled):
    assert filled.apply().code == 0

    assert filled.process("apply", "keystore.yaml").code == 0


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_standard_stream_that_is_closed_is_no_trouble(filled_pkcs12, stream):
    def close():
        os.close(stream)

    result = filled_pkcs12.process("apply", "keystore.yaml", "--yes", preexec_fn=close)

    assert result.code == 0, result
    is_complete(filled_pkcs12, "first", "second", "pair")


def test_without_standard_input_nobody_is_asked(filled_pkcs12):
    def close():
        os.close(0)

    fails(filled_pkcs12, 1, "there is no terminal to ask at", "apply", "keystore.yaml", preexec_fn=close)


@pytest.mark.parametrize(
    ("answer", "code", "aliases"),
    [
        (b"y\n", 0, {"first", "second", "pair"}),
        (b"n\n", 1, {"first", "pair"}),
        (b"\n", 1, {"first", "pair"}),
        (b"\x04", 130, {"first", "pair"}),
    ],
    ids=["yes", "no", "nothing", "end of file"],
)
def test_at_a_terminal_the_answer_counts(filled_pkcs12, answer, code, aliases):
    terminal, theirs = os.openpty()
    os.write(terminal, answer)
    child = filled_pkcs12.start("apply", "keystore.yaml", stdin=theirs)
    _, err = child.communicate(timeout=60)
    os.close(theirs)
    os.close(terminal)

    assert child.returncode == code, err
    assert b"Apply 1 change? [y/N]" in err
    assert set(filled_pkcs12.entries()) == aliases


def test_a_working_directory_that_is_gone_is_no_traceback(filled_pkcs12):
    gone = filled_pkcs12.directory / "gone"
    gone.mkdir()
    state = str(filled_pkcs12.directory / "keystore.yaml")

    result = filled_pkcs12.process("apply", state, "--yes", cwd=gone, preexec_fn=gone.rmdir)

    assert result.code == 0, result


# ------------------------------------------------------------------------------- passwords that Java cannot use


@pytest.mark.parametrize("password", ["pässwort", "пароль🔑", "with\ttab"])
@pytest.mark.parametrize("encryption", ["modern", "legacy"])
def test_a_new_pkcs12_keystore_is_not_made_under_a_password_that_not_every_java_opens(repository, password, encryption):
    repository.declare(pairs(pair=GENERATED), create=True, encryption=encryption)
    for command in (("plan", "keystore.yaml"), ("apply", "keystore.yaml", "--yes")):
        result = repository.run(*command, STORE_PASSWORD=password)
        assert (result.code, repository.live.exists()) == (4, False)
        assert "not every Java opens a PKCS#12 file" in result.err
        assert password not in result.err


def test_a_jceks_key_under_such_a_password_is_refused_by_the_plan_already(tmp_path):
    repository = Repository(tmp_path, "jceks")
    repository.write("first.pem", authority("first").pem)
    repository.declare(roots(first="first.pem"), create=True)
    assert repository.apply(STORE_PASSWORD="pässwort").code == 0
    repository.declare(roots(first="first.pem") + pairs(pair=GENERATED))
    assert repository.plan(STORE_PASSWORD="pässwort").code == 4


@pytest.mark.parametrize("encryption", ["modern", "legacy"])
def test_a_keystore_does_not_move_to_pkcs12_under_such_a_password(tmp_path, encryption):
    repository = Repository(tmp_path, "jks")
    repository.declare(pairs(pair=GENERATED), create=True)
    assert repository.apply(STORE_PASSWORD="pässwort").code == 0
    repository.type = "pkcs12"
    repository.declare(pairs(pair=GENERATED), encryption=encryption)
    result = repository.apply(STORE_PASSWORD="pässwort")
    assert result.code == 4
    assert "printable ASCII" in result.err
