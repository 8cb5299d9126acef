"""The two ways in which Java encrypts PKCS#12 files, and which of them a file follows.

`modern` is what Java writes by default since 8u301, 11.0.12 and 16; `legacy` is what it wrote before and writes with
``-Dkeystore.pkcs12.legacy``, for readers that know nothing better.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from reconciler.keystores.pkcs12_bags import BagKind
from reconciler.keystores.pkcs12_crypto import SALT, Pbes1, Pbes2, is_java_encryption, java_encryption
from reconciler.keystores.pkcs12_mac import Pkcs12Mac, java_mac, legacy_mac

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.keystores.pkcs12_crypto import Encryption
    from reconciler.keystores.pkcs12_mac import Mac
    from reconciler.keystores.pkcs12_pfx import Pfx

MODERN, LEGACY = "modern", "legacy"
# Encrypted, but neither like this nor like that: OpenSSL, Windows and others choose differently.
OTHER = "other"

_RC2_40, _TRIPLE_DES = "1.2.840.113549.1.12.1.6", "1.2.840.113549.1.12.1.3"
_LEGACY_ITERATIONS = 50_000
_SHA1, _SHA256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"


class Profile(NamedTuple):
    """How certificates, keys and the integrity check of a file are made."""

    certificates: Callable[[], Encryption]
    keys: Callable[[], Encryption]
    mac: Callable[[], Mac]


def _legacy(scheme: str) -> Encryption:
    return Pbes1(scheme, os.urandom(SALT), _LEGACY_ITERATIONS)


PROFILES = {
    MODERN: Profile(java_encryption, java_encryption, java_mac),
    LEGACY: Profile(lambda: _legacy(_RC2_40), lambda: _legacy(_TRIPLE_DES), legacy_mac),
}


def profile_of(pfx: Pfx) -> str | None:
    """Which profile a file follows, by the algorithms of its certificates and its integrity check; None without one.

    Iteration counts do not matter, and neither do keys: a key with a password of its own keeps its encryption, whatever
    becomes of the file around it.
    """
    if pfx.mac is None and not any(safe.envelope for safe in pfx.safes):
        return None
    followed = {_of_mac(pfx.mac)}
    for safe in pfx.safes:
        if safe.envelope is not None:
            followed.add(_of_encryption(safe.envelope.encryption))
        elif any(bag.kind is BagKind.CERTIFICATE for bag in safe.bags):
            followed.add(OTHER)
    return followed.pop() if len(followed) == 1 else OTHER


def _of_mac(mac: Mac | None) -> str:
    if not isinstance(mac, Pkcs12Mac):
        return OTHER
    return {_SHA256: MODERN, _SHA1: LEGACY}.get(mac.digest, OTHER)


def _of_encryption(encryption: Encryption) -> str:
    match encryption:
        case Pbes1(scheme=scheme) if scheme in (_RC2_40, _TRIPLE_DES):
            return LEGACY
        case Pbes2() if is_java_encryption(encryption):
            return MODERN
        case _:
            return OTHER
