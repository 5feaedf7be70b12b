//! What lists and screens show of a record, whoever wrote it.
//!
//! It imports the messages. **Invariant:** no bytes make it refuse or panic; what it cannot read it
//! says so of, because a body that another version wrote is no fault.

use super::{Authoring, Kind, texts};
use crate::limits::BODY_BYTES_MAX;
use crate::v1::{Envelope, LanguageText, Marking, Theme, Translation};

/// What can be shown of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Kind and body are understood.
    Understood(Box<Summary>),
    /// This version does not know the kind: "needs a newer version".
    NeedsNewerVersion,
    /// The kind is known, but the body is no message of it.
    Unreadable,
}

/// The part of a body that all kinds have in common. Values are as the author wrote them, but for
/// control and direction-overriding characters, which are shown as U+FFFD so that they cannot act
/// on the line around them. A code or number may be one that this version does not understand.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What the record is.
    pub kind: Kind,
    /// Its title; of a profile and a contact the name, of a term the label, of an invitation the
    /// topic. Kinds that have none are told by what they are about.
    pub title: Vec<LanguageText>,
    /// Its summary, or the text that comes nearest to one; may be empty but for a practice, a
    /// lesson and a recommendation.
    pub summary: Vec<LanguageText>,
    /// The language in which it was written.
    pub source_lang: String,
    /// How each other language of it came about.
    pub translations: Vec<Translation>,
    /// Countries that it names; of a profile the member States.
    pub countries: Vec<String>,
    /// Objectives of the Global Compact, the primary one first.
    pub gcm_objectives: Vec<u32>,
    /// Concepts and free labels.
    pub themes: Vec<Theme>,
    /// The year in which it begins; `None` if not said.
    pub first_year: Option<u32>,
    /// The year in which it ends; `None` if not ended or not said.
    pub last_year: Option<u32>,
    /// How to handle it; `Unspecified` if not understood.
    pub marking: Marking,
    /// Written from public sources; the RCP named did not publish it, and the screen says so.
    pub demonstration: bool,
}

/// Reads a body as far as lists and screens need it.
///
/// Takes the kind's number and the body as they were signed, whoever signed them.
pub fn summarise(kind_code: u16, body: &[u8]) -> Shown {
    let Some(kind) = Kind::from_code(kind_code) else {
        return Shown::NeedsNewerVersion;
    };
    if body.len() > BODY_BYTES_MAX {
        return Shown::Unreadable;
    }
    match (Authoring::of(kind).summarise)(kind, body) {
        Some(summary) => Shown::Understood(Box::new(summary.made_safe())),
        None => Shown::Unreadable,
    }
}

impl Summary {
    pub(super) fn new(
        kind: Kind,
        envelope: Option<Envelope>,
        title: Vec<LanguageText>,
        summary: Vec<LanguageText>,
    ) -> Self {
        let envelope = envelope.unwrap_or_default();
        Self {
            kind,
            title,
            summary,
            marking: envelope.marking(),
            source_lang: envelope.source_lang,
            translations: envelope.translations,
            countries: envelope.countries,
            gcm_objectives: envelope.gcm_objectives,
            themes: envelope.themes,
            first_year: None,
            last_year: None,
            demonstration: envelope.demonstration,
        }
    }

    /// Years as the messages have them, 0 for none.
    pub(super) fn with_years(mut self, first: u32, last: u32) -> Self {
        self.first_year = Some(first).filter(|year| *year != 0);
        self.last_year = Some(last).filter(|year| *year != 0);
        self
    }

    fn made_safe(mut self) -> Self {
        make_safe(&mut self.source_lang);
        self.countries.iter_mut().for_each(make_safe);
        self.translations
            .iter_mut()
            .for_each(|one| make_safe(&mut one.tag));
        let themes = &mut self.themes;
        themes
            .iter_mut()
            .for_each(|one| make_safe(&mut one.concept));
        let labels = themes.iter_mut().filter_map(|one| one.label.as_mut());
        for one in self.title.iter_mut().chain(&mut self.summary).chain(labels) {
            make_safe(&mut one.tag);
            make_safe(&mut one.text);
        }
        self
    }
}

fn make_safe(text: &mut String) {
    if text.contains(texts::is_unsafe_in_lines) {
        *text = text.replace(texts::is_unsafe_in_lines, "\u{FFFD}");
    }
}
