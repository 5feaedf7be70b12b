//! One side of a connection to a peer: what it says, asks for and answers.
//!
//! The two sides are alike, whoever dialled. Two streams run side by side: on `Session` the sides
//! say who they are and what they have, on `Carry` lines and records travel, paced by the
//! receiver's credits. Lines come first; records follow, newest first, only those still in force.
//!
//! The driver feeds frames and changes in and carries outputs out; it must have carried out an
//! [`Output::Arrival`] before it feeds the next frame. Records of an [`Output::Verify`] may still
//! be judged while more records come; all of them are stored, in the order in which they came,
//! before any other frame is fed. **Invariant:** every frame that leaves is decided here, after
//! asking [`crate::visibility`]; what a peer may not read and what does not exist are answered
//! alike.

mod branch;
mod carry;
mod greet;
mod own;
mod relay;
mod session;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::key::SecretKey;
use corridor_proto::{Hash, LogId, LogSeed, RcpId, Reason, Refusal, UnixMillis, v1, wire};

use crate::ingest::{Arrival, Unverified};
use crate::limits::{CREDIT_BYTES, HELLO_MS_MAX, REFUSALS_PER_LINK_MAX};
use crate::log::Log;
use crate::model::Model;
use crate::peer::PeerState;
use crate::row::Named;
use crate::serve::{Source, Target};
use crate::visibility::{self, Reader, may_read};

/// What a link may look at.
pub struct Context<'a> {
    /// The state of the node.
    pub model: &'a Model,
    /// Its stored bytes.
    pub source: &'a dyn Source,
    /// The time.
    pub now: UnixMillis,
    /// Our signing key, for receipts.
    pub key: &'a SecretKey,
    /// Whether everything that was to be erased is: a receipt says so.
    pub all_erased: bool,
    /// Whether a connection to this RCP is open now.
    pub linked: &'a dyn Fn(&RcpId) -> bool,
}

/// What happens to a link.
#[derive(Clone, Debug)]
pub enum Input {
    /// The streams are open.
    Start,
    /// A frame came on `Session`.
    Session(v1::SessionFrame),
    /// A frame came on `Carry`.
    Carry(v1::CarryFrame),
    /// The state of the node changed, or a second passed.
    Changed,
    /// What came was refused, when it was judged or by the store.
    Refused(Refusal),
}

/// What a link wants done, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this on `Session`.
    Session(v1::SessionFrame),
    /// Send this on `Carry`.
    Carry(v1::CarryFrame),
    /// Take this in before the next frame.
    Arrival(Arrival),
    /// Judge these records, take in what is good in the order of these outputs, and feed what is
    /// refused. Records of a log of ours are stored before anything else is fed.
    Verify(Unverified),
    /// There is more to do: feed [`Input::Changed`] when this is sent.
    More,
    /// Close the connection.
    Close(Closing),
}

/// Why a connection is closed, for both secretariats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The peer's state changed here.
    StateChanged,
    /// The peer may not exchange with us.
    NotAllowed,
    /// No protocol version in common.
    NoCommonVersion,
    /// The peer sent more than its credit.
    CreditExceeded,
    /// Too many frames of the peer were refused.
    TooManyRefusals,
    /// The peer ended the session.
    Ended,
    /// This node signs nothing more.
    SigningStopped,
    /// The peer's hello was refused, or did not come.
    NoHello,
    /// This node stopped signing, or signs again: the session begins anew.
    Restarted,
}

impl Closing {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::StateChanged => "STATE_CHANGED",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NoCommonVersion => "NO_COMMON_VERSION",
            Self::CreditExceeded => "CREDIT_EXCEEDED",
            Self::TooManyRefusals => "TOO_MANY_REFUSALS",
            Self::Ended => "ENDED_BY_PEER",
            Self::SigningStopped => "SIGNING_STOPPED",
            Self::NoHello => "NO_HELLO",
            Self::Restarted => "RESTARTED",
        }
    }
}

/// A log that the peer follows: ours, or one that we pass on.
#[derive(Clone, Debug)]
struct Serving {
    next: u64,
    first: bool,
    target: Option<Target>,
    /// Of a log that we pass on: where this pull ends. Whoever wants more pulls again.
    until: Option<u64>,
}

impl Serving {
    /// All from this index on, with whatever else the first package brings.
    const fn from(next: u64) -> Self {
        Self {
            next,
            first: true,
            target: None,
            until: None,
        }
    }
}

/// A log that we follow along this connection: the peer's, or one that it passes on.
#[derive(Clone, Debug)]
struct Following {
    owner: RcpId,
    seed: LogSeed,
    /// Whether the peer leads us along it.
    pulled: bool,
    /// Whether there is reason to pull: a head was announced since we last did.
    news: bool,
    /// Whether a package was refused, so that those on their way behind it do not fit.
    refused: bool,
    /// Indexes that were asked for, and what their lines name.
    in_flight: BTreeMap<u64, Named>,
    /// Indexes that were answered: the record came, of this version hash, or is not to be had.
    /// Whatever is missing all the same is asked for again when the log has news.
    answered: BTreeMap<u64, Option<Hash>>,
    /// Incarnation and size of the newest head that was announced.
    announced: (u64, u64),
    /// Whether a head of a higher incarnation was announced than the lines have.
    restarted: bool,
    /// Whether our copy is no beginning of it: the lines are taken again from the first.
    again: bool,
    /// Of a log of ours: how it is given back.
    back: Option<own::Back>,
    /// A second history of it, as far as it was walked.
    branch: Option<branch::Branch>,
    /// Of another RCP's log: how the peer passes it on.
    relayed: Option<relay::Relayed>,
}

impl Following {
    const fn of(owner: RcpId, seed: LogSeed) -> Self {
        Self {
            owner,
            seed,
            pulled: false,
            news: true,
            refused: false,
            in_flight: BTreeMap::new(),
            answered: BTreeMap::new(),
            announced: (0, 0),
            restarted: false,
            again: false,
            back: None,
            branch: None,
            relayed: None,
        }
    }

    /// From where on lines are asked for.
    fn from(&self, log: Option<&Log>) -> u64 {
        if let Some(at) = self.branch.as_ref().and_then(branch::Branch::from) {
            return at;
        }
        match &self.back {
            Some(back) => back.from(log),
            None if self.again => 0,
            None => log.map_or(0, Log::size),
        }
    }

    /// What came does not continue our copy: a restart is followed from the first line.
    fn branches_off(&mut self) {
        match &mut self.back {
            Some(back) => self.news |= back.branches_off(),
            None if self.restarted && !self.again => {
                self.again = true;
                self.news = true;
            }
            // The answer may be damaged, or the log has a second history: that is looked into once.
            None => self.walk(),
        }
    }

    /// The log is walked from its first line, to find where it differs from our copy.
    fn walk(&mut self) {
        if self.branch.is_none() && !self.restarted {
            self.branch = Some(branch::Branch::default());
            self.pulled = false;
            self.news = true;
        }
    }

    /// Forgets the answers that are not to be kept, so that what they brought may be asked for.
    fn forget_answers(&mut self, coming: &mut HashSet<Hash>, keep: impl Fn(u64) -> bool) {
        for (_, came) in self.answered.extract_if(.., |index, _| !keep(*index)) {
            if let Some(came) = came {
                coming.remove(&came);
            }
        }
    }
}

/// One side of a connection.
#[derive(Debug)]
pub struct Link {
    peer: RcpId,
    state: Option<PeerState>,
    started: UnixMillis,
    hello: Option<v1::SessionHello>,
    identities: u32,
    early: Vec<v1::CarryFrame>,
    /// Bytes of the packages among them.
    early_bytes: u64,
    their_have: bool,
    their_have_logs: usize,
    /// What both say in their hellos if they know the same.
    have: Hash,
    announced: BTreeMap<LogId, (u64, u64, u32)>,
    serving: BTreeMap<LogId, Serving>,
    wanted: VecDeque<(LogId, u64, u64)>,
    following: BTreeMap<LogId, Following>,
    /// Versions asked for in any log, and those that came and may not be stored yet: none is asked
    /// for in two.
    coming: HashSet<Hash>,
    credit: i64,
    granted: u64,
    taken: u64,
    to_grant: u64,
    held_sent: BTreeMap<LogId, ((u64, u64), UnixMillis)>,
    /// Incarnation and size of the heads here when the session began, if both sides had the same.
    same: BTreeMap<LogId, (u64, u64)>,
    told: (u32, u64),
    told_delay: Option<UnixMillis>,
    served_as: Option<v1::Serving>,
    delays_ours: Option<UnixMillis>,
    refusals: u32,
    last_refusal: Option<Refusal>,
    arriving: Option<LogId>,
    /// Logs of third RCPs that were told of while texts of them were missing here.
    partly: BTreeSet<LogId>,
    /// When heads of other RCPs' logs were told last.
    relayed_at: UnixMillis,
    /// Pieces of evidence, by their order here, that the peer was told or cannot be told.
    evidence_told: usize,
    /// Receipts for more of logs that are not ours than was here, by log and holder.
    receipts: BTreeMap<(LogId, RcpId), (Checkpoint, Arrival)>,
    /// Heads of third RCPs' logs that are nothing to us as long as their owner, or the peer, is not
    /// confirmed here: the peer tells of each once.
    unheard: BTreeMap<LogId, v1::CheckpointFrame>,
    /// Third RCPs of which the peer was told here who they are: the key event that was current.
    introduced: BTreeMap<RcpId, u32>,
    /// The newest receipts that were passed on: for which incarnation and size, and the seconds at
    /// which they were given.
    passed: BTreeMap<(LogId, RcpId), ((u64, u64), u64)>,
    /// The news of the peer that were noted when they were to be noted anew.
    met: UnixMillis,
    stopped_serving: bool,
    /// Whether nothing was signed here when the link began.
    unsigning: bool,
    /// Whether the peer was told that all that is new to it was announced.
    said_compared: bool,
    /// Whether the peer has told all that is new to us in its logs.
    compared: bool,
    closed: bool,
    /// Whether the peer is a file: what it says is no news, and it answers nothing.
    on_paper: bool,
}

impl Link {
    /// A link to `peer` over a connection just opened.
    pub fn new(peer: RcpId) -> Self {
        Self {
            peer,
            on_paper: false,
            state: None,
            started: UnixMillis(0),
            hello: None,
            identities: 0,
            early: Vec::new(),
            early_bytes: 0,
            their_have: false,
            their_have_logs: 0,
            have: Hash::ZERO,
            announced: BTreeMap::new(),
            serving: BTreeMap::new(),
            wanted: VecDeque::new(),
            following: BTreeMap::new(),
            coming: HashSet::new(),
            credit: CREDIT_BYTES.cast_signed(),
            granted: CREDIT_BYTES,
            taken: 0,
            to_grant: 0,
            held_sent: BTreeMap::new(),
            same: BTreeMap::new(),
            told: (0, 0),
            told_delay: None,
            served_as: None,
            delays_ours: None,
            refusals: 0,
            last_refusal: None,
            arriving: None,
            partly: BTreeSet::new(),
            relayed_at: UnixMillis(0),
            evidence_told: 0,
            receipts: BTreeMap::new(),
            unheard: BTreeMap::new(),
            introduced: BTreeMap::new(),
            passed: BTreeMap::new(),
            met: UnixMillis(u64::MAX),
            stopped_serving: false,
            unsigning: false,
            said_compared: false,
            compared: false,
            closed: false,
        }
    }

    /// A link that reads what `peer` wrote into a bundle. The hello in it concludes nothing of what
    /// both have now, and records need not have been asked for: those that are missing are taken.
    pub fn on_paper(peer: RcpId) -> Self {
        Self {
            on_paper: true,
            ..Self::new(peer)
        }
    }

    /// Takes an input in.
    pub fn handle(&mut self, input: Input, context: &Context<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        if self.closed {
            return out;
        }
        if !matches!(input, Input::Refused(_)) {
            self.arriving = None;
        }
        match input {
            Input::Start => self.start(context, &mut out),
            Input::Session(frame) => self.session_frame(frame, context, &mut out),
            Input::Carry(frame) => self.carry_frame(frame, context, &mut out),
            Input::Changed => {}
            Input::Refused(refusal) => self.arrival_refused(refusal, &mut out),
        }
        if self.hello.is_some() && !self.closed {
            for frame in std::mem::take(&mut self.early) {
                self.carry_frame(frame, context, &mut out);
            }
            self.look(context, &mut out);
        } else if !self.closed && context.now.since(self.started) > HELLO_MS_MAX {
            self.close(Closing::NoHello, &mut out);
        }
        out
    }

    /// How the peer says it serves us.
    pub const fn served_as(&self) -> Option<v1::Serving> {
        self.served_as
    }

    /// Until when the peer delays the erasure of what we withdrew, if it does.
    pub const fn delays_ours(&self) -> Option<UnixMillis> {
        self.delays_ours
    }

    /// Whether the peer has shown all that it holds of ours.
    pub const fn has_shown(&self) -> bool {
        self.their_have
    }

    /// How much of the peer's was refused so far.
    pub const fn refusals(&self) -> u32 {
        self.refusals
    }

    /// The last thing of the peer's that was refused.
    pub const fn last_refusal(&self) -> Option<Refusal> {
        self.last_refusal
    }

    /// Whether the peer may have less now than when its frames were composed.
    pub fn has_lost_a_right(&self, context: &Context<'_>) -> bool {
        let state = context.model.peer_state(&self.peer);
        let narrower = state != self.state && !matches!(state, Some(PeerState::Active));
        narrower
            || self
                .serving
                .keys()
                .any(|id| !reads(context, id, &self.peer))
    }

    /// Whether the peer lost a log that it was served. What was sent of it before may still wait
    /// for the peer to take it, until the connection ends.
    pub const fn has_stopped_serving(&self) -> bool {
        self.stopped_serving
    }

    /// Whether both sides have said what they have and nothing is left to send or fetch.
    pub fn is_quiet(&self, context: &Context<'_>) -> bool {
        self.their_have
            && self.wanted.is_empty()
            && self.following.iter().all(|(id, following)| {
                let log = context.model.logs.get(id);
                following.in_flight.is_empty()
                    && (!following.pulled || log.is_some())
                    && !self.is_coming_back(id, log)
            })
            && self.serving.iter().all(|(id, serving)| {
                let held = context
                    .model
                    .logs
                    .get(id)
                    .and_then(|log| log.held_head.as_ref());
                held.is_none_or(|head| {
                    serving.next >= serving.until.unwrap_or(head.checkpoint.size)
                })
            })
            && context
                .model
                .logs
                .values()
                .filter(|log| log.owner == self.peer)
                .all(|log| !log.is_behind() && (log.missing.is_empty() || log.stop.is_some()))
            && (self.unsigning || self.readable(context).all(|log| self.is_announced(log)))
    }

    fn close(&mut self, why: Closing, out: &mut Vec<Output>) {
        if why != Closing::Ended {
            let ended = v1::Ended {
                reason: why.code().to_owned(),
            };
            out.push(session(v1::session_frame::Frame::Ended(ended)));
        }
        self.closed = true;
        out.push(Output::Close(why));
    }

    /// A refused package ends a pull; the next head is a reason to pull again from where we are.
    fn arrival_refused(&mut self, refusal: Refusal, out: &mut Vec<Output>) {
        let log = self.arriving.take();
        if let Some(following) = log.and_then(|log| self.following.get_mut(&log)) {
            following.pulled = false;
            following.refused = true;
            // Our copy is not how the log begins.
            if refusal.reason == Reason::BadProof {
                following.branches_off();
            }
            // Another reader gave lines back meanwhile.
            following.news |= following.back.is_some() && refusal.reason == Reason::OutOfOrder;
        }
        self.refused(refusal, out);
    }

    fn refused(&mut self, refusal: Refusal, out: &mut Vec<Output>) {
        self.refusals += 1;
        self.last_refusal = Some(refusal);
        if self.refusals > REFUSALS_PER_LINK_MAX {
            self.close(Closing::TooManyRefusals, out);
        }
    }

    /// Looks at the state of the node and does what follows from it.
    fn look(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        if context.model.signing_stopped.is_some() != self.unsigning {
            return self.close(Closing::Restarted, out);
        }
        let state = context.model.peer_state(&self.peer);
        if state != self.state {
            if state != Some(PeerState::Active) {
                return self.close(Closing::StateChanged, out);
            }
            self.state = state;
            self.say_state(context, out);
        } else if context.model.delayed_until(&self.peer) != self.told_delay {
            self.say_state(context, out);
        }
        self.hear(context, out);
        self.stop_serving(context, out);
        self.introduce(context, out);
        self.announce(context, out);
        self.announce_relayed(context, out);
        self.tell_evidence(context, out);
        if !self.said_compared && self.has_announced_all(context) {
            self.say_state(context, out);
        }
        self.follow(context, out);
        self.compare(context, out);
        self.hold(context, out);
        self.judge_early_receipts(context, out);
        self.pass_held(context, out);
        self.pump(context, out);
    }

    /// A log that the peer may read no longer: it is told so, and told of its head anew if it may
    /// read it again.
    fn stop_serving(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let peer = self.peer;
        self.announced.retain(|id, _| reads(context, id, &peer));
        self.serving.retain(|id, _| {
            let stays = reads(context, id, &peer);
            if !stays {
                self.stopped_serving = true;
                out.push(gone(id));
            }
            stays
        });
        let serving = &self.serving;
        self.wanted.retain(|(id, ..)| serving.contains_key(id));
    }

    /// The logs of ours that the peer may read.
    fn readable<'a>(&self, context: &Context<'a>) -> impl Iterator<Item = &'a Log> {
        let reader = Reader::Peer(self.peer);
        let (model, now) = (context.model, context.now);
        model.own_logs().filter(move |log| {
            log.held_head.is_some() && may_read(model, log, &reader, now).is_ok()
        })
    }
}

fn reads(context: &Context<'_>, id: &LogId, peer: &RcpId) -> bool {
    visibility::reads(context.model, id, &Reader::Peer(*peer), context.now)
}

fn session(frame: v1::session_frame::Frame) -> Output {
    let frame = Some(frame);
    let padding = Vec::new();
    Output::Session(wire::pad(v1::SessionFrame { frame, padding }))
}

/// That a log is not to be had, or no longer.
fn gone(log: &LogId) -> Output {
    let (log, ranges) = (log.as_bytes().to_vec(), Vec::new());
    carry(v1::carry_frame::Frame::Gone(v1::Gone { log, ranges }))
}

fn carry(frame: v1::carry_frame::Frame) -> Output {
    Output::Carry(v1::CarryFrame { frame: Some(frame) })
}

const fn serving_as(state: Option<PeerState>) -> v1::Serving {
    match state {
        Some(PeerState::Active) => v1::Serving::Active,
        Some(PeerState::Pending) => v1::Serving::Pending,
        Some(PeerState::Paused) => v1::Serving::Paused,
        Some(PeerState::Left) => v1::Serving::Left,
        None | Some(PeerState::Invited) => v1::Serving::Unspecified,
    }
}

/// Key event and card serial of an RCP, as they are known here.
fn identity_of(model: &Model, rcp: &RcpId) -> (u32, u64) {
    let known = model.known.get(rcp);
    let key_seq = known.map_or(0, |known| known.charter.current_seq());
    let card = known.and_then(|known| known.card.as_ref());
    (key_seq, card.map_or(0, |card| card.card().serial))
}

fn introduction(model: &Model) -> (u32, u64) {
    identity_of(model, &model.me)
}

#[cfg(test)]
mod tests;
