"""Records that were verified here, and what is known of those that were not.

A `Record` is made in this file only, after all of its proof was verified: signature, salted body,
line, inclusion proof, checkpoint and charter. It shows that the RCP signed this version, that it
published it in one of its logs, and that its current key affirms that log. It does not show that no
withdrawal followed: for that ask again, or follow changes.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from .errors import BadAnswer, BadName, NotVerified
from .kinds import kind_word, message_of, titles
from .limits import PROOF_FILE_BYTES_MAX
from .names import parse_record_name, record_name
from .protocol.charter import NO_SIGNATURE, Charter, SignedKeyEvent
from .protocol.checkpoint import Checkpoint
from .protocol.primitives import Refused, demand, id_text
from .protocol.proof import Identity, verify_identity, verify_proved_record
from .protocol.record import Header, read_header
from .v1 import exchange_pb2, record_service_pb2

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_VERIFIED = object()


class State(enum.IntEnum):
    """What a record is to the caller, as the node says."""

    UNSPECIFIED = 0
    """Not one that this version knows."""
    CURRENT = 1
    """A version is in force."""
    WITHDRAWN = 2
    """Withdrawn: text erased."""
    INTERNAL = 3
    """Of the node's own RCP, and in no circle."""
    AWAITED = 4
    """In force, and its text is still to come."""
    QUARANTINED = 5
    """In force, and kept out because it did not verify there."""
    LEFT = 6
    """No longer shared with this node; the text was erased."""

    @classmethod
    def of(cls, number: int) -> State:
        """The state of a number that may be newer than this version."""
        try:
            return cls(number)
        except ValueError:
            return cls.UNSPECIFIED


class Record:
    """A record version that was verified here. There is no way to make one of anything else."""

    __slots__ = ("_checkpoint", "_header", "_identity", "_proof")

    def __init__(
        self,
        made: object,
        proof: record_service_pb2.ProveRecordResponse,
        verified: tuple[Identity, Header, Checkpoint],
    ) -> None:
        if made is not _VERIFIED:
            raise TypeError("a Record is what corridor.Client gives after verifying it")
        self._proof = proof
        self._identity, self._header, self._checkpoint = verified

    def __repr__(self) -> str:
        return f"<Record {self.name} version {self.version}>"

    def __eq__(self, other: object) -> bool:
        """The same version of the same record, whatever proved it."""
        return isinstance(other, Record) and self._header == other._header

    def __hash__(self) -> int:
        return hash(self._header)

    @property
    def name(self) -> str:
        """`rcps/{rcp}/records/{record}`."""
        return record_name(self._header.rcp, self._header.record)

    @property
    def rcp(self) -> str:
        """`rcps/{rcp}` of the RCP that signed it."""
        return f"rcps/{id_text(self._header.rcp)}"

    @property
    def rcp_names(self) -> dict[str, str]:
        """What its RCP calls itself on its card, by language: a claim, not a confirmed name."""
        return dict(self._identity.card.names)

    @property
    def version(self) -> int:
        """The version; a later one is larger, gaps mean nothing."""
        return self._header.version

    @property
    def kind(self) -> str:
        """The kind's word, such as "practice"; "kind 99" for one that needs a newer package."""
        return kind_word(self._header.kind)

    @property
    def signed_at(self) -> datetime:
        """When it was signed, by the clock of its RCP: to show, not to decide by."""
        try:
            return EPOCH + timedelta(milliseconds=self._header.time)
        except OverflowError:
            return datetime.max.replace(tzinfo=timezone.utc)

    @property
    def header(self) -> Header:
        """All that was signed of it."""
        return self._header

    @property
    def charter(self) -> Charter:
        """The charter of its RCP, by which it was verified."""
        return self._identity.charter

    @property
    def checkpoint(self) -> Checkpoint:
        """The head of the log in which it stands."""
        return self._checkpoint

    @property
    def raw(self) -> record_service_pb2.RawRecord:
        """A copy of exactly the bytes that were signed and hashed."""
        raw = record_service_pb2.RawRecord()
        raw.CopyFrom(self._proof.raw)
        return raw

    @property
    def body(self) -> bytes:
        """The body: an encoded message of its kind."""
        return self._proof.raw.body

    @property
    def content(self) -> Message | None:
        """The body's message, such as `corridor.v1.practice_pb2.Practice`; `None` for a kind that
        this version does not know, and for a body that is no message of its kind."""
        return message_of(self._header.kind, self.body)

    @property
    def title(self) -> dict[str, str]:
        """The title by language; empty where the kind has none."""
        return titles(self.content)

    @property
    def is_demonstration(self) -> bool:
        """Whether it was written for demonstration, and its RCP did not publish it. Whoever shows
        such a record says so."""
        return bool(getattr(getattr(self.content, "envelope", None), "demonstration", False))

    def to_dict(self) -> dict[str, Any]:
        """The body as proto3 JSON; empty where `content` is `None`."""
        content = self.content
        if content is None:
            return {}
        return MessageToDict(content, preserving_proto_field_name=True)

    def proof(self) -> bytes:
        """What proves this record to anybody, without a node: `corridor.verify_file` reads it."""
        return self._proof.SerializeToString(deterministic=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the proof into a new file; `FileExistsError` if there is one."""
        with Path(path).open("xb") as file:
            file.write(self.proof())


@dataclass(frozen=True)
class Unverified:
    """What a node says of a record that was not verified here."""

    name: str
    """`rcps/{rcp}/records/{record}`."""
    state: State
    """What the node says that the record is."""
    reason: str
    """Why it was not verified: "NOTHING_IN_FORCE" (see `state`), "NO_PROOF" (the node names it and
    does not prove it; it may have been withdrawn since), or a reason of PROTOCOL.md."""
    told: record_service_pb2.Record
    """The node's word, without what should have been proved and was not."""

    @property
    def is_suspect(self) -> bool:
        """Whether the node should have proved it and did not: do not use it, list again."""
        return self.reason != "NOTHING_IN_FORCE"

    @classmethod
    def of(cls, told: record_service_pb2.Record, reason: str) -> Unverified:
        """Keeps of the node's word what needs no proof."""
        state, kept = State.of(told.state), record_service_pb2.Record()
        if reason == "NOTHING_IN_FORCE":
            kept.CopyFrom(told)
            if state is not State.INTERNAL:
                # Of a text that is not there no title can be left.
                kept.ClearField("title")
        else:
            kept.name, kept.state = told.name, told.state
        return cls(told.name, state, reason, kept)


def claimed_name(told: record_service_pb2.Record) -> str:
    """The name of a record in an answer, which must be one."""
    try:
        parse_record_name(told.name)
    except BadName:
        raise BadAnswer("lists something without the name of a record") from None
    return told.name


def verify_answer(
    name: str, proof: record_service_pb2.ProveRecordResponse, known: Charter | None = None
) -> Record:
    """Verifies all that an answer says of the record `name`; the only way to a `Record`.

    A charter that is `known`, byte for byte, is not verified again. Raises `Refused`.
    """
    rcp, record = parse_record_name(name)
    demand(proof.HasField("identity") and proof.HasField("raw"), "TRUNCATED")
    events = [_key_event(event) for event in proof.identity.key_events]
    has_card, card = proof.identity.HasField("card"), proof.identity.card
    identity = verify_identity(events, (card.card, card.signature) if has_card else None, known)
    demand(identity.charter.rcp == rcp, "WRONG_RCP")
    raw = proof.raw
    header, head = verify_proved_record(
        identity.charter,
        proof.seed,
        (proof.index, proof.line, list(proof.proof)),
        proof.checkpoint,
        (raw.header, raw.signature, raw.salt, raw.body),
    )
    demand(header.record == record, "WRONG_HASH")
    return Record(_VERIFIED, proof, (identity, header, head))


def _key_event(message: exchange_pb2.SignedKeyEvent) -> SignedKeyEvent:
    """A key event; an empty recovery signature is an absent one."""
    recovery = message.recovery_signature or NO_SIGNATURE
    signing = message.signing_signature
    demand(len(recovery) == 64 and len(signing) == 64, "MALFORMED")
    return SignedKeyEvent(message.event, recovery, signing)


def verify_proof(data: bytes) -> Record:
    """Verifies the content of a file that proves a record, without a node.

    Which record of which RCP it is about is what the file itself says; whether that is the RCP one
    knows is for its reader to compare. Raises `NotVerified`.
    """
    proof = record_service_pb2.ProveRecordResponse()
    try:
        demand(len(data) <= PROOF_FILE_BYTES_MAX, "TOO_LONG")
        proof.ParseFromString(data)
        proof.DiscardUnknownFields()
        # In one form alone: nothing is given twice, and nothing is there that nobody looks at.
        demand(proof.SerializeToString(deterministic=True) == data, "MALFORMED")
        header = read_header(proof.raw.header)
        return verify_answer(record_name(header.rcp, header.record), proof)
    except DecodeError:
        raise NotVerified("MALFORMED") from None
    except Refused as refusal:
        raise NotVerified(refusal.code) from None


def verify_file(path: str | os.PathLike[str]) -> Record:
    """Verifies a file that proves a record: `Record.save`, `corridor record verify --save`.

    Raises `NotVerified`, and `OSError` if it cannot be read.
    """
    with Path(path).open("rb") as file:
        return verify_proof(file.read(PROOF_FILE_BYTES_MAX + 1))
