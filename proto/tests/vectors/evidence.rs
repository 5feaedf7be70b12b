//! Evidence: the four forms as messages, what each proves, and what proves nothing.

use corridor_proto::charter::SignedKeyEvent;
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::evidence::Proved;
use corridor_proto::record::SignedHeader;
use corridor_proto::tree::Tree;
use corridor_proto::v1::evidence::Form;
use corridor_proto::{LogId, LogSeed, Refusal, v1, wire};
use prost::Message;

use crate::json::{Json, hex, list, number, object, ordinal, refused, text};
use crate::records;
use crate::seeds::{TIME, charter, charters_json, key};
use crate::trees::over;

fn log(lines: &[&str]) -> Tree {
    let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    over(&lines)
}

fn a() -> Tree {
    log(&["a", "b", "c"])
}

fn b() -> Tree {
    log(&["a", "x", "c", "d"])
}

fn note(tree: &Tree, incarnation: u64, byte: u8) -> Vec<u8> {
    let checkpoint = Checkpoint {
        log: LogId::derive(&charter("first").rcp(), &LogSeed::ZERO),
        incarnation,
        size: tree.size(),
        root: tree.root_at(tree.size()).expect("root"),
    };
    checkpoint.sign(&key(byte)).note().as_bytes().to_vec()
}

fn two_roots(one: Vec<u8>, other: Vec<u8>) -> Form {
    Form::TwoRoots(v1::TwoCheckpoints { one, other })
}

fn side(tree: &Tree, index: u64, incarnation: u64) -> v1::ProvedLeaf {
    v1::ProvedLeaf {
        checkpoint: note(tree, incarnation, 1),
        leaf: tree.leaf(index).expect("leaf").as_bytes().to_vec(),
        proof: wire::proof_message(&tree.inclusion(index, tree.size()).expect("proof")),
    }
}

fn two_lines(index: u64, one: v1::ProvedLeaf, other: v1::ProvedLeaf) -> Form {
    let (one, other) = (Some(one), Some(other));
    Form::TwoLines(v1::TwoLines { index, one, other })
}

fn header(of: &str, byte: u8, version: u64, body: &[u8]) -> v1::SignedHeader {
    let header: SignedHeader = records::signed(of, byte, version, body).header;
    v1::SignedHeader {
        header: header.bytes,
        signature: header.signature.to_vec(),
    }
}

fn two_versions(one: v1::SignedHeader, other: v1::SignedHeader) -> Form {
    let (one, other) = (Some(one), Some(other));
    Form::TwoVersions(v1::TwoHeaders { one, other })
}

fn rotation(signing: u8) -> v1::SignedKeyEvent {
    let next = key(109).public_bytes();
    let event = SignedKeyEvent::rotation(&charter("first"), &key(101), &key(signing), &next, None);
    wire::key_event_message(&event.expect("rotation"))
}

fn two_key_events(one: v1::SignedKeyEvent, other: v1::SignedKeyEvent) -> Form {
    let (one, other) = (Some(one), Some(other));
    Form::TwoKeyEvents(v1::TwoKeyEvents { one, other })
}

fn message(form: Option<Form>) -> v1::Evidence {
    v1::Evidence {
        rcp: charter("first").rcp().as_bytes().to_vec(),
        form,
    }
}

fn judge(message: &v1::Evidence, of: &str) -> Result<Proved, Refusal> {
    wire::evidence(message.clone())?.verify(&charter(of))
}

pub fn evidence() -> Json {
    let fork = log(&["a", "x", "c"]);
    let body = |body: &[u8]| header("first", 1, TIME, body);
    object([
        (
            "comment",
            text(
                "Evidence as encoded corridor.v1.Evidence, its parts, the charter that judges it \
                 and what it proves. Lines are the letters named; the log is public.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good(
                    "two roots",
                    "first",
                    two_roots(note(&a(), 0, 1), note(&fork, 0, 1)),
                ),
                good(
                    "two roots, after the key was retired",
                    "rotated",
                    two_roots(note(&a(), 0, 1), note(&fork, 0, 2)),
                ),
                good(
                    "two lines",
                    "first",
                    two_lines(1, side(&a(), 1, 0), side(&b(), 1, 0)),
                ),
                good(
                    "two versions",
                    "first",
                    two_versions(body(b"a"), body(b"b")),
                ),
                good(
                    "two versions under two keys",
                    "rotated",
                    two_versions(body(b"a"), header("rotated", 2, TIME, b"b")),
                ),
                good(
                    "two key events",
                    "first",
                    two_key_events(rotation(5), rotation(6)),
                ),
                good(
                    "two key events, one of them in the charter",
                    "rotated",
                    two_key_events(rotation(5), event_of("rotated", 1)),
                ),
            ]),
        ),
        (
            "refused",
            list(roots().into_iter().chain(leaves()).chain(others())),
        ),
    ])
}

fn event_of(name: &str, seq: usize) -> v1::SignedKeyEvent {
    wire::key_event_message(&charter(name).events()[seq])
}

fn good(name: &str, of: &str, form: Form) -> Json {
    let parts = parts(&form);
    let message = message(Some(form));
    let proved = match judge(&message, of).expect("proved") {
        Proved::Log { log, .. } => object([("log", hex(log.as_bytes()))]),
        Proved::Version { record, version } => object([
            ("record", hex(record.as_bytes())),
            ("version", ordinal(version)),
        ]),
        Proved::Rcp => object([("rcp", hex(charter(of).rcp().as_bytes()))]),
    };
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("evidence", hex(message.encode_to_vec())),
        ("rcp", hex(&message.rcp)),
        ("parts", parts),
        ("proved", proved),
    ])
}

fn parts(form: &Form) -> Json {
    let note = |note: &[u8]| text(String::from_utf8(note.to_vec()).expect("text"));
    let leaf = |leaf: &Option<v1::ProvedLeaf>| {
        let leaf = leaf.as_ref().expect("side");
        object([
            ("checkpoint", note(&leaf.checkpoint)),
            ("leaf", hex(&leaf.leaf)),
            ("proof", list(leaf.proof.iter().map(hex))),
        ])
    };
    let header = |header: &Option<v1::SignedHeader>| {
        let header = header.as_ref().expect("side");
        object([
            ("header", hex(&header.header)),
            ("signature", hex(&header.signature)),
        ])
    };
    let event = |event: &Option<v1::SignedKeyEvent>| {
        let event = event.as_ref().expect("side");
        object([
            ("event", hex(&event.event)),
            ("recovery_signature", hex(&event.recovery_signature)),
            ("signing_signature", hex(&event.signing_signature)),
        ])
    };
    match form {
        Form::TwoRoots(two) => object([
            ("form", text("two_roots")),
            ("one", note(&two.one)),
            ("other", note(&two.other)),
        ]),
        Form::TwoLines(two) => object([
            ("form", text("two_lines")),
            ("index", number(two.index)),
            ("one", leaf(&two.one)),
            ("other", leaf(&two.other)),
        ]),
        Form::TwoVersions(two) => object([
            ("form", text("two_versions")),
            ("one", header(&two.one)),
            ("other", header(&two.other)),
        ]),
        Form::TwoKeyEvents(two) => object([
            ("form", text("two_key_events")),
            ("one", event(&two.one)),
            ("other", event(&two.other)),
        ]),
    }
}

fn case(name: &str, of: &str, form: Option<Form>) -> Json {
    let message = message(form);
    let fields = [
        ("charter", text(of)),
        ("evidence", hex(message.encode_to_vec())),
    ];
    refused(name, fields, judge(&message, of))
}

/// Two checkpoints.
fn roots() -> Vec<Json> {
    let fork = log(&["a", "x", "c"]);
    let with =
        |name: &str, other: Vec<u8>| case(name, "first", Some(two_roots(note(&a(), 0, 1), other)));
    let elsewhere = Checkpoint {
        log: LogId::new([1; 32]),
        incarnation: 0,
        size: 3,
        root: fork.root_at(3).expect("root"),
    };
    let elsewhere = elsewhere.sign(&key(1)).note().as_bytes().to_vec();
    let forged = String::from_utf8(note(&fork, 0, 1)).expect("text");
    let forged = forged.replacen("\n3\n", "\n4\n", 1).into_bytes();
    let thief = two_roots(note(&a(), 0, 1), note(&fork, 0, 1));
    vec![
        case("no form", "first", None),
        with("one checkpoint twice", note(&a(), 0, 1)),
        with("a log that grew", note(&b(), 0, 1)),
        with("two incarnations", note(&fork, TIME, 1)),
        with("two logs", elsewhere),
        with("no note", b"note".to_vec()),
        with("a forged checkpoint", forged),
        with("by a stranger's key", note(&fork, 0, 9)),
        case("a thief's work", "compromised", Some(thief)),
    ]
}

/// Two leaves under two checkpoints.
fn leaves() -> Vec<Json> {
    let with = |name: &str, index, other| {
        case(
            name,
            "first",
            Some(two_lines(index, side(&a(), 1, 0), other)),
        )
    };
    let same = two_lines(0, side(&a(), 0, 0), side(&b(), 0, 0));
    let thief = two_lines(1, side(&a(), 1, 0), side(&b(), 1, 0));
    let one = Some(side(&a(), 1, 0));
    let one_side = Form::TwoLines(v1::TwoLines {
        index: 1,
        one,
        other: None,
    });
    let mut short = side(&b(), 1, 0);
    short.leaf.truncate(31);
    let mut long = side(&b(), 1, 0);
    long.proof = vec![vec![0; 32]; 127];
    vec![
        case("the same line", "first", Some(same)),
        with("two indexes", 1, side(&b(), 2, 0)),
        with("beyond the end", 9, side(&b(), 2, 0)),
        with("lines of two incarnations", 1, side(&b(), 1, 7)),
        with("a leaf of 31 bytes", 1, short),
        with("a proof of 127 hashes", 1, long),
        case("a thief's lines", "compromised", Some(thief)),
        case("one side only", "first", Some(one_side)),
    ]
}

/// Versions and key events.
fn others() -> Vec<Json> {
    let body = |body: &[u8]| header("first", 1, TIME, body);
    let versions =
        |name: &str, of: &str, one, other| case(name, of, Some(two_versions(one, other)));
    let events =
        |name: &str, of: &str, one, other| case(name, of, Some(two_key_events(one, other)));
    let mut unsigned = body(b"b");
    unsigned.signature = vec![0; 64];
    let mut short = body(b"b");
    short.signature.truncate(63);
    let mut forged = rotation(6);
    forged.signing_signature[3] ^= 1;
    let thief = v1::SignedKeyEvent {
        recovery_signature: rotation(5).signing_signature,
        ..rotation(6)
    };
    let foreign =
        wire::key_event_message(&crate::seeds::rotated(&charter("other"), None).events()[1]);
    vec![
        versions("the same text twice", "first", body(b"a"), body(b"a")),
        versions(
            "a revision",
            "first",
            body(b"a"),
            header("first", 1, TIME + 1, b"b"),
        ),
        versions("unsigned", "first", body(b"a"), unsigned),
        versions("a signature of 63 bytes", "first", body(b"a"), short),
        versions(
            "of another RCP",
            "first",
            body(b"a"),
            header("other", 31, TIME, b"b"),
        ),
        versions("a thief's text", "compromised", body(b"a"), body(b"b")),
        versions(
            "a key to come",
            "first",
            body(b"a"),
            header("rotated", 2, TIME, b"b"),
        ),
        events("the same event twice", "first", rotation(5), rotation(5)),
        events("two numbers", "first", rotation(5), event_of("first", 0)),
        events(
            "two first events",
            "first",
            event_of("first", 0),
            event_of("other", 0),
        ),
        events("a forged event", "first", rotation(5), forged),
        events(
            "an event without its recovery signature",
            "first",
            rotation(5),
            thief,
        ),
        events("an event of another RCP", "first", rotation(5), foreign),
        case(
            "key events beyond the charter",
            "first",
            Some(two_key_events(third(8), third(9))),
        ),
    ]
}

/// A third event, after a rotation that only the rotated charter has.
fn third(signing: u8) -> v1::SignedKeyEvent {
    let next = key(110).public_bytes();
    let charter = charter("rotated");
    let event = SignedKeyEvent::rotation(&charter, &key(102), &key(signing), &next, None);
    wire::key_event_message(&event.expect("rotation"))
}
