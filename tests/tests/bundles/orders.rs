//! Bundles in any order, any number of times, whole and cut short, lead to the same.

use std::collections::BTreeSet;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::v1::bundle_part::Part;
use corridor_proto::{LogId, RecordId, UnixMillis};
use corridor_rules::Rows;
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::row::RecordKey;
use corridor_tests::fuzz::bundles::{Taking, written};
use corridor_tests::fuzz::scene::{NOW, SCENE};
use corridor_tests::sim::node::Node;
use corridor_tests::sim::rng::Rng;
use proptest::prelude::*;

/// What the partner does.
#[derive(Clone, Debug)]
enum Act {
    Publish(u8),
    Withdraw(u8),
    Write { everything: bool },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (50u8..58).prop_map(Act::Publish),
        1 => (50u8..58).prop_map(Act::Withdraw),
        2 => any::<bool>().prop_map(|everything| Act::Write { everything }),
    ]
}

fn publish(record: u8) -> Wish {
    Wish::Publish(ToPublish {
        record: RecordId::new([record; 16]),
        kind: 1,
        body: vec![record; 300],
        links: Vec::new(),
        circles: Some(vec![LogId::public(&SCENE.peer.rcp)]),
        draft: None,
        hand: None,
    })
}

fn withdraw(record: u8) -> Wish {
    Wish::Withdraw {
        record: RecordId::new([record; 16]),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement: None,
    }
}

/// Carries acts out; gives the bundles that were written, and one of everything at the end.
fn files(acts: &[Act]) -> Vec<Vec<Part>> {
    let (mut peer, mut rng) = (SCENE.peer.copy(), Rng::new(5));
    let to = SCENE.us.rcp;
    let mut files = Vec::new();
    for (at, act) in (1..).zip(acts) {
        let now = UnixMillis(NOW.0.saturating_sub(1_000) + at);
        // What was withdrawn is not published again, and what is not there is not withdrawn.
        let _ = match act {
            Act::Publish(record) => peer.wish(publish(*record), now, &mut rng),
            Act::Withdraw(record) => peer.wish(withdraw(*record), now, &mut rng),
            Act::Write { everything } => {
                files.push(written(&peer, to, *everything));
                Ok(())
            }
        };
    }
    files.push(written(&peer, to, true));
    files
}

/// Logs: which, how many lines, how many texts missing.
type Logs = Vec<(LogId, u64, usize)>;
/// Records: which, the version whose text is here, and up to where it is withdrawn.
type Records = BTreeSet<(u8, Option<u64>, u64)>;

/// What a node has of its partner.
fn held(node: &Node) -> (Logs, Records) {
    let peer = SCENE.peer.rcp;
    let logs = node.model.logs.values().filter(|log| log.owner == peer);
    let logs = logs.map(|log| (log.id, log.size(), log.missing.len()));
    let records = (50..58).filter_map(|record| {
        let key = RecordKey {
            rcp: peer,
            record: RecordId::new([record; 16]),
        };
        let row = node.store.row(&key)?;
        let stand = row.current(|_| true);
        let text = stand.and_then(|stand| row.body(&stand.version_hash));
        Some((record, text.map(|held| held.version), row.burnt()))
    });
    (logs.collect(), records.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_bundles_leads_to_the_same(
        acts in prop::collection::vec(act(), 1..24),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0u8..=100), 0..8),
    ) {
        let files = files(&acts);
        let peer = SCENE.peer.rcp;
        let last = files.last().cloned().unwrap_or_default();
        let mut at_once = Taking::new(SCENE.us.copy(), peer);
        at_once.take(peer, &last);
        prop_assert_eq!(&at_once.refused, &[]);
        let mut us = SCENE.us.copy();
        let mut burnt = BTreeSet::new();
        for (file, percent) in &order {
            let file = file.get(&files);
            let parts = file.len() * usize::from(*percent) / 100;
            let mut taking = Taking::new(us, peer);
            taking.take(peer, &file[..parts]);
            us = taking.us;
            let (_, records) = held(&us);
            for (record, text, until) in records {
                prop_assert!(!burnt.contains(&record) || text.is_none(), "{record} came back");
                if until > 0 {
                    burnt.insert(record);
                }
            }
        }
        let mut taking = Taking::new(us, peer);
        taking.take(peer, &last);
        prop_assert_eq!(held(&taking.us), held(&at_once.us));
        prop_assert!(held(&taking.us).0.iter().all(|(.., missing)| *missing == 0));
    }
}
