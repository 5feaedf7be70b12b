//! Bundles: frames of a session in a file, for two nodes that cannot meet.
//!
//! The clear text is a first line and parts, each behind its length: an opening, frames, an end.
//! The opening stands for what a connection proves of its sides, the end for what it proves of
//! what lies between. **Invariant:** header and end are signed by the sender's current key and
//! name the receiver, so a part can be left out, moved, added or sent elsewhere by nobody else;
//! what the frames say is judged as ever.

use std::io::{self, Read};

use prost::Message;

use crate::charter::Charter;
use crate::domain::{self, Domain};
use crate::id::{BundleId, Hash, RcpId, StartNumber, UnixMillis};
use crate::key::SecretKey;
use crate::layout::{Reader, Writer};
use crate::limits::{BUNDLE_PART_BYTES_MAX, FORMAT};
use crate::refusal::{Reason, Refusal};
use crate::v1::bundle_part::Part as Said;
use crate::{v1, wire};

/// What the clear text begins with.
pub const FIRST_LINE: &[u8] = b"corridor bundle 1\n";
const WHAT: &str = "bundle";
const HEADER: &str = "bundle header";
const END: &str = "bundle end";
/// Bytes of a header, and of an end.
const HEADER_BYTES: usize = 141;
const END_BYTES: usize = 57;

/// Who made a bundle, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who made it.
    pub sender: RcpId,
    /// The key event whose key signs it.
    pub key_seq: u32,
    /// For whom.
    pub receiver: RcpId,
    /// The X25519 key on the receiver's card, to which it is encrypted.
    pub bundle_key: [u8; 32],
    /// When, by the sender's clock; only shown.
    pub made: UnixMillis,
    /// Its own random number.
    pub id: BundleId,
    /// The sender's present start number.
    pub start: StartNumber,
}

impl Header {
    /// The layout's bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new()
            .u8(FORMAT)
            .bytes(self.sender.as_bytes())
            .u32(self.key_seq)
            .bytes(self.receiver.as_bytes())
            .bytes(&self.bundle_key)
            .u64(self.made.0)
            .bytes(self.id.as_bytes())
            .bytes(self.start.as_bytes())
            .finish()
    }

    /// Reads a layout.
    ///
    /// # Errors
    /// `TooLong`, `Truncated`, `UnknownFormat`, `TrailingBytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(HEADER, bytes, HEADER_BYTES)?;
        reader.format()?;
        let header = Self {
            sender: RcpId::new(reader.array()?),
            key_seq: reader.u32()?,
            receiver: RcpId::new(reader.array()?),
            bundle_key: reader.array()?,
            made: UnixMillis(reader.u64()?),
            id: BundleId::new(reader.array()?),
            start: StartNumber::new(reader.array()?),
        };
        reader.finish()?;
        Ok(header)
    }
}

/// The layout of an end.
fn end_layout(id: &BundleId, parts: u64, chain: &Hash) -> Vec<u8> {
    Writer::new()
        .u8(FORMAT)
        .bytes(id.as_bytes())
        .u64(parts)
        .bytes(chain.as_bytes())
        .finish()
}

/// The parts so far, in one hash and a number.
#[derive(Clone, Copy, Debug)]
struct Chain {
    parts: u64,
    hash: Hash,
}

impl Chain {
    const BEGIN: Self = Self {
        parts: 0,
        hash: Hash::ZERO,
    };

    fn push(&mut self, part: &[u8]) {
        self.hash = domain::hash(Domain::BundlePart, &[self.hash.as_bytes(), part]);
        self.parts = self.parts.saturating_add(1);
    }
}

/// Writes a bundle, part by part.
#[derive(Debug)]
pub struct BundleWriter {
    id: BundleId,
    chain: Chain,
}

impl BundleWriter {
    /// Begins a bundle: gives its writer and the first bytes of its clear text.
    ///
    /// # Errors
    /// `TooLong` if the identity is larger than a part may be.
    pub fn begin(
        identity: v1::Identity,
        header: &Header,
        key: &SecretKey,
    ) -> Result<(Self, Vec<u8>), Refusal> {
        let mut writer = Self {
            id: header.id,
            chain: Chain::BEGIN,
        };
        let bytes = header.encode();
        let opening = v1::BundleOpening {
            identity: Some(identity),
            signature: key.sign(Domain::Bundle, &bytes).to_vec(),
            header: bytes,
        };
        let first = writer.part(Said::Opening(opening))?;
        Ok((writer, [FIRST_LINE, &first].concat()))
    }

    /// The bytes of the next part.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn part(&mut self, part: Said) -> Result<Vec<u8>, Refusal> {
        let part = v1::BundlePart { part: Some(part) }.encode_to_vec();
        self.chain.push(&part);
        behind_its_length(&part)
    }

    /// The last bytes, and how many parts come before them.
    ///
    /// # Errors
    /// None in fact: an end is short.
    pub fn end(self, key: &SecretKey) -> Result<(Vec<u8>, u64), Refusal> {
        let end = end_layout(&self.id, self.chain.parts, &self.chain.hash);
        let signature = key.sign(Domain::BundleEnd, &end).to_vec();
        let end = Said::End(v1::BundleEnd { end, signature });
        let part = v1::BundlePart { part: Some(end) }.encode_to_vec();
        Ok((behind_its_length(&part)?, self.chain.parts))
    }
}

fn behind_its_length(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    let length = u32::try_from(part.len()).ok();
    let length = length.filter(|_| part.len() <= BUNDLE_PART_BYTES_MAX);
    let length = length.ok_or(Refusal::new("bundle part", Reason::TooLong))?;
    Ok([&length.to_be_bytes(), part].concat())
}

/// Why a bundle was not read to its end.
#[derive(Debug)]
pub enum ReadError {
    /// It could not be read, or is not what was encrypted.
    Io(io::Error),
    /// Something in it is refused.
    Refused(Refusal),
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a part brings.
#[derive(Clone, Debug)]
pub enum Part {
    /// A frame of `Session`.
    Session(v1::SessionFrame),
    /// A frame of `Carry`.
    Carry(v1::CarryFrame),
    /// Something that a newer version knows.
    Unknown,
}

/// The beginning of a bundle, not yet verified.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Charter and card of whoever made it.
    pub identity: v1::Identity,
    /// What it says.
    pub header: Header,
    signed: Vec<u8>,
    signature: [u8; 64],
}

impl Opening {
    /// Verifies the header by the charter of its sender.
    ///
    /// # Errors
    /// `WrongRcp`, `UnknownKey`, `RetiredKey`, `BadSignature`.
    pub fn verify(&self, charter: &Charter) -> Result<(), Refusal> {
        if self.header.sender != charter.rcp() {
            return Err(Refusal::new(HEADER, Reason::WrongRcp));
        }
        let key = charter.key(HEADER, self.header.key_seq)?;
        if self.header.key_seq != charter.current_seq() {
            return Err(Refusal::new(HEADER, Reason::RetiredKey));
        }
        key.verify(HEADER, Domain::Bundle, &self.signed, &self.signature)
    }
}

/// Reads the clear text of a bundle, part by part.
#[derive(Debug)]
pub struct BundleReader<R> {
    from: R,
    id: BundleId,
    key_seq: u32,
    chain: Chain,
}

impl<R: Read> BundleReader<R> {
    /// Reads the opening.
    ///
    /// # Errors
    /// [`ReadError`]: `UnknownFormat` for another first line, `Truncated`, `TooLong`, `Malformed`,
    /// and whatever the header is refused for.
    pub fn begin(mut from: R) -> Result<(Self, Opening), ReadError> {
        let mut first = [0; FIRST_LINE.len()];
        fill(&mut from, &mut first)?;
        if first != FIRST_LINE {
            return Err(Refusal::new(WHAT, Reason::UnknownFormat).into());
        }
        let mut reader = Self {
            from,
            id: BundleId::ZERO,
            key_seq: 0,
            chain: Chain::BEGIN,
        };
        let Some(Said::Opening(opening)) = reader.message()? else {
            return Err(Refusal::new(WHAT, Reason::OutOfOrder).into());
        };
        let header = Header::decode(&opening.header)?;
        let truncated = Refusal::new(WHAT, Reason::Truncated);
        (reader.id, reader.key_seq) = (header.id, header.key_seq);
        let opening = Opening {
            identity: opening.identity.ok_or(truncated)?,
            header,
            signature: wire::signature(HEADER, &opening.signature)?,
            signed: opening.header,
        };
        Ok((reader, opening))
    }

    /// How many parts were read.
    pub const fn parts(&self) -> u64 {
        self.chain.parts
    }

    /// The next part; `None` once the end was read, and verified by the sender's charter.
    ///
    /// # Errors
    /// [`ReadError`]: `Truncated` where it ends before its end, `WrongHash` if parts were left out,
    /// moved or added, `TrailingBytes`, and as [`Self::begin`].
    pub fn next(&mut self, charter: &Charter) -> Result<Option<Part>, ReadError> {
        let before = self.chain;
        match self.message()? {
            Some(Said::Session(frame)) => Ok(Some(Part::Session(frame))),
            Some(Said::Carry(frame)) => Ok(Some(Part::Carry(frame))),
            Some(Said::Opening(_)) => Err(Refusal::new(WHAT, Reason::OutOfOrder).into()),
            Some(Said::End(end)) => {
                self.chain = before;
                self.end(&end, charter)?;
                Ok(None)
            }
            None => Ok(Some(Part::Unknown)),
        }
    }

    fn end(&mut self, end: &v1::BundleEnd, charter: &Charter) -> Result<(), ReadError> {
        let mut reader = Reader::new(END, &end.end, END_BYTES)?;
        reader.format()?;
        reader.take(END_BYTES - 1)?;
        reader.finish()?;
        let Chain { parts, hash } = self.chain;
        if end.end != end_layout(&self.id, parts, &hash) {
            return Err(Refusal::new(END, Reason::WrongHash).into());
        }
        let key = charter.key(END, self.key_seq)?;
        let signature = wire::signature(END, &end.signature)?;
        key.verify(END, Domain::BundleEnd, &end.end, &signature)?;
        let mut more = [0];
        match self.from.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Refusal::new(WHAT, Reason::TrailingBytes).into()),
            Err(error) => Err(ReadError::Io(error)),
        }
    }

    /// The next message, which joins the chain; `None` for one that a newer version knows.
    fn message(&mut self) -> Result<Option<Said>, ReadError> {
        let refuse = |reason| Refusal::new("bundle part", reason);
        let mut length = [0; 4];
        fill(&mut self.from, &mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > BUNDLE_PART_BYTES_MAX {
            return Err(refuse(Reason::TooLong).into());
        }
        let mut part = vec![0; length];
        fill(&mut self.from, &mut part)?;
        self.chain.push(&part);
        let part = v1::BundlePart::decode(part.as_slice());
        Ok(part.map_err(|_| refuse(Reason::Malformed))?.part)
    }
}

/// Fills a buffer; that there is no more is `Truncated`.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<(), ReadError> {
    from.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::new(WHAT, Reason::Truncated).into(),
        _ => ReadError::Io(error),
    })
}

#[cfg(test)]
mod tests;
