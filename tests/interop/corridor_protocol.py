"""What the vectors need of the protocol beyond the package `corridor`, which verifies records.

Written from proto/PROTOCOL.md alone. Everything that fails raises `Refused` with the reason code of
PROTOCOL.md, "Refusal reasons". Nothing here reads a file, a clock or a socket.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

import protobuf_reader as pb
from corridor.protocol import ed25519_strict, merkle
from corridor.protocol.card import card_order, read_card, verify_card
from corridor.protocol.charter import (
    NO_SIGNATURE, Charter, SignedKeyEvent, push_key_event, read_key_event, verify_charter,
    verify_signature,
)
from corridor.protocol.checkpoint import (
    Checkpoint, find_key, key_id, read_checkpoint_text, read_signature_line, split_note,
    verify_checkpoint,
)
from corridor.protocol.line import read_line
from corridor.protocol.primitives import (
    ZEROS, Layout, Refused, demand, domain_hash, domain_message, id_text, log_id, parse_id,
)
from corridor.protocol.proof import Identity, verify_consistency, verify_inclusion
from corridor.protocol.proof import verify_identity as verify_parts_of_identity
from corridor.protocol.record import read_header, verify_header, verify_record, version_hash
from have import HaveLog, have_hash, safety_number

__all__ = [
    "HaveLog", "NO_SIGNATURE", "Refused", "card_order", "domain_hash", "domain_message",
    "have_hash", "id_text", "log_id", "parse_id", "push_key_event", "read_card",
    "read_checkpoint_text", "read_header", "read_key_event", "safety_number", "split_note",
    "verify_card", "verify_header", "verify_record", "version_hash",
]

PACKAGE_LINES_MAX = 256
READER_LIST_BYTES_MAX, READERS_MAX, CIRCLE_NAME_BYTES_MAX = 64 * 1024, 1024, 256
CHUNK_BYTES, ATTACHMENT_BYTES_MAX = 64 * 1024, 25 * 1024 * 1024
INVITATION_BYTES_MAX, INVITATION_LINK = 2 * 1024 * 1024, "corridor-invitation:#"


def verify_start(number: bytes, signature: bytes, charter: Charter) -> None:
    """Verifies a start number by any key of its RCP that is not declared compromised."""
    layout = bytes([1]) + charter.rcp + number
    for seq, key in enumerate(charter.keys):
        if seq in charter.compromised:
            continue
        try:
            return verify_signature(key, "start", layout, signature)
        except Refused:
            continue
    raise Refused("BAD_SIGNATURE")


@dataclass(frozen=True)
class ReaderList:
    """Who may read a log."""

    relay: bool
    circle: str
    answers: tuple[bytes, int] | None
    readers: list[tuple[bytes, int]]

    def admits(self, rcp: bytes, now: int) -> bool:
        """Whether `rcp` may read at `now`."""
        return any(reader == rcp and (not until or now < until) for reader, until in self.readers)


def read_reader_list(data: bytes) -> ReaderList:
    """Reads the layout of a reader list."""
    layout = Layout(data, READER_LIST_BYTES_MAX)
    layout.format()
    relay = layout.number(1)
    demand(relay in (0, 1), "MALFORMED")
    circle = layout.text()
    log, size = layout.take(32), layout.ordinal()
    demand(log != ZEROS or size == 0, "MALFORMED")
    readers = [(layout.take(32), layout.number(8)) for _ in range(layout.number(2))]
    layout.finish()
    within = len(readers) <= READERS_MAX and len(circle.encode()) <= CIRCLE_NAME_BYTES_MAX
    demand(within, "TOO_LONG")
    ascending = all(one[0] < other[0] for one, other in zip(readers, readers[1:]))
    demand(ascending, "MALFORMED")
    return ReaderList(relay == 1, circle, None if log == ZEROS else (log, size), readers)


def verify_package(
    held: Sequence[bytes],
    from_: int,
    lines: Sequence[bytes],
    proof: Sequence[bytes],
    head: tuple[int, bytes],
) -> list[bytes]:
    """All leaf hashes after a package that follows the leaf hashes held."""
    demand(len(lines) <= PACKAGE_LINES_MAX, "TOO_LONG")
    demand(len(lines) > 0, "TRUNCATED")
    demand(from_ == len(held), "OUT_OF_ORDER")
    leaves = list(held)
    for line in lines:
        read_line(line)
        leaves.append(merkle.leaf_hash(line))
    verify_consistency(len(leaves), merkle.root(leaves), head[0], head[1], proof)
    return leaves


def verify_chunk(
    attachment: bytes, size: int, index: int, chunk: bytes, proof: Sequence[bytes]
) -> None:
    """One chunk of an attachment of `size` bytes; chunk 0 is the salt."""
    demand(size <= ATTACHMENT_BYTES_MAX, "TOO_LONG")
    rest = max(size - (index - 1) * CHUNK_BYTES, 0)
    expected = 32 if index == 0 else min(rest, CHUNK_BYTES)
    demand(len(chunk) == expected, "MALFORMED")
    leaves = 1 + -(-size // CHUNK_BYTES)
    verify_inclusion(merkle.leaf_hash(chunk), index, leaves, attachment, proof)


@dataclass(frozen=True)
class Held:
    """A reader's receipt."""

    checkpoint: Checkpoint
    holder: bytes
    time_s: int

    @property
    def message(self) -> str:
        """What is signed."""
        return f"cosignature/v1\ntime {self.time_s}\n{self.checkpoint.text}"


def verify_held(note: bytes, holder: Charter) -> Held:
    """A held cosignature by the charter of its holder."""
    text, lines = split_note(note)
    checkpoint = read_checkpoint_text(text)
    name = f"{id_text(holder.rcp)}/held"
    identifier, stamped = read_signature_line(name, lines, 72)
    held = Held(checkpoint, holder.rcp, int.from_bytes(stamped[:8], "big"))
    seq = find_key(holder, name, 0x04, identifier)
    good = ed25519_strict.verifies(holder.keys[seq], held.message.encode(), stamped[8:])
    demand(good, "BAD_SIGNATURE")
    return held


def parse(data: bytes) -> pb.Fields:
    """The fields of a message."""
    try:
        return pb.read(data)
    except pb.NotAMessage as error:
        raise Refused("MALFORMED") from error


def read_signed_key_event(message: pb.Fields) -> SignedKeyEvent:
    """A key event out of its message; an empty recovery signature is an absent one."""
    recovery = pb.one_bytes(message, 2) or NO_SIGNATURE
    signing = pb.one_bytes(message, 3)
    demand(len(recovery) == 64 and len(signing) == 64, "MALFORMED")
    return SignedKeyEvent(pb.one_bytes(message, 1), recovery, signing)


def verify_identity(message: pb.Fields) -> Identity:
    """Charter and card out of their message."""
    events = [read_signed_key_event(parse(event)) for event in pb.all_bytes(message, 1)]
    card = parse(pb.one_bytes(message, 2)) if 2 in message else None
    parts = None if card is None else (pb.one_bytes(card, 1), pb.one_bytes(card, 2))
    return verify_parts_of_identity(events, parts)


def read_invitation(data: bytes) -> tuple[Identity, bytes]:
    """Identity and token of an invitation file."""
    demand(len(data) <= INVITATION_BYTES_MAX, "TOO_LONG")
    message = parse(data)
    demand(1 in message, "TRUNCATED")
    identity = verify_identity(parse(pb.one_bytes(message, 1)))
    token = pb.one_bytes(message, 2)
    demand(len(token) == 32, "MALFORMED")
    return identity, token


def read_invitation_link(text: str) -> bytes:
    """The bytes of the invitation file that a link carries."""
    text = re.sub(r"[ \t\r\n\f]", "", text)
    demand(text.startswith(INVITATION_LINK), "MALFORMED")
    letters = text.removeprefix(INVITATION_LINK)
    demand(len(letters) <= (INVITATION_BYTES_MAX * 4 + 2) // 3, "TOO_LONG")
    demand(re.fullmatch(r"[A-Za-z0-9_-]*", letters) is not None, "MALFORMED")
    demand(len(letters) % 4 != 1, "MALFORMED")
    data = base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    demand(base64.urlsafe_b64encode(data).decode().rstrip("=") == letters, "MALFORMED")
    return data
