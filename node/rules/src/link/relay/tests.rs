//! When a reader is asked for another RCP's log, what it is asked for, and what it says of it.

use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::link::Input;
use crate::samples::{
    ABOUT, End, Frame as Sent, ME, Node, PEER, Written, key, partner_of, rcp, rotated, version,
    words,
};
use v1::carry_frame::Frame as Carried;

/// From where lines are asked for.
fn pulls(frames: &[Sent]) -> Vec<u64> {
    let pulls = frames.iter().filter_map(|frame| match frame.carried()? {
        Carried::Pull(pull) => Some(pull.from),
        _ => None,
    });
    pulls.collect()
}

/// The ranges of lines whose texts are asked for.
fn wants(frames: &[Sent]) -> Vec<(u64, u64)> {
    let mut wants = Vec::new();
    for frame in frames {
        if let Some(Carried::Want(want)) = frame.carried() {
            wants.extend(want.ranges.iter().map(|range| (range.from, range.to)));
        }
    }
    wants
}

/// A node that follows an open log of [`PEER`], with a list of these readers; it was passed on.
fn follower(readers: &[u8]) -> (Node, Written) {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    let readers: Vec<RcpId> = readers.iter().map(|byte| rcp(*byte)).collect();
    let body = log.list(true, &readers);
    let mut package = log.package(0);
    package.readers = Some(log.readers(0, 1, body));
    me.take(&log.arrival(PEER, package));
    (me, log)
}

/// It is connected to the relay, and to these.
fn linked(me: Node, to: &[u8]) -> End {
    let (mut end, frames) = End::greeted(me, ABOUT);
    assert_eq!(pulls(&frames), []);
    end.node.linked.extend(to.iter().map(|byte| rcp(*byte)));
    end
}

/// What is sent after so many milliseconds more.
fn later(end: &mut End, ms: u64) -> Vec<Sent> {
    end.node.now = end.node.now.plus(ms);
    end.feed(Input::Changed)
}

#[test]
fn lines_from_beyond_every_log_are_not_noted() {
    let mut relayed = Relayed::default();
    relayed.note(&v1::Package {
        from: u64::MAX,
        lines: vec![vec![1], vec![1]],
        ..v1::Package::default()
    });
    assert!(relayed.named.is_empty());
    let mut log = Written::new(PEER, 7);
    log.text(1, 5, "text");
    let line = log.lines[0].clone();
    for (from, noted) in [(ORDINAL_MAX, 1), (ORDINAL_MAX + 1, 1)] {
        relayed.note(&v1::Package {
            from,
            lines: vec![line.clone()],
            ..v1::Package::default()
        });
        assert_eq!(relayed.named.len(), noted);
    }
}

#[test]
fn a_relay_is_asked_at_once_when_the_owner_is_not_reached() {
    let (me, mut log) = follower(&[ME, ABOUT]);
    let mut end = linked(me, &[]);
    log.leave(1);
    assert_eq!(pulls(&end.session(log.announced(2))), [1]);
    end.carry(Carried::Package(log.package(1)));
    assert_eq!(end.node.log(&log.id).size(), 2);
    log.leave(2);
    assert_eq!(
        pulls(&end.session(log.announced(3))),
        [2],
        "each head is asked for"
    );
    assert_eq!(end.refused, []);
}

#[test]
fn a_relay_waits_for_the_owner_and_for_those_before_it() {
    let before: Vec<u8> = (10..60)
        .filter(|byte| rcp(*byte) < rcp(ABOUT))
        .take(2)
        .collect();
    let after = (10..60).find(|byte| rcp(*byte) > rcp(ABOUT)).expect("one");
    let [one, two] = before[..] else {
        panic!("{before:?}");
    };
    for (others, turns) in [
        (vec![], 0),
        (vec![PEER], 1),
        (vec![one], 1),
        (vec![after], 0),
        (vec![PEER, one, two], 3),
    ] {
        let (me, mut log) = follower(&[ME, ABOUT, one, two, after]);
        let mut end = linked(me, &others);
        log.leave(1);
        let frames = end.session(log.announced(2));
        if turns > 0 {
            assert_eq!(pulls(&frames), [], "{others:?}");
            assert_eq!(pulls(&later(&mut end, turns * RELAY_TURN_MS - 1)), []);
            assert_eq!(pulls(&later(&mut end, 1)), [1], "{others:?}");
        } else {
            assert_eq!(pulls(&frames), [1], "{others:?}");
        }
    }
}

#[test]
fn the_turn_begins_anew_while_lines_come_from_elsewhere() {
    let (me, mut log) = follower(&[ME, ABOUT]);
    let mut end = linked(me, &[PEER]);
    log.leave(1);
    log.leave(2);
    end.session(log.announced(3));
    later(&mut end, RELAY_TURN_MS - 1);
    end.node.take(&log.arrival(PEER, log.part(1, 2, 3)));
    assert_eq!(pulls(&later(&mut end, 1)), []);
    assert_eq!(pulls(&later(&mut end, RELAY_TURN_MS - 1)), []);
    assert_eq!(pulls(&later(&mut end, 1)), [2]);
    end.node.take(&log.arrival(PEER, log.part(2, 3, 3)));
    assert_eq!(
        words(&later(&mut end, RELAY_TURN_MS)),
        [""; 0],
        "nothing is missing"
    );
}

#[test]
fn a_relay_is_not_asked_for_what_came_from_the_owner_meanwhile() {
    let (me, mut log) = follower(&[ME, ABOUT]);
    let mut end = linked(me, &[PEER]);
    assert!(
        !end.link.following.contains_key(&log.id),
        "nothing is missing"
    );
    log.leave(1);
    assert_eq!(pulls(&end.session(log.announced(2))), []);
    end.node.take(&log.arrival(PEER, log.package(1)));
    assert_eq!(words(&later(&mut end, RELAY_TURN_MS)), [""; 0]);
    assert_eq!(words(&later(&mut end, RELAY_TURN_MS)), [""; 0]);
}

#[test]
fn a_relay_that_has_not_reached_the_head_is_not_asked() {
    let (mut me, mut log) = follower(&[ME, ABOUT]);
    for byte in 1..4 {
        log.leave(byte);
    }
    me.take(&log.arrival(PEER, log.part(1, 2, 4)));
    let mut end = linked(me, &[]);
    assert_eq!(pulls(&end.session(log.announced(3))), []);
    assert_eq!(pulls(&end.session(log.announced(4))), [2]);
}

#[test]
fn whoever_is_not_confirmed_passes_nothing_on() {
    for byte in [PEER, ABOUT] {
        let (mut me, mut log) = follower(&[ME, ABOUT]);
        me.treat(byte, crate::peer::PeerState::Pending);
        let mut end = linked(me, &[]);
        log.leave(1);
        assert_eq!(pulls(&end.session(log.announced(2))), [], "{byte}");
        assert_eq!(end.refused, []);
    }
}

#[test]
fn all_texts_along_a_relay_are_asked_for_held_or_not() {
    let (mut me, mut log) = follower(&[ME, ABOUT]);
    let held = version(PEER, 1, 5, "held");
    let mut other = Written::new(PEER, 8);
    other.publish(&held);
    me.take(&other.arrival(PEER, other.package(0)));
    let (peer, records) = (rcp(PEER), vec![(0, held.clone())]);
    me.take(&crate::ingest::Arrival::Records {
        peer,
        log: other.id,
        records,
    });
    let mut end = linked(me, &[]);
    log.publish(&held);
    log.text(2, 5, "left");
    log.text(3, 5, "withdrawn");
    log.text(4, 5, "replaced");
    let newest = log.text(4, 6, "newest");
    log.leave(2);
    log.withdraw(3, WHOLE_RECORD);
    let size = log.size();
    end.session(log.announced(size));
    let frames = end.carry(Carried::Package(log.package(1)));
    assert_eq!(wants(&frames), [(5, 6), (1, 2)], "as far as this log tells");
    end.carry(log.records(&[(5, &newest), (1, &held)]));
    assert_eq!(end.refused, []);
    assert_eq!(
        crate::samples::texts(&end.node, &log.id),
        ["held", "newest"]
    );
    assert_eq!(wants(&end.feed(Input::Changed)), []);
}

#[test]
fn what_another_log_withdrew_is_asked_for_all_the_same() {
    let (mut me, mut log) = follower(&[ME, ABOUT]);
    let mut private = Written::new(PEER, 8);
    private.withdraw(1, WHOLE_RECORD);
    me.take(&private.arrival(PEER, private.package(0)));
    let mut end = linked(me, &[]);
    log.text(1, 5, "text");
    end.session(log.announced(2));
    let frames = end.carry(Carried::Package(log.package(1)));
    assert_eq!(wants(&frames), [(1, 2)], "the relay may not know");
}

#[test]
fn a_text_that_is_missing_is_asked_for_along_a_relay_in_its_turn() {
    let (mut me, mut log) = follower(&[ME, ABOUT]);
    let text = log.text(1, 5, "text");
    me.take(&log.arrival(PEER, log.package(1)));
    let (mut end, frames) = End::greeted(me.clone(), ABOUT);
    assert_eq!(pulls(&frames), [2], "though no line is");
    assert_eq!(wants(&frames), [(1, 2)]);
    end.carry(log.records(&[(1, &text)]));
    assert_eq!(crate::samples::texts(&end.node, &log.id), ["text"]);
    me.linked = vec![rcp(PEER)];
    let (mut end, frames) = End::greeted(me, ABOUT);
    assert_eq!(pulls(&frames), []);
    assert_eq!(pulls(&later(&mut end, RELAY_TURN_MS)), [2]);
}

#[test]
fn a_relay_leads_to_the_head_that_it_had_and_no_further() {
    let (me, mut log) = follower(&[ME, ABOUT]);
    let mut end = linked(me, &[]);
    log.leave(1);
    end.session(log.announced(2));
    end.carry(Carried::Package(log.package(1)));
    assert_eq!(words(&end.session(log.announced(2))), [""; 0], "it is here");
    assert_eq!(words(&end.session(log.announced(1))), [""; 0]);
    let mut other = log.fork(2);
    other.restart(5);
    assert_eq!(pulls(&end.session(other.announced(3))), [2]);
    let mut shorter = log.fork(1);
    shorter.restart(6);
    assert_eq!(pulls(&end.session(shorter.announced(2))), [0], "a restart");
}

/// An owner, a reader that passes on, and a reader behind it; the owner's circle, with one text.
fn three() -> ([Node; 3], corridor_proto::LogId) {
    let mut nodes = [PEER, ME, ABOUT].map(Node::new);
    let [owner, me, other] = &mut nodes;
    crate::samples::pair(owner, me);
    crate::samples::pair(owner, other);
    crate::samples::pair(me, other);
    let circle = owner.open("shared", true, true, &[me, other]);
    owner.publish(1, "text", &[circle]);
    crate::samples::exchange(owner, me);
    (nodes, circle)
}

#[test]
fn a_reader_gets_a_circle_through_another_reader() {
    let ([owner, me, other], circle) = three();
    let mut meeting = crate::samples::Meeting::of(me, other);
    assert!(meeting.node(1).model.logs.contains_key(&circle));
    assert_eq!(crate::samples::texts(meeting.node(1), &circle), ["text"]);
    meeting.assert_fine();
    let told = |meeting: &crate::samples::Meeting| {
        let heads = meeting.said(0, |said| match said {
            Frame::Checkpoint(frame) => Some(frame.owner.clone()),
            _ => None,
        });
        let of = owner.rcp.as_bytes().to_vec();
        heads.iter().filter(|owner| **owner == of).count()
    };
    assert_eq!(told(&meeting), 1);
    meeting.forget();
    let (mut owner, mut me) = (owner.clone(), meeting.node(0).clone());
    for byte in 2..4 {
        owner.publish(byte, "more", &[circle]);
        crate::samples::exchange(&mut owner, &mut me);
        let linked = meeting.ends[0].node.linked.clone();
        meeting.ends[0].node = me.clone();
        meeting.ends[0].node.linked = linked;
        if byte == 2 {
            meeting.pass(RELAY_PAUSE_MS - 1);
            assert_eq!(told(&meeting), 0, "now and then");
            meeting.pass(1);
            assert_eq!(told(&meeting), 1);
        }
        me = meeting.node(0).clone();
    }
    meeting.pass(0);
    assert_eq!(told(&meeting), 1);
    meeting.pass(RELAY_PAUSE_MS);
    assert_eq!(told(&meeting), 2);
    assert_eq!(crate::samples::texts(meeting.node(1), &circle).len(), 3);
    meeting.assert_fine();
}

#[test]
fn a_head_is_told_again_once_the_texts_behind_it_are_here() {
    let ([mut owner, mut me, other], circle) = three();
    owner.publish(2, "more", &[circle]);
    let log = owner.log(&circle).clone();
    let head = log.head.as_ref().expect("a head").note.clone();
    let target = crate::serve::Target {
        size: log.size(),
        note: head,
    };
    let from = me.log(&circle).size();
    let package = crate::serve::package(&owner.model, &owner.store, &log, from, &target, false);
    let (peer, seed) = (owner.rcp, log.seed);
    let package = Box::new(package.expect("a package"));
    me.take(&crate::ingest::Arrival::Package {
        peer,
        owner: peer,
        seed,
        package,
    });
    let mut meeting = crate::samples::Meeting::of(me, other);
    assert_eq!(crate::samples::texts(meeting.node(1), &circle), ["text"]);
    let index = log.size() - 1;
    let records = vec![(index, owner.record_at(&circle, index))];
    let arrival = crate::ingest::Arrival::Records {
        peer,
        log: circle,
        records,
    };
    meeting.change(0, |me| drop(me.take(&arrival)));
    meeting.pass(RELAY_PAUSE_MS);
    assert_eq!(
        crate::samples::texts(meeting.node(1), &circle),
        ["more", "text"]
    );
    meeting.assert_fine();
}

#[test]
fn a_node_that_signs_nothing_passes_no_head_on() {
    let ([_, mut me, _], _) = three();
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (_, frames) = End::greeted(me, ABOUT);
    assert!(!words(&frames).contains(&"checkpoint"));
}

#[test]
fn a_third_ones_newer_key_is_shown_before_what_it_signed() {
    let ([_, mut me, _], circle) = three();
    let identities = |frames: &[Sent]| {
        let shown = frames.iter().filter_map(|frame| match frame.said()? {
            Frame::Identity(message) => Identity::claimed(message),
            _ => None,
        });
        shown
            .filter(|rcp| *rcp == crate::samples::rcp(PEER))
            .count()
    };
    let (_, frames) = End::greeted(me.clone(), ABOUT);
    assert_eq!(identities(&frames), 0, "its first key is known");
    let found = crate::samples::identity(&rotated(PEER, 50), 50);
    me.take(&crate::ingest::Arrival::Identity(Box::new(found)));
    let head = me
        .log(&circle)
        .held_head
        .as_ref()
        .expect("a head")
        .checkpoint;
    let note = head.sign(&key(50)).note().to_owned();
    me.apply(&[crate::Fact::Head { log: circle, note }]);
    let (mut end, frames) = End::greeted(me, ABOUT);
    assert_eq!(identities(&frames), 1);
    let words = words(&frames);
    let first = |word| words.iter().rposition(|found| *found == word);
    assert!(first("identity") < first("checkpoint"));
    let rcp = rcp(PEER);
    end.node.look(|context| {
        let mut out = Vec::new();
        end.link.introduce_third(&rcp, context, &mut out);
        assert_eq!(out.len(), 0, "once");
        end.link
            .introduce_third(&context.model.me, context, &mut out);
        assert_eq!(out.len(), 0, "we introduce ourselves otherwise");
    });
}
