//! What can go wrong, sorted by who is at fault. Imports nothing but `std` and `thiserror`.
//!
//! **Invariant:** there is no error without a place: what concerns bytes on disk names file and
//! offset, and every message says what to do next.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::limits::CALLER_KIND_MIN;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    // The caller asked for what cannot be done; nothing was written.
    /// Kinds below [`CALLER_KIND_MIN`] are the journal's own.
    #[error("frame kind {kind} belongs to the journal: use {CALLER_KIND_MIN} or above")]
    ReservedKind {
        /// The kind that was given.
        kind: u8,
    },
    /// A group holds at least one frame.
    #[error("a group without frames: append only when there is something to append")]
    EmptyGroup,
    /// A limit of `limits.rs` was exceeded.
    #[error("{what} is {size}, the limit is {max}: split it before appending")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// The place is not one that this journal handed out.
    #[error("{file} at {offset}: no frame begins here; rebuild the index that named this place")]
    NoFrame {
        /// The segment file.
        file: PathBuf,
        /// The offset in it.
        offset: u64,
    },
    /// The place was handed out before its segment was compacted.
    #[error(
        "{file} at {offset}: a place of generation {asked}, the segment is at {present}; \
         look the frame up again, and rebuild the index if it still says so"
    )]
    Moved {
        /// The segment file.
        file: PathBuf,
        /// The offset in it.
        offset: u64,
        /// The generation of the place.
        asked: u32,
        /// The generation of the segment.
        present: u32,
    },
    /// The last segment is never compacted.
    #[error("{file} is being written to: compact only earlier segments")]
    InUse {
        /// The segment file.
        file: PathBuf,
    },

    // The operator must mend it.
    /// The folder holds no segment.
    #[error("{dir}: no journal here; create one, or name the right folder")]
    NoJournal {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds a journal already.
    #[error("{dir}: a journal is here already; open it, or name an empty folder")]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// The segment has a format number above ours.
    #[error("{file} at 8: made by a newer version (format {format}); upgrade this program")]
    NewerFormat {
        /// The segment file.
        file: PathBuf,
        /// Its format number.
        format: u16,
    },
    /// The journal is damaged, so nothing more is written to it.
    #[error("the journal is read-only, it is damaged: {0}; restore from a backup or from peers")]
    ReadOnly(Damage),
    /// What was asked for lies in damaged bytes, or nothing in the folder can be read.
    #[error("{0}; restore from a backup or from peers")]
    Damaged(Damage),
    /// The disk is full; nothing of the write remains, and the journal may be written to again.
    #[error("{file} at {offset}: the disk is full, nothing was kept; free space and try again")]
    DiskFull {
        /// The segment file.
        file: PathBuf,
        /// Where the write would have begun.
        offset: u64,
    },
    /// The system refused to open, read, list, truncate or sync.
    #[error("{file} at {offset}: cannot {doing}; check disk and permissions, then start again")]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// The offset concerned, 0 for the whole.
        offset: u64,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },

    // What cannot be: stop.
    /// A write or sync failed, so nobody knows what is on disk. Final for this process.
    #[error(
        "{file} at {offset}: a write or sync failed, so what is on disk is unknown; \
         stop, check the disk, start again: recovery keeps what is whole"
    )]
    DurabilityUnknown {
        /// The segment file.
        file: PathBuf,
        /// Where the write began that failed.
        offset: u64,
        /// What the system said the first time.
        source: Arc<io::Error>,
    },
}

/// Bytes that are not what was once written, and are not a torn tail either.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file} at {offset}: {fault}")]
pub struct Damage {
    /// The segment file.
    pub file: PathBuf,
    /// The segment's number.
    pub segment: u32,
    /// Where the damage was noticed; it may lie some bytes further on.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with bytes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// A number of the sequence has no file.
    #[error("the segment is missing")]
    MissingSegment,
    /// The header's magic, CRC or format number is wrong.
    #[error("the segment header is damaged")]
    Header,
    /// The header names another segment than the file name does.
    #[error("the header belongs to another segment")]
    Misnamed,
    /// The header names another journal than the first segment's.
    #[error("the segment belongs to another journal")]
    Foreign,
    /// The file is larger than any segment can be.
    #[error("the file is larger than a segment can be")]
    Oversized,
    /// The file ends within a frame or before a commit frame.
    #[error("the file ends within a group")]
    Short,
    /// A length exceeds its limit or its frame.
    #[error("a length is impossible")]
    Length,
    /// The CRC does not fit.
    #[error("a frame's CRC does not fit")]
    Crc,
    /// A kind of the journal's own that this format does not have, or a malformed one.
    #[error("a frame of the journal itself is malformed")]
    OwnFrame,
    /// The commit frame's count does not fit.
    #[error("a group has more or fewer frames than its commit frame says")]
    Count,
    /// The commit frame's hash does not fit.
    #[error("a group's hash does not fit")]
    Hash,
    /// A blob does not fit its meta.
    #[error("a blob is not the one that its frame names")]
    Blob,
    /// A segment that is followed by another does not end with a seal.
    #[error("the segment ends too early: groups at its end are missing")]
    Unsealed,
    /// An erase frame names a place where there is no frame.
    #[error("an erase frame names this place, but there is no frame")]
    ErasedNothing,
}
