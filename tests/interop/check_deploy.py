#!/usr/bin/env python3
"""Checks what `deploy/` delivers, as far as that needs no engine of containers and no running systemd.

    check_deploy.py --bin FOLDER --promtool FILE --played FOLDER

Units by systemd-analyze, and against the system calls that a node really makes; the container file by
hadolint, its root rebuilt in a folder and a node run in it without a shell; the compose file against the
compose specification, and its commands run; the alert rules by promtool; every figure that a rule or
the dashboard names; every alert's place in the runbook. The exit status is 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from compose_spec import PyCompose

TOP = Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
SYSTEMD, CONTAINER, MONITORING = (DEPLOY / part for part in ("systemd", "container", "monitoring"))
EXPOSURE_MAX = 20  # tenths: above, systemd-analyze security fails
NONROOT = 65532  # the user "nonroot" of distroless images
DATA = "/var/lib/corridor"
PROGRAMS = ("/usr/bin/corridor-node", "/usr/bin/corridor")
# What gcr.io/distroless/cc-debian12 has of libraries, by Debian's packages libc6, libgcc-s1, libstdc++6.
BASE_LIBRARIES = re.compile(
    r"(ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util|gcc_s|stdc\+\+))\.so\.\d+"
)
# A local build has no digest to pin.
LINT_EXCUSED = {"CL-0019"}
METRIC = re.compile(r"\bcorridor_[a-z_]+\b")


class Wrong(Exception):
    """Something that is delivered is not as it must be."""


def must(condition: object, what: str) -> None:
    """Ends a check unless the condition holds."""
    if not condition:
        raise Wrong(what)


def run(*words: object, fails: bool = False, **options: Any) -> str:
    """Runs a program that must succeed, or fail, and gives what it said."""
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    said = done.stdout + done.stderr
    must((done.returncode != 0) == fails, f"{' '.join(command)}: {done.returncode}\n{said}")
    return said


def units() -> list[Path]:
    """The services."""
    return sorted(SYSTEMD.glob("*.service"))


def check_units(folder: Path) -> str:
    """Units are whole and hardened, and name what is installed."""
    must(len(units()) == 2, "there are two services")
    for unit in units():
        limit = f"--threshold={EXPOSURE_MAX}"
        run("systemd-analyze", "security", "--offline=true", limit, unit)
        soft = folder / unit.name
        text = unit.read_text(encoding="utf-8")
        soft.write_text(
            re.sub(r"(?m)^(CapabilityBoundingSet|SystemCall|Protect|Private).*\n", "", text)
        )
        run("systemd-analyze", "security", "--offline=true", limit, soft, fails=True)
        must("User=corridor\n" in text and "UMask=0077\n" in text, f"{unit.name}: its user")
    root = folder / "root"
    for place in ("etc/systemd/system", "etc/sysusers.d", "etc/tmpfiles.d", "usr/bin", "bin"):
        (root / place).mkdir(parents=True)
    for unit in [*units(), *SYSTEMD.glob("*.timer")]:
        (root / "etc/systemd/system" / unit.name).write_bytes(unit.read_bytes())
    for place in ("usr/bin/corridor-node", "usr/bin/find", "bin/sh"):
        (root / place).touch(mode=0o755)
    names = [unit.name for unit in [*units(), *SYSTEMD.glob("*.timer")]]
    said = run(
        "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", *names
    )
    must(not said.strip(), f"systemd-analyze verify says {said}")
    for kind, sort in (("sysusers", "sysusers.d"), ("tmpfiles", "tmpfiles.d")):
        (root / "etc" / sort / "corridor.conf").write_bytes((SYSTEMD / f"{kind}.conf").read_bytes())
    run("systemd-sysusers", f"--root={root}")
    must("\ncorridor:" in "\n" + (root / "etc/passwd").read_text(), "no user was made")
    return f"{len(names)} units"


def allowed_calls(unit: Path) -> set[str]:
    """The system calls that a unit lets through."""

    def members(group: str) -> set[str]:
        calls: set[str] = set()
        for line in run("systemd-analyze", "syscall-filter", group).splitlines()[1:]:
            name = line.strip()
            if name.startswith("@"):
                calls |= members(name)
            elif name and not name.startswith("#"):
                calls.add(name)
        return calls

    calls = members("@default")
    for value in re.findall(r"(?m)^SystemCallFilter=(.*)$", unit.read_text(encoding="utf-8")):
        takes = value.startswith("~")
        for word in value.lstrip("~").split():
            found = members(word) if word.startswith("@") else {word}
            calls = calls - found if takes else calls | found
    return calls


def check_calls(folder: Path, binaries: Path) -> str:
    """A node makes no system call that its unit forbids, and maps nothing to be written and run."""
    trace = folder / "trace"
    demo = (binaries / "corridor-node", "demo", "--once", "--rcps", "add,bali")
    run("strace", "-f", "-qq", "-o", trace, *demo, env={**os.environ, "TMPDIR": str(folder)})
    text = trace.read_text(encoding="utf-8", errors="replace")
    made = set(re.findall(r"(?m)^\d+ +([a-z0-9_]+)\(", text))
    must({"fdatasync", "accept4", "openat"} <= made, f"this trace is no node's: {sorted(made)}")
    unit = SYSTEMD / "corridor-node.service"
    # strace shows how the program itself is started, which systemd does before the filter.
    forbidden = made - allowed_calls(unit) - {"execve"}
    # Asked for, and done without where refused: where memory lies, and how a thread is scheduled.
    optional = {"mbind", "set_mempolicy", "sched_setaffinity", "sched_setscheduler"}
    must(forbidden <= optional, f"{unit.name} forbids {sorted(forbidden)}")
    families = set(re.findall(r"socket\((AF_[A-Z0-9]+)", text))
    given = re.search(r"(?m)^RestrictAddressFamilies=(.*)$", unit.read_text(encoding="utf-8"))
    must(given and families <= set(given[1].split()), f"{unit.name}: sockets of {families}")
    both = re.search(r"m(map|protect)\([^)]*PROT_WRITE\|PROT_EXEC", text)
    must(both is None, f"memory is written and run: {both and both[0]}")
    return f"{len(made)} system calls, sockets of {' '.join(sorted(families))}"


def containerfile() -> list[tuple[str, str]]:
    """The instructions of the container file."""
    text = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ").splitlines()
    return [
        (line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()
    ]


def health() -> list[str]:
    """The command by which the image asks how its node is."""
    value = next(value for name, value in containerfile() if name == "HEALTHCHECK")
    return json.loads(value[value.index("[") :])


def check_containerfile(_: Path, binaries: Path) -> str:
    """The container file is well written, and its commands are those of the binaries."""
    run(
        Path(sys.executable).with_name("hadolint"),
        "--failure-threshold",
        "style",
        CONTAINER / "Containerfile",
    )
    steps = containerfile()
    bases = [value for name, value in steps if name == "FROM"]
    manifest = tomllib.loads((TOP / "Cargo.toml").read_text(encoding="utf-8"))
    rust = manifest["workspace"]["package"]["rust-version"]
    must(
        re.match(rf"docker\.io/library/rust:{re.escape(rust)}\.\d+-bookworm AS build$", bases[0]),
        bases[0],
    )
    must(bases[1] == "gcr.io/distroless/cc-debian12:nonroot", f"the last base is {bases[1]}")
    final = steps[max(index for index, step in enumerate(steps) if step[0] == "FROM") :]
    must(not [name for name, _ in final if name == "RUN"], "the last base has no shell to run with")
    must(("USER", f"{NONROOT}:{NONROOT}") in final, "it does not run as nonroot")
    smoke = (DEPLOY / "smoke").read_text(encoding="utf-8")
    build = json.loads(re.search(r"(?m)^BUILD = (\[.*\])$", smoke)[1])
    must(("RUN", " ".join(build)) in steps, "deploy/smoke plays with what is built otherwise")
    commands = [health()]
    entry, words = (json.loads(dict(final)[name]) for name in ("ENTRYPOINT", "CMD"))
    commands.append(entry + words)
    for program, *words in commands:
        must(program in PROGRAMS, f"{program} is not in the image")
        run(binaries / Path(program).name, *words, "--help")
    return f"{len(steps)} instructions"


def check_context(folder: Path, binaries: Path) -> str:
    """What an engine is given to build from has all that the binaries are made of, and the lock fits."""
    lines = (CONTAINER / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    must("*" in lines, "the whole tree is given")
    let = [line[1:] for line in lines if line.startswith("!")]
    used: set[Path] = set()
    for name in PROGRAMS:
        text = (binaries / f"{Path(name).name}.d").read_text(encoding="utf-8")
        used |= {Path(os.path.normpath(path)) for path in text.split(": ", 1)[1].split()}
    own = {path.relative_to(TOP) for path in used if path.is_relative_to(TOP)}
    own = {path for path in own if path.parts[0] != "target"}
    must({Path("node/src/main.rs"), Path("client/src/main.rs")} <= own, f"made of {sorted(own)}")
    missing = [str(path) for path in own if not any(path.is_relative_to(one) for one in let)]
    must(not missing, f"an engine is not given {missing}")
    packed = subprocess.run(["tar", "-C", TOP, "-cf", "-", *let], capture_output=True, check=True)
    subprocess.run(["tar", "-C", folder, "-xf", "-"], input=packed.stdout, check=True)
    run("cargo", "metadata", "--locked", "--offline", "--format-version=1", cwd=folder)
    return f"{len(own)} files"


def libraries(binary: Path) -> dict[str, Path]:
    """The shared libraries that a binary needs, by name."""
    found = re.findall(r"(?m)^\s*(?:(\S+) => )?(/\S+) \(0x", run("ldd", binary))
    return {name or Path(path).name: Path(path) for name, path in found}


def check_root(folder: Path, binaries: Path) -> str:
    """A node runs in what its image has: these libraries, one folder to write to, and no shell."""
    root, data = folder / "image", folder / "data"
    (root / "usr/bin").mkdir(parents=True)
    needed: dict[str, Path] = {}
    for name in ("corridor-node", "corridor"):
        (root / "usr/bin" / name).write_bytes((binaries / name).read_bytes())
        (root / "usr/bin" / name).chmod(0o755)
        needed |= libraries(binaries / name)
    strange = [name for name in needed if not BASE_LIBRARIES.fullmatch(name)]
    must(not strange, f"the base lacks {strange}")
    if os.geteuid() != 0:
        return f"{len(needed)} libraries (not root: nothing was run)"
    for path in needed.values():
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        place.chmod(0o755)
    for place in ("proc", "recovery", DATA.lstrip("/")):
        (root / place).mkdir(parents=True)
    recovery = folder / "recovery"
    for place in (data, recovery):
        place.mkdir(mode=0o700)
        os.chown(place, NONROOT, NONROOT)
    folder.chmod(0o755)
    script = f"""
        set -eu
        mount --bind "{root}" "{root}"
        mount --bind "{data}" "{root}{DATA}"
        mount --bind "{recovery}" "{root}/recovery"
        mount -t proc proc "{root}/proc"
        mount -o remount,ro,bind "{root}"
        enter="chroot --userspec={NONROOT}:{NONROOT} {root}"
        healthy() {{ $enter {shlex.join(health())}; }}
        ! $enter /bin/sh -c true 2>/dev/null
        {{ $enter /usr/bin/corridor-node init --data {DATA} --recovery-out /recovery/recovery.key \\
            --name en='Prague Process' --peer-listen 127.0.0.1:0 --api-listen 127.0.0.1:{free_port()}; }} >&2
        $enter /usr/bin/corridor-node serve --data {DATA} &
        node=$!
        trap 'kill $node 2>/dev/null || true' EXIT
        for _ in $(seq 100); do
            healthy >/dev/null 2>&1 && break
            sleep 0.1
        done
        healthy
        kill -TERM $node
        wait $node
        trap - EXIT
        ! healthy >/dev/null 2>&1
    """
    run("unshare", "--mount", "--pid", "--fork", "bash", "-c", script)
    return f"{len(needed)} libraries, uid {NONROOT}, root read-only"


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def check_compose(folder: Path, binaries: Path) -> str:
    """The compose file is one, opens nothing but loopback, and its commands make nodes."""
    path = CONTAINER / "compose.yaml"
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    merged = {key: value for key, value in whole.items() if not key.startswith("x-")}
    composed = PyCompose.from_yaml(yaml.safe_dump(merged))
    composed.validate()
    composed.to_spec()
    lint = [Path(sys.executable).with_name("compose-lint"), "check", "--format", "json"]
    found = json.loads(
        subprocess.run([*lint, path], capture_output=True, text=True, check=True).stdout
    )
    wrong = [one for one in found["findings"] if one["rule_id"] not in LINT_EXCUSED]
    must(not wrong, f"compose-lint: {wrong}")
    version = tomllib.loads((TOP / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    nodes = {name: one for name, one in merged["services"].items() if "profiles" not in one}
    must(len(nodes) == 3, f"these are {len(nodes)} nodes")
    ports: set[str] = set()
    for name, service in merged["services"].items():
        must(service["image"] == f"corridor:{version}", f"{name}: {service['image']}")
        for port in service.get("ports", []):
            must(port.startswith("127.0.0.1:") and port not in ports, f"{name} opens {port}")
            ports.add(port)
        must(
            set(service["volumes"]).isdisjoint(
                v for o in nodes if nodes[o] is not service for v in nodes[o]["volumes"]
            )
            or name not in nodes,
            f"{name} has the volume of another",
        )
    for name in nodes:
        init = merged["services"][f"init-{name}"]
        must(init["volumes"][0] == nodes[name]["volumes"][0], f"init-{name} makes another's node")
        here = {DATA: str(folder / name), "/recovery/recovery.key": str(folder / f"{name}.key")}
        run(binaries / "corridor-node", *[here.get(word, word) for word in init["command"]])
        made = tomllib.loads((folder / name / "config.toml").read_text(encoding="utf-8"))
        must(
            made["api_listen"] == "0.0.0.0:7401" and made["advertise"] == [f"{name}:7400"],
            f"{made}",
        )
    return f"{len(nodes)} nodes"


def figures(text: str) -> set[str]:
    """The node's figures that a text names."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in METRIC.findall(text)}


def expressions(node: Any) -> Iterator[str]:
    """All queries of the dashboard."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def check_monitoring(_: Path, promtool: Path) -> str:
    """Rules hold in promtool's own tests, each of them both ways, and the runbook knows each alert."""
    run(promtool, "check", "rules", MONITORING / "alerts.yml")
    run(promtool, "test", "rules", MONITORING / "alerts.test.yml")
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    runbook = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
    for rule in rules:
        alert = rule["alert"]
        fired = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert}
        must(fired == {True, False}, f"{alert}: tested {fired}")
        must(f"| `{alert}` |" in runbook, f"deploy/RUNBOOK.md does not say what {alert} means")
        must(set(rule["annotations"]) == {"summary", "action"}, f"{alert}: says what to do")
    return f"{len(rules)} alerts"


def check_dashboard(folder: Path, promtool: Path, scraped: Path) -> str:
    """The dashboard's queries can be read, and name nothing that a node does not have."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    queries = [one for one in expressions(dashboard) if "corridor_" in one]
    rules = [
        {"record": f"panel:{index}", "expr": query.replace("$node", ".*")}
        for index, query in enumerate(queries)
        if not query.startswith("label_values(")
    ]
    file = folder / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(promtool, "check", "rules", file)
    named = figures((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    for query in queries:
        named |= figures(query)
    told = figures((DEPLOY / "OPERATING.md").read_text(encoding="utf-8"))
    must(named <= told, f"deploy/OPERATING.md does not tell of {sorted(named - told)}")
    suffix = {"counter": "_total", "info": "_info"}
    lines = re.findall(r"(?m)^# TYPE (\S+) (\S+)$", scraped.read_text(encoding="utf-8"))
    had = {name + suffix.get(kind, "") for name, kind in lines}
    must(named <= had, f"a node does not have {sorted(named - had)}")
    return f"{len(rules)} queries, {len(named)} figures"


def runbook() -> list[list[str]]:
    """The commands of the runbook's blocks, without who runs them."""
    text = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
    commands = []
    for block in re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", text):
        for line in block.replace("\\\n", " ").strip().splitlines():
            for part in line.split("&&"):
                words = shlex.split(part.split(" | ")[-1])
                words = words[1:] if words[0] == "sudo" else words
                commands.append(words[2:] if words[0] == "-u" else words)
    return commands


def check_runbook(_: Path, binaries: Path, transcript: Path) -> str:
    """Every command of the runbook is one that there is, and deploy/smoke played it."""
    played = transcript.read_text(encoding="utf-8")
    others = {"cargo", "install", "systemctl", "systemd-sysusers", "systemd-tmpfiles", "mv", "tee"}
    count = 0
    for words in runbook():
        if words[0] not in ("corridor", "corridor-node"):
            must(words[0] in others, f"what is {' '.join(words)}?")
            for path in words[1:]:
                here = path.startswith("deploy/")
                must(not here or list(TOP.glob(path)), f"deploy/RUNBOOK.md: there is no {path}")
            continue
        count += 1
        help_of = run(binaries / words[0], *words[1:], "--help")
        usage = re.search(r"(?m)^Usage: (\S+(?: [a-z-]+)*)", help_of)
        must(usage, f"{' '.join(words)}: no help")
        verbs = usage[1].split()
        # What is between program and verb is a profile, and how the answer is to be written.
        pattern = rf"(?m)^\w+\$ {verbs[0]} (--\S+ (\S+ )?)*{' '.join(verbs[1:])}\b.*\[0\]$|^\w+\$ {' '.join(verbs)} .*&$"
        must(re.search(pattern, played), f"deploy/smoke does not play: {' '.join(verbs)}")
    return f"{count} commands"


def main() -> int:
    """Runs all checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--promtool", type=Path, required=True)
    parser.add_argument("--played", type=Path, required=True, help="what deploy/smoke left")
    chosen = parser.parse_args()
    binaries = chosen.bin.resolve()
    checks = [
        (check_units, ()),
        (check_calls, (binaries,)),
        (check_containerfile, (binaries,)),
        (check_context, (binaries,)),
        (check_root, (binaries,)),
        (check_compose, (binaries,)),
        (check_monitoring, (chosen.promtool,)),
        (check_dashboard, (chosen.promtool, chosen.played / "figures.txt")),
        (check_runbook, (binaries, chosen.played / "transcript.txt")),
    ]
    failed = 0
    for check, given in checks:
        with tempfile.TemporaryDirectory(prefix="corridor-deploy-") as folder:
            try:
                print(f"ok      {check.__doc__} ({check(Path(folder), *given)})", flush=True)
            except Wrong as wrong:
                failed += 1
                print(f"FAILED  {check.__doc__}\n{wrong}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
