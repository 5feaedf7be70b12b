//! Have: one hash over all that two peers share, so that "nothing new" costs one round trip.

use crate::domain::{self, Domain};
use crate::id::{Hash, LogId};
use crate::layout::Writer;

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

/// The hash over key event, card serial and all shared logs in the order of their identifiers.
///
/// `logs` may come in any order; a log given twice counts once.
pub fn have_hash(key_seq: u32, card_serial: u64, logs: &[HaveLog]) -> Hash {
    let mut logs = logs.to_vec();
    logs.sort();
    logs.dedup_by_key(|log| log.log);
    let mut writer = Writer::new()
        .u8(crate::limits::FORMAT)
        .u32(key_seq)
        .u64(card_serial);
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
        let base = have_hash(1, 2, &[log(1), log(2)]);
        assert_eq!(base, have_hash(1, 2, &[log(2), log(1), log(2)]));
        assert_ne!(base, have_hash(1, 3, &[log(1), log(2)]));
        assert_ne!(base, have_hash(2, 2, &[log(1), log(2)]));
        assert_ne!(base, have_hash(1, 2, &[log(1)]));
        assert_ne!(
            base,
            have_hash(
                1,
                2,
                &[
                    log(1),
                    HaveLog {
                        incarnation: 1,
                        ..log(2)
                    }
                ]
            )
        );
        assert_ne!(
            base,
            have_hash(1, 2, &[log(1), HaveLog { size: 4, ..log(2) }])
        );
        assert_ne!(
            base,
            have_hash(
                1,
                2,
                &[
                    log(1),
                    HaveLog {
                        key_seq: 1,
                        ..log(2)
                    }
                ]
            )
        );
    }
}
