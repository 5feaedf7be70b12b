//! The charters seen so far, so that nobody can go back behind a rotation.
//!
//! **Invariant:** a charter here only grows.

use std::collections::BTreeMap;

use corridor_proto::charter::{Charter, Relation};
use corridor_proto::{RcpId, Reason, Refusal};

use crate::limits::CHARTERS_MAX;

/// The longest charter seen of each RCP.
#[derive(Debug, Default)]
pub(crate) struct Charters(BTreeMap<RcpId, Charter>);

impl Charters {
    /// Takes in a verified charter.
    ///
    /// # Errors
    /// `Stale` for one that ends before the one held, `BrokenChain` for one that contradicts it.
    pub(crate) fn learn(&mut self, charter: &Charter) -> Result<(), Refusal> {
        let Some(held) = self.0.get(&charter.rcp()) else {
            // A full table forgets nothing that it holds; it only learns no more RCPs.
            if self.0.len() < CHARTERS_MAX {
                self.0.insert(charter.rcp(), charter.clone());
            }
            return Ok(());
        };
        match held.compare(charter) {
            Relation::Same | Relation::OtherRcp => Ok(()),
            Relation::Longer => {
                self.0.insert(charter.rcp(), charter.clone());
                Ok(())
            }
            Relation::Shorter => Err(Refusal::new("charter", Reason::Stale)),
            Relation::Fork { .. } => Err(Refusal::new("charter", Reason::BrokenChain)),
        }
    }

    /// The charter of an RCP, if it was seen.
    pub(crate) fn of(&self, rcp: &RcpId) -> Option<&Charter> {
        self.0.get(rcp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::charter::SignedKeyEvent;
    use corridor_proto::key::SecretKey;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn rotated(charter: &Charter, to: u8) -> Charter {
        let next = key(to + 1).public_bytes();
        let event = SignedKeyEvent::rotation(charter, &key(2), &key(to), &next, None);
        let mut after = charter.clone();
        after.push(event.expect("rotation")).expect("push");
        after
    }

    #[test]
    fn a_charter_only_grows() {
        let first =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let (longer, fork) = (rotated(&first, 3), rotated(&first, 5));
        let mut charters = Charters::default();
        assert!(charters.of(&first.rcp()).is_none());
        assert_eq!(charters.learn(&first), Ok(()));
        assert_eq!(charters.learn(&longer), Ok(()));
        assert_eq!(charters.of(&first.rcp()).map(Charter::current_seq), Some(1));
        let reason = |verdict: Result<(), Refusal>| verdict.map_err(|refusal| refusal.reason);
        assert_eq!(reason(charters.learn(&first)), Err(Reason::Stale));
        assert_eq!(reason(charters.learn(&fork)), Err(Reason::BrokenChain));
        assert_eq!(charters.learn(&longer), Ok(()));
    }
}
