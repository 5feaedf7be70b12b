"""A record in its place: from its line over a checkpoint to the charter of its RCP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import merkle
from .card import Card, verify_card
from .charter import KEY_EVENTS_MAX, Charter, SignedKeyEvent, verify_charter
from .checkpoint import Checkpoint, verify_checkpoint
from .line import read_line
from .primitives import Refused, demand, log_id
from .record import Header, verify_record, version_hash


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


@dataclass(frozen=True)
class Identity:
    """A verified charter and card."""

    charter: Charter
    card: Card
    card_bytes: bytes
    card_signature: bytes


def verify_identity(
    events: Sequence[SignedKeyEvent],
    card: tuple[bytes, bytes] | None,
    known: Charter | None = None,
) -> Identity:
    """Charter and card, from themselves alone; `card` is its bytes and signature.

    A charter that is `known`, byte for byte, was verified before and is not verified again.
    """
    demand(len(events) <= KEY_EVENTS_MAX, "TOO_LONG")
    is_known = known is not None and known.events == list(events)
    charter = known if known is not None and is_known else verify_charter(events)
    if card is None:
        raise Refused("TRUNCATED")
    data, signature = card
    demand(len(signature) == 64, "MALFORMED")
    return Identity(charter, verify_card(data, signature, charter), data, signature)


def verify_proved_record(
    charter: Charter,
    seed: bytes,
    place: tuple[int, bytes, Sequence[bytes]],
    checkpoint: bytes,
    record: tuple[bytes, bytes, bytes, bytes],
) -> tuple[Header, Checkpoint]:
    """What was signed of a record, and the head of the log in which its line lies.

    `place`: index, line and inclusion proof; `record`: header, signature, salt and body.
    """
    index, data, proof = place
    lengths = len(seed) == 16 and len(record[1]) == 64 and len(record[2]) == 32
    demand(lengths and all(len(node) == 32 for node in proof), "MALFORMED")
    head, _ = verify_checkpoint(checkpoint, charter, True)
    demand(head.log == log_id(charter.rcp, seed), "WRONG_LOG")
    verify_inclusion(merkle.leaf_hash(data), index, head.size, head.root, proof)
    line = read_line(data)
    header = verify_record(*record, charter)
    demand(line.kind == "publish", "WRONG_HASH")
    demand(line.fields["version_hash"] == version_hash(record[0], record[1]), "WRONG_HASH")
    named = (line.fields["record"], int.from_bytes(line.fields["version"], "big"))
    demand(named == (header.record, header.version), "WRONG_HASH")
    return header, head
