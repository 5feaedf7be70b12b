//! The card: an RCP's current names, addresses and transport keys.
//!
//! A card stands outside the chain of key events and may come from anybody. Of two cards the one of
//! the later key event counts, then the higher serial, then the higher hash. **Invariant:** a card
//! grants nothing; names in it are claims.

use crate::charter::Charter;
use crate::domain::{self, Domain};
use crate::id::{Hash, RcpId};
use crate::key::{SecretKey, Signature};
use crate::layout::{Reader, Writer};
use crate::limits::CARD_BYTES_MAX;
use crate::refusal::{Reason, Refusal};

const WHAT: &str = "card";

/// What a card says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Whose card.
    pub rcp: RcpId,
    /// Key event whose key signs it.
    pub key_seq: u32,
    /// Grows with each card: max(last + 1, Unix milliseconds).
    pub serial: u64,
    /// Hash of the public transport key ([`tls_key_hash`]).
    pub tls_key: Hash,
    /// X25519 key to which bundles are encrypted.
    pub bundle_key: [u8; 32],
    /// Protocol versions spoken.
    pub versions: Vec<u16>,
    /// Names of the RCP, each with its BCP 47 tag.
    pub names: Vec<(String, String)>,
    /// Addresses at which its node listens for peers, as `host:port`; may be empty.
    pub addresses: Vec<String>,
}

impl Card {
    /// What the RCP is called: its English name if it has one, else its first; empty if none.
    pub fn name(&self) -> &str {
        let is_english = |(tag, _): &&(String, String)| tag == "en" || tag.starts_with("en-");
        let english = self.names.iter().find(is_english);
        english
            .or_else(|| self.names.first())
            .map_or("", |(_, name)| name)
    }

    /// The layout: format, RCP, key event, serial, transport key, bundle key, versions, names,
    /// addresses.
    ///
    /// # Errors
    /// `TooLong` over 16 KiB.
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let mut writer = Writer::new()
            .u8(crate::limits::FORMAT)
            .bytes(self.rcp.as_bytes())
            .u32(self.key_seq)
            .u64(self.serial)
            .bytes(self.tls_key.as_bytes())
            .bytes(&self.bundle_key)
            .count(WHAT, self.versions.len())?;
        for version in &self.versions {
            writer = writer.u16(*version);
        }
        writer = writer.count(WHAT, self.names.len())?;
        for (tag, name) in &self.names {
            writer = writer.text(WHAT, tag)?.text(WHAT, name)?;
        }
        writer = writer.count(WHAT, self.addresses.len())?;
        for address in &self.addresses {
            writer = writer.text(WHAT, address)?;
        }
        let bytes = writer.finish();
        if bytes.len() > CARD_BYTES_MAX {
            return Err(Refusal::new(WHAT, Reason::TooLong));
        }
        Ok(bytes)
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `TooLong`, `Truncated`, `UnknownFormat`, `Malformed`, `TrailingBytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(WHAT, bytes, CARD_BYTES_MAX)?;
        reader.format()?;
        let mut card = Self {
            rcp: RcpId::new(reader.array()?),
            key_seq: reader.u32()?,
            serial: reader.ordinal()?,
            tls_key: Hash::new(reader.array()?),
            bundle_key: reader.array()?,
            versions: Vec::new(),
            names: Vec::new(),
            addresses: Vec::new(),
        };
        for _ in 0..reader.u16()? {
            card.versions.push(reader.u16()?);
        }
        for _ in 0..reader.u16()? {
            card.names
                .push((reader.text()?.to_owned(), reader.text()?.to_owned()));
        }
        for _ in 0..reader.u16()? {
            card.addresses.push(reader.text()?.to_owned());
        }
        reader.finish()?;
        Ok(card)
    }

    /// Signs the card with the key of its event.
    ///
    /// # Errors
    /// `TooLong` over 16 KiB.
    pub fn sign(&self, key: &SecretKey) -> Result<SignedCard, Refusal> {
        let bytes = self.encode()?;
        Ok(SignedCard {
            signature: key.sign(Domain::Card, &bytes),
            bytes,
        })
    }
}

/// A card as it is sent and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCard {
    /// The card's layout.
    pub bytes: Vec<u8>,
    /// By the signing key of the card's event.
    pub signature: Signature,
}

impl SignedCard {
    /// Verifies the card against its RCP's charter: only the current key's card counts.
    ///
    /// # Errors
    /// `WrongRcp`, `UnknownKey`, `RetiredKey`, `BadSignature` and those of [`Card::decode`].
    pub fn verify(self, charter: &Charter) -> Result<VerifiedCard, Refusal> {
        let card = Card::decode(&self.bytes)?;
        if card.rcp != charter.rcp() {
            return Err(Refusal::new(WHAT, Reason::WrongRcp));
        }
        let key = charter.key(WHAT, card.key_seq)?;
        if card.key_seq != charter.current_seq() {
            return Err(Refusal::new(WHAT, Reason::RetiredKey));
        }
        key.verify(WHAT, Domain::Card, &self.bytes, &self.signature)?;
        Ok(VerifiedCard {
            hash: domain::hash(Domain::CardHash, &[&self.bytes]),
            card,
            signed: self,
        })
    }
}

/// A card that verified under the current key of its RCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCard {
    card: Card,
    signed: SignedCard,
    hash: Hash,
}

impl VerifiedCard {
    /// What it says.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// As it was signed.
    pub const fn signed(&self) -> &SignedCard {
        &self.signed
    }

    /// Whether this card counts instead of `other`, of the same RCP.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let order = |card: &Self| (card.card.key_seq, card.card.serial, card.hash);
        order(self) > order(other)
    }
}

/// Hash of a public transport key, by which a card pins it.
///
/// `spki`: the DER of the certificate's SubjectPublicKeyInfo.
pub fn tls_key_hash(spki: &[u8]) -> Hash {
    domain::hash(Domain::TlsKey, &[spki])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charter::SignedKeyEvent;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn card(charter: &Charter, serial: u64) -> Card {
        Card {
            rcp: charter.rcp(),
            key_seq: charter.current_seq(),
            serial,
            tls_key: tls_key_hash(b"spki"),
            bundle_key: [5; 32],
            versions: vec![1],
            names: vec![
                ("ar".into(), "حوار أبوظبي".into()),
                ("en".into(), "Abu Dhabi Dialogue".into()),
            ],
            addresses: vec!["127.0.0.1:7400".into()],
        }
    }

    #[test]
    fn an_rcp_is_called_by_its_english_name_or_its_first() {
        let charter =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let mut card = card(&charter, 1);
        assert_eq!(card.name(), "Abu Dhabi Dialogue");
        card.names[1].0 = "en-GB".into();
        assert_eq!(card.name(), "Abu Dhabi Dialogue");
        card.names[1].0 = "enm".into();
        assert_eq!(card.name(), "حوار أبوظبي");
        card.names.clear();
        assert_eq!(card.name(), "");
    }

    #[test]
    fn the_newest_card_of_the_current_key_counts() {
        let charter =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let older = card(&charter, 7)
            .sign(&key(1))
            .expect("sign")
            .verify(&charter)
            .expect("verify");
        let newer = card(&charter, 8)
            .sign(&key(1))
            .expect("sign")
            .verify(&charter)
            .expect("verify");
        assert!(newer.is_newer_than(&older) && !older.is_newer_than(&newer));
        assert!(!newer.is_newer_than(&newer));
        let mut rotated = charter.clone();
        let rotation =
            SignedKeyEvent::rotation(&charter, &key(2), &key(3), &key(4).public_bytes(), None);
        rotated.push(rotation.expect("rotation")).expect("push");
        assert_eq!(
            newer.signed().clone().verify(&rotated),
            Err(Refusal::new(WHAT, Reason::RetiredKey)),
            "a rotation voids every card of the old key"
        );
    }

    #[test]
    fn a_card_reads_back_and_every_cut_is_refused() {
        let charter =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let bytes = card(&charter, 7).encode().expect("encode");
        assert_eq!(Card::decode(&bytes), Ok(card(&charter, 7)));
        for end in 0..bytes.len() {
            assert!(Card::decode(&bytes[..end]).is_err());
        }
    }
}
