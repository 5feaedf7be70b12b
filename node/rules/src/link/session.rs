//! The `Session` side of a link: who we are, what we have, receipts.

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{Checkpoint, Held, SignedCheckpoint};
use corridor_proto::limits::SESSION_LOGS_MAX;
use corridor_proto::wire::Identity;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, v1};

use super::relay::Relayed;
use super::{Closing, Context, Following, Link, Output, session};
use crate::ingest::{Arrival, HEAD_LACKING, may_give};
use crate::limits::{
    HELD_INTERVAL_MS, HELD_LATER_MS, IDENTITIES_PER_LINK_MAX, LOGS_PER_RCP_MAX, NEWS_INTERVAL_MS,
};
use crate::log::Log;
use crate::model::Model;
use crate::peer::{Call, may_call};
use v1::session_frame::Frame;

impl Link {
    pub(super) fn session_frame(
        &mut self,
        frame: v1::SessionFrame,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(frame) = frame.frame else { return };
        let verdict = match (frame, self.hello.is_some()) {
            (Frame::Hello(hello), false) => {
                let verdict = self.hello(hello, context, out);
                if verdict.is_err() {
                    self.close(Closing::NoHello, out);
                }
                verdict
            }
            (Frame::Ended(_), _) => {
                self.close(Closing::Ended, out);
                Ok(())
            }
            (_, false) | (Frame::Hello(_), true) => {
                Err(Refusal::new("session frame", Reason::OutOfOrder))
            }
            (Frame::Identity(identity), true) => self.identity(identity, context, out),
            (Frame::Have(have), true) => self.have(have, context, out),
            (Frame::Checkpoint(frame), true) => {
                let is_own = frame.owner.as_slice() == self.peer.as_bytes().as_slice();
                let verdict = self.checkpoint(frame, context, out);
                // What a third RCP is to us is nothing that a refusal should tell.
                if is_own { verdict } else { Ok(()) }
            }
            (Frame::Held(held), true) => self.held(held, context, out),
            (Frame::State(state), true) => {
                self.served(state);
                Ok(())
            }
            (Frame::Evidence(evidence), true) => {
                out.push(Output::Arrival(Arrival::Evidence {
                    peer: self.peer,
                    evidence: Box::new(evidence),
                }));
                Ok(())
            }
        };
        if let Err(refusal) = verdict {
            self.refused(refusal, out);
        }
    }

    /// The peer's charter and card, a charter of ours that is longer than ours here, or newer keys
    /// of a third partner of ours.
    fn identity(
        &mut self,
        message: v1::Identity,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.identities += 1;
        if self.identities > IDENTITIES_PER_LINK_MAX {
            return Err(Refusal::new("charter", Reason::TooLong));
        }
        let model = context.model;
        let claimed = Identity::claimed(&message);
        if !claimed.is_some_and(|rcp| rcp == model.me || model.peers.contains_key(&rcp)) {
            // To the peer it is a partner of ours; here it is none.
            return Ok(());
        }
        let known = claimed.and_then(|rcp| model.charter(&rcp));
        if known.is_some_and(|known| is_beginning(&message, known)) {
            return Ok(());
        }
        let found = match Identity::verify_beside(message, known) {
            // What a third RCP is to us is nothing that a refusal should tell.
            Err(_) if claimed != Some(self.peer) && claimed != Some(model.me) => return Ok(()),
            found => found?,
        };
        out.push(Output::Arrival(Arrival::Identity(Box::new(found))));
        Ok(())
    }

    /// What the peer holds of our logs. A head of ours under our current key that we lack means
    /// that this folder is older than what was signed: nothing more may be signed here.
    fn have(
        &mut self,
        have: v1::Have,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let model = context.model;
        let charter = model
            .charter(&model.me)
            .ok_or(Refusal::new("charter", Reason::WrongRcp))?;
        self.their_have_logs += have.logs.len();
        if self.their_have_logs > SESSION_LOGS_MAX {
            return Err(Refusal::new("have", Reason::TooLong));
        }
        for held in &have.logs {
            let id = LogId::derive(&model.me, &LogSeed::from_slice(&held.seed)?);
            let Ok(head) = SignedCheckpoint::parse(&held.checkpoint)?.verify(charter) else {
                continue;
            };
            let is_current = head.key_seq() == charter.current_seq();
            let claim = *head.checkpoint();
            if claim.log != id {
                return Err(Refusal::new("checkpoint", Reason::WrongLog));
            }
            let log = model.logs.get(&id);
            let ours = log.and_then(|log| log.tree.root_at(claim.size));
            let is_newer = log.is_none_or(|log| claim.incarnation >= log.incarnation);
            let lacking = is_current && is_newer && ours != Some(claim.root);
            if lacking && !self.unsigning {
                out.push(Output::Arrival(Arrival::StopSigning {
                    reason: HEAD_LACKING,
                }));
                self.close(Closing::SigningStopped, out);
                return Ok(());
            }
            let (peer, seed) = (self.peer, LogSeed::from_slice(&held.seed)?);
            if self.unsigning || log.is_some_and(|log| !log.restarts.is_empty()) {
                out.push(Output::Arrival(Arrival::Shown { peer, seed, claim }));
            }
            if ours != Some(claim.root) {
                let is_short = log.is_some_and(|log| claim.size <= log.size());
                let is_branch = !is_current || !is_newer || is_short;
                self.take_back((model.me, id, seed), claim.size, is_branch);
            } else if log.is_some_and(|log| !log.missing.is_empty()) {
                self.take_back((model.me, id, seed), claim.size, false);
            }
            if is_current {
                self.announced
                    .insert(id, (claim.incarnation, claim.size, head.key_seq()));
            }
        }
        self.their_have |= have.last;
        Ok(())
    }

    pub(super) fn checkpoint(
        &mut self,
        frame: v1::CheckpointFrame,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let owner = RcpId::from_slice(&frame.owner)?;
        if owner != self.peer && !may_give(context.model, &self.peer, &owner) {
            // To the peer it is among our partners, and here it is not confirmed.
            return self.keep_unheard(owner, frame);
        }
        let seed = LogSeed::from_slice(&frame.seed)?;
        let id = LogId::derive(&owner, &seed);
        let charter = context.model.charter(&owner);
        let charter = charter.ok_or(Refusal::new("checkpoint", Reason::WrongRcp))?;
        let head = SignedCheckpoint::parse(&frame.checkpoint)?.verify_head(charter)?;
        if head.checkpoint().log != id {
            return Err(Refusal::new("checkpoint", Reason::WrongLog));
        }
        let log = context.model.logs.get(&id);
        if self.looks_into(log, (owner, seed), &head, out) {
            return Ok(());
        }
        let is_restarted = log.is_some_and(|log| head.checkpoint().incarnation > log.incarnation);
        if !is_restarted && log.is_some_and(|log| log.size() == head.checkpoint().size) {
            let arrival = Arrival::Head {
                peer: self.peer,
                owner,
                note: frame.checkpoint,
            };
            out.push(Output::Arrival(arrival));
        }
        let is_shorter = log.is_some_and(|log| head.checkpoint().size <= log.size());
        if owner != self.peer {
            // What it told us it need not be told.
            let told = (head.checkpoint().incarnation, head.checkpoint().size);
            self.announced.insert(id, (told.0, told.1, head.key_seq()));
            let lacks = log.is_some_and(|log| !log.missing.is_empty());
            if is_shorter && !is_restarted && !lacks {
                return Ok(());
            }
        }
        self.learn(id, owner, seed);
        if let Some(following) = self.following.get_mut(&id) {
            // A restart may have left lines of our copy behind: it is asked for anew.
            following.pulled &= !is_restarted;
            let claim = head.checkpoint();
            following.announced = (claim.incarnation, claim.size);
            // A pull from a relay ends with the head that it had.
            following.pulled &= following.relayed.is_none();
            following.restarted = is_restarted;
            // What did not fit before this was heard was of the restart.
            let was_walked = is_restarted && following.branch.take().is_some();
            following.again = is_restarted && (is_shorter || was_walked);
        }
        Ok(())
    }

    /// Logs that came out of a backup are shown once they are as their owner has them.
    pub(super) fn compare(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let (peer, following) = (self.peer, &self.following);
        if !self.compared {
            return;
        }
        let met = context
            .model
            .peers
            .get(&peer)
            .map_or(context.now, |peer| peer.met);
        if context.now.since(met) >= NEWS_INTERVAL_MS && self.met != met {
            self.met = met;
            out.push(Output::Arrival(Arrival::Met { peer }));
        }
        // All of them at once: what was withdrawn of one may be said in another.
        let all = following.iter().filter(|(_, of)| of.owner == peer);
        let reached = all.filter(|(_, of)| of.announced.1 > 0).all(|(id, of)| {
            let log = context.model.logs.get(id);
            log.is_some_and(|log| {
                let (incarnation, size) = of.announced;
                log.incarnation >= incarnation && log.size() >= size && !log.retaken
            })
        });
        let logs = context.model.logs.values();
        let logs = logs.filter(|log| log.owner == peer && log.uncompared && !log.is_behind());
        let logs: Vec<LogId> = logs.map(|log| log.id).collect();
        if reached && !logs.is_empty() {
            out.push(Output::Arrival(Arrival::Compared { peer, logs }));
        }
    }

    /// A log is worth following along this connection.
    pub(super) fn learn(&mut self, id: LogId, owner: RcpId, seed: LogSeed) {
        let known = self.following.values().filter(|of| of.owner == owner);
        if !self.following.contains_key(&id) && known.count() >= LOGS_PER_RCP_MAX {
            return;
        }
        let relayed = (owner != self.peer).then(Relayed::default);
        let following = self.following.entry(id);
        let following = following.or_insert_with(|| Following {
            relayed,
            ..Following::of(owner, seed)
        });
        following.news = true;
        following.forget_answers(&mut self.coming, |_| false);
    }

    /// Tells the peer of new heads of the logs that it may read, but not before it has shown what
    /// it holds of ours.
    pub(super) fn announce(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        if !self.their_have || self.unsigning {
            return;
        }
        // Behind our restart a reader forgets the branch that it holds: that is fetched before.
        let fresh: Vec<&Log> = self
            .readable(context)
            .filter(|log| !self.is_announced(log) && !self.is_coming_back(&log.id, Some(log)))
            .collect();
        for log in fresh {
            let Some(head) = &log.held_head else { continue };
            out.push(session(Frame::Checkpoint(v1::CheckpointFrame {
                owner: log.owner.as_bytes().to_vec(),
                seed: log.seed.as_bytes().to_vec(),
                checkpoint: head.note.clone().into_bytes(),
            })));
            self.announced.extend(announcement(log));
        }
    }

    pub(super) fn is_announced(&self, log: &Log) -> bool {
        announcement(log).is_none_or(|(id, head)| self.announced.get(&id) == Some(&head))
    }

    /// Whether the peer takes receipts: one that has not confirmed us does not; once it has, it
    /// says so.
    pub(super) fn takes_held(&self) -> bool {
        use v1::Serving::{Active, Left, Paused};
        let takes = |serving| [Active, Paused, Left].contains(&serving);
        self.served_as.is_some_and(takes)
    }

    /// Receipts: at once after a withdrawal, else at most once a minute for a log, and a little
    /// later for one of which both sides had the same when they met.
    pub(super) fn hold(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let model = context.model;
        if !may_call(self.state, Call::SendHeld) || model.signing_stopped.is_some() {
            return;
        }
        // A receipt says that what is withdrawn is erased.
        if !context.all_erased || !self.takes_held() {
            return;
        }
        let logs = held_heads(model).filter(|(log, _)| {
            (log.owner == self.peer || self.holds_through(log, context))
                && log.stop.is_none()
                && !log.uncompared
                && model.delayed_until(&log.owner).is_none()
        });
        let logs: Vec<(&Log, (u64, u64))> = logs.collect();
        // The owner has it most likely from an earlier connection.
        let later = self.started.plus(HELD_LATER_MS);
        let may_wait = (self.started..later).contains(&context.now);
        for (log, reached) in logs {
            let due = match self.held_sent.get(&log.id) {
                None => !may_wait || self.same.get(&log.id) != Some(&reached),
                Some((sent, _)) if reached <= *sent => false,
                Some(((_, size), at)) => {
                    log.last_withdrawal.is_some_and(|index| index >= *size)
                        || context.now.since(*at) >= HELD_INTERVAL_MS
                }
            };
            if let Some(head) = log.held_head.as_ref().filter(|_| due) {
                let held = Held {
                    checkpoint: head.checkpoint,
                    holder: model.me,
                    time_s: context.now.0 / 1_000,
                };
                out.push(session(Frame::Held(v1::HeldFrame {
                    owner: log.owner.as_bytes().to_vec(),
                    note: held.sign(context.key).into_bytes(),
                })));
                self.held_sent.insert(log.id, (reached, context.now));
            }
        }
    }
}

/// The logs with lines that are covered by a head here, and its incarnation and size.
pub(super) fn held_heads(model: &Model) -> impl Iterator<Item = (&Log, (u64, u64))> {
    model.logs.values().filter_map(|log| {
        let Checkpoint {
            incarnation, size, ..
        } = log.held_head.as_ref()?.checkpoint;
        (size > 0).then_some((log, (incarnation, size)))
    })
}

/// Whether a charter only begins the one that is known: nothing of it is new.
fn is_beginning(message: &v1::Identity, known: &Charter) -> bool {
    let events = known.events();
    message.key_events.len() < events.len()
        && message
            .key_events
            .iter()
            .zip(events)
            .all(|(said, known)| said.event == known.bytes)
}

pub(super) fn announcement(log: &Log) -> Option<(LogId, (u64, u64, u32))> {
    let head = log.held_head.as_ref()?;
    Some((
        log.id,
        (
            head.checkpoint.incarnation,
            head.checkpoint.size,
            head.key_seq,
        ),
    ))
}

#[cfg(test)]
mod news;
#[cfg(test)]
mod tests;
