//! Finding by words: what counts as found, in which order, and what is counted of it.
//!
//! A record is found if each word occurs in one of its texts, as a part of any word. Those whose
//! title is the query come first, then those whose title begins with it, has it, has every word;
//! then those whose summary has every word; then all others. **Invariant:** nothing but the records
//! that the reader sees goes into a count, an order or a mark.

use std::collections::{BTreeSet, HashMap};

use corridor_proto::kinds::Contents;
use corridor_proto::v1::LanguageText;
use corridor_rules::row::RecordKey;

use super::facts::{Facts, Words};
use super::fields::{self, FACETS, Field};
use super::fold::{fold, origin};
use super::scan::Seen;
use crate::limits::{
    FACET_BYTES_MAX, FACET_DISTINCT_MAX, MATCHED_CHARS, QUERY_BYTES_MAX, QUERY_WORDS_MAX,
};

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The whole of it, folded.
    phrase: String,
    /// Its words.
    pub words: Vec<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The best first, of equal ones the newest.
    Best,
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// Where a record stands in an order: ascending is the order.
pub type Place = (u8, u64, RecordKey);

impl Query {
    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// What is wrong with it, to follow the word "query".
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(format!(
                "is longer than {QUERY_BYTES_MAX} bytes; use fewer words"
            ));
        }
        let phrase = fold(text);
        let words: Vec<String> = phrase.split(' ').map(str::to_owned).collect();
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        if words.len() > QUERY_WORDS_MAX {
            return Err(format!("has more than {QUERY_WORDS_MAX} words; use fewer"));
        }
        if words.is_empty() && !text.trim().is_empty() {
            return Err("has nothing but signs that do not count; use a letter".to_owned());
        }
        Ok(Self { phrase, words })
    }

    fn all_in(&self, text: &str) -> bool {
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    fn rank(&self, facts: &Facts, words: &Words) -> u8 {
        let phrase = self.phrase.as_str();
        let any = |fits: &dyn Fn(&str) -> bool| facts.titles.iter().any(|title| fits(title));
        if any(&|title| title == phrase) {
            0
        } else if any(&|title| title.starts_with(phrase)) {
            1
        } else if any(&|title| title.contains(phrase)) {
            2
        } else if any(&|title| self.all_in(title)) {
            3
        } else if self.all_in(&words.summary) {
            4
        } else {
            5
        }
    }

    /// The text in which the first word is found, around it, as it was written.
    pub fn matched(&self, contents: &Contents) -> Option<LanguageText> {
        let word = self.words.first()?;
        let found = |one: &LanguageText| fold(&one.text).find(word.as_str());
        let texts = contents.summary.title.iter().chain(&contents.texts);
        let (text, at) = texts.into_iter().find_map(|one| Some((one, found(one)?)))?;
        let before = text.text.get(..origin(&text.text, at)).unwrap_or_default();
        let behind = text.text.get(before.len()..).unwrap_or_default();
        // A third of it before the word.
        let skip = before.chars().count().saturating_sub(MATCHED_CHARS / 3);
        let around: String = before.chars().skip(skip).chain(behind.chars()).collect();
        Some(LanguageText {
            tag: text.tag.clone(),
            text: around.chars().take(MATCHED_CHARS).collect(),
        })
    }
}

impl Order {
    /// Reads the order that was asked for.
    ///
    /// # Errors
    /// What is wrong with it, to follow the word "order_by".
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] | ["relevance"] => Ok(Self::Best),
            ["publish_time", "desc"] => Ok(Self::Newest),
            ["publish_time"] => Ok(Self::Oldest),
            _ => Err("is none of relevance, publish_time, publish_time desc".to_owned()),
        }
    }
}

/// What was found so far.
#[derive(Debug)]
pub struct Found {
    query: Query,
    order: Order,
    after: Option<Place>,
    size: usize,
    /// The first ones behind `after`, and one more if there is one.
    first: BTreeSet<Place>,
    /// How many were found.
    pub total: usize,
    counts: HashMap<Field, HashMap<String, i32>>,
}

impl Found {
    /// Nothing yet, of a page of `size` behind `after`.
    pub fn new(query: Query, order: Order, after: Option<Place>, size: usize) -> Self {
        Self {
            query,
            order,
            after,
            size,
            first: BTreeSet::new(),
            total: 0,
            counts: HashMap::new(),
        }
    }

    /// Takes a record in.
    pub fn add(&mut self, seen: &Seen<'_>) {
        self.total += 1;
        let (no_facts, no_words) = (Facts::default(), Words::default());
        let known = seen.known.as_ref();
        let facts = known.map_or(&no_facts, |known| &known.facts);
        let words = known.and_then(|known| known.words.as_deref());
        let time = seen.shown.held.as_ref().map_or(0, |held| held.time.0);
        let place = match self.order {
            Order::Best => {
                let rank = self.query.rank(facts, words.unwrap_or(&no_words));
                (rank, u64::MAX - time, seen.shown.key)
            }
            Order::Newest => (0, u64::MAX - time, seen.shown.key),
            Order::Oldest => (0, time, seen.shown.key),
        };
        if self.after.is_none_or(|after| place > after) {
            self.first.insert(place);
            if self.first.len() > self.size + 1 {
                self.first.pop_last();
            }
        }
        for field in FACETS {
            self.count(field, seen, facts);
        }
    }

    fn count(&mut self, field: Field, seen: &Seen<'_>, facts: &Facts) {
        match field {
            Field::Kind => self.tally(field, [seen.kind].into_iter()),
            Field::Rcp => self.tally(field, [seen.rcp].into_iter()),
            Field::Language => self.tally(field, facts.languages.iter().map(String::as_str)),
            Field::Countries => self.tally(field, facts.countries.iter().map(String::as_str)),
            Field::Themes => self.tally(field, facts.themes.iter().map(String::as_str)),
            Field::Marking => self.tally(field, [facts.marking.as_str()].into_iter()),
            Field::Standing => self.tally(field, [facts.standing.as_str()].into_iter()),
            Field::GcmObjectives => {
                let numbers = facts.gcm_objectives.iter();
                let numbers: Vec<String> = numbers.map(u64::to_string).collect();
                self.tally(field, numbers.iter().map(String::as_str));
            }
            Field::FirstYear => {
                let year = facts.years[0].map(|year| year.to_string());
                self.tally(field, year.iter().map(String::as_str));
            }
            _ => {}
        }
    }

    /// Counts each of a record's values once.
    fn tally<'a>(&mut self, field: Field, values: impl Iterator<Item = &'a str>) {
        let counts = self.counts.entry(field).or_default();
        let counts_as = |value: &&str| (1..=FACET_BYTES_MAX).contains(&value.len());
        let mut values: Vec<&str> = values.filter(counts_as).collect();
        values.sort_unstable();
        values.dedup();
        for value in values {
            if let Some(count) = counts.get_mut(value) {
                *count += 1;
            } else if counts.len() < FACET_DISTINCT_MAX {
                counts.insert(value.to_owned(), 1);
            }
        }
    }

    /// Where the records of the page stand.
    pub fn page(&self) -> impl Iterator<Item = Place> {
        self.first.iter().take(self.size).copied()
    }

    /// Whether anything was found behind a place.
    pub fn has_more(&self, place: &Place) -> bool {
        self.first.last().is_some_and(|last| last > place)
    }

    /// What was counted: each field by its name, the most frequent values first.
    pub fn facets(&self, most: usize) -> Vec<(&'static str, Vec<(&str, i32)>)> {
        let counted = FACETS.iter().filter_map(|field| {
            let counts = self.counts.get(field)?.iter();
            let mut counts: Vec<_> = counts.map(|(value, n)| (value.as_str(), *n)).collect();
            counts.sort_unstable_by(|(one, n), (other, m)| m.cmp(n).then(one.cmp(other)));
            counts.truncate(most);
            Some((fields::name(*field), counts))
        });
        counted.filter(|(_, counts)| !counts.is_empty()).collect()
    }

    /// What is looked for.
    pub const fn query(&self) -> &Query {
        &self.query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_folded_words() {
        let read = |text: &str| Query::parse(text).map(|query| query.words);
        assert_eq!(
            read(" Réunion  DES "),
            Ok(vec!["reunion".into(), "des".into()])
        );
        assert_eq!(read("  "), Ok(vec![]));
        assert!(read("\u{64E}").is_err(), "a vowel sign alone is no word");
        assert!(read(&"a ".repeat(17)).is_err());
        assert!(read(&"a".repeat(257)).is_err());
    }

    #[test]
    fn the_title_counts_most() {
        let query = Query::parse("labour market").expect("a query");
        let rank = |title: &str, summary: &str| {
            let facts = Facts {
                titles: vec!["other".into(), title.into()],
                ..Facts::default()
            };
            let words = Words {
                summary: summary.into(),
                all: String::new(),
            };
            query.rank(&facts, &words)
        };
        assert_eq!(rank("labour market", ""), 0);
        assert_eq!(rank("labour markets", ""), 1);
        assert_eq!(rank("the labour market", ""), 2);
        assert_eq!(rank("a market for labour", ""), 3);
        assert_eq!(rank("a market", "labour and market"), 4);
        assert_eq!(rank("a market", "labour"), 5);
    }

    #[test]
    fn orders_are_few() {
        assert_eq!(Order::parse(""), Ok(Order::Best));
        assert_eq!(Order::parse(" publish_time  desc"), Ok(Order::Newest));
        assert_eq!(Order::parse("publish_time"), Ok(Order::Oldest));
        for bad in ["title", "publish_time asc", "relevance desc", "a, b"] {
            assert!(Order::parse(bad).is_err(), "{bad}");
        }
    }
}
