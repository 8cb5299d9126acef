"""Real X.509 behind the emulator: what is uploaded is parsed, what is generated is signed, chains are verified."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID
from cryptography.x509.oid import SignatureAlgorithmOID as Sig

from tests.sap.emulator.exchange import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.sap.emulator.keys import PrivateKey

# cryptography no longer signs with SHA-1: such a request is 400 here.
HASHES: dict[str, hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "SHA224": hashes.SHA224(),
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
# What each type of key may be signed with (SAP Help, "Creating a Key Pair / SSH Key Pair").
SIGNATURES = {
    "RSA": ("SHA-512/RSA", "SHA-384/RSA", "SHA-256/RSA", "SHA-224/RSA", "SHA-1/RSA"),
    "DSA": ("SHA-256/DSA", "SHA-224/DSA", "SHA-1/DSA"),
    "EC": ("SHA-512/ECDSA", "SHA-256/ECDSA", "SHA-1/ECDSA"),
}
SUBJECT_FIELDS = (
    ("Country", NameOID.COUNTRY_NAME),
    ("State", NameOID.STATE_OR_PROVINCE_NAME),
    ("Locality", NameOID.LOCALITY_NAME),
    ("Organization", NameOID.ORGANIZATION_NAME),
    ("OrganizationUnit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("CommonName", NameOID.COMMON_NAME),
)
_JAVA_SIGNATURES = {
    Sig.RSA_WITH_SHA1: "SHA1withRSA",
    Sig.RSA_WITH_SHA224: "SHA224withRSA",
    Sig.RSA_WITH_SHA256: "SHA256withRSA",
    Sig.RSA_WITH_SHA384: "SHA384withRSA",
    Sig.RSA_WITH_SHA512: "SHA512withRSA",
    Sig.ECDSA_WITH_SHA1: "SHA1withECDSA",
    Sig.ECDSA_WITH_SHA224: "SHA224withECDSA",
    Sig.ECDSA_WITH_SHA256: "SHA256withECDSA",
    Sig.ECDSA_WITH_SHA384: "SHA384withECDSA",
    Sig.ECDSA_WITH_SHA512: "SHA512withECDSA",
    Sig.DSA_WITH_SHA1: "SHA1withDSA",
    Sig.DSA_WITH_SHA224: "SHA224withDSA",
    Sig.DSA_WITH_SHA256: "SHA256withDSA",
    Sig.RSASSA_PSS: "SHA256withRSAandMGF1",
    Sig.ED25519: "Ed25519",
}
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


# ------------------------------------------------------------------------------------------------ making


def signature_hash(key_type: str, name: str | None) -> str:
    """The hash of a signature algorithm in SAP's spelling; with and without the hyphen."""
    allowed = SIGNATURES[key_type]
    wanted = allowed[0] if name is None else name
    for candidate in allowed:
        if wanted in {candidate, candidate.replace("SHA-", "SHA")}:
            name = candidate.split("/")[0].replace("-", "")
            if name in HASHES:
                return name
    raise ServiceError(400, f"Signature algorithm '{wanted}' is not supported for {key_type}.")


def make(
    subject: x509.Name,
    key: PrivateKey,
    *,
    issuer: x509.Certificate | None = None,
    issuer_key: PrivateKey | None = None,
    ca: bool = False,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    hash_name: str = "SHA256",
) -> x509.Certificate:
    """A version 3 certificate: self-signed without an issuer."""
    start = (not_before or datetime.now(UTC)).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() >> 96)
        .not_valid_before(start)
        .not_valid_after(not_after or start + timedelta(days=3 * 365))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key or key, HASHES[hash_name])


def distinguished_name(**fields: str) -> x509.Name:
    """A name in the encoding order of Java: the country first, the common name last."""
    attributes = [x509.NameAttribute(oid, fields[name]) for name, oid in SUBJECT_FIELDS if fields.get(name)]
    if fields.get("Email"):
        attributes.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, fields["Email"]))
    return x509.Name(attributes)


def signing_request(subject: x509.Name, key: PrivateKey, hash_name: str) -> bytes:
    """A PKCS#10 request as PEM, built when it is asked for."""
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, HASHES[hash_name])
    return request.public_bytes(Encoding.PEM)


# ----------------------------------------------------------------------------------------------- reading


def one_certificate(body: bytes) -> x509.Certificate:
    """The certificate of an upload: DER, base64 without armour, or PEM (the first block)."""
    try:
        return x509.load_der_x509_certificate(_der(body))
    except (ValueError, binascii.Error):
        raise ServiceError(415, "The request body is not an X.509 certificate.") from None


def chain_upload(body: bytes, *, pkcs7_only: bool = False, pem_only: bool = False) -> list[x509.Certificate]:
    """The certificates of a CA reply, in the order of the file."""
    if b"-----BEGIN CERTIFICATE-----" in body:
        if pkcs7_only:
            raise ServiceError(415, "The request body is not a PKCS#7 file.")
        found = [one_certificate(match.group(0)) for match in _PEM.finditer(body)]
        if not found:
            raise ServiceError(415, "The request body is not a certificate chain.")
        return found
    try:
        der = _der(body)
    except (ValueError, binascii.Error):
        raise ServiceError(415, "The request body is not a certificate chain.") from None
    return _from_der(der, pem_only=pem_only)


def _from_der(der: bytes, *, pem_only: bool) -> list[x509.Certificate]:
    if pem_only:
        raise ServiceError(415, "The request body is not a certificate chain.")
    for parse in (_pkcs7, _single, _pki_path):
        try:
            found = parse(der)
        except ValueError:
            continue
        if found:
            return found
    raise ServiceError(415, "The request body is not a certificate chain.")


def _pkcs7(der: bytes) -> list[x509.Certificate]:
    return pkcs7.load_der_pkcs7_certificates(der)


def _single(der: bytes) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(der)]


def _pki_path(der: bytes) -> list[x509.Certificate]:
    """A SEQUENCE of certificates, the top CA first."""
    position, end = _content(der, 0)
    found = []
    while position < end:
        _, stop = _content(der, position)
        found.append(x509.load_der_x509_certificate(der[position:stop]))
        position = stop
    return found


def _content(der: bytes, offset: int) -> tuple[int, int]:
    """Start and end of the content of the SEQUENCE at `offset`."""
    if len(der) < offset + 2 or der[offset] != 0x30:
        raise ValueError("no SEQUENCE")
    length, start = der[offset + 1], offset + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count]), start + count
    if start + length > len(der):
        raise ValueError("cut short")
    return start, start + length


def _der(body: bytes) -> bytes:
    if match := _PEM.search(body):
        return base64.b64decode(b"".join(match.group(2).split()), validate=True)
    if body[:1] == b"\x30":
        return body
    return base64.b64decode(b"".join(body.split()), validate=True)


# --------------------------------------------------------------------------------------------- verifying


def public_bytes(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def ordered_chain(leaf_key: bytes, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Leaf first, each signed by the next, nothing left over.

    Raises:
        ServiceError: no certificate for the key, or the certificates do not form one chain.
    """
    rest = list(dict.fromkeys(certificates))
    leaf = next((c for c in rest if public_bytes(c) == leaf_key), None)
    if leaf is None:
        text = "The public key of the CA Reply is different from the public key of the keystore entry"
        raise ServiceError(400, text)
    chain = [leaf]
    rest.remove(leaf)
    while rest:
        following = next((c for c in rest if issued(chain[-1], c)), None)
        if following is None:
            raise ServiceError(400, "The certificate chain could not be validated.")
        chain.append(following)
        rest.remove(following)
    return chain


def trusted(top: x509.Certificate, known: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The certificate of the keystore by which `top` is trusted: itself, or its issuer."""
    candidates = list(known)
    if top in candidates:
        return top
    return next((candidate for candidate in candidates if issued(top, candidate)), None)


# --------------------------------------------------------------------------------------------- describing


@lru_cache(maxsize=8192)
def facts(certificate: x509.Certificate) -> dict[str, object]:
    """The properties of a certificate in SAP's spelling."""
    key_type, size, curve = _key_facts(certificate)
    return {
        "KeyType": key_type,
        "KeySize": size,
        "ValidNotBefore": certificate.not_valid_before_utc,
        "ValidNotAfter": certificate.not_valid_after_utc,
        "SerialNumber": f"0x{certificate.serial_number:X}",
        "SignatureAlgorithm": _JAVA_SIGNATURES.get(
            certificate.signature_algorithm_oid, certificate.signature_algorithm_oid.dotted_string
        ),
        "EllipticCurve": curve,
        "Validity": None,
        "SubjectDN": shown_name(certificate.subject),
        "IssuerDN": shown_name(certificate.issuer),
        "Version": 3 if certificate.version is x509.Version.v3 else 1,
        "FingerprintSha1": fingerprint(certificate, hashes.SHA1()),
        "FingerprintSha256": fingerprint(certificate, hashes.SHA256()),
        "FingerprintSha512": fingerprint(certificate, hashes.SHA512()),
    }


def fingerprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return certificate.fingerprint(algorithm).hex(":").upper()


def shown_name(name: x509.Name) -> str:
    """Most specific part first, `, ` between the parts, quotes where a value has a comma (as Java prints it)."""
    return ", ".join("+".join(_shown(a) for a in rdn) for rdn in reversed(name.rdns))


def _shown(attribute: x509.NameAttribute[str | bytes]) -> str:
    label = "EMAILADDRESS" if attribute.oid == NameOID.EMAIL_ADDRESS else attribute.rfc4514_attribute_name
    text = attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
    if any(c in text for c in ',+"<>;=\\') or text != text.strip():
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{label}={text}"


def _key_facts(certificate: x509.Certificate) -> tuple[str | None, int | None, str | None]:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            return "RSA", key.key_size, None
        case dsa.DSAPublicKey() as key:
            return "DSA", key.key_size, None
        case ec.EllipticCurvePublicKey() as key:
            return "EC", key.key_size, key.curve.name
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256, None
        case ed448.Ed448PublicKey():
            return "Ed448", 448, None
    return None, None, None
