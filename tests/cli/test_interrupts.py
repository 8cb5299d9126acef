"""Ctrl-C, a cancelled job and a lost terminal, at any moment: the old keystore or the complete new one, and no more."""

from __future__ import annotations

import signal
import sys
from time import sleep

import pytest

from reconciler.keystores.files import locked
from tests.cli.pki import authority
from tests.cli.repository import Repository, pairs, roots

LARGE = "{subject: {commonName: x}, key: {algorithm: RSA, size: 8192}}"
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_while_a_large_key_is_made_is_heard_at_once(filled, number):
    filled.declare(roots(second="second.pem") + pairs(large=LARGE))
    before = filled.files()
    child = filled.start("-v", "apply", "keystore.yaml", "--yes")
    told = b""
    while b"alias=large" not in told:  # the key is begun
        told += child.stderr.readline()
    sleep(0.05)

    child.send_signal(number)
    _, err = child.communicate(timeout=2)  # OpenSSL takes longer than this for such a key

    assert child.returncode == 130
    assert err.decode().strip().splitlines()[-1] == INTERRUPTED
    assert b"Traceback" not in err
    assert filled.files() == before
    assert is_free(filled)


def test_a_signal_at_any_time_leaves_a_whole_keystore(filled):
    old = filled.live.read_bytes()
    codes = []
    for step in range(14):
        filled.live.write_bytes(old)
        child = filled.start("-v", "apply", "keystore.yaml", "--yes")
        while b"keystore read" not in child.stderr.readline():
            pass
        sleep(0.003 * step)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
        codes.append(child.returncode)

        # -2: it was already on its way out. A shell calls this 130 as well.
        assert child.returncode in (130, 0, -signal.SIGINT), err
        assert b"Traceback" not in err
        assert is_free(filled)
        if filled.live.read_bytes() != old:
            assert set(filled.entries()) == {"first", "second"}

    assert 130 in codes


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
        for backup in repository.backups():
            backup.unlink()
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
        number += 1

    assert number > 50
