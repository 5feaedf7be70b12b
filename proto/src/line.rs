//! Lines: the entries of a log, and the reader lists and notes that they name by hash.
//!
//! Lines hold identifiers, codes, numbers and hashes only. Notes and reader lists are salted bodies
//! of their own, so that they can be erased when they are replaced. **Invariant:** a line's bytes
//! are the leaf of the tree; nothing re-encodes them.

use crate::domain::{self, Domain};
use crate::id::{Hash, LogId, RcpId, RecordId, Salt, UnixMillis};
use crate::layout::{Reader, Writer};
use crate::limits::{
    CIRCLE_NAME_BYTES_MAX, LINE_BYTES_MAX, ORDINAL_MAX, READER_LIST_BYTES_MAX, READERS_MAX,
};
use crate::refusal::{Reason, Refusal};

const WHAT: &str = "line";

/// `up to` of a withdrawal that concerns the whole record.
pub const WHOLE_RECORD: u64 = ORDINAL_MAX;

/// Why a record was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WithdrawalReason {
    /// A newer text replaces it.
    Superseded,
    /// It was wrong.
    Error,
    /// A State asked for it.
    StateRequest,
    /// It is out of date.
    Expired,
    /// It held personal data.
    PersonalData,
    /// Another reason.
    Other,
    /// A code that this version does not know.
    Unknown(u8),
}

impl WithdrawalReason {
    /// The code in a line.
    pub const fn code(self) -> u8 {
        match self {
            Self::Superseded => 1,
            Self::Error => 2,
            Self::StateRequest => 3,
            Self::Expired => 4,
            Self::PersonalData => 5,
            Self::Other => 6,
            Self::Unknown(code) => code,
        }
    }

    /// From the code in a line; any code reads, for a withdrawal counts whatever its reason.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Superseded,
            2 => Self::Error,
            3 => Self::StateRequest,
            4 => Self::Expired,
            5 => Self::PersonalData,
            6 => Self::Other,
            code => Self::Unknown(code),
        }
    }
}

/// A withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which record.
    pub record: RecordId,
    /// Bodies of versions up to this one are erased and burnt; [`WHOLE_RECORD`] means all.
    pub up_to: u64,
    /// Why.
    pub reason: WithdrawalReason,
    /// [`note_hash`] of the note to readers; zeros for none.
    pub note: Hash,
    /// The RCP's record that replaces it; zeros for none.
    pub replacement: RecordId,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// This record version stands in the circle from now on.
    Publish {
        /// Hash of header and signature.
        version_hash: Hash,
        /// Which record.
        record: RecordId,
        /// Which version of it.
        version: u64,
    },
    /// The record is withdrawn everywhere, for ever.
    Withdraw(Withdrawal),
    /// The record stands in this circle no longer.
    Leave {
        /// Which record.
        record: RecordId,
    },
    /// Who may read the log from now on.
    Readers {
        /// [`ReaderList::hash`].
        list: Hash,
    },
    /// A new incarnation begins here.
    Restart {
        /// Its number.
        incarnation: u64,
        /// Lines of the prefix that it continues.
        size: u64,
        /// Root of that prefix.
        root: Hash,
    },
}

impl Act {
    const fn kind(&self) -> u8 {
        match self {
            Self::Publish { .. } => 1,
            Self::Withdraw(_) => 2,
            Self::Leave { .. } => 3,
            Self::Readers { .. } => 4,
            Self::Restart { .. } => 5,
        }
    }
}

/// A line that this version understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written, for display.
    pub time: UnixMillis,
    /// 16 random bytes, so that no line can be guessed from its hash.
    pub random: [u8; 16],
    /// What it does.
    pub act: Act,
}

impl Line {
    /// The layout: format, kind, time, random, then the fields of its kind.
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::new()
            .u8(crate::limits::FORMAT)
            .u8(self.act.kind())
            .u64(self.time.0)
            .bytes(&self.random);
        match &self.act {
            Act::Publish {
                version_hash,
                record,
                version,
            } => writer
                .bytes(version_hash.as_bytes())
                .bytes(record.as_bytes())
                .u64(*version),
            Act::Withdraw(withdrawal) => writer
                .bytes(withdrawal.record.as_bytes())
                .u64(withdrawal.up_to)
                .u8(withdrawal.reason.code())
                .bytes(withdrawal.note.as_bytes())
                .bytes(withdrawal.replacement.as_bytes()),
            Act::Leave { record } => writer.bytes(record.as_bytes()),
            Act::Readers { list } => writer.bytes(list.as_bytes()),
            Act::Restart {
                incarnation,
                size,
                root,
            } => writer.u64(*incarnation).u64(*size).bytes(root.as_bytes()),
        }
        .finish()
    }
}

/// A line as received: understood, or kept unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLine {
    /// Understood.
    Line(Line),
    /// Not understood. From a critical one on, the log publishes nothing further here, though its
    /// later lines are kept and their withdrawals count.
    NotUnderstood {
        /// Kinds 0 to 127 and other formats are critical; kinds 128 to 255 may be carried unread.
        critical: bool,
    },
}

/// Reads a line of any age.
///
/// # Errors
/// `Truncated` for no byte, `TooLong` over 256: only these keep a line out of a log, for every node
/// must reach the same verdict whatever its age.
pub fn read_line(bytes: &[u8]) -> Result<ReadLine, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::new(WHAT, Reason::Truncated));
    }
    if bytes.len() > LINE_BYTES_MAX {
        return Err(Refusal::new(WHAT, Reason::TooLong));
    }
    Ok(understand(bytes).map_or_else(
        |_| ReadLine::NotUnderstood {
            critical: bytes[0] != crate::limits::FORMAT
                || bytes.get(1).is_none_or(|kind| *kind < 128),
        },
        ReadLine::Line,
    ))
}

fn understand(bytes: &[u8]) -> Result<Line, Refusal> {
    let mut reader = Reader::new(WHAT, bytes, LINE_BYTES_MAX)?;
    reader.format()?;
    let kind = reader.u8()?;
    let time = UnixMillis(reader.u64()?);
    let random = reader.array()?;
    let act = match kind {
        1 => Act::Publish {
            version_hash: Hash::new(reader.array()?),
            record: RecordId::new(reader.array()?),
            version: reader.ordinal()?,
        },
        2 => Act::Withdraw(Withdrawal {
            record: RecordId::new(reader.array()?),
            up_to: reader.ordinal()?,
            reason: WithdrawalReason::from_code(reader.u8()?),
            note: Hash::new(reader.array()?),
            replacement: RecordId::new(reader.array()?),
        }),
        3 => Act::Leave {
            record: RecordId::new(reader.array()?),
        },
        4 => Act::Readers {
            list: Hash::new(reader.array()?),
        },
        5 => Act::Restart {
            incarnation: reader.ordinal()?,
            size: reader.ordinal()?,
            root: Hash::new(reader.array()?),
        },
        _ => return Err(reader.refuse(Reason::UnknownFormat)),
    };
    if matches!(act, Act::Publish { version: 0, .. }) {
        return Err(reader.refuse(Reason::Malformed));
    }
    reader.finish()?;
    Ok(Line { time, random, act })
}

/// Hash by which a withdrawal names its note: over salt and note.
pub fn note_hash(salt: &Salt, note: &[u8]) -> Hash {
    domain::hash(Domain::Note, &[salt.as_bytes(), note])
}

/// Hash by which a line names a reader list: over salt and layout.
pub fn readers_hash(salt: &Salt, list: &[u8]) -> Hash {
    domain::hash(Domain::Readers, &[salt.as_bytes(), list])
}

/// The readers of an open-list circle.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReaderList {
    /// Whether readers may pass the log on to each other.
    pub relay: bool,
    /// The circle's name, which only its readers learn.
    pub circle: String,
    /// The log that this circle answers, and the size at which its readers were copied.
    pub answers: Option<(LogId, u64)>,
    /// Readers ascending, each with the time at which the right ends; zero means no end.
    pub readers: Vec<(RcpId, UnixMillis)>,
}

impl ReaderList {
    /// The layout: format, relay, circle name, answered log and size, readers.
    ///
    /// # Errors
    /// `TooLong` over a limit, `Malformed` unless the readers ascend.
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        self.check()?;
        let (log, size) = self.answers.unwrap_or((LogId::ZERO, 0));
        let mut writer = Writer::new()
            .u8(crate::limits::FORMAT)
            .u8(u8::from(self.relay))
            .text("reader list", &self.circle)?
            .bytes(log.as_bytes())
            .u64(size)
            .count("reader list", self.readers.len())?;
        for (rcp, until) in &self.readers {
            writer = writer.bytes(rcp.as_bytes()).u64(until.0);
        }
        Ok(writer.finish())
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `TooLong`, `Truncated`, `UnknownFormat`, `Malformed`, `TrailingBytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new("reader list", bytes, READER_LIST_BYTES_MAX)?;
        reader.format()?;
        let relay = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.refuse(Reason::Malformed)),
        };
        let circle = reader.text()?.to_owned();
        let answered = (LogId::new(reader.array()?), reader.ordinal()?);
        let mut list = Self {
            relay,
            circle,
            answers: (!answered.0.is_zero()).then_some(answered),
            readers: Vec::new(),
        };
        if answered.0.is_zero() && answered.1 != 0 {
            return Err(reader.refuse(Reason::Malformed));
        }
        for _ in 0..reader.u16()? {
            list.readers
                .push((RcpId::new(reader.array()?), UnixMillis(reader.u64()?)));
        }
        reader.finish()?;
        list.check()?;
        Ok(list)
    }

    fn check(&self) -> Result<(), Refusal> {
        let refuse = |reason| Err(Refusal::new("reader list", reason));
        if self.readers.len() > READERS_MAX || self.circle.len() > CIRCLE_NAME_BYTES_MAX {
            return refuse(Reason::TooLong);
        }
        if !self.readers.is_sorted_by(|(a, _), (b, _)| a < b) {
            return refuse(Reason::Malformed);
        }
        Ok(())
    }

    /// Whether `rcp` may read at `now`: listed, and the right has not ended.
    pub fn admits(&self, rcp: &RcpId, now: UnixMillis) -> bool {
        self.readers
            .binary_search_by(|(reader, _)| reader.cmp(rcp))
            .ok()
            .and_then(|index| self.readers.get(index))
            .is_some_and(|(_, until)| until.0 == 0 || now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(act: Act) -> Line {
        Line {
            time: UnixMillis(1_700_000_000_000),
            random: [9; 16],
            act,
        }
    }

    fn acts() -> Vec<Act> {
        vec![
            Act::Publish {
                version_hash: Hash::new([1; 32]),
                record: RecordId::new([2; 16]),
                version: 5,
            },
            Act::Withdraw(Withdrawal {
                record: RecordId::new([2; 16]),
                up_to: WHOLE_RECORD,
                reason: WithdrawalReason::StateRequest,
                note: Hash::ZERO,
                replacement: RecordId::ZERO,
            }),
            Act::Leave {
                record: RecordId::new([2; 16]),
            },
            Act::Readers {
                list: Hash::new([3; 32]),
            },
            Act::Restart {
                incarnation: 7,
                size: 4,
                root: Hash::new([4; 32]),
            },
        ]
    }

    #[test]
    fn every_line_reads_back_and_fits_its_limit() {
        for act in acts() {
            let bytes = line(act).encode();
            assert!(bytes.len() <= LINE_BYTES_MAX);
            assert_eq!(read_line(&bytes), Ok(ReadLine::Line(line(act))));
        }
    }

    #[test]
    fn what_is_not_understood_is_kept_and_critical_below_128() {
        let known = line(acts()[2]).encode();
        let changed = |at: usize, to: u8| {
            let mut bytes = known.clone();
            bytes[at] = to;
            read_line(&bytes)
        };
        assert_eq!(
            changed(1, 6),
            Ok(ReadLine::NotUnderstood { critical: true })
        );
        assert_eq!(
            changed(1, 128),
            Ok(ReadLine::NotUnderstood { critical: false })
        );
        assert_eq!(
            changed(0, 2),
            Ok(ReadLine::NotUnderstood { critical: true })
        );
        assert_eq!(
            read_line(&known[..9]),
            Ok(ReadLine::NotUnderstood { critical: true })
        );
        assert_eq!(read_line(&[]), Err(Refusal::new(WHAT, Reason::Truncated)));
        assert_eq!(
            read_line(&[1; 257]),
            Err(Refusal::new(WHAT, Reason::TooLong))
        );
    }

    #[test]
    fn an_empty_list_admits_nobody_and_an_ended_right_is_none() {
        let (a, b) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        let now = UnixMillis(1_000);
        assert!(!ReaderList::default().admits(&a, now));
        let list = ReaderList {
            readers: vec![(a, UnixMillis(0)), (b, UnixMillis(1_000))],
            ..ReaderList::default()
        };
        assert!(list.admits(&a, now));
        assert!(!list.admits(&b, now));
        assert!(list.admits(&b, UnixMillis(999)));
        assert!(!list.admits(&RcpId::new([3; 32]), now));
    }

    #[test]
    fn readers_ascend_or_the_list_is_refused() {
        let (a, b) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        let list = |readers: Vec<RcpId>| ReaderList {
            circle: "imrf-2026-drafting".into(),
            readers: readers
                .into_iter()
                .map(|rcp| (rcp, UnixMillis(0)))
                .collect(),
            ..ReaderList::default()
        };
        let good = list(vec![a, b]);
        assert_eq!(
            ReaderList::decode(&good.encode().expect("encode")),
            Ok(good)
        );
        for bad in [list(vec![b, a]), list(vec![a, a])] {
            assert_eq!(
                bad.encode(),
                Err(Refusal::new("reader list", Reason::Malformed))
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_line(&bytes);
            let _ = ReaderList::decode(&bytes);
        }
    }
}
