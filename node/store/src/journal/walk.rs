//! The groups of a journal that may be written to meanwhile. Imports layout, scan, disk and errors.
//!
//! **Invariant:** nothing is changed, mended or cut; what an erase frame names is not handed out,
//! whether or not its bytes are gone yet.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::disk::{segment_number, segment_path};
use super::error::{Damage, Fault, JournalError};
use super::group::NewFrame;
use super::layout::{Header, HeaderFault, KIND_ERASE, Place, erased_places, file_length};
use super::limits::{CALLER_KIND_MIN, SEGMENT_FILE_BYTES_MAX};
use super::replay::BlobCheck;
use super::scan::{Scan, Tail, judge_tail};
use super::survey::io_error;

/// What is done with each group: its frames, those that were erased with an empty blob.
pub type Visit<'a, E> = &'a mut dyn FnMut(&[NewFrame<'_>]) -> Result<(), E>;

/// How often a segment is read that is rewritten, or of which something is erased, meanwhile.
const TRIES: usize = 5;

/// Hands every group to `visit`, in order, as far as the journal went when its last segment was
/// read. A write under way at its end is left out.
///
/// Whatever an erasure or a compaction took from a segment before it was read, the reason stands in
/// one that is read later.
///
/// # Errors
/// [`JournalError::NoJournal`], [`JournalError::NewerFormat`], [`JournalError::Io`];
/// [`JournalError::Damaged`] where something that had been durable is wrong. Those of `visit`.
pub fn walk<E: From<JournalError>>(
    dir: &Path,
    blob_intact: BlobCheck<'_>,
    visit: Visit<'_, E>,
) -> Result<(), E> {
    let erased = erased(dir, blob_intact)?;
    let mut journal_id = None;
    let mut number = 0;
    loop {
        // Asked before it is read: one that is followed by another is whole.
        let is_last = !segment_path(dir, number + 1).exists();
        let mut tries = 1;
        let segment = loop {
            let segment = Segment::read(dir, number, &mut journal_id)?;
            match segment.groups(is_last, blob_intact, &erased) {
                Ok(_) => break segment,
                Err(error) if tries == TRIES => return Err(error.into()),
                Err(_) => tries += 1,
            }
        };
        for frames in segment.groups(is_last, blob_intact, &erased)? {
            if !frames.is_empty() {
                visit(&frames)?;
            }
        }
        if is_last {
            return Ok(());
        }
        number += 1;
    }
}

/// What erase frames name by now. A segment that cannot be read is named when it is walked.
fn erased(dir: &Path, blob_intact: BlobCheck<'_>) -> Result<HashSet<Place>, JournalError> {
    let numbers = segments(dir)?;
    let mut erased = HashSet::new();
    let mut journal_id = None;
    for number in &numbers {
        let Ok(segment) = Segment::read(dir, *number, &mut journal_id) else {
            continue;
        };
        let Ok(scan) = segment.scan(Some(number) == numbers.last(), blob_intact) else {
            continue;
        };
        let frames = scan.groups.iter().flat_map(|group| &group.frames);
        for (_, frame) in frames.filter(|(_, frame)| frame.kind == KIND_ERASE) {
            erased.extend(erased_places(frame.meta).unwrap_or_default());
        }
    }
    Ok(erased)
}

/// The numbers of the segments, ascending and without a gap.
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
    let missing = (0..).zip(&numbers).find(|(at, number)| at != *number);
    match missing {
        Some((at, _)) => {
            let path = segment_path(dir, at);
            Err(damage(path, at, 0, Fault::MissingSegment))
        }
        None => Ok(numbers),
    }
}

struct Segment {
    path: PathBuf,
    number: u32,
    header: Header,
    bytes: Vec<u8>,
}

impl Segment {
    /// Reads a segment whole; one that a compaction replaced meanwhile is read again.
    fn read(
        dir: &Path,
        number: u32,
        journal_id: &mut Option<[u8; 16]>,
    ) -> Result<Self, JournalError> {
        let path = segment_path(dir, number);
        let io = |source| io_error(&path, 0, "read", source);
        let inode = |found: &Metadata| (found.dev(), found.ino());
        let mut bytes = Vec::new();
        for _ in 0..TRIES {
            bytes.clear();
            let file = File::open(&path).map_err(io)?;
            let limit = SEGMENT_FILE_BYTES_MAX.saturating_add(1);
            (&file).take(limit).read_to_end(&mut bytes).map_err(io)?;
            let (read, there) = (file.metadata(), fs::metadata(&path));
            if inode(&read.map_err(io)?) == inode(&there.map_err(io)?) {
                break;
            }
        }
        let fault = |fault| damage(path.clone(), number, 0, fault);
        if file_length(bytes.len()) > SEGMENT_FILE_BYTES_MAX {
            return Err(fault(Fault::Oversized));
        }
        let header = match Header::decode(&bytes) {
            Ok(header) if header.segment != number => return Err(fault(Fault::Misnamed)),
            Ok(header) => header,
            Err(HeaderFault::Newer(format)) => {
                return Err(JournalError::NewerFormat { file: path, format });
            }
            Err(HeaderFault::Damaged) => return Err(fault(Fault::Header)),
        };
        if *journal_id.get_or_insert(header.journal_id) != header.journal_id {
            return Err(fault(Fault::Foreign));
        }
        Ok(Self {
            path,
            number,
            header,
            bytes,
        })
    }

    /// The frames of its groups that are the caller's.
    fn groups(
        &self,
        is_last: bool,
        blob_intact: BlobCheck<'_>,
        erased: &HashSet<Place>,
    ) -> Result<Vec<Vec<NewFrame<'_>>>, JournalError> {
        let scan = self.scan(is_last, blob_intact)?;
        let mut groups = Vec::with_capacity(scan.groups.len());
        for group in scan.groups {
            let mut frames = Vec::new();
            for (offset, frame) in group.frames {
                if frame.kind < CALLER_KIND_MIN {
                    continue;
                }
                let place = self.header.place(file_length(offset));
                // One that is being erased at this moment is on its way out.
                let is_gone = erased.contains(&place) || frame.blob.iter().all(|byte| *byte == 0);
                if !is_gone && !blob_intact(frame.kind, frame.meta, frame.blob) {
                    return Err(self.damage(offset, Fault::Blob));
                }
                frames.push(NewFrame {
                    kind: frame.kind,
                    meta: frame.meta.into(),
                    blob: if is_gone { [].as_slice() } else { frame.blob }.into(),
                });
            }
            groups.push(frames);
        }
        Ok(groups)
    }

    /// Its groups. Only the last segment may end with a write under way.
    fn scan(&self, is_last: bool, blob_intact: BlobCheck<'_>) -> Result<Scan<'_>, JournalError> {
        let mut scan = Scan::of(&self.bytes, &self.header);
        if !is_last {
            return match scan.fault {
                Some((offset, fault)) => Err(self.damage(offset, fault)),
                None if scan.is_sealed() => Ok(scan),
                None => Err(self.damage(scan.end(), Fault::Unsealed)),
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
