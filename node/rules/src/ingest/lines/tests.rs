//! Which lines are taken in, and how they must be proved.

use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::ingest::Arrival;
use crate::log::Stop;
use crate::peer::PeerState;
use crate::samples::{
    ABOUT, ME, Node, PEER, Written, key, noted, partner_of, rcp, salted, withdrawal,
};

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

fn lines_of(facts: &[Fact]) -> Option<(u64, usize)> {
    facts.iter().find_map(|fact| match fact {
        Fact::Lines { from, lines, .. } => Some((*from, lines.len())),
        _ => None,
    })
}

const NOTHING: Result<Vec<Fact>, Reason> = Ok(Vec::new());

#[test]
fn lines_are_taken_behind_those_that_are_here() {
    let (mut me, log) = (me(), log(6));
    let facts = take(&mut me, &log, log.part(0, 2, 6));
    let (owner, seed) = (rcp(PEER), log.seed);
    let (sort, name) = (Sort::Closed, String::new());
    assert_eq!(
        facts[0],
        Fact::Circle {
            owner,
            seed,
            sort,
            name
        }
    );
    assert!(matches!(
        facts[1..],
        [Fact::Lines { .. }, Fact::Head { .. }]
    ));
    assert_eq!(me.log(&log.id).size(), 2);
    assert!(
        me.log(&log.id).held_head.is_none(),
        "its head is not reached"
    );
    assert_eq!(came(&me, &log, log.part(0, 2, 6)), NOTHING, "again");
    assert_eq!(came(&me, &log, log.part(0, 1, 6)), NOTHING, "less");
    assert_eq!(came(&me, &log, log.part(3, 4, 6)), Err(Reason::OutOfOrder));
    let facts = take(&mut me, &log, log.part(1, 4, 6));
    assert_eq!(lines_of(&facts), Some((2, 2)), "those that are new");
    let mut rest = log.part(4, 6, 6);
    rest.checkpoint.clear();
    let facts = take(&mut me, &log, rest);
    assert!(
        matches!(facts[..], [Fact::Lines { .. }]),
        "the head is here"
    );
    let held = me.log(&log.id).held_head.as_ref().expect("reached");
    assert_eq!(held.checkpoint, log.checkpoint(6));
    let mut nothing = log.package(0);
    nothing.lines.clear();
    assert_eq!(came(&me, &log, nothing.clone()), NOTHING);
    let fresh = partner_of(&[PEER]);
    assert_eq!(came(&fresh, &log, nothing), Err(Reason::Truncated));
}

#[test]
fn a_package_belongs_to_its_log_and_comes_from_whom_we_take_it() {
    let (mut me, log) = (me(), log(2));
    let mut other = log.package(0);
    other.log = vec![9; 32];
    assert_eq!(came(&me, &log, other), Err(Reason::WrongLog));
    let mut elsewhere = Written::new(PEER, 8);
    elsewhere.leave(1);
    let mut wrong_head = log.package(0);
    wrong_head.checkpoint = elsewhere.head(1);
    assert_eq!(came(&me, &log, wrong_head), Err(Reason::WrongLog));
    let mut own = Written::new(ME, 7);
    own.leave(1);
    let arrival = own.arrival(PEER, own.package(0));
    let reason = me.arrive(&arrival).map_err(|refusal| refusal.reason);
    assert_eq!(reason, Err(Reason::NotEntitled), "nobody gives us ours so");
    me.treat(PEER, PeerState::Left);
    assert_eq!(came(&me, &log, log.package(0)), Err(Reason::NotEntitled));
    me.treat(PEER, PeerState::Active);
    me.model.known.remove(&rcp(PEER));
    assert_eq!(came(&me, &log, log.package(0)), Err(Reason::WrongRcp));
}

#[test]
fn a_public_log_has_a_seed_of_zeros() {
    let mut log = Written::new(PEER, 0);
    log.leave(1);
    let mut me = me();
    take(&mut me, &log, log.package(0));
    assert_eq!(me.log(&log.id).sort, Sort::Public);
}

#[test]
fn an_rcp_has_so_many_logs_here() {
    let (mut me, log) = (me(), log(2));
    let many = |me: &mut Node, owner: u8, count: usize| {
        let owner = rcp(owner);
        for number in 0..count {
            let mut seed = [8; 16];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            let other = Log::new(owner, LogSeed::new(seed), Sort::Closed, String::new());
            me.model.logs.insert(other.id, other);
        }
    };
    many(&mut me, ABOUT, LOGS_PER_RCP_MAX);
    many(&mut me, PEER, LOGS_PER_RCP_MAX - 1);
    assert!(came(&me, &log, log.package(0)).is_ok());
    take(&mut me, &log, log.part(0, 1, 2));
    assert!(came(&me, &log, log.package(1)).is_ok(), "it is here");
    let mut other = Written::new(PEER, 9);
    other.leave(1);
    assert_eq!(came(&me, &other, other.package(0)), Err(Reason::TooLong));
}

#[test]
fn a_head_that_is_not_reached_is_not_replaced() {
    let (mut me, mut log) = (me(), log(6));
    take(&mut me, &log, log.part(0, 2, 6));
    log.leave(9);
    assert_eq!(came(&me, &log, log.part(2, 4, 7)), Err(Reason::OutOfOrder));
    let facts = take(&mut me, &log, log.part(2, 6, 6));
    assert_eq!(lines_of(&facts), Some((2, 4)));
    assert!(came(&me, &log, log.part(6, 7, 7)).is_ok(), "once it is");
    let mut none = log.part(6, 7, 7);
    none.checkpoint.clear();
    assert!(came(&me, &log, none).is_err(), "and there must be one");
}

#[test]
fn a_head_under_a_retired_key_leads_no_further() {
    let (mut me, log) = (me(), log(3));
    let event = crate::samples::rotated(PEER, 50).events()[1].clone();
    let rcp = rcp(PEER);
    me.apply(&[Fact::KeyEvent { rcp, event }]);
    assert_eq!(came(&me, &log, log.package(0)), Err(Reason::RetiredKey));
}

#[test]
fn what_the_lines_withdraw_is_counted_and_its_notes_are_kept() {
    let mut me = me();
    let mut log = log(1);
    let found = log.text(1, 5, "text");
    take(&mut me, &log, log.package(0));
    let records = vec![(1, found)];
    me.take(&Arrival::Records {
        peer: rcp(PEER),
        log: log.id,
        records,
    });
    let note = b"a note".to_vec();
    let mut withdrawn = withdrawal(1, WHOLE_RECORD);
    withdrawn.note = noted(&note);
    log.push(Act::Withdraw(withdrawn));
    let mut package = log.package(2);
    package.bodies = vec![salted(note)];
    let facts = take(&mut me, &log, package.clone());
    let (rcp, at, count) = (rcp(PEER), me.now, 1);
    assert_eq!(facts[0], Fact::Withdrawals { rcp, at, count });
    assert!(matches!(facts.last(), Some(Fact::Note { .. })));
    assert!(!me.store.contains(b"text"));
    log.leave(3);
    let mut surplus = log.package(3);
    surplus.bodies = vec![salted(b"one".to_vec()), salted(b"two".to_vec())];
    assert_eq!(came(&me, &log, surplus.clone()), Err(Reason::TooLong));
    surplus.bodies.pop();
    let facts = came(&me, &log, surplus).expect("taken");
    assert!(
        !facts.iter().any(|fact| matches!(fact, Fact::Note { .. })),
        "nothing names it"
    );
}

#[test]
fn a_note_is_not_too_long_and_is_kept_once() {
    let me = me();
    for (len, fits) in [(NOTE_BYTES_MAX, true), (NOTE_BYTES_MAX + 1, false)] {
        let note = vec![7; len];
        let mut log = log(1);
        for _ in 0..2 {
            let mut withdrawn = withdrawal(1, WHOLE_RECORD);
            withdrawn.note = noted(&note);
            log.push(Act::Withdraw(withdrawn));
        }
        let mut package = log.package(0);
        package.bodies = vec![salted(note.clone()), salted(note.clone())];
        let found = came(&me, &log, package);
        let kept = found.map(|facts| {
            let notes = facts
                .iter()
                .filter(|fact| matches!(fact, Fact::Note { .. }));
            notes.count()
        });
        assert_eq!(kept, if fits { Ok(1) } else { Err(Reason::TooLong) });
        let mut unnamed = log.part(0, 1, 3);
        unnamed.bodies = vec![salted(note)];
        assert!(
            came(&me, &log, unnamed).is_ok(),
            "what nothing names is left out"
        );
    }
}

#[test]
fn a_restart_names_the_prefix_that_it_follows() {
    let (mut me, mut log) = (me(), log(2));
    take(&mut me, &log, log.package(0));
    let mut wrong = log.clone();
    let root = wrong.tree.root_at(1).expect("a root");
    let (incarnation, size) = (5, 1);
    wrong.incarnation = 5;
    wrong.push(Act::Restart {
        incarnation,
        size,
        root,
    });
    assert_eq!(came(&me, &wrong, wrong.package(2)), Err(Reason::BadProof));
    let mut other_root = log.clone();
    other_root.incarnation = 5;
    let size = 2;
    other_root.push(Act::Restart {
        incarnation,
        size,
        root,
    });
    let package = other_root.package(2);
    assert_eq!(came(&me, &other_root, package), Err(Reason::BadProof));
    let mut silent = log.clone();
    silent.leave(9);
    silent.incarnation = 5;
    let package = silent.package(2);
    assert_eq!(came(&me, &silent, package), Err(Reason::WrongIncarnation));
    log.restart(5);
    take(&mut me, &log, log.package(2));
    assert_eq!(me.log(&log.id).incarnation, 5);
    let mut back = log.clone();
    back.leave(9);
    back.incarnation = 4;
    assert_eq!(
        came(&me, &back, back.package(3)),
        Err(Reason::WrongIncarnation)
    );
}

#[test]
fn a_log_is_restarted_so_often() {
    let (mut me, mut log) = (me(), log(1));
    take(&mut me, &log, log.package(0));
    let restart = crate::log::Restart {
        index: 0,
        incarnation: 0,
    };
    log.restart(5);
    let with = |me: &mut Node, count| {
        let found = me.model.logs.get_mut(&log.id).expect("a log");
        found.restarts = vec![restart; count];
        came(me, &log, log.package(1))
    };
    assert!(with(&mut me, RESTARTS_MAX - 1).is_ok());
    assert_eq!(with(&mut me, RESTARTS_MAX), Err(Reason::TooLong));
}

#[test]
fn what_overtakes_a_restart_waits_for_it() {
    let (mut me, mut log) = (me(), log(6));
    take(&mut me, &log, log.part(0, 2, 6));
    let mut other = log.fork(4);
    other.restart(5);
    let facts = take(&mut me, &other, other.part(2, 5, 5));
    assert_eq!(
        lines_of(&facts),
        Some((2, 3)),
        "what was pending never comes"
    );
    assert_eq!(me.log(&log.id).incarnation, 5);
    log.leave(9);
    assert_eq!(
        came(&me, &log, log.package(5)),
        Err(Reason::WrongIncarnation)
    );
}

/// A log that was restarted on another branch, and so many lines of it.
fn restarted(log: &Written, size: usize, incarnation: u64) -> Written {
    let mut other = log.fork(size);
    other.leave(20);
    other.restart(incarnation);
    other.leave(21);
    other
}

#[test]
fn a_log_that_was_restarted_on_another_branch_is_taken_again_from_its_first_line() {
    let (mut me, log) = (me(), log(4));
    take(&mut me, &log, log.package(0));
    let other = restarted(&log, 2, 5);
    assert_eq!(came(&me, &other, other.package(4)), Err(Reason::BadProof));
    let facts = take(&mut me, &other, other.part(0, 2, 5));
    assert_eq!(facts[0], Fact::Rewound { log: log.id });
    assert!(me.log(&log.id).retaken);
    let again = came(&me, &other, other.part(0, 2, 5));
    assert_eq!(again, NOTHING, "it has begun");
    let newer = restarted(&other, 1, 9);
    let facts = came(&me, &newer, newer.part(0, 2, 4)).expect("another restart");
    assert_eq!(facts[0], Fact::Rewound { log: log.id });
    let facts = take(&mut me, &other, other.part(2, 5, 5));
    assert_eq!(lines_of(&facts), Some((2, 3)));
    let found = me.log(&log.id);
    assert_eq!(
        (found.incarnation, found.retaken, found.has_void),
        (5, false, false)
    );
    assert_eq!(came(&me, &other, other.part(0, 2, 5)), NOTHING, "once");
}

#[test]
fn a_log_that_goes_on_behind_a_restart_is_not_taken_again() {
    let (mut me, mut log) = (me(), log(3));
    take(&mut me, &log, log.package(0));
    log.restart(5);
    log.leave(9);
    let facts = take(&mut me, &log, log.part(3, 4, 5));
    assert!(
        !facts
            .iter()
            .any(|fact| matches!(fact, Fact::Rewound { .. }))
    );
    let mut fresh = partner_of(&[PEER]);
    let facts = take(&mut fresh, &log, log.package(0));
    assert!(
        !facts
            .iter()
            .any(|fact| matches!(fact, Fact::Rewound { .. }))
    );
    // One that has no line yet has nothing to forget.
    let mut empty = partner_of(&[PEER]);
    let (owner, seed, sort) = (rcp(PEER), log.seed, Sort::Closed);
    let name = String::new();
    empty.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    let facts = take(&mut empty, &log, log.package(0));
    assert!(matches!(facts[..], [Fact::Lines { .. }, Fact::Head { .. }]));
}

#[test]
fn a_log_is_taken_again_so_often() {
    let (mut me, log) = (me(), log(4));
    take(&mut me, &log, log.package(0));
    let other = restarted(&log, 2, 5);
    let with = |me: &mut Node, rewinds| {
        me.model.logs.get_mut(&log.id).expect("a log").rewinds = rewinds;
        came(me, &other, other.package(0))
    };
    assert!(with(&mut me, RESTARTS_MAX - 1).is_ok());
    assert_eq!(with(&mut me, RESTARTS_MAX), Err(Reason::TooLong));
}

#[test]
fn a_frozen_log_waits_for_a_person_before_it_follows_a_restart() {
    let (mut me, mut log) = (me(), log(4));
    take(&mut me, &log, log.package(0));
    let other = restarted(&log, 2, 5);
    let id = log.id;
    let stop = |me: &mut Node, accepted| {
        let found = me.model.logs.get_mut(&id).expect("a log");
        found.stop = Some(Stop::Frozen { accepted });
    };
    stop(&mut me, false);
    assert_eq!(came(&me, &other, other.package(0)), NOTHING);
    let mut goes_on = log.clone();
    goes_on.restart(5);
    assert_eq!(came(&me, &goes_on, goes_on.package(4)), NOTHING);
    log.leave(9);
    assert!(
        !came(&me, &log, log.package(4)).expect("more").is_empty(),
        "its lines are kept"
    );
    stop(&mut me, true);
    assert_eq!(
        came(&me, &goes_on, goes_on.package(4)),
        NOTHING,
        "not from there"
    );
    let facts = take(&mut me, &other, other.package(0));
    assert_eq!(facts[0], Fact::Rewound { log: id });
    assert_eq!(me.log(&id).stop, None);
}

fn again(me: &Node, peer: u8, note: &[u8]) -> Result<Vec<Fact>, Reason> {
    let (peer, owner, note) = (rcp(peer), rcp(PEER), note.to_vec());
    let arrival = Arrival::Head { peer, owner, note };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

#[test]
fn a_head_that_signs_again_what_is_held_takes_its_place() {
    let (mut me, mut log) = (me(), log(4));
    assert_eq!(
        again(&me, PEER, &log.head(4)),
        Err(Reason::WrongLog),
        "it is not here"
    );
    take(&mut me, &log, log.part(0, 2, 4));
    assert_eq!(
        again(&me, PEER, &log.head(2)),
        Err(Reason::OutOfOrder),
        "more is to come"
    );
    take(&mut me, &log, log.part(2, 4, 4));
    assert_eq!(again(&me, PEER, &log.head(4)), NOTHING, "it is known");
    let event = crate::samples::rotated(PEER, 50).events()[1].clone();
    let rcp = rcp(PEER);
    me.apply(&[Fact::KeyEvent { rcp, event }]);
    assert_eq!(again(&me, PEER, &log.head(4)), Err(Reason::RetiredKey));
    let signed = |size| {
        log.checkpoint(size)
            .sign(&key(50))
            .note()
            .as_bytes()
            .to_vec()
    };
    assert_eq!(again(&me, PEER, &signed(3)), NOTHING, "it says less");
    assert_eq!(again(&me, 9, &signed(4)), Err(Reason::NotEntitled));
    let facts = again(&me, ABOUT, &signed(4)).expect("taken");
    assert!(
        matches!(facts[..], [Fact::Head { .. }]),
        "from whomever it comes"
    );
    me.apply(&facts);
    assert_eq!(
        me.log(&log.id).held_head.as_ref().map(|head| head.key_seq),
        Some(1)
    );
    let other = {
        let mut other = log.fork(3);
        other.leave(9);
        other
    };
    let note = other.checkpoint(4).sign(&key(50));
    assert_eq!(
        again(&me, PEER, note.note().as_bytes()),
        Err(Reason::BadProof)
    );
    log.incarnation = 5;
    let note = log.checkpoint(4).sign(&key(50));
    assert_eq!(
        again(&me, PEER, note.note().as_bytes()),
        Err(Reason::BadProof)
    );
}

#[test]
fn a_head_of_another_rcps_log_is_not_the_peers() {
    let mut me = me();
    let mut theirs = Written::new(ABOUT, 7);
    theirs.leave(1);
    take(&mut me, &theirs, theirs.package(0));
    assert_eq!(again(&me, PEER, &theirs.head(1)), Err(Reason::UnknownKey));
    let forged = theirs.checkpoint(1).sign(&key(PEER));
    assert_eq!(
        again(&me, PEER, forged.note().as_bytes()),
        Err(Reason::WrongLog)
    );
}
