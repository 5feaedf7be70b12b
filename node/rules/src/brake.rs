//! The brake on withdrawals: many of one RCP at once are hidden at once and erased a day later.
//!
//! A thief of a signing key, or an accident, could otherwise empty every reader's library in a
//! second. Counted are withdrawals that hide something held here, and leaves that take its last
//! place, by the time at which they came. **Invariant:** what is withdrawn is hidden from the first
//! moment; only its erasure waits, and no receipt is given meanwhile (PROTOCOL.md, "Withdrawals").

use std::collections::{BTreeSet, VecDeque};

use corridor_proto::line::{Act, ReadLine};
use corridor_proto::{LogId, RcpId, RecordId, UnixMillis};

use crate::fact::Fact;
use crate::limits::{ERASE_DELAY_MS, WITHDRAWALS_PER_HOUR_MAX};
use crate::model::{Model, Rows};
use crate::row::RecordKey;

const HOUR_MS: u64 = 3_600_000;

/// The withdrawals of one RCP in the last hour, and whether they are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brake {
    recent: VecDeque<(UnixMillis, u32)>,
    until: Option<UnixMillis>,
}

impl Brake {
    /// Until when erasing waits, if it does.
    pub const fn until(&self) -> Option<UnixMillis> {
        self.until
    }

    /// So many withdrawals came.
    pub(crate) fn note(&mut self, at: UnixMillis, count: u32) {
        // What seems to come later was noted by a clock that ran ahead.
        self.recent
            .retain(|(past, _)| *past <= at && at.since(*past) < HOUR_MS);
        self.recent.push_back((at, count));
        let sum = self
            .recent
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum::<u64>();
        if sum > WITHDRAWALS_PER_HOUR_MAX {
            self.until = Some(at.plus(ERASE_DELAY_MS));
        }
    }

    /// The delay is over; what came within the hour still counts.
    pub(crate) const fn release(&mut self) {
        self.until = None;
    }
}

/// The fact that counts the withdrawals among lines of a peer's log, if they hide anything held.
pub(crate) fn count(
    rows: &dyn Rows,
    rcp: &RcpId,
    log: &LogId,
    lines: &[(Vec<u8>, ReadLine)],
    now: UnixMillis,
) -> Option<Fact> {
    let hides = |line: &ReadLine| -> Option<RecordId> {
        let ReadLine::Line(line) = line else {
            return None;
        };
        let (record, up_to) = match line.act {
            Act::Withdraw(withdrawal) => (withdrawal.record, withdrawal.up_to),
            Act::Leave { record } => (record, 0),
            _ => return None,
        };
        let row = rows.row(&RecordKey { rcp: *rcp, record })?;
        let held = |version: u64| {
            let mut held = row.versions.iter().filter(|held| !held.erased);
            held.any(|held| held.version > row.burnt() && held.version <= version)
        };
        let mut elsewhere = row.stands.iter().filter(|stand| stand.log != *log);
        let takes_last = up_to == 0 && !elsewhere.any(|stand| row.lives(stand));
        let counts = if takes_last {
            held(u64::MAX)
        } else {
            held(up_to)
        };
        counts.then_some(record)
    };
    let hidden: BTreeSet<RecordId> = lines.iter().filter_map(|(_, line)| hides(line)).collect();
    let count = u32::try_from(hidden.len()).unwrap_or(u32::MAX);
    (count > 0).then_some(Fact::Withdrawals {
        rcp: *rcp,
        at: now,
        count,
    })
}

/// What falls due by the passing of time alone: the end of delays.
pub fn due(model: &Model, now: UnixMillis) -> Vec<Fact> {
    // No delay is longer than it should be, whatever the clock said when it began.
    let latest = now.plus(ERASE_DELAY_MS);
    let over = |brake: &Brake| {
        let until = brake.until;
        until.is_some_and(|until| until <= now || until > latest)
    };
    let brakes = model.brakes.iter().filter(|(_, brake)| over(brake));
    brakes
        .map(|(rcp, _)| Fact::EraseNow { rcp: *rcp })
        .collect()
}

#[cfg(test)]
mod tests;
