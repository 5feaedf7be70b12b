//! As much of Rust's grammar as the rules need: what is code, where a function ends, which paths a
//! file names. It reads text, not macros.

use std::ops::Range;

/// A file of Rust with comments and the contents of strings replaced by spaces, line for line.
pub struct Code(Vec<char>);

impl Code {
    /// Reads a file.
    pub fn of(text: &str) -> Self {
        let mut code: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < code.len() {
            let end = not_code(&code, at);
            for character in &mut code[at..end] {
                if *character != '\n' {
                    *character = ' ';
                }
            }
            at = end.max(at + 1);
        }
        Self(code)
    }

    /// Line of a place, from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.0[..at].iter().filter(|each| **each == '\n').count()
    }

    /// Lines where the text occurs as code, from 1.
    pub fn lines_with(&self, text: &str) -> Vec<usize> {
        let code: String = self.0.iter().collect();
        let numbered = code.lines().zip(1..);
        let found = numbered.filter(|(line, _)| line.contains(text));
        found.map(|(_, number)| number).collect()
    }

    /// Where `word` stands by itself.
    fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let length = word.chars().count();
        (0..self.0.len().saturating_sub(length)).filter(move |&at| {
            self.0[at..at + length].iter().copied().eq(word.chars())
                && !(at > 0 && is_name(self.0[at - 1]))
                && !is_name(self.0[at + length])
        })
    }

    /// From an opening bracket to behind the one that closes it.
    fn bracketed(&self, open: usize) -> Range<usize> {
        let mut depth = 0_usize;
        for (at, each) in self.0.iter().enumerate().skip(open) {
            match each {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return open..at + 1;
            }
        }
        open..self.0.len()
    }

    /// Line, name and lines of every function that has a body.
    pub fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        for start in self.words("fn") {
            let mut at = start + 2;
            while self.0.get(at) == Some(&' ') {
                at += 1;
            }
            let name: String = self.0[at..].iter().take_while(|c| is_name(**c)).collect();
            if name.is_empty() {
                continue; // the type of a function, not a function
            }
            while let Some(each) = self.0.get(at) {
                match each {
                    '(' | '[' => at = self.bracketed(at).end,
                    '{' | ';' => break,
                    _ => at += 1,
                }
            }
            if self.0.get(at) == Some(&'{') {
                let first = self.line(start);
                let last = self.line(self.bracketed(at).end - 1);
                found.push((first, name, last - first + 1));
            }
        }
        found
    }

    /// Line and full path of everything named under `root`, with groups in braces taken apart.
    pub fn paths(&self, root: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for start in self.words(root) {
            let mut at = start + root.chars().count();
            if self.take(&mut at, "::") {
                let mut paths = Vec::new();
                self.tree(&mut at, root, &mut paths);
                let line = self.line(start);
                found.extend(paths.into_iter().map(|path| (line, path)));
            }
        }
        found
    }

    /// One branch of a use tree, behind `prefix::`.
    fn tree(&self, at: &mut usize, prefix: &str, found: &mut Vec<String>) {
        if self.take(at, "{") {
            while !self.take(at, "}") && *at < self.0.len() {
                let before = *at;
                self.tree(at, prefix, found);
                while *at < self.0.len() && !matches!(self.0[*at], ',' | '}') {
                    *at += 1; // ` as other`
                }
                self.take(at, ",");
                if *at == before {
                    return; // not a use tree
                }
            }
            return;
        }
        let name: String = self.0[*at..].iter().take_while(|c| is_name(**c)).collect();
        *at += name.chars().count();
        let path = format!("{prefix}::{name}");
        if !name.is_empty() && self.take(at, "::") {
            self.tree(at, &path, found);
        } else {
            found.push(path);
        }
    }

    /// Goes past `text` and the space before and behind it, if it is there.
    fn take(&self, at: &mut usize, text: &str) -> bool {
        let space = |from: usize| {
            let rest = self.0.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|c| c.is_whitespace()).count()
        };
        let start = space(*at);
        let end = start + text.chars().count();
        let is_there = self
            .0
            .get(start..end)
            .is_some_and(|c| c.iter().copied().eq(text.chars()));
        if is_there {
            *at = space(end);
        }
        is_there
    }
}

/// Lines outside `#[cfg(test)] mod … { … }`.
pub fn lines_without_tests(text: &str) -> usize {
    let code = Code::of(text);
    let all: Vec<String> = code
        .0
        .split(|c| *c == '\n')
        .map(|line| line.iter().collect())
        .collect();
    let mut tests = 0;
    let mut place = 0; // of the line's first character
    for (index, line) in all.iter().enumerate() {
        let is_marked = index > 0 && all[index - 1].trim() == "#[cfg(test)]";
        if is_marked && line.contains("mod ") && line.ends_with('{') {
            let range = code.bracketed(place + line.chars().count() - 1);
            tests += 1 + code.line(range.end - 1) - index;
        }
        place += line.chars().count() + 1;
    }
    text.lines().count() - tests
}

fn is_name(each: char) -> bool {
    each.is_alphanumeric() || each == '_'
}

/// Where a comment or the inside of a string that begins at `at` ends; `at` if none begins there.
fn not_code(text: &[char], at: usize) -> usize {
    let next = |ahead: usize| text.get(at + ahead).copied().unwrap_or('\n');
    let starts_word = at == 0 || !is_name(text[at - 1]);
    match text[at] {
        '/' if next(1) == '/' => find(text, at, |rest| rest[0] == '\n'),
        '/' if next(1) == '*' => block_comment(text, at),
        '"' => string(text, at),
        '\'' => character(text, at),
        'b' if starts_word && next(1) == '\'' => character(text, at + 1),
        'r' if starts_word => raw_string(text, at + 1).unwrap_or(at),
        'b' | 'c' if starts_word && next(1) == 'r' => raw_string(text, at + 2).unwrap_or(at),
        _ => at,
    }
}

fn find(text: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    let found = (from..text.len()).find(|&at| is_end(&text[at..]));
    found.unwrap_or(text.len())
}

fn block_comment(text: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < text.len() {
        if text[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// A character, or nothing if it is a lifetime.
fn character(text: &[char], start: usize) -> usize {
    if text.get(start + 1) == Some(&'\\') {
        return (find(text, start + 3, |rest| rest[0] == '\'') + 1).min(text.len());
    }
    if text.get(start + 2) == Some(&'\'') {
        start + 3
    } else {
        start
    }
}

/// A raw string, if what comes behind its `r` is one.
fn raw_string(text: &[char], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let is_end = |rest: &[char]| {
        let tail = rest.get(1..=hashes).unwrap_or_default();
        rest[0] == '"' && tail.len() == hashes && tail.iter().all(|c| *c == '#')
    };
    let end = find(text, start + hashes + 1, is_end) + 1 + hashes;
    Some(end.min(text.len()))
}

#[test]
fn these_rules_see_what_rust_sees() {
    let text = r##"
// crate::a { and fn none() {
fn short() { let brace = '{'; let quote = '"'; let life: &'static str = "}"; }
fn long<'a>(
    text: [u8; { 1 }],
) -> &'a str {
    /* } /* nested */ } */
    r#"crate::b "}"#
}
type Pointer = fn(u8);
use crate::{c, d::{self, E as F}, g::*};
use std::{time::Instant, fs};
#[cfg(test)]
mod tests {
    fn inner() {}
}
"##;
    let code = Code::of(text);
    let functions = code.functions();
    let functions: Vec<_> = functions
        .iter()
        .map(|(at, name, n)| (*at, name.as_str(), *n))
        .collect();
    assert_eq!(
        functions,
        [(3, "short", 1), (4, "long", 6), (15, "inner", 1)]
    );
    let paths: Vec<String> = code
        .paths("crate")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(
        paths,
        ["crate::c", "crate::d::self", "crate::d::E", "crate::g::"]
    );
    let paths: Vec<String> = code
        .paths("std")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(paths, ["std::time::Instant", "std::fs"]);
    assert_eq!(lines_without_tests(text), 12);
}
