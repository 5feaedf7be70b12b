//! Circles that their readers pass on to each other: real offices that miss each other, and relays
//! that give something else than they got.

#![allow(clippy::expect_used, reason = "this is test code")]

use anyhow::Result;
use corridor_proto::line::{Act, ReadLine, WithdrawalReason, read_line};
use corridor_proto::tree::leaf_hash;
use corridor_proto::wire::proof_message;
use corridor_proto::{Hash, LogId, UnixMillis, v1};
use corridor_rules::desk::Wish;
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::serve::{self, Target};
use corridor_rules::{Fact, Log};
use corridor_tests::nodes::{Office, until};
use corridor_tests::sim::meeting;
use corridor_tests::sim::node::Node;
use corridor_tests::sim::rng::Rng;
use corridor_tests::sim::world::{Plan, World};
use proptest::prelude::*;

async fn three_offices() -> Result<[Office; 3]> {
    let add = Office::open("Abu Dhabi Dialogue", true).await?;
    let bali = Office::open("Bali Process", true).await?;
    let rabat = Office::open("Rabat Process", true).await?;
    add.befriend(&bali).await?;
    add.befriend(&rabat).await?;
    bali.befriend(&rabat).await?;
    add.admit("federation", &[&bali, &rabat]).await?;
    Ok([add, bali, rabat])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_never_meet_have_the_same_through_a_third() -> Result<()> {
    let [mut add, bali, mut rabat] = three_offices().await?;
    let federation = add.circle("federation")?;
    let early = add.publish("Canary-51bd early", &[federation]).await?;
    until("both have it", || {
        bali.holds(&add, early) && rabat.holds(&add, early)
    })
    .await?;
    rabat.close().await?;
    let late = add.publish("Late", &[federation]).await?;
    let apart = add
        .publish("For Bali alone", &[add.private(&bali)?])
        .await?;
    add.desk()
        .wish(Wish::Withdraw {
            record: early,
            up_to: None,
            reason: WithdrawalReason::Error,
            note: None,
            replacement: None,
        })
        .await?;
    until("Bali has all of it", || {
        bali.holds(&add, late) && bali.holds(&add, apart) && !bali.holds(&add, early)
    })
    .await?;
    add.close().await?;
    rabat.reopen().await?;
    until("Rabat has it from Bali", || {
        rabat.holds(&add, late) && !rabat.holds(&add, early)
    })
    .await?;
    until("what was withdrawn is erased", || {
        !rabat.has_bytes(b"Canary-51bd early").unwrap_or(true)
    })
    .await?;
    assert!(
        rabat.row(&add, apart).is_none(),
        "a private circle stays private"
    );
    let copy = rabat
        .desk()
        .store()
        .read(|view| view.logs[&federation].clone());
    assert_eq!(
        copy.size(),
        copy.held_head.map_or(0, |head| head.checkpoint.size)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_gives_a_removed_reader_nothing_further() -> Result<()> {
    let [mut add, bali, mut rabat] = three_offices().await?;
    let federation = add.circle("federation")?;
    let before = add.publish("Before", &[federation]).await?;
    until("both have it", || {
        bali.holds(&add, before) && rabat.holds(&add, before)
    })
    .await?;
    rabat.close().await?;
    add.desk().remove_readers(federation, &[rabat.rcp]).await?;
    let after = add.publish("After", &[federation]).await?;
    until("Bali has it", || bali.holds(&add, after)).await?;
    add.close().await?;
    rabat.reopen().await?;
    let public = bali.publish("Open", &[bali.circle("public")?]).await?;
    until("the two exchange", || rabat.holds(&bali, public)).await?;
    assert!(rabat.row(&add, after).is_none(), "not even that it exists");
    assert!(rabat.holds(&add, before), "an ended right erases nothing");
    Ok(())
}

/// An owner, a relay and a reader, all of whom confirmed each other; the owner's open circle lists
/// both, and has a line for each record.
fn owner_relay_reader(records: u8, relay: bool) -> ([Node; 3], LogId) {
    let mut rng = Rng::new(11);
    let now = UnixMillis(1_800_000_000_000);
    let (mut nodes, log) = meeting::confirmed(relay, &mut rng, now);
    for number in 1..=records {
        meeting::publish(&mut nodes[0], number, &[number], log, &mut rng, now);
    }
    (nodes, log)
}

/// A package as the log stands at `from`, proved to the head of `giver`.
fn package(giver: &Node, log: LogId, from: u64, count: usize) -> v1::Package {
    let log = &giver.model.logs[&log];
    let head = log.held_head.as_ref().expect("a head");
    let size = head.checkpoint.size;
    let note = head.note.clone();
    let target = Target { size, note };
    let mut package = serve::package(&giver.model, &giver.store, log, from, &target, true);
    let package = package.as_mut().expect("lines");
    package.lines.truncate(count);
    package.bodies.truncate(package.lines.len());
    let reached = from + u64::try_from(package.lines.len()).expect("few lines");
    package.proof = proof_message(&log.tree.consistency(reached, size).expect("a proof"));
    package.clone()
}

fn offer(reader: &mut Node, [owner, relay]: [&Node; 2], log: LogId, package: v1::Package) -> bool {
    let arrival = Arrival::Package {
        peer: relay.rcp,
        owner: owner.rcp,
        seed: owner.model.logs[&log].seed,
        package: Box::new(package),
    };
    let now = UnixMillis(1_800_000_100_000);
    match ingest::decide(&reader.model, &reader.store, &arrival, now) {
        Ok(facts) if facts.is_empty() => true,
        Ok(facts) => {
            reader.append(facts);
            true
        }
        Err(_) => false,
    }
}

fn root(node: &Node, log: LogId) -> (u64, Option<Hash>) {
    let log = node.model.logs.get(&log);
    log.map_or((0, None), |log| (log.size(), log.tree.root_at(log.size())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a relay does to a package, the reader's log is a beginning of the owner's, and
    /// nothing but what the owner appended is in it.
    #[test]
    fn what_a_relay_alters_leaves_holes_in_or_relabels_is_refused(
        cut in 1_usize..9, how in 0_u8..8, at in 0_usize..9, byte in any::<prop::sample::Index>(),
    ) {
        let ([owner, relay, mut reader], log) = owner_relay_reader(7, true);
        let honest = package(&owner, log, 0, cut);
        prop_assert!(offer(&mut reader, [&owner, &relay], log, honest));
        let held = root(&reader, log);
        let mut altered = package(&owner, log, held.0, 9);
        let count = altered.lines.len();
        let at = at % count;
        let mut is_other = true;
        match how {
            0 => {
                let line = &mut altered.lines[at];
                let byte = byte.index(line.len());
                line[byte] ^= 1;
            }
            1 if count > 1 => altered.lines.swap(at, (at + 1) % count),
            2 => drop(altered.lines.remove(at)),
            3 => altered.lines.insert(at, altered.lines[at].clone()),
            4 => altered.log[0] ^= 1,
            5 => altered.from += 1,
            6 => {
                // The log as it was three lines ago: nothing of it is new, or it is a beginning.
                let mut older = owner.folded_again();
                older.journal.truncate(older.journal.len() - 3);
                older.rebuild(1);
                altered = package(&older, log, 0, 9);
            }
            _ => is_other = false,
        }
        let taken = offer(&mut reader, [&owner, &relay], log, altered);
        // Of an older state it makes no difference whether it is refused.
        prop_assert!(how == 6 || taken != is_other, "{}", how);
        let now = root(&reader, log);
        let owners = &owner.model.logs[&log].tree;
        prop_assert_eq!(now.1, owners.root_at(now.0));
        prop_assert!(now.0 >= held.0, "it never goes back");
    }
}

#[test]
fn only_a_list_that_says_so_lets_its_readers_pass_it_on() {
    let ([owner, relay, mut reader], log) = owner_relay_reader(3, false);
    let first = package(&owner, log, 0, 9);
    assert!(!offer(&mut reader, [&owner, &relay], log, first.clone()));
    assert_eq!(root(&reader, log), (0, None), "not a byte of it");
    assert!(offer(&mut reader, [&owner, &owner], log, first.clone()));
    let ([owner, relay, mut reader], log) = owner_relay_reader(3, true);
    let rcp = owner.rcp;
    let left = reader.decide(Wish::Leave { rcp }, UnixMillis(1), &mut Rng::new(1));
    reader.append(left.expect("left"));
    let first = package(&owner, log, 0, 9);
    assert!(!offer(&mut reader, [&owner, &relay], log, first));
}

#[test]
fn what_is_held_is_passed_over_wherever_it_comes_from() {
    let ([owner, relay, mut reader], log) = owner_relay_reader(7, true);
    assert!(offer(
        &mut reader,
        [&owner, &owner],
        log,
        package(&owner, log, 0, 5)
    ));
    assert!(offer(
        &mut reader,
        [&owner, &relay],
        log,
        package(&owner, log, 2, 5)
    ));
    assert_eq!(reader.model.logs.get(&log).map(Log::size), Some(7));
    assert!(offer(
        &mut reader,
        [&owner, &relay],
        log,
        package(&owner, log, 0, 9)
    ));
    assert_eq!(root(&reader, log), root(&owner, log));
    let lines = reader.store.lines[&log].iter();
    let published = lines.filter(|line| {
        let line = read_line(line);
        matches!(line, Ok(ReadLine::Line(line)) if matches!(line.act, Act::Publish { .. }))
    });
    assert_eq!(published.count(), 7);
}

const HOUR_MS: u64 = 3_600_000;

/// Lets time pass in steps in which links look at each other.
fn hours(world: &mut World, hours: u64) {
    for _ in 0..hours {
        world.pass(HOUR_MS - 61_000);
        world.rest();
        world.pass(61_000);
        world.rest();
    }
}

#[test]
fn what_a_relay_holds_back_is_noticed_within_a_day() {
    let mut world = World::new(Plan {
        seed: 5,
        nodes: 3,
        steps: 0,
        hostile: false,
        apart: true,
        large: false,
    });
    world.calm = true;
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        world.invite(a, b);
        (0..3).for_each(|_| world.pair());
        world.change_state(a, b, "confirm");
        world.change_state(b, a, "confirm");
    }
    world.apart.insert((0, 2));
    let log = world.nodes[0].model.circle("federation").expect("it").id;
    let readers = [1, 2].map(|at: usize| (world.nodes[at].rcp, UnixMillis(0)));
    let readers = readers.into_iter().collect();
    let wish = Wish::SetReaders { log, readers };
    let facts = world.nodes[0].decide(wish, world.now, &mut world.rng);
    let facts = facts.expect("readers");
    world.nodes[0].append(facts.clone());
    world.learn_facts(0, &facts);
    let circle = world.spec.circle(&log).expect("it");
    world.spec.circles[circle].readers.extend([(1, 0), (2, 0)]);
    world.spec.settle(0, 3, world.now.0);
    world.connect((0, 1));
    world.connect((1, 2));
    world.rest();
    hours(&mut world, 30);
    let owner = world.nodes[0].rcp;
    let silent = |world: &World, at: usize| world.nodes[at].model.silent_since(&owner, world.now);
    assert_eq!(silent(&world, 1), None, "it meets the owner");
    assert_eq!(
        silent(&world, 2),
        None,
        "the owner's word comes through the relay"
    );
    let said = world.nodes[2].model.news(&world.nodes[2].model.logs[&log]);
    assert!(world.now.since(said.expect("news")) <= 8 * HOUR_MS);
    // The relay is cut off, or holds back what it gets.
    world.connections.remove(&(0, 1));
    hours(&mut world, 15);
    assert_eq!(silent(&world, 2), None, "not yet a day");
    hours(&mut world, 15);
    assert!(silent(&world, 2).is_some() && silent(&world, 1).is_some());
}

#[test]
fn two_partners_paused_while_nothing_was_signed_leave_a_list_together() {
    let mut rng = Rng::new(17);
    let now = UnixMillis(1_800_000_000_000);
    let ([mut owner, one, other], log) = meeting::confirmed(true, &mut rng, now);
    let reason = "PEER_HOLDS_A_HEAD_WE_LACK".to_owned();
    owner.append(vec![Fact::SigningStopped { reason }]);
    for rcp in [one.rcp, other.rcp] {
        owner
            .wish(Wish::Pause { rcp }, now, &mut rng)
            .expect("paused");
    }
    owner.wish(Wish::Restart, now, &mut rng).expect("restarted");
    let size = owner.model.logs[&log].size();
    for _ in 0..3 {
        let due = owner.due(now, &mut rng);
        owner.append(due);
    }
    let of = &owner.model.logs[&log];
    assert_eq!(of.size(), size + 1, "one line takes both off");
    assert_eq!(of.suspended.len(), 2);
    let list = of.readers.as_ref().expect("a list");
    assert!(list.list.readers.is_empty());
    assert_eq!(of.readers_line.map(|(_, hash)| hash), Some(list.hash));
    for (index, line) in (0..).zip(&owner.store.lines[&log]) {
        assert_eq!(of.tree.leaf(index), Some(leaf_hash(line)), "line {index}");
    }
    let rcp = one.rcp;
    owner
        .wish(Wish::Resume { rcp }, now, &mut rng)
        .expect("resumed");
    assert!(owner.model.logs[&log].lists(&rcp));
}

#[test]
fn a_list_that_a_later_line_replaced_comes_back_from_no_relay() {
    let ([mut owner, mut relay, mut reader], log) = owner_relay_reader(3, true);
    let mut rng = Rng::new(19);
    let now = UnixMillis(1_800_000_000_000);
    meeting::meet([&mut owner, &mut relay], now, 0, &mut rng);
    let old = package(&owner, log, 0, 9).readers;
    let readers = [(reader.rcp, UnixMillis(0))].into();
    owner
        .wish(Wish::SetReaders { log, readers }, now, &mut rng)
        .expect("readers");
    assert!(offer(
        &mut reader,
        [&owner, &owner],
        log,
        package(&owner, log, 0, 99)
    ));
    let newest = reader.model.logs[&log].readers.clone();
    meeting::publish(&mut owner, 9, b"more", log, &mut rng, now);
    let mut late = package(&owner, log, reader.model.logs[&log].size(), 9);
    late.readers = old.map(|mut proof| {
        // The old list, in its place under the new head.
        let of = &owner.model.logs[&log];
        let inclusion = of.tree.inclusion(proof.index, of.size()).expect("a proof");
        proof.proof = proof_message(&inclusion);
        proof
    });
    offer(&mut reader, [&owner, &relay], log, late);
    assert_eq!(reader.model.logs[&log].readers, newest);
}

#[test]
fn a_relay_cannot_begin_a_log_anew_again_and_again() {
    let ([mut owner, relay, mut reader], log) = owner_relay_reader(7, true);
    let mut rng = Rng::new(23);
    let now = UnixMillis(1_800_000_000_000);
    let mut behind = owner.copy();
    meeting::publish(&mut owner, 9, b"lost", log, &mut rng, now);
    assert!(offer(
        &mut reader,
        [&owner, &owner],
        log,
        package(&owner, log, 0, 99)
    ));
    let reason = "PEER_HOLDS_A_HEAD_WE_LACK".to_owned();
    behind.append(vec![Fact::SigningStopped { reason }]);
    behind
        .wish(Wish::Restart, now, &mut rng)
        .expect("restarted");
    for _ in 0..5 {
        offer(
            &mut reader,
            [&behind, &relay],
            log,
            package(&behind, log, 0, 1),
        );
    }
    assert_eq!(reader.model.logs[&log].rewinds, 1);
    assert!(offer(
        &mut reader,
        [&behind, &relay],
        log,
        package(&behind, log, 0, 99)
    ));
    assert_eq!(root(&reader, log), root(&behind, log));
}

#[test]
fn a_package_from_beyond_every_log_is_refused_and_breaks_nothing() {
    let ([mut owner, mut relay, mut reader], log) = owner_relay_reader(2, true);
    let mut rng = Rng::new(29);
    let now = UnixMillis(1_800_000_000_000);
    meeting::meet([&mut owner, &mut relay], now, 0, &mut rng);
    let mut far = package(&owner, log, 0, 9);
    far.from = u64::MAX;
    assert!(!offer(&mut reader, [&owner, &relay], log, far));
    assert!(offer(
        &mut reader,
        [&owner, &relay],
        log,
        package(&owner, log, 0, 9)
    ));
}
