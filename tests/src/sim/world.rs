//! The world of a simulation: nodes, connections, time, faults, and what must be true of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use corridor_proto::{Hash, LogId, UnixMillis};
use corridor_rules::link::{Input, Link};
use corridor_rules::peer::{Call, may_call};

use super::network::{Connection, Frame, Stream};
use super::node::Node;
use super::partners::Pairing;
use super::rng::Rng;
use super::spec::{At, Spec};
use super::watch::Watch;

/// Steps remembered for the story of a failure.
const STORY_STEPS: usize = 200;
/// Frames after which a world that should come to rest never will.
const REST_FRAMES_MAX: usize = 400_000;

/// How often each thing happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// Two sides, the smaller number first.
pub type Pair = (At, At);

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seed of everything.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// Steps.
    pub steps: usize,
    /// Whether an attacker repeats and swaps frames.
    pub hostile: bool,
    /// Whether some pairs never meet.
    pub apart: bool,
    /// Whether bodies are large enough to use up credits.
    pub large: bool,
}

/// A run.
pub struct World {
    /// Its plan.
    pub plan: Plan,
    /// Random numbers.
    pub rng: Rng,
    /// The time.
    pub now: UnixMillis,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Connections by pair.
    pub connections: BTreeMap<Pair, Connection>,
    /// Pairs that cannot reach each other.
    pub partitions: BTreeSet<Pair>,
    /// Pairs that never meet: what one has of the other comes through third nodes.
    pub apart: BTreeSet<Pair>,
    /// What must be true.
    pub spec: Spec,
    /// The observer.
    pub watch: Watch,
    /// What happened how often.
    pub counts: Counts,
    /// Pairings under way.
    pub pairings: Vec<Pairing>,
    /// Every root seen of a log's incarnation and size.
    pub roots: HashMap<(LogId, u64, u64), Hash>,
    /// Whether faults are over for now.
    pub calm: bool,
    /// Whether a node was set back to an older state, and so will stop signing.
    pub restored: bool,
    /// The log of which a node told two histories.
    pub forked: Option<LogId>,
    story: VecDeque<String>,
    crashed: Option<At>,
}

impl Drop for World {
    #[expect(clippy::print_stderr, reason = "the story of a failed run")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.plan);
            for line in &self.story {
                eprintln!("  {line}");
            }
            eprintln!("replay with CORRIDOR_SIM_SEED={}", self.plan.seed);
        }
    }
}

impl World {
    /// A world of strangers.
    pub fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let now = UnixMillis(1_800_000_000_000);
        let nodes = (0..plan.nodes)
            .map(|at| Node::new(u8::try_from(at + 1).expect("few nodes"), now, &mut rng))
            .collect();
        let mut world = Self {
            plan,
            rng,
            now,
            nodes,
            connections: BTreeMap::new(),
            partitions: BTreeSet::new(),
            apart: BTreeSet::new(),
            spec: Spec::default(),
            watch: Watch::default(),
            counts: Counts::new(),
            pairings: Vec::new(),
            roots: HashMap::new(),
            calm: false,
            restored: false,
            forked: None,
            story: VecDeque::new(),
            crashed: None,
        };
        world.learn_nodes();
        world
    }

    /// Counts something, and tells it.
    pub fn tell(&mut self, what: &'static str, more: std::fmt::Arguments<'_>) {
        *self.counts.entry(what).or_default() += 1;
        if self.story.len() >= STORY_STEPS {
            self.story.pop_front();
        }
        let now = self.now.0 - 1_800_000_000_000;
        self.story.push_back(format!("{now} {what} {more}"));
    }

    /// Lets all links of a node look again.
    pub fn touch(&mut self, at: At) {
        for connection in self.connections.values_mut() {
            for end in connection.ends.iter_mut().filter(|end| end.node == at) {
                end.dirty = true;
            }
        }
    }

    /// Time passes.
    pub fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(millis);
        for at in 0..self.nodes.len() {
            let due = self.nodes[at].due(self.now, &mut self.rng);
            if !due.is_empty() {
                self.nodes[at].append(due);
            }
            self.touch(at);
        }
    }

    /// Drops what a node has in memory and on its connections, and starts it again.
    pub fn crash(&mut self, at: At) {
        self.connections.retain(|(a, b), _| *a != at && *b != at);
        let chunk = self.rng.pick(&[1, 2, 3, 7, 1_000]).expect("some");
        let node = &mut self.nodes[at];
        node.rebuild(chunk);
        node.start(self.now, &mut self.rng);
        self.crashed = None;
    }

    /// Crashes a node once the present step is over.
    pub const fn crash_soon(&mut self, at: At) {
        self.crashed = Some(at);
    }

    /// Whether a node crashes before anything more of it leaves.
    pub fn is_crashing(&self, at: At) -> bool {
        self.crashed == Some(at)
    }

    /// Carries out a crash that was decided in the midst of a step.
    pub fn settle_crash(&mut self) {
        if let Some(at) = self.crashed {
            self.crash(at);
        }
    }

    /// Connects a pair, if neither partition nor connection is in the way.
    pub fn connect(&mut self, pair: Pair) {
        let are_kept = self.partitions.contains(&pair) || self.apart.contains(&pair);
        if are_kept || self.connections.contains_key(&pair) {
            return;
        }
        let (a, b) = pair;
        let links = [
            (a, Link::new(self.nodes[b].rcp)),
            (b, Link::new(self.nodes[a].rcp)),
        ];
        self.connections.insert(pair, Connection::new(links));
        self.tell("connect", format_args!("{pair:?}"));
        let first = self.rng.below(2);
        for side in [first, 1 - first] {
            self.feed(pair, side, Input::Start);
        }
    }

    /// Whether both sides would exchange with each other.
    pub fn exchange(&self, (a, b): Pair) -> bool {
        [(a, b), (b, a)]
            .into_iter()
            .all(|(node, peer)| may_call(self.spec.state(node, peer), Call::Exchange))
    }

    /// Delivers the next frame of a stream to a side.
    pub fn deliver(&mut self, pair: Pair, side: usize, stream: Stream) {
        let Some(connection) = self.connections.get_mut(&pair) else {
            return;
        };
        let end = &mut connection.ends[side];
        let Some(frame) = end.take(stream) else {
            return;
        };
        if self.plan.hostile {
            end.past.push_back(frame.clone());
            if end.past.len() > 12 {
                end.past.pop_front();
            }
        }
        self.tell(
            "frame",
            format_args!("{pair:?} to {}: {}", [pair.0, pair.1][side], frame.word()),
        );
        let input = match frame {
            Frame::Session(frame) => Input::Session(frame),
            Frame::Carry(frame) => Input::Carry(frame),
        };
        self.feed(pair, side, input);
        self.drop_closed(pair);
    }

    fn drop_closed(&mut self, pair: Pair) {
        let closed = self.connections.get(&pair).is_some_and(|connection| {
            let [a, b] = &connection.ends;
            // What a closing side said last is still delivered.
            (a.closed && b.waiting().is_empty()) || (b.closed && a.waiting().is_empty())
        });
        if closed {
            self.connections.remove(&pair);
        }
    }

    /// Everything that can happen next on the connections: a side, and a stream or a look.
    pub fn events(&self) -> Vec<(Pair, usize, Option<Stream>)> {
        let mut events = Vec::new();
        for (pair, connection) in &self.connections {
            for (side, end) in connection.ends.iter().enumerate() {
                events.extend(end.waiting().into_iter().map(|s| (*pair, side, Some(s))));
                if end.dirty && !end.closed {
                    events.push((*pair, side, None));
                }
            }
        }
        events
    }

    /// Whether an event brings records to a side.
    pub fn brings_records(&self, (pair, side, stream): &(Pair, usize, Option<Stream>)) -> bool {
        *stream == Some(Stream::Carry)
            && self.connections[pair].ends[*side]
                .carry
                .front()
                .is_some_and(|frame| Frame::Carry(frame.clone()).brings_records())
    }

    /// Lets one event happen.
    pub fn happen(&mut self, (pair, side, stream): (Pair, usize, Option<Stream>)) {
        match stream {
            Some(stream) => self.deliver(pair, side, stream),
            None => {
                self.end(pair, side, |end| end.dirty = false);
                self.feed(pair, side, Input::Changed);
                self.drop_closed(pair);
            }
        }
    }

    /// Lets everything happen until nothing is left.
    pub fn rest(&mut self) {
        for _ in 0..REST_FRAMES_MAX {
            let events = self.events();
            let Some(event) = self.rng.pick(&events) else {
                return;
            };
            self.happen(event);
        }
        panic!("the world never comes to rest");
    }

    /// The pairs that would exchange.
    pub fn pairs(&self) -> Vec<Pair> {
        let nodes = self.plan.nodes;
        let all = (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b)));
        all.filter(|pair| self.exchange(*pair)).collect()
    }

    /// No more faults, and everything comes to rest; receipts have their time.
    pub fn heal(&mut self) {
        self.calm = true;
        self.partitions.clear();
        self.connections.retain(|_, connection| !connection.hostile);
        // Each hop through a third node takes a turn of its own.
        let hops = if self.plan.apart {
            self.plan.nodes.min(16)
        } else {
            0
        };
        for _ in 0..4 + hops {
            for pair in self.pairs() {
                self.connect(pair);
            }
            self.rest();
            self.pass(61_000);
            self.rest();
        }
    }
}
