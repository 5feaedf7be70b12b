//! A bundle, taken in: through the door that a connection goes through.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;

use corridor_proto::bundle::Part;
use corridor_proto::{LogId, RcpId, Refusal, StartNumber, v1};
use corridor_rules::PeerState;
use corridor_rules::bundle::Lead;
use corridor_rules::desk::Wish;
use corridor_rules::ingest::{Arrival, Unverified, judge};
use corridor_rules::link::{Closing, Input, Link, Output};
use corridor_store::{Item, StoreError};
use tokio::runtime::Handle;

use super::open::Proved;
use super::{BundleError, Bundles, read_error, seal, told};
use crate::edge;
use crate::exchange::budgets::Cost;
use crate::exchange::drive::{End, in_context, take_in, take_in_judged};

/// Different refusals that are told.
const REFUSED_TOLD_MAX: usize = 64;

/// A bundle that is being taken in.
struct Taking<'a> {
    bundles: &'a Bundles,
    link: Link,
    sender: RcpId,
    /// Whether it is no copy of an older one: then its start number is noted.
    is_news: bool,
    leads: BTreeMap<LogId, Lead>,
    refused: Vec<String>,
}

impl Bundles {
    /// Takes a bundle in that has proved itself; `tell` hears how many parts are taken. Not for
    /// asynchronous threads, but on one of a runtime.
    ///
    /// # Errors
    /// [`BundleError`]. What was taken in before stays: bringing the bundle again goes on.
    pub fn take(
        &self,
        file: &File,
        proved: Proved,
        tell: &mut dyn FnMut(u64),
    ) -> Result<v1::Bundle, BundleError> {
        let mut told = self.tell(file, &proved)?;
        let Proved {
            header,
            identity,
            charter,
            look,
            ..
        } = proved;
        let sender = header.sender;
        let shows = look.shows();
        let mut taking = Taking {
            bundles: self,
            link: Link::on_paper(sender),
            sender,
            is_news: look.is_news(),
            leads: look.leads(),
            refused: Vec::new(),
        };
        taking.arrival(Arrival::Identity(Box::new(identity)))?;
        self.answered(&sender)?;
        taking.feed(Input::Start)?;
        let key = seal::identity(&self.keys)?;
        let (mut reader, _) = self.clear(file, &key)?;
        let mut fresh = false;
        loop {
            let behind = reader.parts();
            let part = reader.next(&charter);
            let part = part.map_err(|error| read_error(error, behind))?;
            match part {
                Some(Part::Session(frame)) => {
                    fresh |= self.is_answer(&frame);
                    taking.feed(Input::Session(frame))?;
                }
                Some(Part::Carry(frame)) => taking.carry(frame)?,
                Some(Part::Unknown) => {}
                None => break,
            }
            if *self.exchange.stopped.borrow() {
                return Err(BundleError::NodeEnds);
            }
            tell(reader.parts());
        }
        if shows && fresh {
            // It was made after this start was seen: nothing newer of ours is with it.
            self.exchange.statuses.shown(sender);
        }
        told.refused = taking.refused;
        self.exchange.store.read(|view| {
            told.texts_missing = told::missing(view, &sender);
            told.remark = String::new();
            told::name_again(view, &sender, &mut told.circles);
        });
        Ok(told)
    }

    /// A bundle is made for those alone whom its sender accepted: it answers an acceptance of ours.
    fn answered(&self, sender: &RcpId) -> Result<(), BundleError> {
        let store = &self.exchange.store;
        let state = store.read(|view| view.peer_state(sender));
        if state == Some(PeerState::Invited) {
            let wish = Wish::Answered { rcp: *sender };
            store.append_blocking(Item::Wish(wish), edge::now())?;
        }
        Ok(())
    }

    /// Whether a hello gives back the number of our present start.
    fn is_answer(&self, frame: &v1::SessionFrame) -> bool {
        let Some(v1::session_frame::Frame::Hello(hello)) = &frame.frame else {
            return false;
        };
        let seen = StartNumber::from_slice(&hello.last_start_number).ok();
        seen == Some(self.exchange.store.read(|view| view.start))
    }
}

impl Taking<'_> {
    /// A frame of `Carry`; lines are led to a head that is here and not yet reached.
    fn carry(&mut self, frame: v1::CarryFrame) -> Result<(), BundleError> {
        if let Some(v1::carry_frame::Frame::Package(package)) = &frame.frame {
            let id = LogId::from_slice(&package.log)?;
            if let Some(lead) = self.leads.get(&id) {
                let store = &self.bundles.exchange.store;
                let led = store.read(|view| lead.lead(view.logs.get(&id), package));
                if let Some(led) = led {
                    let frame = Some(v1::carry_frame::Frame::Package(led));
                    self.feed(Input::Carry(v1::CarryFrame { frame }))?;
                    let is_pending = store.read(|view| {
                        let log = view.logs.get(&id);
                        log.is_some_and(|log| log.pending(view).is_some())
                    });
                    if is_pending {
                        return Ok(());
                    }
                }
            }
        }
        self.feed(Input::Carry(frame))
    }

    /// Feeds an input to the link, and carries out what follows from it.
    fn feed(&mut self, input: Input) -> Result<(), BundleError> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            if let Input::Refused(refusal) = &input {
                self.refused(*refusal);
            }
            let before = self.link.refusals();
            let (exchange, link) = (&self.bundles.exchange, &mut self.link);
            let outputs = in_context(exchange, |context| link.handle(input, context));
            let refusals = u64::from(self.link.refusals().saturating_sub(before));
            if let Some(refusal) = self.link.last_refusal().filter(|_| refusals > 0) {
                self.refused(refusal);
                let cost = Cost {
                    refusals,
                    ..Cost::default()
                };
                exchange.budgets.spend(self.sender, &cost, edge::now());
            }
            for output in outputs {
                match output {
                    Output::Arrival(arrival) => {
                        if self.is_good_news(&arrival) {
                            inputs.push(self.arrival(arrival)?);
                        }
                    }
                    Output::Verify(unverified) => inputs.extend(self.judge(unverified)?),
                    Output::Close(why) => return Err(self.closed(why)),
                    Output::Session(_) | Output::Carry(_) | Output::More => {}
                }
            }
        }
        Ok(())
    }

    /// Whether an arrival is news also from a file: an older one says an older start number.
    fn is_good_news(&self, arrival: &Arrival) -> bool {
        !matches!(arrival, Arrival::Start { .. }) || self.is_news || {
            let store = &self.bundles.exchange.store;
            let peer = store.read(|view| view.peers.get(&self.sender).cloned());
            peer.is_some_and(|peer| peer.start.number.is_zero())
        }
    }

    fn arrival(&self, arrival: Arrival) -> Result<Input, BundleError> {
        let taken = take_in(&self.bundles.exchange, self.sender, arrival);
        done(Handle::current().block_on(taken))
    }

    /// Judges records by the charter of the RCP whose log names them, whoever wrote the file.
    fn judge(&self, unverified: Unverified) -> Result<Vec<Input>, BundleError> {
        let store = &self.bundles.exchange.store;
        let charter = store.read(|view| view.charter(&unverified.owner).cloned());
        let Some(charter) = charter else {
            return Ok(Vec::new());
        };
        let judged = judge(&charter, unverified);
        let taken = take_in_judged(&self.bundles.exchange, self.sender, judged);
        done(Handle::current().block_on(taken))
    }

    fn refused(&mut self, refusal: Refusal) {
        let words = refusal.to_string();
        if self.refused.len() < REFUSED_TOLD_MAX && !self.refused.contains(&words) {
            self.refused.push(words);
        }
    }

    /// Why the link takes nothing further.
    fn closed(&self, why: Closing) -> BundleError {
        let sender = self.bundles.called(&self.sender);
        match why {
            Closing::NotAllowed => BundleError::FromStranger(sender),
            Closing::TooManyRefusals => BundleError::TooMuchRefused(sender),
            Closing::SigningStopped | Closing::Restarted => BundleError::SigningStopped,
            Closing::NoCommonVersion => {
                Refusal::new("bundle", corridor_proto::Reason::NoCommonVersion).into()
            }
            _ => BundleError::RightLost(sender),
        }
    }
}

fn done<T>(outcome: ControlFlow<End, T>) -> Result<T, BundleError> {
    match outcome {
        ControlFlow::Continue(done) => Ok(done),
        ControlFlow::Break(end) => Err(StoreError::Stopped(end.why).into()),
    }
}
