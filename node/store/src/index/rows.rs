//! The rows of records, in blocks of some that came one after the other.
//!
//! sled keeps sixteen entries to a page, and the identifiers of records are random: an entry for
//! each row would cost more than the row, and rows that come together would lie on as many pages.
//! So the records of an RCP are numbered in the order in which the journal names them, which blocks
//! of lists say (`n`), and the rows of neighbours share an entry (`r`). What waits in memory waits
//! row by row. **Invariant:** a record has one number as long as its RCP has any row; a block of
//! rows is never empty, and its rows ascend.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::ops::Range;

use corridor_proto::{RcpId, RecordId};
use corridor_rules::row::{RecordKey, RecordRow};
use prost::encoding::{decode_varint, encode_varint};

use super::{Index, starting_with};
use crate::row_codec;

pub(super) const ROW: u8 = b'r';
pub(super) const LIST: u8 = b'n';

/// Rows of a block.
const BLOCK: u32 = 32;
/// Records of a block of a list.
const LISTED: u32 = 128;
const RECORD_BYTES: usize = 16;
/// Of the key of a block: its sort and its RCP.
const OWNER_BYTES: usize = 1 + 32;
const BLOCK_KEY_BYTES: usize = OWNER_BYTES + 4;

const BAD_KEY: &str = "the key of a row";
const BAD_BLOCK: &str = "a block of rows";
const BAD_LIST: &str = "a list of records";

/// A key and its value.
pub(super) type Stored = (Vec<u8>, Vec<u8>);

/// The length of what [`named`] gives.
pub(super) const NAME_BYTES: usize = 32 + RECORD_BYTES;

/// A record, without its number.
pub(super) fn named(key: &RecordKey) -> Vec<u8> {
    [key.rcp.as_bytes().as_slice(), key.record.as_bytes()].concat()
}

/// The record of what [`named`] gave.
pub(super) fn parse_name(bytes: &[u8]) -> Option<RecordKey> {
    let (rcp, record) = bytes.split_first_chunk::<32>()?;
    let (rcp, record) = (RcpId::new(*rcp), RecordId::new(record.try_into().ok()?));
    Some(RecordKey { rcp, record })
}

/// Which of the rows of its RCP it is.
pub(super) type Number = u32;

/// The key of a row: in memory it waits under it.
pub(super) fn key(of: &RecordKey, number: Number) -> Vec<u8> {
    let number = number.to_be_bytes();
    let owner = owned(ROW, &of.rcp);
    [owner.as_slice(), &number, of.record.as_bytes()].concat()
}

/// The beginning of the keys of an RCP's blocks of one sort.
pub(super) fn owned(sort: u8, rcp: &RcpId) -> Vec<u8> {
    [&[sort], rcp.as_bytes().as_slice()].concat()
}

/// The RCP of a key, and what stands behind it.
fn split(key: &[u8]) -> Option<(RcpId, &[u8])> {
    let (rcp, rest) = key.get(1..)?.split_first_chunk::<32>()?;
    Some((RcpId::new(*rcp), rest))
}

/// The record of a key of a row, and its number.
pub(super) fn parse_key(key: &[u8]) -> Result<(RecordKey, Number), &'static str> {
    let parsed = || {
        let (rcp, rest) = split(key)?;
        let (number, record) = rest.split_first_chunk::<4>()?;
        let record = RecordId::new(record.try_into().ok()?);
        Some((RecordKey { rcp, record }, Number::from_be_bytes(*number)))
    };
    parsed().ok_or(BAD_KEY)
}

/// The key of the block in which a row lies; of a beginning of the keys of rows, one of the keys of
/// their blocks.
pub(super) fn block_of(row_key: &[u8]) -> Vec<u8> {
    let number = row_key.get(OWNER_BYTES..).and_then(<[u8]>::first_chunk);
    match number.map(|number| Number::from_be_bytes(*number)) {
        Some(number) => block_key(&row_key[..OWNER_BYTES], number / BLOCK),
        None => row_key.to_vec(),
    }
}

/// Where the keys of the rows of a row's block lie; nothing for what is no row.
pub(super) fn keys_beside(key: &[u8]) -> Option<Range<Vec<u8>>> {
    let (ROW, owner) = (*key.first()?, key.get(..OWNER_BYTES)?) else {
        return None;
    };
    let number = Number::from_be_bytes(*key.get(OWNER_BYTES..)?.first_chunk()?);
    let first = number - number % BLOCK;
    let from = |number: Number| [owner, &number.to_be_bytes()].concat();
    Some(from(first)..from(first.saturating_add(BLOCK)))
}

fn block_key(owner: &[u8], block: u32) -> Vec<u8> {
    [owner, &block.to_be_bytes()].concat()
}

/// The rows of a block, one after the other: which of the block, of which record, and its bytes.
struct Walk<'a>(&'a [u8]);

type Found<'a> = (u8, &'a [u8; RECORD_BYTES], &'a [u8]);

impl<'a> Walk<'a> {
    fn one(&mut self) -> Option<Found<'a>> {
        let (at, rest) = self.0.split_first()?;
        let (record, mut rest) = rest.split_first_chunk()?;
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (row, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (u32::from(*at) < BLOCK).then_some((*at, record, row))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Found<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let found = self.one();
        if found.is_none() {
            self.0 = &[];
        }
        Some(found.ok_or(BAD_BLOCK))
    }
}

/// The bytes of a row in its block, if it is there.
pub(super) fn find<'a>(block: &'a [u8], row_key: &[u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let (key, number) = parse_key(row_key)?;
    for found in Walk(block) {
        let (at, record, row) = found?;
        if u32::from(at) == number % BLOCK && record == key.record.as_bytes() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// The rows of a block with their keys, in order.
pub(super) fn parse(block_key: &[u8], value: &[u8]) -> Result<Vec<Stored>, &'static str> {
    let owner = block_key.get(..OWNER_BYTES).ok_or(BAD_KEY)?;
    let block = block_key[OWNER_BYTES..].try_into().map_err(|_| BAD_KEY)?;
    let first = u32::from_be_bytes(block)
        .checked_mul(BLOCK)
        .ok_or(BAD_KEY)?;
    let rows = Walk(value).map(|found| {
        let (at, record, row) = found?;
        let number = (first + u32::from(at)).to_be_bytes();
        Ok(([owner, &number, record].concat(), row.to_vec()))
    });
    let rows: Vec<_> = rows.collect::<Result<_, &'static str>>()?;
    if rows.is_empty() || !rows.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(BAD_BLOCK);
    }
    Ok(rows)
}

/// A key and what its value becomes.
type Becomes = (Vec<u8>, Option<Vec<u8>>);

/// Changes of rows in order, block by block: the key of a block, and what it becomes. `stored`
/// gives a block as it is.
pub(super) fn blocks<'a, V: AsRef<[u8]>>(
    changes: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    stored: impl Fn(&[u8]) -> Option<V>,
) -> impl Iterator<Item = Result<Becomes, &'static str>> {
    let mut changes = changes.peekable();
    std::iter::from_fn(move || {
        let key = block_of(changes.peek()?.0);
        let old = stored(&key);
        let value = with(old.as_ref().map(V::as_ref), &key, &mut changes);
        Some(value.map(|value| (key, value)))
    })
}

/// A block with its changes, which are next in order; nothing if no row is left.
fn with<'old, 'new: 'old>(
    old: Option<&'old [u8]>,
    key: &[u8],
    changes: &mut Peekable<impl Iterator<Item = (&'new [u8], Option<&'new [u8]>)>>,
) -> Result<Option<Vec<u8>>, &'static str> {
    let mut rows = BTreeMap::new();
    for found in Walk(old.unwrap_or_default()) {
        let (at, record, row) = found?;
        rows.insert((at, record.as_slice()), row);
    }
    while let Some((row_key, row)) = changes.next_if(|(row_key, _)| block_of(row_key) == key) {
        let (_, number) = parse_key(row_key)?;
        let at = u8::try_from(number % BLOCK).unwrap_or(u8::MAX);
        let at = (at, &row_key[BLOCK_KEY_BYTES..]);
        match row {
            Some(row) => rows.insert(at, row),
            None => rows.remove(&at),
        };
    }
    let mut out = Vec::new();
    for ((at, record), row) in &rows {
        out.push(*at);
        out.extend_from_slice(record);
        encode_varint(u64::try_from(row.len()).unwrap_or(u64::MAX), &mut out);
        out.extend_from_slice(row);
    }
    Ok((!rows.is_empty()).then_some(out))
}

/// The numbers of all records that have a row or had one.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<RcpId, HashMap<RecordId, Number>>);

impl Numbers {
    /// The number of a record.
    pub fn of(&self, key: &RecordKey) -> Option<Number> {
        self.0.get(&key.rcp)?.get(&key.record).copied()
    }

    /// The number of a record from now on, and whether it is new.
    fn give(&mut self, key: &RecordKey) -> (Number, bool) {
        let numbers = self.0.entry(key.rcp).or_default();
        let next = Number::try_from(numbers.len()).unwrap_or(Number::MAX);
        match numbers.entry(key.record) {
            Entry::Occupied(number) => (*number.get(), false),
            Entry::Vacant(place) => (*place.insert(next), true),
        }
    }

    /// Takes in a block of a list; they come in order.
    pub fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let (rcp, block) = split(key).ok_or(BAD_LIST)?;
        let block = u32::from_be_bytes(block.try_into().map_err(|_| BAD_LIST)?);
        let (records, rest) = value.as_chunks::<RECORD_BYTES>();
        let fits = rest.is_empty() && (1..=LISTED as usize).contains(&records.len());
        for (at, record) in (0..).zip(records) {
            let record = RecordId::new(*record);
            let meant = block
                .checked_mul(LISTED)
                .and_then(|first| first.checked_add(at));
            let (number, is_new) = self.give(&RecordKey { rcp, record });
            if !is_new || Some(number) != meant {
                return Err(BAD_LIST);
            }
        }
        fits.then_some(()).ok_or(BAD_LIST)
    }

    /// Forgets the numbers of an RCP that has no row; gives the keys of its lists.
    pub fn forget(&mut self, rcp: &RcpId) -> Vec<Vec<u8>> {
        let numbers = self.0.remove(rcp).unwrap_or_default();
        let count = Number::try_from(numbers.len()).unwrap_or(Number::MAX);
        let owner = owned(LIST, rcp);
        let blocks = 0..count.div_ceil(LISTED);
        blocks.map(|block| block_key(&owner, block)).collect()
    }
}

/// New entries of lists, by the key of their block.
#[derive(Default)]
pub(super) struct Listing(BTreeMap<Vec<u8>, Vec<u8>>);

impl Listing {
    /// The number of a record; one that has none gets it, and is listed.
    pub fn number(&mut self, numbers: &mut Numbers, key: &RecordKey) -> Number {
        let (number, is_new) = numbers.give(key);
        if is_new {
            let block = block_key(&owned(LIST, &key.rcp), number / LISTED);
            let list = self.0.entry(block).or_default();
            list.extend_from_slice(key.record.as_bytes());
        }
        number
    }

    /// The blocks that grow: the key of each, and what comes behind it.
    pub fn blocks(self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.0.into_iter()
    }
}

impl Index {
    /// All rows, RCP by RCP, in the order in which the journal names their records, from behind
    /// `after` on; of a record that it does not know, from the first of the RCP on.
    pub fn rows(
        &self,
        after: Option<&RecordKey>,
    ) -> impl Iterator<Item = (RecordKey, RecordRow)> + use<> {
        let start = after.map_or_else(
            || vec![ROW],
            |key| match self.waiting().numbers.of(key) {
                Some(number) => [self::key(key, number), vec![0]].concat(),
                None => owned(ROW, &key.rcp),
            },
        );
        let index = self.clone();
        self.scan(start..vec![ROW + 1])
            .map(move |(key, row)| (index.parsed(&key), index.expect(row_codec::decode(&row))))
    }

    fn parsed(&self, row_key: &[u8]) -> RecordKey {
        self.expect(parse_key(row_key)).0
    }

    /// The keys of an RCP's rows.
    pub fn keys(&self, rcp: &RcpId) -> impl Iterator<Item = RecordKey> + use<> {
        let index = self.clone();
        let entries = self.scan(starting_with(owned(ROW, rcp)));
        entries.map(move |(key, _)| index.parsed(&key))
    }
}

impl corridor_rules::Rows for Index {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        let waiting = self.waiting();
        let key = self::key(key, waiting.numbers.of(key)?);
        let row = match waiting.get(&key) {
            Some(row) => row.map(row_codec::decode),
            None => {
                let block = self.expect(self.db.get(block_of(&key)))?;
                self.expect(find(&block, &key)).map(row_codec::decode)
            }
        };
        Some(self.expect(row?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(rcp: u8, record: u8) -> RecordKey {
        RecordKey {
            rcp: RcpId::new([rcp; 32]),
            record: RecordId::new([record; 16]),
        }
    }

    type Plain = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Blocks after changes of rows, from plain maps.
    fn changed(stored: &Plain, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Plain {
        let mut blocks = stored.clone();
        let old = |key: &[u8]| stored.get(key).cloned();
        let changes = changes.iter().map(|(key, row)| (&**key, row.as_deref()));
        for block in super::blocks(changes, old) {
            match block.expect("a block") {
                (key, Some(block)) => blocks.insert(key, block),
                (key, None) => blocks.remove(&key),
            };
        }
        blocks
    }

    #[test]
    fn a_block_keeps_its_layout() {
        let keys = [(0, 9), (31, 8), (32, 7)];
        let keys = keys.map(|(number, record)| key(&of(5, record), number));
        let rows = [b"ab".to_vec(), vec![1; 200], Vec::new()];
        let changes = keys.iter().cloned().zip(rows.map(Some)).collect();
        let blocks = changed(&Plain::new(), &changes);
        let first = [
            [vec![0], vec![9; 16], vec![2], b"ab".to_vec()].concat(),
            [vec![31], vec![8; 16], vec![200, 1], vec![1; 200]].concat(),
        ];
        let second = [vec![0], vec![7; 16], vec![0]].concat();
        let named = |block: u8| [vec![b'r'], vec![5; 32], vec![0, 0, 0, block]].concat();
        let meant = [(named(0), first.concat()), (named(1), second)];
        assert_eq!(blocks, Plain::from(meant));
        let gone = keys.map(|key| (key, None)).into();
        assert_eq!(changed(&blocks, &gone), Plain::new());
    }

    #[test]
    fn a_list_keeps_its_layout_and_is_read_whole_and_in_order() {
        let mut numbers = Numbers::default();
        let mut listing = Listing::default();
        for record in 0..130 {
            let number = listing.number(&mut numbers, &of(5, record));
            assert_eq!(number, u32::from(record));
            assert_eq!(listing.number(&mut numbers, &of(5, record)), number);
        }
        let lists: Vec<_> = listing.blocks().collect();
        let named = |block: u8| [vec![b'n'], vec![5; 32], vec![0, 0, 0, block]].concat();
        assert_eq!((&lists[0].0, lists[0].1.len()), (&named(0), 128 * 16));
        assert_eq!(lists[1], (named(1), [[128; 16], [129; 16]].concat()));
        let mut again = Numbers::default();
        for (key, list) in &lists {
            again.read(key, list).expect("a list");
        }
        assert_eq!(again.of(&of(5, 129)), Some(129));
        assert_eq!(again.of(&of(6, 129)), None);
        for (key, list) in &lists {
            assert_eq!(again.read(key, list), Err(BAD_LIST), "twice");
        }
        let wrong = |key: &[u8], list: &[u8]| Numbers::default().read(key, list);
        assert_eq!(wrong(&named(1), &lists[1].1), Err(BAD_LIST), "out of order");
        assert_eq!(wrong(&named(0), &[1; 17]), Err(BAD_LIST));
        assert_eq!(wrong(&named(0), &[]), Err(BAD_LIST));
        assert_eq!(wrong(&named(0)[..36], &[1; 16]), Err(BAD_LIST));
        assert_eq!(again.forget(&of(5, 0).rcp), [named(0), named(1)]);
        assert_eq!(again.of(&of(5, 129)), None);
    }

    #[test]
    fn a_row_lies_beside_those_of_its_block() {
        let beside = |number| keys_beside(&key(&of(5, 9), number)).expect("a row");
        let is_beside = |a: Number, b: Number| beside(a).contains(&key(&of(5, 200), b));
        assert!(is_beside(32, 32) && is_beside(40, 63) && is_beside(40, 32));
        assert!(!is_beside(32, 31) && !is_beside(63, 64));
        assert!(!beside(1).contains(&key(&of(6, 9), 1)), "of another RCP");
        assert!(is_beside(Number::MAX - 1, Number::MAX - 2));
        assert_eq!(keys_beside(b"l"), None);
        assert_eq!(keys_beside(&[b'l'; 60]), None);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let key = key(&of(5, 9), 3);
        let blocks = changed(&Plain::new(), &[(key.clone(), Some(vec![1, 2]))].into());
        let (block, value) = blocks.first_key_value().expect("a block");
        let bad = |block: &[u8], value: &[u8]| parse(block, value).is_err();
        for end in 0..value.len() {
            assert!(bad(block, &value[..end]), "cut at {end}");
        }
        for end in 1..value.len() {
            assert!(find(&value[..end], &key).is_err(), "cut at {end}");
        }
        assert!(bad(&block[..36], value) && bad(&block[..20], value));
        assert!(bad(block, &[value.as_slice(), value].concat()), "twice");
        assert!(
            bad(block, &[&[32], &value[1..]].concat()),
            "of another block"
        );
        let last = [&block[..33], &[255; 4]].concat();
        assert!(bad(&last, value), "beyond all numbers");
    }

    proptest! {
        #[test]
        fn blocks_are_what_a_plain_map_is(
            steps in prop::collection::vec(
                prop::collection::btree_map(
                    (0..3_u8, 0..70_u32).prop_map(|(rcp, n)| key(&of(rcp, 9), n)),
                    prop::option::of(prop::collection::vec(any::<u8>(), 0..5)),
                    0..40,
                ),
                0..5,
            ),
        ) {
            let (mut blocks, mut plain) = (Plain::new(), Plain::new());
            for changes in &steps {
                blocks = changed(&blocks, changes);
                for (key, row) in changes {
                    match row {
                        Some(row) => plain.insert(key.clone(), row.clone()),
                        None => plain.remove(key),
                    };
                }
            }
            let rows = blocks.iter().flat_map(|(key, block)| parse(key, block).expect("a block"));
            prop_assert_eq!(rows.collect::<Plain>(), plain.clone());
            for key in steps.iter().flat_map(BTreeMap::keys) {
                let block = blocks.get(&block_of(key));
                let found = block.and_then(|block| find(block, key).expect("a block"));
                prop_assert_eq!(found, plain.get(key).map(Vec::as_slice));
            }
        }
    }
}
