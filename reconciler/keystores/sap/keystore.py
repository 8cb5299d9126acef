"""A tenant as a live keystore: read in one request, more only where a question needs it; written entry by entry."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores.sap.client import open_reader, open_writer
from reconciler.keystores.sap.failures import SignInError, TenantUnreadableError
from reconciler.keystores.sap.key_orders import KeyPairOrder
from reconciler.keystores.sap.listed import ListedCertificate, Source
from reconciler.keystores.sap.reading import NEW_SAP_KEYS, SYSTEM
from reconciler.model import (
    Entry,
    EntryKind,
    Generate,
    PutCertificate,
    PutChain,
    PutKeyPair,
    Remove,
    Rename,
    ReplacedSapKey,
    Snapshot,
    StoreType,
)
from reconciler.ownership import SAP, alias_key
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.keystores.sap.entries import HistoryEntry, TenantEntry
    from reconciler.keystores.sap.reading import TenantReader
    from reconciler.keystores.sap.writing import KeyPairFile, TenantWriter
    from reconciler.model import Certificate, KeystoreTarget, Migration, WantedKeyPair, Write

_SUBJECT = {
    "CN": "common_name", "OU": "organization_unit", "O": "organization", "L": "locality", "ST": "state",
    "C": "country", "emailAddress": "email",
}  # fmt: skip

# So many certificates are asked for one by one; more come with the public content of the whole keystore.
_FEW = 3


class TenantKeystore:
    """The reading half: what `plan`, `drift`, `list` and `show` hold. It has no method that writes."""

    def __init__(self, target: KeystoreTarget, fields: Mapping[str, Secret | str]) -> None:
        self.target = target
        try:
            self._reader = self._open(fields)
        except ReconcileError as error:
            error.where = error.where or target.location  # of several tenants: which
            raise
        self._source = Source(self._reader.certificate)
        self._last: Snapshot | None = None
        self._seen: dict[str, tuple[TenantEntry, str]] = self._reader.seen  # and the digest that it got then

    def _open(self, fields: Mapping[str, Secret | str]) -> TenantReader:
        return open_reader(self.target.location, fields, os.environ)

    def read(self) -> Snapshot:
        """See `KeystoreReader.read`: one request for up to 1,000 entries."""
        entries = tuple(self._entry(one) for one in self._reader.entries())
        version = sha256("\n".join(f"{one.alias}\t{one.digest}" for one in entries).encode()).hexdigest()
        self._last = Snapshot(StoreType.SAP_CLOUD_INTEGRATION, entries=entries, version=version)
        return self._last

    def preview(self, writes: Sequence[Write], *, migration: Migration | None = None) -> Snapshot:  # noqa: ARG002
        """See `KeystoreReader.preview`: each entry has its own chain, and no write changes what is shown of others."""
        return self._last or self.read()

    def look(self, alias: str) -> Entry | None:
        """See `StepwiseKeystore.look`."""
        found = self._reader.entry(alias)
        return None if found is None else self._entry(found)

    def changed(self) -> str:
        """See `StepwiseKeystore.changed`. Where the tenant does not answer this, the entry itself has to do."""
        try:
            state = self._reader.state()
        except SignInError:
            raise
        except TenantUnreadableError:
            return ""
        when = f" at {state.modified_at:%Y-%m-%d %H:%M:%S} UTC" if state.modified_at else ""
        return f"last changed by {state.modified_by or 'somebody'}{when}" if state.modified_by or when else ""

    def complete(self, live: Snapshot, aliases: Iterable[str], *, sap_keys: bool = False) -> Snapshot:
        """See `KeystoreReader.complete`: one request for each of `aliases`, two for SAP's keys."""
        wanted = {alias_key(alias) for alias in aliases}
        certificates = [one for one in live.entries if alias_key(one.alias) in wanted and _is_certificate(one)]
        if len(certificates) > _FEW:
            live = self._all_at_once(live)
            wanted -= {alias_key(one.alias) for one in live.entries if _is_certificate(one) and _is_whole(one)}
        entries = tuple(self._whole(one) if alias_key(one.alias) in wanted else one for one in live.entries)
        completed = replace(live, entries=entries)
        self._last = completed
        return self._with_sap_keys(completed) if sap_keys else completed

    def _all_at_once(self, live: Snapshot) -> Snapshot:
        """The certificates out of the keystore's public content; where the tenant does not give it, one by one."""
        from reconciler.keystores.formats import parse_container

        try:
            container = parse_container(self._reader.public_keystore(), None, origin=self.target.location)
        except SignInError:
            raise
        except KeystoreUnreadableError:
            return live
        known = {one.sha256: one for entry in container.snapshot().entries for one in entry.chain}
        entries = tuple(
            replace(one, chain=(known[one.chain[0].sha256],))
            if _is_certificate(one) and one.chain[0].sha256 in known
            else one
            for one in live.entries
        )
        return replace(live, entries=entries)

    def _whole(self, entry: Entry) -> Entry:
        if entry.kind is EntryKind.KEY_PAIR:
            return replace(entry, chain=self._reader.chain(entry.alias, leaf_sha256=entry.chain[0].sha256))
        return replace(entry, chain=(self._reader.certificate(entry.alias),)) if entry.chain else entry

    def _with_sap_keys(self, live: Snapshot) -> Snapshot:
        try:
            new = tuple(self._entry(one, NEW_SAP_KEYS) for one in self._reader.new_sap_keys())
            old = tuple(_replaced(one, self._entry(one.entry, "KeyHistory")) for one in self._reader.history())
        except SignInError:
            raise
        except TenantUnreadableError as error:
            return replace(live, warnings=(*live.warnings, f"SAP's new keys and their history: {error.message}"))
        return replace(live, new_sap_keys=new, replaced_sap_keys=old)

    def private_key(self, alias: str) -> Secret:
        """See `KeystoreReader.private_key`: there is none to be had."""
        raise ReconcileError(f"the private key of {alias!r} never leaves its tenant", where=self.target.location)

    def signing_request(self, alias: str, wanted: WantedKeyPair) -> bytes:  # noqa: ARG002  # the tenant decides
        """See `KeystoreReader.signing_request`: the tenant makes it from the key and the subject that are there."""
        return self._reader.signing_request(alias)

    def close(self) -> None:
        """See `KeystoreReader.close`."""
        self._source.closed = True
        self._reader.close()

    def _entry(self, one: TenantEntry, keystore: str = SYSTEM) -> Entry:
        certificate: Certificate = ListedCertificate(one.alias, keystore, one.certificate, self._source)
        if one.certificate.sha256 is None and one.kind is not EntryKind.OTHER:
            certificate = self._reader.certificate(one.alias, keystore)
        has_certificate = one.kind is not EntryKind.OTHER or one.certificate.sha256 is not None
        return Entry(
            one.alias,
            one.kind,
            (certificate,) if has_certificate else (),
            self._digest(one, keystore, certificate.sha256 if has_certificate else None),
            stored_alias=one.alias,
            created=one.created_at,
            owner=_owner(one),
            note=one.certificate.validity,
        )

    def _digest(self, one: TenantEntry, keystore: str, sha256_of_leaf: str | None) -> str:
        """Two looks at an untouched entry give the same, also where the list and the entry itself say less or more.

        A chain that was exchanged shows in the time alone.
        """
        now = replace(one, certificate=replace(one.certificate, sha256=sha256_of_leaf))
        if keystore != SYSTEM:
            return _digest(now)
        before = self._seen.get(one.alias)
        if before is None or not _agree(before[0], now):
            before = now, _digest(now)
            self._seen[one.alias] = before
        return before[1]


def _is_certificate(entry: Entry) -> bool:
    return entry.kind is EntryKind.TRUSTED_CERTIFICATE and bool(entry.chain)


def _is_whole(entry: Entry) -> bool:
    return not isinstance(entry.chain[0], ListedCertificate)


def _owner(one: TenantEntry) -> str | None:
    """The tenant's statement; where it makes none, SAP still signs what it has made with its name."""
    made_by_sap = SAP in {(one.created_by or "").strip().upper(), (one.modified_by or "").strip().upper()}
    return one.owner or (SAP if made_by_sap else None)


def _digest(one: TenantEntry) -> str:
    parts = (one.kind, _owner(one), one.certificate.sha256, one.certificate.serial, one.modified_at, one.created_at)
    return sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def _agree(one: TenantEntry, other: TenantEntry) -> bool:
    """Whether two looks show the same entry: what only one of them states does not count, nor parts of a second."""
    if (one.kind, one.certificate.sha256) != (other.kind, other.certificate.sha256):
        return False
    stated = (
        (_owner(one), _owner(other)),
        (one.certificate.serial, other.certificate.serial),
        (_second(one.modified_at), _second(other.modified_at)),
        (_second(one.created_at), _second(other.created_at)),
    )
    return all(here is None or there is None or here == there for here, there in stated)


def _second(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)


def _replaced(one: HistoryEntry, entry: Entry) -> ReplacedSapKey:
    return ReplacedSapKey(
        entry,
        one.original_alias or entry.alias.partition("]_")[2] or entry.alias,
        one.active_from,
        one.active_until,
        one.activated_by,
        one.deactivated_by,
    )


class WritableTenantKeystore(TenantKeystore):
    """The writing half. Only `GuardedSteps` holds one."""

    _writer: TenantWriter

    def _open(self, fields: Mapping[str, Secret | str]) -> TenantReader:
        reader, self._writer = open_writer(self.target.location, fields, os.environ)
        return reader

    def resume(self, planned: Snapshot) -> Snapshot:
        """See `StepwiseKeystore.resume`: known is what the plan of the same run has read in the same session."""
        if any(one.alias not in self._seen for one in planned.entries):
            return self.read()
        entries = (replace(one, chain=tuple(map(self._asking_here, one.chain))) for one in planned.entries)
        return replace(planned, entries=tuple(entries))

    def _asking_here(self, one: Certificate) -> Certificate:
        """The reader that has listed a certificate is closed by now."""
        return one.listed_by(self._source) if isinstance(one, ListedCertificate) else one

    def send(self, write: Write, before: Entry | None, check: Callable[[], None]) -> None:
        """See `StepwiseKeystore.send`; `update` follows from what was read."""
        writer, update = self._writer, before is not None
        match write:
            case PutCertificate():
                writer.put_certificate(
                    write.alias, write.certificate, update=update, fingerprint_verified=write.vouched, check=check
                )
            case PutKeyPair():
                file = _key_pair_file(write)
                writer.import_key_pair(
                    write.alias, file, update=update, fingerprint_verified=write.vouched, check=check
                )
            case PutChain():
                writer.put_chain(write.alias, write.chain, fingerprint_verified=write.vouched, check=check)
            case Generate():
                writer.generate_key_pair(order_of(write), check)
            case Remove():
                writer.delete(write.alias, check)
            case Rename():
                writer.rename(write.alias, write.new_alias, check)
            case _:
                raise ReconcileError("a tenant keeps no backup of single entries", where=self.target.location)


def order_of(write: Generate) -> KeyPairOrder:
    """What the tenant is asked to make."""
    wanted = write.wanted
    start = write.start.replace(microsecond=0)
    subject: dict[str, Any] = {_SUBJECT[name]: value for name, value in wanted.subject if name in _SUBJECT}
    key = wanted.key
    return KeyPairOrder(
        **({"common_name": "", "country": ""} | subject),
        alias=write.alias,
        key_type=key.algorithm,
        key_size=key.size if key.algorithm != "EC" else None,
        curve=key.curve,
        not_before=start,
        not_after=start + wanted.validity,
    )


def _key_pair_file(write: PutKeyPair) -> KeyPairFile:
    """A PKCS#12 file with this key pair alone, under a password that lives as long as the request."""
    import secrets

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    from reconciler.keystores.sap.writing import KeyPairFile

    if write.private_key is None:
        raise ReconcileError(f"there is no private key for {write.alias!r}")
    # At least eight characters, ASCII, three of four groups (SAP Help, "Requirements for Keystore Passwords").
    password = f"Aa1-{secrets.token_urlsafe(24)}"
    key: Any = serialization.load_der_private_key(write.private_key.reveal(), None)
    leaf, *others = (x509.load_der_x509_certificate(one.der) for one in write.chain)
    encryption = serialization.BestAvailableEncryption(password.encode())
    content = pkcs12.serialize_key_and_certificates(write.alias.encode(), key, leaf, others or None, encryption)
    return KeyPairFile(Secret(content), Secret(password))
