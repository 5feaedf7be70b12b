//! The segments of an open journal as writer and readers share them, and the reader. Imports
//! layout, disk and errors.
//!
//! **Invariant:** a place of an earlier generation never yields bytes, and an erased blob is never
//! handed out, not even while it is being overwritten.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::disk::{Disk, read_frame_start, segment_path};
use super::error::{Damage, Fault, JournalError};
use super::layout::{FRAME_OVERHEAD, Frame, Header, Place, file_length, frame_size};

/// Bytes of a frame that are read at once: most frames are no longer, and need one read.
const FIRST_BYTES: usize = 4096;

/// One readable segment.
#[derive(Clone)]
pub(super) struct Segment {
    pub file: Arc<File>,
    pub header: Header,
    /// The end of what is acknowledged; of a damaged segment, the end of the file.
    pub end: u64,
    /// The erased frames by offset, with the length of their blobs.
    pub erased: HashMap<u64, u64>,
}

/// All readable segments by number.
pub(super) struct Table {
    pub dir: PathBuf,
    pub segments: BTreeMap<u32, Segment>,
}

/// The table behind its lock. The lock is held for look-ups only, never during I/O.
pub(super) type Shared = Arc<RwLock<Table>>;

/// A panic elsewhere cannot leave the table half changed: each change is a single assignment.
pub(super) fn read_lock(table: &Shared) -> RwLockReadGuard<'_, Table> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write_lock(table: &Shared) -> RwLockWriteGuard<'_, Table> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}

/// Where a frame is to be read: held, it stays readable even if the segment is compacted meanwhile.
pub(super) struct Located {
    pub file: Arc<File>,
    pub path: PathBuf,
    pub place: Place,
    crc: u32,
    end: u64,
}

impl Table {
    /// The file of a segment.
    pub fn path(&self, segment: u32) -> PathBuf {
        segment_path(&self.dir, segment)
    }

    /// Finds the file of a place, of its own generation only.
    pub fn locate(&self, place: Place) -> Result<Located, JournalError> {
        let (path, offset) = (self.path(place.segment), place.offset);
        let Some(segment) = self.segments.get(&place.segment) else {
            return Err(JournalError::NoFrame { file: path, offset });
        };
        let (asked, present) = (place.generation, segment.header.generation);
        if asked != present {
            return Err(JournalError::Moved {
                file: path,
                offset,
                asked,
                present,
            });
        }
        let (file, crc, end) = (Arc::clone(&segment.file), segment.header.crc(), segment.end);
        Ok(Located {
            file,
            path,
            place,
            crc,
            end,
        })
    }

    /// True if the blob of the frame at this place is erased.
    pub fn is_erased(&self, place: Place) -> bool {
        self.segments.get(&place.segment).is_some_and(|segment| {
            segment.header.generation == place.generation
                && segment.erased.contains_key(&place.offset)
        })
    }

    /// Notes that a blob is erased: from now on no reader hands it out.
    pub fn mark_erased(&mut self, place: Place, blob_bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.erased.insert(place.offset, blob_bytes);
        }
    }
}

impl Located {
    /// Reads the whole frame and checks its CRC.
    pub fn read(&self) -> Result<StoredFrame, JournalError> {
        let left = self.end.saturating_sub(self.place.offset);
        let mut bytes = vec![
            0;
            usize::try_from(left)
                .unwrap_or(FIRST_BYTES)
                .min(FIRST_BYTES)
        ];
        self.read_at(&mut bytes, 0)?;
        let start = bytes.first_chunk().ok_or_else(|| self.no_frame())?;
        let size = frame_size(start).map_err(|fault| self.damaged(fault))?;
        if left < file_length(size.whole) {
            return Err(self.damaged(Fault::Short));
        }
        let read = bytes.len().min(size.whole);
        bytes.resize(size.whole, 0);
        if let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            self.read_at(rest, read)?;
        }
        let kind = Frame::parse(&bytes, self.crc)
            .map_err(|fault| self.damaged(fault))?
            .kind;
        let blob = bytes.split_off(size.head);
        bytes.drain(..FRAME_OVERHEAD);
        Ok(StoredFrame {
            kind,
            meta: bytes,
            blob,
        })
    }

    fn read_at(&self, bytes: &mut [u8], from: usize) -> Result<(), JournalError> {
        let offset = self.place.offset.saturating_add(file_length(from));
        let read = self.file.read_exact_at(bytes, offset);
        read.map_err(|source| self.io(source))
    }

    /// Overwrites the blob, `bytes` long, with zeros; the caller syncs. The frame was read before.
    pub fn zero_blob(&self, disk: &dyn Disk, bytes: u64) -> io::Result<()> {
        let start = read_frame_start(&self.file, self.place.offset, self.end)?;
        let size = start.and_then(|start| frame_size(&start).ok());
        let head = size
            .map(|size| size.head)
            .ok_or(io::ErrorKind::InvalidData)?;
        let zeros = vec![0; usize::try_from(bytes).unwrap_or_default()];
        disk.write_all_at(&self.file, &zeros, self.place.offset + file_length(head))
    }

    fn no_frame(&self) -> JournalError {
        JournalError::NoFrame {
            file: self.path.clone(),
            offset: self.place.offset,
        }
    }

    fn damaged(&self, fault: Fault) -> JournalError {
        let (
            file,
            Place {
                segment, offset, ..
            },
        ) = (self.path.clone(), self.place);
        JournalError::Damaged(Damage {
            file,
            segment,
            offset,
            fault,
        })
    }

    fn io(&self, source: io::Error) -> JournalError {
        let (file, offset) = (self.path.clone(), self.place.offset);
        JournalError::Io {
            file,
            offset,
            doing: "read",
            source,
        }
    }
}

/// A frame as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredFrame {
    /// The kind that the caller gave.
    pub kind: u8,
    /// What lasts; checked by the frame's CRC.
    pub meta: Vec<u8>,
    /// What can be erased, empty once it is. Not checked: the caller compares it with the hash in
    /// its meta.
    pub blob: Vec<u8>,
}

/// Reads frames by place, from any thread, while the journal goes on: segments made later are
/// seen, and reading goes on when writing has become impossible.
///
/// Contract: a place is good until its segment is compacted. With [`super::Prepared::switch`] the
/// caller replaces its places by the new ones, under its own lock; whoever still comes with an
/// old one gets [`JournalError::Moved`], never another frame, and looks it up again.
#[derive(Clone)]
pub struct Reader {
    pub(super) table: Shared,
}

impl Reader {
    /// Reads the frame at a place.
    ///
    /// # Errors
    ///
    /// [`JournalError::Moved`] if the segment was compacted since the place was handed out,
    /// [`JournalError::NoFrame`] if the place lies outside of what was acknowledged,
    /// [`JournalError::Damaged`] if the bytes there are no frame, [`JournalError::Io`].
    pub fn read(&self, place: Place) -> Result<StoredFrame, JournalError> {
        let located = read_lock(&self.table).locate(place)?;
        let mut frame = located.read()?;
        // Asked again after reading: an erasure is marked before the first byte is overwritten, so
        // a blob that is half zeros cannot pass, even if its segment was compacted meanwhile.
        let table = read_lock(&self.table);
        table.locate(place)?;
        if table.is_erased(place) {
            frame.blob.clear();
        }
        Ok(frame)
    }

    /// Whether the blob at a place is zeros on disk, whatever is said of it elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Reader::read`].
    pub fn is_overwritten(&self, place: Place) -> Result<bool, JournalError> {
        let located = read_lock(&self.table).locate(place)?;
        Ok(located.read()?.blob.iter().all(|byte| *byte == 0))
    }
}
