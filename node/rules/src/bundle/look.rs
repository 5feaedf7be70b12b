//! What taking a bundle in would bring, without taking it in.

use std::collections::BTreeMap;

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint};
use corridor_proto::line::{Act, ReadLine};
use corridor_proto::package::{Package, VerifiedPackage};
use corridor_proto::tree::Frontier;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, v1, wire};

use super::Lead;
use super::write::count;
use crate::ingest::{Judged, Unverified};
use crate::log::Log;
use crate::model::Model;
use crate::peer::{Call, PeerState, may_call};
use crate::row::Named;

/// Circles that are looked into; what is more is counted in none.
const CIRCLES_MAX: usize = crate::limits::LOGS_PER_RCP_MAX;
/// Receipts and evidence are only counted.
type Count = u32;

/// A circle in a bundle.
#[derive(Clone, Debug, Default)]
pub struct Circle {
    /// Lines in it.
    pub lines: u64,
    /// Those that are not here.
    pub new_lines: u64,
    /// Withdrawals among these.
    pub withdrawals: u64,
    /// Texts in it.
    pub texts: u64,
    /// Those that are missing here, or behind its new lines.
    pub new_texts: u64,
    /// Incarnation and size of its head.
    pub head: (u64, u64),
    /// Whether that is more than is here.
    pub is_news: bool,
    /// The first thing that keeps it from being taken in.
    pub problem: Option<Refusal>,
    /// Its copy here, with the lines that would be taken in.
    frontier: Frontier,
    /// What new publish lines name.
    named: BTreeMap<u64, Named>,
    lead: Option<Lead>,
}

/// A look at the frames of a bundle, in their order.
#[derive(Debug)]
pub struct Look {
    sender: RcpId,
    may_send: bool,
    circles: BTreeMap<LogId, Circle>,
    receipts: Count,
    evidence: Count,
    shows: bool,
}

impl Look {
    /// A look at what `sender` wrote, at a node that is as the model says.
    pub fn new(model: &Model, sender: RcpId) -> Self {
        // One whose invitation was accepted here is pending once its bundle is taken in.
        let state = match model.peer_state(&sender) {
            Some(PeerState::Invited) => Some(PeerState::Pending),
            state => state,
        };
        Self {
            sender,
            may_send: may_call(state, Call::Send),
            circles: BTreeMap::new(),
            receipts: 0,
            evidence: 0,
            shows: false,
        }
    }

    /// The circles, by their logs.
    pub const fn circles(&self) -> &BTreeMap<LogId, Circle> {
        &self.circles
    }

    /// Receipts in it.
    pub const fn receipts(&self) -> u32 {
        self.receipts
    }

    /// Pieces of evidence in it.
    pub const fn evidence(&self) -> u32 {
        self.evidence
    }

    /// Whether it shows all that the sender held of ours.
    pub const fn shows(&self) -> bool {
        self.shows
    }

    /// Whether it has a head that is more than is here: it is no copy of an older one.
    pub fn is_news(&self) -> bool {
        self.circles.values().any(|circle| circle.is_news)
    }

    /// What leads the lines of the bundle to heads that are here and not yet reached.
    pub fn leads(self) -> BTreeMap<LogId, Lead> {
        let leads = self.circles.into_iter();
        leads
            .filter_map(|(id, circle)| Some((id, circle.lead?)))
            .collect()
    }

    /// The next frame of `Session`; `charter` is the sender's newest.
    pub fn session(&mut self, model: &Model, charter: &Charter, frame: &v1::SessionFrame) {
        use v1::session_frame::Frame;
        match &frame.frame {
            Some(Frame::Checkpoint(frame)) => {
                // What does not verify is refused when it is taken in.
                let _ = self.checkpoint(model, charter, frame);
            }
            Some(Frame::Held(_)) => self.receipts = self.receipts.saturating_add(1),
            Some(Frame::Evidence(_)) => self.evidence = self.evidence.saturating_add(1),
            Some(Frame::Have(have)) => self.shows |= have.last,
            _ => {}
        }
    }

    fn checkpoint(
        &mut self,
        model: &Model,
        charter: &Charter,
        frame: &v1::CheckpointFrame,
    ) -> Result<(), Refusal> {
        let id = LogId::derive(&self.sender, &LogSeed::from_slice(&frame.seed)?);
        let is_new = !self.circles.contains_key(&id);
        if frame.owner != self.sender.as_bytes() || is_new && self.circles.len() >= CIRCLES_MAX {
            return Err(Refusal::new("checkpoint", Reason::NotEntitled));
        }
        let log = model.logs.get(&id);
        let size = log.map_or(0, Log::size);
        let circle = self.circles.entry(id).or_insert_with(|| Circle {
            frontier: log
                .and_then(|log| log.tree.frontier_at(size))
                .unwrap_or_default(),
            lead: Lead::of(model, &self.sender, &id),
            ..Circle::default()
        });
        if !self.may_send {
            circle.problem = Some(Refusal::new("checkpoint", Reason::NotEntitled));
        }
        let signed = SignedCheckpoint::parse(&frame.checkpoint);
        match signed.and_then(|signed| signed.verify_head(charter)) {
            Ok(head) if head.checkpoint().log == id => {
                let head = head.checkpoint();
                circle.head = (head.incarnation, head.size);
                circle.is_news = circle.head > (log.map_or(0, |log| log.incarnation), size);
            }
            Ok(_) => {
                let wrong = Refusal::new("checkpoint", Reason::WrongLog);
                circle.problem.get_or_insert(wrong);
            }
            Err(refusal) => {
                circle.problem.get_or_insert(refusal);
            }
        }
        Ok(())
    }

    /// The next frame of `Carry`; `charter` is the sender's newest. Gives those records in it that
    /// are missing here, to be judged, which takes long; [`Look::judged`] hears of it.
    pub fn carry(
        &mut self,
        model: &Model,
        charter: &Charter,
        frame: v1::CarryFrame,
    ) -> Option<Unverified> {
        use v1::carry_frame::Frame;
        match frame.frame? {
            Frame::Package(package) => {
                let (id, circle) = self.circle(&package.log)?;
                if let Some(lead) = &mut circle.lead {
                    lead.note(&package);
                }
                circle.lines = circle.lines.saturating_add(count(package.lines.len()));
                if let Err(refusal) = circle.package(model.logs.get(&id), charter, package) {
                    circle.problem.get_or_insert(refusal);
                }
                None
            }
            Frame::Records(records) => {
                let sender = self.sender;
                let (id, circle) = self.circle(&records.log)?;
                circle.texts = circle.texts.saturating_add(count(records.records.len()));
                let log = model.logs.get(&id);
                let missing = circle.missing((sender, id), log, records.records);
                let new = count(missing.records.len());
                circle.new_texts = circle.new_texts.saturating_add(new);
                Some(missing)
            }
            _ => None,
        }
    }

    /// What became of records of a log.
    pub fn judged(&mut self, log: &LogId, judged: &Judged) {
        if let (Some(circle), Some(refusal)) = (self.circles.get_mut(log), judged.refusals.first())
        {
            circle.problem.get_or_insert(*refusal);
        }
    }

    fn circle(&mut self, log: &[u8]) -> Option<(LogId, &mut Circle)> {
        let id = LogId::from_slice(log).ok()?;
        Some((id, self.circles.get_mut(&id)?))
    }
}

impl Circle {
    /// Proves the lines of a package behind those before them, as far as they are new.
    fn package(
        &mut self,
        log: Option<&Log>,
        charter: &Charter,
        package: v1::Package,
    ) -> Result<(), Refusal> {
        let head = SignedCheckpoint::parse(&package.checkpoint)?.verify_head(charter)?;
        let head = *head.checkpoint();
        let incarnation = log.map_or(0, |log| log.incarnation);
        if package.from == 0 && head.incarnation > incarnation && self.new_lines == 0 {
            // A restart is followed from the first line.
            self.frontier = Frontier::default();
        }
        let size = self.frontier.size();
        let held = usize::try_from(size.saturating_sub(package.from)).unwrap_or(usize::MAX);
        if held > 0 && held >= package.lines.len() {
            return Ok(());
        }
        let verified = behind(&self.frontier, held, package, &head)?;
        self.new_lines = self.new_lines.saturating_add(count(verified.lines().len()));
        for (index, (_, line)) in (size..).zip(verified.lines()) {
            let ReadLine::Line(line) = line else { continue };
            match line.act {
                Act::Withdraw(_) => self.withdrawals = self.withdrawals.saturating_add(1),
                Act::Publish {
                    version_hash,
                    record,
                    ..
                } => {
                    let named = Named {
                        record,
                        version_hash,
                    };
                    self.named.insert(index, named);
                }
                _ => {}
            }
        }
        self.frontier = verified.frontier().clone();
        Ok(())
    }

    /// The records of a frame that are missing here, or lie behind a new line.
    fn missing(
        &mut self,
        (owner, log_id): (RcpId, LogId),
        log: Option<&Log>,
        records: Vec<v1::RecordItem>,
    ) -> Unverified {
        let missing = |item: v1::RecordItem| {
            let index = item.index;
            let here = log.and_then(|log| log.missing.get(&index).copied());
            let named = self.named.remove(&index).or(here)?;
            Some((index, named, wire::record(item)))
        };
        Unverified {
            peer: owner,
            owner,
            log: log_id,
            records: records.into_iter().filter_map(missing).collect(),
        }
    }
}

/// The lines of a package without the first `held`, verified behind a frontier.
fn behind(
    frontier: &Frontier,
    held: usize,
    package: v1::Package,
    head: &Checkpoint,
) -> Result<VerifiedPackage, Refusal> {
    Package {
        from: package.from.max(frontier.size()),
        lines: package.lines.into_iter().skip(held).collect(),
        proof: wire::proof(&package.proof)?,
    }
    .verify(frontier, head)
}
