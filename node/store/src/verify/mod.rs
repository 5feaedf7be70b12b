//! `verify-store`: everything in the folder checked again, from the journal's first byte.
//!
//! - `facts.rs` each fact against those before it: signatures by the charters, lines by their
//!   place, records by the lines that name them
//! - `roots.rs` every signed root against that of the lines
//! - `contents.rs` bodies by their salted hashes, erasures by looking for the bytes
//! - `index.rs` the index against a fold made anew
//!
//! A finding is something wrong, and fails the check; a note is what a person may want to know and
//! what needs nothing done, such as what a crash left. **Invariant:** nothing is changed but what
//! opening a journal or an index mends by itself; no index is made, renewed or thrown away.

mod contents;
mod facts;
mod index;
mod roots;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::codec;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::journal::{Journal, Options, Place, Recovery};
use facts::Audit;
use index::Comparison;

/// What to do where the journal is wrong: nothing here can make it whole.
const RESTORE: &str = "restore a backup";

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a file and offset, a record, a log.
    pub place: String,
    /// What is so, and what to do.
    pub what: String,
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Groups of facts.
    pub groups: u64,
    /// Signatures verified.
    pub signatures: u64,
    /// Lines hashed into their trees.
    pub lines: u64,
    /// Signed roots compared with those of their lines.
    pub roots: u64,
    /// Bodies compared with their hashes.
    pub bodies: u64,
    /// Erasures confirmed.
    pub erasures: u64,
    /// Entries of the index compared with a fold made anew.
    pub entries: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// What is worth knowing and needs nothing done.
    pub notes: Vec<Finding>,
}

impl Report {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let (place, what) = (place.into(), what.into());
        self.findings.push(Finding { place, what });
    }

    fn note(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let (place, what) = (place.into(), what.into());
        self.notes.push(Finding { place, what });
    }

    /// What opening the journal found, and what it mended.
    fn recovered(&mut self, recovery: &Recovery) {
        for damage in &recovery.damages {
            let what = format!(
                "at {}: {}; the journal is read-only from now on; {RESTORE}",
                damage.offset, damage.fault
            );
            self.find(damage.file.display().to_string(), what);
        }
        if let Some(cut) = recovery.cut {
            let what = format!(
                "a write of {} bytes that never reached its end was cut off; nobody was told that \
                 it was done, so nothing is lost",
                cut.bytes
            );
            self.note(file(cut.segment, cut.offset), what);
        }
        if recovery.erasures_repeated > 0 {
            let what = format!(
                "erasures done once more: {}, as at every start those of the last write and what \
                 a crash cut short; nothing is left to do",
                recovery.erasures_repeated
            );
            self.note("journal", what);
        }
    }
}

/// Checks the store of a stopped node. `progress` hears of bytes done and bytes in all: facts are
/// read first, then what was entrusted to them.
///
/// # Errors
/// [`StoreError`] if the folder cannot be opened at all; damage inside is a finding.
pub fn verify_store(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, StoreError> {
    let folder = Folder::open(path)?;
    let mut audit = Audit::new(Comparison::open(&folder.index));
    let options = Options::new(&codec::blob_intact);
    let mut facts_bytes = 0;
    let (journal, recovery) = Journal::open(&folder.journal, &options, &mut |group| {
        facts_bytes = group.progress.bytes_total;
        progress(group.progress.bytes_done, facts_bytes.saturating_mul(2));
        audit.group(group);
    })?;
    let is_damaged = journal.is_read_only().is_some();
    let mut report = audit.report;
    report.recovered(&recovery);
    audit.roots.finish(&audit.model, &mut report);
    let all = facts_bytes.saturating_mul(2);
    let mut read = |bytes: u64| progress(facts_bytes.saturating_add(bytes), all);
    let reader = journal.reader();
    let contents = audit.contents;
    contents.look(&audit.model, &reader, is_damaged, &mut read, &mut report);
    audit.index.finish(is_damaged, &mut report);
    progress(all, all);
    Ok(report)
}

fn file(segment: u32, offset: u64) -> String {
    format!("journal/{segment:08}.seg at {offset}")
}

fn at(place: Place) -> String {
    file(place.segment, place.offset)
}
