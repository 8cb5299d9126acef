"""Password-based encryption of PKCS#12: PBES2 and the older pbeWithSHA1And… schemes, and the keys that they protect.

RFC 7292 (appendices B and C) and RFC 8018. Every count is checked before anything is derived from it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from reconciler import der
from reconciler.der import DerError
from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores import pkcs12_rc2
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.ciphers import CipherAlgorithm

# Java refuses more (sun.security.pkcs12.PKCS12KeyStore.MAX_ITERATION_COUNT); OpenSSL would work for minutes.
MAX_ITERATIONS = 5_000_000
# The octets of any count that is not absurd: so that it can stand in a message.
COUNT = 8
# Real salts have 8 to 64 octets.
MAX_SALT = 1024
# What Java writes today (keystore.pkcs12.* in java.security): PBES2 with AES-256 and HMAC-SHA256, and these two.
ITERATIONS = 10_000
SALT = 20

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
HMACS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.12": "sha512_224",
    "1.2.840.113549.2.13": "sha512_256",
}
HMAC_SHA1 = "1.2.840.113549.2.7"
HMAC_SHA256 = "1.2.840.113549.2.9"
_AES_256 = "2.16.840.1.101.3.4.1.42"

# The purposes of RFC 7292, appendix B.3.
FOR_KEY, FOR_IV, FOR_MAC = 1, 2, 3


class Passphrase:
    """A store's password in the two encodings that PKCS#12 uses."""

    def __init__(self, secret: Secret, *, where: str | None = None) -> None:
        try:
            text = secret.text()
        except UnicodeDecodeError:
            raise ReconcileError(
                "the password is not text in UTF-8, PKCS#12 takes characters",
                where=where,
                hint="check the encoding of the file or variable that holds the password",
            ) from None
        self.utf8 = text.encode()
        self.is_printable_ascii = secret.is_printable_ascii
        # UTF-16 with a terminator. Two conventions exist for the empty password: Java and OpenSSL try both.
        encoded = text.encode("utf-16-be") + b"\0\0"
        self.bmp = (encoded,) if text else (encoded, b"")


@dataclass(frozen=True, slots=True)
class Pkcs12Derivation:
    """The key derivation of RFC 7292, appendix B.2, over the password in UTF-16."""

    digest: str  # as hashlib calls it
    salt: bytes
    iterations: int

    def derive(self, password: bytes, purpose: int, size: int) -> bytes:
        """`size` octets for one of the purposes of appendix B.3."""
        hashed: Callable[..., hashlib._Hash] = getattr(hashlib, self.digest, None) or _by_name(self.digest)
        width = hashed(usedforsecurity=False).block_size
        block = _filled(self.salt, width) + _filled(password, width)
        derived = b""
        while True:
            value = hashed(bytes((purpose,)) * width + block).digest()
            for _ in range(self.iterations - 1):
                value = hashed(value).digest()
            derived += value
            if len(derived) >= size:
                return derived[:size]
            block = _added(block, (value * width)[:width])


def _added(block: bytes, addend: bytes) -> bytes:
    """Each piece of `block`, plus `addend`, plus one (step 6C)."""
    width = len(addend)
    pieces = (int.from_bytes(block[at : at + width], "big") for at in range(0, len(block), width))
    plus = int.from_bytes(addend, "big") + 1
    return b"".join(((piece + plus) % (1 << 8 * width)).to_bytes(width, "big") for piece in pieces)


def _by_name(digest: str) -> Callable[..., hashlib._Hash]:
    return lambda content=b"", **options: hashlib.new(digest, content, **options)


def _filled(octets: bytes, width: int) -> bytes:
    """`octets` repeated to the next multiple of `width`; nothing stays nothing."""
    size = -(-len(octets) // width) * width
    return (octets * (size // len(octets) + 1))[:size] if octets else b""


def checked_iterations(count: int, what: str) -> int:
    """`count`, if Java would work through it."""
    if count < 1:
        raise KeystoreUnreadableError(f"{what} has an iteration count below 1, which no program can have written")
    if count > MAX_ITERATIONS:
        raise KeystoreUnreadableError(
            f"{what} has an iteration count above {MAX_ITERATIONS:,}, which is refused, as Java does",
            hint="such a file is broken or made to keep its readers busy; make the keystore again",
        )
    return count


def checked_salt(salt: bytes) -> bytes:
    if len(salt) > MAX_SALT:
        raise KeystoreUnreadableError(f"a salt of {len(salt)} bytes, more than the {MAX_SALT} that are accepted")
    return salt


# ------------------------------------------------------------------------------------------------ ciphers


@dataclass(frozen=True, slots=True)
class Cipher:
    """A cipher in CBC mode (or the stream cipher RC4, whose block is 0)."""

    name: str
    key: int  # octets
    block: int
    readable_by_java: bool = True


_AES = {
    "2.16.840.1.101.3.4.1.2": Cipher("AES", 16, 16),
    "2.16.840.1.101.3.4.1.22": Cipher("AES", 24, 16, readable_by_java=False),
    _AES_256: Cipher("AES", 32, 16),
    "1.2.840.113549.3.7": Cipher("3DES", 24, 8, readable_by_java=False),
}
_PBES1 = {
    "1.2.840.113549.1.12.1.1": Cipher("RC4", 16, 0),
    "1.2.840.113549.1.12.1.2": Cipher("RC4", 5, 0),
    "1.2.840.113549.1.12.1.3": Cipher("3DES", 24, 8),
    "1.2.840.113549.1.12.1.4": Cipher("3DES", 16, 8, readable_by_java=False),
    "1.2.840.113549.1.12.1.5": Cipher("RC2", 16, 8),
    "1.2.840.113549.1.12.1.6": Cipher("RC2", pkcs12_rc2.KEY_OCTETS, 8),
}


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """This key does not decrypt this content."""


def _decrypted(cipher: Cipher, key: bytes, iv: bytes, content: bytes) -> bytes:
    if cipher.block and (not content or len(content) % cipher.block):
        raise _Wrong
    if cipher.name == "RC2" and cipher.key == pkcs12_rc2.KEY_OCTETS:
        padded = pkcs12_rc2.decrypt(key, iv, content)
    else:
        padded = _run(cipher, key, iv, content, decrypt=True)
    return _unpadded(padded, cipher.block) if cipher.block else padded


def _unpadded(padded: bytes, block: int) -> bytes:
    size = padded[-1]
    if not 1 <= size <= block or padded[-size:] != bytes((size,)) * size:
        raise _Wrong
    return padded[:-size]


def _encrypted(cipher: Cipher, key: bytes, iv: bytes, content: bytes) -> bytes:
    if cipher.block:
        size = cipher.block - len(content) % cipher.block
        content += bytes((size,)) * size
    if cipher.name == "RC2" and cipher.key == pkcs12_rc2.KEY_OCTETS:
        return pkcs12_rc2.encrypt(key, iv, content)
    return _run(cipher, key, iv, content, decrypt=False)


def _run(cipher: Cipher, key: bytes, iv: bytes, content: bytes, *, decrypt: bool) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import ciphers

    try:
        engine = ciphers.Cipher(_algorithm(cipher, key), ciphers.modes.CBC(iv) if cipher.block else None)
        context = engine.decryptor() if decrypt else engine.encryptor()
        return context.update(content) + context.finalize()
    except UnsupportedAlgorithm:
        raise KeystoreUnreadableError(
            f"this Python's OpenSSL does not offer {cipher.name}, with which the keystore is encrypted",
            hint="convert the keystore with a current keytool (-importkeystore), which encrypts with AES",
        ) from None


def _algorithm(cipher: Cipher, key: bytes) -> CipherAlgorithm:
    if cipher.name == "AES":
        from cryptography.hazmat.primitives.ciphers.algorithms import AES

        return AES(key)
    from cryptography.hazmat.decrepit.ciphers import algorithms as old

    match cipher.name:
        case "3DES":
            return old.TripleDES(key + key[:8] if len(key) == 16 else key)
        case "RC2":
            return old.RC2(key)
        case _:
            return old.ARC4(key)


# ---------------------------------------------------------------------------------------------- encryption


class Encryption(Protocol):
    """A password-based encryption scheme with its parameters."""

    @property
    def iterations(self) -> int: ...
    @property
    def readable_by_java(self) -> bool: ...
    def decryptions(self, content: bytes, password: Passphrase) -> Iterator[bytes]:
        """What `content` may say: more than one only for the empty password, none for a wrong one."""

    def encrypt(self, content: bytes, password: Passphrase) -> bytes: ...
    def renewed(self) -> Encryption:
        """The same with a new salt and initialization vector."""

    def encode(self) -> bytes:
        """The AlgorithmIdentifier."""


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """The key derivation of PBES2 and PBMAC1 (RFC 8018, appendix A.2)."""

    salt: bytes
    iterations: int
    size: int | None  # keyLength, None where it is left out
    prf: str | None  # the OID, None where it is left out (HMAC-SHA1)

    def derive(self, password: Passphrase, size: int) -> bytes:
        return hashlib.pbkdf2_hmac(HMACS[self.prf or HMAC_SHA1], password.utf8, self.salt, self.iterations, size)

    def renewed(self) -> Pbkdf2:
        return replace(self, salt=os.urandom(SALT))

    def encode(self) -> bytes:
        parameters = [der.octet_string(self.salt), der.integer(self.iterations)]
        if self.size is not None:
            parameters.append(der.integer(self.size))
        if self.prf is not None:
            parameters.append(der.sequence(der.object_identifier(self.prf), der.null()))
        return der.sequence(der.object_identifier(_PBKDF2), der.sequence(*parameters))


@dataclass(frozen=True, slots=True)
class Pbes2:
    """PBES2 (RFC 8018, section 6.2): PBKDF2 over the password in UTF-8, then a cipher in CBC mode."""

    derivation: Pbkdf2
    cipher: str  # the OID
    iv: bytes

    @property
    def iterations(self) -> int:
        return self.derivation.iterations

    @property
    def readable_by_java(self) -> bool:
        return _AES[self.cipher].readable_by_java

    def _key(self, password: Passphrase) -> bytes:
        return self.derivation.derive(password, _AES[self.cipher].key)

    def decryptions(self, content: bytes, password: Passphrase) -> Iterator[bytes]:
        try:
            yield _decrypted(_AES[self.cipher], self._key(password), self.iv, content)
        except _Wrong:
            return

    def encrypt(self, content: bytes, password: Passphrase) -> bytes:
        return _encrypted(_AES[self.cipher], self._key(password), self.iv, content)

    def renewed(self) -> Pbes2:
        return replace(self, derivation=self.derivation.renewed(), iv=os.urandom(len(self.iv)))

    def encode(self) -> bytes:
        scheme = der.sequence(der.object_identifier(self.cipher), der.octet_string(self.iv))
        return der.sequence(der.object_identifier(_PBES2), der.sequence(self.derivation.encode(), scheme))


@dataclass(frozen=True, slots=True)
class Pbes1:
    """One of the pbeWithSHA1And… schemes of RFC 7292, appendix C; the password in UTF-16."""

    scheme: str  # the OID
    salt: bytes
    iterations: int

    @property
    def readable_by_java(self) -> bool:
        return _PBES1[self.scheme].readable_by_java

    def _key_and_iv(self, password: bytes) -> tuple[bytes, bytes]:
        cipher = _PBES1[self.scheme]
        derivation = Pkcs12Derivation("sha1", self.salt, self.iterations)
        key = derivation.derive(password, FOR_KEY, cipher.key)
        return key, derivation.derive(password, FOR_IV, cipher.block) if cipher.block else b""

    def decryptions(self, content: bytes, password: Passphrase) -> Iterator[bytes]:
        for encoded in password.bmp:
            try:
                yield _decrypted(_PBES1[self.scheme], *self._key_and_iv(encoded), content)
            except _Wrong:
                continue

    def encrypt(self, content: bytes, password: Passphrase) -> bytes:
        return _encrypted(_PBES1[self.scheme], *self._key_and_iv(password.bmp[0]), content)

    def renewed(self) -> Pbes1:
        return replace(self, salt=os.urandom(SALT))

    def encode(self) -> bytes:
        parameters = der.sequence(der.octet_string(self.salt), der.integer(self.iterations))
        return der.sequence(der.object_identifier(self.scheme), parameters)


def java_encryption() -> Encryption:
    """What Java encrypts keys and certificates with by default since 8u301, 11.0.12 and 16."""
    derivation = Pbkdf2(os.urandom(SALT), ITERATIONS, 32, HMAC_SHA256)
    return Pbes2(derivation, _AES_256, os.urandom(_AES[_AES_256].block))


def is_java_encryption(encryption: Pbes2) -> bool:
    """Whether it is by the algorithms of `java_encryption`."""
    return (encryption.cipher, encryption.derivation.prf) == (_AES_256, HMAC_SHA256)


def read_encryption(algorithm: der.Element, what: str) -> Encryption:
    """The scheme that an AlgorithmIdentifier names.

    Raises:
        DerError: its parameters are not what they must be.
        KeystoreUnreadableError: it is not supported, or its iteration count is too high.
    """
    oid, parameters = algorithm_identifier(algorithm)
    if oid in _PBES1 and parameters is not None:
        salt, iterations, *_ = parts(parameters, 2)
        count = checked_iterations(iterations.integer(COUNT), what)
        return Pbes1(oid, checked_salt(salt.octets()), count)
    if oid == _PBES2 and parameters is not None:
        derivation, scheme, *_ = parts(parameters, 2)
        return _read_pbes2(derivation, scheme, what)
    raise KeystoreUnreadableError(f"{what} is encrypted with an algorithm that is not supported: {oid}")


def _read_pbes2(derivation: der.Element, scheme: der.Element, what: str) -> Pbes2:
    name, iv = algorithm_identifier(scheme)
    cipher = _AES.get(name)
    if cipher is None or iv is None:
        raise KeystoreUnreadableError(f"{what} is encrypted with a cipher that is not supported: {name}")
    function = read_pbkdf2(derivation, what)
    if function.size not in (None, cipher.key):
        raise KeystoreUnreadableError(
            f"{what} announces a key of {function.size} bytes for a cipher that takes {cipher.key}"
        )
    octets = iv.octets()
    if len(octets) != cipher.block:
        raise DerError(f"{what} has an initialization vector of {len(octets)} bytes")
    return Pbes2(function, name, octets)


def read_pbkdf2(algorithm: der.Element, what: str) -> Pbkdf2:
    oid, parameters = algorithm_identifier(algorithm)
    if oid != _PBKDF2 or parameters is None:
        raise KeystoreUnreadableError(f"{what} derives its key in a way that is not supported: {oid}")
    salt, iterations, *optional = parts(parameters, 2)
    size = optional.pop(0).integer(COUNT) if optional and optional[0].tag == der.INTEGER else None
    prf = algorithm_identifier(optional[0])[0] if optional else None
    if prf is not None and prf not in HMACS:
        raise KeystoreUnreadableError(f"{what} derives its key with a function that is not supported: {prf}")
    count = checked_iterations(iterations.integer(COUNT), what)
    return Pbkdf2(checked_salt(salt.octets()), count, size, prf)


def algorithm_identifier(element: der.Element) -> tuple[str, der.Element | None]:
    parts = element.expect(der.SEQUENCE, "an algorithm").children(2)
    if not parts:
        raise DerError("an algorithm without a name")
    return parts[0].oid(), parts[1] if len(parts) > 1 else None


def parts(parameters: der.Element, least: int) -> list[der.Element]:
    parts = parameters.expect(der.SEQUENCE, "parameters of an algorithm").children(4)
    if len(parts) < least:
        raise DerError("parameters of an algorithm that are not complete")
    return parts


# --------------------------------------------------------------------------------------------- private keys


def protect_key(pkcs8: bytes, password: Passphrase, encryption: Encryption | None = None) -> bytes:
    """An EncryptedPrivateKeyInfo, as current Java writes it unless told otherwise."""
    encryption = encryption or java_encryption()
    return der.sequence(encryption.encode(), der.octet_string(encryption.encrypt(pkcs8, password)))


def same_encryption(protected: bytes) -> Encryption:
    """How an EncryptedPrivateKeyInfo is encrypted, with a new salt and initialization vector.

    Raises:
        DerError: it is not one.
        KeystoreUnreadableError: the scheme is not supported.
    """
    algorithm, *_ = parts(der.read(protected), 2)
    return read_encryption(algorithm, "the key").renewed()


def open_key(protected: bytes, password: Secret, *, alias: str, where: str) -> Secret:
    """The PKCS#8 DER inside an EncryptedPrivateKeyInfo.

    Raises:
        KeystoreUnreadableError: `password` does not open it, or it is damaged.
    """
    try:
        algorithm, content, *_ = parts(der.read(protected), 2)
        encryption = read_encryption(algorithm, f"the key {alias!r}")
        for opened in encryption.decryptions(content.octets(), Passphrase(password, where=where)):
            if _is_private_key(opened):
                return Secret(opened)
    except DerError as error:
        raise KeystoreUnreadableError(f"the key {alias!r} is damaged: {error}", where=where) from None
    raise KeystoreUnreadableError(
        f"the password does not open the key {alias!r}",
        where=where,
        hint="the key may have a password of its own, other than the keystore's",
    )


def _is_private_key(opened: bytes) -> bool:
    """Whether it looks like a PrivateKeyInfo: what tells a wrong password with lucky padding from a right one."""
    try:
        version, algorithm, key, *_ = der.read_all(opened).expect(der.SEQUENCE, "a private key").children(8)
    except (DerError, ValueError):
        return False
    return (version.tag, algorithm.tag, key.tag) == (der.INTEGER, der.SEQUENCE, der.OCTET_STRING)
