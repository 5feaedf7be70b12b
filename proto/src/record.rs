//! Records: a header that is signed, and a salted body that the header names by hash.
//!
//! Types climb: [`SignedRecord`] has come from somewhere, [`VerifiedRecord`] was judged against its
//! RCP's charter, and only `verify` makes the second. **Invariant:** a header says nothing about
//! audience, title, language or links, and a verified record alone is never accepted: acceptance
//! also needs its line in a log that the receiver may read.

use crate::charter::Charter;
use crate::domain::{self, Domain};
use crate::id::{Hash, RcpId, RecordId, Salt, UnixMillis};
use crate::key::{SecretKey, Signature};
use crate::layout::{Reader, Writer};
use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, ORDINAL_MAX};
use crate::refusal::{Reason, Refusal};

const WHAT: &str = "record header";

/// The body format of this version: a protobuf message of the record's kind.
pub const BODY_FORMAT: u16 = 1;

/// What is signed of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who says it.
    pub rcp: RcpId,
    /// Key event whose key signs it.
    pub key_seq: u32,
    /// Which record.
    pub record: RecordId,
    /// Which version of it: at least 1, strictly increasing, gaps mean nothing.
    pub version: u64,
    /// Kind of record ([`crate::kinds`]).
    pub kind: u16,
    /// When it was signed, for display.
    pub time: UnixMillis,
    /// How the body is encoded.
    pub body_format: u16,
    /// Bytes of the body, without salt.
    pub body_len: u32,
    /// [`body_hash`] of salt and body.
    pub body_hash: Hash,
}

impl Header {
    /// The layout: format, RCP, key event, record, version, kind, time, body format, body length,
    /// body hash.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new()
            .u8(crate::limits::FORMAT)
            .bytes(self.rcp.as_bytes())
            .u32(self.key_seq)
            .bytes(self.record.as_bytes())
            .u64(self.version)
            .u16(self.kind)
            .u64(self.time.0)
            .u16(self.body_format)
            .u32(self.body_len)
            .bytes(self.body_hash.as_bytes())
            .finish()
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `TooLong`, `Truncated`, `UnknownFormat`, `Malformed` for a version of zero or from 2^63 on,
    /// `TrailingBytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(WHAT, bytes, HEADER_BYTES_MAX)?;
        reader.format()?;
        let header = Self {
            rcp: RcpId::new(reader.array()?),
            key_seq: reader.u32()?,
            record: RecordId::new(reader.array()?),
            version: reader.ordinal()?,
            kind: reader.u16()?,
            time: UnixMillis(reader.u64()?),
            body_format: reader.u16()?,
            body_len: reader.u32()?,
            body_hash: Hash::new(reader.array()?),
        };
        if header.version == 0 {
            return Err(reader.refuse(Reason::Malformed));
        }
        if usize::try_from(header.body_len).map_or(true, |len| len > BODY_BYTES_MAX) {
            return Err(reader.refuse(Reason::TooLong));
        }
        reader.finish()?;
        Ok(header)
    }
}

/// Hash of a body: over its salt, then its bytes.
pub fn body_hash(salt: &Salt, body: &[u8]) -> Hash {
    domain::hash(Domain::Body, &[salt.as_bytes(), body])
}

/// Hash by which a line names a record version: over header and signature.
pub fn version_hash(header: &[u8], signature: &Signature) -> Hash {
    domain::hash(Domain::Version, &[header, signature])
}

/// A header with its signature: all that a log commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    /// The header's layout.
    pub bytes: Vec<u8>,
    /// By the key that the header names.
    pub signature: Signature,
}

impl SignedHeader {
    /// Verifies the signature against the charter of the claimed author.
    ///
    /// The key is looked up by the author that the header claims, never taken from the sender. A
    /// retired or compromised key is no reason to refuse: the head of the log re-affirms the line.
    ///
    /// # Errors
    /// `WrongRcp`, `UnknownKey`, `BadSignature` and those of [`Header::decode`].
    pub fn verify(&self, charter: &Charter) -> Result<Header, Refusal> {
        let header = Header::decode(&self.bytes)?;
        if header.rcp != charter.rcp() {
            return Err(Refusal::new(WHAT, Reason::WrongRcp));
        }
        charter.key(WHAT, header.key_seq)?.verify(
            WHAT,
            Domain::Record,
            &self.bytes,
            &self.signature,
        )?;
        Ok(header)
    }

    /// Hash by which a line names this version.
    pub fn version_hash(&self) -> Hash {
        version_hash(&self.bytes, &self.signature)
    }
}

/// A record as it is sent and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    /// The signed header.
    pub header: SignedHeader,
    /// 32 random bytes that are hashed before the body.
    pub salt: Salt,
    /// The body, as it was authored.
    pub body: Vec<u8>,
}

/// What an author decides of a record version; the rest follows.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Which record.
    pub record: RecordId,
    /// Which version.
    pub version: u64,
    /// Kind of record.
    pub kind: u16,
    /// When, for display.
    pub time: UnixMillis,
    /// Fresh random bytes.
    pub salt: Salt,
    /// The body.
    pub body: Vec<u8>,
}

impl NewRecord {
    /// Signs the record version for the RCP of `charter` with its current key.
    ///
    /// # Errors
    /// `TooLong` for a body over 256 KiB, `Malformed` for a version out of range, `RetiredKey` if
    /// `key` is not the charter's current one.
    pub fn sign(self, charter: &Charter, key: &SecretKey) -> Result<VerifiedRecord, Refusal> {
        let key_seq = charter.current_seq();
        if charter.key(WHAT, key_seq)?.to_bytes() != key.public_bytes() {
            return Err(Refusal::new(WHAT, Reason::RetiredKey));
        }
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::new("record body", Reason::TooLong));
        }
        if self.version == 0 || self.version > ORDINAL_MAX {
            return Err(Refusal::new(WHAT, Reason::Malformed));
        }
        let header = Header {
            rcp: charter.rcp(),
            key_seq,
            record: self.record,
            version: self.version,
            kind: self.kind,
            time: self.time,
            body_format: BODY_FORMAT,
            body_len: u32::try_from(self.body.len())
                .map_err(|_| Refusal::new("record body", Reason::TooLong))?,
            body_hash: body_hash(&self.salt, &self.body),
        };
        let bytes = header.encode();
        let signed = SignedHeader {
            signature: key.sign(Domain::Record, &bytes),
            bytes,
        };
        Ok(VerifiedRecord {
            version_hash: signed.version_hash(),
            header,
            signed: SignedRecord {
                header: signed,
                salt: self.salt,
                body: self.body,
            },
        })
    }
}

impl SignedRecord {
    /// Verifies signature, length and hash against the charter of the claimed author.
    ///
    /// # Errors
    /// `WrongHash` about the body, and those of [`SignedHeader::verify`].
    pub fn verify(self, charter: &Charter) -> Result<VerifiedRecord, Refusal> {
        let header = self.header.verify(charter)?;
        let length = usize::try_from(header.body_len).unwrap_or(usize::MAX);
        if self.body.len() != length || body_hash(&self.salt, &self.body) != header.body_hash {
            return Err(Refusal::new("record body", Reason::WrongHash));
        }
        Ok(VerifiedRecord {
            version_hash: self.header.version_hash(),
            header,
            signed: self,
        })
    }
}

/// A record whose signature and body verified. Its place in a log is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRecord {
    header: Header,
    version_hash: Hash,
    signed: SignedRecord,
}

impl VerifiedRecord {
    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Hash by which a line names it.
    pub const fn version_hash(&self) -> Hash {
        self.version_hash
    }

    /// As it is sent and stored.
    pub const fn signed(&self) -> &SignedRecord {
        &self.signed
    }

    /// As it is sent and stored.
    pub fn into_signed(self) -> SignedRecord {
        self.signed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charter::SignedKeyEvent;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn charter() -> Charter {
        Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
    }

    fn record() -> VerifiedRecord {
        NewRecord {
            record: RecordId::new([3; 16]),
            version: 1_700_000_000_000,
            kind: 1,
            time: UnixMillis(1_700_000_000_000),
            salt: Salt::new([4; 32]),
            body: b"body".to_vec(),
        }
        .sign(&charter(), &key(1))
        .expect("sign")
    }

    #[test]
    fn a_signed_record_verifies_and_any_changed_byte_does_not() {
        let good = record().into_signed();
        assert_eq!(good.clone().verify(&charter()), Ok(record()));
        for at in 0..good.header.bytes.len() {
            let mut bad = good.clone();
            bad.header.bytes[at] ^= 1;
            assert!(bad.verify(&charter()).is_err(), "header byte {at}");
        }
        let mut bad = good.clone();
        bad.body[0] ^= 1;
        assert_eq!(
            bad.verify(&charter()),
            Err(Refusal::new("record body", Reason::WrongHash))
        );
        let mut bad = good;
        bad.salt = Salt::new([5; 32]);
        assert_eq!(
            bad.verify(&charter()),
            Err(Refusal::new("record body", Reason::WrongHash))
        );
    }

    #[test]
    fn the_key_is_the_claimed_authors() {
        let other =
            Charter::verify(vec![SignedKeyEvent::inception(&key(8), &key(9))]).expect("charter");
        assert_eq!(
            record().into_signed().verify(&other),
            Err(Refusal::new(WHAT, Reason::WrongRcp))
        );
    }

    #[test]
    fn a_header_is_109_bytes_and_every_cut_is_refused() {
        let bytes = record().into_signed().header.bytes;
        assert_eq!(bytes.len(), 109);
        for end in 0..bytes.len() {
            assert_eq!(
                Header::decode(&bytes[..end]).map_err(|r| r.reason),
                Err(Reason::Truncated)
            );
        }
        let mut long = bytes;
        long.push(0);
        assert_eq!(
            Header::decode(&long).map_err(|r| r.reason),
            Err(Reason::TrailingBytes)
        );
    }
}
