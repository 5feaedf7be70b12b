//! Cards: the layout, which of two counts, and refusals.

use corridor_proto::Hash;
use corridor_proto::card::{Card, SignedCard, tls_key_hash};
use corridor_proto::domain::{self, Domain};
use corridor_proto::limits::CARD_BYTES_MAX;

use crate::json::{Json, hex, list, number, object, ordinal, refused, repeat, text};
use crate::seeds::{TIME, charter, charters_json, flipped, key, sign};

const SPKI: &[u8] = b"the DER of a SubjectPublicKeyInfo";

fn content(of: &str, serial: u64) -> Card {
    let charter = charter(of);
    Card {
        rcp: charter.rcp(),
        key_seq: charter.current_seq(),
        serial,
        tls_key: tls_key_hash(SPKI),
        bundle_key: [5; 32],
        versions: vec![1],
        names: vec![
            ("ar".into(), "حوار أبوظبي".into()),
            ("en".into(), "Abu Dhabi Dialogue".into()),
        ],
        addresses: vec!["192.0.2.7:7400".into(), "[2001:db8::7]:7400".into()],
    }
}

fn signed(card: &Card, byte: u8) -> SignedCard {
    card.sign(&key(byte)).expect("sign")
}

fn bare() -> Card {
    Card {
        versions: Vec::new(),
        names: Vec::new(),
        addresses: Vec::new(),
        ..content("first", TIME)
    }
}

pub fn card() -> Json {
    let renamed = Card {
        names: Vec::new(),
        ..content("first", TIME + 1)
    };
    object([
        (
            "comment",
            text(
                "Cards, judged by the charter that each case names. Of several good cards of one \
                 RCP the one with the highest order counts: key event, serial, hash.",
            ),
        ),
        ("charters", charters_json()),
        (
            "tls_keys",
            list([object([
                ("spki", hex(SPKI)),
                ("tls_key", hex(tls_key_hash(SPKI).as_bytes())),
            ])]),
        ),
        (
            "good",
            list([
                good("names and addresses", "first", 1, &content("first", TIME)),
                good("neither version nor name nor address", "first", 1, &bare()),
                good("a higher serial", "first", 1, &content("first", TIME + 1)),
                good("the same serial again", "first", 1, &renamed),
                good(
                    "under the next key, serial 0",
                    "rotated",
                    2,
                    &content("rotated", 0),
                ),
            ]),
        ),
        ("refused", list(layouts().into_iter().chain(judged()))),
    ])
}

fn good(name: &str, of: &str, byte: u8, card: &Card) -> Json {
    let verified = signed(card, byte).verify(&charter(of)).expect("verify");
    let bytes = &verified.signed().bytes;
    let names = card
        .names
        .iter()
        .map(|(tag, name)| object([("tag", text(tag.as_str())), ("name", text(name.as_str()))]));
    let content = object([
        ("rcp", hex(card.rcp.as_bytes())),
        ("key_seq", number(card.key_seq)),
        ("serial", ordinal(card.serial)),
        ("tls_key", hex(card.tls_key.as_bytes())),
        ("bundle_key", hex(card.bundle_key)),
        (
            "versions",
            list(card.versions.iter().map(|version| number(*version))),
        ),
        ("names", list(names)),
        (
            "addresses",
            list(card.addresses.iter().map(|address| text(address.as_str()))),
        ),
    ]);
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("content", content),
        ("card", hex(bytes)),
        ("message", hex(domain::message(Domain::Card, bytes))),
        ("signature", hex(verified.signed().signature)),
        ("seed", hex([byte; 32])),
        (
            "hash",
            hex(domain::hash(Domain::CardHash, &[bytes]).as_bytes()),
        ),
    ])
}

fn case(name: &str, of: &str, card: SignedCard) -> Json {
    let fields = [
        ("charter", text(of)),
        ("card", hex(&card.bytes)),
        ("signature", hex(card.signature)),
    ];
    refused(name, fields, card.verify(&charter(of)))
}

fn made_up(bytes: Vec<u8>) -> SignedCard {
    SignedCard {
        signature: sign(1, Domain::Card, &bytes),
        bytes,
    }
}

/// Well signed, and no layout.
fn layouts() -> Vec<Json> {
    let good = signed(&content("first", TIME), 1).bytes;
    let first = |name: &str, bytes: Vec<u8>| case(name, "first", made_up(bytes));
    let at = |offset: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        bytes
    };
    let long = SignedCard {
        bytes: vec![1; CARD_BYTES_MAX + 1],
        signature: [0; 64],
    };
    let long_fields = [
        ("charter", text("first")),
        ("card", repeat(1, long.bytes.len())),
        ("signature", hex(long.signature)),
    ];
    let mut not_text = bare().encode().expect("encode");
    not_text.splice(111.., [0, 0, 0, 1, 0, 1, 0xff]);
    vec![
        refused("over 16 KiB", long_fields, long.verify(&charter("first"))),
        first("without its last byte", good[..good.len() - 1].to_vec()),
        first("no byte", Vec::new()),
        first("a byte after its end", [&good[..], &[0]].concat()),
        first("an unknown format", at(0, 2)),
        first("a serial of 2^63", at(37, 0x80)),
        first("an address that is not UTF-8", not_text),
    ]
}

/// Layouts that do not fit the charter, or are not signed.
fn judged() -> Vec<Json> {
    let good = signed(&content("first", TIME), 1);
    let unknown = Card {
        key_seq: 1,
        ..content("first", TIME)
    };
    let mut signature = good.signature;
    signature[3] ^= 1;
    let with = |bytes: Vec<u8>| SignedCard {
        bytes,
        ..good.clone()
    };
    let unsigned = Card {
        tls_key: Hash::ZERO,
        ..content("first", TIME)
    };
    let unsigned = with(unsigned.encode().expect("encode"));
    let by_another = signed(&content("first", TIME), 2);
    let changed = SignedCard {
        signature,
        ..good.clone()
    };
    vec![
        case("of another RCP", "other", good.clone()),
        case(
            "a key event that the charter has not",
            "first",
            signed(&unknown, 1),
        ),
        case("under a retired key", "rotated", good.clone()),
        case("a changed signature", "first", changed),
        case("a changed byte", "first", with(flipped(&good.bytes, 80))),
        case("signed by another key", "first", by_another),
        case("zeros as transport key, unsigned", "first", unsigned),
    ]
}
