//! What a follower is sent: packages of lines and the records behind publish lines.
//!
//! **Invariant:** composed only for a log that [`crate::visibility`] lets the follower read; this
//! file decides nothing about that, and sends nothing that was withdrawn, replaced or left.

use std::ops::Range;

use corridor_proto::limits::{PACKAGE_BYTES_MAX, PACKAGE_LINES_MAX};
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::record::SignedRecord;
use corridor_proto::{LogId, Salt, v1, wire};

use crate::fact::Place;
use crate::limits::RECORDS_FRAME_BYTES;
use crate::log::{Log, Sort};
use crate::model::{Model, Rows};
use crate::row::{RecordKey, Stand};

/// Stored bytes, to be read. What cannot be read is `None`, and the store says so in its own way.
pub trait Source: Rows {
    /// Lines `from` up to, not including, `to`; fewer if the first ones come from one place.
    fn lines(&self, log: &LogId, from: u64, to: u64) -> Vec<Vec<u8>>;
    /// A record version by the place of its body.
    fn record(&self, place: Place) -> Option<SignedRecord>;
    /// Salt and content of a list or a note.
    fn salted(&self, place: Place) -> Option<(Salt, Vec<u8>)>;
}

/// Bytes that a package keeps free for what is not lines: head, proofs and lists.
const PACKAGE_SPARE_BYTES: usize = 128 * 1024;

/// Records that are gone, said in one frame.
const GONE_MAX: usize = PACKAGE_LINES_MAX;

/// Lines read at once for the records behind them.
const LINES_AT_ONCE: u64 = 64;

/// How far a follower is led: to a head of the log, or to a size that it has a head of already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Lines of that head.
    pub size: u64,
    /// Its note; empty if the follower has it.
    pub note: String,
}

/// The next package of `log` from `from` on, proved up to `target`. `first` asks for the proof of
/// the readers as well. `None` if there is nothing more, or it cannot be read.
pub fn package(
    model: &Model,
    source: &dyn Source,
    log: &Log,
    from: u64,
    target: &Target,
    first: bool,
) -> Option<v1::Package> {
    let size = target.size;
    if from >= size || size > log.size() {
        return None;
    }
    let count = u64::try_from(PACKAGE_LINES_MAX).ok()?;
    let mut lines = source.lines(&log.id, from, size.min(from.saturating_add(count)));
    let bodies = named_bodies(model, source, log, &mut lines);
    if lines.is_empty() {
        return None;
    }
    let reached = from + u64::try_from(lines.len()).ok()?;
    Some(v1::Package {
        log: log.id.as_bytes().to_vec(),
        from,
        lines,
        checkpoint: target.note.clone().into_bytes(),
        proof: wire::proof_message(&log.tree.consistency(reached, size)?),
        readers: if first {
            readers_proof(source, log, size)
        } else {
            None
        },
        bodies,
    })
}

/// The lists and notes that the lines name, as far as they are still kept; cuts the lines where
/// they would grow past a package.
fn named_bodies(
    model: &Model,
    source: &dyn Source,
    log: &Log,
    lines: &mut Vec<Vec<u8>>,
) -> Vec<v1::SaltedBody> {
    let mut bodies = Vec::new();
    let mut bytes = PACKAGE_SPARE_BYTES;
    let mut fit = 0;
    for line in lines.iter() {
        let place = match read_line(line) {
            Ok(ReadLine::Line(line)) => match line.act {
                Act::Withdraw(withdrawal) => {
                    model.notes.get(&(log.owner, withdrawal.note)).copied()
                }
                Act::Readers { list } => log
                    .readers
                    .as_ref()
                    .filter(|r| r.hash == list)
                    .map(|r| r.place),
                _ => None,
            },
            _ => None,
        };
        let body = place.and_then(|place| source.salted(place));
        bytes += line.len() + body.as_ref().map_or(0, |(_, body)| body.len() + 64);
        if bytes > PACKAGE_BYTES_MAX && fit > 0 {
            break;
        }
        fit += 1;
        bodies.extend(body.map(|(salt, body)| v1::SaltedBody {
            salt: salt.as_bytes().to_vec(),
            body,
        }));
    }
    lines.truncate(fit);
    bodies
}

fn readers_proof(source: &dyn Source, log: &Log, size: u64) -> Option<v1::ReadersProof> {
    if log.sort != Sort::Open {
        return None;
    }
    let (index, hash) = log.readers_line?;
    let readers = log
        .readers
        .as_ref()
        .filter(|readers| readers.hash == hash)?;
    let (salt, body) = source.salted(readers.place)?;
    Some(v1::ReadersProof {
        index,
        line: source.lines(&log.id, index, index + 1).into_iter().next()?,
        proof: wire::proof_message(&log.tree.inclusion(index, size)?),
        list: Some(v1::SaltedBody {
            salt: salt.as_bytes().to_vec(),
            body,
        }),
    })
}

/// The record version behind publish line `index`, if its text is still given to the readers of
/// this log: it is in force, or one of two that contradict each other.
pub fn record_at(source: &dyn Source, log: &Log, index: u64) -> Option<SignedRecord> {
    let line = source.lines(&log.id, index, index + 1).into_iter().next()?;
    record_behind(source, log, index, &line)
}

fn record_behind(source: &dyn Source, log: &Log, index: u64, line: &[u8]) -> Option<SignedRecord> {
    let (row, stand) = standing_at(source, log, index, line)?;
    let held = row.body(&stand.version_hash)?;
    source
        .record(held.place)
        .filter(|record| record.header.version_hash() == stand.version_hash)
}

fn standing_at(
    source: &dyn Source,
    log: &Log,
    index: u64,
    line: &[u8],
) -> Option<(crate::row::RecordRow, Stand)> {
    let Ok(ReadLine::Line(line)) = read_line(line) else {
        return None;
    };
    let Act::Publish { record, .. } = line.act else {
        return None;
    };
    let row = source.row(&RecordKey {
        rcp: log.owner,
        record,
    })?;
    let stand = row
        .given(&log.id)
        .filter(|stand| stand.index == index)?
        .clone();
    Some((row, stand))
}

/// Answers asked-for indexes of a log, the highest first, until a frame is full: the records, those
/// that are gone, and how many indexes were answered.
pub fn records(
    source: &dyn Source,
    log: &Log,
    asked: Range<u64>,
) -> (v1::Records, v1::Gone, usize) {
    let id = log.id.as_bytes().to_vec();
    let mut found = v1::Records {
        log: id.clone(),
        records: Vec::new(),
    };
    let mut gone = v1::Gone {
        log: id,
        ranges: Vec::new(),
    };
    let (mut bytes, mut answered) = (0, 0);
    let mut below = asked.end;
    while below > asked.start && bytes < RECORDS_FRAME_BYTES && gone.ranges.len() < GONE_MAX {
        let from = asked.start.max(below.saturating_sub(LINES_AT_ONCE));
        let lines = source.lines(&log.id, from, below);
        for index in (from..below).rev() {
            let line = usize::try_from(index - from).ok();
            let record = match line.and_then(|at| lines.get(at)) {
                Some(line) => record_behind(source, log, index, line),
                // It lies elsewhere than the first ones.
                None => record_at(source, log, index),
            };
            match record {
                Some(record) => {
                    bytes += record.body.len() + 256;
                    found.records.push(wire::record_message(index, record));
                }
                None => gone.ranges.push(v1::IndexRange {
                    from: index,
                    to: index + 1,
                }),
            }
            answered += 1;
            below = index;
            if bytes >= RECORDS_FRAME_BYTES || gone.ranges.len() >= GONE_MAX {
                break;
            }
        }
    }
    (found, gone, answered)
}

#[cfg(test)]
mod tests;
