//! Bundles: their clear text, and what a partner's may say.

use std::collections::BTreeMap;

use corridor_proto::bundle::{BundleReader, Header};
use corridor_proto::charter::Charter;
use corridor_proto::v1::bundle_part::Part;
use corridor_proto::{LogId, RcpId, Refusal, v1};
use corridor_rules::bundle::{Lead, Look, Writing};
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::link::{Input as Event, Link, Output};
use prost::Message;

use super::Input;
use super::papers::CHARTERS;
use super::scene::{NOW, SCENE};
use crate::sim::node::Node;

/// Parts of one input; more would only take longer.
const PARTS_MAX: usize = 64;

/// Whether a clear text reads to its end by a charter.
fn is_read(bytes: &[u8], charter: &Charter) -> bool {
    let Ok((mut reader, opening)) = BundleReader::begin(bytes) else {
        return false;
    };
    let header = opening.header;
    assert_eq!(Header::decode(&header.encode()), Ok(header));
    if opening.verify(charter).is_err() {
        return false;
    }
    loop {
        match reader.next(charter) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The clear text of a bundle. One that reads to its end does not with one byte changed, left out
/// or added.
pub fn bundle(bytes: &[u8]) {
    for charter in CHARTERS.iter() {
        if !is_read(bytes, charter) {
            continue;
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(!is_read(&changed, charter), "byte {at} counts");
        }
        assert!(!is_read(&bytes[..bytes.len() - 1], charter));
        assert!(!is_read(&[bytes, &[0]].concat(), charter));
    }
}

/// A node that takes bundles in.
pub struct Taking {
    /// The node.
    pub us: Node,
    /// All that was refused.
    pub refused: Vec<Refusal>,
    link: Link,
    closed: bool,
}

impl Taking {
    /// A node that takes in what a partner wrote.
    pub fn new(us: Node, peer: RcpId) -> Self {
        let mut taking = Self {
            us,
            refused: Vec::new(),
            link: Link::on_paper(peer),
            closed: false,
        };
        taking.feed(Event::Start);
        taking
    }

    /// Looks at the parts of a bundle, and takes them in.
    pub fn take(&mut self, peer: RcpId, parts: &[Part]) -> Look {
        let look = self.look(peer, parts);
        let leads = self.look(peer, parts).leads();
        for part in parts {
            match part {
                Part::Session(frame) => self.feed(Event::Session(frame.clone())),
                Part::Carry(frame) => self.carry(&leads, frame.clone()),
                Part::Opening(_) | Part::End(_) => {}
            }
        }
        for circle in look.circles().values() {
            assert!(circle.new_lines <= circle.lines && circle.new_texts <= circle.texts);
            assert!(circle.withdrawals <= circle.new_lines);
        }
        look
    }

    fn look(&self, peer: RcpId, parts: &[Part]) -> Look {
        let model = &self.us.model;
        let charter = model.charter(&peer).expect("a charter");
        let mut look = Look::new(model, peer);
        for part in parts {
            match part {
                Part::Session(frame) => look.session(model, charter, frame),
                Part::Carry(frame) => {
                    if let Some(unverified) = look.carry(model, charter, frame.clone()) {
                        let log = unverified.log;
                        look.judged(&log, &ingest::judge(charter, unverified));
                    }
                }
                Part::Opening(_) | Part::End(_) => {}
            }
        }
        look
    }

    fn carry(&mut self, leads: &BTreeMap<LogId, Lead>, frame: v1::CarryFrame) {
        if let Some(v1::carry_frame::Frame::Package(package)) = &frame.frame
            && let Ok(id) = LogId::from_slice(&package.log)
            && let Some(lead) = leads.get(&id)
            && let Some(led) = lead.lead(self.us.model.logs.get(&id), package)
        {
            let led = Some(v1::carry_frame::Frame::Package(led));
            self.feed(Event::Carry(v1::CarryFrame { frame: led }));
            let model = &self.us.model;
            let log = model.logs.get(&id);
            if log.is_some_and(|log| log.pending(model).is_some()) {
                return;
            }
        }
        self.feed(Event::Carry(frame));
    }

    fn feed(&mut self, event: Event) {
        if self.closed {
            return;
        }
        let before = self.link.refusals();
        let context = self.us.context(NOW, &|_| false);
        let outputs = self.link.handle(event, &context);
        if self.link.refusals() > before {
            self.refused.extend(self.link.last_refusal());
        }
        for output in outputs {
            match output {
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
                Output::Close(_) => self.closed = true,
                Output::Session(_) | Output::Carry(_) | Output::More => {}
            }
        }
    }

    fn arrive(&mut self, arrival: &Arrival) {
        assert!(
            !matches!(arrival, Arrival::Met { .. } | Arrival::Compared { .. }),
            "a file is no news"
        );
        match ingest::decide(&self.us.model, &self.us.store, arrival, NOW) {
            Ok(facts) if facts.is_empty() => {}
            Ok(facts) => {
                self.us.append(facts);
                self.feed(Event::Changed);
            }
            Err(refusal) => self.feed(Event::Refused(refusal)),
        }
    }
}

/// What a node writes for a partner.
pub fn written(from: &Node, to: RcpId, everything: bool) -> Vec<Part> {
    let mut writing = Writing::new(to, everything);
    let mut all = Vec::new();
    while let Ok(Some(parts)) = writing.next(&from.context(NOW, &|_| false)) {
        all.extend(parts);
    }
    all
}

/// Parts of a bundle of a partner, whatever they say: they are looked at, and taken in.
pub fn bundle_parts(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let us = if input.byte() % 2 == 1 {
        SCENE.restored.copy()
    } else {
        SCENE.us.copy()
    };
    let mut parts = Vec::new();
    while !input.is_empty() && parts.len() < PARTS_MAX {
        let part = v1::BundlePart::decode(input.counted());
        parts.extend(part.ok().and_then(|part| part.part));
    }
    let peer = SCENE.peer.rcp;
    Taking::new(us, peer).take(peer, &parts);
}

/// What the partner writes for the node that is tested, whole and in part.
pub fn seeds() -> Vec<Vec<u8>> {
    let (us, peer) = (&SCENE.us, &SCENE.peer);
    let mut seeds = Vec::new();
    for everything in [false, true] {
        let mut all = vec![u8::from(everything)];
        for part in written(peer, us.rcp, everything) {
            let part = v1::BundlePart { part: Some(part) }.encode_to_vec();
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            all.extend(length.to_be_bytes());
            all.extend(&part);
            seeds.push(all.clone());
        }
    }
    seeds
}
