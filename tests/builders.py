"""Values for tests, valid by default: a test mentions only what it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from reconciler.model import (
    Accepted,
    DesiredState,
    Entry,
    EntryKind,
    IssuerSpec,
    KeySpec,
    KeystoreTarget,
    Part,
    ProtectedPattern,
    RenewBefore,
    Snapshot,
    Source,
    StoreType,
    WantedCertificate,
    WantedImport,
    WantedKeyPair,
)

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
HERE = Source("keystore.yaml", 7, 3)


@dataclass(frozen=True)
class FakeCertificate:
    """A certificate by its facts; its DER is its name, so two of one name are the same."""

    name: str = "CN=one"
    issuer: str | None = None
    subject_attributes: tuple[tuple[str, str], ...] | None = (("CN", "one"),)
    serial: int | None = 1
    not_before: datetime | None = NOW - timedelta(days=100)
    not_after: datetime | None = NOW + timedelta(days=265)
    key_algorithm: str | None = "RSA"
    key_size: int | None = 3072
    curve: str | None = None
    key: str = "key-1"
    signature_algorithm: str | None = "SHA256withRSA"
    subject_alt_names: tuple[str, ...] | None = ()
    key_usage: frozenset[str] | None = None
    extended_key_usage: tuple[str, ...] | None = ("clientAuth",)
    is_ca: bool | None = False
    path_length: int | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    version: int | None = 3
    problem: str | None = None
    issuer_key: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuer", self.issuer or self.name)
        object.__setattr__(self, "issuer_key", (self.issuer or "").lower())

    @property
    def der(self) -> bytes:
        return repr((self.name, self.issuer, self.key, self.serial)).encode()

    @property
    def sha256(self) -> str:
        return sha256(self.der).hexdigest()

    @property
    def subject(self) -> str:
        return self.name

    @property
    def subject_key(self) -> str:
        return self.name.lower()

    @property
    def public_key_sha256(self) -> str | None:
        return None if self.problem else sha256(self.key.encode()).hexdigest()


def certificate(name: str = "CN=one", **facts: Any) -> Any:
    return FakeCertificate(name, **facts)


def entry(alias: str = "one", *chain: Any, kind: EntryKind = EntryKind.TRUSTED_CERTIFICATE, **more: Any) -> Entry:
    chain = chain or (certificate(f"CN={alias}"),)
    digest = sha256(repr((alias, kind, [c.sha256 for c in chain], more.pop("salt", 0))).encode()).hexdigest()
    return Entry(alias, kind, tuple(chain), digest, **more)


def key_pair(alias: str = "pair", *chain: Any, **more: Any) -> Entry:
    return entry(alias, *chain, kind=EntryKind.KEY_PAIR, **more)


def snapshot(*entries: Entry, **more: Any) -> Snapshot:
    parts = tuple(Part(e.alias.lower(), e.digest) for e in entries)
    version = sha256(repr([e.digest for e in entries]).encode()).hexdigest()
    return Snapshot(StoreType.PKCS12, entries=tuple(entries), parts=parts, version=version, **more)


def wanted_certificate(alias: str = "one", one: Any = None, **more: Any) -> WantedCertificate:
    return WantedCertificate(alias, HERE, one or certificate(f"CN={alias}"), **more)


def accepted(alias: str, sha256_: str, **more: Any) -> Accepted:
    facts: dict[str, Any] = {
        "reason": "it moves in spring",
        "owner": "team",
        "until": date(2026, 9, 30),
        "source": HERE,
    }
    return Accepted(alias, sha256_, **(facts | more))


def wanted_key_pair(alias: str = "pair", **more: Any) -> WantedKeyPair:
    facts: dict[str, Any] = {
        "key": KeySpec("RSA", 3072),
        "subject": (("CN", "one"),),
        "subject_alt_names": (),
        "extended_key_usage": ("clientAuth",),
        "validity": timedelta(days=365),
        "renew_before": RenewBefore(share=1 / 3),
        "rekey": True,
        "issuer": IssuerSpec("self-signed"),
    }
    return WantedKeyPair(alias, HERE, **(facts | more))


def wanted_import(alias: str = "pair", *chain: Any, **more: Any) -> WantedImport:
    chain = chain or (certificate(f"CN={alias}"),)
    return WantedImport(alias, HERE, tuple(chain), "partner.p12", RenewBefore(duration=timedelta(days=30)), **more)


def desired(*wanted: Any, protected: tuple[str, ...] = (), **more: Any) -> DesiredState:
    target = KeystoreTarget(StoreType.PKCS12, "live/outbound.p12", HERE, path="/nowhere/outbound.p12")
    patterns = tuple(ProtectedPattern(pattern, HERE) for pattern in protected)
    return DesiredState("keystore.yaml", target, tuple(wanted), patterns, **more)
