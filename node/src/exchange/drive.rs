//! Runs one link over the two streams of a connection.
//!
//! Frames go in one at a time, and whatever a frame brings is durable before the next one is looked
//! at. Records alone are judged while those before them are being stored, and stored in order. A
//! peer that takes nothing is waited for, but not longer than its right lasts.
//! **Invariant:** bounded channels only; what waits is the other side's credit.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use corridor_proto::charter::Charter;
use corridor_proto::{Hash, RcpId, Refusal, v1};
use corridor_rules::Fact;
use corridor_rules::ingest::{Arrival, Judged, Unverified, judge};
use corridor_rules::link::{Closing, Context, Input, Link, Output};
use corridor_store::{Item, StoreError};
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::Exchange;
use super::budgets::Cost;
use super::cut::Cut;
use crate::edge;
use crate::limits::{JUDGING_MAX, LAST_WORDS, TICK};
use crate::operate::metrics::Came;

/// Frames as they come in.
pub type Incoming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The two streams of a connection, both ways.
pub struct Streams {
    /// Session frames from the peer.
    pub session_in: Incoming<v1::SessionFrame>,
    /// Session frames to the peer.
    pub session_out: mpsc::Sender<v1::SessionFrame>,
    /// Carry frames from the peer.
    pub carry_in: Incoming<v1::CarryFrame>,
    /// Carry frames to the peer.
    pub carry_out: mpsc::Sender<v1::CarryFrame>,
    /// Hash of the transport key that the peer showed.
    pub key: Hash,
    /// Cuts the connection.
    pub cut: Cut,
}

/// Why a link ended.
pub(crate) struct End {
    /// In words.
    pub(crate) why: String,
    /// Whether not one more byte may leave; otherwise what was said last is still sent.
    at_once: bool,
}

impl End {
    const fn gently(why: String) -> Self {
        Self {
            why,
            at_once: false,
        }
    }
}

/// Runs a link to `peer` until it ends, and says why in words.
pub async fn drive(
    exchange: &Arc<Exchange>,
    peer: RcpId,
    dialled_by: RcpId,
    streams: Streams,
) -> String {
    if exchange.budgets.banned_ms(peer, edge::now()) > 0 {
        streams.cut.now();
        return BANNED.to_owned();
    }
    let Some(lease) = exchange.register(peer, dialled_by) else {
        return "there is another connection already".to_owned();
    };
    tracing::info!(%peer, "peer up");
    let cut = streams.cut.clone();
    let mut driver = Driver {
        exchange,
        link: Link::new(peer),
        peer,
        streams,
        cancelled: lease.cancelled.clone(),
        judging: VecDeque::new(),
        before: None,
        more: false,
        over: None,
        said: 0,
    };
    let End { why, at_once } = driver.run().await;
    let frame_bytes = driver.said;
    drop(driver);
    if at_once {
        cut.now();
    } else {
        tokio::spawn(async move {
            tokio::time::sleep(LAST_WORDS).await;
            cut.now();
        });
    }
    tracing::info!(%peer, why, frame_bytes, "peer down");
    exchange.statuses.trouble(peer, why.clone());
    drop(lease);
    why
}

struct Driver<'a> {
    exchange: &'a Arc<Exchange>,
    link: Link,
    peer: RcpId,
    streams: Streams,
    cancelled: watch::Receiver<bool>,
    /// Records that are being judged and stored, in the order in which they came.
    judging: Judging,
    /// Ends when the last of them are stored.
    before: Option<oneshot::Receiver<()>>,
    more: bool,
    /// What it is over its budget of.
    over: Option<&'static str>,
    /// Bytes of the frames that it was sent.
    said: u64,
}

/// What is to be fed once records are stored.
pub(crate) type Stored = ControlFlow<End, Vec<Input>>;
type Judging = VecDeque<JoinHandle<Result<Stored, JoinError>>>;

/// What happens next to a link.
enum Next {
    Input(Input),
    Stored(Result<Stored, JoinError>),
}

impl Driver<'_> {
    async fn run(&mut self) -> End {
        let mut changed = self.exchange.changes();
        let mut cancelled = self.cancelled.clone();
        let mut stopped = self.exchange.stopped.clone();
        let mut tick = tokio::time::interval(TICK);
        let mut next = Next::Input(Input::Start);
        loop {
            if self.frames_wait()
                && let Some(end) = self.must_end()
            {
                return end;
            }
            if let ControlFlow::Break(end) = self.carry_out(next).await {
                return end;
            }
            if self.is_unpinned() {
                return End::gently("its transport key was replaced".to_owned());
            }
            if self.link.has_stopped_serving() {
                return End::gently("it lost a right to read".to_owned());
            }
            self.note_status();
            if self.is_banned() {
                return End::gently(BANNED.to_owned());
            }
            let is_read = self.judging.len() < JUDGING_MAX && !self.is_over_budget();
            next = tokio::select! {
                Some(stored) = first(&mut self.judging) => {
                    self.judging.pop_front();
                    Next::Stored(stored)
                }
                frame = self.streams.session_in.next(), if is_read => match frame {
                    Some(Ok(frame)) => Next::Input(Input::Session(frame)),
                    ended => return End::gently(ending(ended.and_then(Result::err))),
                },
                frame = self.streams.carry_in.next(), if is_read => match frame {
                    Some(Ok(frame)) => Next::Input(Input::Carry(frame)),
                    ended => return End::gently(ending(ended.and_then(Result::err))),
                },
                () = std::future::ready(()), if self.more => Next::Input(Input::Changed),
                Ok(()) = changed.changed() => Next::Input(Input::Changed),
                _ = tick.tick() => Next::Input(Input::Changed),
                _ = stopped.wait_for(|stopped| *stopped) => return End::gently(STOPS.to_owned()),
                _ = cancelled.wait_for(|cancelled| *cancelled) => {
                    return End::gently(REPLACED.to_owned());
                }
            };
        }
    }

    /// What comes behind records waits until these are stored, but for more records.
    async fn carry_out(&mut self, next: Next) -> ControlFlow<End> {
        let inputs = match next {
            Next::Input(input) => {
                self.spend(&cost(&input));
                if !may_overtake(&input) {
                    let inputs = self.all_stored().await?;
                    self.step(inputs).await?;
                }
                vec![input]
            }
            Next::Stored(stored) => self.stored(stored)?,
        };
        self.step(inputs).await
    }

    /// Feeds inputs, the last one first, and carries out what follows from them.
    async fn step(&mut self, mut inputs: Vec<Input>) -> ControlFlow<End> {
        while let Some(input) = inputs.pop() {
            self.more = false;
            for output in self.handle(input) {
                match output {
                    Output::Session(frame) => {
                        self.said += count(frame.encoded_len());
                        let out = self.streams.session_out.clone();
                        self.send(out, frame).await?;
                    }
                    Output::Carry(frame) => {
                        self.said += count(frame.encoded_len());
                        let out = self.streams.carry_out.clone();
                        self.send(out, frame).await?;
                    }
                    Output::Arrival(arrival) => {
                        inputs.push(take_in(self.exchange, self.peer, arrival).await?);
                    }
                    Output::Verify(unverified) => {
                        self.spend(&Cost {
                            verifications: count(unverified.records.len()),
                            ..Cost::default()
                        });
                        let is_ours = unverified.owner == self.exchange.me();
                        let judging = self.judge(unverified);
                        self.judging.push_back(judging);
                        // A reader forgets what it gave back once it is told of our restart.
                        if is_ours {
                            inputs.extend(self.all_stored().await?);
                        }
                    }
                    Output::More => self.more = true,
                    Output::Close(why) => {
                        return ControlFlow::Break(End::gently(closing(why).to_owned()));
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Waits until all records that came are stored; gives what is to be fed.
    async fn all_stored(&mut self) -> Stored {
        let mut inputs = Vec::new();
        while let Some(stored) = first(&mut self.judging).await {
            self.judging.pop_front();
            inputs.extend(self.stored(stored)?);
        }
        ControlFlow::Continue(inputs)
    }

    fn stored(&self, stored: Result<Stored, JoinError>) -> Stored {
        stored.unwrap_or_else(|error| {
            tracing::error!(peer = %self.peer, %error, "records were not verified");
            ControlFlow::Break(End::gently("records could not be verified".to_owned()))
        })
    }

    /// Waits until the peer takes a frame, as long as it may have it.
    async fn send<T>(&mut self, out: mpsc::Sender<T>, frame: T) -> ControlFlow<End> {
        let mut changed = self.exchange.changes();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                // First: last words, such as why it ends, are said if there is room for them.
                biased;
                place = out.reserve() => return match place {
                    Ok(place) => {
                        place.send(frame);
                        ControlFlow::Continue(())
                    }
                    Err(_) => ControlFlow::Break(End::gently(ending(None))),
                },
                Ok(()) = changed.changed() => {}
                _ = tick.tick() => {}
            }
            if let Some(end) = self.must_end() {
                return ControlFlow::Break(end);
            }
        }
    }

    /// Whether frames wait for the peer to take them.
    fn frames_wait(&self) -> bool {
        self.streams.carry_out.capacity() < self.streams.carry_out.max_capacity()
    }

    /// Why nothing of what waits may reach the peer any more, if so.
    fn must_end(&self) -> Option<End> {
        let why = if *self.cancelled.borrow() {
            REPLACED
        } else if *self.exchange.stopped.borrow() {
            STOPS
        } else if self.is_unpinned() {
            "its transport key was replaced"
        } else if self.look(|link, context| link.has_lost_a_right(context)) {
            "it lost a right while it took nothing"
        } else {
            return None;
        };
        Some(End {
            why: why.to_owned(),
            at_once: true,
        })
    }

    /// Whether the peer's newest card names another key than the one it showed.
    fn is_unpinned(&self) -> bool {
        self.exchange.store.read(|view| {
            let card = view
                .known
                .get(&self.peer)
                .and_then(|known| known.card.as_ref());
            card.is_some_and(|card| card.card().tls_key != self.streams.key)
        })
    }

    fn look<T>(&self, look: impl FnOnce(&Link, &Context<'_>) -> T) -> T {
        in_context(self.exchange, |context| look(&self.link, context))
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        let (exchange, link) = (self.exchange, &mut self.link);
        let refused_before = link.refusals();
        let outputs = in_context(exchange, |context| link.handle(input, context));
        self.spend(&Cost {
            refusals: u64::from(self.link.refusals() - refused_before),
            ..Cost::default()
        });
        outputs
    }

    /// Verifies signatures, off the one writer and off the threads that carry frames, while those
    /// before are being stored; then stores what is good.
    fn judge(&mut self, unverified: Unverified) -> JoinHandle<Result<Stored, JoinError>> {
        let (exchange, peer, owner) = (Arc::clone(self.exchange), self.peer, unverified.owner);
        let (stored, behind) = oneshot::channel();
        let before = self.before.replace(behind);
        tokio::spawn(async move {
            let charter = exchange.store.read(|view| view.charter(&owner).cloned());
            let key_seq = charter.as_ref().map(Charter::current_seq);
            let turn = exchange.judges.acquire().await;
            let judge =
                move || charter.map_or_else(Judged::default, |charter| judge(&charter, unverified));
            let judged = tokio::task::spawn_blocking(judge).await;
            drop(turn);
            if let Some(before) = before {
                // It ends when those before are stored, or never will be.
                let _ = before.await;
            }
            let now = exchange
                .store
                .read(|view| view.charter(&owner).map(Charter::current_seq));
            // Behind a rotation all heads are announced again, and what is missing asked for.
            let judged = if now == key_seq {
                judged?
            } else {
                Judged::default()
            };
            let inputs = take_in_judged(&exchange, peer, judged).await;
            drop(stored);
            Ok(inputs)
        })
    }

    fn spend(&self, cost: &Cost) {
        self.exchange.budgets.spend(self.peer, cost, edge::now());
    }

    /// Whether too much of what it sent was refused, on this connection and others.
    fn is_banned(&self) -> bool {
        self.exchange.budgets.banned_ms(self.peer, edge::now()) > 0
    }

    /// Whether it is to be read no further now. It is looked at again with each tick.
    fn is_over_budget(&mut self) -> bool {
        let peer = self.peer;
        let over = self.exchange.budgets.over(peer, edge::now());
        let what = over.map(|over| over.what);
        if let (Some(over), true) = (over, what != self.over) {
            let wait_ms = over.wait_ms;
            tracing::warn!(%peer, what, wait_ms, "over its budget");
        }
        self.over = what;
        self.exchange.statuses.over_budget(peer, what);
        what.is_some()
    }

    fn note_status(&self) {
        let is_quiet = self.look(Link::is_quiet);
        let is_quiet = is_quiet && !self.more && self.judging.is_empty();
        self.exchange.statuses.link(self.peer, &self.link, is_quiet);
    }
}

/// The first of what is being judged, once it is stored; stays where it is.
async fn first(judging: &mut Judging) -> Option<Result<Stored, JoinError>> {
    let first = judging.front_mut()?;
    Some(first.await.flatten())
}

fn say_refused(exchange: &Exchange, peer: RcpId, refusal: &Refusal) {
    let meters = &exchange.meters;
    meters.came(peer, Came::Refused, Some(refusal.reason), 1);
    let reason = refusal.reason.code();
    tracing::warn!(%peer, reason, what = refusal.what, "refused");
}

/// Stores what was judged; gives what is to be fed.
pub(crate) async fn take_in_judged(exchange: &Exchange, peer: RcpId, judged: Judged) -> Stored {
    let mut inputs = Vec::new();
    for arrival in judged.arrivals {
        inputs.push(take_in(exchange, peer, arrival).await?);
    }
    inputs.extend(judged.refusals.into_iter().map(|refusal| {
        say_refused(exchange, peer, &refusal);
        Input::Refused(refusal)
    }));
    ControlFlow::Continue(inputs)
}

/// Takes in what came from a peer; gives what is to be fed.
pub(crate) async fn take_in(
    exchange: &Exchange,
    peer: RcpId,
    arrival: Arrival,
) -> ControlFlow<End, Input> {
    if let Arrival::Bad { rcp, reason, .. } = &arrival {
        tracing::warn!(%rcp, reason = reason.code(), "record quarantined");
        exchange
            .meters
            .came(peer, Came::Quarantined, Some(*reason), 1);
    }
    let is_void = matches!(arrival, Arrival::VoidPackage { .. });
    let outcome = exchange.append(Item::Arrival(arrival)).await;
    // What it withdrew is owed to everybody, and at once.
    if is_void
        && outcome.is_ok()
        && let Err(error) = exchange.append(Item::Due).await
    {
        tracing::error!(%error, "what void lines withdrew is not said again");
    }
    match outcome {
        Ok(done) => {
            let cost = Cost {
                disk: done.facts.iter().map(stored_bytes).sum(),
                ..Cost::default()
            };
            exchange.budgets.spend(peer, &cost, edge::now());
            let records = done.facts.iter();
            let records = records.filter(|fact| matches!(fact, Fact::Record { .. }));
            let records = count(records.count());
            exchange.meters.came(peer, Came::Accepted, None, records);
            ControlFlow::Continue(Input::Changed)
        }
        Err(StoreError::Refused(refusal)) => {
            say_refused(exchange, peer, &refusal);
            ControlFlow::Continue(Input::Refused(refusal))
        }
        Err(error) => ControlFlow::Break(End::gently(error.to_string())),
    }
}

/// Whether an input may go before records that came earlier and are not yet stored.
const fn may_overtake(input: &Input) -> bool {
    match input {
        Input::Changed => true,
        Input::Carry(frame) => matches!(frame.frame, Some(v1::carry_frame::Frame::Records(_))),
        _ => false,
    }
}

/// Lets a link look at the node as it is now.
pub(crate) fn in_context<T>(exchange: &Exchange, look: impl FnOnce(&Context<'_>) -> T) -> T {
    let key = exchange.store.key();
    exchange.store.read(|view| {
        look(&Context {
            model: view,
            source: view,
            now: edge::now(),
            key: &key,
            all_erased: view.all_erased(),
            linked: &|rcp| exchange.is_connected(rcp),
        })
    })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What a frame costs before anything is known of it. What comes on the session is mostly signed.
fn cost(input: &Input) -> Cost {
    match input {
        Input::Session(frame) => Cost {
            bytes: count(frame.encoded_len()),
            verifications: match &frame.frame {
                // Each by two keys.
                Some(v1::session_frame::Frame::Identity(of)) => 2 * count(of.key_events.len()),
                _ => 1,
            },
            ..Cost::default()
        },
        Input::Carry(frame) => Cost {
            bytes: count(frame.encoded_len()),
            ..Cost::default()
        },
        Input::Start | Input::Changed | Input::Refused(_) => Cost::default(),
    }
}

/// Bytes of a fact that is nothing but numbers and hashes, in the journal.
const SMALL_FACT_BYTES: usize = 128;

/// Bytes of a fact that came from a peer.
fn stored_bytes(fact: &Fact) -> u64 {
    count(match fact {
        Fact::Record { blob, .. } | Fact::Note { blob, .. } | Fact::List { blob, .. } => blob.len(),
        Fact::Lines { lines, .. }
        | Fact::BranchLines { lines, .. }
        | Fact::VoidLines { lines, .. } => lines.iter().map(Vec::len).sum(),
        Fact::Evidence { evidence, .. } => evidence.len(),
        Fact::Held { note, .. } | Fact::Head { note, .. } => note.len(),
        Fact::KeyEvent { event, .. } => event.bytes.len(),
        _ => SMALL_FACT_BYTES,
    })
}

const BANNED: &str = "too much of what it sent was refused; it has to stay away for a while, and \
                      its operator should compare logs with yours";
const STOPS: &str = "this node stops";
const REPLACED: &str = "another connection to the same node took its place";

fn ending(status: Option<Status>) -> String {
    status.map_or_else(
        || "the other side closed the connection".to_owned(),
        |status| format!("the connection broke ({})", status.code()),
    )
}

const fn closing(why: Closing) -> &'static str {
    match why {
        Closing::StateChanged => "the partner's state changed here",
        Closing::NotAllowed => "the partner is not paired with this node",
        Closing::NoCommonVersion => {
            "the two nodes have no protocol version in common; upgrade the older one"
        }
        Closing::CreditExceeded => "it sent more than it was allowed to; tell its operator",
        Closing::TooManyRefusals => "too much of what it sent was refused; tell its operator",
        Closing::Ended => "the other side ended the session",
        Closing::SigningStopped => {
            "this node signs nothing more; see SECURITY.md, \"When a node stops signing\""
        }
        Closing::Restarted => "this node stopped signing or signs again; the session begins anew",
        Closing::NoHello => {
            "it did not introduce itself as a node of this protocol; ask its operator"
        }
    }
}
