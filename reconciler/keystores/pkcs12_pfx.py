"""The frame of a PKCS#12 file: PFX, its ContentInfos and their encryption, split and joined without loss.

RFC 7292, sections 4 and 5. A ContentInfo whose bags did not change goes back as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler import der
from reconciler.der import DerError
from reconciler.errors import KeystoreUnreadableError, RefusedError
from reconciler.keystores.pkcs12_bags import MAX_BAGS, Bag, read_bags
from reconciler.keystores.pkcs12_crypto import MAX_ITERATIONS, Encryption, Passphrase, read_encryption
from reconciler.keystores.pkcs12_mac import Mac, read_mac

if TYPE_CHECKING:
    from reconciler.secret import Secret

# A tenant takes 6 MB and Java's own cacerts has 0.2: room for a hundred thousand bags, and for no surprise.
MAX_FILE = 64 * 1024 * 1024
MAX_SAFES = 1_000
# All derivations of one file together; each alone may have as many as Java allows.
MAX_TOTAL_ITERATIONS = 4 * MAX_ITERATIONS

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_VERSION = 3


class Envelope(NamedTuple):
    """EncryptedData without its content: what has to come back around new content."""

    encryption: Encryption
    version: bytes = der.integer(0)
    content_type: bytes = der.object_identifier(_DATA)
    unprotected: bytes = b""  # attributes, as they came


class Safe(NamedTuple):
    """One ContentInfo of the file.

    Attributes:
        bags: What is in it.
        envelope: How it is encrypted; None for plain data.
        raw: The ContentInfo as it came; None once its bags have changed.
        obstacle: Why it could not be written with other bags without losing something.
    """

    bags: tuple[Bag, ...] = ()
    envelope: Envelope | None = None
    raw: bytes | None = None
    obstacle: str | None = None


class Pfx(NamedTuple):
    """A whole file.

    Attributes:
        safes: Its ContentInfos in order.
        mac: The integrity check; None when there is none.
        verified: Whether the check was made and fits.
        extra: Elements of the PFX after the check, as they came.
        tail: Bytes after the PFX, as they came; Java and OpenSSL ignore them.
        obstacle: Why the file could not be written with other content without losing something.
    """

    safes: tuple[Safe, ...] = ()
    mac: Mac | None = None
    verified: bool = False
    extra: bytes = b""
    tail: bytes = b""
    obstacle: str | None = None


def new_pfx(certificates: Encryption, mac: Mac) -> Pfx:
    """A file as Java would begin it: keys in plain data, certificates encrypted, an integrity check."""
    return Pfx((Safe(), Safe(envelope=Envelope(certificates))), mac, verified=True)


# ------------------------------------------------------------------------------------------------- reading


def read_pfx(data: bytes, password: Secret | None, *, origin: str) -> Pfx:
    """The file split into its bags.

    Raises:
        KeystoreUnreadableError: not PKCS#12, damaged, wrong or missing password, beyond a limit.
    """
    if len(data) > MAX_FILE:
        raise KeystoreUnreadableError(
            f"the file has {len(data):,} bytes, more than the {MAX_FILE:,} that a keystore may have", where=origin
        )
    try:
        return _read(data, None if password is None else Passphrase(password, where=origin))
    except DerError as error:
        raise KeystoreUnreadableError(
            f"not a whole PKCS#12 file: {error}",
            where=origin,
            hint="the file is damaged or cut short; take it from where it came from, or from a backup",
        ) from None
    except KeystoreUnreadableError as error:
        error.where = error.where or origin
        raise


def _read(data: bytes, password: Passphrase | None) -> Pfx:
    outer = der.read(data).expect(der.SEQUENCE, "a PKCS#12 file")
    version, safe, *rest = _at_least(outer, 2, "the content of a PKCS#12 file")
    if version.integer(1) != _VERSION:
        raise KeystoreUnreadableError("not in version 3 of PKCS#12, which is the only one in use")
    content = _content(safe)
    mac = read_mac(rest[0]) if rest else None
    verified = mac is not None and password is not None and _verify(mac, content, password)
    authenticated = der.read(content).expect(der.SEQUENCE, "the list of contents")
    safes = _read_safes(authenticated, password, mac.iterations if mac is not None else 0)
    return Pfx(
        safes,
        mac,
        verified,
        extra=b"".join(element.raw for element in rest[1:]),
        tail=data[outer.after :],
        obstacle="bytes follow the list of its contents" if authenticated.after < len(content) else None,
    )


def _content(safe: der.Element) -> bytes:
    """What is protected by the integrity check: the octets of the outermost ContentInfo."""
    kind, value = _at_least(safe, 2, "the protected content")[:2]
    if kind.oid() != _DATA:
        raise KeystoreUnreadableError(
            "protected with a public key instead of a password, which neither Java nor this program reads"
        )
    return value.inner("the protected content").octets()


def _verify(mac: Mac, content: bytes, password: Passphrase) -> bool:
    if not mac.fits(content, password):
        raise KeystoreUnreadableError(
            "wrong password, or the file was changed without knowing it: its integrity check does not fit",
            hint="check the password that the desired state or the option names",
        )
    return True


def _read_safes(authenticated: der.Element, password: Passphrase | None, iterations: int) -> tuple[Safe, ...]:
    safes: list[Safe] = []
    left = MAX_BAGS
    for element in authenticated.iterate(MAX_SAFES):
        kind, value = _at_least(element, 2, "one of the contents")[:2]
        match kind.oid():
            case "1.2.840.113549.1.7.1":
                bags, whole = read_bags(value.inner("bags").octets(), most=left)
                safe = Safe(bags, None, element.raw, _obstacle(whole))
            case "1.2.840.113549.1.7.6":
                envelope, content = _read_envelope(value.inner("encrypted bags"))
                iterations = _spent(iterations + envelope.encryption.iterations)
                safe = _opened(envelope, content, password, left)._replace(raw=element.raw)
            case _:
                raise KeystoreUnreadableError(
                    "a part of it is encrypted with a public key, which neither Java nor this program reads"
                )
        left -= len(safe.bags)
        safes.append(safe)
    return tuple(safes)


def _obstacle(whole: bool) -> str | None:  # noqa: FBT001 - what read_bags says
    return None if whole else "bytes follow the list of its bags"


def _spent(iterations: int) -> int:
    if iterations > MAX_TOTAL_ITERATIONS:
        raise KeystoreUnreadableError(
            f"the iteration counts of its parts add up to more than {MAX_TOTAL_ITERATIONS:,}",
            hint="such a file is broken or made to keep its readers busy; make the keystore again",
        )
    return iterations


def _read_envelope(encrypted: der.Element) -> tuple[Envelope, bytes]:
    version, info, *rest = _at_least(encrypted, 2, "encrypted bags")
    content_type, algorithm, content = _at_least(info, 3, "encrypted bags")[:3]
    encryption = read_encryption(algorithm, "a part of it")
    unprotected = b"".join(element.raw for element in rest)
    return Envelope(encryption, version.raw, content_type.raw, unprotected), content.octets(der.CONTEXT)


def _opened(envelope: Envelope, content: bytes, password: Passphrase | None, left: int) -> Safe:
    if password is None:
        raise KeystoreUnreadableError(
            "its certificates are encrypted and no password is given",
            hint="name the keystore's password; if it is the empty one, give an empty password",
        )
    reason = ""
    for plaintext in envelope.encryption.decryptions(content, password):
        try:
            bags, whole = read_bags(plaintext, most=left)
        except DerError as error:
            reason = f" ({error})"
        else:
            return Safe(bags, envelope, None, _obstacle(whole))
    raise KeystoreUnreadableError(
        f"wrong password, or damaged: a part of it cannot be decrypted{reason}",
        hint="check the password that the desired state or the option names",
    )


def _at_least(element: der.Element, count: int, what: str) -> list[der.Element]:
    parts = element.expect(der.SEQUENCE, what).children(16)
    if len(parts) < count:
        raise DerError(f"{what} is not complete")
    return parts


# ------------------------------------------------------------------------------------------------- writing


def encode_pfx(pfx: Pfx, password: Passphrase | None, *, reuse: bool) -> bytes:
    """The file; `reuse` tells whether what is encrypted may go back as it came, that is, under the same password.

    Raises:
        RefusedError: something would be lost, or a password is needed.
    """
    if pfx.obstacle:
        raise RefusedError(f"the keystore cannot be written whole: {pfx.obstacle}")
    safes = [encode_safe(safe, password, reuse=reuse) for safe in pfx.safes if safe.bags or safe.raw is not None]
    content = der.sequence(*safes)
    parts = [der.integer(_VERSION), _content_info(_DATA, der.octet_string(content))]
    if pfx.mac is not None:
        parts.append(pfx.mac.made_anew(content, _needed(password, "to renew the integrity check")))
    return der.sequence(*parts, pfx.extra) + pfx.tail


def encode_safe(safe: Safe, password: Passphrase | None, *, reuse: bool) -> bytes:
    """One ContentInfo: as it came, or encoded (and encrypted) anew."""
    if safe.raw is not None and (reuse or safe.envelope is None):
        return safe.raw
    if safe.obstacle:
        raise RefusedError(f"the keystore cannot be written whole: {safe.obstacle}")
    contents = der.sequence(*[bag.raw for bag in safe.bags])
    if safe.envelope is None:
        return _content_info(_DATA, der.octet_string(contents))
    encryption = safe.envelope.encryption.renewed()
    encrypted = encryption.encrypt(contents, _needed(password, "to encrypt the certificates"))
    info = der.sequence(safe.envelope.content_type, encryption.encode(), der.implicit(0, encrypted))
    return _content_info(_ENCRYPTED_DATA, der.sequence(safe.envelope.version, info, safe.envelope.unprotected))


def _content_info(kind: str, content: bytes) -> bytes:
    return der.sequence(der.object_identifier(kind), der.explicit(0, content))


def _needed(password: Passphrase | None, purpose: str) -> Passphrase:
    if password is None:
        raise RefusedError(
            f"a password is needed {purpose}, and none is given", hint="name the keystore's password under `keystore:`"
        )
    return password
