//! The entries of the index as they are read back, one by one.
//!
//! **Invariant:** an entry that cannot be read is named, never passed over.

use corridor_proto::LogId;
use corridor_rules::row::{RecordKey, RecordRow};

use super::rows::{self, Numbers, ROW};
use super::{ERASE, spans};
use crate::journal::Place;
use crate::row_codec;

/// What an entry of the index says, as it is read back.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The row of a record.
    Row(RecordKey, Box<RecordRow>),
    /// Lines of a log from an index on lie at a place.
    Lines(LogId, u64, Place),
    /// A blob whose erasure is not yet done.
    Erase(Place),
}

/// What an entry says; nothing if it is not one of the three sorts. Of a block of rows one may be
/// wrong and the others not.
pub(super) fn parse(
    key: &[u8],
    value: &[u8],
    numbers: &Numbers,
) -> Result<Vec<Result<Entry, &'static str>>, &'static str> {
    let Some((sort, rest)) = key.split_first() else {
        return Err("an empty key");
    };
    let entry = match *sort {
        ROW => {
            let rows = rows::parse(key, value)?.into_iter();
            return Ok(rows
                .map(|(key, row)| self::row(&key, &row, numbers))
                .collect());
        }
        spans::LINES => {
            let (log, spans) = spans::parse(key, value)?;
            let lines = |(from, place)| Ok(Entry::Lines(log, from, place));
            return Ok(spans.into_iter().map(lines).collect());
        }
        ERASE => {
            let place = rest.try_into().map_err(|_| "the key of an erasure")?;
            Entry::Erase(Place::from_bytes(place))
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![Ok(entry)])
}

fn row(key: &[u8], row: &[u8], numbers: &Numbers) -> Result<Entry, &'static str> {
    let (key, number) = rows::parse_key(key)?;
    if numbers.of(&key) != Some(number) {
        return Err("a row that is not listed");
    }
    let row = row_codec::decode(row).map_err(|_| "the row of a record")?;
    Ok(Entry::Row(key, Box::new(row)))
}
