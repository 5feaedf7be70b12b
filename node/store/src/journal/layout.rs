//! The bytes of a segment: header, frame, commit, place. Imports the limits and the faults only.
//!
//! All integers are big-endian. A segment is a header and then groups; a group is frames and then a
//! commit frame.
//!
//! ```text
//! header  magic "CORRIDOR" | u16 format | u32 segment | u32 generation | [16] journal id | u32 CRC
//! frame   u32 length | u32 CRC | u8 kind | u32 meta length | meta | blob
//! commit  a frame of kind 1, meta = u32 count | u32 left | u64 write start | [32] chain hash
//! erase   a frame of kind 2, meta = places; place = u32 segment | u32 generation | u64 offset
//! seal    a frame of kind 3, no meta; alone in the last group of a segment that has a successor
//! cut     a frame of kind 4, meta = u64 offset | u64 bytes; what recovery cut off at this offset
//! dropped a frame of kind 5, meta = u64 count; so many groups lay here that compaction left out
//! ```
//!
//! - The header's CRC covers the 34 bytes before it. Every later format keeps this header, so that
//!   an older program can tell "newer" from "damaged".
//! - A frame's length counts everything after its CRC. Its CRC continues the header's: it covers
//!   the 34 header bytes, then length, kind, meta length and meta. So a frame is valid in its own
//!   segment and generation only: old disk blocks and record contents that imitate frames are not
//!   (the journal id is random and never leaves the node). The blob is not covered, because it can
//!   be erased; its check is the salted hash in the caller's meta.
//! - Chain hash = SHA-256 (chain hash of the commit before in this segment, or SHA-256 of the
//!   header's 38 bytes for the first | the group's frames without their blobs).
//! - Write start is the offset where the write (the groups that shared one sync) began, left the
//!   number of its groups that follow. Recovery needs both to tell a torn write from damage.
//!
//! **Invariant:** nothing here does I/O or knows what a caller's frame means.

use crc32fast::Hasher;
use sha2::{Digest, Sha256};

use super::error::Fault;
use super::limits::{BLOB_BYTES_MAX, META_BYTES_MAX};

pub(super) const FORMAT: u16 = 1;
pub(super) const HEADER_BYTES: usize = 38;
/// The bytes of a frame besides meta and blob.
pub(super) const FRAME_OVERHEAD: usize = 13;
/// What a frame's length counts besides meta and blob: kind and meta length.
const COUNTED_OVERHEAD: u32 = 5;
pub(super) const COMMIT_META_BYTES: usize = 48;
pub(super) const COMMIT_BYTES: usize = FRAME_OVERHEAD + COMMIT_META_BYTES;
pub(super) const PLACE_BYTES: usize = 16;

const MAGIC: [u8; 8] = *b"CORRIDOR";
const HEADER_CRC_AT: usize = HEADER_BYTES - 4;

pub(super) const KIND_COMMIT: u8 = 1;
pub(super) const KIND_ERASE: u8 = 2;
pub(super) const KIND_SEAL: u8 = 3;
pub(super) const KIND_CUT: u8 = 4;
pub(super) const KIND_DROPPED: u8 = 5;

/// A chain hash.
pub(super) type Chain = [u8; 32];

/// Where a frame begins. Offsets of one segment and generation ascend in the order of appending; a
/// compaction gives the frames of its segment new places under the next generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The segment's number.
    pub segment: u32,
    /// The segment's generation: how often it was compacted when the place was handed out.
    pub generation: u32,
    /// Bytes from the beginning of the file.
    pub offset: u64,
}

impl Place {
    /// Sixteen bytes, big-endian, so that bytes sort as places do.
    pub fn to_bytes(self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..4].copy_from_slice(&self.segment.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.generation.to_be_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    /// The inverse of [`Place::to_bytes`].
    pub fn from_bytes(bytes: [u8; PLACE_BYTES]) -> Self {
        let mut fields = Fields(&bytes);
        Place {
            segment: fields.u32(),
            generation: fields.u32(),
            offset: fields.u64(),
        }
    }
}

/// Reads fields from a slice whose length the caller has checked; past the end there are zeros.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }
}

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub segment: u32,
    pub generation: u32,
    pub journal_id: [u8; 16],
}

/// Why a header was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderFault {
    Damaged,
    Newer(u16),
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_be_bytes());
        bytes[10..14].copy_from_slice(&self.segment.to_be_bytes());
        bytes[14..18].copy_from_slice(&self.generation.to_be_bytes());
        bytes[18..HEADER_CRC_AT].copy_from_slice(&self.journal_id);
        let crc = crc32fast::hash(&bytes[..HEADER_CRC_AT]);
        bytes[HEADER_CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Header, HeaderFault> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(HeaderFault::Damaged)?;
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.array();
        let format = u16::from_be_bytes(fields.array());
        let header = Header {
            segment: fields.u32(),
            generation: fields.u32(),
            journal_id: fields.array(),
        };
        if magic != MAGIC || crc32fast::hash(&bytes[..HEADER_CRC_AT]) != fields.u32() {
            return Err(HeaderFault::Damaged);
        }
        match format {
            FORMAT => Ok(header),
            0 => Err(HeaderFault::Damaged),
            newer => Err(HeaderFault::Newer(newer)),
        }
    }

    /// The header's CRC, which every frame's CRC of this segment continues.
    pub fn crc(&self) -> u32 {
        Fields(&self.encode()[HEADER_CRC_AT..]).u32()
    }

    /// The chain hash before the first group.
    pub fn chain(&self) -> Chain {
        Sha256::digest(self.encode()).into()
    }

    /// The place at an offset of this segment.
    pub fn place(&self, offset: u64) -> Place {
        Place {
            segment: self.segment,
            generation: self.generation,
            offset,
        }
    }
}

/// A frame as it lies in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame<'a> {
    pub kind: u8,
    pub meta: &'a [u8],
    pub blob: &'a [u8],
    /// Everything before the blob: what CRC and chain hash know of the frame.
    pub head: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that begins `bytes`; `crc` is its segment header's.
    pub fn parse(bytes: &'a [u8], crc: u32) -> Result<Frame<'a>, Fault> {
        let (sizes, _) = bytes.split_first_chunk().ok_or(Fault::Short)?;
        let size = frame_size(sizes)?;
        let frame = bytes.get(..size.whole).ok_or(Fault::Short)?;
        let (head, blob) = frame.split_at(size.head);
        if Fields(&head[4..8]).u32() != frame_crc(crc, &head[..4], &head[8..]) {
            return Err(Fault::Crc);
        }
        Ok(Frame {
            kind: head[8],
            meta: &head[FRAME_OVERHEAD..],
            blob,
            head,
        })
    }

    pub fn size(&self) -> usize {
        self.head.len() + self.blob.len()
    }
}

/// The sizes of a frame in bytes.
#[derive(Clone, Copy)]
pub(super) struct FrameSize {
    /// Everything before the blob.
    pub head: usize,
    /// The blob included.
    pub whole: usize,
}

/// The sizes that a frame's first bytes tell, checked against the limits but not yet by the CRC.
pub(super) fn frame_size(start: &[u8; FRAME_OVERHEAD]) -> Result<FrameSize, Fault> {
    let length = Fields(&start[..4]).u32();
    let meta = Fields(&start[9..]).u32();
    let payload = length.checked_sub(COUNTED_OVERHEAD).ok_or(Fault::Length)?;
    let blob = payload.checked_sub(meta).ok_or(Fault::Length)?;
    if meta > META_BYTES_MAX || blob > BLOB_BYTES_MAX {
        return Err(Fault::Length);
    }
    let head = FRAME_OVERHEAD + usize::try_from(meta).map_err(|_| Fault::Length)?;
    Ok(FrameSize {
        head,
        whole: head + usize::try_from(blob).map_err(|_| Fault::Length)?,
    })
}

/// Appends a frame to `out` and returns the bytes before its blob. The caller has checked the
/// limits.
pub(super) fn push_frame<'o>(
    out: &'o mut Vec<u8>,
    crc: u32,
    kind: u8,
    meta: &[u8],
    blob: &[u8],
) -> &'o [u8] {
    let start = out.len();
    let meta_length = saturating_u32(meta.len());
    let length = COUNTED_OVERHEAD + meta_length + saturating_u32(blob.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    out.extend_from_slice(&meta_length.to_be_bytes());
    out.extend_from_slice(meta);
    let head_end = out.len();
    let crc = frame_crc(crc, &out[start..start + 4], &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(blob);
    &out[start..head_end]
}

fn frame_crc(header_crc: u32, length: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(header_crc);
    hasher.update(length);
    hasher.update(rest);
    hasher.finalize()
}

/// The meta of a commit frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Commit {
    pub count: u32,
    pub left: u32,
    pub write_start: u64,
    pub chain: Chain,
}

impl Commit {
    pub fn encode(&self) -> [u8; COMMIT_META_BYTES] {
        let mut meta = [0; COMMIT_META_BYTES];
        meta[..4].copy_from_slice(&self.count.to_be_bytes());
        meta[4..8].copy_from_slice(&self.left.to_be_bytes());
        meta[8..16].copy_from_slice(&self.write_start.to_be_bytes());
        meta[16..].copy_from_slice(&self.chain);
        meta
    }

    pub fn decode(frame: &Frame<'_>) -> Result<Commit, Fault> {
        if frame.meta.len() != COMMIT_META_BYTES || !frame.blob.is_empty() {
            return Err(Fault::OwnFrame);
        }
        let mut fields = Fields(frame.meta);
        Ok(Commit {
            count: fields.u32(),
            left: fields.u32(),
            write_start: fields.u64(),
            chain: fields.array(),
        })
    }
}

/// The places that an erase frame names.
pub(super) fn erased_places(meta: &[u8]) -> Result<Vec<Place>, Fault> {
    let (places, rest) = meta.as_chunks::<PLACE_BYTES>();
    if !rest.is_empty() {
        return Err(Fault::OwnFrame);
    }
    Ok(places
        .iter()
        .map(|place| Place::from_bytes(*place))
        .collect())
}

/// The meta of an erase frame.
pub(super) fn erase_meta(places: &[Place]) -> Vec<u8> {
    places.iter().flat_map(|place| place.to_bytes()).collect()
}

/// The meta of a cut frame.
pub(super) fn cut_meta(offset: u64, bytes: u64) -> Vec<u8> {
    [offset.to_be_bytes(), bytes.to_be_bytes()].concat()
}

/// The number of groups in the meta of a dropped frame.
pub(super) fn dropped_groups(meta: &[u8]) -> Result<u64, Fault> {
    let count = meta.try_into().map_err(|_| Fault::OwnFrame)?;
    Ok(u64::from_be_bytes(count))
}

/// A length in memory as the u32 of the layout; what does not fit is above every limit.
pub(super) fn saturating_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A length in memory as a file length.
pub(super) fn file_length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
