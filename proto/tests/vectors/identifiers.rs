//! Domains, identifiers, the have hash and safety numbers.

use corridor_proto::domain::{self, Domain};
use corridor_proto::have::{HaveIdentity, HaveLog, have_hash};
use corridor_proto::safety::safety_number;
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Refusal};

use crate::json::{Json, hex, list, number, object, ordinal, refused, text};
use crate::seeds::{TIME, charters, event_json};

pub fn domains() -> Json {
    let input = b"corridor";
    let cases = Domain::ALL.iter().map(|domain| {
        let tag = domain.tag();
        let name = String::from_utf8(tag[..tag.len() - 1].to_vec()).expect("ascii");
        object([
            ("name", text(name)),
            ("tag", hex(tag)),
            ("message", hex(domain::message(*domain, input))),
            ("hash", hex(domain::hash(*domain, &[input]).as_bytes())),
        ])
    });
    object([
        (
            "comment",
            text(
                "Every domain: its tag with the final zero byte, the message that is signed over \
                 the input (tag, u64 length, input), and SHA-256 of that same message.",
            ),
        ),
        ("input", hex(input)),
        ("cases", list(cases)),
    ])
}

pub fn identifiers() -> Json {
    let rcps = charters().map(|(name, charter)| {
        let first = &charter.events()[0];
        object([
            ("name", text(name)),
            ("first_event", event_json(first)),
            ("rcp", hex(charter.rcp().as_bytes())),
            ("text", text(charter.rcp().to_string())),
            (
                "certificate_name",
                text(format!("{}.corridor.invalid", charter.rcp())),
            ),
        ])
    });
    let rcp = charters()[0].1.rcp();
    let logs = [
        LogSeed::ZERO,
        LogSeed::new([7; 16]),
        LogSeed::new([0xff; 16]),
    ]
    .map(|seed| {
        let log = LogId::derive(&rcp, &seed);
        object([
            ("rcp", hex(rcp.as_bytes())),
            ("seed", hex(seed.as_bytes())),
            ("log", hex(log.as_bytes())),
            ("text", text(log.to_string())),
        ])
    });
    let records = [0x00, 0x5a, 0xff].map(|byte| {
        let record = RecordId::new([byte; 16]);
        object([
            ("record", hex(record.as_bytes())),
            ("text", text(record.to_string())),
        ])
    });
    object([
        (
            "comment",
            text(
                "Identifiers: an RcpId from its first event, a LogId from RcpId and seed (zeros \
                 for public), and the one text of each. Refused texts are of 32 byte identifiers \
                 unless bytes says 16.",
            ),
        ),
        ("rcps", list(rcps)),
        ("logs", list(logs)),
        ("records", list(records)),
        ("refused", list(refused_texts())),
    ])
}

fn refused_texts() -> Vec<Json> {
    let good = RcpId::new([0xff; 32]).to_string();
    let short = RecordId::new([0xff; 16]).to_string();
    let read = |text: &str| text.parse::<RcpId>();
    let case = |name: &str, value: String| {
        let verdict = read(&value);
        refused(
            name,
            [("bytes", number(32_u64)), ("text", text(value))],
            verdict,
        )
    };
    let mut cases = vec![
        case("empty", String::new()),
        case("upper case", good.to_ascii_uppercase()),
        case("one letter in upper case", format!("A{}", &good[1..])),
        case(
            "unused bits of the last letter are set",
            format!("{}r", &good[..51]),
        ),
        case("one letter short", good[..51].to_owned()),
        case("one letter long", format!("{good}a")),
        case("the text of 16 bytes", short.clone()),
        case("with padding", format!("{good}====")),
        case("a digit that base32 has not", format!("1{}", &good[1..])),
        case("with a space", format!(" {}", &good[1..])),
    ];
    let record = |value: &str| -> Result<RecordId, Refusal> { value.parse() };
    let bad = format!("{}5", &short[..25]);
    let verdict = record(&bad);
    let name = "unused bits of the last letter of 16 bytes are set";
    cases.push(refused(
        name,
        [("bytes", number(16_u64)), ("text", text(bad))],
        verdict,
    ));
    cases
}

fn side(byte: u8, key_seq: u32, card_serial: u64) -> HaveIdentity {
    HaveIdentity {
        rcp: RcpId::new([byte; 32]),
        key_seq,
        card_serial,
    }
}

pub fn have() -> Json {
    let log = |byte: u8, incarnation, size| HaveLog {
        log: LogId::new([byte; 32]),
        incarnation,
        size,
        root: Hash::new([byte ^ 0xff; 32]),
        key_seq: u32::from(byte),
    };
    let case = |name: &str, pair: [HaveIdentity; 2], logs: &[HaveLog]| {
        let sides = pair.iter().map(|side| {
            object([
                ("rcp", hex(side.rcp.as_bytes())),
                ("key_seq", number(side.key_seq)),
                ("card_serial", ordinal(side.card_serial)),
            ])
        });
        let shown = logs.iter().map(|log| {
            object([
                ("log", hex(log.log.as_bytes())),
                ("incarnation", ordinal(log.incarnation)),
                ("size", ordinal(log.size)),
                ("root", hex(log.root.as_bytes())),
                ("key_seq", number(log.key_seq)),
            ])
        });
        object([
            ("name", text(name)),
            ("pair", list(sides)),
            ("logs", list(shown)),
            ("have", hex(have_hash(pair, logs).as_bytes())),
        ])
    };
    let two = [side(3, 2, 9), side(4, 0, 5)];
    object([
        (
            "comment",
            text(
                "The have hash. The two RCPs and the logs count in ascending order of their \
                 identifiers, whatever the order given; of a log given twice the entry that sorts \
                 first counts.",
            ),
        ),
        (
            "cases",
            list([
                case("nothing shared", [side(1, 0, 0), side(2, 0, 0)], &[]),
                case(
                    "one log",
                    [side(1, 0, TIME), side(2, 1, 7)],
                    &[log(1, 0, 3)],
                ),
                case("two logs", two, &[log(1, 0, 3), log(2, 77, 0)]),
                case(
                    "all in the other order",
                    [two[1], two[0]],
                    &[log(2, 77, 0), log(1, 0, 3)],
                ),
                case(
                    "a log twice",
                    two,
                    &[log(2, 77, 0), log(1, 0, 4), log(1, 0, 3)],
                ),
            ]),
        ),
    ])
}

pub fn safety() -> Json {
    let [first, other] = ["first", "other"].map(|name| crate::seeds::charter(name).rcp());
    let pairs = [
        (first, other),
        (other, first),
        (RcpId::new([1; 32]), RcpId::new([2; 32])),
        (RcpId::ZERO, RcpId::new([0xff; 32])),
    ];
    let cases = pairs.map(|(one, other)| {
        object([
            ("one", hex(one.as_bytes())),
            ("other", hex(other.as_bytes())),
            ("number", text(safety_number(&one, &other))),
        ])
    });
    object([
        (
            "comment",
            text("Safety numbers; the second pair is the first one the other way round."),
        ),
        ("cases", list(cases)),
    ])
}
