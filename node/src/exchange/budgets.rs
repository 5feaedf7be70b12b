//! What each peer may cost: bytes, verifications, room on the disk, refusals.
//!
//! A budget belongs to the RCP, not to its connection, so that dialling again wins nothing. Over
//! its budget a peer is not read any further until it has come again, and everybody else is; one of
//! which too much was refused is told when it may come back. **Invariant:** only peers that this
//! node paired with have a budget: there are never more than there are peers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use corridor_proto::{RcpId, UnixMillis};
use corridor_rules::budget::{Bucket, Rate};

use crate::limits::{PEER_BYTES, PEER_DISK, PEER_REFUSALS, PEER_VERIFICATIONS};

/// What something cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Bytes of frames.
    pub bytes: u64,
    /// Signatures verified.
    pub verifications: u64,
    /// Bytes that were stored.
    pub disk: u64,
    /// Frames and records refused.
    pub refusals: u64,
}

impl Cost {
    const RATES: [(Rate, &'static str); 4] = [
        (PEER_BYTES, "bytes"),
        (PEER_VERIFICATIONS, "verifications"),
        (PEER_DISK, "room on the disk"),
        (PEER_REFUSALS, "refusals"),
    ];

    const fn amounts(&self) -> [u64; 4] {
        [self.bytes, self.verifications, self.disk, self.refusals]
    }
}

/// Of what, and for how long, a peer is over its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Of what.
    pub what: &'static str,
    /// Until it may go on.
    pub wait_ms: u64,
}

/// The budgets of all peers.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<RcpId, [Bucket; 4]>>);

impl Budgets {
    fn with<T>(&self, peer: RcpId, now: UnixMillis, of: impl FnOnce(&mut [Bucket; 4]) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Cost::RATES.map(|(rate, _)| Bucket::full(&rate, now));
        of(all.entry(peer).or_insert_with(fresh))
    }

    /// A peer cost this.
    pub fn spend(&self, peer: RcpId, cost: &Cost, now: UnixMillis) {
        self.with(peer, now, |buckets| {
            let amounts = cost.amounts();
            for ((bucket, (rate, _)), amount) in buckets.iter_mut().zip(Cost::RATES).zip(amounts) {
                bucket.take(&rate, amount, now);
            }
        });
    }

    /// What a peer is over, if it is over anything: what keeps it longest.
    pub fn over(&self, peer: RcpId, now: UnixMillis) -> Option<Over> {
        self.with(peer, now, |buckets| {
            let waits = buckets.iter_mut().zip(Cost::RATES);
            let waits = waits.map(|(bucket, (rate, what))| Over {
                what,
                wait_ms: bucket.wait_ms(&rate, now),
            });
            waits
                .filter(|over| over.wait_ms > 0)
                .max_by_key(|over| over.wait_ms)
        })
    }

    /// How long a peer has to stay away because too much of what it sent was refused.
    pub fn banned_ms(&self, peer: RcpId, now: UnixMillis) -> u64 {
        let [.., (rate, _)] = Cost::RATES;
        self.with(peer, now, |[.., refusals]| refusals.wait_ms(&rate, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_a_budget_of_its_own_for_each_thing() {
        let budgets = Budgets::default();
        let (greedy, honest) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        let now = UnixMillis(5);
        let costs = [
            Cost {
                bytes: PEER_BYTES.burst + PEER_BYTES.per_minute,
                ..Cost::default()
            },
            Cost {
                verifications: PEER_VERIFICATIONS.burst + 2 * PEER_VERIFICATIONS.per_minute,
                ..Cost::default()
            },
            Cost {
                disk: PEER_DISK.burst + 3 * PEER_DISK.per_minute,
                ..Cost::default()
            },
            Cost {
                refusals: PEER_REFUSALS.burst + 4 * PEER_REFUSALS.per_minute,
                ..Cost::default()
            },
        ];
        for ((cost, (_, what)), minutes) in costs.iter().zip(Cost::RATES).zip(1..) {
            assert_eq!(budgets.banned_ms(greedy, now), 0);
            budgets.spend(greedy, cost, now);
            let wait_ms = minutes * 60_000;
            assert_eq!(budgets.over(greedy, now), Some(Over { what, wait_ms }));
        }
        assert_eq!(budgets.banned_ms(greedy, now), 240_000);
        assert_eq!(budgets.over(greedy, UnixMillis(240_005)), None);
        assert_eq!(budgets.over(honest, now), None);
    }
}
