"""Keystore files on the disk: the lock, the one step in which a file is replaced, and what stays as it was."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores import files
from reconciler.keystores.files import (
    MAX_FILE_SIZE,
    locked,
    read_keystore_file,
    reason_of,
    replace_file,
    write_private_file,
)

OLD, NEW = b"the old keystore", b"the new keystore, which is longer"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store.p12"
    path.write_bytes(OLD)
    return path


def replace(path, data=NEW, expected=OLD):
    replace_file(str(path), data, expected=expected, shown_as="live/store.p12")


def names(directory):
    return sorted(path.name for path in directory.iterdir())


# ------------------------------------------------------------------------------------------------- replacing


def test_a_file_is_replaced_and_nothing_else_is_left(store):
    replace(store)

    assert store.read_bytes() == NEW
    assert names(store.parent) == ["store.p12"]


def test_a_new_file_is_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        replace(tmp_path / "new", expected=None)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o660, 0o604])
def test_the_mode_is_kept(store, mode):
    store.chmod(mode)

    replace(store)

    assert stat.S_IMODE(store.stat().st_mode) == mode


def test_the_owner_is_kept(store):
    owner = (12345, 23456) if os.geteuid() == 0 else (os.geteuid(), os.getegid())  # only root can give files away
    os.chown(store, *owner)

    replace(store)

    assert (store.stat().st_uid, store.stat().st_gid) == owner


def test_an_owner_that_cannot_be_kept_is_an_error(store, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    status = os.stat_result((*store.stat()[:4], 12345, *store.stat()[5:10]))
    monkeypatch.setattr(Path, "stat", lambda _self, **_options: status)

    with pytest.raises(ReconcileError, match="the keystore cannot be written: operation not permitted"):
        replace(store)

    monkeypatch.undo()
    assert store.read_bytes() == OLD
    assert names(store.parent) == ["store.p12"]


def test_nobody_else_can_read_the_new_file_while_it_is_written(store, monkeypatch):
    store.chmod(0o644)
    seen = []
    write = os.fdopen

    def fdopen(descriptor, *arguments):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, *arguments)

    monkeypatch.setattr(os, "fdopen", fdopen)

    replace(store)

    assert seen == [0o600]


def test_a_link_stays_a_link(store, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("store.p12")

    replace(link)

    assert link.is_symlink()
    assert link.readlink() == Path("store.p12")
    assert store.read_bytes() == NEW
    assert names(tmp_path) == ["link", "store.p12"]


def test_a_link_into_another_directory_is_followed(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(store)

    replace(link)

    assert store.read_bytes() == NEW
    assert names(tmp_path / "elsewhere") == ["link"]


def test_a_link_to_nothing_is_filled(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("store")

    replace(link, expected=None)

    assert (tmp_path / "store").read_bytes() == NEW


def test_a_file_that_has_changed_is_not_replaced(store):
    with pytest.raises(RefusedError, match="changed by somebody else"):
        replace(store, expected=b"what it was when it was read")

    assert store.read_bytes() == OLD
    assert names(store.parent) == ["store.p12"]


def test_a_file_that_has_appeared_is_not_replaced(store):
    with pytest.raises(RefusedError, match="changed by somebody else"):
        replace(store, expected=None)

    assert store.read_bytes() == OLD


def test_a_file_that_has_gone_is_not_made_again(tmp_path):
    with pytest.raises(ReconcileError) as raised:
        replace(tmp_path / "gone")

    assert raised.value.where == "live/store.p12"
    assert names(tmp_path) == []


LEFT = ".store.p12.0123456789abcdef.tmp"


def test_what_a_killed_run_has_left_is_removed_by_the_next_write(store):
    (store.parent / LEFT).write_bytes(NEW)
    replace(store)
    assert names(store.parent) == ["store.p12"]


OTHERS = (
    ".store.p12.0123456789abcde.tmp", ".store.p12.0123456789ABCDEF.tmp", ".store_p12.0123456789abcdef.tmp",
    "store.p12.0123456789abcdef.tmp", ".store.p12.0123456789abcdef.tmp.", ".other.p12.0123456789abcdef.tmp",
)  # fmt: skip


def test_nothing_that_is_not_exactly_ours_is_removed(store):
    for name in OTHERS:
        (store.parent / name).write_bytes(b"")
    (store.parent / ".store.p12.1111111111111111.tmp").symlink_to("store.p12")
    (store.parent / ".store.p12.2222222222222222.tmp").mkdir()
    before = names(store.parent)
    replace(store)
    assert names(store.parent) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_left_alone(store):
    (store.parent / LEFT).write_bytes(NEW)
    os.chown(store.parent / LEFT, 12345, 12345)
    replace(store)
    assert names(store.parent) == [LEFT, "store.p12"]


def test_what_cannot_be_removed_does_not_stop_the_write(store, monkeypatch):
    (store.parent / LEFT).write_bytes(NEW)

    def refuse(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    replace(store)
    assert store.read_bytes() == NEW


def test_the_access_list_and_the_notes_of_users_are_kept(store):
    # Owner rw, user 12345 r, group none, mask r, others none: acl(5) as the kernel keeps it.
    rules = ((1, 6, -1), (2, 4, 12345), (4, 0, -1), (16, 4, -1), (32, 0, -1))
    access_list = b"\x02\x00\x00\x00" + b"".join(struct.pack("<HHi", *rule) for rule in rules)
    kept = {"user.note": b"mine", "system.posix_acl_access": access_list}
    try:
        for name, value in kept.items():
            os.setxattr(store, name, value)
    except OSError:
        pytest.skip("the file system has no attributes")
    mode = store.stat().st_mode
    replace(store)
    assert {name: os.getxattr(store, name) for name in kept} == kept
    assert store.stat().st_mode == mode


def test_a_file_system_without_attributes_has_none_to_keep(store, monkeypatch):
    def refuse(*_arguments, **_options):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", refuse)
    replace(store)
    assert store.read_bytes() == NEW


def test_what_the_disk_gives_back_is_compared(store, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _self: b"something else")

    with pytest.raises(ReconcileError, match="could not be read back"):
        replace(store)

    monkeypatch.undo()
    assert store.read_bytes() == OLD
    assert names(store.parent) == ["store.p12"]


@pytest.fixture
def journal(monkeypatch):
    """What happens to the disk, in order."""
    entries = []
    original_fsync, original_replace, original_open = os.fsync, Path.replace, os.open

    def name_of(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return "directory" if path.is_dir() else "new file"

    def fsync(descriptor):
        entries.append(f"flush {name_of(descriptor)}")
        original_fsync(descriptor)

    def rename(path, target):
        entries.append("replace")
        return original_replace(path, target)

    def open_(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            entries.append("create")
        return original_open(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    monkeypatch.setattr(os, "open", open_)
    return entries


def test_the_content_reaches_the_disk_before_the_name_and_the_name_before_the_end(store, journal):
    replace(store)

    assert journal == ["create", "flush new file", "replace", "flush directory"]


def test_a_backup_reaches_the_disk_in_the_same_way(tmp_path, journal):
    write_private_file(tmp_path / "backup", OLD)

    assert journal == ["create", "flush new file", "replace", "flush directory"]


@pytest.mark.parametrize("step", ["open", "fsync", "fdopen"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["error", "Ctrl-C"]
)
def test_whatever_goes_wrong_leaves_the_old_file_alone(store, monkeypatch, step, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(os, step, fail)

    with pytest.raises(ReconcileError if isinstance(error, OSError) else KeyboardInterrupt):
        replace(store)

    monkeypatch.undo()
    assert store.read_bytes() == OLD
    assert names(store.parent) == ["store.p12"]


def test_a_backup_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="No space left"):
        write_private_file(tmp_path / "backup", OLD)

    assert names(tmp_path) == []


# --------------------------------------------------------------------------------------------------- reading


def test_a_file_is_read_whole(store):
    assert read_keystore_file(str(store), shown_as="x") == OLD


def test_a_missing_file_is_none(tmp_path):
    assert read_keystore_file(str(tmp_path / "none"), shown_as="x") is None


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_SIZE + 1)

    with pytest.raises(KeystoreUnreadableError, match="67,108,865 bytes are more than a keystore may have") as raised:
        read_keystore_file(str(path), shown_as="live/large")

    assert raised.value.where == "live/large"


def test_a_device_is_no_keystore():
    with pytest.raises(KeystoreUnreadableError, match="not a regular file"):
        read_keystore_file("/dev/zero", shown_as="x")


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(KeystoreUnreadableError, match="not a regular file"):
        read_keystore_file(str(tmp_path / "pipe"), shown_as="x")


def test_the_reason_is_the_systems_without_the_path():
    assert reason_of(OSError(28, "No space left on device", "/secret/path")) == "no space left on device"
    assert reason_of(OSError()) == "oserror"


# -------------------------------------------------------------------------------------------------- locking

HOLDER = """
import sys
from reconciler.keystores.files import locked
with locked(sys.argv[1], shown_as="theirs"):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held(store):
    """Another process that holds the lock of `store`."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "locked\n"
        yield holder
        holder.kill()


def is_locked(path):
    try:
        with locked(str(path), shown_as="live/store.p12"):
            return False
    except RefusedError:
        return True


def test_a_lock_that_somebody_holds_is_told(store, held):
    with pytest.raises(RefusedError, match="the keystore is locked: another apply is at work") as raised:
        locked(str(store), shown_as="live/store.p12").__enter__()

    assert raised.value.where == "live/store.p12"
    assert "wait until it has finished" in raised.value.hint


def test_a_lock_keeps_another_process_out(store, held):
    assert is_locked(store)


def test_a_lock_goes_away_with_its_process(store, held):
    held.kill()
    held.wait()

    assert not is_locked(store)


def test_all_names_of_a_file_share_one_lock(store, held, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(store)

    assert is_locked(link)
    assert is_locked(tmp_path / "elsewhere" / ".." / "store.p12")
    assert not is_locked(tmp_path / "another")


def test_a_lock_keeps_out_the_same_process_as_well(store):
    with locked(str(store), shown_as="x"):
        assert is_locked(store)
    assert not is_locked(store)


def test_a_lock_is_free_again_after_an_error(store):
    with pytest.raises(ZeroDivisionError), locked(str(store), shown_as="x"):
        raise ZeroDivisionError

    assert not is_locked(store)


def test_a_lock_file_is_for_its_owner_alone(store):
    with locked(str(store), shown_as="x"):
        assert stat.S_IMODE(store.with_name("store.p12.lock").stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_made_is_told(store):
    store.with_name("store.p12.lock").mkdir()

    with (
        pytest.raises(ReconcileError, match="the keystore cannot be locked: is a directory"),
        locked(str(store), shown_as="x"),
    ):
        pass


def test_a_file_system_without_locks_is_told(store, monkeypatch):
    def refuse(_self):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)

    with (
        pytest.raises(ReconcileError, match="its file system has no locks"),
        locked(str(store), shown_as="x"),
    ):
        pass


def test_a_lock_that_is_a_link_leads_nowhere_else(store, tmp_path):
    """Somebody who may write to the directory must not be able to have another file emptied."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    store.with_name("store.p12.lock").symlink_to(victim)

    with pytest.raises(ReconcileError), locked(str(store), shown_as="x"):
        pass

    assert victim.read_bytes() == b"precious"


def test_nothing_here_is_left_behind_under_a_name_of_ours(store):
    replace(store)
    with locked(str(store), shown_as="x"):
        pass

    assert names(store.parent) == ["store.p12", "store.p12.lock"]
    assert files.OWNER_ONLY == 0o600
