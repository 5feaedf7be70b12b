//! Files as rows of values, one row at a time.
//!
//! **Invariant:** what a file claims of itself decides no allocation: its bytes, what they inflate
//! to, its rows, columns and characters are counted as they come, and the caps of [`crate::limits`]
//! end the reading.

mod csv;
mod json;
mod ods;
mod parts;
mod xlsx;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::cell::Value;
use crate::limits::{
    COLUMNS_MAX, ROWS_MAX, TEXT_BYTES_MAX, WORKBOOK_BYTES_MAX, WORKBOOK_TEXTS_MAX,
};

/// What sort of file it is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A workbook of Excel.
    Xlsx,
    /// A workbook of LibreOffice.
    Ods,
    /// Values divided by commas, semicolons or tabs.
    Csv,
    /// An array of objects, or an object of such arrays.
    Json,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xlsx => "xlsx",
            Self::Ods => "ods",
            Self::Csv => "csv",
            Self::Json => "json",
        })
    }
}

/// Why a file is not read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file that was brought could not be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is of another sort.
    #[error("the file is {0}; save it as .xlsx, .ods, .csv or .json")]
    Other(&'static str),
    /// It asks for a password.
    #[error("the workbook is protected by a password; take the password off, and save it again")]
    Password,
    /// It has macros.
    #[error(
        "the workbook has macros in it ({0}), and is not opened; save it as .xlsx without macros"
    )]
    Macros(String),
    /// It exceeds a limit.
    #[error("the file has more than {most} {what}; {remedy}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        most: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// It is damaged.
    #[error("the file is damaged at {place}: {why}; open it, and save it again")]
    Damaged {
        /// Where.
        place: String,
        /// What the reader says.
        why: String,
    },
    /// No sheet of that name, or none that is known.
    #[error("{0}")]
    Sheet(String),
    /// Whoever takes the rows wants no more.
    #[error("the rest was not read")]
    Stopped,
}

impl ReadError {
    fn damaged(place: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Damaged {
            place: place.into(),
            why: why.to_string(),
        }
    }
}

pub(crate) const TOO_MANY_ROWS: ReadError = ReadError::TooMuch {
    what: "rows",
    most: ROWS_MAX as u64,
    remedy: "divide it into several files",
};

/// A row as a file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Raw {
    /// Its number as the file's program shows it, from 1.
    pub(crate) number: u32,
    /// The values of its cells by their columns, from 0, ascending; empty cells are left out.
    pub(crate) cells: Vec<(u32, Value)>,
}

/// What is handed over while reading.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A sheet begins.
    Sheet(&'a str),
    /// A cell spans others: row from 1, column from 0.
    Merged(u32, u32),
    /// A row of the sheet.
    Row(Raw),
    /// A row of JSON: names in place of columns, in the order of the object.
    Named(u32, Vec<(String, Value)>),
}

/// Takes the pieces.
pub(crate) type Visit<'a> = dyn FnMut(Piece<'_>) -> Result<(), ReadError> + 'a;

/// What was found out about a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) format: Format,
    /// The encoding of a CSV.
    pub(crate) encoding: Option<&'static str>,
}

/// A file that can be read again from its beginning.
pub(crate) trait File: Read + Seek {}
impl<T: Read + Seek> File for T {}

fn begin(file: &mut dyn File) -> Result<(), ReadError> {
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// What sort of file it is, after its caps were checked.
pub(crate) fn look(file: &mut dyn File) -> Result<Found, ReadError> {
    let bytes = file.seek(SeekFrom::End(0))?;
    begin(file)?;
    let mut head = Vec::new();
    file.take(512).read_to_end(&mut head)?;
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_workbook = head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06");
    let most = if is_workbook {
        WORKBOOK_BYTES_MAX
    } else {
        TEXT_BYTES_MAX
    };
    if bytes > most {
        let remedy = "divide it into several files";
        let what = "bytes";
        return Err(ReadError::TooMuch { what, most, remedy });
    }
    let format = match first {
        None => return Err(ReadError::Empty),
        Some(_) if is_workbook => parts::check(file)?,
        Some(_) if head.starts_with(b"\xD0\xCF\x11\xE0") => return Err(old_workbook(file)?),
        Some(_) if head.starts_with(b"%PDF") => return Err(ReadError::Other("a PDF")),
        Some(b'[' | b'{') => Format::Json,
        Some(_) => Format::Csv,
    };
    let encoding = match format {
        Format::Csv => Some(csv::encoding(file)?),
        _ => None,
    };
    begin(file)?;
    Ok(Found { format, encoding })
}

/// Such a container is a workbook of Excel 2003, or one of today that was encrypted.
fn old_workbook(file: &mut dyn File) -> Result<ReadError, ReadError> {
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    begin(file)?;
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes)?;
    let is_encrypted = bytes.windows(name.len()).any(|window| window == name);
    Ok(match is_encrypted {
        true => ReadError::Password,
        false => ReadError::Other("an old workbook (.xls)"),
    })
}

/// The names of the sheets, in their order; one without a name where the file has none.
pub(crate) fn sheets(file: &mut dyn File, found: Found) -> Result<Vec<String>, ReadError> {
    begin(file)?;
    match found.format {
        Format::Xlsx => xlsx::sheets(file),
        Format::Ods => ods::sheets(file),
        Format::Csv => Ok(vec![String::new()]),
        Format::Json => json::sheets(file),
    }
}

/// Hands over the rows of these sheets.
pub(crate) fn rows(
    file: &mut dyn File,
    found: Found,
    sheets: &[String],
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    begin(file)?;
    let (mut rows, mut bytes) = (0, 0_u64);
    let mut capped = |piece: Piece<'_>| {
        if let Piece::Row(row) = &piece {
            if row.cells.iter().any(|(column, _)| *column >= COLUMNS_MAX) {
                return Err(too_many_columns());
            }
            // Cells may share their texts, and rows be repeated: a small file may mean much.
            let texts = row.cells.iter().map(|(_, value)| value.bytes());
            bytes = bytes.saturating_add(texts.sum());
            if bytes > WORKBOOK_TEXTS_MAX {
                return Err(TOO_MUCH_TEXT);
            }
        }
        if matches!(piece, Piece::Row(_) | Piece::Named(..)) {
            rows += 1;
        }
        // The two rows of headers of each of a handful of sheets are none of the rows.
        if rows > ROWS_MAX + 16 {
            return Err(TOO_MANY_ROWS);
        }
        visit(piece)
    };
    match found.format {
        Format::Xlsx => xlsx::rows(file, sheets, &mut capped),
        Format::Ods => ods::rows(file, sheets, &mut capped),
        Format::Csv => csv::rows(file, found.encoding.unwrap_or("UTF-8"), &mut capped),
        Format::Json => json::rows(file, sheets, &mut capped),
    }
}

const TOO_MUCH_TEXT: ReadError = ReadError::TooMuch {
    what: "bytes in its cells",
    most: WORKBOOK_TEXTS_MAX,
    remedy: "divide it into several files",
};

/// Said of a cell that is cut off while it is read.
const TOO_LONG: &str = "is longer than a cell may be; shorten it, or attach it as a file";

/// The day of a date or a time in ISO 8601.
fn day_of(text: &str) -> Value {
    let day = text.split('T').next().unwrap_or(text);
    Value::Day(day.to_owned())
}

fn too_many_columns() -> ReadError {
    ReadError::TooMuch {
        what: "columns",
        most: u64::from(COLUMNS_MAX),
        remedy: "take out what stands far to the side",
    }
}
