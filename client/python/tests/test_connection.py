"""The connection to a node: whom it trusts, what it repeats, how it follows."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from google.rpc import code_pb2

import fake
import corridor
from corridor import limits
from corridor.connection import jitter, retry_pause
from corridor.v1 import practice_pb2
from corridor.v1 import record_service_pb2 as v1
from fake import NAME, NOT_FOUND, Fake, Key, busy, good
from world import Rcp

READ = v1.ListDraftsRequest()
CHANGE = v1.DeleteDraftRequest(name=NAME)
PATIENCE_SECONDS = 20


class Connections(unittest.TestCase):
    """Over a server that answers from a script."""

    def setUp(self) -> None:
        self.fake = Fake()
        self.addCleanup(self.fake.close)
        quick = mock.patch("corridor.connection.RETRY_FIRST_SECONDS", 0.01)
        quick.start()
        self.addCleanup(quick.stop)

    def client(self, **options: float) -> corridor.Client:
        """A client of the server."""
        client = self.fake.client(**options)
        self.addCleanup(client.close)
        return client

    def test_the_token_is_in_every_call(self) -> None:
        client = self.client()
        client.read(READ)
        client.write(CHANGE)
        self.assertEqual(self.fake.tokens, ["Bearer sesame"] * 2)
        self.assertNotIn("sesame", repr(client))

    def test_another_key_is_never_spoken_to(self) -> None:
        with self.assertRaises(corridor.WrongKey) as caught:
            corridor.Client(self.fake.profile(key=Key().hash))
        self.assertEqual(caught.exception.reason, "WRONG_KEY")
        self.assertEqual(self.fake.tokens, [])

    def test_a_key_that_is_replaced_later_is_not_spoken_to_either(self) -> None:
        client = self.client()
        self.fake.stop()
        self.fake.key = Key()
        self.fake.start()
        with self.assertRaises(corridor.WrongKey):
            client.read(READ)
        self.assertEqual(self.fake.tokens, [])

    def test_a_new_certificate_of_the_same_key_is_trusted(self) -> None:
        client = self.client()
        client.read(READ)
        self.fake.stop()
        self.fake.start()
        client.read(READ)

    def test_only_tls_1_3_is_spoken(self) -> None:
        key = Key()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "both.pem"
            path.write_bytes(key.pem + key.certificate())
            context.load_cert_chain(path)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def answer() -> None:
            tcp, _ = listener.accept()
            try:
                context.wrap_socket(tcp, server_side=True)
            except ssl.SSLError:
                tcp.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with self.assertRaises(corridor.Unreachable) as caught:
            corridor.Client(corridor.Profile(address, key.hash, "sesame"))
        self.assertIn("no secure connection", str(caught.exception))

    def test_nobody_there_is_unreachable(self) -> None:
        self.fake.stop()
        with self.assertRaises(corridor.Unreachable) as caught:
            self.fake.client()
        self.assertIn("nothing answers there", str(caught.exception))
        self.assertTrue(caught.exception.is_transient)

    def test_a_read_is_tried_again_and_a_change_is_not(self) -> None:
        client = self.client()
        self.fake.script.extend([busy(), busy(), good])
        client.read(READ)
        self.assertEqual(len(self.fake.tokens), 3)
        self.fake.script.extend([busy(), good])
        with self.assertRaises(corridor.Unavailable):
            client.write(CHANGE)
        self.assertEqual(len(self.fake.tokens), 4)
        self.fake.script.clear()
        self.fake.script.extend([busy()] * 9)
        with self.assertRaises(corridor.Unavailable) as caught:
            client.read(READ)
        self.assertEqual(len(self.fake.tokens), 8)
        self.assertEqual(caught.exception.reason, "BUSY")

    def test_a_new_draft_is_tried_again_as_the_same_request(self) -> None:
        client = self.client()
        self.fake.script.extend([busy(), good])
        client.create_draft("practice", practice_pb2.Practice())
        client.create_draft("practice", practice_pb2.Practice())
        first, again, other = self.fake.requests
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertEqual(len(first), 36)

    def test_a_node_that_asks_for_a_long_pause_is_left_alone(self) -> None:
        client = self.client()
        self.fake.script.append(busy(int(limits.RETRY_SECONDS_MAX) + 1))
        with self.assertRaises(corridor.Unavailable) as caught:
            client.read(READ)
        self.assertEqual(caught.exception.retry_after, limits.RETRY_SECONDS_MAX + 1)
        self.assertEqual(len(self.fake.tokens), 1)

    def test_a_refusal_is_not_tried_again_and_keeps_its_reason(self) -> None:
        client = self.client()
        self.fake.script.append(NOT_FOUND)
        with self.assertRaises(corridor.NotFound) as caught:
            client.read(READ)
        found = caught.exception
        self.assertEqual((found.reason, found.domain), ("NOT_FOUND", "corridor.invalid"))
        self.assertEqual(str(found), "said so")
        self.assertIsNone(found.__context__, "no trace of what lies below")
        self.assertEqual(len(self.fake.tokens), 1)

    def test_each_code_has_its_error(self) -> None:
        client = self.client()
        cases = {
            code_pb2.PERMISSION_DENIED: corridor.NotAllowed,
            code_pb2.UNAUTHENTICATED: corridor.NotAllowed,
            code_pb2.FAILED_PRECONDITION: corridor.Conflict,
            code_pb2.INVALID_ARGUMENT: corridor.Invalid,
            code_pb2.INTERNAL: corridor.Fault,
        }
        for code, expected in cases.items():
            self.fake.script.append(fake.refusal(code, "WHY"))
            with self.assertRaises(corridor.Fault) as caught:
                client.read(READ)
            self.assertIs(type(caught.exception), expected)
            self.assertFalse(caught.exception.is_transient)

    def test_a_call_ends_in_time(self) -> None:
        client = self.client(call_seconds=0.2)
        self.fake.script.append(self.fake.silence)
        began = time.monotonic()
        with self.assertRaises(corridor.TimedOut):
            client.read(READ)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_list_is_read_page_by_page(self) -> None:
        found = list(self.client().records())
        self.assertEqual(len(found), 3)
        for one in found:
            assert isinstance(one, corridor.Unverified)
            self.assertEqual((one.state, one.reason), (corridor.State.AWAITED, "NOTHING_IN_FORCE"))
            self.assertFalse(one.told.title, "of a text that is not there no title is passed on")

    def test_a_list_without_end_is_given_up(self) -> None:
        for pages in ({"": "1", "1": "1"}, {"": "1", "1": "2", "2": "1"}):
            self.fake.pages = pages
            with mock.patch("corridor.client.PAGES_MAX", 5), self.assertRaises(corridor.BadAnswer):
                list(self.client().unverified_records())

    def test_records_of_another_rcp_than_asked_for_are_refused(self) -> None:
        with self.assertRaises(corridor.BadAnswer):
            list(self.client().records(rcp=f"rcps/{'a' * 52}"))

    def test_a_charter_that_ends_before_one_that_was_seen_is_refused(self) -> None:
        rcp, client = Rcp(), self.client()
        before = rcp.proof()
        rcp.rotate(2)
        self.fake.proof = rcp.proof()
        self.assertEqual(client.get(rcp.name).version, 7)
        self.fake.proof = before
        with self.assertRaises(corridor.NotVerified) as caught:
            client.get(rcp.name)
        self.assertEqual(caught.exception.reason, "STALE")
        self.assertIsNone(caught.exception.__context__)

    def test_names_are_looked_at_before_anything_is_sent(self) -> None:
        client = self.client()
        for bad in ("", NAME + "/", NAME.upper(), NAME.split("/records")[0]):
            with self.assertRaises(corridor.BadName):
                client.get(bad)
        self.assertEqual(self.fake.tokens, [])

    def test_what_is_no_request_is_not_sent(self) -> None:
        with self.assertRaises(TypeError):
            self.client().read(practice_pb2.Practice())

    def test_a_watch_goes_on_where_it_broke(self) -> None:
        cursors = []
        with self.client().watch() as watch:
            late = threading.Timer(PATIENCE_SECONDS, watch.close)
            late.start()
            self.addCleanup(late.cancel)
            for change in watch:
                if change.cursor is None:
                    assert isinstance(change.record, corridor.Unverified)
                    self.assertEqual(change.record.state, corridor.State.WITHDRAWN)
                    continue
                cursors.append(change.cursor)
                if len(cursors) == 2:
                    self.fake.stop()
                    self.fake.start()
                if len(cursors) == 3:
                    break
            self.assertEqual(watch.cursor, cursors[-1])
        self.assertEqual(self.fake.cursors[:2], ["", "c1"])
        self.assertEqual(self.fake.cursors[-1], "c2", "from the last cursor given")

    def test_a_watch_ends_with_what_does_not_mend(self) -> None:
        self.fake.script.extend([busy(), NOT_FOUND])
        with self.assertRaises(corridor.NotFound):
            next(self.client().watch("c7"))
        self.assertEqual(self.fake.cursors, ["c7", "c7"])

    def test_a_watch_that_does_not_follow_ends_when_it_has_caught_up(self) -> None:
        changes = list(self.client().watch(follow=False))
        self.assertEqual([change.cursor for change in changes], [None, "c1"])

    def test_a_watch_is_ended_from_another_thread(self) -> None:
        self.fake.script.append(self.fake.silence)
        watch = self.client().watch()
        threading.Timer(0.2, watch.close).start()
        self.assertEqual(list(watch), [])


class Pauses(unittest.TestCase):
    """Between attempts."""

    def test_pauses_stay_below_their_bound(self) -> None:
        for attempt in range(2000):
            bound = min(limits.RETRY_FIRST_SECONDS * 2 ** min(attempt, 40), 5)
            self.assertTrue(0 <= jitter(attempt, 5) <= bound)

    def test_three_retries_and_no_more(self) -> None:
        broken = corridor.Unreachable("h:1", "nothing")
        self.assertIsNotNone(retry_pause(limits.RETRIES_MAX - 1, broken))
        self.assertIsNone(retry_pause(limits.RETRIES_MAX, broken))
        self.assertIsNone(retry_pause(0, corridor.TimedOut(1)))


if __name__ == "__main__":
    unittest.main()
