//! Charters: key events, what they lead to, and every way in which one is refused.

use corridor_proto::charter::{Charter, KeyEvent, SignedKeyEvent, recovery_commitment};
use corridor_proto::domain::{self, Domain};
use corridor_proto::limits::{KEY_EVENT_BYTES_MAX, KEY_EVENTS_MAX};
use corridor_proto::{Hash, Refusal};

use crate::json::{Json, fields, hex, list, number, object, refused, text};
use crate::seeds::{event_json, events_json, first, flipped, key, made_up, other, rotated, sign};

const LAYOUT: [(&str, usize); 7] = [
    ("format", 1),
    ("seq", 4),
    ("previous", 32),
    ("recovery_key", 32),
    ("signing_key", 32),
    ("next_recovery", 32),
    ("compromised_since", 4),
];

pub fn charter() -> Json {
    let twice = rotated(&rotated(&first(), None), None);
    let since = rotated(&rotated(&first(), None), Some(1));
    let all = rotated(&rotated(&first(), None), Some(0));
    object([
        (
            "comment",
            text(
                "Charters. Good ones with the layout of each event, the keys behind it as seeds, \
                 the messages that are signed and the state that results; then refused ones: the \
                 events are judged in order, times repeats the list.",
            ),
        ),
        (
            "good",
            list([
                good("inception", &first()),
                good("one rotation", &rotated(&first(), None)),
                good("two rotations", &twice),
                good(
                    "the second rotation declares the key of event 1 compromised",
                    &since,
                ),
                good(
                    "the second rotation declares both older keys compromised",
                    &all,
                ),
                good("another RCP", &other()),
            ]),
        ),
        (
            "refused",
            list(
                broken()
                    .into_iter()
                    .chain(bad_keys())
                    .chain(bad_signatures())
                    .chain(bad_order()),
            ),
        ),
    ])
}

fn good(name: &str, charter: &Charter) -> Json {
    let base = if charter.rcp() == other().rcp() {
        31
    } else {
        1
    };
    let events = charter.events().iter().zip(base..).map(|(event, n)| {
        let message = domain::message(Domain::KeyEvent, &event.bytes);
        let recovery_seed = if n == base {
            Vec::new()
        } else {
            vec![99 + n; 32]
        };
        let Json::Object(mut shown) = event_json(event) else {
            unreachable!("an object");
        };
        shown.extend([
            ("layout", fields(&event.bytes, &LAYOUT)),
            ("message", hex(message)),
            (
                "hash",
                hex(domain::hash(Domain::KeyEventHash, &[&event.bytes]).as_bytes()),
            ),
            ("recovery_seed", hex(recovery_seed)),
            ("signing_seed", hex([n; 32])),
            ("next_recovery_key", hex(key(100 + n).public_bytes())),
        ]);
        Json::Object(shown)
    });
    let compromised = (0..=charter.current_seq()).filter(|seq| charter.is_compromised(*seq));
    object([
        ("name", text(name)),
        ("events", list(events)),
        ("rcp", hex(charter.rcp().as_bytes())),
        ("current_seq", number(charter.current_seq())),
        ("compromised", list(compromised.map(number))),
    ])
}

fn case(name: &str, events: Vec<SignedKeyEvent>) -> Json {
    let shown = events_json(&events);
    let verdict: Result<Charter, Refusal> = Charter::verify(events);
    refused(name, [("events", shown), ("times", number(1_u64))], verdict)
}

fn event(charter: &Charter, seq: usize) -> (SignedKeyEvent, KeyEvent) {
    let signed = charter.events()[seq].clone();
    let event = KeyEvent::decode(&signed.bytes).expect("event");
    (signed, event)
}

/// Not a chain, or not a layout.
fn broken() -> Vec<Json> {
    let (inception, content) = event(&first(), 0);
    let with = |bytes: Vec<u8>| {
        vec![SignedKeyEvent {
            signing_signature: sign(1, Domain::KeyEvent, &bytes),
            bytes,
            ..inception.clone()
        }]
    };
    let long = [inception.bytes.as_slice(), &[0; KEY_EVENT_BYTES_MAX]].concat();
    let mut format = inception.bytes.clone();
    format[0] = 2;
    let (rotation, _) = event(&rotated(&first(), None), 1);
    let (foreign, _) = event(&rotated(&other(), None), 1);
    let (second, _) = event(&rotated(&rotated(&first(), None), None), 2);
    let ahead = KeyEvent {
        compromised_since: 1,
        ..content
    };
    let full = vec![inception.clone(); KEY_EVENTS_MAX + 1];
    vec![
        case("no event", Vec::new()),
        refused(
            "more than a thousand events",
            [
                ("events", events_json(&full[..1])),
                ("times", number(full.len())),
            ],
            Charter::verify(full),
        ),
        case(
            "an event over 1,024 bytes",
            with(long[..=KEY_EVENT_BYTES_MAX].to_vec()),
        ),
        case(
            "an event without its last byte",
            with(inception.bytes[..136].to_vec()),
        ),
        case("an event without a byte", with(Vec::new())),
        case(
            "a byte after the event",
            with([inception.bytes.as_slice(), &[0]].concat()),
        ),
        case("an unknown format", with(format)),
        case("begins with a rotation", vec![rotation.clone()]),
        case("leaves out an event", vec![inception.clone(), second]),
        case(
            "two first events",
            vec![inception.clone(), inception.clone()],
        ),
        case(
            "a rotation of another RCP",
            vec![inception.clone(), foreign],
        ),
        case(
            "the first event declares itself compromised",
            vec![made_up(&ahead, None, 1)],
        ),
    ]
}

/// Keys that are weak or in the wrong place.
fn bad_keys() -> Vec<Json> {
    let (_, content) = event(&first(), 0);
    let signing = |name: &str, signing_key: [u8; 32]| {
        let event = KeyEvent {
            signing_key,
            ..content.clone()
        };
        case(name, vec![made_up(&event, None, 1)])
    };
    let mut one = [0; 32];
    one[0] = 1;
    let mut not_canonical = [0xff; 32];
    not_canonical[31] = 0x7f;
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    let revealed = KeyEvent {
        recovery_key: key(101).public_bytes(),
        ..content.clone()
    };
    let weak_commitment = KeyEvent {
        next_recovery: recovery_commitment(&one),
        ..content.clone()
    };
    let weak_inception = made_up(&weak_commitment, None, 1);
    let weak_rotation = KeyEvent {
        seq: 1,
        previous: domain::hash(Domain::KeyEventHash, &[&weak_inception.bytes]),
        recovery_key: one,
        signing_key: key(2).public_bytes(),
        next_recovery: recovery_commitment(&key(102).public_bytes()),
        compromised_since: 1,
    };
    vec![
        signing("a signing key of small order", one),
        signing("a signing key that is not canonical", not_canonical),
        signing("a signing key that is no point", off_curve),
        case(
            "a recovery key of small order",
            vec![weak_inception, made_up(&weak_rotation, Some(101), 2)],
        ),
        case(
            "the first event reveals a recovery key",
            vec![made_up(&revealed, None, 1)],
        ),
    ]
}

/// Signatures that are wrong or missing.
fn bad_signatures() -> Vec<Json> {
    let (inception, _) = event(&first(), 0);
    let (rotation, _) = event(&rotated(&first(), None), 1);
    let mut signed_twice = inception.clone();
    signed_twice.recovery_signature = sign(101, Domain::KeyEvent, &inception.bytes);
    let flip = |signature: &[u8; 64]| flipped(signature, 3).try_into().expect("64");
    let mut bad_signing = rotation.clone();
    bad_signing.signing_signature = flip(&rotation.signing_signature);
    let mut bad_recovery = rotation.clone();
    bad_recovery.recovery_signature = flip(&rotation.recovery_signature);
    let mut unsigned = rotation.clone();
    unsigned.recovery_signature = [0; 64];
    let mut other_domain = inception.clone();
    other_domain.signing_signature = sign(1, Domain::Card, &inception.bytes);
    vec![
        case(
            "the first event has a recovery signature",
            vec![signed_twice],
        ),
        case(
            "a changed signing signature",
            vec![inception.clone(), bad_signing],
        ),
        case(
            "a changed recovery signature",
            vec![inception.clone(), bad_recovery],
        ),
        case(
            "a rotation without recovery signature",
            vec![inception.clone(), unsigned],
        ),
        case("a signature for another domain", vec![other_domain]),
    ]
}

/// Good signatures by keys that may not do what they do.
fn bad_order() -> Vec<Json> {
    let (inception, _) = event(&first(), 0);
    let (_, content) = event(&rotated(&first(), None), 1);
    let after = |name: &str, event: KeyEvent, recovery: u8, signing: u8| {
        let event = made_up(&event, Some(recovery), signing);
        case(name, vec![inception.clone(), event])
    };
    let thief = KeyEvent {
        recovery_key: key(1).public_bytes(),
        signing_key: key(9).public_bytes(),
        ..content.clone()
    };
    let signing = |byte: u8| KeyEvent {
        signing_key: key(byte).public_bytes(),
        ..content.clone()
    };
    let next = |byte: u8| KeyEvent {
        next_recovery: recovery_commitment(&key(byte).public_bytes()),
        ..content.clone()
    };
    let ahead = KeyEvent {
        compromised_since: 2,
        ..content.clone()
    };
    let elsewhere = KeyEvent {
        previous: Hash::new([1; 32]),
        ..content.clone()
    };
    let later = KeyEvent {
        seq: 2,
        ..content.clone()
    };
    let becomes = "the recovery key becomes the signing key";
    let revealed = "the next recovery key is the one revealed";
    let earlier = "the next recovery key is an earlier signing key";
    vec![
        after("the signing key as recovery key", thief, 1, 9),
        after("compromised since an event to come", ahead, 101, 2),
        after("another hash of the event before", elsewhere, 101, 2),
        after("a number too high", later, 101, 2),
        after("the same signing key again", signing(1), 101, 1),
        after(becomes, signing(101), 101, 101),
        after("the next recovery key is the signing key", next(2), 101, 2),
        after(revealed, next(101), 101, 2),
        case("an older signing key comes back", older_key_back()),
        after(earlier, next(1), 101, 2),
    ]
}

/// Two rotations, the second back to the first signing key.
fn older_key_back() -> Vec<SignedKeyEvent> {
    let (inception, _) = event(&first(), 0);
    let (rotation, _) = event(&rotated(&first(), None), 1);
    let back = KeyEvent {
        seq: 2,
        previous: domain::hash(Domain::KeyEventHash, &[&rotation.bytes]),
        recovery_key: key(102).public_bytes(),
        signing_key: key(1).public_bytes(),
        next_recovery: recovery_commitment(&key(103).public_bytes()),
        compromised_since: 2,
    };
    vec![inception, rotation, made_up(&back, Some(102), 1)]
}
