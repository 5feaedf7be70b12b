//! Lines of our own logs that readers give back.

use corridor_proto::line::{Act, WHOLE_RECORD};

use super::*;
use crate::ingest::{Arrival, RESTORED};
use crate::peer::PeerState;
use crate::samples::{
    ABOUT, ME, Node, PEER, Written, key, list, noted, partner_of, rcp, salted, withdrawal,
};

/// A node out of a backup, with partners and no circle of this seed.
fn restored() -> Node {
    let mut me = partner_of(&[PEER, ABOUT]);
    me.apply(&[Fact::SigningStopped {
        reason: RESTORED.to_owned(),
    }]);
    me
}

/// It knows this log of its own, with so many of its lines.
fn with(mut me: Node, log: &Written, size: usize) -> Node {
    let (owner, seed, sort) = (me.rcp, log.seed, Sort::Closed);
    let name = Log::recovered_name(&log.id);
    let lines = log.lines[..size].to_vec();
    let (log, from) = (log.id, 0);
    me.apply(&[
        Fact::Circle {
            owner,
            seed,
            sort,
            name,
        },
        Fact::Lines { log, from, lines },
    ]);
    me
}

fn log(lines: u8) -> Written {
    let mut log = Written::new(ME, 7);
    for byte in 0..lines {
        log.leave(byte);
    }
    log
}

fn back(me: &Node, log: &Written, package: v1::Package) -> Result<Vec<Fact>, Reason> {
    let (peer, seed, package) = (rcp(PEER), log.seed, Box::new(package));
    let arrival = Arrival::OwnPackage {
        peer,
        seed,
        package,
    };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

const NOTHING: Result<Vec<Fact>, Reason> = Ok(Vec::new());

#[test]
fn what_extends_our_lines_is_ours_while_nothing_is_signed() {
    let log = log(5);
    let mut me = with(restored(), &log, 2);
    let facts = back(&me, &log, log.part(2, 4, 5)).expect("taken");
    assert!(
        matches!(&facts[..], [Fact::Lines { from: 2, .. }]),
        "{facts:?}"
    );
    let facts = back(&me, &log, log.package(1)).expect("taken");
    let [Fact::Lines { from: 2, lines, .. }, Fact::Head { .. }] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(lines[..], log.lines[2..]);
    me.apply(&facts);
    assert_eq!(
        back(&me, &log, log.package(1)),
        NOTHING,
        "another one gave it"
    );
    assert_eq!(back(&me, &log, log.part(1, 3, 5)), NOTHING);
    let held = me.log(&log.id).held_head.as_ref().expect("its head");
    assert_eq!(held.checkpoint.size, 5);
    me.model.signing_stopped = None;
    assert_eq!(back(&me, &log, log.package(1)), Err(Reason::NotEntitled));
}

#[test]
fn what_is_given_back_is_proved_to_be_ours() {
    let log = log(4);
    let mut me = with(restored(), &log, 2);
    let good = log.package(2);
    let wrong = |change: &dyn Fn(&mut v1::Package)| {
        let mut package = good.clone();
        change(&mut package);
        back(&me, &log, package)
    };
    assert_eq!(
        wrong(&|package| package.log = vec![9; 32]),
        Err(Reason::WrongLog)
    );
    let mut other = Written::new(ME, 8);
    other.leave(1);
    assert_eq!(
        wrong(&|package| package.checkpoint = other.head(1)),
        Err(Reason::WrongLog)
    );
    let forged = log.checkpoint(4).sign(&key(PEER));
    let forged = forged.note().as_bytes().to_vec();
    assert_eq!(
        wrong(&|package| package.checkpoint.clone_from(&forged)),
        Err(Reason::UnknownKey)
    );
    assert_eq!(wrong(&|package| package.from = 3), Err(Reason::OutOfOrder));
    assert_eq!(
        wrong(&|package| drop(package.lines.pop())),
        Err(Reason::BadProof)
    );
    let surplus = |package: &mut v1::Package| package.bodies = vec![salted(Vec::new()); 3];
    assert_eq!(wrong(&surplus), Err(Reason::TooLong));
    let exact = |package: &mut v1::Package| package.bodies = vec![salted(Vec::new()); 2];
    assert!(wrong(&exact).is_ok());
    let unknown = Written {
        seed: LogSeed::new([9; 16]),
        ..log.clone()
    };
    assert!(back(&me, &unknown, good.clone()).is_err());
    assert_eq!(
        back(&restored(), &log, good.clone()),
        Err(Reason::WrongLog),
        "not known"
    );
    me.treat(PEER, PeerState::Left);
    assert_eq!(back(&me, &log, good), Err(Reason::NotEntitled));
}

#[test]
fn a_head_of_ours_is_under_our_key_and_in_no_older_incarnation() {
    let mut log = log(2);
    let mut me = with(restored(), &log, 2);
    let old = log.clone();
    log.restart(5);
    me = {
        let (id, from, lines) = (log.id, 2, log.lines[2..].to_vec());
        me.apply(&[Fact::Lines {
            log: id,
            from,
            lines,
        }]);
        me
    };
    let mut stale = old.clone();
    stale.leave(9);
    assert_eq!(
        back(&me, &stale, stale.package(2)),
        Err(Reason::WrongIncarnation)
    );
    log.leave(9);
    assert!(back(&me, &log, log.package(3)).is_ok());
    let event = crate::samples::rotated(ME, 50).events()[1].clone();
    let rcp = rcp(ME);
    me.apply(&[Fact::KeyEvent { rcp, event }]);
    assert_eq!(back(&me, &log, log.package(3)), Err(Reason::RetiredKey));
}

#[test]
fn lines_that_differ_from_ours_do_not_extend_them() {
    let log = log(4);
    let mut other = log.fork(1);
    for byte in 10..14 {
        other.leave(byte);
    }
    let me = with(restored(), &log, 2);
    assert_eq!(back(&me, &other, other.package(1)), Err(Reason::BadProof));
    assert_eq!(back(&me, &other, other.package(2)), Err(Reason::BadProof));
    assert!(back(&me, &log, log.package(0)).is_ok());
}

#[test]
fn a_newer_list_says_who_lost_the_log_and_who_reads_it_again() {
    let mut log = Written::new(ME, 7);
    log.list(false, &[rcp(PEER), rcp(9)]);
    log.leave(1);
    let (mut me, id) = (with(restored(), &log, 2), log.id);
    let former = |byte, size| {
        let (log, rcp) = (id, rcp(byte));
        Fact::Former { log, rcp, size }
    };
    let (hash, body) = list(false, &[rcp(PEER), rcp(9)]);
    let blob = [body.salt, body.body].concat();
    let listed = Fact::List {
        log: id,
        hash,
        blob,
    };
    me.apply(&[listed, former(ABOUT, 1), former(11, 1)]);
    let body = log.list(false, &[rcp(ABOUT)]);
    log.leave(2);
    let mut package = log.package(2);
    package.bodies = vec![body];
    let said = |me: &Node, package: &v1::Package| {
        let facts = back(me, &log, package.clone()).expect("taken");
        let said = facts.into_iter();
        let mut said: Vec<Fact> = said
            .filter(|fact| matches!(fact, Fact::Former { .. } | Fact::Reader { .. }))
            .collect();
        said.sort_by_key(|fact| format!("{fact:?}"));
        said
    };
    let reader = Fact::Reader {
        log: id,
        rcp: rcp(ABOUT),
    };
    let mut expect = vec![former(PEER, 4), former(9, 4), reader.clone()];
    expect.sort_by_key(|fact| format!("{fact:?}"));
    assert_eq!(said(&me, &package), expect);
    me.apply(&[former(PEER, 2)]);
    let expect = [former(9, 4), reader];
    assert_eq!(said(&me, &package), expect, "one is former already");
    package.bodies.clear();
    assert_eq!(said(&me, &package), [], "no list came");
}

fn shown(me: &Node, log: &Written, size: u64) -> Result<Vec<Fact>, Reason> {
    let (peer, seed, claim) = (rcp(PEER), log.seed, log.checkpoint(size));
    let arrival = Arrival::Shown { peer, seed, claim };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

#[test]
fn a_log_of_which_only_a_reader_knew_begins_and_it_is_a_former_reader() {
    let mut log = log(3);
    log.incarnation = 5;
    let mut me = restored();
    let facts = shown(&me, &log, 2).expect("noted");
    let (owner, seed, sort) = (me.rcp, log.seed, Sort::Closed);
    let name = Log::recovered_name(&log.id);
    let (id, rcp, incarnation) = (log.id, rcp(PEER), 5);
    let former = |size| Fact::Former { log: id, rcp, size };
    let expect = [
        Fact::Circle {
            owner,
            seed,
            sort,
            name,
        },
        Fact::Shown {
            log: id,
            incarnation,
        },
        former(2),
    ];
    assert_eq!(facts, expect);
    me.apply(&facts);
    assert_eq!(shown(&me, &log, 2), NOTHING, "again");
    assert_eq!(shown(&me, &log, 1), NOTHING, "less");
    assert_eq!(shown(&me, &log, 3), Ok(vec![former(3)]));
    log.incarnation = 6;
    let incarnation = 6;
    assert_eq!(
        shown(&me, &log, 2),
        Ok(vec![Fact::Shown {
            log: id,
            incarnation
        }])
    );
    log.incarnation = 4;
    assert_eq!(shown(&me, &log, 2), NOTHING);
    let fresh = Written::new(ME, 9);
    let facts = shown(&me, &fresh, 0).expect("noted");
    assert_eq!(facts.len(), 1, "it holds nothing of it");
}

#[test]
fn a_reader_that_the_newest_list_admits_is_no_former_one() {
    let mut log = Written::new(ME, 7);
    log.list(false, &[rcp(PEER)]);
    let mut me = with(restored(), &log, 1);
    assert_eq!(shown(&me, &log, 1), NOTHING, "the newest list is not here");
    let (hash, body) = list(false, &[rcp(PEER)]);
    let blob = [body.salt, body.body].concat();
    let id = log.id;
    me.apply(&[Fact::List {
        log: id,
        hash,
        blob,
    }]);
    assert_eq!(shown(&me, &log, 1), NOTHING, "it reads");
    let mut other = me.clone();
    other
        .model
        .logs
        .get_mut(&id)
        .and_then(|log| log.readers.as_mut())
        .expect("one")
        .list
        .readers[0]
        .0 = rcp(ABOUT);
    assert_eq!(shown(&other, &log, 1).map(|facts| facts.len()), Ok(1));
    me.model.logs.get_mut(&id).expect("a log").incarnation = 9;
    log.incarnation = 9;
    assert_eq!(shown(&me, &log, 1), NOTHING);
}

#[test]
fn so_many_logs_of_ours_come_back() {
    let mut me = restored();
    let have = me.model.own_logs().count();
    let add = |me: &mut Node, count: usize| {
        for number in 0..count {
            let mut seed = [8; 16];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            let other = Log::new(me.rcp, LogSeed::new(seed), Sort::Closed, String::new());
            me.model.logs.insert(other.id, other);
        }
    };
    let log = log(1);
    add(&mut me, LOGS_PER_RCP_MAX - have - 1);
    assert!(shown(&me, &log, 1).is_ok());
    let known = with(me.clone(), &log, 1);
    add(&mut me, LOGS_PER_RCP_MAX - have);
    assert_eq!(shown(&me, &log, 1), Err(Reason::TooLong));
    assert!(shown(&known, &log, 1).is_ok(), "it is known");
}

fn void(me: &Node, log: &Written, package: v1::Package) -> Result<Vec<Fact>, Reason> {
    let frontier = log.tree.frontier_at(package.from).expect("a frontier");
    let (peer, seed, package) = (rcp(PEER), log.seed, Box::new(package));
    let arrival = Arrival::VoidPackage {
        peer,
        seed,
        package,
        frontier,
    };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

#[test]
fn of_a_branch_the_lines_are_taken_that_ours_lacks_and_its_notes() {
    let log = log(3);
    let mut me = with(restored(), &log, 3);
    let mut branch = log.fork(1);
    let note = b"a note".to_vec();
    let mut withdrawn = withdrawal(4, WHOLE_RECORD);
    withdrawn.note = noted(&note);
    branch.push(Act::Withdraw(withdrawn));
    branch.leave(9);
    let mut package = branch.package(0);
    package.bodies = vec![salted(note)];
    let facts = void(&me, &branch, package.clone()).expect("taken");
    let lines = branch.lines[1..].to_vec();
    assert_eq!(facts[0], Fact::VoidLines { log: log.id, lines });
    assert!(matches!(facts[1..], [Fact::Note { .. }]));
    me.apply(&facts);
    assert_eq!(void(&me, &branch, package.clone()), NOTHING, "again");
    assert_eq!(void(&me, &log, log.package(0)), NOTHING, "it is ours");
    branch.leave(10);
    let facts = void(&me, &branch, branch.package(0)).expect("taken");
    let lines = branch.lines[3..].to_vec();
    assert_eq!(facts, [Fact::VoidLines { log: log.id, lines }]);
    let body = branch.list(false, &[rcp(PEER)]);
    let mut package = branch.package(4);
    package.bodies = vec![body];
    let facts = void(&me, &branch, package).expect("taken");
    assert!(
        matches!(facts[..], [Fact::VoidLines { .. }]),
        "its list counts no more"
    );
}

#[test]
fn a_branch_is_of_a_log_of_ours_and_proved() {
    let log = log(3);
    let mut me = with(restored(), &log, 3);
    let mut branch = log.fork(1);
    branch.leave(9);
    let good = branch.package(0);
    let mut unproved = good.clone();
    unproved.lines.pop();
    assert_eq!(void(&me, &branch, unproved), Err(Reason::BadProof));
    assert_eq!(
        void(&restored(), &branch, good.clone()),
        Err(Reason::WrongLog)
    );
    let mut bad_restart = branch.clone();
    let root = bad_restart.tree.root_at(1).expect("a root");
    let (incarnation, size) = (5, 1);
    bad_restart.push(Act::Restart {
        incarnation,
        size,
        root,
    });
    let package = bad_restart.package(0);
    assert_eq!(void(&me, &bad_restart, package), Err(Reason::BadProof));
    me.treat(PEER, PeerState::Left);
    assert_eq!(void(&me, &branch, good), Err(Reason::NotEntitled));
}
