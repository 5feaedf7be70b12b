//! What people read and write in tables, in five languages: headers, words of lists, hints.
//!
//! The files of `words/` have a line for each text, `key = text`. **Invariant:** every key stands
//! in each of them, and no word of a list means two things, in whichever languages it is read.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::columns::Column;

/// The languages in which a table can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Arabic; sheets run from right to left.
    Arabic,
    /// Russian.
    Russian,
}

/// Texts by their keys.
type Texts = BTreeMap<String, &'static str>;

/// A tag that names none of the languages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no language of tables; they can be had in en, fr, es, ar and ru")]
pub struct UnknownLanguage(String);

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::English,
        Self::French,
        Self::Spanish,
        Self::Arabic,
        Self::Russian,
    ];

    /// Its BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Arabic => "ar",
            Self::Russian => "ru",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::English => include_str!("../words/en.txt"),
            Self::French => include_str!("../words/fr.txt"),
            Self::Spanish => include_str!("../words/es.txt"),
            Self::Arabic => include_str!("../words/ar.txt"),
            Self::Russian => include_str!("../words/ru.txt"),
        }
    }

    fn texts(self) -> &'static Texts {
        static ALL: LazyLock<BTreeMap<Language, Texts>> = LazyLock::new(|| {
            let of = |language: Language| {
                let own = lines(language.file()).map(|(key, text)| (key.to_owned(), text));
                (language, own.chain(compact(language)).collect())
            };
            Language::ALL.map(of).into()
        });
        static NONE: Texts = BTreeMap::new();
        ALL.get(&self).unwrap_or(&NONE)
    }

    /// A text, if there is one of that key.
    pub fn find(self, key: &str) -> Option<&'static str> {
        self.texts().get(key).copied()
    }

    /// The hint for a column: its own, or that of all columns of its shape.
    pub(crate) fn hint(self, column: &Column) -> String {
        let own = self.find(&format!("hint.{}", column.key));
        let shape = || self.find(&format!("hint.{}", column.shape.name()));
        own.or_else(shape).unwrap_or_default().to_owned()
    }

    /// A text; the key itself where there is none.
    pub fn say(self, key: &str) -> String {
        self.find(key).unwrap_or(key).to_owned()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::ALL.into_iter().find(|one| one.tag() == tag);
        found.ok_or_else(|| UnknownLanguage(tag.to_owned()))
    }
}

fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = "))
}

/// What the objectives and principles of the Global Compact are called, as `objective.1` and
/// `word.Principle.human-rights`.
fn compact(language: Language) -> impl Iterator<Item = (String, &'static str)> {
    #[derive(Deserialize, Default)]
    struct Compact {
        objectives: Vec<Objective>,
        guiding_principles: Vec<Principle>,
    }
    #[derive(Deserialize)]
    struct Objective {
        number: u32,
        label: HashMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Principle {
        key: String,
        label: HashMap<String, String>,
    }
    static COMPACT: LazyLock<Compact> = LazyLock::new(|| {
        let file = include_str!("../../data/gcm.json");
        serde_json::from_str(file).unwrap_or_default()
    });
    let objectives = COMPACT.objectives.iter();
    let objectives = objectives.map(|one| (format!("objective.{}", one.number), &one.label));
    let principles = COMPACT.guiding_principles.iter();
    let principles = principles.map(|one| (format!("word.Principle.{}", one.key), &one.label));
    let told = objectives.chain(principles);
    told.filter_map(move |(key, labels)| Some((key, labels.get(language.tag())?.as_str())))
}

/// A word of a list in a language; the word itself where it has none.
pub(crate) fn label(language: Language, list: &str, word: &str) -> String {
    let found = language.find(&format!("word.{list}.{word}"));
    found.unwrap_or(word).to_owned()
}

/// The word of a list that is meant by a label in any of the languages, or by itself.
pub(crate) fn word_of(list: &str, label: &str) -> Option<&'static str> {
    /// The words of each list by their folded labels.
    static MEANT: LazyLock<HashMap<&str, HashMap<String, &str>>> = LazyLock::new(|| {
        let mut meant: HashMap<&str, HashMap<String, &str>> = HashMap::new();
        for language in Language::ALL {
            for (key, label) in language.texts() {
                let Some((list, word)) = key
                    .strip_prefix("word.")
                    .and_then(|rest| rest.split_once('.'))
                else {
                    continue;
                };
                let words = meant.entry(list).or_default();
                words.insert(fold(word), word);
                words.insert(fold(label), word);
            }
        }
        meant
    });
    MEANT.get(list)?.get(&fold(label)).copied()
}

/// Whether a text means yes or no, in any of the languages.
pub(crate) fn flag_of(text: &str) -> Option<bool> {
    let meant = fold(text);
    let is = |key: &str| {
        let said = |language: Language| language.find(key).is_some_and(|one| fold(one) == meant);
        Language::ALL.into_iter().any(said)
    };
    match meant.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ if is("yes") => Some(true),
        _ if is("no") => Some(false),
        _ => None,
    }
}

/// A text as it is compared with others: without case, accents, marks of direction, Arabic vowels
/// and lengthening, and with single spaces for whatever stands between words.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let is_mark =
        |c: char| is_combining_mark(c) || matches!(c, '\u{640}' | '\u{200E}' | '\u{200F}');
    for c in text.nfkd().filter(|c| !is_mark(*c)) {
        if c.is_alphanumeric() {
            folded.extend(c.to_lowercase());
        } else if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Digits of any script that people type where a number or a date is asked for, and spaces of any
/// width, as ASCII has them.
pub(crate) fn plain(text: &str) -> String {
    let digit = |c: char| match c {
        '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
        '\u{6F0}'..='\u{6F9}' => u32::from(c) - 0x6F0,
        _ => u32::MAX,
    };
    let is_mark = |c: &char| !matches!(c, '\u{200E}' | '\u{200F}' | '\u{61C}');
    let chars = text.trim().chars().filter(is_mark);
    let plain = chars.map(|c| match char::from_digit(digit(c).min(10), 10) {
        Some(digit) => digit,
        None if c.is_whitespace() => ' ',
        None => c,
    });
    plain.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_language_has_every_text_once() {
        let keys = |language: Language| -> Vec<&str> {
            lines(language.file()).map(|(key, _)| key).collect()
        };
        let english = keys(Language::English);
        let once: BTreeSet<_> = english.iter().collect();
        assert_eq!(once.len(), english.len());
        for language in Language::ALL {
            assert_eq!(keys(language), english, "{language}");
            for (key, text) in lines(language.file()) {
                assert!(!text.trim().is_empty(), "{language} {key}");
            }
        }
    }

    #[test]
    fn the_compact_is_named_in_every_language() {
        for language in Language::ALL {
            for number in corridor_proto::kinds::GCM_OBJECTIVES {
                assert!(
                    language.find(&format!("objective.{number}")).is_some(),
                    "{number}"
                );
            }
            for key in corridor_proto::kinds::gcm_principles() {
                let label = language
                    .find(&format!("word.Principle.{key}"))
                    .expect("a label");
                assert_eq!(word_of("Principle", label), Some(key));
            }
        }
    }

    #[test]
    fn no_line_of_a_file_is_lost() {
        for language in Language::ALL {
            let file = language.file().lines();
            let told = file.filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(told.count(), lines(language.file()).count(), "{language}");
        }
    }

    #[test]
    fn no_label_means_two_words_of_a_list() {
        let mut meant: BTreeMap<(String, String), &str> = BTreeMap::new();
        for language in Language::ALL {
            for (key, label) in lines(language.file()) {
                let Some((list, word)) = key
                    .strip_prefix("word.")
                    .and_then(|rest| rest.split_once('.'))
                else {
                    continue;
                };
                let before = meant.insert((list.to_owned(), fold(label)), word);
                assert!(
                    before.is_none_or(|one| one == word),
                    "{language} {key}: {label}"
                );
            }
        }
    }

    #[test]
    fn texts_are_compared_as_people_read_them() {
        let same = [
            ("Bilateral_Corridor", "bilateral  corridor"),
            ("Étape *", "etape"),
            ("Ещё", "еще"),
            ("قَيْد التنفيـذ", "قيد التنفيذ"),
            ("Start\u{A0}year °", "start year"),
        ];
        for (a, b) in same {
            assert_eq!(fold(a), fold(b));
        }
        assert_ne!(fold("idea"), fold("ideas"));
        assert_eq!(plain(" ٢٠١٤\u{A0}"), "2014");
        assert_eq!(plain("12\u{202F}000"), "12 000");
    }

    #[test]
    fn yes_and_no_are_read_in_every_language() {
        for (text, flag) in [
            ("Oui", Some(true)),
            ("нет", Some(false)),
            ("نعم", Some(true)),
            ("Sí", Some(true)),
            ("perhaps", None),
        ] {
            assert_eq!(flag_of(text), flag, "{text}");
        }
    }
}
