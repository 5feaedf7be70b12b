//! The README keeps its word: its two commands are there, and the blocks marked to be run do run.
//!
//! The demonstration itself is run, in release mode, by `tests/run demo`.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::Command;

struct Block {
    text: String,
    runs: bool,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn blocks() -> Vec<Block> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let mut blocks = Vec::new();
    let mut runs = false;
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        match line {
            "<!-- run -->" => runs = true,
            "```sh" => {
                let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push(Block {
                    text: inside.join("\n"),
                    runs,
                });
                runs = false;
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn the_two_commands_are_there() {
    let blocks = blocks();
    for command in ["cargo run --release -- demo", "./tests/run"] {
        assert!(
            blocks.iter().any(|block| block.text == command),
            "no block is {command:?}"
        );
    }
}

#[test]
fn blocks_marked_to_be_run_end_well() {
    let marked: Vec<Block> = blocks().into_iter().filter(|block| block.runs).collect();
    assert!(!marked.is_empty(), "no block is marked <!-- run -->");
    for block in marked {
        let out = Command::new("bash")
            .args(["-e", "-c", &block.text])
            .current_dir(root())
            .output()
            .expect("bash");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}\n{said}", block.text);
        assert!(!out.stdout.is_empty(), "{} printed nothing", block.text);
    }
}
