"""Errors, sorted by whose turn it is: the profile's owner, the network, the node, the caller, or
nobody, because what came cannot be believed.

Each has a `reason`, a stable code in upper snake case for programs, and words for people that say
what to do next. Reasons of a node pass unchanged; nothing that failed to verify passes at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status


class CorridorError(Exception):
    """Anything that this package raises on purpose."""

    reason: str = "UNKNOWN"
    """A stable code: the node's reason, or one of this package's own."""

    is_transient: bool = False
    """Whether the same call may succeed later without anybody doing anything."""


class ProfileError(CorridorError):
    """The profile is at fault: mend it."""

    reason = "PROFILE"


class BadName(CorridorError):
    """A text is no resource name: the caller's fault."""

    reason = "NAME"


class WrongKey(CorridorError):
    """Somebody else answers at the node's address, or its key was replaced. Nothing was sent."""

    reason = "WRONG_KEY"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"the node at {address} has another key than the profile names; nothing was sent; ask "
            "who keeps the node running whether its key was replaced"
        )


class Unreachable(CorridorError):
    """The network's fault, or the node is not running."""

    reason = "UNREACHABLE"
    is_transient = True

    def __init__(self, address: str, what: str) -> None:
        super().__init__(
            f"no connection to the node at {address}: {what}; check that it runs and try again"
        )


class TimedOut(CorridorError):
    """No answer in time. Whether a change was made is not known."""

    reason = "TIMED_OUT"
    is_transient = True

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"no answer within {seconds:g} seconds; look whether it happened before trying again"
        )


class NotVerified(CorridorError):
    """What came does not verify: not to be used. The reason is that of PROTOCOL.md."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"not verified ({reason}): do not use it; ask again, and if it stays so, tell its RCP"
        )
        self.reason = reason


class BadAnswer(CorridorError):
    """The answer lacks what the contract of the API promises."""

    reason = "BAD_ANSWER"

    def __init__(self, what: str) -> None:
        super().__init__(f"the answer of the node {what}; upgrade whichever of the two is older")


@dataclass(frozen=True)
class FieldFault:
    """What is wrong with one field of a request."""

    field: str
    """Which field, such as `title[1].text`."""
    description: str
    """What is wrong with it, and what to do."""


class Fault(CorridorError):
    """What a node said when it refused a call."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message or code.name)
        self.code = code
        """The status code."""
        self.domain: str = ""
        """Who defines the reason."""
        self.metadata: dict[str, str] = {}
        """The values in the message."""
        self.fields: list[FieldFault] = []
        """What is wrong with which field of the request."""
        self.retry_after: float | None = None
        """Seconds after which to try again, if the node said so."""


class NotFound(Fault):
    """It does not exist, or the token may not see it; the two look alike."""


class NotAllowed(Fault):
    """The token does not open this."""


class Conflict(Fault):
    """The state of things does not allow it now."""


class Invalid(Fault):
    """The request is wrong."""


class Unavailable(Fault):
    """The node cannot serve it now."""

    is_transient = True


_FAULTS: dict[grpc.StatusCode, type[Fault]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.OUT_OF_RANGE: Invalid,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
}


def of_call(error: grpc.RpcError, address: str, seconds: float) -> CorridorError:
    """The error of a call to the node at `address` that was given so many seconds."""
    code: grpc.StatusCode = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(seconds)
    details = _details(error)
    # The node itself says why it cannot serve a call; without that the connection broke.
    if code is grpc.StatusCode.UNAVAILABLE and not details:
        return Unreachable(address, error.details() or "the connection broke")
    fault = _FAULTS.get(code, Fault)(code, error.details() or "")
    for detail in details:
        _learn(fault, detail)
    return fault


def _details(error: grpc.RpcError) -> list[Any]:
    """The details of a status; none if they are no details."""
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        return []
    return [] if status is None else list(status.details)


def _learn(fault: Fault, detail: Any) -> None:
    """Takes one detail of a status into a fault."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    try:
        if detail.Unpack(info):
            fault.reason, fault.domain = info.reason, info.domain
            fault.metadata = dict(info.metadata)
        elif detail.Unpack(bad):
            fault.fields = [FieldFault(one.field, one.description) for one in bad.field_violations]
        elif detail.Unpack(retry):
            fault.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    except DecodeError:
        return
