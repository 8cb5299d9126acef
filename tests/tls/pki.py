"""Certificates for tests, good and odd ones: built octet by octet, so that nothing is too odd to build."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from itertools import count
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from reconciler import der
from reconciler.x509 import certificate

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

_SERIALS = count(1000)
_NAMES = {"CN": "2.5.4.3", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6", "emailAddress": "1.2.840.113549.1.9.1"}
_ALGORITHMS = {
    "ec-sha256": "1.2.840.10045.4.3.2",
    "ec-sha1": "1.2.840.10045.4.1",
    "rsa-sha256": "1.2.840.113549.1.1.11",
    "rsa-sha1": "1.2.840.113549.1.1.5",
    "rsa-md5": "1.2.840.113549.1.1.4",
    "dsa-sha256": "2.16.840.1.101.3.4.3.2",
    "ed25519": "1.3.101.112",
    "ed448": "1.3.101.113",
}


@cache
def key(kind: str = "ec", number: int = 0) -> Any:
    """A private key; the same one for the same kind and number."""
    del number
    match kind.split("-"):
        case ["rsa", bits]:
            return rsa.generate_private_key(65537, int(bits))
        case ["ec", curve]:
            return ec.generate_private_key({"192": ec.SECP192R1(), "224": ec.SECP224R1(), "384": ec.SECP384R1()}[curve])
        case ["dsa", bits]:
            return dsa.generate_private_key(int(bits))
        case ["ed25519"]:
            return ed25519.Ed25519PrivateKey.generate()
        case ["ed448"]:
            return ed448.Ed448PrivateKey.generate()
        case _:
            return ec.generate_private_key(ec.SECP256R1())


_NUMBERS = count(1)


def fresh(kind: str = "ec") -> Any:
    """A key of its own."""
    return key(kind, next(_NUMBERS))


# ------------------------------------------------------------------------------------------------ extensions


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    parts = [der.object_identifier(oid), *([der.boolean(True)] if critical else []), der.octet_string(value)]
    return der.sequence(*parts)


def basic_constraints(*, ca: bool, length: int | None = None, critical: bool = True) -> bytes:
    parts = [der.boolean(True)] if ca else []
    if length is not None:
        parts.append(der.integer(length))
    return extension("2.5.29.19", der.sequence(*parts), critical=critical)


def key_usage(*bits: int) -> bytes:
    octet = sum(0x80 >> bit for bit in bits)
    unused = (octet & -octet).bit_length() - 1 if octet else 0
    content = bytes([unused, octet]) if octet else b"\0"
    return extension("2.5.29.15", der.encode(der.BIT_STRING, content), critical=True)


def extended_key_usage(*oids: str, critical: bool = False) -> bytes:
    return extension("2.5.29.37", der.sequence(*map(der.object_identifier, oids)), critical=critical)


def general_name(text: str) -> bytes:
    """``DNS:x``, ``IP:x``, ``IP:x/len`` (a subtree), ``email:x``, ``URI:x``, ``dir:CN=x,O=y``, ``other:1.2.3``."""
    kind, _, value = text.partition(":")
    match kind:
        case "DNS":
            return der.implicit(2, value.encode())
        case "email":
            return der.implicit(1, value.encode())
        case "URI":
            return der.implicit(6, value.encode())
        case "IP" if "/" in value:
            network = ip_network(value)
            return der.implicit(7, network.network_address.packed + network.netmask.packed)
        case "IP":
            return der.implicit(7, ip_network(value).network_address.packed)
        case "dir":
            return der.explicit(4, name(value))
        case "other":
            return der.encode(0xA0, der.object_identifier(value), der.explicit(0, der.utf8_string("x")))
        case _:
            raise ValueError(text)


def alternative_names(*names: str, critical: bool = False) -> bytes:
    return extension("2.5.29.17", der.sequence(*map(general_name, names)), critical=critical)


def name_constraints(
    *, permitted: tuple[str, ...] = (), excluded: tuple[str, ...] = (), critical: bool = True
) -> bytes:
    def subtrees(number: int, names: tuple[str, ...]) -> list[bytes]:
        return [der.explicit(number, *(der.sequence(general_name(one)) for one in names))] if names else []

    return extension("2.5.29.30", der.sequence(*subtrees(0, permitted), *subtrees(1, excluded)), critical=critical)


def subject_key_identifier(value: bytes) -> bytes:
    return extension("2.5.29.14", der.octet_string(value))


def authority_key_identifier(value: bytes | None = None, serial: int | None = None, issuer: str = "CN=x") -> bytes:
    parts = [der.implicit(0, value)] if value is not None else []
    if serial is not None:
        parts += [der.explicit(1, der.explicit(4, name(issuer))), der.implicit(2, der.integer(serial)[2:])]
    return extension("2.5.29.35", der.sequence(*parts))


# --------------------------------------------------------------------------------------------- certificates


def name(text: str, string: int = der.UTF8_STRING) -> bytes:
    """A name from ``CN=x,O=y``, the first part first; empty for an empty text."""
    parts = [part.partition("=") for part in text.split(",") if part]
    return der.sequence(
        *(
            der.set_of(der.sequence(der.object_identifier(_NAMES[kind]), der.encode(string, value.encode())))
            for kind, _, value in parts
        )
    )


def _time(moment: datetime) -> bytes:
    moment = moment.astimezone(UTC)
    if 1950 <= moment.year < 2050:
        return der.encode(der.UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return der.encode(der.GENERALIZED_TIME, f"{moment.year:04}{moment:%m%d%H%M%S}Z".encode())


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, able to issue others."""

    der: bytes
    key: Any
    subject: bytes

    @property
    def certificate(self) -> Any:
        return certificate(self.der)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def key_der(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True)
class Draft:
    """What a certificate will say; valid by default, so that a test names only what it is about."""

    subject: str | bytes
    key: Any = field(default_factory=fresh)
    not_before: datetime = NOW - timedelta(days=100)
    not_after: datetime = NOW + timedelta(days=265)
    extensions: tuple[bytes, ...] = ()
    version: int = 3
    serial: int = field(default_factory=lambda: next(_SERIALS))
    algorithm: str | None = None
    issuer_name: bytes | None = None
    public_key: bytes | None = None
    break_signature: bool = False

    def issued_by(self, issuer: Issued | None = None) -> Issued:
        """Signed by `issuer`, or by its own key."""
        subject = self.subject if isinstance(self.subject, bytes) else name(self.subject)
        signer = issuer.key if issuer else self.key
        algorithm = self.algorithm or _algorithm(signer)
        issuer_name = self.issuer_name or (issuer.subject if issuer else subject)
        identifier = der.sequence(
            der.object_identifier(_ALGORITHMS[algorithm]), *([der.null()] if algorithm.startswith("rsa") else [])
        )
        public = self.public_key or self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        tbs = der.sequence(
            *([der.explicit(0, der.integer(self.version - 1))] if self.version > 1 else []),
            der.integer(self.serial),
            identifier,
            issuer_name,
            der.sequence(_time(self.not_before), _time(self.not_after)),
            subject,
            public,
            *([der.explicit(3, der.sequence(*self.extensions))] if self.extensions else []),
        )
        signature = _sign(signer, algorithm, tbs)
        if self.break_signature:
            signature = _sign(fresh(), "ec-sha256", tbs)
        return Issued(der.sequence(tbs, identifier, der.bit_string(signature)), self.key, subject)

    def but(self, **changes: Any) -> Draft:
        return replace(self, **changes)


def _algorithm(signer: Any) -> str:
    match signer:
        case rsa.RSAPrivateKey():
            return "rsa-sha256"
        case dsa.DSAPrivateKey():
            return "dsa-sha256"
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case ed448.Ed448PrivateKey():
            return "ed448"
        case _:
            return "ec-sha256"


def _sign(signer: Any, algorithm: str, tbs: bytes) -> bytes:
    digest: Any = {"sha1": hashes.SHA1, "md5": hashes.MD5}.get(algorithm.partition("-")[2], hashes.SHA256)()
    match signer:
        case rsa.RSAPrivateKey():
            return signer.sign(tbs, padding.PKCS1v15(), digest)
        case ec.EllipticCurvePrivateKey():
            return signer.sign(tbs, ec.ECDSA(digest))
        case dsa.DSAPrivateKey():
            return signer.sign(tbs, digest)
        case _:
            return signer.sign(tbs)


def ca(subject: str = "CN=Root", *extra: bytes, length: int | None = None, **changes: Any) -> Draft:
    """A CA certificate valid for years."""
    changes.setdefault("not_after", NOW + timedelta(days=3650))
    changes.setdefault("extensions", (basic_constraints(ca=True, length=length), key_usage(5, 6), *extra))
    return Draft(subject, **changes)


def server(subject: str = "CN=server.example", *extra: bytes, names: tuple[str, ...] = (), **changes: Any) -> Draft:
    """A server certificate; its host is server.example unless `names` says otherwise."""
    usual = (key_usage(0), extended_key_usage(SERVER_AUTH), alternative_names(*(names or ("DNS:server.example",))))
    changes.setdefault("extensions", (*usual, *extra))
    return Draft(subject, **changes)


def pem(*certificates: Issued) -> bytes:
    from reconciler.x509 import to_pem

    return to_pem([one.certificate for one in certificates])
