//! When a node may sign again, in which incarnation, and what it then says again.

use std::collections::BTreeSet;

use corridor_proto::line::{Withdrawal, WithdrawalReason};
use corridor_proto::{Hash, LogSeed};

use super::*;
use crate::desk::Wish;
use crate::ingest::{ANOTHER_COPY_RAN, RESTORED};
use crate::log::Restart;
use crate::samples::{ABOUT, ME, NOW, Node, PEER, acts, pair, record};

fn stop(node: &mut Node, reason: &str) {
    let reason = reason.to_owned();
    node.apply(&[Fact::SigningStopped { reason }]);
}

fn withdrawal(byte: u8, up_to: u64) -> Withdrawal {
    Withdrawal {
        record: record(byte),
        up_to,
        reason: WithdrawalReason::Error,
        note: Hash::ZERO,
        replacement: RecordId::ZERO,
    }
}

/// Void lines of a log of the node's came back that do this.
fn void(node: &mut Node, log: LogId, acts: &[Act]) {
    let line = |act: &Act| {
        let (time, random, act) = (NOW, [9; 16], *act);
        corridor_proto::line::Line { time, random, act }.encode()
    };
    let lines = acts.iter().map(line).collect();
    node.apply(&[Fact::VoidLines { log, lines }]);
}

/// What the node still has to say, log by log.
fn repeated(node: &mut Node) -> BTreeSet<(LogId, Vec<u8>)> {
    let facts = node.at_desk(|desk| desk.repeat()).expect("said");
    let lines = acts(&facts).into_iter().map(|(log, act)| {
        let (time, random) = (NOW, [0; 16]);
        (
            log,
            corridor_proto::line::Line { time, random, act }.encode(),
        )
    });
    lines.collect()
}

fn lines(expect: &[(LogId, Act)]) -> BTreeSet<(LogId, Vec<u8>)> {
    let lines = expect.iter().map(|(log, act)| {
        let (time, random, act) = (NOW, [0; 16], *act);
        (
            *log,
            corridor_proto::line::Line { time, random, act }.encode(),
        )
    });
    lines.collect()
}

#[test]
fn a_node_signs_again_once_nothing_speaks_against_it() {
    let mut me = Node::new(ME);
    assert_eq!(me.decide(Wish::Restart), Err(SIGNS));
    for reason in [KEYS_PREDATE_A_ROTATION, CHARTER_FORKED] {
        let mut me = me.clone();
        stop(&mut me, reason);
        assert_eq!(me.decide(Wish::Restart), Err(OTHER_KEYS));
    }
    let nothing = DeskRefusal::Nothing("no other copy of this node was seen");
    assert_eq!(me.decide(Wish::OtherCopyGone), Err(nothing));
    stop(&mut me, ANOTHER_COPY_RAN);
    assert_eq!(me.decide(Wish::Restart), Err(ANOTHER_COPY));
    let gone = me.wish(Wish::OtherCopyGone);
    assert_eq!(gone, [Fact::OtherCopyGone { at: NOW }]);
    let facts = me.wish(Wish::Restart);
    assert_eq!(facts.last(), Some(&Fact::SigningResumed { at: NOW }));
    assert_eq!(me.model.signing_stopped, None);
}

#[test]
fn every_log_goes_on_behind_what_is_here_in_an_incarnation_above_all_seen() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    me.publish(1, "text", &[circle]);
    stop(&mut me, RESTORED);
    let size = me.log(&circle).size();
    let root = me.log(&circle).tree.root_at(size);
    let logs = me.model.own_logs().count();
    let facts = me.wish(Wish::Restart);
    let restarts: Vec<(LogId, Act)> = acts(&facts);
    assert_eq!(restarts.len(), logs);
    let (_, act) = restarts
        .iter()
        .find(|(log, _)| *log == circle)
        .expect("restarted");
    let Act::Restart {
        incarnation,
        size: of,
        root: behind,
    } = *act
    else {
        panic!("{act:?}");
    };
    assert_eq!((of, Some(behind)), (size, root));
    assert!((NOW.0..=NOW.0 + 0xffff).contains(&incarnation));
    assert_eq!(me.log(&circle).incarnation, incarnation);
    let held = me.log(&circle).held_head.as_ref().expect("a head");
    assert_eq!(
        (held.checkpoint.incarnation, held.checkpoint.size),
        (incarnation, size + 1)
    );
}

#[test]
fn the_next_incarnation_is_above_whatever_was_seen_and_no_lower_than_the_time() {
    let mut log = Log::new(
        Node::new(ME).rcp,
        LogSeed::ZERO,
        crate::log::Sort::Public,
        String::new(),
    );
    let next = |log: &Log, random| next_incarnation(log, NOW, random);
    assert_eq!(next(&log, [0, 0]), NOW.0);
    assert_eq!(next(&log, [1, 2]), NOW.0 + 258);
    log.incarnation = NOW.0 + 5;
    assert_eq!(next(&log, [0, 0]), NOW.0 + 6);
    log.shown = NOW.0 + 9;
    assert_eq!(next(&log, [0, 0]), NOW.0 + 10);
    let checkpoint = corridor_proto::checkpoint::Checkpoint {
        log: log.id,
        incarnation: NOW.0 + 20,
        size: 1,
        root: Hash::ZERO,
    };
    let (key_seq, note) = (0, String::new());
    log.head = Some(crate::log::Head {
        checkpoint,
        key_seq,
        note,
    });
    assert_eq!(next(&log, [0, 0]), NOW.0 + 21);
}

#[test]
fn a_log_is_restarted_so_often() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    stop(&mut me, RESTORED);
    let restart = Restart {
        index: 0,
        incarnation: 1,
    };
    let many = |me: &mut Node, count| {
        let log = me.model.logs.get_mut(&circle).expect("a log");
        log.restarts = vec![restart; count];
        me.decide(Wish::Restart)
    };
    assert!(many(&mut me, RESTARTS_MAX - 1).is_ok());
    let refused = many(&mut me, RESTARTS_MAX);
    assert!(matches!(
        refused,
        Err(DeskRefusal::TooMany {
            what: "restarts of one log",
            ..
        })
    ));
}

#[test]
fn what_void_lines_withdrew_is_withdrawn_again_wherever_the_record_stood() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let listed = me.open("listed", false, false, &[&peer]);
    let alone = me.circle("observers");
    let elsewhere = me.circle("federation");
    me.publish(1, "text", &[listed, alone]);
    let private = me.model.private_log(&peer.rcp).expect("one").id;
    let all = Act::Withdraw(withdrawal(1, WHOLE_RECORD));
    void(&mut me, elsewhere, &[all]);
    let expect = [listed, alone, private, elsewhere].map(|log| (log, all));
    assert_eq!(repeated(&mut me), lines(&expect));
    stop(&mut me, RESTORED);
    assert_eq!(repeated(&mut me), lines(&[]), "nothing is signed");
    let facts = me.wish(Wish::Restart);
    let said = acts(&facts).into_iter().filter(|(_, act)| *act == all);
    assert_eq!(said.count(), 4, "behind the restarts");
    assert_eq!(repeated(&mut me), lines(&[]), "once");
}

#[test]
fn a_withdrawal_is_owed_where_no_line_of_ours_reaches_as_far() {
    let mut me = Node::new(ME);
    let [one, other] = ["federation", "observers"].map(|name| me.circle(name));
    let first = me.publish(1, "text", &[one, other]);
    let second = me.publish(1, "more", &[one, other]);
    void(&mut me, one, &[Act::Withdraw(withdrawal(1, first))]);
    let both = [one, other].map(|log| (log, Act::Withdraw(withdrawal(1, first))));
    assert_eq!(repeated(&mut me), lines(&both));
    me.withdraw(1, Some(second));
    assert_eq!(repeated(&mut me), lines(&[]), "more was withdrawn since");
    void(&mut me, other, &[Act::Withdraw(withdrawal(1, second + 1))]);
    let both = [one, other].map(|log| (log, Act::Withdraw(withdrawal(1, second + 1))));
    assert_eq!(repeated(&mut me), lines(&both));
}

#[test]
fn a_withdrawal_is_owed_in_the_log_alone_whose_line_is_void() {
    let mut me = Node::new(ME);
    let [one, other] = ["federation", "observers"].map(|name| me.circle(name));
    me.publish(1, "text", &[one]);
    me.withdraw(1, None);
    let all = Act::Withdraw(withdrawal(1, WHOLE_RECORD));
    void(&mut me, other, &[all]);
    assert_eq!(repeated(&mut me), lines(&[(other, all)]));
}

#[test]
fn what_void_lines_let_leave_leaves_again_unless_it_was_withdrawn() {
    let mut me = Node::new(ME);
    let [one, other] = ["federation", "observers"].map(|name| me.circle(name));
    me.publish(1, "text", &[one, other]);
    let leave = Act::Leave { record: record(1) };
    void(&mut me, one, &[leave]);
    assert!(me.row(1).living(&one).is_none());
    assert_eq!(repeated(&mut me), lines(&[(one, leave)]));
    let mut said = me.clone();
    let facts = said.at_desk(|desk| desk.repeat()).expect("said");
    said.apply(&facts);
    assert_eq!(repeated(&mut said), lines(&[]));
    me.withdraw(1, None);
    assert_eq!(repeated(&mut me), lines(&[]));
}

#[test]
fn so_much_is_said_again_at_once() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let id = |number: u16| {
        let mut bytes = [9; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        RecordId::new(bytes)
    };
    let count = u16::try_from(OWED_AT_ONCE).expect("few") + 3;
    let all: Vec<Act> = (0..count)
        .map(|number| {
            let record = id(number);
            Act::Withdraw(Withdrawal {
                record,
                ..withdrawal(1, WHOLE_RECORD)
            })
        })
        .collect();
    void(&mut me, circle, &all);
    let mut stopped = me.clone();
    stop(&mut stopped, RESTORED);
    let facts = stopped.wish(Wish::Restart);
    let said = acts(&facts);
    let said = said
        .iter()
        .filter(|(_, act)| matches!(act, Act::Withdraw(_)));
    assert_eq!(said.count(), OWED_AT_ONCE);
    let facts = me.at_desk(|desk| desk.repeat()).expect("said");
    assert_eq!(acts(&facts).len(), OWED_AT_ONCE);
    me.apply(&facts);
    assert_eq!(repeated(&mut me).len(), 3);
}

#[test]
fn an_owner_says_every_six_hours_that_its_heads_are_the_newest() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let relayed = me.open("relayed", true, true, &[&peer]);
    me.open("direct", true, false, &[&peer]);
    me.open("unread", true, true, &[]);
    let fresh = |me: &mut Node| {
        let facts = me.at_desk(|desk| desk.repeat()).expect("said");
        let held = facts.iter().map(|fact| match fact {
            Fact::Held { holder, note } => {
                let charter = me.model.charter(holder).expect("known");
                Held::verify(note.as_bytes(), charter).expect("a receipt")
            }
            other => panic!("{other:?}"),
        });
        (held.collect::<Vec<_>>(), facts)
    };
    let (held, facts) = fresh(&mut me);
    let head = me
        .log(&relayed)
        .held_head
        .as_ref()
        .expect("a head")
        .checkpoint;
    let said = Held {
        checkpoint: head,
        holder: me.rcp,
        time_s: NOW.0 / 1_000,
    };
    assert_eq!(held, [said]);
    me.apply(&facts);
    assert_eq!(fresh(&mut me).0, []);
    me.now = NOW.plus(NEWS_INTERVAL_MS - 1);
    assert_eq!(fresh(&mut me).0, []);
    me.now = NOW.plus(NEWS_INTERVAL_MS);
    assert_eq!(fresh(&mut me).0.len(), 1);
}

#[test]
fn a_restart_of_a_frozen_circle_is_accepted_by_a_person() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let (owner, seed) = (peer.rcp, LogSeed::new([7; 16]));
    let log = LogId::derive(&owner, &seed);
    let (sort, name) = (crate::log::Sort::Closed, String::new());
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    let accept = |me: &mut Node, rcp| me.decide(Wish::AcceptRestart { rcp });
    let refused = |me: &mut Node, rcp| matches!(accept(me, rcp), Err(DeskRefusal::Nothing(_)));
    assert!(refused(&mut me, peer.rcp), "it is not frozen");
    let found = me.model.logs.get_mut(&log).expect("a log");
    found.stop = Some(crate::log::Stop::Frozen { accepted: false });
    assert!(refused(&mut me, peer.rcp), "no restart was shown");
    me.apply(&[Fact::Shown {
        log,
        incarnation: 5,
    }]);
    assert!(refused(&mut me, Node::new(ABOUT).rcp), "of another");
    assert_eq!(
        accept(&mut me, peer.rcp),
        Ok(vec![Fact::RestartAccepted { log }])
    );
    let mut forked = me.clone();
    forked.model.evidence.push(crate::evidence::Kept {
        rcp: peer.rcp,
        proved: Proved::Rcp,
        bytes: Vec::new(),
    });
    let charter = accept(&mut forked, peer.rcp);
    assert!(refused(&mut forked, peer.rcp), "its keys are forked");
    let nothing = accept(&mut me, Node::new(ABOUT).rcp);
    assert_ne!(charter, nothing, "and it says why");
    forked.model.evidence[0].rcp = Node::new(ABOUT).rcp;
    assert!(
        accept(&mut forked, peer.rcp).is_ok(),
        "those of another are"
    );
}

#[test]
fn what_a_backup_had_of_others_is_shown_when_a_person_takes_it_as_it_is() {
    let mut me = Node::new(ME);
    assert!(matches!(
        me.decide(Wish::ShowUncompared),
        Err(DeskRefusal::Nothing(_))
    ));
    let circle = me.circle("public");
    me.model.logs.get_mut(&circle).expect("a log").uncompared = true;
    let facts = me.wish(Wish::ShowUncompared);
    assert_eq!(facts, [Fact::Compared { log: circle }]);
    assert!(!me.log(&circle).uncompared);
}
