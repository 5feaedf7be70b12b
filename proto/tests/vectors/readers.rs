//! Reader lists and notes: what lines name by hash.

use corridor_proto::limits::{CIRCLE_NAME_BYTES_MAX, READER_LIST_BYTES_MAX, READERS_MAX};
use corridor_proto::line::{ReaderList, note_hash, readers_hash};
use corridor_proto::v1::{LanguageText, WithdrawalNote};
use corridor_proto::{LogId, RcpId, Salt, UnixMillis};
use prost::Message;

use crate::json::{Json, fields, hex, list, number, object, ordinal, refused, repeat, text};
use crate::seeds::TIME;

const SALT: Salt = Salt::new([4; 32]);

fn reader_list(circle: &str, readers: &[(u8, u64)]) -> ReaderList {
    let reader = |(byte, until): &(u8, u64)| (RcpId::new([*byte; 32]), UnixMillis(*until));
    ReaderList {
        relay: true,
        circle: circle.to_owned(),
        answers: None,
        readers: readers.iter().map(reader).collect(),
    }
}

fn answers(size: u64) -> ReaderList {
    ReaderList {
        relay: false,
        answers: Some((LogId::new([9; 32]), size)),
        ..reader_list("reply-to-budapest", &[(2, 0), (3, 0)])
    }
}

pub fn readers() -> Json {
    let longest = "x".repeat(CIRCLE_NAME_BYTES_MAX);
    object([
        (
            "comment",
            text(
                "Reader lists: the layout, the hash by which a line names it, and who is admitted \
                 when. A right ends at until and not after it; 0 means no end.",
            ),
        ),
        (
            "good",
            list([
                good(
                    "a right that ends",
                    &reader_list("observers", &[(1, TIME), (2, 0)]),
                ),
                good("nobody yet", &reader_list("federation", &[])),
                good("two readers", &reader_list("federation", &[(1, 0), (2, 0)])),
                good("a reply circle", &answers(7)),
                good(
                    "a name in any script of 256 bytes",
                    &reader_list(&longest, &[(1, 0)]),
                ),
                good("no name, no relay", &ReaderList::default()),
            ]),
        ),
        ("refused", list(refusals())),
    ])
}

fn good(name: &str, readers: &ReaderList) -> Json {
    let bytes = readers.encode().expect("encode");
    assert_eq!(ReaderList::decode(&bytes).as_ref(), Ok(readers), "{name}");
    let mut layout = vec![
        ("format", 1),
        ("relay", 1),
        ("circle length", 2),
        ("circle", readers.circle.len()),
        ("answers log", 32),
        ("answers size", 8),
        ("count", 2),
    ];
    for _ in &readers.readers {
        layout.extend([("reader", 32), ("until", 8)]);
    }
    let asked = [(1, TIME - 1), (1, TIME), (2, TIME), (3, TIME)].map(|(byte, now)| {
        let rcp = RcpId::new([byte; 32]);
        object([
            ("rcp", hex(rcp.as_bytes())),
            ("now", ordinal(now)),
            (
                "admitted",
                Json::Bool(readers.admits(&rcp, UnixMillis(now))),
            ),
        ])
    });
    object([
        ("name", text(name)),
        ("list", hex(&bytes)),
        ("layout", fields(&bytes, &layout)),
        ("salt", hex(SALT.as_bytes())),
        ("hash", hex(readers_hash(&SALT, &bytes).as_bytes())),
        ("admits", list(asked)),
    ])
}

fn refusals() -> Vec<Json> {
    let good = reader_list("federation", &[(1, 0), (2, 0)]);
    let bytes = good.encode().expect("encode");
    let case = |name: &str, bytes: Vec<u8>| {
        let verdict = ReaderList::decode(&bytes);
        refused(name, [("list", hex(bytes))], verdict)
    };
    let with = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        bytes
    };
    let count = 14 + 40;
    let first = count + 2;
    let swapped = [
        &bytes[..first],
        &bytes[first + 40..],
        &bytes[first..first + 40],
    ]
    .concat();
    let twice = [&bytes[..first + 40], &bytes[first..first + 40]].concat();
    let mut many = bytes[..count].to_vec();
    many.extend(u16::try_from(READERS_MAX + 1).expect("fits").to_be_bytes());
    for n in 0..=READERS_MAX {
        many.extend([[0; 24].as_slice(), &n.to_be_bytes(), &[0; 8]].concat());
    }
    let long_name = [&bytes[..2], &[1, 1], &[b'x'; 257], &bytes[14..]].concat();
    let huge = vec![1; READER_LIST_BYTES_MAX + 1];
    let verdict = ReaderList::decode(&huge);
    vec![
        refused("over 64 KiB", [("list", repeat(1, huge.len()))], verdict),
        case("no byte", Vec::new()),
        case("without its last byte", bytes[..bytes.len() - 1].to_vec()),
        case("a byte after its end", [bytes.as_slice(), &[0]].concat()),
        case("an unknown format", with(0, 2)),
        case("relay is 2", with(1, 2)),
        case("a name that is not UTF-8", with(4, 0xff)),
        case("a name of 257 bytes", long_name),
        case("answers no log at a size", with(count - 1, 1)),
        case("answers a log at 2^63", {
            let mut bytes = answers(7).encode().expect("encode");
            bytes[4 + 17 + 32] = 0x80;
            bytes
        }),
        case("readers descend", swapped),
        case("a reader twice", twice),
        case("1,025 readers", many),
    ]
}

pub fn note() -> Json {
    let message = |texts: &[(&str, &str)]| {
        let texts = texts.iter().map(|(tag, text)| LanguageText {
            tag: (*tag).to_owned(),
            text: (*text).to_owned(),
        });
        WithdrawalNote {
            texts: texts.collect(),
        }
        .encode_to_vec()
    };
    let case = |name: &str, salt: u8, body: Vec<u8>| {
        let salt = Salt::new([salt; 32]);
        object([
            ("name", text(name)),
            ("salt", hex(salt.as_bytes())),
            ("body", hex(&body)),
            ("bytes", number(body.len())),
            ("hash", hex(note_hash(&salt, &body).as_bytes())),
            ("as_readers", hex(readers_hash(&salt, &body).as_bytes())),
        ])
    };
    let two = message(&[
        ("en", "The figures were wrong."),
        ("fr", "Les chiffres étaient faux."),
    ]);
    object([
        (
            "comment",
            text(
                "Notes of withdrawals: an encoded WithdrawalNote and the hash by which a line \
                 names it. The same bytes as a reader list would have another hash.",
            ),
        ),
        (
            "cases",
            list([
                case("two languages", 4, two.clone()),
                case("another salt", 5, two),
                case("no text", 4, message(&[])),
            ]),
        ),
    ])
}
