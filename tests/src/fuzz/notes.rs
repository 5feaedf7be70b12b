//! Signed notes, and evidence made of them.

use corridor_proto::checkpoint::{Checkpoint, Held, SignedCheckpoint};
use corridor_proto::evidence::Evidence;
use corridor_proto::{v1, wire};
use prost::Message;

use super::papers::{CHARTERS, key};

/// A checkpoint as a signed note: it has one text, and only a key of its charter signs it.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse_text(text)
    {
        assert_eq!(checkpoint.text(), text, "a checkpoint has one text");
    }
    let Ok(signed) = SignedCheckpoint::parse(bytes) else {
        return;
    };
    assert_eq!(signed.note().as_bytes(), bytes, "a note is kept as it came");
    assert!(signed.note().starts_with(&signed.claim().text()));
    for charter in CHARTERS.iter() {
        let Ok(verified) = signed.clone().verify(charter) else {
            continue;
        };
        let by = [key(1), key(2), key(31)].map(|key| signed.claim().sign(&key));
        assert!(by.contains(&signed), "a note has one signature of a key");
        let is_head = signed.clone().verify_head(charter).is_ok();
        assert_eq!(is_head, verified.key_seq() == charter.current_seq());
    }
}

/// A cosignature.
pub fn held(bytes: &[u8]) {
    for charter in CHARTERS.iter() {
        if let Ok(held) = Held::verify(bytes, charter) {
            assert_eq!(held.holder, charter.rcp());
            let by = [key(1), key(2), key(31)].map(|key| held.sign(&key).into_bytes());
            assert!(
                by.iter().any(|note| note == bytes),
                "a receipt has one note"
            );
        }
    }
}

/// Evidence: what it proves does not depend on which side is told first.
pub fn evidence(bytes: &[u8]) {
    let Ok(message) = v1::Evidence::decode(bytes) else {
        return;
    };
    let Ok(evidence) = wire::evidence(message) else {
        return;
    };
    let turned = match evidence.clone() {
        Evidence::TwoRoots([a, b]) => Evidence::TwoRoots([b, a]),
        Evidence::TwoLines {
            index,
            sides: [a, b],
        } => Evidence::TwoLines {
            index,
            sides: [b, a],
        },
        Evidence::TwoVersions([a, b]) => Evidence::TwoVersions([b, a]),
        Evidence::TwoKeyEvents([a, b]) => Evidence::TwoKeyEvents([b, a]),
    };
    for charter in CHARTERS.iter() {
        let (one, other) = (evidence.verify(charter), turned.verify(charter));
        assert_eq!(one.ok(), other.ok(), "evidence has no first side");
    }
}
