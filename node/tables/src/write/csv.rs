//! CSV: keys as headers, words of lists as keys, UTF-8 with a mark at its beginning.
//!
//! A cell that a spreadsheet would take for a formula has an apostrophe before it, which is taken
//! off again when the file is read.

use corridor_proto::kinds::Kind;
use csv::{QuoteStyle, WriterBuilder};

use super::{Record, Sink, WriteError, Writer};
use crate::record::{Use, Wording, flat, values};

/// Begins a cell that is calculated, or that a program that reads lines takes for such a cell; the
/// wide forms are what keyboards of East Asia type.
const BEGINS: [char; 10] = [
    '=', '+', '-', '@', '\t', '\r', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}',
];

fn is_dangerous(text: &str) -> bool {
    text.trim_start_matches('\'')
        .trim_start_matches([' ', '\n', '\u{FEFF}', '\u{A0}'])
        .starts_with(BEGINS)
}

/// A text that is none of what is calculated.
pub(crate) fn guarded(text: &str) -> String {
    match is_dangerous(text) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// A text as it was before it was guarded.
pub(crate) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_dangerous(text) => rest,
        _ => text,
    }
}

/// Writes CSV, of one kind.
pub struct CsvWriter<'a> {
    out: csv::Writer<&'a mut dyn Sink>,
    kind: Kind,
    uses: Vec<Use>,
}

impl<'a> CsvWriter<'a> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(out: &'a mut dyn Sink) -> Result<Self, WriteError> {
        out.write_all("\u{FEFF}".as_bytes())?;
        let out = WriterBuilder::new()
            .quote_style(QuoteStyle::Always)
            .from_writer(out);
        Ok(Self {
            out,
            kind: Kind::Practice,
            uses: Vec::new(),
        })
    }

    fn line(&mut self, cells: &[String]) -> Result<(), WriteError> {
        let written = self
            .out
            .write_record(cells.iter().map(|cell| guarded(cell)));
        written.map_err(|error| WriteError::Io(error.into()))
    }
}

impl Writer for CsvWriter<'_> {
    fn kind(&mut self, kind: Kind, uses: Vec<Use>) -> Result<(), WriteError> {
        let told = ["record", "version"].map(str::to_owned).into_iter();
        let keys = uses.iter().map(|one| one.key().into_owned());
        let keys: Vec<String> = told.chain(keys).collect();
        (self.kind, self.uses) = (kind, uses);
        self.line(&keys)
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        let values = values(self.kind, &self.uses, record.body, Wording::Keys);
        let values = values.ok_or_else(|| WriteError::Unreadable(record.name.to_owned()))?;
        let version = record.version.map(|version| version.to_string());
        let mut cells = vec![record.name.to_owned(), version.unwrap_or_default()];
        for (one, value) in self.uses.iter().zip(values) {
            let text = value.map(|value| flat(one.column.shape, value).text());
            cells.push(text.and_then(Result::ok).unwrap_or_default());
        }
        self.line(&cells)
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_guarded_and_nothing_else() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =x", "＝1", "'=x"] {
            let guarded = guarded(text);
            assert!(guarded.starts_with('\''), "{text}");
        }
        for text in ["x", "'x'", "a=b", "", "1", "'"] {
            assert_eq!(guarded(text), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_guarded_reads_back(text in "['=+@ \t\n\r\u{A0}x-]{0,6}") {
            let guarded = guarded(&text);
            prop_assert_eq!(unguarded(&guarded), text);
        }
    }
}
