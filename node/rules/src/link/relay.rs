//! Logs of third RCPs: told of, passed on and taken in.
//!
//! Readers of an open list may pass its log on to each other, if the list says so. Nothing is
//! believed of a relay: what it gives is proved to heads of the owner, as if it came from there.
//! Its turn comes when nothing comes from the owner, or from a relay before it.

use std::collections::BTreeMap;

use corridor_proto::checkpoint::{Checkpoint, Held, SignedCheckpoint};
use corridor_proto::limits::ORDINAL_MAX;
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::wire::Identity;
use corridor_proto::{LogId, LogSeed, RcpId, Refusal, UnixMillis, v1};

use super::session::announcement;
use super::{Context, Following, Link, Output, session};
use crate::ingest::{Arrival, may_give};
use crate::limits::{
    EARLY_RECEIPTS_MAX, HELD_INTERVAL_MS, RELAY_PAUSE_MS, RELAY_TURN_MS, UNHEARD_MAX,
};
use crate::log::Log;
use crate::model::Model;
use crate::row::{Named, RecordKey};
use crate::visibility::{Reader, may_read, readable};
use v1::session_frame::Frame;

/// How a log of another RCP is taken from a relay.
#[derive(Clone, Debug, Default)]
pub(super) struct Relayed {
    /// What the lines that came along here published and was not yet asked for. All of it is, held
    /// or not: what is left out would tell the relay of other circles.
    named: BTreeMap<u64, Named>,
    /// Incarnation, size and bodies missing when the log last grew, and since when.
    stood: Option<((u64, u64, usize), UnixMillis)>,
    /// Whether the relay is to be asked now.
    turn: bool,
}

impl Relayed {
    /// Lines came along here; whether they are taken is not yet known.
    pub fn note(&mut self, package: &v1::Package) {
        if package.from > ORDINAL_MAX {
            return; // no log is so long: it is refused
        }
        for (index, bytes) in (package.from..).zip(&package.lines) {
            let Ok(ReadLine::Line(line)) = read_line(bytes) else {
                continue;
            };
            if let Act::Publish {
                version_hash,
                record,
                ..
            } = line.act
            {
                let named = Named {
                    record,
                    version_hash,
                };
                self.named.insert(index, named);
            }
        }
    }

    /// Whether this relay is to be asked now.
    pub const fn is_turn(&self) -> bool {
        self.turn
    }

    /// What is to be asked for next, newest first: what is in force as far as this log tells.
    pub fn asked<'a>(
        &'a mut self,
        log: &'a Log,
        context: &'a Context<'_>,
    ) -> impl Iterator<Item = (u64, Named)> {
        std::iter::from_fn(move || self.next(log, context))
    }

    fn next(&mut self, log: &Log, context: &Context<'_>) -> Option<(u64, Named)> {
        while let Some((index, named)) = self.named.range(..log.held_size()).next_back() {
            let (index, named) = (*index, *named);
            self.named.remove(&index);
            let (rcp, record) = (log.owner, named.record);
            let row = context.source.row(&RecordKey { rcp, record });
            let is_said = row.is_some_and(|row| {
                let mut withdrawn = row.withdrawn.iter().filter(|w| w.log == log.id);
                row.stand(&log.id).is_some_and(|stand| {
                    stand.index == index
                        && stand.version_hash == named.version_hash
                        && !stand.left
                        && !stand.void
                        && !withdrawn.any(|w| w.withdrawal.up_to >= stand.version)
                })
            });
            if is_said {
                return Some((index, named));
            }
        }
        None
    }
}

impl Following {
    /// Whether anything of the log may be asked for along this connection now.
    pub(super) fn look_for_turn(&mut self, peer: &RcpId, log: Option<&Log>, context: &Context<'_>) {
        let is_walked = self.is_walked();
        let Some(relayed) = &mut self.relayed else {
            return;
        };
        let stands = log.map_or((0, 0, 0), |log| {
            (log.incarnation, log.size(), log.missing.len())
        });
        let since = match relayed.stood {
            Some((before, since)) if before == stands => since,
            _ => context.now,
        };
        relayed.stood = Some((stands, since));
        let is_needed = is_walked
            || (stands.0, stands.1) < self.announced
            || stands.2 > 0
            || !relayed.named.is_empty()
            || !self.in_flight.is_empty();
        if !is_needed {
            relayed.turn = false;
            return;
        }
        let readers = log.and_then(|log| log.readers.as_ref());
        let readers = readers.map_or(&[][..], |readers| &readers.list.readers);
        let before = readers.iter().take_while(|(reader, _)| reader < peer);
        let linked = before
            .filter(|(reader, _)| (context.linked)(reader))
            .count();
        let rank = u64::from((context.linked)(&self.owner)) + u64::try_from(linked).unwrap_or(0);
        // It cannot lead us on to a head that it has not reached.
        let pending = log.and_then(|log| log.pending(context.model));
        let reaches = pending.is_none_or(|head| {
            let pending = (head.checkpoint.incarnation, head.checkpoint.size);
            pending <= self.announced || self.pulled
        });
        relayed.turn = may_give(context.model, peer, &self.owner)
            && reaches
            && context.now.since(since) >= rank * RELAY_TURN_MS;
    }
}

impl Link {
    /// Logs of third RCPs whose texts are missing here: the peer, who reads them, may have them.
    pub(super) fn learn_relayed(&mut self, context: &Context<'_>) {
        let (model, peer) = (context.model, self.peer);
        let reader = Reader::Peer(peer);
        let logs = readable(model, &reader, context.now)
            .filter(|log| ![model.me, peer].contains(&log.owner) && !log.missing.is_empty());
        for log in logs {
            self.learn(log.id, log.owner, log.seed);
        }
    }

    /// Tells the peer of heads of third RCPs' logs that it may have from here, now and then.
    pub(super) fn announce_relayed(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let (model, peer) = (context.model, self.peer);
        if !self.their_have || self.unsigning || context.now.since(self.relayed_at) < RELAY_PAUSE_MS
        {
            return;
        }
        let reader = Reader::Peer(peer);
        let fresh: Vec<&Log> = readable(model, &reader, context.now)
            .filter(|log| ![model.me, peer].contains(&log.owner) && !self.is_announced(log))
            .collect();
        for log in fresh {
            let Some(head) = &log.held_head else { continue };
            self.relayed_at = context.now;
            self.introduce_third(&log.owner, context, out);
            out.push(session(Frame::Checkpoint(v1::CheckpointFrame {
                owner: log.owner.as_bytes().to_vec(),
                seed: log.seed.as_bytes().to_vec(),
                checkpoint: head.note.clone().into_bytes(),
            })));
            self.announced.extend(announcement(log));
            if !log.missing.is_empty() {
                self.partly.insert(log.id);
            }
        }
        // Whoever asked for a text before it was here hears of the same head again.
        let announced = &mut self.announced;
        self.partly.retain(|id| {
            let is_whole = model.logs.get(id).is_none_or(|log| log.missing.is_empty());
            if is_whole {
                announced.remove(id);
            }
            !is_whole
        });
    }

    /// Tells the peer of a third RCP's newer keys, before something that they signed: the two may
    /// never meet.
    fn introduce_third(&mut self, rcp: &RcpId, context: &Context<'_>, out: &mut Vec<Output>) {
        let Some(known) = context
            .model
            .known
            .get(rcp)
            .filter(|_| *rcp != context.model.me)
        else {
            return;
        };
        let seq = known.charter.current_seq();
        if let Some(card) = known.card.clone()
            && self.introduced.get(rcp).copied().unwrap_or(0) < seq
        {
            self.introduced.insert(*rcp, seq);
            let charter = known.charter.clone();
            let identity = Identity { charter, card };
            out.push(session(Frame::Identity(identity.message())));
        }
    }

    /// A head that is nothing to us now waits until it is: nobody learns what a third RCP is to us.
    pub(super) fn keep_unheard(
        &mut self,
        owner: RcpId,
        frame: v1::CheckpointFrame,
    ) -> Result<(), Refusal> {
        SignedCheckpoint::parse(&frame.checkpoint)?;
        let id = LogId::derive(&owner, &LogSeed::from_slice(&frame.seed)?);
        if self.unheard.len() < UNHEARD_MAX || self.unheard.contains_key(&id) {
            self.unheard.insert(id, frame);
        }
        Ok(())
    }

    /// Takes in the heads that waited and are something to us now.
    pub(super) fn hear(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let peer = self.peer;
        let is_heard = |_: &LogId, frame: &mut v1::CheckpointFrame| {
            let owner = RcpId::from_slice(&frame.owner);
            owner.is_ok_and(|owner| may_give(context.model, &peer, &owner))
        };
        let heard: Vec<_> = self.unheard.extract_if(.., is_heard).collect();
        for (_, frame) in heard {
            // What does not verify is passed over.
            let _ = self.checkpoint(frame, context, out);
        }
    }

    /// A receipt. One for more of a log that is not ours than is here waits until that has come:
    /// whoever gave it gives it once.
    pub(super) fn held(
        &mut self,
        held: v1::HeldFrame,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let owner = RcpId::from_slice(&held.owner)?;
        let (holder, claim) = Held::claimed(&held.note)?;
        let receipt = Arrival::Held {
            peer: self.peer,
            owner,
            note: held.note,
        };
        let is_early = owner != context.model.me && !reaches(context.model, &claim);
        let key = (claim.log, holder);
        let has_room = self.receipts.len() < EARLY_RECEIPTS_MAX || self.receipts.contains_key(&key);
        if is_early && has_room {
            self.receipts.insert(key, (claim, receipt));
        } else {
            out.push(Output::Arrival(receipt));
        }
        Ok(())
    }

    /// Receipts whose log has come; not while a package is being taken in, whose refusal theirs
    /// would be.
    pub(super) fn judge_early_receipts(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        if self.arriving.is_some() {
            return;
        }
        let has_come = |_: &_, (claim, _): &mut (_, _)| reaches(context.model, claim);
        let judged = self.receipts.extract_if(.., has_come);
        out.extend(judged.map(|(_, (_, receipt))| Output::Arrival(receipt)));
    }

    /// Whether receipts for a log reach its owner through the peer alone.
    pub(super) fn holds_through(&self, log: &Log, context: &Context<'_>) -> bool {
        let (model, reader) = (context.model, Reader::Peer(self.peer));
        log.owner != model.me
            && !(context.linked)(&log.owner)
            && may_read(model, log, &reader, context.now).is_ok()
    }

    /// Passes receipts on: of readers to the owner, and what an owner says of its own heads to its
    /// readers, who hear so that nothing newer is held back from them.
    pub(super) fn pass_held(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let (model, peer) = (context.model, self.peer);
        if context.now.since(self.started) < HELD_INTERVAL_MS || !self.takes_held() {
            return;
        }
        for ((id, holder), receipt) in &model.passing {
            let Some(log) = model.logs.get(id).filter(|log| log.is_relayed()) else {
                continue;
            };
            let reader = Reader::Peer(peer);
            let reads = log.owner != peer && may_read(model, log, &reader, context.now).is_ok();
            let is_way = log.owner == peer || reads && !(context.linked)(&log.owner);
            let is_readers = ![model.me, peer, log.owner].contains(holder);
            let to_owner = is_readers && is_way && log.owner != model.me;
            let to_reader = *holder == log.owner && reads;
            // Within one second there may be receipts for several sizes.
            let Checkpoint {
                incarnation, size, ..
            } = receipt.held.checkpoint;
            let said = ((incarnation, size), receipt.held.time_s);
            let is_new = self.passed.get(&(*id, *holder)).is_none_or(|at| *at < said);
            let is_ours = incarnation == log.incarnation;
            if (to_owner || to_reader) && is_new && is_ours && !self.unsigning {
                self.passed.insert((*id, *holder), said);
                self.introduce_third(holder, context, out);
                out.push(session(Frame::Held(v1::HeldFrame {
                    owner: log.owner.as_bytes().to_vec(),
                    note: receipt.note.clone().into_bytes(),
                })));
            }
        }
    }
}

/// Whether as much of a log is here as a checkpoint says.
fn reaches(model: &Model, claim: &Checkpoint) -> bool {
    let log = model.logs.get(&claim.log);
    log.is_some_and(|log| (log.incarnation, log.size()) >= (claim.incarnation, claim.size))
}

#[cfg(test)]
mod receipts;
#[cfg(test)]
mod tests;
