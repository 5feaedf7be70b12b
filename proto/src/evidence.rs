//! Evidence: two signed things of one RCP that contradict each other, provable by themselves.
//!
//! There are four forms. All that is signed must be under keys not declared compromised, and all
//! checkpoints of one incarnation: different incarnations never make evidence, nor does a failed
//! consistency proof. **Invariant:** evidence needs nothing but itself and the RCP's charter.

use crate::charter::{Charter, KeyEvent, SignedKeyEvent};
use crate::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::id::{Hash, LogId, RecordId};
use crate::record::SignedHeader;
use crate::refusal::{Reason, Refusal};
use crate::tree::verify_inclusion;

const WHAT: &str = "evidence";

/// Two contradicting things, as they were signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two checkpoints of the same log, incarnation and size with different roots.
    TwoRoots([SignedCheckpoint; 2]),
    /// Two checkpoints of one incarnation, and two leaves for one index.
    TwoLines {
        /// The index.
        index: u64,
        /// For each side: checkpoint, leaf hash, inclusion proof.
        sides: [(SignedCheckpoint, Hash, Vec<Hash>); 2],
    },
    /// Two different version hashes for one record version.
    TwoVersions([SignedHeader; 2]),
    /// Two key events with one number.
    TwoKeyEvents([SignedKeyEvent; 2]),
}

/// What proved evidence is about, and so what it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// This log is frozen.
    Log {
        /// Which log.
        log: LogId,
        /// In which incarnation it forked.
        incarnation: u64,
    },
    /// This record version is hidden everywhere.
    Version {
        /// Which record.
        record: RecordId,
        /// Which version.
        version: u64,
    },
    /// The RCP itself is frozen; it continues only as a successor.
    Rcp,
}

impl Evidence {
    /// Judges the evidence by the charter of the RCP that it is about.
    ///
    /// For two key events, the charter up to the event before them decides.
    ///
    /// # Errors
    /// `NoContradiction`, `CompromisedKey`, and whatever is wrong with one of the two sides.
    pub fn verify(&self, charter: &Charter) -> Result<Proved, Refusal> {
        match self {
            Self::TwoRoots([a, b]) => {
                let (a, b) = (a.clone().verify(charter)?, b.clone().verify(charter)?);
                let (one, other) = (same_incarnation(&a, &b)?, b.checkpoint());
                demand(one.size == other.size && one.root != other.root)?;
                Ok(forked(one))
            }
            Self::TwoLines {
                index,
                sides: [a, b],
            } => {
                let (left, right) = (a.0.clone().verify(charter)?, b.0.clone().verify(charter)?);
                let forks = forked(same_incarnation(&left, &right)?);
                demand(a.1 != b.1)?;
                for (head, (_, leaf, proof)) in [(&left, a), (&right, b)] {
                    let head = head.checkpoint();
                    verify_inclusion(leaf, *index, head.size, &head.root, proof)?;
                }
                Ok(forks)
            }
            Self::TwoVersions([a, b]) => {
                let (one, other) = (a.verify(charter)?, b.verify(charter)?);
                for seq in [one.key_seq, other.key_seq] {
                    sound(charter, seq)?;
                }
                demand(
                    (one.record, one.version) == (other.record, other.version)
                        && a.version_hash() != b.version_hash(),
                )?;
                Ok(Proved::Version {
                    record: one.record,
                    version: one.version,
                })
            }
            Self::TwoKeyEvents([a, b]) => two_key_events(charter, a, b),
        }
    }
}

const fn forked(checkpoint: &crate::checkpoint::Checkpoint) -> Proved {
    Proved::Log {
        log: checkpoint.log,
        incarnation: checkpoint.incarnation,
    }
}

fn two_key_events(
    charter: &Charter,
    a: &SignedKeyEvent,
    b: &SignedKeyEvent,
) -> Result<Proved, Refusal> {
    let seq = KeyEvent::decode(&a.bytes)?.seq;
    demand(seq > 0 && seq == KeyEvent::decode(&b.bytes)?.seq && a.bytes != b.bytes)?;
    let before = usize::try_from(seq).unwrap_or(usize::MAX);
    let common = charter
        .events()
        .get(..before)
        .ok_or(Refusal::new(WHAT, Reason::UnknownKey))?;
    for event in [a, b] {
        Charter::verify(common.to_vec())?.push(event.clone())?;
    }
    Ok(Proved::Rcp)
}

fn same_incarnation<'a>(
    a: &'a VerifiedCheckpoint,
    b: &VerifiedCheckpoint,
) -> Result<&'a crate::checkpoint::Checkpoint, Refusal> {
    let (one, other) = (a.checkpoint(), b.checkpoint());
    demand((one.log, one.incarnation) == (other.log, other.incarnation))?;
    Ok(one)
}

fn sound(charter: &Charter, seq: u32) -> Result<(), Refusal> {
    if charter.is_compromised(seq) {
        return Err(Refusal::new(WHAT, Reason::CompromisedKey));
    }
    Ok(())
}

const fn demand(contradicts: bool) -> Result<(), Refusal> {
    if contradicts {
        Ok(())
    } else {
        Err(Refusal::new(WHAT, Reason::NoContradiction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::id::{Salt, UnixMillis};
    use crate::key::SecretKey;
    use crate::record::NewRecord;
    use crate::tree::{Tree, leaf_hash};

    const FORK: Proved = Proved::Log {
        log: LogId::new([7; 32]),
        incarnation: 0,
    };

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn charter() -> Charter {
        Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
    }

    fn tree(leaves: &[&[u8]]) -> Tree {
        let mut tree = Tree::new();
        leaves.iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
        tree
    }

    fn signed(tree: &Tree, incarnation: u64) -> SignedCheckpoint {
        let size = tree.size();
        let root = tree.root_at(size).expect("root");
        Checkpoint {
            log: LogId::new([7; 32]),
            incarnation,
            size,
            root,
        }
        .sign(&key(1))
    }

    fn reason(evidence: &Evidence) -> Result<Proved, Reason> {
        evidence
            .verify(&charter())
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn two_roots_for_one_size_prove_a_fork_of_the_log() {
        let (a, b) = (tree(&[b"a", b"b"]), tree(&[b"a", b"c"]));
        let proof = Evidence::TwoRoots([signed(&a, 0), signed(&b, 0)]);
        assert_eq!(reason(&proof), Ok(FORK));
        let same = Evidence::TwoRoots([signed(&a, 0), signed(&a, 0)]);
        assert_eq!(reason(&same), Err(Reason::NoContradiction));
        let restart = Evidence::TwoRoots([signed(&a, 0), signed(&b, 9)]);
        assert_eq!(reason(&restart), Err(Reason::NoContradiction));
        let growth = Evidence::TwoRoots([signed(&a, 0), signed(&tree(&[b"a"]), 0)]);
        assert_eq!(reason(&growth), Err(Reason::NoContradiction));
    }

    #[test]
    fn two_lines_at_one_index_prove_it_at_any_two_sizes() {
        let (a, b) = (tree(&[b"a", b"b", b"c"]), tree(&[b"a", b"x", b"c", b"d"]));
        let side = |tree: &Tree, index| {
            let proof = tree.inclusion(index, tree.size()).expect("proof");
            (signed(tree, 0), tree.leaf(index).expect("leaf"), proof)
        };
        let at = |index| Evidence::TwoLines {
            index,
            sides: [side(&a, index), side(&b, index)],
        };
        assert_eq!(reason(&at(1)), Ok(FORK));
        assert_eq!(reason(&at(0)), Err(Reason::NoContradiction));
        let moved = Evidence::TwoLines {
            index: 1,
            sides: [side(&a, 1), side(&b, 2)],
        };
        assert_eq!(reason(&moved), Err(Reason::BadProof));
    }

    #[test]
    fn two_texts_under_one_version_prove_it() {
        let header = |body: &[u8], version| {
            NewRecord {
                record: RecordId::new([3; 16]),
                version,
                kind: 1,
                time: UnixMillis(5),
                salt: Salt::new([4; 32]),
                body: body.to_vec(),
            }
            .sign(&charter(), &key(1))
            .expect("sign")
            .into_signed()
            .header
        };
        let proof = Evidence::TwoVersions([header(b"a", 5), header(b"b", 5)]);
        let proved = Proved::Version {
            record: RecordId::new([3; 16]),
            version: 5,
        };
        assert_eq!(reason(&proof), Ok(proved));
        let revised = Evidence::TwoVersions([header(b"a", 5), header(b"b", 6)]);
        assert_eq!(reason(&revised), Err(Reason::NoContradiction));
    }

    #[test]
    fn two_key_events_of_one_number_prove_it() {
        let rotation = |signing: u8| {
            SignedKeyEvent::rotation(
                &charter(),
                &key(2),
                &key(signing),
                &key(9).public_bytes(),
                None,
            )
            .expect("rotation")
        };
        let proof = Evidence::TwoKeyEvents([rotation(5), rotation(6)]);
        assert_eq!(reason(&proof), Ok(Proved::Rcp));
        let same = Evidence::TwoKeyEvents([rotation(5), rotation(5)]);
        assert_eq!(reason(&same), Err(Reason::NoContradiction));
    }

    #[test]
    fn what_a_thief_signed_proves_nothing_once_the_key_is_declared_compromised() {
        let (a, b) = (tree(&[b"a", b"b"]), tree(&[b"a", b"c"]));
        let proof = Evidence::TwoRoots([signed(&a, 0), signed(&b, 0)]);
        let mut after = charter();
        let rotation = SignedKeyEvent::rotation(
            &charter(),
            &key(2),
            &key(3),
            &key(4).public_bytes(),
            Some(0),
        );
        after.push(rotation.expect("rotation")).expect("push");
        assert_eq!(
            proof.verify(&after).map_err(|r| r.reason),
            Err(Reason::CompromisedKey)
        );
    }
}
