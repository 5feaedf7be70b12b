//! Frames and records as they come over the wire, before a link judges them.

use corridor_proto::charter::Charter;
use corridor_proto::limits::SESSION_PAD_BYTES;
use corridor_proto::{v1, wire};
use prost::Message;
use v1::carry_frame::Frame;

use super::papers::CHARTERS;

/// A frame of `Session`: padded, it is what it was.
pub fn session_frame(bytes: &[u8]) {
    let Ok(mut frame) = v1::SessionFrame::decode(bytes) else {
        return;
    };
    let padded = wire::pad(frame.clone());
    let encoded = padded.encode_to_vec();
    assert_eq!(encoded.len() % SESSION_PAD_BYTES, 0);
    frame.padding.clear();
    assert!(encoded.len() <= frame.encoded_len() + 2 * SESSION_PAD_BYTES);
    let mut again = v1::SessionFrame::decode(encoded.as_slice()).expect("a frame reads back");
    assert!(again.padding.iter().all(|byte| *byte == 0));
    again.padding.clear();
    assert_eq!(again, frame);
}

/// A frame of `Carry`, and what of it is parsed on its own.
pub fn carry_frame(bytes: &[u8]) {
    let Ok(frame) = v1::CarryFrame::decode(bytes) else {
        return;
    };
    match frame.frame {
        Some(Frame::Package(package)) => {
            if let Ok(proof) = wire::proof(&package.proof) {
                assert_eq!(wire::proof_message(&proof), package.proof);
            }
            for body in &package.bodies {
                if let Ok((salt, body)) = wire::salted(body) {
                    assert!(!salt.is_zero() && body.len() <= 256 * 1024);
                }
            }
        }
        Some(Frame::Records(records)) => records.records.into_iter().for_each(item),
        _ => {}
    }
}

/// A record version.
pub fn record(bytes: &[u8]) {
    if let Ok(message) = v1::RecordItem::decode(bytes) {
        item(message);
    }
}

fn item(message: v1::RecordItem) {
    let index = message.index;
    let Ok(signed) = wire::record(message.clone()) else {
        return;
    };
    assert_eq!(wire::record_message(index, signed.clone()), message);
    let judged = |signed: corridor_proto::record::SignedRecord, charter: &Charter| {
        let verified = signed.verify(charter).ok();
        verified.map(|verified| verified.version_hash())
    };
    for charter in CHARTERS.iter() {
        let Some(hash) = judged(signed.clone(), charter) else {
            continue;
        };
        assert_eq!(hash, signed.header.version_hash());
        let mut changed = signed.clone();
        changed.header.bytes[1] ^= 1;
        assert_eq!(judged(changed, charter), None, "the header counts");
        let mut changed = signed.clone();
        changed.body.push(0);
        assert_eq!(judged(changed, charter), None, "the body counts");
    }
}
