//! From the bytes of a segment to its groups, and the verdict on its end. Imports layout and
//! limits.
//!
//! **Invariant:** no I/O, and no panic whatever the bytes are.

use sha2::{Digest, Sha256};

use super::error::Fault;
use super::layout::{
    COMMIT_BYTES, COMMIT_META_BYTES, Chain, Commit, FRAME_OVERHEAD, Frame, HEADER_BYTES, Header,
    KIND_COMMIT, KIND_CUT, KIND_DROPPED, KIND_ERASE, KIND_SEAL, file_length, frame_size,
    saturating_u32,
};
use super::limits::{CALLER_KIND_MIN, FRAMES_PER_GROUP_MAX};
use super::replay::BlobCheck;

/// A whole group: count and hash fit.
pub(super) struct Group<'a> {
    pub end: usize,
    /// Its frames with their offsets, the commit frame left out.
    pub frames: Vec<(usize, Frame<'a>)>,
    pub commit: Commit,
}

impl Group<'_> {
    fn is_seal(&self) -> bool {
        self.frames.iter().any(|(_, frame)| frame.kind == KIND_SEAL)
    }

    fn same_write(&self, other: &Group<'_>) -> bool {
        self.commit.write_start == other.commit.write_start
    }
}

/// The whole groups of a segment, up to the first that is not.
pub(super) struct Scan<'a> {
    pub groups: Vec<Group<'a>>,
    /// Why the bytes after the last group are not a group, and where that was noticed.
    pub fault: Option<(usize, Fault)>,
}

impl<'a> Scan<'a> {
    /// Reads groups from the end of the header on.
    pub fn of(bytes: &'a [u8], header: &Header) -> Scan<'a> {
        let mut scan = Scan {
            groups: Vec::new(),
            fault: None,
        };
        let (crc, mut chain) = (header.crc(), header.chain());
        while scan.end() < bytes.len() {
            match read_group(bytes, scan.end(), crc, chain) {
                Ok(group) => {
                    chain = group.commit.chain;
                    scan.groups.push(group);
                }
                Err(fault) => {
                    scan.fault = Some(fault);
                    break;
                }
            }
        }
        scan
    }

    /// The end of the last whole group.
    pub fn end(&self) -> usize {
        self.groups.last().map_or(HEADER_BYTES, |group| group.end)
    }

    /// True if the segment was closed: nothing is ever written behind a seal.
    pub fn is_sealed(&self) -> bool {
        self.groups.last().is_some_and(Group::is_seal)
    }
}

fn read_group<'a>(
    bytes: &'a [u8],
    start: usize,
    crc: u32,
    chain: Chain,
) -> Result<Group<'a>, (usize, Fault)> {
    let mut hasher = Sha256::new_with_prefix(chain);
    let (mut at, mut frames) = (start, Vec::new());
    loop {
        let here = |fault| (at, fault);
        let rest = bytes.get(at..).ok_or_else(|| here(Fault::Short))?;
        let frame = Frame::parse(rest, crc).map_err(here)?;
        let next = at + frame.size();
        if frame.kind == KIND_COMMIT {
            let commit = Commit::decode(&frame).map_err(here)?;
            if commit.count != saturating_u32(frames.len()) {
                return Err(here(Fault::Count));
            }
            if commit.chain != Chain::from(hasher.finalize()) {
                return Err(here(Fault::Hash));
            }
            return Ok(Group {
                end: next,
                frames,
                commit,
            });
        }
        let known = matches!(frame.kind, KIND_ERASE | KIND_SEAL | KIND_CUT | KIND_DROPPED);
        if frame.kind < CALLER_KIND_MIN && !known {
            return Err(here(Fault::OwnFrame));
        }
        if saturating_u32(frames.len()) == FRAMES_PER_GROUP_MAX {
            return Err(here(Fault::Count));
        }
        hasher.update(frame.head);
        frames.push((at, frame));
        at = next;
    }
}

/// What is to be done about the end of the last segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// Nothing: it ends with a whole group.
    Whole,
    /// The last write did not wholly reach the disk, and was never acknowledged: keep so many
    /// groups and cut the rest.
    Torn { keep: usize },
    /// Bytes that had been durable are wrong: cut nothing.
    Damaged { offset: usize, fault: Fault },
}

/// Judges the end of the last segment. `blob_intact` is the caller's check.
///
/// One write has one sync, so after a power cut any of its pages may be missing while others, even
/// its commit frames, arrived. But a write begins only after the sync of the one before: a commit
/// frame of a write that began behind the fault proves that the faulty bytes had been durable.
pub(super) fn judge_tail(
    bytes: &[u8],
    header: &Header,
    scan: &Scan<'_>,
    blob_intact: BlobCheck<'_>,
) -> Tail {
    if let Some((offset, fault)) = scan.fault
        && (scan.is_sealed() || later_write_follows(bytes, header.crc(), scan.end()))
    {
        return Tail::Damaged { offset, fault };
    }
    let intact = |group: &Group<'_>| {
        let mut blobs = group
            .frames
            .iter()
            .filter(|(_, frame)| !frame.blob.is_empty());
        blobs.all(|(_, frame)| blob_intact(frame.kind, frame.meta, frame.blob))
    };
    let keep = scan.groups.len() - last_write(scan);
    let keep = keep
        + scan.groups[keep..]
            .iter()
            .take_while(|group| intact(group))
            .count();
    if keep < scan.groups.len() || scan.fault.is_some() {
        return Tail::Torn { keep };
    }
    Tail::Whole
}

/// The number of groups at the end of a scan whose sync may not have happened: those of the last
/// write, unless it is complete and something follows, since that was written after its sync.
pub(super) fn last_write(scan: &Scan<'_>) -> usize {
    match scan.groups.last() {
        Some(last) if scan.fault.is_none() || last.commit.left > 0 => scan
            .groups
            .iter()
            .rev()
            .take_while(|group| group.same_write(last))
            .count(),
        _ => 0,
    }
}

/// True if a commit frame behind `from` belongs to a write that began behind `from`.
fn later_write_follows(bytes: &[u8], crc: u32, from: usize) -> bool {
    let behind = bytes.get(from..).unwrap_or_default();
    behind.windows(COMMIT_BYTES).any(|window| {
        // The sizes first: they turn away nearly every window without a CRC.
        let sized = window.first_chunk::<FRAME_OVERHEAD>().is_some_and(|start| {
            start[8] == KIND_COMMIT
                && frame_size(start).is_ok_and(|size| {
                    size.whole == COMMIT_BYTES && size.head == FRAME_OVERHEAD + COMMIT_META_BYTES
                })
        });
        sized
            && Frame::parse(window, crc)
                .and_then(|frame| Commit::decode(&frame))
                .is_ok_and(|commit| commit.write_start > file_length(from))
    })
}
