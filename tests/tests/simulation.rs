//! Many simulated nodes under seeded faults: nothing leaks or is lost, and all come to rest equal.

#![allow(clippy::expect_used, reason = "this is test code")]

use std::collections::BTreeMap;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RecordId};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::ingest::HEAD_LACKING;
use corridor_rules::visibility::may_read;
use corridor_rules::{Reader, RecordKey};
use corridor_tests::sim::network::{Frame, Stream};
use corridor_tests::sim::run::{BYTES_CHECKED, grown, plan_of};
use corridor_tests::sim::spec::{Circle, Kind};
use corridor_tests::sim::{Counts, EXPECTED, Plan, World, run};

/// Runs of the first test.
const SEEDS: u64 = 300;
/// Threads among which they are shared out.
const PARTS: usize = 2;

fn add(total: &mut Counts, counts: Counts) {
    for (what, times) in counts {
        *total.entry(what).or_default() += times;
    }
}

#[test]
fn many_small_worlds_come_to_rest_as_specified() {
    if let Ok(seed) = std::env::var("CORRIDOR_SIM_SEED") {
        run(plan_of(seed.parse().expect("a number")));
        return;
    }
    // `tests/mutants` runs fewer, a thousand times.
    let seeds = std::env::var("CORRIDOR_SIM_SEEDS").map_or(SEEDS, |n| n.parse().expect("a number"));
    let mut total = Counts::new();
    std::thread::scope(|scope| {
        let part = |first: u64| {
            let mut counts = Counts::new();
            for seed in (first..seeds).step_by(PARTS) {
                add(&mut counts, run(plan_of(seed)));
            }
            counts
        };
        let parts = (0..)
            .take(PARTS)
            .map(|first| scope.spawn(move || part(first)));
        for counts in parts.collect::<Vec<_>>() {
            add(&mut total, counts.join().expect("its story is above"));
        }
    });
    for what in EXPECTED.iter().filter(|_| seeds >= SEEDS) {
        let times = total.get(what).copied().unwrap_or(0);
        assert!(times > 0, "{what} never happened");
    }
}

#[test]
fn a_world_of_thirty_nodes_comes_to_rest_as_specified() {
    run(Plan {
        seed: 30,
        nodes: 30,
        steps: 1_500,
        hostile: false,
        apart: true,
        large: false,
    });
}

#[test]
fn a_world_of_more_than_a_hundred_nodes_comes_to_rest_as_specified() {
    let counts = run(Plan {
        steps: 500,
        ..grown(100)
    });
    assert!(
        counts.get("relayed") > Some(&0),
        "nothing went through third nodes"
    );
}

fn two_partners(seed: u64) -> World {
    let mut world = World::new(Plan {
        seed,
        nodes: 2,
        steps: 0,
        hostile: false,
        apart: false,
        large: false,
    });
    world.calm = true;
    world.invite(0, 1);
    while !world.pairings.is_empty() {
        world.pair();
    }
    world.change_state(0, 1, "confirm");
    world.change_state(1, 0, "confirm");
    world
}

/// A folder older than what was signed under its key must not sign a second root for one size.
#[test]
fn a_node_set_back_to_an_older_state_stops_signing_before_a_head_leaves() {
    for seed in 0..8 {
        let mut world = two_partners(seed);
        let log = LogId::public(&world.nodes[0].rcp);
        let size = |world: &World, at: usize| {
            let log = world.nodes[at].model.logs.get(&log);
            log.map_or(0, |log| log.size())
        };
        world.connect((0, 1));
        let older = world.nodes[0].journal.clone();
        for _ in 0..seed {
            carry_out(&mut world, publish(RecordId::new([9; 16]), log));
            world.rest();
        }
        let held = size(&world, 1);
        world.nodes[0].journal = older;
        world.restored = true;
        world.crash(0);
        while size(&world, 0) < held {
            carry_out(&mut world, publish(RecordId::new([9; 16]), log));
        }
        world.connect((0, 1));
        world.rest();
        assert_eq!(
            size(&world, 1),
            held,
            "nothing of the second branch arrived"
        );
        let why = world.nodes[0].model.signing_stopped.as_deref();
        assert_eq!(
            why,
            (held > 0).then_some(HEAD_LACKING),
            "{held} lines were held"
        );
    }
}

fn carry_out(world: &mut World, wish: Wish) {
    let node = &mut world.nodes[0];
    let facts = node.decide(wish, world.now, &mut world.rng);
    node.append(facts.expect("decided"));
    world.touch(0);
}

fn publish(record: RecordId, log: LogId) -> Wish {
    Wish::Publish(ToPublish {
        record,
        kind: 1,
        body: vec![1],
        links: Vec::new(),
        circles: Some(vec![log]),
        draft: None,
        hand: None,
    })
}

/// A circle of the first node that the second reads.
fn circle_for_the_other(world: &mut World) -> LogId {
    let before: Vec<LogId> = world.nodes[0].model.logs.keys().copied().collect();
    world.open_circle(0);
    let mut logs = world.nodes[0].model.logs.keys().copied();
    let log = logs.find(|log| !before.contains(log)).expect("opened");
    world.set_readers(0);
    while !is_read(world, log) {
        world.set_readers(0);
    }
    log
}

/// An open circle of the first node that the two others read without end.
fn circle_passed_on_by_both(world: &mut World) -> LogId {
    let is_meant = |circle: &Circle| {
        circle.kind == Kind::Open && circle.readers == BTreeMap::from([(1, 0), (2, 0)])
    };
    loop {
        if let Some(circle) = world.spec.circles.iter().find(|circle| is_meant(circle)) {
            return circle.id;
        }
        world.open_circle(0);
        world.set_readers(0);
    }
}

fn is_read(world: &World, log: LogId) -> bool {
    let log = &world.nodes[0].model.logs[&log];
    let reader = Reader::Peer(world.nodes[1].rcp);
    may_read(&world.nodes[0].model, log, &reader, world.now).is_ok()
}

#[test]
fn a_record_that_stands_in_two_circles_is_fetched_once() {
    for seed in 0..32 {
        let mut world = two_partners(seed);
        let circles = [
            LogId::public(&world.nodes[0].rcp),
            circle_for_the_other(&mut world),
        ];
        let record = RecordId::new([9; 16]);
        carry_out(&mut world, publish(record, circles[0]));
        let share = Wish::Share {
            record,
            version: world.now.0,
            links: Vec::new(),
            circles: vec![circles[1]],
        };
        carry_out(&mut world, share);
        world.connect((0, 1));
        world.rest();
        let came = world.connections[&(0, 1)].ends[1].sent.len();
        assert_eq!(came, 1, "seed {seed}");
        let row = world.nodes[1].store.rows.values().next().expect("held");
        assert_eq!(row.stands.len(), 2, "it stands in both");
    }
}

/// A want that was on its way while its log was taken away and given back answers nothing: the
/// reader has forgotten it, and asks again after it has pulled again.
#[test]
fn a_reader_removed_and_added_again_gets_each_record_once_and_refuses_nothing() {
    for seed in 0..64 {
        let mut world = two_partners(seed);
        let log = circle_for_the_other(&mut world);
        for record in 1..6 {
            carry_out(&mut world, publish(RecordId::new([record; 16]), log));
        }
        world.connect((0, 1));
        for round in 0..60 {
            let events = world.events();
            let Some(event) = world.rng.pick(&events) else {
                break;
            };
            world.happen(event);
            if round % 2 == 0 {
                world.set_readers(0);
            }
        }
        while !is_read(&world, log) {
            world.set_readers(0);
        }
        world.rest();
        let rows = world.nodes[1].store.rows.len();
        assert_eq!(rows, 5, "seed {seed}");
        for end in &world.connections[&(0, 1)].ends {
            assert_eq!(end.link.last_refusal(), None, "seed {seed}");
        }
    }
}

const fn withdraw(record: RecordId) -> Wish {
    Wish::Withdraw {
        record,
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement: None,
    }
}

/// More withdrawals at once than anybody makes on purpose: hidden at once, erased a day later, and
/// no receipt before.
#[test]
fn a_flood_of_withdrawals_is_hidden_at_once_and_erased_after_a_day() {
    let world = two_partners(0);
    is_hidden_at_once_and_erased_after_a_day(world, |record, _| withdraw(record));
}

/// To leave the last circle takes a record from its readers as a withdrawal does.
#[test]
fn a_flood_of_leaves_is_hidden_at_once_and_erased_after_a_day() {
    let world = two_partners(0);
    is_hidden_at_once_and_erased_after_a_day(world, |record, log| Wish::Narrow {
        record,
        circles: vec![log],
    });
}

fn is_hidden_at_once_and_erased_after_a_day(
    mut world: World,
    taken: impl Fn(RecordId, LogId) -> Wish,
) {
    let public = LogId::public(&world.nodes[0].rcp);
    let records: Vec<RecordId> = (0..60).map(|n| RecordId::new([n; 16])).collect();
    let texts = |world: &World| {
        let rows: Vec<_> = world.nodes[1].store.rows.values().collect();
        let shown = rows.iter().filter(|row| row.current(|_| true).is_some());
        let kept = rows
            .iter()
            .filter(|row| row.versions.iter().any(|v| !v.erased));
        (shown.count(), kept.count())
    };
    let receipt = |world: &World| {
        let held = world.nodes[0].model.held.get(&(public, world.nodes[1].rcp));
        held.map_or(0, |held| held.checkpoint.size)
    };
    for record in &records {
        carry_out(&mut world, publish(*record, public));
    }
    world.connect((0, 1));
    world.rest();
    assert_eq!(texts(&world), (60, 60));
    world.connections.clear();
    for record in &records {
        carry_out(&mut world, taken(*record, public));
    }
    world.connect((0, 1));
    world.rest();
    assert_eq!(texts(&world), (0, 60), "hidden, and not yet erased");
    world.crash(1);
    world.connect((0, 1));
    world.rest();
    world.pass(23 * 3_600_000);
    world.rest();
    assert_eq!(texts(&world), (0, 60), "a restart forgets neither");
    assert_eq!(receipt(&world), 60, "no receipt before the text is gone");
    let delayed = world.connections[&(0, 1)].ends[0].link.delays_ours();
    assert!(delayed.is_some(), "the owner is told");
    world.pass(3_600_000);
    world.rest();
    assert_eq!(texts(&world), (0, 0));
    assert_eq!(receipt(&world), 120);
    world.check_rebuilt(1);
}

/// Two partners that have met, with one record of the first in its public log.
fn two_that_met() -> (World, LogId) {
    let mut world = World::new(Plan {
        seed: 5,
        nodes: 2,
        steps: 0,
        hostile: false,
        apart: false,
        large: false,
    });
    world.calm = true;
    world.invite(0, 1);
    while !world.pairings.is_empty() {
        world.pair();
    }
    world.change_state(0, 1, "confirm");
    world.change_state(1, 0, "confirm");
    let public = LogId::public(&world.nodes[0].rcp);
    world.save_draft(0);
    world.publish_draft_in(0, vec![public]);
    world.connect((0, 1));
    world.rest();
    (world, public)
}

#[test]
fn a_receipt_that_its_owner_has_waits_a_little_when_the_two_meet_again() {
    let (mut world, public) = two_that_met();
    world.pass(61_000);
    world.rest();
    let holder = world.nodes[1].rcp;
    let said = |world: &World| world.nodes[0].model.held[&(public, holder)].time_s;
    let before = said(&world);
    world.connections.clear();
    world.pass(600_000);
    let bytes = |world: &World| world.counts[BYTES_CHECKED];
    let sent = bytes(&world);
    world.connect((0, 1));
    world.rest();
    assert_eq!(bytes(&world) - sent, 2 * 256, "one frame each way");
    assert_eq!(said(&world), before, "a meeting without news is short");
    world.pass(6_000);
    world.rest();
    assert!(
        said(&world) > before,
        "and the receipt is given all the same"
    );
}

/// Both said that they have the same, and meanwhile the one has more: its lines may come before its
/// hello, since the two streams are not ordered with each other.
#[test]
fn news_that_overtake_the_hello_are_not_lost() {
    let (mut world, public) = two_that_met();
    let pair = (0, 1);
    world.connections.clear();
    world.connect(pair);
    world.save_draft(0);
    world.publish_draft_in(0, vec![public]);
    world.deliver(pair, 0, Stream::Session);
    let waits =
        |world: &World, stream| world.connections[&pair].ends[1].waiting().contains(&stream);
    assert!(waits(&world, Stream::Carry), "lines are on their way");
    world.deliver(pair, 1, Stream::Carry);
    assert!(waits(&world, Stream::Session), "and the hello too");
    world.rest();
    let refusals = world.connections[&pair].ends[1].link.refusals();
    assert_eq!(refusals, 0);
    let logs = [0, 1].map(|at| world.nodes[at].model.logs[&public].clone());
    assert_eq!(logs[0].size(), logs[1].size(), "all lines came");
    assert_eq!(logs[1].missing, [].into(), "and all texts");
}

/// Both said that they have the same, and meanwhile the reader lost a circle: it is told so, and
/// follows the circle again once it reads it again.
#[test]
fn a_right_that_is_lost_while_the_hellos_cross_comes_back_with_all_that_it_gives() {
    let (mut world, _) = two_that_met();
    let pair = (0, 1);
    let circle = circle_for_the_other(&mut world);
    world.save_draft(0);
    world.publish_draft_in(0, vec![circle]);
    world.rest();
    let size = |world: &World, at: usize| world.nodes[at].model.logs[&circle].size();
    assert_eq!(size(&world, 0), size(&world, 1));
    world.connections.clear();
    world.connect(pair);
    while is_read(&world, circle) {
        world.set_readers(0);
    }
    world.deliver(pair, 0, Stream::Session);
    world.rest();
    assert!(
        world.connections[&pair].ends[0].link.has_stopped_serving(),
        "the connection is to end"
    );
    while !is_read(&world, circle) {
        world.set_readers(0);
    }
    world.save_draft(0);
    world.publish_draft_in(0, vec![circle]);
    world.rest();
    assert_eq!(size(&world, 0), size(&world, 1), "on the same connection");
}

/// What was held, left and was erased is asked for once more when it stands in another circle.
#[test]
fn a_record_that_left_one_circle_and_stands_in_another_is_fetched_again() {
    for seed in 0..40 {
        let mut world = two_partners(seed);
        let public = LogId::public(&world.nodes[0].rcp);
        let other = circle_for_the_other(&mut world);
        let record = RecordId::new([9; 16]);
        world.connect((0, 1));
        world.rest();
        carry_out(&mut world, publish(record, public));
        let to_reader = |world: &World, stream| {
            let mut events = world.events();
            events.retain(|(_, side, at)| (*side, *at) == (1, Some(stream)));
            events.pop()
        };
        let comes = |world: &World| {
            to_reader(world, Stream::Carry).is_some_and(|event| world.brings_records(&event))
        };
        while !comes(&world) {
            let events = world.events();
            let next = world.rng.pick(&events).expect("it arrives");
            world.happen(next);
        }
        let circles = vec![public];
        carry_out(&mut world, Wish::Narrow { record, circles });
        // The head behind the leave is told before the record is there.
        world.happen(((0, 1), 0, None));
        while let Some(event) = to_reader(&world, Stream::Session) {
            world.happen(event);
        }
        world.rest();
        let key = RecordKey {
            rcp: world.nodes[0].rcp,
            record,
        };
        let version = world.nodes[0].store.rows[&key].stands[0].version;
        let share = Wish::Share {
            record,
            version,
            links: Vec::new(),
            circles: vec![other],
        };
        carry_out(&mut world, share);
        world.rest();
        let row = &world.nodes[1].store.rows[&key];
        assert!(!row.wants_any(), "seed {seed}: {row:?}");
    }
}

/// Lines that came before their owner's key was replaced lie under no head until one is signed
/// with the new key: what they name is not asked for.
#[test]
fn what_lies_under_no_head_is_not_asked_for() {
    for seed in 0..20 {
        let mut world = two_partners(seed);
        let log = LogId::public(&world.nodes[0].rcp);
        world.nodes[0].store.chunk = 1;
        for record in 1..=5 {
            carry_out(&mut world, publish(RecordId::new([record; 16]), log));
        }
        let is_led = |world: &World| {
            let model = &world.nodes[1].model;
            let log = model.logs.get(&log);
            log.is_some_and(|log| log.size() > 0 && log.pending(model).is_some())
        };
        world.connect((0, 1));
        while !is_led(&world) {
            let events = world.events();
            let next = world.rng.pick(&events).expect("it arrives");
            world.happen(next);
        }
        world.rotate(0);
        // All but what is under way to the reader.
        loop {
            let mut events = world.events();
            events.retain(|(_, side, stream)| (*side, *stream) != (1, Some(Stream::Carry)));
            let Some(next) = world.rng.pick(&events) else {
                break;
            };
            world.happen(next);
        }
        assert!(!is_led(&world), "the head before is void");
        let mut coming = world.connections[&(0, 1)].ends[1].carry.iter();
        assert!(!coming.any(|frame| Frame::Carry(frame.clone()).brings_records()));
        world.heal();
        let log = &world.nodes[1].model.logs[&log];
        assert_eq!((log.held_size(), log.missing.len()), (5, 0));
    }
}

/// Three nodes that are partners of each other, but for one that has not confirmed another.
fn three_partners(late: Option<(usize, usize)>) -> World {
    let mut world = World::new(Plan {
        seed: 1,
        nodes: 3,
        steps: 0,
        hostile: false,
        apart: true,
        large: false,
    });
    world.calm = true;
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        world.invite(a, b);
    }
    while !world.pairings.is_empty() {
        world.pair();
    }
    for (at, peer) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
        if Some((at, peer)) != late {
            world.change_state(at, peer, "confirm");
        }
    }
    world
}

/// What a third node passes on is not forgotten while its owner, or the node, is not confirmed yet.
#[test]
fn a_log_that_was_passed_on_too_early_arrives_once_its_owner_is_confirmed() {
    for late in [(2, 0), (2, 1)] {
        let mut world = three_partners(Some(late));
        world.apart.insert((0, 2));
        let log = circle_passed_on_by_both(&mut world);
        carry_out(&mut world, publish(RecordId::new([9; 16]), log));
        world.heal();
        assert!(world.nodes[1].model.logs.contains_key(&log));
        assert!(!world.nodes[2].model.logs.contains_key(&log));
        world.change_state(late.0, late.1, "confirm");
        world.heal();
        let size = |at: usize| world.nodes[at].model.logs.get(&log).map(|log| log.size());
        assert_eq!(size(2), size(0), "late is {late:?}");
        assert!(world.nodes[2].model.logs[&log].missing.is_empty());
    }
}

/// A reader gives its receipt to a third node that does not have the log yet; it is not lost there.
#[test]
fn a_receipt_that_was_passed_on_too_early_reaches_its_owner() {
    let mut world = three_partners(None);
    let log = circle_passed_on_by_both(&mut world);
    carry_out(&mut world, publish(RecordId::new([9; 16]), log));
    let size = |world: &World, at: usize| {
        let log = world.nodes[at].model.logs.get(&log);
        log.map(|log| (log.size(), log.missing.len()))
    };
    world.connect((0, 2));
    while size(&world, 2) != size(&world, 0) {
        let events = world.events();
        let next = world.rng.pick(&events).expect("it arrives");
        world.happen(next);
    }
    world.connections.remove(&(0, 2));
    world.apart.insert((0, 2));
    let receipt = |world: &World| {
        let key = (log, world.nodes[2].rcp);
        let held = world.nodes[0].model.held.get(&key);
        held.map(|held| (held.checkpoint.size, 0))
    };
    assert_eq!(receipt(&world), None, "cut off before it came");
    world.connect((1, 2));
    world.rest();
    assert_eq!(size(&world, 1), size(&world, 0), "passed on");
    world.connect((0, 1));
    for _ in 0..2 {
        world.rest();
        world.pass(61_000);
    }
    assert_eq!(receipt(&world), size(&world, 0));
}
