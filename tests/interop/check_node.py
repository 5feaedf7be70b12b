#!/usr/bin/env python3
"""Checks what a running node proves, with none of Corridor's code but the .proto contracts.

Lists the records of a node, asks for the proof of each current one, and verifies it from its line
over the checkpoint to the charter of its RCP. Needs Python 3.11 and the packages in
requirements.txt; the messages are generated at run time into a temporary folder. Prints one line a
record and ends with `N passed, N failed`; the exit status is 1 if anything failed or nothing was
checked.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_tools import protoc

import corridor_protocol as protocol
from corridor_protocol import Header, Refused

PROTO = Path(__file__).resolve().parents[2] / "proto"
CALL_SECONDS = 10
PAGE_RECORDS = 100

Stub = Any
Messages = Any


class Wrong(Exception):
    """Something that keeps the check from being made, in words."""


@dataclass(frozen=True)
class Listed:
    """A record that is to be checked, and the version under which it was listed, if it was."""

    name: str
    version: int | None


def generate(folder: Path) -> tuple[Messages, Messages]:
    """Modules with the messages and the stubs of RecordService, made from the .proto files."""
    files = sorted(str(path) for path in (PROTO / "corridor" / "v1").glob("*.proto"))
    options = [f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if not files or protoc.main(["protoc", *options, *files]) != 0:
        raise Wrong(f"no messages could be made from the files in {PROTO}")
    sys.path.insert(0, str(folder))
    names = ("corridor.v1.record_service_pb2", "corridor.v1.record_service_pb2_grpc")
    messages, stubs = (importlib.import_module(name) for name in names)
    return messages, stubs


def read_profile(path: Path) -> tuple[str, str]:
    """Address and access token of a profile."""
    try:
        profile = tomllib.loads(path.read_text(encoding="utf-8"))
        address, token = profile["address"], profile["token"]
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"the profile {path} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, KeyError):
        # The parser's own message could show the token.
        raise Wrong(f"the profile {path} has no address and token") from None
    if not isinstance(address, str) or not isinstance(token, str):
        raise Wrong(f"the profile {path} has no address and token")
    return address, token


def connect(address: str, token: str, certificate: bytes) -> grpc.Channel:
    """A channel that trusts this certificate alone and shows the token with every call."""
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=certificate),
        grpc.access_token_call_credentials(token),
    )
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_http_proxy", 0)]
    return grpc.secure_channel(address, credentials, options)


def current_records(messages: Messages, stub: Stub) -> Iterator[Listed]:
    """All records that are current for the caller, page by page."""
    token = ""
    while True:
        request = messages.ListRecordsRequest(page_size=PAGE_RECORDS, page_token=token)
        page = stub.ListRecords(request, timeout=CALL_SECONDS)
        for record in page.records:
            if record.state == messages.RECORD_STATE_CURRENT:
                yield Listed(record.name, record.version)
        token = page.next_page_token
        if not token:
            return


def prove(messages: Messages, stub: Stub, listed: Listed) -> Header:
    """Asks for the proof of a record and verifies it; what is proved must be what was asked for."""
    proof = stub.ProveRecord(
        messages.ProveRecordRequest(name=listed.name), timeout=CALL_SECONDS
    )
    identity = protocol.verify_identity(protocol.parse(proof.identity.SerializeToString()))
    header = protocol.verify_proved_record(
        identity.charter,
        proof.seed,
        (proof.index, proof.line, list(proof.proof)),
        proof.checkpoint,
        (proof.raw.header, proof.raw.signature, proof.raw.salt, proof.raw.body),
    )
    name = f"rcps/{protocol.id_text(header.rcp)}/records/{protocol.id_text(header.record)}"
    if name != listed.name:
        raise Wrong(f"another record was proved, {name}")
    if listed.version not in (None, header.version):
        raise Wrong(f"listed with version {listed.version}, proved is {header.version}")
    return header


def check(messages: Messages, stub: Stub, listed: Listed) -> bool:
    """Checks one record, prints its line and says whether it passed."""
    try:
        header = prove(messages, stub, listed)
    except Refused as refusal:
        verdict = f"FAILED  {refusal.code}"
    except grpc.RpcError as error:
        verdict = f"FAILED  the node answered {error.code().name}: {error.details()}"
    except Wrong as wrong:
        verdict = f"FAILED  {wrong}"
    else:
        print(f"{listed.name}  proved  version {header.version}")
        return True
    print(f"{listed.name}  {verdict}")
    return False


def check_node(arguments: argparse.Namespace, folder: Path) -> tuple[int, int]:
    """Checks the records that were asked for; gives how many passed and failed."""
    address, token = read_profile(arguments.profile)
    try:
        certificate = arguments.cert.read_bytes()
    except OSError as error:
        raise Wrong(f"the certificate cannot be read: {error}") from error
    messages, stubs = generate(folder)
    with connect(address, token, certificate) as channel:
        stub = stubs.RecordServiceStub(channel)
        records = [Listed(name, None) for name in arguments.record]
        if not records:
            try:
                records = list(current_records(messages, stub))
            except grpc.RpcError as error:
                answer = f"{error.code().name}: {error.details()}"
                raise Wrong(f"the node at {address} lists no records, {answer}") from error
        passed = sum(check(messages, stub, record) for record in records)
    return passed, len(records) - passed


def main() -> int:
    """Reads the command line and runs the check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--profile", type=Path, required=True, metavar="FILE", help="a client's profile: TOML"
    )
    parser.add_argument(
        "--cert", type=Path, required=True, metavar="FILE", help="the node's API certificate: PEM"
    )
    parser.add_argument(
        "--record", action="append", default=[], metavar="NAME",
        help="only this record, rcps/{rcp}/records/{record}; may be repeated",
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            passed, failed = check_node(arguments, Path(folder))
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        passed, failed = 0, 0
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
