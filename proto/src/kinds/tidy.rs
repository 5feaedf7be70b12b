//! Helps an author: brings messages into the form that the checks ask for.
//!
//! It imports the messages and the form of texts. **Invariant:** it never decides for the author:
//! nothing that is wrong rather than untidy is changed, and no text is lost but an empty one.

use std::collections::BTreeSet;

use super::texts;
use crate::v1::{LanguageText, Link, Organisation, Passage};

/// Something that can be written in several ways, of which one is canonical.
pub trait Tidy {
    /// Brings it into canonical form; doing so twice changes nothing more.
    fn tidy(&mut self);
}

impl<T: Tidy> Tidy for Option<T> {
    fn tidy(&mut self) {
        if let Some(inner) = self {
            inner.tidy();
        }
    }
}

impl Tidy for String {
    fn tidy(&mut self) {
        *self = texts::normal(self);
    }
}

impl Tidy for LanguageText {
    fn tidy(&mut self) {
        tag(&mut self.tag);
        self.text.tidy();
    }
}

/// A text in its languages: an empty one is a language that nobody filled in.
impl Tidy for Vec<LanguageText> {
    fn tidy(&mut self) {
        each(self);
        self.retain(|one| !one.text.is_empty());
        self.sort_by(|a, b| a.tag.cmp(&b.tag));
        self.dedup();
    }
}

impl Tidy for Passage {
    fn tidy(&mut self) {
        self.text.tidy();
    }
}

impl Tidy for Organisation {
    fn tidy(&mut self) {
        self.name.tidy();
    }
}

/// A list in the author's order.
pub(super) fn each<T: Tidy>(items: &mut [T]) {
    items.iter_mut().for_each(Tidy::tidy);
}

/// A set of values.
pub(super) fn set<T: Ord>(items: &mut Vec<T>) {
    items.sort();
    items.dedup();
}

/// A list in the author's order, each value once.
pub(super) fn unique<T: Ord + Clone>(items: &mut Vec<T>) {
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert(item.clone()));
}

/// A language tag; what is none is left for the checks.
pub(super) fn tag(tag: &mut String) {
    if let Some(canonical) = texts::canonical_tag(tag.trim()) {
        *tag = canonical;
    }
}

/// A set of language tags.
pub(super) fn tags(tags: &mut Vec<String>) {
    tags.iter_mut().for_each(tag);
    set(tags);
}

/// A set of lines.
pub(super) fn lines(lines: &mut Vec<String>) {
    each(lines);
    set(lines);
}

/// Labels, several of one language perhaps; an empty one is none.
pub(super) fn labels(labels: &mut Vec<LanguageText>) {
    each(labels);
    labels.retain(|one| !one.text.is_empty());
    labels.sort_by(|a, b| (&a.tag, &a.text).cmp(&(&b.tag, &b.text)));
    labels.dedup();
}

/// A country code.
pub(super) fn country(code: &mut String) {
    *code = code.trim().to_ascii_uppercase();
}

/// A set of country codes.
pub(super) fn countries(codes: &mut Vec<String>) {
    codes.iter_mut().for_each(country);
    set(codes);
}

/// A set of links.
pub(super) fn links(links: &mut Vec<Link>) {
    links.sort_by(|a, b| (&a.rcp, &a.record).cmp(&(&b.rcp, &b.record)));
    links.dedup();
}
