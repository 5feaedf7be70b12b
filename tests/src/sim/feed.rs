//! One owner and one follower without a connection between them: packages and records are handed
//! over in any order, as often as one likes.

use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::proof_message;
use corridor_proto::{Hash, LogId, LogSeed, RecordId, Token, UnixMillis, v1};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::row::{Stand, Withdrawn};
use corridor_rules::serve::{self, Target};
use corridor_rules::{Log, RecordKey};

use super::node::Node;
use super::rng::Rng;

/// An owner with a long public log, and a follower that confirmed it.
pub fn owner_and_follower(acts: &[u8]) -> (Node, Node, LogId) {
    let mut rng = Rng::new(7);
    let now = UnixMillis(1_800_000_000_000);
    let mut owner = Node::new(1, now, &mut rng);
    let mut follower = Node::new(2, now, &mut rng);
    let rcp = owner.rcp;
    let identity = Box::new(owner.identity());
    let token = Token::new([1; 32]);
    for wish in [
        Wish::Accept { identity, token },
        Wish::Answered { rcp },
        Wish::Confirm { rcp },
    ] {
        let facts = follower.decide(wish, now, &mut rng).expect("pairing");
        follower.append(facts);
    }
    let log = LogId::public(&owner.rcp);
    for (at, act) in (0u64..).zip(acts) {
        let record = RecordId::new([act % 5 + 1; 16]);
        let wish = match act / 5 {
            0..=5 => Wish::Publish(ToPublish {
                record,
                kind: 1,
                body: at.to_be_bytes().to_vec(),
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
                up_to: (act % 2 == 0).then_some(now.0 + at),
                reason: WithdrawalReason::Error,
                note: Some(vec![*act]),
                replacement: None,
            },
        };
        if let Ok(facts) = owner.decide(wish, UnixMillis(now.0 + at), &mut rng) {
            owner.append(facts);
        }
    }
    (owner, follower, log)
}

/// The package of an owner's log from one line to another; `None` if there is nothing more.
pub fn package_of(owner: &Node, log: LogId, from: u64, to: u64) -> Option<v1::Package> {
    let log = &owner.model.logs[&log];
    let head = log.held_head.as_ref()?;
    let target = Target {
        size: head.checkpoint.size,
        note: head.note.clone(),
    };
    let mut package = serve::package(&owner.model, &owner.store, log, from, &target, from == 0)?;
    let count = usize::try_from(to.saturating_sub(from).max(1)).expect("few lines");
    package.lines.truncate(count);
    let reached = from + u64::try_from(package.lines.len()).expect("few lines");
    package.proof = proof_message(&log.tree.consistency(reached, target.size)?);
    Some(package)
}

/// Lets a follower decide on a package; whether it was not refused.
pub fn take_package(follower: &mut Node, owner: &Node, package: v1::Package) -> bool {
    let arrival = Arrival::Package {
        peer: owner.rcp,
        owner: owner.rcp,
        seed: LogSeed::ZERO,
        package: Box::new(package),
    };
    let (model, store) = (&follower.model, &follower.store);
    match ingest::decide(model, store, &arrival, UnixMillis(1_800_000_100_000)) {
        Ok(facts) if facts.is_empty() => true,
        Ok(facts) => {
            follower.append(facts);
            true
        }
        Err(_) => false,
    }
}

/// Lets a follower take the records behind some lines, whether or not it wants them.
pub fn take_records(follower: &mut Node, owner: &Node, log: LogId, indexes: &[u64]) {
    let source = &owner.store;
    let of = &owner.model.logs[&log];
    let charter = follower.model.charter(&owner.rcp).expect("charter");
    let records = indexes
        .iter()
        .filter_map(|index| Some((*index, serve::record_at(source, of, *index)?)))
        .map(|(index, record)| (index, record.verify(charter).expect("verifies")))
        .collect();
    let arrival = Arrival::Records {
        peer: owner.rcp,
        log,
        records,
    };
    let now = UnixMillis(1_800_000_100_000);
    let facts = ingest::decide(&follower.model, &follower.store, &arrival, now).expect("taken");
    if !facts.is_empty() {
        follower.append(facts);
    }
}

/// What a node knows of a log and its records, whatever the groups in which it came.
pub type Known = (
    u64,
    Option<Hash>,
    Vec<u64>,
    Vec<(RecordKey, Vec<Stand>, Vec<Withdrawn>, Vec<u64>)>,
);

/// What a node knows of a log.
pub fn known(node: &Node, id: LogId) -> Known {
    let log = &node.model.logs[&id];
    let mut rows: Vec<_> = node
        .store
        .rows
        .iter()
        .map(|(key, row)| {
            let bodies = row.stands.iter().filter(|stand| row.lives(stand));
            let bodies = bodies.filter(|stand| row.body(&stand.version_hash).is_some());
            let bodies = bodies.map(|stand| stand.version).collect();
            (*key, row.stands.clone(), row.withdrawn.clone(), bodies)
        })
        .collect();
    rows.sort_by_key(|row| row.0);
    let root = log.held_head.as_ref().map(|head| head.checkpoint.root);
    (
        log.size(),
        root,
        log.missing.keys().copied().collect(),
        rows,
    )
}

/// Lets a follower catch up in order.
pub fn finish(follower: &mut Node, owner: &Node, log: LogId) {
    loop {
        let from = follower.model.logs.get(&log).map_or(0, Log::size);
        let Some(package) = package_of(owner, log, from, u64::MAX) else {
            break;
        };
        assert!(take_package(follower, owner, package), "in order");
    }
    let missing = follower.model.logs.get(&log).map(|log| log.missing.clone());
    let missing: Vec<u64> = missing
        .into_iter()
        .flatten()
        .map(|(index, _)| index)
        .collect();
    take_records(follower, owner, log, &missing);
}
