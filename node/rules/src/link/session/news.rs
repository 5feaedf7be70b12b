//! When a meeting brought all, and what is said to be held.

use corridor_proto::UnixMillis;

use super::*;
use crate::desk::Wish;
use crate::fact::Fact;
use crate::link::Input;
use crate::peer::PeerState;
use crate::samples::{
    ABOUT, End, Frame as Sent, ME, Node, PEER, Written, charter, key, partner_of, rcp,
};
use v1::carry_frame::Frame as Carried;

fn me() -> Node {
    partner_of(&[PEER, ABOUT])
}

fn end() -> End {
    End::greeted(me(), PEER).0
}

fn log(owner: u8, lines: u8) -> Written {
    let mut log = Written::new(owner, 7);
    for byte in 0..lines {
        log.leave(byte);
    }
    log
}

fn compared(end: &mut End) {
    let (serving, compared) = (v1::Serving::Active.into(), true);
    end.session(Frame::State(v1::StateFrame {
        serving,
        compared,
        erase_after_ms: 0,
    }));
}

fn met(end: &End) -> usize {
    let met = end
        .arrived
        .iter()
        .filter(|arrival| matches!(arrival, Arrival::Met { .. }));
    met.count()
}

#[test]
fn a_meeting_that_brought_all_is_noted_every_six_hours() {
    let mut end = end();
    assert_eq!(met(&end), 0);
    compared(&mut end);
    assert_eq!(met(&end), 1);
    assert_eq!(end.node.model.peers[&rcp(PEER)].met, end.node.now);
    let noted = end.node.now;
    end.node.now = noted.plus(NEWS_INTERVAL_MS - 1);
    end.feed(Input::Changed);
    assert_eq!(met(&end), 1);
    end.node.now = noted.plus(NEWS_INTERVAL_MS);
    end.feed(Input::Changed);
    end.feed(Input::Changed);
    assert_eq!(met(&end), 2);
}

#[test]
fn logs_out_of_a_backup_are_shown_once_all_are_as_their_owner_has_them() {
    let (one, mut two) = (log(PEER, 2), Written::new(PEER, 8));
    two.leave(1);
    let mut me = me();
    for log in [&one, &two] {
        me.take(&log.arrival(PEER, log.package(0)));
    }
    let mut theirs = Written::new(ABOUT, 7);
    theirs.leave(1);
    me.take(&theirs.arrival(ABOUT, theirs.package(0)));
    me.apply(&[Fact::Restored { at: UnixMillis(1) }]);
    me.model.signing_stopped = None;
    let (mut end, _) = End::greeted(me, PEER);
    let ids = [one.id, two.id, theirs.id];
    let hidden = |end: &End| ids.map(|id| end.node.log(&id).uncompared);
    two.leave(2);
    end.session(one.announced(2));
    end.session(two.announced(2));
    end.carry(Carried::Package(one.package(1)));
    assert_eq!(hidden(&end), [true; 3]);
    compared(&mut end);
    assert_eq!(hidden(&end), [true; 3], "something of it is still missing");
    end.carry(Carried::Package(two.package(1)));
    assert_eq!(hidden(&end), [false, false, true]);
}

/// Sizes of what is said to be held, in the frames.
fn held(frames: &[Sent]) -> Vec<u64> {
    let held = frames.iter().filter_map(|frame| match frame.said()? {
        Frame::Held(held) => Some(held),
        _ => None,
    });
    let sizes = held.map(|held| {
        let found = Held::verify(&held.note, &charter(ME)).expect("ours");
        found.checkpoint.size
    });
    sizes.collect()
}

fn serving(end: &mut End, serving: v1::Serving) -> Vec<Sent> {
    let serving = serving.into();
    let (erase_after_ms, compared) = (0, false);
    end.session(Frame::State(v1::StateFrame {
        serving,
        erase_after_ms,
        compared,
    }))
}

#[test]
fn what_is_held_is_said_once_a_minute_and_at_once_after_a_withdrawal() {
    let mut log = log(PEER, 2);
    let (mut end, frames) = End::greeted(me(), PEER);
    assert_eq!(held(&frames), []);
    serving(&mut end, v1::Serving::Active);
    end.session(log.announced(2));
    assert_eq!(held(&end.carry(Carried::Package(log.package(0)))), [2]);
    assert_eq!(held(&end.feed(Input::Changed)), []);
    log.leave(9);
    assert_eq!(held(&end.carry(Carried::Package(log.package(2)))), []);
    end.node.now = end.node.now.plus(HELD_INTERVAL_MS - 1);
    assert_eq!(held(&end.feed(Input::Changed)), []);
    end.node.now = end.node.now.plus(1);
    assert_eq!(held(&end.feed(Input::Changed)), [3]);
    end.node.now = end.node.now.plus(HELD_INTERVAL_MS);
    assert_eq!(held(&end.feed(Input::Changed)), [], "nothing is new");
    log.leave(9);
    assert_eq!(held(&end.carry(Carried::Package(log.package(3)))), [4]);
    log.withdraw(1, 5);
    assert_eq!(
        held(&end.carry(Carried::Package(log.package(4)))),
        [5],
        "at once"
    );
    log.leave(9);
    assert_eq!(held(&end.carry(Carried::Package(log.package(5)))), []);
}

/// A node that holds a log of the peer's, after this was done to it.
fn holder(change: impl FnOnce(&mut Node, LogId)) -> End {
    let log = log(PEER, 2);
    let mut me = me();
    me.take(&log.arrival(PEER, log.package(0)));
    change(&mut me, log.id);
    End::greeted(me, PEER).0
}

#[test]
fn a_receipt_is_given_to_whom_it_is_due_and_says_that_all_is_erased() {
    let mut good = holder(|_, _| ());
    assert_eq!(held(&serving(&mut good, v1::Serving::Active)), [2]);
    for (state, expect) in [
        (v1::Serving::Paused, 1),
        (v1::Serving::Left, 1),
        (v1::Serving::Pending, 0),
        (v1::Serving::Unspecified, 0),
    ] {
        let mut end = holder(|_, _| ());
        assert_eq!(held(&serving(&mut end, state)).len(), expect, "{state:?}");
    }
    let none = |change: &dyn Fn(&mut Node, LogId)| {
        let mut end = holder(|node, id| change(node, id));
        let frames = serving(&mut end, v1::Serving::Active);
        assert_eq!(held(&frames), []);
    };
    none(&|node, id| {
        let log = node.model.logs.get_mut(&id).expect("a log");
        log.held_head.as_mut().expect("a head").checkpoint.size = 0;
    });
    none(&|node, _| node.treat(PEER, PeerState::Pending));
    none(&|node, _| node.model.signing_stopped = Some(String::new()));
    none(&|node, id| {
        let log = node.model.logs.get_mut(&id).expect("a log");
        log.stop = Some(crate::log::Stop::NotUnderstood(1));
    });
    none(&|node, id| node.model.logs.get_mut(&id).expect("a log").uncompared = true);
    none(&|node, _| {
        let (at, count) = (node.now, 51);
        node.apply(&[Fact::Withdrawals {
            rcp: rcp(PEER),
            at,
            count,
        }]);
    });
    none(&|node, id| node.model.logs.get_mut(&id).expect("a log").held_head = None);
    let mut unerased = holder(|_, _| ());
    unerased.node.all_erased = false;
    assert_eq!(held(&serving(&mut unerased, v1::Serving::Active)), []);
}

#[test]
fn what_both_knew_when_they_met_is_said_a_little_later() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    crate::samples::pair(&mut me, &mut peer);
    let circle = peer.open("theirs", false, false, &[&me]);
    peer.publish(1, "text", &[circle]);
    crate::samples::exchange(&mut peer, &mut me);
    let mut meeting = crate::samples::Meeting::of(me, peer);
    assert!(!meeting.words(0).contains(&"held"));
    meeting.pass(HELD_LATER_MS - 1);
    assert!(!meeting.words(0).contains(&"held"));
    meeting.pass(1);
    assert_eq!(meeting.words(0), ["hello", "held"]);
    let mut other = crate::samples::Meeting::of(meeting.node(0).clone(), meeting.node(1).clone());
    other.change(1, |peer| {
        peer.publish(2, "more", &[circle]);
    });
    assert!(
        other.words(0).contains(&"held"),
        "what is new since then at once"
    );
}

#[test]
fn a_receipt_that_comes_is_taken_in() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    crate::samples::pair(&mut me, &mut peer);
    let circle = me.open("ours", false, false, &[&peer]);
    me.publish(1, "text", &[circle]);
    let (mut end, _) = End::greeted(me.clone(), PEER);
    let checkpoint = me.log(&circle).head.as_ref().expect("a head").checkpoint;
    let found = Held {
        checkpoint,
        holder: peer.rcp,
        time_s: me.now.0 / 1_000,
    };
    let note = found.sign(&key(PEER)).into_bytes();
    let owner = me.rcp.as_bytes().to_vec();
    end.session(Frame::Held(v1::HeldFrame {
        owner,
        note: note.clone(),
    }));
    assert!(end.node.model.held.contains_key(&(circle, peer.rcp)));
    end.session(Frame::Held(v1::HeldFrame {
        owner: vec![1],
        note,
    }));
    assert_eq!(end.refused.len(), 1);
}

#[test]
fn only_what_is_hidden_is_said_to_be_compared() {
    let (one, mut two) = (log(PEER, 2), Written::new(PEER, 8));
    for byte in 0..3 {
        two.leave(byte);
    }
    let mut me = me();
    me.take(&one.arrival(PEER, one.package(0)));
    me.take(&two.arrival(PEER, two.part(0, 2, 3)));
    let (mut end, _) = End::greeted(me.clone(), PEER);
    compared(&mut end);
    let is_said = |end: &End| {
        let mut arrived = end.arrived.iter();
        arrived.any(|arrival| matches!(arrival, Arrival::Compared { .. }))
    };
    assert!(!is_said(&end));
    me.apply(&[Fact::Restored { at: UnixMillis(1) }]);
    me.model.signing_stopped = None;
    let (mut end, _) = End::greeted(me.clone(), PEER);
    compared(&mut end);
    assert!(!end.node.log(&one.id).uncompared);
    assert!(end.node.log(&two.id).uncompared, "its head is not reached");
    me.model.logs.get_mut(&two.id).expect("a log").retaken = true;
    let (mut end, _) = End::greeted(me, PEER);
    compared(&mut end);
    assert!(
        !end.node.log(&one.id).uncompared,
        "one that is not told of hides no other"
    );
}

#[test]
fn a_new_reader_is_told_of_the_circle_and_one_that_comes_back_again() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    crate::samples::pair(&mut me, &mut peer);
    let circle = me.open("ours", false, false, &[]);
    me.publish(1, "text", &[circle]);
    let mut meeting = crate::samples::Meeting::of(me, peer);
    let rcp = meeting.node(1).rcp;
    let admit = |me: &mut Node, end: u64| {
        let readers = [(rcp, UnixMillis(end))].into_iter().collect();
        me.wish(Wish::SetReaders {
            log: circle,
            readers,
        });
    };
    let read = |meeting: &crate::samples::Meeting| {
        let texts = crate::samples::texts(meeting.node(1), &circle);
        !texts.is_empty()
    };
    assert!(!read(&meeting));
    meeting.change(0, |me| admit(me, 0));
    assert!(read(&meeting));
    meeting.change(0, |me| {
        me.wish(Wish::SetReaders {
            log: circle,
            readers: Default::default(),
        });
        me.publish(2, "more", &[circle]);
    });
    assert_eq!(crate::samples::texts(meeting.node(1), &circle), ["text"]);
    meeting.change(0, |me| admit(me, 0));
    assert_eq!(
        crate::samples::texts(meeting.node(1), &circle),
        ["more", "text"]
    );
    meeting.assert_fine();
}
