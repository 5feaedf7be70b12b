//! Rows, lines and blobs of a node in memory. What is erased is zeroed.

use std::collections::{BTreeMap, HashMap};

use corridor_proto::record::{SignedHeader, SignedRecord};
use corridor_proto::{LogId, RcpId, Salt};

use crate::fact::{Blob, unblob};
use crate::model::{Model, Rows, RowsMut};
use crate::row::{RecordKey, RecordRow};
use crate::serve::Source;
use crate::{Fact, Place};

/// What lies beside a model.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub rows: BTreeMap<RecordKey, RecordRow>,
    pub lines: BTreeMap<LogId, Vec<Vec<u8>>>,
    pub blobs: HashMap<Place, (Option<SignedHeader>, Blob)>,
    /// Lines that are read at once.
    pub chunk: usize,
}

impl Store {
    pub fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            lines: BTreeMap::new(),
            blobs: HashMap::new(),
            chunk: 1_000,
        }
    }

    /// Keeps the blob of a fact before it is folded.
    pub fn keep(&mut self, fact: &Fact, place: Place) {
        let (header, blob) = match fact {
            Fact::Record { header, blob } => (Some(header.clone()), blob),
            Fact::List { blob, .. } | Fact::Note { blob, .. } | Fact::Draft { blob, .. } => {
                (None, blob)
            }
            _ => return,
        };
        self.blobs.insert(place, (header, blob.clone()));
    }

    /// Keeps the lines of a fact once it is folded.
    pub fn follow(&mut self, fact: &Fact, model: &Model) {
        if let Fact::Lines { log, from, lines } = fact
            && model.logs.contains_key(log)
        {
            let kept = self.lines.entry(*log).or_default();
            for (index, line) in (usize::try_from(*from).expect("index")..).zip(lines) {
                if kept.len() == index {
                    kept.push(line.clone());
                }
            }
        }
    }

    pub fn erase(&mut self, place: Place) {
        if let Some((_, blob)) = self.blobs.get_mut(&place) {
            blob.fill(0);
        }
    }

    /// Whether any blob holds these bytes.
    pub fn contains(&self, text: &[u8]) -> bool {
        let mut blobs = self.blobs.values();
        blobs.any(|(_, blob)| blob.windows(text.len()).any(|part| part == text))
    }
}

impl Rows for Store {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        self.rows.get(key).cloned()
    }
}

impl RowsMut for Store {
    fn put(&mut self, key: &RecordKey, row: RecordRow) {
        self.rows.insert(*key, row);
    }

    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey> {
        let keys = self.rows.keys().filter(|key| key.rcp == *rcp);
        keys.copied().collect()
    }

    fn remove(&mut self, key: &RecordKey) {
        self.rows.remove(key);
    }

    fn forget_lines(&mut self, log: &LogId) {
        self.lines.remove(log);
    }
}

impl Source for Store {
    fn lines(&self, log: &LogId, from: u64, to: u64) -> Vec<Vec<u8>> {
        let Some(lines) = self.lines.get(log) else {
            return Vec::new();
        };
        let at = |index: u64| usize::try_from(index).map_or(lines.len(), |i| i.min(lines.len()));
        let (from, to) = (at(from), at(to));
        lines[from..to.min(from + self.chunk).max(from)].to_vec()
    }

    fn record(&self, place: Place) -> Option<SignedRecord> {
        let (header, blob) = self.blobs.get(&place)?;
        let (salt, body) = unblob(blob)?;
        Some(SignedRecord {
            header: header.clone()?,
            salt,
            body: body.to_vec(),
        })
    }

    fn salted(&self, place: Place) -> Option<(Salt, Vec<u8>)> {
        let (salt, content) = unblob(&self.blobs.get(&place)?.1)?;
        Some((salt, content.to_vec()))
    }
}
