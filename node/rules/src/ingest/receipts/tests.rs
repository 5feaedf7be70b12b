//! Whose receipts are noted, for which logs, and which of two.

use corridor_proto::LogId;

use super::*;
use crate::ingest::Arrival;
use crate::limits::HELD_INTERVAL_S;
use crate::peer::PeerState;
use crate::samples::{ABOUT, ME, NOW, Node, PEER, Written, exchange, key, pair, partner_of, rcp};

const SECOND: u64 = NOW.0 / 1_000;

fn came(me: &Node, peer: u8, owner: u8, note: &[u8]) -> Result<Vec<Fact>, Reason> {
    let (peer, owner, note) = (rcp(peer), rcp(owner), note.to_vec());
    let arrival = Arrival::Held { peer, owner, note };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

/// What a holder says of a log of the node's own, at a size and a time.
fn held(me: &Node, log: &LogId, holder: u8, size: u64, time_s: u64) -> Vec<u8> {
    let log = me.log(log);
    let held = Held {
        checkpoint: corridor_proto::checkpoint::Checkpoint {
            log: log.id,
            incarnation: log.incarnation,
            size,
            root: log.tree.root_at(size).expect("a root"),
        },
        holder: rcp(holder),
        time_s,
    };
    held.sign(&key(holder)).into_bytes()
}

/// A node with an open circle of two lines and more, read by one of its two partners.
fn world(relay: bool) -> (Node, LogId) {
    let (mut me, mut peer, mut other) = (Node::new(ME), Node::new(PEER), Node::new(ABOUT));
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    let circle = me.open("trade", true, relay, &[&peer]);
    me.publish(1, "text", &[circle]);
    (me, circle)
}

const NOTHING: Result<Vec<Fact>, Reason> = Ok(Vec::new());

#[test]
fn a_reader_says_what_it_holds_and_then_only_what_is_new() {
    let (mut me, circle) = world(false);
    let size = me.log(&circle).size();
    let first = held(&me, &circle, PEER, size - 1, SECOND);
    let facts = came(&me, PEER, ME, &first).expect("noted");
    let note = String::from_utf8(first.clone()).expect("a note");
    let holder = rcp(PEER);
    assert_eq!(facts, [Fact::Held { holder, note }]);
    me.apply(&facts);
    assert_eq!(came(&me, PEER, ME, &first), NOTHING, "again");
    let sooner = held(&me, &circle, PEER, size - 1, SECOND + HELD_INTERVAL_S - 1);
    assert_eq!(came(&me, PEER, ME, &sooner), NOTHING, "within a minute");
    let later = held(&me, &circle, PEER, size - 1, SECOND + HELD_INTERVAL_S);
    assert_eq!(came(&me, PEER, ME, &later).map(|facts| facts.len()), Ok(1));
    let longer = held(&me, &circle, PEER, size, SECOND);
    let facts = came(&me, PEER, ME, &longer).expect("noted");
    me.apply(&facts);
    assert_eq!(me.model.held[&(circle, rcp(PEER))].checkpoint.size, size);
    assert_eq!(came(&me, PEER, ME, &later), NOTHING, "it says less");
}

#[test]
fn a_receipt_is_of_what_the_log_has_and_not_of_days_to_come() {
    let (mut me, circle) = world(false);
    let size = me.log(&circle).size();
    let ahead = |seconds| held(&me, &circle, PEER, size, SECOND + seconds);
    let most = HELD_AHEAD_S_MAX;
    assert!(came(&me, PEER, ME, &ahead(most)).is_ok());
    assert_eq!(
        came(&me, PEER, ME, &ahead(most + 1)),
        Err(Reason::OutOfOrder)
    );
    let mut other = Held {
        checkpoint: corridor_proto::checkpoint::Checkpoint {
            log: circle,
            incarnation: 0,
            size,
            root: corridor_proto::Hash::new([9; 32]),
        },
        holder: rcp(PEER),
        time_s: SECOND,
    };
    let signed = |held: &Held| held.sign(&key(PEER)).into_bytes();
    assert_eq!(came(&me, PEER, ME, &signed(&other)), Err(Reason::BadProof));
    other.checkpoint.root = me.log(&circle).tree.root_at(size).expect("a root");
    other.checkpoint.incarnation = 1;
    assert_eq!(came(&me, PEER, ME, &signed(&other)), Err(Reason::BadProof));
    me.model.logs.get_mut(&circle).expect("a log").incarnation = 2;
    assert_eq!(
        came(&me, PEER, ME, &signed(&other)),
        NOTHING,
        "of void lines"
    );
    let forged = other.sign(&key(ABOUT)).into_bytes();
    assert_eq!(came(&me, PEER, ME, &forged), Err(Reason::UnknownKey));
    assert!(came(&me, PEER, ME, b"nothing").is_err());
}

#[test]
fn whoever_read_a_log_of_ours_may_hold_it() {
    let (me, circle) = world(false);
    let size = me.log(&circle).size();
    let of = |me: &Node, holder| came(me, holder, ME, &held(me, &circle, holder, size, SECOND));
    assert!(of(&me, PEER).is_ok());
    assert_eq!(of(&me, ABOUT), Err(Reason::NotEntitled), "it never read it");
    let mut former = me.clone();
    let (log, rcp) = (circle, rcp(ABOUT));
    former.apply(&[Fact::Former { log, rcp, size }]);
    assert!(of(&former, ABOUT).is_ok());
    let mut lapsed = me.clone();
    let readers = lapsed
        .model
        .logs
        .get_mut(&circle)
        .and_then(|log| log.readers.as_mut());
    readers.expect("a list").list.readers[0].1 = UnixMillis(1);
    assert!(of(&lapsed, PEER).is_ok(), "its right has ended");
    for (state, fits) in [
        (PeerState::Paused, true),
        (PeerState::Left, true),
        (PeerState::Pending, false),
    ] {
        let mut me = me.clone();
        me.treat(PEER, state);
        assert_eq!(of(&me, PEER).is_ok(), fits, "{state:?}");
    }
}

#[test]
fn receipts_of_readers_come_through_readers_if_the_log_is_passed_on() {
    for relay in [true, false] {
        let (mut me, circle) = world(relay);
        let size = me.log(&circle).size();
        let (log, rcp) = (circle, rcp(ABOUT));
        let note = held(&me, &circle, ABOUT, size, SECOND);
        assert_eq!(came(&me, PEER, ME, &note), Err(Reason::NotEntitled));
        me.apply(&[Fact::Former { log, rcp, size }]);
        let found = came(&me, PEER, ME, &note);
        let expect = if relay {
            Ok(1)
        } else {
            Err(Reason::NotEntitled)
        };
        assert_eq!(found.map(|facts| facts.len()), expect);
        let note = held(&me, &circle, PEER, size, SECOND);
        let unlisted = came(&me, ABOUT, ME, &note);
        assert_eq!(
            unlisted,
            Err(Reason::NotEntitled),
            "it does not read it now"
        );
    }
}

/// A node that follows an open log of the peer's; its list has these readers.
fn follower(relay: bool, readers: &[u8]) -> (Node, Written) {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    let readers: Vec<RcpId> = readers.iter().map(|byte| rcp(*byte)).collect();
    let body = log.list(relay, &readers);
    log.leave(1);
    let mut package = log.package(0);
    package.readers = Some(log.readers(0, 2, body));
    me.take(&log.arrival(PEER, package));
    (me, log)
}

#[test]
fn receipts_for_a_log_that_is_passed_on_are_passed_on() {
    let (mut me, log) = follower(true, &[ME, ABOUT]);
    let note = log.held(ABOUT, 2, SECOND);
    for peer in [ABOUT, PEER] {
        let found = came(&me, peer, PEER, &note);
        assert_eq!(found.map(|facts| facts.len()), Ok(1), "by {peer}");
    }
    let facts = came(&me, ABOUT, PEER, &note).expect("noted");
    me.apply(&facts);
    assert_eq!(came(&me, PEER, PEER, &note), NOTHING, "again");
    let of_the_owner = log.held(PEER, 2, SECOND);
    assert_eq!(
        came(&me, ABOUT, PEER, &of_the_owner).map(|facts| facts.len()),
        Ok(1)
    );
    assert_eq!(
        came(&me, PEER, PEER, &of_the_owner).map(|facts| facts.len()),
        Ok(1)
    );
    let ours = log.held(ME, 2, SECOND);
    assert_eq!(
        came(&me, ABOUT, PEER, &ours),
        NOTHING,
        "we know it ourselves"
    );
    let mut longer = log.clone();
    longer.leave(9);
    let ahead = longer.held(ABOUT, 3, SECOND);
    assert_eq!(
        came(&me, ABOUT, PEER, &ahead),
        NOTHING,
        "it may have more than we"
    );
}

#[test]
fn receipts_for_other_logs_say_nothing_and_tell_nothing() {
    let (me, log) = follower(false, &[ME, ABOUT]);
    assert_eq!(came(&me, ABOUT, PEER, &log.held(ABOUT, 2, SECOND)), NOTHING);
    let (mut me, log) = follower(true, &[ME]);
    assert_eq!(
        came(&me, PEER, PEER, &log.held(ABOUT, 2, SECOND)),
        NOTHING,
        "no reader"
    );
    assert_eq!(
        came(&me, ABOUT, PEER, &log.held(PEER, 2, SECOND)),
        NOTHING,
        "by none"
    );
    let stranger = log.held(9, 2, SECOND);
    assert_eq!(came(&me, PEER, PEER, &stranger), NOTHING, "unknown here");
    let mut forged = Held::verify(&log.held(ABOUT, 2, SECOND), &crate::samples::charter(ABOUT));
    let held = forged.as_mut().expect("a receipt");
    held.time_s += 1;
    let note = held.sign(&key(9)).into_bytes();
    assert_eq!(
        came(&me, PEER, PEER, &note),
        NOTHING,
        "what a third one is to us"
    );
    assert_eq!(
        came(&me, ABOUT, ABOUT, &log.held(ABOUT, 2, SECOND)),
        NOTHING
    );
    let absent = Written::new(ME, 9);
    let mut absent = absent;
    absent.leave(1);
    let note = absent.held(PEER, 1, SECOND);
    assert_eq!(
        came(&me, PEER, ME, &note),
        Err(Reason::NotEntitled),
        "no log of ours"
    );
    me.treat(PEER, PeerState::Pending);
    let note = log.held(PEER, 2, SECOND);
    assert_eq!(came(&me, PEER, PEER, &note), Err(Reason::NotEntitled));
}

#[test]
fn partners_tell_each_other_what_they_hold() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let circle = me.open("trade", true, true, &[&peer]);
    me.publish(1, "text", &[circle]);
    exchange(&mut me, &mut peer);
    let size = me.log(&circle).size();
    let held = &me.model.held[&(circle, peer.rcp)];
    assert_eq!((held.checkpoint.size, held.time_s), (size, SECOND));
}

#[test]
fn a_folder_that_was_set_back_refuses_no_receipt_of_what_it_lacks() {
    let (mut me, circle) = world(false);
    let longer = {
        let mut longer = me.clone();
        longer.publish(2, "more", &[circle]);
        let size = longer.log(&circle).size();
        held(&longer, &circle, PEER, size, SECOND)
    };
    let absent = {
        let mut log = Written::new(ME, 9);
        log.leave(1);
        log.held(PEER, 1, SECOND)
    };
    let size = me.log(&circle).size();
    let unread = held(&me, &circle, ABOUT, size, SECOND);
    let receipts = [(PEER, longer), (PEER, absent), (ABOUT, unread)];
    for (peer, note) in &receipts {
        assert!(came(&me, *peer, ME, note).is_err());
    }
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    for (peer, note) in &receipts {
        assert_eq!(came(&me, *peer, ME, note), NOTHING);
    }
}
