//! Records as files: a template, a workbook, CSV and JSON.
//!
//! **Invariant:** no text of a record is ever a formula in the program that opens the file.

pub(crate) mod csv;
mod json;
mod template;
mod workbook;

use std::collections::BTreeSet;
use std::io::{self, Write};

use corridor_proto::kinds::Kind;

use crate::columns::{Shape, columns};
use crate::record::Use;

pub use csv::CsvWriter;
pub use json::JsonWriter;
pub use template::template;
pub use workbook::WorkbookWriter;

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Whoever takes the bytes takes no more.
    #[error("the file cannot be written: {0}")]
    Io(#[from] io::Error),
    /// A workbook cannot hold it.
    #[error("a workbook cannot hold it ({0}); export it as CSV or JSON")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// A body is none of its kind.
    #[error("the record {0} cannot be read, and was not exported; nothing was written of it")]
    Unreadable(String),
    /// JSON could not be written.
    #[error("the file cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// A record that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version; `None` for a draft.
    pub version: Option<u64>,
    /// Its body.
    pub body: &'a [u8],
}

/// Writes the records of one kind after the other.
pub trait Writer {
    /// Begins the records of a kind, with these columns.
    ///
    /// # Errors
    /// [`WriteError`].
    fn kind(&mut self, kind: Kind, uses: Vec<Use>) -> Result<(), WriteError>;

    /// Writes a record of that kind.
    ///
    /// # Errors
    /// [`WriteError`].
    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError>;

    /// Ends the file.
    ///
    /// # Errors
    /// [`WriteError`].
    fn finish(&mut self) -> Result<(), WriteError>;
}

/// Where a file goes.
pub trait Sink: Write + Send {}
impl<T: Write + Send> Sink for T {}

/// The columns of records of a kind: all of it, and those in other languages that occur.
pub fn uses(kind: Kind, tags: &BTreeSet<(&'static str, String)>) -> Vec<Use> {
    let mut uses = Vec::new();
    for column in columns(kind) {
        if column.shape != Shape::Translation {
            uses.push(Use { column, tag: None });
        }
        let tags = tags.iter().filter(|(key, _)| *key == column.key);
        uses.extend(tags.map(|(_, tag)| Use {
            column,
            tag: Some(tag.clone()),
        }));
    }
    uses
}
