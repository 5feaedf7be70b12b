//! How lines and texts of our own logs come back from those who read them.

use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::desk::Wish;
use crate::fact::Fact;
use crate::link::Input;
use crate::samples::{
    End, Frame as Sent, ME, Meeting, NOW, Node, PEER, Written, exchange, pair, partner_of, rcp,
    texts,
};
use v1::carry_frame::Frame as Carried;

/// A node, what a backup has of it, its reader, and the circle that it reads.
fn world() -> (Node, Node, Node, LogId) {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let circle = me.open("trade", true, true, &[&peer]);
    me.publish(1, "first", &[circle]);
    me.publish(2, "second", &[circle]);
    exchange(&mut me, &mut peer);
    let backup = me.clone();
    (me, backup, peer, circle)
}

fn restored(mut node: Node) -> Node {
    node.apply(&[Fact::Restored { at: NOW }, Fact::OtherCopyGone { at: NOW }]);
    node
}

#[test]
fn what_a_backup_lacks_comes_back_and_the_node_goes_on() {
    let (mut me, backup, mut peer, circle) = world();
    me.publish(3, "third", &[circle]);
    me.withdraw(1, None);
    let late = me.open("late", false, false, &[&peer]);
    me.publish(4, "fourth", &[late]);
    exchange(&mut me, &mut peer);
    let mut back = restored(backup);
    exchange(&mut back, &mut peer);
    for log in [&circle, &late] {
        assert_eq!(back.log(log).size(), me.log(log).size());
        assert_eq!(texts(&back, log), texts(&me, log));
    }
    assert_eq!(back.row(1).burnt(), WHOLE_RECORD);
    back.wish(Wish::Restart);
    back.publish(5, "fifth", &[circle]);
    exchange(&mut back, &mut peer);
    assert_eq!(texts(&peer, &circle), ["fifth", "second", "third"]);
    assert!(
        back.log(&late).former.contains_key(&peer.rcp),
        "its list is lost"
    );
}

#[test]
fn a_reader_of_very_many_circles_gives_them_all_back() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let count = 2 * usize::try_from(crate::limits::REFUSALS_PER_LINK_MAX).expect("few");
    let circles: Vec<LogId> = (0..count)
        .map(|number| me.open(&format!("circle-{number}"), false, false, &[&peer]))
        .collect();
    let backup = me.clone();
    me.publish(1, "text", &circles);
    exchange(&mut me, &mut peer);
    let meeting = Meeting::of(restored(backup), peer);
    meeting.assert_fine();
    let found = meeting.node(0);
    assert!(circles.iter().all(|log| texts(found, log) == ["text"]));
}

#[test]
fn of_what_a_restart_left_behind_withdrawals_count_and_texts_can_be_published_again() {
    let (mut me, backup, mut peer, circle) = world();
    me.publish(3, "third", &[circle]);
    me.withdraw(1, None);
    me.publish(4, "fourth", &[circle]);
    me.withdraw(4, None);
    exchange(&mut me, &mut peer);
    let mut back = restored(backup);
    back.wish(Wish::Restart);
    back.publish(9, "instead", &[circle]);
    let mut meeting = Meeting::of(back, peer);
    meeting.assert_fine();
    assert!(meeting.ends.iter().all(End::is_quiet));
    let found = meeting.node(0);
    let log = found.log(&circle);
    assert!(log.published_void(&crate::samples::record(3)));
    assert_eq!(found.row(1).burnt(), WHOLE_RECORD);
    assert!(!found.store.contains(b"first"), "it is erased");
    assert!(found.store.contains(b"third"), "its text came back");
    assert!(
        !found.store.contains(b"fourth"),
        "of what is burnt none did"
    );
    assert_eq!(texts(found, &circle), ["instead", "second"]);
    let reader = meeting.node(1);
    assert_eq!(texts(reader, &circle), ["instead", "second"]);
    assert_eq!(reader.log(&circle).incarnation, log.incarnation);
    meeting.change(0, |me| {
        let facts = me.at_desk(|desk| desk.repeat()).expect("said");
        me.apply(&facts);
    });
    assert_eq!(meeting.node(1).row_of(&rcp(ME), 1).burnt(), WHOLE_RECORD);
    meeting.assert_fine();
}

#[test]
fn a_text_that_is_here_is_not_asked_for_again() {
    let (mut me, backup, mut peer, circle) = world();
    let other = me.circle("public");
    let mut back = restored(backup);
    me.publish(3, "third", &[circle, other]);
    exchange(&mut me, &mut peer);
    // The text itself is here, though the lines are not.
    let log = me.log(&other).clone();
    let lines = me.store.lines[&other].clone();
    back.apply(&[Fact::Lines {
        log: other,
        from: 0,
        lines,
    }]);
    let peer_rcp = peer.rcp;
    let records = vec![(0, me.record_at(&other, 0))];
    back.take(&Arrival::Records {
        peer: peer_rcp,
        log: other,
        records,
    });
    assert_eq!(log.size(), 1);
    back.wish(Wish::Restart);
    let meeting = Meeting::of(back, peer);
    let records = meeting
        .words(1)
        .iter()
        .filter(|word| **word == "records")
        .count();
    assert_eq!(records, 0);
    meeting.assert_fine();
}

/// A node that was restarted, and a log of its own of which a reader holds another branch.
fn branched() -> (End, Written) {
    let mut log = Written::new(ME, 7);
    for byte in 0..2 {
        log.leave(byte);
    }
    let mut branch = log.fork(1);
    let (mut me, seed) = (partner_of(&[PEER]), log.seed);
    log.restart(5);
    let (owner, sort, name) = (me.rcp, crate::log::Sort::Closed, "ours".to_owned());
    let lines = log.lines.clone();
    let id = log.id;
    let note = String::from_utf8(log.head(3)).expect("a note");
    let (hash, list) = crate::samples::list(false, &[rcp(PEER)]);
    let blob = [list.salt, list.body].concat();
    me.apply(&[
        Fact::Circle {
            owner,
            seed,
            sort,
            name,
        },
        Fact::Lines {
            log: id,
            from: 0,
            lines,
        },
        Fact::Head { log: id, note },
        Fact::List {
            log: id,
            hash,
            blob,
        },
    ]);
    branch.text(1, 5, "void");
    branch.text(2, 6, "void too");
    branch.leave(9);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    end.session(v1::session_frame::Frame::Hello(crate::samples::hello(PEER)));
    let held = v1::HeldLog {
        seed: branch.seed.as_bytes().to_vec(),
        checkpoint: branch.head(4),
    };
    let (logs, last) = (vec![held], true);
    end.session(v1::session_frame::Frame::Have(v1::Have { logs, last }));
    (end, branch)
}

fn wants(frames: &[Sent]) -> Vec<(u64, u64)> {
    let wants = frames.iter().filter_map(|frame| match frame.carried()? {
        Carried::Want(want) => Some(want.ranges.clone()),
        _ => None,
    });
    wants
        .flatten()
        .map(|range| (range.from, range.to))
        .collect()
}

#[test]
fn a_branch_is_walked_from_its_first_line_and_its_texts_are_asked_for_once() {
    let (mut end, branch) = branched();
    let found = branch.clone();
    let texts = [(1, 5, "void"), (2, 6, "void too")]
        .map(|(byte, version, text)| crate::samples::version(ME, byte, version, text));
    let coming = |end: &End| {
        let log = end.node.log(&found.id);
        end.link.is_coming_back(&found.id, Some(log))
    };
    assert!(coming(&end));
    let frames = end.carry(Carried::Package(branch.part(0, 2, 4)));
    assert_eq!(wants(&frames), [(1, 2)]);
    let frames = end.carry(Carried::Package(branch.part(2, 4, 4)));
    assert_eq!(wants(&frames), [(2, 3)]);
    assert!(coming(&end), "texts are awaited");
    let frames = end.carry(branch.records(&[(1, &texts[0])]));
    assert_eq!(wants(&frames), []);
    assert!(coming(&end));
    let frames = end.carry(branch.records(&[(2, &texts[1])]));
    assert!(!coming(&end));
    assert!(
        crate::samples::words(&frames).contains(&"checkpoint"),
        "then our restart is told"
    );
    assert!(end.node.store.contains(b"void too"));
    end.carry(Carried::Package(branch.part(2, 4, 4)));
    assert_eq!(end.refused, [], "it has given all back");
    assert_eq!(wants(&end.feed(Input::Changed)), []);
}

#[test]
fn of_a_branch_no_text_is_asked_for_that_was_withdrawn_since() {
    for (up_to, expect) in [(4, vec![(1, 3)]), (5, vec![(2, 3)])] {
        let (mut end, branch) = branched();
        let (rcp, record) = (end.node.rcp, crate::samples::record(1));
        let row = end
            .node
            .store
            .rows
            .entry(RecordKey { rcp, record })
            .or_default();
        row.withdraw(branch.id, 2, crate::samples::withdrawal(1, up_to), NOW);
        let frames = end.carry(Carried::Package(branch.package(0)));
        assert_eq!(wants(&frames), expect, "up to {up_to}");
    }
}

#[test]
fn a_text_that_the_reader_lost_is_awaited_no_longer() {
    let (mut end, branch) = branched();
    end.carry(Carried::Package(branch.package(0)));
    let ranges = vec![v1::IndexRange { from: 1, to: 3 }];
    let log = branch.id.as_bytes().to_vec();
    let frames = end.carry(Carried::Gone(v1::Gone { log, ranges }));
    assert!(crate::samples::words(&frames).contains(&"checkpoint"));
}

#[test]
fn a_branch_that_does_not_prove_itself_is_given_up() {
    let (mut end, branch) = branched();
    let mut bad = branch.package(0);
    bad.lines.pop();
    let frames = end.carry(Carried::Package(bad));
    let reasons: Vec<Reason> = end.refused.iter().map(|found| found.reason).collect();
    assert_eq!(reasons, [Reason::BadProof]);
    let log = end.node.log(&branch.id);
    assert!(!end.link.is_coming_back(&branch.id, Some(log)));
    assert!(crate::samples::words(&frames).contains(&"checkpoint"));
    assert!(end.node.log(&branch.id).void.published.is_empty());
}

#[test]
fn a_reader_that_lost_the_log_keeps_nobody_waiting() {
    let (mut end, branch) = branched();
    let (log, ranges) = (branch.id.as_bytes().to_vec(), Vec::new());
    end.carry(Carried::Gone(v1::Gone { log, ranges }));
    let log = end.node.log(&branch.id);
    assert!(!end.link.is_coming_back(&branch.id, Some(log)));
}

#[test]
fn so_many_logs_come_back_on_one_connection() {
    let mut end = End::greeted(partner_of(&[PEER]), PEER).0;
    let me = end.node.rcp;
    let id = |number: usize| {
        let mut seed = [8; 16];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let seed = LogSeed::new(seed);
        (me, LogId::derive(&me, &seed), seed)
    };
    for number in 0..=LOGS_PER_RCP_MAX {
        end.link.take_back(id(number), 1, false);
    }
    assert_eq!(end.link.following.len(), LOGS_PER_RCP_MAX);
}

fn pulls(frames: &[Sent]) -> Vec<u64> {
    let pulls = frames.iter().filter_map(|frame| match frame.carried()? {
        Carried::Pull(pull) => Some(pull.from),
        _ => None,
    });
    pulls.collect()
}

/// A node out of a backup with the lines of a log of its own, whose reader shows all of another.
fn shown(log: &Written, held: &Written) -> (End, Vec<Sent>) {
    let mut me = partner_of(&[PEER]);
    let (owner, seed, sort) = (me.rcp, log.seed, crate::log::Sort::Closed);
    let (id, from, lines, name) = (log.id, 0, log.lines.clone(), "ours".to_owned());
    let reason = "RESTORED_FROM_A_BACKUP".to_owned();
    me.apply(&[
        Fact::Circle {
            owner,
            seed,
            sort,
            name,
        },
        Fact::Lines {
            log: id,
            from,
            lines,
        },
        Fact::SigningStopped { reason },
    ]);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    end.session(v1::session_frame::Frame::Hello(crate::samples::hello(PEER)));
    let held = v1::HeldLog {
        seed: held.seed.as_bytes().to_vec(),
        checkpoint: held.head(held.size()),
    };
    let (logs, last) = (vec![held], true);
    let frames = end.session(v1::session_frame::Frame::Have(v1::Have { logs, last }));
    (end, frames)
}

#[test]
fn a_longer_branch_is_walked_once_it_shows_that_it_is_none_of_ours() {
    let mut log = Written::new(ME, 7);
    for byte in 0..2 {
        log.leave(byte);
    }
    let mut branch = log.fork(1);
    for byte in 10..13 {
        branch.leave(byte);
    }
    let (mut end, frames) = shown(&log, &branch);
    assert_eq!(pulls(&frames), [2]);
    let frames = end.carry(Carried::Package(branch.package(2)));
    assert_eq!(pulls(&frames), [0]);
    end.carry(Carried::Package(branch.package(0)));
    assert_eq!(end.node.log(&log.id).void.leaves.len(), 3);
    assert_eq!((end.node.log(&log.id).size(), end.refused.len()), (2, 1));
}

#[test]
fn lines_that_come_out_of_order_are_pulled_again_and_others_that_are_wrong_are_not() {
    let mut log = Written::new(ME, 7);
    for byte in 0..2 {
        log.leave(byte);
    }
    let mut longer = log.clone();
    for byte in 10..13 {
        longer.leave(byte);
    }
    let (mut end, frames) = shown(&log, &longer);
    assert_eq!(pulls(&frames), [2]);
    assert_eq!(pulls(&end.carry(Carried::Package(longer.package(3)))), [2]);
    let mut elsewhere = Written::new(ME, 8);
    elsewhere.leave(1);
    let mut wrong = longer.package(2);
    wrong.checkpoint = elsewhere.head(1);
    assert_eq!(pulls(&end.carry(Carried::Package(wrong))), []);
    let reasons: Vec<Reason> = end.refused.iter().map(|found| found.reason).collect();
    assert_eq!(reasons, [Reason::OutOfOrder, Reason::WrongLog]);
}
