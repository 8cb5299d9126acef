"""The only door to cryptography's X.509: parse certificates, make keys, requests and certificates, match them."""

from __future__ import annotations

import re
import warnings
from binascii import Error as Base64Error
from binascii import a2b_base64
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from reconciler.errors import IssuerError, MaterialError, ReconcileError
from reconciler.model import RequestFacts
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from reconciler.model import Certificate, KeySpec, WantedKeyPair

T = TypeVar("T")

# Names of attributes beyond RFC 4514's own table, so that people do not read dotted numbers.
_ATTRIBUTE_NAMES = {
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.97": "organizationIdentifier",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_ATTRIBUTE_OIDS = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "title": "2.5.4.12",
    "GN": "2.5.4.42",
    "organizationIdentifier": "2.5.4.97",
    "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25",
    "emailAddress": "1.2.840.113549.1.9.1",
}
_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
USAGE_OIDS = {name: oid for oid, name in _USAGES.items()}
_KEY_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "contentCommitment",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
_KEY_ALGORITHMS = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.10040.4.1": "DSA",
    "1.2.840.10045.2.1": "EC",
    "1.3.101.110": "X25519",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}
# Java's standard names (Java Security Standard Algorithm Names, "Signature Algorithms").
_SIGNATURE_ALGORITHMS = {
    "1.2.840.113549.1.1.2": "MD2withRSA",
    "1.2.840.113549.1.1.4": "MD5withRSA",
    "1.2.840.113549.1.1.5": "SHA1withRSA",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "SHA256withRSA",
    "1.2.840.113549.1.1.12": "SHA384withRSA",
    "1.2.840.113549.1.1.13": "SHA512withRSA",
    "1.2.840.113549.1.1.14": "SHA224withRSA",
    "1.3.14.3.2.29": "SHA1withRSA",  # OIW's own number, of old Microsoft tools
    "1.2.840.10045.4.1": "SHA1withECDSA",
    "1.2.840.10045.4.3.1": "SHA224withECDSA",
    "1.2.840.10045.4.3.2": "SHA256withECDSA",
    "1.2.840.10045.4.3.3": "SHA384withECDSA",
    "1.2.840.10045.4.3.4": "SHA512withECDSA",
    "1.2.840.10040.4.3": "SHA1withDSA",
    "2.16.840.1.101.3.4.3.1": "SHA224withDSA",
    "2.16.840.1.101.3.4.3.2": "SHA256withDSA",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}


# ------------------------------------------------------------------------------------------------- reading


class X509Certificate:
    """A certificate as it came, and facts about it that are worked out only when asked for.

    Implements `reconciler.model.Certificate`. A fact that cannot be parsed is None.
    """

    def __init__(self, der: bytes) -> None:
        self.der = der

    def __eq__(self, other: object) -> bool:
        return isinstance(other, X509Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"X509Certificate({self.sha256[:16]}…)"

    @cached_property
    def sha256(self) -> str:
        return sha256(self.der).hexdigest()

    @cached_property
    def _outcome(self) -> tuple[x509.Certificate | None, str | None]:
        from cryptography import x509

        try:
            with _quietly():
                return x509.load_der_x509_certificate(self.der), None
        except Exception as error:  # noqa: BLE001  # whatever a parser thinks of hostile bytes: the fact is None
            return None, _one_line(error)

    def _fact(self, read: Callable[[x509.Certificate], T]) -> T | None:
        parsed = self._outcome[0]
        if parsed is None:
            return None
        try:
            with _quietly():
                return read(parsed)
        except Exception:  # noqa: BLE001  # as above
            return None

    def _extension(self, name: str) -> Any:
        from cryptography import x509

        kind: Any = getattr(x509, name)
        if self._fact(lambda parsed: len(parsed.extensions)) is not None:
            return self._fact(lambda parsed: parsed.extensions.get_extension_for_class(kind).value)
        return self._fact(lambda _parsed: self._alone(kind))

    def _alone(self, kind: Any) -> Any:
        """An extension of a certificate of which another one is malformed: the parser takes all of them or none."""
        from cryptography import x509

        from reconciler.lone_extension import with_only

        alone = with_only(self.der, kind.oid.dotted_string)
        return alone and x509.load_der_x509_certificate(alone).extensions.get_extension_for_class(kind).value

    @property
    def problem(self) -> str | None:
        return self._outcome[1]

    @cached_property
    def subject(self) -> str | None:
        return self._fact(lambda parsed: _rfc4514(parsed.subject))

    @cached_property
    def issuer(self) -> str | None:
        return self._fact(lambda parsed: _rfc4514(parsed.issuer))

    @cached_property
    def subject_attributes(self) -> tuple[tuple[str, str], ...] | None:
        return self._fact(lambda parsed: tuple((_attribute_name(a), str(a.value)) for a in parsed.subject))

    @cached_property
    def subject_key(self) -> str | None:
        return self._fact(lambda parsed: _canonical(parsed.subject))

    @cached_property
    def issuer_key(self) -> str | None:
        return self._fact(lambda parsed: _canonical(parsed.issuer))

    @cached_property
    def serial(self) -> int | None:
        return self._fact(lambda parsed: parsed.serial_number)

    @cached_property
    def not_before(self) -> datetime | None:
        return self._fact(lambda parsed: parsed.not_valid_before_utc)

    @cached_property
    def not_after(self) -> datetime | None:
        return self._fact(lambda parsed: parsed.not_valid_after_utc)

    @cached_property
    def key_algorithm(self) -> str | None:
        return self._fact(lambda parsed: _named(parsed.public_key_algorithm_oid.dotted_string, _KEY_ALGORITHMS))

    @cached_property
    def key_size(self) -> int | None:
        return self._fact(lambda parsed: _key_size(parsed.public_key()))

    @cached_property
    def curve(self) -> str | None:
        return self._fact(lambda parsed: getattr(getattr(parsed.public_key(), "curve", None), "name", None))

    @cached_property
    def public_key_sha256(self) -> str | None:
        return self._fact(lambda parsed: sha256(_spki(parsed.public_key())).hexdigest())

    @cached_property
    def signature_algorithm(self) -> str | None:
        return self._fact(_signature_name)

    @cached_property
    def subject_alt_names(self) -> tuple[str, ...] | None:
        if self._outcome[0] is None:
            return None
        names = self._extension("SubjectAlternativeName")
        return tuple(_general_name(name) for name in names) if names is not None else ()

    @cached_property
    def key_usage(self) -> frozenset[str] | None:
        usage = self._extension("KeyUsage")
        if usage is None:
            return None
        return frozenset(name for attribute, name in _KEY_USAGES.items() if getattr(usage, attribute))

    @cached_property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        usages = self._extension("ExtendedKeyUsage")
        return None if usages is None else tuple(_named(oid.dotted_string, _USAGES) for oid in usages)

    @cached_property
    def is_ca(self) -> bool | None:
        constraints = self._extension("BasicConstraints")
        return None if constraints is None else bool(constraints.ca)

    @cached_property
    def path_length(self) -> int | None:
        constraints = self._extension("BasicConstraints")
        return None if constraints is None else constraints.path_length

    @cached_property
    def subject_key_identifier(self) -> bytes | None:
        identifier = self._extension("SubjectKeyIdentifier")
        return None if identifier is None else identifier.digest

    @cached_property
    def authority_key_identifier(self) -> bytes | None:
        identifier = self._extension("AuthorityKeyIdentifier")
        return None if identifier is None else identifier.key_identifier

    @cached_property
    def version(self) -> int | None:
        return self._fact(lambda parsed: parsed.version.value + 1)


def _quietly() -> AbstractContextManager[object]:
    """Odd but readable certificates (negative serials, for one) are no news on every run, and no noise on stderr."""
    return warnings.catch_warnings(action="ignore")


def certificate(der: bytes) -> Certificate:
    """Wrap the DER bytes of one certificate; nothing is parsed until a fact is asked for."""
    known = _KNOWN.get(der)
    if known is None:
        known = _KNOWN[der] = X509Certificate(der)
    return known


# The same roots are in hundreds of keystores of a fleet: each is parsed once, and forgotten with its last holder.
_KNOWN: WeakValueDictionary[bytes, X509Certificate] = WeakValueDictionary()


# No hyphen in base64: a class without it is ten times faster than a lazy dot, which matters with 10,000 files.
_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----")


def load_certificates(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file (one or many, other blocks and text around them ignored) or of one DER file.

    Nothing but the armour is parsed; ask `problem` to know whether a certificate is one.

    Raises:
        MaterialError: neither PEM with a certificate nor DER, or broken base64.
    """
    if blocks := _PEM.findall(data):
        return tuple(certificate(_unarmoured(block)) for block in blocks)
    if data[:1] == b"\x30":
        return (certificate(data),)
    raise MaterialError(
        "no certificate in it: neither PEM (-----BEGIN CERTIFICATE-----) nor DER",
        hint="export the certificate as PEM or DER; a PKCS#12 file belongs under keyPairs",
    )


def _unarmoured(block: bytes) -> bytes:
    try:
        der = a2b_base64(b"".join(block.split()), strict_mode=True)
    except Base64Error as error:
        raise MaterialError(f"broken base64 in a PEM certificate: {_one_line(error)}") from None
    if not der:
        raise MaterialError("an empty PEM certificate")
    return der


def to_pem(certificates: Sequence[Certificate]) -> bytes:
    """The certificates as one PEM text, in the order given."""
    return b"".join(_armoured(b"CERTIFICATE", one.der) for one in certificates)


def to_pkcs7(certificates: Sequence[Certificate]) -> bytes:
    """The certificates as PKCS#7 without signatures (RFC 5652, certs-only), in PEM.

    Raises:
        MaterialError: one of them cannot be parsed.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    loaded = [_loaded(one) for one in certificates]
    if any(one is None for one in loaded):
        raise MaterialError("a certificate of the chain cannot be parsed, so no PKCS#7 file can be made of it")
    return pkcs7.serialize_certificates([one for one in loaded if one is not None], Encoding.PEM)


def openssh_public_key(one: Certificate, comment: str) -> bytes:
    """The public key of a certificate on one line, as it stands in `authorized_keys`.

    Raises:
        MaterialError: OpenSSH has no form for this kind of key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    loaded = _loaded(one)
    try:
        key: Any = loaded.public_key() if loaded else None
        line: bytes = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except Exception:  # noqa: BLE001  # unknown algorithms and curves raise what they like
        raise MaterialError(f"OpenSSH has no form for a key of the kind {one.key_algorithm or 'unknown'}") from None
    return line + b" " + " ".join(comment.split()).encode() + b"\n"


def request_to_pem(signing_request: bytes) -> bytes:
    """A PKCS#10 request (DER) in PEM."""
    return _armoured(b"CERTIFICATE REQUEST", signing_request)


def _armoured(label: bytes, content: bytes) -> bytes:
    """RFC 7468: 48 bytes give lines of 64 characters."""
    from base64 import encodebytes

    lines = b"".join(encodebytes(content[at : at + 48]) for at in range(0, len(content), 48))
    return b"-----BEGIN " + label + b"-----\n" + lines + b"-----END " + label + b"-----\n"


def is_signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether the signature of `child` was made with the key of `issuer`. Names and dates are not looked at."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    signed, signer = _loaded(child), _loaded(issuer)
    if signed is None or signer is None:
        return False
    try:
        _verify(signed, signer.public_key())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _verify(signed: x509.Certificate, key: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    signature, body = signed.signature, signed.tbs_certificate_bytes
    match key:
        case rsa.RSAPublicKey():
            parameters: Any = signed.signature_algorithm_parameters
            key.verify(signature, body, parameters, _hash_of(signed))
        case ec.EllipticCurvePublicKey():
            key.verify(signature, body, ec.ECDSA(_hash_of(signed)))
        case dsa.DSAPublicKey():
            key.verify(signature, body, _hash_of(signed))
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(signature, body)
        case _:
            raise TypeError("a key that cannot sign")


def _hash_of(signed: x509.Certificate) -> hashes.HashAlgorithm:
    algorithm = signed.signature_hash_algorithm
    if algorithm is None:
        raise ValueError("the signature algorithm does not fit the key")
    return algorithm


def _loaded(one: Certificate) -> x509.Certificate | None:
    return X509Certificate(one.der)._outcome[0] if not isinstance(one, X509Certificate) else one._outcome[0]  # noqa: SLF001  # its own class


# ------------------------------------------------------------------------------------------ keys and making


def load_private_key(data: bytes, password: Secret | None) -> Secret:
    """A private key in PEM or DER (PKCS#8, encrypted PKCS#8, PKCS#1, SEC 1, OpenSSH) as PKCS#8 DER.

    Raises:
        MaterialError: not a private key, or `password` is missing, wrong, or not asked for.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    load = serialization.load_pem_private_key if b"-----BEGIN" in data else serialization.load_der_private_key
    if b"-----BEGIN OPENSSH" in data:
        load = serialization.load_ssh_private_key
    try:
        key = load(data, None if password is None else password.reveal())
    except TypeError as error:
        missing = password is None
        raise MaterialError(
            "the private key is encrypted and no password is given" if missing else _one_line(error),
            hint="name the password in the desired state" if missing else "take the password out: the key has none",
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = "wrong password, or not a private key" if password is not None else "not a private key"
        raise MaterialError(f"{reason} ({_one_line(error)})") from None
    return _pkcs8(key)


def generate_private_key(spec: KeySpec) -> Secret:
    """A new private key as PKCS#8 DER."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match spec.algorithm:
        case "RSA":
            return _pkcs8(rsa.generate_private_key(65537, spec.size or 3072))
        case "EC":
            curves = {curve.name: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
            return _pkcs8(ec.generate_private_key(curves[spec.curve or "secp256r1"]))
        case "Ed25519":
            return _pkcs8(ed25519.Ed25519PrivateKey.generate())
        case _:
            raise ReconcileError(f"keys of the algorithm {spec.algorithm} cannot be generated")


def self_signed(private_key: Secret, wanted: WantedKeyPair, now: datetime) -> Certificate:
    """A certificate over the declared subject, names and usages, signed with its own key, valid from `now`.

    RFC 5280: version 3, random serial of 159 bits, basicConstraints CA false, keyUsage for TLS, and a
    subjectKeyIdentifier. The validity starts at the full second.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key = _signing_key(private_key)
    name = subject_name(wanted.subject)
    start = now.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + wanted.validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in requested_extensions(wanted):
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(key, signature_hash(key))
    return certificate(signed.public_bytes(serialization.Encoding.DER))


def signing_request(private_key: Secret, wanted: WantedKeyPair) -> bytes:
    """A PKCS#10 request (RFC 2986) as DER, asking for the declared subject, names and usages."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key = _signing_key(private_key)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name(wanted.subject))
    for extension, critical in requested_extensions(wanted):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, signature_hash(key)).public_bytes(serialization.Encoding.DER)


def sign_request(
    signing_request: bytes, wanted: WantedKeyPair, authority: Certificate, private_key: Secret, now: datetime
) -> Certificate:
    """A certificate over the key of a PKCS#10 request, with what is declared in `wanted`, signed by an authority.

    What the request itself asks for is not looked at beyond its key: the desired state decides.

    Raises:
        IssuerError: the request is not signed with its key, or the private key is not that of the authority.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    request = x509.load_der_x509_csr(signing_request)
    if not request.is_signature_valid:
        raise IssuerError("the signing request is not signed with the key that it carries")
    if not key_fits(private_key, authority):
        raise IssuerError(f"the private key does not belong to the CA certificate {authority.subject}")
    ca = x509.load_der_x509_certificate(authority.der)
    signer = _signing_key(private_key)
    start = now.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name(wanted.subject))
        .issuer_name(ca.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + wanted.validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
        .add_extension(_authority_key_identifier(ca), critical=False)
    )
    for extension, critical in requested_extensions(wanted):
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(signer, signature_hash(signer))
    return certificate(signed.public_bytes(serialization.Encoding.DER))


def _authority_key_identifier(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    from cryptography import x509

    try:
        identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        # Without one RFC 5280 leaves the method to the issuer; what builds chains compares what is there.
        key: Any = ca.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def request_facts(data: bytes) -> RequestFacts | None:
    """What a PKCS#10 request in PEM or DER asks for, and what we noted above it; None when it is not one."""
    from cryptography import x509

    try:
        load = x509.load_pem_x509_csr if b"-----BEGIN" in data else x509.load_der_x509_csr
        request = load(data)
        names = [
            name
            for extension in request.extensions
            if isinstance(extension.value, x509.SubjectAlternativeName)
            for name in extension.value
        ]
        return RequestFacts(
            sha256(_spki(request.public_key())).hexdigest(),
            tuple((_attribute_name(one), str(one.value)) for one in request.subject),
            tuple(_general_name(name) for name in names),
            *_notes(data),
        )
    except Exception:  # noqa: BLE001  # whatever lies there: it is not a request
        return None


_REQUESTED = re.compile(rb"^Requested: (\d{4}-\d{2}-\d{2})\s*$", re.MULTILINE)
_RENEWS = re.compile(rb"^Renews: ([0-9a-f]{64})\s*$", re.MULTILINE)


def _notes(data: bytes) -> tuple[date | None, str | None]:
    from datetime import date

    above = data.partition(b"-----BEGIN")[0]
    requested, renews = _REQUESTED.search(above), _RENEWS.search(above)
    day = date.fromisoformat(requested[1].decode()) if requested else None
    return day, renews[1].decode() if renews else None


def subject_name(attributes: Sequence[tuple[str, str]]) -> x509.Name:
    """The X.509 name of (short name, value) pairs, one attribute to a relative name, in the order given."""
    from cryptography import x509

    return x509.Name(
        [
            x509.NameAttribute(x509.ObjectIdentifier(_ATTRIBUTE_OIDS.get(name, name)), value)
            for name, value in attributes
        ]
    )


def requested_extensions(wanted: WantedKeyPair) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions that a certificate for `wanted` carries, each with its criticality."""
    from cryptography import x509

    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage_for(wanted.key), True),
    ]
    if wanted.extended_key_usage:
        usages = [x509.ObjectIdentifier(USAGE_OIDS.get(usage, usage)) for usage in wanted.extended_key_usage]
        extensions.append((x509.ExtendedKeyUsage(usages), False))
    if wanted.subject_alt_names:
        names = [_to_general_name(name) for name in wanted.subject_alt_names]
        # RFC 5280, 4.2.1.6: critical when the subject is empty.
        extensions.append((x509.SubjectAlternativeName(names), not wanted.subject))
    return extensions


def public_key_sha256_of(private_key: Secret) -> str:
    """SHA-256 over the SubjectPublicKeyInfo of a private key: equal to `public_key_sha256` of its certificates."""
    return sha256(_spki(_signing_key(private_key).public_key())).hexdigest()


def key_fits(private_key: Secret, leaf: Certificate) -> bool:
    """Whether `leaf` certifies the public half of `private_key`."""
    return public_key_sha256_of(private_key) == leaf.public_key_sha256


def signature_hash(key: CertificateIssuerPrivateKeyTypes) -> Any:
    """The hash to sign with: as strong as the key (SHA-384 and SHA-512 for the larger curves), None for EdDSA."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {384: hashes.SHA384, 521: hashes.SHA512}.get(key.curve.key_size, hashes.SHA256)()
    return hashes.SHA256()


def _signing_key(private_key: Secret) -> Any:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_der_private_key(private_key.reveal(), None)


def _pkcs8(key: Any) -> Secret:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _key_usage_for(spec: KeySpec) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        # RSA key transport of TLS 1.2 and older; other keys cannot encipher.
        key_encipherment=spec.algorithm == "RSA",
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


# ---------------------------------------------------------------------------------------------------- names


def _rfc4514(name: x509.Name) -> str:
    from cryptography import x509

    overrides = {x509.ObjectIdentifier(oid): short for oid, short in _ATTRIBUTE_NAMES.items()}
    return name.rfc4514_string(overrides)


def _attribute_name(attribute: x509.NameAttribute[Any]) -> str:
    return _ATTRIBUTE_NAMES.get(attribute.oid.dotted_string, attribute.rfc4514_attribute_name)


def _canonical(name: x509.Name) -> str | None:
    from reconciler.names import canonical_name

    return canonical_name(name.public_bytes())


def _general_name(name: x509.GeneralName) -> str:
    from cryptography import x509

    match name:
        case x509.DNSName():
            return f"DNS:{name.value}"
        case x509.IPAddress():
            return f"IP:{name.value}"
        case x509.RFC822Name():
            return f"email:{name.value}"
        case x509.UniformResourceIdentifier():
            return f"URI:{name.value}"
        case x509.DirectoryName():
            return f"dirName:{_rfc4514(name.value)}"
        case x509.RegisteredID():
            return f"RID:{name.value.dotted_string}"
        case x509.OtherName():
            return f"otherName:{name.type_id.dotted_string}"
        case _:
            return "unknown"


def _to_general_name(text: str) -> x509.GeneralName:
    from ipaddress import ip_address

    from cryptography import x509

    kind, _, value = text.partition(":")
    match kind:
        case "DNS":
            return x509.DNSName(value)
        case "IP":
            return x509.IPAddress(ip_address(value))
        case "email":
            return x509.RFC822Name(value)
        case "URI":
            return x509.UniformResourceIdentifier(value)
        case _:
            raise ReconcileError(f"a name of the kind {kind} cannot be put into a certificate")


def _named(oid: str, names: dict[str, str]) -> str:
    return names.get(oid, oid)


def _signature_name(parsed: x509.Certificate) -> str:
    """As Java names it; of RSASSA-PSS, whose parameters say the digest, one that is broken is named as well."""
    name = _named(parsed.signature_algorithm_oid.dotted_string, _SIGNATURE_ALGORITHMS)
    if name != "RSASSA-PSS":
        return name
    digest = parsed.signature_hash_algorithm
    return f"{digest.name.upper()}withRSAandMGF1" if digest is not None and digest.name in {"md5", "sha1"} else name


def _key_size(key: Any) -> int | None:
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

    if isinstance(key, ed25519.Ed25519PublicKey):
        return 255
    if isinstance(key, ed448.Ed448PublicKey):
        return 448
    size: int | None = getattr(key, "key_size", None)
    return size


def _spki(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
