//! The rules of the house, as far as a machine can hold them.
//!
//! Which room may know which, how large a file may be, what each room must say of itself, and that
//! the README's map is the house. **Invariant:** nothing here is a matter of taste that `rustfmt`
//! and `clippy` already settle.

#![allow(clippy::expect_used)]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use arrows::CRATES;
use tree::{hold, names, read, rust, top};

/// Where waiting for a time is right: path, how often, and what is waited for.
const SLEEPS: [(&str, usize, &str); 18] = [
    ("client/src/client.rs", 1, "pause between two tries"),
    ("client/src/read_all.rs", 1, "pause before reading on"),
    ("client/src/watch.rs", 1, "pause before watching again"),
    (
        "node/src/api/record/watch.rs",
        1,
        "looks for news that are not announced",
    ),
    (
        "node/src/demo/stage.rs",
        1,
        "asks again until a deadline whether all is quiet",
    ),
    ("node/src/exchange/dial.rs", 3, "pauses between two dials"),
    (
        "node/src/exchange/drive.rs",
        1,
        "lets the last frames of a link go out",
    ),
    (
        "node/src/exchange/service.rs",
        1,
        "gives a connection its time to become a link",
    ),
    (
        "node/src/exchange/listen.rs",
        1,
        "pause after a failed accept",
    ),
    (
        "node/src/operate/expose.rs",
        1,
        "pause after a failed accept",
    ),
    (
        "tests/src/bin/bench/clock.rs",
        1,
        "asks again until a deadline",
    ),
    (
        "tests/src/bin/bench/site.rs",
        1,
        "pauses between two tries to reach a node that starts",
    ),
    (
        "tests/src/bin/bench/trip.rs",
        1,
        "pause before a node that does not hold everything is asked again",
    ),
    (
        "tests/src/wire.rs",
        1,
        "how long a byte is under way on a long line",
    ),
    ("tests/tests/networks.rs", 1, "asks again until a deadline"),
    ("tests/src/bin/crashes/kill.rs", 1, "the moment of a kill"),
    (
        "tests/src/bin/crashes/power.rs",
        1,
        "the moment of a power cut",
    ),
    ("tests/src/nodes.rs", 2, "asks again until a deadline"),
];

/// All that may lie at the top.
const TOP: [&str; 18] = [
    ".cargo/",
    ".ci/",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "client/",
    "clippy.toml",
    "deny.toml",
    "deploy/",
    "node/",
    "proto/",
    "rustfmt.toml",
    "tests/",
];

#[test]
fn every_file_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for file in rust(&["proto/src/", "node/", "client/src/", "tests/src/"]) {
        if !file.is_test() && !file.text.starts_with("//!") {
            wrong.push(file.at(1, "does not begin with //!"));
        }
    }
    hold(
        &wrong,
        "Say in the first lines what the file is for and what it may import.",
    );
}

#[test]
fn every_room_names_its_invariant() {
    let mut doors: Vec<String> = Vec::new();
    for (folder, _) in CRATES {
        doors.push(format!("{folder}/src/lib.rs"));
    }
    for name in names(&top().join("node/src")) {
        if name.ends_with('/') {
            doors.push(format!("node/src/{name}mod.rs"));
        }
    }
    let mut wrong = Vec::new();
    for path in doors {
        let text = read(&path);
        let docs = text.lines().take_while(|line| line.starts_with("//!"));
        if !docs.collect::<String>().contains("**Invariant:**") {
            wrong.push(format!("{path}:1: no **Invariant:** in its docs"));
        }
    }
    hold(&wrong, "Name what is deliberately absent from the room.");
}

/// Paths in the README's map, with the folders written out in full.
fn map() -> Vec<(usize, String)> {
    let readme = read("README.md");
    let mut found = Vec::new();
    let mut folder = String::new();
    let mut is_map = false; // under its heading
    let mut is_inside = false; // in its block
    for (line, number) in readme.lines().zip(1..) {
        if line.starts_with("```") {
            if is_inside {
                break;
            }
            is_inside = is_map;
        } else if !is_inside && line.starts_with('#') {
            let heading = line.to_lowercase();
            is_map = heading.contains("house") || heading.contains("map");
        } else if is_inside && !line.trim().is_empty() {
            let name = line.split_whitespace().next().unwrap_or_default();
            if !line.starts_with(' ') {
                folder = name.to_owned();
                found.push((number, name.to_owned()));
            } else if line.chars().take_while(|c| *c == ' ').count() < 8 {
                found.push((number, format!("{folder}{name}")));
            } // else the sentence of the line above goes on
        }
    }
    found
}

#[test]
fn the_readme_has_the_map_of_the_house() {
    let map = map();
    assert!(
        !map.is_empty(),
        "README.md: no map in a block under a heading with \"house\""
    );
    let mut wrong = Vec::new();
    for (line, path) in &map {
        if !top().join(path).exists() {
            wrong.push(format!("README.md:{line}: {path} does not exist"));
        }
    }
    let mapped: BTreeSet<&str> = map.iter().map(|(_, path)| path.as_str()).collect();
    let mut folders = Vec::new();
    for (parent, is_house) in [("", true), ("node/", false), ("node/src/", true)] {
        for name in names(&top().join(parent)) {
            let path = format!("{parent}{name}");
            let is_room = is_house || top().join(&path).join("Cargo.toml").exists();
            if is_room && name.ends_with('/') && !name.starts_with('.') {
                folders.push(path);
            }
        }
    }
    for path in folders {
        if !mapped.contains(path.as_str()) {
            wrong.push(format!("{path} is not in the map of README.md"));
        }
    }
    hold(
        &wrong,
        "The map is the first thing that a newcomer reads: keep it true.",
    );
}

/// Pages whose paths in backticks must exist.
const PAGES: [&str; 9] = [
    "README.md",
    "SECURITY.md",
    "client/GUIDE.md",
    "deploy/OPERATING.md",
    "deploy/README.md",
    "deploy/RUNBOOK.md",
    "proto/API.md",
    "proto/PROTOCOL.md",
    "proto/vectors/README.md",
];

#[test]
fn paths_that_the_pages_name_exist() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let rooms = ["client/", "deploy/", "node/", "proto/", "tests/"];
    for page in PAGES {
        for (line, number) in read(page).lines().zip(1..) {
            for quoted in line.split('`').skip(1).step_by(2) {
                let is_path = rooms.iter().any(|room| quoted.starts_with(room));
                if is_path && !quoted.contains(' ') {
                    seen += 1;
                    if !top().join(quoted).exists() {
                        wrong.push(format!("{page}:{number}: {quoted} does not exist"));
                    }
                }
            }
        }
    }
    assert!(
        seen > 0,
        "no page names a path: this rule reads them wrongly"
    );
    hold(&wrong, "Name the path where it is now.");
}

#[test]
fn the_top_holds_only_what_belongs_there() {
    let names = names(&top()).into_iter();
    let strange: Vec<String> = names.filter(|name| !TOP.contains(&name.as_str())).collect();
    hold(&strange, "Put it into the room that it belongs to.");
}

#[test]
fn nothing_is_left_undone() {
    let mut wrong = Vec::new();
    for file in rust(&[]) {
        let code = file.code();
        for undone in ["todo!", "unimplemented!", "dbg!", "#[ignore"] {
            let lines = code.lines_with(undone).into_iter();
            wrong.extend(lines.map(|line| file.at(line, undone)));
        }
    }
    let notes = [concat!("FIX", "ME"), concat!("TO", "DO")];
    for file in tree::files() {
        for (line, number) in file.text.lines().zip(1..) {
            for word in line.split(|each: char| !each.is_alphanumeric()) {
                if notes.contains(&word) {
                    wrong.push(file.at(number, word));
                }
            }
        }
    }
    hold(
        &wrong,
        "Do it, or leave it out and say so where a reader looks for it.",
    );
}

#[test]
fn nobody_sleeps_but_who_must() {
    let mut found = BTreeMap::new();
    for file in rust(&[]) {
        let lines = file.code().lines_with("sleep(");
        if !lines.is_empty() {
            found.insert(file.path, lines);
        }
    }
    let mut wrong = Vec::new();
    for (path, lines) in &found {
        if !SLEEPS
            .iter()
            .any(|(known, times, _)| path == known && lines.len() == *times)
        {
            wrong.push(format!("{path}: sleeps in lines {lines:?}"));
        }
    }
    for (path, _, why) in SLEEPS {
        if !found.contains_key(path) {
            wrong.push(format!(
                "{path}: does not sleep any more ({why}): strike it from SLEEPS"
            ));
        }
    }
    hold(
        &wrong,
        "Wait for what happens; if only time can tell, say why in SLEEPS.",
    );
}

/// Words with which a file would speak of the place where it was written instead of the project. In
/// pieces, so that this file does not hold them itself.
const FOREIGN: [&str; 10] = [
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("iss", "ue #"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("proxy.golang", ".org"),
];

#[test]
fn the_project_speaks_of_itself_alone() {
    let mut wrong = Vec::new();
    for file in tree::files() {
        if file.path == "Cargo.lock" {
            continue; // Cargo writes where a package came from
        }
        for (line, number) in file.text.lines().zip(1..) {
            for word in FOREIGN {
                // An absolute path, not the middle of one.
                let is_inside = |at: usize| {
                    word.starts_with('/')
                        && line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
                };
                if line.match_indices(word).any(|(at, _)| !is_inside(at)) {
                    wrong.push(file.at(number, word));
                }
            }
        }
    }
    hold(
        &wrong,
        "Say it without a path of one machine, a registry's host or a number elsewhere.",
    );
}
