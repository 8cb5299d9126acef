"""A PKCS#12 file under another password or with another encryption: the same bags, in the same places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.keystores.pkcs12_bags import BagKind, with_protected_key
from reconciler.keystores.pkcs12_crypto import Passphrase, protect_key, same_encryption
from reconciler.keystores.pkcs12_pfx import Envelope
from reconciler.keystores.pkcs12_profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.keystores.pkcs12_bags import Bag
    from reconciler.keystores.pkcs12_pfx import Pfx, Safe
    from reconciler.keystores.pkcs12_profiles import Profile
    from reconciler.keystores.protocol import Terms
    from reconciler.secret import Secret


def migrated_pfx(pfx: Pfx, terms: Terms, opened: Mapping[int, Secret]) -> Pfx:
    """The file on other terms; to be encoded with the new password.

    Args:
        pfx: The file as it is.
        terms: The new password, and the encryption where it changes.
        opened: The private keys to protect anew, by the position of their bags; all others are carried as they are.

    Raises:
        DerError: a bag cannot be taken apart.
    """
    profile = PROFILES[terms.encryption] if terms.encryption else None
    passphrase = Passphrase(terms.new) if terms.new is not None else None
    safes, position = [], 0
    for safe in pfx.safes:
        bags = []
        for bag in safe.bags:
            key = opened.get(position)
            bags.append(bag if key is None or passphrase is None else _protected(bag, key, passphrase, profile))
            position += 1
        safes.append(_safe(safe, tuple(bags), profile))
    return pfx._replace(safes=tuple(safes), mac=profile.mac() if profile else pfx.mac)


def _protected(bag: Bag, key: Secret, passphrase: Passphrase, profile: Profile | None) -> Bag:
    encryption = profile.keys() if profile else same_encryption(bag.value)
    return with_protected_key(bag, protect_key(key.reveal(), passphrase, encryption))


def _safe(safe: Safe, bags: tuple[Bag, ...], profile: Profile | None) -> Safe:
    envelope = safe.envelope
    if profile is not None:
        if envelope is not None:
            envelope = envelope._replace(encryption=profile.certificates())
        elif any(bag.kind is BagKind.CERTIFICATE for bag in bags):
            envelope = Envelope(profile.certificates())
    if bags == safe.bags and envelope is None:
        return safe
    return safe._replace(bags=bags, envelope=envelope, raw=None)
