//! What one version of a record says, in the form in which it is asked for.
//!
//! **Invariant:** a function of the signed bytes alone.

use corridor_proto::kinds::{self, Contents};
use corridor_proto::v1::{AuthorRole, LanguageText, Marking, Standing, Theme};

use super::fold::fold;

/// What a version says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The title in each of its languages, as lists show it.
    pub title: Vec<LanguageText>,
    /// The titles, folded.
    pub titles: Vec<String>,
    /// In which languages it can be read, as BCP 47 tags.
    pub languages: Vec<String>,
    /// In which one it was written.
    pub source_lang: String,
    /// Countries that it names, or of a profile the member States.
    pub countries: Vec<String>,
    /// Objectives of the Global Compact.
    pub gcm_objectives: Vec<u64>,
    /// Guiding principles of the Global Compact by their keys.
    pub gcm_principles: Vec<String>,
    /// Concepts, and free labels as they were written.
    pub themes: Vec<String>,
    /// How to handle it, as its word.
    pub marking: String,
    /// What it claims to be, as its word.
    pub standing: String,
    /// In which role it was written, as its word.
    pub author_role: String,
    /// The office's own reference.
    pub our_ref: String,
    /// From which countries people move, and to which.
    pub corridor: [Vec<String>; 2],
    /// When it begins and ends, where it says so.
    pub years: [Option<u64>; 2],
    /// Whether it was written from public sources.
    pub demonstration: bool,
    /// Whether States are not named in what is shared.
    pub no_attribution: bool,
}

/// The texts of a version, folded; each stands on a line of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its summary.
    pub summary: String,
    /// All its texts.
    pub all: String,
}

/// The word of a value of an enum: its name without that of the enum, in small letters; none for
/// what was not given or is not understood.
fn word(name: &str, of: &str) -> String {
    let word = name.strip_prefix(of).unwrap_or(name);
    match word {
        "UNSPECIFIED" => String::new(),
        word => word.to_ascii_lowercase(),
    }
}

/// The word of a marking.
pub fn marking(value: Marking) -> String {
    word(value.as_str_name(), "MARKING_")
}

/// The word of a standing.
pub fn standing(value: Standing) -> String {
    word(value.as_str_name(), "STANDING_")
}

/// The word of a role.
pub fn author_role(value: AuthorRole) -> String {
    word(value.as_str_name(), "AUTHOR_ROLE_")
}

/// What a body says; nothing where this version does not understand it.
pub fn read(kind: u16, body: &[u8]) -> (Facts, Words) {
    let found = kinds::contents(kind, body);
    found.map_or_else(Default::default, of)
}

fn of(contents: Contents) -> (Facts, Words) {
    let (summary, envelope) = (contents.summary, contents.envelope);
    let (marking, standing) = (marking(envelope.marking()), standing(envelope.standing()));
    let author_role = author_role(envelope.author_role());
    let corridor = envelope.corridor.unwrap_or_default();
    let theme = |theme: Theme| match theme.label {
        Some(label) if theme.concept.is_empty() => label.text,
        _ => theme.concept,
    };
    let year = |year: Option<u32>| year.map(u64::from);
    let words = Words {
        summary: lines(&summary.summary),
        all: lines(&contents.texts),
    };
    let mut languages: Vec<_> = summary.title.iter().map(|one| one.tag.clone()).collect();
    languages.dedup();
    let facts = Facts {
        titles: summary.title.iter().map(|one| fold(&one.text)).collect(),
        title: summary.title,
        languages,
        source_lang: envelope.source_lang,
        countries: summary.countries,
        gcm_objectives: summary.gcm_objectives.into_iter().map(u64::from).collect(),
        gcm_principles: envelope.gcm_principles,
        themes: summary.themes.into_iter().map(theme).collect(),
        marking,
        standing,
        author_role,
        our_ref: envelope.our_ref,
        corridor: [corridor.from, corridor.to],
        years: [year(summary.first_year), year(summary.last_year)],
        demonstration: envelope.demonstration,
        no_attribution: envelope.no_attribution,
    };
    (facts, words)
}

fn lines(texts: &[LanguageText]) -> String {
    let lines: Vec<String> = texts.iter().map(|one| fold(&one.text)).collect();
    lines.join("\n")
}

impl Facts {
    /// Bytes in memory, roughly.
    pub fn bytes(&self) -> usize {
        let strings = |list: &[String]| list.iter().map(|one| one.len() + 24).sum::<usize>();
        let title = self
            .title
            .iter()
            .map(|one| one.tag.len() + one.text.len() + 48);
        let sets = [
            &self.titles,
            &self.languages,
            &self.countries,
            &self.gcm_principles,
            &self.themes,
            &self.corridor[0],
            &self.corridor[1],
        ];
        std::mem::size_of::<Self>()
            + title.sum::<usize>()
            + sets.into_iter().map(|set| strings(set)).sum::<usize>()
            + 8 * self.gcm_objectives.len()
            + self.our_ref.len()
            + 40
    }
}

#[cfg(test)]
mod tests {
    use corridor_proto::v1::{Envelope, Practice};
    use prost::Message;

    use super::*;

    #[test]
    fn a_record_says_what_it_says() {
        let text = |tag: &str, text: &str| LanguageText {
            tag: tag.to_owned(),
            text: text.to_owned(),
        };
        let label = |text: LanguageText| Theme {
            label: Some(text),
            ..Theme::default()
        };
        let practice = Practice {
            envelope: Some(Envelope {
                standing: Standing::SecretariatNote.into(),
                author_role: AuthorRole::MemberState.into(),
                source_lang: "fr".to_owned(),
                countries: vec!["AE".to_owned()],
                gcm_objectives: vec![18, 6],
                themes: vec![label(text("fr", "Métiers"))],
                ..Envelope::default()
            }),
            title: vec![text("en", "Skills"), text("fr", "Métiers d’avenir")],
            summary: vec![text("fr", "Résumé")],
            start_year: 2014,
            ..Practice::default()
        };
        let (facts, words) = read(kinds::Kind::Practice.code(), &practice.encode_to_vec());
        assert_eq!(facts.titles, ["skills", "metiers d’avenir"]);
        assert_eq!(facts.languages, ["en", "fr"]);
        assert_eq!(
            (facts.standing.as_str(), facts.marking.as_str()),
            ("secretariat_note", "")
        );
        assert_eq!(facts.author_role, "member_state");
        assert_eq!(facts.themes, ["Métiers"]);
        assert_eq!(facts.years, [Some(2014), None]);
        assert_eq!(words.summary, "resume");
        for part in ["skills", "metiers d’avenir", "resume", "metiers"] {
            assert!(words.all.lines().any(|line| line == part), "{part}");
        }
        assert_eq!(read(999, b"?"), Default::default());
    }
}
