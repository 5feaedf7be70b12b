//! The charter: an RCP's chain of key events, from which all of its signatures are judged.
//!
//! Each event names the signing key from then on, commits to the next recovery key by its hash and
//! reveals the one committed to before, which signs it. So a thief of the signing key can neither
//! rotate nor take the name. **Invariant:** no clock, no certificate authority, no size of any log.

use std::collections::BTreeSet;

use crate::domain::{self, Domain};
use crate::id::{Hash, RcpId};
use crate::key::{NO_SIGNATURE, PublicKey, SecretKey, Signature};
use crate::layout::{Reader, Writer};
use crate::limits::{KEY_EVENT_BYTES_MAX, KEY_EVENTS_MAX};
use crate::refusal::{Reason, Refusal};

const WHAT: &str = "key event";

/// One event: from now on this is the signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// Position in the chain, first 0.
    pub seq: u32,
    /// Hash of the event before; zeros in the first.
    pub previous: Hash,
    /// The recovery key that the event before committed to; zeros in the first.
    pub recovery_key: [u8; 32],
    /// The signing key from now on.
    pub signing_key: [u8; 32],
    /// Hash of the recovery key that the next event must reveal.
    pub next_recovery: Hash,
    /// Keys of events from this one up to the one before are compromised; own `seq` means none.
    pub compromised_since: u32,
}

impl KeyEvent {
    /// The layout: format, seq, previous, recovery key, signing key, next recovery, compromised.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new()
            .u8(crate::limits::FORMAT)
            .u32(self.seq)
            .bytes(self.previous.as_bytes())
            .bytes(&self.recovery_key)
            .bytes(&self.signing_key)
            .bytes(self.next_recovery.as_bytes())
            .u32(self.compromised_since)
            .finish()
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `TooLong`, `Truncated`, `UnknownFormat`, `TrailingBytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(WHAT, bytes, KEY_EVENT_BYTES_MAX)?;
        reader.format()?;
        let event = Self {
            seq: reader.u32()?,
            previous: Hash::new(reader.array()?),
            recovery_key: reader.array()?,
            signing_key: reader.array()?,
            next_recovery: Hash::new(reader.array()?),
            compromised_since: reader.u32()?,
        };
        reader.finish()?;
        Ok(event)
    }
}

/// An event as it is sent and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedKeyEvent {
    /// The event's layout.
    pub bytes: Vec<u8>,
    /// By the revealed recovery key; zeros in the first event.
    pub recovery_signature: Signature,
    /// By the new signing key.
    pub signing_signature: Signature,
}

impl SignedKeyEvent {
    /// The first event of a new RCP.
    pub fn inception(signing: &SecretKey, recovery: &SecretKey) -> Self {
        let bytes = KeyEvent {
            seq: 0,
            previous: Hash::ZERO,
            recovery_key: [0; 32],
            signing_key: signing.public_bytes(),
            next_recovery: recovery_commitment(&recovery.public_bytes()),
            compromised_since: 0,
        }
        .encode();
        Self {
            recovery_signature: NO_SIGNATURE,
            signing_signature: signing.sign(Domain::KeyEvent, &bytes),
            bytes,
        }
    }

    /// The event that replaces the signing key of `charter`.
    ///
    /// `compromised_since`: the first event whose key is to be declared compromised, if any.
    ///
    /// # Errors
    /// `WrongRecoveryKey` if `recovery` is not the key committed to; `KeyReuse`; `TooLong` for a
    /// full charter; `Malformed` if `compromised_since` lies ahead.
    pub fn rotation(
        charter: &Charter,
        recovery: &SecretKey,
        signing: &SecretKey,
        next_recovery: &[u8; 32],
        compromised_since: Option<u32>,
    ) -> Result<Self, Refusal> {
        let seq = charter.next_seq()?;
        let bytes = KeyEvent {
            seq,
            previous: charter.tip,
            recovery_key: recovery.public_bytes(),
            signing_key: signing.public_bytes(),
            next_recovery: recovery_commitment(next_recovery),
            compromised_since: compromised_since.unwrap_or(seq),
        }
        .encode();
        let signed = Self {
            recovery_signature: recovery.sign(Domain::KeyEvent, &bytes),
            signing_signature: signing.sign(Domain::KeyEvent, &bytes),
            bytes,
        };
        let mut after = charter.clone();
        after.push(signed.clone())?;
        Ok(signed)
    }
}

/// Hash by which an event commits to the next recovery key.
pub fn recovery_commitment(recovery_key: &[u8; 32]) -> Hash {
    domain::hash(Domain::Recovery, &[recovery_key])
}

/// A verified charter.
#[derive(Clone, Debug)]
pub struct Charter {
    rcp: RcpId,
    events: Vec<SignedKeyEvent>,
    keys: Vec<PublicKey>,
    compromised: Vec<bool>,
    used: BTreeSet<[u8; 32]>,
    commitments: BTreeSet<Hash>,
    signing_commitments: BTreeSet<Hash>,
    tip: Hash,
}

impl Charter {
    /// Verifies a whole charter from its first event, with nothing else.
    ///
    /// # Errors
    /// `Truncated` for an empty one, `TooLong` over a thousand events, and whatever is wrong with
    /// one of its events.
    pub fn verify(events: Vec<SignedKeyEvent>) -> Result<Self, Refusal> {
        if events.len() > KEY_EVENTS_MAX {
            return Err(Refusal::new("charter", Reason::TooLong));
        }
        let Some(first) = events.first() else {
            return Err(Refusal::new("charter", Reason::Truncated));
        };
        let mut charter = Self {
            rcp: rcp_id(&first.bytes),
            events: Vec::with_capacity(events.len()),
            keys: Vec::with_capacity(events.len()),
            compromised: Vec::with_capacity(events.len()),
            used: BTreeSet::new(),
            commitments: BTreeSet::new(),
            signing_commitments: BTreeSet::new(),
            tip: Hash::ZERO,
        };
        for event in events {
            charter.push(event)?;
        }
        Ok(charter)
    }

    /// Verifies one more event and appends it.
    ///
    /// # Errors
    /// `BrokenChain`, `WrongRecoveryKey`, `KeyReuse`, `WeakKey`, `BadSignature`, `Malformed` and
    /// those of [`KeyEvent::decode`].
    pub fn push(&mut self, signed: SignedKeyEvent) -> Result<(), Refusal> {
        let refuse = |reason| Err(Refusal::new(WHAT, reason));
        let event = KeyEvent::decode(&signed.bytes)?;
        if event.seq != self.next_seq()? || event.previous != self.tip {
            return refuse(Reason::BrokenChain);
        }
        if event.compromised_since > event.seq {
            return refuse(Reason::Malformed);
        }
        let signing = PublicKey::from_bytes(WHAT, &event.signing_key)?;
        if event.seq == 0 {
            if event.recovery_key != [0; 32] || signed.recovery_signature != NO_SIGNATURE {
                return refuse(Reason::Malformed);
            }
        } else {
            self.check_recovery(&event, &signed)?;
        }
        let commitment = recovery_commitment(&event.signing_key);
        if self.used.contains(&event.signing_key)
            || self.commitments.contains(&commitment)
            || event.next_recovery == commitment
            || self.signing_commitments.contains(&event.next_recovery)
            || self.commitments.contains(&event.next_recovery)
        {
            return refuse(Reason::KeyReuse);
        }
        signing.verify(
            WHAT,
            Domain::KeyEvent,
            &signed.bytes,
            &signed.signing_signature,
        )?;
        self.accept(&event, signing, signed);
        Ok(())
    }

    fn check_recovery(&self, event: &KeyEvent, signed: &SignedKeyEvent) -> Result<(), Refusal> {
        let committed = self
            .events
            .last()
            .map(|last| KeyEvent::decode(&last.bytes))
            .transpose()?;
        let committed = committed.map(|last| last.next_recovery);
        if committed != Some(recovery_commitment(&event.recovery_key)) {
            return Err(Refusal::new(WHAT, Reason::WrongRecoveryKey));
        }
        PublicKey::from_bytes(WHAT, &event.recovery_key)?.verify(
            WHAT,
            Domain::KeyEvent,
            &signed.bytes,
            &signed.recovery_signature,
        )
    }

    fn accept(&mut self, event: &KeyEvent, key: PublicKey, signed: SignedKeyEvent) {
        self.tip = domain::hash(Domain::KeyEventHash, &[&signed.bytes]);
        self.used.insert(event.signing_key);
        self.commitments.insert(event.next_recovery);
        self.signing_commitments
            .insert(recovery_commitment(&event.signing_key));
        self.keys.push(key);
        self.compromised.push(false);
        for seq in event.compromised_since..event.seq {
            if let Some(flag) = usize::try_from(seq)
                .ok()
                .and_then(|i| self.compromised.get_mut(i))
            {
                *flag = true;
            }
        }
        self.events.push(signed);
    }

    fn next_seq(&self) -> Result<u32, Refusal> {
        if self.events.len() >= KEY_EVENTS_MAX {
            return Err(Refusal::new("charter", Reason::TooLong));
        }
        u32::try_from(self.events.len()).map_err(|_| Refusal::new("charter", Reason::TooLong))
    }

    /// The RCP whose charter this is.
    pub const fn rcp(&self) -> RcpId {
        self.rcp
    }

    /// The events as they were signed.
    pub fn events(&self) -> &[SignedKeyEvent] {
        &self.events
    }

    /// Number of the newest event: its key is the current one.
    pub fn current_seq(&self) -> u32 {
        u32::try_from(self.keys.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The key of event `seq`.
    ///
    /// # Errors
    /// `UnknownKey`, about `what`, if the charter has no such event.
    pub fn key(&self, what: &'static str, seq: u32) -> Result<&PublicKey, Refusal> {
        usize::try_from(seq)
            .ok()
            .and_then(|index| self.keys.get(index))
            .ok_or_else(|| Refusal::new(what, Reason::UnknownKey))
    }

    /// All keys, the newest first, each with its event's number.
    pub fn keys_newest_first(&self) -> impl Iterator<Item = (u32, &PublicKey)> {
        (0..=self.current_seq())
            .rev()
            .filter_map(|seq| Some((seq, self.key(WHAT, seq).ok()?)))
    }

    /// Whether the key of event `seq` was declared compromised.
    pub fn is_compromised(&self, seq: u32) -> bool {
        usize::try_from(seq)
            .ok()
            .and_then(|i| self.compromised.get(i))
            .copied()
            .unwrap_or(false)
    }

    /// How another charter of the same RCP relates to this one.
    pub fn compare(&self, other: &Self) -> Relation {
        if self.rcp != other.rcp {
            return Relation::OtherRcp;
        }
        for (index, (ours, theirs)) in self.events.iter().zip(&other.events).enumerate() {
            if ours.bytes != theirs.bytes {
                return Relation::Fork {
                    seq: u32::try_from(index).unwrap_or(u32::MAX),
                };
            }
        }
        match other.events.len().cmp(&self.events.len()) {
            std::cmp::Ordering::Greater => Relation::Longer,
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Less => Relation::Shorter,
        }
    }
}

/// How one charter relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same events.
    Same,
    /// The other continues this one.
    Longer,
    /// This one continues the other.
    Shorter,
    /// Two different events with one number: evidence against the RCP.
    Fork {
        /// The number.
        seq: u32,
    },
    /// Not about the same RCP.
    OtherRcp,
}

/// The identifier that a first key event gives.
pub fn rcp_id(first_event: &[u8]) -> RcpId {
    RcpId::new(*domain::hash(Domain::Rcp, &[first_event]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn charter() -> Charter {
        Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(101))]).expect("inception")
    }

    fn rotated(charter: &Charter, from: u8, compromised: Option<u32>) -> Charter {
        let event = SignedKeyEvent::rotation(
            charter,
            &key(100 + from),
            &key(from + 1),
            &key(101 + from).public_bytes(),
            compromised,
        )
        .expect("rotation");
        let mut after = charter.clone();
        after.push(event).expect("push");
        after
    }

    #[test]
    fn the_identifier_stays_when_keys_rotate() {
        let first = charter();
        let third = rotated(&rotated(&first, 1, None), 2, Some(1));
        assert_eq!(third.rcp(), first.rcp());
        assert_eq!(third.current_seq(), 2);
        assert_eq!(first.compare(&third), Relation::Longer);
        assert_eq!(third.compare(&first), Relation::Shorter);
        assert!(!third.is_compromised(0) && third.is_compromised(1) && !third.is_compromised(2));
        let again = Charter::verify(third.events().to_vec()).expect("from the charter alone");
        assert_eq!(again.compare(&third), Relation::Same);
    }

    #[test]
    fn a_thousand_key_events_are_the_most() {
        // A key of its own for each event, and the one that is committed to.
        let key = |number: usize, sort: u8| {
            let number = u16::try_from(number).expect("few").to_be_bytes();
            SecretKey::from_seed(
                &[number[0], number[1], sort, 7]
                    .repeat(8)
                    .try_into()
                    .expect("32"),
            )
        };
        let first = SignedKeyEvent::inception(&key(0, 1), &key(0, 2));
        let mut charter = Charter::verify(vec![first]).expect("inception");
        for number in 1..KEY_EVENTS_MAX {
            let next = key(number, 2).public_bytes();
            let revealed = key(number - 1, 2);
            let event = SignedKeyEvent::rotation(&charter, &revealed, &key(number, 1), &next, None);
            charter.push(event.expect("rotation")).expect("push");
        }
        let mut events = charter.events().to_vec();
        assert_eq!(
            Charter::verify(events.clone()).map(|all| all.rcp()),
            Ok(charter.rcp())
        );
        events.push(events[1].clone());
        let refusal = Refusal::new("charter", Reason::TooLong);
        assert_eq!(
            charter.push(events[1].clone()).map_err(|r| r.reason),
            Err(Reason::TooLong)
        );
        assert_eq!(Charter::verify(events).map(|all| all.rcp()), Err(refusal));
    }

    #[test]
    fn a_thief_of_the_signing_key_cannot_rotate() {
        let thief =
            SignedKeyEvent::rotation(&charter(), &key(1), &key(9), &key(8).public_bytes(), None);
        assert_eq!(thief, Err(Refusal::new(WHAT, Reason::WrongRecoveryKey)));
    }

    #[test]
    fn the_recovery_key_never_becomes_the_signing_key() {
        let reuse = SignedKeyEvent::rotation(
            &charter(),
            &key(101),
            &key(101),
            &key(8).public_bytes(),
            None,
        );
        assert_eq!(reuse, Err(Refusal::new(WHAT, Reason::KeyReuse)));
        let back =
            SignedKeyEvent::rotation(&charter(), &key(101), &key(1), &key(8).public_bytes(), None);
        assert_eq!(back, Err(Refusal::new(WHAT, Reason::KeyReuse)));
    }

    #[test]
    fn any_changed_byte_of_a_charter_is_noticed() {
        let good = rotated(&charter(), 1, None).events().to_vec();
        for at in 0..good[1].bytes.len() {
            let mut bad = good.clone();
            bad[1].bytes[at] ^= 1;
            assert!(Charter::verify(bad).is_err(), "byte {at}");
        }
        for signature in 0..2 {
            let mut bad = good.clone();
            if signature == 0 {
                bad[1].recovery_signature[3] ^= 1;
            } else {
                bad[1].signing_signature[3] ^= 1;
            }
            assert_eq!(
                Charter::verify(bad).err().map(|r| r.reason),
                Some(Reason::BadSignature)
            );
        }
    }

    #[test]
    fn two_events_of_one_number_are_a_fork() {
        let first = charter();
        assert_eq!(
            rotated(&first, 1, None).compare(&rotated(&first, 1, Some(0))),
            Relation::Fork { seq: 1 }
        );
    }
}
