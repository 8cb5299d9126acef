"""The recorded chain of a receiver: a PEM file in the repository, its own certificate first, with notes above it.

The notes are explanatory text (RFC 7468, section 2): any program reads the certificates, people read the notes, and
`drift` compares both with what the receiver does today. There is no time in the file, so that recording the same twice
changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.desired.paths import read_if_there
from reconciler.errors import MaterialError
from reconciler.words import one_line
from reconciler.x509 import is_signed_by, load_certificates, to_pem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.desired.paths import Place
    from reconciler.model import Certificate, Receiver

MAX_BYTES = 1_000_000
# `jdk.tls.client.maxInboundCertificateChainLength`: from a longer chain Java turns away.
MAX_CERTIFICATES = 10

_ASKED, _NOT_ASKED = "asked for", "not asked for"
_ASKS = re.compile(rf"^Client certificate: ({_ASKED}|{_NOT_ASKED})\s*$", re.MULTILINE)
_ACCEPTS = re.compile(r"^Accepts: (.*\S)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RecordedChain:
    """What a receiver showed when it was recorded; see `model.Receiver`."""

    certificates: tuple[Certificate, ...]
    asks: bool | None = None
    accepts: tuple[str, ...] = ()


def read_recorded(place: Place) -> RecordedChain | None:
    """The recorded chain at `place`; None when nothing was recorded yet.

    Raises:
        MaterialError: the file is not what it should be.
    """
    if any(step.lower() == ".git" for step in PurePath(place.path).parts):
        raise MaterialError(f"{place.shown} lies inside `.git`", hint="name a file that can be committed")
    content = read_if_there(*place, MAX_BYTES)
    if content is None or not content.strip():
        return None
    try:
        certificates = load_certificates(content)
        _check(certificates)
    except MaterialError as error:
        hint = error.hint or "record it anew: `reconcile receivers record`"
        raise MaterialError(f"{place.shown}: {error.message}", hint=hint) from None
    notes = content.decode("utf-8", "replace")
    asks = _ASKS.search(notes)
    return RecordedChain(certificates, asks and asks[1] == _ASKED, tuple(_ACCEPTS.findall(notes)))


def _check(certificates: Sequence[Certificate]) -> None:
    if len(certificates) > MAX_CERTIFICATES:
        raise MaterialError(f"{len(certificates)} certificates; from a server Java takes {MAX_CERTIFICATES} at most")
    for number, one in enumerate(certificates, 1):
        if one.problem is not None:
            raise MaterialError(f"certificate {number} cannot be read: {one.problem}")
    leaf, *others = certificates
    for other in others:
        if other.der != leaf.der and other.issuer_key == leaf.subject_key and is_signed_by(other, leaf):
            message = f"the server's own certificate must come first, and the first one ({leaf.subject}) signed others"
            raise MaterialError(message)


def recorded_text(
    receiver: Receiver, certificates: Sequence[Certificate], *, asks: bool | None, accepts: Sequence[str]
) -> bytes:
    """The content of the file; equal for equal facts."""
    notes = [f"Receiver: {one_line(receiver.name)}", f"Address: {receiver.address}"]
    notes += [f"Server name: {receiver.server_name}"] if receiver.server_name else []
    notes += list(_client_notes(asks, accepts))
    blocks = [_block(one) for one in certificates]
    return "".join(f"{note}\n" for note in notes).encode() + b"".join(blocks)


def _client_notes(asks: bool | None, accepts: Sequence[str]) -> Iterator[str]:  # noqa: FBT001  # one fact
    if asks is not None:
        yield f"Client certificate: {_ASKED if asks else _NOT_ASKED}"
    yield from (f"Accepts: {one_line(name)}" for name in sorted(set(accepts)))


def _block(one: Certificate) -> bytes:
    until = f"{one.not_after:%Y-%m-%d}" if one.not_after else "?"
    notes = f"\nSubject: {one_line(one.subject or '')}\nIssuer: {one_line(one.issuer or '')}\nValid until: {until}\n"
    return f"{notes}SHA-256: {one.sha256}\n".encode() + to_pem([one])
