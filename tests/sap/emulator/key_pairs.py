"""What a tenant does with requests that bring or order a key pair."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key, pkcs12

from tests.sap.emulator import rendering
from tests.sap.emulator.certificates import distinguished_name, make, ordered_chain, public_bytes, signature_hash
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.keys import PrivateKey, generate
from tests.sap.emulator.writing import allowed_alias, check_presence, check_size, check_trust, put, written

if TYPE_CHECKING:
    from cryptography import x509

    from tests.sap.emulator.tenant import Tenant

_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_SUBJECT = ("OrganizationUnit", "Organization", "Locality", "State", "Email")
_YEAR = timedelta(days=365)


def import_key_pair(tenant: Tenant, request: Request) -> Response:
    """`POST KeyPairResources`: a key pair from a PKCS#12 file."""
    alias = _alias(request)
    content = _binary(request, "Resource")
    check_size(content, tenant.switches.key_pair_bytes)
    key, chain = _pkcs12(content, (request.text_field("Password") or "").encode())
    before = tenant.keystore().entries
    existing = check_presence(tenant, alias, update=request.flag("update"))
    check_trust(tenant, request, alias, chain[-1])
    put(tenant, request, tenant.entry(alias, tuple(chain), request.user, key=key), existing)
    return written(tenant, request, before)


def _pkcs12(content: bytes, password: bytes) -> tuple[PrivateKey, list[x509.Certificate]]:
    if content[:1] != b"\x30":
        raise ServiceError(415, "The file is not a PKCS#12 file.")
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(content, password)
    except (ValueError, UnsupportedAlgorithm):
        raise ServiceError(400, "The key store could not be opened. Check the password.") from None
    if key is None or leaf is None:
        raise ServiceError(400, "The file contains no key pair.")
    return cast("PrivateKey", key), ordered_chain(public_bytes(leaf), [leaf, *others])


def generate_key_pair(tenant: Tenant, request: Request) -> Response:
    """`POST KeyPairGenerationRequests`: the tenant makes a key pair and signs it itself."""
    alias = _alias(request)
    key_type = request.text_field("KeyType") or "RSA"
    if key_type not in {"RSA", "DSA", "EC"}:
        raise ServiceError(400, f"Key type '{key_type}' is not supported.")
    hash_name = signature_hash(key_type, request.text_field("SignatureAlgorithm"))
    subject, lifetime = _subject(request), _validity(request, 3 * _YEAR)
    check_presence(tenant, alias, update=False)
    key = generate(key_type, _number(request, "KeySize"), request.text_field("KeyAlgorithmParameter"))
    return _store(tenant, request, alias, key, subject=subject, lifetime=lifetime, hash_name=hash_name)


def import_rsa_key(tenant: Tenant, request: Request) -> Response:
    """`POST RSAKeyGenerationRequests`: a key pair around an existing PKCS#1 key."""
    alias, subject = _alias(request), _subject(request)
    content = _binary(request, "RSAFile")
    if len(content) > 10000 or b"BEGIN RSA PRIVATE KEY" not in content:
        raise ServiceError(400, "The file is not a PKCS#1 RSA key.")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ServiceError(400, "The RSA key could not be read.") from None
    hash_name = signature_hash("RSA", request.text_field("SignatureAlgorithm") or "SHA-256/RSA")
    check_presence(tenant, alias, update=False)
    lifetime = _validity(request, 10 * _YEAR)
    key = cast("PrivateKey", key)
    return _store(tenant, request, alias, key, subject=subject, lifetime=lifetime, hash_name=hash_name)


def import_ssh_key(tenant: Tenant, request: Request) -> Response:
    """`POST SSHKeyGenerationRequests`: a key pair around an OpenSSH key (PuTTY files are not read here)."""
    alias, subject = _alias(request), _subject(request)
    password = request.text_field("Password")
    try:
        key = load_ssh_private_key(_binary(request, "SSHFile"), password.encode() if password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ServiceError(400, "The SSH key could not be read.") from None
    if not isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ServiceError(400, "The type of the SSH key is not supported.")
    existing = check_presence(tenant, alias, update=request.flag("update"))
    before = tenant.keystore().entries
    start, end = _validity(request, 10 * _YEAR)
    certificate = make(subject, key, not_before=start, not_after=end)
    put(tenant, request, tenant.entry(alias, (certificate,), request.user, key=key), existing)
    if request.flag("returnKeystoreEntries"):
        return written(tenant, request, before)
    return rendering.document({"d": {"Alias": alias}})


def _store(
    tenant: Tenant,
    request: Request,
    alias: str,
    key: PrivateKey,
    *,
    subject: x509.Name,
    lifetime: tuple[datetime, datetime],
    hash_name: str,
) -> Response:
    before = tenant.keystore().entries
    try:
        certificate = make(subject, key, not_before=lifetime[0], not_after=lifetime[1], hash_name=hash_name)
    except (ValueError, UnsupportedAlgorithm):
        raise ServiceError(400, "The certificate could not be generated.") from None
    put(tenant, request, tenant.entry(alias, (certificate,), request.user, key=key, request_hash=hash_name), None)
    return written(tenant, request, before)


# ---------------------------------------------------------------------------------------- fields of a body


def _alias(request: Request) -> str:
    """The alias of the body; `Hexalias` must be there and is not looked at further."""
    if request.text_field("Hexalias", required=True) is None:
        raise ServiceError(400, "The property 'Hexalias' is missing.")
    return allowed_alias(request.text_field("Alias", required=True) or "")


def _binary(request: Request, name: str) -> bytes:
    try:
        return base64.b64decode(request.text_field(name, required=True) or "", validate=True)
    except binascii.Error:
        raise ServiceError(400, f"The property '{name}' is not base64.") from None


def _number(request: Request, name: str) -> int | None:
    value: Any = request.json.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ServiceError(400, f"The property '{name}' is not a number.")


def _subject(request: Request) -> x509.Name:
    fields = {name: request.text_field(name) or "" for name in _SUBJECT}
    fields["CommonName"] = request.text_field("CommonName", required=True) or ""
    fields["Country"] = request.text_field("Country", required=True) or ""
    if len(fields["Country"]) != 2:
        raise ServiceError(400, "The country must have two characters.")
    if any(len(value) > 500 for value in fields.values()):
        raise ServiceError(400, "A field of the subject is longer than 500 characters.")
    try:
        return distinguished_name(**fields)
    except ValueError as error:
        raise ServiceError(400, str(error)) from None


def _validity(request: Request, default: timedelta) -> tuple[datetime, datetime]:
    start = _date(request, "ValidNotBefore") or datetime.now(UTC).replace(microsecond=0)
    end = _date(request, "ValidNotAfter") or start + default
    if end <= start:
        raise ServiceError(400, "ValidNotAfter must be later than ValidNotBefore.")
    return start, end


def _date(request: Request, name: str) -> datetime | None:
    text = request.text_field(name)
    if text is None:
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        raise ServiceError(400, f"The property '{name}' is not a date.")
    return datetime.fromtimestamp(int(match.group(1)) // 1000, UTC)
