//! Which withdrawals count, and when their erasing waits.

use std::collections::HashMap;

use corridor_proto::Hash;
use corridor_proto::line::{Line, WHOLE_RECORD, Withdrawal, WithdrawalReason};

use super::*;
use crate::fact::Place;
use crate::row::{HeldVersion, RecordRow};
use crate::samples::{ABOUT, NOW, PEER, model, rcp, record};

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
    let later = UnixMillis(2 * HOUR_MS + ERASE_DELAY_MS);
    assert_eq!(brake.until(), Some(later), "a day after the last of them");
    brake.release();
    assert_eq!(brake.until(), None, "it is over");
    brake.note(UnixMillis(2 * HOUR_MS + 1), 1);
    assert!(brake.until().is_some(), "the hour is not over");
    let mut ahead = Brake::default();
    ahead.note(UnixMillis(90 * HOUR_MS), 50);
    ahead.note(UnixMillis(HOUR_MS), 1);
    assert_eq!(ahead.until(), None, "noted by a clock that ran ahead");
}

const A: LogId = LogId::new([1; 32]);
const B: LogId = LogId::new([2; 32]);

/// Rows of records of [`ABOUT`].
#[derive(Default)]
struct Held(HashMap<RecordId, RecordRow>);

impl Rows for Held {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        let row = self.0.get(&key.record).cloned();
        row.filter(|_| key.rcp == rcp(ABOUT))
    }
}

impl Held {
    /// A version stands in these logs, and its text is here.
    fn with(mut self, byte: u8, version: u64, logs: &[LogId]) -> Self {
        let row = self.0.entry(record(byte)).or_default();
        let version_hash = Hash::new([byte + u8::try_from(version).expect("few"); 32]);
        for log in logs {
            row.publish(*log, version, version, version_hash);
        }
        row.held(HeldVersion {
            version,
            version_hash,
            kind: 1,
            time: NOW,
            place: Place::default(),
            erased: false,
        });
        self
    }

    fn row_mut(&mut self, byte: u8) -> &mut RecordRow {
        self.0.entry(record(byte)).or_default()
    }
}

fn withdrawal(byte: u8, up_to: u64) -> Act {
    Act::Withdraw(Withdrawal {
        record: record(byte),
        up_to,
        reason: WithdrawalReason::Error,
        note: Hash::ZERO,
        replacement: RecordId::ZERO,
    })
}

const fn leave(byte: u8) -> Act {
    Act::Leave {
        record: RecordId::new([byte; 16]),
    }
}

/// How many these lines of log A count.
fn counted(rows: &Held, acts: &[Act]) -> u32 {
    let line = |act: &Act| {
        let (time, random, act) = (NOW, [0; 16], *act);
        (Vec::new(), ReadLine::Line(Line { time, random, act }))
    };
    let mut lines: Vec<_> = acts.iter().map(line).collect();
    lines.push((Vec::new(), ReadLine::NotUnderstood { critical: false }));
    match count(rows, &rcp(ABOUT), &A, &lines, NOW) {
        None => 0,
        Some(Fact::Withdrawals { rcp: of, at, count }) => {
            assert_eq!((of, at), (rcp(ABOUT), NOW));
            assert!(count > 0);
            count
        }
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn withdrawals_count_that_hide_a_text_that_is_here() {
    let rows = Held::default().with(1, 5, &[A]).with(2, 7, &[A]);
    let all = WHOLE_RECORD;
    assert_eq!(counted(&rows, &[withdrawal(1, all)]), 1);
    assert_eq!(counted(&rows, &[withdrawal(1, 5)]), 1);
    assert_eq!(counted(&rows, &[withdrawal(1, 4)]), 0, "of older versions");
    let twice = [withdrawal(1, all), withdrawal(1, 5), withdrawal(2, all)];
    assert_eq!(counted(&rows, &twice), 2, "a record counts once");
    assert_eq!(counted(&rows, &[withdrawal(9, all)]), 0, "nothing is here");
    let readers = Act::Readers { list: Hash::ZERO };
    assert_eq!(counted(&rows, &[readers]), 0);
}

#[test]
fn what_was_hidden_before_does_not_count_again() {
    let all = WHOLE_RECORD;
    let mut rows = Held::default().with(1, 5, &[A]).with(1, 6, &[A]);
    let Act::Withdraw(five) = withdrawal(1, 5) else {
        panic!("a withdrawal");
    };
    rows.row_mut(1).withdraw(B, 0, five, NOW);
    assert_eq!(counted(&rows, &[withdrawal(1, 5)]), 0);
    assert_eq!(counted(&rows, &[withdrawal(1, 6)]), 1);
    rows.row_mut(1).versions[1].erased = true;
    assert_eq!(counted(&rows, &[withdrawal(1, all)]), 0, "it is erased");
}

#[test]
fn a_leave_counts_that_takes_the_last_place_of_a_record() {
    let alone = Held::default().with(1, 5, &[A]);
    assert_eq!(counted(&alone, &[leave(1)]), 1);
    let elsewhere = Held::default().with(1, 5, &[A, B]);
    assert_eq!(counted(&elsewhere, &[leave(1)]), 0, "it stands elsewhere");
    let mut left = Held::default().with(1, 5, &[A, B]);
    left.row_mut(1).leave(&B, 9);
    assert_eq!(counted(&left, &[leave(1)]), 1, "it has left there");
    let textless = {
        let mut rows = Held::default().with(1, 5, &[A]);
        rows.row_mut(1).versions.clear();
        rows
    };
    assert_eq!(counted(&textless, &[leave(1)]), 0, "no text is here");
}

#[test]
fn a_delay_ends_after_its_day_and_is_never_longer() {
    let mut model = model();
    let many = u32::try_from(WITHDRAWALS_PER_HOUR_MAX).expect("few") + 1;
    model.brakes.entry(rcp(ABOUT)).or_default().note(NOW, many);
    model.brakes.entry(rcp(PEER)).or_default().note(NOW, 1);
    let over = |at: UnixMillis| due(&model, at);
    let erased = [Fact::EraseNow { rcp: rcp(ABOUT) }];
    assert_eq!(over(NOW), []);
    assert_eq!(over(NOW.plus(ERASE_DELAY_MS - 1)), []);
    assert_eq!(over(NOW.plus(ERASE_DELAY_MS)), erased);
    assert_eq!(over(NOW.plus(ERASE_DELAY_MS + 1)), erased);
    let before = UnixMillis(NOW.0 - 1);
    assert_eq!(over(before), erased, "begun by a clock that ran ahead");
}
