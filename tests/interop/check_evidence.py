#!/usr/bin/env python3
"""Judges files of evidence with none of Corridor's code in Rust, and without a node.

    check_evidence.py FILE...

Each file is an encoded EvidenceFile, as `corridor peer evidence --save` writes it: two signed things
that contradict each other, and the charter of the RCP that signed them. Prints what each proves; the
exit status is 1 if one proves nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import corridor_protocol as corridor
import evidence
import protobuf_reader as pb
from corridor_protocol import Charter, Refused


def charter_of(message: pb.Fields) -> Charter:
    """The charter in a file, verified from its first event."""
    events = (corridor.parse(data) for data in pb.all_bytes(message, 2))
    return corridor.verify_charter([corridor.read_signed_key_event(event) for event in events])


def judge(data: bytes) -> str:
    """What a file proves, in one line."""
    message = corridor.parse(data)
    found, charter = pb.one_bytes(message, 1), charter_of(message)
    claimed = pb.one_bytes(corridor.parse(found), 1)
    if claimed != charter.rcp:
        raise Refused("WRONG_RCP")
    form, _ = evidence.form_of(found)
    proved = evidence.verify(found, charter)
    what = ", ".join(f"{name} {value}" for name, value in proved.items())
    return f"proved  {form}  of {charter.rcp.hex()}: {what}"


def main() -> int:
    """Judges the files that the command line names."""
    paths = [Path(name) for name in sys.argv[1:]]
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            print(f"{path.name}  {judge(path.read_bytes())}")
        except (Refused, OSError) as error:
            print(f"{path.name}  FAILED  {getattr(error, 'code', error)}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
