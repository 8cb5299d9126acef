"""From a live keystore to a state file that describes it: what git would have held from the start. Pure.

Roots of the Mozilla bundle are referred to by fingerprint, other certificates come with a file, key pairs are watched
(`existing: true`: a private key never leaves its keystore). Entries of SAP are left out: nothing can be said of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import EntryKind, StoreType
from reconciler.ownership import PREVIOUS_SUFFIX, STAGING_SUFFIX, alias_key, protected_by
from reconciler.words import with_colons

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from reconciler.model import Certificate, Entry, Snapshot


@dataclass(frozen=True, slots=True)
class Adopted:
    """A state file and the certificates that it names.

    Attributes:
        text: The YAML.
        certificates: Path relative to the state file -> certificate.
        left_out: Alias -> why the file does not name it.
    """

    text: str
    certificates: Mapping[str, Certificate]
    left_out: Mapping[str, str]


def adopt(
    live: Snapshot,
    keystore: Mapping[str, object],
    bundle: Collection[str],
    file_name: Callable[[str, str], str],
    unfit: Callable[[str], str | None],
) -> Adopted:
    """Describe a live keystore.

    Args:
        live: What is there.
        keystore: The section `keystore`, as plain data.
        bundle: The SHA-256 of the certificates in the Mozilla bundle.
        file_name: A file name that is safe on every system, from an alias and an ending.
        unfit: Why an alias cannot be declared, or None when it can.
    """
    work = _Adoption(bundle, file_name, unfit, in_tenant=live.type is StoreType.SAP_CLOUD_INTEGRATION)
    for entry in sorted(live.entries, key=lambda one: alias_key(one.alias)):
        work.take(entry, [other for other in live.entries if alias_key(other.alias) == alias_key(entry.alias)])
    return Adopted("".join(work.lines(keystore)), work.certificates, work.left_out)


class _Adoption:
    def __init__(
        self,
        bundle: Collection[str],
        file_name: Callable[[str, str], str],
        unfit: Callable[[str], str | None],
        *,
        in_tenant: bool,
    ) -> None:
        self._in_tenant = in_tenant
        self._bundle = bundle
        self._file_name = file_name
        self._unfit = unfit
        self._roots: list[str] = []
        self._pairs: list[str] = []
        self.certificates: dict[str, Certificate] = {}
        self.left_out: dict[str, str] = {}

    def take(self, entry: Entry, same: list[Entry]) -> None:
        if reason := self._reason_to_leave_out(entry, same):
            self.left_out[entry.alias] = reason
        elif entry.kind is EntryKind.TRUSTED_CERTIFICATE:
            self._roots += self._root(entry)
        else:
            self._pairs += _pair(entry)

    def _reason_to_leave_out(self, entry: Entry, same: list[Entry]) -> str | None:
        if pattern := protected_by(entry.alias, entry.owner):
            return f"belongs to SAP ({pattern})"
        if entry.kind not in {EntryKind.TRUSTED_CERTIFICATE, EntryKind.KEY_PAIR} or not entry.chain:
            return f"a {entry.kind} cannot be declared"
        if len(same) > 1:
            return "stands there in several spellings"
        if not entry.reachable:
            return "Java cannot find it under the name that it is stored under"
        if alias_key(entry.alias).endswith(STAGING_SUFFIX):
            return f"names that end in {STAGING_SUFFIX} are reserved for renewed key pairs that wait"
        if self._in_tenant and alias_key(entry.alias).endswith(PREVIOUS_SUFFIX):
            return f"names that end in {PREVIOUS_SUFFIX} are reserved for key pairs that were replaced"
        return self._unfit(entry.alias)

    def _root(self, entry: Entry) -> Iterator[str]:
        one = entry.chain[0]
        yield from _comment(one)
        yield f"  {scalar(entry.alias)}:\n"
        if one.sha256 in self._bundle:
            yield "    bundle: mozilla\n"
        else:
            path = self._free_path(self._file_name(entry.alias, ".pem"))
            self.certificates[path] = one
            yield f"    file: {scalar(path)}\n"
        yield f'    sha256: "{with_colons(one.sha256)}"\n'

    def _free_path(self, name: str) -> str:
        """Aliases that differ in what a file name cannot hold get a number."""
        stem, dot, ending = name.rpartition(".")
        taken = {path.lower() for path in self.certificates}
        candidates = (f"certs/{stem}{f'-{number}' if number else ''}{dot}{ending}" for number in range(10**6))
        return next(path for path in candidates if path.lower() not in taken)

    def lines(self, keystore: Mapping[str, object]) -> Iterator[str]:
        yield "# yaml-language-server: $schema=./keystore.schema.json\n"
        yield "# Written by `reconcile adopt` from the live keystore: read it, then let git have it.\n"
        yield "apiVersion: reconciler/v1\n\nkeystore:\n"
        for key, value in keystore.items():
            yield f"  {key}: {_flow(value)}\n"
        yield "\naliases:\n  unmanaged: report\n"
        if self._roots:
            yield "\ntrustedRoots:\n"
            yield from self._roots
        if self._pairs:
            yield "\n# Watched, never written. To let reconcile renew one, describe its key, subject and issuer.\n"
            yield "keyPairs:\n"
            yield from self._pairs
        if self.left_out:
            yield "\n# Not declared:\n"
            for alias, reason in self.left_out.items():
                yield f"#   {scalar(alias)}: {reason}\n"


def _pair(entry: Entry) -> Iterator[str]:
    yield from _comment(entry.chain[0])
    yield f"  {scalar(entry.alias)}:\n    existing: true\n"
    yield f'    sha256: "{with_colons(entry.chain[0].sha256)}"\n'


def _comment(one: Certificate) -> Iterator[str]:
    until = f"{one.not_after:%Y-%m-%d}" if one.not_after else "an unreadable date"
    yield f"  # {json.dumps(one.subject or 'a certificate that cannot be parsed')[1:-1]}, valid until {until}\n"


# What YAML readers of any version take for text: not a number, not yes/no, not a date, no special character.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def scalar(text: str) -> str:
    """`text` as a YAML scalar that is text to every reader."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    # JSON strings are YAML double-quoted scalars once everything beyond ASCII is escaped or plain.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _flow(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case _:
            return scalar(str(value))
