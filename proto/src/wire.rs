//! From the messages of `corridor.v1` to typed things, and back.
//!
//! **Invariant:** a message is only a carrier; whatever counts is parsed here into a type that
//! keeps its own limits, and refused with a reason otherwise.

use data_encoding::BASE64URL_NOPAD;
use prost::Message;

use crate::card::{SignedCard, VerifiedCard};
use crate::charter::{Charter, SignedKeyEvent, rcp_id};
use crate::checkpoint::SignedCheckpoint;
use crate::evidence::Evidence;
use crate::id::{Hash, RcpId, Salt, Token};
use crate::key::{NO_SIGNATURE, Signature};
use crate::limits::{
    BODY_BYTES_MAX, INVITATION_BYTES_MAX, KEY_EVENTS_MAX, PROOF_HASHES_MAX, SESSION_PAD_BYTES,
};
use crate::record::{SignedHeader, SignedRecord};
use crate::refusal::{Reason, Refusal};
use crate::v1;

/// An RCP as it introduces itself: verified charter, and the card under its current key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain of key events.
    pub charter: Charter,
    /// The newest card.
    pub card: VerifiedCard,
}

impl Identity {
    /// Verifies an identity from itself alone.
    ///
    /// # Errors
    /// Whatever is wrong with charter or card.
    pub fn verify(message: v1::Identity) -> Result<Self, Refusal> {
        Self::verify_beside(message, None)
    }

    /// As [`Identity::verify`]; a charter that is `known`, byte for byte, was verified before and
    /// is not verified again.
    ///
    /// # Errors
    /// Whatever is wrong with charter or card.
    pub fn verify_beside(message: v1::Identity, known: Option<&Charter>) -> Result<Self, Refusal> {
        if message.key_events.len() > KEY_EVENTS_MAX {
            return Err(Refusal::new("charter", Reason::TooLong));
        }
        let events: Result<Vec<_>, _> = message.key_events.into_iter().map(key_event).collect();
        let events = events?;
        let charter = match known.filter(|known| known.events() == events) {
            Some(known) => known.clone(),
            None => Charter::verify(events)?,
        };
        let card = message
            .card
            .ok_or(Refusal::new("card", Reason::Truncated))?;
        let signed = SignedCard {
            bytes: card.card,
            signature: signature("card", &card.signature)?,
        };
        let card = signed.verify(&charter)?;
        Ok(Self { charter, card })
    }

    /// Whose identity a message claims to be, without verifying anything: whoever knows whom it
    /// expects can refuse the rest at no cost. `None` without a first event.
    pub fn claimed(message: &v1::Identity) -> Option<RcpId> {
        let first = message.key_events.first()?;
        Some(rcp_id(&first.event))
    }

    /// The message that introduces this RCP.
    pub fn message(&self) -> v1::Identity {
        v1::Identity {
            key_events: self
                .charter
                .events()
                .iter()
                .map(key_event_message)
                .collect(),
            card: Some(v1::SignedCard {
                card: self.card.signed().bytes.clone(),
                signature: self.card.signed().signature.to_vec(),
            }),
        }
    }
}

/// An invitation or its acceptance.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Who invites or accepts.
    pub identity: Identity,
    /// The single-use secret.
    pub token: Token,
}

impl Invitation {
    /// Reads and verifies the file's bytes.
    ///
    /// # Errors
    /// `TooLong`, `Malformed`, and whatever is wrong with the identity.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let what = "invitation";
        if bytes.len() > INVITATION_BYTES_MAX {
            return Err(Refusal::new(what, Reason::TooLong));
        }
        let message =
            v1::Invitation::decode(bytes).map_err(|_| Refusal::new(what, Reason::Malformed))?;
        let identity = message
            .identity
            .ok_or_else(|| Refusal::new(what, Reason::Truncated))?;
        Ok(Self {
            identity: Identity::verify(identity)?,
            token: Token::from_slice(&message.token)
                .map_err(|_| Refusal::new(what, Reason::Malformed))?,
        })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        v1::Invitation {
            identity: Some(self.identity.message()),
            token: self.token.as_bytes().to_vec(),
        }
        .encode_to_vec()
    }

    /// The same as a link, which can be pasted into a message.
    pub fn link(&self) -> String {
        LINK_BEGINS.to_owned() + &BASE64URL_NOPAD.encode(&self.encode())
    }

    /// Whether a text is meant as a link; white space is left out as in [`Self::read_link`].
    pub fn is_link(text: &str) -> bool {
        let mut letters = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
        LINK_BEGINS.bytes().all(|byte| letters.next() == Some(byte))
    }

    /// The file's bytes that a link carries, not yet read. White space, which mail programs put
    /// in, is left out.
    ///
    /// # Errors
    /// `Malformed`, `TooLong`.
    pub fn read_link(text: &str) -> Result<Vec<u8>, Refusal> {
        let refused = |reason| Refusal::new("invitation link", reason);
        let malformed = || refused(Reason::Malformed);
        let text: String = text.split_ascii_whitespace().collect();
        let letters = text.strip_prefix(LINK_BEGINS).ok_or_else(malformed)?;
        if letters.len() > BASE64URL_NOPAD.encode_len(INVITATION_BYTES_MAX) {
            return Err(refused(Reason::TooLong));
        }
        let bytes = BASE64URL_NOPAD.decode(letters.as_bytes());
        bytes.map_err(|_| malformed())
    }
}

/// What follows the `#` of an address is sent to no server.
const LINK_BEGINS: &str = "corridor-invitation:#";

/// A signature's 64 bytes.
///
/// # Errors
/// `Malformed` for any other length.
pub fn signature(what: &'static str, bytes: &[u8]) -> Result<Signature, Refusal> {
    bytes
        .try_into()
        .map_err(|_| Refusal::new(what, Reason::Malformed))
}

/// A key event as it was signed; an empty recovery signature is an absent one.
///
/// # Errors
/// `Malformed` for signatures of another length.
pub fn key_event(message: v1::SignedKeyEvent) -> Result<SignedKeyEvent, Refusal> {
    let recovery_signature = match message.recovery_signature.as_slice() {
        [] => NO_SIGNATURE,
        bytes => signature("key event", bytes)?,
    };
    Ok(SignedKeyEvent {
        recovery_signature,
        signing_signature: signature("key event", &message.signing_signature)?,
        bytes: message.event,
    })
}

/// The message of a key event.
pub fn key_event_message(event: &SignedKeyEvent) -> v1::SignedKeyEvent {
    v1::SignedKeyEvent {
        event: event.bytes.clone(),
        recovery_signature: match event.recovery_signature {
            NO_SIGNATURE => Vec::new(),
            signature => signature.to_vec(),
        },
        signing_signature: event.signing_signature.to_vec(),
    }
}

/// The hashes of a proof.
///
/// # Errors
/// `TooLong`, `Malformed`.
pub fn proof(hashes: &[Vec<u8>]) -> Result<Vec<Hash>, Refusal> {
    if hashes.len() > PROOF_HASHES_MAX {
        return Err(Refusal::new("proof", Reason::TooLong));
    }
    hashes.iter().map(|hash| Hash::from_slice(hash)).collect()
}

/// The message form of a proof.
pub fn proof_message(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

/// Salt and body of something that a line names by hash.
///
/// # Errors
/// `Malformed`, `TooLong`.
pub fn salted(message: &v1::SaltedBody) -> Result<(Salt, &[u8]), Refusal> {
    if message.body.len() > BODY_BYTES_MAX {
        return Err(Refusal::new("salted body", Reason::TooLong));
    }
    Ok((salt(&message.salt)?, &message.body))
}

/// A salt; zeros stand for what is erased, so nothing may be salted with them.
fn salt(bytes: &[u8]) -> Result<Salt, Refusal> {
    let salt = Salt::from_slice(bytes)?;
    if salt.is_zero() {
        return Err(Refusal::new("salt", Reason::Malformed));
    }
    Ok(salt)
}

/// A record version as it came, not yet judged.
///
/// # Errors
/// `Malformed`, `TooLong`.
pub fn record(item: v1::RecordItem) -> Result<SignedRecord, Refusal> {
    if item.body.len() > BODY_BYTES_MAX {
        return Err(Refusal::new("record body", Reason::TooLong));
    }
    let signature = signature("record header", &item.signature)?;
    Ok(SignedRecord {
        header: SignedHeader {
            bytes: item.header,
            signature,
        },
        salt: salt(&item.salt)?,
        body: item.body,
    })
}

/// The message of a record version at `index` of a log.
pub fn record_message(index: u64, record: SignedRecord) -> v1::RecordItem {
    v1::RecordItem {
        index,
        signature: record.header.signature.to_vec(),
        header: record.header.bytes,
        salt: record.salt.as_bytes().to_vec(),
        body: record.body,
    }
}

/// Pads a session frame so that its encoding is a multiple of 256 bytes.
pub fn pad(mut frame: v1::SessionFrame) -> v1::SessionFrame {
    frame.padding.clear();
    let bare = frame.encoded_len();
    // A padding field of up to 127 bytes costs two bytes more than it holds, a longer one three.
    let mut target = (bare + 2).next_multiple_of(SESSION_PAD_BYTES);
    let mut fill = target - bare - 2;
    if fill > 127 {
        fill -= 1;
    }
    frame.padding = vec![0; fill];
    while frame.encoded_len() != target {
        // Only where the length prefix itself grows: one more block settles it.
        target += SESSION_PAD_BYTES;
        frame.padding = vec![0; target - bare - 3];
    }
    frame
}

/// Evidence as it came, not yet judged.
///
/// # Errors
/// `Truncated` for a missing side, and whatever is malformed in one of them.
pub fn evidence(message: v1::Evidence) -> Result<Evidence, Refusal> {
    use v1::evidence::Form;
    let missing = Refusal::new("evidence", Reason::Truncated);
    Ok(match message.form.ok_or(missing)? {
        Form::TwoRoots(two) => Evidence::TwoRoots([
            SignedCheckpoint::parse(&two.one)?,
            SignedCheckpoint::parse(&two.other)?,
        ]),
        Form::TwoLines(two) => Evidence::TwoLines {
            index: two.index,
            sides: [
                proved_leaf(two.one.ok_or(missing)?)?,
                proved_leaf(two.other.ok_or(missing)?)?,
            ],
        },
        Form::TwoVersions(two) => Evidence::TwoVersions([
            signed_header(two.one.ok_or(missing)?)?,
            signed_header(two.other.ok_or(missing)?)?,
        ]),
        Form::TwoKeyEvents(two) => Evidence::TwoKeyEvents([
            key_event(two.one.ok_or(missing)?)?,
            key_event(two.other.ok_or(missing)?)?,
        ]),
    })
}

/// The message of evidence about an RCP.
pub fn evidence_message(rcp: &RcpId, evidence: &Evidence) -> v1::Evidence {
    use v1::evidence::Form;
    let note = |signed: &SignedCheckpoint| signed.note().as_bytes().to_vec();
    let leaf = |(signed, leaf, proof): &(SignedCheckpoint, Hash, Vec<Hash>)| v1::ProvedLeaf {
        checkpoint: note(signed),
        leaf: leaf.as_bytes().to_vec(),
        proof: proof_message(proof),
    };
    let header = |signed: &SignedHeader| v1::SignedHeader {
        header: signed.bytes.clone(),
        signature: signed.signature.to_vec(),
    };
    let form = match evidence {
        Evidence::TwoRoots([one, other]) => Form::TwoRoots(v1::TwoCheckpoints {
            one: note(one),
            other: note(other),
        }),
        Evidence::TwoLines {
            index,
            sides: [one, other],
        } => Form::TwoLines(v1::TwoLines {
            index: *index,
            one: Some(leaf(one)),
            other: Some(leaf(other)),
        }),
        Evidence::TwoVersions([one, other]) => Form::TwoVersions(v1::TwoHeaders {
            one: Some(header(one)),
            other: Some(header(other)),
        }),
        Evidence::TwoKeyEvents([one, other]) => Form::TwoKeyEvents(v1::TwoKeyEvents {
            one: Some(key_event_message(one)),
            other: Some(key_event_message(other)),
        }),
    };
    v1::Evidence {
        rcp: rcp.as_bytes().to_vec(),
        form: Some(form),
    }
}

fn proved_leaf(leaf: v1::ProvedLeaf) -> Result<(SignedCheckpoint, Hash, Vec<Hash>), Refusal> {
    Ok((
        SignedCheckpoint::parse(&leaf.checkpoint)?,
        Hash::from_slice(&leaf.leaf)?,
        proof(&leaf.proof)?,
    ))
}

fn signed_header(message: v1::SignedHeader) -> Result<SignedHeader, Refusal> {
    Ok(SignedHeader {
        signature: signature("record header", &message.signature)?,
        bytes: message.header,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn session_frames_are_multiples_of_256_bytes_whatever_they_hold() {
        for length in 0..1_200 {
            let frame = v1::SessionFrame {
                frame: Some(v1::session_frame::Frame::Ended(v1::Ended {
                    reason: "x".repeat(length),
                })),
                padding: vec![1, 2, 3],
            };
            let padded = pad(frame);
            assert_eq!(padded.encoded_len() % SESSION_PAD_BYTES, 0, "{length}");
            assert!(
                padded.encoded_len() <= length + 2 * SESSION_PAD_BYTES,
                "{length}"
            );
            assert!(padded.padding.iter().all(|byte| *byte == 0));
        }
    }

    fn identity(byte: u8) -> Identity {
        let key = |byte: u8| crate::key::SecretKey::from_seed(&[byte; 32]);
        let event = SignedKeyEvent::inception(&key(byte), &key(byte + 1));
        let charter = Charter::verify(vec![event]).expect("charter");
        let card = crate::card::Card {
            rcp: charter.rcp(),
            key_seq: 0,
            serial: 1,
            tls_key: Hash::new([3; 32]),
            bundle_key: [4; 32],
            versions: vec![1],
            names: vec![("en".into(), "An RCP".into())],
            addresses: Vec::new(),
        };
        let signed = card.sign(&key(byte)).expect("card");
        let card = signed.verify(&charter).expect("card");
        Identity { charter, card }
    }

    #[test]
    fn an_identity_is_that_of_its_own_charter_whatever_is_known() {
        let (one, other) = (identity(1), identity(5));
        assert_ne!(one.charter.rcp(), other.charter.rcp());
        for known in [None, Some(&one.charter), Some(&other.charter)] {
            let read = Identity::verify_beside(one.message(), known).expect("identity");
            assert_eq!(read.charter.rcp(), one.charter.rcp());
        }
        assert_eq!(Identity::claimed(&one.message()), Some(one.charter.rcp()));
        assert_eq!(Identity::claimed(&v1::Identity::default()), None);
    }

    #[test]
    fn evidence_reads_as_it_was_written() {
        let rcp = RcpId::new([9; 32]);
        let [one, other] = [1, 2].map(|byte| SignedHeader {
            bytes: vec![byte; 109],
            signature: [byte; 64],
        });
        let written = evidence_message(&rcp, &Evidence::TwoVersions([one, other]));
        assert_eq!(written.rcp, rcp.as_bytes());
        let read = evidence(written.clone()).expect("evidence");
        assert_eq!(evidence_message(&rcp, &read), written);
    }

    #[test]
    fn a_link_broken_anywhere_is_still_one() {
        for text in [
            "corridor-invitation:#AAAA",
            " corridor-invitation:#\nAAAA",
            "corridor-\r\ninvitation :#AAAA",
        ] {
            assert!(Invitation::is_link(text), "{text:?}");
            assert_eq!(Invitation::read_link(text), Ok(vec![0; 3]), "{text:?}");
        }
        for text in ["", "corridor-invitation:", "an-invitation.bin"] {
            assert!(!Invitation::is_link(text), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_salted_with_zeros() {
        let body = |salt: u8| v1::SaltedBody {
            salt: vec![salt; 32],
            body: vec![1],
        };
        let refused = Refusal::new("salt", Reason::Malformed);
        assert_eq!(salted(&body(0)).map(|_| ()), Err(refused));
        assert!(salted(&body(1)).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Invitation::decode(&bytes);
            let _ = Invitation::read_link(&String::from_utf8_lossy(&bytes));
            if let Ok(message) = v1::Evidence::decode(bytes.as_slice()) {
                let _ = evidence(message);
            }
            let _ = SignedCheckpoint::parse(&bytes);
        }
    }
}
