//! Which crate and which room may know which.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{self, File, hold, names, read, rust, top};

/// Each crate with the crates of this workspace that it may depend on, tests included.
pub const CRATES: [(&str, &[&str]); 7] = [
    ("proto", &[]),
    ("node/rules", &["proto"]),
    ("node/store", &["proto", "rules"]),
    ("node/tables", &["proto"]),
    ("client", &["proto"]),
    ("node", &["proto", "rules", "store", "tables"]),
    (
        "tests",
        &["client", "node", "proto", "rules", "store", "tables"],
    ),
];

/// Each room of the node with the rooms that it may import. `run` brings all of them together.
const ROOMS: [(&str, &[&str]); 19] = [
    ("audit_command", &["edge", "operate"]),
    ("backup_command", &["audit_command", "operate"]),
    ("config_command", &["operate"]),
    ("drill_command", &["audit_command", "operate"]),
    (
        "init_command",
        &["audit_command", "config_command", "operate"],
    ),
    ("look_command", &["config_command", "edge", "operate"]),
    ("token_command", &["audit_command", "edge", "operate"]),
    (
        "api",
        &[
            "bundles", "desk", "edge", "library", "limits", "operate", "status", "tables",
        ],
    ),
    ("bundles", &["edge", "exchange", "operate"]),
    (
        "demo",
        &["desk", "edge", "limits", "operate", "run", "status"],
    ),
    ("desk", &["edge", "limits"]),
    ("edge", &[]),
    ("exchange", &["edge", "limits", "operate", "status"]),
    ("library", &["desk", "edge", "limits"]),
    ("limits", &[]),
    ("operate", &["edge", "limits", "status"]),
    (
        "run",
        &[
            "api", "bundles", "desk", "edge", "exchange", "limits", "operate", "status", "tables",
        ],
    ),
    ("status", &[]),
    ("tables", &["desk", "edge", "limits", "operate"]),
];

/// Crates that decide and never act: no socket, no disk, no clock, no runtime.
const PURE: [&str; 3] = ["proto/src/", "node/rules/src/", "node/tables/src/"];

/// What they must not name.
const IMPURE: [&str; 6] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Line and name of every dependency in a manifest, of whatever section.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for (line, number) in manifest.lines().zip(1..) {
        if let Some(section) = line.strip_prefix('[') {
            is_inside = section.trim_end().ends_with("dependencies]");
        } else if is_inside {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            if end > 0 && !line.starts_with('#') {
                found.push((number, line[..end].trim_matches('"')));
            }
        }
    }
    found
}

#[test]
fn crates_depend_on_no_room_above_them() {
    let mut wrong = Vec::new();
    for (folder, allowed) in CRATES {
        let path = format!("{folder}/Cargo.toml");
        let manifest = read(&path);
        for (number, name) in dependencies(&manifest) {
            let room = name.strip_prefix("corridor-");
            if room.is_some_and(|room| !allowed.contains(&room)) {
                wrong.push(format!(
                    "{path}:{number}: {folder} may not depend on {name}"
                ));
            }
        }
    }
    hold(
        &wrong,
        "Move the code to the room below, or hand it in as a value.",
    );
}

#[test]
fn every_crate_has_its_arrows() {
    let listed: BTreeSet<String> = CRATES
        .map(|(folder, _)| format!("{folder}/Cargo.toml"))
        .into();
    let mut there: BTreeSet<String> = BTreeSet::new();
    for file in tree::files() {
        if file.path.ends_with("/Cargo.toml") {
            there.insert(file.path);
        }
    }
    assert_eq!(
        there, listed,
        "decide in CRATES of tests/tests/tidy/arrows.rs what a new crate may import"
    );
}

/// Folders and files of `node/src`, without the two roots.
fn rooms() -> BTreeSet<String> {
    let rooms = names(&top().join("node/src")).into_iter();
    let rooms = rooms.map(|name| {
        name.trim_end_matches('/')
            .trim_end_matches(".rs")
            .to_owned()
    });
    rooms
        .filter(|name| name != "lib" && name != "main")
        .collect()
}

/// Line and name of each room that a file of `node/src` names.
fn named_rooms(file: &File, rooms: &BTreeSet<String>) -> Vec<(usize, String)> {
    let code = file.code();
    let inside = file
        .path
        .trim_start_matches("node/src/")
        .trim_end_matches("/mod.rs");
    let depth = inside.split('/').count();
    let mut found = code.paths("crate");
    // From a module at this depth, so many `super` lead to the root of the crate.
    let climb = vec!["super"; depth].join("::");
    for (line, path) in code.paths("super") {
        if let Some(rest) = path.strip_prefix(&climb) {
            found.push((line, format!("crate{rest}")));
        }
    }
    let mut named = Vec::new();
    for (line, path) in found {
        let room = path.split("::").nth(1).unwrap_or_default();
        if rooms.contains(room) {
            named.push((line, room.to_owned()));
        }
    }
    named
}

#[test]
fn rooms_of_the_node_import_only_what_they_may() {
    let rooms = rooms();
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into();
    let listed: BTreeSet<String> = allowed.keys().map(|room| (*room).to_owned()).collect();
    assert_eq!(
        rooms, listed,
        "decide in ROOMS of tests/tests/tidy/arrows.rs what a new room may import"
    );
    let mut wrong = Vec::new();
    for file in rust(&["node/src/"]) {
        let inside = file.path.trim_start_matches("node/src/");
        let room = inside.split(['/', '.']).next().unwrap_or_default();
        let Some(may) = allowed.get(room) else {
            continue; // lib.rs and main.rs
        };
        for (line, named) in named_rooms(&file, &rooms) {
            if named != room && !may.contains(&named.as_str()) {
                wrong.push(file.at(line, &format!("{room} may not import {named}")));
            }
        }
    }
    hold(&wrong, "Move the code down, or let `run` hand it in.");
}

#[test]
fn only_the_index_knows_sled() {
    let mut wrong = Vec::new();
    for file in rust(&[]) {
        if file.path != "node/store/src/index.rs" {
            for (line, path) in file.code().paths("sled") {
                wrong.push(file.at(line, &path));
            }
        }
    }
    for (folder, _) in CRATES {
        let path = format!("{folder}/Cargo.toml");
        let manifest = read(&path);
        let mut names = dependencies(&manifest).into_iter();
        if folder != "node/store" && names.any(|(_, name)| name == "sled") {
            wrong.push(format!("{path}: depends on sled"));
        }
    }
    hold(&wrong, "Only node/store/src/index.rs may name sled.");
}

#[test]
fn pure_crates_reach_nothing_outside() {
    let mut wrong = Vec::new();
    for file in rust(&PURE) {
        let code = file.code();
        for (line, path) in code.paths("std") {
            if IMPURE.iter().any(|impure| path.starts_with(impure)) {
                wrong.push(file.at(line, &path));
            }
        }
        for root in ["tokio", "tonic", "getrandom"] {
            let paths = code.paths(root).into_iter();
            wrong.extend(paths.map(|(line, path)| file.at(line, &path)));
        }
    }
    hold(
        &wrong,
        "Take time, randomness and bytes as parameters; the edges do the rest.",
    );
}

#[test]
fn rooms_are_seen_through_every_way_to_name_them() {
    let file = File {
        path: "node/src/api/record/mod.rs".to_owned(),
        text: "use super::super::exchange::tls;\nuse crate::{desk, edge};\nuse super::names;\n"
            .to_owned(),
    };
    let rooms: BTreeSet<String> = ["exchange", "desk", "edge", "names"]
        .map(str::to_owned)
        .into();
    let found: Vec<String> = named_rooms(&file, &rooms)
        .into_iter()
        .map(|(_, room)| room)
        .collect();
    assert_eq!(found, ["desk", "edge", "exchange"]);
}
