"""What makes a record, and what is known of one: kinds, titles, and what is kept of a node's word."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

import fake
from corridor import NotVerified, State, Unverified, verify_proof
from corridor.charters import Charters
from corridor.kinds import kind_word, message_of, titles
from corridor.v1 import practice_pb2, profile_pb2
from corridor.protocol.primitives import Refused
from corridor.records import verify_answer
from corridor.v1 import record_service_pb2 as v1
from world import Key, Rcp

KINDS = Path(__file__).resolve().parents[3] / "proto" / "src" / "kinds" / "kind.rs"


class Proofs(unittest.TestCase):
    """What is signed by the wrong key, about something else, or out of date."""

    def refused(self, code: str, name: str, proof: v1.ProveRecordResponse) -> None:
        """It is refused for this reason."""
        with self.assertRaises(Refused) as caught:
            verify_answer(name, proof)
        self.assertEqual(caught.exception.code, code)

    def test_a_record_of_a_retired_key_is_good_under_a_head_of_the_current_one(self) -> None:
        rcp = Rcp()
        rcp.rotate(2)
        record = verify_answer(rcp.name, rcp.proof())
        self.assertEqual((record.name, record.version, record.kind), (rcp.name, 7, "practice"))
        self.assertEqual((record.body, record.rcp_names), (b"body", {"en": "Prague Process"}))
        self.assertEqual(record.signed_at.year, 2023)
        self.assertIsNone(record.content, "a body that is no message of its kind")
        self.assertEqual(verify_proof(record.proof()), record)

    def test_a_head_of_a_retired_key_proves_nothing(self) -> None:
        rcp = Rcp()
        old = rcp.proof()
        rcp.rotate(2)
        old.identity.CopyFrom(rcp.identity())
        self.refused("RETIRED_KEY", rcp.name, old)

    def test_a_header_that_somebody_else_signed_is_refused(self) -> None:
        rcp = Rcp()
        self.refused("BAD_SIGNATURE", rcp.name, rcp.proof(rcp.raw(signer=Key(9))))

    def test_another_text_of_the_same_version_is_not_what_was_published(self) -> None:
        rcp = Rcp()
        other = rcp.raw(b"other")
        self.refused("WRONG_HASH", rcp.name, rcp.proof(other, published=rcp.raw()))
        self.assertEqual(verify_answer(rcp.name, rcp.proof(other)).body, b"other")

    def test_a_record_of_another_rcp_with_the_same_identifier_is_refused(self) -> None:
        self.refused("WRONG_RCP", Rcp(1).name, Rcp(2).proof())

    def test_nobody_goes_back_behind_a_rotation(self) -> None:
        rcp, fork = Rcp(), Rcp()
        before = verify_answer(rcp.name, rcp.proof()).charter
        rcp.rotate(2)
        fork.rotate(3)
        charters = Charters()
        charters.learn(verify_answer(rcp.name, rcp.proof(), before).charter)
        for charter, code in (
            (before, "STALE"),
            (verify_answer(fork.name, fork.proof()).charter, "BROKEN_CHAIN"),
        ):
            with self.assertRaises(Refused) as caught:
                charters.learn(charter)
            self.assertEqual(caught.exception.code, code)
        held = charters.of(rcp.rcp)
        assert held is not None
        self.assertEqual(held.current, 1)

    def test_a_charter_that_is_not_the_known_one_is_verified(self) -> None:
        rcp = Rcp()
        known = verify_answer(rcp.name, rcp.proof()).charter
        forged = rcp.proof()
        forged.identity.key_events[0].signing_signature = bytes(64)
        with self.assertRaises(Refused):
            verify_answer(rcp.name, forged, known)

    def test_what_is_left_out_is_missed(self) -> None:
        rcp = Rcp()
        for part in ("identity", "raw"):
            proof = rcp.proof()
            proof.ClearField(part)
            self.refused("TRUNCATED", rcp.name, proof)
            with self.assertRaises(NotVerified):
                verify_proof(proof.SerializeToString())


class Kinds(unittest.TestCase):
    """The numbers that are signed, and their words."""

    def test_every_kind_of_the_protocol_is_known_by_the_same_word(self) -> None:
        known = re.findall(r'^    \w+ = (\d+), "(\w+)";$', KINDS.read_text(), re.M)
        self.assertGreater(len(known), 10)
        for number, word in known:
            self.assertEqual(kind_word(int(number)), word)
            self.assertIsNotNone(message_of(int(number), b""))
        self.assertEqual(kind_word(99), "kind 99")

    def test_what_is_not_understood_is_no_content(self) -> None:
        self.assertIsNone(message_of(99, b""))
        self.assertIsNone(message_of(1, b"\xff"))

    def test_titles_are_by_language(self) -> None:
        practice, profile = practice_pb2.Practice(), profile_pb2.Profile()
        practice.title.add(tag="ar", text="one")
        profile.name.add(tag="en", text="two")
        self.assertEqual(titles(practice), {"ar": "one"})
        self.assertEqual(titles(profile), {"en": "two"})
        self.assertEqual(titles(None), {})


class Told(unittest.TestCase):
    """Of a node's word only that is kept which needs no proof."""

    def told(self, state: int) -> v1.Record:
        """What a node says."""
        told = v1.Record(name=fake.NAME, state=v1.RecordState.ValueType(state), version=7)
        told.title.add(tag="en", text="Claimed")
        return told

    def test_what_should_have_been_proved_leaves_its_name_alone(self) -> None:
        found = Unverified.of(self.told(State.CURRENT), "BAD_SIGNATURE")
        self.assertEqual(found.told, v1.Record(name=fake.NAME, state=v1.RECORD_STATE_CURRENT))
        self.assertTrue(found.is_suspect)

    def test_of_a_text_that_is_not_there_no_title_is_left(self) -> None:
        for state in State:
            found = Unverified.of(self.told(state), "NOTHING_IN_FORCE")
            self.assertEqual(bool(found.told.title), state is State.INTERNAL)
            self.assertEqual(found.told.version, 7)
            self.assertFalse(found.is_suspect)

    def test_a_state_of_a_newer_node_is_unspecified(self) -> None:
        self.assertEqual(State.of(99), State.UNSPECIFIED)


if __name__ == "__main__":
    unittest.main()
