"""From a status to the error that says what happened, why it may have, and what to do: the table of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.keystores.sap.entries import fingerprint
from reconciler.keystores.sap.failures import (
    AliasNotFoundError,
    ForbiddenEntryError,
    KeystoreLockedError,
    MissingRoleError,
    NotTrustedError,
    SignInError,
    TenantUnreadableError,
    UnknownOutcomeError,
    WriteFailedError,
)
from reconciler.keystores.sap.odata import untrusted_certificate

if TYPE_CHECKING:
    from reconciler.errors import ReconcileError
    from reconciler.keystores.sap.exchange import Answer

READ_ROLE = "MonitoringDataRead"
EDIT_ROLE = "SecurityMaterialEdit"
LOCKED = frozenset({423, 503})
BUSY = LOCKED | {429}
BROKEN = frozenset({500, 502, 504})
_UNCERTAIN = frozenset({408, *BROKEN})


def read_failure(answer: Answer, what: str, host: str, said: str) -> TenantUnreadableError:
    """The error for a reading request that was not answered with a success."""
    status = answer.status
    reason, hint = _why_not_read(answer)
    kind = SignInError if status == 401 else TenantUnreadableError
    return kind(f"{what} could not be read: {_with(reason, said)}", where=host, hint=hint, status=status)


def _why_not_read(answer: Answer) -> tuple[str, str | None]:
    match answer.status:
        case 401:
            return "the tenant does not accept the credentials (401)", "check that they are for this tenant"
        case 403:
            return f"the role {READ_ROLE} is missing (403)", f"add {READ_ROLE} to the service instance or user"
        case 404:
            return "there is nothing at this address (404)", "check the url of the keystore"
        case 429:
            return "too many requests for this tenant (429)", "try later, or with fewer jobs"
        case status if status in LOCKED:
            return f"the keystore is not available ({status})", "try later"
        case status if 300 <= status < 400:
            return (
                f"the tenant sends us to another address ({status}), which is not followed with credentials",
                "write the address of the tenant's API into url, not that of its web page",
            )
        case status:
            return f"HTTP {status}", None


def write_failure(answer: Answer, what: str, host: str, said: str) -> ReconcileError:
    """The error for a writing request that was not answered with a success."""
    status = answer.status
    if status in LOCKED:
        reason = _with(f"somebody else is changing the keystore ({status})", said)
        return KeystoreLockedError(f"{what}: {reason}", status=status, where=host, hint="try later")
    if status in _UNCERTAIN:
        return UnknownOutcomeError(
            f"{what}: {_with(f'the tenant answered {status}', said)}; whether it was done is not known",
            status=status,
            where=host,
        )
    if status == 403 and answer.body:
        reason = _with("the tenant keeps this alias or entry for SAP, or the role is missing (403)", said)
        return ForbiddenEntryError(
            f"{what}: {reason}", where=host, hint=f"use another alias, or check the role {EDIT_ROLE}"
        )
    kind, reason, hint = _why_not_written(status)
    failure = kind(
        f"{what}: {_with(reason, said)}", status=status, text=said, attempts=answer.attempts, where=host, hint=hint
    )
    if isinstance(failure, NotTrustedError):
        _add_fingerprints(failure, answer)
    return failure


def _why_not_written(status: int) -> tuple[type[WriteFailedError], str, str | None]:
    match status:
        case 400:
            return WriteFailedError, "the tenant refuses it (400)", None
        case 401:
            return WriteFailedError, "the tenant does not accept the credentials (401)", None
        case 403:
            hint = f"add {EDIT_ROLE} to the service instance or user; tokens issued before do not have it"
            return MissingRoleError, f"the role {EDIT_ROLE} is missing (403)", hint
        case 404:
            return AliasNotFoundError, "the alias is not in the keystore (404)", None
        case 409:
            hint = "check the fingerprint with its owner and pin it with sha256"
            return NotTrustedError, "the tenant has no trust path to the certificate (409)", hint
        case 413:
            return WriteFailedError, "the upload or the keystore would be too large (413)", None
        case 415:
            return WriteFailedError, "the tenant does not take this type of file (415)", None
        case 429:
            return WriteFailedError, "too many requests for this tenant (429)", "try later, or with fewer jobs"
        case _:
            return WriteFailedError, f"HTTP {status}", None


def _add_fingerprints(failure: NotTrustedError, answer: Answer) -> None:
    item = untrusted_certificate(answer.body, answer.content_type)
    if item is not None:
        failure.sha256 = fingerprint(item.get("FingerprintSha256"), 64)
        failure.sha1 = fingerprint(item.get("FingerprintSha1"), 40)


def _with(reason: str, said: str) -> str:
    return f"{reason}: {said}" if said else reason
