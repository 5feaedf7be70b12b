//! The fixed keys, charters and bytes from which all vectors are made.

use corridor_proto::charter::{Charter, KeyEvent, SignedKeyEvent};
use corridor_proto::domain::{self, Domain};
use corridor_proto::key::{SecretKey, Signature};
use ed25519_dalek::{Signer, SigningKey};

use crate::json::{Json, hex, list, object};

/// A time in all vectors: 2026-01-01T00:00:00Z.
pub const TIME: u64 = 1_767_225_600_000;

/// The secret key whose 32 seed bytes are all `byte`.
pub fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

/// Signs made-up bytes, for what must be refused although its signature is good.
pub fn sign(byte: u8, domain: Domain, bytes: &[u8]) -> Signature {
    sign_message(byte, &domain::message(domain, bytes))
}

/// Signs a made-up message.
pub fn sign_message(byte: u8, message: &[u8]) -> Signature {
    SigningKey::from_bytes(&[byte; 32]).sign(message).to_bytes()
}

/// The first RCP: signing key 1, recovery key 101.
pub fn first() -> Charter {
    inception(1)
}

/// Another RCP: signing key 31, recovery key 131.
pub fn other() -> Charter {
    inception(31)
}

fn inception(byte: u8) -> Charter {
    let event = SignedKeyEvent::inception(&key(byte), &key(100 + byte));
    Charter::verify(vec![event]).expect("inception")
}

/// The charter after one more rotation: signing key n + 1, next recovery key 101 + n, where n is
/// the number of events so far plus what the first signing key adds.
pub fn rotated(charter: &Charter, compromised: Option<u32>) -> Charter {
    let seq = u8::try_from(charter.events().len()).expect("short");
    let base = if charter.rcp() == other().rcp() {
        30
    } else {
        0
    };
    let n = base + seq;
    let next = key(101 + n).public_bytes();
    let event = SignedKeyEvent::rotation(charter, &key(100 + n), &key(n + 1), &next, compromised);
    let mut after = charter.clone();
    after.push(event.expect("rotation")).expect("push");
    after
}

/// An event with made-up content and the signatures that it needs.
pub fn made_up(event: &KeyEvent, recovery: Option<u8>, signing: u8) -> SignedKeyEvent {
    let bytes = event.encode();
    SignedKeyEvent {
        recovery_signature: recovery.map_or([0; 64], |byte| sign(byte, Domain::KeyEvent, &bytes)),
        signing_signature: sign(signing, Domain::KeyEvent, &bytes),
        bytes,
    }
}

/// An event as JSON.
pub fn event_json(event: &SignedKeyEvent) -> Json {
    object([
        ("event", hex(&event.bytes)),
        ("recovery_signature", hex(event.recovery_signature)),
        ("signing_signature", hex(event.signing_signature)),
    ])
}

/// A charter as JSON.
pub fn charter_json(charter: &Charter) -> Json {
    events_json(charter.events())
}

/// Events as JSON.
pub fn events_json(events: &[SignedKeyEvent]) -> Json {
    list(events.iter().map(event_json))
}

/// The charters that cases of a file name: before a rotation, after it, and after one that
/// declares the first key compromised.
pub fn charters() -> [(&'static str, Charter); 4] {
    [
        ("first", first()),
        ("rotated", rotated(&first(), None)),
        ("compromised", rotated(&first(), Some(0))),
        ("other", other()),
    ]
}

/// [`charters`] as JSON.
pub fn charters_json() -> Json {
    Json::Object(
        charters()
            .iter()
            .map(|(name, charter)| (*name, charter_json(charter)))
            .collect(),
    )
}

/// One of [`charters`].
pub fn charter(name: &str) -> Charter {
    let found = charters().into_iter().find(|(known, _)| *known == name);
    found.expect("a known charter").1
}

/// `bytes` with one bit changed at `at`.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}
