//! The files of the tree, as the rules read them.

use std::path::{Path, PathBuf};

use super::code::{self, Code};

/// What `.gitignore` names: made by builds and tests, never read by a rule.
const MADE: [&str; 5] = [".git", "target", ".venv", "node_modules", "__pycache__"];

/// One file of text.
pub struct File {
    /// Relative to the top of the tree, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// `path:line: what` for a message.
    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is the file of a `mod tests`, or an integration test.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Without comments, and with empty strings.
    pub fn code(&self) -> Code {
        Code::of(&self.text)
    }

    /// Its lines of code outside `#[cfg(test)] mod … { … }`.
    pub fn lines_without_tests(&self) -> usize {
        code::lines_without_tests(&self.text)
    }
}

/// The top of the tree.
pub fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ has a parent").to_path_buf()
}

/// The text of a file that must be there.
pub fn read(path: &str) -> String {
    let full = top().join(path);
    std::fs::read_to_string(full).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Names in a folder without what is made, sorted; folders end in `/`.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.expect("an entry of a folder");
        let mut name = entry.file_name().to_string_lossy().into_owned();
        if MADE.contains(&name.as_str()) || name.ends_with(".corridor-data") {
            continue;
        }
        if entry.path().is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort();
    names
}

/// Every file of the tree that is text.
pub fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&top(), "", &mut found);
    assert!(found.len() > 100, "the tree was not found: {}", found.len());
    found
}

/// Every file of Rust whose path begins with one of `under`; all of them if it is empty.
pub fn rust(under: &[&str]) -> Vec<File> {
    let mut found = files();
    found.retain(|file| {
        file.is_rust()
            && (under.is_empty() || under.iter().any(|start| file.path.starts_with(start)))
    });
    assert!(!found.is_empty(), "no files of Rust under {under:?}");
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    for name in names(folder) {
        let full = folder.join(&name);
        let path = format!("{prefix}{name}");
        if name.ends_with('/') {
            collect(&full, &path, found);
        } else if let Ok(text) = std::fs::read_to_string(&full) {
            found.push(File { path, text });
        }
    }
}

/// Fails with every violation and what to do about them.
#[track_caller]
pub fn hold(violations: &[String], remedy: &str) {
    assert!(
        violations.is_empty(),
        "{} violations. {remedy}\n  {}",
        violations.len(),
        violations.join("\n  ")
    );
}
