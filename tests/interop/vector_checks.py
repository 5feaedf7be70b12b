"""What must hold of each vector file: everything is computed again and compared."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import bundle
import corridor_protocol as corridor
import evidence
import protobuf_reader as pb
import seeds
from corridor.protocol import merkle
from corridor_protocol import Charter, Checkpoint, HaveLog, SignedKeyEvent, domain_hash
from corridor_protocol import domain_message
from tally import Tally

Json = Any
LEAVES = [merkle.leaf_hash(number.to_bytes(8, "big")) for number in range(33)]


def unhex(value: Json) -> bytes:
    """Bytes of lower hex, or of one byte that is repeated."""
    if isinstance(value, dict):
        return bytes.fromhex(value["repeat"]) * int(value["count"])
    return bytes.fromhex(value)


def unhex_all(values: Json) -> list[bytes]:
    """Bytes of many texts in lower hex."""
    return [unhex(value) for value in values]


def note_of(value: Json) -> bytes:
    """The bytes of a note that is given as text, or as one byte that is repeated."""
    return unhex(value) if isinstance(value, dict) else value.encode("utf-8")


def events_of(values: Json) -> list[SignedKeyEvent]:
    """Key events as they are sent."""
    names = ("event", "recovery_signature", "signing_signature")
    return [SignedKeyEvent(*(unhex(value[name]) for name in names)) for value in values]


def charters_of(vectors: Json) -> dict[str, Charter]:
    """The charters that the cases of a file name."""
    return {
        name: corridor.verify_charter(events_of(events))
        for name, events in vectors["charters"].items()
    }


def check_layout(tally: Tally, name: str, layout: Json, data: bytes) -> dict[str, bytes]:
    """The fields of a layout lie where the file says and fill the bytes; gives the fields."""
    end, fields = 0, {}
    for item in layout:
        part = unhex(item["bytes"])
        tally.equal(f"{name}, offset of {item['field']}", item["offset"], end)
        end += item["length"]
        tally.equal(f"{name}, {item['field']}", data[item["offset"] : end], part)
        fields[item["field"]] = part
    tally.equal(f"{name}, length", len(data), end)
    return fields


def check_signature(
    tally: Tally, name: str, case: Json, thing: str, data: bytes, prefix: str = ""
) -> None:
    """Message and signature of one thing, made again from the secret seed."""
    message = domain_message(thing, data)
    tally.equal(f"{name}, message", message, unhex(case["message"]))
    seed = unhex(case[f"{prefix}seed"])
    tally.equal(
        f"{name}, {prefix}signature",
        seeds.sign(seed, message),
        unhex(case[f"{prefix}signature"]),
    )


def domains(tally: Tally, vectors: Json) -> None:
    """domains.json"""
    data = unhex(vectors["input"])
    for case in vectors["cases"]:
        name = case["name"]
        thing = name.removeprefix("corridor/v1/")
        tally.equal(f"{name}, tag", name.encode() + b"\x00", unhex(case["tag"]))
        tally.equal(f"{name}, message", domain_message(thing, data), unhex(case["message"]))
        tally.equal(f"{name}, hash", domain_hash(thing, data), unhex(case["hash"]))
    names = {case["name"] for case in vectors["cases"]}
    tally.equal("no domain twice", len(names), len(vectors["cases"]))


def identifiers(tally: Tally, vectors: Json) -> None:
    """identifiers.json"""
    for case in vectors["rcps"]:
        charter = corridor.verify_charter(events_of([case["first_event"]]))
        text = corridor.id_text(charter.rcp)
        tally.equal(f"{case['name']}, rcp", charter.rcp, unhex(case["rcp"]))
        tally.equal(f"{case['name']}, text", text, case["text"])
        name = f"{text}.corridor.invalid"
        tally.equal(f"{case['name']}, certificate", name, case["certificate_name"])
        tally.equal("the text reads back", corridor.parse_id(text), charter.rcp)
    for case in vectors["logs"]:
        log = corridor.log_id(unhex(case["rcp"]), unhex(case["seed"]))
        tally.equal("log", log, unhex(case["log"]))
        tally.equal("text of a log", corridor.id_text(log), case["text"])
    for case in vectors["records"]:
        record = unhex(case["record"])
        tally.equal("text of a record", corridor.id_text(record), case["text"])
        tally.equal("the text reads back", corridor.parse_id(case["text"], 16), record)
    for case in vectors["refused"]:
        text, size = case["text"], case["bytes"]
        tally.refused(case["name"], case["refused"], lambda: corridor.parse_id(text, size))


def have(tally: Tally, vectors: Json) -> None:
    """have.json"""
    for case in vectors["cases"]:
        logs = [
            HaveLog(
                unhex(log["log"]),
                int(log["incarnation"]),
                int(log["size"]),
                unhex(log["root"]),
                log["key_seq"],
            )
            for log in case["logs"]
        ]
        pair = [
            (unhex(side["rcp"]), side["key_seq"], int(side["card_serial"]))
            for side in case["pair"]
        ]
        found = corridor.have_hash(pair, logs)
        tally.equal(case["name"], found, unhex(case["have"]))


def safety(tally: Tally, vectors: Json) -> None:
    """safety.json"""
    for case in vectors["cases"]:
        found = corridor.safety_number(unhex(case["one"]), unhex(case["other"]))
        tally.equal("safety number", found, case["number"])


def charter(tally: Tally, vectors: Json) -> None:
    """charter.json"""
    for case in vectors["good"]:
        name = case["name"]
        found = corridor.verify_charter(events_of(case["events"]))
        tally.equal(f"{name}, rcp", found.rcp, unhex(case["rcp"]))
        tally.equal(f"{name}, current", found.current, case["current_seq"])
        tally.equal(f"{name}, compromised", sorted(found.compromised), case["compromised"])
        for event in case["events"]:
            check_event(tally, name, event)
    for case in vectors["refused"]:
        events = events_of(case["events"]) * case["times"]
        tally.refused(case["name"], case["refused"], lambda: corridor.verify_charter(events))


def check_event(tally: Tally, name: str, event: Json) -> None:
    """One key event: layout, hash, keys and signatures."""
    data = unhex(event["event"])
    fields = check_layout(tally, name, event["layout"], data)
    tally.equal(f"{name}, hash", domain_hash("key-event-hash", data), unhex(event["hash"]))
    check_signature(tally, name, event, "key-event", data, "signing_")
    signing = seeds.public_key(unhex(event["signing_seed"]))
    tally.equal(f"{name}, signing key", fields["signing_key"], signing)
    next_recovery = domain_hash("recovery", unhex(event["next_recovery_key"]))
    tally.equal(f"{name}, commitment", fields["next_recovery"], next_recovery)
    if event["recovery_seed"]:
        check_signature(tally, name, event, "key-event", data, "recovery_")
        recovery = seeds.public_key(unhex(event["recovery_seed"]))
        tally.equal(f"{name}, recovery key", fields["recovery_key"], recovery)
    else:
        tally.equal(f"{name}, no recovery key", fields["recovery_key"], bytes(32))


def card(tally: Tally, vectors: Json) -> None:
    """card.json"""
    charters = charters_of(vectors)
    for case in vectors["tls_keys"]:
        found = domain_hash("tls-key", unhex(case["spki"]))
        tally.equal("transport key", found, unhex(case["tls_key"]))
    orders = []
    for case in vectors["good"]:
        name, data = case["name"], unhex(case["card"])
        found = corridor.verify_card(data, unhex(case["signature"]), charters[case["charter"]])
        check_signature(tally, name, case, "card", data)
        tally.equal(f"{name}, hash", domain_hash("card-hash", data), unhex(case["hash"]))
        tally.equal(f"{name}, content", card_content(found), case["content"])
        orders.append(corridor.card_order(found, data))
    tally.equal("each card has its own place", len(set(orders)), len(orders))
    tally.equal("the later key event counts most", max(orders), orders[-1])
    for case in vectors["refused"]:
        data, signature = unhex(case["card"]), unhex(case["signature"])
        of = charters[case["charter"]]
        tally.refused(
            case["name"], case["refused"], lambda: corridor.verify_card(data, signature, of)
        )


def start(tally: Tally, vectors: Json) -> None:
    """start.json"""
    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, number = case["name"], unhex(case["number"])
        of = charters[case["charter"]]
        layout = unhex(case["layout"])
        tally.equal(f"{name}, layout", bytes([1]) + of.rcp + number, layout)
        check_signature(tally, name, case, "start", layout)
        corridor.verify_start(number, unhex(case["signature"]), of)
    for case in vectors["refused"]:
        number, signature = unhex(case["number"]), unhex(case["signature"])
        of = charters[case["charter"]]
        tally.refused(
            case["name"], case["refused"], lambda: corridor.verify_start(number, signature, of)
        )


def card_content(found: corridor.Card) -> Json:
    """A card as the file writes it."""
    return {
        "rcp": found.rcp.hex(),
        "key_seq": found.key_seq,
        "serial": str(found.serial),
        "tls_key": found.tls_key.hex(),
        "bundle_key": found.bundle_key.hex(),
        "versions": found.versions,
        "names": [{"tag": tag, "name": name} for tag, name in found.names],
        "addresses": found.addresses,
    }


def record(tally: Tally, vectors: Json) -> None:
    """record.json"""
    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, data, signature = case["name"], unhex(case["header"]), unhex(case["signature"])
        salt, body = unhex(case["salt"]), unhex(case["body"])
        found = corridor.verify_record(data, signature, salt, body, charters[case["charter"]])
        check_layout(tally, name, case["layout"], data)
        check_signature(tally, name, case, "record", data)
        tally.equal(f"{name}, record", found.record, unhex(case["record"]))
        tally.equal(f"{name}, version", found.version, int(case["version"]))
        tally.equal(f"{name}, kind", found.kind, case["kind"])
        tally.equal(f"{name}, time", found.time, int(case["time"]))
        tally.equal(f"{name}, length", found.body_len, case["body_len"])
        tally.equal(f"{name}, body", domain_hash("body", salt + body), unhex(case["body_hash"]))
        version = corridor.version_hash(data, signature)
        tally.equal(f"{name}, version hash", version, unhex(case["version_hash"]))
    for case in vectors["refused"]:
        parts = [unhex(case[key]) for key in ("header", "signature", "salt", "body")]
        of = charters[case["charter"]]
        tally.refused(
            case["name"], case["refused"], lambda: corridor.verify_record(*parts, of)
        )


def line(tally: Tally, vectors: Json) -> None:
    """line.json"""
    for case in vectors["known"]:
        name, data = case["name"], unhex(case["line"])
        found = corridor.read_line(data)
        fields = check_layout(tally, name, case["layout"], data)
        fields = {key: part for key, part in fields.items() if key not in ("format", "kind")}
        tally.equal(f"{name}, kind", found.kind, case["kind"])
        tally.equal(f"{name}, fields", found.fields, fields)
        tally.equal(f"{name}, leaf", merkle.leaf_hash(data), unhex(case["leaf"]))
    for case in vectors["not_understood"]:
        name, data = case["name"], unhex(case["line"])
        found = corridor.read_line(data)
        tally.equal(f"{name}, kind", found.kind, None)
        tally.equal(f"{name}, critical", found.critical, case["critical"])
        tally.equal(f"{name}, leaf", merkle.leaf_hash(data), unhex(case["leaf"]))
    for case in vectors["refused"]:
        data = unhex(case["line"])
        tally.refused(case["name"], case["refused"], lambda: corridor.read_line(data))


def readers(tally: Tally, vectors: Json) -> None:
    """readers.json"""
    for case in vectors["good"]:
        name, data = case["name"], unhex(case["list"])
        found = corridor.read_reader_list(data)
        check_layout(tally, name, case["layout"], data)
        hashed = domain_hash("readers", unhex(case["salt"]) + data)
        tally.equal(f"{name}, hash", hashed, unhex(case["hash"]))
        for asked in case["admits"]:
            admitted = found.admits(unhex(asked["rcp"]), int(asked["now"]))
            tally.equal(f"{name}, admitted", admitted, asked["admitted"])
    for case in vectors["refused"]:
        data = unhex(case["list"])
        tally.refused(case["name"], case["refused"], lambda: corridor.read_reader_list(data))


def note(tally: Tally, vectors: Json) -> None:
    """note.json"""
    for case in vectors["cases"]:
        name, body = case["name"], unhex(case["body"])
        salted = unhex(case["salt"]) + body
        tally.equal(f"{name}, length", len(body), case["bytes"])
        tally.equal(f"{name}, hash", domain_hash("note", salted), unhex(case["hash"]))
        as_readers = domain_hash("readers", salted)
        tally.equal(f"{name}, as readers", as_readers, unhex(case["as_readers"]))
        texts = [pb.read(text) for text in pb.all_bytes(pb.read(body), 1)]
        tags = [pb.one_bytes(text, 1) for text in texts]
        tally.equal(f"{name}, tags ascend", tags, sorted(set(tags)))


def tree(tally: Tally, vectors: Json) -> None:
    """tree.json"""
    roots = {case["size"]: unhex(case["root"]) for case in vectors["roots"]}
    tally.equal("sizes", sorted(roots), list(range(34)))
    for size, root in roots.items():
        tally.equal(f"root of {size}", merkle.root(LEAVES[:size]), root)
        nodes = merkle.frontier(LEAVES[:size])
        tally.equal(f"frontier of {size}", merkle.frontier_root(nodes), root)
    for case in vectors["inclusion"]:
        index, size, proof = case["index"], case["size"], unhex_all(case["proof"])
        name = f"inclusion of {index} in {size}"
        tally.equal(name, merkle.inclusion_proof(index, LEAVES[:size]), proof)
        good = merkle.includes(LEAVES[index], index, size, roots[size], proof)
        tally.equal(f"{name} verifies", good, True)
    for case in vectors["consistency"]:
        old, new, proof = case["from"], case["to"], unhex_all(case["proof"])
        name = f"consistency of {old} and {new}"
        tally.equal(name, merkle.consistency_proof(old, LEAVES[:new]), proof)
        good = merkle.extends(old, roots[old], new, roots[new], proof)
        tally.equal(f"{name} verifies", good, True)
    refused_proofs(tally, vectors)


def refused_proofs(tally: Tally, vectors: Json) -> None:
    """The refused part of tree.json."""
    for case in vectors["refused_inclusion"]:
        proof = unhex_all(case["proof"]) * case.get("times", 1)
        leaf, root = unhex(case["leaf"]), unhex(case["root"])
        at = (case["index"], case["size"])
        tally.refused(
            case["name"],
            case["refused"],
            lambda: corridor.verify_inclusion(leaf, at[0], at[1], root, proof),
        )
    for case in vectors["refused_consistency"]:
        proof = unhex_all(case["proof"]) * case.get("times", 1)
        old = (case["from"], unhex(case["from_root"]))
        new = (case["to"], unhex(case["to_root"]))
        tally.refused(
            case["name"], case["refused"], lambda: corridor.verify_consistency(*old, *new, proof)
        )


def checkpoint_of(content: Json) -> Checkpoint:
    """A checkpoint as the file writes it."""
    return Checkpoint(
        unhex(content["log"]),
        int(content["incarnation"]),
        int(content["size"]),
        unhex(content["root"]),
    )


def checkpoint(tally: Tally, vectors: Json) -> None:
    """checkpoint.json"""
    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, of = case["name"], charters[case["charter"]]
        found, seq = corridor.verify_checkpoint(note_of(case["note"]), of, case["head"])
        expected, seed = checkpoint_of(case["content"]), unhex(case["seed"])
        tally.equal(f"{name}, content", found, expected)
        tally.equal(f"{name}, text", expected.text, case["text"])
        tally.equal(f"{name}, key", of.keys[seq], seeds.public_key(seed))
        identifier = corridor.key_id(expected.origin, 1, of.keys[seq])
        tally.equal(f"{name}, key id", identifier, unhex(case["key_id"]))
        signature = seeds.sign(seed, expected.text.encode())
        tally.equal(f"{name}, signature", signature, unhex(case["signature"]))
        written = signed_note(expected.text, expected.origin, identifier + signature)
        tally.equal(f"{name}, note", written, case["note"])
    for case in vectors["refused"]:
        data, of, head = note_of(case["note"]), charters[case["charter"]], case["head"]
        tally.refused(
            case["name"], case["refused"], lambda: corridor.verify_checkpoint(data, of, head)
        )


def signed_note(text: str, name: str, signature: bytes) -> str:
    """A note of one signature line."""
    encoded = base64.b64encode(signature).decode()
    return f"{text}\n\u2014 {name} {encoded}\n"


def held(tally: Tally, vectors: Json) -> None:
    """held.json"""
    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, of = case["name"], charters[case["charter"]]
        found = corridor.verify_held(note_of(case["note"]), of)
        seed, time_s = unhex(case["seed"]), int(case["time_s"])
        tally.equal(f"{name}, content", found.checkpoint, checkpoint_of(case["content"]))
        tally.equal(f"{name}, holder", found.holder, unhex(case["holder"]))
        tally.equal(f"{name}, time", found.time_s, time_s)
        tally.equal(f"{name}, message", found.message, case["message"])
        key_name = f"{corridor.id_text(of.rcp)}/held"
        identifier = corridor.key_id(key_name, 4, seeds.public_key(seed))
        tally.equal(f"{name}, key id", identifier, unhex(case["key_id"]))
        signature = seeds.sign(seed, found.message.encode())
        stamped = time_s.to_bytes(8, "big") + signature
        tally.equal(f"{name}, signature", stamped, unhex(case["stamped_signature"]))
        written = signed_note(found.checkpoint.text, key_name, identifier + stamped)
        tally.equal(f"{name}, note", written, case["note"])
    for case in vectors["refused"]:
        data, of = note_of(case["note"]), charters[case["charter"]]
        tally.refused(case["name"], case["refused"], lambda: corridor.verify_held(data, of))


def package(tally: Tally, vectors: Json) -> None:
    """package.json"""
    log = unhex_all(vectors["log"])
    leaves = [merkle.leaf_hash(line) for line in log]
    head = (vectors["head"]["size"], unhex(vectors["head"]["root"]))
    tally.equal("head", (len(log), merkle.root(leaves)), head)
    for case in vectors["good"]:
        name, lines, proof = case["name"], unhex_all(case["lines"]), unhex_all(case["proof"])
        before = leaves[: case["held"]]
        after = corridor.verify_package(before, case["from"], lines, proof, head)
        tally.equal(f"{name}, lines", lines, log[case["from"] : case["reached"]])
        tally.equal(f"{name}, reached", len(after), case["reached"])
        tally.equal(f"{name}, frontier", merkle.frontier(after), unhex_all(case["frontier"]))
        tally.equal(f"{name}, root", merkle.root(after), unhex(case["root"]))
        made = merkle.consistency_proof(len(after), leaves)
        tally.equal(f"{name}, proof", made, proof)
    for case in vectors["refused"]:
        lines = unhex_all(case["lines"]) * case["times"]
        proof, before, start = unhex_all(case["proof"]), leaves[: case["held"]], case["from"]
        tally.refused(
            case["name"],
            case["refused"],
            lambda: corridor.verify_package(before, start, lines, proof, head),
        )


def chunks(salt: bytes, size: int) -> list[bytes]:
    """Salt and chunks of the content of `size` bytes that attachment.json describes."""
    content = bytes(number % 251 for number in range(size))
    step = corridor.CHUNK_BYTES
    return [salt, *(content[at : at + step] for at in range(0, size, step))]


def attachment(tally: Tally, vectors: Json) -> None:
    """attachment.json"""
    salt = unhex(vectors["salt"])
    for case in vectors["good"]:
        name, size = f"attachment of {case['bytes']} bytes", case["bytes"]
        parts = chunks(salt, size)
        leaves = [merkle.leaf_hash(part) for part in parts]
        identifier = unhex(case["id"])
        tally.equal(f"{name}, id", merkle.root(leaves), identifier)
        tally.equal(f"{name}, chunks", len(parts), len(case["chunks"]))
        for part, chunk in zip(parts, case["chunks"]):
            index, proof = chunk["index"], unhex_all(chunk["proof"])
            corridor.verify_chunk(identifier, size, index, part, proof)
            tally.equal(f"{name}, length", len(part), chunk["length"])
            tally.equal(f"{name}, leaf", leaves[index], unhex(chunk["leaf"]))
            tally.equal(f"{name}, proof", merkle.inclusion_proof(index, leaves), proof)
    content = b"".join(chunks(salt, 150_000)[1:])
    for case in vectors["refused"]:
        part = bytearray(content[case["first"] : case["first"] + case["length"]])
        if case["flip"]:
            part[0] ^= 1
        identifier, proof = unhex(case["id"]), unhex_all(case["proof"])
        size, index, claimed = case["bytes"], case["index"], bytes(part)
        tally.refused(
            case["name"],
            case["refused"],
            lambda: corridor.verify_chunk(identifier, size, index, claimed, proof),
        )


def check_evidence(tally: Tally, vectors: Json) -> None:
    """evidence.json"""
    charters = charters_of(vectors)
    for case in vectors["good"]:
        name, data, of = case["name"], unhex(case["evidence"]), charters[case["charter"]]
        tally.equal(f"{name}, proved", evidence.verify(data, of), case["proved"])
        tally.equal(f"{name}, rcp", pb.one_bytes(pb.read(data), 1), unhex(case["rcp"]))
        tally.equal(f"{name}, of this RCP", of.rcp, unhex(case["rcp"]))
        form, content = evidence.form_of(data)
        tally.equal(f"{name}, form", form, case["parts"]["form"])
        tally.equal(f"{name}, parts", evidence_parts(form, content), case["parts"])
    for case in vectors["refused"]:
        data, of = unhex(case["evidence"]), charters[case["charter"]]
        tally.refused(case["name"], case["refused"], lambda: evidence.verify(data, of))


def evidence_parts(form: str, content: pb.Fields) -> Json:
    """The parts of an evidence as the file writes them."""
    if form == "two_roots":
        notes = [pb.one_bytes(content, number).decode() for number in (1, 2)]
        return {"form": form, "one": notes[0], "other": notes[1]}
    if form == "two_lines":
        one, other = (proved_leaf(side) for side in evidence.sides(content, 2))
        index = pb.one_number(content, 1)
        return {"form": form, "index": index, "one": one, "other": other}
    names: Sequence[str] = ("header", "signature")
    if form == "two_key_events":
        names = ("event", "recovery_signature", "signing_signature")
    one, other = (
        {name: pb.one_bytes(side, number).hex() for number, name in enumerate(names, 1)}
        for side in evidence.sides(content, 1)
    )
    return {"form": form, "one": one, "other": other}


def proved_leaf(side: pb.Fields) -> Json:
    """A leaf under a checkpoint as the file writes it."""
    return {
        "checkpoint": pb.one_bytes(side, 1).decode(),
        "leaf": pb.one_bytes(side, 2).hex(),
        "proof": [node.hex() for node in pb.all_bytes(side, 3)],
    }


def frame(tally: Tally, vectors: Json) -> None:
    """frame.json"""
    for case in vectors["cases"]:
        name, bare, encoded = case["name"], unhex(case["frame"]), unhex(case["encoded"])
        tally.equal(f"{name}, length", len(bare), case["bytes"])
        tally.equal(f"{name}, padded length", len(encoded), case["encoded_bytes"])
        tally.equal(f"{name}, multiple of 256", len(encoded) % 256, 0)
        padding = next(
            count
            for count in range(1, 1024)
            if (len(bare) + len(pb.write(15, bytes(count)))) % 256 == 0
        )
        tally.equal(f"{name}, padding", padding, case["padding"])
        tally.equal(f"{name}, encoded", bare + pb.write(15, bytes(padding)), encoded)
        kinds = [number for number in pb.read(bare) if number != 15]
        tally.equal(f"{name}, one frame", len(kinds), 1)


def invitation(tally: Tally, vectors: Json) -> None:
    """invitation.json"""
    for case in vectors["good"]:
        name = case["name"]
        identity, token = corridor.read_invitation(unhex(case["invitation"]))
        tally.equal(f"{name}, events", identity.charter.events, events_of(case["events"]))
        tally.equal(f"{name}, rcp", identity.charter.rcp, unhex(case["rcp"]))
        tally.equal(f"{name}, card", identity.card_bytes, unhex(case["card"]))
        signature = unhex(case["card_signature"])
        tally.equal(f"{name}, signature", identity.card_signature, signature)
        tally.equal(f"{name}, token", token, unhex(case["token"]))
        hashed = domain_hash("invitation-token", token)
        tally.equal(f"{name}, hash of the token", hashed, unhex(case["token_hash"]))
        letters = base64.urlsafe_b64encode(unhex(case["invitation"])).decode().rstrip("=")
        tally.equal(f"{name}, link", case["link"], corridor.INVITATION_LINK + letters)
        read = corridor.read_invitation_link(case["link_in_a_message"])
        tally.equal(f"{name}, link in a message", read, unhex(case["invitation"]))
    for case in vectors["refused"]:
        data = unhex(case["invitation"])
        tally.refused(case["name"], case["refused"], lambda: corridor.read_invitation(data))
    for case in vectors["refused_links"]:
        link = case["link"] + unhex(case.get("and", "")).decode()
        tally.refused(
            f"link {case['name']}",
            case["refused"],
            lambda: corridor.read_invitation_link(link),
        )


CHECKS: dict[str, Callable[[Tally, Json], None]] = {
    "attachment": attachment,
    "bundle": bundle.check,
    "card": card,
    "charter": charter,
    "checkpoint": checkpoint,
    "domains": domains,
    "evidence": check_evidence,
    "frame": frame,
    "have": have,
    "held": held,
    "identifiers": identifiers,
    "invitation": invitation,
    "line": line,
    "note": note,
    "package": package,
    "readers": readers,
    "record": record,
    "safety": safety,
    "start": start,
    "tree": tree,
}
