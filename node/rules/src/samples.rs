//! A node and two partners, for tests of this crate.

mod meeting;
mod node;
mod store;
mod written;

use corridor_proto::card::Card;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::key::SecretKey;
use corridor_proto::wire::{self, Identity};
use corridor_proto::{Hash, RcpId, UnixMillis, v1};

use crate::fact::{Fact, Place};
use crate::model::Model;
use crate::peer::PeerState;

pub(crate) use meeting::{End, Frame, Meeting, exchange, hello, texts, words};
pub(crate) use node::{Node, acts, meet, pair, partner_of, record};
pub(crate) use written::{Written, list, noted, salted, version, withdrawal};

pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

pub(crate) fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

/// The first event of an RCP whose signing key this is.
pub(crate) fn event(byte: u8) -> SignedKeyEvent {
    SignedKeyEvent::inception(&key(byte), &key(byte + 100))
}

pub(crate) fn charter(byte: u8) -> Charter {
    Charter::verify(vec![event(byte)]).expect("charter")
}

/// A charter of two events; the second with this signing key.
pub(crate) fn rotated(byte: u8, new: u8) -> Charter {
    let mut charter = charter(byte);
    let next = key(new + 100).public_bytes();
    let event = SignedKeyEvent::rotation(&charter, &key(byte + 100), &key(new), &next, None);
    charter.push(event.expect("rotation")).expect("push");
    charter
}

pub(crate) const ME: u8 = 1;
pub(crate) const PEER: u8 = 2;
pub(crate) const ABOUT: u8 = 3;

pub(crate) fn rcp(byte: u8) -> RcpId {
    charter(byte).rcp()
}

/// A node with two active peers, of which one is to be proved something.
pub(crate) fn model() -> Model {
    let mut model = Model::new(rcp(ME));
    for byte in [ME, PEER, ABOUT] {
        let fact = Fact::KeyEvent {
            rcp: rcp(byte),
            event: event(byte),
        };
        model.apply(None, &fact, Place::default());
    }
    for byte in [PEER, ABOUT] {
        state(&mut model, byte, PeerState::Active);
    }
    model
}

pub(crate) fn state(model: &mut Model, byte: u8, state: PeerState) {
    let fact = Fact::Peer {
        rcp: rcp(byte),
        state,
        at: NOW,
    };
    model.apply(None, &fact, Place::default());
}

pub(crate) fn identity(charter: &Charter, signer: u8) -> Identity {
    identity_with(charter, signer, 1)
}

/// A charter, and a card with this serial.
pub(crate) fn identity_with(charter: &Charter, signer: u8, serial: u64) -> Identity {
    let card = Card {
        rcp: charter.rcp(),
        key_seq: charter.current_seq(),
        serial,
        tls_key: Hash::new([6; 32]),
        bundle_key: [5; 32],
        versions: vec![1],
        names: vec![("en".into(), "An RCP".into())],
        addresses: Vec::new(),
    };
    let signed = card.sign(&key(signer)).expect("card");
    let message = v1::Identity {
        key_events: charter
            .events()
            .iter()
            .map(wire::key_event_message)
            .collect(),
        card: Some(v1::SignedCard {
            card: signed.bytes,
            signature: signed.signature.to_vec(),
        }),
    };
    Identity::verify(message).expect("identity")
}
