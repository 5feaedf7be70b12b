//! Which records changed lately, so that whoever follows changes need not look at all of them.
//!
//! **Invariant:** in memory and bounded; what is no longer known here is found by looking at every
//! row's revision.

use std::collections::VecDeque;

use corridor_proto::RcpId;
use corridor_rules::row::RecordKey;

/// Changes remembered: some minutes of a first sync, months of a secretariat's work.
const CHANGES_MAX: usize = 65_536;

/// What a group of facts changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A record.
    Record(RecordKey),
    /// What may be seen of all records of an RCP.
    Rcp(RcpId),
}

/// The latest changes, each with the revision that made it.
#[derive(Debug)]
pub(crate) struct Recent {
    /// Changes after this revision are all here.
    after: u64,
    changes: VecDeque<(u64, Changed)>,
}

impl Recent {
    /// Remembers what comes after `revision`.
    pub const fn new(revision: u64) -> Self {
        Self {
            after: revision,
            changes: VecDeque::new(),
        }
    }

    /// A change made by the group of this revision.
    pub fn note(&mut self, revision: u64, changed: Changed) {
        self.changes.push_back((revision, changed));
        while self.changes.len() > CHANGES_MAX {
            if let Some((gone, _)) = self.changes.pop_front() {
                self.after = gone;
            }
        }
    }

    /// What changed after a revision; `None` if that is too long ago.
    pub fn since(&self, revision: u64) -> Option<Vec<Changed>> {
        if revision < self.after {
            return None;
        }
        let newer = self.changes.iter().rev();
        let newer = newer.take_while(|(at, _)| *at > revision);
        Some(newer.map(|(_, changed)| *changed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rcp(n: u8) -> Changed {
        Changed::Rcp(RcpId::new([n; 32]))
    }

    #[test]
    fn what_is_too_long_ago_is_not_claimed_to_be_known() {
        let mut recent = Recent::new(5);
        recent.note(6, rcp(1));
        recent.note(6, rcp(2));
        recent.note(8, rcp(3));
        assert_eq!(recent.since(4), None, "before this start");
        assert_eq!(recent.since(5), Some(vec![rcp(3), rcp(2), rcp(1)]));
        assert_eq!(recent.since(6), Some(vec![rcp(3)]));
        assert_eq!(recent.since(8), Some(Vec::new()));
        for revision in 9..9 + u64::try_from(CHANGES_MAX).expect("few") {
            recent.note(revision, rcp(4));
        }
        assert_eq!(recent.since(7), None, "forgotten by now");
        assert!(recent.since(8).is_some());
    }
}
