"""Secrets, read when they are used: from an environment variable, a file, or the output of a command.

Nothing here repeats what it read: not in messages, not in the cause of an exception.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.errors import MaterialError
from reconciler.model import SecretRef
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.desired.document import Document, Path, Section
    from reconciler.desired.paths import Base

ALLOW_COMMANDS = "RECONCILE_ALLOW_COMMANDS"
# The service key of a tenant has 2 kB, a PEM with its key perhaps 10.
MAX_BYTES = 65_536
SECONDS = 60.0


def secret_ref(document: Document, path: Path, written: Section, base: Base) -> SecretRef:
    """The reference to a secret that stands at `path`; nothing is read yet.

    Raises:
        MaterialError: a path that cannot be one.
    """
    kind, value = next(iter(written.items()))
    source = document.source((*path, kind), key=True)
    if kind == "file":
        value = base.anywhere(value)
    return SecretRef(kind, tuple(value) if kind == "command" else value, source, base.directory)


def read_secret(ref: SecretRef, environment: Mapping[str, str] | None = None) -> Secret:
    """Read a secret. One newline at its end is dropped.

    Args:
        ref: Where it comes from.
        environment: The variables; those of the process when None.

    Raises:
        MaterialError: it is missing, empty (unless it is a file), too long, or a command that must not run or failed.
    """
    variables = os.environ if environment is None else environment
    match ref.kind, ref.value:
        case "env", str(name):
            content = _from_variable(name, ref, variables)
        case "file", str(path):
            content = _from_file(path, ref)
        case _, arguments:
            content = _from_command(tuple(arguments), ref, variables)
    return Secret(_checked(content, ref))


def described(ref: SecretRef) -> str:
    """Where a secret comes from, in words. Arguments of a command are not shown: one of them may be a token."""
    match ref.kind, ref.value:
        case "env", name:
            return f"the environment variable {name}"
        case "file", path:
            return f"the file {path}"
        case _, arguments:
            return f"the command {arguments[0]}"


def _from_variable(name: str, ref: SecretRef, variables: Mapping[str, str]) -> bytes:
    if name not in variables:
        raise MaterialError(
            f"the environment variable {name} is not set",
            where=str(ref.source),
            hint=f"export {name}=…, or in CI hand the secret over under this name",
        )
    return variables[name].encode("utf-8", "surrogateescape")


def _from_file(path: str, ref: SecretRef) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # /dev/fd/3 and the like are welcome, so nothing cleverer
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        raise MaterialError(
            f"{described(ref)} cannot be read: {reason}",
            where=str(ref.source),
            hint="the path is relative to the YAML file that names it",
        ) from None


def _from_command(arguments: Sequence[str], ref: SecretRef, variables: Mapping[str, str]) -> bytes:
    import subprocess

    if variables.get(ALLOW_COMMANDS) != "1":
        raise MaterialError(
            f"{described(ref)} is not run: {ALLOW_COMMANDS}=1 is not set",
            where=str(ref.source),
            hint="set it where the run is yours, never in a job that runs pull requests of others",
        )
    try:
        # Its standard error is not shown: nobody knows what it says.
        done = subprocess.run(
            arguments, cwd=ref.directory or None, env=dict(variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failed(ref, f"did not answer within {SECONDS:.0f} seconds") from None
    except (OSError, ValueError) as error:
        reason = "was not found" if isinstance(error, FileNotFoundError) else "could not be started"
        raise _failed(ref, reason) from None
    if done.returncode != 0:
        raise _failed(ref, f"failed with exit code {done.returncode}; its messages are not shown, for they may tell")
    return done.stdout


def _failed(ref: SecretRef, reason: str) -> MaterialError:
    hint = f"run it by hand in {ref.directory}" if ref.directory else "run it by hand"
    return MaterialError(f"{described(ref)} {reason}", where=str(ref.source), hint=hint)


def _checked(content: bytes, ref: SecretRef) -> bytes:
    if len(content) > MAX_BYTES:
        raise MaterialError(f"{described(ref)} gives more than {MAX_BYTES} bytes", where=str(ref.source))
    if content.endswith(b"\n"):
        content = content[: -2 if content.endswith(b"\r\n") else -1]
    # An empty file is somebody's decision; an empty variable is what CI hands out for a secret that does not exist.
    if not content and ref.kind != "file":
        raise MaterialError(
            f"{described(ref)} is empty",
            where=str(ref.source),
            hint="CI hands out an empty value for a secret that does not exist or is kept from this job; "
            "a password that really is the empty one is named as an empty file: {file: PATH}",
        )
    return content
