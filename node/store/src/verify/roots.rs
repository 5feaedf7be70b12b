//! Signed roots against the lines: heads as they were signed, the one held now among them, and
//! receipts as they were cosigned.
//!
//! **Invariant:** each signed size is compared once its lines are there, not only the newest.

use std::collections::BTreeMap;

use corridor_proto::LogId;
use corridor_proto::checkpoint::Checkpoint;
use corridor_rules::{Log, Model};

use super::{RESTORE, Report};

/// Heads whose lines have not all come.
#[derive(Default)]
pub(super) struct Roots(BTreeMap<LogId, Vec<Pending>>);

struct Pending {
    checkpoint: Checkpoint,
    key_seq: u32,
    place: String,
}

impl Roots {
    /// A verified head of a log: compared now, or once its lines are there.
    pub fn head(
        &mut self,
        log: &Log,
        checkpoint: &Checkpoint,
        key_seq: u32,
        place: &str,
        report: &mut Report,
    ) {
        if checkpoint.size > log.size() {
            self.0.entry(log.id).or_default().push(Pending {
                checkpoint: *checkpoint,
                key_seq,
                place: place.to_owned(),
            });
            return;
        }
        compare(log, checkpoint, place, report);
    }

    /// A verified receipt for a log of ours.
    pub fn receipt(log: &Log, held: &Checkpoint, place: &str, report: &mut Report) {
        if held.size > log.size() {
            let (theirs, ours) = (held.size, log.size());
            let what = format!(
                "a reader holds our lines up to {theirs}, and those here end at {ours}; {RESTORE}"
            );
            report.find(format!("log {} ({place})", log.id), what);
            return;
        }
        compare(log, held, place, report);
    }

    /// Lines were appended to a log: which pending heads are reached?
    pub fn reached(&mut self, model: &Model, log: &Log, report: &mut Report) {
        let Some(pending) = self.0.get_mut(&log.id) else {
            return;
        };
        for reached in pending.extract_if(.., |head| head.checkpoint.size <= log.size()) {
            // Once its key is retired, a head that was not reached counts no longer.
            if is_current(model, log, reached.key_seq) {
                compare(log, &reached.checkpoint, &reached.place, report);
            }
        }
    }

    /// A log is taken again from its first line: older heads are of another branch.
    pub fn rewound(&mut self, log: &LogId) {
        self.0.remove(log);
    }

    /// Logs that were forgotten are owed nothing.
    pub fn forget(&mut self, model: &Model) {
        self.0.retain(|log, _| model.logs.contains_key(log));
    }

    /// Heads that were never reached.
    pub fn finish(self, model: &Model, report: &mut Report) {
        for (id, pending) in self.0 {
            let Some(log) = model.logs.get(&id) else {
                continue;
            };
            for head in pending {
                let (signed, here) = (head.checkpoint.size, log.size());
                let place = format!("log {id} ({})", head.place);
                if log.owner == model.me {
                    let what = format!(
                        "we signed size {signed}, and the lines here end at {here}; {RESTORE}"
                    );
                    report.find(place, what);
                } else if is_current(model, log, head.key_seq) {
                    let what = format!(
                        "its head of size {signed} is pending: the lines here end at {here}, the \
                         rest comes with the next exchange"
                    );
                    report.note(place, what);
                }
            }
        }
    }
}

fn is_current(model: &Model, log: &Log, key_seq: u32) -> bool {
    let charter = model.charter(&log.owner);
    charter.is_some_and(|charter| charter.current_seq() == key_seq)
}

fn compare(log: &Log, signed: &Checkpoint, place: &str, report: &mut Report) {
    report.roots += 1;
    if log.tree.root_at(signed.size) != Some(signed.root) {
        let what = format!(
            "the root signed for size {} is not that of the lines; {RESTORE}",
            signed.size
        );
        report.find(format!("log {} ({place})", log.id), what);
    }
}
