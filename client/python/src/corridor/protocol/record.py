"""Records: header, signature and salted body (PROTOCOL.md, "Records")."""

from __future__ import annotations

from dataclasses import dataclass

from .charter import Charter, verify_signature
from .primitives import Layout, demand, domain_hash

HEADER_BYTES_MAX, BODY_BYTES_MAX = 512, 256 * 1024


@dataclass(frozen=True)
class Header:
    """What is signed of a record version."""

    rcp: bytes
    key_seq: int
    record: bytes
    version: int
    kind: int
    time: int
    body_format: int
    body_len: int
    body_hash: bytes


def read_header(data: bytes) -> Header:
    """Reads the layout of a header."""
    layout = Layout(data, HEADER_BYTES_MAX)
    layout.format()
    header = Header(
        layout.take(32), layout.number(4), layout.take(16), layout.ordinal(), layout.number(2),
        layout.number(8), layout.number(2), layout.number(4), layout.take(32),
    )
    demand(header.version > 0, "MALFORMED")
    demand(header.body_len <= BODY_BYTES_MAX, "TOO_LONG")
    layout.finish()
    return header


def verify_header(data: bytes, signature: bytes, charter: Charter) -> Header:
    """Verifies a header by the charter of its author."""
    header = read_header(data)
    demand(header.rcp == charter.rcp, "WRONG_RCP")
    verify_signature(charter.key(header.key_seq), "record", data, signature)
    return header


def verify_record(
    data: bytes, signature: bytes, salt: bytes, body: bytes, charter: Charter
) -> Header:
    """Verifies a record version: header, signature, length and hash of the body."""
    header = verify_header(data, signature, charter)
    fits = len(body) == header.body_len and domain_hash("body", salt + body) == header.body_hash
    demand(fits, "WRONG_HASH")
    return header


def version_hash(header: bytes, signature: bytes) -> bytes:
    """Hash by which a line names a record version."""
    return domain_hash("version", header + signature)
