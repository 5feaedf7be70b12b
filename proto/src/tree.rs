//! Merkle trees as in RFC 6962: hashing, inclusion and consistency proofs.
//!
//! A leaf hash is SHA-256 over 0x00 and the line's bytes, a node hash SHA-256 over 0x01 and its two
//! children, the root of nothing SHA-256 over nothing. [`Frontier`] is the little that a follower
//! needs to extend a log; [`Tree`] keeps every complete node, so that proofs cost a logarithm.
//!
//! **Invariant:** no recursion without a bound, no proof longer than the tree is high.

use sha2::{Digest, Sha256};

use crate::id::Hash;
use crate::limits::{ORDINAL_MAX, PROOF_HASHES_MAX};
use crate::refusal::{Reason, Refusal};

/// Hash of a leaf.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash::new(
        Sha256::new()
            .chain_update([0])
            .chain_update(bytes)
            .finalize()
            .into(),
    )
}

/// Hash of a node over its children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let sha = Sha256::new()
        .chain_update([1])
        .chain_update(left.as_bytes());
    Hash::new(sha.chain_update(right.as_bytes()).finalize().into())
}

/// Root of the empty tree.
pub fn empty_root() -> Hash {
    Hash::new(Sha256::new().finalize().into())
}

/// The roots of the complete subtrees of a log, largest first: enough to append and to give a root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty log.
    pub const fn new() -> Self {
        Self {
            size: 0,
            nodes: Vec::new(),
        }
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    ///
    /// # Errors
    /// `TooLong` at 2^63 leaves.
    pub fn push(&mut self, leaf: Hash) -> Result<(), Refusal> {
        if self.size >= ORDINAL_MAX {
            return Err(Refusal::new("log", Reason::TooLong));
        }
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size += 1;
        Ok(())
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        nodes.next().map_or_else(empty_root, |last| {
            nodes.fold(*last, |right, left| node_hash(left, &right))
        })
    }
}

/// Every complete node of a log's tree.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `levels[k][j]` covers the leaves from j·2^k, 2^k of them.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree of the empty log.
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| len(leaves))
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else {
                return;
            };
            nodes.push(node);
            match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => node = node_hash(left, right),
                _ => return,
            }
        }
    }

    /// The hash of leaf `index`, if there is one.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels
            .first()?
            .get(usize::try_from(index).ok()?)
            .copied()
    }

    /// The root that the log had at `size`, if it has been that long.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(empty_root()),
            _ => self.range(0, size),
        }
    }

    /// The frontier that the log had at `size`, if it has been that long.
    pub fn frontier_at(&self, size: u64) -> Option<Frontier> {
        let mut frontier = Frontier {
            size,
            nodes: Vec::new(),
        };
        let mut start = 0;
        for level in (0..64u32).rev() {
            if size >> level & 1 == 1 {
                frontier
                    .nodes
                    .push(self.range(start, start + (1 << level))?);
                start += 1 << level;
            }
        }
        Some(frontier)
    }

    /// Proof that leaf `index` is in the tree of `size` (RFC 6962, 2.1.1).
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut low, mut high) = (0, size);
        let mut proof = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                proof.push(self.range(middle, high)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle)?);
                low = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Proof that the tree of `from` begins the tree of `to` (RFC 6962, 2.1.2).
    pub fn consistency(&self, from: u64, to: u64) -> Option<Vec<Hash>> {
        if from > to || to > self.size() {
            return None;
        }
        if from == 0 || from == to {
            return Some(Vec::new());
        }
        let (mut low, mut high) = (0, to);
        let mut whole = true;
        let mut proof = Vec::new();
        while from != high {
            let middle = low + split(high - low);
            if from <= middle {
                proof.push(self.range(middle, high)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle)?);
                low = middle;
                whole = false;
            }
        }
        if !whole {
            proof.push(self.range(low, high)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// Hash over the leaves from `low` to `high`, where `low` is a multiple of the range's width
    /// rounded up to a power of two, as all ranges of the RFC's recursion are.
    fn range(&self, low: u64, high: u64) -> Option<Hash> {
        let width = high.checked_sub(low).filter(|width| *width > 0)?;
        if width.is_power_of_two() {
            let level = usize::try_from(width.trailing_zeros()).ok()?;
            let at = usize::try_from(low >> width.trailing_zeros()).ok()?;
            return self.levels.get(level)?.get(at).copied();
        }
        let middle = low + split(width);
        Some(node_hash(
            &self.range(low, middle)?,
            &self.range(middle, high)?,
        ))
    }
}

/// The largest power of two below `width`, which is at least 2.
const fn split(width: u64) -> u64 {
    1 << (u64::BITS - 1 - (width - 1).leading_zeros())
}

fn len(items: &[Hash]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn bad(what: &'static str) -> Refusal {
    Refusal::new(what, Reason::BadProof)
}

/// Verifies an inclusion proof (RFC 9162, 2.1.3.2).
///
/// # Errors
/// `BadProof`; `TooLong` for a proof that no tree could need.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), Refusal> {
    let what = "inclusion proof";
    if proof.len() > PROOF_HASHES_MAX {
        return Err(Refusal::new(what, Reason::TooLong));
    }
    if index >= size {
        return Err(bad(what));
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(bad(what));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root {
        Ok(())
    } else {
        Err(bad(what))
    }
}

/// Verifies a consistency proof (RFC 9162, 2.1.4.2).
///
/// # Errors
/// `BadProof`; `TooLong` for a proof that no tree could need.
pub fn verify_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), Refusal> {
    let what = "consistency proof";
    if proof.len() > PROOF_HASHES_MAX {
        return Err(Refusal::new(what, Reason::TooLong));
    }
    if from > to {
        return Err(bad(what));
    }
    if from == to || from == 0 {
        let fits = proof.is_empty()
            && if from == to {
                from_root == to_root
            } else {
                *from_root == empty_root()
            };
        return if fits { Ok(()) } else { Err(bad(what)) };
    }
    let mut hashes = proof.iter();
    let first = if from.is_power_of_two() {
        Some(from_root)
    } else {
        hashes.next()
    };
    let Some(first) = first else {
        return Err(bad(what));
    };
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return Err(bad(what));
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && old == *from_root && new == *to_root {
        Ok(())
    } else {
        Err(bad(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
    }

    fn tree(leaves: &[Vec<u8>]) -> Tree {
        let mut tree = Tree::new();
        leaves.iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
        tree
    }

    /// The definition in RFC 6962, 2.1, word for word.
    fn reference_root(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => leaf_hash(leaf),
            _ => {
                let middle =
                    usize::try_from(split(u64::try_from(leaves.len()).expect("len"))).expect("len");
                node_hash(
                    &reference_root(&leaves[..middle]),
                    &reference_root(&leaves[middle..]),
                )
            }
        }
    }

    #[test]
    fn roots_and_frontiers_are_those_of_the_definition() {
        let leaves = leaves(130);
        let tree = tree(&leaves);
        let mut frontier = Frontier::new();
        for size in 0..=130u64 {
            let expect = reference_root(&leaves[..usize::try_from(size).expect("size")]);
            assert_eq!(tree.root_at(size), Some(expect));
            assert_eq!(frontier.root(), expect);
            assert_eq!(tree.frontier_at(size), Some(frontier.clone()));
            if let Some(leaf) = tree.leaf(size) {
                frontier.push(leaf).expect("push");
            }
        }
        assert_eq!(tree.root_at(131), None);
    }

    #[test]
    fn every_proof_verifies_and_fits_nothing_else() {
        let tree = tree(&leaves(40));
        for size in [41, 42, 64, 65, 128, u64::MAX] {
            assert_eq!(tree.root_at(size), None, "{size}");
        }
        for (index, size) in [(5, 5), (6, 5), (40, 40), (39, 41)] {
            assert_eq!(tree.inclusion(index, size), None, "{index} of {size}");
        }
        let root = |size| tree.root_at(size).expect("size");
        for size in 1..=40 {
            for index in 0..size {
                let proof = tree.inclusion(index, size).expect("proof");
                let leaf = tree.leaf(index).expect("leaf");
                assert_eq!(
                    verify_inclusion(&leaf, index, size, &root(size), &proof),
                    Ok(())
                );
                assert!(verify_inclusion(&leaf, index + 1, size, &root(size), &proof).is_err());
                assert!(
                    verify_inclusion(&leaf_hash(b"x"), index, size, &root(size), &proof).is_err()
                );
            }
            for from in 0..=size {
                let proof = tree.consistency(from, size).expect("proof");
                let verdict = |a: u64, b: u64, proof: &[Hash]| {
                    verify_consistency(a, &root(a), b, &root(b), proof)
                };
                assert_eq!(verdict(from, size, &proof), Ok(()), "{from} {size}");
                for at in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[at] = leaf_hash(b"x");
                    assert!(verdict(from, size, &bad).is_err());
                    assert!(verdict(from, size, &proof[..at]).is_err());
                }
                let mut long = proof.clone();
                long.push(leaf_hash(b"x"));
                assert!(verdict(from, size, &long).is_err());
            }
        }
    }

    #[test]
    fn an_independent_implementation_agrees() {
        let mut other = ct_merkle::mem_backed_tree::MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut ours = Tree::new();
        for leaf in leaves(77) {
            ours.push(leaf_hash(&leaf));
            other.push(leaf);
            let size = ours.size();
            assert_eq!(
                other.root().as_bytes().as_slice(),
                ours.root_at(size).expect("root").as_bytes()
            );
            let index = usize::try_from(size / 2).expect("index");
            let theirs = other.prove_inclusion(index);
            let our: Vec<u8> = ours
                .inclusion(size / 2, size)
                .expect("proof")
                .iter()
                .flat_map(|hash| *hash.as_bytes())
                .collect();
            assert_eq!(theirs.as_bytes(), our.as_slice());
        }
    }

    proptest! {
        #[test]
        fn no_made_up_proof_verifies(
            from in 0u64..50, to in 1u64..50,
            proof in proptest::collection::vec(any::<[u8; 32]>(), 0..130),
        ) {
            let tree = tree(&leaves(50));
            let proof: Vec<Hash> = proof.into_iter().map(Hash::new).collect();
            let real = tree.consistency(from, to);
            let root = |size| tree.root_at(size).expect("size");
            let verdict = verify_consistency(from, &root(from), to, &root(to), &proof);
            prop_assert_eq!(verdict.is_ok(), real == Some(proof));
        }
    }
}
