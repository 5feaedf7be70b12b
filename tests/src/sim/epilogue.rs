//! What may befall one node when all else is over: it is set back to an older state while a copy of
//! it ran on, or it tells two readers two histories of one circle.
//!
//! **Invariant:** nothing that a partner held is lost, nothing that was withdrawn comes back, two
//! copies never both sign once a partner met both, and evidence names nobody but the forger.

use std::collections::BTreeSet;

use corridor_proto::evidence::Proved;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{Hash, LogId, RcpId, RecordId};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::evidence::Kept;
use corridor_rules::visibility::may_read;
use corridor_rules::{PeerState, Reader, RecordKey};

use super::node::Node;
use super::spec::At;
use super::world::World;

/// Between two heads that a third node tells.
const RELAY_MS: u64 = 6_000;

/// What a node shows of an owner's records: the versions whose texts it has, log by log, and what
/// is burnt.
#[derive(Default)]
struct Shown {
    read: BTreeSet<(RecordId, LogId, Hash)>,
    burnt: BTreeSet<RecordId>,
}

/// Lets something befall a node that others know, and checks what must be true behind it.
pub fn epilogue(world: &mut World) {
    let known = (0..world.nodes.len()).filter(|at| !partners(world, *at).is_empty());
    let known: Vec<At> = known.collect();
    let Some(owner) = world.rng.pick(&known) else {
        return;
    };
    world.calm = true;
    world.restored = true;
    if world.rng.chance(60) {
        be_set_back(world, owner);
    } else if let Some(forgery) = Forgery::find(world) {
        forgery.be_found(world);
    }
}

/// The node is set back to before some of what it did, and comes back; then the copy that ran on
/// comes as well.
fn be_set_back(world: &mut World, owner: At) {
    act_up_to(world, owner, 5);
    meet_some(world, owner);
    let older = world.nodes[owner].journal.clone();
    for _ in 0..2 {
        act_up_to(world, owner, 5);
        if world.rng.chance(30) {
            world.crash(owner);
        }
        meet_some(world, owner);
    }
    let partners = partners(world, owner);
    let before: Vec<Shown> = partners.iter().map(|at| shown(world, *at, owner)).collect();
    let ran_on = world.nodes[owner].copy();
    world.nodes[owner].journal = older;
    world.crash(owner);
    world.tell("set back", format_args!("{owner}"));
    meet(world, owner, &partners);
    resume(world, owner, &partners);
    check_all(world, owner, &before);

    let went_on = swap(world, owner, ran_on);
    meet(world, owner, &partners);
    let stopped = world.nodes[owner].model.signing_stopped.as_ref();
    assert!(stopped.is_some(), "two copies run");
    assert!(!publish(world, owner, LogId::public(&went_on.rcp)));
    world.tell("copy stopped", format_args!("{owner}"));
    let before: Vec<Shown> = partners.iter().map(|at| shown(world, *at, owner)).collect();
    swap(world, owner, went_on);
    meet(world, owner, &partners);
    resume(world, owner, &partners);
    check_all(world, owner, &before);
}

/// Lets persons do what has to be done if a node signs no more.
fn resume(world: &mut World, owner: At, partners: &[At]) {
    let stopped = |world: &World| world.nodes[owner].model.signing_stopped.clone();
    if stopped(world).is_some() {
        if world.nodes[owner].model.another_copy {
            assert!(!wish(world, owner, Wish::Restart), "another copy may run");
            assert!(wish(world, owner, Wish::OtherCopyGone));
            meet(world, owner, partners);
        }
        assert!(stopped(world).is_some(), "nobody resumes by itself");
        assert!(wish(world, owner, Wish::Restart), "a person lets it go on");
        world.tell("restarted", format_args!("{owner}"));
    }
    world.check_rebuilt(owner);
    // Texts come back, unless a newer version is published before.
    meet(world, owner, partners);
    act_up_to(world, owner, 3);
    for _ in 0..2 {
        meet(world, owner, partners);
    }
    assert_eq!(stopped(world), None, "it signs");
}

/// No text that a partner held is lost, nothing that was withdrawn came back, copies are equal, and
/// nobody is accused.
fn check_all(world: &mut World, owner: At, before: &[Shown]) {
    let now = shown(world, owner, owner);
    let rcp = world.nodes[owner].rcp;
    for Shown { read, burnt } in before {
        assert!(burnt.is_subset(&now.burnt), "a withdrawal came undone");
        for (record, log, hash) in read.iter().filter(|one| !now.burnt.contains(&one.0)) {
            let record = *record;
            let row = &world.nodes[owner].store.rows[&RecordKey { rcp, record }];
            // The text of a version that was replaced, or that left since, is not asked for.
            let mut stands = row.stands.iter().filter(|stand| stand.log == *log);
            let is_over = stands.any(|stand| {
                let in_force = row.lives(stand) && row.body(&stand.version_hash).is_some();
                stand.left || in_force && stand.version_hash != *hash
            });
            assert!(is_over || row.body(hash).is_some(), "a text was lost");
        }
    }
    for at in 0..world.nodes.len() {
        let evidence = &world.nodes[at].model.evidence;
        assert!(evidence.is_empty(), "{at} accuses somebody of a restart");
        world.check_rebuilt(at);
    }
    for at in partners(world, owner) {
        let theirs = shown(world, at, owner);
        assert!(
            theirs.burnt.is_subset(&now.burnt),
            "{at} withdrew by itself"
        );
        check_copies(world, owner, at);
    }
}

/// The logs that a partner may read are the owner's, line by line.
fn check_copies(world: &World, owner: At, at: At) {
    let (ours, theirs) = (&world.nodes[owner], &world.nodes[at]);
    let reader = Reader::Peer(theirs.rcp);
    for log in ours.model.own_logs().filter(|log| log.size() > 0) {
        if may_read(&ours.model, log, &reader, world.now).is_err() {
            continue;
        }
        let copy = theirs.model.logs.get(&log.id).expect("a copy");
        assert_eq!(copy.stop, None, "{at} stopped following");
        assert_eq!(copy.missing, [].into(), "{at} lacks texts");
        let roots = [copy, log].map(|log| (log.size(), log.tree.root_at(log.size())));
        assert_eq!(roots[0], roots[1], "{at} holds what the owner has");
        let heads = [copy, log].map(|log| log.held_head.as_ref().map(|head| head.checkpoint));
        assert_eq!(heads[0], heads[1], "{at} holds the owner's head");
    }
}

/// An owner, a circle of it that is passed on, and two of its readers that exchange.
struct Forgery {
    owner: At,
    log: LogId,
    readers: [At; 2],
}

impl Forgery {
    fn find(world: &mut World) -> Option<Self> {
        let mut all = Vec::new();
        for owner in 0..world.nodes.len() {
            let partners: BTreeSet<At> = partners(world, owner).into_iter().collect();
            let node = &world.nodes[owner];
            for log in node.model.own_logs().filter(|log| log.is_relayed()) {
                let listed = |at: &At| {
                    let rcp = world.nodes[*at].rcp;
                    let list = log.readers.as_ref().map(|readers| &readers.list.readers);
                    let listed = list.is_some_and(|list| list.iter().any(|(one, _)| *one == rcp));
                    listed && may_read(&node.model, log, &Reader::Peer(rcp), world.now).is_ok()
                };
                let listed: Vec<At> = partners.iter().copied().filter(listed).collect();
                let pairs = listed
                    .iter()
                    .flat_map(|a| listed.iter().map(move |b| [*a, *b]));
                let pairs = pairs.filter(|[a, b]| a < b && are_close(world, *a, *b));
                all.extend(pairs.map(|readers| Self {
                    owner,
                    log: log.id,
                    readers,
                }));
            }
        }
        let at = world.rng.below(all.len().max(1));
        all.into_iter().nth(at)
    }

    /// Each reader is told another history; once they meet, both know, and can prove it.
    fn be_found(self, world: &mut World) {
        let Self {
            owner,
            log,
            readers: [one, other],
        } = self;
        world.forked = Some(log);
        world.connections.clear();
        let mut copy = world.nodes[owner].copy();
        for reader in [one, other] {
            for _ in 0..=world.rng.below(3) {
                assert!(publish(world, owner, log), "the owner publishes");
            }
            world.connections.clear();
            world.connect((owner.min(reader), owner.max(reader)));
            world.rest();
            copy = swap(world, owner, copy);
        }
        world.connections.clear();
        world.connect((one, other));
        for _ in 0..4 {
            world.rest();
            world.pass(RELAY_MS);
        }
        world.rest();
        world.tell("equivocation", format_args!("{owner} to {one} and {other}"));
        let rcp = world.nodes[owner].rcp;
        for reader in [one, other] {
            let model = &world.nodes[reader].model;
            assert!(model.logs[&log].is_frozen(), "{reader} goes on");
            let about =
                |kept: &Kept| matches!(kept.proved, Proved::Log { log: of, .. } if of == log);
            let kept = model.evidence.iter().find(|kept| about(kept));
            let kept = kept.unwrap_or_else(|| panic!("{reader} cannot prove it"));
            let charter = model.charter(&rcp).expect("a charter");
            assert_eq!(Kept::read(&kept.bytes, charter).as_ref(), Ok(kept));
        }
        for at in 0..world.nodes.len() {
            let accused = world.nodes[at].model.evidence.iter().map(|kept| kept.rcp);
            assert!({ accused }.all(|accused| accused == rcp), "nobody else");
            world.check_rebuilt(at);
        }
    }
}

/// Another copy of a node runs from now on; gives the one that ran.
fn swap(world: &mut World, at: At, node: Node) -> Node {
    world.connections.retain(|(a, b), _| *a != at && *b != at);
    std::mem::replace(&mut world.nodes[at], node)
}

/// Those with whom a node exchanges without anything between them.
fn partners(world: &World, at: At) -> Vec<At> {
    let all = (0..world.nodes.len()).filter(|other| *other != at);
    all.filter(|other| are_close(world, at, *other)).collect()
}

fn are_close(world: &World, a: At, b: At) -> bool {
    let is_active = |a, b| world.spec.state(a, b) == Some(PeerState::Active);
    is_active(a, b) && is_active(b, a) && !world.apart.contains(&(a.min(b), a.max(b)))
}

/// Meets each of its partners or not.
fn meet_some(world: &mut World, at: At) {
    let mut some = partners(world, at);
    some.retain(|_| world.rng.chance(60));
    meet(world, at, &some);
}

fn meet(world: &mut World, at: At, partners: &[At]) {
    world.connections.retain(|(a, b), _| *a != at && *b != at);
    for _ in 0..2 {
        for partner in partners {
            world.connect((at.min(*partner), at.max(*partner)));
        }
        world.rest();
        world.pass(RELAY_MS);
        world.rest();
    }
}

fn wish(world: &mut World, at: At, wish: Wish) -> bool {
    let node = &mut world.nodes[at];
    let Ok(facts) = node.decide(wish, world.now, &mut world.rng) else {
        return false;
    };
    node.append(facts);
    world.touch(at);
    true
}

fn publish(world: &mut World, at: At, circle: LogId) -> bool {
    let number = u8::try_from(world.rng.below(6)).expect("few");
    world.pass(1);
    let publish = Wish::Publish(ToPublish {
        record: RecordId::new([number + 1; 16]),
        kind: 1,
        body: world.rng.draw().to_be_bytes().to_vec(),
        links: Vec::new(),
        circles: Some(vec![circle]),
        draft: None,
        hand: None,
    });
    wish(world, at, publish)
}

/// Some things that an owner does with some of its records, in some of its circles.
fn act_up_to(world: &mut World, owner: At, times: usize) {
    for _ in 0..world.rng.below(times + 1) {
        let logs: Vec<LogId> = world.nodes[owner].model.own_logs().map(|l| l.id).collect();
        let circle = world.rng.pick(&logs).expect("a circle");
        let number = u8::try_from(world.rng.below(6)).expect("few");
        let record = RecordId::new([number + 1; 16]);
        world.pass(1);
        // What cannot be done is refused, and changes nothing.
        let _ = match world.rng.below(10) {
            0..=5 => publish(world, owner, circle),
            6 | 7 => wish(
                world,
                owner,
                Wish::Narrow {
                    record,
                    circles: vec![circle],
                },
            ),
            _ => wish(
                world,
                owner,
                Wish::Withdraw {
                    record,
                    up_to: None,
                    reason: WithdrawalReason::Error,
                    note: None,
                    replacement: None,
                },
            ),
        };
    }
}

fn shown(world: &World, at: At, owner: At) -> Shown {
    let rcp: RcpId = world.nodes[owner].rcp;
    let rows = &world.nodes[at].store.rows;
    let mut shown = Shown::default();
    for (key, row) in rows.iter().filter(|(key, _)| key.rcp == rcp) {
        if row.burnt() > 0 {
            shown.burnt.insert(key.record);
        }
        let living = row.stands.iter().filter(|stand| row.lives(stand));
        let held = living.filter(|stand| row.body(&stand.version_hash).is_some());
        let read = held.map(|stand| (key.record, stand.log, stand.version_hash));
        shown.read.extend(read);
    }
    shown
}
