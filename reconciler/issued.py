"""What must be true of an issued certificate before it is stored, and how a new one compares with the old one. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.chains import chain_from, is_complete, is_self_issued, leaf_for
from reconciler.expiry import day, renewal_due
from reconciler.words import names_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.chains import Verify
    from reconciler.model import Certificate, WantedKeyPair

# An issuer looks at its own clock, and a little later than we looked at ours.
SKEW = timedelta(minutes=1)
ANY_USAGE = "anyExtendedKeyUsage"


class Rejected:
    """Why an issued certificate is not stored."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def judge_issued(  # noqa: PLR0913, PLR0917  # each is a fact of its own
    certificates: Sequence[Certificate],
    wanted: WantedKeyPair,
    public_key_sha256: str,
    pool: Iterable[Certificate],
    now: datetime,
    verify: Verify,
) -> tuple[Certificate, ...] | Rejected:
    """The chain of a certificate that an issuer returned, leaf first and complete, or why it is not to be stored.

    Args:
        certificates: What came back, in any order, with or without the root.
        wanted: What was asked for.
        public_key_sha256: The key that it must certify.
        pool: What the chain may be completed from: trusted roots, the live store, `chain:` files.
        now: The moment that it must be valid at.
        verify: Whether the first certificate was signed with the key of the second.
    """
    leaf = leaf_for(public_key_sha256, certificates)
    if leaf is None:
        return Rejected("it certifies another key than the one that waits for it")
    chain = chain_from(leaf, [*certificates, *pool], verify)
    for problem in (*_leaf_problems(leaf, wanted, now), *_chain_problems(chain, now)):
        return Rejected(problem)
    return chain


def _leaf_problems(leaf: Certificate, wanted: WantedKeyPair, now: datetime) -> Iterator[str]:
    if leaf.not_after is None or leaf.not_before is None:
        yield "its validity cannot be read"
        return
    if now > leaf.not_after:
        yield f"it expired on {day(leaf.not_after)}"
    if now + SKEW < leaf.not_before:
        yield f"it is not valid before {leaf.not_before:%Y-%m-%d %H:%M} UTC"
    due = renewal_due(leaf, wanted.renew_before)
    if due is not None and now >= due:
        yield f"it is valid until {day(leaf.not_after)} only: its renewal would be due at once"
    yield from _name_problems(leaf, wanted)
    if missing := _lost(wanted.extended_key_usage, leaf.extended_key_usage):
        yield f"it lacks the extended key usage {names_text(missing)}"
    if leaf.key_usage is not None and "digitalSignature" not in leaf.key_usage:
        yield "its key usage does not allow digital signatures, which TLS needs"


def _name_problems(leaf: Certificate, wanted: WantedKeyPair) -> Iterator[str]:
    have = {name.lower() for name in leaf.subject_alt_names or ()}
    if missing := [name for name in wanted.subject_alt_names if name.lower() not in have]:
        yield f"it lacks the declared names {names_text(missing)}"
    asked, got = common_name(wanted.subject), common_name(leaf.subject_attributes or ())
    if asked and asked.lower() != (got or "").lower():
        yield f"it carries the common name {got or 'none'} and not {asked}"


def _lost(asked: Iterable[str], got: Sequence[str] | None) -> list[str]:
    """Usages that were asked for and are not granted; without the extension everything is (RFC 5280, 4.2.1.12)."""
    if got is None or ANY_USAGE in got:
        return []
    return [usage for usage in asked if usage not in got]


def _chain_problems(chain: Sequence[Certificate], now: datetime) -> Iterator[str]:
    if not is_complete(chain):
        yield (
            f"its chain is incomplete: the issuer {chain[-1].issuer or '?'} is not at hand; "
            "add its certificate to trustedRoots or to chain:"
        )
    for one in chain[1:]:
        # A version 1 root has no extensions to say that it is one.
        if one.is_ca is not True and not (one.version == 1 and is_self_issued(one)):
            yield f"its issuer {one.subject or '?'} is no certificate authority"
        if one.not_after is not None and now > one.not_after:
            yield f"the certificate of its issuer {one.subject or '?'} expired on {day(one.not_after)}"


def outlives(wanted: WantedKeyPair, authority: Certificate, now: datetime) -> str | None:
    """Why a CA is not asked: a certificate that begins now would end after that of the CA."""
    if authority.not_after is None or now + wanted.validity <= authority.not_after:
        return None
    return (
        f"the CA {authority.subject} is valid until {day(authority.not_after)} only: a certificate for the declared "
        "validity would outlive it"
    )


OUTLIVES_HINT = "renew the CA, or declare a shorter validity"


def common_name(attributes: Sequence[tuple[str, str]]) -> str | None:
    """The most specific common name of a subject."""
    return next((value for name, value in reversed(attributes) if name == "CN"), None)


# --------------------------------------------------------------------------------------- old against new


def classify(old: Certificate, new: Certificate) -> str:
    """How a certificate changes: re-keyed, other-issuer, names-changed or same-key-renewed."""
    if old.public_key_sha256 != new.public_key_sha256:
        return "re-keyed"
    if old.issuer_key != new.issuer_key:
        return "other-issuer"
    if (old.subject_key, old.subject_alt_names) != (new.subject_key, new.subject_alt_names):
        return "names-changed"
    return "same-key-renewed"


def weaknesses(old: Certificate, new: Certificate) -> tuple[str, ...]:
    """In what a new certificate is weaker than the old one, one sentence each."""
    return tuple(
        _weaker(
            old,
            new.key_algorithm,
            new.key_size,
            new.subject_alt_names or (),
            new.extended_key_usage,
            new.signature_algorithm,
        )
    )


def planned_weaknesses(old: Certificate, wanted: WantedKeyPair) -> tuple[str, ...]:
    """The same for a certificate that is yet to be made."""
    size = {"secp256r1": 256, "secp384r1": 384, "secp521r1": 521}.get(wanted.key.curve or "", wanted.key.size)
    return tuple(
        _weaker(old, wanted.key.algorithm, size, wanted.subject_alt_names, wanted.extended_key_usage or None, None)
    )


def _weaker(  # noqa: PLR0913, PLR0917  # the facts of a certificate
    old: Certificate,
    algorithm: str | None,
    size: int | None,
    names: Sequence[str],
    usages: Sequence[str] | None,
    signature: str | None,
) -> Iterator[str]:
    if algorithm == old.key_algorithm and size is not None and old.key_size is not None and size < old.key_size:
        yield f"a smaller key: {size} instead of {old.key_size} bits"
    if signature is not None and _hash_bits(signature) < _hash_bits(old.signature_algorithm or ""):
        yield f"a weaker signature: {signature} instead of {old.signature_algorithm}"
    if lost := [name for name in old.subject_alt_names or () if name not in names]:
        yield f"a name is lost: {names_text(lost)}"
    if "clientAuth" in (old.extended_key_usage or ()) and _lost(["clientAuth"], usages):
        yield "the extended key usage clientAuth is lost"


def _hash_bits(signature: str) -> int:
    """The strength of a signature's hash; one that names none (Ed25519) is not called weak."""
    for name, bits in (("MD2", 0), ("MD5", 0), ("SHA1", 80), ("SHA224", 112), ("SHA256", 128), ("SHA384", 192)):
        if signature.startswith(name):
            return bits
    return 256 if signature else 0
