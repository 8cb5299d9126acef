"""A change as two columns: the certificate before and what comes after, fact by fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import Action, Step, WantedCertificate, WantedImport, WantedKeyPair
from reconciler.reports.facts import (
    colons,
    day,
    declared_subject,
    duration_text,
    is_self_issued,
    key,
    name,
    serial,
    short_name,
)
from reconciler.words import key_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model import Certificate, Change, Entry

# What each classification of `certificate_change` means, in a few words.
CLASSIFICATIONS = {
    "same-key-renewed": "renewed with the same key",
    "re-keyed": "new key",
    "other-issuer": "other issuer",
    "names-changed": "other names",
    "weaker": "weaker than before",
}


# What a certificate that is still to be made cannot tell yet.
PENDING = "known when it is made"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the comparison; an empty text where a side has nothing to say."""

    label: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        """Whether both sides are known, and not the same."""
        return bool(self.before and self.after) and self.after not in {self.before, PENDING}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after of one change, with the chains that stand behind them."""

    facts: tuple[Fact, ...]
    before: tuple[Certificate, ...]
    after: tuple[Certificate, ...]

    @property
    def has_before(self) -> bool:
        """Whether something is there now."""
        return bool(self.before)

    @property
    def has_after(self) -> bool:
        """Whether something will be there afterwards, known already or still to be made."""
        return any(fact.after for fact in self.facts)


def compare_change(change: Change, after: Entry | None = None) -> Comparison:
    """The two columns of a change.

    Args:
        change: What is planned, or was done.
        after: After an apply, the entry that is there now.
    """
    old = change.before.chain if change.before else ()
    new = after.chain if after else _known_chain(change)
    before = _facts(old)
    pending = _pending(change) if not new else None
    afterwards = _specification(pending) if pending else _facts(new)
    if before and afterwards:
        _complete(before, afterwards, "none")
        _complete(afterwards, before, PENDING if pending else "none")
    labels = [label for label in _LABELS if label in before or label in afterwards]
    facts = tuple(Fact(label, before.get(label, ""), afterwards.get(label, "")) for label in labels)
    return Comparison(facts, old, new)


def _complete(facts: dict[str, str], other: dict[str, str], text: str) -> None:
    """What only the other side has is said to be missing here; a list that nobody declares is empty, not unknown."""
    for label in other:
        if label not in facts:
            facts[label] = "none" if label in {"Names", "Usage"} else text


def _known_chain(change: Change) -> tuple[Certificate, ...]:
    """What will be there, where that exists already: in the repository, in an answer, beside the old one."""
    match change.step:
        case Step.REMOVE | Step.CREATE_STORE | Step.MIGRATE | Step.RESTORE_FILE:
            return ()
        case Step.RENAME | Step.RESPELL:
            return change.before.chain if change.before else ()
        case Step.TAKE_OVER if change.staged is not None:
            return change.staged.chain
        case Step.RESTORE if change.restored is not None:
            return change.restored.chain
        case _:
            return change.chain or _declared_chain(change)


def _declared_chain(change: Change) -> tuple[Certificate, ...]:
    match change.wanted:
        case WantedCertificate() as wanted:
            return (wanted.certificate,)
        case WantedImport() as wanted:
            return wanted.chain
        case _:
            return ()


_LABELS = ("Subject", "Issuer", "Names", "Key", "Signature", "Usage", "Valid from", "Valid until", "Serial", "Chain",
           "SHA-256")  # fmt: skip


def _facts(chain: Sequence[Certificate]) -> dict[str, str]:
    if not chain:
        return {}
    leaf = chain[0]
    facts = {
        "Subject": name(leaf),
        "Issuer": "self-signed" if is_self_issued(leaf) else leaf.issuer or "",
        "Names": ", ".join(leaf.subject_alt_names or ()),
        "Key": key(leaf),
        "Signature": leaf.signature_algorithm or "",
        "Usage": ", ".join(leaf.extended_key_usage or ()),
        "Valid from": day(leaf.not_before),
        "Valid until": day(leaf.not_after),
        "Serial": serial(leaf) or "",
        "Chain": " < ".join(short_name(one) for one in chain) if len(chain) > 1 else "",
        "SHA-256": colons(leaf.sha256),
    }
    return {label: text for label, text in facts.items() if text}


def _pending(change: Change) -> WantedKeyPair | None:
    """The key pair that is declared and still to be made, where that is what the change is about."""
    is_removal = change.step is Step.REMOVE or change.action is Action.DELETE
    return change.wanted if isinstance(change.wanted, WantedKeyPair) and not is_removal else None


def _specification(wanted: WantedKeyPair) -> dict[str, str]:
    """What is declared of a certificate that is still to be made."""
    facts = {
        "Subject": declared_subject(wanted),
        "Issuer": wanted.issuer.name or wanted.issuer.type,
        "Names": ", ".join(wanted.subject_alt_names),
        "Key": key_text(wanted.key.algorithm, wanted.key.size, wanted.key.curve),
        "Usage": ", ".join(wanted.extended_key_usage),
        "Valid until": f"{duration_text(wanted.validity)} after it is made",
    }
    return {label: text for label, text in facts.items() if text}
