"""Files whose names a command line gives: a mistyped name must not cost a keystore, a key or a state file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from reconciler.errors import ReconcileError

PLAN = (b'{\n  "format_version"', b'{"format_version"')
# What `export` and `csr` write, and what other programs write under such names.
PUBLIC = (
    b"-----BEGIN CERTIFICATE", b"-----BEGIN PKCS7", b"-----BEGIN NEW CERTIFICATE REQUEST", b"ssh-", b"ecdsa-",
    b"Signing request: ",  # what `apply` notes above one
)  # fmt: skip

# What a report, which begins in many ways, never replaces: the magic numbers of JKS and JCEKS, DER (PKCS#12,
# certificates and keys), PEM, YAML of ours.
_PRECIOUS = re.compile(
    rb"\A(?:\xFE\xED\xFE\xED|\xCE\xCE\xCE\xCE|\x30[\x80-\x84])"
    rb"|^-----BEGIN |^apiVersion:\s*[\"']?reconciler/",
    re.MULTILINE,
)

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
    head = _head(path)
    if head and (not head.startswith(beginnings) or b"PRIVATE KEY-----" in head):
        raise _kept(path, f"there is a file that is not {what}")


def check_no_loss(path: str | os.PathLike[str]) -> None:
    """See that no keystore, certificate, key or state file is at `path`, where a report is to be written.

    Raises:
        ReconcileError: one is.
    """
    if _PRECIOUS.search(_head(path)):
        raise _kept(path, "there is a keystore, a certificate, a key or a state file")


def _head(path: str | os.PathLike[str]) -> bytes:
    """The beginning of a regular file; nothing where there is none."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return b""
        with Path(path).open("rb") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return b""  # whoever writes it says what is wrong


def _kept(path: str | os.PathLike[str], what: str) -> ReconcileError:
    return ReconcileError(
        f"{what}, and it is not replaced",
        where=os.fspath(path),
        hint="name another file, or remove this one first",
    )
