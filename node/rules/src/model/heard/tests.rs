//! Which receipts are kept for whom, and since when nothing was heard.

use corridor_proto::UnixMillis;

use super::*;
use crate::fact::Fact;
use crate::samples::{ABOUT, ME, NOW, Node, PEER, Written, partner_of, rcp};

/// A node that follows a log of the peer's.
fn follower() -> (Node, Written) {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    log.leave(1);
    me.take(&log.arrival(PEER, log.package(0)));
    (me, log)
}

fn held(me: &mut Node, log: &Written, holder: u8, time_s: u64) {
    let note = String::from_utf8(log.held(holder, 1, time_s)).expect("a note");
    let holder = rcp(holder);
    me.apply(&[Fact::Held { holder, note }]);
}

#[test]
fn receipts_for_our_logs_are_ours_and_others_are_passed_on() {
    let (mut me, theirs) = follower();
    let mut ours = Written::new(ME, 7);
    ours.leave(1);
    let (owner, seed, sort) = (me.rcp, ours.seed, crate::log::Sort::Closed);
    let name = "ours".to_owned();
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    held(&mut me, &ours, PEER, 5);
    held(&mut me, &ours, ME, 6);
    held(&mut me, &theirs, ABOUT, 7);
    held(&mut me, &theirs, 9, 8);
    let ids =
        |keys: Vec<&(LogId, RcpId)>| -> Vec<(LogId, RcpId)> { keys.into_iter().copied().collect() };
    assert_eq!(ids(me.model.held.keys().collect()), [(ours.id, rcp(PEER))]);
    let mut passing = vec![(ours.id, rcp(ME)), (theirs.id, rcp(ABOUT))];
    passing.sort();
    assert_eq!(
        ids(me.model.passing.keys().collect()),
        passing,
        "of a stranger none"
    );
    let (holder, note) = (rcp(ABOUT), "nothing".to_owned());
    me.apply(&[Fact::Held { holder, note }]);
    assert_eq!(me.model.passing.len(), 2);
}

#[test]
fn with_a_partner_go_receipts_by_it_and_for_its_logs() {
    let (mut me, log) = follower();
    let mut other = Written::new(ABOUT, 7);
    other.leave(1);
    me.take(&other.arrival(ABOUT, other.package(0)));
    for (of, holder) in [(&log, ABOUT), (&log, PEER), (&other, PEER), (&other, ABOUT)] {
        held(&mut me, of, holder, 5);
    }
    assert_eq!(me.model.passing.len(), 4);
    me.apply(&[Fact::Forget { rcp: rcp(PEER) }]);
    let left: Vec<_> = me.model.passing.keys().copied().collect();
    assert_eq!(left, [(other.id, rcp(ABOUT))]);
}

#[test]
fn news_come_with_a_meeting_or_with_what_an_owner_says() {
    let (mut me, log) = follower();
    let news = |me: &Node| me.model.news(me.log(&log.id));
    assert_eq!(news(&me), None);
    held(&mut me, &log, ABOUT, 9);
    assert_eq!(news(&me), None, "a reader says nothing of what is newest");
    held(&mut me, &log, PEER, 5);
    assert_eq!(news(&me), Some(UnixMillis(5_000)));
    let (rcp, at) = (rcp(PEER), UnixMillis(6_000));
    me.apply(&[Fact::Met { rcp, at }]);
    assert_eq!(news(&me), Some(at));
    held(&mut me, &log, PEER, 7);
    assert_eq!(news(&me), Some(UnixMillis(7_000)));
}

#[test]
fn a_partner_of_whom_nothing_was_heard_for_a_day_is_named() {
    let (mut me, _) = follower();
    let silent = |me: &Node, at| me.model.silent_since(&rcp(PEER), at);
    let day = NEWS_ALARM_MS;
    assert_eq!(silent(&me, NOW.plus(day - 1)), None);
    assert_eq!(
        silent(&me, NOW.plus(day)),
        Some(NOW),
        "since it was confirmed"
    );
    let (of, at) = (rcp(PEER), NOW.plus(5));
    me.apply(&[Fact::Met { rcp: of, at }]);
    assert_eq!(silent(&me, NOW.plus(day)), None);
    assert_eq!(silent(&me, NOW.plus(day + 5)), Some(at));
    let mut second = Written::new(PEER, 8);
    second.leave(1);
    me.take(&second.arrival(PEER, second.package(0)));
    held(&mut me, &second, PEER, NOW.0 / 1_000 + 60);
    assert_eq!(
        silent(&me, NOW.plus(day + 5)),
        Some(at),
        "the log of which least was heard"
    );
    for (state, is_named) in [
        (PeerState::Paused, true),
        (PeerState::Left, false),
        (PeerState::Pending, false),
    ] {
        let mut me = me.clone();
        me.treat(PEER, state);
        let found = me.model.silent_since(&rcp(PEER), NOW.plus(9 * day));
        assert_eq!(found.is_some(), is_named, "{state:?}");
    }
    let unfollowed = me.model.silent_since(&rcp(ABOUT), NOW.plus(9 * day));
    assert_eq!(unfollowed, None, "nothing of it is followed");
    assert_eq!(me.model.silent_since(&rcp(9), NOW.plus(9 * day)), None);
}
