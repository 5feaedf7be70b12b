"""The charters seen so far, so that nobody can go back behind a rotation: one only grows."""

from __future__ import annotations

import threading

from .limits import CHARTERS_MAX
from .protocol.charter import Charter
from .protocol.primitives import demand


class Charters:
    """The longest charter seen of each RCP; safe to use from several threads."""

    def __init__(self) -> None:
        self._held: dict[bytes, Charter] = {}
        self._lock = threading.Lock()

    def of(self, rcp: bytes) -> Charter | None:
        """The charter of an RCP, if it was seen."""
        with self._lock:
            return self._held.get(rcp)

    def learn(self, charter: Charter) -> None:
        """Takes in a verified charter.

        Refuses one that ends before the one held (STALE), or contradicts it (BROKEN_CHAIN).
        """
        with self._lock:
            held = self._held.get(charter.rcp)
            if held is None:
                # A full table forgets nothing that it holds; it only learns no more RCPs.
                if len(self._held) < CHARTERS_MAX:
                    self._held[charter.rcp] = charter
                return
            shared = min(len(held.events), len(charter.events))
            # What an event says and what signed it: a second signature changes nothing.
            same = all(
                one.event == other.event
                for one, other in zip(held.events[:shared], charter.events[:shared])
            )
            demand(same, "BROKEN_CHAIN")
            demand(len(charter.events) >= len(held.events), "STALE")
            if len(charter.events) > len(held.events):
                self._held[charter.rcp] = charter
