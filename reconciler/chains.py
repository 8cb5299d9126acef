"""Putting certificates in order: a chain from the leaf upwards, completed from whatever is at hand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.model import Certificate

    Verify = Callable[[Certificate, Certificate], bool]

# Real hierarchies have three or four levels.
MAX_LENGTH = 20
# Signature checks for one chain: a pool full of certificates with one name must not keep us busy.
MAX_CHECKS = 200


def chain_from(leaf: Certificate, pool: Iterable[Certificate], verify: Verify) -> tuple[Certificate, ...]:
    """The chain of `leaf`, as long as `pool` allows: each certificate is signed by the next, self-issued ones end it.

    Among several issuers of one name those with the right key identifier come first, then those that end a chain, then
    those that are valid longest: so that of two cross-signed variants the self-signed one is taken.

    Args:
        leaf: Where the chain begins.
        pool: What may go into it.
        verify: Whether the first certificate was signed with the key of the second.
    """
    by_subject: dict[str, list[Certificate]] = {}
    for one in {one.sha256: one for one in pool}.values():
        if one.subject_key is not None:
            by_subject.setdefault(one.subject_key, []).append(one)
    chain, checks = [leaf], 0
    while len(chain) < MAX_LENGTH and not is_self_issued(chain[-1]):
        issuer, spent = _issuer(chain, by_subject, verify, MAX_CHECKS - checks)
        checks += spent
        if issuer is None:
            break
        chain.append(issuer)
    return tuple(chain)


def _issuer(
    chain: Sequence[Certificate], by_subject: dict[str, list[Certificate]], verify: Verify, budget: int
) -> tuple[Certificate | None, int]:
    child = chain[-1]
    there = {one.sha256 for one in chain}
    candidates = [one for one in by_subject.get(child.issuer_key or "", ()) if one.sha256 not in there]
    candidates.sort(key=lambda one: _preference(child, one))
    for spent, one in enumerate(candidates[:budget], 1):
        if verify(child, one):
            return one, spent
    return None, min(len(candidates), budget)


def _preference(child: Certificate, issuer: Certificate) -> tuple[bool, bool, float, str]:
    wanted = child.authority_key_identifier
    fits = wanted is not None and wanted == issuer.subject_key_identifier
    until = issuer.not_after.timestamp() if issuer.not_after is not None else 0.0
    # The fingerprint at the end, so that the same pool gives the same chain in whatever order it comes.
    return not fits, not is_self_issued(issuer), -until, issuer.sha256


def is_self_issued(certificate: Certificate) -> bool:
    """Whether a certificate names itself as its issuer."""
    return certificate.subject_key is not None and certificate.subject_key == certificate.issuer_key


def is_complete(chain: Sequence[Certificate]) -> bool:
    """Whether a chain ends at a certificate that needs no issuer."""
    return bool(chain) and is_self_issued(chain[-1])


def leaf_for(public_key_sha256: str, certificates: Iterable[Certificate]) -> Certificate | None:
    """The certificate over a given key; the one that is valid longest where there are several."""
    fitting = [one for one in certificates if one.public_key_sha256 == public_key_sha256]
    return max(fitting, key=lambda one: one.not_after.timestamp() if one.not_after else 0.0, default=None)
