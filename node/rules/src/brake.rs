//! The brake on withdrawals: many of one RCP at once are hidden at once and erased a day later.
//!
//! A thief of a signing key, or an accident, could otherwise empty every reader's library in a
//! second. Counted are withdrawals that hide something held here, by the time at which they came.
//! **Invariant:** what is withdrawn is hidden from the first moment; only its erasure waits, and no
//! receipt is given meanwhile (PROTOCOL.md, "Withdrawals").

use std::collections::{BTreeSet, VecDeque};

use corridor_proto::line::{Act, ReadLine};
use corridor_proto::{RcpId, RecordId, UnixMillis};

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
        self.recent.retain(|(past, _)| at.since(*past) < HOUR_MS);
        self.recent.push_back((at, count));
        let sum = self
            .recent
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum::<u64>();
        if sum > WITHDRAWALS_PER_HOUR_MAX && self.until.is_none() {
            self.until = Some(at.plus(ERASE_DELAY_MS));
        }
    }
}

/// The fact that counts the withdrawals among lines of a peer's log, if they hide anything held.
pub(crate) fn count(
    rows: &dyn Rows,
    rcp: &RcpId,
    lines: &[(Vec<u8>, ReadLine)],
    now: UnixMillis,
) -> Option<Fact> {
    let hides = |line: &ReadLine| -> Option<RecordId> {
        let ReadLine::Line(line) = line else {
            return None;
        };
        let Act::Withdraw(withdrawal) = line.act else {
            return None;
        };
        let record = withdrawal.record;
        let row = rows.row(&RecordKey { rcp: *rcp, record })?;
        let mut held = row.versions.iter().filter(|held| !held.erased);
        let is_new = withdrawal.up_to > row.burnt();
        (is_new && held.any(|held| held.version <= withdrawal.up_to)).then_some(record)
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
    let over = |brake: &Brake| brake.until.is_some_and(|until| until <= now);
    let brakes = model.brakes.iter().filter(|(_, brake)| over(brake));
    brakes
        .map(|(rcp, _)| Fact::EraseNow { rcp: *rcp })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_fifty_within_an_hour_are_delayed_for_a_day() {
        let mut brake = Brake::default();
        brake.note(UnixMillis(0), 50);
        assert_eq!(brake.until(), None);
        brake.note(UnixMillis(HOUR_MS), 50);
        assert_eq!(brake.until(), None, "the first fifty are an hour old");
        brake.note(UnixMillis(HOUR_MS + 1), 1);
        let until = UnixMillis(HOUR_MS + 1 + ERASE_DELAY_MS);
        assert_eq!(brake.until(), Some(until));
        brake.note(UnixMillis(2 * HOUR_MS), 60);
        assert_eq!(brake.until(), Some(until), "the day is counted once");
    }
}
