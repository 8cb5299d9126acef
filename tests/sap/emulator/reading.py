"""What a tenant answers to reading requests."""

from __future__ import annotations

import base64
from hashlib import sha1
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from tests.sap.emulator import rendering
from tests.sap.emulator.certificates import facts, signing_request
from tests.sap.emulator.entries import CERTIFICATE, StoredEntry, hexalias
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.rendering import Renderer
from tests.sap.emulator.tenant import BACKUP, RENEWAL, SYSTEM, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

PEM_TYPE = "application/pkix-cert"
SETS = (
    "CertificateChainResources", "CertificateResources", "HistoryKeystoreEntries", "KeyPairGenerationRequests",
    "KeyPairResources", "KeystoreEntries", "KeystoreResources", "Keystores", "RSAKeyGenerationRequests",
    "SSHKeyGenerationRequests",
)  # fmt: skip


def alias_of(hexalias: str) -> str:
    """The alias behind the key in a URL.

    Raises:
        ServiceError: 500 for an odd number of digits, as a tenant answers; 400 for what is no alias.
    """
    if len(hexalias) % 2:
        raise ServiceError(500, f"hexBinary needs to be even-length: {hexalias}")
    try:
        return bytes.fromhex(hexalias).decode()
    except ValueError:
        raise ServiceError(400, f"contains illegal character for hexBinary: {hexalias}") from None


def missing(alias: str) -> ServiceError:
    return ServiceError(404, f"Alias '{alias}' not found in the keystore")


def _found(tenant: Tenant, request: Request, hexalias: str) -> StoredEntry:
    alias = alias_of(hexalias)
    entry = tenant.find_shown(alias, request.keystore_name)
    if entry is None:
        raise missing(alias)
    return entry


def service_document(tenant: Tenant, request: Request) -> Response:
    if Renderer(request, tenant.switches).json:
        return rendering.document({"d": {"EntitySets": list(SETS)}})
    sets = "".join(f'<collection href="{name}"/>' for name in SETS)
    return Response(200, f"<service><workspace>{sets}</workspace></service>".encode(), "application/atomsvc+xml")


def metadata(tenant: Tenant, request: Request) -> Response:
    """A reduced EDMX: like the real one it does not tell which verbs a set accepts."""
    del tenant, request
    sets = "".join(f'<EntitySet Name="{name}" EntityType="com.sap.hci.api.{name}"/>' for name in SETS)
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>'
        '<Schema Namespace="com.sap.hci.api" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f'<EntityContainer Name="api">{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>'
    )
    return Response(200, text.encode(), "application/xml;charset=utf-8")


# ------------------------------------------------------------------------------------------------- entries


def list_entries(tenant: Tenant, request: Request) -> Response:
    entries = tenant.shown(request.keystore_name).entries.values()
    items = [entry.properties() for entry in entries]
    return Renderer(request, tenant.switches).collection(rendering.KEYSTORE_ENTRIES, items)


def one_entry(tenant: Tenant, request: Request, hexalias: str) -> Response:
    entry = _found(tenant, request, hexalias)
    return Renderer(request, tenant.switches).entity(rendering.KEYSTORE_ENTRIES, entry.properties())


def certificate(tenant: Tenant, request: Request, hexalias: str) -> Response:
    entry = _found(tenant, request, hexalias)
    chosen = entry.chain[-1] if request.flag("rootCA") else entry.leaf
    return Response(200, _encoded(chosen, tenant.switches.certificate_encoding), PEM_TYPE)


def _encoded(certificate: x509.Certificate, encoding: str) -> bytes:
    der = certificate.public_bytes(Encoding.DER)
    match encoding:
        case "der":
            return der
        case "base64":
            return base64.encodebytes(der)
    return certificate.public_bytes(Encoding.PEM)


def request_of_key(tenant: Tenant, request: Request, hexalias: str) -> Response:
    entry = _found(tenant, request, hexalias)
    if entry.key is None:
        raise ServiceError(400, f'Alias "{entry.alias}" does not represent a Key Pair')
    body = signing_request(entry.leaf.subject, entry.key, entry.request_hash)
    return Response(200, body, "application/pkcs10")


def chain_certificates(tenant: Tenant, request: Request, hexalias: str) -> Response:
    items = _found(tenant, request, hexalias).chain_properties()
    return Renderer(request, tenant.switches).collection(rendering.CHAIN_CERTIFICATES, items)


def chain_resource(tenant: Tenant, request: Request, hexalias: str) -> Response:
    entry = _found(tenant, request, hexalias)
    return Response(200, pkcs7.serialize_certificates(list(entry.chain), Encoding.PEM), "application/pkcs7-mime")


def ssh_key(tenant: Tenant, request: Request, hexalias: str) -> Response:
    entry = _found(tenant, request, hexalias)
    key = entry.leaf.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise ServiceError(400, f"The key of alias '{entry.alias}' cannot be exported in OpenSSH format.")
    assert isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey)
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return Response(200, f"{text} public key for alias {entry.alias}".encode(), "text/plain")


# ---------------------------------------------------------------------------------------- whole keystores


def keystore(tenant: Tenant, request: Request, name: str) -> Response:
    if name not in {SYSTEM, BACKUP}:
        raise ServiceError(400, f"Keystore name '{name}' is invalid.")
    shown = tenant.shown(name)
    properties = {
        "Name": name,
        "LastModifiedBy": shown.modified_by,
        "LastModifiedTime": shown.modified_at,
        "Size": len(shown.entries),
    }
    renderer = Renderer(request, tenant.switches)
    expanded = None
    if request.query.get("$expand") == "Entries":
        items = [entry.properties() for entry in shown.entries.values()]
        expanded = {"Entries": renderer.inline(rendering.KEYSTORE_ENTRIES, items)}
    return renderer.entity(rendering.KEYSTORES, properties, expanded)


def keystore_entries(tenant: Tenant, request: Request, name: str) -> Response:
    items = [entry.properties() for entry in tenant.shown(name).entries.values()]
    return Renderer(request, tenant.switches).collection(rendering.KEYSTORE_ENTRIES, items)


def keystore_size(tenant: Tenant, request: Request, name: str) -> Response:
    del request
    if name not in {SYSTEM, RENEWAL}:
        raise ServiceError(400, f"Keystore name '{name}' is invalid.")
    return Response(200, str(len(tenant.shown(name).entries)).encode(), "text/plain")


def public_keystore(tenant: Tenant, request: Request, name: str) -> Response:
    """A JCEKS file with public content: chains become entries `alias`, `alias_1`, `alias_2`."""
    del request
    if name not in {SYSTEM, BACKUP}:
        raise ServiceError(400, bad_name(name))
    content = base64.b64encode(_jceks(tenant.shown(name).entries.values())).decode()
    return rendering.document({"d": {"Name": name, "Resource": content, "Password": None, "Aliases": None}})


def bad_name(name: str) -> str:
    possible = f"Possible name values are '{SYSTEM}' and '{BACKUP}'."
    return f"The value '{name}' is not supported for the property 'Name'. {possible}"


def _jceks(entries: Iterable[StoredEntry]) -> bytes:
    import jks

    flat: dict[str, x509.Certificate] = {}
    for entry in entries:
        for index, item in enumerate(entry.chain):
            name = entry.alias if index == 0 else f"{entry.alias}_{index}"
            while name in flat:
                name += "_"
            flat[name] = item
    trusted = [jks.TrustedCertEntry.new(name, item.public_bytes(Encoding.DER)) for name, item in flat.items()]
    # pyjks writes no JCEKS; with certificates alone it is a JKS under another magic number.
    content = b"\xce\xce\xce\xce" + jks.KeyStore.new("jks", trusted).saves("")[4:-20]
    return content + sha1(b"Mighty Aphrodite" + content).digest()


# ------------------------------------------------------------------------------------------------- history


def list_history(tenant: Tenant, request: Request) -> Response:
    items = [entry.properties() for entry in tenant.history]
    return Renderer(request, tenant.switches).collection(rendering.HISTORY_ENTRIES, items)


def one_history_entry(tenant: Tenant, request: Request, hexalias: str) -> Response:
    alias = alias_of(hexalias)
    entry = next((entry for entry in tenant.history if entry.alias == alias), None)
    if entry is None:
        raise missing(alias)
    return Renderer(request, tenant.switches).entity(rendering.HISTORY_ENTRIES, entry.properties())


def untrusted(alias: str, certificate: x509.Certificate) -> ServiceError:
    """The 409 of an import."""
    entity = {
        "Hexalias": hexalias(alias),
        "Alias": alias,
        **facts(certificate),
        "Type": CERTIFICATE,
        "Validity": "notTrusted",
        "Status": "notImported: The certificate is not trusted.",
    }
    return ServiceError(409, "The certificate is not trusted.", entity=entity)
