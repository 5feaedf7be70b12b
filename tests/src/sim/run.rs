//! One run: random steps, then healing, rest and the checks; several times over.

use corridor_proto::LogId;

use super::epilogue::epilogue;
use super::rng::Rng;
use super::world::{Counts, Pair, Plan, World};

/// Records of a burst, most of them large.
const BURST_DRAFTS: usize = 45;
/// Events after which a burst is over.
const BURST_EVENTS: usize = 4_000;

/// Everything that must have happened at least once over all seeds.
pub const EXPECTED: [&str; 53] = [
    "accept",
    "answered",
    "burst",
    "checked at rest",
    "close",
    "closed circle",
    "confirm",
    "connect",
    "copy stopped",
    "crash",
    "crash after the desk",
    "crash before durable",
    "crash before outputs leave",
    "credit nearly used up",
    "cut",
    "decision lost in a crash",
    "discard",
    "draft",
    "equivocation",
    "frame",
    "heal",
    "invite",
    "leave",
    "link",
    "link refused",
    "narrow",
    "open circle",
    "pairing ended",
    "partition",
    "pause",
    "publish",
    "reader added",
    "reader removed",
    "reader until",
    "rebuilt",
    "redeem",
    "refuse",
    "refused by the desk",
    "relayed",
    "renew card",
    "repeat",
    "restarted",
    "resume",
    "revise",
    "revise in fewer circles",
    "rotate",
    "set back",
    "share",
    "swap",
    "time",
    "withdraw",
    "withdraw older versions",
    "withdraw with a note",
];

/// Counted beside what happens: milliseconds that passed in the world.
pub const SIMULATED_MS: &str = "simulated milliseconds";
/// Counted beside what happens: bytes of frames in which no secret was found that was not to be
/// there.
pub const BYTES_CHECKED: &str = "bytes checked";
/// Nodes above which not nearly everybody knows everybody, but those of a region each other.
const ALL_KNOWN_MAX: usize = 40;
const REGION: usize = 8;

/// Runs a plan and gives what happened how often.
pub fn run(plan: Plan) -> Counts {
    let mut world = World::new(plan);
    let begun = world.now;
    begin(&mut world);
    let rests = plan.steps.div_ceil(200);
    for rest in 0..rests {
        if plan.large && rest == 0 {
            burst(&mut world);
        }
        for _ in 0..plan.steps / rests {
            step(&mut world);
            world.settle_crash();
        }
        world.heal();
        world.check_rest();
        for at in 0..plan.nodes {
            world.check_rebuilt(at);
        }
        world.calm = false;
    }
    epilogue(&mut world);
    let passed = world.now.since(begun);
    *world.counts.entry(SIMULATED_MS).or_default() += passed;
    std::mem::take(&mut world.counts)
}

/// A node shares more than a connection's credit while its readers take no record.
fn burst(world: &mut World) {
    for pair in world.pairs() {
        world.connect(pair);
    }
    let at = world.rng.below(world.plan.nodes);
    for _ in 0..BURST_DRAFTS {
        world.save_draft(at);
        let public = LogId::public(&world.nodes[at].rcp);
        world.publish_draft_in(at, vec![public]);
        world.settle_crash();
    }
    for _ in 0..BURST_EVENTS {
        let mut events = world.events();
        events.retain(|event| !world.brings_records(event));
        let Some(event) = world.rng.pick(&events) else {
            break;
        };
        world.happen(event);
        world.settle_crash();
    }
    world.tell("burst", format_args!("{at}"));
}

/// Most pairs know each other before the first fault.
fn begin(world: &mut World) {
    world.calm = true;
    let nodes = world.plan.nodes;
    let is_large = nodes > ALL_KNOWN_MAX;
    let known = |a: usize, b: usize| match is_large {
        true if a / REGION == b / REGION => 70,
        true => 1,
        false => 80,
    };
    for a in 0..nodes {
        for b in 0..a {
            if world.rng.chance(known(a, b)) {
                let (inviter, acceptor) = if world.rng.chance(50) { (a, b) } else { (b, a) };
                world.invite(inviter, acceptor);
            }
        }
    }
    while !world.pairings.is_empty() {
        world.pair();
    }
    for a in 0..world.plan.nodes {
        for b in 0..world.plan.nodes {
            if world.spec.state(a, b).is_some() && world.rng.chance(80) {
                world.change_state(a, b, "confirm");
            }
        }
        for _ in 0..if is_large { 2 * REGION } else { 1 } {
            world.set_readers(a);
        }
        world.open_circle(a);
        world.save_draft(a);
    }
    if world.plan.apart {
        for pair in world.pairs() {
            if world.rng.chance(40) {
                world.apart.insert(pair);
            }
        }
    }
    world.calm = false;
}

fn step(world: &mut World) {
    // Most of what happens is frames on their way.
    for _ in 0..world.rng.below(12) {
        let events = world.events();
        if let Some(event) = world.rng.pick(&events) {
            world.happen(event);
            world.settle_crash();
        }
    }
    match world.rng.below(100) {
        0..=49 => desk(world),
        50..=64 => time(world),
        65..=97 => fault(world),
        _ => {
            let at = world.rng.below(world.plan.nodes);
            world.check_rebuilt(at);
        }
    }
}

fn time(world: &mut World) {
    let millis = match world.rng.below(20) {
        0 => 90_000,
        1..=4 => 20_000,
        _ => 700,
    };
    world.pass(millis);
    world.tell("time", format_args!("{millis}"));
}

fn desk(world: &mut World) {
    let at = world.rng.below(world.plan.nodes);
    match world.rng.below(100) {
        0..=13 => world.save_draft(at),
        14..=33 => world.publish_draft(at),
        34..=43 => world.revise(at),
        44..=51 => world.share(at),
        52..=57 => world.narrow(at),
        58..=65 => world.withdraw(at),
        66..=68 => world.open_circle(at),
        69..=80 => world.set_readers(at),
        81..=89 => world.change_peer(at),
        90 => world.discard_draft(at),
        91 | 92 => {
            let other = world.rng.below(world.plan.nodes);
            world.invite(at, other);
        }
        93..=96 => world.pair(),
        97 => world.renew_card(at),
        _ => world.rotate(at),
    }
}

fn some_pair(world: &mut World) -> Option<Pair> {
    let (a, b) = (
        world.rng.below(world.plan.nodes),
        world.rng.below(world.plan.nodes),
    );
    (a != b).then_some((a.min(b), a.max(b)))
}

fn fault(world: &mut World) {
    let Some(pair) = some_pair(world) else { return };
    match world.rng.below(40) {
        0 => {
            world.tell("crash", format_args!("{}", pair.0));
            world.crash(pair.0);
        }
        1 => {
            world.partitions.insert(pair);
            world.connections.remove(&pair);
            world.tell("partition", format_args!("{pair:?}"));
        }
        2 | 3 => {
            world.partitions.remove(&pair);
            world.tell("heal", format_args!("{pair:?}"));
        }
        4 | 5 => {
            if world.connections.remove(&pair).is_some() {
                world.tell("cut", format_args!("{pair:?}"));
            }
        }
        6..=9 if world.plan.hostile => tamper(world, pair),
        _ => world.connect(pair),
    }
}

/// An attacker between two honest nodes repeats or swaps frames.
fn tamper(world: &mut World, pair: Pair) {
    let side = world.rng.below(2);
    let Some(connection) = world.connections.get_mut(&pair) else {
        return;
    };
    connection.hostile = true;
    let end = &mut connection.ends[side];
    if world.rng.chance(60) {
        let past: Vec<_> = end.past.iter().cloned().collect();
        if let Some(frame) = world.rng.pick(&past) {
            let word = frame.word();
            end.put_first(frame);
            world.tell("repeat", format_args!("{pair:?} {side} {word}"));
        }
    } else if end.carry.len() > 1 {
        end.carry.swap(0, 1);
        world.tell("swap", format_args!("{pair:?} {side}"));
    } else if end.session.len() > 1 {
        end.session.swap(0, 1);
        world.tell("swap", format_args!("{pair:?} {side}"));
    }
}

/// A plan whose shape follows from its seed.
pub fn plan_of(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0xfeed);
    Plan {
        seed,
        nodes: 3 + rng.below(6),
        steps: 200 + rng.below(400),
        hostile: rng.chance(50),
        apart: rng.chance(40),
        large: rng.chance(8),
    }
}

/// A large world in which each node knows a few others, and much travels through third nodes.
pub fn grown(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0xb16);
    Plan {
        seed,
        nodes: 100 + rng.below(40),
        steps: 1_200,
        hostile: rng.chance(50),
        apart: true,
        large: false,
    }
}
