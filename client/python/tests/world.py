"""An RCP that signs: what a node's software writes, and what a thief or a liar could."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from corridor.names import record_name
from corridor.protocol import merkle
from corridor.protocol.checkpoint import Checkpoint, key_id
from corridor.protocol.primitives import domain_hash, domain_message, log_id
from corridor.protocol.record import version_hash
from corridor.v1 import exchange_pb2
from corridor.v1 import record_service_pb2 as v1

SEED, SALT, RECORD = bytes([6]) * 16, bytes([4]) * 32, bytes([3]) * 16
INDEX, SIZE = 5, 11


def number(value: int, size: int) -> bytes:
    """A number of a layout."""
    return value.to_bytes(size, "big")


def text(value: str) -> bytes:
    """A text of a layout."""
    return number(len(value.encode()), 2) + value.encode()


class Key:
    """A secret key."""

    def __init__(self, byte: int) -> None:
        self._secret = Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32)
        self.public = self._secret.public_key().public_bytes_raw()

    def sign(self, thing: str, data: bytes) -> bytes:
        """A signature in a domain."""
        return self.sign_bare(domain_message(thing, data))

    def sign_bare(self, message: bytes) -> bytes:
        """A signature over a message as it is."""
        return self._secret.sign(message)


@dataclass
class Rcp:
    """An RCP with its keys, the current one last."""

    first: int = 1
    keys: list[Key] = field(default_factory=list)
    events: list[exchange_pb2.SignedKeyEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recovery = Key(self.first + 100)
        self._append(Key(self.first), None)
        self.rcp = domain_hash("rcp", self.events[0].event)

    def rotate(self, to: int) -> None:
        """Replaces the signing key."""
        revealed, self.recovery = self.recovery, Key(to + 100)
        self._append(Key(to), revealed)

    def _append(self, key: Key, revealed: Key | None) -> None:
        seq = number(len(self.keys), 4)
        previous = bytes(32)
        if self.events:
            previous = domain_hash("key-event-hash", self.events[-1].event)
        recovery = bytes(32) if revealed is None else revealed.public
        commitment = domain_hash("recovery", self.recovery.public)
        event = b"\x01" + seq + previous + recovery + key.public + commitment + seq
        signature = b"" if revealed is None else revealed.sign("key-event", event)
        signed = exchange_pb2.SignedKeyEvent(
            event=event,
            recovery_signature=signature,
            signing_signature=key.sign("key-event", event),
        )
        self.keys.append(key)
        self.events.append(signed)

    def identity(self) -> exchange_pb2.Identity:
        """Charter and card."""
        seq = number(len(self.keys) - 1, 4)
        card = b"\x01" + self.rcp + seq + number(1, 8) + bytes(64) + number(1, 2) + number(1, 2)
        card += number(1, 2) + text("en") + text("Prague Process") + number(0, 2)
        signed = exchange_pb2.SignedCard(card=card, signature=self.keys[-1].sign("card", card))
        return exchange_pb2.Identity(key_events=self.events, card=signed)

    def raw(self, body: bytes = b"body", signer: Key | None = None) -> v1.RawRecord:
        """Version 7 of the record, as the first key signed it."""
        header = b"\x01" + self.rcp + number(0, 4) + RECORD + number(7, 8) + number(1, 2)
        header += number(1_700_000_000_000, 8) + number(1, 2) + number(len(body), 4)
        header += domain_hash("body", SALT + body)
        signature = (signer or self.keys[0]).sign("record", header)
        return v1.RawRecord(header=header, signature=signature, salt=SALT, body=body)

    def proof(
        self, raw: v1.RawRecord | None = None, published: v1.RawRecord | None = None
    ) -> v1.ProveRecordResponse:
        """What proves `raw` by the line that published it, or `published` instead."""
        raw = raw or self.raw()
        named = published or raw
        line = b"\x01\x01" + bytes(8) + bytes([9]) * 16
        line += version_hash(named.header, named.signature) + RECORD + number(7, 8)
        leaves = [merkle.leaf_hash(number(other, 8)) for other in range(SIZE)]
        leaves[INDEX] = merkle.leaf_hash(line)
        return v1.ProveRecordResponse(
            identity=self.identity(),
            raw=raw,
            seed=SEED,
            index=INDEX,
            line=line,
            proof=merkle.inclusion_proof(INDEX, leaves),
            checkpoint=self.note(leaves),
        )

    def note(self, leaves: list[bytes]) -> bytes:
        """The head of the log, signed by the current key."""
        head = Checkpoint(log_id(self.rcp, SEED), 0, len(leaves), merkle.root(leaves))
        key = self.keys[-1]
        signature = key_id(head.origin, 1, key.public) + key.sign_bare(head.text.encode())
        encoded = base64.b64encode(signature).decode()
        return f"{head.text}\n\u2014 {head.origin} {encoded}\n".encode()

    @property
    def name(self) -> str:
        """The record's name."""
        return record_name(self.rcp, RECORD)
