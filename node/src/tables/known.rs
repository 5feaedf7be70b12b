//! The records of this node as a table's rows find them: by name, by the office's own reference, by
//! a title that is near.

use std::collections::HashMap;

use corridor_proto::RecordId;
use corridor_proto::kinds::Kind;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_rules::{Place, desk::AsRead};
use corridor_store::View;
use corridor_tables::record::{reference_of, title_of};
use corridor_tables::titles::marks;

use crate::desk::{self, Desk};

/// Bodies that are read while the store is held.
const BODIES_AT_ONCE: usize = 256;

/// A record of this node, and what was read of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub record: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// The office's own reference; empty where it has none.
    pub reference: String,
    /// The year in which it begins, if it says one.
    pub year: Option<u32>,
    /// Where its draft and its newest version lay.
    pub was: AsRead,
}

/// All records and drafts of this node that have a table.
#[derive(Debug, Default)]
pub struct Known {
    entries: Vec<Entry>,
    by_record: HashMap<RecordId, usize>,
    by_reference: HashMap<(Kind, String), usize>,
    by_mark: HashMap<u64, usize>,
}

impl Known {
    /// Looks through the store, a few bodies at a time.
    pub fn of(desk: &Desk) -> Self {
        let mut known = Self::default();
        let found = desk.store().read(places);
        let found: Vec<(RecordId, u16, AsRead)> = found
            .into_iter()
            .map(|(record, (kind, was))| (record, kind, was))
            .collect();
        for some in found.chunks(BODIES_AT_ONCE) {
            let bodies = desk.store().read(|view| {
                let body = |was: &AsRead| body(view, was);
                some.iter().map(|(_, _, was)| body(was)).collect::<Vec<_>>()
            });
            for ((record, kind, was), body) in some.iter().zip(bodies) {
                if let (Some(kind), Some(body)) = (Kind::from_code(*kind), body) {
                    known.add(*record, kind, *was, &body);
                }
            }
        }
        known
    }

    fn add(&mut self, record: RecordId, kind: Kind, was: AsRead, body: &[u8]) {
        let Some((title, year)) = title_of(kind, body) else {
            return;
        };
        let reference = reference_of(kind, body).unwrap_or_default();
        let at = self.entries.len();
        self.by_record.insert(record, at);
        if !reference.is_empty() {
            self.by_reference.insert((kind, reference.clone()), at);
        }
        for mark in marks(kind, &title) {
            self.by_mark.insert(mark, at);
        }
        self.entries.push(Entry {
            record,
            kind,
            reference,
            year,
            was,
        });
    }

    /// The record of that identifier.
    pub fn by_record(&self, record: &RecordId) -> Option<&Entry> {
        self.entries.get(*self.by_record.get(record)?)
    }

    /// The record of a kind that has that reference.
    pub fn by_reference(&self, kind: Kind, reference: &str) -> Option<&Entry> {
        let at = self.by_reference.get(&(kind, reference.to_owned()))?;
        self.entries.get(*at)
    }

    /// A record that has one of these marks of a title.
    pub fn near(&self, marks: &[u64]) -> Option<&Entry> {
        let at = marks.iter().find_map(|mark| self.by_mark.get(mark))?;
        self.entries.get(*at)
    }
}

/// Where the drafts and the newest versions of this node's records lie, and their kinds.
fn places(view: &View<'_>) -> std::collections::BTreeMap<RecordId, (u16, AsRead)> {
    let mut found = std::collections::BTreeMap::new();
    let first = RecordKey {
        rcp: view.me,
        record: RecordId::ZERO,
    };
    let own = view
        .rows(Some(&first))
        .take_while(|(key, _)| key.rcp == view.me);
    for (key, row) in own {
        if let Some(newest) = row.newest() {
            let was = AsRead {
                draft: None,
                newest: Some(newest.place),
            };
            found.insert(key.record, (newest.kind, was));
        }
    }
    for (record, draft) in view.drafts.iter() {
        let newest = found.get(record).and_then(|(_, was)| was.newest);
        let was = AsRead {
            draft: Some(draft.place),
            newest,
        };
        found.insert(*record, (draft.kind, was));
    }
    found
}

/// The body that a row changes: that of the draft, or of the newest version.
pub fn body(view: &View<'_>, was: &AsRead) -> Option<Vec<u8>> {
    let place = |place: Place| view.record(place).map(|record| record.body);
    match (was.draft, was.newest) {
        (Some(draft), _) => Some(view.salted(draft)?.1),
        (None, Some(newest)) => place(newest),
        (None, None) => None,
    }
}

/// The body of a record's draft, if it has one.
pub fn draft_body(desk: &Desk, record: RecordId) -> Option<Vec<u8>> {
    desk.store()
        .read(|view| desk::draft(view, record).map(|(_, body)| body))
}
