"""The connection to a node, and the ways in which every call goes over it.

A call is known by its request: each method of the API has a request type of its own.
"""

from __future__ import annotations

import random
import threading
import time
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from .errors import CorridorError, Fault, Unreachable, WrongKey, of_call
from .limits import (
    ANSWER_BYTES_MAX,
    CONNECT_SECONDS,
    KEEP_ALIVE_ANSWER_MS,
    KEEP_ALIVE_MS,
    RECONNECT_MS_MAX,
    RETRIES_MAX,
    RETRY_FIRST_SECONDS,
    RETRY_SECONDS_MAX,
)
from .profile import Profile
from .tls import Certificate, pinned_certificate

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.primary_user_agent", f"corridor-python/{version('corridor-client')}"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # what is tried again is decided here
    ("grpc.keepalive_time_ms", KEEP_ALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEP_ALIVE_ANSWER_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", int(RETRY_FIRST_SECONDS * 1000)),
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_SECONDS * 1000)),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
]


def jitter(attempt: int, bound_max: float) -> float:
    """Full jitter: random seconds up to a bound that doubles with each attempt."""
    bound = min(RETRY_FIRST_SECONDS * 2.0 ** min(attempt, 60), bound_max)
    return random.uniform(0, bound)


def retry_pause(attempt: int, failed: CorridorError) -> float | None:
    """Seconds to wait before the next attempt; `None` when it is not to be made."""
    is_broken = isinstance(failed, Unreachable)
    is_busy = isinstance(failed, Fault) and failed.code is grpc.StatusCode.UNAVAILABLE
    asked = failed.retry_after if isinstance(failed, Fault) else None
    if attempt >= RETRIES_MAX or not (is_broken or is_busy) or (asked or 0) > RETRY_SECONDS_MAX:
        return None
    return max(jitter(attempt, RETRY_SECONDS_MAX), asked or 0)


def method_of(request: Message) -> tuple[str, Any]:
    """Path of the method of the API that takes this request, and what reads its answer."""
    wanted: Any = request.DESCRIPTOR
    for service in wanted.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is wanted:
                answer = GetMessageClass(method.output_type)
                return f"/{service.full_name}/{method.name}", answer.FromString
    raise TypeError(f"{wanted.full_name} is no request of the API")


class Connection:
    """A connection to the node of a profile; safe to use from several threads."""

    def __init__(self, profile: Profile, call_seconds: float) -> None:
        self.profile = profile
        self.call_seconds = call_seconds
        self._lock = threading.Lock()
        self._certificate: Certificate | None = None
        self._channel: grpc.Channel | None = None
        self._dial(CONNECT_SECONDS)

    def close(self) -> None:
        """Ends the connection and every call on it."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()

    def read(self, request: Message) -> Any:
        """A call that changes nothing, or is known to the node by its request id: tried again,
        at most three times, while the node is unavailable."""
        deadline = time.monotonic() + self.call_seconds
        attempt = 0
        while True:
            failed = self.attempt(request, deadline)
            if not isinstance(failed, CorridorError):
                return failed
            pause = retry_pause(attempt, failed)
            if pause is None or time.monotonic() + pause >= deadline:
                raise failed
            time.sleep(pause)
            attempt += 1

    def write(self, request: Message) -> Any:
        """A call that changes something: sent once."""
        answer = self.attempt(request, time.monotonic() + self.call_seconds)
        if isinstance(answer, CorridorError):
            raise answer
        return answer

    def attempt(self, request: Message, deadline: float) -> Any:
        """Sends a call once; gives its answer or why there is none."""
        try:
            return self.begin(request, deadline).result()
        except grpc.RpcError as error:
            failed = error
        return self.failure(failed, deadline)

    def begin(self, request: Message, deadline: float) -> Any:
        """Sends a call; gives the future of its answer."""
        path, read = method_of(request)
        call = self._open().unary_unary(
            path, request_serializer=type(request).SerializeToString, response_deserializer=read
        )
        return call.future(request, timeout=max(deadline - time.monotonic(), 0))

    def stream(self, request: Message) -> Any:
        """Opens a stream of answers, without a limit in time."""
        path, read = method_of(request)
        call = self._open().unary_stream(
            path, request_serializer=type(request).SerializeToString, response_deserializer=read
        )
        return call(request)

    def failure(self, error: grpc.RpcError, deadline: float | None = None) -> CorridorError:
        """What a failed call comes to. Where the connection broke, who answers now is looked at
        anew, with what is left until the deadline."""
        failed = of_call(error, self.profile.address, self.call_seconds)
        left = CONNECT_SECONDS if deadline is None else deadline - time.monotonic()
        if isinstance(failed, Unreachable) and left > 0:
            try:
                self._dial(min(left, CONNECT_SECONDS))
            except (Unreachable, WrongKey) as found:
                return found
        return failed

    def _open(self) -> grpc.Channel:
        with self._lock:
            return self._channel

    def _dial(self, seconds: float) -> None:
        """Looks who answers; a new certificate of the same key needs a new channel. Calls on the
        old one go on."""
        certificate = pinned_certificate(self.profile.address, self.profile.server_key, seconds)
        with self._lock:
            if certificate == self._certificate:
                return
            credentials = grpc.composite_channel_credentials(
                grpc.ssl_channel_credentials(root_certificates=certificate.pem),
                grpc.access_token_call_credentials(self.profile.token),
            )
            name = ("grpc.ssl_target_name_override", certificate.name)
            self._channel = grpc.secure_channel(
                self.profile.address, credentials, [*_OPTIONS, name]
            )
            self._certificate = certificate
