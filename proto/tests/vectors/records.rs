//! Records: header, signature, body hash, version hash, and refusals.

use corridor_proto::domain::{self, Domain};
use corridor_proto::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, ORDINAL_MAX};
use corridor_proto::record::{
    BODY_FORMAT, Header, NewRecord, SignedHeader, SignedRecord, body_hash,
};
use corridor_proto::{RecordId, Salt, UnixMillis};

use crate::json::{Json, fields, hex, list, number, object, ordinal, refused, text};
use crate::seeds::{TIME, charter, charters_json, key, sign};

const LAYOUT: [(&str, usize); 10] = [
    ("format", 1),
    ("rcp", 32),
    ("key_seq", 4),
    ("record", 16),
    ("version", 8),
    ("kind", 2),
    ("time", 8),
    ("body_format", 2),
    ("body_len", 4),
    ("body_hash", 32),
];

/// A record of the first RCP, signed by key `byte`.
pub fn signed(of: &str, byte: u8, version: u64, body: &[u8]) -> SignedRecord {
    let new = NewRecord {
        record: RecordId::new([3; 16]),
        version,
        kind: 1,
        time: UnixMillis(TIME),
        salt: Salt::new([4; 32]),
        body: body.to_vec(),
    };
    new.sign(&charter(of), &key(byte))
        .expect("sign")
        .into_signed()
}

pub fn record() -> Json {
    let first = signed("first", 1, TIME, b"a body");
    object([
        (
            "comment",
            text(
                "Record versions, judged by the charter that each case names; a retired or \
                 compromised key is no reason to refuse a record by itself.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good("a first version", "first", 1, first.clone()),
                good("an empty body", "first", 1, signed("first", 1, 1, b"")),
                good(
                    "the largest version",
                    "first",
                    1,
                    signed("first", 1, ORDINAL_MAX, b"x"),
                ),
                good(
                    "by a key that was retired later",
                    "rotated",
                    1,
                    first.clone(),
                ),
                good(
                    "by a key declared compromised later",
                    "compromised",
                    1,
                    first,
                ),
                good(
                    "by the second key",
                    "rotated",
                    2,
                    signed("rotated", 2, TIME + 1, b"b"),
                ),
                good(
                    "of another RCP",
                    "other",
                    31,
                    signed("other", 31, TIME, b"a body"),
                ),
            ]),
        ),
        ("refused", list(headers().into_iter().chain(bodies()))),
    ])
}

fn good(name: &str, of: &str, byte: u8, record: SignedRecord) -> Json {
    let verified = record.verify(&charter(of)).expect("verify");
    let (header, signed) = (verified.header(), verified.signed());
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("header", hex(&signed.header.bytes)),
        ("layout", fields(&signed.header.bytes, &LAYOUT)),
        ("record", hex(header.record.as_bytes())),
        ("version", ordinal(header.version)),
        ("kind", number(header.kind)),
        ("time", ordinal(header.time.0)),
        ("body_len", number(header.body_len)),
        ("salt", hex(signed.salt.as_bytes())),
        ("body", hex(&signed.body)),
        (
            "body_hash",
            hex(body_hash(&signed.salt, &signed.body).as_bytes()),
        ),
        (
            "message",
            hex(domain::message(Domain::Record, &signed.header.bytes)),
        ),
        ("signature", hex(signed.header.signature)),
        ("seed", hex([byte; 32])),
        ("version_hash", hex(verified.version_hash().as_bytes())),
    ])
}

fn case(name: &str, of: &str, record: SignedRecord) -> Json {
    let fields = [
        ("charter", text(of)),
        ("header", hex(&record.header.bytes)),
        ("signature", hex(record.header.signature)),
        ("salt", hex(record.salt.as_bytes())),
        ("body", hex(&record.body)),
    ];
    refused(name, fields, record.verify(&charter(of)))
}

fn made_up(bytes: Vec<u8>) -> SignedRecord {
    SignedRecord {
        header: SignedHeader {
            signature: sign(1, Domain::Record, &bytes),
            bytes,
        },
        ..signed("first", 1, TIME, b"a body")
    }
}

/// Headers that are no header of this RCP.
fn headers() -> Vec<Json> {
    let good = signed("first", 1, TIME, b"a body");
    let bytes = &good.header.bytes;
    let content = Header::decode(bytes).expect("header");
    let with = |change: fn(&mut Header)| {
        let mut header = content.clone();
        change(&mut header);
        made_up(header.encode())
    };
    let mut format = bytes.clone();
    format[0] = 2;
    let long = [bytes.as_slice(), &[0; HEADER_BYTES_MAX]].concat();
    vec![
        case(
            "a header over 512 bytes",
            "first",
            made_up(long[..=HEADER_BYTES_MAX].to_vec()),
        ),
        case(
            "a header without its last byte",
            "first",
            made_up(bytes[..108].to_vec()),
        ),
        case("a header without a byte", "first", made_up(Vec::new())),
        case(
            "a byte after the header",
            "first",
            made_up([bytes.as_slice(), &[0]].concat()),
        ),
        case("an unknown format", "first", made_up(format)),
        case("version 0", "first", with(|header| header.version = 0)),
        case(
            "version 2^63",
            "first",
            with(|header| header.version = ORDINAL_MAX + 1),
        ),
        case(
            "a body over 256 KiB is announced",
            "first",
            with(|header| header.body_len = u32::try_from(BODY_BYTES_MAX + 1).expect("fits")),
        ),
        case("of another RCP", "other", good.clone()),
        case(
            "a key event that the charter has not",
            "first",
            with(|header| header.key_seq = 1),
        ),
        case(
            "under the number of another key",
            "rotated",
            with(|header| header.key_seq = 1),
        ),
    ]
}

/// Good headers with something else behind or before them.
fn bodies() -> Vec<Json> {
    let good = signed("first", 1, TIME, b"a body");
    let header = good.header.clone();
    let spoilt = |name: &str, change: fn(&mut SignedRecord)| {
        let mut record = good.clone();
        change(&mut record);
        case(name, "first", record)
    };
    let announced = |change: fn(&mut Header)| {
        let mut content = Header::decode(&header.bytes).expect("header");
        change(&mut content);
        made_up(content.encode())
    };
    let length = announced(|header| header.body_len = 7);
    let mut format = announced(|header| header.body_format = BODY_FORMAT + 1);
    format.body.clear();
    vec![
        spoilt("a changed signature", |record| {
            record.header.signature[40] ^= 1
        }),
        spoilt("a changed header", |record| record.header.bytes[70] ^= 1),
        spoilt("a signature for another domain", |record| {
            record.header.signature = sign(1, Domain::Card, &record.header.bytes);
        }),
        spoilt("a changed body", |record| record.body[0] ^= 1),
        spoilt("a body one byte short", |record| record.body.truncate(5)),
        spoilt("another salt", |record| record.salt = Salt::ZERO),
        case("another length announced", "first", length),
        case("another body format, the body changed", "first", format),
    ]
}
