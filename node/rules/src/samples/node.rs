//! A whole node in memory, for tests of what several decisions add up to.

use corridor_proto::line::{Act, ReadLine, WithdrawalReason, read_line};
use corridor_proto::record::VerifiedRecord;
use corridor_proto::wire::Identity;
use corridor_proto::{LogId, RcpId, RecordId, Refusal, Token, UnixMillis};

use super::store::Store;
use super::{NOW, charter, identity, key};
use crate::desk::{self, Desk, DeskRefusal, ToPublish, Wish};
use crate::ingest::{self, Arrival};
use crate::link::Context;
use crate::log::Log;
use crate::model::{Effect, Model, Rows};
use crate::peer::PeerState;
use crate::row::{RecordKey, RecordRow};
use crate::serve::Source;
use crate::{Fact, Place};

/// A node: its model, its bytes and its clock.
#[derive(Clone)]
pub(crate) struct Node {
    /// Names its signing key.
    pub signer: u8,
    pub rcp: RcpId,
    pub model: Model,
    pub store: Store,
    pub now: UnixMillis,
    /// Connections that are open, to these RCPs.
    pub linked: Vec<RcpId>,
    /// Whether all is erased that was to be.
    pub all_erased: bool,
    random: u64,
}

pub(crate) fn record(byte: u8) -> RecordId {
    RecordId::new([byte; 16])
}

/// Fills bytes as no other call does.
fn fill(counter: &mut u64, signer: u8, bytes: &mut [u8]) {
    *counter += 1;
    let number = counter.to_be_bytes().into_iter().rev().chain([signer]);
    for (byte, from) in bytes.iter_mut().zip(number.cycle()) {
        *byte = from;
    }
}

impl Node {
    /// The node of the RCP whose first signing key this is, with its three standing circles.
    pub fn new(byte: u8) -> Self {
        let charter = charter(byte);
        let card = identity(&charter, byte).card.signed().clone();
        let mut random = 0;
        let mut next = |bytes: &mut [u8]| fill(&mut random, byte, bytes);
        let facts = desk::begin(&charter, &card, NOW, &mut next, &key(byte)).expect("begin");
        let mut node = Self {
            signer: byte,
            rcp: charter.rcp(),
            model: Model::new(charter.rcp()),
            store: Store::new(),
            now: NOW,
            linked: Vec::new(),
            all_erased: true,
            random,
        };
        node.apply(&facts);
        node
    }

    /// Makes a group of facts durable and takes it in; gives the places that were erased.
    pub fn apply(&mut self, facts: &[Fact]) -> Vec<Place> {
        self.model.revision += 1;
        let mut erased = Vec::new();
        for (offset, fact) in (0..).zip(facts) {
            let place = Place {
                segment: u32::try_from(self.model.revision).expect("few"),
                generation: 0,
                offset,
            };
            self.store.keep(fact, place);
            let effects = self.model.apply(Some(&mut self.store), fact, place);
            self.store.follow(fact, &self.model);
            for Effect::Erase(place) in effects {
                self.store.erase(place);
                erased.push(place);
            }
        }
        erased
    }

    pub fn decide(&mut self, wish: Wish) -> Result<Vec<Fact>, DeskRefusal> {
        self.at_desk(|desk| desk.decide(wish))
    }

    pub fn at_desk<T>(&mut self, run: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let (random, signer) = (&mut self.random, self.signer);
        run(&mut Desk {
            model: &self.model,
            rows: &self.store,
            now: self.now,
            random: &mut |bytes| fill(random, signer, bytes),
            key: &key(signer),
        })
    }

    /// Carries a wish out.
    pub fn wish(&mut self, wish: Wish) -> Vec<Fact> {
        let facts = self.decide(wish).expect("carried out");
        self.apply(&facts);
        facts
    }

    pub fn arrive(&self, arrival: &Arrival) -> Result<Vec<Fact>, Refusal> {
        ingest::decide(&self.model, &self.store, arrival, self.now)
    }

    /// Takes an arrival in.
    pub fn take(&mut self, arrival: &Arrival) -> Vec<Fact> {
        let facts = self.arrive(arrival).expect("taken in");
        self.apply(&facts);
        facts
    }

    pub fn identity(&self) -> Identity {
        let known = &self.model.known[&self.rcp];
        Identity {
            charter: known.charter.clone(),
            card: known.card.clone().expect("a card"),
        }
    }

    /// Runs with what a link may look at.
    pub fn look<T>(&self, run: impl FnOnce(&Context<'_>) -> T) -> T {
        self.look_at(&self.store, run)
    }

    fn look_at<T>(&self, source: &dyn Source, run: impl FnOnce(&Context<'_>) -> T) -> T {
        run(&Context {
            model: &self.model,
            source,
            now: self.now,
            key: &key(self.signer),
            all_erased: self.all_erased,
            linked: &|rcp| self.linked.contains(rcp),
        })
    }

    pub fn circle(&self, name: &str) -> LogId {
        self.model.circle(name).expect("a circle").id
    }

    pub fn log(&self, id: &LogId) -> &Log {
        &self.model.logs[id]
    }

    /// Opens a circle with these readers.
    pub fn open(&mut self, name: &str, open: bool, relay: bool, readers: &[&Self]) -> LogId {
        let name = name.to_owned();
        self.wish(Wish::OpenCircle {
            name: name.clone(),
            open,
            relay,
        });
        let log = self.circle(&name);
        if !readers.is_empty() {
            self.admit(log, readers);
        }
        log
    }

    /// Says that these read a circle, without end.
    pub fn admit(&mut self, log: LogId, readers: &[&Self]) {
        let readers = readers.iter().map(|node| (node.rcp, UnixMillis(0)));
        let readers = readers.collect();
        self.wish(Wish::SetReaders { log, readers });
    }

    pub fn draft(&self, id: RecordId, text: &str, circles: Option<&[LogId]>) -> ToPublish {
        ToPublish {
            record: id,
            kind: 1,
            body: text.as_bytes().to_vec(),
            links: Vec::new(),
            circles: circles.map(<[LogId]>::to_vec),
            draft: self.model.drafts.get(&id).map(|draft| draft.place),
            hand: None,
        }
    }

    /// Publishes a version of the record with this text; gives its version.
    pub fn publish(&mut self, byte: u8, text: &str, circles: &[LogId]) -> u64 {
        let draft = self.draft(record(byte), text, Some(circles));
        self.wish(Wish::Publish(draft));
        self.row(byte).last_version()
    }

    pub fn withdraw(&mut self, byte: u8, up_to: Option<u64>) -> Vec<Fact> {
        self.wish(Wish::Withdraw {
            record: record(byte),
            up_to,
            reason: WithdrawalReason::Error,
            note: None,
            replacement: None,
        })
    }

    /// The row of a record of its own.
    pub fn row(&self, byte: u8) -> RecordRow {
        self.row_of(&self.rcp, byte)
    }

    pub fn row_of(&self, rcp: &RcpId, byte: u8) -> RecordRow {
        let (rcp, record) = (*rcp, record(byte));
        let row = self.store.row(&RecordKey { rcp, record });
        row.unwrap_or_default()
    }

    /// The record behind a line of a log of its own.
    pub fn record_at(&self, log: &LogId, index: u64) -> VerifiedRecord {
        let found = crate::serve::record_at(&self.store, self.log(log), index);
        let charter = self.model.charter(&self.rcp).expect("a charter");
        found.expect("a record").verify(charter).expect("verified")
    }
}

/// Pairs two nodes, up to where both wait for a person to compare the safety numbers.
pub(crate) fn meet(one: &mut Node, other: &mut Node) {
    let token = Token::new([one.signer ^ other.signer; 32]);
    one.wish(Wish::Invite { token });
    let identity = Box::new(one.identity());
    other.wish(Wish::Accept { identity, token });
    let identity = Box::new(other.identity());
    one.wish(Wish::Redeem { identity, token });
    other.wish(Wish::Answered { rcp: one.rcp });
}

/// Pairs two nodes.
pub(crate) fn pair(one: &mut Node, other: &mut Node) {
    meet(one, other);
    one.wish(Wish::Confirm { rcp: other.rcp });
    other.wish(Wish::Confirm { rcp: one.rcp });
}

/// What the lines among facts do, each with its log.
pub(crate) fn acts(facts: &[Fact]) -> Vec<(LogId, Act)> {
    let mut acts = Vec::new();
    for fact in facts {
        if let Fact::Lines { log, lines, .. } = fact {
            for line in lines {
                let Ok(ReadLine::Line(line)) = read_line(line) else {
                    panic!("a line of ours reads");
                };
                acts.push((*log, line.act));
            }
        }
    }
    acts
}

/// A node with these active partners.
pub(crate) fn partner_of(bytes: &[u8]) -> Node {
    let mut me = Node::new(super::ME);
    for byte in bytes {
        let found = identity(&charter(*byte), *byte);
        me.take(&Arrival::Identity(Box::new(found)));
        me.treat(*byte, PeerState::Active);
    }
    me
}

impl Node {
    /// A partner is in this state from now on.
    pub fn treat(&mut self, byte: u8, state: PeerState) {
        let (rcp, at) = (super::rcp(byte), self.now);
        self.apply(&[Fact::Peer { rcp, state, at }]);
    }
}
