"""Follows the changes of records for as long as one likes, and verifies each.

No change is left out and none overtakes another; after a broken connection some may come a second
time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from .connection import jitter
from .errors import CorridorError, Fault
from .limits import PROOFS_AT_ONCE, WATCH_PAUSE_SECONDS_MAX
from .prover import Check, Prover
from .records import Record, Unverified
from .v1 import record_service_pb2 as v1


@dataclass(frozen=True)
class Change:
    """One change."""

    record: Record | Unverified | None
    """The record as the caller may see it now; `None` when the caller has caught up."""
    cursor: str | None
    """Where to resume after this; set at the end of a batch only. Keep it once all that came before
    it has been dealt with."""


class Watch(Iterator[Change]):
    """A stream of changes that opens itself again where it broke, from its last cursor on.

    While the node cannot be reached it goes on trying, with pauses of at most half a minute; what
    will not mend by itself is raised. It belongs to one thread; `close` ends it from any.
    """

    def __init__(self, prover: Prover, cursor: str | None, follow: bool) -> None:
        self.cursor = cursor
        """The last cursor given."""
        self._prover, self._follow = prover, follow
        self._stream: Any = None
        self._closed = threading.Event()
        self._changes = self._run()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Change:
        return next(self._changes)

    def close(self) -> None:
        """Ends it; a change that is waited for does not come."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def _run(self) -> Iterator[Change]:
        failures = 0
        while not self._closed.is_set():
            failed: CorridorError | None = None
            try:
                for change in self._streamed():
                    failures = 0
                    self.cursor = change.cursor or self.cursor
                    yield change
                    if change.cursor and not self._follow:
                        self.close()
                        return
            except grpc.RpcError as error:
                if self._closed.is_set():
                    return
                failed = self._prover.connection.failure(error)
            except CorridorError as error:
                failed = error
            if failed is not None and not failed.is_transient:
                raise failed
            # All since the last cursor given comes again.
            asked = failed.retry_after if isinstance(failed, Fault) else None
            asked = min(asked or 0, WATCH_PAUSE_SECONDS_MAX)
            self._closed.wait(max(jitter(failures, WATCH_PAUSE_SECONDS_MAX), asked))
            failures += 1

    def _streamed(self) -> Iterator[Change]:
        """The changes of one stream, until it ends; several are verified at a time."""
        self._stream = self._prover.connection.stream(
            v1.WatchRecordsRequest(cursor=self.cursor or "")
        )
        if self._closed.is_set():
            self._stream.cancel()
        try:
            begun: deque[tuple[Check | None, str | None]] = deque()
            for message in self._stream:
                has_record = message.HasField("record")
                check = Check(self._prover, message.record) if has_record else None
                begun.append((check, message.cursor or None))
                while begun and (message.cursor or len(begun) >= PROOFS_AT_ONCE):
                    first, cursor = begun.popleft()
                    yield Change(None if first is None else first.finish(), cursor)
        finally:
            self._stream.cancel()
