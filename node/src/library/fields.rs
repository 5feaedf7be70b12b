//! The fields by which records are filtered and counted.
//!
//! **Invariant:** a field that a caller may not use is to it as one that does not exist.

use corridor_proto::kinds::Kind;
use corridor_proto::v1::{AuthorRole, Marking, Standing};
use corridor_rules::Reader;

use super::facts;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Sort {
    /// Text, compared folded.
    Text,
    /// One of a few words.
    Word(fn() -> Vec<String>),
    /// One or several codes, compared as they are but for case.
    Codes,
    /// Language tags: each also stands for what is more exact.
    Tags,
    /// One or several numbers.
    Number,
    /// A moment.
    Time,
    /// True or false.
    Flag,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Field {
    Name,
    Rcp,
    Kind,
    State,
    Version,
    PublishTime,
    Title,
    Summary,
    Text,
    Language,
    SourceLang,
    Countries,
    GcmObjectives,
    GcmPrinciples,
    Themes,
    Marking,
    Standing,
    AuthorRole,
    OurRef,
    CorridorFrom,
    CorridorTo,
    FirstYear,
    LastYear,
    Demonstration,
    NoAttribution,
    Circle,
}

impl Field {
    /// Whether only the body says it.
    pub const fn is_of_body(self) -> bool {
        use Field::{Circle, Kind, Name, PublishTime, Rcp, State, Version};
        !matches!(
            self,
            Name | Rcp | Kind | State | Version | PublishTime | Circle
        )
    }
}

/// Every field: its name, and what it holds. `proto/API.md` says the same.
pub const FIELDS: [(&str, Field, Sort); 26] = [
    ("name", Field::Name, Sort::Codes),
    ("rcp", Field::Rcp, Sort::Codes),
    ("kind", Field::Kind, Sort::Word(kinds)),
    ("state", Field::State, Sort::Word(states)),
    ("version", Field::Version, Sort::Number),
    ("publish_time", Field::PublishTime, Sort::Time),
    ("title", Field::Title, Sort::Text),
    ("summary", Field::Summary, Sort::Text),
    ("text", Field::Text, Sort::Text),
    ("language", Field::Language, Sort::Tags),
    ("source_lang", Field::SourceLang, Sort::Tags),
    ("countries", Field::Countries, Sort::Codes),
    ("gcm_objectives", Field::GcmObjectives, Sort::Number),
    ("gcm_principles", Field::GcmPrinciples, Sort::Codes),
    ("themes", Field::Themes, Sort::Text),
    ("marking", Field::Marking, Sort::Word(markings)),
    ("standing", Field::Standing, Sort::Word(standings)),
    ("author_role", Field::AuthorRole, Sort::Word(author_roles)),
    ("our_ref", Field::OurRef, Sort::Text),
    ("corridor.from", Field::CorridorFrom, Sort::Codes),
    ("corridor.to", Field::CorridorTo, Sort::Codes),
    ("first_year", Field::FirstYear, Sort::Number),
    ("last_year", Field::LastYear, Sort::Number),
    ("demonstration", Field::Demonstration, Sort::Flag),
    ("no_attribution", Field::NoAttribution, Sort::Flag),
    ("circle", Field::Circle, Sort::Codes),
];

/// Fields that are counted of what a search found.
pub const FACETS: [Field; 9] = [
    Field::Kind,
    Field::Rcp,
    Field::Language,
    Field::Countries,
    Field::GcmObjectives,
    Field::Themes,
    Field::Marking,
    Field::Standing,
    Field::FirstYear,
];

fn kinds() -> Vec<String> {
    Kind::ALL
        .iter()
        .map(|kind| kind.name().to_owned())
        .collect()
}

fn states() -> Vec<String> {
    STATES.map(str::to_owned).to_vec()
}

/// The states of a record, in the words of `RecordState`.
pub const STATES: [&str; 6] = [
    "current",
    "withdrawn",
    "internal",
    "awaited",
    "quarantined",
    "left",
];

fn markings() -> Vec<String> {
    let all = (1..).map_while(|value| Marking::try_from(value).ok());
    all.map(facts::marking).collect()
}

fn standings() -> Vec<String> {
    let all = (1..).map_while(|value| Standing::try_from(value).ok());
    all.map(facts::standing).collect()
}

fn author_roles() -> Vec<String> {
    let all = (1..).map_while(|value| AuthorRole::try_from(value).ok());
    all.map(facts::author_role).collect()
}

/// Whether a reader may use a field. Circles are the secretariat's own.
fn may_use(field: Field, reader: &Reader) -> bool {
    field != Field::Circle || *reader == Reader::Secretariat
}

/// A field by its name.
///
/// # Errors
/// What to say of a name that is none for this reader, with the nearest that is one.
pub fn field(name: &str, reader: &Reader) -> Result<(Field, Sort), String> {
    let usable = || {
        FIELDS
            .iter()
            .filter(|(_, field, _)| may_use(*field, reader))
    };
    if let Some((_, field, sort)) = usable().find(|(known, ..)| *known == name) {
        return Ok((*field, *sort));
    }
    let near = usable().max_by(|(one, ..), (other, ..)| {
        let near = |known| strsim::jaro_winkler(known, name);
        near(one).total_cmp(&near(other))
    });
    let near = near.map_or("", |(known, ..)| known);
    Err(format!(
        "names the field {name:?}, which records do not have; did you mean {near}?"
    ))
}

/// The name of a field.
pub fn name(field: Field) -> &'static str {
    let found = FIELDS.iter().find(|(_, known, _)| *known == field);
    found.map_or("", |(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_name() {
        for (name, found, _) in FIELDS {
            let of_name = field(name, &Reader::Secretariat);
            assert_eq!(of_name.map(|(field, _)| field), Ok(found));
            assert_eq!(super::name(found), name);
        }
    }

    #[test]
    fn the_nearest_name_is_said_and_none_that_is_hidden() {
        for (wrong, meant) in [
            ("country", "countries"),
            ("objectives", "gcm_objectives"),
            ("Kind", "kind"),
            ("publised_time", "publish_time"),
        ] {
            let said = field(wrong, &Reader::Anyone).expect_err(wrong);
            assert!(said.ends_with(&format!("did you mean {meant}?")), "{said}");
        }
        let said = field("circle", &Reader::Anyone).expect_err("not for anyone");
        assert!(!said.ends_with("did you mean circle?"), "{said}");
        assert!(field("circle", &Reader::Secretariat).is_ok());
    }

    #[test]
    fn words_are_those_of_the_messages() {
        assert_eq!(
            markings(),
            ["clear", "federation_only", "named_only", "restricted"]
        );
        assert_eq!(
            author_roles(),
            ["secretariat", "chair", "member_state", "partner"]
        );
        assert_eq!(standings().len(), 5);
    }
}
