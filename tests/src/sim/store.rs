//! The stored bytes of a simulated node: rows, lines and blobs in memory. What is erased is zeroed.

use std::collections::HashMap;

use corridor_proto::record::{SignedHeader, SignedRecord};
use corridor_proto::{LogId, RcpId, Salt};
use corridor_rules::fact::{Blob, unblob};
use corridor_rules::serve::Source;
use corridor_rules::{Fact, Model, Place, RecordKey, RecordRow, Rows, RowsMut};

/// Bytes beside a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The header, of a record.
    pub header: Option<SignedHeader>,
    /// Salt and content.
    pub blob: Blob,
}

/// All that a node's index and journal hold beside its model.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Rows of records.
    pub rows: HashMap<RecordKey, RecordRow>,
    /// Lines of logs.
    pub lines: HashMap<LogId, Vec<Vec<u8>>>,
    /// Erasable bytes.
    pub blobs: HashMap<Place, Stored>,
    /// Lines that lie in one place: as many are read at once.
    pub chunk: usize,
}

impl Store {
    /// Keeps the blob of a fact before it is folded.
    pub fn keep(&mut self, fact: &Fact, place: Place) {
        let (header, blob) = match fact {
            Fact::Record { header, blob } => (Some(header.clone()), blob),
            Fact::List { blob, .. } | Fact::Note { blob, .. } | Fact::Draft { blob, .. } => {
                (None, blob)
            }
            _ => return,
        };
        let blob = blob.clone();
        self.blobs.insert(place, Stored { header, blob });
    }

    /// Keeps the lines of a fact once it is folded.
    pub fn follow(&mut self, fact: &Fact, model: &Model) {
        match fact {
            Fact::Lines { log, from, lines } if model.logs.contains_key(log) => {
                let kept = self.lines.entry(*log).or_default();
                let from = usize::try_from(*from).expect("index");
                for (index, line) in (from..).zip(lines) {
                    if kept.len() == index {
                        kept.push(line.clone());
                    }
                }
            }
            _ => {}
        }
    }

    /// Overwrites a blob with zeros.
    pub fn erase(&mut self, place: Place) {
        if let Some(stored) = self.blobs.get_mut(&place) {
            stored.blob.fill(0);
        }
    }

    /// Whether any blob holds these bytes.
    pub fn contains(&self, needle: &[u8]) -> bool {
        self.blobs.values().any(|stored| {
            let bytes = &stored.blob;
            bytes.len() >= needle.len() && bytes.windows(needle.len()).any(|part| part == needle)
        })
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
        let mut keys: Vec<RecordKey> = self.rows.keys().copied().collect();
        keys.retain(|key| key.rcp == *rcp);
        keys.sort();
        keys
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
        let stored = self.blobs.get(&place)?;
        let (salt, body) = unblob(&stored.blob)?;
        Some(SignedRecord {
            header: stored.header.clone()?,
            salt,
            body: body.to_vec(),
        })
    }

    fn salted(&self, place: Place) -> Option<(Salt, Vec<u8>)> {
        let (salt, content) = unblob(&self.blobs.get(&place)?.blob)?;
        Some((salt, content.to_vec()))
    }
}
