"""Private keys for the emulator: real ones, the seeded ones made once in a process and reused."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from tests.sap.emulator.exchange import ServiceError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey

# Names under which SAP accepts a curve, for those that cryptography still has.
CURVES: dict[str, type[ec.EllipticCurve]] = {
    **dict.fromkeys(("secp192r1", "NIST P-192", "X9.62 prime192v1"), ec.SECP192R1),
    **dict.fromkeys(("secp224r1", "NIST P-224"), ec.SECP224R1),
    "secp256k1": ec.SECP256K1,
    **dict.fromkeys(("secp256r1", "NIST P-256", "X9.62 prime256v1"), ec.SECP256R1),
    **dict.fromkeys(("secp384r1", "NIST P-384"), ec.SECP384R1),
    **dict.fromkeys(("secp521r1", "NIST P-521"), ec.SECP521R1),
}
_BY_SIZE = ((192, "secp192r1"), (224, "secp224r1"), (256, "secp256r1"), (384, "secp384r1"), (571, "secp521r1"))
_RSA_SIZES = range(512, 8193)


@cache
def seeded_key(number: int = 0) -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits for what a tenant is delivered with; the same one for the same number."""
    del number
    return rsa.generate_private_key(65537, 2048)


@cache
def seeded_ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A quick key for roots and intermediates that only sign."""
    del number
    return ec.generate_private_key(ec.SECP256R1())


def generate(key_type: str, size: int | None, curve: str | None) -> PrivateKey:
    """A new key as `KeyPairGenerationRequests` orders it."""
    match key_type:
        case "RSA":
            return rsa.generate_private_key(65537, _modulus(size))
        case "DSA":
            if size not in {1024, 2048, 3072}:
                raise ServiceError(400, f"Key size {size} is not supported for DSA.")
            return dsa.generate_private_key(size)
        case "EC":
            return ec.generate_private_key(_curve(size, curve))
    raise ServiceError(400, f"Key type '{key_type}' is not supported.")


def _modulus(size: int | None) -> int:
    chosen = 4096 if size is None else size
    if chosen not in _RSA_SIZES or chosen < 1024:
        raise ServiceError(400, f"Key size {chosen} is not supported for RSA.")
    return chosen


def _curve(size: int | None, name: str | None) -> ec.EllipticCurve:
    if name is not None:
        if name not in CURVES:
            raise ServiceError(400, f"Curve '{name}' is not supported.")
        return CURVES[name]()
    if size is None or not 112 <= size <= 571:
        raise ServiceError(400, "Either a key size between 112 and 571 or a curve is required for EC.")
    return CURVES[next(curve for limit, curve in _BY_SIZE if size <= limit)]()
