//! Restarts: a node that may not know all that was signed in its name signs again.
//!
//! **Invariant:** no log goes on in the incarnation in which something may have been signed that
//! this folder does not have, so no size of an incarnation ever gets two roots from here.

use std::collections::BTreeMap;

use corridor_proto::checkpoint::Held;
use corridor_proto::evidence::Proved;
use corridor_proto::line::{Act, WHOLE_RECORD};
use corridor_proto::{LogId, RcpId, RecordId, UnixMillis};

use super::publish::withdrawal_logs;
use super::{Decision, Desk, DeskRefusal};
use crate::fact::Fact;
use crate::ingest::{CHARTER_FORKED, KEYS_PREDATE_A_ROTATION};
use crate::limits::{NEWS_INTERVAL_MS, RESTARTS_MAX};
use crate::log::Log;
use crate::peer::PeerState;
use crate::row::VOID;

const SIGNS: DeskRefusal = DeskRefusal::NoRestart {
    remedy: "this node signs; there is nothing to resume",
};
const OTHER_KEYS: DeskRefusal = DeskRefusal::NoRestart {
    remedy: "this folder has keys that a rotation replaced, or was rotated twice; nothing can be \
             signed from it: the whole folder of the node with the newer keys is needed",
};
const ANOTHER_COPY: DeskRefusal = DeskRefusal::NoRestart {
    remedy: "another copy of this node may still run, and would contradict this one; end it for \
             good, then say so (corridor recover copy-is-gone)",
};

/// Owed lines of one log in one group: the next look takes up the rest.
const OWED_AT_ONCE: usize = 512;

impl Desk<'_> {
    /// A person says that the other copy is gone: what it said at its starts is accepted once from
    /// each peer.
    pub(super) fn other_copy_gone(&self) -> Decision {
        if !self.model.another_copy {
            return Err(DeskRefusal::Nothing("no other copy of this node was seen"));
        }
        Ok(vec![Fact::OtherCopyGone { at: self.now }])
    }

    /// A person takes it that a partner that contradicted itself has begun its circles anew.
    pub(super) fn accept_restart(&self, rcp: RcpId) -> Decision {
        let mut about = self.model.evidence.iter().filter(|kept| kept.rcp == rcp);
        if about.any(|kept| kept.proved == Proved::Rcp) {
            return Err(DeskRefusal::Nothing(
                "the recovery key of this partner was used twice: it can go on only under a new \
                 identifier, with which you pair anew",
            ));
        }
        let logs = self.model.logs.values().filter(|log| log.owner == rcp);
        let restarted = logs.filter(|log| log.awaits_acceptance());
        let facts: Vec<Fact> = restarted
            .map(|log| Fact::RestartAccepted { log: log.id })
            .collect();
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing(
                "this partner has begun no circle anew of which it signed two histories, as far as \
                 this node has heard; call it, and repeat this once it has",
            ));
        }
        Ok(facts)
    }

    /// A person takes what a backup had of other RCPs as it is: it may lack withdrawals.
    pub(super) fn show_uncompared(&self) -> Decision {
        let logs = self.model.logs.values().filter(|log| log.uncompared);
        let facts: Vec<Fact> = logs.map(|log| Fact::Compared { log: log.id }).collect();
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing("nothing that was received is hidden"));
        }
        Ok(facts)
    }

    /// Each log of ours goes on in a new incarnation behind the longest prefix that is here.
    pub(super) fn restart(&mut self) -> Decision {
        match self.model.signing_stopped.as_deref() {
            None => return Err(SIGNS),
            Some(KEYS_PREDATE_A_ROTATION | CHARTER_FORKED) => return Err(OTHER_KEYS),
            Some(_) if self.model.another_copy => return Err(ANOTHER_COPY),
            Some(_) => {}
        }
        let model = self.model;
        let mut owed = self.owed();
        let mut facts = Vec::new();
        for log in model.own_logs() {
            if log.restarts.len() >= RESTARTS_MAX {
                return Err(DeskRefusal::TooMany {
                    what: "restarts of one log",
                    remedy: "find out what sets this folder back again and again",
                });
            }
            let incarnation = next_incarnation(log, self.now, self.bytes());
            let size = log.size();
            let root = log.tree.root_at(size).unwrap_or_default();
            let restart = Act::Restart {
                incarnation,
                size,
                root,
            };
            let mut lines = vec![self.line(restart)];
            let acts = owed.remove(&log.id).unwrap_or_default();
            for act in acts.into_iter().take(OWED_AT_ONCE) {
                lines.push(self.line(act));
            }
            facts.extend(self.append_in(log, incarnation, lines)?);
        }
        facts.push(Fact::SigningResumed { at: self.now });
        Ok(facts)
    }

    /// What void lines withdrew and let leave is said again in our logs.
    ///
    /// # Errors
    /// Those of composing lines.
    pub fn repeat(&mut self) -> Decision {
        let mut facts = Vec::new();
        if self.model.signing_stopped.is_some() {
            return Ok(facts);
        }
        let model = self.model;
        let paused = model.peers.iter();
        let paused = paused.filter(|(_, peer)| peer.state == PeerState::Paused);
        facts.extend(self.suspend(&paused.map(|(rcp, _)| *rcp).collect())?);
        if !facts.is_empty() {
            // The rest is due again at once, behind these lines.
            return Ok(facts);
        }
        facts.extend(self.freshness());
        for (id, acts) in self.owed() {
            let acts = acts.into_iter().take(OWED_AT_ONCE);
            let lines = acts.map(|act| self.line(act)).collect();
            facts.extend(self.append(self.own_log(&id)?, lines)?);
        }
        Ok(facts)
    }

    /// What this node says of the newest heads of the logs that readers pass on, every six hours:
    /// so that those who do not meet it know that nothing newer is held back from them.
    fn freshness(&self) -> Vec<Fact> {
        let me = self.model.me;
        let logs = self.model.own_logs().filter(|log| {
            let is_read = log
                .readers
                .as_ref()
                .is_some_and(|r| !r.list.readers.is_empty());
            let said = self.model.passing.get(&(log.id, me));
            let said = said.map_or(0, |receipt| receipt.held.time_s.saturating_mul(1_000));
            log.is_relayed() && is_read && self.now.since(UnixMillis(said)) >= NEWS_INTERVAL_MS
        });
        let heads = logs.filter_map(|log| log.held_head.as_ref());
        heads
            .map(|head| {
                let held = Held {
                    checkpoint: head.checkpoint,
                    holder: me,
                    time_s: self.now.0 / 1_000,
                };
                Fact::Held {
                    holder: me,
                    note: held.sign(self.key),
                }
            })
            .collect()
    }

    /// The withdrawals and leaves that void lines said and no line of ours says, log by log.
    fn owed(&self) -> BTreeMap<LogId, Vec<Act>> {
        let mut owed: BTreeMap<LogId, Vec<Act>> = BTreeMap::new();
        for log in self.model.own_logs() {
            for record in &log.void.taken {
                for (id, act) in self.owed_of(*record) {
                    let acts = owed.entry(id).or_default();
                    if !acts.contains(&act) {
                        acts.push(act);
                    }
                }
            }
        }
        owed
    }

    fn owed_of(&self, record: RecordId) -> Vec<(LogId, Act)> {
        let row = self.row(record).unwrap_or_default();
        let mut owed = Vec::new();
        let said = row.withdrawn.iter().filter(|w| w.index == VOID);
        if let Some(most) = said.clone().max_by_key(|w| w.withdrawal.up_to) {
            let mut logs = withdrawal_logs(self.model, &row, record);
            logs.extend(said.map(|w| w.log));
            logs.retain(|id| {
                let mut ours = row.withdrawn.iter().filter(|w| w.log == *id);
                !ours.any(|w| w.index != VOID && w.withdrawal.up_to >= most.withdrawal.up_to)
            });
            owed.extend(logs.into_iter().filter_map(|id| {
                // The replacement is named where its readers can find it, as ever.
                let log = self.model.logs.get(&id)?;
                let withdrawal = self.in_circle(log, most.withdrawal);
                Some((id, Act::Withdraw(withdrawal)))
            }));
        }
        let left = row
            .stands
            .iter()
            .filter(|stand| stand.left && stand.decided == VOID);
        if row.burnt() < WHOLE_RECORD {
            owed.extend(left.map(|stand| (stand.log, Act::Leave { record })));
        }
        owed
    }
}

/// First 0, then above whatever was seen, and at least the present time: PROTOCOL.md, "Restarts and
/// clones".
///
/// `random` keeps two restarts of one backup apart where the clock cannot.
fn next_incarnation(log: &Log, now: UnixMillis, random: [u8; 2]) -> u64 {
    let head = log.head.as_ref();
    let seen = head.map_or(0, |head| head.checkpoint.incarnation);
    let seen = seen.max(log.incarnation).max(log.shown);
    let next = seen.saturating_add(1).max(now.0);
    next.saturating_add(u16::from_be_bytes(random).into())
}

#[cfg(test)]
mod tests;
