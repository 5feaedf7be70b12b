//! Compaction: a segment is rewritten in place without what is dead. Imports the other files of the
//! journal.
//!
//! Frames keep their order and their groups, so a replay stays a plain fold. A live frame whose
//! blob was erased keeps its meta and an empty blob, which reads the same as before; zeros would
//! only take room.
//!
//! **Invariant:** at every moment, also after a crash, the folder holds the old segment or the new
//! one, whole. Compaction is no erasure: a blob that must go is erased first, since the system
//! only frees the old file's blocks.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::place_segment;
use super::error::{Damage, Fault, JournalError};
use super::group::{GroupWriter, NewFrame};
use super::layout::{Frame, Header, KIND_ERASE, Place, erase_meta, erased_places, file_length};
use super::limits::CALLER_KIND_MIN;
use super::scan::Scan;
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

impl Journal {
    /// Rewrites a segment (never the last) without the frames that `live` denies and without erased
    /// blobs, and returns the new places of the frames that stay, in order. Until the caller has
    /// replaced its places, readers that come with old ones get [`JournalError::Moved`]; if a
    /// crash comes between, [`super::Position::compactions`] tells that the index is behind.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] for the last segment, [`JournalError::Damaged`] if the segment is
    /// not what was once written (nothing is changed), [`JournalError::DiskFull`] (nothing is
    /// changed), [`JournalError::ReadOnly`], [`JournalError::DurabilityUnknown`],
    /// [`JournalError::Io`].
    pub fn compact(
        &mut self,
        segment: u32,
        live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
    ) -> Result<Vec<Moved>, JournalError> {
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
        let (offset, fault) = match scan.fault {
            None if scan.is_sealed() => (0, None),
            None => (scan.end(), Some(Fault::Unsealed)),
            Some((offset, fault)) => (offset, Some(fault)),
        };
        if let Some(fault) = fault {
            let damage = Damage {
                file: path,
                segment,
                offset: file_length(offset),
                fault,
            };
            return Err(JournalError::Damaged(damage));
        }
        let (header, bytes, moved) = self.rewrite(&old, &scan, live);
        let end = file_length(bytes.len());
        let file = match place_segment(&self.dir(), segment, &bytes) {
            Ok(file) => Arc::new(file),
            Err(fault) => return Err(self.write_failed(path, 0, fault)),
        };
        let new = Segment {
            file,
            header,
            end,
            erased: HashMap::new(),
        };
        write_lock(&self.table).segments.insert(segment, new);
        self.compactions += 1;
        Ok(moved)
    }

    /// The compacted segment's header and bytes, and what moved.
    fn rewrite(
        &self,
        old: &Segment,
        scan: &Scan<'_>,
        live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
    ) -> (Header, Vec<u8>, Vec<Moved>) {
        // 2^32 compactions of one segment do not happen.
        let generation = old.header.generation.saturating_add(1);
        let header = Header {
            generation,
            ..old.header
        };
        let start = header.encode();
        let mut writer = GroupWriter::new(header, file_length(start.len()), header.chain());
        let mut moved = Vec::new();
        for group in &scan.groups {
            let mut kept = Vec::new();
            let mut from = Vec::new();
            for (offset, frame) in &group.frames {
                let place = old.header.place(file_length(*offset));
                if let Some(frame) = self.survivor(old, place, frame, live) {
                    kept.push(frame);
                    from.push(place);
                }
            }
            if kept.is_empty() {
                continue;
            }
            let places = writer.push(&kept, writer.end(), 0);
            let pairs = kept.iter().zip(from.into_iter().zip(places));
            moved.extend(
                pairs
                    .filter(|(frame, _)| frame.kind >= CALLER_KIND_MIN)
                    .map(|(_, (from, to))| Moved { from, to }),
            );
        }
        (header, [start.as_slice(), &writer.bytes].concat(), moved)
    }

    /// What remains of a frame, if anything does.
    fn survivor<'a>(
        &self,
        old: &Segment,
        place: Place,
        frame: &Frame<'a>,
        live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
    ) -> Option<NewFrame<'a>> {
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
        if frame.kind >= CALLER_KIND_MIN && !live(&FrameRef::of(place, frame)) {
            return None;
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
