//! Start numbers, signed by a node for its peers.

use corridor_proto::StartNumber;
use corridor_proto::domain::{self, Domain};
use corridor_proto::key::Signature;
use corridor_proto::start::{sign_start, verify_start};

use crate::json::{Json, hex, list, object, refused, text};
use crate::seeds::{charter, charters_json, key, sign};

const NUMBER: StartNumber = StartNumber::new([7; 16]);

fn layout(of: &str) -> Vec<u8> {
    [&[1], charter(of).rcp().as_bytes().as_slice(), &[7; 16]].concat()
}

pub fn start() -> Json {
    object([
        (
            "comment",
            text(
                "Start numbers: what is signed is format, RcpId and number. Judged by the keys of \
                 the charter that each case names, but not by those declared compromised.",
            ),
        ),
        ("charters", charters_json()),
        (
            "good",
            list([
                good("by the first key", "first", 1),
                good("by the current key", "rotated", 2),
                good("by a retired key", "rotated", 1),
                good("by the current key after a theft", "compromised", 2),
            ]),
        ),
        ("refused", list(bad())),
    ])
}

fn good(name: &str, of: &str, byte: u8) -> Json {
    let signature = sign_start(&key(byte), &charter(of).rcp(), &NUMBER);
    verify_start(&charter(of), &NUMBER, &signature).expect("verify");
    let message = domain::message(Domain::Start, &layout(of));
    object([
        ("name", text(name)),
        ("charter", text(of)),
        ("number", hex(NUMBER.as_bytes())),
        ("layout", hex(layout(of))),
        ("message", hex(message)),
        ("signature", hex(signature)),
        ("seed", hex([byte; 32])),
    ])
}

fn bad() -> Vec<Json> {
    let case = |name: &str, of: &str, number: StartNumber, signature: Signature| {
        let fields = [
            ("charter", text(of)),
            ("number", hex(number.as_bytes())),
            ("signature", hex(signature)),
        ];
        refused(
            name,
            fields,
            verify_start(&charter(of), &number, &signature),
        )
    };
    let rcp = charter("first").rcp();
    let (first, second) = (
        sign_start(&key(1), &rcp, &NUMBER),
        sign_start(&key(2), &rcp, &NUMBER),
    );
    let other_domain = sign(1, Domain::Record, &layout("first"));
    vec![
        case("by a key to come", "first", NUMBER, second),
        case("by a compromised key", "compromised", NUMBER, first),
        case("of another RCP", "other", NUMBER, first),
        case("another number", "first", StartNumber::new([8; 16]), first),
        case(
            "a signature for another domain",
            "first",
            NUMBER,
            other_domain,
        ),
        case("no signature", "first", NUMBER, [0; 64]),
    ]
}
