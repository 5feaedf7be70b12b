"""Cards: names, addresses and transport keys of an RCP (PROTOCOL.md, "Cards")."""

from __future__ import annotations

from dataclasses import dataclass

from .charter import Charter, verify_signature
from .primitives import Layout, demand, domain_hash

CARD_BYTES_MAX = 16 * 1024


@dataclass(frozen=True)
class Card:
    """What a card says."""

    rcp: bytes
    key_seq: int
    serial: int
    tls_key: bytes
    bundle_key: bytes
    versions: list[int]
    names: list[tuple[str, str]]
    addresses: list[str]


def read_card(data: bytes) -> Card:
    """Reads the layout of a card."""
    layout = Layout(data, CARD_BYTES_MAX)
    layout.format()
    rcp, key_seq, serial = layout.take(32), layout.number(4), layout.ordinal()
    tls_key, bundle_key = layout.take(32), layout.take(32)
    versions = [layout.number(2) for _ in range(layout.number(2))]
    names = [(layout.text(), layout.text()) for _ in range(layout.number(2))]
    addresses = [layout.text() for _ in range(layout.number(2))]
    layout.finish()
    return Card(rcp, key_seq, serial, tls_key, bundle_key, versions, names, addresses)


def verify_card(data: bytes, signature: bytes, charter: Charter) -> Card:
    """Verifies a card under the current key of its RCP."""
    card = read_card(data)
    demand(card.rcp == charter.rcp, "WRONG_RCP")
    key = charter.key(card.key_seq)
    demand(card.key_seq == charter.current, "RETIRED_KEY")
    verify_signature(key, "card", data, signature)
    return card


def card_order(card: Card, data: bytes) -> tuple[int, int, bytes]:
    """Of two cards of one RCP the one with the higher order counts."""
    return (card.key_seq, card.serial, domain_hash("card-hash", data))
