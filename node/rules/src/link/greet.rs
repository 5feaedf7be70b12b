//! How a session begins: hellos, what differs, and how the two serve each other.

use corridor_proto::have::{HaveIdentity, HaveLog, have_hash};
use corridor_proto::key::NO_SIGNATURE;
use corridor_proto::limits::PROTOCOL_VERSION;
use corridor_proto::start::{sign_start, verify_start};
use corridor_proto::wire::{self, Identity};
use corridor_proto::{Hash, LogId, RcpId, Reason, Refusal, StartNumber, UnixMillis, v1};

use super::session::{announcement, held_heads};
use super::{
    Closing, Context, Link, Output, Serving, gone, identity_of, reads, serving_as, session,
};
use crate::fact::SignedStart;
use crate::ingest::{ANOTHER_COPY_RAN, Arrival};
use crate::log::Log;
use crate::model::Model;
use crate::peer::{Call, may_call};
use crate::visibility::{Reader, readable};
use v1::session_frame::Frame;

/// Heads in one frame of the list of what is held.
const HAVE_FRAME_LOGS: usize = 64;

impl Link {
    pub(super) fn start(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let model = context.model;
        self.state = model.peer_state(&self.peer);
        if !may_call(self.state, Call::Exchange) {
            return self.close(Closing::NotAllowed, out);
        }
        if !model.may_exchange() {
            return self.close(Closing::SigningStopped, out);
        }
        self.unsigning = model.signing_stopped.is_some();
        self.told = super::introduction(model);
        self.started = context.now;
        let seen = model.peers.get(&self.peer);
        let seen = seen.map_or(SignedStart::NONE, |peer| peer.start);
        let start_signature = sign_start(context.key, &model.me, &model.start);
        self.have = have_of(model, &self.peer, context.now);
        // Good if the peer says the same, whatever becomes news until it does.
        self.same = held_heads(model)
            .map(|(log, reached)| (log.id, reached))
            .collect();
        let reader = Reader::Peer(self.peer);
        let told = readable(model, &reader, context.now);
        self.announced = told.filter_map(announcement).collect();
        let is_lacking = self.readable(context).any(|log| !log.missing.is_empty());
        let state = self.state_to_say(!self.unsigning && !is_lacking, context);
        out.push(session(Frame::Hello(v1::SessionHello {
            versions: vec![u32::from(PROTOCOL_VERSION)],
            start_number: model.start.as_bytes().to_vec(),
            have: self.have.as_bytes().to_vec(),
            last_start_number: seen.number.as_bytes().to_vec(),
            start_signature: start_signature.to_vec(),
            last_start_signature: match seen.signature {
                NO_SIGNATURE => Vec::new(),
                signature => signature.to_vec(),
            },
            state: Some(state),
        })));
    }

    pub(super) fn hello(
        &mut self,
        hello: v1::SessionHello,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let model = context.model;
        if !hello.versions.contains(&u32::from(PROTOCOL_VERSION)) {
            self.close(Closing::NoCommonVersion, out);
            return Ok(());
        }
        let start = signed_start(&hello.start_number, &hello.start_signature)?;
        let seen = signed_start(&hello.last_start_number, &hello.last_start_signature)?;
        let state = hello
            .state
            .filter(|state| state.serving() != v1::Serving::Unspecified);
        let state = state.ok_or(Refusal::new("state", Reason::Malformed))?;
        let awaited = model.awaited.contains(&self.peer);
        if !seen.number.is_zero() && (awaited || !model.starts.contains(&seen.number)) {
            // Only our own key can say that we started: a peer's word stops nobody.
            if !is_signed(model, &model.me, &seen) {
                self.refused(Refusal::new("start number", Reason::BadSignature), out);
            } else if awaited {
                out.push(Output::Arrival(Arrival::StartKnown {
                    rcp: self.peer,
                    number: seen.number,
                }));
            } else {
                out.push(Output::Arrival(Arrival::StopSigning {
                    reason: ANOTHER_COPY_RAN,
                }));
                self.close(Closing::SigningStopped, out);
                return Ok(());
            }
        }
        // One that we cannot verify, perhaps for want of its newest key, is not noted.
        if is_signed(model, &self.peer, &start) {
            let rcp = self.peer;
            out.push(Output::Arrival(Arrival::Start { rcp, start }));
        }
        let same = hello.have.as_slice() == self.have.as_bytes().as_slice() && !self.on_paper;
        self.hello = Some(hello);
        if !same {
            self.same.clear();
            self.announced.clear();
            self.say_what_we_have(context, out);
            // Last: whoever has this has our answer, and has introduced itself anew if it had to,
            // so that its receipts can be judged here.
            self.say_state(context, out);
        }
        let peer = self.peer;
        for log in model.logs.values().filter(|log| log.owner == peer) {
            self.learn(log.id, peer, log.seed);
        }
        self.learn_relayed(context);
        if same {
            self.go_on(state, context, out);
        }
        Ok(())
    }

    /// Both sides know the same: they lead each other along all that they share, from its end.
    fn go_on(&mut self, state: v1::StateFrame, context: &Context<'_>, out: &mut Vec<Output>) {
        self.their_have = true;
        self.served(state);
        let takes = self.served_as != Some(v1::Serving::Left);
        let ours = |id: &LogId| {
            context
                .model
                .logs
                .get(id)
                .is_some_and(|log| log.owner == context.model.me)
        };
        for id in self.announced.keys().filter(|id| ours(id)) {
            // It counts as pulled, but the right to read it was lost since we said hello.
            if !reads(context, id, &self.peer) {
                self.stopped_serving = true;
                out.push(gone(id));
            }
        }
        let readable: Vec<&Log> = self.readable(context).collect();
        for log in readable {
            if !log.missing.is_empty() {
                self.take_back((context.model.me, log.id, log.seed), log.size(), false);
            }
            let told = self.announced.get(&log.id);
            if let Some((_, end, _)) = told.filter(|_| takes && !self.unsigning) {
                self.serving.insert(log.id, Serving::from(*end));
            }
        }
        if !may_call(self.state, Call::Send) {
            return;
        }
        for (id, following) in &mut self.following {
            let log = context.model.logs.get(id);
            let head = log.and_then(|log| log.held_head.as_ref());
            // Whoever has lines beyond its head asks for what leads to a head again.
            let is_whole = log.map(Log::size) == head.map(|head| head.checkpoint.size);
            if following.owner == self.peer && is_whole && self.same.contains_key(id) {
                following.pulled = true;
                following.news = false;
            }
        }
    }

    fn say_what_we_have(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let model = context.model;
        say_who_we_are(context, out);
        let logs: Vec<v1::HeldLog> = model
            .logs
            .values()
            .filter(|log| log.owner == self.peer)
            .filter_map(|log| {
                Some(v1::HeldLog {
                    seed: log.seed.as_bytes().to_vec(),
                    checkpoint: log.held_head.as_ref()?.note.clone().into_bytes(),
                })
            })
            .collect();
        let mut chunks = logs.chunks(HAVE_FRAME_LOGS).peekable();
        if chunks.peek().is_none() {
            out.push(session(Frame::Have(v1::Have {
                logs: Vec::new(),
                last: true,
            })));
        }
        while let Some(chunk) = chunks.next() {
            let have = v1::Have {
                logs: chunk.to_vec(),
                last: chunks.peek().is_none(),
            };
            out.push(session(Frame::Have(have)));
        }
    }

    /// How we serve the peer, and whether we delay the erasure of what it withdrew.
    pub(super) fn say_state(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let state = self.state_to_say(self.has_announced_all(context), context);
        out.push(session(Frame::State(state)));
    }

    fn state_to_say(&mut self, compared: bool, context: &Context<'_>) -> v1::StateFrame {
        self.told_delay = context.model.delayed_until(&self.peer);
        self.said_compared = compared;
        v1::StateFrame {
            serving: serving_as(self.state).into(),
            erase_after_ms: self.told_delay.map_or(0, |until| until.0),
            compared,
        }
    }

    /// How the peer says it serves us.
    pub(super) fn served(&mut self, state: v1::StateFrame) {
        self.served_as = v1::Serving::try_from(state.serving).ok();
        self.delays_ours = (state.erase_after_ms > 0).then_some(UnixMillis(state.erase_after_ms));
        // When a file was written nobody knows: it is no news that nothing is held back.
        self.compared |= state.compared && !self.on_paper;
    }

    /// Whether the peer was told of every head that is new to it.
    pub(super) fn has_announced_all(&self, context: &Context<'_>) -> bool {
        let mut following = self.following.keys();
        let coming = |id: &LogId| self.is_coming_back(id, context.model.logs.get(id));
        self.their_have && !self.unsigning && !following.any(coming)
    }

    /// Who we are, when a key or a card of ours is newer than what the session began with.
    pub(super) fn introduce(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let present = super::introduction(context.model);
        if self.told != present {
            self.told = present;
            say_who_we_are(context, out);
        }
    }
}

fn signed_start(number: &[u8], signature: &[u8]) -> Result<SignedStart, Refusal> {
    let number = StartNumber::from_slice(number)?;
    let signature = match signature {
        [] => NO_SIGNATURE,
        bytes => wire::signature("start number", bytes)?,
    };
    Ok(SignedStart { number, signature })
}

fn is_signed(model: &Model, rcp: &RcpId, start: &SignedStart) -> bool {
    let charter = model.charter(rcp);
    charter.is_some_and(|charter| verify_start(charter, &start.number, &start.signature).is_ok())
}

fn say_who_we_are(context: &Context<'_>, out: &mut Vec<Output>) {
    let Some(known) = context.model.known.get(&context.model.me) else {
        return;
    };
    if let Some(card) = known.card.clone() {
        let identity = Identity {
            charter: known.charter.clone(),
            card,
        };
        out.push(session(Frame::Identity(identity.message())));
    }
}

/// All logs shared with a peer, as they are held here: those that it may have from here, and its
/// own.
fn shared(model: &Model, peer: &RcpId, now: UnixMillis) -> Vec<HaveLog> {
    let reader = Reader::Peer(*peer);
    let theirs = model.logs.values().filter(|log| log.owner == *peer);
    readable(model, &reader, now)
        .chain(theirs)
        .filter_map(|log| {
            let head = log.held_head.as_ref()?;
            Some(HaveLog {
                log: log.id,
                incarnation: head.checkpoint.incarnation,
                size: head.checkpoint.size,
                root: head.checkpoint.root,
                key_seq: head.key_seq,
            })
        })
        .collect()
}

/// What each of the two says in its hello if both know the same.
fn have_of(model: &Model, peer: &RcpId, now: UnixMillis) -> Hash {
    let pair = [model.me, *peer].map(|rcp| {
        let (key_seq, card_serial) = identity_of(model, &rcp);
        HaveIdentity {
            rcp,
            key_seq,
            card_serial,
        }
    });
    have_hash(pair, &shared(model, peer, now))
}

#[cfg(test)]
mod tests;
