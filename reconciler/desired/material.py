"""Key pairs that are brought along: opening the file with the private key and its certificates when they are needed.

`look` is for `validate` and asks for no secret; `chain_of` opens the file for its certificates; `open_key` takes the
private key out. What is passed around in between is a `KeyPairFile`: paths and where the passwords come from.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reconciler import chains
from reconciler.desired.document import quoted
from reconciler.desired.paths import read_file
from reconciler.errors import KeystoreUnreadableError, MaterialError
from reconciler.model import EntryKind, StoreType
from reconciler.ownership import alias_key
from reconciler.secret import Secret
from reconciler.x509 import is_signed_by, load_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.desired.paths import Place
    from reconciler.keystores.pkcs12 import HiddenKey, Pkcs12Container
    from reconciler.keystores.protocol import Container
    from reconciler.model import Certificate, SecretRef

# A tenant's whole keystore has at most 6 MB.
MAX_BYTES = 20_000_000

_PEM = b"-----BEGIN "
_SEQUENCE = b"\x30"


@dataclass(frozen=True, slots=True)
class KeyPairFile:
    """Where a key pair comes from; holds no secret.

    Attributes:
        path: The absolute path of the file with the key.
        shown: How messages call it.
        alias: Which entry of a keystore file; None for the only one.
        password: What opens the file.
        key_password: What opens the key inside a keystore file, where that differs.
        certificate_path: The absolute path of the certificates of a PEM or DER key; None when they stand in its file.
        certificate_shown: How messages call it.
    """

    path: str
    shown: str
    alias: str | None = None
    password: SecretRef | None = None
    key_password: SecretRef | None = None
    certificate_path: str | None = None
    certificate_shown: str = ""

    def secrets(self) -> tuple[SecretRef, ...]:
        """Where its passwords come from."""
        return tuple(ref for ref in (self.password, self.key_password) if ref is not None)

    def meaning(self) -> tuple[object, ...]:
        """What it is, apart from the lines that name its passwords."""
        passwords = [ref and (ref.kind, ref.value) for ref in (self.password, self.key_password)]
        return replace(self, password=None, key_password=None), *passwords


def look(material: KeyPairFile) -> tuple[Certificate, ...]:
    """Check what can be checked without a secret.

    Returns:
        The chain, leaf first; empty where only the password of a keystore file shows it.

    Raises:
        MaterialError: the file is missing or something else, or the certificates beside it make no chain.
    """
    content = read_file(material.path, material.shown, MAX_BYTES)
    if not _is_keystore(content, material):
        return _chain_of_plain(content, material)
    if material.certificate_path is not None:
        raise MaterialError(
            f"{material.shown} is a keystore file, which holds its certificates itself",
            hint="take `certificateFile` out",
        )
    return ()


def chain_of(material: KeyPairFile) -> tuple[Certificate, ...]:
    """The certificate chain, leaf first; reads the password of a keystore file, but no private key.

    Raises:
        MaterialError: as `look`; or the password is missing or wrong, or the entry cannot be told.
    """
    content = read_file(material.path, material.shown, MAX_BYTES)
    if not _is_keystore(content, material):
        return _chain_of_plain(content, material)
    return _chain_in_keystore(content, material)


def open_key(material: object) -> tuple[Secret, tuple[Certificate, ...]]:
    """The private key as PKCS#8 DER, and the chain of its certificate, leaf first.

    Raises:
        MaterialError: as `chain_of`; or the key does not open, or is not the key of the certificate.
    """
    from reconciler.x509 import key_fits

    material = cast("KeyPairFile", material)
    content = read_file(material.path, material.shown, MAX_BYTES)
    opened = _from_keystore if _is_keystore(content, material) else _from_plain
    private_key, chain = opened(content, material)
    if not key_fits(private_key, chain[0]):
        other = material.certificate_shown or material.shown
        raise MaterialError(
            f"the private key in {material.shown} is not the key of the certificate {_name(chain[0])} in {other}",
            hint="bring the key and the certificate that belong together",
        )
    return private_key, chain


def _is_keystore(content: bytes, material: KeyPairFile) -> bool:
    from reconciler.keystores.detect import detect

    try:
        detect(content, material.shown)
    except KeystoreUnreadableError as error:
        is_der = content.startswith(_SEQUENCE)
        if _PEM in content or (is_der and material.certificate_path is not None):
            return False
        hint = "a private key in DER needs `certificateFile` beside it" if is_der else error.hint
        raise MaterialError(f"{material.shown}: {error.message}", hint=hint) from None
    return True


# --------------------------------------------------------------------------------------------- keystore files


@dataclass(frozen=True, slots=True)
class _Found:
    """A key pair in a keystore file; `hidden` is what PKCS#12 knows of one that Java does not show."""

    alias: str
    chain: tuple[Certificate, ...]
    hidden: HiddenKey | None = None


def _chain_in_keystore(content: bytes, material: KeyPairFile) -> tuple[Certificate, ...]:
    container = _container(content, material)
    found = _choose(_found_in(container), material)
    return found.chain or _open(container, found, material)[1]


def _from_keystore(content: bytes, material: KeyPairFile) -> tuple[Secret, tuple[Certificate, ...]]:
    container = _container(content, material)
    return _open(container, _choose(_found_in(container), material), material)


def _open(container: Container, found: _Found, material: KeyPairFile) -> tuple[Secret, tuple[Certificate, ...]]:
    password = _secret(material.key_password or material.password) or Secret(b"")
    with _as_material(material):
        if found.hidden is None:
            private_key, chain = container.private_key(found.alias, password), found.chain
        else:
            private_key, chain = _pkcs12(container).open_hidden(found.hidden, password)
    if not chain:
        raise MaterialError(f"{material.shown} holds no certificate of its private key {quoted(found.alias)}")
    return private_key, chain


def _container(content: bytes, material: KeyPairFile) -> Container:
    """The keystore; one without a declared password may have the empty one, or none."""
    from reconciler.keystores.formats import parse_container

    password = _secret(material.password)
    with _as_material(material):
        try:
            return parse_container(content, password, origin=material.shown)
        except KeystoreUnreadableError as error:
            if password is not None:
                raise
            try:
                return parse_container(content, Secret(b""), origin=material.shown)
            except KeystoreUnreadableError:
                raise KeystoreUnreadableError(error.message, where=error.where, hint=_NAME_IT) from None


_NAME_IT = "name its password with `password`"


def _found_in(container: Container) -> list[_Found]:
    pairs = [one for one in container.snapshot().entries if one.kind is EntryKind.KEY_PAIR]
    if pairs or container.type is not StoreType.PKCS12:
        return [_Found(one.alias, one.chain) for one in pairs]
    return [_Found(key.name, key.chain, key) for key in _pkcs12(container).hidden_keys()]


def _pkcs12(container: Container) -> Pkcs12Container:
    return cast("Pkcs12Container", container)


def _choose(found: list[_Found], material: KeyPairFile) -> _Found:
    names = ", ".join(quoted(alias) for alias in sorted(one.alias for one in found))
    if not found:
        raise MaterialError(
            f"{material.shown} holds no key pair", hint="a certificate alone belongs under trustedRoots"
        )
    if material.alias is not None:
        # Bouncy Castle tells `A` from `a`; everywhere else case does not count.
        same = [one for one in found if alias_key(one.alias) == alias_key(material.alias)]
        found = [one for one in same if one.alias == material.alias] or same
    if len(found) == 1:
        return found[0]
    if material.alias is not None:
        raise MaterialError(f"{material.shown} has no key pair called {quoted(material.alias)}; it has {names}")
    raise MaterialError(f"{material.shown} holds several key pairs: {names}", hint="choose one with `alias`")


@contextmanager
def _as_material(material: KeyPairFile) -> Iterator[None]:
    """What is wrong with a file of the repository is an error of the desired state: this is no live keystore."""
    try:
        yield
    except KeystoreUnreadableError as error:
        place = error.where or material.shown
        raise MaterialError(f"{place}: {error.message}", hint=error.hint) from None


def _secret(ref: SecretRef | None) -> Secret | None:
    from reconciler.desired.secrets import read_secret

    return None if ref is None else read_secret(ref)


# -------------------------------------------------------------------------------------- keys in PEM and DER


def _chain_of_plain(content: bytes, material: KeyPairFile) -> tuple[Certificate, ...]:
    if material.alias is not None:
        raise MaterialError(
            f"{material.shown} is no keystore file, so there is no entry to choose", hint="take `alias` out"
        )
    if b"PRIVATE KEY-----" not in content and _PEM in content:
        raise MaterialError(
            f"{material.shown} holds no private key", hint="a certificate alone belongs under trustedRoots"
        )
    shown = material.shown
    if material.certificate_path is not None:
        shown = material.certificate_shown
        content = read_file(material.certificate_path, shown, MAX_BYTES)
    try:
        return only_chain(load_certificates(content))
    except MaterialError as error:
        hint = error.hint if material.certificate_path else "name the file with the certificates with `certificateFile`"
        raise MaterialError(f"{shown}: {error.message}", hint=hint) from None


def _from_plain(content: bytes, material: KeyPairFile) -> tuple[Secret, tuple[Certificate, ...]]:
    from reconciler.x509 import load_private_key

    chain = _chain_of_plain(content, material)
    try:
        return load_private_key(content, _secret(material.password)), chain
    except MaterialError as error:
        raise MaterialError(f"{material.shown}: {error.message}", where=error.where, hint=error.hint) from None


def only_chain(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The chain that certificates in any order make, leaf first; the same certificate twice counts once.

    Raises:
        MaterialError: they are unreadable, or not one chain.
    """
    pool = {one.der: one for one in certificates}
    for one in pool.values():
        if one.problem is not None:
            raise MaterialError(f"a certificate that cannot be read: {one.problem}")
    issuing = {one.issuer_key for one in pool.values() if one.issuer_key != one.subject_key}
    leaves = [one for one in pool.values() if one.subject_key not in issuing]
    if len(leaves) != 1:
        names = ", ".join(_name(one) for one in (leaves or pool.values()))
        reason = (
            "more than one certificate that signs none of the others" if leaves else "certificates that sign each other"
        )
        raise MaterialError(f"{reason}: {names}", hint="keep the certificate of the key and those that signed it")
    chain = chains.chain_from(leaves[0], pool.values(), is_signed_by)
    if rest := [one for one in pool.values() if one not in chain]:
        names = ", ".join(_name(one) for one in rest)
        reason = f"not part of the chain of {_name(leaves[0])}: {names}"
        raise MaterialError(reason, hint="take out what does not belong to it")
    return chain


def further_certificates(place: Place) -> tuple[Certificate, ...]:
    """The certificates of a file that completes chains, in any form in which CAs hand them out.

    Raises:
        MaterialError: the file is missing, or holds no certificates.
    """
    from reconciler.responses import read_response

    content = read_file(*place, MAX_BYTES)
    try:
        return read_response(content)
    except MaterialError as error:
        hint = "PEM, DER, PKCS#7 (.p7b, .p7c, .spc) or PkiPath"
        raise MaterialError(f"{place.shown} is no file with certificates: {error.message}", hint=hint) from None


def _name(certificate: Certificate) -> str:
    return quoted(certificate.subject or certificate.sha256, 120)
