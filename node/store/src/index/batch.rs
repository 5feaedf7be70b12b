//! Changes of the index, and the index as it will be with them.
//!
//! **Invariant:** nothing here reaches the index before [`Index::apply`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use corridor_proto::{LogId, RcpId};
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{Rows, RowsMut};

use super::{Index, spans};
use crate::journal::Place;

/// Rows that change, in the order in which their records were first named: it is that of the
/// journal, in which an index that is rebuilt reads them too.
#[derive(Debug, Default)]
pub(super) struct Changed {
    rows: HashMap<RecordKey, Option<RecordRow>>,
    order: Vec<RecordKey>,
}

impl Changed {
    fn put(&mut self, key: &RecordKey, row: Option<RecordRow>) {
        if self.rows.insert(*key, row).is_none() {
            self.order.push(*key);
        }
    }

    /// All of them.
    pub fn in_order(mut self) -> impl Iterator<Item = (RecordKey, Option<RecordRow>)> {
        let rows = move |key| Some((key, self.rows.remove(&key)?));
        self.order.into_iter().filter_map(rows)
    }
}

/// Changes of the index that belong together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) rows: Changed,
    /// Where frames lie, by the key of their block of lines.
    pub(super) lines: HashMap<Vec<u8>, BTreeMap<u8, Place>>,
    pub(super) lines_gone: Vec<Vec<u8>>,
    pub(super) erase: Vec<Place>,
    pub(super) erased: Vec<Place>,
}

impl Batch {
    /// Rows changed so far.
    pub fn len(&self) -> usize {
        self.rows.order.len() + self.lines.len()
    }

    /// The records whose rows change.
    pub fn records(&self) -> impl Iterator<Item = RecordKey> {
        self.rows.order.iter().copied()
    }

    /// Lines of a log from `from` on lie at `place`.
    pub fn lines(&mut self, log: &LogId, from: u64, place: Place) {
        let block = self.lines.entry(spans::key(log, from)).or_default();
        block.insert(spans::at(from), place);
    }

    /// A blob is to be erased.
    pub fn erase(&mut self, place: Place) {
        self.erase.push(place);
    }

    /// A blob was erased.
    pub fn erased(&mut self, place: Place) {
        self.erased.push(place);
    }
}

/// The index with changes on top that are not yet in it.
pub(crate) struct Overlay<'a> {
    pub index: &'a Index,
    pub batch: &'a mut Batch,
}

impl Rows for Overlay<'_> {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        match self.batch.rows.rows.get(key) {
            Some(row) => row.clone(),
            None => self.index.row(key),
        }
    }
}

impl RowsMut for Overlay<'_> {
    fn put(&mut self, key: &RecordKey, row: RecordRow) {
        self.batch.rows.put(key, Some(row));
    }

    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey> {
        let stored = self.index.keys(rcp);
        let changed = self.batch.rows.order.iter().filter(|key| key.rcp == *rcp);
        let keys: BTreeSet<RecordKey> = stored.chain(changed.copied()).collect();
        keys.into_iter()
            .filter(|key| !matches!(self.batch.rows.rows.get(key), Some(None)))
            .collect()
    }

    fn remove(&mut self, key: &RecordKey) {
        self.batch.rows.put(key, None);
    }

    fn forget_lines(&mut self, log: &LogId) {
        let is_kept = |key: &Vec<u8>| spans::log_of(key).is_ok_and(|of| of != *log);
        self.batch.lines.retain(|key, _| is_kept(key));
        self.batch.lines_gone.extend(self.index.block_keys(log));
    }
}
