//! Values divided by commas, semicolons or tabs, in whatever encoding they were saved.

use std::io::Read;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::{File, Piece, Raw, ReadError, Visit, begin};
use crate::cell::Value;
use crate::limits::COLUMNS_MAX;
use crate::write::csv::unguarded;

/// What divides the values of a line.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The encoding of a file: by its mark, UTF-8 if it is that throughout, else guessed.
pub(super) fn encoding(file: &mut dyn File) -> Result<&'static str, ReadError> {
    begin(file)?;
    let mut head = Vec::new();
    file.take(4).read_to_end(&mut head)?;
    if let Some((marked, _)) = Encoding::for_bom(&head) {
        return Ok(marked.name());
    }
    // Where letters have two bytes each, most of those of a header have a zero beside them.
    match head.as_slice() {
        [0, a, 0, b] if *a > 0 && *b > 0 => return Ok(UTF_16BE.name()),
        [a, 0, b, 0] if *a > 0 && *b > 0 => return Ok(UTF_16LE.name()),
        _ => {}
    }
    begin(file)?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        detector.feed(buffer.get(..read).unwrap_or_default(), read == 0);
        if read == 0 {
            return Ok(detector.guess(None, Utf8Detection::Allow).name());
        }
    }
}

fn decoded<'a>(file: &'a mut dyn File, encoding: &str) -> impl Read + 'a {
    let encoding = Encoding::for_label(encoding.as_bytes()).unwrap_or(UTF_8);
    DecodeReaderBytesBuilder::new()
        .encoding(Some(encoding))
        .bom_override(true)
        .build(file)
}

/// What divides the values: what the first line has most of, outside of quotes.
fn delimiter(file: &mut dyn File, encoding: &str) -> Result<u8, ReadError> {
    let mut head = Vec::new();
    decoded(file, encoding)
        .take(64 * 1024)
        .read_to_end(&mut head)?;
    let (mut counts, mut is_quoted) = ([0_u32; 4], false);
    for byte in head {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => break,
            _ if is_quoted => {}
            byte => {
                let at = DELIMITERS.iter().position(|one| *one == byte);
                if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
                    *count += 1;
                }
            }
        }
    }
    let best = counts
        .iter()
        .zip(DELIMITERS)
        .rev()
        .max_by_key(|(count, _)| **count);
    begin(file)?;
    Ok(best.map_or(b',', |(_, delimiter)| delimiter))
}

pub(super) fn rows(
    file: &mut dyn File,
    encoding: &str,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let delimiter = delimiter(file, encoding)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(decoded(file, encoding));
    visit(Piece::Sheet(""))?;
    let mut record = StringRecord::new();
    let mut number: u32 = 0;
    loop {
        let more = reader.read_record(&mut record);
        let place = format!("row {}", number.saturating_add(1));
        if !more.map_err(|why| ReadError::damaged(place, why))? {
            return Ok(());
        }
        number = number.saturating_add(1);
        let cells = record.iter().zip(0_u32..);
        let cells = cells.filter(|(text, _)| !text.trim().is_empty());
        // One more than may be is enough to be refused.
        let most = usize::try_from(COLUMNS_MAX).unwrap_or(usize::MAX);
        let cells: Vec<_> = cells
            .take(most.saturating_add(1))
            .map(|(text, column)| (column, Value::Text(unguarded(text).to_owned())))
            .collect();
        if !cells.is_empty() {
            visit(Piece::Row(Raw { number, cells }))?;
        }
    }
}
