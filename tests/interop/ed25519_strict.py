"""Strict Ed25519: the one rule by which a signature counts (PROTOCOL.md, "Suite").

The `cryptography` package checks the equation and the canonical S and R. Added here: the key is a
canonical point, and neither the key nor R is of small order.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


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


def add(one: Point, other: Point) -> Point:
    """The sum of two points of the curve."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P
    return (x, y)


def has_small_order(point: Point) -> bool:
    """Whether eight times the point is the identity."""
    for _ in range(3):
        point = add(point, point)
    return point == IDENTITY


def is_sound_key(key: bytes) -> bool:
    """Whether a public key is a canonical point that is not of small order."""
    point = decode_point(key)
    return point is not None and not has_small_order(point)


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message is good under a sound key."""
    if len(signature) != 64 or not is_sound_key(key):
        return False
    commitment = decode_point(signature[:32])
    if commitment is None or has_small_order(commitment):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public_key(seed: bytes) -> bytes:
    """The public key of a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature by a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
