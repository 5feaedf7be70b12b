//! Bundles: header, end, and the clear text of whole ones.

use corridor_proto::bundle::{BundleReader, BundleWriter, Header, Part, ReadError};
use corridor_proto::domain::{self, Domain};
use corridor_proto::v1::bundle_part::Part as Said;
use corridor_proto::{BundleId, RcpId, Refusal, StartNumber, UnixMillis, v1};
use prost::Message;

use crate::json::{Json, fields, hex, list, number, object, refused, text};
use crate::seeds::{TIME, charter, charters_json, flipped, key, sign};

const FIELDS: [(&str, usize); 8] = [
    ("format", 1),
    ("sender", 32),
    ("key_seq", 4),
    ("receiver", 32),
    ("bundle_key", 32),
    ("time", 8),
    ("id", 16),
    ("start_number", 16),
];

fn header(of: &str, key_seq: u32) -> Header {
    Header {
        sender: charter(of).rcp(),
        key_seq,
        receiver: charter("other").rcp(),
        bundle_key: [9; 32],
        made: UnixMillis(TIME),
        id: BundleId::new([10; 16]),
        start: StartNumber::new([7; 16]),
    }
}

fn ended(reason: &str) -> Said {
    let reason = reason.to_owned();
    let frame = v1::session_frame::Frame::Ended(v1::Ended { reason });
    Said::Session(v1::SessionFrame {
        frame: Some(frame),
        padding: Vec::new(),
    })
}

fn credit() -> Said {
    let frame = v1::carry_frame::Frame::Credit(v1::Credit { bytes: 1 });
    Said::Carry(v1::CarryFrame { frame: Some(frame) })
}

/// First line and opening, each frame, and the end.
fn pieces(of: &str, key_seq: u32, byte: u8) -> Vec<Vec<u8>> {
    let identity = v1::Identity {
        key_events: charter(of)
            .events()
            .iter()
            .map(corridor_proto::wire::key_event_message)
            .collect(),
        card: None,
    };
    let header = header(of, key_seq);
    let (mut writer, first) =
        BundleWriter::begin(identity, &header, &key(byte)).expect("an opening");
    let mut pieces = vec![first];
    for frame in [ended("STATE_CHANGED"), credit()] {
        pieces.push(writer.part(frame).expect("a part"));
    }
    let (end, parts) = writer.end(&key(byte)).expect("an end");
    assert_eq!(parts, 3);
    pieces.push(end);
    pieces
}

/// Reads a bundle to its end by a charter; gives how many frames it has.
fn read(of: &str, bytes: &[u8]) -> Result<usize, Refusal> {
    let refusal = |error| match error {
        ReadError::Refused(refusal) => refusal,
        ReadError::Io(error) => panic!("{error}"),
    };
    let charter = charter(of);
    let (mut reader, opening) = BundleReader::begin(bytes).map_err(refusal)?;
    opening.verify(&charter)?;
    let mut frames = 0;
    while let Some(part) = reader.next(&charter).map_err(refusal)? {
        frames += usize::from(!matches!(part, Part::Unknown));
    }
    Ok(frames)
}

pub fn bundle() -> Json {
    object([
        (
            "comment",
            text(
                "Clear texts of bundles, from the first line to the end, as they are inside of \
                 the encryption. Judged by the charter that each case names.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good("by the first key", "first", 0, 1),
                good("by the current key", "rotated", 1, 2),
            ]),
        ),
        ("refused", list(bad())),
    ])
}

fn good(name: &str, of: &str, key_seq: u32, byte: u8) -> Json {
    let layout = header(of, key_seq).encode();
    let pieces = pieces(of, key_seq, byte);
    let bytes = pieces.concat();
    assert_eq!(read(of, &bytes), Ok(2), "{name}");
    let end = v1::BundlePart::decode(&pieces[3][4..]).expect("a part");
    let Some(Said::End(end)) = end.part else {
        panic!("no end");
    };
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("header", hex(&layout)),
        ("layout", fields(&layout, &FIELDS)),
        ("message", hex(domain::message(Domain::Bundle, &layout))),
        ("signature", hex(sign(byte, Domain::Bundle, &layout))),
        ("end", hex(&end.end)),
        (
            "end_layout",
            fields(
                &end.end,
                &[("format", 1), ("id", 16), ("parts", 8), ("chain", 32)],
            ),
        ),
        ("end_signature", hex(&end.signature)),
        ("frames", number(2_u64)),
        ("seed", hex([byte; 32])),
        ("bundle", hex(&bytes)),
    ])
}

fn bad() -> Vec<Json> {
    let pieces = |of, key_seq, byte| -> Vec<Vec<u8>> { pieces(of, key_seq, byte) };
    let good = pieces("first", 0, 1);
    let whole = good.concat();
    let case = |name: &str, of: &str, bytes: Vec<u8>| {
        let verdict = read(of, &bytes);
        let fields = [("charter", text(of)), ("bundle", hex(&bytes))];
        refused(name, fields, verdict)
    };
    let order = |order: &[usize]| order.iter().flat_map(|at| good[*at].clone()).collect();
    let mut stranger = header("first", 0);
    stranger.sender = RcpId::new([5; 32]);
    let identity = v1::Identity::default();
    let (_, stranger) = BundleWriter::begin(identity, &stranger, &key(1)).expect("an opening");
    vec![
        case("nothing", "first", Vec::new()),
        case("another first line", "first", flipped(&whole, 16)),
        case("cut short", "first", whole[..whole.len() - 1].to_vec()),
        case("without its end", "first", order(&[0, 1, 2])),
        case("a part left out", "first", order(&[0, 1, 3])),
        case("parts changed places", "first", order(&[0, 2, 1, 3])),
        case("a part twice", "first", order(&[0, 1, 2, 2, 3])),
        case(
            "a byte of a frame changed",
            "first",
            flipped(&whole, good[0].len() + good[1].len() - 1),
        ),
        case(
            "a byte of the end's signature changed",
            "first",
            flipped(&whole, whole.len() - 1),
        ),
        case(
            "bytes behind its end",
            "first",
            [whole.clone(), vec![0]].concat(),
        ),
        case(
            "by a retired key",
            "rotated",
            pieces("rotated", 0, 1).concat(),
        ),
        case("by a key to come", "first", pieces("first", 1, 2).concat()),
        case("by another key", "first", pieces("first", 0, 2).concat()),
        case("of another RCP", "first", stranger),
        case(
            "a part that is too long",
            "first",
            [good[0].as_slice(), &[0, 32, 0, 1]].concat(),
        ),
        case(
            "a part that is none",
            "first",
            [good[0].as_slice(), &[0, 0, 0, 1, 255]].concat(),
        ),
    ]
}
