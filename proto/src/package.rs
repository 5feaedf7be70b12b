//! Packages: consecutive lines of a log, proved to begin what a checkpoint signs.
//!
//! The receiver extends its own frontier with the lines and demands a consistency proof from the
//! size reached to the checkpoint's size. **Invariant:** a package holds lines only, and none of
//! them counts before the whole package verified.

use crate::checkpoint::Checkpoint;
use crate::id::Hash;
use crate::limits::{PACKAGE_BYTES_MAX, PACKAGE_LINES_MAX};
use crate::line::{ReadLine, read_line};
use crate::refusal::{Reason, Refusal};
use crate::tree::{Frontier, leaf_hash, verify_consistency};

const WHAT: &str = "package";

/// Lines from `from` on, as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Index of the first line.
    pub from: u64,
    /// The lines' bytes, at least one.
    pub lines: Vec<Vec<u8>>,
    /// Consistency proof from the size reached to the checkpoint's size.
    pub proof: Vec<Hash>,
}

/// A package whose lines verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPackage {
    from: u64,
    lines: Vec<(Vec<u8>, ReadLine)>,
    leaves: Vec<Hash>,
    frontier: Frontier,
}

impl Package {
    /// Verifies the lines between the frontier held and a verified checkpoint.
    ///
    /// # Errors
    /// `TooLong`, `Truncated` for no line, `OutOfOrder` unless it begins at the frontier,
    /// `BadProof` if the lines do not begin what the checkpoint signs, and those of
    /// [`crate::line::read_line`].
    pub fn verify(self, held: &Frontier, head: &Checkpoint) -> Result<VerifiedPackage, Refusal> {
        let refuse = |reason| Err(Refusal::new(WHAT, reason));
        let bytes: usize = self.lines.iter().map(Vec::len).sum();
        if self.lines.len() > PACKAGE_LINES_MAX || bytes > PACKAGE_BYTES_MAX {
            return refuse(Reason::TooLong);
        }
        if self.lines.is_empty() {
            return refuse(Reason::Truncated);
        }
        if self.from != held.size() {
            return refuse(Reason::OutOfOrder);
        }
        let mut frontier = held.clone();
        let mut leaves = Vec::with_capacity(self.lines.len());
        let mut lines = Vec::with_capacity(self.lines.len());
        for bytes in self.lines {
            let leaf = leaf_hash(&bytes);
            let line = read_line(&bytes)?;
            frontier.push(leaf)?;
            leaves.push(leaf);
            lines.push((bytes, line));
        }
        verify_consistency(
            frontier.size(),
            &frontier.root(),
            head.size,
            &head.root,
            &self.proof,
        )?;
        Ok(VerifiedPackage {
            from: self.from,
            lines,
            leaves,
            frontier,
        })
    }
}

impl VerifiedPackage {
    /// Index of the first line.
    pub const fn from(&self) -> u64 {
        self.from
    }

    /// The lines, each with what it was understood to be.
    pub fn lines(&self) -> &[(Vec<u8>, ReadLine)] {
        &self.lines
    }

    /// The lines' leaf hashes.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// The frontier after the last line.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LogId, RecordId, UnixMillis};
    use crate::line::{Act, Line};
    use crate::tree::Tree;

    fn lines(count: u8) -> Vec<Vec<u8>> {
        let act = |n| Act::Leave {
            record: RecordId::new([n; 16]),
        };
        (0..count)
            .map(|n| {
                Line {
                    time: UnixMillis(5),
                    random: [n; 16],
                    act: act(n),
                }
                .encode()
            })
            .collect()
    }

    fn tree(lines: &[Vec<u8>]) -> Tree {
        let mut tree = Tree::new();
        lines.iter().for_each(|line| tree.push(leaf_hash(line)));
        tree
    }

    #[test]
    fn a_package_extends_what_is_held_and_nothing_else() {
        let all = lines(20);
        let tree = tree(&all);
        let head = Checkpoint {
            log: LogId::new([1; 32]),
            incarnation: 0,
            size: 20,
            root: tree.root_at(20).expect("root"),
        };
        let package = Package {
            from: 5,
            lines: all[5..11].to_vec(),
            proof: tree.consistency(11, 20).expect("proof"),
        };
        let held = tree.frontier_at(5).expect("frontier");
        let verified = package.clone().verify(&held, &head).expect("verify");
        assert_eq!(Some(verified.frontier().clone()), tree.frontier_at(11));
        assert_eq!(verified.from(), 5);
        let refused = |package: Package, held: &Frontier| {
            package
                .verify(held, &head)
                .map_err(|r| r.reason)
                .expect_err("refused")
        };
        let elsewhere = tree.frontier_at(6).expect("frontier");
        assert_eq!(refused(package.clone(), &elsewhere), Reason::OutOfOrder);
        let mut swapped = package.clone();
        swapped.lines.swap(0, 1);
        assert_eq!(refused(swapped, &held), Reason::BadProof);
        let mut short = package.clone();
        short.lines.pop();
        assert_eq!(refused(short, &held), Reason::BadProof);
        let none = Package {
            lines: Vec::new(),
            ..package
        };
        assert_eq!(refused(none, &held), Reason::Truncated);
    }
}
