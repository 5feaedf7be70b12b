//! The folder before any contents are read: which segments there are and what they say of
//! themselves. Imports layout, disk and errors.
//!
//! **Invariant:** nothing is overwritten here but what a compaction left unfinished, and never the
//! only copy of anything.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::disk::{Disk, beside, destroy, segment_number, segment_path};
use super::error::{Fault, JournalError};
use super::layout::{HEADER_BYTES, Header, HeaderFault, file_length};

/// A segment file before its contents are read.
pub(super) struct Found {
    pub number: u32,
    pub file: File,
    pub bytes: u64,
    pub header: Result<Header, Fault>,
}

/// Lists the segments in order, reads their headers and takes away what a compaction left
/// unfinished.
pub(super) fn survey(disk: &dyn Disk, dir: &Path) -> Result<Vec<Found>, JournalError> {
    let listed = |source| io_error(dir, 0, "list the folder", source);
    let mut numbers = BTreeSet::new();
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(listed)? {
        let name = entry.map_err(listed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        new.extend(segment_number(name, "tmp"));
        old.extend(segment_number(name, "old"));
        numbers.extend(segment_number(name, "seg"));
    }
    if numbers.is_empty() {
        return Err(JournalError::NoJournal { dir: dir.into() });
    }
    let mut found = numbers
        .into_iter()
        .map(|number| find(dir, number))
        .collect::<Result<Vec<_>, _>>()?;
    // All segments belong to the journal that the first readable one names.
    let journal_id = found
        .iter()
        .find_map(|found| found.header.ok())
        .map(|own| own.journal_id);
    for segment in &mut found {
        if segment
            .header
            .is_ok_and(|header| Some(header.journal_id) != journal_id)
        {
            segment.header = Err(Fault::Foreign);
        }
    }
    // After the headers: what a newer version left is its own to mend.
    let any = !new.is_empty() || !old.is_empty();
    for number in new {
        let path = beside(dir, number, "tmp");
        destroy(disk, &path)
            .map_err(|source| io_error(&path, 0, "overwrite and delete", source))?;
    }
    for number in old {
        let path = beside(dir, number, "old");
        let segment = found.iter().find(|found| found.number == number);
        take_away(disk, &path, segment)
            .map_err(|source| io_error(&path, 0, "overwrite and delete", source))?;
    }
    if any {
        disk.sync_dir(dir)
            .map_err(|source| io_error(dir, 0, "sync the folder", source))?;
    }
    Ok(found)
}

/// Takes the old copy of a segment away. Where the crash came before the new one was in its place,
/// it is the segment itself, of which only the second name goes; where there is no other that can
/// be read, it is left for whoever mends the journal.
fn take_away(disk: &dyn Disk, old: &Path, segment: Option<&Found>) -> io::Result<()> {
    let Some(segment) = segment.filter(|found| found.header.is_ok()) else {
        return Ok(());
    };
    let (here, there) = (fs::metadata(old)?, segment.file.metadata()?);
    if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
        disk.remove(old)
    } else {
        destroy(disk, old)
    }
}

fn find(dir: &Path, number: u32) -> Result<Found, JournalError> {
    let path = segment_path(dir, number);
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let file = opened.map_err(|source| io_error(&path, 0, "open", source))?;
    let read = |source| io_error(&path, 0, "read the header", source);
    let bytes = file.metadata().map_err(read)?.len();
    let mut start = Vec::with_capacity(HEADER_BYTES);
    (&file)
        .take(file_length(HEADER_BYTES))
        .read_to_end(&mut start)
        .map_err(read)?;
    let header = match Header::decode(&start) {
        Ok(header) if header.segment == number => Ok(header),
        Ok(_) => Err(Fault::Misnamed),
        Err(HeaderFault::Damaged) => Err(Fault::Header),
        Err(HeaderFault::Newer(format)) => {
            return Err(JournalError::NewerFormat { file: path, format });
        }
    };
    Ok(Found {
        number,
        file,
        bytes,
        header,
    })
}

pub(super) fn io_error(
    file: &Path,
    offset: u64,
    doing: &'static str,
    source: io::Error,
) -> JournalError {
    JournalError::Io {
        file: file.into(),
        offset,
        doing,
        source,
    }
}
