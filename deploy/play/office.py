"""One installation: its user, its folders, its commands and its node.

**Invariant:** what a node does is asked of its binaries alone, never of their insides.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.request

PATIENCE = 60  # seconds: twice the longest pause before a partner is called again


class Wrong(Exception):
    """Something answered otherwise than it must."""


def must(condition, what):
    """Ends the play unless the condition holds."""
    if not condition:
        raise Wrong(what)


class Transcript:
    """Every command and its answer, without what is secret."""

    def __init__(self, path):
        self.file = path.open("w", encoding="utf-8")
        self.last = None
        self.secrets = {}  # what must be in no log, with what it is called

    def write(self, text):
        """Adds a line or more, unless it is what was added last: an answer that is waited for."""
        if text == self.last:
            return
        self.last = text
        for secret, name in self.secrets.items():
            text = text.replace(secret, f"({name})")
        self.file.write(text.rstrip("\n") + "\n")
        self.file.flush()


class Office:
    """One installation: a user, its folders, and its node."""

    def __init__(self, stage, key, name, uid, transcript):
        self.key, self.name, self.transcript = key, name, transcript
        self.uid = uid if os.geteuid() == 0 else None
        self.root = stage / key
        self.bin, self.home = self.root / "bin", self.root / "home"
        self.data, self.desk, self.safe = (self.home / part for part in ("node", "desk", "safe"))
        self.log = self.root / "node.log"
        self.profile = self.data / "client.toml"
        self.peers, self.api, self.metrics = free_port(), free_port(), free_port()
        self.process = None
        self.bin.mkdir(parents=True)
        for folder in (self.home, self.desk, self.safe):
            folder.mkdir(mode=0o700)
            self.own(folder)

    def letters(self):
        """The identifier of its RCP alone."""
        return self.id.removeprefix("rcps/")

    def own(self, path):
        """Gives a file to this installation's user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def as_user(self):
        """How a process becomes this installation's user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.uid, "extra_groups": []}

    def install(self, binaries):
        """Puts binaries in place as a package does: whole, and under a running node."""
        for path in binaries:
            new = self.bin / f"{path.name}.new"
            shutil.copyfile(path, new)
            new.chmod(0o755)
            new.rename(self.bin / path.name)

    def run(self, words, expect=0, given=None):
        """Runs a command as this user; gives standard output and standard error."""
        words = [str(word) for word in words]
        done = subprocess.run(
            words,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            umask=0o022,
            **self.as_user(),
        )
        shown = " ".join(f"'{word}'" if " " in word else word for word in words)
        shown = shown.replace(f"{self.bin}/", "").replace(str(self.root), f"/{self.key}")
        said = done.stdout + done.stderr
        self.transcript.write(f"\n{self.key}$ {shown}   [{done.returncode}]\n{said}")
        must(
            done.returncode == expect,
            f"{shown}\n  ended with {done.returncode}, not {expect}: {done.stderr or done.stdout}",
        )
        return done.stdout, done.stderr

    def node(self, *words, expect=0):
        """`corridor-node` as the user of the node; gives all that it said."""
        return "".join(self.run([self.bin / "corridor-node", *words], expect))

    def corridor(self, *words, profile=None, expect=0, given=None):
        """`corridor` with JSON; gives the object of its last line, of a failure too."""
        command = [self.bin / "corridor", "--profile", profile or self.profile]
        out, err = self.run([*command, "--json", "--no-input", *words], expect, given)
        lines = (out if expect == 0 else err).strip().splitlines()
        answer = json.loads(lines[-1])
        return answer if expect == 0 else answer["error"]

    def refused(self, reason, code, *words, profile=None):
        """A command that must fail for this reason."""
        error = self.corridor(*words, profile=profile, expect=code)
        must(error["reason"] == reason, f"{words}: {error['reason']}, not {reason}")

    def write(self, path, text, mode=0o600):
        """A file of this user."""
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        self.own(path)
        return path

    def take_over(self, archive):
        """Takes over the folder of a node that ran elsewhere, at the addresses of this one."""
        with tarfile.open(archive) as packed:
            packed.extractall(self.home)
        for path in [self.data, *self.data.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
            self.own(path)
        for path, key, port in (
            (self.data / "config.toml", "peer_listen", self.peers),
            (self.data / "config.toml", "api_listen", self.api),
            (self.profile, "address", self.api),
        ):
            self.change(path, key, f"127.0.0.1:{port}")

    def change(self, path, key, value):
        """Gives a key of a file another value."""
        text = path.read_text(encoding="utf-8")
        self.write(path, re.sub(rf'^{key} = ".*"$', f'{key} = "{value}"', text, flags=re.M))

    def serve(self):
        """Starts the node, waits until it says that it serves and answers its secretariat; gives
        what it said."""
        log = self.log.open("ab")
        before = log.tell()
        self.process = subprocess.Popen(
            [str(self.bin / "corridor-node"), "serve", "--data", str(self.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            **self.as_user(),
        )
        log.close()
        self.transcript.write(f"\n{self.key}$ corridor-node serve --data /{self.key}/home/node &")

        def said():
            must(self.process.poll() is None, f"the node ended; its log is {self.log}")
            return self.log.read_bytes()[before:].decode()

        until("the node serves", lambda: "serving" in said())
        self.corridor("status")
        return said()

    def stop(self):
        """Ends the node as a service manager does; it must end by itself, and well."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            must(process.wait(20) == 0, f"the node ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            raise Wrong("the node did not end within 20 seconds") from None

    def figures(self):
        """What Prometheus reads, as text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as got:
            return got.read().decode()

    def peer(self, other):
        """What this office says of another."""
        found = [one for one in self.corridor("peer", "list")["peers"] if other.id == one["name"]]
        must(found, f"{self.name} does not know {other.name}")
        return found[0]

    def show(self, record, profile=None):
        """A record, verified by the client; None where it is not there for the caller."""
        try:
            return self.corridor("record", "show", record, profile=profile)
        except Wrong as error:
            if "ended with 3," in str(error):
                return None
            raise

    def state(self, record):
        """What a record is here, as a word."""
        seen = self.show(record)
        return seen and seen["record"]["state"].removeprefix("RECORD_STATE_")

    def version(self, record):
        """The version of a record that this office verified itself, or 0."""
        seen = self.show(record)
        return int(seen["verified"]["version"]) if seen and seen["verified"] else 0

    def held(self, record, by):
        """Whether the partner confirmed all that it must know of a record."""
        circles = self.corridor("explain", record, by.name)["circles"]
        reads = [one for one in circles if one.get("mayRead")]
        return bool(reads) and all(one.get("held") for one in reads)

    def publish(self, kind, body, *circles):
        """Drafts and publishes a record; gives its name."""
        path = self.write(self.desk / "draft.json", json.dumps(body, ensure_ascii=False))
        draft = self.corridor("record", "draft", kind, path)["draft"]
        must(not draft["needed"], f"the draft still needs {draft['needed']}")
        into = [word for circle in circles for word in ("--circle", circle)]
        return self.corridor("record", "publish", draft["name"], *into)["record"]["name"]

    def has_bytes(self, text):
        """Whether a text stands anywhere in the node's folder or its log."""
        wanted = text.encode()
        files = [path for path in self.data.rglob("*") if path.is_file()] + [self.log]
        return any(wanted in path.read_bytes() for path in files)


def free_port():
    """A port of loopback that nobody has now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def until(what, holds):
    """Asks again until it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        must(time.monotonic() < end, f"waited {PATIENCE} seconds in vain: {what}")
        time.sleep(0.1)
