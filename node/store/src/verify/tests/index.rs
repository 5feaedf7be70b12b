//! An index that is not what the journal says.

use std::collections::BTreeSet;

use corridor_rules::RowsMut;
use corridor_rules::row::{RecordKey, RecordRow};

use super::*;
use crate::index::{Batch, Overlay};

impl Stopped {
    /// Changes the index behind the back of the store.
    fn forge(&self, change: impl FnOnce(&Index, &mut Batch)) {
        let index = self.index();
        let mut batch = Batch::default();
        change(&index, &mut batch);
        let position = index.position().expect("position");
        index.apply(batch, &position);
        index.flush(&BTreeSet::new()).expect("flush");
    }

    #[track_caller]
    fn index_is_named(&self, words: &str) {
        self.has_one_finding(&["index: ", words, "delete the folder index"]);
        // And then it is as it should be, with nothing lost.
        std::fs::remove_dir_all(self.folder.path().join("index")).expect("delete");
        self.run(|_| ());
        self.is_sound();
    }
}

fn key(stopped: &Stopped) -> RecordKey {
    RecordKey {
        rcp: stopped.me.id(),
        record: RecordId::new([3; 16]),
    }
}

#[test]
fn a_changed_row_is_named() {
    let stopped = Stopped::new();
    let key = key(&stopped);
    stopped.forge(|index, batch| {
        let mut rows = Overlay { index, batch };
        let mut row = corridor_rules::Rows::row(&rows, &key).expect("row");
        row.leave(&stopped.me.public(), 9);
        rows.put(&key, row);
    });
    stopped.index_is_named("rows that are not what the journal says: 1, such as that of record");
}

#[test]
fn a_revision_that_the_journal_does_not_count_is_named() {
    let stopped = Stopped::new();
    let key = key(&stopped);
    stopped.forge(|index, batch| {
        let mut rows = Overlay { index, batch };
        let mut row = corridor_rules::Rows::row(&rows, &key).expect("row");
        row.revision += 1;
        rows.put(&key, row);
    });
    stopped.index_is_named("rows that are not what the journal says: 1, such as that of record");
}

#[test]
fn a_missing_row_and_one_too_many_are_named() {
    let stopped = Stopped::new();
    stopped.forge(|index, batch| {
        let mut rows = Overlay { index, batch };
        let keys = rows.keys(&stopped.me.id());
        keys.iter().for_each(|key| rows.remove(key));
    });
    stopped.index_is_named("rows that are not what the journal says: 1");
    let rcp = RcpId::new([9; 32]);
    let record = RecordId::new([9; 16]);
    stopped.forge(|index, batch| {
        Overlay { index, batch }.put(&RecordKey { rcp, record }, RecordRow::default());
    });
    stopped.index_is_named("rows that are not what the journal says: 1");
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let stopped = Stopped::new();
    let key = key(&stopped);
    let block = [b"r".as_slice(), key.rcp.as_bytes(), &[0; 4]].concat();
    let row = |number: u8| [&[number], key.record.as_bytes().as_slice(), b"\x06no row"].concat();
    stopped.index().forge(&block, Some(&row(0)));
    let report = stopped.verify();
    let said: Vec<_> = report.findings.iter().map(|found| &found.what).collect();
    assert_eq!(said.len(), 2, "unreadable, and so missing: {said:?}");
    assert!(said[0].contains("entries that cannot be read: 1, such as the row of a record"));
    // Nobody would look for it there.
    stopped.index().forge(&block, Some(&row(7)));
    let said = &stopped.verify().findings[0].what;
    assert!(said.contains("entries that cannot be read: 1, such as a row that is not listed"));
}

#[test]
fn a_forged_place_of_lines_is_named() {
    let stopped = Stopped::new();
    let log = stopped.me.public();
    let (_, place) = stopped.index().lines_at(&log, 0).expect("lines");
    let place = Place {
        offset: place.offset + 1,
        ..place
    };
    stopped.forge(|_, batch| batch.lines(&log, 0, place));
    stopped.index_is_named("lines that do not lie where it says: 1");
    // One that the journal does not have at all.
    stopped.forge(|_, batch| batch.lines(&log, 7, place));
    stopped.index_is_named("such as line 7 of log");
    // And one that is not in it.
    let key = [b"l".as_slice(), log.as_bytes().as_slice(), &[0; 8]].concat();
    stopped.index().forge(&key, None);
    stopped.index_is_named("such as line 0 of log");
}

#[test]
fn an_erasure_that_the_index_forgot_is_named() {
    let stopped = Stopped::new();
    let record = RecordId::new([8; 16]);
    let blob = blob(&Salt::new([8; 32]), b"one");
    let draft = Fact::Draft {
        record,
        kind: 1,
        at: NOW,
        blob,
    };
    let places = stopped.append(&[draft]);
    stopped.append(&[Fact::DraftGone { record }]);
    // The index has seen both, and nothing was erased.
    let position = stopped.journal(|journal| journal.position());
    let (index, mut batch) = (stopped.index(), Batch::default());
    batch.erase(places[0]);
    index.apply(batch, &position);
    index.flush(&BTreeSet::new()).expect("flush");
    drop(index);
    stopped.has_one_finding(&["draft", "should be erased and is not; start the node"]);
    stopped.forge(|_, batch| batch.erased(places[0]));
    let said: Vec<_> = stopped.verify().findings;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[1]
            .what
            .contains("erasures to be done that it does not know of: 1")
    );
}

#[test]
fn an_erasure_that_nobody_asked_for_is_named() {
    let stopped = Stopped::new();
    let log = stopped.me.public();
    let (_, place) = stopped.index().lines_at(&log, 0).expect("lines");
    stopped.forge(|_, batch| batch.erase(place));
    stopped.index_is_named("erasures to be done that nobody asked for: 1");
}

/// A node with a line of a partner's whose text did not come yet.
fn with_a_text_to_come() -> (Stopped, RecordKey) {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    let (_, line) = peer.record(4, b"a text");
    let lines = [line];
    stopped.append(&peer.partner());
    stopped.append(&[peer.lines(0, &lines), peer.head(&lines)]);
    let (rcp, record) = (peer.id(), RecordId::new([4; 16]));
    (stopped, RecordKey { rcp, record })
}

#[test]
fn a_text_to_come_is_known_behind_a_clean_end() {
    let (stopped, key) = with_a_text_to_come();
    let wanting = || stopped.run(|store| store.read(|view| view.wanting()));
    assert_eq!(wanting(), [key].into(), "the rows tell it");
    assert_eq!(stopped.index().wanting(), Some(vec![key]));
    assert_eq!(wanting(), [key].into(), "the list tells it");
    stopped.is_sound();
}

#[test]
fn a_list_that_lacks_a_text_is_named() {
    let (stopped, _) = with_a_text_to_come();
    stopped.run(|_| ());
    stopped.index().flush(&BTreeSet::new()).expect("flush");
    stopped.index_is_named("texts to be fetched that it does not know of: 1");
}

#[test]
fn an_index_of_another_time_is_named() {
    let stopped = Stopped::new();
    let mut position = stopped.index().position().expect("position");
    position.hash[0] ^= 1;
    let index = stopped.index();
    index.apply(Batch::default(), &position);
    index.flush(&BTreeSet::new()).expect("flush");
    drop(index);
    stopped.has_one_finding(&[
        "not the index of this journal",
        "the next start rebuilds it",
    ]);
}

#[test]
fn a_node_that_was_never_started_needs_no_index() {
    let stopped = Stopped::made();
    let report = stopped.is_sound();
    let note = "there is none yet; the first start makes it";
    assert_eq!(report.notes[0].what, note);
    let index = stopped.folder.path().join("index");
    assert!(!index.exists(), "and none was made");
}
#[test]
fn an_index_in_which_nothing_arrived_before_a_crash_is_no_damage() {
    let stopped = Stopped::new();
    let path = stopped.folder.path().join("index");
    drop(Index::renew(&path).expect("renew"));
    let report = stopped.is_sound();
    assert_eq!(report.notes.len(), 1, "{report:?}");
    assert!(report.notes[0].what.contains("it is empty"), "{report:?}");
}

#[test]
fn an_index_of_another_layout_is_said_to_be_one() {
    let stopped = Stopped::new();
    let path = stopped.folder.path().join("index");
    crate::index::spoil::other_layout(&path);
    let report = stopped.verify();
    let said: Vec<_> = report.findings.iter().map(|found| &found.what).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("it is of another version"), "{said:?}");
}
