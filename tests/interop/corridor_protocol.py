"""The Corridor protocol in pure functions, written from proto/PROTOCOL.md alone.

Everything that fails raises `Refused` with the reason code of PROTOCOL.md, "Refusal reasons".
Nothing here reads a file, a clock or a socket.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import ed25519_strict
import merkle
import protobuf_reader as pb
from primitives import ORDINAL_MAX, HaveLog, Layout, Refused, demand, domain_hash, domain_message
from primitives import have_hash, id_text, log_id, parse_id, safety_number

__all__ = [
    "HaveLog", "Refused", "domain_hash", "domain_message", "have_hash", "id_text", "log_id",
    "parse_id", "safety_number",
]

KEY_EVENT_BYTES_MAX, KEY_EVENTS_MAX = 1024, 1000
CARD_BYTES_MAX = 16 * 1024
HEADER_BYTES_MAX, BODY_BYTES_MAX = 512, 256 * 1024
LINE_BYTES_MAX, PACKAGE_LINES_MAX = 256, 256
READER_LIST_BYTES_MAX, READERS_MAX, CIRCLE_NAME_BYTES_MAX = 64 * 1024, 1024, 256
NOTE_TEXT_BYTES_MAX = 1024
CHUNK_BYTES, ATTACHMENT_BYTES_MAX = 64 * 1024, 25 * 1024 * 1024
INVITATION_BYTES_MAX, INVITATION_LINK = 2 * 1024 * 1024, "corridor-invitation:#"
ZEROS = bytes(32)
NO_SIGNATURE = bytes(64)


def verify_signature(key: bytes, thing: str, data: bytes, signature: bytes) -> None:
    """A signature in a domain of its own."""
    demand(ed25519_strict.verifies(key, domain_message(thing, data), signature), "BAD_SIGNATURE")


# Charters.


@dataclass(frozen=True)
class SignedKeyEvent:
    """A key event as it is sent."""

    event: bytes
    recovery_signature: bytes
    signing_signature: bytes


@dataclass(frozen=True)
class KeyEvent:
    """What a key event says."""

    seq: int
    previous: bytes
    recovery_key: bytes
    signing_key: bytes
    next_recovery: bytes
    compromised_since: int


def read_key_event(data: bytes) -> KeyEvent:
    """Reads the layout of a key event."""
    layout = Layout(data, KEY_EVENT_BYTES_MAX)
    layout.format()
    event = KeyEvent(
        layout.number(4), layout.take(32), layout.take(32), layout.take(32), layout.take(32),
        layout.number(4),
    )
    layout.finish()
    return event


@dataclass
class Charter:
    """A verified charter."""

    rcp: bytes
    events: list[SignedKeyEvent] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    compromised: set[int] = field(default_factory=set)
    commitments: list[bytes] = field(default_factory=list)
    tip: bytes = ZEROS

    @property
    def current(self) -> int:
        """Number of the newest event."""
        return len(self.keys) - 1

    def key(self, seq: int) -> bytes:
        """The signing key of event `seq`."""
        demand(seq < len(self.keys), "UNKNOWN_KEY")
        return self.keys[seq]


def verify_charter(events: Sequence[SignedKeyEvent]) -> Charter:
    """Verifies a charter from its first event on."""
    demand(len(events) <= KEY_EVENTS_MAX, "TOO_LONG")
    demand(len(events) > 0, "TRUNCATED")
    charter = Charter(domain_hash("rcp", events[0].event))
    for event in events:
        push_key_event(charter, event)
    return charter


def push_key_event(charter: Charter, signed: SignedKeyEvent) -> None:
    """Verifies one more event and appends it."""
    event = read_key_event(signed.event)
    follows = event.seq == len(charter.keys) and event.previous == charter.tip
    demand(follows, "BROKEN_CHAIN")
    demand(event.compromised_since <= event.seq, "MALFORMED")
    demand(ed25519_strict.is_sound_key(event.signing_key), "WEAK_KEY")
    if event.seq == 0:
        reveals_none = event.recovery_key == ZEROS and signed.recovery_signature == NO_SIGNATURE
        demand(reveals_none, "MALFORMED")
    else:
        committed = domain_hash("recovery", event.recovery_key)
        demand(committed == charter.commitments[-1], "WRONG_RECOVERY_KEY")
        demand(ed25519_strict.is_sound_key(event.recovery_key), "WEAK_KEY")
        verify_signature(event.recovery_key, "key-event", signed.event, signed.recovery_signature)
    signing_keys = [*charter.keys, event.signing_key]
    demand(event.signing_key not in charter.keys, "KEY_REUSE")
    demand(event.next_recovery not in charter.commitments, "KEY_REUSE")
    as_recovery = [domain_hash("recovery", key) for key in signing_keys]
    demand(as_recovery[-1] not in charter.commitments, "KEY_REUSE")
    demand(event.next_recovery not in as_recovery, "KEY_REUSE")
    verify_signature(event.signing_key, "key-event", signed.event, signed.signing_signature)
    charter.tip = domain_hash("key-event-hash", signed.event)
    charter.events.append(signed)
    charter.keys.append(event.signing_key)
    charter.commitments.append(event.next_recovery)
    charter.compromised.update(range(event.compromised_since, event.seq))


# Cards.


@dataclass(frozen=True)
class Card:
    """What a card says."""

    rcp: bytes
    key_seq: int
    serial: int
    tls_key: bytes
    bundle_key: bytes
    versions: list[int]
    names: list[tuple[str, str]]
    addresses: list[str]


def read_card(data: bytes) -> Card:
    """Reads the layout of a card."""
    layout = Layout(data, CARD_BYTES_MAX)
    layout.format()
    rcp, key_seq, serial = layout.take(32), layout.number(4), layout.ordinal()
    tls_key, bundle_key = layout.take(32), layout.take(32)
    versions = [layout.number(2) for _ in range(layout.number(2))]
    names = [(layout.text(), layout.text()) for _ in range(layout.number(2))]
    addresses = [layout.text() for _ in range(layout.number(2))]
    layout.finish()
    return Card(rcp, key_seq, serial, tls_key, bundle_key, versions, names, addresses)


def verify_card(data: bytes, signature: bytes, charter: Charter) -> Card:
    """Verifies a card under the current key of its RCP."""
    card = read_card(data)
    demand(card.rcp == charter.rcp, "WRONG_RCP")
    key = charter.key(card.key_seq)
    demand(card.key_seq == charter.current, "RETIRED_KEY")
    verify_signature(key, "card", data, signature)
    return card


def card_order(card: Card, data: bytes) -> tuple[int, int, bytes]:
    """Of two cards of one RCP the one with the higher order counts."""
    return (card.key_seq, card.serial, domain_hash("card-hash", data))


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


# Records.


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


# Lines and reader lists.

LINE_KINDS = {1: "publish", 2: "withdraw", 3: "leave", 4: "readers", 5: "restart"}


@dataclass(frozen=True)
class Line:
    """A line: kind is None for one that is not understood."""

    kind: str | None
    critical: bool
    fields: dict[str, bytes]


def read_line(data: bytes) -> Line:
    """Reads a line of any age."""
    demand(len(data) > 0, "TRUNCATED")
    demand(len(data) <= LINE_BYTES_MAX, "TOO_LONG")
    try:
        return understand(data)
    except Refused:
        return Line(None, data[0] != 1 or len(data) < 2 or data[1] < 128, {})


def understand(data: bytes) -> Line:
    """Reads a line of one of the five kinds."""
    tails: dict[int, list[tuple[str, int]]] = {
        1: [("version_hash", 32), ("record", 16), ("version", 0)],
        2: [("record", 16), ("up_to", 0), ("reason", 1), ("note", 32), ("replacement", 16)],
        3: [("record", 16)],
        4: [("list", 32)],
        5: [("incarnation", 0), ("size", 0), ("root", 32)],
    }
    layout = Layout(data, LINE_BYTES_MAX)
    layout.format()
    kind = layout.number(1)
    fields = {"time": layout.take(8), "random": layout.take(16)}
    demand(kind in tails, "UNKNOWN_FORMAT")
    for name, size in tails[kind]:
        fields[name] = layout.take(size) if size else layout.ordinal().to_bytes(8, "big")
    demand(fields.get("version") != bytes(8), "MALFORMED")
    layout.finish()
    return Line(LINE_KINDS[kind], True, fields)


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


# Trees.


def verify_inclusion(
    leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """An inclusion proof."""
    demand(len(proof) <= merkle.PROOF_HASHES_MAX, "TOO_LONG")
    demand(merkle.includes(leaf, index, size, root, proof), "BAD_PROOF")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """A consistency proof."""
    demand(len(proof) <= merkle.PROOF_HASHES_MAX, "TOO_LONG")
    demand(merkle.extends(old, old_root, new, new_root, proof), "BAD_PROOF")


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


# Checkpoints and cosignatures.


@dataclass(frozen=True)
class Checkpoint:
    """Size and root of one incarnation of a log."""

    log: bytes
    incarnation: int
    size: int
    root: bytes

    @property
    def origin(self) -> str:
        """Origin line and key name."""
        return f"corridor.invalid/{id_text(self.log)}/{self.incarnation}"

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


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


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """The four bytes that name a key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def split_note(note: bytes) -> tuple[str, str]:
    """Text and signature lines of a note."""
    demand(len(note) <= NOTE_TEXT_BYTES_MAX, "TOO_LONG")
    try:
        text, found, lines = note.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise Refused("MALFORMED") from error
    demand(found != "", "MALFORMED")
    return text + "\n", lines


def read_checkpoint_text(text: str) -> Checkpoint:
    """Reads the three lines; anything but their one form is refused."""
    parts = text.split("\n")
    demand(len(parts) == 4, "MALFORMED")
    origin = parts[0].split("/")
    digits = len(origin) == 3 and origin[2].isascii() and origin[2].isdigit()
    demand(digits and parts[1].isascii() and parts[1].isdigit(), "MALFORMED")
    demand(len(origin[2]) < 20 and len(parts[1]) < 20, "MALFORMED")
    root = read_base64(parts[2])
    demand(len(root) == 32, "MALFORMED")
    checkpoint = Checkpoint(parse_id(origin[1]), int(origin[2]), int(parts[1]), root)
    within = checkpoint.incarnation <= ORDINAL_MAX and checkpoint.size <= ORDINAL_MAX
    demand(within and checkpoint.text == text, "MALFORMED")
    return checkpoint


def read_base64(text: str) -> bytes:
    """Base64 with padding, in its one form."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise Refused("MALFORMED") from error
    demand(base64.b64encode(data).decode() == text, "MALFORMED")
    return data


def read_signature_line(name: str, lines: str, size: int) -> tuple[bytes, bytes]:
    """The one signature line of `name`: key identifier and `size` bytes."""
    prefix = f"\u2014 {name} "
    demand(lines.startswith(prefix) and lines.endswith("\n"), "MALFORMED")
    data = read_base64(lines[len(prefix) : -1])
    demand(len(data) == 4 + size, "MALFORMED")
    return data[:4], data[4:]


def find_key(charter: Charter, name: str, kind: int, wanted: bytes) -> int:
    """Number of the newest key with that identifier; refused if compromised."""
    for seq in reversed(range(len(charter.keys))):
        if key_id(name, kind, charter.keys[seq]) == wanted:
            demand(seq not in charter.compromised, "COMPROMISED_KEY")
            return seq
    raise Refused("UNKNOWN_KEY")


def verify_checkpoint(note: bytes, charter: Charter, head: bool) -> tuple[Checkpoint, int]:
    """A checkpoint and the number of its key; `head` demands the current one."""
    text, lines = split_note(note)
    checkpoint = read_checkpoint_text(text)
    identifier, signature = read_signature_line(checkpoint.origin, lines, 64)
    seq = find_key(charter, checkpoint.origin, 0x01, identifier)
    good = ed25519_strict.verifies(charter.keys[seq], checkpoint.text.encode(), signature)
    demand(good, "BAD_SIGNATURE")
    demand(not head or seq == charter.current, "RETIRED_KEY")
    return checkpoint, seq


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


def verify_proved_record(
    charter: Charter,
    seed: bytes,
    place: tuple[int, bytes, Sequence[bytes]],
    checkpoint: bytes,
    record: tuple[bytes, bytes, bytes, bytes],
) -> Header:
    """A record in its place: from its line over the checkpoint to the charter of its RCP.

    `place`: index, line and inclusion proof; `record`: header, signature, salt and body.
    """
    head, _ = verify_checkpoint(checkpoint, charter, True)
    demand(head.log == log_id(charter.rcp, seed), "WRONG_LOG")
    index, data, proof = place
    verify_inclusion(merkle.leaf_hash(data), index, head.size, head.root, proof)
    line = read_line(data)
    header = verify_record(*record, charter)
    demand(line.kind == "publish", "WRONG_HASH")
    demand(line.fields["version_hash"] == version_hash(record[0], record[1]), "WRONG_HASH")
    named = (line.fields["record"], int.from_bytes(line.fields["version"], "big"))
    demand(named == (header.record, header.version), "WRONG_HASH")
    return header


# Messages.


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


@dataclass(frozen=True)
class Identity:
    """A verified charter and card."""

    charter: Charter
    card: Card
    card_bytes: bytes
    card_signature: bytes


def verify_identity(message: pb.Fields) -> Identity:
    """Charter and card, from themselves alone."""
    events = [parse(event) for event in pb.all_bytes(message, 1)]
    demand(len(events) <= KEY_EVENTS_MAX, "TOO_LONG")
    charter = verify_charter([read_signed_key_event(event) for event in events])
    demand(2 in message, "TRUNCATED")
    signed = parse(pb.one_bytes(message, 2))
    data, signature = pb.one_bytes(signed, 1), pb.one_bytes(signed, 2)
    demand(len(signature) == 64, "MALFORMED")
    return Identity(charter, verify_card(data, signature, charter), data, signature)


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
