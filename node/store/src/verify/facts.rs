//! Each fact against those before it, and the fold that they make.
//!
//! **Invariant:** what is to be erased is what the rules say when they take a fact in; nothing of
//! it is decided here.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::{Held, SignedCheckpoint};
use corridor_proto::line::{Act, ReadLine, ReaderList, read_line};
use corridor_proto::record::Header;
use corridor_proto::{Hash, LogId, RcpId, RecordId, Refusal, Salt};
use corridor_rules::fact::{Fact, blob};
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{Effect, Model, Rows, RowsMut};

use super::contents::Contents;
use super::index::Comparison;
use super::roots::Roots;
use super::{RESTORE, Report, at};
use crate::codec;
use crate::journal::{FrameRef, Group};
use crate::row_codec::{place_in, place_out};

/// Rows in memory: a fold without an index.
#[derive(Default)]
pub(super) struct MemoryRows(pub BTreeMap<RecordKey, RecordRow>);

impl Rows for MemoryRows {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        self.0.get(key).cloned()
    }
}

impl RowsMut for MemoryRows {
    fn put(&mut self, key: &RecordKey, row: RecordRow) {
        self.0.insert(*key, row);
    }

    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey> {
        let of = self.0.keys().filter(|key| key.rcp == *rcp);
        of.copied().collect()
    }

    fn remove(&mut self, key: &RecordKey) {
        self.0.remove(key);
    }

    fn forget_lines(&mut self, _: &LogId) {}
}

/// What a publish line names: whose record, by which hash, which record and version.
type Named = (RcpId, Hash, RecordId, u64);

/// The fold, and what was found while it was made.
pub(super) struct Audit {
    pub report: Report,
    pub model: Model,
    pub roots: Roots,
    pub contents: Contents,
    pub index: Comparison,
    rows: MemoryRows,
    named: BTreeSet<Named>,
}

impl Audit {
    pub fn new(index: Comparison) -> Self {
        Self {
            report: Report::default(),
            model: Model::new(RcpId::ZERO),
            roots: Roots::default(),
            contents: Contents::default(),
            index,
            rows: MemoryRows::default(),
            named: BTreeSet::new(),
        }
    }

    pub fn group(&mut self, group: &Group<'_>) {
        self.contents.erased(group.erased);
        let groups = u64::from(!group.frames.is_empty());
        self.report.groups += groups;
        self.model.revision += group.dropped + groups;
        let mut records = Vec::new();
        for frame in group.frames {
            self.frame(frame, &mut records);
        }
        // The line of our own record follows it in its group; a received one lies behind its line.
        for (place, named) in records {
            self.is_named(place, &named);
        }
        self.index.group(group, &self.rows.0, &self.contents);
    }

    fn frame(&mut self, frame: &FrameRef<'_>, records: &mut Vec<(String, Named)>) {
        let place = at(frame.place);
        let fact = match codec::fact(frame.kind, frame.meta) {
            Ok(fact) => fact,
            Err(refusal) => {
                let what = says(refusal);
                let what = format!("{what}; run the version that wrote it, or {RESTORE}");
                return self.report.find(place, what);
            }
        };
        self.contents.found(frame);
        match self.check(&fact, &place) {
            Ok(Some(named)) => records.push((place.clone(), named)),
            Ok(None) => {}
            Err(what) => self.report.find(&*place, format!("{what}; {RESTORE}")),
        }
        self.take_in(stand_in(fact), frame);
    }

    /// Checks a fact against the state before it; gives what must name it.
    fn check(&mut self, fact: &Fact, place: &str) -> Result<Option<Named>, String> {
        match fact {
            Fact::KeyEvent { rcp, event } => self.key_event(rcp, event)?,
            Fact::Lines { log, from, lines } => self.lines(log, *from, lines)?,
            Fact::Head { log, note } => self.head(log, note, place)?,
            Fact::Record { header, .. } => {
                self.report.signatures += 1;
                let rcp = Header::decode(&header.bytes).map_err(says)?.rcp;
                let read = header.verify(self.charter(&rcp)?).map_err(says)?;
                let named = (rcp, header.version_hash(), read.record, read.version);
                return Ok(Some(named));
            }
            Fact::Held { holder, note } => self.held(holder, note, place)?,
            Fact::VoidLines { log, lines } => {
                let known = self.model.logs.get(log).map(|log| log.owner);
                let owner = known.filter(|owner| *owner == self.model.me);
                let owner = owner.ok_or_else(|| format!("void lines of log {log}, not ours"))?;
                self.name(owner, lines)?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn key_event(&mut self, rcp: &RcpId, event: &SignedKeyEvent) -> Result<(), String> {
        let Some(charter) = self.model.charter(rcp) else {
            self.report.signatures += 1;
            let charter = Charter::verify(vec![event.clone()]).map_err(says)?;
            if charter.rcp() != *rcp {
                return Err(format!("a first key event that is not that of {rcp}"));
            }
            return Ok(());
        };
        // By the recovery key, and by the new signing key.
        self.report.signatures += 2;
        charter.clone().push(event.clone()).map_err(says)
    }

    fn lines(&mut self, id: &LogId, from: u64, lines: &[Vec<u8>]) -> Result<(), String> {
        self.report.lines += u64::try_from(lines.len()).unwrap_or(0);
        let log = self.model.logs.get(id);
        let log = log.ok_or_else(|| format!("lines of log {id}, which was never opened"))?;
        if log.size() != from {
            let size = log.size();
            return Err(format!(
                "lines from {from} on of log {id}, which has {size} lines until then"
            ));
        }
        self.name(log.owner, lines)
    }

    /// Publish lines name versions.
    fn name(&mut self, owner: RcpId, lines: &[Vec<u8>]) -> Result<(), String> {
        for line in lines {
            let ReadLine::Line(line) = read_line(line).map_err(says)? else {
                continue;
            };
            if let Act::Publish {
                version_hash,
                record,
                version,
            } = line.act
            {
                self.named.insert((owner, version_hash, record, version));
            }
        }
        Ok(())
    }

    fn head(&mut self, id: &LogId, note: &str, place: &str) -> Result<(), String> {
        self.report.signatures += 1;
        let log = self.model.logs.get(id);
        let log = log.ok_or_else(|| format!("a head of log {id}, which was never opened"))?;
        let head = SignedCheckpoint::parse(note.as_bytes()).map_err(says)?;
        let head = head.verify_head(self.charter(&log.owner)?).map_err(says)?;
        if head.checkpoint().log != *id {
            return Err(format!("a head that is not that of log {id}"));
        }
        let (checkpoint, key_seq) = (head.checkpoint(), head.key_seq());
        self.roots
            .head(log, checkpoint, key_seq, place, &mut self.report);
        Ok(())
    }

    fn held(&mut self, holder: &RcpId, note: &str, place: &str) -> Result<(), String> {
        self.report.signatures += 1;
        let held = Held::verify(note.as_bytes(), self.charter(holder)?).map_err(says)?;
        let id = &held.checkpoint.log;
        let log = self.model.logs.get(id);
        let log = log.ok_or_else(|| format!("a receipt for log {id}, which was never opened"))?;
        if log.owner == self.model.me {
            Roots::receipt(log, &held.checkpoint, place, &mut self.report);
        }
        Ok(())
    }

    fn charter(&self, rcp: &RcpId) -> Result<&Charter, String> {
        let charter = self.model.charter(rcp);
        charter.ok_or_else(|| format!("it is signed by {rcp}, whose charter is missing"))
    }

    /// A record version counts only behind a line of its owner's that names just this version.
    fn is_named(&mut self, place: String, named: &Named) {
        if self.named.contains(named) {
            return;
        }
        let (rcp, hash, record, version) = *named;
        let first = (rcp, hash, RecordId::ZERO, 0);
        let mut same = self.named.range(first..);
        let what = if same
            .next()
            .is_some_and(|line| (line.0, line.1) == (rcp, hash))
        {
            "the line that names it says another record or version"
        } else {
            "no line of a log names it"
        };
        let place = format!("record {rcp}/{record} version {version} ({place})");
        self.report.find(place, format!("{what}; {RESTORE}"));
    }

    fn take_in(&mut self, fact: Fact, frame: &FrameRef<'_>) {
        match &fact {
            // The first fact of every node is its own first key event.
            Fact::KeyEvent { rcp, .. } if self.model.me.is_zero() => self.model.me = *rcp,
            Fact::Lines { log, from, .. } => self.index.lines(log, *from, frame.place),
            Fact::Rewound { log } => {
                self.index.forget(log);
                self.roots.rewound(log);
            }
            Fact::Forget { rcp } => {
                let logs = self.model.logs.values();
                for log in logs.filter(|log| log.owner == *rcp) {
                    self.index.forget(&log.id);
                }
                self.named.retain(|named| named.0 != *rcp);
            }
            _ => {}
        }
        let place = place_out(frame.place);
        let effects = self.model.apply(Some(&mut self.rows), &fact, place);
        for Effect::Erase(place) in effects {
            self.contents.due(place_in(place));
        }
        match &fact {
            Fact::Lines { log, .. } => {
                if let Some(log) = self.model.logs.get(log) {
                    self.roots.reached(&self.model, log, &mut self.report);
                }
            }
            Fact::Forget { .. } => self.roots.forget(&self.model),
            _ => {}
        }
    }
}

/// A list is taken in without its content, which may be erased by now: the rules look at where the
/// lists of a log lie, and any list has a place.
fn stand_in(fact: Fact) -> Fact {
    match fact {
        Fact::List { log, hash, .. } => {
            let list = ReaderList::default().encode().unwrap_or_default();
            let blob = blob(&Salt::new([1; 32]), &list);
            Fact::List { log, hash, blob }
        }
        fact => fact,
    }
}

/// What is wrong, without what a sender would be told to do.
fn says(refusal: Refusal) -> String {
    format!("{} {}", refusal.what, refusal.reason.says())
}
