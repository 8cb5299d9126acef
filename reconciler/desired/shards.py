"""A share of a fleet: which of N machines takes which state file, whatever else there is.

The share of a file comes from a hash of its path in the repository. So every file is in exactly one share on every
machine, and a file that is added, removed or renamed moves no other: the plan of a share stays the plan of that share.
The price is that shares differ somewhat in size.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from reconciler.desired.paths import base_of

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """The K-th of N shares, K from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, file: str) -> bool:
        """Whether a state file is in this share."""
        return share_of(identity(file), self.count) == self.index


def share_of(identity: str, count: int) -> int:
    """The share of a file, from 1 to `count`."""
    hashed = sha256(identity.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(hashed[:8], "big") % count + 1


def identity(file: str) -> str:
    """The path of a file in its repository, POSIX; where there is no repository, from the working directory."""
    root = base_of(file).root
    if not Path(root, ".git").exists():
        root = os.path.realpath(os.curdir)
    real = os.path.realpath(file)
    try:
        return Path(os.path.relpath(real, root)).as_posix()
    except ValueError:  # another drive
        return Path(real).as_posix()
