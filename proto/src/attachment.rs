//! Attachments: identified by the root of a tree over their chunks.
//!
//! The first leaf is 32 random bytes, so that an identifier tells nothing of a file that somebody
//! has; the others are chunks of 64 KiB, the last one shorter. Each chunk can be checked alone.

use crate::id::{Hash, Salt};
use crate::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENT_CHUNK_BYTES};
use crate::refusal::{Reason, Refusal};
use crate::tree::{Tree, leaf_hash, verify_inclusion};

const WHAT: &str = "attachment";

/// The tree of an attachment: its root is the identifier.
///
/// # Errors
/// `TooLong` over 25 MB.
pub fn attachment_tree(salt: &Salt, content: &[u8]) -> Result<Tree, Refusal> {
    if u64::try_from(content.len()).map_or(true, |len| len > ATTACHMENT_BYTES_MAX) {
        return Err(Refusal::new(WHAT, Reason::TooLong));
    }
    let mut tree = Tree::new();
    tree.push(leaf_hash(salt.as_bytes()));
    for chunk in content.chunks(ATTACHMENT_CHUNK_BYTES) {
        tree.push(leaf_hash(chunk));
    }
    Ok(tree)
}

/// The identifier of an attachment.
///
/// # Errors
/// `TooLong` over 25 MB.
pub fn attachment_id(salt: &Salt, content: &[u8]) -> Result<Hash, Refusal> {
    let tree = attachment_tree(salt, content)?;
    tree.root_at(tree.size())
        .ok_or(Refusal::new(WHAT, Reason::BadProof))
}

/// Verifies one chunk of an attachment of `bytes` bytes; chunk 0 is the salt.
///
/// # Errors
/// `TooLong`, `Malformed` for a chunk of the wrong length, `BadProof`.
pub fn verify_chunk(
    id: &Hash,
    bytes: u64,
    index: u64,
    chunk: &[u8],
    proof: &[Hash],
) -> Result<(), Refusal> {
    if bytes > ATTACHMENT_BYTES_MAX {
        return Err(Refusal::new(WHAT, Reason::TooLong));
    }
    let chunk_bytes = u64::try_from(ATTACHMENT_CHUNK_BYTES).unwrap_or(u64::MAX);
    let leaves = 1 + bytes.div_ceil(chunk_bytes);
    let expect = match index {
        0 => 32,
        index => bytes
            .saturating_sub((index - 1).saturating_mul(chunk_bytes))
            .min(chunk_bytes),
    };
    if u64::try_from(chunk.len()) != Ok(expect) {
        return Err(Refusal::new(WHAT, Reason::Malformed));
    }
    verify_inclusion(&leaf_hash(chunk), index, leaves, id, proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chunk_is_checked_alone_and_in_its_place() {
        let content: Vec<u8> = (0u8..=255).cycle().take(150_000).collect();
        let tree = attachment_tree(&Salt::new([6; 32]), &content).expect("tree");
        let id = attachment_id(&Salt::new([6; 32]), &content).expect("id");
        assert_eq!(tree.size(), 4);
        let chunks: Vec<&[u8]> = std::iter::once([6u8; 32].as_slice())
            .chain(content.chunks(65_536))
            .collect();
        for (index, chunk) in (0u64..).zip(&chunks) {
            let proof = tree.inclusion(index, 4).expect("proof");
            assert_eq!(verify_chunk(&id, 150_000, index, chunk, &proof), Ok(()));
            assert!(verify_chunk(&id, 150_001, index + 1, chunk, &proof).is_err());
            let mut bad = chunk.to_vec();
            bad[0] ^= 1;
            assert!(verify_chunk(&id, 150_000, index, &bad, &proof).is_err());
        }
    }

    #[test]
    fn over_25_mb_nothing_is_hashed() {
        let content = vec![0; 25 * 1024 * 1024 + 1];
        let verdict = attachment_id(&Salt::ZERO, &content);
        assert_eq!(verdict.map_err(|r| r.reason), Err(Reason::TooLong));
    }
}
