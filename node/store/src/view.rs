//! Reading: the state together with the stored bytes behind it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use corridor_proto::record::SignedRecord;
use corridor_proto::{LogId, Salt};
use corridor_rules::fact::Fact;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::serve::Source;
use corridor_rules::{Model, Place, Rows};

use crate::codec;
use crate::index::Index;
use crate::journal::{Reader, StoredFrame};
use crate::recent::{Changed, Recent};
use crate::row_codec::place_in;

/// What was looked up since the store was opened. What a reader may not see must not cost more than
/// what does not exist: this is how a test sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Rows of records in the index.
    pub rows: u64,
    /// Frames of the journal.
    pub frames: u64,
}

/// Counts what is looked up.
#[derive(Debug, Default)]
pub(crate) struct Work {
    rows: AtomicU64,
    frames: AtomicU64,
}

impl Work {
    /// So much by now.
    pub fn reads(&self) -> Reads {
        Reads {
            rows: self.rows.load(Ordering::Relaxed),
            frames: self.frames.load(Ordering::Relaxed),
        }
    }

    fn row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    fn frame(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }
}

/// A consistent look at the store, while it is held.
pub struct View<'a> {
    pub(crate) model: &'a Model,
    pub(crate) index: &'a Index,
    pub(crate) reader: &'a Reader,
    pub(crate) all_erased: bool,
    pub(crate) recent: &'a RwLock<Recent>,
    pub(crate) work: &'a Arc<Work>,
}

impl View<'_> {
    /// Rows of records RCP by RCP, in the order in which the journal names them, from behind
    /// `after` on; of a record that is not here, from the first of its RCP on.
    pub fn rows(
        &self,
        after: Option<&RecordKey>,
    ) -> impl Iterator<Item = (RecordKey, RecordRow)> + use<> {
        let work = Arc::clone(self.work);
        self.index.rows(after).inspect(move |_| work.row())
    }

    /// The records that changed after a revision, or of which more or less may be seen since then;
    /// `None` if it is too long ago to be known.
    pub fn changed_since(&self, revision: u64) -> Option<Vec<RecordKey>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let changes = recent.since(revision)?;
        drop(recent);
        let mut keys = BTreeSet::new();
        for changed in changes {
            match changed {
                Changed::Record(key) => {
                    keys.insert(key);
                }
                Changed::Rcp(rcp) => keys.extend(self.index.keys(&rcp)),
            }
        }
        Some(keys.into_iter().collect())
    }

    /// Whether everything that was to be erased is.
    pub const fn all_erased(&self) -> bool {
        self.all_erased
    }

    /// Lines `from` up to, not including, `to`; fewer if a frame cannot be read.
    fn read_lines(&self, log: &LogId, from: u64, to: u64) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut next = from;
        // The first ones may lie in a frame that begins before them.
        let first = self.index.lines_at(log, from);
        let rest = self.index.lines_between(log, from.saturating_add(1), to);
        for (first, place) in first.into_iter().chain(rest) {
            self.work.frame();
            let Ok(frame) = self.reader.read(place) else {
                break;
            };
            let lines = match codec::fact(frame.kind, &frame.meta) {
                Ok(Fact::Lines {
                    log: of,
                    from,
                    lines,
                }) if of == *log && from == first => lines,
                _ => break,
            };
            // Lines that were taken twice are skipped; where some are missing it ends.
            let Some(skip) = next.checked_sub(first) else {
                break;
            };
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let take = usize::try_from(to.saturating_sub(next)).unwrap_or(usize::MAX);
            let before = found.len();
            found.extend(lines.into_iter().skip(skip).take(take));
            next += u64::try_from(found.len() - before).unwrap_or(u64::MAX);
            if found.len() == before || next >= to {
                break;
            }
        }
        found
    }

    /// The blob at a place, if it is what its frame says; damage is told in the log.
    fn intact(&self, place: Place) -> Option<StoredFrame> {
        self.work.frame();
        let frame = match self.reader.read(place_in(place)) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "cannot read the journal");
                return None;
            }
        };
        if frame.blob.is_empty() || codec::blob_intact(frame.kind, &frame.meta, &frame.blob) {
            return Some(frame);
        }
        let (segment, offset) = (place.segment, place.offset);
        tracing::error!(
            segment,
            offset,
            "a text is damaged; run verify-store, restore a backup"
        );
        None
    }
}

impl Deref for View<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        self.model
    }
}

impl Rows for View<'_> {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        self.work.row();
        self.index.row(key)
    }
}

impl Source for View<'_> {
    fn lines(&self, log: &LogId, from: u64, to: u64) -> Vec<Vec<u8>> {
        self.read_lines(log, from, to)
    }

    fn record(&self, place: Place) -> Option<SignedRecord> {
        let frame = self.intact(place)?;
        let (salt, body) = codec::content(&frame.blob)?;
        match codec::fact(frame.kind, &frame.meta) {
            Ok(Fact::Record { header, .. }) => Some(SignedRecord { header, salt, body }),
            _ => None,
        }
    }

    fn salted(&self, place: Place) -> Option<(Salt, Vec<u8>)> {
        codec::content(&self.intact(place)?.blob)
    }
}
