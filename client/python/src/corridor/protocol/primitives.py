"""What all layouts are made of: refusals, domains, identifiers, fields (PROTOCOL.md, "Bytes")."""

from __future__ import annotations

import base64
import binascii
import hashlib

ORDINAL_MAX = 2**63 - 1
ZEROS = bytes(32)


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
