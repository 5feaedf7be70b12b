"""Keys and signatures of secret seeds, with which vectors are made again."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def public_key(seed: bytes) -> bytes:
    """The public key of a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature by a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
