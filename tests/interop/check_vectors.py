#!/usr/bin/env python3
"""Checks every file of proto/vectors/ with none of Corridor's code in Rust.

What verifies is the package `corridor` of client/python, and beside it what only the vectors need.
Needs that package and those in requirements.txt. Prints the checks of each file and ends with
`N passed, N failed`; the exit status is 1 if anything failed. `--self-test` changes one thing after
the other and demands that each change is noticed.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import corridor_protocol as corridor
from bundle import read_bundle
from corridor.protocol import ed25519_strict, merkle
from corridor_protocol import Charter, Refused, SignedKeyEvent
from tally import Tally
from vector_checks import CHECKS, charters_of, events_of

VECTORS = Path(__file__).resolve().parents[2] / "proto" / "vectors"

Json = Any


def load(folder: Path) -> dict[str, Json]:
    """All vector files of a folder by name."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def check_file(name: str, vectors: Json) -> Tally:
    """All checks of one file; what the file lacks is a failure too."""
    tally = Tally(name)
    check = CHECKS.get(name)
    if check is None:
        tally.fail("this program does not know the file")
        return tally
    try:
        check(tally, vectors)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        tally.fail(f"the file has another form: {error!r}")
    except Refused as refusal:
        tally.fail(f"something good was refused: {refusal.code}")
    return tally


def check_all(files: dict[str, Json]) -> int:
    """Checks all files, prints the result and gives the number of failures."""
    passed = failed = 0
    for name in sorted({*files, *CHECKS}):
        tally = Tally(name)
        if name in files:
            tally = check_file(name, files[name])
        else:
            tally.fail("the file is missing")
        print(f"{name}.json: {tally.passed} passed, {len(tally.failures)} failed")
        for failure in tally.failures:
            print(f"  {failure}")
        passed += tally.passed
        failed += len(tally.failures)
    print(f"{passed} passed, {failed} failed")
    return failed


def unhex(text: str) -> bytes:
    """The bytes of lower hex."""
    return bytes.fromhex(text)


Verify = Callable[[list[bytes]], object]
Signed = tuple[str, list[bytes], Verify]


def signed_things(files: dict[str, Json]) -> Iterator[Signed]:
    """Everything signed or proved: its parts, and what must accept them only unchanged."""
    for case in files["charter"]["good"]:
        events = events_of(case["events"])
        parts = [part for event in events for part in vars(event).values()]
        yield f"charter: {case['name']}", parts, verify_parts_of_charter
    for case in files["card"]["good"]:
        charter = charters_of(files["card"])[case["charter"]]
        parts = [unhex(case["card"]), unhex(case["signature"])]
        yield f"card: {case['name']}", parts, bind(corridor.verify_card, charter)
    for case in files["start"]["good"]:
        charter = charters_of(files["start"])[case["charter"]]
        parts = [unhex(case["number"]), unhex(case["signature"])]
        yield f"start: {case['name']}", parts, bind(corridor.verify_start, charter)
    for case in files["bundle"]["good"][:1]:
        charter = charters_of(files["bundle"])[case["charter"]]
        yield f"bundle: {case['name']}", [unhex(case["bundle"])], bind(read_bundle, charter)
    for case in files["record"]["good"]:
        charter = charters_of(files["record"])[case["charter"]]
        keys = ("header", "signature", "salt", "body")
        parts = [unhex(case[key]) for key in keys]
        yield f"record: {case['name']}", parts, bind(corridor.verify_record, charter)
    for case in files["checkpoint"]["good"]:
        charter = charters_of(files["checkpoint"])[case["charter"]]
        verify = bind(corridor.verify_checkpoint, charter, case["head"])
        yield f"checkpoint: {case['name']}", [case["note"].encode()], verify
    for case in files["held"]["good"]:
        charter = charters_of(files["held"])[case["charter"]]
        verify = bind(corridor.verify_held, charter)
        yield f"held: {case['name']}", [case["note"].encode()], verify
    yield from proved_things(files["package"])


def proved_things(vectors: Json) -> Iterator[Signed]:
    """Lines and proofs of packages."""
    log = [merkle.leaf_hash(unhex(line)) for line in vectors["log"]]
    head = (vectors["head"]["size"], unhex(vectors["head"]["root"]))
    for case in vectors["good"]:
        lines = [unhex(line) for line in case["lines"]]
        proof = [unhex(node) for node in case["proof"]]
        held, count = log[: case["held"]], len(lines)

        def verify(parts: list[bytes], held: list[bytes] = held, count: int = count) -> object:
            return corridor.verify_package(held, len(held), parts[:count], parts[count:], head)

        yield f"package: {case['name']}", lines + proof, verify


def verify_parts_of_charter(parts: list[bytes]) -> Charter:
    """A charter from its parts in order."""
    events = [SignedKeyEvent(*parts[at : at + 3]) for at in range(0, len(parts), 3)]
    return corridor.verify_charter(events)


def bind(verify: Callable[..., object], *rest: object) -> Verify:
    """`verify` over the parts, followed by `rest`."""
    return lambda parts: verify(*parts, *rest)


def flip_signed_things(files: dict[str, Json], tally: Tally) -> None:
    """Flips a bit of every byte of everything signed, one at a time."""
    for name, parts, verify in signed_things(files):
        verify(parts)
        for number, part in enumerate(parts):
            for at in range(len(part)):
                changed = bytearray(part)
                changed[at] ^= 1
                spoilt = [*parts[:number], bytes(changed), *parts[number + 1 :]]
                tally.refuses(f"{name}, part {number}, byte {at}", lambda: verify(spoilt))


def leaves(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values of a vector file that a check must look at, the first of each list.

    Not among them: names, and questions that may well have the same answer when they are changed
    (the time at which a reader list is asked, whether a head is demanded, the size after nothing).
    """
    if isinstance(value, dict):
        for key, item in value.items():
            asked = key in ("now", "to") or (key == "head" and isinstance(item, bool))
            if not asked and key not in ("comment", "name", "field"):
                yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:1]):
            yield from leaves(item, (*path, number))
    elif value != "":
        yield path


def changed(value: str | int) -> str | int:
    """Another value of the same form."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("1" if value[-1] != "1" else "2")


def spoil(vectors: Json, path: tuple[Any, ...]) -> Json:
    """A copy of a vector file with one value changed."""
    vectors = copy.deepcopy(vectors)
    holder = vectors
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = changed(holder[path[-1]])
    return vectors


def spoil_files(files: dict[str, Json], tally: Tally) -> None:
    """Changes the first of everything that a file says, one at a time."""
    for name, vectors in files.items():
        for path in leaves(vectors):
            if any(str(step).startswith("refused") for step in path):
                continue
            if "charters" in path and path[1] != "first":
                continue
            found = check_file(name, spoil(vectors, path))
            where = "/".join(str(step) for step in path)
            tally.equal(f"{name}.json {where} changed", bool(found.failures), True)


def self_test(files: dict[str, Json]) -> int:
    """Changes things and demands that each change is noticed; gives the number of failures."""
    tally = Tally("self-test")
    tally.equal("the keys are sound", ed25519_strict.is_sound_key(bytes(32)), False)
    flip_signed_things(files, tally)
    flipped = tally.passed
    spoil_files(files, tally)
    tally.equal("an unknown file", bool(check_file("unknown", {}).failures), True)
    print(f"bytes of signed things flipped: {flipped}")
    print(f"values of vector files changed: {tally.passed - flipped}")
    for failure in tally.failures:
        print(f"  not noticed: {failure}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return len(tally.failures)


def main() -> int:
    """Reads the command line and runs the checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="folder of the vector files")
    parser.add_argument("--self-test", action="store_true", help="check that the checks can fail")
    arguments = parser.parse_args()
    files = load(arguments.vectors)
    failed = self_test(files) if arguments.self_test else check_all(files)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
