//! Session frames with their padding, and invitations.

use corridor_proto::card::{Card, tls_key_hash};
use corridor_proto::domain::{self, Domain};
use corridor_proto::limits::{INVITATION_BYTES_MAX, PROTOCOL_VERSION};
use corridor_proto::v1::session_frame::Frame;
use corridor_proto::wire::{Identity, Invitation, pad};
use corridor_proto::{Token, v1};
use prost::Message;

use crate::json::{Json, hex, list, number, object, refused, repeat, text};
use crate::seeds::{TIME, charter, charter_json, key};

fn frame_of(frame: Frame) -> v1::SessionFrame {
    v1::SessionFrame {
        frame: Some(frame),
        padding: Vec::new(),
    }
}

fn case(name: &str, frame: Frame) -> Json {
    let bare = frame_of(frame);
    let padded = pad(bare.clone());
    let (bare, encoded) = (bare.encode_to_vec(), padded.encode_to_vec());
    assert_eq!(encoded.len() % 256, 0, "{name}");
    object([
        ("name", text(name)),
        ("frame", hex(&bare)),
        ("bytes", number(bare.len())),
        ("padding", number(padded.padding.len())),
        ("encoded", hex(&encoded)),
        ("encoded_bytes", number(encoded.len())),
    ])
}

pub fn frame() -> Json {
    let ended = |bytes: usize| {
        let reason = "X".repeat(bytes);
        Frame::Ended(v1::Ended { reason })
    };
    let state = v1::StateFrame {
        serving: v1::Serving::Active.into(),
        erase_after_ms: 0,
        compared: false,
    };
    let hello = v1::SessionHello {
        versions: vec![u32::from(PROTOCOL_VERSION)],
        start_number: vec![7; 16],
        have: vec![8; 32],
        last_start_number: vec![0; 16],
        start_signature: vec![9; 64],
        last_start_signature: Vec::new(),
        state: Some(v1::StateFrame {
            compared: true,
            ..state
        }),
    };
    let longest = v1::SessionHello {
        last_start_number: vec![6; 16],
        last_start_signature: vec![5; 64],
        state: Some(v1::StateFrame {
            serving: v1::Serving::Left.into(),
            erase_after_ms: i64::MAX.cast_unsigned(),
            compared: true,
        }),
        ..hello.clone()
    };
    let stopped = Frame::Ended(v1::Ended {
        reason: "STATE_CHANGED".to_owned(),
    });
    let mut cases = vec![
        case("hello", Frame::Hello(hello)),
        case("hello that is as long as one can be", Frame::Hello(longest)),
        case("state", Frame::State(state)),
        case("ended", stopped),
    ];
    let edges = [250, 251, 123, 124, 125, 126].map(|bytes| {
        let frame = ended(bytes);
        let length = frame_of(frame.clone()).encoded_len();
        case(&format!("{length} bytes before padding"), frame)
    });
    cases.extend(edges);
    object([
        (
            "comment",
            text(
                "Session frames before and after padding with zeros in field 15 to the next \
                 multiple of 256 bytes that a padding of at least one byte can reach.",
            ),
        ),
        ("cases", list(cases)),
    ])
}

fn identity() -> v1::Identity {
    let charter = charter("rotated");
    let card = Card {
        rcp: charter.rcp(),
        key_seq: charter.current_seq(),
        serial: TIME,
        tls_key: tls_key_hash(b"spki"),
        bundle_key: [5; 32],
        versions: vec![PROTOCOL_VERSION],
        names: vec![("en".into(), "Bali Process".into())],
        addresses: vec!["192.0.2.8:7400".into()],
    };
    let card = card
        .sign(&key(2))
        .expect("sign")
        .verify(&charter)
        .expect("verify");
    Identity { charter, card }.message()
}

pub fn invitation() -> Json {
    let good = v1::Invitation {
        identity: Some(identity()),
        token: vec![0x21; 32],
    };
    let bytes = good.encode_to_vec();
    let read = Invitation::decode(&bytes).expect("decode");
    assert_eq!(read.encode(), bytes);
    let card = read.identity.card.signed();
    let token: &Token = &read.token;
    object([
        (
            "comment",
            text(
                "An invitation or acceptance file: an encoded corridor.v1.Invitation. token_hash \
                 is what the inviting node keeps of the token. The links carry the same bytes; \
                 `and` is appended to a link.",
            ),
        ),
        (
            "good",
            list([object([
                ("name", text("after a rotation")),
                ("invitation", hex(&bytes)),
                ("events", charter_json(&read.identity.charter)),
                ("rcp", hex(read.identity.charter.rcp().as_bytes())),
                ("card", hex(&card.bytes)),
                ("card_signature", hex(card.signature)),
                ("token", hex(token.as_bytes())),
                (
                    "token_hash",
                    hex(domain::hash(Domain::InvitationToken, &[token.as_bytes()]).as_bytes()),
                ),
                ("link", text(read.link())),
                ("link_in_a_message", text(wrapped(&read.link()))),
            ])]),
        ),
        ("refused", list(refusals(&good))),
        ("refused_links", list(refused_links(&read.link()))),
    ])
}

/// A link as a mail program leaves it.
fn wrapped(link: &str) -> String {
    let (one, rest) = link.split_at(76);
    let (two, rest) = rest.split_at(76);
    let wrapped = format!(" {one}\r\n{two}\n\t{rest}\n");
    let read = Invitation::read_link(&wrapped).expect("a link");
    assert_eq!(Invitation::read_link(link), Ok(read));
    wrapped
}

fn refused_links(link: &str) -> Vec<Json> {
    let case =
        |name: &str, link: &str| refused(name, [("link", text(link))], Invitation::read_link(link));
    let (begins, letters) = link.split_at(21);
    let count = 2_796_203 + 1;
    let long = format!("{begins}{}", "A".repeat(count));
    let fields = [("link", text(begins)), ("and", repeat(b'A', count))];
    vec![
        refused("over 2 MiB", fields, Invitation::read_link(&long)),
        case("without its beginning", letters),
        case("another beginning", &format!("corridor:{letters}")),
        case(
            "its beginning in capitals",
            &format!("CORRIDOR-INVITATION:#{letters}"),
        ),
        case("with padding", &format!("{link}=")),
        case("in the alphabet of base64", &format!("{begins}+/+/")),
        case("one letter too many", &format!("{begins}AAAAA")),
        case("unused bits set", &format!("{begins}AB")),
    ]
}

fn refusals(good: &v1::Invitation) -> Vec<Json> {
    let case = |name: &str, bytes: Vec<u8>| {
        let verdict = Invitation::decode(&bytes);
        refused(name, [("invitation", hex(bytes))], verdict)
    };
    let with = |name: &str, change: fn(&mut v1::Identity)| {
        let mut invitation = good.clone();
        let mut identity = identity();
        change(&mut identity);
        invitation.identity = Some(identity);
        case(name, invitation.encode_to_vec())
    };
    let bytes = good.encode_to_vec();
    let token = |bytes: usize| v1::Invitation {
        token: vec![0x21; bytes],
        ..good.clone()
    };
    let anonymous = v1::Invitation {
        identity: None,
        ..good.clone()
    };
    let huge = vec![0; INVITATION_BYTES_MAX + 1];
    let verdict = Invitation::decode(&huge);
    vec![
        refused(
            "over 2 MiB",
            [("invitation", repeat(0, huge.len()))],
            verdict,
        ),
        case("cut off", bytes[..bytes.len() - 1].to_vec()),
        case("no message", vec![0xff, 0xff, 0xff]),
        case("a token of 31 bytes", token(31).encode_to_vec()),
        case("no token", token(0).encode_to_vec()),
        case("nothing", Vec::new()),
        case("no identity", anonymous.encode_to_vec()),
        with("no card", |identity| identity.card = None),
        with("no key event", |identity| identity.key_events.clear()),
        with("the rotation left out", |identity| {
            drop(identity.key_events.pop())
        }),
        with("a signature of 63 bytes", |identity| {
            identity.key_events[0].signing_signature.truncate(63);
        }),
        with("a changed signature of the card", |identity| {
            if let Some(card) = &mut identity.card {
                card.signature[0] ^= 1;
            }
        }),
        with("the first event without its signature", |identity| {
            identity.key_events[0].signing_signature = vec![0; 64];
        }),
    ]
}
