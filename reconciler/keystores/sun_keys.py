"""How JKS and JCEKS protect a private key with its password: `sun.security.provider` and `com.sun.crypto.provider`.

The JKS way is done by pyjks. The JCEKS way is not: pyjks cannot encrypt with it, and it derives another key than
current Java when the two halves of a salt are equal. It is MD5 and triple DES, from hashlib and cryptography.

Both are weak by today's measure (JKS tries one SHA-1 per guess). They are what the formats have.
"""

from __future__ import annotations

from hashlib import md5
from os import urandom
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.der import Element

JKS_OID = "1.3.6.1.4.1.42.2.17.1.1"
JCEKS_OID = "1.3.6.1.4.1.42.2.19.1"
# com.sun.crypto.provider.KeyProtector: DEFAULT_ITERATION_COUNT and MAX_ITERATION_COUNT.
DEFAULT_ITERATIONS = 200_000
MAX_ITERATIONS = 5_000_000
# An RSA key of 16384 bits has 9 KB, the largest post-quantum key 5 KB; pyjks works through the bytes one by one.
MAX_PROTECTED_BYTES = 1024 * 1024

_SALT_BYTES = 8
_BLOCK_BITS = 64


def protect_jks(key: Secret, password: Secret) -> bytes:
    """The EncryptedPrivateKeyInfo of a PKCS#8 key, as `JavaKeyStore` makes it."""
    from jks.sun_crypto import jks_pkey_encrypt

    from reconciler import der

    encrypted: bytes = jks_pkey_encrypt(key.reveal(), _text(password))
    return der.sequence(der.sequence(der.object_identifier(JKS_OID), der.null()), der.octet_string(encrypted))


def protect_jceks(key: Secret, password: Secret, *, iterations: int = DEFAULT_ITERATIONS) -> bytes:
    """The EncryptedPrivateKeyInfo of a PKCS#8 key, as `JceKeyStore` makes it.

    Raises:
        ReconcileError: the password holds characters that Java up to 17 refuses here.
    """
    from reconciler import der

    salt = _salt()
    encrypted = _encrypt(key.reveal(), _derive(salt[:4], salt[4:], _printable(password), iterations))
    parameters = der.sequence(der.octet_string(salt), der.integer(iterations))
    return der.sequence(der.sequence(der.object_identifier(JCEKS_OID), parameters), der.octet_string(encrypted))


def is_jks_protection(protected: bytes) -> bool:
    """Whether a key is protected the JKS way, which both formats can hold; the JCEKS way is for JCEKS alone."""
    try:
        return _parts(protected, "")[0] == JKS_OID
    except KeystoreUnreadableError:
        return False


def recover(protected: bytes, password: Secret, *, where: str) -> Secret:
    """The PKCS#8 key inside an EncryptedPrivateKeyInfo of either kind: Java opens both in a JCEKS keystore.

    Args:
        protected: The bytes as they stand in the entry.
        password: The password of the key, which need not be the password of the keystore.
        where: What an error names.

    Raises:
        KeystoreUnreadableError: the password does not fit, or the key is not protected in a way that we know.
    """
    name, parameters, encrypted = _parts(protected, where)
    if name == JKS_OID:
        return _recover_jks(encrypted, password, where)
    if name == JCEKS_OID and parameters is not None:
        return _recover_jceks(encrypted, *_salt_and_iterations(parameters, where), password, where)
    raise KeystoreUnreadableError(
        f"the key is protected in a way that Java keystores of this type do not have ({name})", where=where
    )


def _parts(protected: bytes, where: str) -> tuple[str, Element | None, bytes]:
    """The algorithm, its parameters, and the encrypted key."""
    from reconciler import der

    if len(protected) > MAX_PROTECTED_BYTES:
        raise KeystoreUnreadableError(f"a protected key of {len(protected):,} bytes is not opened", where=where)
    try:
        algorithm, content = _exactly(2, der.read(protected).expect(der.SEQUENCE, "an encrypted key").children(2))
        described = algorithm.expect(der.SEQUENCE, "the protection of the key").children(2)
        oid = der.read(algorithm.data, algorithm.body, algorithm.end).oid()
        return oid, described[1] if described[1:] else None, content.octets()
    except der.DerError as error:
        raise KeystoreUnreadableError(f"the protected key is damaged: {error}", where=where) from None


def _salt_and_iterations(parameters: Element, where: str) -> tuple[bytes, int]:
    from reconciler import der

    try:
        first, second = _exactly(2, parameters.children(2))
        salt, iterations = first.octets(), second.integer()
    except der.DerError as error:
        raise KeystoreUnreadableError(f"the protected key is damaged: {error}", where=where) from None
    if len(salt) != _SALT_BYTES:
        raise KeystoreUnreadableError(f"the key's salt has {len(salt)} bytes instead of {_SALT_BYTES}", where=where)
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise KeystoreUnreadableError(
            f"the key asks for {iterations:,} iterations, between 1 and {MAX_ITERATIONS:,} are run",
            where=where,
            hint="Java refuses more as well; no well-meant program writes such a key",
        )
    return salt, iterations


def _exactly(count: int, children: list[Element]) -> list[Element]:
    from reconciler import der

    if len(children) != count:
        raise der.DerError(f"{len(children)} parts are there instead of {count}")
    return children


def _recover_jks(encrypted: bytes, password: Secret, where: str) -> Secret:
    from jks.sun_crypto import jks_pkey_decrypt
    from jks.util import BadHashCheckException

    try:
        key: bytes = jks_pkey_decrypt(encrypted, _text(password))
    except BadHashCheckException:
        raise _wrong_password(where) from None
    if not _is_private_key(key):
        raise KeystoreUnreadableError("what the password opens is not a private key in PKCS#8", where=where)
    return Secret(key)


def _recover_jceks(encrypted: bytes, salt: bytes, iterations: int, password: Secret, where: str) -> Secret:
    # Java 17 takes printable ASCII only here, newer Java takes UTF-8, which is the same for ASCII.
    secret = password.reveal()
    for first, second in _salt_halves(salt):
        key = _decrypt(encrypted, _derive(first, second, secret, iterations))
        if key is not None and _is_private_key(key):
            return Secret(key)
    raise _wrong_password(where)


def _salt_halves(salt: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The halves from which key and initialization vector are derived.

    Where both are equal, the first is turned round: ``abcd`` becomes ``dcba`` in current Java (`PBES1Core`), but
    ``dabd`` in old releases, by a slip in the loop. The file does not say which of the two wrote it.
    """
    first, second = salt[:4], salt[4:]
    if first != second:
        yield first, second
        return
    yield first[::-1], second
    yield bytes((first[3], first[0], first[1], first[3])), second


def _derive(first: bytes, second: bytes, password: bytes, iterations: int) -> bytes:
    """24 bytes of key and 8 of initialization vector."""
    derived = b""
    for half in (first, second):
        state = half
        for _ in range(iterations):
            state = md5(state + password, usedforsecurity=False).digest()
        derived += state
    return derived


def _encrypt(key: bytes, derived: bytes) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(key) + padder.finalize()
    encryptor = Cipher(TripleDES(derived[:24]), modes.CBC(derived[24:])).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def _decrypt(encrypted: bytes, derived: bytes) -> bytes | None:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = Cipher(TripleDES(derived[:24]), modes.CBC(derived[24:])).decryptor()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    try:
        padded = decryptor.update(encrypted) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:  # not whole blocks, or not the padding that the right password would show
        return None


def _is_private_key(plain: bytes) -> bool:
    """Whether the bytes are a PrivateKeyInfo: one wrong password in 256 passes the padding."""
    from reconciler import der

    try:
        parts = der.read_all(plain).expect(der.SEQUENCE, "a private key").children(limit=5)
    except der.DerError:
        return False
    return [part.tag for part in parts[:3]] == [der.INTEGER, der.SEQUENCE, der.OCTET_STRING]


def _salt() -> bytes:
    """A salt whose halves differ: old and new Java would not agree on a key from equal ones."""
    while True:
        salt = urandom(_SALT_BYTES)
        if salt[:4] != salt[4:]:
            return salt


def _text(password: Secret) -> str:
    """The password as text.

    Raises:
        ReconcileError: it is not UTF-8.
    """
    try:
        return password.text()
    except UnicodeDecodeError:
        raise ReconcileError("the password is not text in UTF-8, as a Java keystore needs it") from None


def _printable(password: Secret) -> bytes:
    if not password.is_printable_ascii:
        raise ReconcileError(
            "a JCEKS keystore protects keys with printable ASCII passwords only; this password has other characters",
            hint="change the keystore's password, or use PKCS#12 or JKS",
        )
    return password.reveal()


def _wrong_password(where: str) -> KeystoreUnreadableError:
    return KeystoreUnreadableError(
        "the password does not open the private key",
        where=where,
        hint="keys in JKS and JCEKS keystores may have passwords of their own",
    )
