//! From the caller's frames to the bytes of one write. Imports layout, limits and errors.
//!
//! **Invariant:** no I/O; what this file returns has been checked against every limit.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::error::JournalError;
use super::layout::{
    COMMIT_BYTES, Chain, Commit, FRAME_OVERHEAD, Header, KIND_COMMIT, Place, file_length,
    push_frame, saturating_u32,
};
use super::limits::{
    BLOB_BYTES_MAX, CALLER_KIND_MIN, FRAMES_PER_GROUP_MAX, META_BYTES_MAX, WRITE_BYTES_MAX,
};

/// A frame to append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFrame<'a> {
    /// What the frame means to the caller, from [`CALLER_KIND_MIN`] up.
    pub kind: u8,
    /// What lasts. It must carry whatever checks the blob.
    pub meta: Cow<'a, [u8]>,
    /// What can be erased; empty for a frame that is never erased.
    pub blob: Cow<'a, [u8]>,
}

/// Checks kinds and limits of what a caller wants to append in one write.
pub(super) fn check(groups: &[&[NewFrame<'_>]]) -> Result<(), JournalError> {
    let mut write_bytes = 0;
    for group in groups {
        if group.is_empty() {
            return Err(JournalError::EmptyGroup);
        }
        within("frames of a group", group.len(), FRAMES_PER_GROUP_MAX)?;
        for frame in *group {
            if frame.kind < CALLER_KIND_MIN {
                return Err(JournalError::ReservedKind { kind: frame.kind });
            }
            within("meta bytes", frame.meta.len(), META_BYTES_MAX)?;
            within("blob bytes", frame.blob.len(), BLOB_BYTES_MAX)?;
        }
        write_bytes += group_bytes(group);
    }
    write_within(write_bytes)
}

/// Checks the bytes of a whole write, commit frames included.
pub(super) fn write_within(size: u64) -> Result<(), JournalError> {
    if size > WRITE_BYTES_MAX {
        let what = "bytes of a write";
        return Err(JournalError::TooLarge {
            what,
            size,
            max: WRITE_BYTES_MAX,
        });
    }
    Ok(())
}

fn within(what: &'static str, size: usize, max: u32) -> Result<(), JournalError> {
    let (size, max) = (file_length(size), u64::from(max));
    if size > max {
        Err(JournalError::TooLarge { what, size, max })
    } else {
        Ok(())
    }
}

/// The bytes that a group takes in the file.
pub(super) fn group_bytes(group: &[NewFrame<'_>]) -> u64 {
    let frames = group
        .iter()
        .map(|frame| FRAME_OVERHEAD + frame.meta.len() + frame.blob.len());
    file_length(COMMIT_BYTES + frames.sum::<usize>())
}

/// Lays groups out one after the other, from where a segment ends.
pub(super) struct GroupWriter {
    header: Header,
    crc: u32,
    start: u64,
    /// The chain hash of the last group laid out.
    pub chain: Chain,
    /// The bytes laid out, from `start` on.
    pub bytes: Vec<u8>,
}

impl GroupWriter {
    /// Begins at `start`, behind the group whose chain hash is `chain`.
    pub fn new(header: Header, start: u64, chain: Chain) -> Self {
        GroupWriter {
            header,
            crc: header.crc(),
            start,
            chain,
            bytes: Vec::new(),
        }
    }

    /// Where the next group will begin.
    pub fn end(&self) -> u64 {
        self.start + file_length(self.bytes.len())
    }

    /// Lays out one group with its commit frame and returns the places of its frames. `left` groups
    /// of the same write, which began at `write_start`, will follow.
    pub fn push(&mut self, group: &[NewFrame<'_>], write_start: u64, left: u32) -> Vec<Place> {
        let mut hasher = Sha256::new_with_prefix(self.chain);
        let mut places = Vec::with_capacity(group.len());
        for frame in group {
            places.push(self.header.place(self.end()));
            let (meta, blob) = (&frame.meta, &frame.blob);
            hasher.update(push_frame(
                &mut self.bytes,
                self.crc,
                frame.kind,
                meta,
                blob,
            ));
        }
        self.chain = hasher.finalize().into();
        let count = saturating_u32(group.len());
        let commit = Commit {
            count,
            left,
            write_start,
            chain: self.chain,
        };
        push_frame(
            &mut self.bytes,
            self.crc,
            KIND_COMMIT,
            &commit.encode(),
            &[],
        );
        places
    }

    /// Lays out groups that share one sync and returns the places of their frames.
    pub fn push_write(&mut self, groups: &[&[NewFrame<'_>]]) -> Vec<Vec<Place>> {
        let write_start = self.end();
        let bytes = groups.iter().map(|group| group_bytes(group)).sum::<u64>();
        self.bytes
            .reserve(usize::try_from(bytes).unwrap_or_default());
        let left = (0..saturating_u32(groups.len())).rev();
        groups
            .iter()
            .zip(left)
            .map(|(group, left)| self.push(group, write_start, left))
            .collect()
    }
}
