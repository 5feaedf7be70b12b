//! Carrying out what links want done: frames are looked at and sent, arrivals decided and made
//! durable, and now and then the node crashes in between.

use corridor_proto::{LogId, RcpId, v1};
use corridor_rules::ingest::{self, Arrival, Unverified};
use corridor_rules::limits::CREDIT_BYTES;
use corridor_rules::link::{Input, Output};

use super::network::{End, Frame};
use super::run::BYTES_CHECKED;
use super::spec::{At, Kind};
use super::watch::Leg;
use super::world::{Pair, World};

/// Frames on their way to one side of a connection, far above what pulls and wants add up to.
const QUEUE_FRAMES_MAX: usize = 4_096;
/// Bytes that a connection may be ahead of its receiver's credit: the one frame that used it up.
const QUEUE_BYTES_MAX: usize = 768 * 1024;
/// One arrival of so many meets a crash, before it is durable or after.
const ARRIVALS_PER_CRASH: usize = 400;

impl World {
    /// Feeds one side of a connection and does what it wants done.
    pub fn feed(&mut self, pair: Pair, side: usize, input: Input) {
        let at = [pair.0, pair.1][side];
        let linked = self.linked(at);
        let Some(connection) = self.connections.get_mut(&pair) else {
            return;
        };
        let end = &mut connection.ends[side];
        if end.closed {
            return;
        }
        let linked = |rcp: &RcpId| linked.contains(rcp);
        let context = self.nodes[at].context(self.now, &linked);
        let outputs = end.link.handle(input, &context);
        self.carry_out(pair, side, outputs);
    }

    /// The RCPs to which a node has a connection.
    fn linked(&self, at: At) -> Vec<RcpId> {
        let open = self.connections.iter().filter(|(_, connection)| {
            let [a, b] = &connection.ends;
            !a.closed && !b.closed
        });
        let pairs = open.map(|(pair, _)| pair);
        let others = pairs.filter_map(|(a, b)| match at {
            _ if at == *a => Some(*b),
            _ if at == *b => Some(*a),
            _ => None,
        });
        others.map(|other| self.nodes[other].rcp).collect()
    }

    fn carry_out(&mut self, pair: Pair, side: usize, outputs: Vec<Output>) {
        let at = [pair.0, pair.1][side];
        for output in outputs {
            if !self.connections.contains_key(&pair) {
                return;
            }
            match output {
                Output::Session(frame) => self.send(pair, side, Frame::Session(frame)),
                Output::Carry(frame) => self.send(pair, side, Frame::Carry(frame)),
                Output::Arrival(arrival) => self.arrive(pair, side, &arrival),
                Output::Verify(unverified) => self.judge(pair, side, unverified),
                Output::More => self.end(pair, side, |end| end.dirty = true),
                Output::Close(why) => {
                    self.tell("close", format_args!("{pair:?} at {at}: {}", why.code()));
                    self.end(pair, side, |end| end.closed = true);
                }
            }
            if self.is_crashing(at) {
                return self.crash(at);
            }
        }
    }

    pub(super) fn end(&mut self, pair: Pair, side: usize, change: impl FnOnce(&mut End)) {
        if let Some(connection) = self.connections.get_mut(&pair) {
            change(&mut connection.ends[side]);
        }
    }

    fn send(&mut self, pair: Pair, side: usize, frame: Frame) {
        let ends = [pair.0, pair.1];
        let (from, to) = (ends[side], ends[1 - side]);
        let leg = self.leg(from, to, &frame);
        let bytes = frame.bytes();
        let checked = u64::try_from(bytes.len()).expect("a length");
        *self.counts.entry(BYTES_CHECKED).or_default() += checked;
        let leaks = self.watch.leaks(&self.spec, &leg, &bytes, self.now.0);
        assert!(
            leaks.is_empty(),
            "I2: {leg:?} {} gives away {leaks:?}",
            frame.word()
        );
        self.see_roots(&frame);
        let Some(connection) = self.connections.get_mut(&pair) else {
            return;
        };
        let hostile = connection.hostile;
        let end = &mut connection.ends[1 - side];
        for sent in frame.records() {
            let is_first = end.sent.insert(sent);
            assert!(is_first || hostile, "{leg:?} carries a record twice");
        }
        end.put(frame);
        assert!(
            end.session.len() + end.carry.len() <= QUEUE_FRAMES_MAX,
            "I8: frames to {to}"
        );
        let paced: usize = end
            .carry
            .iter()
            .map(|f| Frame::Carry(f.clone()).paced())
            .sum();
        let credit = usize::try_from(CREDIT_BYTES).expect("credit");
        assert!(
            hostile || paced <= credit + QUEUE_BYTES_MAX,
            "I8: {paced} bytes to {to}"
        );
        if paced > credit / 2 {
            *self.counts.entry("credit nearly used up").or_default() += 1;
        }
    }

    /// The circles of third nodes that `from` may pass on to `to`, as far as it knows the lists.
    pub(super) fn relayed(&self, from: At, to: At) -> Vec<usize> {
        let circles = (0..self.spec.circles.len()).filter(|circle| {
            let circle = &self.spec.circles[*circle];
            if circle.kind != Kind::Open || [from, to].contains(&circle.owner) {
                return false;
            }
            let log = self.nodes[from].model.logs.get(&circle.id);
            let size = log.map_or(0, |log| log.size());
            self.spec.relays(circle, size, from, to, self.now.0)
        });
        circles.collect()
    }

    fn leg(&self, from: At, to: At, frame: &Frame) -> Leg {
        use corridor_proto::v1::carry_frame::Frame as C;
        let mut leg = Leg {
            from,
            to,
            log: None,
            gone: false,
            given: self.relayed(from, to),
            taken: self.relayed(to, from),
        };
        if let Frame::Carry(frame) = frame {
            let log = match &frame.frame {
                Some(C::Package(package)) => &package.log,
                Some(C::Records(records)) => &records.log,
                Some(C::Gone(gone)) => {
                    leg.gone = true;
                    &gone.log
                }
                Some(C::Pull(v1::Pull { log, .. }) | C::Want(v1::Want { log, .. })) => {
                    // Of a log of its own: the receiver said that it holds it.
                    let id = LogId::from_slice(log).expect("log");
                    let circle = self.spec.circle(&id).map(|at| &self.spec.circles[at]);
                    leg.gone = circle.is_some_and(|circle| circle.owner == from);
                    return leg;
                }
                _ => return leg,
            };
            let id = LogId::from_slice(log).expect("log");
            leg.log = self.spec.circle(&id);
            assert!(
                leg.gone
                    || leg
                        .log
                        .is_some_and(|c| [from, to].contains(&self.spec.circles[c].owner)
                            || leg.given.contains(&c)),
                "{from} carries a log to {to} that is not to be had there"
            );
        }
        leg
    }

    fn arrive(&mut self, pair: Pair, side: usize, arrival: &Arrival) {
        let at = [pair.0, pair.1][side];
        let node = &self.nodes[at];
        match ingest::decide(&node.model, &node.store, arrival, self.now) {
            Err(refusal) => {
                self.tell("refused", format_args!("{pair:?} at {at}: {refusal}"));
                self.feed(pair, side, Input::Refused(refusal));
            }
            Ok(facts) if facts.is_empty() => {}
            Ok(facts) => {
                if !self.calm && self.rng.below(ARRIVALS_PER_CRASH) == 0 {
                    self.tell("crash before durable", format_args!("{at}"));
                    return self.crash_soon(at);
                }
                self.nodes[at].append(facts);
                let stopped = self.nodes[at].model.signing_stopped.as_ref();
                assert!(
                    stopped.is_none() || self.restored,
                    "{at} stopped signing: {stopped:?}"
                );
                if self.restored {
                    self.check_wanting(at);
                }
                self.touch(at);
                if !self.calm && self.rng.below(ARRIVALS_PER_CRASH) == 0 {
                    self.tell("crash before outputs leave", format_args!("{at}"));
                    self.crash_soon(at);
                }
            }
        }
    }

    fn judge(&mut self, pair: Pair, side: usize, unverified: Unverified) {
        let at = [pair.0, pair.1][side];
        let Some(charter) = self.nodes[at].model.charter(&unverified.owner) else {
            return;
        };
        let judged = ingest::judge(charter, unverified);
        assert_eq!(judged.refusals, [], "an honest record was refused");
        for arrival in judged.arrivals {
            assert!(
                matches!(arrival, Arrival::Records { .. }),
                "an honest record did not verify: {arrival:?}"
            );
            self.arrive(pair, side, &arrival);
        }
    }
}
