"""What is true of a declared key pair: its content, its chain, what waits under `<alias>.next`, and the CA's answer.

Pure. The checks stand in one ordered list; the first that finds something decides:

    a staged key pair that is complete       -> ready-to-activate (or taken over at once)
    something waits for a CA's answer        -> response-ready, response-rejected, awaiting-signature
    the live certificate is not as declared  -> differs
    its chain has gaps that can be closed    -> differs

What is left is in sync, and only the clock can still say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from reconciler.chains import chain_from, is_complete, is_self_issued
from reconciler.expiry import day, expiry_of
from reconciler.issued import Rejected, common_name, judge_issued
from reconciler.model import Difference, Expiry, Status
from reconciler.words import chain_text, key_text, names_text, subject_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.chains import Verify
    from reconciler.model import Certificate, Correspondence, Entry, RequestFacts, WantedKeyPair

SELF_SIGNED, LOCAL_CA, EXTERNAL = "self-signed", "local-ca", "external"
# Issuers that do not leave the subject as it was asked for: what they answered to our own request is not drift.
REWRITING = frozenset({EXTERNAL, "command"})

# Reasons that planning maps to steps.
ACTIVATED, AWAITING_APPROVAL, AUTOMATIC = "activated", "awaiting-approval", "automatic"
REQUEST_MISSING, REQUEST_OUTDATED, REQUESTED = "request-missing", "request-outdated", "requested"
CHAIN, KEY_SPEC = "chain", "key-spec"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    status: Status
    reason: str
    message: str
    differences: tuple[Difference, ...] = ()
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a check may look at.

    Attributes:
        wanted: What the file asks for.
        live: The entry under the alias.
        staged: The key pair under `<alias>.next`, if there is one.
        pool: What chains can be completed from.
        now: The moment.
        verify: Whether one certificate was signed with the key of another.
    """

    wanted: WantedKeyPair
    live: Entry
    staged: Entry | None
    pool: tuple[Certificate, ...]
    now: datetime
    verify: Verify

    @property
    def leaf(self) -> Certificate:
        """The live certificate."""
        return self.live.chain[0]

    @property
    def waiting(self) -> Entry:
        """The entry whose key a CA is asked to certify."""
        return self.staged or self.live

    @property
    def expiry(self) -> Expiry:
        """How the live certificate stands against the clock."""
        return expiry_of(self.leaf, self.wanted.renew_before, self.now)


def is_placeholder(wanted: WantedKeyPair, entry: Entry) -> bool:
    """Whether an entry carries the self-signed certificate under which a key waits for a CA."""
    return wanted.issuer.type == EXTERNAL and is_self_issued(entry.chain[0])


def judge_key_pair(case: Case) -> Verdict | None:
    """The first thing that is not as declared, or None."""
    return next((verdict for check in _CHECKS if (verdict := check(case)) is not None), None)


# ------------------------------------------------------------------------------------- what waits for approval


def _is_staged(case: Case) -> Verdict | None:
    staged, wanted = case.staged, case.wanted
    if staged is None or is_placeholder(case.wanted, staged) or content_differences(wanted, staged.chain):
        return None
    leaf = staged.chain[0]
    if expiry_of(leaf, wanted.renew_before, case.now) is not Expiry.OK:
        return None  # it waited too long and is renewed in its place
    text = f"the renewed key pair {staged.alias}, valid until {day(leaf.not_after)}"
    if wanted.activation != "approved":
        return Verdict(Status.READY_TO_ACTIVATE, AUTOMATIC, f"{text}, takes over")
    if wanted.activate == leaf.sha256:
        return Verdict(Status.READY_TO_ACTIVATE, ACTIVATED, f"{text}, was approved")
    return Verdict(Status.READY_TO_ACTIVATE, AWAITING_APPROVAL, f"{text}, waits for `activate: {leaf.sha256}`")


# ------------------------------------------------------------------------------------- what waits for a CA


def _answer(case: Case) -> Verdict | None:
    """An answer that is there: ready, or rejected where one is waited for."""
    letters = case.wanted.correspondence
    if letters is None:
        return None
    awaited = is_awaiting(case)
    if letters.response_problem is not None:
        return _rejected(letters, letters.response_problem) if awaited else None
    if letters.response is None or _is_spent(case, letters.response):
        return None
    key = case.waiting.chain[0].public_key_sha256 or ""
    judged = judge_issued(letters.response, case.wanted, key, case.pool, case.now, case.verify)
    if isinstance(judged, Rejected):
        return _rejected(letters, judged.reason) if awaited else None
    message = f"the answer {letters.response_shown} fits the key, valid until {day(judged[0].not_after)}"
    return Verdict(Status.RESPONSE_READY, "response-ready", message, (), judged)


def _is_spent(case: Case, response: Sequence[Certificate]) -> bool:
    """Whether the answer is one that was already put in place."""
    live = {one.sha256 for entry in (case.live, case.staged) if entry is not None for one in entry.chain[:1]}
    return any(one.sha256 in live for one in response)


def _rejected(letters: Correspondence, reason: str) -> Verdict:
    message = f"the answer {letters.response_shown} cannot be used: {reason}"
    return Verdict(Status.RESPONSE_REJECTED, "response-rejected", message)


def is_awaiting(case: Case) -> bool:
    """Whether a CA is being asked, or has to be: a placeholder waits, or a request for the live key is out."""
    letters = case.wanted.correspondence
    if letters is None:
        return False
    if is_placeholder(case.wanted, case.waiting):
        return True
    needed = case.expiry is not Expiry.OK or bool(content_differences(case.wanted, case.live.chain))
    return needed and not case.wanted.rekey and _request_state(case) == REQUESTED


def _request_state(case: Case) -> str:
    """Whether the request that is in the repository is the one that is needed now."""
    letters = case.wanted.correspondence
    request = letters.request if letters else None
    if request is None:
        return REQUEST_MISSING
    fits = request.public_key_sha256 == case.waiting.chain[0].public_key_sha256 and (
        # A tenant writes the request itself, from the certificate that is there.
        case.wanted.born_in_tenant
        or (
            _in_order(case.wanted, request.subject) == _in_order(case.wanted, case.wanted.subject)
            and set(request.subject_alt_names) == set(case.wanted.subject_alt_names)
        )
    )
    return REQUESTED if fits and _is_of_this_round(case, request) else REQUEST_OUTDATED


def _is_of_this_round(case: Case, request: RequestFacts) -> bool:
    """A renewal over the same key asks with the same words as the last one: what we noted above it tells them apart."""
    if request.requested is None:
        return True
    leaf = case.waiting.chain[0]
    return request.renews == (None if is_placeholder(case.wanted, case.waiting) else leaf.sha256)


def _is_awaiting_signature(case: Case) -> Verdict | None:
    letters = case.wanted.correspondence
    if letters is None or not is_awaiting(case) or _key_differs(case.wanted, case.waiting):
        return None
    state = _request_state(case)
    match state:
        case "requested":
            message = f"the signing request {letters.request_shown} is out{_age(case)}; no usable answer yet"
        case "request-missing":
            message = f"the key waits for its certificate{_age(case)}; the signing request is not in the repository"
        case _:
            message = f"the signing request {letters.request_shown} is not the one that is needed now"
    return Verdict(Status.AWAITING_SIGNATURE, state, message)


def _age(case: Case) -> str:
    """The placeholder's `notBefore` dates a waiting request; over the same key it is the day noted above it."""
    letters = case.wanted.correspondence
    request = letters.request if letters else None
    if is_placeholder(case.wanted, case.waiting):
        start = case.waiting.chain[0].not_before
        days = (case.now - start).days if start is not None else None
    else:
        days = (case.now.date() - request.requested).days if request and request.requested else None
    if days is None:
        return ""
    return f" for {days} day{'' if days == 1 else 's'}" if days > 0 else " since today"


def _key_differs(wanted: WantedKeyPair, entry: Entry) -> bool:
    return needs_new_key(wanted, content_differences(wanted, entry.chain))


def needs_new_key(wanted: WantedKeyPair, differences: Sequence[Difference]) -> bool:
    """Whether what differs cannot be had with the key that is there.

    A tenant's key never leaves it: nobody but the tenant writes its signing request, from the subject that it was made
    with and without alternative names, and a chain cannot be taken away from it again.
    """
    fields = {difference.field for difference in differences}
    if KEY_SPEC in fields:
        return True
    if wanted.generate_in is None or not fields:
        return False
    if wanted.issuer.type == SELF_SIGNED:
        return True
    return wanted.issuer.type in REWRITING and bool(fields & {"subject", "subject-alt-names", "extended-key-usage"})


# ------------------------------------------------------------------------------------------------- content


def _content(case: Case) -> Verdict | None:
    differences = content_differences(case.wanted, case.live.chain)
    if not differences:
        return None
    fields = ", ".join(difference.field for difference in differences)
    return Verdict(Status.DIFFERS, differences[0].field, f"another {fields} than declared", differences)


def content_differences(wanted: WantedKeyPair, live: Sequence[Certificate]) -> tuple[Difference, ...]:
    """In what the certificate of a key pair differs from what is declared."""
    leaf = live[0]
    if leaf.problem is not None or leaf.key_size is None:
        return (Difference("certificate", f"unreadable: {leaf.problem}", "a readable certificate"),)
    return tuple(difference for compare in _FIELDS if (difference := compare(wanted, leaf, live)) is not None)


def _key_spec(wanted: WantedKeyPair, leaf: Certificate, _live: Sequence[Certificate]) -> Difference | None:
    there = key_text(leaf.key_algorithm, leaf.key_size, leaf.curve)
    return _different(KEY_SPEC, there, key_text(wanted.key.algorithm, wanted.key.size, wanted.key.curve))


def _subject(wanted: WantedKeyPair, leaf: Certificate, live: Sequence[Certificate]) -> Difference | None:
    attributes = leaf.subject_attributes or ()
    declared = subject_text(_in_order(wanted, wanted.subject))
    if not _may_be_rewritten(wanted, live):
        return _different("subject", subject_text(_in_order(wanted, attributes)), declared)
    letters = wanted.correspondence
    request = letters.request if letters else None
    if request is not None and request.public_key_sha256 == leaf.public_key_sha256:
        # What this key was requested for: the CA may have rewritten it, the file may have changed since.
        return _different("subject", subject_text(_in_order(wanted, request.subject)), declared)
    asked, got = common_name(wanted.subject), common_name(attributes)
    if asked is None or asked.lower() == (got or "").lower():
        return None
    return Difference("subject", subject_text(attributes), subject_text(wanted.subject))


def _in_order(wanted: WantedKeyPair, attributes: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The parts of a subject; a tenant has an order of its own, and nobody can ask it for another."""
    return attributes if wanted.generate_in is None else sorted(attributes)


def _is_the_tenants(wanted: WantedKeyPair, live: Sequence[Certificate]) -> bool:
    """Whether a certificate is one that the tenant signed itself: nobody can ask it for names and usages."""
    return wanted.born_in_tenant and is_self_issued(live[0])


def _alternative_names(wanted: WantedKeyPair, leaf: Certificate, live: Sequence[Certificate]) -> Difference | None:
    if _is_the_tenants(wanted, live):
        return None
    have, asked = set(leaf.subject_alt_names or ()), set(wanted.subject_alt_names)
    if _may_be_rewritten(wanted, live) and asked <= have:
        return None  # a CA may add names, such as the common name
    return _different("subject-alt-names", names_text(have), names_text(asked))


def _usages(wanted: WantedKeyPair, leaf: Certificate, live: Sequence[Certificate]) -> Difference | None:
    if _is_the_tenants(wanted, live):
        return None
    have, asked = set(leaf.extended_key_usage or ()), set(wanted.extended_key_usage)
    if _may_be_rewritten(wanted, live) and (leaf.extended_key_usage is None or asked <= have):
        return None
    return _different("extended-key-usage", names_text(have), names_text(asked))


def _issuer(wanted: WantedKeyPair, leaf: Certificate, live: Sequence[Certificate]) -> Difference | None:
    own = is_self_issued(leaf)
    match wanted.issuer.type:
        case "self-signed":
            return None if own and len(live) == 1 else Difference("issuer", leaf.issuer or "unreadable", "self-signed")
        case "external":
            return None  # a placeholder waits; whoever else signed was asked by us
        case _:
            authority = wanted.issuer.certificates[0] if wanted.issuer.certificates else None
            if authority is None:
                return Difference("issuer", "self-signed", wanted.issuer.name or wanted.issuer.type) if own else None
            if leaf.issuer_key == authority.subject_key:
                return None
            return Difference("issuer", leaf.issuer or "unreadable", authority.subject or authority.sha256)


_FIELDS = (_key_spec, _subject, _alternative_names, _usages, _issuer)


def _may_be_rewritten(wanted: WantedKeyPair, live: Sequence[Certificate]) -> bool:
    return wanted.issuer.type in REWRITING and not is_self_issued(live[0])


def _different(field: str, live: str, wanted: str) -> Difference | None:
    return None if live == wanted else Difference(field, live, wanted)


# --------------------------------------------------------------------------------------------------- chain


def _chain(case: Case) -> Verdict | None:
    """Gaps or disorder in the chain that can be mended from what is at hand."""
    chain = case.live.chain
    if case.wanted.issuer.type == SELF_SIGNED or is_placeholder(case.wanted, case.live):
        return None
    if is_complete(chain) and all(case.verify(one, two) for one, two in pairwise(chain)):
        return None
    better = chain_from(chain[0], [*chain[1:], *case.pool], case.verify)
    if [one.sha256 for one in better] == [one.sha256 for one in chain] or len(better) < len(chain):
        return None
    difference = Difference(CHAIN, chain_text(chain), chain_text(better))
    return Verdict(Status.DIFFERS, CHAIN, "the chain is incomplete or out of order", (difference,), better)


_CHECKS = (_is_staged, _answer, _is_awaiting_signature, _content, _chain)
