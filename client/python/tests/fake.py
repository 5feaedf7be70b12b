"""A node that answers from a script: real TLS, real gRPC, no store."""

from __future__ import annotations

import datetime
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what is refused here is refused on purpose

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

import corridor
from corridor.protocol.primitives import domain_hash, id_text
from corridor.v1 import record_service_pb2 as v1
from corridor.v1 import record_service_pb2_grpc

Answer = Callable[[grpc.ServicerContext], None]


class Key:
    """A key of a node with the certificate that it shows."""

    def __init__(self) -> None:
        self.secret = ec.generate_private_key(ec.SECP256R1())
        self.pem = self.secret.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        spki = self.secret.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.hash = id_text(domain_hash("tls-key", spki))

    def certificate(self) -> bytes:
        """A new certificate of this key, PEM."""
        nobody, now = x509.Name([]), datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(nobody)
            .issuer_name(nobody)
            .public_key(self.secret.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        )
        return builder.sign(self.secret, hashes.SHA256()).public_bytes(Encoding.PEM)


class Fake(record_service_pb2_grpc.RecordServiceServicer):
    """A server, and what it saw."""

    def __init__(self, key: Key | None = None) -> None:
        self.key = key or Key()
        self.script: deque[Answer] = deque()
        self.tokens: list[str] = []
        self.cursors: list[str] = []
        self.requests: list[str] = []
        self.pages = {"": "1", "1": "2", "2": ""}
        self.proof = v1.ProveRecordResponse()
        self.ended = threading.Event()
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Listens, at the same address as before."""
        self.server = grpc.server(ThreadPoolExecutor(8))
        record_service_pb2_grpc.add_RecordServiceServicer_to_server(self, self.server)
        credentials = grpc.ssl_server_credentials([(self.key.pem, self.key.certificate())])
        port = self.server.add_secure_port(self.address, credentials)
        self.address = f"127.0.0.1:{port}"
        self.server.start()

    def stop(self) -> None:
        """Cuts every connection."""
        self.server.stop(None).wait()

    def close(self) -> None:
        """Ends what waits, and the server."""
        self.ended.set()
        self.stop()

    def profile(self, key: str | None = None, token: str = "sesame") -> corridor.Profile:
        """By which a client reaches it."""
        return corridor.Profile(self.address, key or self.key.hash, token)

    def client(self, **options: Any) -> corridor.Client:
        """A client of it."""
        return corridor.Client(self.profile(), **options)

    def _seen(self, context: grpc.ServicerContext) -> None:
        self.tokens += [v for k, v in context.invocation_metadata() if k == "authorization"]
        if self.script:
            self.script.popleft()(context)

    def silence(self, _: grpc.ServicerContext) -> None:
        """Answers nothing until the end."""
        self.ended.wait()

    def ListDrafts(
        self, _: v1.ListDraftsRequest, context: grpc.ServicerContext
    ) -> v1.ListDraftsResponse:
        self._seen(context)
        return v1.ListDraftsResponse()

    def CreateDraft(
        self, request: v1.CreateDraftRequest, context: grpc.ServicerContext
    ) -> v1.CreateDraftResponse:
        self.requests.append(request.request_id)
        self._seen(context)
        return v1.CreateDraftResponse()

    def DeleteDraft(
        self, _: v1.DeleteDraftRequest, context: grpc.ServicerContext
    ) -> v1.DeleteDraftResponse:
        self._seen(context)
        return v1.DeleteDraftResponse()

    def ListRecords(
        self, request: v1.ListRecordsRequest, context: grpc.ServicerContext
    ) -> v1.ListRecordsResponse:
        """Pages of one record each that is not in force."""
        self._seen(context)
        page = request.page_token
        told = v1.Record(name=NAME, state=v1.RECORD_STATE_AWAITED, version=7)
        told.title.add(tag="en", text="Claimed")
        return v1.ListRecordsResponse(records=[told], next_page_token=self.pages[page])

    def ProveRecord(
        self, _: v1.ProveRecordRequest, context: grpc.ServicerContext
    ) -> v1.ProveRecordResponse:
        self._seen(context)
        return self.proof

    def WatchRecords(
        self, request: v1.WatchRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[v1.WatchRecordsResponse]:
        """One batch of a record and a cursor, and the end of the stream."""
        self.cursors.append(request.cursor)
        self._seen(context)
        told = v1.Record(name=NAME, state=v1.RECORD_STATE_WITHDRAWN)
        yield v1.WatchRecordsResponse(record=told)
        yield v1.WatchRecordsResponse(cursor=f"c{len(self.cursors)}")


NAME = f"rcps/{id_text(bytes([1]) * 32)}/records/{id_text(bytes([2]) * 16)}"


def good(_: grpc.ServicerContext) -> None:
    """As asked."""


def refusal(code: int, reason: str = "", retry_seconds: int | None = None) -> Answer:
    """A refusal, with its details."""
    details = []
    if reason:
        details.append(_any(error_details_pb2.ErrorInfo(reason=reason, domain="corridor.invalid")))
    if retry_seconds is not None:
        delay = Duration(seconds=retry_seconds)
        details.append(_any(error_details_pb2.RetryInfo(retry_delay=delay)))
    status = status_pb2.Status(code=code, message="said so", details=details)
    return lambda context: context.abort_with_status(rpc_status.to_status(status))


def _any(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def busy(_seconds: int | None = None) -> Answer:
    """It cannot serve the call now."""
    return refusal(code_pb2.UNAVAILABLE, "BUSY", _seconds)


NOT_FOUND = refusal(code_pb2.NOT_FOUND, "NOT_FOUND")
