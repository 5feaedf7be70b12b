//! The index of the journal: the only file that knows sled.
//!
//! One tree with key prefixes: `m` how much of the journal it has seen; `r` a row a record; `l`
//! where the lines of a log lie, one entry a frame; `e` blobs whose erasure is not yet done. It is
//! never flushed on the write path: a power cut may lose any of it, and then it is rebuilt.
//!
//! **Invariant:** no body, no key and no title is ever in here.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use corridor_proto::{LogId, RcpId};
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{Rows, RowsMut};

use crate::error::StoreError;
use crate::journal::{Place, Position};
use crate::row_codec;

/// Memory for pages; sled's own default is 1 GiB.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

const META: &[u8] = b"m";
const ROW: u8 = b'r';
const LINES: u8 = b'l';
const ERASE: u8 = b'e';

/// The index, open.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    db: sled::Db,
}

impl Index {
    /// Opens the index, or makes an empty one; one that cannot be opened is thrown away. The second
    /// value says why that was done.
    pub fn open(path: &Path) -> Result<(Self, Option<String>), StoreError> {
        match Self::try_open(path) {
            Ok(index) => Ok((index, None)),
            Err(why) => Ok((Self::renew(path)?, Some(why))),
        }
    }

    /// Throws the index away and makes an empty one.
    pub fn renew(path: &Path) -> Result<Self, StoreError> {
        match std::fs::remove_dir_all(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(StoreError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        }
        Self::try_open(path).map_err(StoreError::Index)
    }

    fn try_open(path: &Path) -> Result<Self, String> {
        let path: PathBuf = path.to_owned();
        // sled panics on some damage; the index is worth nothing then, and nothing else is touched.
        let opened = catch_unwind(AssertUnwindSafe(move || {
            sled::Config::new()
                .path(path)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .mode(sled::Mode::HighThroughput)
                .open()
                .map(|db| Self { db })
        }));
        match opened {
            Ok(Ok(index)) => Ok(index),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("sled stopped while it opened the index".to_owned()),
        }
    }

    /// How much of the journal the index has seen.
    pub fn position(&self) -> Option<Position> {
        Position::from_bytes(&self.get(META)?)
    }

    fn get(&self, key: &[u8]) -> Option<sled::IVec> {
        self.db.get(key).ok().flatten()
    }

    /// Where the lines of a log from `index` on lie: the place of a frame, and its first index.
    pub fn lines_at(&self, log: &LogId, index: u64) -> Option<(u64, Place)> {
        let (low, high) = (lines_key(log, 0), lines_key(log, index));
        let (key, value) = self.db.range(low..=high).next_back()?.ok()?;
        let from = u64::from_be_bytes(key.get(33..)?.try_into().ok()?);
        Some((from, Place::from_bytes(value.as_ref().try_into().ok()?)))
    }

    /// All rows, in the order of their keys, from `after` on.
    pub fn rows(
        &self,
        after: Option<&RecordKey>,
    ) -> impl Iterator<Item = Result<(RecordKey, RecordRow), StoreError>> + use<> {
        let start = after.map_or_else(|| vec![ROW], |key| [row_key(key), vec![0]].concat());
        self.db.range(start..vec![ROW + 1]).map(|entry| {
            let (key, value) = entry.map_err(|error| StoreError::Index(error.to_string()))?;
            let key = parse_row_key(&key).ok_or(StoreError::Frame("index key"))?;
            Ok((key, row_codec::decode(&value)?))
        })
    }

    /// The keys of an RCP's rows.
    fn keys(&self, rcp: &RcpId) -> impl Iterator<Item = RecordKey> + use<> {
        let prefix = [&[ROW], rcp.as_bytes().as_slice()].concat();
        let keys = self.db.scan_prefix(prefix).keys();
        keys.filter_map(|key| parse_row_key(&key.ok()?))
    }

    /// The keys of a log's lines.
    fn line_keys(&self, log: &LogId) -> impl Iterator<Item = Vec<u8>> + use<> {
        let prefix = [&[LINES], log.as_bytes().as_slice()].concat();
        let keys = self.db.scan_prefix(prefix).keys();
        keys.filter_map(|key| Some(key.ok()?.to_vec()))
    }

    /// Blobs whose erasure is not yet done.
    pub fn pending_erasures(&self) -> Vec<Place> {
        let place = |key: sled::IVec| Some(Place::from_bytes(key.get(1..)?.try_into().ok()?));
        self.db
            .scan_prefix([ERASE])
            .keys()
            .filter_map(|key| place(key.ok()?))
            .collect()
    }

    /// Applies a batch, whole or not at all.
    pub fn apply(&self, batch: Batch, position: &Position) -> Result<(), StoreError> {
        let mut out = sled::Batch::default();
        for (key, row) in batch.rows {
            match row {
                Some(row) => out.insert(row_key(&key), row_codec::encode(&row)?),
                None => out.remove(row_key(&key)),
            }
        }
        for key in batch.lines_gone {
            out.remove(key);
        }
        for (key, place) in batch.lines {
            out.insert(key, place.to_bytes().as_slice());
        }
        for place in batch.erase {
            out.insert(erase_key(place), [].as_slice());
        }
        for place in batch.erased {
            out.remove(erase_key(place));
        }
        out.insert(META, position.to_bytes().as_slice());
        self.db
            .apply_batch(out)
            .map_err(|error| StoreError::Index(error.to_string()))
    }

    /// Writes everything out, at a clean end.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db
            .flush()
            .map(|_| ())
            .map_err(|error| StoreError::Index(error.to_string()))
    }
}

impl Rows for Index {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        row_codec::decode(&self.get(&row_key(key))?).ok()
    }
}

/// Changes of the index that belong together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    rows: HashMap<RecordKey, Option<RecordRow>>,
    lines: Vec<(Vec<u8>, Place)>,
    lines_gone: Vec<Vec<u8>>,
    erase: Vec<Place>,
    erased: Vec<Place>,
}

impl Batch {
    /// Rows changed so far.
    pub fn len(&self) -> usize {
        self.rows.len() + self.lines.len()
    }

    /// Lines of a log from `from` on lie at `place`.
    pub fn lines(&mut self, log: &LogId, from: u64, place: Place) {
        self.lines.push((lines_key(log, from), place));
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
        match self.batch.rows.get(key) {
            Some(row) => row.clone(),
            None => self.index.row(key),
        }
    }
}

impl RowsMut for Overlay<'_> {
    fn put(&mut self, key: &RecordKey, row: RecordRow) {
        self.batch.rows.insert(*key, Some(row));
    }

    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey> {
        let stored = self.index.keys(rcp);
        let changed = self.batch.rows.keys().filter(|key| key.rcp == *rcp);
        let keys: BTreeSet<RecordKey> = stored.chain(changed.copied()).collect();
        keys.into_iter()
            .filter(|key| !matches!(self.batch.rows.get(key), Some(None)))
            .collect()
    }

    fn remove(&mut self, key: &RecordKey) {
        self.batch.rows.insert(*key, None);
    }

    fn forget_lines(&mut self, log: &LogId) {
        let kept = self.batch.lines.extract_if(.., |(key, _)| is_of(key, log));
        let unsaved = kept.map(|(key, _)| key);
        let gone: Vec<Vec<u8>> = self.index.line_keys(log).chain(unsaved).collect();
        self.batch.lines_gone.extend(gone);
    }
}

fn row_key(key: &RecordKey) -> Vec<u8> {
    [
        &[ROW],
        key.rcp.as_bytes().as_slice(),
        key.record.as_bytes().as_slice(),
    ]
    .concat()
}

fn parse_row_key(bytes: &[u8]) -> Option<RecordKey> {
    let rcp = corridor_proto::RcpId::from_slice(bytes.get(1..33)?).ok()?;
    let record = corridor_proto::RecordId::from_slice(bytes.get(33..)?).ok()?;
    Some(RecordKey { rcp, record })
}

fn lines_key(log: &LogId, from: u64) -> Vec<u8> {
    [
        &[LINES],
        log.as_bytes().as_slice(),
        from.to_be_bytes().as_slice(),
    ]
    .concat()
}

fn is_of(lines_key: &[u8], log: &LogId) -> bool {
    lines_key.get(1..33) == Some(log.as_bytes().as_slice())
}

fn erase_key(place: Place) -> Vec<u8> {
    [&[ERASE], place.to_bytes().as_slice()].concat()
}
