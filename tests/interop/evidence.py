"""Evidence: two signed things of one RCP that contradict each other (PROTOCOL.md, "Evidence")."""

from __future__ import annotations

import corridor_protocol as corridor
import protobuf_reader as pb
from corridor.protocol import merkle
from corridor_protocol import Charter, Refused, demand

Proved = dict[str, str]
FORMS = {2: "two_roots", 3: "two_lines", 4: "two_versions", 5: "two_key_events"}


def form_of(data: bytes) -> tuple[str, pb.Fields]:
    """Name and content of the form that an encoded Evidence has."""
    message = corridor.parse(data)
    for number, name in FORMS.items():
        if number in message:
            return name, corridor.parse(pb.one_bytes(message, number))
    raise Refused("TRUNCATED")


def sides(content: pb.Fields, first: int) -> list[pb.Fields]:
    """Both sides of a form, each a message."""
    demand(first in content and first + 1 in content, "TRUNCATED")
    return [corridor.parse(pb.one_bytes(content, number)) for number in (first, first + 1)]


def verify(data: bytes, charter: Charter) -> Proved:
    """What an encoded Evidence proves, by the charter of the RCP that it is about."""
    form, content = form_of(data)
    if form == "two_roots":
        return two_roots(content, charter)
    if form == "two_lines":
        return two_lines(content, charter)
    if form == "two_versions":
        return two_versions(content, charter)
    return two_key_events(content, charter)


def two_roots(content: pb.Fields, charter: Charter) -> Proved:
    """Two checkpoints of one log, incarnation and size with different roots."""
    notes = [pb.one_bytes(content, number) for number in (1, 2)]
    for note in notes:
        text, _ = corridor.split_note(note)
        corridor.read_checkpoint_text(text)
    one, other = (corridor.verify_checkpoint(note, charter, False)[0] for note in notes)
    same = (one.log, one.incarnation, one.size) == (other.log, other.incarnation, other.size)
    demand(same and one.root != other.root, "NO_CONTRADICTION")
    return {"log": one.log.hex()}


def two_lines(content: pb.Fields, charter: Charter) -> Proved:
    """Two checkpoints of one incarnation and two leaves for one index."""
    index = pb.one_number(content, 1)
    both = sides(content, 2)
    leaves = [pb.one_bytes(side, 2) for side in both]
    proofs = [pb.all_bytes(side, 3) for side in both]
    for leaf, proof in zip(leaves, proofs):
        demand(len(leaf) == 32, "MALFORMED")
        demand(len(proof) <= merkle.PROOF_HASHES_MAX, "TOO_LONG")
        demand(all(len(node) == 32 for node in proof), "MALFORMED")
    heads = [corridor.verify_checkpoint(pb.one_bytes(side, 1), charter, False)[0] for side in both]
    one, other = heads
    same = (one.log, one.incarnation) == (other.log, other.incarnation)
    demand(same and leaves[0] != leaves[1], "NO_CONTRADICTION")
    for head, leaf, proof in zip(heads, leaves, proofs):
        corridor.verify_inclusion(leaf, index, head.size, head.root, proof)
    return {"log": one.log.hex()}


def two_versions(content: pb.Fields, charter: Charter) -> Proved:
    """Two different version hashes for one record version."""
    signed = [(pb.one_bytes(side, 1), pb.one_bytes(side, 2)) for side in sides(content, 1)]
    demand(all(len(signature) == 64 for _, signature in signed), "MALFORMED")
    one, other = (corridor.verify_header(*header, charter) for header in signed)
    stolen = {one.key_seq, other.key_seq} & charter.compromised
    demand(not stolen, "COMPROMISED_KEY")
    hashes = {corridor.version_hash(*header) for header in signed}
    same = (one.record, one.version) == (other.record, other.version)
    demand(same and len(hashes) == 2, "NO_CONTRADICTION")
    return {"record": one.record.hex(), "version": str(one.version)}


def two_key_events(content: pb.Fields, charter: Charter) -> Proved:
    """Two key events with one number, both good after the same charter."""
    both = [corridor.read_signed_key_event(side) for side in sides(content, 1)]
    one, other = (corridor.read_key_event(signed.event) for signed in both)
    same = one.seq == other.seq and one.seq > 0
    demand(same and both[0].event != both[1].event, "NO_CONTRADICTION")
    demand(one.seq <= len(charter.events), "UNKNOWN_KEY")
    for signed in both:
        before = corridor.verify_charter(charter.events[: one.seq])
        corridor.push_key_event(before, signed)
    return {"rcp": charter.rcp.hex()}
