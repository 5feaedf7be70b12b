"""Checkpoints: signed size and root of a log (PROTOCOL.md, "Checkpoints")."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from . import ed25519_strict
from .charter import Charter
from .primitives import ORDINAL_MAX, Refused, demand, id_text, parse_id

NOTE_TEXT_BYTES_MAX = 1024


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
