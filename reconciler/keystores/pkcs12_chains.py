"""The chain that Java shows for a private key: looked for among all certificates of the file.

`sun.security.pkcs12.PKCS12KeyStore.engineLoad` follows the issuers from the leaf until a certificate is self-signed, a
certificate comes again, or no issuer is found. Which certificate is the issuer is decided by name and, where both
certificates have one, by key identifier (`findIssuer`).

What is needed of a certificate is read here with the lenient reader and only when there is a private key at all:
ten thousand trusted roots without a key cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler import der
from reconciler.der import DerError, header
from reconciler.errors import KeystoreUnreadableError
from reconciler.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Certificate

# Java has no limit here; its path validation has one of 5 intermediates (jdk.security.maxPathLen… 10 in TLS).
MAX_CHAIN = 100

_SUBJECT_KEY_IDENTIFIER = der.object_identifier("2.5.29.14")[2:]
_AUTHORITY_KEY_IDENTIFIER = der.object_identifier("2.5.29.35")[2:]


class Links(NamedTuple):
    """What ties a certificate to its issuer, as it stands in the certificate."""

    subject_name: bytes
    issuer_name: bytes
    extensions: bytes

    @property
    def subject(self) -> str | None:
        """As Java compares it; None when it cannot be read, and then it equals no other."""
        return canonical_name(self.subject_name)

    @property
    def issuer(self) -> str | None:
        return canonical_name(self.issuer_name)

    @property
    def subject_key_identifier(self) -> bytes | None:
        """The content of the extension: an OCTET STRING, header included."""
        return _extension(self.extensions, _SUBJECT_KEY_IDENTIFIER)

    @property
    def authority_key_identifier(self) -> bytes | None:
        """The key identifier in the same form; None where the extension names the issuer in another way only."""
        extension = _extension(self.extensions, _AUTHORITY_KEY_IDENTIFIER)
        try:
            parts = der.read(extension).expect(der.SEQUENCE, "an extension").iterate() if extension else ()
            return next((der.octet_string(part.content) for part in parts if part.tag == der.CONTEXT), None)
        except DerError:
            return None


def links_of(certificate: bytes) -> Links:
    """Subject, issuer and extensions of a certificate; whatever it is, nothing is raised."""
    try:
        _, body, end, _ = header(certificate, 0, len(certificate))
        _, position, end, _ = header(certificate, body, end)
        fields: list[tuple[int, int, int]] = []
        while position < end:
            start = position
            tag, _, _, position = header(certificate, position, end)
            if tag != 0xA0 or fields:  # the version, where there is one
                fields.append((tag, start, position))
        issuer, subject = fields[2], fields[4]
    except (DerError, IndexError):
        return Links(b"", b"", b"")
    extensions = next((certificate[start:after] for tag, start, after in fields[6:] if tag == 0xA3), b"")
    return Links(certificate[subject[1] : subject[2]], certificate[issuer[1] : issuer[2]], extensions)


def _extension(extensions: bytes, oid: bytes) -> bytes | None:
    """The content of the OCTET STRING around the extension called `oid`."""
    try:
        entries = der.read(extensions).inner("extensions").iterate(1000) if extensions else ()
        for entry in entries:
            parts = entry.children(3)
            if parts and parts[0].content == oid:
                return parts[-1].octets()
    except DerError:
        return None
    return None


class _Namesakes:
    """The certificates of one subject, in file order, arranged so that the issuer is found in one step."""

    __slots__ = ("by_identifier", "first", "last_without_identifier")

    def __init__(self, first: int) -> None:
        self.first = first
        self.last_without_identifier: int | None = None
        self.by_identifier: dict[bytes, int] = {}

    def add(self, position: int, links: Links) -> None:
        identifier = links.subject_key_identifier
        if identifier is None:
            self.last_without_identifier = position
        else:
            self.by_identifier.setdefault(identifier, position)


class ChainSearch:
    """Java's search over the certificates of a file, in file order."""

    def __init__(self, certificates: Sequence[Certificate]) -> None:
        self._certificates = certificates
        self._links: list[Links] | None = None
        self._by_subject: dict[str, list[int]] = {}
        self._namesakes: dict[str, _Namesakes] = {}
        self._issuers: dict[int, int | None] = {}

    def chain(self, leaf: int) -> list[int]:
        """The positions of the chain that begins at position `leaf`.

        Raises:
            KeystoreUnreadableError: it is longer than any chain can be.
        """
        chain: list[int] = []
        seen: set[bytes] = set()
        position: int | None = leaf
        while position is not None and (content := self._certificates[position].der) not in seen:
            if len(chain) >= MAX_CHAIN:
                raise KeystoreUnreadableError(f"a chain of more than {MAX_CHAIN} certificates")
            seen.add(content)
            chain.append(position)
            position = self._next(position)
        return chain

    def _next(self, position: int) -> int | None:
        if position not in self._issuers:
            self._issuers[position] = self._find_next(position)
        return self._issuers[position]

    def _find_next(self, position: int) -> int | None:
        issuer = self._find_issuer(position)
        if issuer is None or self._certificates[issuer].der == self._certificates[position].der:
            return None
        # Java asks whether a certificate is self-signed before it looks for an issuer. The answer matters only where
        # another certificate has the same name, and a signature costs more than a look.
        links = self._links_at(position)
        if links.subject == links.issuer and _is_self_signed(self._certificates[position]):
            return None
        return issuer

    def _find_issuer(self, position: int) -> int | None:
        links = self._links_at(position)
        namesakes = self._namesakes_of(links.issuer)
        if namesakes is None:
            return None
        identifier = links.authority_key_identifier
        if identifier is None:
            return namesakes.first
        return namesakes.by_identifier.get(identifier, namesakes.last_without_identifier)

    def _links_at(self, position: int) -> Links:
        if self._links is None:
            self._links = [links_of(certificate.der) for certificate in self._certificates]
            for index, links in enumerate(self._links):
                subject = links.subject
                if subject is not None:
                    self._by_subject.setdefault(subject, []).append(index)
        return self._links[position]

    def _namesakes_of(self, subject: str | None) -> _Namesakes | None:
        if subject is None or subject not in self._by_subject:
            return None
        if subject not in self._namesakes:
            positions = self._by_subject[subject]
            namesakes = _Namesakes(positions[0])
            for position in positions:
                namesakes.add(position, self._links_at(position))
            self._namesakes[subject] = namesakes
        return self._namesakes[subject]


def _is_self_signed(certificate: Certificate) -> bool:
    from reconciler.x509 import is_signed_by

    return is_signed_by(certificate, certificate)
