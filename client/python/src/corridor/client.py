"""The client: one method for what is commonly done, and `read` and `write` for everything else.

A method whose name does not say "unverified" gives nothing as a record's content that did not
verify here. A list or a change carries no signed bytes: each record in force is proved apart.
"""

from __future__ import annotations

import os
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from .connection import Connection
from .errors import BadAnswer
from .limits import CALL_SECONDS, PAGE_SIZE, PAGES_MAX, PROOFS_AT_ONCE
from .names import parse_rcp_name, parse_record_name
from .profile import Profile
from .prover import Check, Prover
from .records import Record, Unverified, claimed_name
from .v1 import draft_pb2
from .v1 import record_service_pb2 as v1
from .watch import Watch


def connect(profile: Profile | str | os.PathLike[str] | None = None) -> Client:
    """Connects to the node of a profile, or of the file of one.

    Without one it is the profile that CORRIDOR_PROFILE names, or the one in the user's folder for
    configuration. Raises `ProfileError`, `WrongKey`, `Unreachable`.
    """
    if profile is None:
        profile = Profile.find()
    elif not isinstance(profile, Profile):
        profile = Profile.read(profile)
    return Client(profile)


class Client:
    """A connection to one node. Safe to use from several threads.

    A connection that breaks is made anew by the next call. Reads that the node cannot serve, and
    new drafts, are tried again, at most three times, within the time of the call; other changes
    never.
    """

    def __init__(self, profile: Profile, call_seconds: float = CALL_SECONDS) -> None:
        self._connection = Connection(profile, call_seconds)
        self._prover = Prover(self._connection)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._connection.profile.address}>"

    def close(self) -> None:
        """Ends the connection and every call on it."""
        self._connection.close()

    # Reading.

    def get(self, name: str) -> Record:
        """The record `rcps/{rcp}/records/{record}` in its version in force.

        Raises `NotFound`, `BadName`, and `NotVerified` for the first thing that does not verify, or
        for a charter that ends before one that was seen on this connection, or contradicts it.
        """
        return self._prover.prove(name)

    def records(
        self, rcp: str | None = None, show_all: bool = False
    ) -> Iterator[Record | Unverified]:
        """All records of `rcps/{rcp}`, or of all, page after page, each verified here.

        `show_all` gives withdrawn records and those in no circle as well. That the list is complete
        is the node's word. A record that does not verify is no error: it is an `Unverified`.
        """
        return self.verified(self.unverified_records(rcp, show_all))

    def verified(self, told: Iterable[v1.Record]) -> Iterator[Record | Unverified]:
        """The same of any records that an answer of the node tells of, in their order."""
        begun: deque[Check] = deque()
        for one in told:
            begun.append(Check(self._prover, one))
            if len(begun) >= PROOFS_AT_ONCE:
                yield begun.popleft().finish()
        while begun:
            yield begun.popleft().finish()

    def unverified_records(
        self, rcp: str | None = None, show_all: bool = False
    ) -> Iterator[v1.Record]:
        """The same as the node tells of them, without signed bytes: enough to know their names, not
        to use what they say."""
        wanted = None if rcp is None else parse_rcp_name(rcp)
        request = v1.ListRecordsRequest(
            parent=rcp or "rcps/-", page_size=PAGE_SIZE, show_all=show_all
        )
        for _ in range(PAGES_MAX):
            page: v1.ListRecordsResponse = self.read(request)
            for told in page.records:
                if wanted not in (None, parse_record_name(claimed_name(told))[0]):
                    raise BadAnswer("lists a record of another RCP")
                yield told
            if not page.next_page_token:
                return
            if page.next_page_token == request.page_token:
                break
            request.page_token = page.next_page_token
        raise BadAnswer("is a list without end")

    def unverified_record(self, name: str) -> v1.Record:
        """What the node says of a record: its state, its circles, its withdrawal."""
        parse_record_name(name)
        answer: v1.GetRecordResponse = self.read(v1.GetRecordRequest(name=name))
        if answer.record.name != name:
            raise BadAnswer("is about another record")
        return answer.record

    def watch(self, cursor: str | None = None, follow: bool = True) -> Watch:
        """Follows changes after `cursor`; without one, all records as they are now, then changes.

        Keep the cursor of each change that has one, and begin there the next time. Without `follow`
        it ends when the caller has caught up.
        """
        return Watch(self._prover, cursor, follow)

    # Drafts and publishing.

    def create_draft(self, kind: str, content: Message) -> draft_pb2.Draft:
        """Saves a new draft, a message of its kind; nobody else sees it.

        Tried again while the node is unavailable: by its request id it is one draft all the same.
        """
        request = v1.CreateDraftRequest(
            kind=kind, body=content.SerializeToString(), request_id=str(uuid.uuid4())
        )
        answer: v1.CreateDraftResponse = self._connection.read(request)
        return answer.draft

    def publish(self, name: str, circles: Sequence[str] = ()) -> Record:
        """Signs a draft and lets it stand in circles; gives the record, verified.

        Without circles a new version goes to every circle where the record stands.
        """
        self.write(v1.PublishRecordRequest(name=name, circles=circles))
        return self.get(name)

    def withdraw(self, name: str, code: v1.WithdrawalCode, replacement: str = "") -> None:
        """Withdraws a record everywhere, for ever."""
        self.write(v1.WithdrawRecordRequest(name=name, code=code, replacement=replacement))

    # Everything else.

    def read(self, request: Message) -> Any:
        """Any call of the API that changes nothing, by its request; gives its answer as it is.

        Tried again while the node is unavailable. Nothing in the answer is verified.
        """
        return self._connection.read(request)

    def write(self, request: Message) -> Any:
        """Any call of the API that changes something, by its request: sent once."""
        return self._connection.write(request)
