//! A link, fed with what a partner could send: frames made up, and frames of an honest link,
//! changed or in another order.

use std::collections::VecDeque;

use corridor_proto::{LogId, UnixMillis, v1};
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::limits::STEP_BYTES;
use corridor_rules::link::{Input as Event, Link, Output};
use prost::Message;

use super::Input;
use super::scene::{NOW, SCENE};
use crate::sim::network::Frame;
use crate::sim::node::Node;

/// Acts of one input; more would only take longer.
const ACTS_MAX: usize = 64;
/// Frames that are handed over in one act.
const FRAMES_MAX: usize = 64;
/// What one event may have a link send: a step, and one frame of each sort that it does not count.
const SENT_BYTES_MAX: usize = STEP_BYTES + 2 * 1024 * 1024;

/// What an act is, in the first byte.
pub mod act {
    /// A frame of `Session`, made up.
    pub const SESSION: u8 = 0;
    /// A frame of `Carry`, made up.
    pub const CARRY: u8 = 1;
    /// Time passes.
    pub const TIME: u8 = 2;
    /// The next honest frame of `Session`.
    pub const NEXT_SESSION: u8 = 3;
    /// The next honest frame of `Carry`.
    pub const NEXT_CARRY: u8 = 4;
    /// The next honest frame of `Session`, changed.
    pub const CHANGED_SESSION: u8 = 5;
    /// The next honest frame of `Carry`, changed.
    pub const CHANGED_CARRY: u8 = 6;
    /// Honest frames until there is none.
    pub const ALL: u8 = 7;
}

/// An exchange between the node that is tested and its partner.
pub struct Play {
    us: Node,
    peer: Node,
    ours: Link,
    theirs: Link,
    session: VecDeque<v1::SessionFrame>,
    carry: VecDeque<v1::CarryFrame>,
    now: UnixMillis,
    closed: bool,
    /// Frames that the partner sent, as they came.
    pub heard: Vec<Frame>,
}

impl Play {
    /// An exchange just begun. `restored`: of a node set back to a backup.
    pub fn new(restored: bool) -> Self {
        let us = if restored {
            SCENE.restored.copy()
        } else {
            SCENE.us.copy()
        };
        let peer = SCENE.peer.copy();
        let mut play = Self {
            ours: Link::new(peer.rcp),
            theirs: Link::new(us.rcp),
            us,
            peer,
            session: VecDeque::new(),
            carry: VecDeque::new(),
            now: NOW,
            closed: false,
            heard: Vec::new(),
        };
        play.partner(Event::Start);
        play.feed(Event::Start);
        play
    }

    fn feed(&mut self, event: Event) {
        if self.closed {
            return;
        }
        let context = self.us.context(self.now, &|_| true);
        let outputs = self.ours.handle(event, &context);
        let mut sent = 0;
        for output in outputs {
            match output {
                Output::Session(frame) => sent += self.send(Frame::Session(frame)),
                Output::Carry(frame) => sent += self.send(Frame::Carry(frame)),
                Output::Arrival(arrival) => self.arrive(&arrival),
                Output::Verify(unverified) => {
                    let charter = self.us.model.charter(&unverified.owner);
                    let judged = ingest::judge(charter.expect("a charter"), unverified);
                    for arrival in &judged.arrivals {
                        self.arrive(arrival);
                    }
                    for refusal in judged.refusals {
                        self.feed(Event::Refused(refusal));
                    }
                }
                Output::More => {}
                Output::Close(_) => self.closed = true,
            }
        }
        assert!(sent <= SENT_BYTES_MAX, "one event had {sent} bytes sent");
    }

    fn send(&mut self, frame: Frame) -> usize {
        let bytes = frame.bytes();
        for secret in &SCENE.secrets {
            let leaks = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!leaks, "{} gives something away", frame.word());
        }
        match frame {
            Frame::Session(frame) => self.partner(Event::Session(frame)),
            Frame::Carry(frame) => self.partner(Event::Carry(frame)),
        }
        bytes.len()
    }

    fn arrive(&mut self, arrival: &Arrival) {
        match ingest::decide(&self.us.model, &self.us.store, arrival, self.now) {
            Ok(facts) if facts.is_empty() => {}
            Ok(facts) => {
                self.us.append(facts);
                self.feed(Event::Changed);
            }
            Err(refusal) => self.feed(Event::Refused(refusal)),
        }
    }

    /// The partner's honest link.
    fn partner(&mut self, event: Event) {
        let context = self.peer.context(self.now, &|_| true);
        for output in self.theirs.handle(event, &context) {
            match output {
                Output::Session(frame) => self.session.push_back(frame),
                Output::Carry(frame) => self.carry.push_back(frame),
                Output::Arrival(arrival) => self.partner_takes(&arrival),
                Output::Verify(unverified) => {
                    let charter = self.peer.model.charter(&unverified.owner);
                    let judged = ingest::judge(charter.expect("a charter"), unverified);
                    judged.arrivals.iter().for_each(|a| self.partner_takes(a));
                }
                Output::More | Output::Close(_) => {}
            }
        }
    }

    fn partner_takes(&mut self, arrival: &Arrival) {
        let (model, store) = (&self.peer.model, &self.peer.store);
        match ingest::decide(model, store, arrival, self.now) {
            Ok(facts) if facts.is_empty() => {}
            Ok(facts) => {
                self.peer.append(facts);
                self.partner(Event::Changed);
            }
            Err(refusal) => self.partner(Event::Refused(refusal)),
        }
    }

    fn session_comes(&mut self, frame: v1::SessionFrame) {
        self.feed(Event::Session(frame));
    }

    fn carry_comes(&mut self, frame: v1::CarryFrame) {
        self.feed(Event::Carry(frame));
    }

    /// Hands the next honest frame over; whether there was one.
    pub fn next(&mut self, is_carry: bool) -> bool {
        if is_carry {
            let Some(frame) = self.carry.pop_front() else {
                return false;
            };
            self.heard.push(Frame::Carry(frame.clone()));
            self.carry_comes(frame);
        } else {
            let Some(frame) = self.session.pop_front() else {
                return false;
            };
            self.heard.push(Frame::Session(frame.clone()));
            self.session_comes(frame);
        }
        true
    }

    /// Hands honest frames over until there is none.
    pub fn all(&mut self) {
        for _ in 0..FRAMES_MAX {
            if !self.next(false) && !self.next(true) {
                break;
            }
        }
    }

    fn act(&mut self, input: &mut Input<'_>) {
        match input.byte() % 8 {
            act::SESSION => {
                if let Ok(frame) = v1::SessionFrame::decode(input.counted()) {
                    self.session_comes(frame);
                }
            }
            act::CARRY => {
                if let Ok(frame) = v1::CarryFrame::decode(input.counted()) {
                    self.carry_comes(frame);
                }
            }
            act::TIME => {
                self.now = self.now.plus(u64::from(input.byte()) * 1_000);
                self.partner(Event::Changed);
                self.feed(Event::Changed);
            }
            act::NEXT_SESSION => {
                self.next(false);
            }
            act::NEXT_CARRY => {
                self.next(true);
            }
            act::CHANGED_SESSION => {
                let changes = input.counted();
                let frame = self.session.pop_front();
                let bytes = frame.map(|frame| changed(frame.encode_to_vec(), changes));
                if let Some(Ok(frame)) = bytes.map(|b| v1::SessionFrame::decode(b.as_slice())) {
                    self.session_comes(frame);
                }
            }
            act::CHANGED_CARRY => {
                let changes = input.counted();
                let frame = self.carry.pop_front();
                let bytes = frame.map(|frame| changed(frame.encode_to_vec(), changes));
                if let Some(Ok(frame)) = bytes.map(|b| v1::CarryFrame::decode(b.as_slice())) {
                    self.carry_comes(frame);
                }
            }
            _ => self.all(),
        }
    }

    /// What must be so whatever the partner sent: nothing of ours changed, and what we hold of the
    /// partner is what it has.
    fn check(&self, restored: bool) {
        let stopped = self.us.model.signing_stopped.is_some();
        assert_eq!(stopped, restored, "a partner's word stops nobody");
        let of = |node: &Node, log: &LogId| node.store.lines.get(log).cloned().unwrap_or_default();
        for (id, log) in &self.us.model.logs {
            let lines = of(&self.us, id);
            let truth = if log.owner == self.us.rcp {
                of(&SCENE.us, id)
            } else {
                of(&SCENE.peer, id)
            };
            assert!(truth.starts_with(&lines), "a line that nobody wrote");
            if log.owner == self.us.rcp && !restored {
                assert_eq!(lines.len(), truth.len(), "lines of ours are gone");
            }
        }
        let nodes = [&SCENE.us, &SCENE.restored, &SCENE.peer];
        let known = nodes.map(|node| node.store.blobs.values().collect::<Vec<_>>());
        let known = known.concat();
        for stored in self.us.store.blobs.values() {
            let is_erased = stored.blob.iter().all(|byte| *byte == 0);
            assert!(
                is_erased || known.contains(&stored),
                "a body that nobody wrote"
            );
        }
    }
}

/// Bytes with changes: where, and to what.
fn changed(mut bytes: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(length) = bytes.len().checked_sub(1) {
            bytes[at % (length + 1)] = change[2];
        }
    }
    bytes
}

/// An exchange: an odd first byte sets our node back to a backup; then acts.
pub fn link(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let restored = input.byte() % 2 == 1;
    let mut play = Play::new(restored);
    for _ in 0..ACTS_MAX {
        if input.is_empty() {
            break;
        }
        play.act(&mut input);
    }
    play.check(restored);
}
