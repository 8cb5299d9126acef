"""Files whose names a command line gives: a mistyped name must not cost a keystore, a key or a state file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.errors import ReconcileError

PLAN = (b'{\n  "format_version"', b'{"format_version"')
# What `export` and `csr` write, and what other programs write under such names.
PUBLIC = (
    b"-----BEGIN CERTIFICATE", b"-----BEGIN PKCS7", b"-----BEGIN NEW CERTIFICATE REQUEST", b"ssh-", b"ecdsa-",
    b"Signing request: ",  # what `apply` notes above one
)  # fmt: skip

# A key may stand behind its certificate.
_LOOKED_AT = 1_000_000


def check_replaceable(path: str | os.PathLike[str], beginnings: tuple[bytes, ...], what: str) -> None:
    """See that `path` is free, empty, no regular file, or begins like what is to replace it.

    Args:
        path: Where something is to be written.
        beginnings: How files begin that may be replaced.
        what: What they are, with its article.

    Raises:
        ReconcileError: something else is there.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return
        with Path(path).open("rb") as file:
            head = file.read(_LOOKED_AT)
    except OSError:
        return  # whoever writes it says what is wrong
    if not head.startswith(beginnings) or b"PRIVATE KEY-----" in head:
        raise ReconcileError(
            f"there is a file that is not {what}, and it is not replaced",
            where=os.fspath(path),
            hint="name another file, or remove this one first",
        )
