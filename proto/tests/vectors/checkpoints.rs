//! Checkpoints and held cosignatures: notes in their one form.

use corridor_proto::checkpoint::{Checkpoint, Held, SignedCheckpoint};
use corridor_proto::limits::{NOTE_TEXT_BYTES_MAX, ORDINAL_MAX};
use corridor_proto::{Hash, LogId, LogSeed, Refusal};
use data_encoding::BASE64;

use crate::json::{Json, hex, list, number, object, ordinal, refused, repeat, text};
use crate::seeds::{TIME, charter, charters_json, key};
use crate::trees::numbers;

/// The checkpoint of the first `size` numbers in the public log of the first RCP.
pub fn numbered(incarnation: u64, size: u64) -> Checkpoint {
    Checkpoint {
        log: LogId::derive(&charter("first").rcp(), &LogSeed::ZERO),
        incarnation,
        size,
        root: numbers(size).root_at(size).expect("root"),
    }
}

fn content(checkpoint: &Checkpoint) -> Json {
    object([
        ("log", hex(checkpoint.log.as_bytes())),
        ("incarnation", ordinal(checkpoint.incarnation)),
        ("size", ordinal(checkpoint.size)),
        ("root", hex(checkpoint.root.as_bytes())),
    ])
}

/// Key identifier and what follows it in the signature line of a note.
fn signature_parts(note: &str) -> (Vec<u8>, Vec<u8>) {
    let line = note.trim_end().rsplit(' ').next().expect("signature");
    let bytes = BASE64.decode(line.as_bytes()).expect("base64");
    (bytes[..4].to_vec(), bytes[4..].to_vec())
}

pub fn checkpoint() -> Json {
    let largest = Checkpoint {
        incarnation: ORDINAL_MAX,
        size: ORDINAL_MAX,
        root: Hash::new([0xff; 32]),
        ..numbered(0, 0)
    };
    object([
        (
            "comment",
            text(
                "Checkpoints as signed notes, judged by the charter that each case names. head \
                 says whether the current key is demanded, as for the head of a log.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good("five lines", "first", true, 1, &numbered(0, 5)),
                good("an empty log", "first", true, 1, &numbered(0, 0)),
                good("a later incarnation", "first", true, 1, &numbered(TIME, 33)),
                good("the largest numbers", "first", true, 1, &largest),
                good(
                    "under a retired key, as no head",
                    "rotated",
                    false,
                    1,
                    &numbered(0, 5),
                ),
                good("under the second key", "rotated", true, 2, &numbered(0, 5)),
            ]),
        ),
        ("refused", list(forms().into_iter().chain(judged()))),
    ])
}

fn good(name: &str, of: &str, head: bool, byte: u8, checkpoint: &Checkpoint) -> Json {
    let note = checkpoint.sign(&key(byte)).note().to_owned();
    let verified = verify(note.as_bytes(), of, head).expect("verify");
    assert_eq!(verified, *checkpoint);
    let (key_id, signature) = signature_parts(&note);
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("head", Json::Bool(head)),
        ("content", content(checkpoint)),
        ("text", text(checkpoint.text())),
        ("note", text(note)),
        ("key_id", hex(key_id)),
        ("signature", hex(signature)),
        ("seed", hex([byte; 32])),
    ])
}

fn verify(note: &[u8], of: &str, head: bool) -> Result<Checkpoint, Refusal> {
    let (parsed, charter) = (SignedCheckpoint::parse(note)?, charter(of));
    let verified = if head {
        parsed.verify_head(&charter)
    } else {
        parsed.verify(&charter)
    };
    verified.map(|verified| *verified.checkpoint())
}

fn case(name: &str, of: &str, head: bool, note: &str) -> Json {
    let fields = [
        ("charter", text(of)),
        ("head", Json::Bool(head)),
        ("note", text(note)),
    ];
    refused(name, fields, verify(note.as_bytes(), of, head))
}

/// Ways of writing a note that are not its one form.
fn spoilt(note: &str, size: &str) -> Vec<(&'static str, String)> {
    let line = note.trim_end().rsplit('\n').next().expect("line");
    let origin = note.lines().next().expect("origin");
    let log = origin.split('/').nth(1).expect("log");
    let root = note.lines().nth(2).expect("root");
    let replace = |from: &str, to: &str| note.replacen(from, to, 1);
    vec![
        (
            "a size with a leading zero",
            replace(size, &format!("\n0{}", &size[1..])),
        ),
        (
            "a size with a sign",
            replace(size, &format!("\n+{}", &size[1..])),
        ),
        ("a size of 2^63", replace(size, "\n9223372036854775808\n")),
        ("an extension line", replace("\n\n", "\nextension\n\n")),
        ("a hyphen for the dash", replace("\u{2014}", "-")),
        ("a second signature line", format!("{note}{line}\n")),
        ("no final newline", note.trim_end().to_owned()),
        ("no empty line", replace("\n\n", "\n")),
        ("carriage returns", note.replace('\n', "\r\n")),
        (
            "another origin",
            note.replace("corridor.invalid", "corridor.example"),
        ),
        (
            "the log in upper case",
            note.replace(log, &log.to_ascii_uppercase()),
        ),
        (
            "a root of 31 bytes",
            replace(root, &BASE64.encode(&[8; 31])),
        ),
        (
            "a root without padding",
            replace(root, root.trim_end_matches('=')),
        ),
        (
            "a signature cut short",
            format!("{}\n", &note[..note.len() - 5]),
        ),
        (
            "no signature",
            note.split("\n\n").next().expect("text").to_owned() + "\n\n",
        ),
        ("nothing", String::new()),
    ]
}

fn forms() -> Vec<Json> {
    let note = numbered(0, 5).sign(&key(1)).note().to_owned();
    let mut cases: Vec<Json> = spoilt(&note, "\n5\n")
        .into_iter()
        .map(|(name, note)| case(name, "first", true, &note))
        .collect();
    let signature_name = note.trim_end().rsplit('\n').next().expect("line");
    let renamed = signature_name.replace("/0 ", "/1 ");
    let renamed = note.replace(signature_name, &renamed);
    cases.push(case(
        "a key name that is not the origin",
        "first",
        true,
        &renamed,
    ));
    let long = vec![b'x'; NOTE_TEXT_BYTES_MAX + 1];
    let fields = [
        ("charter", text("first")),
        ("head", Json::Bool(true)),
        ("note", repeat(b'x', long.len())),
    ];
    cases.push(refused(
        "over 1,024 bytes",
        fields,
        verify(&long, "first", true),
    ));
    cases
}

fn judged() -> Vec<Json> {
    let signed = |byte: u8| numbered(0, 5).sign(&key(byte)).note().to_owned();
    let note = signed(1);
    let other_size = note.replacen("\n5\n", "\n6\n", 1);
    let root = note.lines().nth(2).expect("root").to_owned();
    let other_root = note.replacen(&root, &BASE64.encode(&[8; 32]), 1);
    let held = Held {
        checkpoint: numbered(0, 5),
        holder: charter("first").rcp(),
        time_s: TIME / 1_000,
    };
    vec![
        case("a key that the charter has not", "first", true, &signed(9)),
        case("by another RCP's charter", "other", true, &note),
        case("under a retired key, as head", "rotated", true, &note),
        case(
            "under a key declared compromised",
            "compromised",
            false,
            &note,
        ),
        case("another size", "first", true, &other_size),
        case("another root", "first", true, &other_root),
        case(
            "a cosignature is no checkpoint",
            "first",
            true,
            &held.sign(&key(1)),
        ),
    ]
}

pub fn held() -> Json {
    let of = |name: &str, byte: u8, size: u64, time_s: u64| {
        let held = Held {
            checkpoint: numbered(0, size),
            holder: charter(name).rcp(),
            time_s,
        };
        let note = held.sign(&key(byte));
        (held, note)
    };
    let good = |name: &str, by: &str, byte: u8, size: u64, time_s: u64| {
        let (held, note) = of(by, byte, size, time_s);
        assert_eq!(
            Held::verify(note.as_bytes(), &charter(by)).as_ref(),
            Ok(&held)
        );
        let (key_id, stamped) = signature_parts(&note);
        let message = format!("cosignature/v1\ntime {time_s}\n{}", held.checkpoint.text());
        object([
            ("name", text(name)),
            ("charter", text(by)),
            ("content", content(&held.checkpoint)),
            ("holder", hex(held.holder.as_bytes())),
            ("time_s", ordinal(time_s)),
            ("message", text(message)),
            ("note", text(note)),
            ("key_id", hex(key_id)),
            ("stamped_signature", hex(stamped)),
            ("seed", hex([byte; 32])),
        ])
    };
    let seconds = TIME / 1_000;
    let (held, note) = of("other", 31, 5, seconds);
    let mut cases: Vec<Json> = spoilt(&note, "\n5\n")
        .into_iter()
        .map(|(name, note)| held_case(name, "other", &note))
        .collect();
    cases.extend(held_judged(&held, &note));
    object([
        (
            "comment",
            text(
                "Held cosignatures over checkpoints of the first RCP's public log, judged by the \
                 holder's charter. A retired key is good; a compromised one is not.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good("five lines held", "other", 31, 5, seconds),
                good("no line held", "other", 31, 0, seconds),
                good("at the beginning of time", "other", 31, 5, 0),
                good("the owner holds its own head", "first", 1, 5, seconds),
                good("under a retired key", "rotated", 1, 5, seconds),
                good("under the second key", "rotated", 2, 5, seconds),
            ]),
        ),
        ("refused", list(cases)),
    ])
}

fn held_case(name: &str, of: &str, note: &str) -> Json {
    let fields = [("charter", text(of)), ("note", text(note))];
    refused(name, fields, Held::verify(note.as_bytes(), &charter(of)))
}

fn held_judged(held: &Held, note: &str) -> Vec<Json> {
    let checkpoint = numbered(0, 5).sign(&key(1));
    let later = held.sign(&key(9));
    let by_first = Held {
        holder: charter("first").rcp(),
        ..*held
    };
    let by_first = by_first.sign(&key(1));
    let (key_id, mut stamped) = signature_parts(note);
    stamped[7] ^= 1;
    let line = BASE64.encode(&[key_id, stamped].concat());
    let old_line = note.trim_end().rsplit(' ').next().expect("signature");
    let other_time = note.replace(old_line, &line);
    let long = vec![b'x'; NOTE_TEXT_BYTES_MAX + 1];
    let verdict = Held::verify(&long, &charter("other"));
    let fields = [
        ("charter", text("other")),
        ("note", repeat(b'x', long.len())),
        ("bytes", number(long.len())),
    ];
    vec![
        refused("over 1,024 bytes", fields, verdict),
        held_case("by another RCP's charter", "first", note),
        held_case("a key that the charter has not", "other", &later),
        held_case("under a key declared compromised", "compromised", &by_first),
        held_case("another size", "other", &note.replacen("\n5\n", "\n6\n", 1)),
        held_case("another time", "other", &other_time),
        held_case("a checkpoint is no cosignature", "first", checkpoint.note()),
    ]
}
