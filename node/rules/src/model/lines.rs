//! What lines and bodies do to the logs and the rows.
//!
//! **Invariant:** a row changes together with what is to be fetched and what is to be erased.

use corridor_proto::evidence::Proved;
use corridor_proto::line::{Act, ReadLine, Withdrawal, read_line};
use corridor_proto::record::Header;
use corridor_proto::tree::leaf_hash;
use corridor_proto::{LogId, RcpId};

use super::{Effect, Model, RowsMut};
use crate::evidence::Kept;
use crate::fact::Place;
use crate::log::{Log, Stop};
use crate::row::{HeldVersion, RecordKey, RecordRow, VOID};

impl Model {
    pub(super) fn lines(
        &mut self,
        mut rows: Option<&mut dyn RowsMut>,
        id: &LogId,
        from: u64,
        lines: &[Vec<u8>],
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, bytes) in (from..).zip(lines) {
            let Some(log) = self.logs.get_mut(id) else {
                return effects;
            };
            let Ok(line) = read_line(bytes) else {
                return effects;
            };
            if log.size() != index {
                continue;
            }
            log.tree.push(leaf_hash(bytes));
            log.note_line(index, &line);
            if log.owner == self.me && log.restarts.last().is_some_and(|r| r.index == index) {
                // Receipts for lines that are void now say nothing any more.
                let tree = &log.tree;
                self.held.retain(|(of, _), held| {
                    let held = &held.checkpoint;
                    of != id || tree.root_at(held.size) == Some(held.root)
                });
            }
            if let (Some(rows), ReadLine::Line(line)) = (rows.as_mut(), line) {
                effects.extend(self.record_line(*rows, id, index, &line));
            }
        }
        if let Some(log) = self.logs.get_mut(id) {
            log.settle_head();
        }
        self.freeze_if_proved(id);
        effects.extend(self.drop_void(rows, id));
        effects
    }

    /// Once a log that was taken again is all there, what it does not publish stands there no more.
    pub(super) fn drop_void(
        &mut self,
        rows: Option<&mut (dyn RowsMut + '_)>,
        id: &LogId,
    ) -> Vec<Effect> {
        let settled = |log: &Log| log.has_void && !log.retaken && log.held_head.is_some();
        let Some(log) = self.logs.get_mut(id).filter(|log| settled(log)) else {
            return Vec::new();
        };
        log.has_void = false;
        let owner = log.owner;
        let Some(rows) = rows else {
            return Vec::new();
        };
        let mut keys = rows.keys(&owner);
        keys.retain(|key| {
            let row = rows.row(key);
            row.is_some_and(|row| row.stand(id).is_some_and(|stand| stand.void))
        });
        let keys = keys.iter();
        keys.flat_map(|key| self.change(rows, key, |row| row.drop_void(id)))
            .collect()
    }

    fn record_line(
        &mut self,
        rows: &mut dyn RowsMut,
        id: &LogId,
        index: u64,
        line: &corridor_proto::line::Line,
    ) -> Vec<Effect> {
        let Some(log) = self.logs.get(id) else {
            return Vec::new();
        };
        let (owner, retaken) = (log.owner, log.retaken);
        let key = |record| RecordKey { rcp: owner, record };
        match line.act {
            Act::Publish {
                version_hash,
                record,
                version,
            } if log.stop.is_none() => self.change(rows, &key(record), |row| {
                if retaken {
                    row.publish_again(*id, index, version, version_hash);
                } else {
                    row.publish(*id, index, version, version_hash);
                }
            }),
            Act::Withdraw(withdrawal) => self.change(rows, &key(withdrawal.record), |row| {
                row.withdraw(*id, index, withdrawal, line.time);
            }),
            Act::Leave { record } => self.change(rows, &key(record), |row| row.leave(id, index)),
            Act::Publish { .. } | Act::Readers { .. } | Act::Restart { .. } => Vec::new(),
        }
    }

    /// The lines of a log are forgotten, to be taken again.
    pub(super) fn rewind(&mut self, rows: Option<&mut dyn RowsMut>, id: &LogId) -> Vec<Effect> {
        let Some(owner) = self.logs.get(id).map(|log| log.owner) else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        if let Some(rows) = rows {
            let mut keys = rows.keys(&owner);
            keys.retain(|key| {
                let row = rows.row(key);
                row.is_some_and(|row| row.stand(id).is_some_and(|stand| !stand.void))
            });
            for key in keys {
                effects.extend(self.change(rows, &key, |row| row.rewind(id)));
            }
            rows.forget_lines(id);
        }
        if let Some(log) = self.logs.get_mut(id) {
            log.rewind();
        }
        effects
    }

    /// What void lines of ours withdraw and let leave counts; what they published is noted.
    pub(super) fn void_lines(
        &mut self,
        mut rows: Option<&mut dyn RowsMut>,
        id: &LogId,
        lines: &[Vec<u8>],
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for bytes in lines {
            let Some(log) = self.logs.get_mut(id) else {
                return effects;
            };
            let Ok(ReadLine::Line(line)) = read_line(bytes) else {
                continue;
            };
            log.void.leaves.insert(leaf_hash(bytes));
            match line.act {
                Act::Publish {
                    version_hash,
                    record,
                    version,
                } => {
                    log.void.published.insert(version_hash, (record, version));
                    continue;
                }
                Act::Withdraw(Withdrawal { record, .. }) | Act::Leave { record } => {
                    log.void.taken.insert(record);
                }
                Act::Readers { .. } | Act::Restart { .. } => continue,
            }
            if let Some(rows) = rows.as_mut() {
                effects.extend(self.record_line(*rows, id, VOID, &line));
            }
        }
        effects
    }

    /// Whether the keys of another RCP are proved to be forked.
    pub(super) fn is_forked(&self, rcp: &RcpId) -> bool {
        let mut about = self.evidence.iter().filter(|kept| kept.rcp == *rcp);
        *rcp != self.me && about.any(|kept| kept.proved == Proved::Rcp)
    }

    /// Evidence may have come before the log: it counts once the log has a head, and with it its
    /// incarnation.
    pub(super) fn freeze_if_proved(&mut self, id: &LogId) {
        let settled = |log: &&Log| log.held_head.is_some() && !log.retaken && log.stop.is_none();
        let log = self.logs.get(id).filter(settled);
        if log.is_some_and(|log| self.is_proved_against(log))
            && let Some(log) = self.logs.get_mut(id)
        {
            log.stop = Some(Stop::Frozen { accepted: false });
        }
    }

    /// Whether evidence is here that a log forked, in this incarnation or a later one.
    pub(super) fn is_proved_against(&self, log: &Log) -> bool {
        self.evidence.iter().any(|kept| {
            log.owner != self.me
                && kept.rcp == log.owner
                && match kept.proved {
                    Proved::Log {
                        log: id,
                        incarnation,
                    } => id == log.id && incarnation >= log.incarnation,
                    Proved::Rcp => true,
                    Proved::Version { .. } => false,
                }
        })
    }

    /// What evidence stops is stopped from here on.
    pub(super) fn contradicted(
        &mut self,
        rows: Option<&mut (dyn RowsMut + '_)>,
        rcp: &RcpId,
        evidence: &[u8],
    ) -> Vec<Effect> {
        let charter = self.charter(rcp);
        let Some(Ok(kept)) = charter.map(|charter| Kept::read(evidence, charter)) else {
            return Vec::new();
        };
        let proved = kept.proved;
        self.evidence.push(kept);
        let stopped = self.logs.values().filter(|log| {
            let is_named = match proved {
                Proved::Log { log: id, .. } => log.id == id,
                Proved::Rcp => true,
                Proved::Version { .. } => false,
            };
            is_named && self.is_proved_against(log)
        });
        let stopped: Vec<LogId> = stopped.map(|log| log.id).collect();
        for id in stopped {
            if let Some(log) = self.logs.get_mut(&id) {
                log.stop = Some(Stop::Frozen { accepted: false });
            }
        }
        match (proved, rows) {
            (Proved::Version { record, version }, Some(rows)) => {
                let key = RecordKey { rcp: *rcp, record };
                self.change(rows, &key, |row| row.contradict(version))
            }
            _ => Vec::new(),
        }
    }

    /// What a second history of a log withdraws and lets leave counts.
    pub(super) fn branch_lines(
        &mut self,
        mut rows: Option<&mut dyn RowsMut>,
        id: &LogId,
        lines: &[Vec<u8>],
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for bytes in lines {
            let Some(log) = self.logs.get_mut(id) else {
                return effects;
            };
            log.branch.insert(leaf_hash(bytes));
            if let (Some(rows), Ok(ReadLine::Line(line))) = (rows.as_mut(), read_line(bytes))
                && matches!(line.act, Act::Withdraw(_) | Act::Leave { .. })
            {
                effects.extend(self.record_line(*rows, id, VOID, &line));
            }
        }
        effects
    }

    pub(super) fn record(
        &mut self,
        rows: &mut dyn RowsMut,
        signed: &corridor_proto::record::SignedHeader,
        place: Place,
    ) -> Vec<Effect> {
        let Ok(header) = Header::decode(&signed.bytes) else {
            return Vec::new();
        };
        let key = RecordKey {
            rcp: header.rcp,
            record: header.record,
        };
        self.change(rows, &key, |row| {
            row.held(HeldVersion {
                version: header.version,
                version_hash: signed.version_hash(),
                kind: header.kind,
                time: header.time,
                place,
                erased: false,
            });
        })
    }

    /// Changes a row, and with it what is to be fetched and what is to be erased.
    pub(super) fn change(
        &mut self,
        rows: &mut dyn RowsMut,
        key: &RecordKey,
        change: impl FnOnce(&mut RecordRow),
    ) -> Vec<Effect> {
        let mut row = rows.row(key).unwrap_or_default();
        for stand in &row.stands {
            let Some(log) = self.logs.get_mut(&stand.log) else {
                continue;
            };
            // Behind a restart the line of that index may name another record.
            let named = log.missing.get(&stand.index);
            if named.is_some_and(|named| named.record == key.record) {
                log.missing.remove(&stand.index);
            }
        }
        change(&mut row);
        row.revision = self.revision;
        let places = row.erase(key.rcp == self.me, self.delayed_until(&key.rcp).is_some());
        self.note_missing(*key, &row);
        rows.put(key, row);
        places.into_iter().map(Effect::Erase).collect()
    }
}

#[cfg(test)]
mod tests;
