//! Facts and rows as the bytes that the store keeps: for whoever checks that what is read is what
//! was written. Imports the codecs.
//!
//! **Invariant:** nothing here touches a disk.

use corridor_proto::Refusal;
use corridor_rules::{Fact, RecordRow};

use crate::error::StoreError;
use crate::journal::NewFrame;
use crate::{codec, row_codec};

/// The fact of a frame.
///
/// # Errors
/// Whatever does not fit the layout of its kind.
pub fn read_fact(kind: u8, meta: &[u8], blob: &[u8]) -> Result<Fact, Refusal> {
    let fact = codec::fact(kind, meta)?;
    Ok(codec::with_blob(fact, blob.to_vec()))
}

/// The frame of a fact.
///
/// # Errors
/// [`StoreError::Refused`] if a text does not fit its length prefix.
pub fn write_fact(fact: &Fact) -> Result<NewFrame<'_>, StoreError> {
    codec::frame(fact)
}

/// Whether a blob is the one that its meta names.
pub fn is_intact(kind: u8, meta: &[u8], blob: &[u8]) -> bool {
    codec::blob_intact(kind, meta, blob)
}

/// The row of a value of the index.
///
/// # Errors
/// Whatever does not fit the layout.
pub fn read_row(bytes: &[u8]) -> Result<RecordRow, Refusal> {
    row_codec::decode(bytes)
}

/// The value of a row.
pub fn write_row(row: &RecordRow) -> Vec<u8> {
    row_codec::encode(row)
}
