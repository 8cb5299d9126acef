"""What the SARIF report can say: each rule with its id, how grave it is, what it means and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.policy import CHECKS, Check


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Stable: people suppress and filter by it.
        name: The rule in one word, in Pascal case as SARIF wants it.
        level: How grave it is by default: error, warning or note.
        means: One sentence.
        help: What to do.
    """

    id: str
    name: str
    level: str
    means: str
    help: str

    def document(self) -> dict[str, Any]:
        """The rule as a `reportingDescriptor`."""
        return {
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.means},
            "fullDescription": {"text": f"{self.means} {self.help}"},
            "help": {"text": self.help, "markdown": self.help},
            "defaultConfiguration": {"level": self.level},
            "properties": {"tags": ["keystore"]},
        }


_ALL = (
    Rule(
        "missing",
        "EntryMissing",
        "error",
        "An entry is declared and not in the keystore.",
        "Run `reconcile plan` to see how it would get there, and `reconcile apply` to do it.",
    ),
    Rule(
        "differs",
        "EntryDiffers",
        "warning",
        "An entry of the keystore is not what is declared.",
        "Find out who changed it. Declare what is live, or run `reconcile apply` to restore what is declared.",
    ),
    Rule(
        "unmanaged",
        "EntryUnmanaged",
        "note",
        "An entry of the keystore is not declared.",
        "Declare it, remove it under `aliases.absent`, or accept such entries with `aliases.unmanaged: ignore`.",
    ),
    Rule(
        "declared-protected",
        "ProtectedEntryDeclared",
        "error",
        "A declared alias belongs to SAP or is protected; it is never written.",
        "Take the alias out of the desired state.",
    ),
    Rule(
        "awaiting-signature",
        "AwaitingSignature",
        "note",
        "A signing request is out and has no usable answer yet.",
        "Send the request to the certificate authority, and commit its answer.",
    ),
    Rule(
        "response-ready",
        "ResponseReady",
        "warning",
        "The answer of a certificate authority is there and fits the key.",
        "Run `reconcile apply` to import it.",
    ),
    Rule(
        "response-rejected",
        "ResponseRejected",
        "error",
        "The answer of a certificate authority does not fit.",
        "Ask the authority for another certificate, for the request that is in the repository.",
    ),
    Rule(
        "ready-to-activate",
        "ReadyToActivate",
        "note",
        "A complete successor waits for approval.",
        "Give the new certificate to the receivers that must import it, then commit `activate:` with its SHA-256.",
    ),
    Rule(
        "still-needed",
        "StillNeeded",
        "note",
        "A trusted certificate that another one replaces stays: a receiver is not proven to be trusted without it.",
        "When the receiver has moved, record its chain with `reconcile receivers record`; the next apply removes it.",
    ),
    Rule(
        "receiver-would-break",
        "ReceiverWouldBreak",
        "error",
        "The plan would take away what makes a receiver trusted; `apply` refuses it.",
        "Keep the entry, or let the receiver's new root replace it with `replaces:`.",
    ),
    Rule(
        "receiver-untrusted",
        "ReceiverUntrusted",
        "warning",
        "A receiver is not trusted, with or without the plan.",
        "Declare its root under `trustedRoots`, or mend the receiver: the message says which.",
    ),
    Rule(
        "receiver-unknown",
        "ReceiverUnknown",
        "note",
        "Nothing is known of a receiver: neither reached nor recorded.",
        "Record its chain from a host that reaches it, with `reconcile receivers record`, and commit the file.",
    ),
    Rule(
        "receiver-differs",
        "ReceiverDiffers",
        "warning",
        "A receiver is not what was recorded of it, or does not fit any more.",
        "If that is right, record it with `reconcile receivers record`; declare a new root before the old one goes.",
    ),
    Rule(
        "expiring",
        "CertificateExpiring",
        "warning",
        "A certificate ends soon.",
        "Generated key pairs are renewed by `reconcile apply`. For the others, get the successor and declare it.",
    ),
    Rule(
        "expired",
        "CertificateExpired",
        "error",
        "A certificate is past its end.",
        "Generated key pairs are renewed by `reconcile apply`. For the others, get the successor and declare it.",
    ),
    Rule(
        "apply-failed",
        "ChangeFailed",
        "error",
        "A change could not be carried out; the other changes went on without it.",
        "The message says why. Mend the cause and run `reconcile apply` again.",
    ),
    Rule(
        "apply-not-tried",
        "ChangeNotTried",
        "warning",
        "A change was not tried because another one failed.",
        "Mend the cause of the other failure and run `reconcile apply` again.",
    ),
    Rule(
        "keystore-unreadable",
        "KeystoreUnreadable",
        "error",
        "The live keystore could not be read.",
        "Check that it is there, that the declared password is the right one, and that nothing has damaged it.",
    ),
    Rule(
        "refused",
        "Refused",
        "error",
        "Something was refused for safety; nothing was written.",
        "The message names what is protected, and the way forward.",
    ),
    Rule(
        "error",
        "Error",
        "error",
        "The keystore could not be handled.",
        "The message says what to mend. Then run the command again.",
    ),
)


def _of_policy(check: Check) -> Rule:
    name = "".join(word.capitalize() for word in check.id.split("-"))
    source = f" ({check.source})" if check.source else ""
    return Rule(check.id, name, check.level.value, f"{check.title}.", f"{check.why}{source} {check.hint}")


RULES = {rule.id: rule for rule in (*_ALL, *map(_of_policy, CHECKS))}
