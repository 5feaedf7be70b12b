//! The demonstration's records: sixty practices, lessons, recommendations and guidelines of
//! twenty-one processes, made from the domain data that comes with the node.
//!
//! It imports `corridor_proto` and the files of `node/data` at compile time. **Invariant:** no
//! record without `demonstration` set: everything here was written from public sources, and the
//! process named published none of it.

use std::collections::BTreeMap;
use std::fmt;

use corridor_proto::kinds::{FieldViolation, Kind, Tidy, check};
use corridor_proto::v1::{
    AuthorRole, Envelope, Instrument, LanguageText, Lesson, LessonAttribution, LessonBasis,
    Marking, Organisation, OrganisationKind, Passage, Period, Practice, PracticeDepth,
    PracticeStage, Recommendation, Source, Standing, Theme, Translation, TranslationOrigin,
};
use prost::Message;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

const RECORDS: &str = include_str!("../../data/records.json");
const RCPS: &str = include_str!("../../data/rcps.json");
const GLOSSARY: &str = include_str!("../../data/glossary.json");

/// The language of everything in the data that does not say its language.
const ENGLISH: &str = "en";

/// Themes of `records.json` that are not English; the file does not say so.
const THEMES_ELSEWHERE: &[(&str, &str)] = &[
    ("asilo", "es"),
    ("documentos", "es"),
    ("regularización", "es"),
    ("retour volontaire", "fr"),
    ("réintégration", "fr"),
    ("sociedad civil", "es"),
    ("смешанная миграция", "ru"),
];

/// Full names of `rcps.json` that stand among other names without their language.
const NAMES_ELSEWHERE: &[(&str, &str)] = &[
    ("Conferencia Regional sobre Migración", "es"),
    ("Conferencia Suramericana sobre Migraciones", "es"),
    ("Proceso de Quito", "es"),
    ("Processus de Budapest", "fr"),
    ("Processus de Khartoum", "fr"),
    ("Processus de Rabat", "fr"),
    ("Алматинский процесс", "ru"),
    ("Пражский процесс", "ru"),
    ("عملية التشاور العربية الإقليمية حول الهجرة واللجوء", "ar"),
];

/// The domain data that comes with the node does not hold together. Nothing that an operator does
/// can cause it or mend it: take an unchanged release.
#[derive(Debug, Error)]
pub enum DemoDataError {
    /// A file is not what this code reads.
    #[error("node/data/{file} does not have the expected form; use an unchanged release")]
    Form {
        /// Its name.
        file: &'static str,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// A body that was made is not read again.
    #[error("the body of {id}, made from node/data, is not read again; use an unchanged release")]
    Body {
        /// The record.
        id: String,
        /// Where and what.
        #[source]
        source: prost::DecodeError,
    },
    /// A value is outside of its vocabulary.
    #[error("{value:?} of {id} in node/data is not known; use an unchanged release")]
    Vocabulary {
        /// The record or process.
        id: String,
        /// The value.
        value: String,
    },
    /// A process is named that `rcps.json` does not have.
    #[error("rcps.json has no process {0:?}; name one that demonstration_rcps lists")]
    UnknownRcp(String),
    /// What was made breaks rules of authoring.
    #[error("{id} in node/data breaks rules of authoring: {violations:?}")]
    Refused {
        /// The record or process.
        id: String,
        /// The rules.
        violations: Vec<FieldViolation>,
    },
}

/// A record of the demonstration, ready to be published by the process that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoRecord {
    /// Its id in the data, such as `add-ciop`; also the record's `our_ref`.
    pub id: String,
    /// Id of the process in the data, such as `add`.
    pub rcp: String,
    /// Its kind.
    pub kind: Kind,
    /// The circle meant for it: `public`, `federation` or `observers`.
    pub audience: String,
    /// The encoded body, which passed the checks of authoring.
    pub body: Vec<u8>,
}

/// A process of the demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoRcp {
    /// Its id in the data, such as `add`.
    pub id: String,
    /// Its full name in every language that the data has, ascending by tag.
    pub names: Vec<LanguageText>,
    /// What it is called for short.
    pub acronym: String,
}

/// The sixty records, in the order of the data.
///
/// # Errors
/// `DemoDataError` if the data that was compiled in does not hold together.
pub fn demonstration_records() -> Result<Vec<DemoRecord>, DemoDataError> {
    let file: RecordsFile = parse("records.json", RECORDS)?;
    let rcps: RcpsFile = parse("rcps.json", RCPS)?;
    let concepts = Concepts::read()?;
    let convert = |record| demo_record(record, &rcps, &concepts);
    file.records.iter().map(convert).collect()
}

/// All processes of the data, whether they have records or not, in its order.
///
/// # Errors
/// `DemoDataError` if the data that was compiled in does not hold together.
pub fn demonstration_rcps() -> Result<Vec<DemoRcp>, DemoDataError> {
    let file: RcpsFile = parse("rcps.json", RCPS)?;
    Ok(file.rcps.iter().map(demo_rcp).collect())
}

#[derive(Deserialize)]
struct RecordsFile {
    records: Vec<RecordRow>,
}

#[derive(Deserialize)]
struct RecordRow {
    id: String,
    rcp: String,
    kind: String,
    title: InOrder,
    summary: InOrder,
    countries: Vec<String>,
    gcm_objectives: Vec<u32>,
    themes: Vec<String>,
    start_year: u32,
    end_year: Option<u32>,
    languages: Vec<String>,
    lessons: Vec<String>,
    partners: Vec<String>,
    audience: String,
    source: String,
    more_sources: Vec<String>,
}

#[derive(Deserialize)]
struct RcpsFile {
    rcps: Vec<RcpRow>,
}

impl RcpsFile {
    fn find(&self, id: &str) -> Result<&RcpRow, DemoDataError> {
        let found = self.rcps.iter().find(|row| row.id == id);
        found.ok_or_else(|| DemoDataError::UnknownRcp(id.to_owned()))
    }
}

#[derive(Deserialize)]
struct RcpRow {
    id: String,
    name: String,
    acronym: String,
    also_known_as: Vec<String>,
}

#[derive(Deserialize)]
struct GlossaryFile {
    concepts: Vec<ConceptRow>,
}

#[derive(Deserialize)]
struct ConceptRow {
    id: String,
    pref_label: BTreeMap<String, String>,
    alt_labels: BTreeMap<String, Vec<String>>,
}

/// A text by language, in the order of the file: the first language is the source.
struct InOrder(Vec<LanguageText>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of language tags and texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut texts = Vec::new();
                while let Some((tag, text)) = map.next_entry()? {
                    texts.push(LanguageText { tag, text });
                }
                Ok(InOrder(texts))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// The reference vocabulary's labels, to recognise a theme by.
struct Concepts(Vec<ConceptRow>);

impl Concepts {
    fn read() -> Result<Self, DemoDataError> {
        Ok(Self(
            parse::<GlossaryFile>("glossary.json", GLOSSARY)?.concepts,
        ))
    }

    /// The concept whose label in the theme's language is exactly the theme, else a free label.
    fn theme(&self, text: &str) -> Theme {
        let tag = tag_of(text, THEMES_ELSEWHERE).unwrap_or(ENGLISH);
        let found = self.0.iter().find(|concept| {
            let pref = concept
                .pref_label
                .get(tag)
                .is_some_and(|label| label == text);
            let alt = concept.alt_labels.get(tag);
            pref || alt.is_some_and(|labels| labels.iter().any(|label| label == text))
        });
        match found {
            Some(concept) => Theme {
                concept: concept.id.clone(),
                label: None,
            },
            None => Theme {
                concept: String::new(),
                label: in_language(tag, text).pop(),
            },
        }
    }

    fn themes(&self, texts: &[String]) -> Vec<Theme> {
        texts.iter().map(|text| self.theme(text)).collect()
    }
}

/// Lessons are English whatever the language of the record, and a person wrote them.
fn name_english(envelope: &mut Envelope) {
    let translations = &mut envelope.translations;
    let named = translations.iter().any(|one| one.tag == ENGLISH);
    if envelope.source_lang != ENGLISH && !named {
        translations.push(Translation {
            tag: ENGLISH.to_owned(),
            origin: TranslationOrigin::Human.into(),
        });
    }
}

fn demo_record(
    row: &RecordRow,
    rcps: &RcpsFile,
    concepts: &Concepts,
) -> Result<DemoRecord, DemoDataError> {
    let owner = rcps.find(&row.rcp)?;
    let kind: Kind = row.kind.parse().map_err(|_| unknown(&row.id, &row.kind))?;
    let mut envelope = record_envelope(row, concepts)?;
    if !row.lessons.is_empty() {
        name_english(&mut envelope);
    }
    let body = match kind {
        Kind::Practice => finish(&row.id, kind, practice(row, owner, envelope)),
        Kind::Lesson => finish(&row.id, kind, lesson(row, envelope)),
        Kind::Recommendation => finish(
            &row.id,
            kind,
            recommendation(row, Instrument::Recommendation, envelope),
        ),
        Kind::Guideline => finish(
            &row.id,
            kind,
            recommendation(row, Instrument::Guideline, envelope),
        ),
        _ => Err(unknown(&row.id, &row.kind)),
    }?;
    let (id, rcp, audience) = (row.id.clone(), row.rcp.clone(), row.audience.clone());
    Ok(DemoRecord {
        id,
        rcp,
        kind,
        audience,
        body,
    })
}

/// What all records of the demonstration have in common.
fn envelope(our_ref: &str, marking: Marking, source: &str, more_sources: &[String]) -> Envelope {
    let urls = std::iter::once(source).chain(more_sources.iter().map(String::as_str));
    Envelope {
        author_role: AuthorRole::Secretariat.into(),
        standing: Standing::SecretariatNote.into(),
        marking: marking.into(),
        our_ref: our_ref.to_owned(),
        sources: urls
            .map(|url| Source {
                url: url.to_owned(),
                ..Source::default()
            })
            .collect(),
        demonstration: true,
        ..Envelope::default()
    }
}

fn record_envelope(row: &RecordRow, concepts: &Concepts) -> Result<Envelope, DemoDataError> {
    let marking = match row.audience.as_str() {
        "public" => Marking::Clear,
        "federation" | "observers" => Marking::FederationOnly,
        _ => return Err(unknown(&row.id, &row.audience)),
    };
    let source_lang = row
        .title
        .0
        .first()
        .map(|one| one.tag.clone())
        .unwrap_or_default();
    Ok(Envelope {
        translations: translations(&row.title.0, &source_lang),
        source_lang,
        languages: row.languages.clone(),
        countries: row.countries.clone(),
        gcm_objectives: row.gcm_objectives.clone(),
        themes: concepts.themes(&row.themes),
        ..envelope(&row.id, marking, &row.source, &row.more_sources)
    })
}

fn practice(row: &RecordRow, owner: &RcpRow, envelope: Envelope) -> Practice {
    let stage = match row.end_year {
        None => PracticeStage::Running,
        Some(_) => PracticeStage::Completed,
    };
    let implementer = Organisation {
        name: owner.name.clone(),
        kind: Some(OrganisationKind::ConsultativeProcess.into()),
    };
    let partner = |name: &String| Organisation {
        name: name.clone(),
        kind: None,
    };
    let lesson = |text: &String| Passage {
        text: in_language(ENGLISH, text),
    };
    Practice {
        envelope: Some(envelope),
        title: row.title.0.clone(),
        summary: row.summary.0.clone(),
        depth: PracticeDepth::Snapshot.into(),
        stage: stage.into(),
        start_year: row.start_year,
        end_year: row.end_year.unwrap_or(0),
        lessons: row.lessons.iter().map(lesson).collect(),
        implementers: vec![implementer],
        partners: row.partners.iter().map(partner).collect(),
        ..Practice::default()
    }
}

fn lesson(row: &RecordRow, envelope: Envelope) -> Lesson {
    let first = row.lessons.first();
    Lesson {
        envelope: Some(envelope),
        title: row.title.0.clone(),
        summary: row.summary.0.clone(),
        what_happened: row.summary.0.clone(),
        do_differently: first
            .map(|text| in_language(ENGLISH, text))
            .unwrap_or_default(),
        basis: LessonBasis::Research.into(),
        attribution: LessonAttribution::Named.into(),
        ..Lesson::default()
    }
}

fn recommendation(row: &RecordRow, instrument: Instrument, envelope: Envelope) -> Recommendation {
    let year = |year: u32| year.to_string();
    let period = Period {
        from: year(row.start_year),
        to: row.end_year.map(year).unwrap_or_default(),
    };
    Recommendation {
        envelope: Some(envelope),
        title: row.title.0.clone(),
        summary: row.summary.0.clone(),
        instrument: instrument.into(),
        period: Some(period),
        ..Recommendation::default()
    }
}

/// What a process is called for short: two letters, such as PP, name it to its own people only.
fn called(name: &str, acronym: &str) -> String {
    let words: Vec<&str> = name.split([' ', '(', ')']).collect();
    let process = words.windows(2).find(|pair| pair[1] == "Process");
    match process {
        Some([of, _]) if acronym.len() <= 2 => format!("{of} Process"),
        _ => acronym.to_owned(),
    }
}

fn demo_rcp(row: &RcpRow) -> DemoRcp {
    let (id, acronym) = (row.id.clone(), called(&row.name, &row.acronym));
    DemoRcp {
        id,
        names: names(row),
        acronym,
    }
}

fn names(row: &RcpRow) -> Vec<LanguageText> {
    let elsewhere = row.also_known_as.iter().filter_map(|name| {
        let tag = tag_of(name, NAMES_ELSEWHERE)?;
        Some(LanguageText {
            tag: tag.to_owned(),
            text: name.clone(),
        })
    });
    let mut names: Vec<_> = in_language(ENGLISH, &row.name)
        .into_iter()
        .chain(elsewhere)
        .collect();
    names.tidy();
    names
}

fn parse<T: DeserializeOwned>(file: &'static str, json: &str) -> Result<T, DemoDataError> {
    serde_json::from_str(json).map_err(|source| DemoDataError::Form { file, source })
}

/// Sorts what the data leaves unsorted, encodes and checks.
fn finish<B: Tidy + Message>(id: &str, kind: Kind, mut body: B) -> Result<Vec<u8>, DemoDataError> {
    body.tidy();
    let body = body.encode_to_vec();
    match check(kind, &body) {
        Ok(_) => Ok(body),
        Err(violations) => Err(DemoDataError::Refused {
            id: id.to_owned(),
            violations,
        }),
    }
}

/// The texts beside the source. A person wrote them: `records.json` calls them its author's own.
fn translations(texts: &[LanguageText], source: &str) -> Vec<Translation> {
    let others = texts.iter().filter(|one| one.tag != source);
    others
        .map(|one| Translation {
            tag: one.tag.clone(),
            origin: TranslationOrigin::Human.into(),
        })
        .collect()
}

fn in_language(tag: &str, text: &str) -> Vec<LanguageText> {
    vec![LanguageText {
        tag: tag.to_owned(),
        text: text.to_owned(),
    }]
}

fn tag_of(text: &str, table: &[(&'static str, &'static str)]) -> Option<&'static str> {
    table
        .iter()
        .find(|(known, _)| *known == text)
        .map(|(_, tag)| *tag)
}

fn unknown(id: &str, value: &str) -> DemoDataError {
    DemoDataError::Vocabulary {
        id: id.to_owned(),
        value: value.to_owned(),
    }
}

#[cfg(test)]
mod tests;
