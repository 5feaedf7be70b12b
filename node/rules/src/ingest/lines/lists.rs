//! Who may take an open log, and which of its lists counts.

use super::*;
use crate::samples::{ABOUT, ME, Node, PEER, Written, list, partner_of, rcp};

fn me() -> Node {
    partner_of(&[PEER, ABOUT])
}

fn came(me: &Node, log: &Written, package: v1::Package) -> Result<Vec<Fact>, Reason> {
    let arrival = log.arrival(log.owner, package);
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

/// Takes a package in, from the owner itself.
fn take(me: &mut Node, log: &Written, package: v1::Package) -> Vec<Fact> {
    let facts = came(me, log, package).expect("taken");
    me.apply(&facts);
    facts
}

/// A log of the peer's with so many lines.
fn log(lines: u8) -> Written {
    let mut log = Written::new(PEER, 7);
    for byte in 0..lines {
        log.leave(byte);
    }
    log
}

#[test]
fn an_open_log_is_taken_by_those_on_its_list() {
    let me = me();
    let mut log = Written::new(PEER, 7);
    let body = log.list(false, &[rcp(ME)]);
    log.leave(1);
    let bare = log.package(0);
    assert_eq!(
        came(&me, &log, bare.clone()),
        Err(Reason::Truncated),
        "no list"
    );
    let with = |change: &dyn Fn(&mut v1::ReadersProof)| {
        let mut package = bare.clone();
        let mut proof = log.readers(0, 2, body.clone());
        change(&mut proof);
        package.readers = Some(proof);
        package
    };
    let good = with(&|_| ());
    let facts = came(&me, &log, good.clone()).expect("taken");
    assert!(facts.iter().any(|fact| matches!(fact, Fact::List { .. })));
    let wrong = |change: &dyn Fn(&mut v1::ReadersProof)| came(&me, &log, with(change));
    assert_eq!(wrong(&|proof| proof.index = 1), Err(Reason::BadProof));
    assert_eq!(wrong(&|proof| proof.list = None), Err(Reason::Truncated));
    let other = list(false, &[rcp(ME), rcp(PEER)]).1;
    let another = |proof: &mut v1::ReadersProof| proof.list = Some(other.clone());
    assert_eq!(wrong(&another), Err(Reason::WrongHash));
    let not_readers = log.readers(1, 2, body.clone());
    let of_a_leave = |proof: &mut v1::ReadersProof| *proof = not_readers.clone();
    assert_eq!(wrong(&of_a_leave), Err(Reason::Malformed));
    let mut unlisted = Written::new(PEER, 7);
    let body = unlisted.list(false, &[rcp(ABOUT)]);
    let mut package = unlisted.package(0);
    package.readers = Some(unlisted.readers(0, 1, body));
    assert_eq!(came(&me, &unlisted, package), Err(Reason::NotEntitled));
    let mut closed = Written::new(PEER, 7);
    closed.leave(1);
    let body = closed.list(false, &[rcp(ME)]);
    let mut package = closed.package(0);
    package.readers = Some(closed.readers(1, 2, body));
    assert_eq!(
        came(&me, &closed, package),
        Err(Reason::Malformed),
        "it is closed"
    );
}

#[test]
fn the_newest_list_counts_and_is_kept_once() {
    let mut me = me();
    let mut log = Written::new(PEER, 7);
    let old = log.list(false, &[rcp(ME)]);
    log.leave(1);
    let new = log.list(true, &[rcp(ME), rcp(ABOUT)]);
    let lists = |facts: &[Fact]| {
        let lists = facts
            .iter()
            .filter(|fact| matches!(fact, Fact::List { .. }));
        lists.count()
    };
    let mut first = log.part(0, 2, 3);
    first.readers = Some(log.readers(2, 3, new.clone()));
    first.bodies = vec![old.clone()];
    let facts = take(&mut me, &log, first);
    assert_eq!(lists(&facts), 1, "not the one that it replaced");
    assert!(me.log(&log.id).lists(&rcp(ABOUT)));
    let mut rest = log.part(2, 3, 3);
    rest.readers = Some(log.readers(2, 3, new.clone()));
    let facts = came(&me, &log, rest.clone()).expect("taken");
    assert_eq!(lists(&facts), 0, "it is here");
    rest.bodies = vec![new.clone()];
    let facts = take(&mut me, &log, rest);
    assert_eq!(lists(&facts), 1, "as its line names it");
    log.leave(2);
    let mut later = log.package(3);
    later.readers = Some(log.readers(0, 4, old));
    let facts = came(&me, &log, later).expect("taken");
    assert_eq!(lists(&facts), 0, "an old one says nothing");
}

#[test]
fn a_log_is_taken_from_a_relay_if_its_list_lets_readers_pass_it_on() {
    let me = me();
    for relay in [true, false] {
        let mut log = Written::new(PEER, 7);
        let body = log.list(relay, &[rcp(ME), rcp(ABOUT)]);
        log.leave(1);
        let mut package = log.part(0, 1, 2);
        package.readers = Some(log.readers(0, 2, body));
        let found = me.arrive(&log.arrival(ABOUT, package.clone()));
        assert_eq!(found.is_ok(), relay);
        let mut me = me.clone();
        take(&mut me, &log, package);
        let found = me.arrive(&log.arrival(ABOUT, log.package(1)));
        assert_eq!(found.is_ok(), relay, "as the list here says");
    }
    let closed = log(2);
    let found = me.arrive(&closed.arrival(ABOUT, closed.package(0)));
    assert_eq!(found, Err(Refusal::new("package", Reason::NotEntitled)));
}

#[test]
fn the_list_of_a_line_that_is_here_is_taken_whenever_it_comes() {
    let mut me = me();
    let mut log = Written::new(PEER, 7);
    let body = log.list(false, &[rcp(ME)]);
    let mut first = log.package(0);
    first.readers = Some(log.readers(0, 1, body));
    take(&mut me, &log, first);
    let newer = log.list(false, &[rcp(ME), rcp(ABOUT)]);
    let other = list(false, &[rcp(ME), rcp(9)]).1;
    let mut unnamed = log.package(1);
    unnamed.bodies = vec![other];
    let facts = take(&mut me, &log, unnamed);
    assert!(
        !facts.iter().any(|fact| matches!(fact, Fact::List { .. })),
        "no line names that"
    );
    assert!(!me.log(&log.id).lists(&rcp(ABOUT)));
    log.leave(1);
    let mut later = log.package(2);
    later.readers = Some(log.readers(1, 3, newer));
    take(&mut me, &log, later);
    assert!(me.log(&log.id).lists(&rcp(ABOUT)));
}
