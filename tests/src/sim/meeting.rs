//! Two nodes meet: a connection of their own, on which all is said that there is to say.

use std::collections::VecDeque;

use corridor_proto::wire::Identity;
use corridor_proto::{LogId, RcpId, RecordId, Token, UnixMillis};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::link::{Input, Link, Output};

use super::network::Frame;
use super::node::Node;
use super::rng::Rng;

/// Nodes all of whom confirmed each other. The circle `drafting` of the first lists the others; if
/// `relay`, they may pass it on.
pub fn confirmed<const N: usize>(
    relay: bool,
    rng: &mut Rng,
    now: UnixMillis,
) -> ([Node; N], LogId) {
    let mut nodes: [Node; N] =
        std::array::from_fn(|at| Node::new(u8::try_from(at + 1).expect("few nodes"), now, rng));
    let identities: Vec<Identity> = nodes.iter().map(Node::identity).collect();
    for node in &mut nodes {
        let me = node.rcp;
        for identity in identities.iter().filter(|i| i.charter.rcp() != me) {
            let rcp = identity.charter.rcp();
            let identity = Box::new(identity.clone());
            let token = Token::new([1; 32]);
            for wish in [
                Wish::Accept { identity, token },
                Wish::Answered { rcp },
                Wish::Confirm { rcp },
            ] {
                node.wish(wish, now, rng).expect("pairing");
            }
        }
    }
    let log = list(&mut nodes, "drafting", relay, rng, now);
    (nodes, log)
}

/// A new open circle of the first node, which lists all others.
pub fn list(nodes: &mut [Node], name: &str, relay: bool, rng: &mut Rng, now: UnixMillis) -> LogId {
    let readers = nodes.iter().skip(1).map(|node| (node.rcp, UnixMillis(0)));
    let readers = readers.collect();
    let owner = &mut nodes[0];
    let (name, open) = (name.to_owned(), true);
    let of = name.clone();
    let opened = owner.wish(Wish::OpenCircle { name, open, relay }, now, rng);
    opened.expect("opened");
    let log = owner.model.circle(&of).expect("the circle").id;
    let listed = owner.wish(Wish::SetReaders { log, readers }, now, rng);
    listed.expect("readers");
    log
}

/// Publishes a text under this identifier.
pub fn publish(
    node: &mut Node,
    record: u8,
    text: &[u8],
    log: LogId,
    rng: &mut Rng,
    now: UnixMillis,
) {
    let wish = Wish::Publish(ToPublish {
        record: RecordId::new([record; 16]),
        kind: 1,
        body: text.to_vec(),
        links: Vec::new(),
        circles: Some(vec![log]),
        draft: None,
        hand: None,
    });
    node.wish(wish, now, rng).expect("published");
}

/// Frames after which two nodes should have said all.
const FRAMES_MAX: usize = 20_000;

/// Lets two nodes talk over one connection until nothing is left, while so many minutes pass; both
/// may be nodes of one RCP's partners that never meet otherwise. The two streams and the two
/// directions are not ordered with each other. Gives what either refused.
pub fn meet(
    nodes: [&mut Node; 2],
    now: UnixMillis,
    minutes: u64,
    rng: &mut Rng,
) -> Vec<&'static str> {
    let [a, b] = nodes;
    let mut meeting = Meeting {
        links: [Link::new(b.rcp), Link::new(a.rcp)],
        nodes: [a, b],
        ways: Default::default(),
        now,
        rng,
        refused: Vec::new(),
    };
    meeting.feed(0, Input::Start);
    meeting.feed(1, Input::Start);
    meeting.rest();
    for _ in 0..minutes {
        meeting.now = meeting.now.plus(61_000);
        for side in [0, 1] {
            meeting.feed(side, Input::Changed);
        }
        meeting.rest();
    }
    meeting.refused
}

struct Meeting<'a> {
    nodes: [&'a mut Node; 2],
    links: [Link; 2],
    /// Frames on their way to each side, on each of its streams.
    ways: [[VecDeque<Frame>; 2]; 2],
    now: UnixMillis,
    rng: &'a mut Rng,
    refused: Vec<&'static str>,
}

impl Meeting<'_> {
    fn rest(&mut self) {
        for _ in 0..FRAMES_MAX {
            let ways = [(0, 0), (0, 1), (1, 0), (1, 1)];
            let waiting = ways
                .into_iter()
                .filter(|(side, way)| !self.ways[*side][*way].is_empty());
            let Some((side, way)) = self.rng.pick(&waiting.collect::<Vec<_>>()) else {
                return;
            };
            let input = match self.ways[side][way].pop_front().expect("a frame") {
                Frame::Session(frame) => Input::Session(frame),
                Frame::Carry(frame) => Input::Carry(frame),
            };
            self.feed(side, input);
        }
        panic!("the two never come to an end");
    }

    fn feed(&mut self, side: usize, input: Input) {
        let other = self.nodes[1 - side].rcp;
        let linked = move |rcp: &RcpId| *rcp == other;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let context = self.nodes[side].context(self.now, &linked);
            for output in self.links[side].handle(input, &context) {
                match output {
                    Output::Session(frame) => {
                        self.ways[1 - side][0].push_back(Frame::Session(frame));
                    }
                    Output::Carry(frame) => self.ways[1 - side][1].push_back(Frame::Carry(frame)),
                    Output::Arrival(arrival) => inputs.push(self.take_in(side, &arrival)),
                    Output::Verify(unverified) => {
                        let charter = self.nodes[side].model.charter(&unverified.owner);
                        let judged = ingest::judge(charter.expect("a charter"), unverified);
                        for arrival in &judged.arrivals {
                            inputs.push(self.take_in(side, arrival));
                        }
                    }
                    Output::More => inputs.push(Input::Changed),
                    Output::Close(_) => {}
                }
            }
        }
    }

    fn take_in(&mut self, side: usize, arrival: &Arrival) -> Input {
        let node = &mut *self.nodes[side];
        match ingest::decide(&node.model, &node.store, arrival, self.now) {
            Ok(facts) => {
                if !facts.is_empty() {
                    node.append(facts);
                }
                Input::Changed
            }
            Err(refusal) => {
                self.refused.push(refusal.reason.code());
                Input::Refused(refusal)
            }
        }
    }
}
