//! The limits of the journal, each with its reason. Imports nothing.
//!
//! **Invariant:** no length read from a file or taken from the caller leads to an allocation before
//! it was compared with a limit of this file.

/// A write that would begin at or past this offset begins a new segment. Small enough to be read
/// whole into memory at start and to be rewritten in a second or two, large enough that a journal
/// of ten years stays a folder of a few hundred files.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Bytes of one write (all groups that share one sync). Bounds the buffer of a write, and with it
/// how far a segment can grow past [`SEGMENT_BYTES`].
pub const WRITE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of the meta of one frame: room for a package of 1 MiB with its proof, twice over.
pub const META_BYTES_MAX: u32 = 2 << 20;

/// Bytes of the blob of one frame: four times the largest body with its salt.
pub const BLOB_BYTES_MAX: u32 = 1 << 20;

/// Frames of one group, not counting the commit frame: 256 lines of a package, each with its
/// record and what the caller notes about it, many times over.
pub const FRAMES_PER_GROUP_MAX: u32 = 1 << 16;

/// The smallest frame kind that a caller may use; those below belong to the journal.
pub const CALLER_KIND_MIN: u8 = 16;

/// The largest segment file that can come about: a last write that begins one byte before
/// [`SEGMENT_BYTES`], and room for the frames that end a segment. A larger file is damage and is
/// not read.
pub(super) const SEGMENT_FILE_BYTES_MAX: u64 = SEGMENT_BYTES + WRITE_BYTES_MAX + 4096;
