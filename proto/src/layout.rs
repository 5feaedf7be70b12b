//! Fixed layouts: big-endian integers, fields in order, length prefixes, no trailing byte.
//!
//! Protobuf is not canonical, so nothing that is signed or hashed is encoded with it (bodies
//! excepted, whose bytes are kept as they came). **Invariant:** no optional field, no default, no
//! skipping of what is not understood.

use crate::refusal::{Reason, Refusal};

/// Writes the fields of one layout in order.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty layout.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Two bytes, big-endian.
    pub fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Four bytes, big-endian.
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian.
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Bytes of a length that the layout fixes.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// A u16 count of what follows.
    ///
    /// # Errors
    /// `TooLong` if the count does not fit.
    pub fn count(self, what: &'static str, count: usize) -> Result<Self, Refusal> {
        let count = u16::try_from(count).map_err(|_| Refusal::new(what, Reason::TooLong))?;
        Ok(self.u16(count))
    }

    /// Text behind its u16 length in bytes.
    ///
    /// # Errors
    /// `TooLong` if the length does not fit.
    pub fn text(self, what: &'static str, text: &str) -> Result<Self, Refusal> {
        Ok(self.count(what, text.len())?.bytes(text.as_bytes()))
    }

    /// The layout's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the fields of one layout in order and refuses what does not fit.
#[derive(Debug)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins to read `bytes` as a `what` of at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLong` over the limit.
    pub fn new(what: &'static str, bytes: &'a [u8], limit: usize) -> Result<Self, Refusal> {
        if bytes.len() > limit {
            return Err(Refusal::new(what, Reason::TooLong));
        }
        Ok(Self { what, rest: bytes })
    }

    /// A refusal of the thing being read.
    pub const fn refuse(&self, reason: Reason) -> Refusal {
        Refusal::new(self.what, reason)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.refuse(Reason::Truncated));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.refuse(Reason::Truncated));
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u8(&mut self) -> Result<u8, Refusal> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u16(&mut self) -> Result<u16, Refusal> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u32(&mut self) -> Result<u32, Refusal> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u64(&mut self) -> Result<u64, Refusal> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Eight bytes that hold a size, version or serial: below 2^63.
    ///
    /// # Errors
    /// `Truncated`, `Malformed`.
    pub fn ordinal(&mut self) -> Result<u64, Refusal> {
        let value = self.u64()?;
        if value > crate::limits::ORDINAL_MAX {
            return Err(self.refuse(Reason::Malformed));
        }
        Ok(value)
    }

    /// The format byte.
    ///
    /// # Errors
    /// `UnknownFormat` unless it is 1.
    pub fn format(&mut self) -> Result<(), Refusal> {
        if self.u8()? == crate::limits::FORMAT {
            Ok(())
        } else {
            Err(self.refuse(Reason::UnknownFormat))
        }
    }

    /// UTF-8 text behind its u16 length.
    ///
    /// # Errors
    /// `Truncated`, `Malformed` if it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Refusal> {
        let length = usize::from(self.u16()?);
        std::str::from_utf8(self.take(length)?).map_err(|_| self.refuse(Reason::Malformed))
    }

    /// Ends the layout.
    ///
    /// # Errors
    /// `TrailingBytes` if anything is left.
    pub const fn finish(self) -> Result<(), Refusal> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.refuse(Reason::TrailingBytes))
        }
    }
}
