//! Limits: each is the number that PROTOCOL.md names; it holds at that number, and not one above.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use corridor_proto::attachment::{attachment_id, attachment_tree, verify_chunk};
use corridor_proto::card::Card;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint};
use corridor_proto::id::next_ordinal;
use corridor_proto::key::SecretKey;
use corridor_proto::layout::{Reader, Writer};
use corridor_proto::limits::*;
use corridor_proto::line::{ReadLine, ReaderList, read_line};
use corridor_proto::package::Package;
use corridor_proto::record::{Header, NewRecord};
use corridor_proto::tree::{Frontier, Tree, leaf_hash, verify_consistency, verify_inclusion};
use corridor_proto::wire::{self, Identity, Invitation};
use corridor_proto::{Hash, LogId, RcpId, Reason, RecordId, Refusal, Salt, UnixMillis, v1};
use data_encoding::BASE64URL_NOPAD;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

fn charter() -> Charter {
    Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
}

fn reason<T>(verdict: Result<T, Refusal>) -> Option<Reason> {
    verdict.err().map(|refusal| refusal.reason)
}

/// What a limit is, as section 14 has it, and what the code has.
const NUMBERS: [(&str, usize, usize); 19] = [
    (
        "| part of a bundle; bundle | 2 MiB; 2 GiB |",
        BUNDLE_PART_BYTES_MAX,
        2_097_152,
    ),
    ("| header | 512 bytes |", HEADER_BYTES_MAX, 512),
    ("| line | 256 bytes |", LINE_BYTES_MAX, 256),
    ("| 1,024 bytes; 1,000 |", KEY_EVENT_BYTES_MAX, 1_024),
    ("| 1,024 bytes; 1,000 |", KEY_EVENTS_MAX, 1_000),
    ("| card | 16 KiB |", CARD_BYTES_MAX, 16_384),
    ("| body, without salt | 256 KiB |", BODY_BYTES_MAX, 262_144),
    ("| note of a withdrawal | 16 KiB |", NOTE_BYTES_MAX, 16_384),
    ("| 1,024; 256 bytes; 64 KiB |", READERS_MAX, 1_024),
    ("| 1,024; 256 bytes; 64 KiB |", CIRCLE_NAME_BYTES_MAX, 256),
    (
        "| 1,024; 256 bytes; 64 KiB |",
        READER_LIST_BYTES_MAX,
        65_536,
    ),
    ("| package | 256 lines, 1 MiB |", PACKAGE_LINES_MAX, 256),
    (
        "| package | 256 lines, 1 MiB |",
        PACKAGE_BYTES_MAX,
        1_048_576,
    ),
    ("| proof | 126 hashes |", PROOF_HASHES_MAX, 126),
    ("cosignature | 1,024 bytes |", NOTE_TEXT_BYTES_MAX, 1_024),
    (
        "(26,214,400); 65,536 bytes |",
        ATTACHMENT_CHUNK_BYTES,
        65_536,
    ),
    ("| session padding | 256 bytes |", SESSION_PAD_BYTES, 256),
    (
        "| invitation file; its token | 2 MiB;",
        INVITATION_BYTES_MAX,
        2_097_152,
    ),
    ("| 16; 32 |", NESTING_MAX, 16),
];

#[test]
fn limits_are_those_of_the_protocol() {
    let page = include_str!("../PROTOCOL.md");
    for (row, number, expected) in NUMBERS {
        assert_eq!(number, expected, "{row}");
        assert!(page.contains(row), "PROTOCOL.md does not say {row}");
    }
    assert_eq!(ATTACHMENT_BYTES_MAX, 26_214_400);
    assert_eq!(ORDINAL_MAX, u64::MAX / 2);
    assert_eq!(SAFETY_ROUNDS, 1_048_576);
}

#[test]
fn ordinals_end_below_two_to_the_sixty_third() {
    let read = |number: u64| {
        let bytes = number.to_be_bytes();
        Reader::new("number", &bytes, 8).unwrap().ordinal()
    };
    assert_eq!(read(ORDINAL_MAX), Ok(ORDINAL_MAX));
    assert_eq!(reason(read(ORDINAL_MAX + 1)), Some(Reason::Malformed));
    let last = next_ordinal(ORDINAL_MAX - 1, UnixMillis(0));
    assert_eq!(last, Some(ORDINAL_MAX));
    let by_clock = |now| next_ordinal(0, UnixMillis(now));
    assert_eq!(by_clock(ORDINAL_MAX), Some(ORDINAL_MAX));
    assert_eq!(by_clock(ORDINAL_MAX + 1), None);
    let text = |incarnation, size| {
        let root = Hash::new([3; 32]);
        let log = LogId::new([1; 32]);
        let checkpoint = Checkpoint {
            log,
            incarnation,
            size,
            root,
        };
        Checkpoint::parse_text(&checkpoint.text()).ok() == Some(checkpoint)
    };
    assert!(text(ORDINAL_MAX, ORDINAL_MAX));
    assert!(!text(ORDINAL_MAX + 1, 1) && !text(1, ORDINAL_MAX + 1));
}

#[test]
fn times_stay_in_their_range() {
    let now = UnixMillis(7);
    assert_eq!(now.plus(3), UnixMillis(10));
    assert_eq!(UnixMillis(u64::MAX).plus(1), UnixMillis(u64::MAX));
    assert_eq!(now.since(UnixMillis(2)), 5);
    assert_eq!(now.since(UnixMillis(9)), 0);
}

#[test]
fn a_card_has_sixteen_kibibytes_at_most() {
    let card = |name_bytes: usize| Card {
        rcp: charter().rcp(),
        key_seq: 0,
        serial: 1,
        tls_key: Hash::new([3; 32]),
        bundle_key: [4; 32],
        versions: vec![1],
        names: vec![("en".into(), "x".repeat(name_bytes))],
        addresses: Vec::new(),
    };
    let bare = card(0).encode().unwrap().len();
    let most = card(CARD_BYTES_MAX - bare).encode().unwrap();
    assert_eq!(most.len(), CARD_BYTES_MAX);
    assert!(Card::decode(&most).is_ok());
    let over = card(CARD_BYTES_MAX - bare + 1);
    assert_eq!(reason(over.encode()), Some(Reason::TooLong));
    assert_eq!(reason(over.sign(&key(1))), Some(Reason::TooLong));
    let longer = [most, vec![0]].concat();
    assert_eq!(reason(Card::decode(&longer)), Some(Reason::TooLong));
}

#[test]
fn the_newest_card_is_that_of_the_newest_key_and_then_the_highest_serial() {
    let mut rotated = charter();
    let next = key(4).public_bytes();
    let event = SignedKeyEvent::rotation(&rotated, &key(2), &key(3), &next, None).unwrap();
    rotated.push(event).unwrap();
    let card = |key_seq: u32, serial, name: &str| {
        let by = if key_seq == 0 { key(1) } else { key(3) };
        let of = if key_seq == 0 {
            charter()
        } else {
            rotated.clone()
        };
        let card = Card {
            rcp: of.rcp(),
            key_seq,
            serial,
            tls_key: Hash::new([3; 32]),
            bundle_key: [4; 32],
            versions: vec![1],
            names: vec![("en".into(), name.into())],
            addresses: Vec::new(),
        };
        card.sign(&by).unwrap().verify(&of).expect("a card")
    };
    let (old, higher, newer) = (card(0, 5, "a"), card(0, 6, "a"), card(1, 1, "a"));
    for (one, other, is_newer) in [
        (&old, &old, false),
        (&higher, &old, true),
        (&old, &higher, false),
        (&newer, &higher, true),
        (&higher, &newer, false),
    ] {
        assert_eq!(one.is_newer_than(other), is_newer);
    }
    // Of two with one serial exactly one counts, whoever asks.
    let twin = card(0, 5, "b");
    assert_ne!(old.is_newer_than(&twin), twin.is_newer_than(&old));
}

#[test]
fn a_body_has_256_kibibytes_at_most_and_a_version_is_an_ordinal() {
    let sign = |bytes: usize, version| {
        let new = NewRecord {
            record: RecordId::new([1; 16]),
            version,
            kind: 1,
            time: UnixMillis(5),
            salt: Salt::new([2; 32]),
            body: vec![7; bytes],
        };
        new.sign(&charter(), &key(1))
    };
    let most = sign(BODY_BYTES_MAX, ORDINAL_MAX).unwrap();
    assert_eq!(most.header().version, ORDINAL_MAX);
    assert!(Header::decode(&most.signed().header.bytes).is_ok());
    let item = wire::record_message(3, most.clone().into_signed());
    let back = wire::record(item.clone()).unwrap();
    assert_eq!(&back, most.signed());
    assert!(back.verify(&charter()).is_ok());
    let longer = v1::RecordItem {
        body: vec![7; BODY_BYTES_MAX + 1],
        ..item
    };
    assert_eq!(reason(wire::record(longer)), Some(Reason::TooLong));
    let over = sign(BODY_BYTES_MAX + 1, 1);
    assert_eq!(reason(over), Some(Reason::TooLong));
    for version in [0, ORDINAL_MAX + 1] {
        assert_eq!(reason(sign(1, version)), Some(Reason::Malformed));
    }
    let salted = |bytes| v1::SaltedBody {
        salt: vec![1; 32],
        body: vec![0; bytes],
    };
    assert!(wire::salted(&salted(BODY_BYTES_MAX)).is_ok());
    let over = salted(BODY_BYTES_MAX + 1);
    assert_eq!(reason(wire::salted(&over)), Some(Reason::TooLong));
}

#[test]
fn a_header_says_how_long_its_body_may_be() {
    let header = |body_len| Header {
        rcp: RcpId::new([1; 32]),
        key_seq: 0,
        record: RecordId::new([2; 16]),
        version: 1,
        kind: 1,
        time: UnixMillis(5),
        body_format: 1,
        body_len,
        body_hash: Hash::new([3; 32]),
    };
    let most = u32::try_from(BODY_BYTES_MAX).unwrap();
    assert!(Header::decode(&header(most).encode()).is_ok());
    let over = Header::decode(&header(most + 1).encode());
    assert_eq!(reason(over), Some(Reason::TooLong));
}

#[test]
fn a_line_has_256_bytes_at_most_and_a_kind_from_128_may_be_carried_unread() {
    let unread = |critical| Ok(ReadLine::NotUnderstood { critical });
    let line = |kind, bytes| {
        let mut line = vec![0; bytes];
        line[..2].copy_from_slice(&[FORMAT, kind]);
        read_line(&line)
    };
    assert_eq!(line(200, LINE_BYTES_MAX), unread(false));
    assert_eq!(reason(line(200, LINE_BYTES_MAX + 1)), Some(Reason::TooLong));
    for (kind, critical) in [(6, true), (127, true), (128, false), (255, false)] {
        assert_eq!(line(kind, 40), unread(critical), "kind {kind}");
    }
    assert_eq!(read_line(&[FORMAT]), unread(true));
    assert_eq!(read_line(&[FORMAT + 1, 200]), unread(true));
}

#[test]
fn a_reader_list_ends_where_it_must() {
    let list = |readers: usize, name: usize| ReaderList {
        circle: "x".repeat(name),
        readers: (0..readers)
            .map(|at| {
                let mut rcp = [0; 32];
                rcp[..8].copy_from_slice(&u64::try_from(at).unwrap().to_be_bytes());
                (RcpId::new(rcp), UnixMillis(0))
            })
            .collect(),
        ..ReaderList::default()
    };
    let most = list(READERS_MAX, CIRCLE_NAME_BYTES_MAX);
    let bytes = most.encode().unwrap();
    assert_eq!(ReaderList::decode(&bytes), Ok(most));
    let over = [list(READERS_MAX + 1, 1), list(1, CIRCLE_NAME_BYTES_MAX + 1)];
    for over in over {
        assert_eq!(reason(over.encode()), Some(Reason::TooLong));
    }
    // The same in bytes that nobody's encoder wrote.
    let written = |name: usize| {
        let writer = Writer::new().u8(FORMAT).u8(0);
        let writer = writer.text("list", &"x".repeat(name)).unwrap();
        writer.bytes(&[0; 32]).u64(0).u16(0).finish()
    };
    assert!(ReaderList::decode(&written(CIRCLE_NAME_BYTES_MAX)).is_ok());
    let over = ReaderList::decode(&written(CIRCLE_NAME_BYTES_MAX + 1));
    assert_eq!(reason(over), Some(Reason::TooLong));
    let over = ReaderList::decode(&vec![FORMAT; READER_LIST_BYTES_MAX + 1]);
    assert_eq!(reason(over), Some(Reason::TooLong));
}

#[test]
fn a_package_has_256_lines_and_a_mebibyte_at_most() {
    let line = vec![9; 40];
    let mut tree = Tree::new();
    for _ in 0..=PACKAGE_LINES_MAX {
        tree.push(leaf_hash(&line));
    }
    let head = Checkpoint {
        log: LogId::new([1; 32]),
        incarnation: 0,
        size: tree.size(),
        root: tree.root_at(tree.size()).unwrap(),
    };
    let package = |lines: Vec<Vec<u8>>| {
        let reached = u64::try_from(lines.len()).unwrap();
        let proof = tree.consistency(reached, tree.size()).unwrap_or_default();
        let package = Package {
            from: 0,
            lines,
            proof,
        };
        package.verify(&Frontier::new(), &head)
    };
    let most = package(vec![line.clone(); PACKAGE_LINES_MAX]).expect("256 lines");
    assert_eq!(most.lines().len(), PACKAGE_LINES_MAX);
    assert_eq!(most.leaves(), vec![leaf_hash(&line); PACKAGE_LINES_MAX]);
    assert_eq!(most.frontier().size(), 256);
    let over = package(vec![line; PACKAGE_LINES_MAX + 1]);
    assert_eq!(over, Err(Refusal::new("package", Reason::TooLong)));
    // Longer than any line: what is refused is the package only when that is too long itself.
    let at = package(vec![vec![9; PACKAGE_BYTES_MAX]]);
    assert_eq!(at, Err(Refusal::new("line", Reason::TooLong)));
    let over = package(vec![vec![9; PACKAGE_BYTES_MAX + 1]]);
    assert_eq!(over, Err(Refusal::new("package", Reason::TooLong)));
}

#[test]
fn a_proof_has_126_hashes_at_most() {
    let hash = Hash::new([1; 32]);
    let inclusion = |count| verify_inclusion(&hash, 1, 2, &hash, &vec![hash; count]);
    let consistency = |count| verify_consistency(1, &hash, 2, &hash, &vec![hash; count]);
    let message = |count| wire::proof(&vec![vec![1; 32]; count]).map(|_| ());
    for (at, over) in [
        (inclusion(126), inclusion(127)),
        (consistency(126), consistency(127)),
    ] {
        assert_eq!(reason(at), Some(Reason::BadProof));
        assert_eq!(reason(over), Some(Reason::TooLong));
    }
    assert_eq!(message(126), Ok(()));
    assert_eq!(reason(message(127)), Some(Reason::TooLong));
}

#[test]
fn a_note_has_1024_bytes_at_most() {
    let note = |bytes| SignedCheckpoint::parse(&vec![b'x'; bytes]);
    assert_eq!(reason(note(1_024)), Some(Reason::Malformed));
    assert_eq!(reason(note(1_025)), Some(Reason::TooLong));
}

#[test]
fn an_attachment_has_25_mebibytes_at_most() {
    let salt = Salt::new([6; 32]);
    let most = usize::try_from(ATTACHMENT_BYTES_MAX).unwrap();
    let content = vec![0; most + 1];
    let tree = attachment_tree(&salt, &content[..most]).expect("25 MiB");
    assert_eq!(tree.size(), 401);
    assert_eq!(
        reason(attachment_id(&salt, &content)),
        Some(Reason::TooLong)
    );
    let id = tree.root_at(401).unwrap();
    let chunk = |bytes, index, chunk: &[u8]| {
        let proof = tree.inclusion(index, 401).unwrap_or_default();
        verify_chunk(&id, bytes, index, chunk, &proof)
    };
    assert_eq!(chunk(ATTACHMENT_BYTES_MAX, 0, &[6; 32]), Ok(()));
    assert_eq!(chunk(ATTACHMENT_BYTES_MAX, 1, &content[..65_536]), Ok(()));
    assert_eq!(chunk(ATTACHMENT_BYTES_MAX, 400, &content[..65_536]), Ok(()));
    let over = chunk(ATTACHMENT_BYTES_MAX + 1, 0, &[6; 32]);
    assert_eq!(reason(over), Some(Reason::TooLong));
    let short = chunk(ATTACHMENT_BYTES_MAX, 1, &content[..65_535]);
    assert_eq!(reason(short), Some(Reason::Malformed));
}

#[test]
fn a_charter_has_a_thousand_events_at_most() {
    let seed = |at: u16, use_of: u8| {
        let [high, low] = at.to_be_bytes();
        let mut seed = [use_of; 32];
        seed[..2].copy_from_slice(&[high, low]);
        SecretKey::from_seed(&seed)
    };
    let first = SignedKeyEvent::inception(&seed(0, 1), &seed(0, 2));
    let mut charter = Charter::verify(vec![first]).unwrap();
    for at in 1..1_000 {
        let next = seed(at, 2).public_bytes();
        let event = SignedKeyEvent::rotation(&charter, &seed(at - 1, 2), &seed(at, 1), &next, None);
        charter.push(event.expect("a rotation")).expect("a push");
    }
    assert_eq!(charter.current_seq(), 999);
    let next = seed(1_000, 2).public_bytes();
    let over = SignedKeyEvent::rotation(&charter, &seed(999, 2), &seed(1_000, 1), &next, None);
    assert_eq!(reason(over), Some(Reason::TooLong));
    let last = charter.events()[999].clone();
    let mut over = charter.clone();
    assert_eq!(reason(over.push(last.clone())), Some(Reason::TooLong));
    let events = charter.events().to_vec();
    let more = [events.clone(), vec![last]].concat();
    assert_eq!(reason(Charter::verify(more.clone())), Some(Reason::TooLong));
    let identity = |events: &[SignedKeyEvent]| {
        let key_events = events.iter().map(wire::key_event_message).collect();
        let card = None;
        Identity::verify_beside(v1::Identity { key_events, card }, Some(&charter)).map(|_| ())
    };
    let missing = Refusal::new("card", Reason::Truncated);
    assert_eq!(identity(&events), Err(missing));
    assert_eq!(reason(identity(&more)), Some(Reason::TooLong));
}

#[test]
fn an_invitation_has_two_mebibytes_at_most() {
    let file = |bytes| Invitation::decode(&vec![0xff; bytes]);
    assert_eq!(reason(file(INVITATION_BYTES_MAX)), Some(Reason::Malformed));
    assert_eq!(
        reason(file(INVITATION_BYTES_MAX + 1)),
        Some(Reason::TooLong)
    );
    let link = |bytes: usize| {
        let letters = BASE64URL_NOPAD.encode(&vec![0; bytes]);
        Invitation::read_link(&format!("corridor-invitation:#{letters}"))
    };
    assert_eq!(
        link(INVITATION_BYTES_MAX).map(|b| b.len()),
        Ok(INVITATION_BYTES_MAX)
    );
    assert_eq!(
        reason(link(INVITATION_BYTES_MAX + 1)),
        Some(Reason::TooLong)
    );
}
