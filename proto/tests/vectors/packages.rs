//! Packages: lines that extend what is held, up to what a checkpoint signs.

use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::limits::{LINE_BYTES_MAX, PACKAGE_LINES_MAX, PROOF_HASHES_MAX};
use corridor_proto::line::Act;
use corridor_proto::package::Package;
use corridor_proto::tree::Tree;
use corridor_proto::{Hash, LogId, RecordId};

use crate::json::{Json, hex, list, number, object, refused, text};
use crate::lines::line_of;
use crate::trees::{over, proof_json};

const SIZE: usize = 20;

fn lines() -> Vec<Vec<u8>> {
    (0..20)
        .map(|n| {
            let record = RecordId::new([n; 16]);
            line_of(Act::Leave { record }, n)
        })
        .collect()
}

fn head(tree: &Tree) -> Checkpoint {
    Checkpoint {
        log: LogId::new([1; 32]),
        incarnation: 0,
        size: tree.size(),
        root: tree.root_at(tree.size()).expect("root"),
    }
}

fn of(from: usize, to: usize) -> Package {
    let lines = lines();
    let tree = over(&lines);
    let index = |n: usize| u64::try_from(n).expect("index");
    Package {
        from: index(from),
        lines: lines[from..to].to_vec(),
        proof: tree.consistency(index(to), index(SIZE)).expect("proof"),
    }
}

/// Roots of the complete subtrees over `lines`, largest first.
fn frontier(lines: &[Vec<u8>]) -> Json {
    let mut rest = lines;
    let mut nodes = Vec::new();
    for level in (0..usize::BITS).rev() {
        if lines.len() >> level & 1 == 1 {
            let (subtree, after) = rest.split_at(1 << level);
            let tree = over(subtree);
            nodes.push(hex(tree.root_at(tree.size()).expect("root").as_bytes()));
            rest = after;
        }
    }
    list(nodes)
}

fn lines_json(lines: &[Vec<u8>]) -> Json {
    list(lines.iter().map(hex))
}

pub fn package() -> Json {
    let tree = over(&lines());
    let head = head(&tree);
    object([
        (
            "comment",
            text(
                "Packages out of the log of twenty lines below, proved to its signed size and \
                 root. held is the size held before; the frontier is that reached afterwards.",
            ),
        ),
        ("log", lines_json(&lines())),
        (
            "head",
            object([
                ("size", number(head.size)),
                ("root", hex(head.root.as_bytes())),
            ]),
        ),
        (
            "good",
            list([
                good("the whole log", 0, SIZE),
                good("the first line", 0, 1),
                good("in the middle", 5, 11),
                good("up to a power of two", 5, 16),
                good("the last line", 19, SIZE),
            ]),
        ),
        ("refused", list(refusals())),
    ])
}

fn good(name: &str, from: usize, to: usize) -> Json {
    let all = lines();
    let tree = over(&all);
    let held = tree
        .frontier_at(u64::try_from(from).expect("size"))
        .expect("frontier");
    let package = of(from, to);
    let verified = package.clone().verify(&held, &head(&tree)).expect("verify");
    let reached = u64::try_from(to).expect("size");
    assert_eq!(
        Some(verified.frontier()),
        tree.frontier_at(reached).as_ref()
    );
    object([
        ("name", text(name)),
        ("held", number(from)),
        ("from", number(package.from)),
        ("lines", lines_json(&package.lines)),
        ("proof", proof_json(&package.proof)),
        ("reached", number(verified.frontier().size())),
        ("frontier", frontier(&all[..to])),
        ("root", hex(verified.frontier().root().as_bytes())),
    ])
}

fn case(name: &str, held: u64, package: Package, times: usize) -> Json {
    let tree = over(&lines());
    let shown = &package.lines[..package.lines.len() / times];
    let fields = [
        ("held", number(held)),
        ("from", number(package.from)),
        ("lines", lines_json(shown)),
        ("times", number(times)),
        ("proof", proof_json(&package.proof)),
    ];
    let frontier = tree.frontier_at(held).expect("frontier");
    refused(name, fields, package.verify(&frontier, &head(&tree)))
}

/// The package of lines 5 to 10, changed.
fn spoilt(name: &str, change: impl FnOnce(&mut Package)) -> Json {
    let mut package = of(5, 11);
    change(&mut package);
    case(name, 5, package, 1)
}

fn refusals() -> Vec<Json> {
    let many = PACKAGE_LINES_MAX + 1;
    let long = Package {
        lines: vec![vec![1]; many],
        ..of(5, 11)
    };
    let beyond = Package {
        from: 19,
        lines: [&lines()[19..], &lines()[..1]].concat(),
        proof: Vec::new(),
    };
    let too_long = vec![Hash::ZERO; PROOF_HASHES_MAX + 1];
    let longest = vec![1; LINE_BYTES_MAX + 1];
    vec![
        spoilt("no line", |package| package.lines.clear()),
        case("257 lines", 5, long, many),
        case("begins after what is held", 4, of(5, 11), 1),
        case("begins before what is held", 6, of(5, 11), 1),
        spoilt("two lines swapped", |package| package.lines.swap(0, 1)),
        spoilt("a line left out", |package| drop(package.lines.remove(2))),
        spoilt("a line changed", |package| package.lines[3][30] ^= 1),
        spoilt("a line without a byte", |package| {
            package.lines = vec![Vec::new()]
        }),
        spoilt("a line of 257 bytes", |package| {
            package.lines = vec![longest]
        }),
        spoilt("without its proof", |package| package.proof.clear()),
        spoilt("a hash of the proof changed", |package| {
            package.proof[0] = Hash::ZERO
        }),
        spoilt("a proof of 127 hashes", |package| package.proof = too_long),
        case("more lines than were signed", 19, beyond, 1),
    ]
}
