"""`trustedRoots`: certificates from files and from Mozilla's bundle, held to their pins.

No certificate is parsed here unless it stands in a file without a pin: what matters are its bytes and their SHA-256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.desired.paths import read_file
from reconciler.desired.pins import normalised_pin, with_colons
from reconciler.errors import MaterialError
from reconciler.model import WantedCertificate
from reconciler.x509 import load_certificates

if TYPE_CHECKING:
    from reconciler.desired.document import Section
    from reconciler.desired.paths import Base
    from reconciler.model import Certificate, Source

# The largest root in public use has 3 kB; with the text of `openssl x509 -text` before it 10.
MAX_BYTES = 1_000_000


def trusted_root(alias: str, written: Section, source: Source, base: Base) -> WantedCertificate:
    """One entry of `trustedRoots`, whose shape the schema has approved.

    Raises:
        MaterialError: the file, the certificate in it, or its pin is not what it should be.
    """
    pin = normalised_pin(written["sha256"]) if "sha256" in written else None
    if "file" not in written:
        certificate, origin = _from_bundle(alias, pin or ""), "bundle mozilla"
    else:
        certificate, origin = _from_file(written["file"], pin, base), base.show(written["file"])
    return WantedCertificate(alias, source, certificate, pin is not None, origin, written.get("replaces"))


def _from_file(written: str, pin: str | None, base: Base) -> Certificate:
    shown = base.show(written)
    certificate = _only_certificate(read_file(base.inside(written), shown, MAX_BYTES), shown)
    if pin is None and certificate.problem is not None:
        raise MaterialError(f"{shown} holds no certificate that can be read: {certificate.problem}")
    if pin is not None and certificate.sha256 != pin:
        raise MaterialError(
            f"the certificate in {shown} is not the pinned one: its SHA-256 is {with_colons(certificate.sha256)}",
            hint="find out which of the two is right, from a source that you trust; then mend the file or the pin",
        )
    return certificate


def _only_certificate(content: bytes, shown: str) -> Certificate:
    try:
        certificates = load_certificates(content)
    except MaterialError as error:
        raise MaterialError(f"{shown}: {error.message}", hint=error.hint) from None
    if len(certificates) != 1:
        raise MaterialError(
            f"{shown} holds {len(certificates)} certificates, and one alias takes exactly one",
            hint="split the file: one file and one alias for each certificate",
        )
    return certificates[0]


def _from_bundle(alias: str, pin: str) -> Certificate:
    from reconciler.desired import mozilla

    root = mozilla.bundle().get(pin)
    if root is not None:
        return root.certificate
    hint = "Mozilla may have dropped it; commit the certificate and name it with `file`"
    if near := mozilla.similar_to(alias):
        hint = f"{near[1].label} has the pin {with_colons(near[0])}"
    count = len(mozilla.bundle())
    raise MaterialError(
        f"none of the {count} roots of the Mozilla bundle ({mozilla.version()}) has this pin", hint=hint
    )
