//! How a second history of a log is found, proved and told, and when there is none after all.

use corridor_proto::evidence::Proved;
use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::fact::Fact;
use crate::link::Input;
use crate::log::Stop;
use crate::samples::{
    ABOUT, End, Frame as Sent, ME, Node, PEER, Written, partner_of, rcp, texts, words,
};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

/// From where lines are asked for.
fn pulls(frames: &[Sent]) -> Vec<u64> {
    let pulls = frames.iter().filter_map(|frame| match frame.carried()? {
        Carried::Pull(pull) => Some(pull.from),
        _ => None,
    });
    pulls.collect()
}

/// A node that follows a log of the peer's, which has a text and some lines, and holds all of it.
fn follower() -> (End, Written) {
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    for byte in 10..13 {
        log.leave(byte);
    }
    let (mut end, _) = End::greeted(partner_of(&[PEER, ABOUT]), PEER);
    end.session(log.announced(4));
    end.carry(Carried::Package(log.package(0)));
    end.carry(log.records(&[(0, &text)]));
    assert_eq!(texts(&end.node, &log.id), ["text"]);
    (end, log)
}

fn is_frozen(end: &End, log: &Written) -> bool {
    end.node.log(&log.id).stop == Some(Stop::Frozen { accepted: false })
}

fn proofs(end: &End) -> usize {
    end.node.model.evidence.len()
}

#[test]
fn two_roots_for_one_size_are_evidence_at_once_and_the_other_history_is_walked() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.withdraw(1, WHOLE_RECORD);
    other.text(2, 6, "other");
    let frames = end.session(other.announced(4));
    assert!(is_frozen(&end, &log));
    assert_eq!(proofs(&end), 1);
    assert_eq!(pulls(&frames), [0], "from its first line");
    let frames = end.carry(Carried::Package(other.part(0, 3, 4)));
    assert_eq!(words(&frames), [""; 0]);
    assert_eq!(
        end.node.row_of(&rcp(PEER), 1).burnt(),
        WHOLE_RECORD,
        "it counts"
    );
    assert!(!end.node.store.contains(b"text"));
    end.carry(Carried::Package(other.package(3)));
    assert!(
        end.node.row_of(&rcp(PEER), 2).stands.is_empty(),
        "and publishes nothing"
    );
    assert_eq!(proofs(&end), 1, "one proof is enough");
    assert_eq!(end.refused, []);
    assert_eq!(end.node.log(&log.id).size(), 4, "our copy stays");
}

#[test]
fn a_head_of_a_size_without_a_signed_root_is_proved_by_two_lines() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.withdraw(1, WHOLE_RECORD);
    let frames = end.session(other.announced(3));
    assert_eq!(proofs(&end), 0, "it may be damaged, or its answer");
    assert!(!is_frozen(&end, &log));
    assert_eq!(pulls(&frames), [0]);
    end.carry(Carried::Package(other.part(0, 2, 3)));
    assert_eq!(proofs(&end), 0);
    end.carry(Carried::Package(other.package(2)));
    assert_eq!(proofs(&end), 1);
    let kept = &end.node.model.evidence[0];
    assert_eq!(
        kept.proved,
        Proved::Log {
            log: log.id,
            incarnation: 0
        }
    );
    assert!(is_frozen(&end, &log));
    assert_eq!(end.node.row_of(&rcp(PEER), 1).burnt(), WHOLE_RECORD);
    let mut longer = other.clone();
    longer.leave(20);
    end.carry(Carried::Package(longer.package(3)));
    assert_eq!(proofs(&end), 1, "it is proved");
    assert_eq!(end.refused, []);
}

#[test]
fn a_package_that_does_not_fit_is_looked_into_once() {
    let (mut end, mut log) = follower();
    log.leave(13);
    log.leave(14);
    let mut damaged = log.package(4);
    damaged.lines.pop();
    let frames = end.carry(Carried::Package(damaged));
    assert_eq!(end.refused.len(), 1);
    assert_eq!(pulls(&frames), [0], "the log may have a second history");
    let frames = end.carry(Carried::Package(log.part(0, 3, 6)));
    assert_eq!(pulls(&frames), []);
    let frames = end.carry(Carried::Package(log.part(3, 6, 6)));
    assert_eq!(pulls(&frames), [4], "it was ours after all");
    end.carry(Carried::Package(log.package(4)));
    assert_eq!(end.node.log(&log.id).size(), 6);
    assert_eq!((end.refused.len(), proofs(&end)), (1, 0));
    log.leave(15);
    let mut damaged = log.package(6);
    damaged.lines.push(vec![1]);
    let frames = end.carry(Carried::Package(damaged));
    assert_eq!(pulls(&frames), [], "once");
    assert_eq!(pulls(&end.session(log.announced(7))), [6]);
}

#[test]
fn a_walk_that_ends_with_what_is_here_asks_for_no_more() {
    let (mut end, mut log) = follower();
    let size = log.size();
    log.leave(13);
    let mut damaged = log.package(4);
    damaged.lines[0] = vec![1, 2, 3];
    end.carry(Carried::Package(damaged));
    let mut short = log.fork(4);
    short.hand = 1;
    let frames = end.carry(Carried::Package(short.package(0)));
    assert_eq!(short.size(), size);
    assert_eq!(pulls(&frames), []);
    assert!(!end.link.following[&log.id].is_walked());
}

#[test]
fn a_second_history_that_does_not_prove_itself_is_given_up() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.withdraw(1, WHOLE_RECORD);
    end.session(other.announced(3));
    let mut bad = other.package(0);
    bad.lines[1] = vec![1, 2, 3];
    let frames = end.carry(Carried::Package(bad));
    assert_eq!(end.refused.len(), 1);
    assert_eq!(pulls(&frames), []);
    assert!(!end.link.following[&log.id].is_walked());
    end.carry(Carried::Package(other.package(0)));
    assert_eq!(end.refused.len(), 2, "it is not awaited any more");
    let of_another = {
        let (mut end, log) = follower();
        let mut other = log.fork(2);
        other.withdraw(1, WHOLE_RECORD);
        end.session(other.announced(3));
        let mut elsewhere = Written::new(PEER, 8);
        elsewhere.leave(1);
        let mut package = other.package(0);
        package.checkpoint = elsewhere.head(1);
        end.carry(Carried::Package(package));
        end.refused
    };
    assert_eq!(of_another, [Refusal::new("checkpoint", Reason::WrongLog)]);
}

#[test]
fn what_comes_out_of_turn_on_a_walk_is_passed_over() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.withdraw(1, WHOLE_RECORD);
    end.session(other.announced(3));
    end.carry(Carried::Package(other.part(1, 2, 3)));
    assert_eq!(end.refused, []);
    end.carry(Carried::Package(other.package(0)));
    assert_eq!(proofs(&end), 1);
}

#[test]
fn a_walk_ends_when_the_log_was_restarted_meanwhile() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.withdraw(1, WHOLE_RECORD);
    end.session(other.announced(3));
    other.restart(5);
    end.carry(Carried::Package(other.package(0)));
    assert_eq!((proofs(&end), end.refused.len()), (0, 0));
    assert!(!end.link.following[&log.id].is_walked());
    let frames = end.session(other.announced(4));
    assert_eq!(pulls(&frames), [0], "the restart is followed");
}

#[test]
fn a_frozen_log_waits_for_a_person_before_its_restart_is_followed() {
    let (mut end, log) = follower();
    let mut other = log.fork(2);
    other.leave(20);
    other.leave(21);
    end.session(other.announced(4));
    assert!(is_frozen(&end, &log));
    let mut restarted = log.fork(2);
    restarted.restart(5);
    restarted.text(3, 9, "after");
    let frames = end.session(restarted.announced(4));
    assert_eq!(pulls(&frames), []);
    assert!(end.node.log(&log.id).awaits_acceptance());
    assert_eq!(pulls(&end.feed(Input::Changed)), []);
    end.node
        .wish(crate::desk::Wish::AcceptRestart { rcp: rcp(PEER) });
    let frames = end.feed(Input::Changed);
    assert_eq!(pulls(&frames), [0]);
    assert_eq!(pulls(&end.feed(Input::Changed)), [], "once");
    end.carry(Carried::Package(restarted.package(0)));
    let found = end.node.log(&log.id);
    assert_eq!((found.incarnation, found.stop), (5, None));
    assert_eq!(end.refused, []);
}

#[test]
fn a_frozen_log_is_followed_on_in_its_incarnation() {
    let (mut end, mut log) = follower();
    let found = end.node.model.logs.get_mut(&log.id).expect("a log");
    found.stop = Some(Stop::Frozen { accepted: false });
    let (id, ranges) = (log.id.as_bytes().to_vec(), Vec::new());
    end.carry(Carried::Gone(v1::Gone { log: id, ranges }));
    log.withdraw(1, WHOLE_RECORD);
    assert_eq!(pulls(&end.session(log.announced(5))), [4]);
    end.carry(Carried::Package(log.package(4)));
    assert_eq!(end.node.row_of(&rcp(PEER), 1).burnt(), WHOLE_RECORD);
}

#[test]
fn what_was_accepted_is_followed_only_if_the_peer_has_it() {
    let (mut end, log) = follower();
    let found = end.node.model.logs.get_mut(&log.id).expect("a log");
    found.stop = Some(Stop::Frozen { accepted: true });
    assert_eq!(
        pulls(&end.feed(Input::Changed)),
        [],
        "no restart was announced"
    );
}

#[test]
fn a_head_that_fits_needs_no_looking_into() {
    let (mut end, log) = follower();
    for size in 1..=4 {
        assert_eq!(words(&end.session(log.announced(size))), [""; 0]);
    }
    assert_eq!((proofs(&end), end.refused.len()), (0, 0));
    let mut longer = log.clone();
    longer.leave(20);
    end.session(longer.announced(5));
    assert!(!end.link.following[&log.id].is_walked());
}

fn told(frames: &[Sent]) -> usize {
    let told = frames
        .iter()
        .filter(|frame| matches!(frame.said(), Some(Said::Evidence(_))));
    told.count()
}

/// A node with evidence about a partner, who reads its own.
fn witness() -> Node {
    let (end, log) = follower();
    let mut me = end.node;
    let mut other = log.fork(2);
    other.leave(20);
    let evidence = |one: &Written, two: &Written| {
        let signed = |log: &Written| SignedCheckpoint::parse(&log.head(3)).expect("a head");
        let evidence = Evidence::TwoRoots([signed(one), signed(two)]);
        wire::evidence_message(&rcp(PEER), &evidence).encode_to_vec()
    };
    let (rcp, evidence) = (rcp(PEER), evidence(&log, &other));
    me.apply(&[Fact::Evidence { rcp, evidence }]);
    me
}

#[test]
fn evidence_is_told_once_and_to_whom_it_concerns() {
    let me = witness();
    let (mut end, frames) = End::greeted(me.clone(), PEER);
    assert_eq!(told(&frames), 1, "it is about that peer");
    assert_eq!(told(&end.feed(Input::Changed)), 0);
    let (mut end, frames) = End::greeted(me.clone(), ABOUT);
    assert_eq!(told(&frames), 0, "that one may read none of it");
    assert_eq!(end.link.evidence_told, 1);
    assert_eq!(told(&end.feed(Input::Changed)), 0);
    let mut stopped = me;
    stopped.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (_, frames) = End::greeted(stopped, PEER);
    assert_eq!(told(&frames), 0);
}

#[test]
fn evidence_is_told_after_the_peer_has_said_what_it_holds() {
    let mut end = End::new(witness(), rcp(PEER));
    let mut frames = end.feed(Input::Start);
    frames.extend(end.session(Said::Hello(crate::samples::hello(PEER))));
    assert_eq!(told(&frames), 0);
    let (logs, last) = (Vec::new(), true);
    let frames = end.session(Said::Have(v1::Have { logs, last }));
    assert_eq!(told(&frames), 1);
}

#[test]
fn two_readers_that_meet_find_a_second_history_out() {
    let mut log = Written::new(PEER, 7);
    let readers = [rcp(ME), rcp(ABOUT)];
    let body = log.list(true, &readers);
    log.leave(10);
    let mut other = log.fork(1);
    log.leave(11);
    other.leave(20);
    other.leave(21);
    let follow = |byte, log: &Written| {
        let mut node = match byte {
            ME => partner_of(&[PEER, ABOUT]),
            _ => Node::new(byte),
        };
        if byte == ABOUT {
            for partner in [ME, PEER] {
                let found = crate::samples::identity(&crate::samples::charter(partner), partner);
                node.take(&Arrival::Identity(Box::new(found)));
                node.treat(partner, crate::peer::PeerState::Active);
            }
        }
        let mut package = log.package(0);
        package.readers = Some(log.readers(0, 3, body.clone()));
        node.take(&log.arrival(PEER, package));
        node
    };
    let meeting = crate::samples::Meeting::of(follow(ME, &log), follow(ABOUT, &other));
    for side in [0, 1] {
        assert_eq!(meeting.node(side).model.evidence.len(), 1);
        let found = meeting.node(side).log(&log.id);
        assert_eq!(found.stop, Some(Stop::Frozen { accepted: false }));
    }
}
