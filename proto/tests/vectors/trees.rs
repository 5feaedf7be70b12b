//! RFC 6962 trees: roots, proofs, and proofs that prove nothing.

use corridor_proto::Hash;
use corridor_proto::limits::PROOF_HASHES_MAX;
use corridor_proto::tree::{Tree, leaf_hash, verify_consistency, verify_inclusion};

use crate::json::{Json, hex, list, number, object, refused, text};

/// The tree of as many leaves as asked; leaf n is the u64 n.
pub fn numbers(count: u64) -> Tree {
    let mut tree = Tree::new();
    (0..count).for_each(|n| tree.push(leaf_hash(&n.to_be_bytes())));
    tree
}

/// The tree over lines.
pub fn over(lines: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::new();
    lines.iter().for_each(|line| tree.push(leaf_hash(line)));
    tree
}

/// A proof as JSON.
pub fn proof_json(proof: &[Hash]) -> Json {
    list(proof.iter().map(|hash| hex(hash.as_bytes())))
}

pub fn tree() -> Json {
    let tree = numbers(33);
    let root = |size| tree.root_at(size).expect("size");
    let roots =
        (0..=33).map(|size| object([("size", number(size)), ("root", hex(root(size).as_bytes()))]));
    let small = (1..=9).flat_map(|size| (0..size).map(move |index| (index, size)));
    let large = [0, 15, 16, 31, 32].map(|index| (index, 33));
    let inclusion = small.chain(large).map(|(index, size)| {
        let proof = tree.inclusion(index, size).expect("proof");
        let leaf = tree.leaf(index).expect("leaf");
        assert_eq!(
            verify_inclusion(&leaf, index, size, &root(size), &proof),
            Ok(())
        );
        object([
            ("index", number(index)),
            ("size", number(size)),
            ("proof", proof_json(&proof)),
        ])
    });
    let small = (0..=9).flat_map(|to| (0..=to).map(move |from| (from, to)));
    let large = [0, 1, 15, 16, 17, 31, 32, 33].map(|from| (from, 33));
    let consistency = small.chain(large).map(|(from, to)| {
        let proof = tree.consistency(from, to).expect("proof");
        assert_eq!(
            verify_consistency(from, &root(from), to, &root(to), &proof),
            Ok(())
        );
        object([
            ("from", number(from)),
            ("to", number(to)),
            ("proof", proof_json(&proof)),
        ])
    });
    object([
        (
            "comment",
            text(
                "RFC 6962 trees over SHA-256. Leaf n is the eight bytes of n, big-endian. Proofs \
                 belong to the roots listed; refused ones name their own leaf and roots.",
            ),
        ),
        ("roots", list(roots)),
        ("inclusion", list(inclusion)),
        ("consistency", list(consistency)),
        ("refused_inclusion", list(refused_inclusion(&tree))),
        ("refused_consistency", list(refused_consistency(&tree))),
    ])
}

fn refused_inclusion(tree: &Tree) -> Vec<Json> {
    let root = tree.root_at(7).expect("root");
    let good = tree.inclusion(4, 7).expect("proof");
    let leaf = tree.leaf(4).expect("leaf");
    let case = |name: &str, leaf: Hash, index: u64, size: u64, root: Hash, proof: &[Hash]| {
        let fields = [
            ("leaf", hex(leaf.as_bytes())),
            ("index", number(index)),
            ("size", number(size)),
            ("root", hex(root.as_bytes())),
            ("proof", proof_json(proof)),
        ];
        let verdict = verify_inclusion(&leaf, index, size, &root, proof);
        refused(name, fields, verdict)
    };
    let mut turned = good.clone();
    turned.reverse();
    let mut longer = good.clone();
    longer.push(root);
    let too_long = vec![root; PROOF_HASHES_MAX + 1];
    let fields = [
        ("leaf", hex(leaf.as_bytes())),
        ("index", number(4_u64)),
        ("size", number(7_u64)),
        ("root", hex(root.as_bytes())),
        ("proof", proof_json(&too_long[..1])),
        ("times", number(too_long.len())),
    ];
    let verdict = verify_inclusion(&leaf, 4, 7, &root, &too_long);
    vec![
        case(
            "another leaf",
            tree.leaf(5).expect("leaf"),
            4,
            7,
            root,
            &good,
        ),
        case("another index", leaf, 5, 7, root, &good),
        case("another size", leaf, 4, 9, root, &good),
        case("another root", leaf, 4, 7, leaf, &good),
        case("an index at the size", leaf, 7, 7, root, &good),
        case("an empty tree", leaf, 0, 0, root, &[]),
        case("a hash missing", leaf, 4, 7, root, &good[..2]),
        case("a hash too many", leaf, 4, 7, root, &longer),
        case("no proof", leaf, 4, 7, root, &[]),
        case("in the other order", leaf, 4, 7, root, &turned),
        refused("127 hashes", fields, verdict),
    ]
}

fn refused_consistency(tree: &Tree) -> Vec<Json> {
    let root = |size| tree.root_at(size).expect("root");
    let good = tree.consistency(3, 7).expect("proof");
    let case =
        |name: &str, (from, from_root): (u64, Hash), (to, to_root): (u64, Hash), proof: &[Hash]| {
            let fields = [
                ("from", number(from)),
                ("from_root", hex(from_root.as_bytes())),
                ("to", number(to)),
                ("to_root", hex(to_root.as_bytes())),
                ("proof", proof_json(proof)),
            ];
            let verdict = verify_consistency(from, &from_root, to, &to_root, proof);
            refused(name, fields, verdict)
        };
    let mut longer = good.clone();
    longer.push(root(1));
    let mut changed = good.clone();
    changed[1] = root(1);
    let too_long = vec![root(1); PROOF_HASHES_MAX + 1];
    let zeros = [
        ("from", number(3_u64)),
        ("from_root", hex(root(3).as_bytes())),
        ("to", number(7_u64)),
        ("to_root", hex(root(7).as_bytes())),
        ("proof", proof_json(&too_long[..1])),
        ("times", number(too_long.len())),
    ];
    let verdict = verify_consistency(3, &root(3), 7, &root(7), &too_long);
    vec![
        case("another old root", (3, root(4)), (7, root(7)), &good),
        case("another new root", (3, root(3)), (7, root(8)), &good),
        case("another old size", (4, root(3)), (7, root(7)), &good),
        case("another new size", (3, root(3)), (9, root(7)), &good),
        case(
            "a hash missing",
            (3, root(3)),
            (7, root(7)),
            &good[..good.len() - 1],
        ),
        case("a hash too many", (3, root(3)), (7, root(7)), &longer),
        case("a hash changed", (3, root(3)), (7, root(7)), &changed),
        case("no proof", (3, root(3)), (7, root(7)), &[]),
        case("a log that shrinks", (7, root(7)), (3, root(3)), &good),
        case("one size, two roots", (7, root(7)), (7, root(6)), &[]),
        case("one size with a proof", (7, root(7)), (7, root(7)), &good),
        case(
            "from nothing with a proof",
            (0, root(0)),
            (7, root(7)),
            &good,
        ),
        case(
            "from nothing with a root of something",
            (0, root(1)),
            (7, root(7)),
            &[],
        ),
        refused("127 hashes", zeros, verdict),
    ]
}
