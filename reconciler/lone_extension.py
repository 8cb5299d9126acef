"""A certificate with one of its extensions alone: for a strict parser, from which a malformed one hides the others.

Pure. What comes out is for reading only: its signature fits nothing.
"""

from __future__ import annotations

from reconciler import der

# RFC 5280, 4.1: the field of TBSCertificate with the extensions.
_EXTENSIONS = der.CONTEXT | der.CONSTRUCTED | 3


def with_only(certificate: bytes, oid: str) -> bytes | None:
    """The certificate with every extension `oid` and no other; None where it has none.

    Raises:
        DerError: it is no certificate.
    """
    whole = der.read(certificate)
    body, signature = whole.inner("the body of a certificate"), whole.children(3)[1:]
    fields, kept = [], []
    for field in body.iterate():
        if field.tag == _EXTENSIONS:
            kept += [one.raw for one in field.inner("extensions").iterate() if one.inner("an extension").oid() == oid]
        else:
            fields.append(field.raw)
    if not kept:
        return None
    alone = der.sequence(*fields, der.explicit(3, der.sequence(*kept)))
    return der.sequence(alone, *(one.raw for one in signature))
