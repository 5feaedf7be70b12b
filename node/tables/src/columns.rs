//! The columns of each kind of record: one list for templates, imports and exports.
//!
//! A column has a key that stays for ever, a field of the body, and a shape. **Invariant:** a key
//! means the same field in every language and every version; one that goes is never used again.

use std::sync::LazyLock;

use corridor_proto::kinds::Kind;

use Need::{Draft, Never, Share};
use Shape::{
    Countries, Country, Date, Flag, Items, Labels, Line, Lines, Link, Links, Number, Numbers,
    Principles, Processes, Tag, Tags, Text, Themes, Translation, Word, Words,
};

/// What stands in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One line without a language.
    Line,
    /// Lines without a language, a set.
    Lines,
    /// A text; each language has a column of its own.
    Text,
    /// A BCP 47 tag.
    Tag,
    /// Tags, a set.
    Tags,
    /// A word of a list.
    Word(&'static str),
    /// Words of a list, a set.
    Words(&'static str),
    /// A whole number; absent is zero.
    Number,
    /// Whole numbers in the author's order.
    Numbers,
    /// Yes or no.
    Flag,
    /// A date as exact as it is known.
    Date,
    /// A country.
    Country,
    /// Countries, a set.
    Countries,
    /// Guiding principles of the Global Compact, a set.
    Principles,
    /// Concepts and free labels.
    Themes,
    /// Labels; each language has a column of its own.
    Labels,
    /// A record.
    Link,
    /// Records, a set.
    Links,
    /// Regional Consultative Processes, a set.
    Processes,
    /// Items of several parts, in the author's order.
    Items(&'static [Part]),
    /// How a translation was made: the column's language is that of the translation.
    Translation,
}

impl Shape {
    /// Its name in the files of words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Line => "Line",
            Self::Lines => "Lines",
            Self::Text => "Text",
            Self::Tag => "Tag",
            Self::Tags => "Tags",
            Self::Word(_) => "Word",
            Self::Words(_) => "Words",
            Self::Number => "Number",
            Self::Numbers => "Numbers",
            Self::Flag => "Flag",
            Self::Date => "Date",
            Self::Country => "Country",
            Self::Countries => "Countries",
            Self::Principles => "Principles",
            Self::Themes => "Themes",
            Self::Labels => "Labels",
            Self::Link => "Link",
            Self::Links => "Links",
            Self::Processes => "Processes",
            Self::Items(_) => "Items",
            Self::Translation => "Translation",
        }
    }
}

/// A part of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its field.
    pub field: &'static str,
    /// What it holds: [`Shape::Text`], [`Shape::Line`], [`Shape::Number`] or [`Shape::Word`].
    pub shape: Shape,
}

/// When a column has to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Before the row is taken as a draft.
    Draft,
    /// Before the record is shared.
    Share,
    /// Never.
    Never,
}

/// A column of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its key.
    pub key: &'static str,
    /// The field, by the names of the `.proto` files.
    pub path: &'static str,
    /// What stands in it.
    pub shape: Shape,
    /// When it has to be filled in.
    pub need: Need,
}

impl Column {
    /// Whether each language has a column of its own.
    pub fn is_translated(&self) -> bool {
        match self.shape {
            Shape::Text | Shape::Labels | Shape::Translation => true,
            Shape::Items(parts) => parts.iter().any(|part| part.shape == Shape::Text),
            _ => false,
        }
    }
}

/// The kinds that have a table.
pub const KINDS: [Kind; 6] = [
    Kind::Practice,
    Kind::Lesson,
    Kind::Recommendation,
    Kind::Guideline,
    Kind::Term,
    Kind::Meeting,
];

/// The columns of a kind, in the order of its sheet; none of a kind that has no table.
pub fn columns(kind: Kind) -> &'static [Column] {
    static ALL: LazyLock<Vec<(Kind, Vec<Column>)>> = LazyLock::new(|| {
        let of = |kind| {
            let lists: [&[Column]; 5] = match kind {
                Kind::Practice => [&FIRST, &TITLE, &SUBJECT, &PRACTICE, &COMMON],
                Kind::Lesson => [&FIRST, &TITLE, &SUBJECT, &LESSON, &COMMON],
                Kind::Recommendation | Kind::Guideline => {
                    [&FIRST, &TITLE, &SUBJECT, &RECOMMENDATION, &COMMON]
                }
                Kind::Term => [&FIRST, &TERM, &SUBJECT, &[], &COMMON],
                _ => [&FIRST, &TITLE, &SUBJECT, &MEETING, &COMMON],
            };
            (
                kind,
                lists
                    .concat()
                    .into_iter()
                    .map(|one| needed(kind, one))
                    .collect(),
            )
        };
        KINDS.map(of).into()
    });
    let found = ALL.iter().find(|(of, _)| *of == kind);
    found.map_or(&[], |(_, columns)| columns)
}

/// What a kind needs more or less of what several have.
fn needed(kind: Kind, column: Column) -> Column {
    let need = match (kind, column.key) {
        (Kind::Practice, "gcm_objectives") => Need::Draft,
        (Kind::Meeting, "summary") => Need::Never,
        _ => column.need,
    };
    Column { need, ..column }
}

/// A column of a kind by its key, or by another name that it goes by.
pub(crate) fn column(kind: Kind, key: &str) -> Option<&'static Column> {
    let by_key = |key: &str| columns(kind).iter().find(|column| column.key == key);
    let also = || {
        let (_, key) = ALSO.iter().find(|(also, _)| *also == key)?;
        by_key(key)
    };
    by_key(key).or_else(also)
}

/// Other names of columns: those of the fields, and those that forms of others use.
const ALSO: [(&str, &str); 20] = [
    ("context", "problem"),
    ("countries", "states"),
    ("date_end", "end_year"),
    ("date_start", "start_year"),
    ("gcm_principles", "guiding_principles"),
    ("impact", "results"),
    ("implementer", "implementers"),
    ("links", "sources"),
    ("principles", "guiding_principles"),
    ("replicability", "replication_advice"),
    ("source_lang", "language"),
    ("state_clearance_by", "clearance_by"),
    ("state_clearance_date", "clearance_date"),
    ("state_clearance_ref", "clearance_ref"),
    ("clearance.by_role", "clearance_by"),
    ("clearance.date", "clearance_date"),
    ("clearance.reference", "clearance_ref"),
    ("clearance.on_behalf_of", "clearance_for"),
    ("status", "stage"),
    ("term", "pref_label"),
];

const fn column_of(key: &'static str, path: &'static str, shape: Shape, need: Need) -> Column {
    Column {
        key,
        path,
        shape,
        need,
    }
}

const fn part(field: &'static str, shape: Shape) -> Part {
    Part { field, shape }
}

const PASSAGE: &[Part] = &[part("text", Text)];
const ORGANISATION: &[Part] = &[part("name", Line), part("kind", Word("OrganisationKind"))];
const STEP: &[Part] = &[
    part("title", Text),
    part("text", Text),
    part("enabling_factors", Text),
    part("lesson", Text),
];
const RESULT: &[Part] = &[
    part("indicator", Text),
    part("value", Line),
    part("year", Number),
    part("source", Line),
];
const SOURCE: &[Part] = &[part("url", Line), part("title", Line), part("date", Line)];
const ITEM: &[Part] = &[
    part("number", Number),
    part("text", Text),
    part("objective", Number),
];

const FIRST: [Column; 1] = [column_of("our_ref", "envelope.our_ref", Line, Never)];

const TITLE: [Column; 3] = [
    column_of("title", "title", Text, Draft),
    column_of("language", "envelope.source_lang", Tag, Share),
    column_of("summary", "summary", Text, Draft),
];

const SUBJECT: [Column; 7] = [
    column_of("gcm_objectives", "envelope.gcm_objectives", Numbers, Never),
    column_of("other_framework", "envelope.other_framework", Text, Never),
    column_of(
        "guiding_principles",
        "envelope.gcm_principles",
        Principles,
        Never,
    ),
    column_of("themes", "envelope.themes", Themes, Never),
    column_of("states", "envelope.countries", Countries, Never),
    column_of("corridor_from", "envelope.corridor.from", Countries, Never),
    column_of("corridor_to", "envelope.corridor.to", Countries, Never),
];

const PRACTICE: [Column; 19] = [
    column_of("depth", "depth", Word("PracticeDepth"), Share),
    column_of("level", "level", Word("PracticeLevel"), Never),
    column_of("start_year", "start_year", Number, Share),
    column_of("end_year", "end_year", Number, Never),
    column_of("stage", "stage", Word("PracticeStage"), Share),
    column_of("implementers", "implementers", Items(ORGANISATION), Share),
    column_of("partners", "partners", Items(ORGANISATION), Never),
    column_of("problem", "problem", Text, Never),
    column_of("approach", "approach", Text, Never),
    column_of("steps", "steps", Items(STEP), Never),
    column_of(
        "beneficiaries",
        "beneficiaries",
        Words("Beneficiary"),
        Never,
    ),
    column_of("results", "results", Items(RESULT), Never),
    column_of("evidence", "evidence", Word("PracticeEvidence"), Never),
    column_of("cost_band", "cost.band", Word("CostBand"), Never),
    column_of("cost_note", "cost.note", Text, Never),
    column_of("lessons", "lessons", Items(PASSAGE), Never),
    column_of("what_did_not_work", "what_did_not_work", Text, Never),
    column_of("replication_advice", "replication_advice", Text, Never),
    column_of("contact", "contact", Link, Never),
];

const LESSON: [Column; 7] = [
    column_of("what_happened", "what_happened", Text, Share),
    column_of("why", "why", Text, Never),
    column_of("do_differently", "do_differently", Text, Share),
    column_of("basis", "basis", Word("LessonBasis"), Share),
    column_of(
        "attribution",
        "attribution",
        Word("LessonAttribution"),
        Share,
    ),
    column_of("applies_when", "applies_when", Text, Never),
    column_of("about", "about", Links, Never),
];

const RECOMMENDATION: [Column; 10] = [
    column_of("instrument", "instrument", Word("Instrument"), Share),
    column_of("binding", "binding", Flag, Never),
    column_of("adopted_by", "adopted_by", Line, Never),
    column_of("adopted_on", "adopted_on", Date, Never),
    column_of("adopted_at", "adopted_at", Link, Never),
    column_of("addressed_to", "addressed_to", Words("Addressee"), Never),
    column_of("items", "items", Items(ITEM), Never),
    column_of("period_from", "period.from", Date, Never),
    column_of("period_to", "period.to", Date, Never),
    column_of("follow_up", "follow_up", Word("FollowUp"), Never),
];

const TERM: [Column; 12] = [
    column_of("concept_id", "concept_id", Line, Share),
    column_of("pref_label", "pref_label", Text, Draft),
    column_of("language", "envelope.source_lang", Tag, Share),
    column_of("definition", "definition", Text, Share),
    column_of("term_status", "status", Word("TermStatus"), Share),
    column_of("alt_labels", "alt_labels", Labels, Never),
    column_of("hidden_labels", "hidden_labels", Labels, Never),
    column_of("scope_note", "scope_note", Text, Never),
    column_of("broader", "broader", Links, Never),
    column_of("narrower", "narrower", Links, Never),
    column_of("related_terms", "related", Links, Never),
    column_of("avoid_in", "avoid_in", Lines, Never),
];

const MEETING: [Column; 21] = [
    column_of("meeting_level", "level", Word("MeetingLevel"), Share),
    column_of("starts_on", "starts_on", Date, Share),
    column_of("ends_on", "ends_on", Date, Share),
    column_of("by_quarter", "by_quarter", Flag, Never),
    column_of("start_time", "start_time", Line, Never),
    column_of("end_time", "end_time", Line, Never),
    column_of("time_zone", "time_zone", Line, Never),
    column_of("host", "host", Line, Share),
    column_of("host_country", "host_country", Country, Never),
    column_of("place", "place", Line, Never),
    column_of("mode", "mode", Word("MeetingMode"), Share),
    column_of("chairs", "chairs", Lines, Never),
    column_of("joint_with", "joint_with", Processes, Never),
    column_of("topics", "topics", Items(PASSAGE), Never),
    column_of("openness", "openness", Word("MeetingOpenness"), Share),
    column_of("seats_for_peers", "seats_for_peers", Number, Never),
    column_of("interpretation", "languages", Tags, Never),
    column_of("agenda", "agenda", Links, Never),
    column_of("outcome", "outcome", Links, Never),
    column_of("meeting_status", "status", Word("MeetingStatus"), Share),
    column_of("register_by", "register_by", Date, Never),
];

const COMMON: [Column; 20] = [
    column_of(
        "author_role",
        "envelope.author_role",
        Word("AuthorRole"),
        Share,
    ),
    column_of("standing", "envelope.standing", Word("Standing"), Share),
    column_of(
        "clearance_by",
        "envelope.clearance.by_role",
        Word("AuthorRole"),
        Never,
    ),
    column_of("clearance_date", "envelope.clearance.date", Date, Never),
    column_of("clearance_ref", "envelope.clearance.reference", Line, Never),
    column_of(
        "clearance_for",
        "envelope.clearance.on_behalf_of",
        Line,
        Never,
    ),
    column_of("marking", "envelope.marking", Word("Marking"), Share),
    column_of("no_attribution", "envelope.no_attribution", Flag, Never),
    column_of("embargo_until", "envelope.embargo_until", Date, Never),
    column_of("review_by", "envelope.review_by", Date, Never),
    column_of("terms_of_reuse", "envelope.terms_of_reuse", Text, Never),
    column_of("licence", "envelope.licence", Line, Never),
    column_of("available_in", "envelope.languages", Tags, Never),
    column_of("sources", "envelope.sources", Items(SOURCE), Never),
    column_of("supersedes", "envelope.supersedes", Links, Never),
    column_of("replaces", "envelope.replaces", Links, Never),
    column_of("related", "envelope.related", Links, Never),
    column_of("based_on", "envelope.based_on", Links, Never),
    column_of("demonstration", "envelope.demonstration", Flag, Never),
    column_of("translation", "envelope.translations", Translation, Never),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{descriptor, field};
    use crate::words::Language;
    use prost_reflect::{EnumDescriptor, Kind as FieldKind};
    use std::collections::BTreeSet;

    #[test]
    fn columns_are_fields_of_their_kind_under_keys_of_their_own() {
        for kind in KINDS {
            let message = descriptor(kind).expect("a message");
            let keys: BTreeSet<_> = columns(kind).iter().map(|column| column.key).collect();
            assert_eq!(keys.len(), columns(kind).len(), "{kind}");
            for column in columns(kind) {
                let field = field(&message, column.path);
                let field = field.unwrap_or_else(|| panic!("{kind}: {}", column.path));
                let parts = match column.shape {
                    Items(parts) => parts,
                    _ => &[],
                };
                let FieldKind::Message(item) = field.kind() else {
                    assert!(parts.is_empty());
                    continue;
                };
                for part in parts {
                    assert!(
                        item.get_field_by_name(part.field).is_some(),
                        "{}",
                        part.field
                    );
                }
            }
        }
    }

    #[test]
    fn every_field_but_files_has_a_column() {
        // A file is no cell: what a row does not say of it stays as it is.
        let without = ["envelope.attachments"];
        let mut lacking = BTreeSet::new();
        for kind in KINDS {
            let message = descriptor(kind).expect("a message");
            let held: Vec<&str> = columns(kind).iter().map(|column| column.path).collect();
            let holds = |path: &str| {
                held.iter()
                    .any(|one| *one == path || one.starts_with(&format!("{path}.")))
            };
            for field in message.fields().filter(|field| field.name() != "envelope") {
                if !holds(field.name()) {
                    lacking.insert(format!("{kind}.{}", field.name()));
                }
            }
            let envelope = field(&message, "envelope").expect("an envelope");
            let FieldKind::Message(envelope) = envelope.kind() else {
                panic!()
            };
            for field in envelope.fields() {
                let path = format!("envelope.{}", field.name());
                if !holds(&path) {
                    lacking.insert(path);
                }
            }
        }
        assert_eq!(lacking.into_iter().collect::<Vec<_>>(), without);
    }

    #[test]
    fn every_column_and_every_word_of_a_list_is_named_in_the_files() {
        let english = Language::English;
        let word = |of: &EnumDescriptor, name: &str| {
            let words = crate::message::words(of);
            for word in words {
                let key = format!("word.{name}.{word}");
                assert!(english.find(&key).is_some(), "{key}");
            }
        };
        for kind in KINDS {
            assert!(english.find(&format!("kind.{kind}")).is_some(), "{kind}");
            let message = descriptor(kind).expect("a message");
            for column in columns(kind) {
                let key = format!("column.{}", column.key);
                assert!(english.find(&key).is_some(), "{key}");
                assert!(!english.hint(column).is_empty(), "{}", column.key);
                let of = field(&message, column.path).expect("a field").kind();
                match (column.shape, of) {
                    (Word(list) | Words(list), FieldKind::Enum(of)) => {
                        assert_eq!(of.name(), list);
                        word(&of, list);
                    }
                    (Items(parts), FieldKind::Message(item)) => {
                        for part in parts {
                            let of = item.get_field_by_name(part.field).expect("a part").kind();
                            if let (Word(list), FieldKind::Enum(of)) = (part.shape, of) {
                                word(&of, list);
                            }
                        }
                    }
                    (Word(_) | Words(_) | Items(_), other) => panic!("{}: {other:?}", column.key),
                    _ => {}
                }
            }
        }
    }
}
