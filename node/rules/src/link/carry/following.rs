//! What is fetched of a peer's logs: lines first, then the texts that are missing.

use super::*;
use crate::link::Input;
use crate::samples::{
    ABOUT, End, Frame as Sent, PEER, Written, hello, partner_of, rcp, texts, words,
};
use v1::session_frame::Frame as Said;

#[test]
fn descending_indexes_become_few_ranges() {
    let range = |from, to| v1::IndexRange { from, to };
    assert_eq!(
        ranges(&[9, 8, 7, 4, 2, 1]),
        vec![range(7, 10), range(4, 5), range(1, 3)]
    );
    assert!(ranges(&[]).is_empty());
}

fn end() -> End {
    End::greeted(partner_of(&[PEER, ABOUT]), PEER).0
}

/// From where lines are asked for, and up to which head.
fn pulls(frames: &[Sent]) -> Vec<(u64, u64)> {
    let pulls = frames.iter().filter_map(|frame| match frame.carried()? {
        Frame::Pull(pull) => Some((pull.from, pull.target)),
        _ => None,
    });
    pulls.collect()
}

/// The ranges that are asked for, one after the other.
fn wants(frames: &[Sent]) -> Vec<(u64, u64)> {
    let mut wants = Vec::new();
    for frame in frames {
        if let Some(Frame::Want(want)) = frame.carried() {
            wants.extend(want.ranges.iter().map(|range| (range.from, range.to)));
        }
    }
    wants
}

fn gone_of(log: &Written, ranges: &[(u64, u64)]) -> Frame {
    let ranges = ranges.iter();
    let ranges = ranges.map(|(from, to)| v1::IndexRange {
        from: *from,
        to: *to,
    });
    Frame::Gone(v1::Gone {
        log: log.id.as_bytes().to_vec(),
        ranges: ranges.collect(),
    })
}

fn reasons(end: &End) -> Vec<Reason> {
    end.refused.iter().map(|refusal| refusal.reason).collect()
}

#[test]
fn a_log_that_was_announced_is_pulled_and_its_texts_wanted_newest_first() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let [one, two] = [1, 2].map(|byte| log.text(byte, 5, "text"));
    let frames = end.session(log.announced(2));
    assert_eq!(pulls(&frames), [(0, 0)]);
    let frames = end.carry(Frame::Package(log.part(0, 1, 2)));
    assert_eq!(words(&frames), [""; 0], "first the rest of the lines");
    let frames = end.carry(Frame::Package(log.package(1)));
    assert_eq!(wants(&frames), [(0, 2)]);
    assert!(!end.is_quiet());
    end.carry(log.records(&[(1, &two), (0, &one)]));
    assert_eq!(texts(&end.node, &log.id), ["text", "text"]);
    assert!(end.is_quiet());
    let three = log.text(3, 5, "text");
    assert_eq!(pulls(&end.session(log.announced(3))), [], "it is led on");
    let frames = end.carry(Frame::Package(log.package(2)));
    assert_eq!(wants(&frames), [(2, 3)]);
    end.carry(log.records(&[(2, &three)]));
    assert_eq!(reasons(&end), []);
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    end.carry(Frame::Package(log.package(0)));
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(reasons(&end), [Reason::NotEntitled; 2]);
    end.refused.clear();
    end.session(log.announced(1));
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(reasons(&end), [Reason::NotEntitled]);
    end.carry(Frame::Package(log.package(0)));
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(texts(&end.node, &log.id), ["text"]);
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(reasons(&end).len(), 2, "once");
    end.carry(gone_of(&log, &[]));
    log.leave(9);
    end.carry(Frame::Package(log.package(1)));
    assert_eq!(reasons(&end).len(), 3, "it is not led along it any more");
    assert_eq!(end.node.log(&log.id).size(), 1);
}

#[test]
fn a_log_is_pulled_up_to_the_head_that_was_not_reached() {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    for byte in 0..4 {
        log.leave(byte);
    }
    me.take(&log.arrival(PEER, log.part(0, 2, 4)));
    let (_, frames) = End::greeted(me, PEER);
    assert_eq!(pulls(&frames), [(2, 4)]);
}

#[test]
fn behind_a_restart_the_head_that_was_not_reached_is_led_to_no_more() {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    for byte in 0..6 {
        log.leave(byte);
    }
    me.take(&log.arrival(PEER, log.part(0, 2, 6)));
    let (mut end, frames) = End::greeted(me, PEER);
    assert_eq!(pulls(&frames), [(2, 6)]);
    let mut restarted = log.fork(2);
    restarted.restart(5);
    restarted.leave(9);
    assert_eq!(pulls(&end.session(restarted.announced(4))), [(2, 0)]);
    end.carry(Frame::Package(restarted.package(2)));
    assert_eq!(end.node.log(&log.id).incarnation, 5);
    assert_eq!(reasons(&end), []);
}

#[test]
fn what_is_gone_is_asked_for_again_when_the_log_has_news() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    for byte in 0..3 {
        log.text(byte, 5, "text");
    }
    end.session(log.announced(3));
    assert_eq!(wants(&end.carry(Frame::Package(log.package(0)))), [(0, 3)]);
    assert_eq!(wants(&end.carry(gone_of(&log, &[(1, 3)]))), []);
    assert!(!end.is_quiet(), "one is on its way");
    assert_eq!(wants(&end.carry(gone_of(&log, &[(0, 1), (5, 2)]))), []);
    assert_eq!(wants(&end.feed(Input::Changed)), []);
    let frames = end.session(log.announced(3));
    assert_eq!(wants(&frames), [(0, 3)]);
    assert_eq!(reasons(&end), []);
}

#[test]
fn a_log_that_is_gone_is_pulled_when_it_is_announced_again() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    end.session(log.announced(1));
    assert_eq!(wants(&end.carry(Frame::Package(log.package(0)))), [(0, 1)]);
    assert_eq!(words(&end.carry(gone_of(&log, &[]))), [""; 0]);
    assert_eq!(words(&end.feed(Input::Changed)), [""; 0]);
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(reasons(&end), [Reason::NotEntitled], "nothing is awaited");
    let frames = end.session(log.announced(1));
    assert_eq!(pulls(&frames), [(1, 0)]);
    assert_eq!(wants(&frames), [(0, 1)]);
    let unknown = Written::new(PEER, 9);
    assert_eq!(words(&end.carry(gone_of(&unknown, &[]))), [""; 0]);
    assert_eq!(
        reasons(&end).len(),
        1,
        "of what nobody follows it says nothing"
    );
}

#[test]
fn a_text_that_stands_in_two_logs_is_asked_for_in_one() {
    let mut end = end();
    let (mut one, mut two) = (Written::new(PEER, 7), Written::new(PEER, 8));
    let text = one.text(1, 5, "text");
    two.publish(&text);
    for log in [&one, &two] {
        end.session(log.announced(1));
    }
    let frames = end.carry(Frame::Package(one.package(0)));
    assert_eq!(wants(&frames), [(0, 1)]);
    let frames = end.carry(Frame::Package(two.package(0)));
    assert_eq!(wants(&frames), []);
    end.carry(one.records(&[(0, &text)]));
    for log in [&one, &two] {
        assert_eq!(texts(&end.node, &log.id), ["text"]);
    }
    assert_eq!(reasons(&end), []);
}

#[test]
fn texts_wait_while_lines_of_their_rcp_are_missing() {
    let mut end = end();
    let (mut one, mut two) = (Written::new(PEER, 7), Written::new(PEER, 8));
    one.text(1, 5, "text");
    for byte in 0..2 {
        two.leave(byte);
    }
    for log in [&one, &two] {
        end.session(log.announced(log.size()));
    }
    end.carry(Frame::Package(two.part(0, 1, 2)));
    assert_eq!(wants(&end.carry(Frame::Package(one.package(0)))), []);
    let frames = end.carry(Frame::Package(two.package(1)));
    assert_eq!(wants(&frames), [(0, 1)]);
}

#[test]
fn a_frozen_log_keeps_no_texts_of_others_waiting() {
    let mut end = end();
    let (mut one, mut two) = (Written::new(PEER, 7), Written::new(PEER, 8));
    one.text(1, 5, "text");
    for byte in 0..2 {
        two.leave(byte);
    }
    for log in [&one, &two] {
        end.session(log.announced(log.size()));
    }
    end.carry(Frame::Package(two.part(0, 1, 2)));
    let found = end.node.model.logs.get_mut(&two.id).expect("a log");
    found.stop = Some(crate::log::Stop::Frozen { accepted: false });
    let frames = end.carry(Frame::Package(one.package(0)));
    assert_eq!(wants(&frames), [(0, 1)], "its lines may never come");
}

#[test]
fn so_many_texts_are_on_their_way_at_once() {
    let mut end = end();
    let count = u64::try_from(WANTS_IN_FLIGHT).expect("few") + 10;
    let log = many(7, count);
    end.session(log.announced(count));
    let mut frames = Vec::new();
    for from in (0..count).step_by(256) {
        let to = count.min(from + 256);
        frames.extend(end.carry(Frame::Package(log.part(from, to, count))));
    }
    assert_eq!(wants(&frames), [(10, count)]);
    assert_eq!(wants(&end.feed(Input::Changed)), []);
    assert_eq!(wants(&end.carry(gone_of(&log, &[(10, 13)]))), [(7, 10)]);
    assert_eq!(wants(&end.carry(gone_of(&log, &[(13, count)]))), [(0, 7)]);
    assert_eq!(reasons(&end), []);
}

#[test]
fn wants_with_many_ranges_go_in_several_frames() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let count = 2 * u64::try_from(WANT_RANGES_MAX).expect("few") + 2;
    for number in 0..count {
        if number % 2 == 1 {
            log.leave(1);
            continue;
        }
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let mut record = [7; 16];
        record[..8].copy_from_slice(&number.to_be_bytes());
        log.push(corridor_proto::line::Act::Publish {
            version_hash: corridor_proto::Hash::new(bytes),
            record: corridor_proto::RecordId::new(record),
            version: 5,
        });
    }
    end.session(log.announced(count));
    let mut frames = Vec::new();
    for from in (0..count).step_by(256) {
        let to = count.min(from + 256);
        frames.extend(end.carry(Frame::Package(log.part(from, to, count))));
    }
    let sizes = frames.iter().filter_map(|frame| match frame.carried()? {
        Frame::Want(want) => Some(want.ranges.len()),
        _ => None,
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [WANT_RANGES_MAX, 1]);
}

#[test]
fn after_a_package_that_is_refused_those_behind_it_are_passed_over() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    for byte in 0..6 {
        log.leave(byte);
    }
    end.session(log.announced(6));
    end.carry(Frame::Package(log.part(0, 1, 6)));
    let mut bad = log.part(1, 2, 6);
    bad.checkpoint[40] ^= 1;
    end.carry(Frame::Package(bad));
    assert_eq!(end.refused.len(), 1);
    end.carry(Frame::Package(log.part(2, 3, 6)));
    end.carry(Frame::Package(log.part(3, 4, 6)));
    assert_eq!(end.refused.len(), 1);
    assert_eq!(end.node.log(&log.id).size(), 1);
    log.leave(9);
    let frames = end.session(log.announced(7));
    assert_eq!(pulls(&frames), [(1, 6)], "from where we are");
    end.carry(Frame::Package(log.part(2, 3, 6)));
    assert_eq!(end.refused.len(), 1, "still one of those");
    end.carry(Frame::Package(log.part(1, 6, 6)));
    end.carry(Frame::Package(log.part(6, 7, 7)));
    assert_eq!(end.node.log(&log.id).size(), 7);
    assert_eq!(end.refused.len(), 1);
}

#[test]
fn nothing_is_asked_of_a_peer_that_may_not_send() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    log.leave(1);
    me.take(&log.arrival(PEER, log.package(0)));
    me.treat(PEER, crate::peer::PeerState::Left);
    let (mut end, frames) = End::greeted(me, PEER);
    assert_eq!(pulls(&frames), []);
    log.leave(2);
    assert_eq!(pulls(&end.session(log.announced(2))), []);
}

#[test]
fn a_second_text_under_one_version_is_found_to_be_evidence() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let mut other_log = Written::new(PEER, 8);
    let one = log.text(1, 5, "one");
    let other = other_log.text(1, 5, "other");
    end.session(log.announced(1));
    end.carry(Frame::Package(log.package(0)));
    end.carry(log.records(&[(0, &one)]));
    end.session(other_log.announced(1));
    end.carry(Frame::Package(other_log.package(0)));
    assert_eq!(end.node.model.evidence, []);
    end.carry(other_log.records(&[(0, &other)]));
    let [kept] = &end.node.model.evidence[..] else {
        panic!("{:?}", end.node.model.evidence);
    };
    assert_eq!(kept.rcp, rcp(PEER));
    assert_eq!(texts(&end.node, &log.id), [""; 0], "neither is shown");
    assert_eq!(reasons(&end), []);
}

#[test]
fn a_record_that_is_damaged_on_its_way_is_asked_for_again_with_the_next_news() {
    let mut end = end();
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    end.session(log.announced(1));
    end.carry(Frame::Package(log.package(0)));
    let Frame::Records(mut damaged) = log.records(&[(0, &text)]) else {
        panic!("records");
    };
    damaged.records[0].body[0] ^= 1;
    assert_eq!(wants(&end.carry(Frame::Records(damaged))), []);
    assert_eq!(reasons(&end), [Reason::WrongHash]);
    let frames = end.session(log.announced(1));
    assert_eq!(wants(&frames), [(0, 1)]);
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(texts(&end.node, &log.id), ["text"]);
}

#[test]
fn what_is_not_yet_led_along_is_not_wanted() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    log.text(1, 5, "text");
    me.take(&log.arrival(PEER, log.package(0)));
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    let frames = end.session(Said::Hello(hello(PEER)));
    let asked = words(&frames);
    let pull = asked
        .iter()
        .position(|word| *word == "pull")
        .expect("a pull");
    let want = asked
        .iter()
        .position(|word| *word == "want")
        .expect("a want");
    assert!(pull < want);
    assert_eq!(wants(&frames), [(0, 1)]);
}

/// A log of lines that name so many texts, each of another record.
fn many(seed: u8, count: u64) -> Written {
    let mut log = Written::new(PEER, seed);
    for number in 0..count {
        let mut hash = [seed; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let mut record = [seed; 16];
        record[..8].copy_from_slice(&number.to_be_bytes());
        log.push(corridor_proto::line::Act::Publish {
            version_hash: corridor_proto::Hash::new(hash),
            record: corridor_proto::RecordId::new(record),
            version: 5,
        });
    }
    log
}

#[test]
fn texts_on_their_way_are_counted_over_all_logs() {
    let most = u64::try_from(WANTS_IN_FLIGHT).expect("few");
    let logs = [many(7, most - 2), many(8, 100)];
    let mut me = partner_of(&[PEER]);
    for log in &logs {
        for from in (0..log.size()).step_by(256) {
            let to = log.size().min(from + 256);
            me.take(&log.arrival(PEER, log.part(from, to, log.size())));
        }
    }
    let (_, frames) = End::greeted(me, PEER);
    let asked: u64 = wants(&frames).iter().map(|(from, to)| to - from).sum();
    assert_eq!(asked, most);
}

#[test]
fn so_many_answers_are_remembered_and_those_that_are_missing_longer() {
    let mut end = end();
    let log = many(7, 3);
    end.session(log.announced(3));
    end.carry(Frame::Package(log.package(0)));
    end.carry(gone_of(&log, &[(0, 3)]));
    let most = u64::try_from(WANTS_IN_FLIGHT).expect("few");
    let remembered = |end: &mut End, count: u64| {
        let following = end.link.following.get_mut(&log.id).expect("it is followed");
        following.answered = (0..count).map(|index| (index, None)).collect();
        assert_eq!(wants(&end.feed(Input::Changed)), []);
        end.link.following[&log.id].answered.len()
    };
    assert_eq!(remembered(&mut end, most), WANTS_IN_FLIGHT);
    assert_eq!(remembered(&mut end, most + 1), 3);
}
