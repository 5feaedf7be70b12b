//! Compaction: which segment is rewritten, which facts no longer count, and where the rest lies
//! afterwards.
//!
//! **Invariant:** a fact is dropped only if a fold over the others gives the same state: what is
//! named in a row stays, and what cancels something outlives it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::record::Header;
use corridor_proto::{LogId, RcpId};
use corridor_rules::fact::Fact;
use corridor_rules::row::RecordKey;
use corridor_rules::{Model, Place, Rows, RowsMut};

use crate::codec;
use crate::error::StoreError;
use crate::index::{Batch, Index, Overlay};
use crate::journal::{FrameRef, Journal, Position, SegmentUse};
use crate::row_codec::{place_in, place_out};

/// Which segment is looked at next. What dies beside erased blobs is superseded by something at the
/// journal's end, so all segments are looked at again, one by one, when another was filled.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Segments below this one are looked at.
    end: u32,
    next: u32,
    /// Segments that could not be compacted; the next start tries again.
    failed: BTreeSet<u32>,
}

impl Round {
    /// The next segment: one that is mostly erased, or one that was not yet looked at.
    pub fn next(&mut self, usage: &[SegmentUse], end: u32) -> Option<u32> {
        let mut found = usage.iter().filter(|found| found.segment < end);
        let erased = found.find(|found| {
            found.dead_bytes > found.bytes / 2 && !self.failed.contains(&found.segment)
        });
        if let Some(found) = erased {
            return Some(found.segment);
        }
        if self.end != end {
            (self.end, self.next) = (end, 0);
        }
        let next = (self.next..end).find(|segment| !self.failed.contains(segment))?;
        self.next = next.saturating_add(1);
        Some(next)
    }

    /// A segment could not be compacted.
    pub fn failed(&mut self, segment: u32) {
        self.failed.insert(segment);
    }
}

/// Rewrites a segment if less than half of it is live, and says whether it did. `seen` is what the
/// index has seen, which ends in a later segment. Nothing may be left to erase: a fold does not see
/// what was dropped, and could not ask for its erasure again.
///
/// # Errors
/// [`StoreError::Journal`]; then everything is as before, or the store stops writing.
pub(crate) fn compact(
    journal: &mut Journal,
    segment: u32,
    model: &RwLock<Model>,
    index: &Index,
    seen: Position,
) -> Result<bool, StoreError> {
    let write = || model.write().unwrap_or_else(PoisonError::into_inner);
    let places = write().places_mut().map(|place| *place).collect();
    let (rewritten, found) = {
        let model = &*model.read().unwrap_or_else(PoisonError::into_inner);
        let mut look = Look::new(model, index, places);
        let intact = &codec::blob_intact;
        let rewritten = journal.rewrite(segment, intact, &mut |frame| look.is_live(frame))?;
        (rewritten, look.found)
    };
    if !rewritten.is_worth_it() {
        return Ok(false);
    }
    let moved = rewritten.moved.iter();
    let moved = moved.map(|moved| (place_out(moved.from), place_out(moved.to)));
    let moved: HashMap<Place, Place> = moved.collect();
    let batch = found.at_new_places(index, &moved);
    let prepared = rewritten.prepare()?;
    // Nobody looks until all that names a place names the new one. A crash before the index has the
    // batch leaves it with another count of compactions, and the next start rebuilds it.
    let mut state = write();
    let switched = prepared.switch()?;
    let compactions = seen.compactions + 1;
    index.apply(
        batch,
        &Position {
            compactions,
            ..seen
        },
    );
    replace(state.places_mut(), &moved);
    drop(state);
    index.write_out();
    switched.clear()?;
    Ok(true)
}

fn replace<'a>(places: impl Iterator<Item = &'a mut Place>, moved: &HashMap<Place, Place>) {
    for place in places {
        if let Some(to) = moved.get(place) {
            *place = *to;
        }
    }
}

/// What only the last of counts.
#[derive(PartialEq, Eq, Hash)]
enum Last {
    Head(LogId, u64),
    Held(LogId, RcpId),
    PeerStart(RcpId),
    Met(RcpId),
}

/// What of a segment has its place in the index.
#[derive(Default)]
struct Found {
    records: BTreeSet<RecordKey>,
    lines: Vec<(LogId, u64, Place)>,
}

impl Found {
    /// Rows and lines of the index as they are once everything was moved.
    fn at_new_places(&self, index: &Index, moved: &HashMap<Place, Place>) -> Batch {
        let mut batch = Batch::default();
        for (log, from, place) in &self.lines {
            // Those of a log that was forgotten are not in the index, or others are.
            let is_here = index.lines_at(log, *from) == Some((*from, place_in(*place)));
            if let Some(to) = moved.get(place).filter(|_| is_here) {
                batch.lines(log, *from, place_in(*to));
            }
        }
        for key in &self.records {
            if let Some(mut row) = index.row(key) {
                let places = row.versions.iter_mut().map(|held| &mut held.place);
                replace(places, moved);
                let batch = &mut batch;
                Overlay { index, batch }.put(key, row);
            }
        }
        batch
    }
}

/// A look at the frames of a segment, from the last to the first.
struct Look<'a> {
    model: &'a Model,
    index: &'a Index,
    /// The places that the model names.
    places: HashSet<Place>,
    /// What a newer one of was met.
    newer: HashSet<Last>,
    found: Found,
}

impl<'a> Look<'a> {
    fn new(model: &'a Model, index: &'a Index, places: HashSet<Place>) -> Self {
        Self {
            model,
            index,
            places,
            newer: HashSet::new(),
            found: Found::default(),
        }
    }

    fn is_live(&mut self, frame: &FrameRef<'_>) -> bool {
        let place = place_out(frame.place);
        let Ok(fact) = codec::fact(frame.kind, frame.meta) else {
            return true;
        };
        match fact {
            Fact::Card { .. } | Fact::List { .. } | Fact::Note { .. } | Fact::Draft { .. } => {
                self.places.contains(&place)
            }
            Fact::Record { header, .. } => Header::decode(&header.bytes).map_or(true, |header| {
                let (rcp, record) = (header.rcp, header.record);
                self.has_row(RecordKey { rcp, record })
            }),
            Fact::Quarantine { rcp, record, .. } => self.has_row(RecordKey { rcp, record }),
            Fact::Lines { log, from, .. } => {
                self.found.lines.push((log, from, place));
                true
            }
            // While a head waits for its lines, an earlier one may be the one that is held.
            Fact::Head { log, .. } if self.is_behind(&log) => true,
            Fact::Head { note, .. } => self
                .is_last(checkpoint(&note).map(|claim| Last::Head(claim.log, claim.incarnation))),
            Fact::Held { holder, note } => {
                self.is_last(checkpoint(&note).map(|claim| Last::Held(claim.log, holder)))
            }
            Fact::PeerStart { rcp, .. } => self.is_last(Some(Last::PeerStart(rcp))),
            Fact::Met { rcp, .. } => self.is_last(Some(Last::Met(rcp))),
            Fact::Invitation { token, .. } => self.model.invitations.contains_key(&token),
            Fact::Accepted { rcp, token } => self.model.accepted.get(&rcp) == Some(&token),
            // What was signed by another key, or before all was forgotten, is not superseded.
            Fact::KeyEvent { .. } | Fact::Forget { .. } => {
                self.newer.clear();
                true
            }
            Fact::Named { .. }
            | Fact::Peer { .. }
            | Fact::Circle { .. }
            | Fact::Former { .. }
            | Fact::Reader { .. }
            | Fact::DraftGone { .. }
            | Fact::Step { .. }
            | Fact::Suspended { .. }
            | Fact::Start { .. }
            | Fact::Redeemed { .. }
            | Fact::Withdrawals { .. }
            | Fact::EraseNow { .. }
            | Fact::SigningStopped { .. }
            | Fact::OtherCopyGone { .. }
            | Fact::StartKnown { .. }
            | Fact::SigningResumed { .. }
            | Fact::Restored { .. }
            | Fact::Compared { .. }
            | Fact::Shown { .. }
            | Fact::Rewound { .. }
            | Fact::Evidence { .. }
            | Fact::BranchLines { .. }
            | Fact::RestartAccepted { .. }
            | Fact::VoidLines { .. } => true,
        }
    }

    /// Only an RCP that was forgotten has no row for a record that came from it.
    fn has_row(&mut self, key: RecordKey) -> bool {
        let known = self.found.records.contains(&key) || self.index.row(&key).is_some();
        if known {
            self.found.records.insert(key);
        }
        known
    }

    fn is_behind(&self, log: &LogId) -> bool {
        let log = self.model.logs.get(log);
        // One of a log that was taken again may have ended that.
        log.is_some_and(|log| log.head != log.held_head || log.rewinds > 0)
    }

    fn is_last(&mut self, of: Option<Last>) -> bool {
        of.is_none_or(|of| self.newer.insert(of))
    }
}

/// What a note claims of a log.
fn checkpoint(note: &str) -> Option<Checkpoint> {
    let (text, _) = note.split_once("\n\n")?;
    Checkpoint::parse_text(&format!("{text}\n")).ok()
}
