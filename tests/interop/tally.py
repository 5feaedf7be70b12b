"""Counts what passed and keeps what failed."""

from __future__ import annotations

from collections.abc import Callable

from corridor_protocol import Refused


class Tally:
    """The checks of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.passed = 0
        self.failures: list[str] = []

    def fail(self, what: str) -> None:
        """Something is wrong."""
        self.failures.append(what)

    def equal(self, what: str, found: object, expected: object) -> None:
        """Two things must be the same."""
        if found == expected:
            self.passed += 1
        else:
            self.fail(f"{what}: found {found!r}, expected {expected!r}")

    def refused(self, what: str, code: str, verify: Callable[[], object]) -> None:
        """It must be refused for exactly this reason."""
        try:
            verify()
        except Refused as refusal:
            self.equal(what, refusal.code, code)
        else:
            self.fail(f"{what}: accepted, expected {code}")

    def refuses(self, what: str, verify: Callable[[], object]) -> None:
        """It must be refused, for whatever reason."""
        try:
            verify()
        except Refused:
            self.passed += 1
        else:
            self.fail(f"{what}: accepted")
