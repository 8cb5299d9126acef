"""What a tenant does with requests that write the keystore as a whole: import, backup, restore, mass deletion."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tests.sap.emulator import rendering
from tests.sap.emulator.certificates import ordered_chain, public_bytes
from tests.sap.emulator.entries import KEY_PAIR, StoredEntry, is_reserved, why_reserved
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.reading import bad_name
from tests.sap.emulator.rendering import Renderer
from tests.sap.emulator.tenant import BACKUP, SYSTEM, Tenant
from tests.sap.emulator.writing import check_size, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sap.emulator.keys import PrivateKey
    from tests.sap.emulator.tenant import Entries

_MAGIC = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")


def post(tenant: Tenant, request: Request) -> Response:
    """`POST KeystoreResources`: import a keystore file, or back up."""
    name = request.text_field("Name", required=True) or ""
    if name == BACKUP:
        return _back_up(tenant, request)
    if name != SYSTEM:
        raise ServiceError(400, bad_name(name))
    return _import(tenant, request)


def put(tenant: Tenant, request: Request, name: str) -> Response:
    """`PUT KeystoreResources('system')`: mass deletion, or restore."""
    if name != SYSTEM:
        raise ServiceError(400, bad_name(name))
    if request.flag("deleteEntries"):
        return _delete(tenant, request)
    if request.query.get("retrieveBackup") == BACKUP:
        return _restore(tenant, request)
    raise ServiceError(400, "Either 'deleteEntries' or 'retrieveBackup' is required.")


# ------------------------------------------------------------------------------------------- mass deletion


def listed_aliases(text: str) -> list[str]:
    r"""The aliases of a mass deletion: separated by `;`, where `\` escapes `;` and itself."""
    aliases, current, escaped = [], "", False
    for character in text:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == ";":
            aliases.append(current)
            current = ""
        else:
            current += character
    return [alias for alias in (*aliases, current) if alias]


def _delete(tenant: Tenant, request: Request) -> Response:
    aliases = listed_aliases(request.text_field("Aliases", required=True) or "")
    entries = [entry for alias in aliases if (entry := tenant.find(alias)) is not None]
    if any(is_reserved(alias) for alias in aliases) or any(entry.is_sap for entry in entries):
        raise ServiceError(403)
    before = tenant.keystore().entries
    after: Entries = {alias: entry for alias, entry in before.items() if entry not in entries}
    if len(after) != len(before):
        tenant.commit(after, request.user)
    return written(tenant, request, before, returns=True)


# -------------------------------------------------------------------------------------- backup and restore


def _back_up(tenant: Tenant, request: Request) -> Response:
    own = {alias: entry for alias, entry in tenant.keystore().entries.items() if not entry.is_sap}
    tenant.commit(own, request.user, BACKUP)
    tenant.has_backup = True
    items = [entry.properties() for entry in own.values()]
    if not request.flag("returnKeystoreEntries", default=True):
        return Response(204)
    return Renderer(request, tenant.switches).collection(rendering.KEYSTORE_ENTRIES, items)


def _restore(tenant: Tenant, request: Request) -> Response:
    if not tenant.has_backup:
        raise ServiceError(404, "No backup exists.")
    option = request.query.get("importOption", "overwrite")
    if option not in {"overwrite", "replace"}:
        raise ServiceError(400, f"Invalid value '{option}' for the option 'importOption'.")
    before = tenant.keystore().entries
    kept = {alias: entry for alias, entry in before.items() if entry.is_sap or option == "overwrite"}
    tenant.commit({**kept, **tenant.keystore(BACKUP).entries}, request.user)
    return written(tenant, request, before, returns=True)


# ------------------------------------------------------------------------------------------------- import


def _import(tenant: Tenant, request: Request) -> Response:
    content = _content(request)
    check_size(content, tenant.switches.upload_bytes)
    option = request.query.get("importOption", "overwrite")
    if option not in {"overwrite", "merge", "replace"}:
        raise ServiceError(400, f"Invalid value '{option}' for the option 'importOption'.")
    returns = request.flag("returnKeystoreEntries", default=True)
    before = tenant.keystore().entries
    after = {alias: entry for alias, entry in before.items() if entry.is_sap or option != "replace"}
    refused: list[dict[str, Any]] = []
    for entry in _opened(tenant, request, content):
        if reason := _why_not(after.get(entry.alias), entry, option):
            refused.append(entry.properties(reason))
        else:
            after[entry.alias] = entry
    if refused and not returns:
        raise ServiceError(400, "The keystore could not be imported: " + refused[0]["Status"])
    tenant.commit(after, request.user)
    if not returns:
        return Response(204)
    items = [e.properties("unchanged" if before.get(a) is e else "changed" if a in before else "new")
             for a, e in after.items()]  # fmt: skip
    return Renderer(request, tenant.switches).collection(rendering.KEYSTORE_ENTRIES, items + refused)


def _why_not(existing: StoredEntry | None, entry: StoredEntry, option: str) -> str:
    if is_reserved(entry.alias):
        return f"notImported: {why_reserved(entry.alias)}"
    if existing is None:
        return ""
    if existing.is_sap or option == "merge":
        return "notImported: An entry with the same alias already exists"
    if existing.type == KEY_PAIR and entry.type != KEY_PAIR:
        return "notImported :Key Pair entry cannot be overwritten by a certificate entry."
    return ""


def _content(request: Request) -> bytes:
    try:
        return base64.b64decode(request.text_field("Resource", required=True) or "", validate=True)
    except binascii.Error:
        raise ServiceError(400, "The property 'Resource' is not base64.") from None


def _opened(tenant: Tenant, request: Request, content: bytes) -> Iterator[StoredEntry]:
    """The X.509 entries of a JKS or JCEKS file; its password opens every key."""
    import jks
    from jks.util import KeystoreException

    if content[:4] not in _MAGIC:
        raise ServiceError(415, "The file is neither a JKS nor a JCEKS keystore.")
    password = request.text_field("Password") or ""
    try:
        store = jks.KeyStore.loads(content, password, try_decrypt_keys=True)
        for alias, entry in store.entries.items():
            if isinstance(entry, jks.TrustedCertEntry):
                chain = (x509.load_der_x509_certificate(entry.cert),)
                yield tenant.entry(alias, chain, request.user)
            elif isinstance(entry, jks.PrivateKeyEntry):
                yield _key_pair(tenant, request, alias, entry)
    except (KeystoreException, ValueError):
        raise ServiceError(400, "The keystore could not be opened. Check the password.") from None


def _key_pair(tenant: Tenant, request: Request, alias: str, entry: Any) -> StoredEntry:
    if not entry.is_decrypted():
        raise ServiceError(400, f"The key of alias '{alias}' could not be opened with the password.")
    key = cast("PrivateKey", load_der_private_key(entry.pkey_pkcs8, None))
    certificates = [x509.load_der_x509_certificate(der) for _, der in entry.cert_chain]
    chain = ordered_chain(public_bytes(certificates[0]), certificates)
    return tenant.entry(alias, tuple(chain), request.user, key=key)
