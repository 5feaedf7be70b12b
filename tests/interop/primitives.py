"""What all layouts are made of: refusals, domains, identifiers, fields (PROTOCOL.md, "Bytes")."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

ORDINAL_MAX = 2**63 - 1


class Refused(Exception):
    """Something was refused; `code` is the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def demand(holds: bool, code: str) -> None:
    """Refuses for `code` unless it holds."""
    if not holds:
        raise Refused(code)


def domain_message(thing: str, data: bytes) -> bytes:
    """What is signed, or hashed, over `data` for the domain `thing`."""
    tag = b"corridor/v1/" + thing.encode("ascii") + b"\x00"
    return tag + len(data).to_bytes(8, "big") + data


def domain_hash(thing: str, data: bytes) -> bytes:
    """SHA-256 over `data` for the domain `thing`."""
    return hashlib.sha256(domain_message(thing, data)).digest()


def id_text(data: bytes) -> str:
    """The text of an identifier."""
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def parse_id(text: str, size: int = 32) -> bytes:
    """The identifier of `size` bytes that a text stands for."""
    try:
        padded = text.upper() + "=" * (-len(text) % 8)
        data = base64.b32decode(padded.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused("MALFORMED") from error
    demand(len(data) == size and id_text(data) == text, "MALFORMED")
    return data


def log_id(rcp: bytes, seed: bytes) -> bytes:
    """The LogId that an RCP opened with a seed; zeros for its public log."""
    return domain_hash("log", rcp + seed)


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


class Layout:
    """Reads a fixed layout field by field."""

    def __init__(self, data: bytes, limit: int) -> None:
        demand(len(data) <= limit, "TOO_LONG")
        self.rest = data

    def take(self, count: int) -> bytes:
        """The next bytes."""
        demand(len(self.rest) >= count, "TRUNCATED")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, size: int) -> int:
        """A big-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def ordinal(self) -> int:
        """A u64 below 2^63."""
        value = self.number(8)
        demand(value <= ORDINAL_MAX, "MALFORMED")
        return value

    def format(self) -> None:
        """The format byte."""
        demand(self.number(1) == 1, "UNKNOWN_FORMAT")

    def text(self) -> str:
        """UTF-8 behind a u16 length."""
        try:
            return self.take(self.number(2)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("MALFORMED") from error

    def finish(self) -> None:
        """Nothing may be left."""
        demand(not self.rest, "TRAILING_BYTES")
