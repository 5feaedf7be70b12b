//! Erasure: the blob goes, the meta stays. Imports the other files of the journal.
//!
//! **Invariant:** no blob is overwritten before the erase frame that names it is durable, so a
//! crash can leave an erasure to be repeated, but never a blob that is missing without a reason.

use std::collections::BTreeMap;
use std::io;

use super::Journal;
use super::disk::WriteFault;
use super::error::JournalError;
use super::group::{NewFrame, group_bytes, write_within};
use super::layout::{KIND_ERASE, PLACE_BYTES, Place, erase_meta, file_length, saturating_u32};
use super::limits::META_BYTES_MAX;
use super::table::{Located, read_lock, write_lock};

/// Places that one erase frame can name.
const PLACES_PER_FRAME: usize = 1 << 16;

pub(super) fn erase_frame(places: &[Place]) -> NewFrame<'static> {
    debug_assert!(saturating_u32(places.len() * PLACE_BYTES) <= META_BYTES_MAX);
    NewFrame {
        kind: KIND_ERASE,
        meta: erase_meta(places).into(),
        blob: [][..].into(),
    }
}

/// A blob to overwrite.
pub(super) struct Overwrite {
    pub located: Located,
    pub blob_bytes: u64,
    /// True if it is zeros already.
    pub is_zero: bool,
}

impl Journal {
    /// Erases the blobs of these frames for good. The erase frame is durable first, then each blob
    /// is overwritten with zeros and synced: a crash in between is mended at the next start. What
    /// is erased already, or has no blob, is passed over.
    ///
    /// # Errors
    ///
    /// [`JournalError::Moved`], [`JournalError::NoFrame`], [`JournalError::Damaged`] if a place is
    /// not that of a frame (nothing is erased), and those of [`Journal::append`].
    pub fn erase(&mut self, places: &[Place]) -> Result<(), JournalError> {
        self.ensure_writable()?;
        let mut blobs = BTreeMap::new();
        for place in places {
            let located = read_lock(&self.table).locate(*place)?;
            let blob_bytes = file_length(located.read()?.blob.len());
            if blob_bytes > 0 && !read_lock(&self.table).is_erased(*place) {
                blobs.insert(
                    *place,
                    Overwrite {
                        located,
                        blob_bytes,
                        is_zero: false,
                    },
                );
            }
        }
        if blobs.is_empty() {
            return Ok(());
        }
        let erased: Vec<Place> = blobs.keys().copied().collect();
        let frames: Vec<_> = erased.chunks(PLACES_PER_FRAME).map(erase_frame).collect();
        write_within(group_bytes(&frames))?;
        self.roll_if_full()?;
        self.write(&[&frames])?;
        for (place, blob) in &blobs {
            write_lock(&self.table).mark_erased(*place, blob.blob_bytes);
        }
        // A crash here leaves blobs whose erase frame is durable: the next start overwrites them.
        self.overwrite(&blobs.into_values().collect::<Vec<_>>())
    }

    /// Overwrites blobs with zeros, and syncs once per segment.
    fn overwrite(&mut self, blobs: &[Overwrite]) -> Result<(), JournalError> {
        let mut touched = BTreeMap::new();
        for blob in blobs {
            // Zeros need no writing, but whether they were ever synced is not known.
            if !blob.is_zero
                && let Err(error) = blob.located.zero_blob(&*self.disk, blob.blob_bytes)
            {
                return Err(self.overwrite_failed(&blob.located, error));
            }
            touched.insert(blob.located.place.segment, &blob.located);
        }
        for located in touched.into_values() {
            if let Err(error) = self.disk.sync_data(&located.file) {
                return Err(self.overwrite_failed(located, error));
            }
        }
        Ok(())
    }

    fn overwrite_failed(&mut self, located: &Located, error: io::Error) -> JournalError {
        let (path, offset) = (located.path.clone(), located.place.offset);
        self.write_failed(path, offset, WriteFault::Unknown(error))
    }

    /// Repeats erasures after a start, and returns how many blobs were not zeros yet.
    pub(super) fn overwrite_again(&mut self, blobs: &[Overwrite]) -> Result<u64, JournalError> {
        self.overwrite(blobs)?;
        Ok(file_length(
            blobs.iter().filter(|blob| !blob.is_zero).count(),
        ))
    }
}
