"""Asks a node for proofs and verifies them, several at a time.

What is verified of a record replaces what the node said of it, and what should have verified and
did not is not passed on.
"""

from __future__ import annotations

import time
from typing import Any

import grpc

from .charters import Charters
from .connection import Connection
from .errors import NotFound, NotVerified
from .names import parse_record_name
from .protocol.primitives import Refused
from .records import Record, State, Unverified, claimed_name, verify_answer
from .v1 import record_service_pb2 as v1


class Prover:
    """Proofs over one connection, each compared with the charters seen before."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._charters = Charters()

    def prove(self, name: str) -> Record:
        """The record of that name, verified."""
        parse_record_name(name)
        return self.verify(name, self.connection.read(v1.ProveRecordRequest(name=name)))

    def verify(self, name: str, proof: v1.ProveRecordResponse) -> Record:
        """Verifies an answer, or raises `NotVerified`."""
        known = self._charters.of(parse_record_name(name)[0])
        try:
            record = verify_answer(name, proof, known)
            self._charters.learn(record.charter)
            return record
        except Refused as refusal:
            refused = NotVerified(refusal.code)
        raise refused


class Check:
    """A record of a list or a change that is being verified, from when this is made."""

    def __init__(self, prover: Prover, told: v1.Record) -> None:
        self._prover, self._told = prover, told
        self._name = claimed_name(told)
        self._answer: Any = None
        if State.of(told.state) is State.CURRENT:
            deadline = time.monotonic() + prover.connection.call_seconds
            request = v1.ProveRecordRequest(name=self._name)
            self._answer = prover.connection.begin(request, deadline)

    def finish(self) -> Record | Unverified:
        """Waits for the proof and verifies it; raises only if the node cannot be asked."""
        if self._answer is None:
            return Unverified.of(self._told, "NOTHING_IN_FORCE")
        try:
            return self._prove()
        except NotVerified as refused:
            return Unverified.of(self._told, refused.reason)
        except NotFound:
            return Unverified.of(self._told, "NO_PROOF")

    def _prove(self) -> Record:
        try:
            return self._prover.verify(self._name, self._answer.result())
        except grpc.RpcError as error:
            failed = self._prover.connection.failure(error)
        if not failed.is_transient:
            raise failed
        return self._prover.prove(self._name)
