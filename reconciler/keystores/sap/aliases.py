"""Aliases as the API wants them: hexadecimal in URLs, escaped in the list of a mass deletion, of a limited length."""

from __future__ import annotations

from reconciler.errors import RefusedError
from reconciler.ownership import looks_protected_by, protected_by

MAX_LENGTH = 250  # SAP Help, "Changing the Alias of a Keystore Entry"; Edm.String(250) in the metadata


class AliasError(RefusedError):
    """An alias that a tenant cannot hold, found before anything is sent."""

    exit_code = 1


def hexalias(alias: str) -> str:
    """The key in a URL: the UTF-8 bytes in upper-case hexadecimal, since slashes are refused even when encoded.

    Raises:
        AliasError: the alias is not valid Unicode.
    """
    try:
        return alias.encode().hex().upper()
    except UnicodeEncodeError:
        raise AliasError(f"the alias {alias!a} is not valid Unicode") from None


def from_hexalias(text: str) -> str | None:
    """The alias behind a key, in either case; None when it is none."""
    try:
        return bytes.fromhex(text).decode()
    except ValueError:
        return None


def writable(alias: str) -> str:
    """The alias, when a writing request may carry it.

    The guard has refused protected aliases long before; this is the last lock, in the place where URLs are built.

    Raises:
        RefusedError: the alias is SAP's or looks like it.
        AliasError: empty, too long, or with control characters.
    """
    if pattern := protected_by(alias) or looks_protected_by(alias):
        raise RefusedError(
            f"the alias {alias!a} belongs to SAP ({pattern}) and is never written", hint="use another alias"
        )
    if not alias or len(alias) > MAX_LENGTH:
        raise AliasError(f"an alias in a tenant has 1 to {MAX_LENGTH} characters, {alias[:40]!a}… has {len(alias)}")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in alias):
        raise AliasError(f"the alias {alias!a} has control characters, which a tenant does not accept")
    hexalias(alias)
    return alias


def mass_deletion_of(alias: str) -> str:
    r"""The value of `Aliases` that names exactly this one: `;` separates, and `\` escapes `;` and itself."""
    return alias.replace("\\", "\\\\").replace(";", "\\;")
