//! A node set back to an older state: it notices, takes back what its readers hold, and goes on in
//! a new incarnation without contradicting itself.

#![allow(clippy::expect_used, reason = "this is test code")]

#[path = "restarts/odd.rs"]
mod odd;

use std::collections::BTreeSet;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::{Hash, LogId, RecordId};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::ingest::ANOTHER_COPY_RAN;
use corridor_rules::{Fact, RecordKey};
use corridor_tests::sim::{Plan, World};

/// The owner, a reader that is met before the restart, and one that is met behind it.
const OWNER: usize = 0;
const EARLY: usize = 1;
const LATE: usize = 2;

fn three_partners(seed: u64) -> World {
    let mut world = World::new(Plan {
        seed,
        nodes: 3,
        steps: 0,
        hostile: false,
        apart: false,
        large: false,
    });
    world.calm = true;
    world.restored = true;
    for reader in [EARLY, LATE] {
        world.invite(OWNER, reader);
        while !world.pairings.is_empty() {
            world.pair();
        }
        world.change_state(OWNER, reader, "confirm");
        world.change_state(reader, OWNER, "confirm");
    }
    world
}

fn wish(world: &mut World, wish: Wish) -> bool {
    let node = &mut world.nodes[OWNER];
    let Ok(facts) = node.decide(wish, world.now, &mut world.rng) else {
        return false;
    };
    node.append(facts);
    world.touch(OWNER);
    true
}

fn meet(world: &mut World, reader: usize) {
    world.connections.clear();
    world.connect((OWNER, reader));
    world.rest();
    world.pass(1_000);
    world.connect((OWNER, reader));
    world.rest();
}

/// Something that the owner does with one of its records.
fn act(world: &mut World) {
    let logs: Vec<LogId> = world.nodes[OWNER].model.own_logs().map(|l| l.id).collect();
    let number = u8::try_from(world.rng.below(6)).expect("few");
    let (record, log) = (
        RecordId::new([number + 1; 16]),
        LogId::public(&world.nodes[OWNER].rcp),
    );
    let log = if world.rng.chance(70) {
        log
    } else {
        world.rng.pick(&logs).expect("some")
    };
    let random = world.rng.draw().to_be_bytes().to_vec();
    world.pass(1);
    let done = match world.rng.below(10) {
        0..=5 => Wish::Publish(ToPublish {
            record,
            kind: 1,
            body: random,
            links: Vec::new(),
            circles: Some(vec![log]),
            draft: None,
            hand: None,
        }),
        6 | 7 => Wish::Narrow {
            record,
            circles: vec![log],
        },
        _ => Wish::Withdraw {
            record,
            up_to: None,
            reason: WithdrawalReason::Error,
            note: None,
            replacement: None,
        },
    };
    wish(world, done);
}

/// What a node shows of the owner's records: the versions in force, log by log, whose bodies it
/// has, and what is burnt.
type Shown = (BTreeSet<(RecordId, LogId, Hash)>, BTreeSet<RecordId>);

fn shown(world: &World, at: usize) -> Shown {
    let rcp = world.nodes[OWNER].rcp;
    let rows = world.nodes[at]
        .store
        .rows
        .iter()
        .filter(|(key, _)| key.rcp == rcp);
    let (mut read, mut burnt) = (BTreeSet::new(), BTreeSet::new());
    for (key, row) in rows {
        if row.burnt() > 0 {
            burnt.insert(key.record);
        }
        let living = row.stands.iter().filter(|stand| row.lives(stand));
        let held = living.filter(|stand| row.body(&stand.version_hash).is_some());
        read.extend(held.map(|stand| (key.record, stand.log, stand.version_hash)));
    }
    (read, burnt)
}

/// The logs that two nodes both hold are the same, line by line.
fn assert_same_logs(world: &World, reader: usize) {
    let owner = &world.nodes[OWNER];
    let copies = world.nodes[reader].model.logs.values();
    let mut copies = copies.filter(|log| log.owner == owner.rcp).peekable();
    assert!(copies.peek().is_some(), "the reader holds something");
    for copy in copies {
        let ours = &owner.model.logs[&copy.id];
        let roots = [copy, ours].map(|log| (log.size(), log.tree.root_at(log.size())));
        assert_eq!(roots[0], roots[1], "{reader} holds what the owner has");
        let held = copy.held_head.as_ref().map(|head| head.checkpoint);
        assert_eq!(held, ours.held_head.as_ref().map(|head| head.checkpoint));
    }
}

fn set_back(world: &mut World, older: Vec<Vec<Fact>>) {
    world.nodes[OWNER].journal = older;
    world.crash(OWNER);
}

fn act_up_to(world: &mut World, times: usize) {
    for _ in 0..world.rng.below(times) {
        act(world);
    }
}

/// The owner does things, is set back to before the last of them, and comes back. Gives what the
/// two readers showed before.
fn be_set_back_and_return(world: &mut World) -> [Shown; 2] {
    act_up_to(world, 8);
    meet(world, LATE);
    meet(world, EARLY);
    let older = world.nodes[OWNER].journal.clone();
    act_up_to(world, 8);
    world.crash(OWNER);
    meet(world, EARLY);
    let early = shown(world, EARLY);
    act_up_to(world, 8);
    meet(world, LATE);
    let late = shown(world, LATE);

    set_back(world, older);
    meet(world, EARLY);
    let stopped = world.nodes[OWNER].model.signing_stopped.clone();
    assert_eq!(stopped.as_deref(), Some(ANOTHER_COPY_RAN));
    assert!(!wish(world, Wish::Restart), "another copy may run");
    assert!(wish(world, Wish::OtherCopyGone));
    meet(world, EARLY);
    let stopped = world.nodes[OWNER].model.signing_stopped.clone();
    assert!(stopped.is_some(), "nobody resumes by itself");
    assert!(wish(world, Wish::Restart));
    world.check_rebuilt(OWNER);
    act_up_to(world, 4);
    [early, late]
}

/// No text that a reader held is lost, and nothing that was withdrawn came back.
fn assert_nothing_lost(world: &World, before: &[Shown; 2]) {
    let owner = &world.nodes[OWNER];
    let (now, burnt) = shown(world, OWNER);
    for (read, gone) in before {
        assert!(gone.is_subset(&burnt), "a withdrawal came undone");
        for (record, _, hash) in read {
            let (rcp, record) = (owner.rcp, *record);
            let row = &owner.store.rows[&RecordKey { rcp, record }];
            let kept = burnt.contains(&record) || row.body(hash).is_some();
            assert!(kept, "a text was lost");
        }
    }
    for reader in [EARLY, LATE] {
        let (read, gone) = shown(world, reader);
        assert!(gone.is_subset(&burnt), "{reader} withdrew by itself");
        assert!(
            read.is_subset(&now),
            "{reader} reads what the owner does not"
        );
    }
}

#[test]
fn a_node_set_back_takes_back_what_readers_hold_and_goes_on() {
    let mut voided = 0;
    for seed in 0..150 {
        let mut world = three_partners(seed);
        let before = be_set_back_and_return(&mut world);
        for reader in [LATE, EARLY, LATE] {
            meet(&mut world, reader);
            let link = &world.connections[&(OWNER, reader)].ends[0].link;
            assert_eq!(link.last_refusal(), None);
        }
        assert_eq!(world.nodes[OWNER].model.signing_stopped, None);
        assert_same_logs(&world, EARLY);
        assert_same_logs(&world, LATE);
        assert_nothing_lost(&world, &before);
        let logs = world.nodes[OWNER].model.own_logs();
        voided += logs.filter(|log| !log.void.leaves.is_empty()).count();
        (0..3).for_each(|at| world.check_rebuilt(at));
    }
    assert!(voided > 50, "{voided} logs had void lines");
}
