"""Signing requests among the files that an apply wrote: found by what they are, not by their names."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

DIRECTORY = "signing-requests"
_LARGEST = 64 * 1024
_PEM = re.compile(
    rb"-----BEGIN (?P<label>(?:NEW )?CERTIFICATE REQUEST)-----\s*(?P<base64>[A-Za-z0-9+/=\s]+)"
    rb"-----END (?P=label)-----"
)


def collect(checkout: Path, reports: Path) -> list[str]:
    """Copy what is new or changed under the checkout to the reports; the paths from the root of the repository."""
    prefix = _git(checkout, "rev-parse", "--show-prefix")
    if prefix is None:
        return []
    listed = _git(checkout, "ls-files", "-z", "--others", "--modified", "--exclude-standard") or ""
    found = sorted({name for name in listed.split("\0") if name and read(checkout / name)})
    for name in found:
        target = reports / DIRECTORY / prefix.strip() / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / name, target)
    return found


def collected(reports: Path) -> dict[PurePosixPath, bytes]:
    """The requests that an earlier job collected, each checked again."""
    root = reports / DIRECTORY
    files = {path: read(path) for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()}
    return {PurePosixPath(path.relative_to(root).as_posix()): text for path, text in files.items() if text}


def read(path: Path) -> bytes:
    """A file that is one signing request in PEM and nothing else; empty for all others."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            return b""
        content = path.read_bytes()
    except OSError:
        return b""
    return content if signed_part(content) else b""


def signed_part(content: bytes) -> bytes:
    """What a request asks for, without the signature, which may be another each time (RFC 2986, section 4)."""
    found = _PEM.search(content)  # lines of text may stand around it (RFC 7468, section 2)
    if found is None or content.count(b"-----BEGIN") != 1:
        return b""
    try:
        der = base64.b64decode(re.sub(rb"\s", b"", found["base64"]), validate=True)
        return _element(_element(der, inside=True))
    except (binascii.Error, IndexError):
        return b""


def _element(der: bytes, *, inside: bool = False) -> bytes:
    """The first SEQUENCE of some DER, or what is inside it."""
    if der[0] != 0x30:
        return b""
    start, length = 2, der[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if length == 0 or start + length > len(der):
        return b""
    return der[start : start + length] if inside else der[: start + length]


def _git(directory: Path, *arguments: str) -> str | None:
    # In a job with a container the checkout often belongs to another user than the one who runs.
    line = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(line, cwd=directory, capture_output=True, check=False)
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
