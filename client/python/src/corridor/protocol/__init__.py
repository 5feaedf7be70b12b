"""The Corridor protocol in pure functions, written from proto/PROTOCOL.md alone.

Everything that fails raises `Refused` with the reason code of PROTOCOL.md, "Refusal reasons".
Nothing here reads a file, a clock or a socket, and nothing here signs.
"""

from .primitives import Refused

__all__ = ["Refused"]
