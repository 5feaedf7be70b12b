"""Profiles: whose file it is, and what is said of a bad one."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import corridor

KEY = "a" * 52
TEXT = f'address = "127.0.0.1:7500"\nserver_key = "{KEY}"\ntoken = "sesame"\n'


class Profiles(unittest.TestCase):
    """Reading a profile."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "client.toml"

    def write(self, text: str, mode: int = 0o600) -> None:
        """The file of the profile."""
        self.path.write_text(text)
        self.path.chmod(mode)

    def refused(self) -> str:
        """What is said of the file."""
        with self.assertRaises(corridor.ProfileError) as caught:
            corridor.Profile.read(self.path)
        self.assertEqual(caught.exception.reason, "PROFILE")
        self.assertIsNone(caught.exception.__cause__)
        return str(caught.exception)

    def test_a_profile_of_its_owner_alone_is_read(self) -> None:
        for mode in (0o600, 0o400):
            self.write(TEXT, mode)
            profile = corridor.Profile.read(self.path)
            self.assertEqual(profile.address, "127.0.0.1:7500")
            self.assertEqual(profile.token, "sesame")
            self.assertNotIn("sesame", repr(profile))
            self.path.unlink()

    def test_a_profile_that_others_can_read_is_refused_with_what_to_do(self) -> None:
        for mode in (0o644, 0o640, 0o660, 0o604):
            self.write(TEXT, mode)
            self.assertIn("chmod 600", self.refused())

    def test_what_is_wrong_is_said_without_the_token(self) -> None:
        spoilt = [
            (TEXT.replace("token", "tokn"), "does not have its form"),
            (TEXT + 'more = "x"\n', "does not have its form"),
            (TEXT.replace('"sesame"', "7"), "does not have its form"),
            (TEXT.replace('"sesame"', '"sesame'), "does not have its form"),
            (TEXT.replace("sesame", ""), "token of the profile"),
            (TEXT.replace("sesame", "ses ame"), "token of the profile"),
            (TEXT.replace("sesame", "ses\\name"), "token of the profile"),
            (TEXT.replace(":7500", ""), "write it as host:port"),
            (TEXT.replace(":7500", ":0"), "write it as host:port"),
            (TEXT.replace(":7500", ":65536"), "write it as host:port"),
            (TEXT.replace("127.0.0.1", ""), "write it as host:port"),
            (TEXT.replace(KEY, KEY.upper()), "52 letters"),
            (TEXT.replace(KEY, KEY[1:]), "52 letters"),
        ]
        for text, expected in spoilt:
            self.write(text)
            said = self.refused()
            self.assertIn(expected, said)
            self.assertNotIn("sesame", said)

    def test_what_is_not_there_is_said(self) -> None:
        self.assertIn("there is no profile", self.refused())

    def test_it_is_found_where_the_command_line_finds_it(self) -> None:
        self.write(TEXT)
        with mock.patch.dict(os.environ, {"CORRIDOR_PROFILE": str(self.path)}):
            self.assertEqual(corridor.Profile.find().token, "sesame")
        folder = self.path.parent
        (folder / "corridor").mkdir()
        self.path.rename(folder / "corridor" / "client.toml")
        with mock.patch.dict(os.environ, {"XDG_CONFIG_HOME": str(folder)}):
            os.environ.pop("CORRIDOR_PROFILE", None)
            self.assertEqual(corridor.Profile.find().token, "sesame")


if __name__ == "__main__":
    unittest.main()
