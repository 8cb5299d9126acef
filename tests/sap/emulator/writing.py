"""What a tenant does with requests that write one entry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.sap.emulator import rendering
from tests.sap.emulator.certificates import chain_upload, one_certificate, ordered_chain, trusted
from tests.sap.emulator.entries import KEY_PAIR, StoredEntry, hexalias, is_reserved
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.reading import alias_of, missing, untrusted
from tests.sap.emulator.rendering import Renderer
from tests.sap.emulator.tenant import RENEWAL, SYSTEM, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography import x509

    from tests.sap.emulator.tenant import Entries

MAX_ALIAS = 250


# ----------------------------------------------------------------------------------------- shared by all


def allowed_alias(alias: str) -> str:
    """An alias that a tenant may use.

    Raises:
        ServiceError: 400 too long or with characters that cannot be; 403 reserved, with the empty text of the samples.
    """
    if not alias or len(alias) > MAX_ALIAS:
        raise ServiceError(400, f"The alias must have between 1 and {MAX_ALIAS} characters.")
    if any(ord(character) < 32 or ord(character) == 127 for character in alias):
        raise ServiceError(400, "The alias contains invalid character.")
    if is_reserved(alias):
        raise ServiceError(403)
    return alias


def own_entry(tenant: Tenant, alias: str) -> StoredEntry:
    """An entry of the tenant's administrator.

    Raises:
        ServiceError: 404 unknown, 403 reserved or SAP's.
    """
    if is_reserved(alias):
        raise ServiceError(403)
    entry = tenant.find(alias)
    if entry is None:
        raise missing(alias)
    if entry.is_sap:
        raise ServiceError(403)
    return entry


def check_presence(tenant: Tenant, alias: str, *, update: bool) -> StoredEntry | None:
    """`update` is strict in both directions, and both violations are 400."""
    existing = tenant.find(alias)
    if existing is not None and existing.is_sap:
        raise ServiceError(403)
    if existing is not None and not update:
        raise ServiceError(400, f'Entry with alias "{alias}" already exists in keystore "system"')
    if existing is None and update:
        raise ServiceError(400, f'Keystore entry with alias "{alias}" does not exist')
    return existing


def check_trust(tenant: Tenant, request: Request, alias: str, top: x509.Certificate) -> None:
    """409 unless the top certificate is trusted by the keystore or its fingerprint was verified."""
    if request.flag("fingerprintVerified") or trusted(top, tenant.certificates()):
        return
    raise untrusted(alias, top)


def check_size(body: bytes, limit: int) -> None:
    if len(body) > limit:
        raise ServiceError(413, f"The maximum size of {limit} bytes is exceeded.")


def put(tenant: Tenant, request: Request, entry: StoredEntry, existing: StoredEntry | None) -> None:
    """Store one entry, in the place of `existing` where there is one."""
    if existing is not None:
        entry = replace(entry, alias=existing.alias, created_by=existing.created_by, created_at=existing.created_at)
    tenant.commit({**tenant.keystore().entries, entry.alias: entry}, request.user)


def written(tenant: Tenant, request: Request, before: Mapping[str, StoredEntry], *, returns: bool = False) -> Response:
    """The answer to a write: all entries with what became of them, or nothing."""
    if not request.flag("returnKeystoreEntries", default=returns):
        return Response(tenant.switches.created_status)
    after = tenant.keystore().entries
    items = [entry.properties(_status(before.get(alias), entry)) for alias, entry in after.items()]
    items += [entry.properties("removed") for alias, entry in before.items() if alias not in after]
    return Renderer(request, tenant.switches).collection(rendering.KEYSTORE_ENTRIES, items)


def _status(before: StoredEntry | None, after: StoredEntry) -> str:
    if before is None:
        return "new"
    return "unchanged" if before is after else "changed"


# ------------------------------------------------------------------------------------------- certificates


def put_certificate(tenant: Tenant, request: Request, key: str) -> Response:
    """`PUT CertificateResources('…')/$value`: creates or updates one certificate."""
    alias = allowed_alias(alias_of(key))
    check_size(request.body, tenant.switches.certificate_bytes)
    certificate = one_certificate(request.body)
    before = tenant.keystore().entries
    existing = check_presence(tenant, alias, update=request.flag("update"))
    if existing is not None and existing.type == KEY_PAIR:
        raise ServiceError(400, "Key Pair entry cannot be overwritten by a certificate entry.")
    check_trust(tenant, request, alias, certificate)
    put(tenant, request, tenant.entry(alias, (certificate,), request.user), existing)
    return written(tenant, request, before)


def put_chain(tenant: Tenant, request: Request, key: str) -> Response:
    """`PUT CertificateChainResources('…')/$value`: installs the reply of a certification authority."""
    switches = tenant.switches
    alias = alias_of(key)
    check_size(request.body, switches.key_pair_bytes)
    certificates = chain_upload(request.body, pkcs7_only=switches.pkcs7_only_chains, pem_only=switches.pem_only_chains)
    entry = own_entry(tenant, alias)
    if entry.key is None:
        raise ServiceError(400, f'Alias "{alias}" does not represent a Key Pair')
    chain = ordered_chain(entry.public_key, certificates)
    check_trust(tenant, request, alias, chain[-1])
    before = tenant.keystore().entries
    if switches.complete_chains:
        chain = completed(chain, tenant.certificates())
    changed = replace(
        entry,
        chain=tuple(chain),
        request_hash=switches.csr_hash_after_chain,
        modified_by=request.user,
        modified_at=tenant.now(),
    )
    tenant.commit({**before, entry.alias: changed}, request.user)
    return written(tenant, request, before)


def completed(chain: list[x509.Certificate], known: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """The chain up to a self-issued certificate, as far as the keystore has the issuers."""
    candidates = [certificate for certificate in known if certificate not in chain]
    while chain[-1].issuer != chain[-1].subject:
        issuer = trusted(chain[-1], candidates)
        if issuer is None or issuer in chain:
            break
        chain = [*chain, issuer]
    return chain


# ------------------------------------------------------------------------------------------ single entries


def put_entry(tenant: Tenant, request: Request, key: str) -> Response:
    """`PUT KeystoreEntries('…')?renameAlias=…`."""
    new = request.query.get("renameAlias")
    if not new:
        raise ServiceError(400, "The option 'renameAlias' is missing.")
    _check_null_body(request)
    entry = own_entry(tenant, alias_of(key))
    allowed_alias(new)
    taken = tenant.find(new)
    if taken is not None and taken is not entry:
        raise ServiceError(400, f'Entry with alias "{new}" already exists in keystore "system"')
    before = tenant.keystore().entries
    after = {alias: value for alias, value in before.items() if value is not entry}
    renamed = replace(entry.renamed(new), modified_by=request.user, modified_at=tenant.now())
    tenant.commit({**after, new: renamed}, request.user)
    if request.flag("returnHexAlias"):
        return Response(200, f"[{hexalias(new)}]".encode(), "text/plain")
    return written(tenant, request, before)


def _check_null_body(request: Request) -> None:
    """The body names any property of the type with null."""
    if not request.json or any(value is not None for value in request.json.values()):
        raise ServiceError(400, "The request body must contain a property with the value null.")


def delete_entry(tenant: Tenant, request: Request, key: str) -> Response:
    """`DELETE KeystoreEntries('…')`; with `activate=true` it activates a new SAP key."""
    alias = alias_of(key)
    before = tenant.keystore().entries
    if request.keystore_name == RENEWAL:
        if not request.flag("activate"):
            raise ServiceError(400, "Entries of the keystore 'KeyRenewal' cannot be deleted.")
        tenant.activate(alias, request.user)
        return written(tenant, request, before)
    if not tenant.switches.single_delete:
        raise ServiceError(405, "Method Not Allowed", headers={"Allow": "GET, PUT"})
    if request.keystore_name != SYSTEM:
        raise ServiceError(400, f"Keystore name '{request.keystore_name}' is invalid.")
    entry = own_entry(tenant, alias)
    after: Entries = {name: value for name, value in before.items() if value is not entry}
    tenant.commit(after, request.user)
    return written(tenant, request, before)


# ------------------------------------------------------------------------------------------------- history


def copy_history(tenant: Tenant, request: Request, key: str) -> Response:
    """`PUT HistoryKeystoreEntries('…')?copy=true`: an old SAP key goes back among the new ones."""
    if not request.flag("copy"):
        raise ServiceError(400, "The option 'copy' is missing.")
    _check_null_body(request)
    alias = alias_of(key)
    old = next((entry for entry in tenant.history if entry.alias == alias), None)
    if old is None:
        raise missing(alias)
    destination = request.query.get("destinationAlias", old.entry.alias)
    if not is_reserved(destination):
        raise ServiceError(400, f"The destination alias '{destination}' is not reserved for SAP.")
    if tenant.find(destination, RENEWAL) is not None:
        raise ServiceError(400, f'Entry with alias "{destination}" already exists in keystore "KeyRenewal"')
    entries = {**tenant.keystore(RENEWAL).entries, destination: old.entry.renamed(destination)}
    tenant.commit(entries, request.user, RENEWAL)
    return Response(204)
