//! What the index knows and sled does not have yet.
//!
//! A row changes again soon: a line makes it, the body behind the line changes it. So entries wait
//! here until there are enough of them, and leave for sled in one batch with the position that they
//! belong to, while others begin to wait. A crash loses them, and the next start finds them in the
//! journal.
//!
//! **Invariant:** of a key that is in here, what is in here counts, and of two the newer.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::rows::{self, Numbers};

/// Bytes that wait: the rows of some 100,000 lines, so that in a first exchange of so many the
/// bodies find the rows of their lines still here. Behind a crash a start takes them in again in
/// a second.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a block of rows takes, most of which do not change: some rows a block, or all of them.
const BLOCK_BYTES: usize = 4 * 1024;

/// All entries that sled does not have yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Which number each record has, in sled or here.
    pub numbers: Numbers,
    fresh: Fresh,
    leaving: Arc<Fresh>,
}

impl Waiting {
    /// An entry is there from now on, or gone.
    pub fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.fresh.put(key, value);
    }

    /// What is known of a key, if anything: that it is gone, or its value.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.fresh.get(key).or_else(|| self.leaving.get(key))
    }

    /// The last entry of a range that is there.
    pub fn last(&self, range: impl RangeBounds<Vec<u8>> + Clone) -> Option<(&[u8], &[u8])> {
        let mut older = self.leaving.back_from(range.clone());
        let older = older.find(|(key, _)| self.fresh.get(key).is_none());
        self.fresh.back_from(range).next().max(older)
    }

    /// The entries of a range, over those of sled's.
    pub fn over(
        &self,
        range: impl RangeBounds<Vec<u8>> + Clone,
        stored: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let leaving = self.leaving.over(range.clone(), stored);
        self.fresh.over(range, leaving)
    }

    /// Whether so many wait that they are to leave.
    pub const fn is_full(&self) -> bool {
        self.fresh.bytes >= WAITING_BYTES_MAX
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.fresh.entries.is_empty()
    }

    /// All that wait leave. Those that left before must have reached sled.
    pub fn leave(&mut self) -> Arc<Fresh> {
        self.leaving = Arc::new(std::mem::take(&mut self.fresh));
        Arc::clone(&self.leaving)
    }

    /// Those that were leaving have reached sled.
    pub fn have_left(&mut self) {
        self.leaving = Arc::default();
    }
}

/// Entries by key; none where an entry of sled's is gone.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    entries: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Fresh {
    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let key_bytes = key.len() + self.block_bytes(&key);
        self.bytes += bytes(&value);
        match self.entries.insert(key, value) {
            Some(old) => self.bytes -= bytes(&old),
            None => self.bytes += key_bytes,
        }
    }

    /// What a row that is alone in its block adds: the block is written again with it.
    fn block_bytes(&self, key: &[u8]) -> usize {
        let Some(block) = rows::keys_beside(key) else {
            return 0;
        };
        let is_alone = self.entries.range(block).next().is_none();
        if is_alone { BLOCK_BYTES } else { 0 }
    }

    fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.entries.get(key).map(|value| value.as_deref())
    }

    /// Those that are there, the last one first.
    fn back_from(&self, range: impl RangeBounds<Vec<u8>>) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.entries.range(range).rev();
        entries.filter_map(|(key, value)| Some((key.as_slice(), value.as_deref()?)))
    }

    fn over(
        &self,
        range: impl RangeBounds<Vec<u8>>,
        stored: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let (mut fresh, mut stored) = (self.entries.range(range).peekable(), stored.peekable());
        std::iter::from_fn(move || {
            loop {
                if is_stored_next(&mut stored, &mut fresh) {
                    return stored.next();
                }
                if let (key, Some(value)) = fresh.next()? {
                    return Some((key.clone(), value.clone()));
                }
            }
        })
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let entries = self.entries.iter();
        entries.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}

/// Whether the next entry in order is one of sled's; passes over one that is here as well.
fn is_stored_next<'a>(
    stored: &mut Peekable<impl Iterator<Item = (Vec<u8>, Vec<u8>)>>,
    fresh: &mut Peekable<impl Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)>>,
) -> bool {
    let Some((key, _)) = fresh.peek() else {
        return true;
    };
    let stored_key = stored.peek().map(|(stored, _)| stored);
    let order = stored_key.map_or(Ordering::Greater, |stored| stored.cmp(key));
    if order == Ordering::Equal {
        stored.next();
    }
    order == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(leaving: &[(u8, Option<u8>)], fresh: &[(u8, Option<u8>)]) -> Waiting {
        let mut waiting = Waiting::default();
        for entries in [leaving, fresh] {
            waiting.leave();
            for (key, value) in entries {
                waiting.put(vec![*key], value.map(|value| vec![value]));
            }
        }
        waiting
    }

    fn over(waiting: &Waiting, stored: &[u8]) -> Vec<(u8, u8)> {
        let stored = stored.iter().map(|key| (vec![*key], vec![0]));
        let all = waiting.over(vec![0]..vec![9], stored);
        all.map(|(key, value)| (key[0], value[0])).collect()
    }

    #[test]
    fn what_is_newer_counts_and_what_is_gone_is_not_there() {
        assert_eq!(over(&waiting(&[], &[]), &[1, 2]), [(1, 0), (2, 0)]);
        let ends = waiting(&[], &[(1, Some(1)), (9, Some(1))]);
        assert_eq!(over(&ends, &[]), [(1, 1)]);
        let leaving = [(1, Some(1)), (3, Some(3)), (4, None), (5, Some(5))];
        let some = waiting(&leaving, &[(3, Some(4)), (5, None), (7, Some(7))]);
        assert_eq!(
            over(&some, &[2, 3, 4, 6]),
            [(1, 1), (2, 0), (3, 4), (6, 0), (7, 7)]
        );
        let last = |to: u8| some.last(vec![0]..=vec![to]);
        assert_eq!(last(6), Some(([3].as_slice(), [4].as_slice())));
        assert_eq!(last(1), Some(([1].as_slice(), [1].as_slice())));
        let known = |key: u8| some.get(&[key]);
        assert_eq!(
            (known(4), known(5), known(6)),
            (Some(None), Some(None), None)
        );
        assert_eq!(known(1), Some(Some([1].as_slice())));
    }

    #[test]
    fn bytes_are_counted_once() {
        let mut waiting = Waiting::default();
        for value in [Some(vec![0; 10]), Some(vec![0; 3]), None, Some(vec![0; 2])] {
            waiting.put(vec![1, 2], value);
        }
        assert_eq!(waiting.fresh.bytes, 4);
        waiting.put(vec![3], Some(vec![0; WAITING_BYTES_MAX - 5]));
        assert!(waiting.is_full());
        waiting.leave();
        assert!(!waiting.is_full());
    }
}
