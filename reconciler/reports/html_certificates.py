"""The certificates of an HTML report: each distinct one once in the page, and links that download one or a chain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.reports.facts import colons, day, is_self_issued, key, name, serial, short_name
from reconciler.x509 import to_pem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Certificate

_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_USES = 12


@dataclass(frozen=True, slots=True)
class Download:
    """A link that holds what it downloads."""

    file_name: str
    uri: str


@dataclass(slots=True)
class Listed:
    """A certificate of the page and where it is used."""

    id: str
    certificate: Certificate
    uses: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Whose certificate it is."""
        return short_name(self.certificate)

    @property
    def until(self) -> str:
        """The day on which it ends."""
        return day(self.certificate.not_after)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What there is to say of it."""
        one = self.certificate
        usage = [*(one.extended_key_usage or ()), *sorted(one.key_usage or ())]
        facts = (
            ("Subject", name(one)),
            ("Issuer", one.issuer or ""),
            ("Names", ", ".join(one.subject_alt_names or ())),
            ("Valid", f"{day(one.not_before)} to {day(one.not_after)}"),
            ("Key", key(one)),
            ("Signature", one.signature_algorithm or ""),
            ("Usage", ", ".join(usage)),
            ("Authority", "yes" if one.is_ca else ""),
            ("Serial", serial(one) or ""),
            ("SHA-256", colons(one.sha256)),
            ("Cannot be parsed", one.problem or ""),
        )
        return [(label, text) for label, text in facts if text]

    @property
    def used_by(self) -> str:
        """The aliases that use it, as many as there is room for."""
        more = len(self.uses) - _MOST_USES
        return ", ".join(self.uses[:_MOST_USES]) + (f" and {more} more" if more > 0 else "")

    @property
    def download(self) -> Download | None:
        """The certificate as PEM; None where only facts of it were read, as from the list of a tenant."""
        uri = data_uri((self.certificate,))
        return None if uri is None else Download(file_name(self.title, self.certificate), uri)


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of an entry, leaf first."""

    alias: str
    certificates: tuple[Listed, ...]
    download: Download | None  # None for a chain of one: the certificate has a link of its own
    root: Listed | None  # the end of the chain when it is a root

    @property
    def is_complete(self) -> bool:
        """Whether it ends at a root."""
        return self.root is not None


class Certificates:
    """Everything that the page offers for download, in the order in which it is first mentioned."""

    def __init__(self) -> None:
        self._listed: dict[str, Listed] = {}

    def __len__(self) -> int:
        return len(self._listed)

    @property
    def all(self) -> list[Listed]:
        """Each distinct certificate once, by name."""
        return sorted(self._listed.values(), key=lambda listed: (listed.title.casefold(), listed.until, listed.id))

    def find(self, sha256: str) -> Listed | None:
        """The certificate with this fingerprint, if the page has it."""
        return self._listed.get(sha256)

    def add(self, certificate: Certificate, use: str) -> Listed:
        """A certificate that the page mentions, and the alias that uses it."""
        listed = self._listed.get(certificate.sha256)
        if listed is None:
            listed = self._listed[certificate.sha256] = Listed(f"c{len(self._listed) + 1}", certificate)
        if use not in listed.uses[-1:]:
            listed.uses.append(use)
        return listed

    def chain(self, alias: str, chain: Sequence[Certificate], use: str) -> Chain:
        """A chain that the page mentions."""
        listed = tuple(self.add(one, use) for one in chain)
        download = None
        if len(chain) > 1:
            uri = data_uri(chain)
            download = None if uri is None else Download(file_name(f"{alias}_chain", chain[0]), uri)
        last = listed[-1]
        return Chain(alias, listed, download, last if is_self_issued(last.certificate) else None)


def data_uri(chain: Sequence[Certificate]) -> str | None:
    """PEM in a data: URI (RFC 2397); of its characters only blanks and line feeds have to be escaped.

    None where the certificates themselves are not at hand.
    """
    try:
        pem = to_pem(chain).decode("ascii")
    except ReconcileError:
        return None
    return f"data:application/x-pem-file,{pem.replace(' ', '%20').replace(chr(10), '%0A')}"


def file_name(title: str, certificate: Certificate) -> str:
    """A name that every file system takes."""
    plain = _NOT_IN_FILE_NAMES.sub("_", title).strip("._-")[:60]
    return f"{plain or certificate.sha256[:16]}.pem"
