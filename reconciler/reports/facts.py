"""Facts of certificates and moments in the words that every report uses; nothing here is escaped yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.model import Status, WantedCertificate, WantedExisting, WantedImport, WantedKeyPair
from reconciler.words import key_text

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from reconciler.model import Certificate, Finding, Source, Wanted

# RFC 5280, 4.1.2.5: 99991231235959Z stands for "no well-defined expiration date".
_NO_END_YEAR = 9999
_FINGERPRINT = re.compile("[0-9a-f]{64}")


def day(moment: datetime | None) -> str:
    """The day of a moment in UTC, for example ``2026-06-01``."""
    if moment is None:
        return "an unreadable date"
    return "no end" if moment.year == _NO_END_YEAR else moment.date().isoformat()


def has_end(moment: datetime | None) -> bool:
    """Whether `moment` is an end that can be waited for."""
    return moment is not None and moment.year != _NO_END_YEAR


def days_until(moment: datetime, now: datetime) -> int:
    """Whole days from `now` to `moment`; negative when it has passed."""
    return (moment - now).days


def left(moment: datetime | None, now: datetime) -> str:
    """How long it is until `moment`: ``in 12 days``, ``today``, ``3 days ago``; empty where there is no end."""
    if moment is None or not has_end(moment):
        return ""
    if moment <= now:
        days = -days_until(moment, now) - 1  # timedelta rounds down, so half a day ago is -1
        return "today" if days == 0 else f"{_count(days)} ago"
    days = days_until(moment, now)
    return f"in {_count(days)}" if days else "today"


def _count(days: int) -> str:
    if days >= 730:
        return f"{days // 365} years"
    return f"{days} day{'s' if days != 1 else ''}"


def announcement(finding: Finding, now: datetime) -> str:
    """Of a successor that waits for approval: who must import it first, and how long the one in use still serves."""
    if finding.status is not Status.READY_TO_ACTIVATE:
        return ""
    who = f"to be imported by {', '.join(finding.receivers)}" if finding.receivers else "no receiver is declared for it"
    end = finding.live.leaf.not_after if finding.live and finding.live.leaf else None
    if end is None or not has_end(end):
        return who
    verb = "ends" if end > now else "ended"
    return f"{who}; the certificate in use {verb} on {day(end)}, {left(end, now)}"


def duration_text(duration: timedelta) -> str:
    """A duration in the spelling of the desired state: 365d, 12h, 90m."""
    minutes = int(duration.total_seconds()) // 60
    if minutes % (24 * 60) == 0:
        return f"{minutes // (24 * 60)}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def name(certificate: Certificate) -> str:
    """The subject of a certificate, or what can be said of one without."""
    if certificate.subject:
        return certificate.subject
    return "empty subject" if certificate.subject == "" else "a certificate that cannot be parsed"


def short_name(certificate: Certificate) -> str:
    """The common name where there is one, else the whole subject."""
    attributes = certificate.subject_attributes or ()
    return next((value for attribute, value in reversed(attributes) if attribute == "CN"), name(certificate))


def declared_subject(wanted: WantedKeyPair) -> str:
    """The subject that a key pair will have, in the order in which RFC 4514 writes it."""
    return ",".join(f"{attribute}={value}" for attribute, value in reversed(wanted.subject))


def declared(wanted: Wanted) -> str:
    """What the file asks for, in a few words."""
    match wanted:
        case WantedCertificate():
            return f"trusted certificate, {short_name(wanted.certificate)}"
        case WantedImport():
            return f"key pair, {short_name(wanted.chain[0])}, from {wanted.origin}"
        case WantedKeyPair():
            return f"key pair, {declared_subject(wanted)}"
        case WantedExisting():
            return "key pair, watched"


def key(certificate: Certificate) -> str:
    """The kind of key, for example ``RSA 3072``."""
    return key_text(certificate.key_algorithm, certificate.key_size, certificate.curve)


def serial(certificate: Certificate) -> str | None:
    """The serial number in hexadecimal, as keytool and browsers show it."""
    return None if certificate.serial is None else f"{certificate.serial:x}"


def short(sha256: str) -> str:
    """The beginning of a fingerprint: enough to recognise it, not to prove it."""
    return f"{sha256[:16]}…"


def fingerprint_or_text(text: str) -> str:
    """A fingerprint shortened, anything else as it is: for differences, which can be in both."""
    return short(text) if _FINGERPRINT.fullmatch(text) else text


def colons(sha256: str) -> str:
    """A fingerprint as keytool and browsers write it."""
    return ":".join(sha256[at : at + 2] for at in range(0, len(sha256), 2)).upper()


def is_self_issued(certificate: Certificate) -> bool:
    """Whether subject and issuer are the same name: the end of a chain."""
    return certificate.subject_key is not None and certificate.subject_key == certificate.issuer_key


def place(source: Source | None) -> str:
    """File and line, as editors and log viewers link them; empty without a source."""
    return f"{source.file}:{source.line}" if source else ""


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 change``, ``2 changes``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
