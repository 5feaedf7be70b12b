//! Lines: the five kinds, what is not understood, and what is refused.

use corridor_proto::limits::LINE_BYTES_MAX;
use corridor_proto::line::{Act, Line, ReadLine, WHOLE_RECORD, Withdrawal, WithdrawalReason};
use corridor_proto::line::{note_hash, read_line};
use corridor_proto::tree::leaf_hash;
use corridor_proto::{Hash, RecordId, Salt, UnixMillis};

use crate::json::{Json, fields, hex, list, object, refused, text};
use crate::seeds::TIME;

const HEAD: [(&str, usize); 4] = [("format", 1), ("kind", 1), ("time", 8), ("random", 16)];

/// A line at the fixed time; `random` tells it from others.
pub fn line_of(act: Act, random: u8) -> Vec<u8> {
    Line {
        time: UnixMillis(TIME),
        random: [random; 16],
        act,
    }
    .encode()
}

/// A publish line.
pub fn publish(version_hash: Hash, version: u64) -> Vec<u8> {
    let act = Act::Publish {
        version_hash,
        record: RecordId::new([3; 16]),
        version,
    };
    line_of(act, 9)
}

fn withdraw(up_to: u64, reason: WithdrawalReason, note: Hash, replacement: RecordId) -> Vec<u8> {
    let act = Act::Withdraw(Withdrawal {
        record: RecordId::new([3; 16]),
        up_to,
        reason,
        note,
        replacement,
    });
    line_of(act, 9)
}

fn leave() -> Vec<u8> {
    let record = RecordId::new([3; 16]);
    line_of(Act::Leave { record }, 9)
}

fn restart(incarnation: u64, size: u64) -> Vec<u8> {
    let root = Hash::new([8; 32]);
    line_of(
        Act::Restart {
            incarnation,
            size,
            root,
        },
        9,
    )
}

pub fn line() -> Json {
    object([
        (
            "comment",
            text(
                "Lines. Known ones field by field; then lines that are kept although they are not \
                 understood, critical or carried; then the only bytes that cannot be a line.",
            ),
        ),
        ("known", list(known())),
        ("not_understood", list(not_understood())),
        (
            "refused",
            list([
                refused("no byte", [("line", hex([]))], read_line(&[])),
                refused(
                    "257 bytes",
                    [("line", hex([1; LINE_BYTES_MAX + 1]))],
                    read_line(&[1; LINE_BYTES_MAX + 1]),
                ),
            ]),
        ),
    ])
}

fn known() -> Vec<Json> {
    let publish_tail = [("version_hash", 32), ("record", 16), ("version", 8)];
    let withdraw_tail = [
        ("record", 16),
        ("up_to", 8),
        ("reason", 1),
        ("note", 32),
        ("replacement", 16),
    ];
    let restart_tail = [("incarnation", 8), ("size", 8), ("root", 32)];
    let note = note_hash(&Salt::new([4; 32]), b"a note");
    let other = RecordId::new([5; 16]);
    let error = withdraw(TIME, WithdrawalReason::Error, note, other);
    let whole = withdraw(
        WHOLE_RECORD,
        WithdrawalReason::PersonalData,
        Hash::ZERO,
        RecordId::ZERO,
    );
    let unknown = WithdrawalReason::Unknown(200);
    let unknown = withdraw(1, unknown, Hash::ZERO, RecordId::ZERO);
    let readers = line_of(
        Act::Readers {
            list: Hash::new([6; 32]),
        },
        9,
    );
    let published = publish(Hash::new([7; 32]), TIME);
    vec![
        known_case("publish", "publish", published, &publish_tail),
        known_case(
            "withdraw up to a version",
            "withdraw",
            error,
            &withdraw_tail,
        ),
        known_case(
            "withdraw the whole record",
            "withdraw",
            whole,
            &withdraw_tail,
        ),
        known_case(
            "withdraw for an unknown reason",
            "withdraw",
            unknown,
            &withdraw_tail,
        ),
        known_case("leave", "leave", leave(), &[("record", 16)]),
        known_case("readers", "readers", readers, &[("list", 32)]),
        known_case("restart", "restart", restart(TIME, 4), &restart_tail),
    ]
}

fn known_case(name: &str, kind: &str, bytes: Vec<u8>, tail: &[(&str, usize)]) -> Json {
    let read = read_line(&bytes).expect("line");
    assert!(matches!(read, ReadLine::Line(_)), "{name}");
    object([
        ("name", text(name)),
        ("line", hex(&bytes)),
        ("kind", text(kind)),
        ("layout", fields(&bytes, &[&HEAD, tail].concat())),
        ("leaf", hex(leaf_hash(&bytes).as_bytes())),
    ])
}

fn not_understood() -> Vec<Json> {
    let with = |mut bytes: Vec<u8>, at: usize, to: u8| {
        bytes[at] = to;
        bytes
    };
    let longer = |mut bytes: Vec<u8>| {
        bytes.push(0);
        bytes
    };
    let cut = leave();
    let case = |name: &str, bytes: Vec<u8>, critical: bool| {
        assert_eq!(
            read_line(&bytes),
            Ok(ReadLine::NotUnderstood { critical }),
            "{name}"
        );
        object([
            ("name", text(name)),
            ("line", hex(&bytes)),
            ("critical", Json::Bool(critical)),
            ("leaf", hex(leaf_hash(&bytes).as_bytes())),
        ])
    };
    vec![
        case("kind 0", with(leave(), 1, 0), true),
        case("kind 6", with(leave(), 1, 6), true),
        case("kind 127", with(leave(), 1, 127), true),
        case("kind 128 is carried", with(leave(), 1, 128), false),
        case("kind 255 is carried", with(leave(), 1, 255), false),
        case("kind 200 and nothing else", vec![1, 200], false),
        case(
            "kind 200 of another format",
            with(with(leave(), 1, 200), 0, 2),
            true,
        ),
        case("another format", with(leave(), 0, 2), true),
        case("format 0", vec![0], true),
        case("nothing but the format", vec![1], true),
        case(
            "a leave without its last byte",
            cut[..cut.len() - 1].to_vec(),
            true,
        ),
        case("a leave with a byte more", longer(leave()), true),
        case(
            "a publish of version 0",
            publish(Hash::new([7; 32]), 0),
            true,
        ),
        case(
            "a publish of version 2^63",
            publish(Hash::new([7; 32]), 1 << 63),
            true,
        ),
        case(
            "a withdrawal up to 2^63",
            withdraw(1 << 63, WithdrawalReason::Error, Hash::ZERO, RecordId::ZERO),
            true,
        ),
        case("a restart of incarnation 2^63", restart(1 << 63, 4), true),
        case("a restart of size 2^63", restart(1, 1 << 63), true),
        case("256 bytes", vec![1; LINE_BYTES_MAX], true),
    ]
}
