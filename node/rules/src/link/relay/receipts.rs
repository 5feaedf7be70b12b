//! Receipts that reach an owner through its readers, and what an owner says of itself to them.

use corridor_proto::LogId;

use super::*;
use crate::samples::{ABOUT, ME, Meeting, Node, PEER, exchange, pair};

/// An owner, a reader that passes on, and a reader behind it, with all exchanged between the first
/// two and the last two.
fn three() -> ([Node; 3], LogId) {
    let mut nodes = [PEER, ME, ABOUT].map(Node::new);
    let [owner, me, other] = &mut nodes;
    pair(owner, me);
    pair(owner, other);
    pair(me, other);
    let circle = owner.open("shared", true, true, &[me, other]);
    owner.publish(1, "text", &[circle]);
    exchange(owner, me);
    exchange(me, other);
    (nodes, circle)
}

fn held(meeting: &Meeting, side: usize) -> usize {
    let words = meeting.words(side);
    words.iter().filter(|word| **word == "held").count()
}

#[test]
fn a_readers_receipt_reaches_the_owner_through_another_reader() {
    let ([owner, me, other], circle) = three();
    let known = (circle, other.rcp);
    assert!(
        me.model.passing.contains_key(&known),
        "it was given to the relay"
    );
    assert!(!owner.model.held.contains_key(&known));
    let mut meeting = Meeting::of(me, owner);
    meeting.forget();
    meeting.pass(HELD_INTERVAL_MS - 1);
    assert!(
        !meeting.node(1).model.held.contains_key(&known),
        "not at once"
    );
    meeting.pass(1);
    assert!(meeting.node(1).model.held.contains_key(&known));
    meeting.forget();
    meeting.pass(HELD_INTERVAL_MS);
    assert_eq!(held(&meeting, 0), 0, "once");
    meeting.assert_fine();
}

#[test]
fn a_receipt_goes_to_the_owner_itself_where_it_is_reached() {
    let ([owner, me, mut other], circle) = three();
    other.model.passing.clear();
    other.linked.push(owner.rcp);
    let mut me = me;
    me.model.passing.clear();
    let mut meeting = Meeting::of(me, other);
    meeting.pass(2 * HELD_INTERVAL_MS);
    let known = (circle, meeting.node(1).rcp);
    assert!(!meeting.node(0).model.passing.contains_key(&known));
}

#[test]
fn receipts_of_others_go_the_same_way() {
    let ([owner, mut me, other], circle) = three();
    let known = (circle, other.rcp);
    let receipt = me.model.passing[&known].clone();
    // A fourth reader has both as partners, and holds nothing yet.
    let mut fourth = Node::new(9);
    pair(&mut me, &mut fourth);
    let mut owner = owner;
    pair(&mut owner, &mut fourth);
    owner.admit(circle, &[&me, &other, &fourth]);
    exchange(&mut owner, &mut me);
    me.model.passing.insert(known, receipt);
    let mut meeting = Meeting::of(me.clone(), fourth.clone());
    meeting.pass(HELD_INTERVAL_MS);
    assert!(held(&meeting, 0) > 0);
    let mut reached = me;
    reached.linked.push(owner.rcp);
    let mut meeting = Meeting::of(reached, fourth);
    meeting.pass(HELD_INTERVAL_MS);
    assert_eq!(held(&meeting, 0), 0, "the owner is reached from here");
}

#[test]
fn what_an_owner_says_of_its_newest_head_reaches_readers_that_do_not_meet_it() {
    let ([mut owner, me, other], circle) = three();
    let facts = owner.at_desk(|desk| desk.repeat()).expect("said");
    owner.apply(&facts);
    let said = (circle, owner.rcp);
    let mut meeting = Meeting::of(owner, me);
    meeting.pass(HELD_INTERVAL_MS);
    meeting.assert_fine();
    let (owner, me) = meeting.end();
    assert!(me.model.passing.contains_key(&said));
    let mut meeting = Meeting::of(me.clone(), other.clone());
    meeting.pass(HELD_INTERVAL_MS - 1);
    assert!(!meeting.node(1).model.passing.contains_key(&said));
    meeting.pass(1);
    assert!(meeting.node(1).model.passing.contains_key(&said));
    assert!(
        meeting
            .node(1)
            .model
            .news(meeting.node(1).log(&circle))
            .is_some()
    );
    meeting.assert_fine();
    let mut linked = me.clone();
    linked.linked.push(owner.rcp);
    let mut meeting = Meeting::of(linked, other);
    meeting.pass(HELD_INTERVAL_MS);
    assert!(
        meeting.node(1).model.passing.contains_key(&said),
        "reached or not"
    );
    let mut meeting = Meeting::of(me, owner);
    meeting.forget();
    meeting.pass(HELD_INTERVAL_MS);
    let back = meeting.said(0, |said| match said {
        Frame::Held(held) => Held::claimed(&held.note).ok().map(|claim| claim.0),
        _ => None,
    });
    let owner = meeting.node(1).rcp;
    assert!(!back.contains(&owner), "it knows itself what it said");
}

#[test]
fn receipts_are_passed_on_of_logs_that_are_and_of_lines_that_count() {
    let ([mut owner, me, other], circle) = three();
    let facts = owner.at_desk(|desk| desk.repeat()).expect("said");
    owner.apply(&facts);
    let mut meeting = Meeting::of(owner, me);
    meeting.pass(HELD_INTERVAL_MS);
    let (_, me) = meeting.end();
    let rcp = crate::samples::rcp(PEER);
    let passes = |change: &dyn Fn(&mut Node)| {
        let mut me = me.clone();
        change(&mut me);
        let mut meeting = Meeting::of(me, other.clone());
        meeting.forget();
        meeting.pass(HELD_INTERVAL_MS);
        let holders = meeting.said(0, |said| match said {
            Frame::Held(held) => Held::claimed(&held.note).ok().map(|claim| claim.0),
            _ => None,
        });
        holders.iter().filter(|holder| **holder == rcp).count()
    };
    assert_eq!(passes(&|_| ()), 1);
    let log = |me: &mut Node, change: &dyn Fn(&mut Log)| {
        change(me.model.logs.get_mut(&circle).expect("a log"));
    };
    let direct = |log: &mut Log| log.readers.as_mut().expect("a list").list.relay = false;
    assert_eq!(passes(&|me| log(me, &direct)), 0);
    let restarted = |log: &mut Log| log.incarnation = 9;
    assert_eq!(passes(&|me| log(me, &restarted)), 0);
    let unlisted = |log: &mut Log| log.readers.as_mut().expect("a list").list.readers.clear();
    assert_eq!(passes(&|me| log(me, &unlisted)), 0);
    let stopped = |me: &mut Node| me.model.signing_stopped = Some(String::new());
    assert_eq!(passes(&stopped), 0);
}

#[test]
fn a_newer_receipt_is_passed_on_and_an_older_one_is_not() {
    let ([owner, me, other], circle) = three();
    let known = (circle, other.rcp);
    let mut meeting = Meeting::of(me, owner);
    meeting.pass(HELD_INTERVAL_MS);
    let first = meeting.node(1).model.held[&known].clone();
    for (seconds, expect) in [(600, 600), (300, 600), (900, 900)] {
        let receipt = corridor_proto::checkpoint::Held {
            time_s: first.time_s + seconds,
            ..first.clone()
        };
        let note = receipt.sign(&crate::samples::key(ABOUT));
        let holder = other.rcp;
        meeting.change(0, |me| {
            drop(me.apply(&[crate::Fact::Held { holder, note }]))
        });
        let found = meeting.node(1).model.held[&known].time_s - first.time_s;
        assert_eq!(found, expect, "{seconds}");
    }
    meeting.assert_fine();
}

#[test]
fn of_two_receipts_within_one_second_the_one_for_more_is_passed_on_as_well() {
    let ([mut owner, mut me, other], circle) = three();
    let known = (circle, other.rcp);
    owner.publish(2, "more", &[circle]);
    exchange(&mut owner, &mut me);
    let head = me.log(&circle).held_head.clone().expect("a head");
    let mut meeting = Meeting::of(me, owner);
    meeting.pass(HELD_INTERVAL_MS);
    let first = meeting.node(1).model.held[&known].clone();
    assert!(first.checkpoint.size < head.checkpoint.size);
    let receipt = Held {
        checkpoint: head.checkpoint,
        ..first
    };
    let note = receipt.sign(&crate::samples::key(ABOUT));
    let holder = other.rcp;
    meeting.change(0, |me| {
        drop(me.apply(&[crate::Fact::Held { holder, note }]))
    });
    assert_eq!(meeting.node(1).model.held[&known], receipt);
    meeting.assert_fine();
}
