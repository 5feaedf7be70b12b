//! The `Carry` side of a link: pulls and packages, wants and records, credits.

use std::collections::BTreeSet;

use corridor_proto::limits::{PACKAGE_BYTES_MAX, WANT_RANGES_MAX};
use corridor_proto::record::{Header, SignedRecord};
use corridor_proto::{LogId, RcpId, Reason, Refusal, v1, wire};
use prost::Message;

use super::{Closing, Context, Following, Link, Output, Serving, carry, gone, reads};
use crate::evidence;
use crate::ingest::{Arrival, Unverified};
use crate::limits::{
    CREDIT_BYTES, EARLY_FRAMES_MAX, STEP_BYTES, STEP_LOOKS, WANTED_RANGES_MAX, WANTS_IN_FLIGHT,
};
use crate::log::Log;
use crate::peer::{Call, may_call};
use crate::row::{HeldVersion, Named, RecordKey};
use crate::serve::{self, Target};
use v1::carry_frame::Frame;

impl Link {
    pub(super) fn carry_frame(
        &mut self,
        frame: v1::CarryFrame,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) {
        let bytes = u64::try_from(frame.encoded_len()).unwrap_or(u64::MAX);
        let Some(frame) = frame.frame else { return };
        if self.hello.is_none() {
            // The two streams are not ordered with each other: what overtook the hello waits. With
            // packages the peer goes on where both are, once it has heard our hello.
            let may_overtake = match frame {
                Frame::Pull(_) | Frame::Want(_) | Frame::Credit(_) => true,
                Frame::Package(_) => {
                    self.early_bytes = self.early_bytes.saturating_add(bytes);
                    self.early_bytes <= CREDIT_BYTES
                }
                _ => false,
            };
            if !may_overtake || self.early.len() >= EARLY_FRAMES_MAX {
                return self.refused(Refusal::new("carry frame", Reason::OutOfOrder), out);
            }
            self.early.push(v1::CarryFrame { frame: Some(frame) });
            return;
        }
        if matches!(
            frame,
            Frame::Package(_) | Frame::Records(_) | Frame::AttachmentChunk(_)
        ) {
            self.taken = self.taken.saturating_add(bytes);
            let spare = u64::try_from(2 * PACKAGE_BYTES_MAX).unwrap_or(u64::MAX);
            if self.taken > self.granted.saturating_add(spare) {
                return self.close(Closing::CreditExceeded, out);
            }
            self.to_grant = self.to_grant.saturating_add(bytes);
        }
        let verdict = match frame {
            // A file asks for nothing, and nobody answers it.
            Frame::Pull(_) | Frame::Want(_) | Frame::Gone(_) | Frame::Credit(_)
                if self.on_paper =>
            {
                Ok(())
            }
            Frame::Pull(pull) => self.pull(&pull, context, out),
            Frame::Package(package) => self.package(package, context, out),
            Frame::Want(want) => self.want(&want, context),
            Frame::Records(records) => self.records(records, context, out),
            Frame::Gone(gone) => self.gone(&gone),
            Frame::Credit(credit) => {
                let bytes = i64::try_from(credit.bytes).unwrap_or(i64::MAX);
                self.credit = self.credit.saturating_add(bytes);
                Ok(())
            }
            // Attachments are fetched once records carry them.
            Frame::AttachmentChunk(_) => Ok(()),
        };
        if let Err(refusal) = verdict {
            self.refused(refusal, out);
        }
        if self.to_grant >= CREDIT_BYTES / 4 {
            self.grant(self.to_grant, out);
        }
    }

    fn grant(&mut self, bytes: u64, out: &mut Vec<Output>) {
        self.granted = self.granted.saturating_add(bytes);
        self.to_grant = 0;
        out.push(carry(Frame::Credit(v1::Credit { bytes })));
    }

    /// The peer follows a log of ours, or one that we pass on. One that it may not read and one
    /// that does not exist get the same answer.
    fn pull(
        &mut self,
        pull: &v1::Pull,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let id = LogId::from_slice(&pull.log)?;
        let log = context
            .model
            .logs
            .get(&id)
            .filter(|_| reads(context, &id, &self.peer));
        let Some(log) = log else {
            out.push(gone(&id));
            return Ok(());
        };
        // What was not yet compared with what readers hold may be older than their rights.
        if log.owner == context.model.me && context.model.signing_stopped.is_some() {
            return Ok(());
        }
        let is_ours = [context.model.me, self.peer].contains(&log.owner);
        let held = log.held_head.as_ref();
        let until = held.map_or(0, |head| head.checkpoint.size);
        // Only what reaches a signed root is passed on; who has more asks somebody else.
        if !is_ours && pull.from.max(pull.target) > until {
            out.push(gone(&id));
            return Ok(());
        }
        if pull.from > log.size() || pull.target > log.size() {
            // It holds lines that this folder lost: it is told of the restart instead.
            if log.incarnation > 0 {
                return Ok(());
            }
            return Err(Refusal::new("pull", Reason::OutOfOrder));
        }
        // One that is not ahead is reached at once.
        let target = Some(Target {
            size: pull.target,
            note: String::new(),
        });
        self.serving.insert(
            id,
            Serving {
                target,
                until: (!is_ours).then_some(until),
                ..Serving::from(pull.from)
            },
        );
        Ok(())
    }

    fn package(
        &mut self,
        package: v1::Package,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let id = LogId::from_slice(&package.log)?;
        let following = self
            .following
            .get_mut(&id)
            .ok_or(Refusal::new("package", Reason::NotEntitled))?;
        if following.refused {
            let from = following.from(context.model.logs.get(&id));
            if !following.pulled || package.from != from {
                return Ok(());
            }
            following.refused = false;
        }
        if !following.pulled {
            return Err(Refusal::new("package", Reason::NotEntitled));
        }
        if following.back.is_some() {
            return self.package_of_ours(id, package, context, out);
        }
        if following.is_walked() {
            return self.package_of_branch(id, package, context, out);
        }
        if let Some(relayed) = &mut following.relayed {
            relayed.note(&package);
        }
        // Only the first package of a new branch begins at its first line.
        following.again = false;
        self.arriving = Some(id);
        out.push(Output::Arrival(Arrival::Package {
            peer: self.peer,
            owner: following.owner,
            seed: following.seed,
            package: Box::new(package),
        }));
        Ok(())
    }

    fn want(&mut self, want: &v1::Want, context: &Context<'_>) -> Result<(), Refusal> {
        let id = LogId::from_slice(&want.log)?;
        if want.ranges.len() > WANT_RANGES_MAX
            || self.wanted.len() + want.ranges.len() > WANTED_RANGES_MAX
        {
            return Err(Refusal::new("want", Reason::TooLong));
        }
        // A want of before the peer heard that the log is gone is void: it has forgotten it.
        if !self.serving.contains_key(&id) {
            return Ok(());
        }
        let size = context.model.logs.get(&id).map_or(0, Log::size);
        let fits = |range: &v1::IndexRange| range.from < range.to && range.to <= size;
        if !want.ranges.iter().all(fits) {
            return Err(Refusal::new("want", Reason::Malformed));
        }
        let ranges = want.ranges.iter();
        self.wanted
            .extend(ranges.map(|range| (id, range.from, range.to)));
        Ok(())
    }

    fn records(
        &mut self,
        message: v1::Records,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let id = LogId::from_slice(&message.log)?;
        let unasked = Refusal::new("record", Reason::NotEntitled);
        let following = self.following.get_mut(&id).ok_or(unasked)?;
        if self.on_paper && following.owner != self.peer {
            // Logs of others are not passed on in files.
            return Ok(());
        }
        let mut evidence = Vec::new();
        let missing = context.model.logs.get(&id).filter(|_| self.on_paper);
        let mut records = Vec::with_capacity(message.records.len());
        for item in message.records {
            let index = item.index;
            let named = match (following.in_flight.remove(&index), missing) {
                (Some(named), _) => named,
                (None, None) => return Err(unasked),
                // A file has what its reader may have by now, or what was withdrawn since.
                (None, Some(log)) => match log.missing.get(&index) {
                    Some(named) => *named,
                    None => continue,
                },
            };
            following.answered.insert(index, Some(named.version_hash));
            let record = wire::record(item);
            evidence.extend(
                record
                    .as_ref()
                    .ok()
                    .and_then(|record| contradicted(&following.owner, &named, record, context)),
            );
            records.push((index, named, record));
        }
        if records.is_empty() {
            return Ok(());
        }
        out.push(Output::Verify(Unverified {
            peer: self.peer,
            owner: following.owner,
            log: id,
            records,
        }));
        let peer = self.peer;
        out.extend(evidence.into_iter().map(|evidence| {
            let evidence = Box::new(evidence);
            Output::Arrival(Arrival::Evidence { peer, evidence })
        }));
        Ok(())
    }

    fn gone(&mut self, gone: &v1::Gone) -> Result<(), Refusal> {
        let id = LogId::from_slice(&gone.log)?;
        let Some(following) = self.following.get_mut(&id) else {
            return Ok(());
        };
        if gone.ranges.is_empty() {
            following.pulled = false;
            for named in std::mem::take(&mut following.in_flight).values() {
                self.coming.remove(&named.version_hash);
            }
            following.forget_answers(&mut self.coming, |_| false);
            following.back.iter_mut().for_each(super::own::Back::end);
        }
        for range in &gone.ranges {
            let asked = range.from..range.to.max(range.from);
            for (index, named) in following.in_flight.extract_if(asked, |_, _| true) {
                self.coming.remove(&named.version_hash);
                following.answered.insert(index, None);
            }
        }
        Ok(())
    }

    /// Pulls what grew and wants what is missing. Records are wanted once no line is missing, so
    /// that a withdrawal is known before any backlog of bodies.
    pub(super) fn follow(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        if may_call(self.state, Call::Send) {
            let waits = self.follow_lines(context, out);
            if !self.on_paper {
                self.follow_records(&waits, context, out);
            }
        }
    }

    /// Pulls; gives the RCPs of whose logs lines are still missing.
    fn follow_lines(&mut self, context: &Context<'_>, out: &mut Vec<Output>) -> BTreeSet<RcpId> {
        let model = context.model;
        let mut lines_missing = BTreeSet::new();
        for (id, following) in &mut self.following {
            let log = model.logs.get(id);
            following.look_for_turn(&self.peer, log, context);
            following.look_for_acceptance(log);
            if following.relayed.as_ref().is_some_and(|of| !of.is_turn()) {
                continue;
            }
            let pending = log.and_then(|log| log.pending(model));
            let is_walked = following.is_walked();
            let is_frozen = log.is_some_and(Log::is_frozen);
            let is_led = pending.is_some() && !is_walked && !is_frozen;
            if following.news && !following.pulled {
                // What was pending before a restart, or on another history, may never come.
                let pending = pending.filter(|_| !following.restarted && !is_walked);
                out.push(carry(Frame::Pull(v1::Pull {
                    log: id.as_bytes().to_vec(),
                    from: following.from(log),
                    target: pending.map_or(0, |head| head.checkpoint.size),
                })));
                following.pulled = true;
                following.news = false;
            }
            if following.pulled && is_led {
                lines_missing.insert(following.owner);
            }
        }
        lines_missing
    }

    fn follow_records(
        &mut self,
        lines_missing: &BTreeSet<RcpId>,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) {
        let mut in_flight: usize = self.following.values().map(|f| f.in_flight.len()).sum();
        let mut is_held_up = false;
        let waits = |f: &Following| {
            lines_missing.contains(&f.owner) || f.relayed.as_ref().is_some_and(|of| !of.is_turn())
        };
        let going = self.following.iter_mut().filter(|(_, f)| f.pulled);
        for (id, following) in going.filter(|(_, f)| !waits(f)) {
            let Some(log) = context.model.logs.get(id) else {
                continue;
            };
            if following.answered.len() > WANTS_IN_FLIGHT {
                following.forget_answers(&mut self.coming, |at| log.missing.contains_key(&at));
            }
            let room = WANTS_IN_FLIGHT.saturating_sub(in_flight);
            let void = following
                .back
                .iter()
                .flat_map(|back| back.wanted.iter().rev());
            // What lies beyond the newest head is asked for once a head covers it.
            let missing = log.missing.range(..log.held_size()).rev();
            let missing = missing.chain(void).filter(|(index, _)| {
                !following.in_flight.contains_key(index) && !following.answered.contains_key(index)
            });
            let missing = missing.map(|(index, named)| (*index, *named));
            // What lines say that came just now is known once they are taken in.
            let is_taken = self.arriving != Some(*id);
            let relayed = following.relayed.as_mut().filter(|_| is_taken);
            let passed_on = relayed.into_iter().flat_map(|of| of.asked(log, context));
            // One version may stand in several logs: it is asked for in one of them.
            let mut fresh: Vec<(u64, Named)> = passed_on
                .chain(missing)
                .filter(|(_, named)| {
                    let is_new = self.coming.insert(named.version_hash);
                    is_held_up |= !is_new;
                    is_new
                })
                .take(room)
                .collect();
            fresh.sort_unstable_by_key(|(index, _)| std::cmp::Reverse(*index));
            in_flight += fresh.len();
            let indexes: Vec<u64> = fresh.iter().map(|(index, _)| *index).collect();
            for ranges in ranges(&indexes).chunks(WANT_RANGES_MAX) {
                let want = v1::Want {
                    log: id.as_bytes().to_vec(),
                    ranges: ranges.to_vec(),
                };
                out.push(carry(Frame::Want(want)));
            }
            if let Some(back) = &mut following.back {
                // What is asked for in another log comes from there.
                back.wanted
                    .retain(|_, named| !self.coming.contains(&named.version_hash));
            }
            following.in_flight.extend(fresh);
        }
        if is_held_up {
            self.forget_stored(context, out);
        }
    }

    /// What came is asked for again where it stands anew: it may have been stored, and erased
    /// since.
    fn forget_stored(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let before = self.coming.len();
        for (id, following) in &mut self.following {
            let log = context.model.logs.get(id);
            let is_missing = |at| log.is_some_and(|log| log.missing.contains_key(&at));
            following.forget_answers(&mut self.coming, is_missing);
        }
        if self.coming.len() < before {
            out.push(Output::More);
        }
    }

    /// Sends what was asked for, lines before records, as far as credit and one step reach.
    pub(super) fn pump(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let mut step = 0;
        while self.credit > 0 && step < STEP_BYTES {
            let Some(frame) = self.next_package(context) else {
                break;
            };
            step += self.spend(frame, out);
        }
        let mut looked = 0;
        while self.credit > 0 && step < STEP_BYTES && looked < STEP_LOOKS {
            let Some((frames, looks)) = self.next_records(context) else {
                break;
            };
            looked += looks;
            for frame in frames {
                step += self.spend(frame, out);
            }
        }
        if self.credit > 0 && (step >= STEP_BYTES || looked >= STEP_LOOKS) {
            out.push(Output::More);
        }
    }

    fn spend(&mut self, frame: Frame, out: &mut Vec<Output>) -> usize {
        let frame = v1::CarryFrame { frame: Some(frame) };
        let bytes = frame.encoded_len();
        if !matches!(frame.frame, Some(Frame::Gone(_))) {
            self.credit = self
                .credit
                .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        out.push(Output::Carry(frame));
        bytes
    }

    fn next_package(&mut self, context: &Context<'_>) -> Option<Frame> {
        if !self.their_have {
            return None;
        }
        for (id, serving) in &mut self.serving {
            let Some(log) = context.model.logs.get(id) else {
                continue;
            };
            let Some(head) = &log.held_head else { continue };
            let newest = || Target {
                size: head.checkpoint.size,
                note: head.note.clone(),
            };
            if serving
                .target
                .as_ref()
                .is_none_or(|target| serving.next >= target.size)
            {
                if serving.until.is_some_and(|until| serving.next >= until) {
                    continue;
                }
                serving.target = Some(newest());
            }
            let Some(target) = &serving.target else {
                continue;
            };
            let Some(package) = serve::package(
                context.model,
                context.source,
                log,
                serving.next,
                target,
                serving.first,
            ) else {
                continue;
            };
            serving.first = false;
            serving.next += u64::try_from(package.lines.len()).unwrap_or(0);
            return Some(Frame::Package(package));
        }
        None
    }

    /// Answers to what was asked for next, and how many records were looked up for them.
    fn next_records(&mut self, context: &Context<'_>) -> Option<(Vec<Frame>, usize)> {
        let (id, from, to) = self.wanted.pop_front()?;
        let log = context.model.logs.get(&id)?;
        let (records, gone, answered) = serve::records(context.source, log, from..to);
        let rest = to.saturating_sub(u64::try_from(answered).unwrap_or(u64::MAX));
        if rest > from {
            self.wanted.push_front((id, from, rest));
        }
        let mut frames = Vec::new();
        if !records.records.is_empty() {
            frames.push(Frame::Records(records));
        }
        if !gone.ranges.is_empty() {
            frames.push(Frame::Gone(gone));
        }
        Some((frames, answered))
    }
}

/// Evidence that a record which came makes with one that is held.
fn contradicted(
    rcp: &RcpId,
    named: &Named,
    came: &SignedRecord,
    context: &Context<'_>,
) -> Option<v1::Evidence> {
    let (rcp, record) = (*rcp, named.record);
    let key = RecordKey { rcp, record };
    if !context.model.contested.contains(&key) {
        return None;
    }
    let row = context.source.row(&key)?;
    let version = Header::decode(&came.header.bytes).ok()?.version;
    let header = |held: &HeldVersion| Some(context.source.record(held.place)?.header);
    evidence::of_record(&rcp, &row, (&came.header, version), header)
}

/// Descending indexes as ranges, in the same order.
fn ranges(descending: &[u64]) -> Vec<v1::IndexRange> {
    let mut ranges: Vec<v1::IndexRange> = Vec::new();
    for index in descending {
        match ranges.last_mut() {
            Some(last) if last.from == index + 1 => last.from = *index,
            _ => ranges.push(v1::IndexRange {
                from: *index,
                to: index + 1,
            }),
        }
    }
    ranges
}

#[cfg(test)]
mod following;
#[cfg(test)]
mod serving;
