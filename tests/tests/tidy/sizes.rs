//! How large a file, a function and a line may be.

use std::collections::BTreeSet;

use super::tree::{hold, rust};

const FILE_LINES_MAX: usize = 600;
const FILE_LINES_USUAL: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_WIDTH_MAX: usize = 100;

/// Functions that may be longer: path, name, and why a reader is better off with one piece.
const LONG_FUNCTIONS: [(&str, &str, &str); 6] = [
    (
        "node/rules/src/model.rs",
        "apply",
        "one arm for each kind of fact, all short",
    ),
    (
        "node/store/src/codec.rs",
        "meta",
        "the table of all frames, one arm a kind",
    ),
    ("node/store/src/codec.rs", "fact", "the same table, read"),
    (
        "node/store/src/codec/tests.rs",
        "facts",
        "one example of each kind of fact",
    ),
    (
        "proto/tests/vectors/attachments.rs",
        "refusals",
        "a table of cases",
    ),
    (
        "proto/src/kinds/tests.rs",
        "envelopes_use_the_vocabularies",
        "a table of cases",
    ),
];

#[test]
#[allow(clippy::print_stdout, reason = "for whoever runs it with --no-capture")]
fn files_are_short() {
    let mut wrong = Vec::new();
    for file in rust(&[]) {
        let lines = file.lines_without_tests();
        let what = file.at(lines, "lines without its tests");
        if lines > FILE_LINES_MAX {
            wrong.push(what);
        } else if lines > FILE_LINES_USUAL {
            println!("longer than usual: {what}");
        }
    }
    hold(
        &wrong,
        "Take out what can be named for itself; 600 lines is the end.",
    );
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for file in rust(&[]) {
        for (line, name, lines) in file.code().functions() {
            if lines <= FUNCTION_LINES_MAX {
                continue;
            }
            let excuse = |(path, long, _): &(&str, &str, &str)| file.path == *path && name == *long;
            if let Some(place) = LONG_FUNCTIONS.iter().position(excuse) {
                excused.insert(place);
            } else {
                wrong.push(file.at(line, &format!("{name} has {lines} lines")));
            }
        }
    }
    hold(&wrong, "Take out a step and name it; 70 lines is the end.");
    assert_eq!(
        excused.len(),
        LONG_FUNCTIONS.len(),
        "LONG_FUNCTIONS excuses what is short by now"
    );
}

#[test]
fn lines_are_narrow() {
    let mut wrong = Vec::new();
    for file in rust(&[]) {
        for (line, number) in file.text.lines().zip(1..) {
            let width = line.chars().count();
            if width > LINE_WIDTH_MAX {
                wrong.push(file.at(number, &format!("{width} characters")));
            }
        }
    }
    hold(
        &wrong,
        "Break the comment or the string; 100 characters is the end.",
    );
}
