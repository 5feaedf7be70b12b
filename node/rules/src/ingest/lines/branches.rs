//! What is taken of a second history of a log: what it withdraws and lets leave.

use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::ingest::Arrival;
use crate::samples::{ABOUT, ME, Node, PEER, Written, noted, partner_of, rcp, salted, withdrawal};

fn came(me: &Node, peer: u8, log: &Written, package: v1::Package) -> Result<Vec<Fact>, Reason> {
    let frontier = log.tree.frontier_at(package.from).expect("a frontier");
    let arrival = Arrival::BranchPackage {
        peer: rcp(peer),
        owner: rcp(log.owner),
        log: log.id,
        package: Box::new(package),
        frontier,
    };
    me.arrive(&arrival).map_err(|refusal| refusal.reason)
}

/// A node with a log of the peer's: one text, and one line behind it.
fn world() -> (Node, Written) {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    let found = log.text(1, 5, "text");
    log.leave(9);
    me.take(&log.arrival(PEER, log.package(0)));
    let (peer, records) = (rcp(PEER), vec![(0, found)]);
    me.take(&Arrival::Records {
        peer,
        log: log.id,
        records,
    });
    (me, log)
}

#[test]
fn a_second_history_withdraws_and_lets_leave_and_publishes_nothing() {
    let (mut me, log) = world();
    let mut branch = log.fork(1);
    let note = b"a note".to_vec();
    let mut withdrawn = withdrawal(1, WHOLE_RECORD);
    withdrawn.note = noted(&note);
    branch.text(2, 6, "new");
    branch.push(Act::Withdraw(withdrawn));
    branch.leave(3);
    branch.raw(vec![1, 200]);
    let mut package = branch.package(0);
    package.bodies = vec![salted(note)];
    let facts = came(&me, PEER, &branch, package).expect("taken");
    let (rcp, at, count) = (rcp(PEER), me.now, 1);
    let lines = branch.lines[2..4].to_vec();
    let log = branch.id;
    assert_eq!(facts[0], Fact::Withdrawals { rcp, at, count });
    assert_eq!(facts[1], Fact::BranchLines { log, lines });
    assert!(matches!(facts[2..], [Fact::Note { .. }]));
    me.apply(&facts);
    assert!(!me.store.contains(b"text"), "it is gone");
    let mut package = branch.package(0);
    package.bodies = vec![salted(b"a note".to_vec())];
    assert_eq!(came(&me, PEER, &branch, package), Ok(Vec::new()), "again");
}

#[test]
fn what_both_histories_say_is_taken_once() {
    let (me, log) = world();
    assert_eq!(came(&me, PEER, &log, log.package(0)), Ok(Vec::new()));
    let mut branch = log.fork(2);
    branch.leave(3);
    let facts = came(&me, ABOUT, &branch, branch.package(1)).expect("taken");
    let (log, lines) = (branch.id, branch.lines[2..].to_vec());
    assert_eq!(facts, [Fact::BranchLines { log, lines }]);
}

#[test]
fn a_second_history_is_of_a_log_that_is_here_and_proved() {
    let (mut me, log) = world();
    let mut branch = log.fork(1);
    branch.leave(3);
    let good = branch.package(0);
    assert_eq!(
        came(&me, 9, &branch, good.clone()),
        Err(Reason::NotEntitled)
    );
    let mut own = Written::new(ME, 7);
    own.leave(3);
    assert_eq!(
        came(&me, PEER, &own, own.package(0)),
        Err(Reason::NotEntitled)
    );
    let mut absent = Written::new(PEER, 8);
    absent.leave(3);
    assert_eq!(
        came(&me, PEER, &absent, absent.package(0)),
        Err(Reason::WrongLog)
    );
    let mut of_another = good.clone();
    of_another.checkpoint = absent.head(1);
    assert_eq!(came(&me, PEER, &branch, of_another), Err(Reason::WrongLog));
    let mut unproved = good.clone();
    unproved.lines.push(branch.lines[1].clone());
    assert_eq!(came(&me, PEER, &branch, unproved), Err(Reason::BadProof));
    let mut surplus = good.clone();
    surplus.bodies = vec![salted(Vec::new()); 3];
    assert_eq!(came(&me, PEER, &branch, surplus), Err(Reason::TooLong));
    me.model.known.remove(&rcp(PEER));
    assert_eq!(came(&me, PEER, &branch, good), Err(Reason::WrongRcp));
}
