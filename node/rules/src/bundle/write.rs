//! What goes into a bundle: the answers of a link to a reader of paper.

use std::collections::{HashSet, VecDeque};

use corridor_proto::limits::PROTOCOL_VERSION;
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::v1::bundle_part::Part;
use corridor_proto::{Hash, LogId, RcpId, v1};

use crate::link::{Context, Input, Link, Output};
use crate::log::Log;
use crate::model::Model;
use crate::row::RecordKey;
use crate::visibility::{Reader, reads};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

/// Lines looked at for the texts that are asked for at once.
const LINES_AT_ONCE: u64 = 256;

/// Why a bundle is not written to its end: its reader lost a right, or the exchange with it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// What was written of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Which.
    pub log: LogId,
    /// From which line on.
    pub from: u64,
    /// Lines written.
    pub lines: u64,
    /// Withdrawals among them.
    pub withdrawals: u64,
    /// Texts written.
    pub texts: u64,
}

/// A bundle that is being written.
#[derive(Debug)]
pub struct Writing {
    link: Link,
    peer: RcpId,
    everything: bool,
    /// What the reader says next.
    says: VecDeque<Input>,
    /// Whether the lines of all logs are written.
    texts: bool,
    logs: Vec<Written>,
    /// How far down the texts of each log are written; it ends where its lines began.
    below: Vec<u64>,
    /// Versions whose texts are written, in whichever log.
    sent: HashSet<Hash>,
    receipts: u32,
    evidence: u32,
}

impl Writing {
    /// A bundle for `peer`: of each log what it has not confirmed to hold, or `everything`.
    pub fn new(peer: RcpId, everything: bool) -> Self {
        let hello = v1::SessionHello {
            versions: vec![u32::from(PROTOCOL_VERSION)],
            start_number: vec![0; 16],
            have: vec![0; 32],
            last_start_number: vec![0; 16],
            state: Some(active()),
            ..v1::SessionHello::default()
        };
        // What it holds is known by its receipts: it is said to hold nothing, and asks from there.
        let have = v1::Have {
            logs: Vec::new(),
            last: true,
        };
        let credit = v1::Credit {
            bytes: u64::try_from(i64::MAX / 2).unwrap_or(u64::MAX),
        };
        Self {
            link: Link::new(peer),
            peer,
            everything,
            says: VecDeque::from([
                Input::Start,
                said(Said::Hello(hello)),
                said(Said::State(active())),
                carried(Carried::Credit(credit)),
                said(Said::Have(have)),
            ]),
            texts: false,
            logs: Vec::new(),
            below: Vec::new(),
            sent: HashSet::new(),
            receipts: 0,
            evidence: 0,
        }
    }

    /// The logs written so far.
    pub fn logs(&self) -> &[Written] {
        &self.logs
    }

    /// Receipts written so far.
    pub const fn receipts(&self) -> u32 {
        self.receipts
    }

    /// Pieces of evidence written so far.
    pub const fn evidence(&self) -> u32 {
        self.evidence
    }

    /// Whether the receiver may still have all that was written, and the node still signs.
    pub fn holds(&self, context: &Context<'_>) -> bool {
        let reader = Reader::Peer(self.peer);
        let reads = |id: &LogId| reads(context.model, id, &reader, context.now);
        let signs = context.model.signing_stopped.is_none();
        signs && !self.link.has_lost_a_right(context) && self.logs.iter().all(|log| reads(&log.log))
    }

    /// The next parts, as the node is now; `None` once all is written.
    ///
    /// # Errors
    /// [`Lost`]: what was written so far is not to be handed over.
    pub fn next(&mut self, context: &Context<'_>) -> Result<Option<Vec<Part>>, Lost> {
        let input = match self.says.pop_front() {
            Some(input) => input,
            None if !self.texts => Input::Changed,
            None => match self.want(context) {
                Some(want) => carried(Carried::Want(want)),
                None => return Ok(None),
            },
        };
        let outputs = self.link.handle(input, context);
        // What it was told of before it lost a right would be handed over after that.
        if !self.holds(context) {
            return Err(Lost);
        }
        let mut parts = Vec::new();
        let mut is_more = false;
        for output in outputs {
            match output {
                Output::Session(frame) => parts.extend(self.session(frame, context)),
                Output::Carry(frame) => parts.extend(self.carry(frame)),
                Output::More => is_more = true,
                Output::Close(_) => return Err(Lost),
                Output::Arrival(_) | Output::Verify(_) => {}
            }
        }
        if is_more {
            self.says.push_front(Input::Changed);
        } else if self.says.is_empty() && !self.texts {
            // Nothing comes any more before it asks: all lines are written.
            self.texts = true;
            self.below = self.logs.iter().map(|log| log.from + log.lines).collect();
        }
        Ok(Some(parts))
    }

    /// Frames of the session that go into the file.
    fn session(&mut self, frame: v1::SessionFrame, context: &Context<'_>) -> Option<Part> {
        let model = context.model;
        let is_kept = match frame.frame.as_ref()? {
            Said::Hello(_) | Said::Have(_) | Said::State(_) => true,
            // Logs of others are not passed on in files.
            Said::Identity(identity) => {
                corridor_proto::wire::Identity::claimed(identity) == Some(model.me)
            }
            Said::Checkpoint(frame) => {
                frame.owner == model.me.as_bytes() && self.pull(frame, model)
            }
            Said::Held(held) => {
                let is_kept = held.owner == self.peer.as_bytes();
                self.receipts += u32::from(is_kept);
                is_kept
            }
            Said::Evidence(_) => {
                self.evidence += 1;
                true
            }
            Said::Ended(_) => false,
        };
        is_kept.then_some(Part::Session(frame))
    }

    /// The reader asks for the lines of a log that it is told of, from what it confirmed on.
    fn pull(&mut self, frame: &v1::CheckpointFrame, model: &Model) -> bool {
        let seed = corridor_proto::LogSeed::from_slice(&frame.seed);
        let Some(log) = seed
            .ok()
            .and_then(|seed| model.logs.get(&LogId::derive(&model.me, &seed)))
        else {
            return false;
        };
        if self.logs.iter().any(|known| known.log == log.id) {
            return true;
        }
        let from = if self.everything {
            0
        } else {
            confirmed(model, log, &self.peer)
        };
        self.says.push_back(carried(Carried::Pull(v1::Pull {
            log: log.id.as_bytes().to_vec(),
            from,
            target: 0,
        })));
        self.logs.push(Written {
            log: log.id,
            from,
            lines: 0,
            withdrawals: 0,
            texts: 0,
        });
        true
    }

    /// Frames of the carry stream that go into the file.
    fn carry(&mut self, frame: v1::CarryFrame) -> Option<Part> {
        let id = match frame.frame.as_ref()? {
            Carried::Package(package) => &package.log,
            Carried::Records(records) => &records.log,
            _ => return None,
        };
        let mut logs = self.logs.iter_mut();
        let written = logs.find(|log| log.log.as_bytes().as_slice() == id.as_slice())?;
        match frame.frame.as_ref()? {
            Carried::Package(package) => {
                written.lines += count(package.lines.len());
                written.withdrawals += count(withdrawals(&package.lines));
            }
            Carried::Records(records) => written.texts += count(records.records.len()),
            _ => {}
        }
        Some(Part::Carry(frame))
    }

    /// What the reader asks for next: the newest texts first, each once; `None` when it has all.
    fn want(&mut self, context: &Context<'_>) -> Option<v1::Want> {
        loop {
            let mut logs = self.logs.iter().zip(&mut self.below);
            let (written, below) = logs.find(|(written, below)| **below > written.from)?;
            let from = below.saturating_sub(LINES_AT_ONCE).max(written.from);
            let range = from..std::mem::replace(below, from);
            let log = context.model.logs.get(&written.log)?;
            let mut indexes = given(context, log, range, &mut self.sent);
            indexes.reverse();
            if !indexes.is_empty() {
                let range = |at: u64| v1::IndexRange {
                    from: at,
                    to: at + 1,
                };
                return Some(v1::Want {
                    log: log.id.as_bytes().to_vec(),
                    ranges: indexes.into_iter().map(range).collect(),
                });
            }
        }
    }
}

/// The lines of a log whose texts its readers are given and that were in no log before, ascending.
fn given(
    context: &Context<'_>,
    log: &Log,
    range: std::ops::Range<u64>,
    sent: &mut HashSet<Hash>,
) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let lines = context.source.lines(&log.id, at, range.end);
        if lines.is_empty() {
            return found;
        }
        for (index, line) in (at..).zip(&lines) {
            let Ok(ReadLine::Line(line)) = read_line(line) else {
                continue;
            };
            let Act::Publish { record, .. } = line.act else {
                continue;
            };
            let rcp = log.owner;
            let row = context.source.row(&RecordKey { rcp, record });
            let stand = row.as_ref().and_then(|row| row.given(&log.id));
            if let Some(stand) = stand.filter(|stand| stand.index == index)
                && sent.insert(stand.version_hash)
            {
                found.push(index);
            }
        }
        at += count(lines.len());
    }
    found
}

/// How many lines of a log a peer confirmed to hold, as far as they are ours still.
fn confirmed(model: &Model, log: &Log, peer: &RcpId) -> u64 {
    let held = model.held.get(&(log.id, *peer));
    let held = held.map(|held| held.checkpoint);
    held.filter(|held| log.tree.root_at(held.size) == Some(held.root))
        .map_or(0, |held| held.size)
}

/// Withdrawals among lines.
fn withdrawals(lines: &[Vec<u8>]) -> usize {
    let is_one = |line: &&Vec<u8>| match read_line(line) {
        Ok(ReadLine::Line(line)) => matches!(line.act, Act::Withdraw(_)),
        _ => false,
    };
    lines.iter().filter(is_one).count()
}

fn active() -> v1::StateFrame {
    v1::StateFrame {
        serving: v1::Serving::Active.into(),
        ..v1::StateFrame::default()
    }
}

fn said(frame: Said) -> Input {
    Input::Session(v1::SessionFrame {
        frame: Some(frame),
        padding: Vec::new(),
    })
}

fn carried(frame: Carried) -> Input {
    Input::Carry(v1::CarryFrame { frame: Some(frame) })
}

pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
