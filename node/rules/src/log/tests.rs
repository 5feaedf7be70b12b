//! What a log knows of itself: names, restarts, how far it is behind, and which head counts.

use corridor_proto::line::{Line, WithdrawalReason};

use super::*;
use crate::samples::{ABOUT, ME, Node, PEER, Written, key, model, rcp, record, rotated};

fn log(sort: Sort) -> Log {
    Log::new(rcp(PEER), LogSeed::new([7; 16]), sort, String::new())
}

fn read(act: Act) -> ReadLine {
    let (time, random) = (UnixMillis(5), [1; 16]);
    ReadLine::Line(Line { time, random, act })
}

#[test]
fn names_of_circles_are_small_letters_digits_and_hyphens() {
    for name in ["a", "trade-2", "0", "-", &"x".repeat(64)] {
        assert!(fits_circle(name), "{name}");
    }
    for name in ["", "private", "Trade", "a b", "ä", "a_b", &"x".repeat(65)] {
        assert!(!fits_circle(name), "{name}");
    }
}

#[test]
fn a_circle_of_which_only_a_reader_knew_has_a_name_made_up() {
    let mut found = log(Sort::Closed);
    let name = Log::recovered_name(&found.id);
    assert!(fits_circle(&name));
    let id = found.id.to_string();
    assert_eq!(name, format!("recovered-{}", &id[..6]));
    assert!(!found.is_recovered());
    found.name = name;
    assert!(found.is_recovered());
}

#[test]
fn what_a_void_line_published_is_known_by_its_record() {
    let mut found = log(Sort::Closed);
    assert!(!found.published_void(&record(1)));
    found.void.published.insert(Hash::ZERO, (record(1), 5));
    assert!(found.published_void(&record(1)) && !found.published_void(&record(2)));
}

#[test]
fn a_restart_is_followed_unless_the_log_is_frozen_and_nobody_accepted_it() {
    let mut found = log(Sort::Closed);
    // (why it stops, frozen, follows, awaits a person once a restart was shown)
    for (stop, expect) in [
        (None, [false, true, false]),
        (Some(Stop::NotUnderstood(3)), [false, true, false]),
        (Some(Stop::Frozen { accepted: false }), [true, false, true]),
        (Some(Stop::Frozen { accepted: true }), [true, true, false]),
    ] {
        found.stop = stop;
        (found.incarnation, found.shown) = (5, 6);
        let states = [
            found.is_frozen(),
            found.follows_restarts(),
            found.awaits_acceptance(),
        ];
        assert_eq!(states, expect, "{stop:?}");
        for shown in [4, 5] {
            found.shown = shown;
            assert!(!found.awaits_acceptance(), "none was");
        }
    }
}

#[test]
fn a_log_taken_again_stays_stopped_unless_its_restart_was_accepted() {
    for (stop, expect) in [
        (None, None),
        (Some(Stop::NotUnderstood(3)), Some(Stop::NotUnderstood(3))),
        (
            Some(Stop::Frozen { accepted: false }),
            Some(Stop::Frozen { accepted: false }),
        ),
        (Some(Stop::Frozen { accepted: true }), None),
    ] {
        let mut found = log(Sort::Closed);
        found.stop = stop;
        found.tree.push(Hash::ZERO);
        found.readers_line = Some((0, Hash::ZERO));
        found.last_withdrawal = Some(0);
        let (index, incarnation) = (0, 5);
        found.restarts.push(Restart { index, incarnation });
        found.rewind();
        assert_eq!(found.stop, expect);
        assert_eq!((found.size(), found.rewinds), (0, 1));
        assert!(found.retaken && found.has_void && found.restarts.is_empty());
        assert_eq!((found.readers_line, found.last_withdrawal), (None, None));
        found.rewind();
        assert_eq!(found.rewinds, 2);
    }
}

/// A node that follows a log of the peer's with lines up to here, and a head at this size.
fn follower(lines: u64, head: u64) -> (Node, Written) {
    let mut me = crate::samples::partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    for byte in 0..5 {
        log.leave(byte);
    }
    me.take(&log.arrival(PEER, log.part(0, lines, head)));
    (me, log)
}

#[test]
fn a_log_is_behind_while_its_lines_end_short_of_its_head() {
    for (lines, head, behind) in [(2, 5, 3), (4, 5, 1), (5, 5, 0)] {
        let (me, log) = follower(lines, head);
        let found = me.log(&log.id);
        assert_eq!(found.is_behind(), behind > 0);
        assert_eq!(found.behind_by(), behind);
        assert_eq!(found.pending(&me.model).is_some(), behind > 0);
        assert_eq!(found.held_head.is_some(), behind == 0);
    }
    let none = log(Sort::Closed);
    assert!(!none.is_behind() && none.behind_by() == 0);
    assert_eq!(none.pending(&model()), None);
}

#[test]
fn a_head_under_a_retired_key_leads_nowhere() {
    let (mut me, log) = follower(2, 5);
    let event = rotated(PEER, 50).events()[1].clone();
    me.apply(&[crate::Fact::KeyEvent {
        rcp: rcp(PEER),
        event,
    }]);
    assert_eq!(me.log(&log.id).pending(&me.model), None);
    assert!(me.log(&log.id).is_behind());
}

#[test]
fn a_head_is_held_whose_root_is_the_one_of_our_lines() {
    let (me, log) = follower(4, 5);
    let mut found = me.log(&log.id).clone();
    let head = |checkpoint: Checkpoint| Head {
        checkpoint,
        key_seq: 0,
        note: checkpoint.sign(&key(PEER)).note().to_owned(),
    };
    let good = head(log.checkpoint(3));
    found.head = Some(good.clone());
    found.settle_head();
    assert_eq!(found.held_head, Some(good.clone()));
    assert_eq!(
        good.signed().map(|signed| *signed.claim()),
        Some(good.checkpoint)
    );
    let mut wrong = log.checkpoint(4);
    wrong.root = Hash::ZERO;
    found.head = Some(head(wrong));
    found.settle_head();
    assert_eq!(found.held_head, Some(good.clone()), "another root");
    let mut restarted = log.checkpoint(4);
    restarted.incarnation = 5;
    found.head = Some(head(restarted));
    found.settle_head();
    assert_eq!(found.held_head, Some(good), "another incarnation");
    found.head = Some(head(log.checkpoint(4)));
    found.settle_head();
    assert_eq!(found.held_head, found.head);
}

#[test]
fn whose_first_line_names_a_list_is_open() {
    let list = Hash::new([4; 32]);
    let readers = read(Act::Readers { list });
    let mut first = log(Sort::Closed);
    first.note_line(0, &readers);
    assert_eq!(
        (first.sort, first.readers_line),
        (Sort::Open, Some((0, list)))
    );
    let mut later = log(Sort::Closed);
    later.note_line(1, &readers);
    assert_eq!(
        (later.sort, later.readers_line),
        (Sort::Closed, Some((1, list)))
    );
    let mut public = log(Sort::Public);
    public.note_line(0, &readers);
    assert_eq!(public.sort, Sort::Public);
}

#[test]
fn a_line_that_is_critical_and_not_understood_stops_a_log_where_it_lies() {
    let mut found = log(Sort::Closed);
    found.note_line(0, &ReadLine::NotUnderstood { critical: false });
    assert_eq!(found.stop, None);
    found.note_line(1, &ReadLine::NotUnderstood { critical: true });
    found.note_line(2, &ReadLine::NotUnderstood { critical: true });
    assert_eq!(found.stop, Some(Stop::NotUnderstood(1)));
}

#[test]
fn a_restart_opens_an_incarnation_and_ends_taking_lines_again() {
    let restart = |incarnation| {
        let (size, root) = (0, Hash::ZERO);
        read(Act::Restart {
            incarnation,
            size,
            root,
        })
    };
    let mut found = log(Sort::Closed);
    found.note_line(0, &restart(5));
    found.note_line(1, &restart(3));
    assert_eq!(found.incarnation, 5, "it never falls");
    let indexes = found
        .restarts
        .iter()
        .map(|restart| (restart.index, restart.incarnation));
    assert_eq!(indexes.collect::<Vec<_>>(), [(0, 5), (1, 3)]);
    found.retaken = true;
    found.note_line(2, &restart(5));
    assert!(found.retaken, "it was there before");
    found.note_line(3, &restart(6));
    assert!(!found.retaken);
}

#[test]
fn a_public_log_knows_every_record_that_it_ever_named() {
    let withdrawal = Withdrawal {
        record: record(2),
        up_to: 5,
        reason: WithdrawalReason::Error,
        note: Hash::ZERO,
        replacement: RecordId::ZERO,
    };
    let (version_hash, version) = (Hash::ZERO, 5);
    let acts = [
        Act::Publish {
            version_hash,
            version,
            record: record(1),
        },
        Act::Withdraw(withdrawal),
        Act::Leave { record: record(3) },
    ];
    for (sort, expect) in [(Sort::Public, 3), (Sort::Closed, 0)] {
        let mut found = log(sort);
        for (index, act) in (0..).zip(acts) {
            found.note_line(index, &read(act));
        }
        assert_eq!(found.named.len(), expect);
        assert_eq!(found.last_withdrawal, Some(1));
    }
}

#[test]
fn an_open_log_is_passed_on_if_its_list_says_so_and_lists_whom_it_names() {
    let me = Node::new(ME);
    let mut found = me.log(&me.circle("federation")).clone();
    assert!(found.is_relayed());
    let readers = found.readers.as_mut().expect("a list");
    readers.list.readers = vec![(rcp(PEER), UnixMillis(1))];
    assert!(found.lists(&rcp(PEER)), "though its right has ended");
    assert!(!found.lists(&rcp(ABOUT)));
    found.readers.as_mut().expect("a list").list.relay = false;
    assert!(!found.is_relayed());
    let mut closed = found.clone();
    closed.readers.as_mut().expect("a list").list.relay = true;
    closed.sort = Sort::Closed;
    assert!(!closed.is_relayed());
    found.readers = None;
    assert!(!found.is_relayed() && !found.lists(&rcp(PEER)));
}
