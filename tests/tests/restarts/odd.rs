//! Ways of coming back that are not the usual one: several readers at once, readers that were
//! removed or left, broken connections, wrong clocks, rotations.

use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RecordId, UnixMillis};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{Fact, Rows};
use corridor_tests::sim::World;

use super::{EARLY, LATE, OWNER, meet, set_back, three_partners, wish};

fn public(world: &World) -> LogId {
    LogId::public(&world.nodes[OWNER].rcp)
}

fn publish(world: &mut World, number: u8, circles: &[LogId]) -> RecordId {
    world.pass(1);
    let record = RecordId::new([number; 16]);
    let publish = Wish::Publish(ToPublish {
        record,
        kind: 1,
        body: vec![number; 40],
        links: Vec::new(),
        circles: Some(circles.to_vec()),
        draft: None,
        hand: None,
    });
    assert!(wish(world, publish), "published");
    record
}

fn withdraw(world: &mut World, record: RecordId, replacement: Option<RecordId>) {
    let withdraw = Wish::Withdraw {
        record,
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement,
    };
    assert!(wish(world, withdraw), "withdrawn");
}

fn set_readers(world: &mut World, log: LogId, readers: &[usize]) {
    let listed = readers
        .iter()
        .map(|at| (world.nodes[*at].rcp, UnixMillis(0)));
    let readers_wish = Wish::SetReaders {
        log,
        readers: listed.collect(),
    };
    assert!(wish(world, readers_wish), "the readers are set");
    let number = world.spec.circle(&log).expect("a circle");
    world.spec.circles[number].readers = readers.iter().map(|at| (*at, 0)).collect();
    world.spec.circles[number].once.extend(readers);
}

fn observers(world: &World) -> LogId {
    world.nodes[OWNER]
        .model
        .circle("observers")
        .expect("there")
        .id
}

/// A closed circle with these readers.
fn closed_for(world: &mut World, readers: &[usize]) -> LogId {
    let open = Wish::OpenCircle {
        name: "closed".to_owned(),
        open: false,
        relay: false,
    };
    let node = &mut world.nodes[OWNER];
    let facts = node
        .decide(open, world.now, &mut world.rng)
        .expect("opened");
    node.append(facts.clone());
    world.learn_facts(OWNER, &facts);
    let log = world.nodes[OWNER].model.circle("closed").expect("there").id;
    set_readers(world, log, readers);
    log
}

fn row(world: &World, at: usize, record: RecordId) -> RecordRow {
    let rcp = world.nodes[OWNER].rcp;
    let row = world.nodes[at].store.row(&RecordKey { rcp, record });
    row.unwrap_or_default()
}

fn has_text(world: &World, at: usize, record: RecordId) -> bool {
    let row = row(world, at, record);
    row.versions.iter().any(|version| !version.erased)
}

fn is_burnt(world: &World, at: usize, record: RecordId) -> bool {
    row(world, at, record).burnt() > 0
}

fn size(world: &World, at: usize, log: LogId) -> u64 {
    world.nodes[at].model.logs.get(&log).map_or(0, |l| l.size())
}

fn is_stopped(world: &World) -> bool {
    world.nodes[OWNER].model.signing_stopped.is_some()
}

/// Three partners who all have the first record, and the owner's folder as it is then.
fn with_one_record(seed: u64) -> (World, Vec<Vec<Fact>>, RecordId) {
    let mut world = three_partners(seed);
    let log = public(&world);
    let first = publish(&mut world, 1, &[log]);
    let older = until_now(&mut world);
    (world, older, first)
}

/// Everybody has everything; the folder as it is, and a start that it does not know and that the
/// early reader saw.
fn until_now(world: &mut World) -> Vec<Vec<Fact>> {
    meet(world, EARLY);
    meet(world, LATE);
    let older = world.nodes[OWNER].journal.clone();
    world.crash(OWNER);
    meet(world, EARLY);
    older
}

/// The folder is set back and meets a reader; a person says that no other copy runs.
fn set_back_and_meet(world: &mut World, older: Vec<Vec<Fact>>, reader: usize) {
    set_back(world, older);
    meet(world, reader);
    assert!(is_stopped(world), "it notices");
    if world.nodes[OWNER].model.another_copy {
        assert!(wish(world, Wish::OtherCopyGone));
    }
    meet(world, reader);
}

fn sign(world: &mut World) {
    assert!(wish(world, Wish::Restart), "it signs again");
}

#[test]
fn two_readers_that_give_back_at_once_give_all() {
    for seed in 0..20 {
        let (mut world, older, _) = with_one_record(seed);
        let log = public(&world);
        publish(&mut world, 2, &[log]);
        meet(&mut world, EARLY);
        publish(&mut world, 3, &[log]);
        meet(&mut world, LATE);
        set_back(&mut world, older);
        meet(&mut world, EARLY);
        assert!(wish(&mut world, Wish::OtherCopyGone));
        world.connections.clear();
        world.connect((OWNER, EARLY));
        world.connect((OWNER, LATE));
        world.rest();
        assert_eq!(size(&world, OWNER, log), size(&world, LATE, log), "{seed}");
    }
}

#[test]
fn a_version_void_in_two_circles_holds_neither_up() {
    let (mut world, _, first) = with_one_record(1);
    let circles = [public(&world), observers(&world)];
    set_readers(&mut world, circles[1], &[EARLY, LATE]);
    let older = until_now(&mut world);
    publish(&mut world, 2, &circles);
    meet(&mut world, LATE);
    set_back_and_meet(&mut world, older, EARLY);
    sign(&mut world);
    world.connections.clear();
    world.connect((OWNER, LATE));
    world.rest();
    withdraw(&mut world, first, None);
    publish(&mut world, 9, &circles);
    world.rest();
    for log in circles {
        assert_eq!(size(&world, OWNER, log), size(&world, LATE, log));
    }
}

#[test]
fn a_log_that_nobody_gives_back_stops_signing_once() {
    let (mut world, older, _) = with_one_record(1);
    let closed = closed_for(&mut world, &[LATE]);
    publish(&mut world, 2, &[closed]);
    meet(&mut world, LATE);
    world.change_state(LATE, OWNER, "leave");
    set_back(&mut world, older);
    meet(&mut world, LATE);
    for _ in 0..3 {
        if world.nodes[OWNER].model.another_copy {
            assert!(wish(&mut world, Wish::OtherCopyGone));
        }
        meet(&mut world, LATE);
        if is_stopped(&world) {
            sign(&mut world);
        }
    }
    meet(&mut world, LATE);
    assert!(!is_stopped(&world), "its head is known, if not its lines");
}

#[test]
fn a_partner_that_was_left_still_hears_of_withdrawals() {
    let (mut world, _, first) = with_one_record(1);
    let log = public(&world);
    let second = publish(&mut world, 2, &[log]);
    meet(&mut world, LATE);
    world.change_state(OWNER, LATE, "leave");
    let older = until_now(&mut world);
    withdraw(&mut world, first, None);
    meet(&mut world, LATE);
    assert!(is_burnt(&world, LATE, first));
    set_back_and_meet(&mut world, older, EARLY);
    meet(&mut world, LATE);
    sign(&mut world);
    withdraw(&mut world, second, None);
    (0..3).for_each(|_| meet(&mut world, LATE));
    assert!(is_burnt(&world, LATE, second));
}

#[test]
fn texts_are_asked_for_again_after_a_connection_broke() {
    for seed in 0..10 {
        let (mut world, older, _) = with_one_record(seed);
        let log = public(&world);
        let second = publish(&mut world, 2, &[log]);
        meet(&mut world, EARLY);
        set_back(&mut world, older);
        meet(&mut world, EARLY);
        assert!(wish(&mut world, Wish::OtherCopyGone));
        world.connections.clear();
        world.connect((OWNER, EARLY));
        while size(&world, OWNER, log) < size(&world, EARLY, log) {
            let events = world.events();
            let event = world.rng.pick(&events).expect("it goes on");
            world.happen(event);
        }
        assert!(!has_text(&world, OWNER, second));
        if seed % 2 == 0 {
            meet(&mut world, EARLY);
        }
        sign(&mut world);
        meet(&mut world, EARLY);
        meet(&mut world, EARLY);
        assert!(has_text(&world, OWNER, second), "seed {seed}");
    }
}

#[test]
fn a_reader_removed_or_paused_since_gets_nothing_while_nothing_is_signed() {
    for pauses in [false, true] {
        let mut world = three_partners(1);
        let closed = closed_for(&mut world, &[EARLY, LATE]);
        publish(&mut world, 1, &[closed]);
        let older = until_now(&mut world);
        if pauses {
            world.change_state(OWNER, EARLY, "pause");
        } else {
            set_readers(&mut world, closed, &[LATE]);
        }
        let secret = publish(&mut world, 2, &[closed]);
        meet(&mut world, LATE);
        set_back_and_meet(&mut world, older, LATE);
        assert!(has_text(&world, OWNER, secret), "it was given back");
        meet(&mut world, EARLY);
        assert!(row(&world, EARLY, secret).stands.is_empty());
        // The secretariat finds all as it was, and mends it before it signs.
        let rcp = world.nodes[EARLY].rcp;
        if pauses {
            assert!(wish(&mut world, Wish::Pause { rcp }));
        } else {
            set_readers(&mut world, closed, &[LATE]);
        }
        sign(&mut world);
        meet(&mut world, EARLY);
        assert!(row(&world, EARLY, secret).stands.is_empty());
        let first = RecordId::new([1; 16]);
        withdraw(&mut world, first, None);
        meet(&mut world, EARLY);
        assert!(is_burnt(&world, EARLY, first), "it held that one");
    }
}

#[test]
fn what_only_a_void_line_published_can_be_withdrawn() {
    let (mut world, older, _) = with_one_record(1);
    let log = public(&world);
    let only = publish(&mut world, 2, &[log]);
    meet(&mut world, LATE);
    set_back(&mut world, older);
    meet(&mut world, EARLY);
    meet(&mut world, LATE);
    assert!(wish(&mut world, Wish::OtherCopyGone));
    sign(&mut world);
    (0..3).for_each(|_| meet(&mut world, LATE));
    assert_eq!(world.nodes[OWNER].model.logs[&log].void.published.len(), 1);
    withdraw(&mut world, only, None);
    meet(&mut world, LATE);
    assert!(is_burnt(&world, LATE, only) && !has_text(&world, LATE, only));
}

#[test]
fn a_clock_that_ran_ahead_at_a_restart_stops_no_later_one() {
    let (mut world, older, _) = with_one_record(1);
    let log = public(&world);
    (2..5).for_each(|number| {
        publish(&mut world, number, &[log]);
    });
    meet(&mut world, EARLY);
    set_back(&mut world, older.clone());
    meet(&mut world, EARLY);
    assert!(wish(&mut world, Wish::OtherCopyGone));
    let right = world.now;
    world.now = right.plus(24 * 3_600_000);
    sign(&mut world);
    meet(&mut world, LATE);
    world.now = right;
    set_back_and_meet(&mut world, older, EARLY);
    sign(&mut world);
    let mut stops = 0;
    for _ in 0..4 {
        meet(&mut world, LATE);
        if is_stopped(&world) {
            stops += 1;
            if world.nodes[OWNER].model.another_copy {
                assert!(wish(&mut world, Wish::OtherCopyGone));
            }
            meet(&mut world, LATE);
            sign(&mut world);
        }
    }
    assert!(stops <= 1, "{stops} stops");
    assert!(!is_stopped(&world));
}

#[test]
fn readers_that_changed_since_hear_of_withdrawals() {
    let mut world = three_partners(1);
    let open = observers(&world);
    set_readers(&mut world, open, &[EARLY, LATE]);
    let doomed = publish(&mut world, 1, &[open]);
    let older = until_now(&mut world);
    set_readers(&mut world, open, &[LATE]);
    let closed = closed_for(&mut world, &[LATE]);
    let whispered = publish(&mut world, 2, &[closed]);
    meet(&mut world, LATE);
    set_back_and_meet(&mut world, older, LATE);
    sign(&mut world);
    meet(&mut world, LATE);
    meet(&mut world, EARLY);
    withdraw(&mut world, doomed, None);
    withdraw(&mut world, whispered, None);
    meet(&mut world, EARLY);
    meet(&mut world, LATE);
    assert!(is_burnt(&world, EARLY, doomed), "taken off the list since");
    assert!(
        is_burnt(&world, LATE, whispered),
        "of a circle unknown since"
    );
    set_readers(&mut world, closed, &[EARLY]);
}

#[test]
fn a_withdrawal_comes_back_behind_a_rotation() {
    let (mut world, older, doomed) = with_one_record(1);
    meet(&mut world, EARLY);
    withdraw(&mut world, doomed, None);
    meet(&mut world, LATE);
    set_back_and_meet(&mut world, older, EARLY);
    sign(&mut world);
    meet(&mut world, EARLY);
    let now = world.now;
    let (event, card) = world.nodes[OWNER].rotation(now);
    assert!(wish(&mut world, Wish::Rotate { event, card }));
    (0..3).for_each(|_| {
        meet(&mut world, LATE);
        meet(&mut world, EARLY);
    });
    assert!(is_burnt(&world, OWNER, doomed) && is_burnt(&world, EARLY, doomed));
}

#[test]
fn a_withdrawal_said_again_names_its_replacement_only_where_it_is_known() {
    for seed in 0..10 {
        let mut world = three_partners(seed);
        let log = public(&world);
        let closed = closed_for(&mut world, &[LATE]);
        let doomed = publish(&mut world, 1, &[log, closed]);
        let new = publish(&mut world, 2, &[closed]);
        let older = until_now(&mut world);
        meet(&mut world, EARLY);
        withdraw(&mut world, doomed, Some(new));
        meet(&mut world, LATE);
        set_back_and_meet(&mut world, older, EARLY);
        sign(&mut world);
        (0..3).for_each(|_| {
            meet(&mut world, LATE);
            meet(&mut world, EARLY);
        });
        let row = row(&world, EARLY, doomed);
        assert!(row.burnt() > 0);
        let mut said = row.withdrawn.iter().map(|w| w.withdrawal.replacement);
        assert!(said.all(|record| record != new), "seed {seed}");
    }
}

#[test]
fn a_reader_admitted_since_is_one_again_and_hears_of_withdrawals_when_it_is_removed() {
    let mut world = three_partners(1);
    let open = observers(&world);
    set_readers(&mut world, open, &[LATE]);
    publish(&mut world, 1, &[open]);
    let older = until_now(&mut world);
    set_readers(&mut world, open, &[EARLY, LATE]);
    publish(&mut world, 2, &[open]);
    meet(&mut world, EARLY);
    meet(&mut world, LATE);
    // Its head is seen before the list that admits it.
    set_back(&mut world, older);
    meet(&mut world, EARLY);
    assert!(wish(&mut world, Wish::OtherCopyGone));
    meet(&mut world, EARLY);
    meet(&mut world, LATE);
    sign(&mut world);
    meet(&mut world, EARLY);
    let last = publish(&mut world, 3, &[open]);
    meet(&mut world, EARLY);
    assert!(has_text(&world, EARLY, last));
    world.connections.clear();
    set_readers(&mut world, open, &[LATE]);
    withdraw(&mut world, last, None);
    meet(&mut world, EARLY);
    assert!(is_burnt(&world, EARLY, last));
}

#[test]
fn what_a_backup_had_is_shown_only_behind_the_restart_of_its_owner() {
    (0..60).for_each(is_shown_only_behind_the_restart);
}

fn is_shown_only_behind_the_restart(seed: u64) {
    let (mut world, older, _) = with_one_record(seed);
    let log = public(&world);
    (2..7).for_each(|number| {
        publish(&mut world, number, &[log]);
    });
    meet(&mut world, EARLY);
    set_back(&mut world, older);
    let at = world.now;
    let restored = vec![Fact::Restored { at }, Fact::OtherCopyGone { at }];
    world.nodes[OWNER].append(restored);
    sign(&mut world);
    world.nodes[EARLY].append(vec![Fact::Restored { at }]);
    let is_shown = |world: &World| !world.nodes[EARLY].model.logs[&log].uncompared;
    let incarnation = |world: &World, at: usize| world.nodes[at].model.logs[&log].incarnation;
    assert!(!is_shown(&world), "hidden at first");
    world.connections.clear();
    world.connect((OWNER, EARLY));
    loop {
        let events = world.events();
        let Some(event) = world.rng.pick(&events) else {
            break;
        };
        world.happen(event);
        let follows = incarnation(&world, EARLY) == incarnation(&world, OWNER);
        assert!(follows || !is_shown(&world), "shown before the restart");
    }
    assert!(is_shown(&world), "and shown in the end");
}
