#!/usr/bin/env python3
"""Verifies files that prove records with none of Corridor's code in Rust, and without a node.

    check_proof.py FILE...

Each file is an encoded ProveRecordResponse, as `corridor record verify --save` writes it: a record
version, its publish line, the line's place under a checkpoint, and the charter of the RCP that
signed them. Prints what each proves; the exit status is 1 if one proves nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import corridor


def main() -> int:
    """Verifies the files that the command line names."""
    paths = [Path(name) for name in sys.argv[1:]]
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            record = corridor.verify_file(path)
        except (corridor.CorridorError, OSError) as error:
            print(f"{path.name}  FAILED  {getattr(error, 'reason', error)}")
            failed += 1
        else:
            print(f"{path.name}  proved  {record.name}  version {record.version}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
