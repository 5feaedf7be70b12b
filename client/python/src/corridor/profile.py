"""The profile: which node, its key, and the token that opens it.

A profile that others can read is refused, and its token is never shown.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ProfileError
from .limits import PROFILE_BYTES_MAX, TOKEN_BYTES_MAX
from .protocol.primitives import Refused, parse_id

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = ("address", "server_key", "token")


@dataclass(frozen=True)
class Profile:
    """Which node, its key, and the token that opens it; made of its three values.

    Raises `ProfileError` for a value that cannot be.
    """

    address: str
    """`host:port` of the listener for secretariats and integrators."""
    server_key: str
    """The hash of that listener's public key, in base32."""
    token: str = field(repr=False)
    """The access token."""

    def __post_init__(self) -> None:
        host, colon, port = self.address.rpartition(":")
        is_host = host.isascii() and host.isprintable() and not set(host) & {" ", "/"}
        is_port = port.isascii() and port.isdigit() and 0 < int(port) < 2**16
        if not (colon and host and is_host and is_port):
            raise ProfileError("address of the profile is no address; write it as host:port")
        try:
            parse_id(self.server_key)
        except Refused:
            raise ProfileError(
                "server_key of the profile is no key of a server; copy its 52 letters again"
            ) from None
        is_token = self.token.isascii() and self.token.isprintable() and " " not in self.token
        if not self.token or not is_token or len(self.token) > TOKEN_BYTES_MAX:
            raise ProfileError(
                "token of the profile is no access token; copy it again, whole and without spaces"
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Profile:
        """Reads a TOML file with the keys `address`, `server_key` and `token`.

        Raises `ProfileError`; a file that anybody but its owner can read or write is refused.
        """
        place = Path(path)
        try:
            with place.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if os.name == "posix" and mode & 0o077:
                    raise ProfileError(
                        f"the profile {place} can be read by others (mode {mode:o}); run: chmod "
                        f"600 {place}; if it lay open for long, ask for a new token"
                    )
                text = file.read(PROFILE_BYTES_MAX)
        except FileNotFoundError:
            raise ProfileError(
                f"there is no profile at {place}; ask who keeps the node running for one, and save "
                "it there"
            ) from None
        except OSError as error:
            raise ProfileError(f"the profile {place} cannot be read: {error.strerror}") from None
        return cls._parse(place, text)

    @classmethod
    def _parse(cls, place: Path, text: bytes) -> Profile:
        form = ProfileError(
            f"the profile {place} does not have its form: address, server_key and token, each a "
            "text in quotation marks"
        )
        try:
            found = tomllib.loads(text.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            # The parser's own message would quote the line, and the line may be the token's.
            raise form from None
        if sorted(found) != sorted(KEYS) or not all(isinstance(v, str) for v in found.values()):
            raise form
        return cls(*(found[key] for key in KEYS))

    @classmethod
    def find(cls) -> Profile:
        """The profile that CORRIDOR_PROFILE names, or `corridor/client.toml` in the user's folder
        for configuration: the same as the command line `corridor` takes.
        """
        named = os.environ.get("CORRIDOR_PROFILE")
        if named:
            return cls.read(named)
        config = os.environ.get("XDG_CONFIG_HOME", "")
        folder = Path(config) if os.path.isabs(config) else Path.home() / ".config"
        return cls.read(folder / "corridor" / "client.toml")
