"""Strict Ed25519: the one rule by which a signature counts (PROTOCOL.md, "Suite").

The `cryptography` package checks the equation and the canonical S and R. Added here: the key is a
canonical point, and neither the key nor R is of small order.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]

KEYS_KEPT = 4096
"""Keys whose soundness is remembered: more than a few for each RCP."""

SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)
"""All points of which eight times the point is the identity, in their one encoding."""


def decode_point(encoded: bytes) -> Point | None:
    """The point of 32 bytes by RFC 8032, 5.1.3; None if they are not canonical or no point."""
    if len(encoded) != 32:
        return None
    value = int.from_bytes(encoded, "little")
    sign, y = value >> 255, value & (2**255 - 1)
    if y >= P:
        return None
    numerator, denominator = (y * y - 1) % P, (D * y * y + 1) % P
    square = numerator * pow(denominator, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    if x == 0 and sign:
        return None
    return (P - x if x & 1 != sign else x, y)


@lru_cache(maxsize=KEYS_KEPT)
def is_sound_key(key: bytes) -> bool:
    """Whether a public key is a canonical point that is not of small order."""
    return decode_point(key) is not None and key not in SMALL_ORDER


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message is good under a sound key."""
    is_small = signature[:32] in SMALL_ORDER
    if len(signature) != 64 or is_small or not is_sound_key(key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
