//! Replays every input of the fuzz targets: what was found once is never lost again.

#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;

use corridor_tests::fuzz::{TARGETS, corpus};

/// A corpus is read at every run and cloned by everybody.
const INPUT_BYTES_MAX: usize = 8 * 1024;
const CORPUS_BYTES_MAX: usize = 1024 * 1024;

#[test]
fn every_target_passes_its_inputs() {
    let mut size = 0;
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let folder = corpus().join(name);
        let mut inputs: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for path in inputs {
            let bytes = fs::read(&path).expect("an input");
            assert!(
                bytes.len() <= INPUT_BYTES_MAX,
                "{}: too long",
                path.display()
            );
            size += bytes.len();
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "targets fail with {broken:#?}");
    assert!(size <= CORPUS_BYTES_MAX, "the corpus has {size} bytes");
}

#[test]
fn every_folder_of_inputs_has_its_target() {
    let entries = fs::read_dir(corpus()).expect("the corpus");
    let folders = entries.map(|entry| entry.expect("an entry").file_name());
    let folders = folders.map(|name| name.to_string_lossy().into_owned());
    let targets = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(folders.collect::<BTreeSet<_>>(), BTreeSet::from(targets));
}
