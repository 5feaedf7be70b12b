//! What opening a journal takes, shows and reports. Imports layout and errors.
//!
//! **Invariant:** no blob is shown: a replay is about what lasts.

use super::error::Damage;
use super::layout::{Frame, PLACE_BYTES, Place, saturating_u32};
use super::limits::SEGMENT_BYTES;

/// The length of [`Position::to_bytes`].
pub const POSITION_BYTES: usize = PLACE_BYTES + 56;

/// How far a journal goes: what an index keeps to know whether it is this journal's, and how much
/// of it it has seen.
///
/// An index that is at `p` has seen a group at `g` if `g.place <= p.place`. It must be rebuilt if
/// journal id or compactions differ, or if no group has exactly the position `p`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The end of a commit frame, or of a segment header.
    pub place: Place,
    /// The chain hash of that commit frame.
    pub hash: [u8; 32],
    /// Which journal.
    pub journal_id: [u8; 16],
    /// How many compactions there ever were (the sum of all generations). It changes nothing but
    /// places, and those of one segment only.
    pub compactions: u64,
}

impl Position {
    /// Place, hash, journal id, compactions; big-endian.
    pub fn to_bytes(&self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        bytes[..16].copy_from_slice(&self.place.to_bytes());
        bytes[16..48].copy_from_slice(&self.hash);
        bytes[48..64].copy_from_slice(&self.journal_id);
        bytes[64..].copy_from_slice(&self.compactions.to_be_bytes());
        bytes
    }

    /// The inverse of [`Position::to_bytes`]; `None` if the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (place, rest) = bytes.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (journal_id, rest) = rest.split_first_chunk()?;
        let compactions = u64::from_be_bytes(rest.try_into().ok()?);
        let (hash, journal_id) = (*hash, *journal_id);
        Some(Position {
            place: Place::from_bytes(*place),
            hash,
            journal_id,
            compactions,
        })
    }
}

/// The caller's check of (kind, meta, blob). It is asked for the blobs of the last write only,
/// which a power cut can keep from the disk although their commit frame reached it.
pub type BlobCheck<'a> = &'a dyn Fn(u8, &[u8], &[u8]) -> bool;

/// How to open a journal.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// A write that would begin at or past this begins a new segment; [`SEGMENT_BYTES`] at most.
    pub segment_bytes: u64,
    /// The caller's check of a blob against its meta.
    pub blob_intact: BlobCheck<'a>,
}

impl<'a> Options<'a> {
    /// Segments of [`SEGMENT_BYTES`].
    pub fn new(blob_intact: BlobCheck<'a>) -> Self {
        Options {
            segment_bytes: SEGMENT_BYTES,
            blob_intact,
        }
    }
}

/// A frame as a replay or a compaction shows it; the blob is read through [`Reader`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameRef<'a> {
    /// Where it is.
    pub place: Place,
    /// The kind that the caller gave.
    pub kind: u8,
    /// What lasts.
    pub meta: &'a [u8],
    /// The bytes that the blob takes in the file, erased or not.
    pub blob_len: u32,
}

/// A group as a replay shows it. Groups of the journal itself come too, without frames, so that
/// positions have no holes.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The caller's frames in order.
    pub frames: &'a [FrameRef<'a>],
    /// The places whose blobs this group erased. Those of an earlier generation no longer exist.
    pub erased: &'a [Place],
    /// How many groups of the caller's lay here that compaction left out whole.
    pub dropped: u64,
    /// The position behind this group.
    pub position: Position,
    /// How far the replay is.
    pub progress: Progress,
}

/// How far a replay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes behind us.
    pub bytes_done: u64,
    /// Bytes of all segments.
    pub bytes_total: u64,
}

/// What opening a journal found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Recovery {
    /// Groups handed out.
    pub groups: u64,
    /// The torn tail that was cut off: a write that was never acknowledged.
    pub cut: Option<Cut>,
    /// Damage; if there is any, the journal is read-only. Of a damaged segment the groups before
    /// the damage were handed out, and then all groups of the next segment.
    pub damages: Vec<Damage>,
    /// Groups that were handed out although something before them is missing.
    pub groups_past_damage: u64,
    /// Erasures that had to be overwritten again.
    pub erasures_repeated: u64,
}

/// A torn tail that was cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The segment.
    pub segment: u32,
    /// Where it ends now.
    pub offset: u64,
    /// How many bytes went.
    pub bytes: u64,
}

impl<'a> FrameRef<'a> {
    pub(super) fn of(place: Place, frame: &Frame<'a>) -> Self {
        let blob_len = saturating_u32(frame.blob.len());
        FrameRef {
            place,
            kind: frame.kind,
            meta: frame.meta,
            blob_len,
        }
    }
}
