#!/usr/bin/env python3
"""Verifies files that prove records with none of Corridor's code, and without a node.

    check_proof.py FILE...

Each file is an encoded ProveRecordResponse, as `corridor record verify --save` writes it: a record
version, its publish line, the line's place under a checkpoint, and the charter of the RCP that signed
them. Prints what each proves; the exit status is 1 if one proves nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import corridor_protocol as corridor
import protobuf_reader as pb
from corridor_protocol import Header, Refused


FILE_BYTES_MAX = 2 * 1024 * 1024


def prove(data: bytes) -> Header:
    """The header of the record that a file proves."""
    corridor.demand(len(data) <= FILE_BYTES_MAX, "TOO_LONG")
    message = corridor.parse(data)
    for number, values in message.items():
        corridor.demand(number <= 7 and (number == 6 or len(values) == 1), "MALFORMED")
    identity = corridor.verify_identity(corridor.parse(pb.one_bytes(message, 1)))
    raw = corridor.parse(pb.one_bytes(message, 2))
    header, signature, salt, body = (pb.one_bytes(raw, number) for number in (1, 2, 3, 4))
    return corridor.verify_proved_record(
        identity.charter,
        pb.one_bytes(message, 3),
        (pb.one_number(message, 4), pb.one_bytes(message, 5), pb.all_bytes(message, 6)),
        pb.one_bytes(message, 7),
        (header, signature, salt, body),
    )


def main() -> int:
    """Verifies the files that the command line names."""
    paths = [Path(name) for name in sys.argv[1:]]
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            header = prove(path.read_bytes())
        except (Refused, OSError, pb.NotAMessage) as error:
            print(f"{path.name}  FAILED  {getattr(error, 'code', error)}")
            failed += 1
        else:
            name = f"rcps/{corridor.id_text(header.rcp)}/records/{corridor.id_text(header.record)}"
            print(f"{path.name}  proved  {name}  version {header.version}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
