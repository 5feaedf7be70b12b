//! The parts of a workbook, which is a zip file: inflated once and counted, before anything reads
//! it.
//!
//! **Invariant:** calamine opens the same bytes with the same crate, so that what was counted here
//! is what it inflates; what it would believe of a part without looking is checked here.

use std::io::{self, Read};

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::{File, Format, ReadError, begin};
use crate::limits::{
    COLUMNS_MAX, INFLATED_BYTES_MAX, PART_BYTES_MAX, PARTS_MAX, ROWS_MAX, STYLES_BYTES_MAX,
};

/// Begins the entry of a part in the list at the end of a zip file.
const ENTRY: &[u8; 4] = b"PK\x01\x02";

/// Checks a workbook and says which it is.
pub(super) fn check(file: &mut dyn File) -> Result<Format, ReadError> {
    if entries(file)? > PARTS_MAX {
        return Err(too_many_parts());
    }
    begin(file)?;
    let mut zip = ZipArchive::new(file).map_err(|why| ReadError::damaged("its end", why))?;
    if zip.len() > PARTS_MAX {
        return Err(too_many_parts());
    }
    let names = zip
        .file_names()
        .map(|name| name.map(|name| name.into_owned()));
    let names: Result<Vec<String>, _> = names.collect();
    let names = names.map_err(|why| ReadError::damaged("a name of its parts", why))?;
    if let Some(name) = names.iter().find(|name| has_macros(name)) {
        return Err(ReadError::Macros(name.clone()));
    }
    let mut left = INFLATED_BYTES_MAX;
    for at in 0..zip.len() {
        let damaged = |why| ReadError::damaged(names.get(at).cloned().unwrap_or_default(), why);
        let part = match zip.by_index(at) {
            Ok(part) => part,
            Err(zip::result::ZipError::UnsupportedArchive(what))
                if what == zip::result::ZipError::PASSWORD_REQUIRED =>
            {
                return Err(ReadError::Password);
            }
            Err(why) => return Err(damaged(why.to_string())),
        };
        left = left
            .checked_sub(inflate(
                part,
                names.get(at).map_or("", String::as_str),
                left,
            )?)
            .ok_or_else(too_large)?;
    }
    let has = |name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    if has("content.xml") && has("mimetype") {
        return Ok(Format::Ods);
    }
    if has("xl/workbook.bin") {
        return Err(ReadError::Other("a binary workbook (.xlsb)"));
    }
    if has("[Content_Types].xml") && !has("word/document.xml") {
        return Ok(Format::Xlsx);
    }
    Err(ReadError::Other("no workbook"))
}

fn has_macros(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("vbaproject.bin") || name.starts_with("basic/") || name.contains("macrosheets/")
}

/// How often the file has what begins an entry: at least as often as it has entries.
fn entries(file: &mut dyn File) -> Result<usize, ReadError> {
    begin(file)?;
    let (mut found, mut kept) = (0, Vec::new());
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(found);
        }
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        found += kept
            .windows(ENTRY.len())
            .filter(|window| window == ENTRY)
            .count();
        let rest = kept.len().saturating_sub(ENTRY.len() - 1);
        kept.drain(..rest);
    }
}

/// Inflates a part into nothing and gives its size.
fn inflate(part: ZipFile<'_, &mut dyn File>, name: &str, left: u64) -> Result<u64, ReadError> {
    let name = name.to_ascii_lowercase();
    let damaged = |why: io::Error| ReadError::damaged(name.clone(), why);
    let is_strings = name.ends_with("sharedstrings.xml");
    let most = match name.as_str() {
        name if name.ends_with("styles.xml") => STYLES_BYTES_MAX,
        name if is_strings || name.contains("worksheets/") || name == "content.xml" => left,
        name if name.ends_with(".xml") || name.ends_with(".rels") => PART_BYTES_MAX,
        _ => left,
    };
    let most = most.min(left);
    let mut part = part.take(most.saturating_add(1));
    let mut head = Vec::new();
    if is_strings {
        part.by_ref()
            .take(4_096)
            .read_to_end(&mut head)
            .map_err(damaged)?;
    }
    let read = u64::try_from(head.len()).unwrap_or(u64::MAX);
    let size = read + io::copy(&mut part, &mut io::sink()).map_err(damaged)?;
    if size > most {
        return Err(too_large());
    }
    // Each of them takes five bytes, and no table has more than one for each cell.
    let most = (size / 5).min(u64::from(ROWS_MAX) * u64::from(COLUMNS_MAX));
    if is_strings && strings_claimed(&head) > most {
        return Err(ReadError::damaged(
            name,
            "it says that it has more strings than bytes",
        ));
    }
    Ok(size)
}

/// How many strings their part says that it has: calamine makes room for so many.
fn strings_claimed(head: &[u8]) -> u64 {
    let mut reader = Reader::from_reader(head);
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(start)) if start.local_name().as_ref() == "sst" => {
                let mut attributes = start.attributes();
                let attributes = attributes.with_checks(false).flatten();
                let counts = attributes.filter(|one| one.key.as_ref() == "uniqueCount");
                let counts = counts.map(|count| count.value.trim().parse().unwrap_or(u64::MAX));
                return counts.max().unwrap_or(0);
            }
            Ok(Event::Eof) | Err(_) => return u64::MAX,
            Ok(_) => buffer.clear(),
        }
    }
}

const fn too_large() -> ReadError {
    ReadError::TooMuch {
        what: "bytes in it",
        most: INFLATED_BYTES_MAX,
        remedy: "divide it into several files",
    }
}

const fn too_many_parts() -> ReadError {
    ReadError::TooMuch {
        what: "parts",
        most: PARTS_MAX as u64,
        remedy: "take out sheets and pictures that are not needed",
    }
}
