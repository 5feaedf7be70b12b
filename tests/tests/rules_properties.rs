//! Properties of the pure rules: order, repetition and interruption make no difference, less always
//! wins, and nobody reads but those whom the table lets.

#![allow(clippy::expect_used, reason = "this is test code")]

use std::collections::BTreeMap;

use corridor_proto::line::{ReaderList, Withdrawal, WithdrawalReason, readers_hash};
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Salt, UnixMillis};
use corridor_rules::fact::blob;
use corridor_rules::row::{Stand, Withdrawn};
use corridor_rules::{Fact, Model, PeerState, Place, Reader, RecordRow, Sort, may_read};
use corridor_tests::sim::feed::{
    finish, known, owner_and_follower, package_of, take_package, take_records,
};
use corridor_tests::sim::{Plan, World};
use proptest::prelude::*;

// (a) Rows: the lines of each log in order, the logs interleaved in any way.

#[derive(Clone, Debug)]
enum RowAct {
    Publish(u64),
    Leave,
    Withdraw(u64),
}

fn row_act() -> impl Strategy<Value = RowAct> {
    prop_oneof![
        4 => (1u64..7).prop_map(RowAct::Publish),
        2 => Just(RowAct::Leave),
        1 => (1u64..7).prop_map(RowAct::Withdraw),
    ]
}

fn log_id(log: usize) -> LogId {
    LogId::new([u8::try_from(log + 1).expect("few logs"); 32])
}

fn version_hash(version: u64) -> Hash {
    Hash::new([u8::try_from(version).expect("few versions"); 32])
}

fn take(row: &mut RecordRow, log: usize, index: u64, act: &RowAct) {
    let id = log_id(log);
    match act {
        RowAct::Publish(version) => row.publish(id, index, *version, version_hash(*version)),
        RowAct::Leave => row.leave(&id, index),
        RowAct::Withdraw(up_to) => {
            let withdrawal = Withdrawal {
                record: RecordId::ZERO,
                up_to: *up_to,
                reason: WithdrawalReason::Error,
                note: Hash::ZERO,
                replacement: RecordId::ZERO,
            };
            row.withdraw(id, index, withdrawal, UnixMillis(index));
        }
    }
}

/// Reads the logs in the order that `turns` gives, each line as often as `repeats` says.
fn read_in_turns(logs: &[Vec<RowAct>], turns: &[usize], repeats: &[usize]) -> RecordRow {
    let mut next = vec![0; logs.len()];
    let mut row = RecordRow::default();
    let rest = (0..logs.len()).flat_map(|log| vec![log; logs[log].len()]);
    for (turn, log) in turns.iter().copied().chain(rest).enumerate() {
        let at = next[log];
        let Some(act) = logs[log].get(at) else {
            continue;
        };
        next[log] += 1;
        for _ in 0..=repeats.get(turn).copied().unwrap_or(0) {
            take(&mut row, log, u64::try_from(at).expect("index"), act);
        }
    }
    row
}

/// What stands where, from the words of the specification alone.
fn living(logs: &[Vec<RowAct>]) -> BTreeMap<LogId, u64> {
    let withdrawn = logs.iter().flatten().filter_map(|act| match act {
        RowAct::Withdraw(up_to) => Some(*up_to),
        _ => None,
    });
    let burnt = withdrawn.max().unwrap_or(0);
    let mut living = BTreeMap::new();
    for (log, acts) in logs.iter().enumerate() {
        let mut stands = (0, false);
        for act in acts {
            match act {
                RowAct::Publish(v) if *v > stands.0 || (*v == stands.0 && !stands.1) => {
                    stands = (*v, true);
                }
                RowAct::Leave => stands.1 = false,
                _ => {}
            }
        }
        if stands.1 && stands.0 > burnt {
            living.insert(log_id(log), stands.0);
        }
    }
    living
}

fn lives_of(row: &RecordRow) -> BTreeMap<LogId, u64> {
    let lives = |stand: &&Stand| row.lives(stand);
    let stands = row.stands.iter().filter(lives);
    stands.map(|stand| (stand.log, stand.version)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn logs_read_in_any_turns_and_lines_twice_give_one_row(
        logs in prop::collection::vec(prop::collection::vec(row_act(), 0..9), 1..4),
        turns in prop::collection::vec(0usize..3, 0..40),
        repeats in prop::collection::vec(0usize..3, 0..40),
    ) {
        let turns: Vec<usize> = turns.into_iter().map(|turn| turn % logs.len()).collect();
        let straight = read_in_turns(&logs, &[], &[]);
        let mixed = read_in_turns(&logs, &turns, &repeats);
        prop_assert_eq!(&straight, &mixed);
        prop_assert_eq!(lives_of(&straight), living(&logs));
    }

    #[test]
    fn nothing_at_or_below_a_withdrawal_lives_at_any_moment_after_it(
        logs in prop::collection::vec(prop::collection::vec(row_act(), 1..9), 1..4),
        turns in prop::collection::vec(0usize..3, 0..40),
    ) {
        let mut next = vec![0; logs.len()];
        let mut row = RecordRow::default();
        let mut burnt = 0;
        for log in turns.into_iter().map(|turn| turn % logs.len()) {
            let at = next[log];
            let Some(act) = logs[log].get(at) else { continue };
            next[log] += 1;
            take(&mut row, log, u64::try_from(at).expect("index"), act);
            if let RowAct::Withdraw(up_to) = act {
                burnt = burnt.max(*up_to);
            }
            prop_assert!(lives_of(&row).values().all(|version| *version > burnt));
            prop_assert_eq!(row.burnt(), burnt);
        }
    }
}

#[test]
fn of_two_equal_withdrawals_the_one_with_a_replacement_is_shown() {
    let with = |replacement: u8, log: usize| Withdrawn {
        withdrawal: Withdrawal {
            record: RecordId::ZERO,
            up_to: 5,
            reason: WithdrawalReason::Error,
            note: Hash::ZERO,
            replacement: RecordId::new([replacement; 16]),
        },
        time: UnixMillis(1),
        log: log_id(log),
        index: 0,
    };
    for order in [[with(0, 0), with(7, 1)], [with(7, 1), with(0, 0)]] {
        let mut row = RecordRow::default();
        for one in order {
            row.withdraw(one.log, one.index, one.withdrawal, one.time);
        }
        let shown = row
            .withdrawal(|_| true)
            .expect("withdrawn")
            .withdrawal
            .replacement;
        assert_eq!(shown, RecordId::new([7; 16]));
    }
}

// (b) Sight: the whole table of sorts, states, lists and ends.

const ME: RcpId = RcpId::new([1; 32]);
const PEER: RcpId = RcpId::new([2; 32]);
const OTHER: RcpId = RcpId::new([3; 32]);
const NOW: UnixMillis = UnixMillis(1_000);

/// Readers, each with the end of its right.
type List = Vec<(RcpId, UnixMillis)>;

fn node_with(
    owner: RcpId,
    sort: Sort,
    peer: Option<PeerState>,
    readers: Option<List>,
) -> (Model, LogId) {
    let seed = LogSeed::new([9; 16]);
    let log = LogId::derive(&owner, &seed);
    let mut model = Model::new(ME);
    let mut facts = vec![Fact::Circle {
        owner,
        seed,
        sort,
        name: "circle".into(),
    }];
    if let Some(readers) = readers {
        let list = ReaderList {
            readers,
            ..ReaderList::default()
        };
        let bytes = list.encode().expect("list");
        let salt = Salt::new([5; 32]);
        let hash = readers_hash(&salt, &bytes);
        facts.push(Fact::List {
            log,
            hash,
            blob: blob(&salt, &bytes),
        });
    }
    if let Some(state) = peer {
        facts.push(Fact::Peer {
            rcp: PEER,
            state,
            at: NOW,
        });
    }
    for fact in &facts {
        model.apply(None, fact, Place::default());
    }
    (model, log)
}

fn states() -> Vec<Option<PeerState>> {
    let known = PeerState::ALL.into_iter().map(Some);
    known.chain([None]).collect()
}

/// The table in PROTOCOL.md, "Peer states", as rows of words.
fn expected(sort: &str, state: &str, listed: bool) -> bool {
    match (sort, state) {
        ("public", "pending" | "active") => true,
        ("listed", "active") => listed,
        ("its private", "active" | "paused" | "left") => true,
        _ => false,
    }
}

#[test]
fn a_peer_reads_exactly_what_its_state_its_list_and_its_end_allow() {
    let lists: Vec<(Option<List>, bool)> = vec![
        (None, false),
        (Some(vec![]), false),
        (Some(vec![(OTHER, UnixMillis(0))]), false),
        (Some(vec![(PEER, UnixMillis(0))]), true),
        (
            Some(vec![(PEER, UnixMillis(0)), (OTHER, UnixMillis(0))]),
            true,
        ),
        (Some(vec![(PEER, UnixMillis(1_001))]), true),
        (Some(vec![(PEER, UnixMillis(1_000))]), false),
        (Some(vec![(PEER, UnixMillis(999))]), false),
    ];
    let sorts = [
        (Sort::Public, "public"),
        (Sort::Open, "listed"),
        (Sort::Closed, "listed"),
        (Sort::Private(PEER), "its private"),
        (Sort::Private(OTHER), "another's private"),
    ];
    let mut allowed = 0;
    for (sort, word) in sorts {
        for state in states() {
            for (list, listed) in &lists {
                let (model, log) = node_with(ME, sort, state, list.clone());
                let verdict = may_read(&model, &model.logs[&log], &Reader::Peer(PEER), NOW);
                let state = state.map_or("stranger", PeerState::word);
                let expect = expected(word, state, *listed);
                assert_eq!(
                    verdict.is_ok(),
                    expect,
                    "{word} {state} {list:?}: {verdict:?}"
                );
                allowed += usize::from(expect);
            }
        }
    }
    assert_eq!(allowed, 8 * 2 + 2 * 3 + 8 * 3, "the table has not shrunk");
}

#[test]
fn another_rcps_circle_is_never_passed_on_and_anyone_reads_public_only() {
    for state in states() {
        let everyone = Some(vec![(PEER, UnixMillis(0)), (OTHER, UnixMillis(0))]);
        for sort in [Sort::Public, Sort::Open, Sort::Closed, Sort::Private(PEER)] {
            let (model, log) = node_with(OTHER, sort, state, everyone.clone());
            let log = &model.logs[&log];
            assert!(may_read(&model, log, &Reader::Peer(PEER), NOW).is_err());
            let (model, log) = node_with(ME, sort, state, everyone.clone());
            let anyone = may_read(&model, &model.logs[&log], &Reader::Anyone, NOW).is_ok();
            assert_eq!(anyone, sort == Sort::Public);
            let own = may_read(&model, &model.logs[&log], &Reader::Secretariat, NOW);
            assert!(own.is_ok());
            // What a peer shared is shown apart until it is confirmed, and kept when it was left.
            let (model, log) = node_with(PEER, sort, state, everyone.clone());
            let log = &model.logs[&log];
            let confirmed = matches!(
                state,
                Some(PeerState::Active | PeerState::Paused | PeerState::Left)
            );
            let staff = may_read(&model, log, &Reader::Secretariat, NOW).is_ok();
            assert_eq!(staff, confirmed, "{state:?}");
            let anyone = may_read(&model, log, &Reader::Anyone, NOW).is_ok();
            assert_eq!(anyone, confirmed && sort == Sort::Public, "{state:?}");
        }
    }
}

// (c) Packages in any state of repetition, staleness and interruption.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn packages_repeated_stale_and_cut_lead_to_the_same_state(
        acts in prop::collection::vec(0u8..45, 1..40),
        steps in prop::collection::vec((0u64..45, 1u64..9, any::<bool>()), 0..40),
    ) {
        let (owner, mut straight, log) = owner_and_follower(&acts);
        prop_assume!(owner.model.logs[&log].size() > 0);
        let (_, mut mixed, _) = owner_and_follower(&acts);
        finish(&mut straight, &owner, log);
        let size = owner.model.logs[&log].size();
        let mut last = None;
        for (from, count, again) in steps {
            let at = mixed.model.logs.get(&log).map_or(0, |log| log.size());
            let from = if from > 20 { at } else { from % size };
            if let Some(package) = package_of(&owner, log, from, from + count) {
                let repeated = if again { last.clone() } else { None };
                take_package(&mut mixed, &owner, repeated.unwrap_or_else(|| package.clone()));
                last = Some(package);
            }
            if mixed.model.logs.contains_key(&log) {
                take_records(&mut mixed, &owner, log, &[from, count]);
            }
        }
        finish(&mut mixed, &owner, log);
        prop_assert_eq!(known(&straight, log), known(&mixed, log));
        prop_assert!(straight.model.logs[&log].missing.is_empty());
    }
}

// (d) Widening and narrowing at any point of a sync.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_audience_changed_at_any_point_of_a_sync_ends_as_specified(
        seed in any::<u64>(),
        steps in prop::collection::vec((0u8..18, 0usize..12), 1..60),
    ) {
        let plan = Plan { seed, nodes: 2, steps: 0, hostile: false, apart: false, large: false };
        let mut world = World::new(plan);
        world.calm = true;
        world.invite(0, 1);
        while !world.pairings.is_empty() {
            world.pair();
        }
        world.change_state(0, 1, "confirm");
        world.change_state(1, 0, "confirm");
        for (act, frames) in steps {
            match act {
                0 => world.save_draft(0),
                1 => world.publish_draft(0),
                2 => world.revise(0),
                3 => world.share(0),
                4 => world.narrow(0),
                5 => world.withdraw(0),
                6..=8 => world.set_readers(0),
                9 => world.open_circle(0),
                10 => world.rotate(0),
                11 => world.renew_card(0),
                12 | 13 => world.change_peer(0),
                14 => world.change_peer(1),
                15 => world.pass(50_000),
                16 => world.crash(1),
                _ => {
                    world.connections.clear();
                }
            }
            if frames > 0 {
                world.connect((0, 1));
            }
            for _ in 0..frames {
                let events = world.events();
                if let Some(event) = world.rng.pick(&events) {
                    world.happen(event);
                }
            }
        }
        world.heal();
        world.check_rest();
        world.check_rebuilt(0);
        world.check_rebuilt(1);
    }
}
