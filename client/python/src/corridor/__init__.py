"""Reads the records of Corridor nodes, and believes nothing that it can verify itself.

    with corridor.connect("client.toml") as client:
        for found in client.records():
            if isinstance(found, corridor.Record):
                print(found.name, found.title)
            else:
                print(found.name, "is not verified:", found.reason)

A `Record` exists only after its signature, its salted body, its line, the line's place under a
checkpoint and the charter of its RCP were verified here. What is only a node's word has
"unverified" in its name. Whatever goes wrong is a `CorridorError` with a `reason` for programs.
"""

from .client import Client, connect
from .errors import (
    BadAnswer,
    BadName,
    Conflict,
    CorridorError,
    Fault,
    FieldFault,
    Invalid,
    NotAllowed,
    NotFound,
    NotVerified,
    ProfileError,
    TimedOut,
    Unavailable,
    Unreachable,
    WrongKey,
)
from .profile import Profile
from .records import Record, State, Unverified, verify_file, verify_proof
from .watch import Change, Watch

__all__ = [
    "BadAnswer",
    "BadName",
    "Change",
    "Client",
    "Conflict",
    "CorridorError",
    "Fault",
    "FieldFault",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "NotVerified",
    "Profile",
    "ProfileError",
    "Record",
    "State",
    "TimedOut",
    "Unavailable",
    "Unreachable",
    "Unverified",
    "Watch",
    "WrongKey",
    "connect",
    "verify_file",
    "verify_proof",
]
