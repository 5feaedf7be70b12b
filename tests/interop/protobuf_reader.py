"""Just enough of the protobuf wire format to read what PROTOCOL.md carries in messages."""

from __future__ import annotations

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | bytes
Fields = dict[int, list[Value]]


class NotAMessage(ValueError):
    """The bytes are no protobuf message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise NotAMessage("a varint is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                raise NotAMessage("a varint is over 64 bits")
            return value, at
    raise NotAMessage("a varint is over ten bytes")


def read(data: bytes) -> Fields:
    """All fields of a message by number, each with its values in order."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise NotAMessage("field 0")
        value: Value
        if kind == VARINT:
            value, at = varint(data, at)
        elif kind in (BYTES, FIXED64, FIXED32):
            length = {FIXED64: 8, FIXED32: 4}.get(kind)
            if length is None:
                length, at = varint(data, at)
            value, at = data[at : at + length], at + length
            if at > len(data):
                raise NotAMessage("a field is cut off")
        else:
            raise NotAMessage(f"wire type {kind}")
        fields.setdefault(number, []).append(value)
    return fields


def one_bytes(fields: Fields, number: int) -> bytes:
    """The last value of a bytes field; empty if there is none."""
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise NotAMessage(f"field {number} holds no bytes")
    return value


def all_bytes(fields: Fields, number: int) -> list[bytes]:
    """All values of a repeated bytes or message field."""
    values = fields.get(number, [])
    found = [value for value in values if isinstance(value, bytes)]
    if len(found) != len(values):
        raise NotAMessage(f"field {number} holds no bytes")
    return found


def one_number(fields: Fields, number: int) -> int:
    """The last value of an integer field; 0 if there is none."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise NotAMessage(f"field {number} holds no number")
    return value


def message(fields: Fields, number: int) -> Fields | None:
    """A message field; None if there is none."""
    return read(one_bytes(fields, number)) if number in fields else None


def write(number: int, value: bytes) -> bytes:
    """One bytes field."""
    return _varint_bytes(number << 3 | BYTES) + _varint_bytes(len(value)) + value


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
