//! Themes: concepts of the reference vocabulary, and free labels.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::words::{Language, fold};

const GLOSSARY: &str = include_str!("../../data/glossary.json");

#[derive(Deserialize)]
struct Glossary {
    concepts: Vec<Concept>,
}

#[derive(Deserialize)]
struct Concept {
    id: String,
    pref_label: HashMap<String, String>,
}

fn concepts() -> &'static [Concept] {
    static CONCEPTS: LazyLock<Vec<Concept>> = LazyLock::new(|| {
        let glossary = serde_json::from_str::<Glossary>(GLOSSARY);
        glossary.map(|one| one.concepts).unwrap_or_default()
    });
    &CONCEPTS
}

/// What a theme of a cell is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Theme<'a> {
    /// A concept, by its id.
    Concept(&'a str),
    /// A free label, in a language or in that of the row.
    Label(Option<&'a str>, &'a str),
}

/// Reads a theme: a concept of the vocabulary by its id or label, `#id` for any other concept,
/// `[fr] label` for a free label in a language, and a free label in that of the row.
pub(crate) fn read(text: &str) -> Theme<'_> {
    static MEANT: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
        let of = |concept: &'static Concept| {
            let labels = concept.pref_label.values().map(|label| fold(label));
            let names = labels.chain([concept.id.clone()]);
            names
                .map(|name| (name, concept.id.as_str()))
                .collect::<Vec<_>>()
        };
        concepts().iter().flat_map(of).collect()
    });
    if let Some(id) = text.strip_prefix('#') {
        return Theme::Concept(id);
    }
    if let Some((tag, label)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return Theme::Label(Some(tag), label.trim());
    }
    match MEANT.get(text).or_else(|| MEANT.get(&fold(text))) {
        Some(id) => Theme::Concept(id),
        None => Theme::Label(None, text),
    }
}

/// Writes a concept so that it reads back.
pub(crate) fn write_concept(id: &str) -> String {
    match read(id) {
        Theme::Concept(meant) if meant == id => id.to_owned(),
        _ => format!("#{id}"),
    }
}

/// Writes a free label so that it reads back in a row of the language `source`.
pub(crate) fn write_label(tag: &str, text: &str, source: &str) -> String {
    match read(text) {
        Theme::Label(None, _) if tag == source => text.to_owned(),
        _ => format!("[{tag}] {text}"),
    }
}

/// Concepts with their labels in a language, by label.
pub(crate) fn named(language: Language) -> Vec<(&'static str, &'static str)> {
    let label = |one: &'static Concept| one.pref_label.get(language.tag()).map(String::as_str);
    let mut named: Vec<_> = concepts()
        .iter()
        .map(|one| (one.id.as_str(), label(one).unwrap_or(&one.id)))
        .collect();
    named.sort_by_cached_key(|(_, label)| fold(label));
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_are_known_by_id_and_label_and_read_back() {
        assert!(concepts().len() >= 40);
        assert_eq!(read("migrant"), Theme::Concept("migrant"));
        assert_eq!(read("Personne migrante"), Theme::Concept("migrant"));
        assert_eq!(read("#new-one"), Theme::Concept("new-one"));
        assert_eq!(read("[fr] santé"), Theme::Label(Some("fr"), "santé"));
        assert_eq!(read("something else"), Theme::Label(None, "something else"));
        for id in ["migrant", "no-such-concept"] {
            assert_eq!(read(&write_concept(id)), Theme::Concept(id));
        }
        for (tag, text) in [
            ("en", "own"),
            ("fr", "own"),
            ("en", "migrant"),
            ("en", "#x"),
        ] {
            let written = write_label(tag, text, "en");
            let read = match read(&written) {
                Theme::Label(of, label) => (of.unwrap_or("en"), label),
                other => panic!("{other:?}"),
            };
            assert_eq!(read, (tag, text));
        }
    }
}
