//! The index of the journal: the only file that knows sled.
//!
//! One tree with key prefixes: `f` in which layout it is; `m` how much of the journal it has
//! seen; `w` which records want a body, as of a clean end; `n` which number each record has, and
//! `r` their rows, both in blocks; `l` where the lines of a log lie, one entry for a block of
//! lines; `e` blobs whose erasure is not yet done. What changes waits in memory
//! (`index/fresh.rs`) and reaches sled in large batches. Nothing is flushed on the write path: a
//! power cut may lose any of it, and then it is rebuilt.
//!
//! A piece of it that cannot be read is never taken for one that is not there: while the store is
//! being opened the index is thrown away and rebuilt, later the process ends and the next start
//! does so. **Invariant:** no body, no key and no title is ever in here.

mod batch;
mod entry;
mod fresh;
mod rows;
mod spans;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::ops::{Bound, Range, RangeBounds, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use corridor_proto::{LogId, RcpId};
use corridor_rules::row::RecordKey;

use crate::error::StoreError;
use crate::journal::{POSITION_BYTES, Place, Position};
use crate::row_codec;
pub(crate) use batch::{Batch, Overlay};
pub(crate) use entry::Entry;
use fresh::{Fresh, Waiting};
use rows::{LIST, Listing, ROW, Stored};
use spans::Span;

/// Memory for pages; sled's own default is 1 GiB.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Entries of a range read at once.
const SCAN: usize = 64;

/// The file by which sled knows that a folder has an index.
const DATA_FILE: &str = "db";

/// Records that want a body, of which a clean end leaves a list; where there are more, the next
/// start reads all rows.
const WANTING_MAX: usize = 65_536;

/// Counts up with the layout of any entry but `m`, which stays as it is: an index of another layout
/// is thrown away.
const LAYOUT: u8 = 2;

/// Why an index of another layout is of no use.
pub(crate) const OTHER_VERSION: &str = "it is of another version";

const FORMAT: &[u8] = b"f";
const META: &[u8] = b"m";
const WANTING: &[u8] = b"w";
const ERASE: u8 = b'e';

/// The index, open.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    db: sled::Db,
    /// Changed by the store's writer alone, so whoever holds it sees one state of both.
    waiting: Arc<RwLock<Waiting>>,
    /// Writes what leaves.
    leaving: Arc<Mutex<Option<JoinHandle<()>>>>,
    path: PathBuf,
    /// Whether the node is up, so that a failure ends the process.
    is_up: Arc<AtomicBool>,
}

/// From where to where.
type Between = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// An index, how much it has seen, and why the one before was thrown away if it was.
pub(crate) type Opened = (Index, Option<Position>, Option<String>);

/// What a failure of the index unwinds with while the store is being opened.
pub(crate) struct Unusable(pub String);

impl Index {
    /// Opens the index, or makes an empty one; one that cannot be opened is thrown away. Gives how
    /// much it has seen, and why it was thrown away if it was.
    pub fn open(path: &Path) -> Result<Opened, StoreError> {
        let found = if mark(path).exists() {
            Err("it failed while the node was up".to_owned())
        } else {
            Self::try_open(path).and_then(Self::placed)
        };
        match found {
            Ok((index, seen)) => Ok((index, seen, None)),
            Err(why) => Ok((Self::renew(path)?, None, Some(why))),
        }
    }

    /// An index and how much it has seen.
    fn placed(self) -> Result<(Self, Option<Position>), String> {
        let (seen, is_empty) = unless_it_stops(|| Ok((self.position(), self.db.is_empty())))?;
        // Without its position nothing is known of how far the rows go.
        if seen.is_none() && !is_empty {
            return Err("it did not say how far it goes".to_owned());
        }
        Ok((self, seen))
    }

    /// From now on a failure ends the process.
    pub fn set_up(&self) {
        self.is_up.store(true, Ordering::Relaxed);
    }

    /// The index cannot be read or written. What is derived from half of it would be wrong, and
    /// what is in the journal is safe, so nothing goes on from here: the next start rebuilds it.
    fn fail(&self, why: String) -> ! {
        if !self.is_up.load(Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new(Unusable(why)));
        }
        tracing::error!(
            why,
            "the index failed; the node ends, and its next start rebuilds it"
        );
        // Without the mark the next start finds the failure again, or a position that is behind.
        let _ = std::fs::write(mark(&self.path), why);
        std::process::abort();
    }

    fn expect<T>(&self, read: Result<T, impl std::fmt::Display>) -> T {
        match read {
            Ok(value) => value,
            Err(error) => self.fail(error.to_string()),
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
        let index = Self::try_open(path).map_err(StoreError::Index)?;
        match std::fs::remove_file(mark(path)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                let path = mark(path);
                Err(StoreError::Io { path, source })
            }
            _ => Ok(index),
        }
    }

    fn try_open(path: &Path) -> Result<Self, String> {
        // sled lets go of its file a moment after it was closed; nobody else can hold it, since the
        // data folder is ours.
        if let Ok(data) = File::open(path.join(DATA_FILE)) {
            data.lock().map_err(|error| error.to_string())?;
        }
        let folder: PathBuf = path.to_owned();
        // sled panics on some damage; the index is worth nothing then, and nothing else is touched.
        let opened = catch_unwind(AssertUnwindSafe(move || {
            sled::Config::new()
                .path(&folder)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .mode(sled::Mode::HighThroughput)
                .open()
                .map(|db| Self {
                    db,
                    waiting: Arc::default(),
                    leaving: Arc::default(),
                    path: folder,
                    is_up: Arc::default(),
                })
        }));
        match opened {
            Ok(Ok(index)) => unless_it_stops(|| index.read_lists().map(|()| index.clone())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("sled stopped while it opened the index".to_owned()),
        }
    }

    /// Takes in which number each record has.
    fn read_lists(&self) -> Result<(), String> {
        let numbers = &mut self.waiting_mut().numbers;
        for block in self.db.scan_prefix([LIST]) {
            let (key, list) = block.map_err(|error| error.to_string())?;
            numbers.read(&key, &list)?;
        }
        Ok(())
    }

    /// Whether its entries are those of this version; an empty one has none.
    pub fn is_readable(&self) -> bool {
        let format = self.expect(self.db.get(FORMAT));
        self.db.is_empty() || format.is_some_and(|format| *format == [LAYOUT])
    }

    /// How much of the journal the index has seen.
    pub fn position(&self) -> Option<Position> {
        self.get(META, Position::from_bytes)?
    }

    fn waiting(&self) -> RwLockReadGuard<'_, Waiting> {
        self.waiting.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting_mut(&self) -> RwLockWriteGuard<'_, Waiting> {
        self.waiting.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `parse` makes of the value of a key.
    fn get<T>(&self, key: &[u8], parse: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let waiting = self.waiting();
        match waiting.get(key) {
            Some(value) => value.map(parse),
            None => Some(parse(&self.expect(self.db.get(key))?)),
        }
    }

    /// The entries of a range in order, each as it is when it is come to.
    fn scan(&self, range: Range<Vec<u8>>) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + use<> {
        let (index, mut from) = (self.clone(), Bound::Included(range.start.clone()));
        let mut found = VecDeque::new();
        std::iter::from_fn(move || {
            if found.is_empty() && !range.is_empty() {
                let waiting = index.waiting();
                let rest = (from.clone(), Bound::Excluded(range.end.clone()));
                let stored = index.stored(rest.clone());
                found.extend(waiting.over(rest, stored).take(SCAN));
                if let Some((last, _)) = found.back() {
                    from = Bound::Excluded(last.clone());
                }
            }
            found.pop_front()
        })
    }

    /// What sled has of a range, in order: rows one by one.
    fn stored(&self, range: Between) -> Box<dyn Iterator<Item = Stored> + '_> {
        let from = match &range.0 {
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice(),
            Bound::Unbounded => &[],
        };
        if from.first() != Some(&ROW) {
            let entries = self.db.range(range).map(|entry| self.expect(entry));
            return Box::new(entries.map(|(key, value)| (key.to_vec(), value.to_vec())));
        }
        let blocks = (Bound::Included(rows::block_of(from)), range.1.clone());
        let blocks = self.db.range::<Vec<u8>, _>(blocks);
        let rows = blocks.flat_map(move |block| {
            let (key, value) = self.expect(block);
            self.expect(rows::parse(&key, &value))
        });
        Box::new(rows.filter(move |(key, _)| range.contains(key)))
    }

    /// Where the lines of a log from `index` on lie: the place of a frame, and its first index.
    pub fn lines_at(&self, log: &LogId, index: u64) -> Option<(u64, Place)> {
        let first = spans::key(log, 0);
        let mut last = spans::key(log, index);
        loop {
            let (key, spans) = self.last_block(&(first.clone()..=last))?;
            let at = spans.into_iter().rev().find(|(from, _)| *from <= index);
            // In the block of `index` all frames may begin behind it.
            match at {
                Some(at) => return Some(at),
                None => last = spans::key_before(&key)?,
            }
        }
    }

    /// The last block of lines in a range, and its key.
    fn last_block(&self, range: &RangeInclusive<Vec<u8>>) -> Option<(Vec<u8>, Vec<Span>)> {
        let waiting = self.waiting();
        let newer = waiting.last(range.clone());
        let stored = self.db.range(range.clone()).rev();
        let mut stored = stored.map(|entry| self.expect(entry));
        let stored = stored.find(|(key, _)| waiting.get(key).is_none());
        let stored = stored.as_ref().map(|(key, value)| (&**key, &**value));
        let (key, value) = newer.max(stored)?;
        let (_, spans) = self.expect(spans::parse(key, value));
        Some((key.to_vec(), spans))
    }

    /// Where the lines of a log from `from` up to, not including, `to` lie, as far as their frames
    /// do not begin before `from`.
    pub fn lines_between(
        &self,
        log: &LogId,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = (u64, Place)> + use<> {
        let index = self.clone();
        let mut end = spans::key(log, to.saturating_sub(1));
        end.push(0);
        let begin = spans::key(log, from);
        // None at all: not even a block is read.
        let range = if from < to { begin..end } else { end..begin };
        let blocks = self.scan(range);
        let spans = blocks.flat_map(move |(key, value)| index.expect(spans::parse(&key, &value)).1);
        spans.filter(move |(at, _)| (from..to).contains(at))
    }

    /// The keys of a log's blocks of lines.
    fn block_keys(&self, log: &LogId) -> impl Iterator<Item = Vec<u8>> + use<> {
        let prefix = [&[spans::LINES], log.as_bytes().as_slice()].concat();
        self.scan(starting_with(prefix)).map(|(key, _)| key)
    }

    /// Blobs whose erasure is not yet done.
    pub fn pending_erasures(&self) -> Vec<Place> {
        let place = |key: &[u8]| Some(Place::from_bytes(key.get(1..)?.try_into().ok()?));
        let entries = self.scan(starting_with(vec![ERASE]));
        let places: Option<Vec<Place>> = entries.map(|(key, _)| place(&key)).collect();
        places.unwrap_or_else(|| self.fail("a place to erase has another length".to_owned()))
    }

    /// Applies a batch, whole or not at all. It reaches sled with others: see [`Index::settle`].
    pub fn apply(&self, batch: Batch, position: &Position) {
        let removed = self.apply_all(batch, position);
        for rcp in removed {
            if self.keys(&rcp).next().is_none() {
                let mut waiting = self.waiting_mut();
                for list in waiting.numbers.forget(&rcp) {
                    waiting.put(list, None);
                }
            }
        }
    }

    /// Gives the RCPs of which rows are gone.
    fn apply_all(&self, batch: Batch, position: &Position) -> BTreeSet<RcpId> {
        let mut waiting = self.waiting_mut();
        let (mut listing, mut removed) = (Listing::default(), BTreeSet::new());
        for (key, row) in batch.rows.in_order() {
            let number = listing.number(&mut waiting.numbers, &key);
            waiting.put(rows::key(&key, number), row.as_ref().map(row_codec::encode));
            if row.is_none() {
                removed.insert(key.rcp);
            }
        }
        for (key, more) in listing.blocks() {
            let old = match waiting.get(&key) {
                Some(list) => list.map(<[u8]>::to_vec),
                None => self.expect(self.db.get(&key)).map(|list| list.to_vec()),
            };
            let list = [old.unwrap_or_default(), more].concat();
            waiting.put(key, Some(list));
        }
        for key in batch.lines_gone {
            waiting.put(key, None);
        }
        for (key, places) in batch.lines {
            let block = match waiting.get(&key) {
                Some(block) => spans::with(&key, block, &places),
                None => {
                    let stored = self.expect(self.db.get(&key));
                    spans::with(&key, stored.as_deref(), &places)
                }
            };
            waiting.put(key, Some(self.expect(block)));
        }
        for place in batch.erase {
            waiting.put(erase_key(place), Some(Vec::new()));
        }
        for place in batch.erased {
            waiting.put(erase_key(place), None);
        }
        waiting.put(META.to_vec(), Some(position.to_bytes().to_vec()));
        removed
    }

    /// Lets sled have what waits in memory, once that is much; see [`Index::write_out`].
    pub fn settle(&self) {
        if self.waiting().is_full() {
            self.write_out();
        }
    }

    /// Lets sled have all that waits in memory, in one batch. While the node is up a thread of its
    /// own sees to it, so that nobody waits but for what left before. For the one writer alone.
    pub fn write_out(&self) {
        self.wait();
        if self.waiting().is_empty() {
            return;
        }
        let leaving = self.waiting_mut().leave();
        let index = self.clone();
        let write = move || index.write(&leaving);
        if !self.is_up.load(Ordering::Relaxed) {
            return write();
        }
        let thread = std::thread::Builder::new().name("index-writer".to_owned());
        match thread.spawn(write) {
            Ok(thread) => {
                *self.leaving.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread)
            }
            Err(error) => self.fail(format!("no thread to write it out: {error}")),
        }
    }

    /// Until what left memory has reached sled.
    fn wait(&self) {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let left = leaving.take().map(JoinHandle::join);
        if left.is_some_and(|left| left.is_err()) {
            self.fail("what left memory was not written".to_owned());
        }
    }

    fn write(&self, leaving: &Fresh) {
        // A panic of sled's in here must not leave locks behind for others.
        let write = || self.db.apply_batch(self.batch_of(leaving));
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(applied) => self.expect(applied),
            Err(why) => self.fail(match why.downcast::<Unusable>() {
                Ok(why) => why.0,
                Err(_) => "sled stopped while it wrote".to_owned(),
            }),
        }
        // Until here whoever reads finds it in memory.
        self.waiting_mut().have_left();
    }

    /// What leaves, as sled keeps it: rows in the blocks that they change.
    fn batch_of(&self, leaving: &Fresh) -> sled::Batch {
        let mut out = sled::Batch::default();
        out.insert(FORMAT, &[LAYOUT]);
        let mut put = |key: &[u8], value: Option<&[u8]>| match value {
            Some(value) => out.insert(key, value),
            None => out.remove(key),
        };
        let is_row = |(key, _): &(&[u8], _)| key.first() == Some(&ROW);
        for (key, value) in leaving.all().filter(|entry| !is_row(entry)) {
            put(key, value);
        }
        let stored = |key: &[u8]| self.expect(self.db.get(key));
        for block in rows::blocks(leaving.all().filter(is_row), stored) {
            let (key, block) = self.expect(block);
            put(&key, block.as_deref());
        }
        out
    }

    /// Writes everything out, at a clean end, and with it which records want a body: the next
    /// start need not look for them.
    pub fn flush(&self, wanting: &BTreeSet<RecordKey>) -> Result<(), StoreError> {
        if let Some(position) = self.position() {
            let listed = (wanting.len() <= WANTING_MAX).then(|| {
                let mut list = position.to_bytes().to_vec();
                list.extend(wanting.iter().flat_map(rows::named));
                list
            });
            self.waiting_mut().put(WANTING.to_vec(), listed);
        }
        self.write_out();
        self.wait();
        self.db
            .flush()
            .map(|_| ())
            .map_err(|error| StoreError::Index(error.to_string()))
    }

    /// Which records want a body, if a clean end left a list of them and nothing came since.
    pub fn wanting(&self) -> Option<Vec<RecordKey>> {
        let seen = self.position()?.to_bytes();
        let keys: Option<Vec<RecordKey>> = self.get(WANTING, |list| {
            let (of, keys) = list.split_first_chunk::<POSITION_BYTES>()?;
            (*of == seen).then(|| {
                keys.chunks(rows::NAME_BYTES)
                    .map(rows::parse_name)
                    .collect::<Option<Vec<_>>>()
            })
        })??;
        keys.or_else(|| self.fail("a key of a record that wants a body".to_owned()))
    }

    /// As [`Index::wanting`], for a look at an index that may be damaged.
    pub fn listed(&self) -> Result<Option<Vec<RecordKey>>, String> {
        unless_it_stops(|| Ok(self.wanting()))
    }

    /// Opens the index that is there, if one is, and says how much it has seen: none is made and
    /// none is thrown away.
    pub fn existing(path: &Path) -> Result<Option<(Self, Option<Position>)>, String> {
        if !path.join(DATA_FILE).is_file() {
            return Ok(None);
        }
        let index = Self::try_open(path)?;
        let (seen, is_readable) = unless_it_stops(|| Ok((index.position(), index.is_readable())))?;
        if !is_readable {
            return Err(OTHER_VERSION.to_owned());
        }
        Ok(Some((index, seen)))
    }

    /// Shows every entry but the position, or says what is wrong with it.
    pub fn each(&self, look: &mut dyn FnMut(Result<Entry, &'static str>)) -> Result<(), String> {
        unless_it_stops(|| {
            for entry in self.db.iter() {
                let (key, value) = entry.map_err(|error| error.to_string())?;
                let parsed = entry::parse(&key, &value, &self.waiting().numbers);
                match parsed {
                    Ok(entries) => entries.into_iter().for_each(&mut *look),
                    Err(what) => look(Err(what)),
                }
            }
            Ok(())
        })
    }

    /// Puts bytes where no version would, or takes away what one put there.
    #[cfg(test)]
    pub fn forge(&self, key: &[u8], value: Option<&[u8]>) {
        let forged = match value {
            Some(value) => self.db.insert(key, value),
            None => self.db.remove(key),
        };
        forged.expect("the index takes it");
        self.flush(&BTreeSet::new()).expect("the index keeps it");
    }
}

/// Reads, as at opening: what is damaged may make sled panic.
fn unless_it_stops<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err("sled stopped while it read the index".to_owned()))
}

/// The keys that begin so.
fn starting_with(prefix: Vec<u8>) -> Range<Vec<u8>> {
    let mut end = prefix.clone();
    while end.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    prefix..end
}

/// The file that says that the index failed, beside its folder.
fn mark(index: &Path) -> PathBuf {
    index.with_extension("failed")
}

fn erase_key(place: Place) -> Vec<u8> {
    [&[ERASE], place.to_bytes().as_slice()].concat()
}

/// Ways to spoil an index, for tests of what is made of it.
#[cfg(test)]
pub(crate) mod spoil {
    use std::path::Path;

    use super::rows::{LIST, ROW};
    use super::{FORMAT, META, WANTING};

    fn change(index: &Path, change: impl Fn(&sled::Db)) {
        let db = sled::open(index).expect("sled");
        // As a crash leaves it: behind a clean end a row is read when it is needed.
        db.remove(WANTING).expect("remove");
        change(&db);
        db.flush().expect("flush");
    }

    /// Says that it is of another version, which had no row yet.
    pub fn other_layout(index: &Path) {
        change(index, |db| {
            db.remove(FORMAT).expect("remove");
            for row in db.scan_prefix([ROW]).keys() {
                db.remove(row.expect("read")).expect("remove");
            }
        });
    }

    /// Cuts the end of a block of rows off.
    pub fn cut_row(index: &Path) {
        cut(index, ROW);
    }

    /// Cuts the end of a list of records off.
    pub fn cut_list(index: &Path) {
        cut(index, LIST);
    }

    fn cut(index: &Path, sort: u8) {
        change(index, |db| {
            let entry = db.scan_prefix([sort]).next().expect("an entry");
            let (key, value) = entry.expect("read");
            let cut = &value[..value.len() - 1];
            db.insert(key, cut).expect("insert");
        });
    }

    /// Adds a row whose key is none.
    pub fn odd_key(index: &Path) {
        change(index, |db| {
            db.insert([ROW, 0], b"").expect("insert");
        });
    }

    /// Takes away how far the index goes.
    pub fn no_position(index: &Path) {
        change(index, |db| {
            db.remove(META).expect("remove");
        });
    }
}
