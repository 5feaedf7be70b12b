//! Two nodes that exchange over a connection, or one side of it alone.

use std::collections::VecDeque;

use corridor_proto::start::sign_start;
use corridor_proto::{LogId, RcpId, Refusal, StartNumber, v1};

use super::node::Node;
use crate::ingest;
use crate::link::{Closing, Input, Link, Output};
use crate::serve::Source;
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Session(v1::SessionFrame),
    Carry(v1::CarryFrame),
}

impl Frame {
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Session(frame) => frame.frame.as_ref(),
            Self::Carry(_) => None,
        }
    }

    pub fn carried(&self) -> Option<&Carried> {
        match self {
            Self::Carry(frame) => frame.frame.as_ref(),
            Self::Session(_) => None,
        }
    }
}

/// One side of a connection: a node and its link.
pub(crate) struct End {
    pub node: Node,
    pub link: Link,
    pub closed: Option<Closing>,
    /// All that was refused at this side.
    pub refused: Vec<Refusal>,
    /// All outputs that were arrivals, in order.
    pub arrived: Vec<ingest::Arrival>,
    /// There is more to do once this is sent.
    pub more: bool,
}

impl End {
    /// Nothing was said yet.
    pub fn new(node: Node, peer: RcpId) -> Self {
        Self {
            link: Link::new(peer),
            node,
            closed: None,
            refused: Vec::new(),
            arrived: Vec::new(),
            more: false,
        }
    }

    /// Both said hello, and know nothing in common; the peer holds nothing of ours. Gives what was
    /// sent as well.
    pub fn greeted(node: Node, peer: u8) -> (Self, Vec<Frame>) {
        let mut end = Self::new(node, super::rcp(peer));
        end.node.linked.push(super::rcp(peer));
        let mut frames = end.feed(Input::Start);
        frames.extend(end.session(Said::Hello(hello(peer))));
        let (logs, last) = (Vec::new(), true);
        frames.extend(end.session(Said::Have(v1::Have { logs, last })));
        (end, frames)
    }

    /// Feeds an input and does what the link wants done; gives the frames that it sends.
    pub fn feed(&mut self, input: Input) -> Vec<Frame> {
        let before = self.node.model.revision;
        let mut frames = self.feed_once(input);
        // Whoever changes the state of a node has its links look at it.
        if self.node.model.revision != before && self.closed.is_none() {
            frames.extend(self.feed(Input::Changed));
        }
        frames
    }

    fn feed_once(&mut self, input: Input) -> Vec<Frame> {
        let refusals = self.link.refusals();
        let link = &mut self.link;
        let outputs = self.node.look(|context| link.handle(input, context));
        for _ in refusals..self.link.refusals() {
            self.refused.extend(self.link.last_refusal());
        }
        let mut frames = Vec::new();
        for output in outputs {
            match output {
                Output::Session(frame) => frames.push(Frame::Session(frame)),
                Output::Carry(frame) => frames.push(Frame::Carry(frame)),
                Output::Arrival(arrival) => frames.extend(self.arrive(arrival)),
                Output::Verify(unverified) => {
                    let charter = self.node.model.charter(&unverified.owner).cloned();
                    let judged = ingest::judge(&charter.expect("known"), unverified);
                    for arrival in judged.arrivals {
                        frames.extend(self.arrive(arrival));
                    }
                    for refusal in judged.refusals {
                        frames.extend(self.feed_once(Input::Refused(refusal)));
                    }
                }
                Output::More => self.more = true,
                Output::Close(why) => self.closed = Some(why),
            }
        }
        frames
    }

    fn arrive(&mut self, arrival: ingest::Arrival) -> Vec<Frame> {
        let decided = self.node.arrive(&arrival);
        self.arrived.push(arrival);
        match decided {
            Ok(facts) if facts.is_empty() => Vec::new(),
            Ok(facts) => {
                self.node.apply(&facts);
                Vec::new()
            }
            Err(refusal) => self.feed_once(Input::Refused(refusal)),
        }
    }

    pub fn session(&mut self, frame: Said) -> Vec<Frame> {
        let frame = Some(frame);
        let padding = Vec::new();
        self.feed(Input::Session(v1::SessionFrame { frame, padding }))
    }

    pub fn carry(&mut self, frame: Carried) -> Vec<Frame> {
        let frame = Some(frame);
        self.feed(Input::Carry(v1::CarryFrame { frame }))
    }

    pub fn is_quiet(&self) -> bool {
        self.node.look(|context| self.link.is_quiet(context))
    }
}

/// What the node of an RCP says that shares nothing and serves us as an active partner.
pub(crate) fn hello(peer: u8) -> v1::SessionHello {
    let number = StartNumber::new([peer; 16]);
    let signature = sign_start(&super::key(peer), &super::rcp(peer), &number);
    v1::SessionHello {
        versions: vec![1],
        start_number: number.as_bytes().to_vec(),
        have: vec![9; 32],
        last_start_number: vec![0; 16],
        start_signature: signature.to_vec(),
        last_start_signature: Vec::new(),
        state: Some(v1::StateFrame {
            serving: v1::Serving::Active.into(),
            erase_after_ms: 0,
            compared: false,
        }),
    }
}

/// What a frame is, in a word.
pub(crate) fn word(frame: &Frame) -> &'static str {
    match (frame.said(), frame.carried()) {
        (Some(said), _) => match said {
            Said::Hello(_) => "hello",
            Said::Identity(_) => "identity",
            Said::Have(_) => "have",
            Said::Checkpoint(_) => "checkpoint",
            Said::Held(_) => "held",
            Said::State(_) => "state",
            Said::Ended(_) => "ended",
            Said::Evidence(_) => "evidence",
        },
        (_, Some(carried)) => match carried {
            Carried::Pull(_) => "pull",
            Carried::Package(_) => "package",
            Carried::Want(_) => "want",
            Carried::Records(_) => "records",
            Carried::Gone(_) => "gone",
            Carried::Credit(_) => "credit",
            Carried::AttachmentChunk(_) => "chunk",
        },
        _ => "nothing",
    }
}

pub(crate) fn words(frames: &[Frame]) -> Vec<&'static str> {
    frames.iter().map(word).collect()
}

/// A connection between two nodes; `sent` has all frames, each with the side that sent it.
pub(crate) struct Meeting {
    pub ends: [End; 2],
    pub sent: Vec<(usize, Frame)>,
    queues: [VecDeque<Frame>; 2],
}

impl Meeting {
    /// Opens a connection; nothing was said yet.
    pub fn new(one: Node, other: Node) -> Self {
        let [a, b] = [one.rcp, other.rcp];
        let ends = [End::new(one, b), End::new(other, a)];
        let mut meeting = Self {
            ends,
            sent: Vec::new(),
            queues: [VecDeque::new(), VecDeque::new()],
        };
        meeting.ends[0].node.linked.push(b);
        meeting.ends[1].node.linked.push(a);
        meeting
    }

    /// Opens a connection and exchanges until nothing is left to say.
    pub fn of(one: Node, other: Node) -> Self {
        let mut meeting = Self::new(one, other);
        meeting.feed(0, Input::Start);
        meeting.feed(1, Input::Start);
        meeting.run();
        meeting
    }

    /// Feeds one side; what it sends waits for the other.
    pub fn feed(&mut self, side: usize, input: Input) {
        let frames = self.ends[side].feed(input);
        self.send(side, frames);
    }

    pub fn send(&mut self, side: usize, frames: Vec<Frame>) {
        self.sent.extend(frames.iter().cloned().map(|f| (side, f)));
        self.queues[1 - side].extend(frames);
    }

    /// Delivers frames until none is left and both have looked again.
    pub fn run(&mut self) {
        let mut idle = 0;
        for _ in 0..10_000 {
            let mut moved = false;
            for side in [0, 1] {
                if let Some(frame) = self.queues[side].pop_front() {
                    moved = true;
                    let input = match frame {
                        Frame::Session(frame) => Input::Session(frame),
                        Frame::Carry(frame) => Input::Carry(frame),
                    };
                    self.feed(side, input);
                }
            }
            if moved {
                idle = 0;
                continue;
            }
            if idle == 2 {
                return;
            }
            idle += 1;
            for side in [0, 1] {
                self.feed(side, Input::Changed);
            }
        }
        panic!("the two never end");
    }

    /// Time passes on both sides, and both look.
    pub fn pass(&mut self, ms: u64) {
        for end in &mut self.ends {
            end.node.now = end.node.now.plus(ms);
        }
        for side in [0, 1] {
            self.feed(side, Input::Changed);
        }
        self.run();
    }

    /// A change at one side, after which the two exchange what follows.
    pub fn change(&mut self, side: usize, change: impl FnOnce(&mut Node)) {
        change(&mut self.ends[side].node);
        self.feed(side, Input::Changed);
        self.run();
    }

    /// The connection ends.
    pub fn end(self) -> (Node, Node) {
        let [mut one, mut other] = self.ends.map(|end| end.node);
        one.linked.retain(|rcp| *rcp != other.rcp);
        other.linked.retain(|rcp| *rcp != one.rcp);
        (one, other)
    }

    pub fn node(&self, side: usize) -> &Node {
        &self.ends[side].node
    }

    /// What one side said on `Session`, as `pick` reads it.
    pub fn said<T>(&self, side: usize, pick: impl Fn(&Said) -> Option<T>) -> Vec<T> {
        let frames = self.sent.iter().filter(|(from, _)| *from == side);
        frames
            .filter_map(|(_, frame)| pick(frame.said()?))
            .collect()
    }

    /// What one side sent, in words.
    pub fn words(&self, side: usize) -> Vec<&'static str> {
        let frames = self.sent.iter().filter(|(from, _)| *from == side);
        frames.map(|(_, frame)| word(frame)).collect()
    }

    /// Forgets what was sent so far.
    pub fn forget(&mut self) {
        self.sent.clear();
    }

    /// Nothing was refused and nothing closed.
    pub fn assert_fine(&self) {
        for end in &self.ends {
            assert_eq!(end.refused, []);
            assert_eq!(end.closed, None);
        }
    }
}

/// Exchanges between two nodes until nothing is left to say, without a fault.
pub(crate) fn exchange(one: &mut Node, other: &mut Node) {
    let meeting = Meeting::of(one.clone(), other.clone());
    meeting.assert_fine();
    (*one, *other) = meeting.end();
}

/// Texts that a node holds of a log: the bodies behind the lines in force, ascending.
pub(crate) fn texts(node: &Node, log: &LogId) -> Vec<String> {
    let Some(found) = node.model.logs.get(log) else {
        return Vec::new();
    };
    let keys = node
        .store
        .rows
        .iter()
        .filter(|(key, _)| key.rcp == found.owner);
    let stands = keys.filter_map(|(_, row)| {
        let held = row.body(&row.living(log)?.version_hash)?;
        node.store.record(held.place)
    });
    let mut texts: Vec<String> = stands
        .map(|record| String::from_utf8(record.body).expect("a text"))
        .collect();
    texts.sort();
    texts
}
