//! What the two say of themselves and of their logs, and what follows from it.

use super::*;
use crate::fact::Fact;
use crate::link::Input;
use crate::log::Sort;
use crate::peer::PeerState;
use crate::samples::{
    ABOUT, End, Frame as Sent, ME, Node, PEER, Written, charter, hello, identity, identity_with,
    key, partner_of, rcp, rotated, words,
};
use v1::carry_frame::Frame as Carried;

fn me() -> Node {
    partner_of(&[PEER, ABOUT])
}

fn end() -> End {
    End::greeted(me(), PEER).0
}

fn reasons(end: &End) -> Vec<Reason> {
    end.refused.iter().map(|refusal| refusal.reason).collect()
}

/// From where lines are asked for, with the log.
fn pulls(frames: &[Sent]) -> Vec<(Vec<u8>, u64)> {
    let pulls = frames.iter().filter_map(|frame| match frame.carried()? {
        Carried::Pull(pull) => Some((pull.log.clone(), pull.from)),
        _ => None,
    });
    pulls.collect()
}

fn pulled(log: &Written, from: u64) -> Vec<(Vec<u8>, u64)> {
    vec![(log.id.as_bytes().to_vec(), from)]
}

fn log(owner: u8, lines: u8) -> Written {
    let mut log = Written::new(owner, 7);
    for byte in 0..lines {
        log.leave(byte);
    }
    log
}

#[test]
fn before_the_hello_nothing_is_heard_but_the_end() {
    let mut end = End::new(me(), rcp(PEER));
    end.feed(Input::Start);
    let message = identity(&charter(PEER), PEER).message();
    end.session(Frame::Identity(message));
    end.session(Frame::Have(v1::Have::default()));
    assert_eq!(reasons(&end), [Reason::OutOfOrder; 2]);
    let reason = "STATE_CHANGED".to_owned();
    let frames = end.session(Frame::Ended(v1::Ended { reason }));
    assert_eq!(words(&frames), [""; 0], "it needs no answer");
    assert_eq!(end.closed, Some(Closing::Ended));
    assert_eq!(words(&end.feed(Input::Changed)), [""; 0]);
    let mut end = self::end();
    end.session(Frame::Ended(v1::Ended::default()));
    assert_eq!(end.closed, Some(Closing::Ended));
    let mut empty = self::end();
    let frame = v1::SessionFrame::default();
    empty.feed(Input::Session(frame));
    assert_eq!(reasons(&empty), [], "what is newer than we is passed over");
}

#[test]
fn newer_identities_are_taken_of_ourselves_and_of_partners() {
    let mut end = end();
    end.session(Frame::Identity(
        identity_with(&charter(PEER), PEER, 2).message(),
    ));
    let serial = |end: &End, byte| {
        let card = end.node.model.known[&rcp(byte)].card.as_ref();
        card.map_or(0, |card| card.card().serial)
    };
    assert_eq!(serial(&end, PEER), 2);
    end.session(Frame::Identity(
        identity_with(&charter(ABOUT), ABOUT, 3).message(),
    ));
    assert_eq!(serial(&end, ABOUT), 3, "by whomever it is shown");
    end.session(Frame::Identity(identity(&charter(9), 9).message()));
    assert!(
        end.node.model.charter(&rcp(9)).is_none(),
        "to us it is none"
    );
    assert_eq!(reasons(&end), []);
    end.session(Frame::Identity(identity(&rotated(ME, 50), 50).message()));
    assert!(end.node.model.signing_stopped.is_some(), "ours is longer");
}

#[test]
fn an_identity_that_is_wrong_is_refused_to_whom_it_concerns() {
    let broken = |byte| {
        let mut message = identity_with(&charter(byte), byte, 2).message();
        let card = message.card.as_mut().expect("a card");
        card.signature[0] ^= 1;
        message
    };
    for (byte, expect) in [(PEER, 1), (ME, 1), (ABOUT, 0)] {
        let mut end = end();
        end.session(Frame::Identity(broken(byte)));
        assert_eq!(end.refused.len(), expect, "of {byte}");
    }
}

#[test]
fn the_beginning_of_a_charter_that_is_known_is_passed_over() {
    let mut me = me();
    let event = rotated(PEER, 50).events()[1].clone();
    me.apply(&[Fact::KeyEvent {
        rcp: rcp(PEER),
        event,
    }]);
    let (mut end, _) = End::greeted(me, PEER);
    let mut message = identity(&charter(PEER), PEER).message();
    message.card.as_mut().expect("a card").signature[0] ^= 1;
    end.session(Frame::Identity(message.clone()));
    assert_eq!(reasons(&end), []);
    let arrived = end.arrived.len();
    end.session(Frame::Identity(identity(&rotated(PEER, 50), 50).message()));
    assert_eq!(end.arrived.len(), arrived + 1, "all of it is looked at");
    let mut fork = identity(&rotated(PEER, 60), 60).message();
    fork.key_events.truncate(1);
    fork.key_events[0].event = vec![1; 40];
    end.session(Frame::Identity(fork));
    assert_eq!(end.arrived.len(), arrived + 1);
}

#[test]
fn so_many_identities_are_shown_on_one_connection() {
    let mut end = end();
    let message = identity(&charter(9), 9).message();
    for _ in 0..IDENTITIES_PER_LINK_MAX {
        end.session(Frame::Identity(message.clone()));
    }
    assert_eq!(reasons(&end), []);
    end.session(Frame::Identity(message));
    assert_eq!(reasons(&end), [Reason::TooLong]);
}

/// A node with so many lines of a log of its own.
fn with(mut me: Node, log: &Written, size: usize) -> Node {
    let (owner, seed, sort, name) = (me.rcp, log.seed, Sort::Closed, "ours".to_owned());
    let lines = log.lines[..size].to_vec();
    let id = log.id;
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
    ]);
    me
}

fn holds(log: &Written, checkpoint: Vec<u8>) -> Frame {
    let held = v1::HeldLog {
        seed: log.seed.as_bytes().to_vec(),
        checkpoint,
    };
    let (logs, last) = (vec![held], true);
    Frame::Have(v1::Have { logs, last })
}

/// A node that heard what its peer holds of a log of ours.
fn heard(node: Node, frame: Frame) -> (End, Vec<Sent>) {
    let mut end = End::new(node, rcp(PEER));
    end.feed(Input::Start);
    let mut frames = end.session(Frame::Hello(hello(PEER)));
    frames.extend(end.session(frame));
    (end, frames)
}

#[test]
fn a_head_of_ours_that_we_lack_stops_our_signing() {
    let mut log = log(ME, 4);
    let me = with(me(), &log, 2);
    let stops = |node: &Node, frame: Frame| {
        let (end, _) = heard(node.clone(), frame);
        let reason = end.node.model.signing_stopped.clone();
        assert_eq!(
            reason.is_some(),
            end.closed == Some(Closing::SigningStopped)
        );
        assert!(reason.is_none_or(|reason| reason == HEAD_LACKING));
        end.closed.is_some()
    };
    assert!(!stops(&me, holds(&log, log.head(2))));
    assert!(!stops(&me, holds(&log, log.head(1))));
    assert!(stops(&me, holds(&log, log.head(3))), "it is longer");
    let mut other = log.fork(1);
    other.leave(9);
    assert!(stops(&me, holds(&other, other.head(2))), "another root");
    let absent = Written {
        seed: LogSeed::new([9; 16]),
        ..log.clone()
    };
    let absent_id = LogId::derive(&rcp(ME), &absent.seed);
    let absent = Written {
        id: absent_id,
        ..absent
    };
    assert!(
        stops(&me, holds(&absent, absent.head(1))),
        "a log that we lack"
    );
    let forged = log
        .checkpoint(3)
        .sign(&key(PEER))
        .note()
        .as_bytes()
        .to_vec();
    assert!(!stops(&me, holds(&log, forged)), "nobody else signs for us");
    let mut restarted = me.clone();
    restarted
        .model
        .logs
        .get_mut(&log.id)
        .expect("a log")
        .incarnation = 5;
    assert!(
        !stops(&restarted, holds(&log, log.head(3))),
        "of before a restart"
    );
    log.incarnation = 5;
    assert!(stops(&restarted, holds(&log, log.head(3))));
    log.incarnation = 6;
    assert!(stops(&restarted, holds(&log, log.head(3))));
    let mut rotated_me = me.clone();
    let event = rotated(ME, 50).events()[1].clone();
    rotated_me.apply(&[Fact::KeyEvent {
        rcp: rcp(ME),
        event,
    }]);
    rotated_me.signer = 50;
    log.incarnation = 0;
    assert!(
        !stops(&rotated_me, holds(&log, log.head(3))),
        "under a retired key"
    );
}

#[test]
fn what_is_said_of_ours_is_of_the_log_that_it_names() {
    let (log, mut other) = (log(ME, 2), Written::new(ME, 8));
    other.leave(1);
    let me = with(me(), &log, 2);
    let (end, _) = heard(me.clone(), holds(&log, other.head(1)));
    assert_eq!(reasons(&end), [Reason::WrongLog]);
    let (end, _) = heard(me, holds(&log, vec![1]));
    assert_eq!(end.refused.len(), 1);
}

#[test]
fn a_session_tells_of_so_many_logs() {
    let log = log(ME, 2);
    let me = with(me(), &log, 2);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    end.session(Frame::Hello(hello(PEER)));
    let held = |count: usize| {
        let held = v1::HeldLog {
            seed: log.seed.as_bytes().to_vec(),
            checkpoint: log.checkpoint(2).sign(&key(9)).note().as_bytes().to_vec(),
        };
        let (logs, last) = (vec![held; count], false);
        Frame::Have(v1::Have { logs, last })
    };
    end.session(held(SESSION_LOGS_MAX - 1));
    end.session(held(1));
    assert_eq!(reasons(&end), []);
    end.session(held(1));
    assert_eq!(reasons(&end), [Reason::TooLong]);
}

#[test]
fn heads_are_told_that_the_peer_lacks_once_it_said_what_it_holds() {
    let mut me = me();
    let circle = me.circle("public");
    me.publish(1, "text", &[circle]);
    let head = me
        .log(&circle)
        .head
        .as_ref()
        .expect("a head")
        .note
        .clone()
        .into_bytes();
    me.publish(2, "text", &[circle]);
    let newest = me
        .log(&circle)
        .head
        .as_ref()
        .expect("a head")
        .note
        .clone()
        .into_bytes();
    let told = |checkpoint: Option<Vec<u8>>, last| {
        let seed = LogSeed::ZERO.as_bytes().to_vec();
        let logs = checkpoint.map(|checkpoint| v1::HeldLog { seed, checkpoint });
        let logs = logs.into_iter().collect();
        let (end, frames) = heard(me.clone(), Frame::Have(v1::Have { logs, last }));
        assert_eq!(reasons(&end), []);
        let words = words(&frames);
        words.iter().filter(|word| **word == "checkpoint").count()
    };
    assert_eq!(told(None, true), 1);
    assert_eq!(told(None, false), 0, "more is to be said");
    assert_eq!(told(Some(head), true), 1);
    assert_eq!(told(Some(newest), true), 0);
}

#[test]
fn a_node_that_signs_nothing_takes_back_what_readers_hold() {
    let log = log(ME, 5);
    let mut me = with(me(), &log, 2);
    me.apply(&[Fact::SigningStopped {
        reason: "RESTORED_FROM_A_BACKUP".to_owned(),
    }]);
    let (end, frames) = heard(me.clone(), holds(&log, log.head(5)));
    assert_eq!(end.closed, None);
    assert_eq!(pulls(&frames), pulled(&log, 2), "what we lack");
    assert!(!words(&frames).contains(&"checkpoint"), "and tells nothing");
    assert!(
        end.node.log(&log.id).former.contains_key(&rcp(PEER)),
        "it read so much"
    );
    let mut other = log.fork(1);
    other.leave(9);
    let (_, frames) = heard(me.clone(), holds(&other, other.head(2)));
    assert_eq!(
        pulls(&frames),
        pulled(&log, 0),
        "another branch, from its first line"
    );
    let (_, frames) = heard(me.clone(), holds(&log, log.head(2)));
    assert_eq!(pulls(&frames), [], "nothing is lacking");
    me.treat(PEER, PeerState::Left);
    let (_, frames) = heard(me, holds(&log, log.head(5)));
    assert_eq!(pulls(&frames), [], "who was left gives nothing");
}

#[test]
fn after_a_restart_readers_of_the_old_branch_are_asked_for_it() {
    let mut log = log(ME, 3);
    let old = {
        let mut old = log.fork(3);
        old.leave(9);
        old
    };
    log.restart(5);
    let mut me = with(me(), &log, 4);
    let (end, frames) = heard(me.clone(), holds(&old, old.head(4)));
    assert_eq!(end.closed, None);
    assert_eq!(pulls(&frames), pulled(&log, 0));
    assert!(
        end.node.log(&log.id).former.contains_key(&rcp(PEER)),
        "it is noted"
    );
    me.model
        .logs
        .get_mut(&log.id)
        .expect("a log")
        .restarts
        .clear();
    let (end, _) = heard(me, holds(&old, old.head(4)));
    assert!(end.node.log(&log.id).former.is_empty());
}

#[test]
fn a_head_is_of_the_log_that_it_names_and_signed_by_its_owner() {
    let announced = |change: &dyn Fn(&mut v1::CheckpointFrame)| {
        let log = log(PEER, 2);
        let Frame::Checkpoint(mut frame) = log.announced(2) else {
            panic!("a checkpoint");
        };
        change(&mut frame);
        let mut end = end();
        let frames = end.session(Frame::Checkpoint(frame));
        (reasons(&end), pulls(&frames).len())
    };
    assert_eq!(announced(&|_| ()), (vec![], 1));
    let seed = |frame: &mut v1::CheckpointFrame| frame.seed = vec![9; 16];
    assert_eq!(announced(&seed), (vec![Reason::WrongLog], 0));
    let forged = log(PEER, 2).checkpoint(2).sign(&key(9));
    let forged = forged.note().as_bytes().to_vec();
    let by_another = |frame: &mut v1::CheckpointFrame| frame.checkpoint.clone_from(&forged);
    assert_eq!(announced(&by_another), (vec![Reason::UnknownKey], 0));
    let of_a_third = |frame: &mut v1::CheckpointFrame| {
        frame.owner = rcp(ABOUT).as_bytes().to_vec();
    };
    assert_eq!(
        announced(&of_a_third),
        (vec![], 0),
        "of that nothing is said"
    );
    let unknown = |frame: &mut v1::CheckpointFrame| {
        frame.owner = rcp(9).as_bytes().to_vec();
    };
    assert_eq!(announced(&unknown), (vec![], 0));
}

#[test]
fn a_head_signed_again_takes_the_place_of_the_one_held() {
    let log = log(PEER, 2);
    let mut me = me();
    me.take(&log.arrival(PEER, log.package(0)));
    let event = rotated(PEER, 50).events()[1].clone();
    me.apply(&[Fact::KeyEvent {
        rcp: rcp(PEER),
        event,
    }]);
    let (mut end, _) = End::greeted(me, PEER);
    end.session(Frame::Checkpoint(v1::CheckpointFrame {
        owner: rcp(PEER).as_bytes().to_vec(),
        seed: log.seed.as_bytes().to_vec(),
        checkpoint: log.checkpoint(2).sign(&key(50)).note().as_bytes().to_vec(),
    }));
    let held = end.node.log(&log.id).held_head.as_ref().expect("a head");
    assert_eq!(held.key_seq, 1);
}

#[test]
fn a_restart_is_followed_from_where_we_are_or_from_the_first_line() {
    let first = log(PEER, 3);
    let begin = || {
        let mut me = me();
        me.take(&first.arrival(PEER, first.package(0)));
        let (mut end, _) = End::greeted(me, PEER);
        end.session(first.announced(3));
        end
    };
    let mut goes_on = first.clone();
    goes_on.restart(5);
    let mut end = begin();
    let frames = end.session(goes_on.announced(4));
    assert_eq!(pulls(&frames), pulled(&first, 3));
    end.carry(Carried::Package(goes_on.package(3)));
    assert_eq!(end.node.log(&first.id).incarnation, 5);
    let mut shorter = first.fork(1);
    shorter.restart(5);
    let mut end = begin();
    let frames = end.session(shorter.announced(2));
    assert_eq!(pulls(&frames), pulled(&first, 0));
    end.carry(Carried::Package(shorter.package(0)));
    let found = end.node.log(&first.id);
    assert_eq!((found.incarnation, found.size()), (5, 2));
    let mut longer = first.fork(1);
    for byte in 10..14 {
        longer.leave(byte);
    }
    longer.restart(5);
    let mut end = begin();
    let frames = end.session(longer.announced(6));
    assert_eq!(pulls(&frames), pulled(&first, 3), "it may go on");
    let frames = end.carry(Carried::Package(longer.package(3)));
    assert_eq!(pulls(&frames), pulled(&first, 0), "and does not");
    end.carry(Carried::Package(longer.package(0)));
    assert_eq!(end.node.log(&first.id).incarnation, 5);
    assert_eq!(reasons(&end), [Reason::BadProof]);
}

#[test]
fn an_rcp_has_so_many_logs_that_are_followed() {
    let (mut end, peer) = (end(), rcp(PEER));
    for number in 0..LOGS_PER_RCP_MAX - 1 {
        let mut seed = [8; 16];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let seed = LogSeed::new(seed);
        let following = Following::of(peer, seed);
        let id = LogId::derive(&peer, &seed);
        end.link.following.insert(id, following);
    }
    let (last, surplus) = (Written::new(PEER, 7), Written::new(PEER, 9));
    for log in [&last, &surplus, &last] {
        end.link.learn(log.id, peer, log.seed);
    }
    assert!(end.link.following.contains_key(&last.id));
    assert!(
        !end.link.following.contains_key(&surplus.id),
        "one more is not"
    );
    let theirs = Written::new(ABOUT, 7);
    end.link.learn(theirs.id, rcp(ABOUT), theirs.seed);
    assert!(
        end.link.following.contains_key(&theirs.id),
        "of another it is"
    );
}

#[test]
fn evidence_that_comes_is_taken_in() {
    let mut end = end();
    let mut log = log(PEER, 1);
    let one = log.checkpoint(1).sign(&key(PEER));
    log = Written::new(PEER, 7);
    log.leave(9);
    let other = log.checkpoint(1).sign(&key(PEER));
    let evidence = corridor_proto::evidence::Evidence::TwoRoots([one, other]);
    let message = corridor_proto::wire::evidence_message(&rcp(PEER), &evidence);
    end.session(Frame::Evidence(message));
    assert_eq!(end.node.model.evidence.len(), 1);
}

#[test]
fn what_cannot_extend_our_lines_is_walked_from_its_first() {
    let mut log = log(ME, 2);
    let mut me = with(me(), &log, 2);
    let (mut old, longer) = (log.fork(1), {
        let mut longer = log.clone();
        longer.leave(9);
        longer
    });
    for byte in 10..16 {
        old.leave(byte);
    }
    let reason = "RESTORED_FROM_A_BACKUP".to_owned();
    me.apply(&[Fact::SigningStopped { reason }]);
    let (_, frames) = heard(me.clone(), holds(&longer, longer.head(3)));
    assert_eq!(pulls(&frames), pulled(&log, 2));
    let mut rotated_me = me.clone();
    let event = rotated(ME, 50).events()[1].clone();
    rotated_me.apply(&[Fact::KeyEvent {
        rcp: rcp(ME),
        event,
    }]);
    rotated_me.signer = 50;
    let (_, frames) = heard(rotated_me, holds(&longer, longer.head(3)));
    assert_eq!(pulls(&frames), pulled(&log, 0), "a retired key signed it");
    log.restart(5);
    let (id, from, lines) = (log.id, 2, log.lines[2..].to_vec());
    me.apply(&[Fact::Lines {
        log: id,
        from,
        lines,
    }]);
    let (_, frames) = heard(me, holds(&old, old.head(7)));
    assert_eq!(
        pulls(&frames),
        pulled(&log, 0),
        "it is of before the restart"
    );
}

#[test]
fn of_whom_we_did_not_confirm_no_head_is_taken_from_others() {
    let theirs = log(ABOUT, 2);
    let mut me = me();
    me.take(&theirs.arrival(ABOUT, theirs.package(0)));
    me.treat(ABOUT, PeerState::Pending);
    let (mut end, _) = End::greeted(me, PEER);
    end.session(theirs.announced(2));
    assert_eq!(reasons(&end), []);
    assert!(
        !end.arrived
            .iter()
            .any(|arrival| matches!(arrival, Arrival::Head { .. }))
    );
}
