//! Drafts, publishing, sharing wider and narrower, withdrawing.
//!
//! **Invariant:** a withdrawal goes to every log in which the record ever stood, and to the private
//! circle of every reader that lost one of them after the record stood there.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::charter::Charter;
use corridor_proto::id::next_ordinal;
use corridor_proto::key::SecretKey;
use corridor_proto::limits::NOTE_BYTES_MAX;
use corridor_proto::line::{Act, WHOLE_RECORD, Withdrawal, WithdrawalReason, note_hash};
use corridor_proto::record::{NewRecord, VerifiedRecord};
use corridor_proto::{Hash, LogId, Reason, RecordId, Refusal, Salt};

use rayon::prelude::*;

use super::{Decision, Desk, DeskRefusal, Link, ToPublish, unknown_record};
use crate::fact::{Fact, blob};
use crate::limits::{PUBLISH_BYTES_MAX, PUBLISH_MAX, VERSIONS_PER_RECORD_MAX};
use crate::log::{Log, Sort};
use crate::model::{Model, Rows};
use crate::peer::{Call, PeerState, may_call};
use crate::row::RecordRow;

const TOO_MANY_VERSIONS: DeskRefusal = DeskRefusal::TooMany {
    what: "versions of this record",
    remedy: "publish a new record that replaces it",
};

/// More than one group takes.
pub const TOO_MANY_AT_ONCE: DeskRefusal = DeskRefusal::TooMany {
    what: "records to be published at once",
    remedy: "publish fewer of them at a time",
};

/// From so many on, records are signed by all processors.
const SHARED_OUT_MIN: usize = 16;

/// A draft that may be published, and into which circles.
type Prepared = (NewRecord, BTreeSet<LogId>);
/// A record that was signed.
type Signed = (RecordId, Result<VerifiedRecord, Refusal>);

impl Desk<'_> {
    pub(super) fn publish(&mut self, one: ToPublish) -> Decision {
        let clearances = self.clearance(&one)?.into_iter().collect();
        let prepared = self.prepare(one)?;
        self.stand(vec![prepared], clearances, |_, why| why)
    }

    /// All of them or none. What one names must stand before.
    pub(super) fn publish_all(&mut self, all: Vec<ToPublish>) -> Decision {
        let bytes: usize = all.iter().map(|one| one.body.len()).sum();
        if all.len() > PUBLISH_MAX || bytes > PUBLISH_BYTES_MAX {
            return Err(TOO_MANY_AT_ONCE);
        }
        let records: BTreeSet<RecordId> = all.iter().map(|one| one.record).collect();
        if records.len() != all.len() {
            return Err(DeskRefusal::Nothing("a record is named twice"));
        }
        let one_of = |record, why| DeskRefusal::OneOf {
            record,
            why: Box::new(why),
        };
        let mut clearances = Vec::new();
        let prepared = all.into_iter().map(|one| {
            let record = one.record;
            let why = |why| one_of(record, why);
            clearances.extend(self.clearance(&one).map_err(why)?);
            self.prepare(one).map_err(why)
        });
        let prepared = prepared.collect::<Result<_, _>>()?;
        self.stand(prepared, clearances, one_of)
    }

    /// What a draft becomes, before it is signed.
    fn prepare(&mut self, one: ToPublish) -> Result<Prepared, DeskRefusal> {
        let record = one.record;
        if self.model.drafts.get(&record).map(|draft| draft.place) != one.draft {
            return Err(DeskRefusal::ChangedMeanwhile(record));
        }
        let row = self.row(record).unwrap_or_default();
        refuse_withdrawn(record, Some(&row))?;
        let circles = one.circles.unwrap_or_else(|| {
            row.stands
                .iter()
                .filter(|stand| row.lives(stand))
                .map(|stand| stand.log)
                .collect()
        });
        let circles: BTreeSet<LogId> = circles.into_iter().collect();
        if circles.is_empty() {
            return Err(DeskRefusal::NoCircle(record));
        }
        for circle in &circles {
            self.check_circle(circle, &one.links)?;
        }
        if row.versions.len() >= VERSIONS_PER_RECORD_MAX {
            return Err(TOO_MANY_VERSIONS);
        }
        let last = row.last_version().max(row.burnt());
        let version = next_ordinal(last, self.now).ok_or(TOO_MANY_VERSIONS)?;
        let new = NewRecord {
            record,
            version,
            kind: one.kind,
            time: self.now,
            salt: Salt::new(self.bytes()),
            body: one.body,
        };
        Ok((new, circles))
    }

    /// Signs them, and appends the lines of each circle together, under one head.
    fn stand(
        &mut self,
        prepared: Vec<Prepared>,
        clearances: Vec<Fact>,
        refused: impl Fn(RecordId, DeskRefusal) -> DeskRefusal,
    ) -> Decision {
        let (model, key) = (self.model, self.key);
        let charter = model.charter(&model.me);
        let charter = charter.ok_or(Refusal::new("charter", Reason::WrongRcp))?;
        let (new, circles): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
        let mut facts = Vec::new();
        let mut standing: BTreeMap<LogId, Vec<Vec<u8>>> = BTreeMap::new();
        let mut drafts = Vec::new();
        for ((record, verified), circles) in sign_all(charter, key, new).into_iter().zip(circles) {
            let verified = verified.map_err(|why| refused(record, why.into()))?;
            for circle in circles {
                let line = self.line(Act::Publish {
                    version_hash: verified.version_hash(),
                    record,
                    version: verified.header().version,
                });
                standing.entry(circle).or_default().push(line);
            }
            let signed = verified.into_signed();
            facts.push(Fact::Record {
                blob: blob(&signed.salt, &signed.body),
                header: signed.header,
            });
            if self.model.drafts.contains_key(&record) {
                drafts.push(Fact::DraftGone { record });
            }
        }
        for (circle, lines) in standing {
            let log = self.own_log(&circle)?;
            facts.extend(self.lapsed(log));
            facts.extend(self.append(log, lines)?);
        }
        facts.extend(drafts);
        facts.extend(clearances);
        Ok(facts)
    }

    pub(super) fn share(
        &mut self,
        record: RecordId,
        meant: u64,
        links: &[Link],
        circles: &[LogId],
    ) -> Decision {
        let row = self.row(record).ok_or_else(|| unknown_record(record))?;
        refuse_withdrawn(record, Some(&row))?;
        let newest = row.newest().ok_or_else(|| unknown_record(record))?;
        let (version, version_hash) = (newest.version, newest.version_hash);
        if version != meant {
            return Err(DeskRefusal::ChangedMeanwhile(record));
        }
        let mut facts = Vec::new();
        for circle in circles.iter().collect::<BTreeSet<_>>() {
            self.check_circle(circle, links)?;
            if row
                .living(circle)
                .is_some_and(|stand| stand.version == version)
            {
                continue;
            }
            let line = self.line(Act::Publish {
                version_hash,
                record,
                version,
            });
            facts.extend(self.lapsed(self.own_log(circle)?));
            facts.extend(self.append(self.own_log(circle)?, vec![line])?);
        }
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing(
                "the record already stands in these circles",
            ));
        }
        Ok(facts)
    }

    /// Whether a record with these links may be published into a circle.
    fn check_circle(&self, id: &LogId, links: &[Link]) -> Result<(), DeskRefusal> {
        let log = self.own_log(id)?;
        if let Sort::Private(peer) = log.sort
            && self.model.peer_state(&peer) != Some(PeerState::Active)
        {
            return Err(DeskRefusal::OnlyWithdrawals(peer));
        }
        for link in links {
            if !link_fits(self.model, self.rows, log, link) {
                return Err(DeskRefusal::Link {
                    link: *link,
                    circle: log.name.clone(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn narrow(&mut self, record: RecordId, circles: &[LogId]) -> Decision {
        let row = self.row(record).ok_or_else(|| unknown_record(record))?;
        let mut facts = Vec::new();
        for circle in circles.iter().collect::<BTreeSet<_>>() {
            if row.living(circle).is_none() {
                continue;
            }
            let line = self.line(Act::Leave { record });
            facts.extend(self.append(self.own_log(circle)?, vec![line])?);
        }
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing(
                "the record stands in none of these circles",
            ));
        }
        Ok(facts)
    }

    pub(super) fn withdraw(
        &mut self,
        record: RecordId,
        up_to: u64,
        reason: WithdrawalReason,
        note: Option<Vec<u8>>,
        replacement: Option<RecordId>,
    ) -> Decision {
        // One of which only a reader knew can be withdrawn as well.
        let is_void = self.model.own_logs().any(|log| log.published_void(&record));
        let row = self
            .row(record)
            .or_else(|| is_void.then(RecordRow::default));
        let row = row.ok_or_else(|| unknown_record(record))?;
        if up_to <= row.burnt() {
            return Err(DeskRefusal::Nothing("these versions were withdrawn before"));
        }
        let versions = || row.versions.iter().map(|held| held.version);
        let hits = versions().any(|version| row.burnt() < version && version <= up_to);
        if up_to != WHOLE_RECORD && (!hits || up_to > row.last_version()) {
            let versions: Vec<String> = versions().map(|version| version.to_string()).collect();
            return Err(DeskRefusal::NoSuchVersion {
                up_to,
                versions: versions.join(", "),
            });
        }
        let mut facts = Vec::new();
        let note = match note {
            Some(note) if note.len() > NOTE_BYTES_MAX => {
                return Err(Refusal::new("note", corridor_proto::Reason::TooLong).into());
            }
            Some(note) => {
                let salt = Salt::new(self.bytes());
                let hash = note_hash(&salt, &note);
                facts.push(Fact::Note {
                    rcp: self.model.me,
                    hash,
                    blob: blob(&salt, &note),
                });
                hash
            }
            None => Hash::ZERO,
        };
        for id in withdrawal_logs(self.model, &row, record) {
            let log = self.own_log(&id)?;
            let withdrawal = Withdrawal {
                record,
                up_to,
                reason,
                note,
                replacement: replacement.unwrap_or(RecordId::ZERO),
            };
            let line = Act::Withdraw(self.in_circle(log, withdrawal));
            let line = self.line(line);
            facts.extend(self.append(self.own_log(&id)?, vec![line])?);
        }
        if up_to == WHOLE_RECORD && self.model.drafts.contains_key(&record) {
            facts.push(Fact::DraftGone { record });
        }
        Ok(facts)
    }
}

impl Desk<'_> {
    /// A withdrawal as a circle's readers may see it: with a replacement that they can find.
    pub(super) fn in_circle(&self, log: &Log, withdrawal: Withdrawal) -> Withdrawal {
        let (rcp, record) = (self.model.me, withdrawal.replacement);
        let fits = link_fits(self.model, self.rows, log, &Link { rcp, record });
        let replacement = if fits { record } else { RecordId::ZERO };
        Withdrawal {
            replacement,
            ..withdrawal
        }
    }
}

/// Signs all, in their order: most of the work of a call that publishes many.
fn sign_all(charter: &Charter, key: &SecretKey, all: Vec<NewRecord>) -> Vec<Signed> {
    let sign = |one: NewRecord| (one.record, one.sign(charter, key));
    if all.len() < SHARED_OUT_MIN {
        return all.into_iter().map(sign).collect();
    }
    all.into_par_iter().map(sign).collect()
}

pub(super) fn refuse_withdrawn(
    record: RecordId,
    row: Option<&RecordRow>,
) -> Result<(), DeskRefusal> {
    if row.is_some_and(|row| row.burnt() >= WHOLE_RECORD) {
        return Err(DeskRefusal::Withdrawn(record));
    }
    Ok(())
}

/// Whether the readers of a circle of ours can find the record that a link names.
///
/// Links point from the narrower record to the wider one only (PROTOCOL.md, "Links").
pub fn link_fits(model: &Model, rows: &dyn Rows, circle: &Log, link: &Link) -> bool {
    let Some(row) = rows.row(link) else {
        return false;
    };
    let confirmed = link.rcp == model.me || model.is_confirmed(&link.rcp);
    let is_public = |id: &LogId| {
        let log = model.logs.get(id);
        confirmed && log.is_some_and(|log| log.owner == link.rcp && log.sort == Sort::Public)
    };
    if row
        .stands
        .iter()
        .any(|stand| row.lives(stand) && is_public(&stand.log))
    {
        return true;
    }
    if link.rcp == model.me {
        return row.living(&circle.id).is_some();
    }
    let answers = circle
        .readers
        .as_ref()
        .and_then(|readers| readers.list.answers);
    circle.sort == Sort::Private(link.rcp)
        || answers.is_some_and(|(log, _)| row.living(&log).is_some())
}

/// The logs that must carry a withdrawal: every one in which the record ever stood, and the private
/// circle of each reader that may hold it. Those who read the log now get it twice, for they may
/// lose the log before its line reaches them.
pub(super) fn withdrawal_logs(model: &Model, row: &RecordRow, record: RecordId) -> BTreeSet<LogId> {
    let mut logs = BTreeSet::new();
    let stood = |log: &Log| {
        let stand = row.stand(&log.id).map(|stand| stand.first);
        stand.or_else(|| log.published_void(&record).then_some(0))
    };
    for log in model.own_logs() {
        let Some(first) = stood(log) else { continue };
        logs.insert(log.id);
        let lost = log.former.iter().filter(|(_, size)| first < **size);
        let reads = model.peers.keys().filter(|peer| {
            let mut listed = log.readers.iter().flat_map(|readers| &readers.list.readers);
            match log.sort {
                Sort::Private(_) => false,
                // One that was left and paired again is a former reader until it is confirmed.
                Sort::Public => may_call(model.peer_state(peer), Call::ReadPublic),
                Sort::Open | Sort::Closed => {
                    !log.former.contains_key(peer) && listed.any(|(reader, _)| reader == *peer)
                }
            }
        });
        for rcp in lost.map(|(rcp, _)| rcp).chain(reads) {
            logs.extend(model.private_log(rcp).map(|log| log.id));
        }
    }
    logs
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod withdrawing;
