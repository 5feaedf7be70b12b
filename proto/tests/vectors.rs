//! The golden vectors: every layout, hash, signature, proof and refusal, computed from fixed seeds
//! and compared with the files in `proto/vectors/` byte for byte.
//!
//! A difference means that a layout changed, which it may not. With `CORRIDOR_WRITE_VECTORS=1` the
//! files are written instead. **Invariant:** what is expected comes from the files alone.

#![allow(clippy::expect_used)]

#[path = "vectors/attachments.rs"]
mod attachments;
#[path = "vectors/bundles.rs"]
mod bundles;
#[path = "vectors/cards.rs"]
mod cards;
#[path = "vectors/charters.rs"]
mod charters;
#[path = "vectors/checkpoints.rs"]
mod checkpoints;
#[path = "vectors/evidence.rs"]
mod evidence;
#[path = "vectors/frames.rs"]
mod frames;
#[path = "vectors/identifiers.rs"]
mod identifiers;
#[path = "vectors/json.rs"]
mod json;
#[path = "vectors/lines.rs"]
mod lines;
#[path = "vectors/packages.rs"]
mod packages;
#[path = "vectors/readers.rs"]
mod readers;
#[path = "vectors/records.rs"]
mod records;
#[path = "vectors/seeds.rs"]
mod seeds;
#[path = "vectors/starts.rs"]
mod starts;
#[path = "vectors/trees.rs"]
mod trees;

use std::collections::BTreeSet;
use std::path::PathBuf;

use corridor_proto::Reason;

use json::Json;

/// Reasons that only a node gives, from what it holds; no bytes alone lead to them.
const GIVEN_BY_THE_NODE: [Reason; 5] = [
    Reason::WrongLog,
    Reason::WrongIncarnation,
    Reason::Stale,
    Reason::NotEntitled,
    Reason::NoCommonVersion,
];

fn all() -> Vec<(&'static str, Json)> {
    vec![
        ("attachment", attachments::attachment()),
        ("bundle", bundles::bundle()),
        ("card", cards::card()),
        ("charter", charters::charter()),
        ("checkpoint", checkpoints::checkpoint()),
        ("domains", identifiers::domains()),
        ("evidence", evidence::evidence()),
        ("frame", frames::frame()),
        ("have", identifiers::have()),
        ("held", checkpoints::held()),
        ("identifiers", identifiers::identifiers()),
        ("invitation", frames::invitation()),
        ("line", lines::line()),
        ("note", readers::note()),
        ("package", packages::package()),
        ("readers", readers::readers()),
        ("record", records::record()),
        ("safety", identifiers::safety()),
        ("start", starts::start()),
        ("tree", trees::tree()),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

#[test]
fn every_vector_is_what_the_committed_file_says() {
    let write = std::env::var_os("CORRIDOR_WRITE_VECTORS").is_some_and(|value| value == "1");
    for (name, vectors) in all() {
        let path = folder().join(format!("{name}.json"));
        let found = vectors.to_text();
        if write {
            std::fs::write(&path, &found).expect("write");
        }
        let committed = std::fs::read_to_string(&path).expect("a committed file");
        let line = found
            .lines()
            .zip(committed.lines())
            .position(|(a, b)| a != b);
        assert!(
            found == committed,
            "{name}.json differs, first in line {line:?}"
        );
    }
}

#[test]
fn the_folder_holds_these_files_and_no_other() {
    let known: BTreeSet<String> = all()
        .iter()
        .map(|(name, _)| format!("{name}.json"))
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("folder")
        .filter_map(|entry| entry.expect("entry").file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn every_reason_is_given_somewhere_but_those_of_a_node() {
    let mut given = BTreeSet::new();
    for (_, vectors) in all() {
        vectors.refusals(&mut given);
    }
    let code = |reason: &Reason| reason.code().to_owned();
    let node: BTreeSet<String> = GIVEN_BY_THE_NODE.iter().map(code).collect();
    let every: BTreeSet<String> = Reason::ALL.iter().map(code).collect();
    assert_eq!(given, every.difference(&node).cloned().collect());
}
