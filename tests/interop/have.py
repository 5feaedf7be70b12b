"""The hash over what two peers share, and the number that two people compare."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from corridor.protocol.primitives import domain_hash


def have_hash(pair: Sequence[tuple[bytes, int, int]], logs: Sequence[HaveLog]) -> bytes:
    """The hash over all that two peers share; of each its RcpId, key event and card serial."""
    data = b"\x01"
    for rcp, key_seq, serial in sorted(pair):
        data += rcp + key_seq.to_bytes(4, "big") + serial.to_bytes(8, "big")
    seen: set[bytes] = set()
    for log in sorted(logs, key=lambda log: log.order()):
        if log.log not in seen:
            data += log.encode()
        seen.add(log.log)
    return domain_hash("have", data)


@dataclass(frozen=True)
class HaveLog:
    """One shared log in a have hash."""

    log: bytes
    incarnation: int
    size: int
    root: bytes
    key_seq: int

    def order(self) -> tuple[bytes, int, int, bytes, int]:
        """What entries are sorted by."""
        return (self.log, self.incarnation, self.size, self.root, self.key_seq)

    def encode(self) -> bytes:
        """Its part of the layout."""
        numbers = self.incarnation.to_bytes(8, "big") + self.size.to_bytes(8, "big")
        return self.log + numbers + self.root + self.key_seq.to_bytes(4, "big")


def safety_number(one: bytes, other: bytes) -> str:
    """The forty digits that two people compare."""
    x = domain_hash("safety", min(one, other) + max(one, other))
    for _ in range(2**20):
        x = hashlib.sha256(x).digest()
    digits = f"{int.from_bytes(x, 'big') % 10**40:040d}"
    return " ".join(digits[at : at + 5] for at in range(0, 40, 5))
