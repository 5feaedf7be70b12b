//! The journal: an append-only folder of segments, the one truth of a node. Imports `std`,
//! crc32fast and sha2, nothing of the workspace.
//!
//! What must last is appended in groups; a group is there whole or not at all, and is acknowledged
//! after one write and one sync. Frames have a meta, which lasts, and a blob, which can be erased.
//! On opening, every group is handed to the caller in order, so that what is derived (an index) can
//! be rebuilt by a plain fold. One process at a time may open a journal; the caller sees to that.
//!
//! - `layout.rs` the bytes; `group.rs` from frames to bytes; `scan.rs` from bytes to groups
//! - `disk.rs` every write and sync; `table.rs` the open segments and the [`Reader`]
//! - `survey.rs`, `recovery.rs` opening, `replay.rs` what it shows; `erase.rs`, `compact.rs`;
//!   `limits.rs`, `error.rs`
//!
//! A torn tail is cut and reported. Damage anywhere else makes the journal read-only and is named.
//! A failed write or sync is final for the process.
//!
//! An erasure overwrites in place. On a file system or medium that writes elsewhere instead
//! (snapshots, copy on write, wear levelling) an older copy of the block can outlive it.
//!
//! **Invariant:** the journal does not know what a frame means: no kind from 16 up, no record, no
//! key and no clock occurs here.

mod compact;
mod disk;
mod erase;
mod error;
mod group;
mod layout;
mod limits;
mod recovery;
mod replay;
mod scan;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use compact::{Moved, Prepared, Rewritten, Switched};
pub use error::{Damage, Fault, JournalError};
pub use group::NewFrame;
pub use layout::Place;
pub use limits::{
    BLOB_BYTES_MAX, CALLER_KIND_MIN, FRAMES_PER_GROUP_MAX, META_BYTES_MAX, SEGMENT_BYTES,
    WRITE_BYTES_MAX,
};
pub use replay::{
    BlobCheck, Cut, FrameRef, Group, Options, POSITION_BYTES, Position, Progress, Recovery,
};
pub use table::{Reader, StoredFrame};
pub use walk::walk;

use disk::{Disk, System, WriteFault, append_durably, place_segment, segment_number};
use group::{GroupWriter, check};
use layout::{Chain, HEADER_BYTES, Header, KIND_SEAL, file_length};
use limits::SEGMENT_FILE_BYTES_MAX;
use table::{Segment, Shared, read_lock, write_lock};

/// How much of a segment is erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentUse {
    /// The segment.
    pub segment: u32,
    /// The bytes of its file.
    pub bytes: u64,
    /// Those of them that are erased blobs, which compaction gives back.
    pub dead_bytes: u64,
}

/// Where the next group goes.
#[derive(Clone, Copy)]
struct WriteEnd {
    header: Header,
    end: u64,
    chain: Chain,
    sealed: bool,
}

impl WriteEnd {
    fn empty(header: Header) -> Self {
        let end = file_length(HEADER_BYTES);
        WriteEnd {
            header,
            end,
            chain: header.chain(),
            sealed: false,
        }
    }

    fn position(&self, compactions: u64) -> Position {
        let (place, journal_id) = (self.header.place(self.end), self.header.journal_id);
        Position {
            place,
            hash: self.chain,
            journal_id,
            compactions,
        }
    }
}

/// The failure after which nothing is written any more.
struct Failure {
    file: PathBuf,
    offset: u64,
    source: Arc<io::Error>,
}

/// An open journal: the one writer.
pub struct Journal {
    segment_bytes: u64,
    table: Shared,
    tail: WriteEnd,
    tail_file: Arc<fs::File>,
    disk: Arc<dyn Disk>,
    compactions: u64,
    damage: Option<Damage>,
    failure: Option<Failure>,
}

impl Journal {
    /// Makes a journal in a folder that has none, and the folder if it is missing. `journal_id` is
    /// 16 random bytes that must not leave the node: frame checks depend on them.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`], [`JournalError::DiskFull`], [`JournalError::Io`].
    pub fn create(dir: &Path, journal_id: [u8; 16]) -> Result<(), JournalError> {
        let io = |source| {
            let doing = "create the journal";
            JournalError::Io {
                file: dir.into(),
                offset: 0,
                doing,
                source,
            }
        };
        fs::create_dir_all(dir).map_err(io)?;
        for entry in fs::read_dir(dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            if name
                .to_str()
                .is_some_and(|name| segment_number(name, "seg").is_some())
            {
                return Err(JournalError::Exists { dir: dir.into() });
            }
        }
        let header = Header {
            segment: 0,
            generation: 0,
            journal_id,
        };
        match place_segment(&System, dir, 0, &header.encode()) {
            Ok(_) => {}
            Err(WriteFault::Full) => {
                return Err(JournalError::DiskFull {
                    file: dir.into(),
                    offset: 0,
                });
            }
            Err(WriteFault::Unknown(source)) => return Err(io(source)),
        }
        // The folder's own name must last too.
        dir.canonicalize()
            .and_then(|dir| {
                dir.parent()
                    .map_or(Ok(()), |parent| System.sync_dir(parent))
            })
            .map_err(io)
    }

    /// Opens a journal and hands every group in it to `visit`, in order. A torn tail is cut off,
    /// and every erasure is repeated, since a crash may have come before its blob was overwritten.
    ///
    /// A segment is read into memory whole, so this takes up to twice [`SEGMENT_BYTES`].
    ///
    /// # Errors
    ///
    /// [`JournalError::NoJournal`], [`JournalError::NewerFormat`], [`JournalError::Io`], and
    /// [`JournalError::Damaged`] if not one segment header can be read. Other damage is no error
    /// here: it is in [`Recovery::damages`], and the journal is read-only.
    pub fn open(
        dir: &Path,
        options: &Options<'_>,
        visit: &mut dyn FnMut(&Group<'_>),
    ) -> Result<(Journal, Recovery), JournalError> {
        recovery::open(dir, options, Arc::new(System), visit)
    }

    /// Appends one group and returns the places of its frames. On return it is durable.
    ///
    /// # Errors
    ///
    /// The caller's: [`JournalError::EmptyGroup`], [`JournalError::ReservedKind`],
    /// [`JournalError::TooLarge`]. The operator's: [`JournalError::ReadOnly`],
    /// [`JournalError::DiskFull`]. After all of these nothing was appended. Final:
    /// [`JournalError::DurabilityUnknown`].
    pub fn append(&mut self, group: &[NewFrame<'_>]) -> Result<Vec<Place>, JournalError> {
        let places = self.append_checked(&[group])?;
        Ok(places.into_iter().flatten().collect())
    }

    /// Appends several groups with one write and one sync, and returns the places of their frames.
    /// On return all are durable; after a crash before it, the first few of them may be, in order.
    ///
    /// # Errors
    ///
    /// As [`Journal::append`]; it concerns all groups.
    pub fn append_all(
        &mut self,
        groups: &[Vec<NewFrame<'_>>],
    ) -> Result<Vec<Vec<Place>>, JournalError> {
        let groups: Vec<_> = groups.iter().map(Vec::as_slice).collect();
        self.append_checked(&groups)
    }

    fn append_checked(
        &mut self,
        groups: &[&[NewFrame<'_>]],
    ) -> Result<Vec<Vec<Place>>, JournalError> {
        self.ensure_writable()?;
        check(groups)?;
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.roll_if_full()?;
        self.write(groups)
    }

    /// How far the journal goes.
    pub fn position(&self) -> Position {
        self.tail.position(self.compactions)
    }

    /// The first damage found at opening, if there is any; then nothing can be written.
    pub fn is_read_only(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// A reader for any thread.
    pub fn reader(&self) -> Reader {
        Reader {
            table: Arc::clone(&self.table),
        }
    }

    /// How much of each segment is erased, in order. The last segment cannot be compacted.
    pub fn usage(&self) -> Vec<SegmentUse> {
        let table = read_lock(&self.table);
        let usage = table.segments.iter().map(|(number, segment)| SegmentUse {
            segment: *number,
            bytes: segment.end,
            dead_bytes: segment.erased.values().sum(),
        });
        usage.collect()
    }

    fn ensure_writable(&self) -> Result<(), JournalError> {
        if let Some(damage) = &self.damage {
            return Err(JournalError::ReadOnly(damage.clone()));
        }
        match &self.failure {
            Some(failure) => Err(failure.error()),
            None => Ok(()),
        }
    }

    /// Seals a segment that has reached its size, and begins the next. The seal is durable before
    /// the next segment exists, so a segment that has a successor and no seal has lost its end.
    fn roll_if_full(&mut self) -> Result<(), JournalError> {
        if !self.tail.sealed {
            let is_empty = self.tail.end == file_length(HEADER_BYTES);
            if is_empty || self.tail.end < self.segment_bytes {
                return Ok(());
            }
            let seal = NewFrame {
                kind: KIND_SEAL,
                meta: [][..].into(),
                blob: [][..].into(),
            };
            self.write(&[&[seal]])?;
            self.tail.sealed = true;
        }
        let header = self.tail.header;
        let segment = header.segment.saturating_add(1);
        let header = Header {
            segment,
            generation: 0,
            journal_id: header.journal_id,
        };
        let file = match place_segment(&*self.disk, &self.dir(), segment, &header.encode()) {
            Ok(file) => Arc::new(file),
            Err(fault) => return Err(self.write_failed(self.path(segment), 0, fault)),
        };
        self.tail = WriteEnd::empty(header);
        self.tail_file = Arc::clone(&file);
        let new = Segment {
            file,
            header,
            end: self.tail.end,
            erased: HashMap::new(),
        };
        write_lock(&self.table).segments.insert(segment, new);
        Ok(())
    }

    /// Writes groups with one sync, without asking what they are.
    fn write(&mut self, groups: &[&[NewFrame<'_>]]) -> Result<Vec<Vec<Place>>, JournalError> {
        let (start, segment) = (self.tail.end, self.tail.header.segment);
        let mut writer = GroupWriter::new(self.tail.header, start, self.tail.chain);
        let places = writer.push_write(groups);
        debug_assert!(writer.end() <= SEGMENT_FILE_BYTES_MAX);
        if let Err(fault) = append_durably(&*self.disk, &self.tail_file, start, &writer.bytes) {
            return Err(self.write_failed(self.path(segment), start, fault));
        }
        // Durable: from here on readers may see it.
        (self.tail.end, self.tail.chain) = (writer.end(), writer.chain);
        if let Some(segment) = write_lock(&self.table).segments.get_mut(&segment) {
            segment.end = self.tail.end;
        }
        Ok(places)
    }

    fn write_failed(&mut self, file: PathBuf, offset: u64, fault: WriteFault) -> JournalError {
        match fault {
            WriteFault::Full => JournalError::DiskFull { file, offset },
            WriteFault::Unknown(source) => {
                let failure = Failure {
                    file,
                    offset,
                    source: Arc::new(source),
                };
                self.failure.insert(failure).error()
            }
        }
    }

    fn path(&self, segment: u32) -> PathBuf {
        read_lock(&self.table).path(segment)
    }

    fn dir(&self) -> PathBuf {
        read_lock(&self.table).dir.clone()
    }
}

impl Failure {
    fn error(&self) -> JournalError {
        let (file, offset, source) = (self.file.clone(), self.offset, Arc::clone(&self.source));
        JournalError::DurabilityUnknown {
            file,
            offset,
            source,
        }
    }
}
