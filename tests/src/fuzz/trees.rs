//! Proofs over trees: what is accepted is what the tree itself says, and nothing else.

use std::sync::LazyLock;

use corridor_proto::attachment::{attachment_tree, verify_chunk};
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::package::Package;
use corridor_proto::tree::{Tree, leaf_hash, verify_consistency, verify_inclusion};
use corridor_proto::{Hash, LogId, Salt, v1, wire};
use prost::Message;

use super::Input;

/// Lines of the log behind [`tree`] and [`package`].
const LINES: u64 = 96;

/// That log's lines: the eight bytes of their index.
pub fn lines() -> Vec<Vec<u8>> {
    (0..LINES).map(|at| at.to_be_bytes().to_vec()).collect()
}

/// That log's tree.
pub static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut tree = Tree::new();
    for line in lines() {
        tree.push(leaf_hash(&line));
    }
    tree
});

fn root(size: u64) -> Hash {
    TREE.root_at(size).expect("a root of every size")
}

/// A proof: of what sort, index or smaller size, size, hashes.
pub fn tree(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let sort = input.byte();
    let (from, size) = (input.byte(), input.byte());
    let (from, size) = (u64::from(from), u64::from(size) % (LINES + 1));
    let mut proof = Vec::new();
    while !input.is_empty() {
        proof.push(Hash::new(input.array()));
    }
    if sort.is_multiple_of(2) {
        let leaf = TREE.leaf(from).unwrap_or(Hash::ZERO);
        let is_good = verify_inclusion(&leaf, from, size, &root(size), &proof).is_ok();
        assert_eq!(is_good, TREE.inclusion(from, size) == Some(proof));
    } else {
        let old = root(from.min(LINES));
        let is_good = verify_consistency(from, &old, size, &root(size), &proof).is_ok();
        assert_eq!(is_good, TREE.consistency(from, size) == Some(proof));
    }
}

/// A package behind the size held: what it extends a log by are that log's own lines.
pub fn package(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (held, size) = (u64::from(input.byte()), u64::from(input.byte()));
    let Ok(message) = v1::Package::decode(input.rest()) else {
        return;
    };
    let Ok(proof) = wire::proof(&message.proof) else {
        return;
    };
    let package = Package {
        from: message.from,
        lines: message.lines,
        proof,
    };
    let (held, size) = (held % (LINES + 1), size % (LINES + 1));
    let head = Checkpoint {
        log: LogId::new([1; 32]),
        incarnation: 0,
        size,
        root: root(size),
    };
    let frontier = TREE.frontier_at(held).expect("a frontier of every size");
    if let Ok(verified) = package.verify(&frontier, &head) {
        let known = lines();
        let from = usize::try_from(verified.from()).expect("few lines");
        let came: Vec<&Vec<u8>> = verified.lines().iter().map(|(line, _)| line).collect();
        let own: Vec<&Vec<u8>> = known[from..from + came.len()].iter().collect();
        assert_eq!(came, own, "only the log's own lines are proved");
        let reached = verified.frontier().size();
        assert_eq!(verified.frontier().root(), root(reached));
    }
}

/// Length of the attachment behind [`attachment`].
const CONTENT_BYTES: usize = 65_536 + 100;

/// That attachment: its salt's and its content's byte at every place.
pub static ATTACHMENT: LazyLock<(Tree, Vec<u8>)> = LazyLock::new(|| {
    let content = vec![7; CONTENT_BYTES];
    let tree = attachment_tree(&Salt::new([6; 32]), &content).expect("a tree");
    (tree, content)
});

/// A chunk of an attachment: bytes of the whole, index, count of hashes, hashes, chunk.
pub fn attachment(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (length, index) = (input.long(), input.long());
    let count = input.byte() % 8;
    let proof: Vec<Hash> = (0..count).map(|_| Hash::new(input.array())).collect();
    let chunk = input.rest();
    let (tree, content) = &*ATTACHMENT;
    let id = tree.root_at(tree.size()).expect("a root");
    if verify_chunk(&id, length, index, chunk, &proof).is_ok() {
        let own: &[u8] = match index {
            0 => &[6; 32],
            1 => &content[..65_536],
            _ => &content[65_536..],
        };
        assert_eq!(chunk, own, "only the attachment's own chunks are proved");
    }
}
