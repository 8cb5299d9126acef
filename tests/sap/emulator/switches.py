"""What an emulated tenant does differently from the next: the points where public sources disagree, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DateLiteral(StrEnum):
    """How a JSON answer writes a date."""

    WITH_OFFSET = "with-offset"  # /Date(1767225600000+0000)/, seen on live tenants
    WITHOUT_OFFSET = "without-offset"  # /Date(1767225600000)/, the samples of the specification


class TrustEnvelope(StrEnum):
    """Where the 409 of an untrusted certificate carries the certificate."""

    ENTITY = "entity"  # {"d": {...}}
    RESULTS = "results"  # {"d": {"results": [{...}]}}
    BARE = "bare"  # {...}
    ERROR_TEXT = "error-text"  # JSON text inside error.message.value
    PLAIN = "plain"  # an ordinary error without the certificate


class CsrfRule(StrEnum):
    """For whom the CSRF token is asked."""

    BASIC = "basic"  # what public clients report: a bearer token is not checked
    ALWAYS = "always"
    NEVER = "never"  # a fetch returns no token


@dataclass(slots=True)
class Switches:
    """Everything about a tenant that a test may turn; the defaults follow live observations where there are any."""

    # How answers are written
    date_literal: DateLiteral = DateLiteral.WITH_OFFSET
    lower_case_hex: bool = False
    metadata: bool = True  # __metadata and deferred links
    extra_fields: bool = False  # properties that no client knows
    missing_fields: tuple[str, ...] = ()  # properties that this tenant does not return
    ignore_json: bool = False  # Atom whatever is asked for
    bare_errors: bool = False  # {"code": ...} without the outer "error"
    empty_errors: bool = False  # no body at all
    trust_envelope: TrustEnvelope = TrustEnvelope.ENTITY
    certificate_encoding: str = "pem"  # pem | base64 | der: what Certificate/$value sends
    gzip: bool = False
    page_size: int = 1000
    relative_next: bool = False  # __next without scheme and host
    foreign_next: str = ""  # a host that __next names instead of ours
    ignore_select: bool = False
    refuse_select: bool = False
    echo_credentials: bool = False  # error texts repeat what the client sent, which a client must not pass on

    # What it can do
    single_delete: bool = True
    pkcs7_only_chains: bool = False  # concatenated PEM is 415
    pem_only_chains: bool = False  # PKCS#7 is 415
    complete_chains: bool = True  # an uploaded chain is completed by a root of the keystore
    csr_hash_after_chain: str = "SHA256"
    fold_alias_case: bool = False
    created_status: int = 204  # of writes without returned entries: 200, 201, 202 or 204
    verify_writes_lazily: float = 0.0  # seconds until a read sees a write

    # Who may do what
    csrf: CsrfRule = CsrfRule.BASIC
    token_lifetime: float = 43200.0
    token_from_body_only: bool = False
    rate_limit: bool = False
    requests_per_second_tenant: int = 12
    requests_per_second_user: int = 10
    retry_after: str | None = None  # sent with 429 and 503

    # Limits
    certificate_bytes: int = 10240
    key_pair_bytes: int = 30072
    upload_bytes: int = 2 * 1024 * 1024
    keystore_bytes: int = 6 * 1024 * 1024

    # Weather
    locked: int = 0  # 503 or 423 for every write while set
    latency: float = 0.0
