"""A real node: what it proves, how it is followed, what it refuses, and that no lie gets through.

CORRIDOR_DEMO_PROFILE names the profile of a node of `corridor-node demo`, CORRIDOR_NODE the
program; `tests/run node` starts one. Records are published there: never name a node that is in use.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import fake
import grpc
import corridor
from corridor.v1 import node_service_pb2, practice_pb2
from corridor.v1 import record_service_pb2 as v1

Proof = v1.ProveRecordResponse
Lie = Callable[[Proof], None]
PATIENCE_SECONDS = 20


def setUpModule() -> None:
    """The node that is asked."""
    path = os.environ.get("CORRIDOR_DEMO_PROFILE")
    if not path:
        raise unittest.SkipTest("CORRIDOR_DEMO_PROFILE names no node of a demonstration")
    Node.path = Path(path)
    Node.profile = corridor.Profile.read(path)


def flipped(data: bytes, at: int) -> bytes:
    """The same with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def parts(proof: Proof) -> Iterator[tuple[str, int, Callable[[Proof, int], None]]]:
    """Every part of a proof: its name, its length, and what changes one byte of it."""
    plain = {
        "header": (lambda p: p.raw, "header"),
        "signature": (lambda p: p.raw, "signature"),
        "salt": (lambda p: p.raw, "salt"),
        "body": (lambda p: p.raw, "body"),
        "seed": (lambda p: p, "seed"),
        "line": (lambda p: p, "line"),
        "checkpoint": (lambda p: p, "checkpoint"),
        "charter": (lambda p: p.identity.key_events[0], "event"),
        "charter's signature": (lambda p: p.identity.key_events[0], "signing_signature"),
        "card": (lambda p: p.identity.card, "card"),
        "card's signature": (lambda p: p.identity.card, "signature"),
    }
    for name, (holder, field) in plain.items():

        def change(spoilt: Proof, at: int, holder=holder, field=field) -> None:
            setattr(holder(spoilt), field, flipped(getattr(holder(spoilt), field), at))

        yield name, len(getattr(holder(proof), field)), change
    for number, node in enumerate(proof.proof):

        def change_node(spoilt: Proof, at: int, number=number) -> None:
            spoilt.proof[number] = flipped(spoilt.proof[number], at)

        yield f"proof {number}", len(node), change_node


def other_index(spoilt: Proof) -> None:
    """The line is said to lie elsewhere."""
    spoilt.index += 1


def no_card(spoilt: Proof) -> None:
    """The card is left out."""
    spoilt.identity.ClearField("card")


def no_charter(spoilt: Proof) -> None:
    """The charter is left out."""
    del spoilt.identity.key_events[:]


def longer_salt(spoilt: Proof) -> None:
    """Salt and body are divided elsewhere: what is hashed stays the same."""
    spoilt.raw.salt, spoilt.raw.body = (
        spoilt.raw.salt + spoilt.raw.body[:1],
        spoilt.raw.body[1:],
    )


class Liar(fake.Fake):
    """Stands between: passes every answer of the node on, and changes the proof of one record."""

    def __init__(self, profile: corridor.Profile, about: corridor.Record) -> None:
        self.node = corridor.Client(profile)
        self.about = about.name
        self.lie: Lie = lambda _: None
        super().__init__()

    def close(self) -> None:
        super().close()
        self.node.close()

    def ListRecords(
        self, request: v1.ListRecordsRequest, _: grpc.ServicerContext
    ) -> v1.ListRecordsResponse:
        answer: v1.ListRecordsResponse = self.node.read(request)
        for told in answer.records:
            told.title.add(tag="xx", text="Forged")
        return answer

    def ProveRecord(self, request: v1.ProveRecordRequest, context: grpc.ServicerContext) -> Proof:
        try:
            answer: Proof = self.node.read(request)
        except corridor.NotFound:
            fake.NOT_FOUND(context)
            raise
        if request.name == self.about:
            self.lie(answer)
        return answer


class Node(unittest.TestCase):
    """Scenarios over one node."""

    path: Path
    profile: corridor.Profile

    def setUp(self) -> None:
        self.client = corridor.Client(self.profile)
        self.addCleanup(self.client.close)

    def all(self) -> list[corridor.Record]:
        """The records in force, all of them verified."""
        found = list(self.client.records())
        records = [one for one in found if isinstance(one, corridor.Record)]
        self.assertEqual(len(records), len(found))
        self.assertGreater(len(records), 5)
        return records

    def practice(self) -> corridor.Record:
        """A practice of the node's own."""
        own = self.client.read(node_service_pb2.GetNodeRequest()).name
        for one in self.client.records(rcp=own):
            if isinstance(one, corridor.Record) and one.kind == "practice":
                return one
        raise AssertionError("the demonstration has a practice of this node")

    def proved_most(self) -> corridor.Record:
        """The record whose proof has most parts."""
        return max(self.all(), key=lambda one: len(Proof.FromString(one.proof()).proof))

    def publish(self, title: str) -> corridor.Record:
        """A new public record, made out of another."""
        content = self.practice().content
        assert isinstance(content, practice_pb2.Practice)
        for text in content.title:
            text.text = title
        draft = self.client.create_draft("practice", content)
        self.assertEqual(list(draft.problems), [])
        return self.client.publish(draft.name, ["public"])

    def test_lists_and_gets_what_it_verifies(self) -> None:
        records = self.all()
        self.assertEqual(len({one.name for one in records}), len(records))
        self.assertEqual(len({one.rcp for one in records}), 2, "of both processes")
        for one in records:
            self.assertTrue(one.title)
            self.assertTrue(one.is_demonstration)
            self.assertIn("envelope", one.to_dict())
            self.assertEqual(self.client.get(one.name), one)
            self.assertEqual(one.raw.body, one.body)

    def test_pages_lead_through_the_same_list(self) -> None:
        names, request = [], v1.ListRecordsRequest(page_size=1)
        while True:
            page = self.client.read(request)
            names += [told.name for told in page.records]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        self.assertEqual(names, [told.name for told in self.client.unverified_records()])

    def test_what_is_not_in_force_is_the_nodes_word(self) -> None:
        found = [
            one
            for one in self.client.records(show_all=True)
            if isinstance(one, corridor.Unverified)
        ]
        self.assertIn(corridor.State.WITHDRAWN, {one.state for one in found})
        for one in found:
            self.assertFalse(one.is_suspect)
            self.assertEqual(self.client.unverified_record(one.name).state, int(one.state))
            with self.assertRaises(corridor.NotFound):
                self.client.get(one.name)

    def test_absent_and_forbidden_are_the_same(self) -> None:
        with self.assertRaises(corridor.NotFound) as caught:
            self.client.get(fake.NAME)
        self.assertEqual(caught.exception.reason, "NOT_FOUND")
        self.assertIsNone(caught.exception.__context__)

    def test_an_unknown_token_opens_nothing(self) -> None:
        stranger = corridor.Profile(self.profile.address, self.profile.server_key, "sesame")
        with corridor.connect(stranger) as client, self.assertRaises(corridor.NotAllowed) as caught:
            list(client.records())
        self.assertEqual(caught.exception.reason, "NO_VALID_TOKEN")

    def test_an_integrator_reads_what_is_public_and_writes_nothing(self) -> None:
        record = self.publish("Read by an integrator")
        with corridor.connect(self.integrator()) as client:
            names = {one.name for one in client.records()}
            self.assertIn(record.name, names)
            self.assertLess(len(names), len(self.all()), "not what stands in other circles")
            self.assertEqual(client.get(record.name), record)
            assert record.content is not None
            with self.assertRaises(corridor.NotAllowed) as caught:
                client.create_draft("practice", record.content)
            self.assertEqual(caught.exception.reason, "ROLE_LACKING")

    def integrator(self) -> corridor.Profile:
        """A profile with a token of the role `public`."""
        command = [os.environ["CORRIDOR_NODE"], "token", "create", "--role", "public"]
        options = ["--data", str(self.path.parent), "--label", "A ministry"]
        made = subprocess.run(command + options, check=True, capture_output=True, text=True)
        return corridor.Profile(
            self.profile.address, self.profile.server_key, made.stdout.strip()
        )

    def test_a_bad_draft_says_which_field(self) -> None:
        draft = self.client.create_draft("practice", practice_pb2.Practice())
        self.assertTrue(draft.problems)
        with self.assertRaises(corridor.Invalid) as caught:
            self.client.publish(draft.name, ["public"])
        self.assertEqual(caught.exception.reason, "INVALID_FIELDS")
        self.assertIn("title", {one.field for one in caught.exception.fields})
        self.client.write(v1.DeleteDraftRequest(name=draft.name))

    def test_follows_a_record_from_publishing_to_withdrawal(self) -> None:
        caught_up = list(self.client.watch(follow=False))
        listed = {one.name for one in self.client.records(show_all=True)}
        self.assertEqual({one.record.name for one in caught_up if one.record}, listed)
        cursor = caught_up[-1].cursor
        self.assertIsNotNone(cursor)
        seen: list[corridor.Record | corridor.Unverified] = []
        named: list[str] = []
        watch = self.client.watch(cursor)

        def follow() -> None:
            for change in watch:
                if change.record is not None and change.record.name in named:
                    seen.append(change.record)
                    if len(seen) == 1:
                        self.client.withdraw(named[0], v1.WITHDRAWAL_CODE_ERROR)
                    else:
                        watch.close()

        record = self.publish("Followed")
        named.append(record.name)
        follower = threading.Thread(target=follow)
        follower.start()
        follower.join(PATIENCE_SECONDS)
        watch.close()
        self.assertFalse(follower.is_alive())
        self.assertEqual(seen[0], record)
        assert isinstance(seen[1], corridor.Unverified)
        self.assertEqual(seen[1].state, corridor.State.WITHDRAWN)
        self.assertNotIn(record.name, {one.name for one in self.client.records()})

    def test_a_cursor_of_elsewhere_is_refused(self) -> None:
        with self.assertRaises(corridor.Invalid) as caught:
            next(self.client.watch("elsewhere"))
        self.assertEqual(caught.exception.fields[0].field, "cursor")

    def test_a_file_proves_a_record_without_a_node(self) -> None:
        record = self.practice()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.bin"
            record.save(path)
            self.assertEqual(corridor.verify_file(path), record)
            with self.assertRaises(FileExistsError):
                record.save(path)
        data = record.proof()
        spoilt = [
            (data + b"\x7a\x01x", "MALFORMED"),  # a field that nobody knows
            (data + b"\x20\x01", "MALFORMED"),  # an index given twice
            (data[:-1], "MALFORMED"),
            (b"", "TRUNCATED"),
            (data + bytes(3 * 1024 * 1024), "TOO_LONG"),
        ]
        for file, reason in spoilt:
            with self.assertRaises(corridor.NotVerified) as caught:
                corridor.verify_proof(file)
            self.assertEqual(caught.exception.reason, reason)

    def test_no_byte_of_a_proof_can_be_changed(self) -> None:
        proof = Proof.FromString(self.proved_most().proof())
        self.assertGreater(len(proof.proof), 1)
        tried = 0
        for name, length, change in parts(proof):
            self.assertGreater(length, 0, name)
            for at in range(length):
                spoilt = Proof()
                spoilt.CopyFrom(proof)
                change(spoilt, at)
                tried += 1
                with self.assertRaises(corridor.NotVerified, msg=f"{name}, byte {at}"):
                    corridor.verify_proof(spoilt.SerializeToString(deterministic=True))
        self.assertGreater(tried, 1000)

    def test_a_lying_node_is_not_believed(self) -> None:
        record = self.proved_most()
        liar = Liar(self.profile, record)
        self.addCleanup(liar.close)
        with liar.client() as client:
            self.assertEqual(client.get(record.name), record, "what is passed on as it is")
            self.assertNotIn("xx", client.get(record.name).title)
        lies: list[tuple[str, Lie]] = [
            (name, lambda proof, change=change, at=length // 2: change(proof, at))
            for name, length, change in parts(Proof.FromString(record.proof()))
        ]
        more = (other_index, no_card, no_charter, longer_salt)
        lies += [(lie.__name__, lie) for lie in more]
        for name, lie in lies:
            liar.lie = lie
            with self.subTest(name), liar.client() as client:
                with self.assertRaises(corridor.NotVerified):
                    client.get(record.name)
                listed = [one for one in client.records() if one.name == record.name]
                assert isinstance(listed[0], corridor.Unverified)
                self.assertTrue(listed[0].is_suspect)
                self.assertFalse(listed[0].told.title, "nothing that was not proved is passed on")

    def test_the_proof_of_one_record_is_none_of_another(self) -> None:
        one, other, *_ = self.all()
        liar = Liar(self.profile, one)
        self.addCleanup(liar.close)
        swapped = Proof.FromString(other.proof())
        liar.lie = lambda proof: proof.CopyFrom(swapped)
        with liar.client() as client, self.assertRaises(corridor.NotVerified):
            client.get(one.name)

    def test_a_record_is_made_by_verifying_alone(self) -> None:
        with self.assertRaises(TypeError):
            corridor.Record(object(), Proof(), ())  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
