#!/usr/bin/env python3
"""Runs the blocks of client/GUIDE.md for a shell and for Python, in their order, as its reader would.

    run_guide.py --folder FOLDER --rust COMMAND

The programs of the project are looked for in PATH. Each block for a shell begins with the variables
of the ones before it; all blocks for Python are one session. Those for Rust are examples of
client/src/lib.rs: their texts are compared, and COMMAND runs them, with CORRIDOR_PROFILE naming the
secretariat's profile and CORRIDOR_FOLDER the folder. The exit status is 1 if a block failed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
READY = "Ctrl-C ends it"
BLOCK = re.compile(r"(?:<!-- (?P<mark>.*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n", re.S)


class Failed(Exception):
    """A block did not do what the guide says."""


@dataclass(frozen=True)
class Block:
    """A block of the guide, and the line where it begins."""

    line: int
    mark: str | None
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks of a page."""
    return [
        Block(page.count("\n", 0, found.start("language")) + 1, *found.group(1, 2, 3))
        for found in BLOCK.finditer(page)
    ]


def examples(source: str) -> list[str]:
    """What a reader sees of the examples in the documentation of a file of Rust."""
    lines = (line.removeprefix("//!").removeprefix(" ") for line in source.splitlines())
    seen: list[str] = []
    is_inside = False
    for line in lines:
        if line.startswith("```") or line.startswith("#![cfg_attr(with_node"):
            is_inside = not is_inside
            seen += [""] if is_inside else []
        elif is_inside and not line.startswith("# "):
            seen[-1] += line + "\n"
    return seen


def shell(block: Block, folder: Path) -> None:
    """Runs a block in a shell, and keeps its variables for the blocks after it."""
    kept = folder / "variables"
    script = f"{block.text}\nenv -0 >{kept}"
    subprocess.run(["bash", "-aeuo", "pipefail", "-c", script], cwd=folder, check=True)
    pairs = kept.read_bytes().rstrip(b"\0").split(b"\0")
    os.environ.update(pair.decode().split("=", 1) for pair in pairs)


def background(block: Block, folder: Path) -> subprocess.Popen[str]:
    """Runs a block until it says that it is ready, and leaves it running."""
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    running = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    said = running.stdout
    assert said is not None
    late = threading.Timer(PATIENCE_SECONDS, end, [running])
    late.start()
    is_ready = any(READY in line for line in said)
    late.cancel()
    if not is_ready:
        raise Failed("it ended before it was ready")
    return running


def end(running: subprocess.Popen[str]) -> None:
    """What Ctrl-C does."""
    os.killpg(running.pid, signal.SIGINT)
    running.wait(PATIENCE_SECONDS)


def run(page: list[Block], folder: Path, running: list[subprocess.Popen[str]]) -> None:
    """Runs the blocks for a shell and for Python; notes what runs on."""
    session: dict[str, object] = {}
    os.chdir(folder)
    for block in page:
        print(f"--- GUIDE.md:{block.line} {block.language}", flush=True)
        if block.mark == "in the background":
            running.append(background(block, folder))
        elif block.language == "sh":
            shell(block, folder)
        elif block.language == "python":
            exec(compile(block.text, f"GUIDE.md:{block.line}", "exec"), session)


def compare(page: list[Block]) -> None:
    """The blocks for Rust are the examples of the library."""
    known = examples((ROOT / "client" / "src" / "lib.rs").read_text(encoding="utf-8"))
    shown = [block.text for block in page if block.language == "rust"]
    if sorted(shown) != sorted(known):
        raise Failed("the blocks for Rust are not the examples of client/src/lib.rs")


def main() -> int:
    """Reads the command line and runs the guide."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder to work in")
    parser.add_argument("--rust", required=True, help="what runs the examples in Rust")
    arguments = parser.parse_args()
    page = blocks((ROOT / "client" / "GUIDE.md").read_text(encoding="utf-8"))
    page = [block for block in page if block.mark != "not run"]
    running: list[subprocess.Popen[str]] = []
    try:
        compare(page)
        run(page, arguments.folder, running)
        print("--- examples in Rust", flush=True)
        os.environ["CORRIDOR_PROFILE"] = os.environ["SECRETARIAT"]
        os.environ["CORRIDOR_FOLDER"] = str(arguments.folder)
        subprocess.run(["bash", "-c", arguments.rust], cwd=ROOT, check=True)
    except (Failed, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for one in running:
            end(one)
    print(f"{len(page)} blocks ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
