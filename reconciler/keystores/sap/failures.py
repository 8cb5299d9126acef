"""What a request to a tenant can end in, other than its answer: one type for each thing that a caller does about it."""

from __future__ import annotations

from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError


class TenantUnreadableError(KeystoreUnreadableError):
    """The tenant did not answer a reading request as it should: unreachable, refused, or not what was asked for."""

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None, status: int = 0) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class SignInError(TenantUnreadableError):
    """The tenant or its token endpoint did not accept the credentials."""


class WriteFailedError(ReconcileError):
    """A writing request was answered with a refusal: nothing was written.

    Attributes:
        status: The HTTP status.
        text: The tenant's own words, or empty.
        attempts: How often it was sent. After more than one, the first may have taken effect behind a busy gateway:
            read before judging.
    """

    def __init__(self, message: str, *, status: int, text: str = "", attempts: int = 1, **place: str | None) -> None:
        super().__init__(message, where=place.get("where"), hint=place.get("hint"))
        self.status = status
        self.text = text
        self.attempts = attempts


class AliasNotFoundError(WriteFailedError):
    """The alias is not in the keystore (404)."""


class MissingRoleError(WriteFailedError):
    """The service instance or user may not write (403 without a body)."""


class NotTrustedError(WriteFailedError):
    """The tenant has no trust path to the certificate and wants its fingerprint verified (409).

    Attributes:
        sha256: The fingerprint of the certificate as the tenant read it, lower-case hexadecimal, or None.
    """

    sha256: str | None = None
    sha1: str | None = None


class ForbiddenEntryError(RefusedError):
    """The tenant keeps the alias for SAP, or the entry is SAP's (403 with a body)."""

    status = 403


class KeystoreLockedError(RefusedError):
    """Somebody else was writing into the keystore for as long as we waited (423 or 503)."""

    def __init__(self, message: str, *, status: int, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class UnknownOutcomeError(ReconcileError):
    """A writing request may or may not have taken effect: the caller finds out by reading, never by repeating.

    Attributes:
        status: The HTTP status where one came (500, 502, 504), else 0.
    """

    def __init__(self, message: str, *, status: int = 0, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
