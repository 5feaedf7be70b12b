//! Have: one hash over all that two peers share, so that "nothing new" costs one round trip.

use crate::domain::{self, Domain};
use crate::id::{Hash, LogId, RcpId};
use crate::layout::Writer;

/// One of the two that share, as the holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HaveIdentity {
    /// Who.
    pub rcp: RcpId,
    /// Its newest key event.
    pub key_seq: u32,
    /// Serial of its newest card.
    pub card_serial: u64,
}

/// One shared log, as its holder has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HaveLog {
    /// Which log.
    pub log: LogId,
    /// Which incarnation.
    pub incarnation: u64,
    /// Lines held under a signed root.
    pub size: u64,
    /// That root.
    pub root: Hash,
    /// Key event of the key that signed it.
    pub key_seq: u32,
}

/// The hash over the two that share, the smaller RcpId first, and all shared logs in the order of
/// their identifiers. Both sides compute the same one exactly if they know the same.
///
/// `pair` and `logs` may come in any order; a log given twice counts once.
pub fn have_hash(mut pair: [HaveIdentity; 2], logs: &[HaveLog]) -> Hash {
    pair.sort();
    let mut logs = logs.to_vec();
    logs.sort();
    logs.dedup_by_key(|log| log.log);
    let mut writer = Writer::new().u8(crate::limits::FORMAT);
    for identity in &pair {
        writer = writer
            .bytes(identity.rcp.as_bytes())
            .u32(identity.key_seq)
            .u64(identity.card_serial);
    }
    for log in &logs {
        writer = writer
            .bytes(log.log.as_bytes())
            .u64(log.incarnation)
            .u64(log.size)
            .bytes(log.root.as_bytes())
            .u32(log.key_seq);
    }
    domain::hash(Domain::Have, &[&writer.finish()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_logs_makes_no_difference_and_each_field_does() {
        let log = |n: u8| HaveLog {
            log: LogId::new([n; 32]),
            incarnation: 0,
            size: 3,
            root: Hash::new([n; 32]),
            key_seq: 0,
        };
        let rcp = |n: u8, key_seq, card_serial| HaveIdentity {
            rcp: RcpId::new([n; 32]),
            key_seq,
            card_serial,
        };
        let pair = [rcp(1, 1, 2), rcp(2, 3, 4)];
        let logs = [log(1), log(2)];
        let base = have_hash(pair, &logs);
        let turned = [pair[1], pair[0]];
        assert_eq!(base, have_hash(turned, &[log(2), log(1), log(2)]));
        for other in [
            [rcp(1, 0, 2), pair[1]],
            [rcp(1, 1, 0), pair[1]],
            [rcp(3, 1, 2), pair[1]],
            [pair[0], rcp(2, 0, 4)],
            [pair[0], rcp(2, 3, 0)],
            [rcp(2, 1, 2), rcp(1, 3, 4)],
        ] {
            assert_ne!(base, have_hash(other, &logs), "{other:?}");
        }
        let two = log(2);
        for other in [
            HaveLog {
                log: LogId::new([3; 32]),
                ..two
            },
            HaveLog {
                incarnation: 1,
                ..two
            },
            HaveLog { size: 4, ..two },
            HaveLog {
                root: Hash::new([3; 32]),
                ..two
            },
            HaveLog { key_seq: 1, ..two },
        ] {
            assert_ne!(base, have_hash(pair, &[log(1), other]), "{other:?}");
        }
        assert_ne!(base, have_hash(pair, &[log(1)]));
    }
}
