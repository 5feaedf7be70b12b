//! What lines, bodies and evidence do to logs and rows, and what they must not do.

use corridor_proto::Hash;
use corridor_proto::evidence::Evidence;
use corridor_proto::line::WHOLE_RECORD;
use corridor_proto::wire;
use prost::Message;

use super::*;
use crate::fact::Fact;
use crate::samples::{
    ABOUT, ME, NOW, Node, PEER, Written, key, partner_of, rcp, record, rotated, texts, version,
    withdrawal,
};

/// A node that holds a log of the peer's, with two texts.
fn follower() -> (Node, Written) {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    let found = [1, 2].map(|byte| log.text(byte, 5, "text"));
    me.take(&log.arrival(PEER, log.package(0)));
    let records = (0..).zip(found).collect();
    let (peer, id) = (rcp(PEER), log.id);
    me.take(&crate::ingest::Arrival::Records {
        peer,
        log: id,
        records,
    });
    (me, log)
}

fn lines(me: &mut Node, log: &Written, from: u64) {
    let at = usize::try_from(from).expect("few");
    let (id, lines) = (log.id, log.lines[at..].to_vec());
    me.apply(&[Fact::Lines {
        log: id,
        from,
        lines,
    }]);
}

#[test]
fn lines_count_once_and_in_their_place() {
    let (mut me, mut log) = follower();
    log.leave(1);
    lines(&mut me, &log, 1);
    assert_eq!(me.log(&log.id).size(), 3, "from where we are");
    log.leave(2);
    log.leave(3);
    lines(&mut me, &log, 4);
    assert_eq!(me.log(&log.id).size(), 3, "not over a gap");
    assert_eq!(me.log(&log.id).tree.root_at(3), log.tree.root_at(3));
    let absent = Written::new(PEER, 9);
    lines(&mut me, &absent, 0);
    let (id, lines) = (log.id, vec![Vec::new()]);
    me.apply(&[Fact::Lines {
        log: id,
        from: 3,
        lines,
    }]);
    assert_eq!(me.log(&log.id).size(), 3, "what is no line");
}

#[test]
fn what_is_missing_is_noted_until_it_came_or_went() {
    let (mut me, log) = follower();
    let missing = |me: &Node| me.log(&log.id).missing.keys().copied().collect::<Vec<_>>();
    assert_eq!(missing(&me), [0; 0]);
    let id = log.id;
    let [three, four] = [3, 4].map(|byte| version(PEER, byte, 5, "text"));
    let mut longer = log.clone();
    longer.publish(&three);
    longer.publish(&four);
    lines(&mut me, &longer, 2);
    assert_eq!(missing(&me), [2, 3]);
    let key = |byte| RecordKey {
        rcp: rcp(PEER),
        record: record(byte),
    };
    assert_eq!(me.model.wanting(), [key(3), key(4)].into());
    let (peer, records) = (rcp(PEER), vec![(2, three)]);
    me.take(&crate::ingest::Arrival::Records {
        peer,
        log: id,
        records,
    });
    assert_eq!(missing(&me), [3]);
    longer.withdraw(4, WHOLE_RECORD);
    lines(&mut me, &longer, 4);
    assert_eq!(missing(&me), [0; 0]);
}

#[test]
fn a_stopped_log_publishes_nothing_further_and_withdraws() {
    let (mut me, mut log) = follower();
    me.model.logs.get_mut(&log.id).expect("a log").stop = Some(Stop::NotUnderstood(2));
    log.text(3, 5, "more");
    log.withdraw(1, WHOLE_RECORD);
    log.leave(2);
    lines(&mut me, &log, 2);
    assert!(me.row_of(&rcp(PEER), 3).stands.is_empty());
    assert_eq!(texts(&me, &log.id), [""; 0]);
    assert!(!me.store.contains(b"text"));
}

#[test]
fn what_an_rcp_withdrew_too_much_of_is_erased_a_day_later() {
    let (mut me, mut log) = follower();
    let (rcp, at, count) = (rcp(PEER), NOW, 51);
    me.apply(&[Fact::Withdrawals { rcp, at, count }]);
    log.withdraw(1, WHOLE_RECORD);
    lines(&mut me, &log, 2);
    assert_eq!(texts(&me, &log.id), ["text"], "hidden at once");
    let erased = me.apply(&[Fact::EraseNow { rcp }]);
    assert_eq!(erased.len(), 1, "and no other text");
    assert_eq!(me.model.delayed_until(&rcp), None);
    assert_eq!(texts(&me, &log.id), ["text"]);
    assert_eq!(me.apply(&[Fact::EraseNow { rcp }]), []);
}

#[test]
fn a_log_taken_again_keeps_what_its_new_branch_publishes_and_drops_the_rest() {
    let (mut me, log) = follower();
    let mut branch = log.fork(1);
    branch.restart(5);
    let id = log.id;
    me.apply(&[Fact::Rewound { log: id }]);
    assert_eq!((me.log(&id).size(), texts(&me, &id).len()), (0, 0));
    assert!(!me.store.lines.contains_key(&id));
    lines(&mut me, &branch, 0);
    assert!(me.log(&id).has_void, "its head is still to come");
    assert!(me.store.contains(b"text"));
    let note = String::from_utf8(branch.head(2)).expect("a note");
    me.apply(&[Fact::Head { log: id, note }]);
    assert!(!me.log(&id).has_void);
    assert_eq!(texts(&me, &id), ["text"]);
    assert!(
        me.row_of(&rcp(PEER), 2).stands.is_empty(),
        "it stands there no more"
    );
    let absent = Written::new(PEER, 9).id;
    assert_eq!(me.apply(&[Fact::Rewound { log: absent }]), []);
}

#[test]
fn what_stands_elsewhere_is_left_alone_by_a_rewind() {
    let (mut me, log) = follower();
    let mut other = Written::new(PEER, 8);
    other.publish(&version(PEER, 1, 5, "text"));
    me.take(&other.arrival(PEER, other.package(0)));
    me.model.revision = 50;
    me.apply(&[Fact::Rewound { log: other.id }]);
    assert_eq!(texts(&me, &log.id).len(), 2);
    let revisions = [1, 2].map(|byte| me.row_of(&rcp(PEER), byte).revision);
    assert_eq!(
        (revisions[0], revisions[1] < 50),
        (51, true),
        "rows it does not name"
    );
    me.apply(&[Fact::Rewound { log: other.id }]);
    assert_eq!(me.row_of(&rcp(PEER), 1).revision, 51, "once");
}

#[test]
fn receipts_for_lines_that_a_restart_of_ours_made_void_go() {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(ME, 7);
    log.leave(1);
    let mut branch = log.fork(1);
    log.leave(2);
    branch.leave(3);
    let (owner, seed, sort) = (me.rcp, log.seed, crate::log::Sort::Closed);
    let name = "ours".to_owned();
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    lines(&mut me, &log, 0);
    let held = |me: &mut Node, log: &Written, holder: u8, size| {
        let note = String::from_utf8(log.held(holder, size, 5)).expect("a note");
        let holder = rcp(holder);
        me.apply(&[Fact::Held { holder, note }]);
    };
    held(&mut me, &log, PEER, 1);
    held(&mut me, &branch, ABOUT, 2);
    let other = me.circle("federation");
    let receipt = me.model.held[&(log.id, rcp(PEER))].clone();
    let stale = corridor_proto::checkpoint::Checkpoint {
        size: 99,
        ..receipt.checkpoint
    };
    let elsewhere = corridor_proto::checkpoint::Held {
        checkpoint: stale,
        ..receipt
    };
    me.model.held.insert((other, rcp(PEER)), elsewhere);
    let before = log.clone();
    log.restart(5);
    lines(&mut me, &log, before.size());
    assert!(
        me.model.held.contains_key(&(log.id, rcp(PEER))),
        "of lines that stay"
    );
    assert!(!me.model.held.contains_key(&(log.id, rcp(ABOUT))));
    assert!(
        me.model.held.contains_key(&(other, rcp(PEER))),
        "of another log"
    );
    held(&mut me, &branch, ABOUT, 2);
    log.leave(9);
    let size = log.size() - 1;
    lines(&mut me, &log, size);
    assert!(
        me.model.held.contains_key(&(log.id, rcp(ABOUT))),
        "only a restart does that"
    );
}

#[test]
fn void_lines_withdraw_and_let_leave_and_what_they_published_is_noted() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    for byte in [1, 2] {
        me.publish(byte, "text", &[circle]);
    }
    let mut branch = Written::new(ME, 7);
    let lost = branch.text(3, 5, "lost");
    branch.withdraw(1, WHOLE_RECORD);
    branch.leave(2);
    branch.list(false, &[]);
    branch.raw(vec![1, 200]);
    let lines = branch.lines.clone();
    me.apply(&[Fact::VoidLines { log: circle, lines }]);
    let log = me.log(&circle);
    assert_eq!(
        log.void.published.get(&lost.version_hash()),
        Some(&(record(3), 5))
    );
    assert_eq!(log.void.taken, [record(1), record(2)].into());
    assert_eq!(log.void.leaves.len(), 4, "all that were read");
    assert!(me.row(3).stands.is_empty());
    assert_eq!(me.row(1).withdrawn[0].index, VOID);
    assert_eq!(texts(&me, &circle), [""; 0]);
    let (log, lines) = (LogId::new([9; 32]), branch.lines.clone());
    assert_eq!(me.apply(&[Fact::VoidLines { log, lines }]), []);
}

#[test]
fn of_a_second_history_only_what_takes_away_counts() {
    let (mut me, log) = follower();
    let mut branch = log.fork(0);
    branch.text(3, 5, "more");
    branch.withdraw(1, WHOLE_RECORD);
    branch.leave(2);
    let (id, lines) = (log.id, branch.lines.clone());
    me.apply(&[Fact::BranchLines {
        log: id,
        lines: lines.clone(),
    }]);
    assert!(me.row_of(&rcp(PEER), 3).stands.is_empty());
    assert_eq!(texts(&me, &id), [""; 0]);
    assert_eq!(me.log(&id).branch.len(), 3);
    let log = LogId::new([9; 32]);
    assert_eq!(me.apply(&[Fact::BranchLines { log, lines }]), []);
}

fn proved(owner: u8, evidence: &Evidence) -> Fact {
    let rcp = rcp(owner);
    let evidence = wire::evidence_message(&rcp, evidence).encode_to_vec();
    Fact::Evidence { rcp, evidence }
}

/// That this log has two roots for one size, in this incarnation.
fn two_roots(log: &Written, incarnation: u64) -> Fact {
    let both = [1, 2].map(|root| {
        let checkpoint = corridor_proto::checkpoint::Checkpoint {
            log: log.id,
            incarnation,
            size: 3,
            root: Hash::new([root; 32]),
        };
        checkpoint.sign(&key(log.owner))
    });
    proved(log.owner, &Evidence::TwoRoots(both))
}

fn frozen(me: &Node, log: &Written) -> bool {
    me.log(&log.id).is_frozen()
}

#[test]
fn a_log_with_two_histories_is_frozen_and_no_other() {
    let (mut me, log) = follower();
    let mut other = Written::new(PEER, 8);
    other.leave(1);
    me.take(&other.arrival(PEER, other.package(0)));
    let mut restarted = me.clone();
    restarted
        .model
        .logs
        .get_mut(&log.id)
        .expect("a log")
        .incarnation = 5;
    restarted.apply(&[two_roots(&log, 4)]);
    assert!(!frozen(&restarted, &log), "of before its restart");
    restarted.apply(&[two_roots(&log, 5)]);
    assert!(frozen(&restarted, &log));
    me.apply(&[two_roots(&log, 0)]);
    assert!(frozen(&me, &log) && !frozen(&me, &other));
    assert_eq!(me.model.evidence.len(), 1);
    let stranger = two_roots(&Written::new(9, 7), 0);
    me.apply(&[stranger]);
    assert_eq!(me.model.evidence.len(), 1);
}

#[test]
fn two_charters_freeze_all_logs_of_an_rcp_also_those_that_come_later() {
    let (mut me, log) = follower();
    let mut theirs = Written::new(ABOUT, 7);
    theirs.leave(1);
    me.take(&theirs.arrival(ABOUT, theirs.package(0)));
    let both = [50, 60].map(|new| rotated(PEER, new).events()[1].clone());
    me.apply(&[proved(PEER, &Evidence::TwoKeyEvents(both))]);
    assert!(frozen(&me, &log) && !frozen(&me, &theirs));
    let mut later = Written::new(PEER, 9);
    later.leave(1);
    me.take(&later.arrival(PEER, later.package(0)));
    assert!(frozen(&me, &later));
    let mut part = Written::new(PEER, 10);
    part.leave(1);
    part.leave(2);
    me.take(&part.arrival(PEER, part.part(0, 1, 2)));
    assert!(frozen(&me, &part), "from its first line on");
    let both = [50, 60].map(|new| rotated(ME, new).events()[1].clone());
    me.apply(&[proved(ME, &Evidence::TwoKeyEvents(both))]);
    let own = me.circle("federation");
    assert!(!me.log(&own).is_frozen(), "our own signing stops otherwise");
    let mut ours = Written::new(ME, 8);
    ours.leave(1);
    let (owner, seed, sort) = (me.rcp, ours.seed, crate::log::Sort::Closed);
    let name = "ours".to_owned();
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    assert!(!frozen(&me, &ours));
}

#[test]
fn evidence_that_came_before_the_log_counts_once_its_head_is_here() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    for byte in 0..3 {
        log.leave(byte);
    }
    me.apply(&[two_roots(&log, 0)]);
    me.take(&log.arrival(PEER, log.part(0, 2, 3)));
    assert!(
        !frozen(&me, &log),
        "of which incarnation it is, its head says"
    );
    me.take(&log.arrival(PEER, log.package(2)));
    assert!(frozen(&me, &log));
    let stop = me.log(&log.id).stop;
    assert_eq!(stop, Some(Stop::Frozen { accepted: false }));
    let found = me.model.logs.get_mut(&log.id).expect("a log");
    found.stop = Some(Stop::Frozen { accepted: true });
    log.leave(9);
    me.take(&log.arrival(PEER, log.package(3)));
    let stop = me.log(&log.id).stop;
    assert_eq!(
        stop,
        Some(Stop::Frozen { accepted: true }),
        "what was accepted stays so"
    );
}

#[test]
fn two_texts_hide_their_version_in_whichever_log() {
    let (mut me, log) = follower();
    let both = ["one", "two"].map(|text| version(PEER, 1, 5, text).signed().header.clone());
    me.apply(&[proved(PEER, &Evidence::TwoVersions(both))]);
    assert_eq!(texts(&me, &log.id), ["text"]);
    assert!(!frozen(&me, &log));
    let key = RecordKey {
        rcp: rcp(PEER),
        record: record(1),
    };
    assert!(me.model.contested.contains(&key));
    assert!(me.model.wanting().contains(&key));
    let mut newer = log.clone();
    newer.push(Act::Withdraw(withdrawal(1, WHOLE_RECORD)));
    lines(&mut me, &newer, 2);
    assert!(!me.model.contested.contains(&key));
}

#[test]
fn without_rows_a_fold_gives_the_same_model() {
    let (mut me, mut log) = follower();
    let mut bare = me.model.clone();
    log.leave(1);
    let (id, from, lines) = (log.id, 2, log.lines[2..].to_vec());
    let note = String::from_utf8(log.head(3)).expect("a note");
    let facts = [
        Fact::Lines {
            log: id,
            from,
            lines: lines.clone(),
        },
        Fact::Head { log: id, note },
        Fact::BranchLines {
            log: id,
            lines: lines.clone(),
        },
        two_roots(&log, 0),
        Fact::Rewound { log: id },
        Fact::EraseNow { rcp: rcp(PEER) },
    ];
    for fact in &facts {
        assert_eq!(bare.apply(None, fact, Place::default()), []);
    }
    me.apply(&facts);
    let [a, b] = [&me.model.logs[&id], &bare.logs[&id]];
    assert_eq!((a.size(), a.stop, &a.branch), (b.size(), b.stop, &b.branch));
    assert_eq!(a.has_void, b.has_void);
}
