"""The integrity check of PKCS#12 files: the MAC of RFC 7292 and PBMAC1 of RFC 9879, checked and made anew."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from reconciler import der
from reconciler.errors import KeystoreUnreadableError
from reconciler.keystores.pkcs12_crypto import (
    COUNT,
    FOR_MAC,
    HMACS,
    ITERATIONS,
    SALT,
    Pbkdf2,
    Pkcs12Derivation,
    algorithm_identifier,
    checked_iterations,
    checked_salt,
    parts,
    read_pbkdf2,
)

if TYPE_CHECKING:
    from reconciler.keystores.pkcs12_crypto import Passphrase

# RFC 9879, section 5: a MAC with a shorter key is not to be accepted; no real one is longer than 64.
MIN_PBMAC1_KEY = 20
_MAX_PBMAC1_KEY = 1024

_PBMAC1 = "1.2.840.113549.1.5.14"
_SHA1 = "1.3.14.3.2.26"
_LEGACY_ITERATIONS = 100_000
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
}


class Mac(Protocol):
    """The integrity check of a PKCS#12 file."""

    @property
    def iterations(self) -> int: ...
    @property
    def readable_by_java(self) -> bool: ...

    def fits(self, content: bytes, password: Passphrase) -> bool:
        """Whether it was made over `content` with `password`."""

    def made_anew(self, content: bytes, password: Passphrase) -> bytes:
        """MacData over `content` by the same algorithm, with a new salt."""


@dataclass(frozen=True, slots=True)
class Pkcs12Mac:
    """HMAC under a key from the PKCS#12 derivation (RFC 7292, appendix B)."""

    digest: str  # the OID
    algorithm: bytes  # the AlgorithmIdentifier as it came
    salt: bytes
    iterations: int
    value: bytes = b""

    @property
    def readable_by_java(self) -> bool:
        return _DIGESTS[self.digest] != "md5"

    def over(self, content: bytes, password: bytes) -> bytes:
        digest = _DIGESTS[self.digest]
        size = hashlib.new(digest, usedforsecurity=False).digest_size
        key = Pkcs12Derivation(digest, self.salt, self.iterations).derive(password, FOR_MAC, size)
        return hmac.digest(key, content, digest)

    def fits(self, content: bytes, password: Passphrase) -> bool:
        return any(hmac.compare_digest(self.over(content, encoded), self.value) for encoded in password.bmp)

    def made_anew(self, content: bytes, password: Passphrase) -> bytes:
        fresh = replace(self, salt=os.urandom(SALT))
        info = der.sequence(fresh.algorithm, der.octet_string(fresh.over(content, password.bmp[0])))
        # DER leaves the default of 1 out (X.690, 11.5).
        iterations = [der.integer(fresh.iterations)] if fresh.iterations != 1 else []
        return der.sequence(info, der.octet_string(fresh.salt), *iterations)


@dataclass(frozen=True, slots=True)
class Pbmac1:
    """PBMAC1 (RFC 9879): HMAC under a key from PBKDF2; salt and iterations of MacData itself mean nothing."""

    derivation: Pbkdf2
    scheme: str  # the OID of the HMAC
    value: bytes = b""

    # JDK 26 is the first that does.
    readable_by_java = False

    @property
    def iterations(self) -> int:
        return self.derivation.iterations

    def over(self, content: bytes, password: Passphrase) -> bytes:
        key = self.derivation.derive(password, self.derivation.size or 0)
        return hmac.digest(key, content, HMACS[self.scheme])

    def fits(self, content: bytes, password: Passphrase) -> bool:
        return hmac.compare_digest(self.over(content, password), self.value)

    def made_anew(self, content: bytes, password: Passphrase) -> bytes:
        fresh = replace(self, derivation=self.derivation.renewed())
        scheme = der.sequence(der.object_identifier(fresh.scheme), der.null())
        parameters = der.sequence(fresh.derivation.encode(), scheme)
        algorithm = der.sequence(der.object_identifier(_PBMAC1), parameters)
        info = der.sequence(algorithm, der.octet_string(fresh.over(content, password)))
        # RFC 9879, section 3: both are required by the syntax and ignored; OpenSSL writes them like this.
        return der.sequence(info, der.octet_string(fresh.derivation.salt))


def java_mac() -> Mac:
    """What Java protects a new store with (HmacPBESHA256)."""
    algorithm = der.sequence(der.object_identifier(_SHA256), der.null())
    return Pkcs12Mac(_SHA256, algorithm, b"", ITERATIONS)


def legacy_mac() -> Mac:
    """What Java protected new stores with before (HmacPBESHA1)."""
    algorithm = der.sequence(der.object_identifier(_SHA1), der.null())
    return Pkcs12Mac(_SHA1, algorithm, b"", _LEGACY_ITERATIONS)


def read_mac(element: der.Element) -> Mac:
    """The MacData of a file.

    Raises:
        DerError: not MacData.
        KeystoreUnreadableError: an algorithm that is not supported, too many iterations, a key too short.
    """
    what = "the integrity check"
    info, salt, *optional = parts(element, 2)
    algorithm, digest = parts(info, 2)[:2]
    oid, parameters = algorithm_identifier(algorithm)
    if oid == _PBMAC1 and parameters is not None:
        return _read_pbmac1(parameters, digest.octets(), what)
    if oid not in _DIGESTS:
        raise KeystoreUnreadableError(f"{what} uses a digest that is not supported: {oid}")
    iterations = checked_iterations(optional[0].integer(COUNT) if optional else 1, what)
    return Pkcs12Mac(oid, algorithm.raw, checked_salt(salt.octets()), iterations, digest.octets())


def _read_pbmac1(parameters: der.Element, value: bytes, what: str) -> Pbmac1:
    derivation, scheme, *_ = parts(parameters, 2)
    function, name = read_pbkdf2(derivation, what), algorithm_identifier(scheme)[0]
    if name not in HMACS:
        raise KeystoreUnreadableError(f"{what} uses a function that is not supported: {name}")
    if function.size is None or not MIN_PBMAC1_KEY <= function.size <= _MAX_PBMAC1_KEY:
        announced = "no length" if function.size is None else f"{function.size} bytes"
        raise KeystoreUnreadableError(
            f"{what} (PBMAC1) announces {announced} for its key; RFC 9879 asks for {MIN_PBMAC1_KEY} bytes or more"
        )
    return Pbmac1(function, name, value)
