//! Compaction: a segment is rewritten in place without what is dead. Imports the other files of the
//! journal.
//!
//! Frames keep their order and their groups, so a replay stays a plain fold, and where whole groups
//! were left out their number stays, so that whoever counts groups goes on counting. A live frame
//! whose blob was erased keeps its meta and an empty blob, which reads the same as before; zeros
//! would only take room.
//!
//! It goes in steps, so that the caller holds its own lock for the short one only. Each step holds
//! the journal: nothing is appended or erased between two of them.
//!
//! ```text
//! rewrite  in memory
//! prepare  the new segment durable as .tmp, the old one also named .old
//! switch   .tmp renamed over .seg: from here on only the new places are good
//! clear    .old overwritten with zeros, then unlinked
//! ```
//!
//! **Invariant:** at every moment, also after a crash, the folder holds the old segment or the new
//! one, whole; the other is zeros before its name goes, at the next start if need be. But a blob
//! that must go is erased first: a compaction is no erasure.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{WriteFault, beside, destroy, put_in_place, write_beside};
use super::error::{Damage, Fault, JournalError};
use super::group::{GroupWriter, NewFrame};
use super::layout::{
    Frame, Header, KIND_DROPPED, KIND_ERASE, Place, dropped_groups, erase_meta, erased_places,
    file_length,
};
use super::limits::CALLER_KIND_MIN;
use super::replay::BlobCheck;
use super::scan::{Group, Scan};
use super::table::{Segment, read_lock, write_lock};
use super::{FrameRef, Journal};

/// A frame that compaction moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Where it was.
    pub from: Place,
    /// Where it is now.
    pub to: Place,
}

/// A segment rewritten in memory; nothing is changed yet.
pub struct Rewritten<'j> {
    journal: &'j mut Journal,
    header: Header,
    bytes: Vec<u8>,
    old_bytes: u64,
    /// The frames that stay, in order.
    pub moved: Vec<Moved>,
}

/// A rewritten segment that lies beside its place.
pub struct Prepared<'j> {
    journal: &'j mut Journal,
    new: Segment,
}

/// A rewritten segment in its place; the old one still lies beside it.
pub struct Switched<'j> {
    journal: &'j mut Journal,
    segment: u32,
}

impl Journal {
    /// Rewrites a segment (never the last) without the frames that `live` denies and without erased
    /// blobs. `live` is asked from the last frame to the first, so it may remember what newer came.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] for the last segment, [`JournalError::Damaged`] if the segment is
    /// not what was once written, blobs included, [`JournalError::ReadOnly`],
    /// [`JournalError::DurabilityUnknown`], [`JournalError::Io`]. Nothing is changed.
    pub fn rewrite(
        &mut self,
        segment: u32,
        blob_intact: BlobCheck<'_>,
        live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
    ) -> Result<Rewritten<'_>, JournalError> {
        self.ensure_writable()?;
        let path = self.path(segment);
        if segment >= self.tail.header.segment {
            return Err(JournalError::InUse { file: path });
        }
        let old = read_lock(&self.table).segments.get(&segment).cloned();
        let Some(old) = old else {
            return Err(JournalError::NoFrame {
                file: path,
                offset: 0,
            });
        };
        let bytes = read_segment(&old, path.clone())?;
        let scan = Scan::of(&bytes, &old.header);
        let sound = match scan.fault {
            None if scan.is_sealed() => Ok(()),
            None => Err((scan.end(), Fault::Unsealed)),
            Some(fault) => Err(fault),
        };
        // 2^32 compactions of one segment do not happen.
        let generation = old.header.generation.saturating_add(1);
        let header = Header {
            generation,
            ..old.header
        };
        let dead = dead_frames(&old, &scan, live);
        let laid_out = sound.and_then(|()| self.lay_out(&old, &scan, header, blob_intact, &dead));
        let (bytes, moved) = laid_out.map_err(|(offset, fault)| {
            JournalError::Damaged(Damage {
                file: path,
                segment,
                offset: file_length(offset),
                fault,
            })
        })?;
        Ok(Rewritten {
            journal: self,
            header,
            bytes,
            old_bytes: old.end,
            moved,
        })
    }

    /// The compacted segment's bytes, and what moved; or where it is damaged.
    fn lay_out(
        &self,
        old: &Segment,
        scan: &Scan<'_>,
        header: Header,
        blob_intact: BlobCheck<'_>,
        dead: &HashSet<usize>,
    ) -> Result<(Vec<u8>, Vec<Moved>), (usize, Fault)> {
        let start = header.encode();
        let mut writer = GroupWriter::new(header, file_length(start.len()), header.chain());
        let (mut moved, mut dropped) = (Vec::new(), 0_u64);
        for group in &scan.groups {
            let (mut kept, mut from) = (Vec::new(), Vec::new());
            for (offset, frame) in group.frames.iter().filter(|(at, _)| !dead.contains(at)) {
                let place = old.header.place(file_length(*offset));
                if frame.kind == KIND_DROPPED {
                    dropped += dropped_groups(frame.meta).map_err(|fault| (*offset, fault))?;
                } else if let Some(frame) = self.survivor(old, place, frame) {
                    // What is empty was erased, and left out by an earlier compaction.
                    let blob = &frame.blob;
                    if !blob.is_empty() && !blob_intact(frame.kind, &frame.meta, blob) {
                        return Err((*offset, Fault::Blob));
                    }
                    kept.push(frame);
                    from.push(place);
                }
            }
            if kept.is_empty() {
                dropped += u64::from(is_callers(group));
                continue;
            }
            if dropped > 0 {
                let count = dropped_frame(std::mem::take(&mut dropped));
                writer.push(&[count], writer.end(), 0);
            }
            let places = writer.push(&kept, writer.end(), 0);
            let pairs = kept.iter().zip(from.into_iter().zip(places));
            moved.extend(
                pairs
                    .filter(|(frame, _)| frame.kind >= CALLER_KIND_MIN)
                    .map(|(_, (from, to))| Moved { from, to }),
            );
        }
        Ok(([start.as_slice(), &writer.bytes].concat(), moved))
    }

    /// What remains of a frame that is not dead, if anything does.
    fn survivor<'a>(&self, old: &Segment, place: Place, frame: &Frame<'a>) -> Option<NewFrame<'a>> {
        if frame.kind == KIND_ERASE {
            // What was erased in a generation that is gone, this segment's included, was dropped
            // for good.
            let mut places = erased_places(frame.meta).unwrap_or_default();
            places.retain(|erased| {
                erased.segment != place.segment && read_lock(&self.table).is_erased(*erased)
            });
            let meta = erase_meta(&places).into();
            let keep = NewFrame {
                kind: frame.kind,
                meta,
                blob: [][..].into(),
            };
            return (!places.is_empty()).then_some(keep);
        }
        let erased = old.erased.contains_key(&place.offset);
        let blob = if erased { &[] } else { frame.blob };
        Some(NewFrame {
            kind: frame.kind,
            meta: frame.meta.into(),
            blob: blob.into(),
        })
    }
}

impl<'j> Rewritten<'j> {
    /// True if less than half of the segment is live.
    pub fn is_worth_it(&self) -> bool {
        file_length(self.bytes.len()) < self.old_bytes / 2
    }

    /// Makes the rewritten segment durable beside its place, and gives the old one a second name,
    /// so that its bytes can be found and overwritten whatever happens.
    ///
    /// # Errors
    ///
    /// [`JournalError::DiskFull`], or [`JournalError::Io`] if the old one cannot be named twice:
    /// nothing is changed. [`JournalError::DurabilityUnknown`].
    pub fn prepare(self) -> Result<Prepared<'j>, JournalError> {
        let (journal, header) = (self.journal, self.header);
        let (dir, segment) = (journal.dir(), header.segment);
        let (path, disk) = (journal.path(segment), Arc::clone(&journal.disk));
        let file = match write_beside(&*disk, &dir, segment, &self.bytes) {
            Ok(file) => file,
            Err(fault) => return Err(journal.write_failed(path, 0, fault)),
        };
        let old = beside(&dir, segment, "old");
        if let Err(source) = disk.link(&path, &old) {
            return Err(match destroy(&*disk, &beside(&dir, segment, "tmp")) {
                Ok(()) => JournalError::Io {
                    file: old,
                    offset: 0,
                    doing: "give the old segment a second name",
                    source,
                },
                Err(error) => journal.write_failed(path, 0, WriteFault::Unknown(error)),
            });
        }
        // The second name first: after the rename nothing else leads to the old bytes.
        if let Err(error) = disk.sync_dir(&dir) {
            return Err(journal.write_failed(path, 0, WriteFault::Unknown(error)));
        }
        let new = Segment {
            file: Arc::<File>::new(file),
            header,
            end: file_length(self.bytes.len()),
            erased: HashMap::new(),
        };
        Ok(Prepared { journal, new })
    }
}

impl<'j> Prepared<'j> {
    /// Puts the rewritten segment in its place. Until the caller has replaced its places, readers
    /// that come with old ones get [`JournalError::Moved`]; if a crash comes between,
    /// [`super::Position::compactions`] tells that the index is behind.
    ///
    /// # Errors
    ///
    /// [`JournalError::DurabilityUnknown`]; readers go on with the old places.
    pub fn switch(self) -> Result<Switched<'j>, JournalError> {
        let Prepared { journal, new } = self;
        let (dir, segment) = (journal.dir(), new.header.segment);
        let disk = Arc::clone(&journal.disk);
        let switched = put_in_place(&*disk, &dir, segment).and_then(|()| disk.sync_dir(&dir));
        if let Err(error) = switched {
            let path = journal.path(segment);
            return Err(journal.write_failed(path, 0, WriteFault::Unknown(error)));
        }
        write_lock(&journal.table).segments.insert(segment, new);
        journal.compactions += 1;
        Ok(Switched { journal, segment })
    }
}

impl Switched<'_> {
    /// Overwrites the old segment with zeros and takes its second name away.
    ///
    /// # Errors
    ///
    /// [`JournalError::DurabilityUnknown`]; the next start does it.
    pub fn clear(self) -> Result<(), JournalError> {
        let old = beside(&self.journal.dir(), self.segment, "old");
        destroy(&*self.journal.disk, &old).map_err(|error| {
            self.journal
                .write_failed(old, 0, WriteFault::Unknown(error))
        })
    }
}

/// The offsets of the caller's frames that are not live.
fn dead_frames(
    old: &Segment,
    scan: &Scan<'_>,
    live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
) -> HashSet<usize> {
    let frames = scan.groups.iter().flat_map(|group| &group.frames).rev();
    let dead = frames.filter(|(offset, frame)| {
        let place = old.header.place(file_length(*offset));
        frame.kind >= CALLER_KIND_MIN && !live(&FrameRef::of(place, frame))
    });
    dead.map(|(offset, _)| *offset).collect()
}

fn is_callers(group: &Group<'_>) -> bool {
    let mut kinds = group.frames.iter().map(|(_, frame)| frame.kind);
    kinds.any(|kind| kind >= CALLER_KIND_MIN)
}

fn dropped_frame(groups: u64) -> NewFrame<'static> {
    NewFrame {
        kind: KIND_DROPPED,
        meta: groups.to_be_bytes().to_vec().into(),
        blob: [][..].into(),
    }
}

fn read_segment(segment: &Segment, file: PathBuf) -> Result<Vec<u8>, JournalError> {
    let io = |source: io::Error| {
        let doing = "read the segment";
        JournalError::Io {
            file,
            offset: 0,
            doing,
            source,
        }
    };
    // Within SEGMENT_FILE_BYTES_MAX: recovery and append see to it.
    let mut bytes = vec![0; usize::try_from(segment.end).unwrap_or_default()];
    segment.file.read_exact_at(&mut bytes, 0).map_err(io)?;
    Ok(bytes)
}
