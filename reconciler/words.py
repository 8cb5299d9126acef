"""Facts in words, so that a comparison, a plan and a report call the same thing by the same text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model import Certificate


def key_text(algorithm: str | None, size: int | None, curve: str | None) -> str:
    """A key: ``RSA 3072``, ``EC secp256r1``, ``Ed25519``."""
    match algorithm:
        case None:
            return "unreadable"
        case "EC":
            return f"EC {curve or size}"
        case "Ed25519" | "Ed448":
            return algorithm
        case _:
            return f"{algorithm} {size}"


def subject_text(attributes: Sequence[tuple[str, str]]) -> str:
    """A subject in the order of the certificate: enough to compare two, not an encoding."""
    return ", ".join(f"{name}={value}" for name, value in attributes)


def names_text(names: Iterable[str]) -> str:
    """A set of names or usages, in a fixed order."""
    return ", ".join(sorted(set(names))) or "none"


def chain_text(chain: Sequence[Certificate]) -> str:
    """A chain from the leaf upwards."""
    return " < ".join(one.subject or one.sha256 for one in chain)


def with_colons(sha256: str) -> str:
    """A fingerprint as keytool and browsers write it."""
    return ":".join(sha256[at : at + 2] for at in range(0, len(sha256), 2)).upper()


def one_line(text: str) -> str:
    """Text from outside on one line of a note: it must look neither like another note nor like PEM armour."""
    plain = "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)
    return " ".join(plain.split()).replace("-----", "\\u{2d}----")
