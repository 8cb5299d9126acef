"""What type of keystore a file holds: told by its content, never by its name.

Files called ``.jks`` that hold PKCS#12 are common, since Java 9 writes PKCS#12 unless told otherwise.
"""

from __future__ import annotations

import re

from reconciler.errors import KeystoreUnreadableError
from reconciler.model import StoreType

_JKS = b"\xfe\xed\xfe\xed"
_JCEKS = b"\xce\xce\xce\xce"
# Bouncy Castle: version 1 or 2, and a salt of 20 bytes (BcKeyStoreSpi.STORE_SALT_SIZE).
_BOUNCY_CASTLE = (b"\x00\x00\x00\x01\x00\x00\x00\x14", b"\x00\x00\x00\x02\x00\x00\x00\x14")
_PKCS12_VERSION = b"\x02\x01\x03"  # INTEGER 3, the first element of a PFX (RFC 7292, section 4)

_CONVERT = "put it into a keystore with `keytool -importcert` or `openssl pkcs12 -export`, or declare it in the YAML"
# What else a file may begin with: (bytes, what it is, what to do).
_LOOKALIKES: tuple[tuple[bytes, str, str | None], ...] = (
    (b"PK\x03\x04", "a ZIP or JAR archive", "extract the keystore from it"),
    (b"PK\x05\x06", "an empty ZIP or JAR archive", None),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\xac\xed\x00\x05", "a serialized Java object", None),
    (
        b"SQLite format 3\x00",
        "an SQLite database, such as Firefox's",
        "export the entries to PKCS#12 with `pk12util -o`",
    ),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with `git lfs pull`"),
    (b"$ANSIBLE_VAULT", "an Ansible Vault", "decrypt it first"),
    (b"Salted__", "a file that `openssl enc` encrypted", "decrypt it first"),
    (b"age-encryption.org/", "a file encrypted with age", "decrypt it first"),
    (b"/u3+7Q", "a JKS keystore in base64", "decode it with `base64 -d`"),
    (b"zs7Ozg", "a JCEKS keystore in base64", "decode it with `base64 -d`"),
    (b"MI", "DER in base64, perhaps a PKCS#12 keystore", "decode it with `base64 -d`"),
    (b"<", "a web page or XML, perhaps the error page of a download", "download the file again"),
    (b"{", "JSON", None),
)
_PEM_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 #.]{1,64})-----")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_LOOK_AT_BYTES = 4096


def detect(data: bytes, origin: str) -> StoreType:
    """The type of keystore that `data` holds.

    Args:
        data: The whole file.
        origin: What an error calls the file.

    Raises:
        KeystoreUnreadableError: it is not a keystore; says what it looks like.
    """
    if data.startswith(_JKS):
        return StoreType.JKS
    if data.startswith(_JCEKS):
        return StoreType.JCEKS
    if data.startswith(_BOUNCY_CASTLE):
        from reconciler.keystores.bouncycastle import is_uber

        return StoreType.UBER if is_uber(data, origin=origin) else StoreType.BKS
    if _content_of_sequence(data).startswith(_PKCS12_VERSION):
        return StoreType.PKCS12
    what, hint = _look_of(data)
    raise KeystoreUnreadableError(f"this is not a keystore but {what}", where=origin, hint=hint)


def _content_of_sequence(data: bytes) -> bytes:
    """The first bytes inside a SEQUENCE, whatever form its length has; nothing when it is none."""
    if len(data) < 2 or data[0] != 0x30:
        return b""
    length = data[1]
    header = 2 if length <= 0x80 else 2 + (length & 0x7F)
    return data[header : header + 64]


def _look_of(data: bytes) -> tuple[str, str | None]:
    if not data:
        return "an empty file", "restore it from a backup, or remove it and let `create: true` make a new one"
    beginning = data[:_LOOK_AT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    pem = _PEM_LABEL.search(beginning)
    if pem:
        return f"PEM ({pem[1].decode('ascii')})", _CONVERT
    for prefix, what, hint in _LOOKALIKES:
        if beginning.startswith(prefix) or data.startswith(prefix):
            return what, hint
    inside = _content_of_sequence(data)
    if inside:
        return _look_of_der(inside)
    if _PRINTABLE.fullmatch(beginning):
        return "text", None
    if not data.strip(b"\x00"):
        return "a file of zeros", "restore it from a backup"
    return "something else", "keystores of the types PKCS#12, JKS, JCEKS, BKS and UBER are known"


def _look_of_der(inside: bytes) -> tuple[str, str | None]:
    """What a SEQUENCE holds, by its first elements."""
    if inside.startswith(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"):
        return "a PKCS#7 file (such as .p7b) in DER", _CONVERT
    if inside.startswith((b"\x02\x01\x00", b"\x02\x01\x01")):
        return "a private key in DER", _CONVERT
    nested = _content_of_sequence(inside)
    if nested.startswith((b"\xa0\x03\x02\x01", b"\x02")):
        return "a certificate or signing request in DER", _CONVERT
    if nested.startswith(b"\x06"):
        return "an encrypted private key or a public key in DER", _CONVERT
    return "DER of another kind", None
