//! What was heard of logs: receipts, those passed on, and how long ago the last news came.

use corridor_proto::checkpoint::Held;
use corridor_proto::{LogId, RcpId, UnixMillis};

use super::{Model, Receipt};
use crate::limits::NEWS_ALARM_MS;
use crate::log::Log;
use crate::peer::PeerState;

impl Model {
    pub(super) fn receipt(&mut self, holder: &RcpId, note: &str) {
        let Some(charter) = self.charter(holder) else {
            return;
        };
        let Ok(held) = Held::verify(note.as_bytes(), charter) else {
            return;
        };
        let log = held.checkpoint.log;
        let is_ours = self.logs.get(&log).is_some_and(|log| log.owner == self.me);
        if is_ours && *holder != self.me {
            self.held.insert((log, *holder), held);
        } else {
            let note = note.to_owned();
            self.passing.insert((log, *holder), Receipt { held, note });
        }
    }

    pub(super) fn forget_passing(&mut self, rcp: &RcpId) {
        let logs = &self.logs;
        let of = |log: &LogId| logs.get(log).map(|log| log.owner);
        self.passing
            .retain(|(log, holder), _| holder != rcp && of(log) != Some(*rcp));
    }

    /// When something was last heard of a log of another RCP, from its owner or of it: to a quarter
    /// of a day. `None` if never.
    pub fn news(&self, log: &Log) -> Option<UnixMillis> {
        let met = self.peers.get(&log.owner).map(|peer| peer.met);
        let said = self.passing.get(&(log.id, log.owner));
        let said = said.map(|receipt| UnixMillis(receipt.held.time_s.saturating_mul(1_000)));
        met.max(said).filter(|at| at.0 > 0)
    }

    /// Since when nothing was heard of a log of `rcp` that we follow, if that is longer than a day:
    /// something may be held back from us.
    pub fn silent_since(&self, rcp: &RcpId, now: UnixMillis) -> Option<UnixMillis> {
        let peer = self.peers.get(rcp)?;
        let is_followed = matches!(peer.state, PeerState::Active | PeerState::Paused);
        let logs = self.logs.values();
        let heard = logs
            .filter(|log| log.owner == *rcp && is_followed)
            .map(|log| self.news(log).unwrap_or(peer.since));
        heard
            .min()
            .filter(|heard| now.since(*heard) >= NEWS_ALARM_MS)
    }
}

#[cfg(test)]
mod tests;
