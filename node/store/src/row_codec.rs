//! Rows as values of the index, in a fixed layout behind a format byte.
//!
//! **Invariant:** derived data: an unknown format or a malformed row means that the index is thrown
//! away, never that anything is lost.

use corridor_proto::layout::{Reader, Writer};
use corridor_proto::line::{Withdrawal, WithdrawalReason};
use corridor_proto::{Hash, LogId, Reason, RecordId, Refusal, UnixMillis};
use corridor_rules::row::{HeldVersion, RecordRow, Stand, Withdrawn};

use crate::journal::Place;

const WHAT: &str = "index row";
/// Counts up with the layout: rows of another one are thrown away with their index.
const FORMAT: u8 = 3;

/// A row may grow with the circles and versions of one record, not with anything else.
const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A place as the rules know it.
pub(crate) const fn place_out(place: Place) -> corridor_rules::Place {
    corridor_rules::Place {
        segment: place.segment,
        generation: place.generation,
        offset: place.offset,
    }
}

/// A place as the journal knows it.
pub(crate) const fn place_in(place: corridor_rules::Place) -> Place {
    Place {
        segment: place.segment,
        generation: place.generation,
        offset: place.offset,
    }
}

/// A row's bytes.
///
/// # Errors
/// `TooLong` for more stands or versions than a count can say.
pub(crate) fn encode(row: &RecordRow) -> Result<Vec<u8>, Refusal> {
    let mut writer = Writer::new().u8(FORMAT).u64(row.revision);
    writer = writer.count(WHAT, row.withdrawn.len())?;
    for withdrawn in &row.withdrawn {
        let w = &withdrawn.withdrawal;
        writer = writer
            .bytes(w.record.as_bytes())
            .u64(w.up_to)
            .u8(w.reason.code())
            .bytes(w.note.as_bytes())
            .bytes(w.replacement.as_bytes())
            .u64(withdrawn.time.0)
            .bytes(withdrawn.log.as_bytes())
            .u64(withdrawn.index);
    }
    writer = writer.count(WHAT, row.stands.len())?;
    for stand in &row.stands {
        writer = writer
            .bytes(stand.log.as_bytes())
            .u64(stand.version)
            .bytes(stand.version_hash.as_bytes())
            .u64(stand.index)
            .u64(stand.first)
            .u8(u8::from(stand.left))
            .u64(stand.decided)
            .u8(u8::from(stand.void))
            .u8(u8::from(stand.kept_left));
    }
    writer = writer.count(WHAT, row.versions.len())?;
    for held in &row.versions {
        writer = writer
            .u64(held.version)
            .u16(held.kind)
            .u64(held.time.0)
            .bytes(&place_in(held.place).to_bytes())
            .u8(u8::from(held.erased));
        writer = put_hash(writer, &row.stands, &held.version_hash);
    }
    writer = writer.count(WHAT, row.named.len())?;
    for (version, hash) in &row.named {
        writer = put_hash(writer.u64(*version), &row.stands, hash);
    }
    writer = writer.count(WHAT, row.conflicts.len())?;
    for version in &row.conflicts {
        writer = writer.u64(*version);
    }
    writer = writer.count(WHAT, row.quarantined.len())?;
    for (hash, reason) in &row.quarantined {
        writer = writer.bytes(hash.as_bytes()).text(WHAT, reason)?;
    }
    Ok(writer.finish())
}

/// The row of bytes.
///
/// # Errors
/// Whatever does not fit the layout.
pub(crate) fn decode(bytes: &[u8]) -> Result<RecordRow, Refusal> {
    let mut read = Reader::new(WHAT, bytes, ROW_BYTES_MAX)?;
    if read.u8()? != FORMAT {
        return Err(read.refuse(Reason::UnknownFormat));
    }
    let mut row = RecordRow {
        revision: read.u64()?,
        ..RecordRow::default()
    };
    for _ in 0..read.u16()? {
        row.withdrawn.push(Withdrawn {
            withdrawal: Withdrawal {
                record: RecordId::new(read.array()?),
                up_to: read.u64()?,
                reason: WithdrawalReason::from_code(read.u8()?),
                note: Hash::new(read.array()?),
                replacement: RecordId::new(read.array()?),
            },
            time: UnixMillis(read.u64()?),
            log: LogId::new(read.array()?),
            index: read.u64()?,
        });
    }
    for _ in 0..read.u16()? {
        row.stands.push(Stand {
            log: LogId::new(read.array()?),
            version: read.u64()?,
            version_hash: Hash::new(read.array()?),
            index: read.u64()?,
            first: read.u64()?,
            left: flag(&mut read)?,
            decided: read.u64()?,
            void: flag(&mut read)?,
            kept_left: flag(&mut read)?,
        });
    }
    for _ in 0..read.u16()? {
        row.versions.push(HeldVersion {
            version: read.u64()?,
            kind: read.u16()?,
            time: UnixMillis(read.u64()?),
            place: place_out(Place::from_bytes(read.array()?)),
            erased: flag(&mut read)?,
            version_hash: hash(&mut read, &row.stands)?,
        });
    }
    for _ in 0..read.u16()? {
        row.named.insert(read.u64()?, hash(&mut read, &row.stands)?);
    }
    for _ in 0..read.u16()? {
        row.conflicts.insert(read.u64()?);
    }
    for _ in 0..read.u16()? {
        row.quarantined
            .push((Hash::new(read.array()?), read.text()?.to_owned()));
    }
    read.finish()?;
    Ok(row)
}

/// A version hash; of one that stands, which of the stands names it.
fn put_hash(writer: Writer, stands: &[Stand], hash: &Hash) -> Writer {
    let stand = stands.iter().position(|stand| stand.version_hash == *hash);
    match stand.and_then(|at| u16::try_from(at).ok()?.checked_add(1)) {
        Some(stand) => writer.u16(stand),
        None => writer.u16(0).bytes(hash.as_bytes()),
    }
}

fn hash(read: &mut Reader<'_>, stands: &[Stand]) -> Result<Hash, Refusal> {
    let Some(at) = usize::from(read.u16()?).checked_sub(1) else {
        return Ok(Hash::new(read.array()?));
    };
    let stand = stands.get(at);
    stand.map_or_else(
        || Err(read.refuse(Reason::Malformed)),
        |stand| Ok(stand.version_hash),
    )
}

fn flag(read: &mut Reader<'_>) -> Result<bool, Refusal> {
    match read.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(read.refuse(Reason::Malformed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// A row with something in every field.
    fn row() -> RecordRow {
        let (log, hash) = (LogId::new([1; 32]), Hash::new([2; 32]));
        RecordRow {
            withdrawn: vec![Withdrawn {
                withdrawal: Withdrawal {
                    record: RecordId::new([3; 16]),
                    up_to: 4,
                    reason: WithdrawalReason::StateRequest,
                    note: Hash::new([5; 32]),
                    replacement: RecordId::new([6; 16]),
                },
                time: UnixMillis(7),
                log,
                index: 8,
            }],
            stands: vec![Stand {
                log,
                version: 9,
                version_hash: hash,
                index: 10,
                first: 11,
                left: true,
                decided: 19,
                void: true,
                kept_left: true,
            }],
            versions: vec![HeldVersion {
                version: 9,
                version_hash: hash,
                kind: 12,
                time: UnixMillis(13),
                place: corridor_rules::Place {
                    segment: 14,
                    generation: 15,
                    offset: 16,
                },
                erased: true,
            }],
            named: [(9, hash), (17, Hash::new([20; 32]))].into(),
            conflicts: [17].into(),
            quarantined: vec![(hash, "BAD_SIGNATURE".to_owned())],
            revision: 18,
        }
    }

    #[test]
    fn a_row_keeps_its_layout() {
        let bytes = encode(&row()).expect("encode");
        assert_eq!(decode(&bytes), Ok(row()));
        let digest = Sha256::digest(&bytes);
        let short: Vec<u8> = digest.iter().take(4).copied().collect();
        assert_eq!((bytes.len(), short), (385, vec![65, 47, 118, 123]));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
