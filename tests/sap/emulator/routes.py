"""From a request to its handler: the table of what the service offers, and the checks before a handler runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.sap.emulator import key_pairs, reading, whole_keystore, writing
from tests.sap.emulator.entries import is_reserved
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.whole_keystore import listed_aliases

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sap.emulator.gate import Account
    from tests.sap.emulator.tenant import Tenant

_KEY = r"\('([^']*)'\)"
_READ_LINKS = {
    "Certificate/$value": reading.certificate,
    "SigningRequest/$value": reading.request_of_key,
    "ChainCertificates": reading.chain_certificates,
    "ChainResource/$value": reading.chain_resource,
    "Sshkey/$value": reading.ssh_key,
}
_TABLE: list[tuple[str, str, Callable[..., Response]]] = [
    ("GET", r"", reading.service_document),
    ("GET", r"\$metadata", reading.metadata),
    ("GET", r"KeystoreEntries", reading.list_entries),
    ("GET", rf"KeystoreEntries{_KEY}", reading.one_entry),
    *(("GET", rf"KeystoreEntries{_KEY}/{re.escape(link)}", handler) for link, handler in _READ_LINKS.items()),
    ("PUT", rf"KeystoreEntries{_KEY}", writing.put_entry),
    ("DELETE", rf"KeystoreEntries{_KEY}", writing.delete_entry),
    ("PUT", rf"CertificateResources{_KEY}/\$value", writing.put_certificate),
    ("PUT", rf"CertificateChainResources{_KEY}/\$value", writing.put_chain),
    ("POST", r"KeyPairResources", key_pairs.import_key_pair),
    ("POST", r"KeyPairGenerationRequests", key_pairs.generate_key_pair),
    ("POST", r"RSAKeyGenerationRequests", key_pairs.import_rsa_key),
    ("POST", r"SSHKeyGenerationRequests", key_pairs.import_ssh_key),
    ("POST", r"KeystoreResources", whole_keystore.post),
    ("PUT", rf"KeystoreResources{_KEY}", whole_keystore.put),
    ("GET", rf"KeystoreResources{_KEY}", reading.public_keystore),
    ("GET", rf"Keystores{_KEY}", reading.keystore),
    ("GET", rf"Keystores{_KEY}/Entries", reading.keystore_entries),
    ("GET", rf"Keystores{_KEY}/Size/\$value", reading.keystore_size),
    ("GET", r"HistoryKeystoreEntries", reading.list_history),
    ("GET", rf"HistoryKeystoreEntries{_KEY}", reading.one_history_entry),
    ("PUT", rf"HistoryKeystoreEntries{_KEY}", writing.copy_history),
]
ROUTES = [(method, re.compile(pattern), handler) for method, pattern, handler in _TABLE]
_HEX = re.compile(r"\('([0-9A-Fa-f]+)'\)")


def answer(tenant: Tenant, request: Request, account: Account) -> Response:
    """Do what the request asks for.

    Raises:
        ServiceError: any answer that is not a success.
    """
    handler, arguments = _handler(request)
    writes = request.method not in {"GET", "HEAD"}
    if writes:
        tenant.gate.check_csrf(request)
    tenant.gate.check_role(account, writing=writes)
    if writes:
        tenant.gate.check_lock()
    response = handler(tenant, request, *arguments)
    if not writes:
        response.headers |= tenant.gate.fetch_csrf(request)
    return response


def _handler(request: Request) -> tuple[Callable[..., Response], tuple[str, ...]]:
    known = False
    for method, pattern, handler in ROUTES:
        match = pattern.fullmatch(request.path)
        if match is None:
            continue
        known = True
        if method == request.method:
            return handler, match.groups()
    if known:
        raise ServiceError(405, "Method Not Allowed")
    raise ServiceError(404, f"Could not find an entity set or function import for '{request.path}'.")


def addressed(request: Request) -> tuple[str, ...]:
    """Every alias that a request names, in the URL, the options and the body."""
    found = [_decoded(digits) for digits in _HEX.findall(request.path)]
    if "renameAlias" in request.query:
        found.append(request.query["renameAlias"])
    if request.path.startswith(("Key", "RSA", "SSH")) and request.method in {"POST", "PUT"}:
        found += _in_body(request)
    return tuple(alias for alias in found if alias)


def _in_body(request: Request) -> list[str]:
    try:
        body = request.json
    except ServiceError:
        return []
    alias, aliases = body.get("Alias"), body.get("Aliases")
    listed = listed_aliases(aliases) if isinstance(aliases, str) else []
    return [*([alias] if isinstance(alias, str) else []), *listed]


def _decoded(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode()
    except ValueError:
        return ""


def protected(tenant: Tenant, aliases: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the aliases that belong to SAP at this moment."""
    return tuple(
        alias for alias in aliases if is_reserved(alias) or ((entry := tenant.find(alias)) is not None and entry.is_sap)
    )
