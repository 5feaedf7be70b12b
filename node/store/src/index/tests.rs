//! What waits in memory is read as what sled has.

use std::collections::BTreeMap;

use corridor_proto::RecordId;
use corridor_rules::row::RecordRow;
use corridor_rules::{Rows, RowsMut};
use proptest::prelude::*;

use super::*;

/// Over several blocks.
const LINES: u64 = 300;
const RANGES: [(u64, u64); 6] = [
    (2, 7),
    (60, 130),
    (64, 64),
    (70, 60),
    (100, 300),
    (0, 1_000),
];

/// A change of the index.
#[derive(Clone, Debug)]
enum Change {
    Put(u8, u64),
    Remove(u8),
    Lines(u8, u64, u64),
    Forget(u8),
    Erase(u64),
    Erased(u64),
    WriteOut,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..6_u8, 1..9_u64).prop_map(|(record, revision)| Change::Put(record, revision)),
        (0..6_u8).prop_map(Change::Remove),
        (0..2_u8, 0..LINES, 0..9_u64).prop_map(|(log, from, at)| Change::Lines(log, from, at)),
        (0..2_u8).prop_map(Change::Forget),
        (0..4_u64).prop_map(Change::Erase),
        (0..4_u64).prop_map(Change::Erased),
        Just(Change::WriteOut),
    ]
}

fn rcp(record: u8) -> RcpId {
    // The last one has no key behind its own.
    RcpId::new([if record < 3 { 7 } else { u8::MAX }; 32])
}

fn key(record: u8) -> RecordKey {
    let (rcp, record) = (rcp(record), RecordId::new([record; 16]));
    RecordKey { rcp, record }
}

fn log(log: u8) -> LogId {
    LogId::new([log; 32])
}

fn at(offset: u64) -> Place {
    Place {
        segment: 0,
        generation: 0,
        offset,
    }
}

fn position(offset: u64) -> Position {
    Position {
        place: at(offset),
        hash: [1; 32],
        journal_id: [2; 16],
        compactions: 3,
    }
}

fn carry_out(index: &Index, change: &Change, step: u64) {
    let mut batch = Batch::default();
    let mut rows = Overlay {
        index,
        batch: &mut batch,
    };
    match change {
        Change::Put(record, revision) => {
            let row = RecordRow {
                revision: *revision,
                ..RecordRow::default()
            };
            rows.put(&key(*record), row);
        }
        Change::Remove(record) => rows.remove(&key(*record)),
        Change::Forget(of) => rows.forget_lines(&log(*of)),
        Change::Lines(of, from, place) => batch.lines(&log(*of), *from, at(*place)),
        Change::Erase(place) => batch.erase(at(*place)),
        Change::Erased(place) => batch.erased(at(*place)),
        Change::WriteOut => return index.write_out(),
    }
    index.apply(batch, &position(step));
}

/// Everything that can be read.
fn seen(index: &Index) -> impl PartialEq + std::fmt::Debug + use<> {
    let rows = |after: Option<&RecordKey>| index.rows(after).collect::<Vec<_>>();
    let all = rows(None);
    let behind: Vec<_> = (0..6)
        .map(|record| rows(Some(&key(record))).len())
        .collect();
    let one_by_one: Vec<_> = (0..6).map(|record| index.row(&key(record))).collect();
    let keys = [0, 5].map(|of| index.keys(&rcp(of)).collect::<Vec<_>>());
    let lines = [0, 1].map(|of| {
        let at = |from| index.lines_at(&log(of), from);
        let at: Vec<_> = (0..LINES).step_by(7).map(at).collect();
        let between = |(from, to)| index.lines_between(&log(of), from, to).collect::<Vec<_>>();
        (at, RANGES.map(between))
    });
    let waiting = (index.pending_erasures(), index.position());
    (all, behind, one_by_one, keys, lines, waiting)
}

/// Where the lines of a log lie after some changes, in a plain map.
fn lines_after(changes: &[Change], of: u8) -> BTreeMap<u64, Place> {
    let mut lines = BTreeMap::new();
    for change in changes {
        match change {
            Change::Lines(log, from, place) if *log == of => {
                lines.insert(*from, at(*place));
            }
            Change::Forget(log) if *log == of => lines.clear(),
            _ => {}
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lines_lie_where_a_plain_map_has_them(
        changes in prop::collection::vec(change(), 0..60),
    ) {
        let folder = tempfile::tempdir().expect("folder");
        let index = Index::renew(&folder.path().join("index")).expect("index");
        for (step, change) in (0..).zip(&changes) {
            carry_out(&index, change, step);
        }
        for of in [0, 1] {
            let lines = lines_after(&changes, of);
            for line in 0..=LINES {
                let expect = lines.range(..=line).next_back();
                let expect = expect.map(|(from, place)| (*from, *place));
                prop_assert_eq!(index.lines_at(&log(of), line), expect);
            }
            for (from, to) in RANGES {
                let expect = lines.iter().filter(|(line, _)| (from..to).contains(line));
                let expect: Vec<_> = expect.map(|(line, place)| (*line, *place)).collect();
                let found: Vec<_> = index.lines_between(&log(of), from, to).collect();
                prop_assert_eq!(found, expect);
            }
        }
    }

    #[test]
    fn an_index_in_memory_and_one_in_sled_are_alike(
        changes in prop::collection::vec(change(), 0..40),
    ) {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("folder"));
        let open = |at: usize| Index::renew(&folders[at].path().join("index")).expect("index");
        let (waits, is_written) = (open(0), open(1));
        for (step, change) in (0..).zip(&changes) {
            carry_out(&waits, change, step);
            carry_out(&is_written, change, step);
            is_written.write_out();
        }
        prop_assert_eq!(seen(&waits), seen(&is_written));
        let before = seen(&waits);
        waits.flush(&BTreeSet::new()).expect("flush");
        prop_assert_eq!(before, seen(&waits));
    }
}

#[test]
fn many_are_read_in_order_over_several_reads() {
    let folder = tempfile::tempdir().expect("folder");
    let index = Index::renew(&folder.path().join("index")).expect("index");
    for record in 0..=u8::MAX {
        if record == 128 {
            index.write_out();
        }
        carry_out(&index, &Change::Put(record, 1), 0);
    }
    let keys: Vec<RecordKey> = index.rows(None).map(|(key, _)| key).collect();
    assert!(keys.is_sorted());
    assert_eq!(keys.len(), 256);
    assert_eq!(index.lines_between(&log(0), 3, 2).count(), 0);
}
