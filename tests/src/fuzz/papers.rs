//! Who somebody is: charters, identities, invitations, start numbers. What verified once, bit for
//! bit, verifies again as the same; with one bit changed it does not.

use std::sync::LazyLock;

use corridor_proto::charter::{Charter, Relation, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::start::verify_start;
use corridor_proto::wire::{self, Identity, Invitation};
use corridor_proto::{RcpId, StartNumber, v1};
use prost::Message;

use super::Input;

/// The secret key whose 32 seed bytes are all `byte`, as in the vectors.
pub fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

/// The charters of the vectors: `first`, `rotated`, `compromised` and `other`.
pub static CHARTERS: LazyLock<[Charter; 4]> = LazyLock::new(|| {
    let inception = |byte: u8| {
        let event = SignedKeyEvent::inception(&key(byte), &key(100 + byte));
        Charter::verify(vec![event]).expect("inception")
    };
    let rotated = |compromised| {
        let mut charter = inception(1);
        let next = key(102).public_bytes();
        let event = SignedKeyEvent::rotation(&charter, &key(101), &key(2), &next, compromised);
        charter.push(event.expect("rotation")).expect("push");
        charter
    };
    [inception(1), rotated(None), rotated(Some(0)), inception(31)]
});

/// The one of [`CHARTERS`] that an input chooses.
pub fn some_charter(input: &mut Input<'_>) -> &'static Charter {
    &CHARTERS[usize::from(input.byte() % 4)]
}

/// A chain of key events, as an encoded `Identity` without a card.
pub fn charter(bytes: &[u8]) {
    let Ok(message) = v1::Identity::decode(bytes) else {
        return;
    };
    let events = message.key_events.into_iter().map(wire::key_event);
    let Ok(events) = events.collect::<Result<Vec<_>, _>>() else {
        return;
    };
    let Ok(charter) = Charter::verify(events.clone()) else {
        return;
    };
    assert_eq!(charter.events(), events, "a charter keeps its events");
    let again = Charter::verify(events.clone()).expect("a charter verifies again");
    assert_eq!(charter.compare(&again), Relation::Same);
    for at in 0..events.len() {
        let mut changed = events.clone();
        let byte = usize::from(bytes[at % bytes.len()]) % changed[at].bytes.len();
        changed[at].bytes[byte] ^= 1;
        assert!(Charter::verify(changed).is_err(), "event {at} counts");
    }
}

/// An identity, verified from itself alone.
pub fn identity(bytes: &[u8]) {
    let Ok(message) = v1::Identity::decode(bytes) else {
        return;
    };
    let claimed = Identity::claimed(&message);
    let Ok(identity) = Identity::verify(message) else {
        return;
    };
    assert_eq!(claimed, Some(identity.charter.rcp()));
    same(&identity, Identity::verify(identity.message()).ok());
    let known = Some(&identity.charter);
    same(
        &identity,
        Identity::verify_beside(identity.message(), known).ok(),
    );
    let mut changed = identity.message();
    if let Some(card) = &mut changed.card {
        let byte = bytes.len() % card.card.len();
        card.card[byte] ^= 1;
    }
    assert!(Identity::verify(changed).is_err(), "the whole card counts");
}

fn same(one: &Identity, other: Option<Identity>) {
    let other = other.expect("an identity verifies again");
    assert_eq!(one.charter.compare(&other.charter), Relation::Same);
    assert_eq!(one.card, other.card);
}

/// An invitation: its file, or a link.
pub fn invitation(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(carried) = Invitation::read_link(text)
    {
        assert!(Invitation::is_link(text), "what is read is known as one");
        file(&carried);
    }
    file(bytes);
}

fn file(bytes: &[u8]) {
    let Ok(invitation) = Invitation::decode(bytes) else {
        return;
    };
    let carried = Invitation::read_link(&invitation.link()).expect("a link reads back");
    assert_eq!(carried, invitation.encode());
    let again = Invitation::decode(&carried).expect("an invitation reads back");
    assert_eq!(again.token, invitation.token);
    same(&invitation.identity, Some(again.identity));
}

/// A start number with its signature: which of four charters, the number, the signature.
pub fn start(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let charter = some_charter(&mut input);
    let (number, signature) = (StartNumber::new(input.array()), input.array());
    if verify_start(charter, &number, &signature).is_ok() {
        let signs = |key: &SecretKey, rcp: &RcpId| {
            corridor_proto::start::sign_start(key, rcp, &number) == signature
        };
        let keys = [key(1), key(2), key(31)];
        let found = keys.iter().find(|key| signs(key, &charter.rcp()));
        assert!(found.is_some(), "only its own keys sign a start");
    }
}
