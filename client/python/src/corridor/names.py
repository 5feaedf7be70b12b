"""Resource names: `rcps/{rcp}` and `rcps/{rcp}/records/{record}`, identifiers in base32."""

from __future__ import annotations

from .errors import BadName
from .protocol.primitives import Refused, id_text, parse_id

RCP_BYTES, RECORD_BYTES = 32, 16


def record_name(rcp: bytes, record: bytes) -> str:
    """The name of a record."""
    return f"rcps/{id_text(rcp)}/records/{id_text(record)}"


def parse_record_name(text: str) -> tuple[bytes, bytes]:
    """RCP and record of a name, or `BadName`."""
    parts = text.split("/")
    if len(parts) == 4 and parts[0] == "rcps" and parts[2] == "records":
        try:
            return parse_id(parts[1], RCP_BYTES), parse_id(parts[3], RECORD_BYTES)
        except Refused:
            pass
    raise BadName(
        f"{text!r} is no name of a record; it looks like rcps/, 52 letters, /records/, 26 letters"
    )


def parse_rcp_name(text: str) -> bytes:
    """RCP of a name, or `BadName`."""
    if text.startswith("rcps/"):
        try:
            return parse_id(text.removeprefix("rcps/"), RCP_BYTES)
        except Refused:
            pass
    raise BadName(f"{text!r} is no name of an RCP; it looks like rcps/ and 52 letters")
