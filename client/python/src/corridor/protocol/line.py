"""Lines: the entries of a log (PROTOCOL.md, "Lines")."""

from __future__ import annotations

from dataclasses import dataclass

from .primitives import Layout, Refused, demand

LINE_BYTES_MAX = 256
LINE_KINDS = {1: "publish", 2: "withdraw", 3: "leave", 4: "readers", 5: "restart"}


@dataclass(frozen=True)
class Line:
    """A line: kind is None for one that is not understood."""

    kind: str | None
    critical: bool
    fields: dict[str, bytes]


def read_line(data: bytes) -> Line:
    """Reads a line of any age."""
    demand(len(data) > 0, "TRUNCATED")
    demand(len(data) <= LINE_BYTES_MAX, "TOO_LONG")
    try:
        return understand(data)
    except Refused:
        return Line(None, data[0] != 1 or len(data) < 2 or data[1] < 128, {})


def understand(data: bytes) -> Line:
    """Reads a line of one of the five kinds."""
    tails: dict[int, list[tuple[str, int]]] = {
        1: [("version_hash", 32), ("record", 16), ("version", 0)],
        2: [("record", 16), ("up_to", 0), ("reason", 1), ("note", 32), ("replacement", 16)],
        3: [("record", 16)],
        4: [("list", 32)],
        5: [("incarnation", 0), ("size", 0), ("root", 32)],
    }
    layout = Layout(data, LINE_BYTES_MAX)
    layout.format()
    kind = layout.number(1)
    fields = {"time": layout.take(8), "random": layout.take(16)}
    demand(kind in tails, "UNKNOWN_FORMAT")
    for name, size in tails[kind]:
        fields[name] = layout.take(size) if size else layout.ordinal().to_bytes(8, "big")
    demand(fields.get("version") != bytes(8), "MALFORMED")
    layout.finish()
    return Line(LINE_KINDS[kind], True, fields)
