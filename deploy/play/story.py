"""What happens to two installations, from their beginning to their parting.

Each step of `STEPS` is a method; its docstring is what is told of it.
"""

import json
import re
import shutil
from pathlib import Path

from play.office import Office, must, until
from play.records import demonstration

BINARIES = ("corridor-node", "corridor")
UIDS = (64_301, 64_302, 64_303)  # of nobody: a user needs no name to have files of its own
# Made by the release before the index had rows in blocks: two records, one of them revised, one
# withdrawn and a draft. Its keys are nobody's.
OLDER = Path(__file__).with_name("index-layout-1.tar.xz")
ROLES = ("reader", "editor", "clearer", "administrator", "public")
WHOLE_RECORD = str(2**63 - 1)
# A pair of age that opens nothing but what is made here.
BACKUP_SECRET = "AGE-SECRET-KEY-1VPQ9SNY0PM8M2NDWHVH3F0UQ3QDFRCVSURM0WNPVAN6MV565Q5QQTCXY59"
LOCK = ("--recipient", "age1dg0cw5dhz9jeh6yt68p8yrmdrgusgg5d2hzqtfckjhxqfxx3mpaqw95rx9")
ARABIC = "حوار أبوظبي"
CONFIG = """\
peer_listen = "127.0.0.1:{peers}"
api_listen = "127.0.0.1:{api}"
metrics = "127.0.0.1:{metrics}"
advertise = ["127.0.0.1:{peers}"]

[[names]]
tag = "en"
name = "{name}"

[[names]]
tag = "ar"
name = "{arabic}"
"""


class Story:
    """The two installations, and what happens to them in order."""

    def __init__(self, stage, keep, binaries, transcript):
        self.stage, self.keep, self.binaries, self.transcript = stage, keep, binaries, transcript
        self.add = Office(stage, "add", "Abu Dhabi Dialogue", UIDS[0], transcript)
        self.bali = Office(stage, "bali", "Bali Process", UIDS[1], transcript)
        self.offices = [self.add, self.bali]
        self.records = demonstration()
        self.profiles = {}
        self.notes = []

    def secret(self, text, name):
        """Keeps a secret out of the transcript, and remembers that no log may have it."""
        self.transcript.secrets[text] = name
        return text

    def install(self):
        """install the packaged binaries, one copy for each installation"""
        for office in self.offices:
            office.install(self.binaries)
            for name in BINARIES:
                out, _ = office.run([office.bin / name, "--version"])
                must(re.fullmatch(rf"{name} \d+\.\d+\.\d+\n", out), f"{name} says {out!r}")

    def init(self):
        """init both: keys, charter, card, configuration; never a second time"""
        for office in self.offices:
            # One is called by its partner, the other only dials out, as behind a ministry's firewall.
            reached = ["--advertise", f"127.0.0.1:{office.peers}"] if office is self.add else []
            words = ["init", "--data", office.data, "--recovery-out", office.safe / "recovery.key"]
            words += ["--name", f"en={office.name}", *reached]
            words += ["--peer-listen", f"127.0.0.1:{office.peers}"]
            words += ["--api-listen", f"127.0.0.1:{office.api}"]
            office.id = re.search(r"[a-z2-7]{52}", office.node(*words)).group()
            office.id = f"rcps/{office.id}"
            key = (office.safe / "recovery.key").read_text(encoding="utf-8").splitlines()[-1]
            self.secret(key, "a recovery key")
            self.read_token(office.profile)
            said = office.node(*words, expect=1)
            must("nothing was changed" in said, f"a second init says {said}")

    def read_token(self, profile):
        """Learns the token in a profile, to look for it in the logs."""
        text = profile.read_text(encoding="utf-8")
        self.secret(re.search(r'^token = "(.+)"$', text, re.M).group(1), "a token")

    def guarded(self):
        """keys and folders are their user's alone"""
        for office in self.offices:
            must(office.data.stat().st_mode & 0o777 == 0o700, "the data folder is open")
            for path in (office.data / "keys").glob("*.key*"):
                must(path.stat().st_mode & 0o777 == 0o600, f"{path.name} is open")
        if self.add.uid is None:
            self.notes.append("not root: both installations ran as one user")
            return
        # The other user cannot even look.
        _, said = self.bali.run(["ls", self.add.data / "keys"], expect=2)
        must("Permission denied" in said, f"another user sees the keys: {said}")

    def configure(self):
        """write the configuration: a second name; an unknown key is refused by name"""
        add = self.add
        path = add.data / "config.toml"
        ports = {"peers": add.peers, "api": add.api, "metrics": add.metrics}
        text = CONFIG.format(**ports, name=add.name, arabic=ARABIC)
        add.write(path, f'peer_lisen = "127.0.0.1:1"\n{text}')
        said = add.node("serve", "--data", add.data, expect=1)
        must("peer_lisen" in said, f"the refusal names no key: {said}")
        add.write(path, text)
        add.node("config", "check", "--data", add.data)

    def serve(self):
        """serve both"""
        for office in self.offices:
            office.serve()
            status = office.corridor("status")
            must(status["name"] == office.id and not status["peers"], f"status says {status}")
        status = json.dumps(self.add.corridor("status"), ensure_ascii=False)
        must(ARABIC in status, f"the card has no second name: {status}")

    def tokens(self):
        """tokens by role: each opens what it is for, and nothing after it was revoked"""
        add = self.add
        for role in ROLES:
            self.profiles[role] = self.token(role)
        drafts = add.corridor("record", "drafts", profile=self.profiles["editor"])["drafts"]
        must(drafts == [], f"there are drafts already: {drafts}")
        for role, words in (
            ("reader", ("record", "drafts")),
            ("administrator", ("record", "drafts")),
            ("editor", ("circle", "open", "not-mine")),
            ("clearer", ("peer", "invite")),
            ("public", ("peer", "list")),
        ):
            add.refused("ROLE_LACKING", 4, *words, profile=self.profiles[role])
        listed = add.node("token", "list", "--data", add.data)
        ended = re.search(r"^(\S+)  smoke: reader  reader", listed, re.M)
        must(ended, f"the list of tokens is {listed}")
        add.node("token", "revoke", "--data", add.data, ended.group(1))
        add.refused("NO_VALID_TOKEN", 4, "record", "list", profile=self.profiles["reader"])

    def token(self, role):
        """Makes a token, as a file that its holder logs in with; gives the holder's profile."""
        add, number = self.add, len(list(self.add.desk.glob("*.access")))
        given = add.desk / f"{role}-{number}.access"
        words = ["--label", f"smoke: {role}", "--days", "1", "--out", given]
        add.node("token", "create", "--data", add.data, "--role", role, *words)
        self.read_token(given)
        profile = given.with_suffix(".toml")
        add.corridor("login", given, profile=profile)
        must(profile.stat().st_mode & 0o777 == 0o600, "others can read a profile")
        return profile

    def pair(self):
        """invite, accept, compare the safety number, confirm on both sides"""
        add, bali = self.add, self.bali
        invitation = add.desk / "bali.corridor"
        add.corridor("peer", "invite", "--out", invitation)
        handed = bali.desk / invitation.name
        shutil.copyfile(invitation, handed)  # by mail, or on a stick
        bali.own(handed)
        bali.corridor("peer", "accept", handed)
        until(
            "both wait",
            lambda: all(
                [one.get("state") for one in office.corridor("peer", "list")["peers"]]
                == ["PEER_STATE_PENDING"]
                for office in self.offices
            ),
        )
        numbers = [
            office.corridor("peer", "number", other.letters())["safetyNumber"]
            for office, other in ((add, bali), (bali, add))
        ]
        must(numbers[0] == numbers[1], f"the two read {numbers} to each other")
        must(re.fullmatch(r"(\d{5} ){7}\d{5}", numbers[0]), f"a safety number is {numbers[0]}")
        wrong = str((int(numbers[0][0]) + 1) % 10) + numbers[0][1:]
        for office, other in ((add, bali), (bali, add)):
            them = other.letters()
            confirm = ("peer", "confirm", them, "--number-file", "-")
            error = office.corridor(*confirm, expect=7, given=wrong)
            must(error["reason"] == "NOT_THE_SAME", f"another number: {error}")
            office.corridor(*confirm, given=numbers[0])
            must(office.peer(other)["state"] == "PEER_STATE_ACTIVE", "it is not confirmed")
        self.number = numbers[0]

    def circles(self):
        """circles: a reader is shown what it receives before it is added"""
        add, bali = self.add, self.bali
        add.corridor("circle", "add", "federation", bali.name, "--yes")
        bali.corridor("circle", "add", "federation", add.letters(), "--yes")
        add.corridor("circle", "open", "imrf-2026-drafting")
        circles = add.corridor("circle", "list")["circles"]
        mine = {one["displayName"]: one for one in circles if one["name"].startswith(add.id)}
        readers = [one["rcp"] for one in mine["federation"]["readers"]]
        must(readers == [bali.id], f"readers are {readers}")
        must(not mine["imrf-2026-drafting"].get("readers"), "a new circle has readers")

    def drafts(self):
        """drafts of real records: what is still needed is said, and a draft is nobody else's"""
        add = self.add
        kind, complete = self.records["add-domestic-work-study"]
        self.canary = "Canary 7f3a: for this house alone"
        lacking = dict(complete, title=[{"tag": "en", "text": self.canary}], summary=[])
        path = add.write(add.desk / "lacking.json", json.dumps(lacking, ensure_ascii=False))
        editor = self.profiles["editor"]
        draft = add.corridor("record", "draft", kind, path, profile=editor)["draft"]
        must([one["field"] for one in draft["needed"]] == ["summary"], f"{draft['needed']}")
        self.draft = draft["name"]
        publish = ("record", "publish", self.draft, "--circle", "public")
        add.refused("INVALID_FIELDS", 7, *publish)
        add.refused("ROLE_LACKING", 4, *publish, profile=editor)

    def publish(self):
        """publish to one partner, to the federation, to everybody; the partner verifies each"""
        add, bali = self.add, self.bali
        body = self.records
        self.alone = add.publish(*body["add-ciop"], f"private/{bali.name}")
        self.shared = add.publish(*body["add-digital-platform"], "federation")
        self.public = add.publish(*body["add-skills-pilot"], "public")
        self.inside = add.publish(*body["add-gcm-input"], "imrf-2026-drafting")
        self.theirs = bali.publish(*body["bali-rso"], "public")
        self.guide = bali.publish(*body["bali-victim-guides"], "federation")
        for office, records in (
            (bali, (self.alone, self.shared, self.public)),
            (add, (self.theirs, self.guide)),
        ):
            for record in records:
                until(f"{record} arrives", lambda: office.version(record) > 0)
        until("the receipts come", lambda: add.peer(bali)["upToDate"])

    def proofs(self):
        """what was received proves itself in a file, without a node"""
        bali = self.bali
        verified = bali.corridor("record", "verify", self.alone, "--save", bali.desk / "proofs")
        checked = bali.corridor("verify", verified["file"])["files"]
        must(checked[0]["verified"]["record"] in self.alone, f"the file proves {checked}")
        path = Path(verified["file"])
        spoilt = bytearray(path.read_bytes())
        spoilt[len(spoilt) // 2] ^= 1
        path.with_name("spoilt.bin").write_bytes(spoilt)
        bali.own(path.with_name("spoilt.bin"))
        bali.corridor("verify", path.with_name("spoilt.bin"), expect=7)

    def entitled(self):
        """nobody has what was not shared with it: preview, partner, integrator, folder, log"""
        add, bali = self.add, self.bali
        seen = add.corridor("preview", "--as", bali.name)["records"]
        wanted = {self.alone, self.shared, self.public}
        must({one["name"] for one in seen} == wanted, f"the preview shows {seen}")
        for record in (self.inside, self.draft):
            must(bali.show(record) is None, f"the partner sees {record}")
        title = self.records["add-gcm-input"][1]["title"][0]["text"]
        for text in (title, self.canary):
            must(add.has_bytes(text), "this search finds nothing where it must")
            must(not bali.has_bytes(text), f"the partner has {text!r}")
        self.integrator({self.public, self.theirs})

    def integrator(self, wanted):
        """What the token for everybody sees must be this and no more."""
        seen = self.add.corridor("record", "list", profile=self.profiles["public"])["records"]
        must({one["name"] for one in seen} == wanted, f"an integrator sees {seen}")

    def revise(self):
        """revise: the new version goes where the old one stands"""
        add, bali = self.add, self.bali
        kind, body = self.records["add-ciop"]
        before = bali.version(self.alone)
        body = dict(body, endYear=2024, stage="PRACTICE_STAGE_COMPLETED")
        path = add.write(add.desk / "revised.json", json.dumps(body, ensure_ascii=False))
        add.corridor("record", "edit", self.alone, path)
        add.corridor("record", "publish", self.alone)
        until("the new version arrives", lambda: bali.version(self.alone) > before)
        must(bali.show(self.alone)["body"]["endYear"] == 2024, "the text is the old one")

    def widen(self):
        """share wider: to the federation, then to everybody"""
        add, bali = self.add, self.bali
        must(add.show(self.alone, self.profiles["public"]) is None, "an integrator sees it before")
        for circle in ("federation", "public"):
            add.corridor("record", "share", self.alone, "--circle", circle)
        must(add.show(self.alone, self.profiles["public"]), "an integrator does not see it")
        until(
            "it stands in three circles of the partner",
            lambda: len(bali.show(self.alone)["record"]["standings"]) == 3,
        )
        self.integrator({self.public, self.alone, self.theirs})

    def withdraw(self):
        """withdraw with a replacement: the partner erases the text, and its receipt says so"""
        add, bali = self.add, self.bali
        text = self.records["add-digital-platform"][1]["title"][0]["text"]
        must(bali.has_bytes(text), "the partner has no text to erase")
        self.successor = add.publish(*self.records["add-alternative-recruitment"], "federation")
        add.corridor(
            "record", "withdraw", self.shared, "--reason", "superseded", "--yes",
            "--replacement", self.successor, "--note", "en=See the newer one.",
        )  # fmt: skip
        until("the partner heard of it", lambda: bali.state(self.shared) == "WITHDRAWN")
        told = bali.show(self.shared)["record"]["withdrawal"]
        must(
            told["code"] == "WITHDRAWAL_CODE_SUPERSEDED"
            and told["upTo"] == WHOLE_RECORD
            and self.successor.endswith(told["replacement"].rsplit("/", 1)[-1])
            and told["note"][0]["text"] == "See the newer one.",
            f"the partner is told {told}",
        )
        until("the receipt comes", lambda: add.held(self.shared, bali))
        must(not bali.has_bytes(text), "the partner still has the text")
        add.refused("WITHDRAWN", 5, "record", "edit", self.shared, add.desk / "draft.json")

    def back_up(self):
        """back up the running node and, apart, its keys; verify"""
        add = self.add
        secret = self.secret(BACKUP_SECRET, "the key of the backups")
        self.open = ("--identity-file", add.write(add.safe / "backup.key", secret + "\n"))
        self.backup("first")
        again = ("backup", "create", "--data", add.data, "--out", add.safe / "first.age")
        add.node(*again, *LOCK, expect=1)

    def backup(self, name):
        """A backup and the saved keys, verified."""
        add, (copy, keys) = self.add, self.backups(name)
        add.node("backup", "create", "--data", add.data, "--out", copy, *LOCK)
        add.node("backup", "keys", "--data", add.data, "--out", keys, *LOCK)
        said = add.node("backup", "verify", "--from", copy, *self.open)
        must(said.startswith("Whole:"), f"verify says {said}")

    def backups(self, name):
        """The two files of a backup."""
        return self.add.safe / f"{name}.age", self.add.safe / f"{name}-keys.age"

    def rehearse(self):
        """rehearse what is done after a loss, a theft or a move, with what lies in the safe"""
        add = self.add
        copy, keys = self.backups("first")
        saved = ("--from", copy, "--keys", keys, *self.open)
        add.node("drill", "loss", "--data", add.data, *saved)
        recovery = ("--recovery", add.safe / "recovery.key")
        for ceremony in ("rotation", "compromise", "hand-over"):
            said = add.node("drill", ceremony, "--data", add.data, *recovery)
            must("The drill succeeded" in said, f"the drill says {said}")
        must(not (add.data / "drill").exists(), "a copy of the node is left")

    def carry(self):
        """carry a bundle to the partner by hand, as if no line led there"""
        add, bali = self.add, self.bali
        made = add.desk / "for-bali.corridor"
        add.corridor("bundle", "export", "--to", bali.name, "--out", made, "--everything")
        brought = bali.desk / "from-add.corridor"
        shutil.copyfile(made, brought)
        brought.chmod(0o600)
        bali.own(brought)
        bali.corridor("bundle", "inspect", brought)
        bali.corridor("bundle", "import", brought)
        add.refused("BUNDLE_FOR_ANOTHER", 7, "bundle", "import", made)

    def watched(self):
        """health, doctor and the figures for Prometheus say what is so"""
        add = self.add
        must("SERVING" in add.node("health", "--data", add.data), "its health is told otherwise")
        add.node("status", "--data", add.data)
        checks = json.loads(add.node("doctor", "--data", add.data, "--json"))
        must(checks["broken"] == 0, f"doctor says {checks}")
        for line in (
            'corridor_peers{state="active"} 1',
            "corridor_signs 1",
            f'corridor_withdrawals_unacknowledged{{peer="{self.bali.name}"}} 0',
            "corridor_backup_last_success_timestamp_seconds ",
        ):
            until(f"the figures have {line}", lambda: f"\n{line}" in add.figures())
        (self.keep / "figures.txt").write_text(add.figures(), encoding="utf-8")

    def lose(self):
        """lose the data folder after more was published and withdrawn"""
        add, bali = self.add, self.bali
        self.late = add.publish(*self.records["add-domestic-work-study"], "federation")
        until("the late one arrives", lambda: bali.version(self.late) > 0)
        add.corridor("record", "withdraw", self.public, "--reason", "error", "--yes")
        until("its receipt comes", lambda: add.held(self.public, bali))
        add.stop()
        shutil.rmtree(add.data)

    def restore(self):
        """restore: it signs nothing until its partner gave back what it lost"""
        add, bali = self.add, self.bali
        copy, keys = self.backups("first")
        words = ("backup", "restore", "--data", add.data, "--from", copy, "--keys", keys)
        said = add.node(*words, *self.open, expect=1)
        must("--other-copy-is-gone" in said and not add.data.exists(), f"it says {said}")
        add.node(*words, *self.open, "--other-copy-is-gone")
        add.node(*words, *self.open, "--other-copy-is-gone", expect=1)
        add.serve()
        self.read_token(add.profile)
        status = add.corridor("status")
        must(status["signingStopped"] == "RESTORED_FROM_A_BACKUP", f"status says {status}")
        add.refused("NO_VALID_TOKEN", 4, "record", "list", profile=self.profiles["editor"])
        add.refused("SIGNING_STOPPED", 5, "record", "share", self.successor, "--circle", "public")
        until(
            "the partner gave back",
            lambda: add.corridor("recover", "status")["collectedFrom"] == [bali.id],
        )
        add.refused("USAGE", 2, "recover", "sign")  # a person has to say so

    def restart(self):
        """restart its circles by a person's word; the partner follows, and nothing is lost"""
        add, bali = self.add, self.bali
        must(add.corridor("recover", "sign", "--yes")["restarted"] > 0, "no circle went on")
        must(add.corridor("recover", "void")["versions"] == [], "something went missing")
        must(add.state(self.late) == "CURRENT", "what came after the backup was lost")
        must(add.state(self.public) == "WITHDRAWN", "a withdrawal after the backup was lost")
        after = add.publish(*self.records["add-skills-pilot"], "federation", "public")
        until("the partner follows the restart", lambda: bali.version(after) > 0)
        must(bali.state(self.late) == "CURRENT", "the partner lost a record by the restart")
        must(bali.state(self.public) == "WITHDRAWN", "a withdrawn record is back")
        self.kept = {self.alone, self.successor, self.late, after}
        self.profiles = {"public": self.token("public")}
        self.integrator({self.alone, after, self.theirs})

    def rotate(self):
        """rotate the signing key by the recovery key: the partner follows, the number stays"""
        add, bali = self.add, self.bali
        add.stop()
        words = ("rotate-key", "--data", add.data, "--recovery")
        old, new = add.safe / "recovery.key", add.safe / "recovery-2.key"
        add.node(*words, old, "--recovery-out", new)
        key = new.read_text(encoding="utf-8").splitlines()[-1]
        self.secret(key, "a recovery key")
        said = add.node(*words, old, "--recovery-out", add.safe / "recovery-3.key", expect=1)
        must("is not the present recovery key" in said, f"the old recovery key: {said}")
        add.serve()
        lesson = add.publish(*self.records["add-digital-platform"], "federation")
        until("a record under the new key arrives", lambda: bali.version(lesson) > 0)
        must(bali.show(lesson)["verified"]["keySeq"] == 1, "it is signed with the old key")
        must(bali.version(self.alone) > 0, "what the old key signed is gone")
        number = bali.corridor("peer", "number", add.letters())["safetyNumber"]
        must(number == self.number, "the safety number changed")
        self.kept.add(lesson)
        self.backup("second")

    def upgrade(self):
        """upgrade: stop, replace the binary, start; an index that it cannot use is rebuilt"""
        add, bali = self.add, self.bali
        add.stop()
        add.install(self.binaries)
        shutil.rmtree(add.data / "index")
        said = add.serve()
        must("the index was rebuilt" in said, f"the index was not rebuilt: {said}")
        listed = add.corridor("record", "list", "--rcp", "own")["records"]
        must({one["name"] for one in listed} == self.kept | {self.inside}, f"it lists {listed}")
        until("the partner is back", lambda: add.peer(bali)["connected"])

    def upgrade_older(self):
        """upgrade a folder that an older release made: its records are what they were"""
        office = Office(self.stage, "older", "Almaty Process", UIDS[2], self.transcript)
        self.offices.append(office)
        office.install(self.binaries)
        office.take_over(OLDER)
        expected = json.loads((office.data / "expected.json").read_text(encoding="utf-8"))
        said = office.serve()
        must("the index was rebuilt" in said, f"the older index was taken as it was: {said}")
        for record, (state, version) in expected["records"].items():
            must(office.state(record) == state, f"{record} is {office.state(record)}, not {state}")
            must(
                office.version(record) == version, f"{record} has version {office.version(record)}"
            )
        office.corridor("record", "publish", expected["draft"], "--circle", "public")
        must(office.version(expected["draft"]) > 0, "its draft cannot be published")

    def leave(self):
        """leave: from then on the partner learns of withdrawals and of nothing else"""
        add, bali = self.add, self.bali
        add.corridor("peer", "leave", bali.name, "--yes")
        must(add.peer(bali)["state"] == "PEER_STATE_LEFT", "it is not left")
        unseen = add.publish(*self.records["add-ciop"], "federation", "public")
        add.corridor("record", "withdraw", self.late, "--reason", "state-request", "--yes")
        until("the withdrawal arrives", lambda: bali.state(self.late) == "WITHDRAWN")
        until("its receipt comes", self.told_alone)
        must(bali.show(unseen) is None, "a partner that was left received a record")
        must("ended the relation" in bali.peer(add)["sentence"], "the partner is not told")
        must(bali.version(self.alone) > 0, "leaving took what the partner holds")

    def told_alone(self):
        """Whether the partner holds all of the circle that it alone reads."""
        circles = self.add.corridor("circle", "list")["circles"]
        private = next(one for one in circles if one["peer"] == self.bali.id)
        return [one["heldSize"] for one in private["readers"]] == [private["size"]]

    def end(self):
        """end both; every signature, hash, root, erasure and act is checked once more"""
        for office in self.offices:
            office.stop()
            office.node("audit", "verify", "--data", office.data)
            said = office.node("verify-store", "--data", office.data)
            must("All of it is as it should be." in said, f"verify-store says {said}")

    def silent(self):
        """no log has a token, a key, a passphrase or a text"""
        texts = [body["title"][0]["text"] for _, body in self.records.values()]
        for office in self.offices:
            log = office.log.read_text(encoding="utf-8")
            must(" serving" in log, "this log tells nothing")
            for secret, name in self.transcript.secrets.items():
                must(secret not in log, f"the log of {office.name} has {name}")
            for text in [*texts, self.canary]:
                must(text not in log, f"the log of {office.name} has {text!r}")


STEPS = (
    "install init guarded configure serve tokens pair circles drafts publish proofs entitled revise"
    " widen withdraw back_up rehearse carry watched lose restore restart rotate upgrade upgrade_older leave end silent"
).split()
