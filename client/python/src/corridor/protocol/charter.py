"""Charters: the chain of key events that an RCP is (PROTOCOL.md, "Charters")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from . import ed25519_strict
from .primitives import ZEROS, Layout, Refused, demand, domain_hash, domain_message

KEY_EVENT_BYTES_MAX, KEY_EVENTS_MAX = 1024, 1000
NO_SIGNATURE = bytes(64)


def verify_signature(key: bytes, thing: str, data: bytes, signature: bytes) -> None:
    """A signature in a domain of its own."""
    demand(ed25519_strict.verifies(key, domain_message(thing, data), signature), "BAD_SIGNATURE")


@dataclass(frozen=True)
class SignedKeyEvent:
    """A key event as it is sent."""

    event: bytes
    recovery_signature: bytes
    signing_signature: bytes


@dataclass(frozen=True)
class KeyEvent:
    """What a key event says."""

    seq: int
    previous: bytes
    recovery_key: bytes
    signing_key: bytes
    next_recovery: bytes
    compromised_since: int


def read_key_event(data: bytes) -> KeyEvent:
    """Reads the layout of a key event."""
    layout = Layout(data, KEY_EVENT_BYTES_MAX)
    layout.format()
    event = KeyEvent(
        layout.number(4), layout.take(32), layout.take(32), layout.take(32), layout.take(32),
        layout.number(4),
    )
    layout.finish()
    return event


@dataclass
class Charter:
    """A verified charter."""

    rcp: bytes
    events: list[SignedKeyEvent] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    compromised: set[int] = field(default_factory=set)
    commitments: list[bytes] = field(default_factory=list)
    tip: bytes = ZEROS

    @property
    def current(self) -> int:
        """Number of the newest event."""
        return len(self.keys) - 1

    def key(self, seq: int) -> bytes:
        """The signing key of event `seq`."""
        demand(seq < len(self.keys), "UNKNOWN_KEY")
        return self.keys[seq]


def verify_charter(events: Sequence[SignedKeyEvent]) -> Charter:
    """Verifies a charter from its first event on."""
    demand(len(events) <= KEY_EVENTS_MAX, "TOO_LONG")
    demand(len(events) > 0, "TRUNCATED")
    charter = Charter(domain_hash("rcp", events[0].event))
    for event in events:
        push_key_event(charter, event)
    return charter


def push_key_event(charter: Charter, signed: SignedKeyEvent) -> None:
    """Verifies one more event and appends it."""
    event = read_key_event(signed.event)
    follows = event.seq == len(charter.keys) and event.previous == charter.tip
    demand(follows, "BROKEN_CHAIN")
    demand(event.compromised_since <= event.seq, "MALFORMED")
    demand(ed25519_strict.is_sound_key(event.signing_key), "WEAK_KEY")
    if event.seq == 0:
        reveals_none = event.recovery_key == ZEROS and signed.recovery_signature == NO_SIGNATURE
        demand(reveals_none, "MALFORMED")
    else:
        committed = domain_hash("recovery", event.recovery_key)
        demand(committed == charter.commitments[-1], "WRONG_RECOVERY_KEY")
        demand(ed25519_strict.is_sound_key(event.recovery_key), "WEAK_KEY")
        verify_signature(event.recovery_key, "key-event", signed.event, signed.recovery_signature)
    signing_keys = [*charter.keys, event.signing_key]
    demand(event.signing_key not in charter.keys, "KEY_REUSE")
    demand(event.next_recovery not in charter.commitments, "KEY_REUSE")
    as_recovery = [domain_hash("recovery", key) for key in signing_keys]
    demand(as_recovery[-1] not in charter.commitments, "KEY_REUSE")
    demand(event.next_recovery not in as_recovery, "KEY_REUSE")
    verify_signature(event.signing_key, "key-event", signed.event, signed.signing_signature)
    charter.tip = domain_hash("key-event-hash", signed.event)
    charter.events.append(signed)
    charter.keys.append(event.signing_key)
    charter.commitments.append(event.next_recovery)
    charter.compromised.update(range(event.compromised_since, event.seq))
