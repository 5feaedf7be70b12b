//! Runs one link over the two streams of a connection.
//!
//! Frames go in one at a time, and whatever a frame brings is durable before the next one is looked
//! at. **Invariant:** bounded channels only; what waits is the other side's credit.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use corridor_proto::{RcpId, Refusal, v1};
use corridor_rules::ingest::{Arrival, Judged, Unverified, judge};
use corridor_rules::link::{Closing, Context, Input, Link, Output};
use corridor_store::{Item, StoreError};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::{Exchange, Lease};
use crate::edge;
use crate::limits::TICK;

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
}

/// Runs a link to `peer` until it ends, and says why in words.
pub async fn drive(
    exchange: &Arc<Exchange>,
    peer: RcpId,
    dialled_by: RcpId,
    streams: Streams,
) -> String {
    let Some(lease) = exchange.register(peer, dialled_by) else {
        return "there is another connection already".to_owned();
    };
    tracing::info!(%peer, "peer up");
    let mut driver = Driver {
        exchange,
        link: Link::new(peer),
        peer,
        streams,
        more: false,
    };
    let why = driver.run(&lease).await;
    tracing::info!(%peer, why, "peer down");
    exchange.statuses.trouble(peer, why.clone());
    drop(lease);
    why
}

struct Driver<'a> {
    exchange: &'a Arc<Exchange>,
    link: Link,
    peer: RcpId,
    streams: Streams,
    more: bool,
}

impl Driver<'_> {
    async fn run(&mut self, lease: &Lease<'_>) -> String {
        let mut changed = self.exchange.changes();
        let mut cancelled = lease.cancelled.clone();
        let mut stopped = self.exchange.stopped.clone();
        let mut tick = tokio::time::interval(TICK);
        let mut input = Input::Start;
        loop {
            if let ControlFlow::Break(why) = self.step(input).await {
                return why;
            }
            self.note_status();
            input = tokio::select! {
                frame = self.streams.session_in.next() => match frame {
                    Some(Ok(frame)) => Input::Session(frame),
                    ended => return ending(ended.and_then(Result::err)),
                },
                frame = self.streams.carry_in.next() => match frame {
                    Some(Ok(frame)) => Input::Carry(frame),
                    ended => return ending(ended.and_then(Result::err)),
                },
                () = std::future::ready(()), if self.more => Input::Changed,
                Ok(()) = changed.changed() => Input::Changed,
                _ = tick.tick() => Input::Changed,
                _ = stopped.wait_for(|stopped| *stopped) => return "this node stops".to_owned(),
                _ = cancelled.wait_for(|cancelled| *cancelled) => {
                    return "another connection to the same node took its place".to_owned();
                }
            };
        }
    }

    /// Feeds an input and carries out what follows from it.
    async fn step(&mut self, input: Input) -> ControlFlow<String> {
        self.more = false;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.handle(input) {
                match output {
                    Output::Session(frame) => {
                        if self.streams.session_out.send(frame).await.is_err() {
                            return ControlFlow::Break(ending(None));
                        }
                    }
                    Output::Carry(frame) => {
                        if self.streams.carry_out.send(frame).await.is_err() {
                            return ControlFlow::Break(ending(None));
                        }
                    }
                    Output::Arrival(arrival) => inputs.push(self.take_in(arrival).await?),
                    Output::Verify(unverified) => {
                        let judged = self.judge(unverified);
                        for arrival in judged.arrivals {
                            inputs.push(self.take_in(arrival).await?);
                        }
                        inputs.extend(judged.refusals.into_iter().map(|refusal| {
                            self.say_refused(&refusal);
                            Input::Refused(refusal)
                        }));
                    }
                    Output::More => self.more = true,
                    Output::Close(why) => return ControlFlow::Break(closing(why).to_owned()),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        let key = self.exchange.store.key();
        let link = &mut self.link;
        self.exchange.store.read(|view| {
            let context = Context {
                model: view,
                source: view,
                now: edge::now(),
                key: &key,
                all_erased: view.all_erased(),
            };
            link.handle(input, &context)
        })
    }

    fn say_refused(&self, refusal: &Refusal) {
        let (peer, reason) = (self.peer, refusal.reason.code());
        tracing::warn!(%peer, reason, what = refusal.what, "refused");
    }

    async fn take_in(&mut self, arrival: Arrival) -> ControlFlow<String, Input> {
        if let Arrival::Bad { rcp, reason, .. } = &arrival {
            tracing::warn!(%rcp, reason = reason.code(), "record quarantined");
        }
        match self.exchange.append(Item::Arrival(arrival)).await {
            Ok(_) => ControlFlow::Continue(Input::Changed),
            Err(StoreError::Refused(refusal)) => {
                self.say_refused(&refusal);
                ControlFlow::Continue(Input::Refused(refusal))
            }
            Err(error) => ControlFlow::Break(error.to_string()),
        }
    }

    /// Verifies signatures, off the one writer.
    fn judge(&self, unverified: Unverified) -> Judged {
        let peer = self.peer;
        let charter = self
            .exchange
            .store
            .read(|view| view.charter(&peer).cloned());
        charter.map_or_else(Judged::default, |charter| judge(&charter, unverified))
    }

    fn note_status(&self) {
        let key = self.exchange.store.key();
        let is_quiet = self.exchange.store.read(|view| {
            let context = Context {
                model: view,
                source: view,
                now: edge::now(),
                key: &key,
                all_erased: view.all_erased(),
            };
            self.link.is_quiet(&context)
        });
        let (served_as, refused) = (self.link.served_as(), self.link.last_refusal());
        self.exchange
            .statuses
            .link(self.peer, is_quiet && !self.more, served_as, refused);
    }
}

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
        Closing::NoHello => {
            "it did not introduce itself as a node of this protocol; ask its operator"
        }
    }
}
