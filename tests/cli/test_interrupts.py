"""Ctrl-C, a cancelled job and a lost terminal, at any moment: the old keystore or the complete new one, and no more."""

from __future__ import annotations

import signal
import subprocess
import sys
from shutil import rmtree

import pytest

from reconciler.keystores.files import locked
from tests.cli.pki import authority
from tests.cli.repository import Repository, pairs, roots

LARGE = "{subject: {commonName: x}}"
WRITING_MODULES = ("reconciler/keystores/file_keystore.py", "reconciler/keystores/files.py")
INTERRUPTED = "error: interrupted; nothing was left half-written"


@pytest.fixture
def filled(repository):
    return fill(repository)


def fill(repository):
    for name in ("first", "second"):
        repository.write(f"{name}.pem", authority(name).pem)
    repository.declare(roots(first="first.pem"), create=True)
    assert repository.apply().code == 0
    repository.declare(roots(first="first.pem", second="second.pem"))
    return repository


def is_free(repository):
    """Nobody holds the lock, and nothing temporary is left."""
    with locked(str(repository.live), shown_as="live/store"):
        pass
    return repository.leftovers() == []


# ---------------------------------------------------------------------------------------------- real signals

# The program, with a key that is never done: one call into OpenSSL that takes hours.
ENDLESS = """
import hashlib, os, sys
from reconciler import x509
from reconciler.__main__ import main

def generate(_specification):
    os.write(2, b"begun\\n")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

x509.generate_private_key = generate
main()
"""

# The program, which waits for a signal right before the n-th thing that it does to the directory of the keystore.
WAITING = """
import os, sys, time
from reconciler.__main__ import main

number, directory, seen = int(sys.argv.pop(1)), sys.argv.pop(1), 0
kinds = {"open", "os.rename", "os.remove", "os.mkdir", "os.scandir", "os.listdir"}

def hook(event, arguments):
    global seen
    if event in kinds and isinstance(arguments[0], (str, os.PathLike)) and os.fspath(arguments[0]).startswith(directory):
        seen += 1
        if seen == number:
            os.write(2, b"reached\\n")
            while True:
                time.sleep(0.01)

sys.addaudithook(hook)
main()
"""


def start(repository, program, *arguments):
    """One of these programs at work on `apply`."""
    command = [sys.executable, "-c", program, *arguments, "apply", "keystore.yaml", "--yes"]
    options = {"env": repository.environment(), "cwd": repository.directory, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def says(child, word):
    """Wait until the child has said it; False when it ends without."""
    return any(line.strip() == word for line in iter(child.stderr.readline, b""))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_while_a_key_is_made_is_heard(filled, number):
    filled.declare(roots(second="second.pem") + pairs(large=LARGE))
    before = filled.files()
    child = start(filled, ENDLESS)
    assert says(child, b"begun")

    child.send_signal(number)
    _, err = child.communicate(timeout=60)

    assert child.returncode == 130
    assert err.decode().strip().splitlines()[-1] == INTERRUPTED
    assert b"Traceback" not in err
    assert filled.files() == before
    assert is_free(filled)


def test_a_signal_before_a_step_on_the_disk_leaves_a_whole_keystore(filled):
    old = filled.live.read_bytes()
    outcomes, number = [], 1
    while True:
        child = start(filled, WAITING, str(number), str(filled.live.parent))
        if not says(child, b"reached"):
            break
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)

        assert child.returncode == 130, (number, err)
        assert b"Traceback" not in err
        assert is_free(filled)
        outcomes.append(filled.live.read_bytes() == old)
        if not outcomes[-1]:
            assert set(filled.entries()) == {"first", "second"}
            filled.live.write_bytes(old)
        number += 3  # every step is interrupted by the next test, in one process

    child.communicate()
    assert child.returncode == 0
    assert set(outcomes) == {True, False}  # before the replacement, and after it
    assert len(outcomes) > 5


# ----------------------------------------------------------------------------------- every step, in process


class InterruptAt:
    """Raises KeyboardInterrupt when the n-th line of the modules that write is reached."""

    def __init__(self, number):
        self.number = number
        self.seen = 0

    def __call__(self, frame, event, _argument):
        if event == "call":
            written_here = frame.f_code.co_filename.replace("\\", "/").endswith(WRITING_MODULES)
            return self if written_here else None
        if event == "line":
            self.seen += 1
            if self.seen == self.number:
                raise KeyboardInterrupt
        return self


def apply_interrupted_at(repository, number):
    """Apply with an interrupt at a line; whether it was reached."""
    interrupt = InterruptAt(number)
    tracing = sys.gettrace()
    sys.settrace(interrupt)
    try:
        result = repository.apply()
    finally:
        sys.settrace(tracing)
    reached = interrupt.seen >= number
    assert result.code == (130 if reached else 0), (number, result)
    if reached:
        assert result.err.strip() == INTERRUPTED
    return reached


# An interrupt between opening a file and entering its `with` leaves it to the garbage collector, which says so.
left_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@left_open
@pytest.mark.parametrize(("store_type", "stride"), [("jks", 1), ("pkcs12", 5)])
def test_an_interrupt_at_any_line_that_writes_leaves_the_old_or_the_new_keystore(tmp_path, store_type, stride):
    repository = fill(Repository(tmp_path, store_type))
    old, number, outcomes = repository.live.read_bytes(), 1, set()
    while apply_interrupted_at(repository, number):
        new = repository.live.read_bytes()
        assert is_free(repository), number
        assert {path.read_bytes() for path in repository.backups()} <= {old}, number
        outcomes.add(new == old)
        if new != old:
            # Written before the interrupt: whole, and with a backup.
            assert set(repository.entries()) == {"first", "second"}, number
            assert repository.backups(), number
            repository.live.write_bytes(old)
        # What is kept of each run would be more lines to go through for the next, without end.
        rmtree(repository.live.with_name("store.backups"), ignore_errors=True)
        number += stride

    assert number > 100  # lines were reached, not just one
    assert outcomes == {True, False}  # before the replacement, and after it


@left_open
def test_an_interrupt_at_any_line_leaves_no_half_of_a_new_keystore(tmp_path):
    repository = Repository(tmp_path, "jks")
    repository.write("first.pem", authority("first").pem)
    repository.declare(roots(first="first.pem"), create=True)
    number = 1
    while apply_interrupted_at(repository, number):
        assert is_free(repository), number
        if repository.live.exists():
            assert set(repository.entries()) == {"first"}, number
            repository.live.unlink()
        rmtree(repository.live.with_name("store.backups"), ignore_errors=True)
        number += 1

    assert number > 50
