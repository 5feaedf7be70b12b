//! Rows as values of the index, in a layout of varints and hashes behind a format byte.
//!
//! **Invariant:** derived data: an unknown format or a malformed row means that the index is thrown
//! away, never that anything is lost.

use corridor_proto::line::{Withdrawal, WithdrawalReason};
use corridor_proto::{Hash, LogId, Reason, RecordId, Refusal, UnixMillis};
use corridor_rules::row::{HeldVersion, RecordRow, Stand, Withdrawn};
use prost::encoding::{decode_varint, encode_varint};

use crate::journal::Place;

const WHAT: &str = "index row";
/// Counts up with the layout: rows of another one are thrown away with their index.
const FORMAT: u8 = 4;

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
pub(crate) fn encode(row: &RecordRow) -> Vec<u8> {
    let mut out = Out(vec![FORMAT]);
    out.number(row.revision);
    out.count(row.withdrawn.len());
    for withdrawn in &row.withdrawn {
        let w = &withdrawn.withdrawal;
        out.bytes(w.record.as_bytes());
        out.number(w.up_to);
        out.bytes(&[w.reason.code()]);
        out.bytes(w.note.as_bytes());
        out.bytes(w.replacement.as_bytes());
        out.number(withdrawn.time.0);
        out.bytes(withdrawn.log.as_bytes());
        out.number(withdrawn.index);
    }
    out.count(row.stands.len());
    for stand in &row.stands {
        out.bytes(stand.log.as_bytes());
        out.number(stand.version);
        out.bytes(stand.version_hash.as_bytes());
        out.number(stand.index);
        out.number(stand.first);
        out.number(stand.decided);
        out.flags([stand.left, stand.void, stand.kept_left]);
    }
    out.count(row.versions.len());
    for held in &row.versions {
        out.number(held.version);
        out.number(held.kind.into());
        out.number(held.time.0);
        out.number(held.place.segment.into());
        out.number(held.place.generation.into());
        out.number(held.place.offset);
        out.flags([held.erased, false, false]);
        out.hash(&row.stands, &held.version_hash);
    }
    out.count(row.named.len());
    for (version, hash) in &row.named {
        out.number(*version);
        out.hash(&row.stands, hash);
    }
    out.count(row.conflicts.len());
    for version in &row.conflicts {
        out.number(*version);
    }
    out.count(row.quarantined.len());
    for (hash, reason) in &row.quarantined {
        out.bytes(hash.as_bytes());
        out.count(reason.len());
        out.bytes(reason.as_bytes());
    }
    out.0
}

/// The row of bytes.
///
/// # Errors
/// Whatever does not fit the layout.
pub(crate) fn decode(bytes: &[u8]) -> Result<RecordRow, Refusal> {
    if bytes.len() > ROW_BYTES_MAX {
        return Err(Refusal::new(WHAT, Reason::TooLong));
    }
    let mut read = In(bytes);
    if read.array()? != [FORMAT] {
        return Err(Refusal::new(WHAT, Reason::UnknownFormat));
    }
    let mut row = RecordRow {
        revision: read.number()?,
        ..RecordRow::default()
    };
    for _ in 0..read.number()? {
        row.withdrawn.push(Withdrawn {
            withdrawal: Withdrawal {
                record: RecordId::new(read.array()?),
                up_to: read.number()?,
                reason: WithdrawalReason::from_code(read.array::<1>()?[0]),
                note: Hash::new(read.array()?),
                replacement: RecordId::new(read.array()?),
            },
            time: UnixMillis(read.number()?),
            log: LogId::new(read.array()?),
            index: read.number()?,
        });
    }
    for _ in 0..read.number()? {
        let mut stand = Stand {
            log: LogId::new(read.array()?),
            version: read.number()?,
            version_hash: Hash::new(read.array()?),
            index: read.number()?,
            first: read.number()?,
            decided: read.number()?,
            left: false,
            void: false,
            kept_left: false,
        };
        [stand.left, stand.void, stand.kept_left] = read.flags()?;
        row.stands.push(stand);
    }
    for _ in 0..read.number()? {
        row.versions.push(HeldVersion {
            version: read.number()?,
            kind: read.small()?,
            time: UnixMillis(read.number()?),
            place: corridor_rules::Place {
                segment: read.small()?,
                generation: read.small()?,
                offset: read.number()?,
            },
            erased: read.flags()?[0],
            version_hash: read.hash(&row.stands)?,
        });
    }
    for _ in 0..read.number()? {
        let version = read.number()?;
        row.named.insert(version, read.hash(&row.stands)?);
    }
    for _ in 0..read.number()? {
        row.conflicts.insert(read.number()?);
    }
    for _ in 0..read.number()? {
        let hash = Hash::new(read.array()?);
        let length = read.small()?;
        let reason = std::str::from_utf8(read.take(length)?).map_err(|_| malformed())?;
        row.quarantined.push((hash, reason.to_owned()));
    }
    read.0.is_empty().then_some(row).ok_or_else(malformed)
}

const fn malformed() -> Refusal {
    Refusal::new(WHAT, Reason::Malformed)
}

/// Writes a row. Numbers are varints: most are small, and an index has a row for every record.
struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        encode_varint(number, &mut self.0);
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn flags(&mut self, flags: [bool; 3]) {
        let bits = flags
            .iter()
            .rev()
            .fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        self.0.push(bits);
    }

    /// A version hash; of one that stands, which of the stands names it.
    fn hash(&mut self, stands: &[Stand], hash: &Hash) {
        match stands.iter().position(|stand| stand.version_hash == *hash) {
            Some(stand) => self.count(stand + 1),
            None => {
                self.number(0);
                self.bytes(hash.as_bytes());
            }
        }
    }
}

/// Reads what [`Out`] writes.
struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn number(&mut self) -> Result<u64, Refusal> {
        decode_varint(&mut self.0).map_err(|_| malformed())
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Refusal> {
        T::try_from(self.number()?).map_err(|_| malformed())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| malformed())
    }

    fn flags(&mut self) -> Result<[bool; 3], Refusal> {
        let [bits] = self.array()?;
        if bits >= 1 << 3 {
            return Err(malformed());
        }
        Ok([0, 1, 2].map(|at| bits >> at & 1 == 1))
    }

    fn hash(&mut self, stands: &[Stand]) -> Result<Hash, Refusal> {
        let Some(at) = self.small::<usize>()?.checked_sub(1) else {
            return Ok(Hash::new(self.array()?));
        };
        let stand = stands.get(at).ok_or_else(malformed)?;
        Ok(stand.version_hash)
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
        let bytes = encode(&row());
        assert_eq!(decode(&bytes), Ok(row()));
        let digest = Sha256::digest(&bytes);
        let short: Vec<u8> = digest.iter().take(4).copied().collect();
        assert_eq!((bytes.len(), short), (268, vec![86, 163, 164, 65]));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
