//! Where the lines of a log lie: an entry for each block of lines, and in it the place of every
//! frame whose first line is in the block.
//!
//! A secretariat publishes one by one, so a frame often has one line; an entry for each would cost
//! more than the line. **Invariant:** an entry is never empty, and its frames ascend.

use std::collections::BTreeMap;

use corridor_proto::LogId;

use crate::journal::Place;

pub(super) const LINES: u8 = b'l';
/// Lines of a block.
const BLOCK: u64 = 64;
/// Which line of the block, and the place.
const SPAN_BYTES: usize = 1 + 16;

/// The first line of a frame, and where the frame lies.
pub(super) type Span = (u64, Place);

/// The key of the block of a line.
pub(super) fn key(log: &LogId, line: u64) -> Vec<u8> {
    let block = (line / BLOCK).to_be_bytes();
    [&[LINES], log.as_bytes().as_slice(), block.as_slice()].concat()
}

/// The key of the block before, if the log can have one.
pub(super) fn key_before(key: &[u8]) -> Option<Vec<u8>> {
    let (log, block) = parse_key(key).ok()?;
    Some(self::key(&log, block.checked_sub(1)? * BLOCK))
}

fn parse_key(key: &[u8]) -> Result<(LogId, u64), &'static str> {
    let parsed = || {
        let (log, block) = key.get(1..)?.split_first_chunk()?;
        let block = u64::from_be_bytes(block.try_into().ok()?);
        (block <= u64::MAX / BLOCK).then_some((LogId::new(*log), block))
    };
    parsed().ok_or("the key of lines")
}

/// The log of a key.
pub(super) fn log_of(key: &[u8]) -> Result<LogId, &'static str> {
    Ok(parse_key(key)?.0)
}

/// The log of an entry, and its frames.
pub(super) fn parse(key: &[u8], value: &[u8]) -> Result<(LogId, Vec<Span>), &'static str> {
    let (log, block) = parse_key(key)?;
    let (spans, rest) = value.as_chunks::<SPAN_BYTES>();
    let spans = spans.iter().map(|span| {
        let (at, place) = span.split_first_chunk::<1>()?;
        let line = block * BLOCK + u64::from(at[0]);
        (line / BLOCK == block).then_some((line, Place::from_bytes(place.try_into().ok()?)))
    });
    let spans: Option<Vec<Span>> = spans.collect();
    spans
        .filter(|spans| rest.is_empty() && !spans.is_empty())
        .filter(|spans| spans.is_sorted_by(|(a, _), (b, _)| a < b))
        .ok_or("the places of lines")
        .map(|spans| (log, spans))
}

/// The value of an entry with more frames, or with other places of some.
pub(super) fn with(
    key: &[u8],
    value: Option<&[u8]>,
    more: &BTreeMap<u8, Place>,
) -> Result<Vec<u8>, &'static str> {
    let old = match value {
        Some(value) => parse(key, value)?.1,
        None => Vec::new(),
    };
    let mut all: BTreeMap<u8, Place> = old.into_iter().map(|(line, p)| (at(line), p)).collect();
    all.extend(more);
    let spans = all
        .into_iter()
        .map(|(at, place)| [[at].as_slice(), &place.to_bytes()].concat());
    Ok(spans.flatten().collect())
}

/// Which line of its block it is.
pub(super) fn at(line: u64) -> u8 {
    u8::try_from(line % BLOCK).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: u64) -> Place {
        Place {
            segment: 1,
            generation: 2,
            offset,
        }
    }

    #[test]
    fn a_block_keeps_its_layout() {
        let log = LogId::new([7; 32]);
        let key = key(&log, 130);
        assert_eq!(key[33..], 2_u64.to_be_bytes());
        let one = with(&key, None, &[(at(130), place(9))].into()).expect("a value");
        let more = [(at(130), place(8)), (at(128), place(5))];
        let value = with(&key, Some(&one), &more.into()).expect("a value");
        let bytes = [
            [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5],
            [2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8],
        ];
        assert_eq!(value, bytes.concat());
        let spans = vec![(128, place(5)), (130, place(8))];
        assert_eq!(parse(&key, &value), Ok((log, spans)));
        let before = key_before(&key).expect("a block before");
        assert_eq!(before, self::key(&log, 64));
        assert_eq!(key_before(&self::key(&log, 63)), None);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let key = key(&LogId::new([7; 32]), 0);
        let more = [(3, place(9))].into();
        let value = with(&key, None, &more).expect("a value");
        for end in 0..value.len() {
            assert!(parse(&key, &value[..end]).is_err(), "cut at {end}");
            assert!(
                with(&key, Some(&value[..end]), &more).is_err(),
                "cut at {end}"
            );
        }
        assert!(parse(&key[..40], &value).is_err());
        assert!(parse(&key, &[value.clone(), value.clone()].concat()).is_err());
        let beyond = [&[64], &value[1..]].concat();
        assert!(parse(&key, &beyond).is_err(), "a line of another block");
    }
}
