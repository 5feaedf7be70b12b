//! The rules of authoring that fields of all kinds share, and the collector of what they find.
//!
//! It imports the vocabularies and the forms of texts and dates. **Invariant:** a rule never stops
//! the next one: an author learns everything at once.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::date::{self, Precision, YEARS};
use super::texts;
use super::vocabulary::{GCM_OBJECTIVES, is_country};
use super::{Authored, FieldViolation, Link, Outcome};
use crate::limits::LANGUAGES_MAX;
use crate::v1::{self, LanguageText};

/// Violations reported at once: more than any person mends, and an answer stays small.
pub(super) const VIOLATIONS_MAX: usize = 1_000;
/// Characters of a title, a label or a name in languages: one line on a screen and in a list.
pub(super) const TITLE_CHARS_MAX: usize = 120;
/// Words of a summary: enough for who, what, where and the result; few enough to be read.
pub(super) const SUMMARY_WORDS: RangeInclusive<usize> = 40..=120;
/// Words of what a review says of one objective.
const NARRATIVE_WORDS: RangeInclusive<usize> = 1..=200;

/// Begins the texts of an example that its reader has to write anew.
pub const EXAMPLE_BEGINS: &str = "REPLACE:";

const CANONICAL: &str = "write it in canonical form";

/// What a text in languages has to be.
pub(super) struct TextRule {
    required: bool,
    one_line: bool,
    chars_max: usize,
    words: Option<RangeInclusive<usize>>,
}

impl TextRule {
    /// May be absent; paragraphs allowed.
    pub(super) const OPTIONAL: Self = Self {
        required: false,
        one_line: false,
        chars_max: usize::MAX,
        words: None,
    };
    /// Must be there; paragraphs allowed.
    pub(super) const REQUIRED: Self = Self {
        required: true,
        ..Self::OPTIONAL
    };
    /// Must be there; one short line.
    pub(super) const TITLE: Self = Self {
        one_line: true,
        chars_max: TITLE_CHARS_MAX,
        ..Self::REQUIRED
    };
    /// May be absent; one short line.
    pub(super) const NAME: Self = Self {
        required: false,
        ..Self::TITLE
    };
    /// Must be there; of the length of a summary.
    pub(super) const SUMMARY: Self = Self {
        words: Some(SUMMARY_WORDS),
        ..Self::REQUIRED
    };

    /// At most as long as the narrative of a review; must be there only if `condition` holds.
    pub(super) const fn narrative(condition: bool) -> Self {
        Self {
            words: Some(NARRATIVE_WORDS),
            ..Self::required_if(condition)
        }
    }

    /// Must be there only if `condition` holds.
    pub(super) const fn required_if(condition: bool) -> Self {
        if condition {
            Self::REQUIRED
        } else {
            Self::OPTIONAL
        }
    }
}

/// Collects violations, and what the body names.
#[derive(Default)]
pub(super) struct Checks {
    violations: Vec<FieldViolation>,
    links: BTreeSet<Link>,
    attachments: BTreeSet<[u8; 32]>,
    /// The languages of all texts.
    languages: BTreeSet<String>,
    /// The languages accounted for, and where in the violations a lack of others belongs.
    accounted: Option<(usize, BTreeSet<String>)>,
}

impl Checks {
    pub(super) fn finish(mut self) -> Outcome<Authored> {
        if let Some((place, accounted)) = self.accounted.take()
            && !self.languages.is_subset(&accounted)
            && self.violations.len() < VIOLATIONS_MAX
        {
            let lacks = FieldViolation::new(
                "envelope.translations",
                "does not name every translation",
                "say of each language of its texts whether a person or a machine translated",
            );
            self.violations.insert(place, lacks);
        }
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        Ok(Authored {
            links: self.links.into_iter().collect(),
            attachments: self.attachments.into_iter().collect(),
        })
    }

    pub(super) fn refuse(&mut self, at: &str, what: impl Into<String>, remedy: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(FieldViolation::new(at, what, remedy));
        }
    }

    pub(super) fn missing(&mut self, at: &str) {
        self.refuse(at, "is missing", "fill it in");
    }

    /// The languages that source language and translations name. Once all texts have been seen, one
    /// in another language is refused here.
    pub(super) fn account_for(&mut self, languages: BTreeSet<String>) {
        self.accounted = Some((self.violations.len(), languages));
    }

    /// A text in its languages.
    pub(super) fn text(&mut self, at: &str, languages: &[LanguageText], rule: &TextRule) {
        if languages.is_empty() && rule.required {
            self.refuse(at, "is missing", "write it in at least one language");
        }
        if languages.len() > LANGUAGES_MAX {
            let what = format!(
                "has {} languages; {LANGUAGES_MAX} are the most",
                languages.len()
            );
            self.refuse(at, what, "leave some out");
        }
        for (i, one) in languages.iter().enumerate() {
            self.tag(&format!("{at}[{i}].tag"), &one.tag);
            self.one_text(&format!("{at}[{i}].text"), &one.text, rule);
        }
        let tags: Vec<&str> = languages.iter().map(|one| one.tag.as_str()).collect();
        self.set(at, &tags);
        self.languages.extend(tags.into_iter().map(str::to_owned));
    }

    fn one_text(&mut self, at: &str, text: &str, rule: &TextRule) {
        if text.is_empty() {
            return self.refuse(at, "is empty", "write it, or leave the language out");
        }
        self.form(at, text, rule.one_line);
        let chars = text.chars().count();
        if chars > rule.chars_max {
            let what = format!("has {chars} characters; {} are the most", rule.chars_max);
            self.refuse(at, what, "shorten it");
        }
        if let Some(words) = rule
            .words
            .as_ref()
            .filter(|words| !words.contains(&texts::words(text)))
        {
            let what = format!("has {} words", texts::words(text));
            let remedy = format!("write {} to {} words", words.start(), words.end());
            self.refuse(at, what, remedy);
        }
    }

    /// A list of texts.
    pub(super) fn passages(&mut self, at: &str, passages: &[v1::Passage], required: bool) {
        if passages.is_empty() && required {
            self.missing(at);
        }
        for (i, passage) in passages.iter().enumerate() {
            self.text(
                &format!("{at}[{i}].text"),
                &passage.text,
                &TextRule::REQUIRED,
            );
        }
    }

    /// A line without language, such as a name.
    pub(super) fn line(&mut self, at: &str, line: &str) {
        self.form(at, line, true);
    }

    pub(super) fn required_line(&mut self, at: &str, line: &str) {
        if line.is_empty() {
            return self.missing(at);
        }
        self.line(at, line);
    }

    pub(super) fn required_lines<'a>(
        &mut self,
        at: &str,
        lines: impl IntoIterator<Item = &'a String>,
    ) {
        for (i, line) in lines.into_iter().enumerate() {
            self.required_line(&format!("{at}[{i}]"), line);
        }
    }

    fn form(&mut self, at: &str, text: &str, one_line: bool) {
        if text.starts_with(EXAMPLE_BEGINS) {
            self.refuse(at, "is still the example's text", "write your own");
        }
        if text.trim() != text {
            self.refuse(at, "begins or ends with white space", "trim it");
        }
        if !texts::is_normal(text) {
            self.refuse(at, "is not in Unicode normalisation form C", "normalise it");
        }
        let is_unsafe = if one_line {
            texts::is_unsafe
        } else {
            texts::is_unsafe_in_lines
        };
        if let Some(found) = text.chars().find(|c| is_unsafe(*c)) {
            let what = format!("has the control character U+{:04X}", u32::from(found));
            self.refuse(at, what, "remove it");
        }
    }

    pub(super) fn tag(&mut self, at: &str, tag: &str) {
        match texts::canonical_tag(tag) {
            Some(canonical) if canonical == tag => {}
            Some(_) => self.refuse(at, "is not in canonical case", CANONICAL),
            None => self.refuse(
                at,
                "is no BCP 47 language tag",
                "use one such as en or zh-Hant",
            ),
        }
    }

    pub(super) fn tags(&mut self, at: &str, tags: &[String]) {
        for (i, tag) in tags.iter().enumerate() {
            self.tag(&format!("{at}[{i}]"), tag);
        }
        self.set(at, tags);
    }

    /// Ascending, each once.
    pub(super) fn set<T: Ord>(&mut self, at: &str, items: &[T]) {
        for (i, pair) in items.windows(2).enumerate() {
            if pair[0] == pair[1] {
                self.refuse(
                    &format!("{at}[{}]", i + 1),
                    "is given twice",
                    "give it once",
                );
            } else if pair[0] > pair[1] {
                self.refuse(
                    &format!("{at}[{}]", i + 1),
                    "is out of order",
                    "sort ascending",
                );
            }
        }
    }

    /// In the author's order, each once.
    pub(super) fn unique<T: Ord>(&mut self, at: &str, items: impl IntoIterator<Item = T>) {
        let mut seen = BTreeSet::new();
        for (i, item) in items.into_iter().enumerate() {
            if !seen.insert(item) {
                self.refuse(&format!("{at}[{i}]"), "is given twice", "give it once");
            }
        }
    }

    /// A required value of an enum.
    pub(super) fn choice<E: TryFrom<i32>>(&mut self, at: &str, value: i32) {
        if value == 0 {
            self.refuse(at, "is not chosen", "choose one of its values");
        } else if E::try_from(value).is_err() {
            self.refuse(
                at,
                "is not known to this version",
                "choose one of its values",
            );
        }
    }

    /// An optional value of an enum.
    pub(super) fn optional_choice<E: TryFrom<i32>>(&mut self, at: &str, value: Option<i32>) {
        if let Some(value) = value {
            self.choice::<E>(at, value);
        }
    }

    /// A set of values of an enum.
    pub(super) fn choices<E: TryFrom<i32>>(&mut self, at: &str, values: &[i32]) {
        for (i, value) in values.iter().enumerate() {
            self.choice::<E>(&format!("{at}[{i}]"), *value);
        }
        self.set(at, values);
    }

    pub(super) fn country(&mut self, at: &str, code: &str) {
        if !is_country(code) {
            let remedy = "use a code of ISO 3166-1 alpha-2 in capitals, or XK";
            self.refuse(at, "is no country code", remedy);
        }
    }

    pub(super) fn countries(&mut self, at: &str, codes: &[String]) {
        for (i, code) in codes.iter().enumerate() {
            self.country(&format!("{at}[{i}]"), code);
        }
        self.set(at, codes);
    }

    pub(super) fn objective(&mut self, at: &str, number: u32) {
        if !GCM_OBJECTIVES.contains(&number) {
            self.refuse(
                at,
                "is no objective of the Global Compact",
                "use a number from 1 to 23",
            );
        }
    }

    /// A date if one is given, at least as exact as `least`.
    pub(super) fn date(&mut self, at: &str, date: &str, least: Precision) {
        match date::precision(date) {
            _ if date.is_empty() => {}
            Some(known) if known >= least => {}
            Some(_) => self.refuse(at, "is not exact enough", "give the day: 2026-05-12"),
            None => self.refuse(at, "is no date", "write 2026, 2026-05 or 2026-05-12"),
        }
    }

    /// Two dates, each if given, the second not before the first.
    pub(super) fn dates(&mut self, at: &str, from: &str, to: &str) {
        self.date(&format!("{at}.from"), from, Precision::Year);
        self.date(&format!("{at}.to"), to, Precision::Year);
        let both = date::precision(from).is_some() && date::precision(to).is_some();
        if both && !date::in_order(from, to) {
            self.refuse(
                &format!("{at}.to"),
                "is before its beginning",
                "correct one of the two",
            );
        }
    }

    /// A year, or 0 where it may be absent.
    pub(super) fn year(&mut self, at: &str, year: u32, required: bool) {
        if year == 0 && required {
            self.missing(at);
        } else if year != 0 && !YEARS.contains(&year) {
            let remedy = format!("give a year from {} to {}", YEARS.start(), YEARS.end());
            self.refuse(at, "is no likely year", remedy);
        }
    }

    /// Two years, the second 0 or not before the first.
    pub(super) fn years(&mut self, first: (&str, u32), last: (&str, u32)) {
        self.year(first.0, first.1, true);
        self.year(last.0, last.1, false);
        if last.1 != 0 && last.1 < first.1 {
            self.refuse(
                last.0,
                format!("is before {}", first.0),
                "correct one of the two",
            );
        }
    }

    /// An address if one is given. Other schemes could run code in the screen that shows it.
    pub(super) fn url(&mut self, at: &str, url: &str) {
        let host = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let good = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
            && !url.contains(|c: char| c.is_whitespace() || texts::is_unsafe(c));
        if !url.is_empty() && !good {
            self.refuse(
                at,
                "is no web address",
                "begin with https:// and leave no space",
            );
        }
    }

    /// Keeps a record for `Authored`.
    pub(super) fn names_record(&mut self, link: Link) {
        self.links.insert(link);
    }

    /// Keeps an attachment for `Authored`.
    pub(super) fn names_attachment(&mut self, id: [u8; 32]) {
        self.attachments.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(act: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        act(&mut checks);
        let found = checks.finish().err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_thousand_things_are_said_at_once_and_no_more() {
        let refuse = |checks: &mut Checks| {
            for _ in 0..VIOLATIONS_MAX + 5 {
                checks.missing("title");
            }
        };
        assert_eq!(found(refuse).len(), VIOLATIONS_MAX);
        let with_a_language = |checks: &mut Checks| {
            checks.account_for(BTreeSet::new());
            checks.languages.insert("en".to_owned());
            refuse(checks);
        };
        assert_eq!(found(with_a_language).len(), VIOLATIONS_MAX);
    }

    #[test]
    fn as_many_languages_as_are_allowed_are() {
        let text = |count: usize| {
            let one = |index: usize| LanguageText {
                tag: format!("x-l{index:02}"),
                text: "Text".to_owned(),
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        let check = |count| {
            found(|checks| checks.text("title", &text(count), &TextRule::REQUIRED))
                .iter()
                .any(|what| what.contains("languages;"))
        };
        assert!(!check(LANGUAGES_MAX) && check(LANGUAGES_MAX + 1));
    }

    #[test]
    fn a_line_is_one_line() {
        let said = found(|checks| checks.line("name", "two\nlines"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("name has the control character"),
            "{said:?}"
        );
        let lines = ["good".to_owned(), String::new()];
        let said = found(|checks| checks.required_lines("names", &lines));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("names[1] is missing"), "{said:?}");
    }
}
