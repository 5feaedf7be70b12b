//! The entries of the index as they are read back, one by one.
//!
//! **Invariant:** an entry that cannot be read is named, never passed over.

use corridor_proto::LogId;
use corridor_rules::row::{RecordKey, RecordRow};

use super::{ERASE, ROW, parse_row_key, spans};
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

/// What an entry says; nothing if it is not one of the three sorts.
pub(super) fn parse(key: &[u8], value: &[u8]) -> Result<Vec<Entry>, &'static str> {
    let Some((sort, rest)) = key.split_first() else {
        return Err("an empty key");
    };
    let entry = match *sort {
        ROW => {
            let key = parse_row_key(key).ok_or("the key of a row")?;
            let row = row_codec::decode(value).map_err(|_| "the row of a record")?;
            Entry::Row(key, Box::new(row))
        }
        spans::LINES => {
            let (log, spans) = spans::parse(key, value)?;
            let lines = |(from, place)| Entry::Lines(log, from, place);
            return Ok(spans.into_iter().map(lines).collect());
        }
        ERASE => {
            let place = rest.try_into().map_err(|_| "the key of an erasure")?;
            Entry::Erase(Place::from_bytes(place))
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![entry])
}
