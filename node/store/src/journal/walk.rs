//! The groups of a journal that may be written to meanwhile. Imports layout, scan, disk and errors.
//!
//! **Invariant:** nothing is changed, mended or cut; what an erase frame names is not handed out,
//! whether or not its bytes are gone yet.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{segment_number, segment_path};
use super::error::{Damage, Fault, JournalError};
use super::group::NewFrame;
use super::layout::{Header, HeaderFault, KIND_ERASE, erased_places, file_length};
use super::limits::CALLER_KIND_MIN;
use super::replay::BlobCheck;
use super::scan::{Scan, Tail, judge_tail};
use super::survey::io_error;

/// What is done with each group: its frames, those that were erased with an empty blob.
pub type Visit<'a, E> = &'a mut dyn FnMut(&[NewFrame<'_>]) -> Result<(), E>;

/// Hands every group to `visit`, in order, as far as the journal went when its last segment was
/// read. A write under way at its end is left out.
///
/// # Errors
/// [`JournalError::NoJournal`], [`JournalError::NewerFormat`], [`JournalError::Io`];
/// [`JournalError::Damaged`] where something that had been durable is wrong. Those of `visit`.
pub fn walk<E: From<JournalError>>(
    dir: &Path,
    blob_intact: BlobCheck<'_>,
    visit: Visit<'_, E>,
) -> Result<(), E> {
    let numbers = segments(dir)?;
    let mut erased = HashSet::new();
    for number in &numbers {
        let segment = Segment::read(dir, *number)?;
        for group in &segment
            .scan(Some(number) == numbers.last(), blob_intact)?
            .groups
        {
            let frames = group.frames.iter();
            for (offset, frame) in frames.filter(|(_, frame)| frame.kind == KIND_ERASE) {
                let places = erased_places(frame.meta);
                erased.extend(places.map_err(|fault| segment.damage(*offset, fault))?);
            }
        }
    }
    for number in &numbers {
        let segment = Segment::read(dir, *number)?;
        for group in &segment
            .scan(Some(number) == numbers.last(), blob_intact)?
            .groups
        {
            let mut frames = Vec::new();
            for (offset, frame) in &group.frames {
                if frame.kind < CALLER_KIND_MIN {
                    continue;
                }
                let place = segment.header.place(file_length(*offset));
                // One that is being erased at this moment is on its way out.
                let is_gone = erased.contains(&place) || frame.blob.iter().all(|byte| *byte == 0);
                if !is_gone && !blob_intact(frame.kind, frame.meta, frame.blob) {
                    return Err(segment.damage(*offset, Fault::Blob).into());
                }
                frames.push(NewFrame {
                    kind: frame.kind,
                    meta: frame.meta.into(),
                    blob: if is_gone { [].as_slice() } else { frame.blob }.into(),
                });
            }
            if !frames.is_empty() {
                visit(&frames)?;
            }
        }
    }
    Ok(())
}

/// The numbers of the segments, ascending: whatever a compaction drops from one was said again in
/// one that is read later.
fn segments(dir: &Path) -> Result<BTreeSet<u32>, JournalError> {
    let listed = |source| io_error(dir, 0, "list the folder", source);
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(dir).map_err(listed)? {
        let name = entry.map_err(listed)?.file_name();
        let number = name.to_str().and_then(|name| segment_number(name, "seg"));
        numbers.extend(number);
    }
    if numbers.is_empty() {
        return Err(JournalError::NoJournal { dir: dir.into() });
    }
    Ok(numbers)
}

struct Segment {
    path: PathBuf,
    number: u32,
    header: Header,
    bytes: Vec<u8>,
}

impl Segment {
    fn read(dir: &Path, number: u32) -> Result<Self, JournalError> {
        let path = segment_path(dir, number);
        let bytes = fs::read(&path).map_err(|source| io_error(&path, 0, "read", source))?;
        let header = match Header::decode(&bytes) {
            Ok(header) => header,
            Err(HeaderFault::Newer(format)) => {
                return Err(JournalError::NewerFormat { file: path, format });
            }
            Err(HeaderFault::Damaged) => {
                return Err(damage(path, number, 0, Fault::Header));
            }
        };
        Ok(Self {
            path,
            number,
            header,
            bytes,
        })
    }

    /// Its groups. Only the last segment may end with a write under way.
    fn scan(&self, is_last: bool, blob_intact: BlobCheck<'_>) -> Result<Scan<'_>, JournalError> {
        let mut scan = Scan::of(&self.bytes, &self.header);
        if !is_last {
            return match scan.fault {
                Some((offset, fault)) => Err(self.damage(offset, fault)),
                None => Ok(scan),
            };
        }
        match judge_tail(&self.bytes, &self.header, &scan, blob_intact) {
            Tail::Whole => {}
            Tail::Torn { keep } => scan.groups.truncate(keep),
            Tail::Damaged { offset, fault } => return Err(self.damage(offset, fault)),
        }
        Ok(scan)
    }

    fn damage(&self, offset: usize, fault: Fault) -> JournalError {
        damage(self.path.clone(), self.number, file_length(offset), fault)
    }
}

fn damage(file: PathBuf, segment: u32, offset: u64, fault: Fault) -> JournalError {
    JournalError::Damaged(Damage {
        file,
        segment,
        offset,
        fault,
    })
}
