"""Files that hold secrets: bounded reading, the lock, and the one atomic way in which a keystore file is replaced."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A tenant's keystore ends at 6 MB, the largest public trust stores are under 1 MB; 10,000 entries are some 8 MB.
MAX_FILE_SIZE = 64 * 1024 * 1024
OWNER_ONLY = 0o600


def read_keystore_file(path: str, *, shown_as: str) -> bytes | None:
    """The bytes of a keystore file, or None when there is no such file.

    Raises:
        KeystoreUnreadableError: no permission, not a regular file, or larger than `MAX_FILE_SIZE`.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeystoreUnreadableError("not a regular file", where=shown_as)
            if status.st_size > MAX_FILE_SIZE:
                raise KeystoreUnreadableError(
                    f"{status.st_size:,} bytes are more than a keystore may have here ({MAX_FILE_SIZE:,})",
                    where=shown_as,
                )
            return file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeystoreUnreadableError(
            f"the keystore file cannot be read: {reason_of(error)}",
            where=shown_as,
            hint="check the path and the permissions of the file",
        ) from None


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe without a writer would be waited for at the opening."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextlib.contextmanager
def locked(path: str, *, shown_as: str) -> Iterator[None]:
    """Hold the lock of a keystore file (``<path>.lock``), without waiting for it.

    It lies beside the file itself, not beside a symbolic link to it, so that all names of a keystore share one lock.
    The lock is advisory (`flock`, on Windows `msvcrt.locking`) and released by the system when the process dies; the
    lock file itself stays, since removing it would let two processes lock two different files of the same name.

    Raises:
        RefusedError: somebody else holds it.
        ReconcileError: the lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(f"{Path(path).resolve()}.lock", timeout=0, mode=OWNER_ONLY)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RefusedError(
            "the keystore is locked: another apply is at work",
            where=shown_as,
            hint="wait until it has finished; the lock goes away with the process that holds it",
        ) from None
    except OSError as error:
        raise ReconcileError(
            f"the keystore cannot be locked: {reason_of(error)}",
            where=shown_as,
            hint="the directory of the keystore must be writable: lock, new file and backup are made beside it",
        ) from None
    except NotImplementedError:
        raise ReconcileError(
            "the keystore cannot be locked: its file system has no locks",
            where=shown_as,
            hint="keep the keystore on a file system with `flock`, and copy it from there",
        ) from None
    try:
        yield
    finally:
        lock.release()


def replace_file(path: str, data: bytes, *, expected: bytes | None, shown_as: str) -> None:
    """Put `data` in the place of the file at `path` in one step; mode, owner and access list stay as they were.

    The new file is written beside the old one (readable by the owner alone until it has the old one's mode), flushed
    to the disk, read back and compared; the old file is compared with `expected` a last time; then it is replaced.
    A symbolic link stays a link: what it points to is replaced. A further name of the old file (a hard link) stays
    with the old content. What an interrupted run has left beside the file is removed first; whoever calls this holds
    the lock, so nobody else is at work on it.

    Args:
        path: The keystore file.
        data: Its new content.
        expected: What the file held when the plan was made; None when there was none.
        shown_as: How messages call it.

    Raises:
        RefusedError: the file is not what it was.
        ReconcileError: the new file cannot be written; the old one is untouched.
    """
    target = Path(path).resolve()
    remove_left_over(target.parent, re.escape(target.name))
    temporary = _temporary_beside(target)
    try:
        _write_new(temporary, data, like=target if expected is not None else None)
        if temporary.read_bytes() != data:
            raise ReconcileError("the new keystore could not be read back as it was written", where=shown_as)
        if read_keystore_file(str(target), shown_as=shown_as) != expected:
            raise RefusedError(
                "the keystore was changed by somebody else in the meantime; nothing was written",
                where=shown_as,
                hint="plan again",
            )
        temporary.replace(target)
    except OSError as error:
        raise ReconcileError(
            f"the keystore cannot be written: {reason_of(error)}; the old one is untouched",
            where=shown_as,
            hint="the directory of the keystore must be writable: the new file is built beside the old one",
        ) from None
    finally:
        _discard(temporary)
    _flush_directory(target.parent)


def names_of_file(path: str) -> int:
    """How many names (hard links) a file has; none where there is no such file."""
    try:
        return Path(path).stat().st_nlink
    except OSError:
        return 0


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, flushed to the disk; there is the whole of it or nothing (OSError)."""
    temporary = _temporary_beside(path)
    try:
        _write_new(temporary, data, like=None)
        temporary.replace(path)
    finally:
        _discard(temporary)
    _flush_directory(path.parent)


def reason_of(error: OSError) -> str:
    """What the operating system says, without the path: that stands in `where`."""
    return (error.strerror or error.__class__.__name__).lower()


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


_TEMPORARY = r"\.(?:{})\.[0-9a-f]{{16}}\.tmp"  # what `_temporary_beside` makes


def remove_left_over(directory: Path, names: str) -> None:
    """Remove what a run that was killed has left beside files called like `names`, a regular expression.

    Nothing but regular files of our own user, whose names are exactly ours; what cannot be removed stays.
    """
    pattern = re.compile(_TEMPORARY.format(names))
    with contextlib.suppress(OSError):
        for found in list(os.scandir(directory)):
            if pattern.fullmatch(found.name) and _is_our_file(found.stat(follow_symlinks=False)):
                _discard(directory / found.name)


def _is_our_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _discard(temporary: Path) -> None:
    """After a success there is nothing left to remove; after an interrupt nothing half-written stays."""
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes, *, like: Path | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if like is not None:
            _keep_mode_and_owner(file.fileno(), path, like)
        file.flush()
        os.fsync(file.fileno())


def _keep_mode_and_owner(descriptor: int, path: Path, like: Path) -> None:
    old = like.stat()
    if hasattr(os, "fchown"):
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            # Raises PermissionError for somebody who may not: then the old owner could no longer read the store.
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        _keep_attributes(descriptor, like)
    else:
        path.chmod(stat.S_IMODE(old.st_mode))


# The access list beyond the mode, and what users note on a file. The labels of SELinux come from the directory.
_KEPT_ATTRIBUTES = ("system.posix_acl_access", "user.")


def _keep_attributes(descriptor: int, like: Path) -> None:
    """Linux: who may read beside owner and group; a list that cannot be kept is an OSError, as for the owner."""
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(like)
    except OSError:
        return  # a file system without attributes
    for name in names:
        if name.startswith(_KEPT_ATTRIBUTES):
            os.setxattr(descriptor, name, os.getxattr(like, name))


def _flush_directory(directory: Path) -> None:
    """Make the new name survive a power cut (POSIX; Windows has no such call)."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
