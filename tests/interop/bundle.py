"""Bundles: the clear text of files for nodes that cannot meet (PROTOCOL.md, "Bundle")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import corridor_protocol as corridor
import protobuf_reader as pb
from corridor.protocol.charter import verify_signature
from corridor_protocol import Charter, demand, domain_hash
from tally import Tally

FIRST_LINE = b"corridor bundle 1\n"
PART_BYTES_MAX = 2 * 1024 * 1024
HEADER_BYTES, END_BYTES = 141, 57
OPENING, SESSION, CARRY, END = 1, 2, 3, 4

Json = Any


@dataclass
class Reading:
    """A clear text, and how far it was read."""

    data: bytes
    at: int = 0
    parts: int = 0
    chain: bytes = bytes(32)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        demand(self.at + count <= len(self.data), "TRUNCATED")
        self.at += count
        return self.data[self.at - count : self.at]

    def part(self) -> pb.Fields:
        """The next part, which joins the chain."""
        length = int.from_bytes(self.take(4), "big")
        demand(length <= PART_BYTES_MAX, "TOO_LONG")
        part = self.take(length)
        self.chain = domain_hash("bundle-part", self.chain + part)
        self.parts += 1
        return corridor.parse(part)


def layout(data: bytes, length: int) -> bytes:
    """A layout of that length and of format 1."""
    demand(len(data) <= length, "TOO_LONG")
    demand(len(data) > 0, "TRUNCATED")
    demand(data[0] == 1, "UNKNOWN_FORMAT")
    demand(len(data) == length, "TRUNCATED")
    return data


def read_bundle(data: bytes, charter: Charter) -> int:
    """Reads a bundle to its end; gives how many frames are in it."""
    reading = Reading(data)
    demand(reading.take(len(FIRST_LINE)) == FIRST_LINE, "UNKNOWN_FORMAT")
    first = reading.part()
    demand(OPENING in first, "OUT_OF_ORDER")
    opening = corridor.parse(pb.one_bytes(first, OPENING))
    header = layout(pb.one_bytes(opening, 2), HEADER_BYTES)
    demand(1 in opening, "TRUNCATED")
    signature = pb.one_bytes(opening, 3)
    demand(len(signature) == 64, "MALFORMED")
    demand(header[1:33] == charter.rcp, "WRONG_RCP")
    seq = int.from_bytes(header[33:37], "big")
    key = charter.key(seq)
    demand(seq == charter.current, "RETIRED_KEY")
    verify_signature(key, "bundle", header, signature)
    frames = 0
    while True:
        before = (reading.parts, reading.chain)
        part = reading.part()
        demand(OPENING not in part, "OUT_OF_ORDER")
        if END in part:
            read_end(corridor.parse(pb.one_bytes(part, END)), header[109:125], before, key)
            demand(reading.at == len(data), "TRAILING_BYTES")
            return frames
        frames += int(SESSION in part or CARRY in part)


def read_end(message: pb.Fields, bundle: bytes, before: tuple[int, bytes], key: bytes) -> None:
    """Verifies an end by what came before it."""
    end = layout(pb.one_bytes(message, 1), END_BYTES)
    parts, chain = before
    demand(end == bytes([1]) + bundle + parts.to_bytes(8, "big") + chain, "WRONG_HASH")
    signature = pb.one_bytes(message, 2)
    demand(len(signature) == 64, "MALFORMED")
    verify_signature(key, "bundle-end", end, signature)


def check(tally: Tally, vectors: Json) -> None:
    """bundle.json"""
    import seeds
    from vector_checks import charters_of, check_layout, check_signature, unhex

    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, header, data = case["name"], unhex(case["header"]), unhex(case["bundle"])
        fields = check_layout(tally, name, case["layout"], header)
        charter = charters[case["charter"]]
        tally.equal(f"{name}, sender", fields["sender"], charter.rcp)
        check_signature(tally, name, case, "bundle", header)
        end = unhex(case["end"])
        check_layout(tally, name, case["end_layout"], end)
        message = corridor.domain_message("bundle-end", end)
        signature = unhex(case["end_signature"])
        tally.equal(f"{name}, end signature", seeds.sign(unhex(case["seed"]), message), signature)
        tally.equal(f"{name}, frames", read_bundle(data, charter), case["frames"])
        for what, part in (("header", header), ("end", end), ("its signature", signature)):
            tally.equal(f"{name}, {what} is in it", part in data, True)
    for case in vectors["refused"]:
        data, charter = unhex(case["bundle"]), charters[case["charter"]]
        tally.refused(case["name"], case["refused"], lambda: read_bundle(data, charter))
