//! Filters: the language of AIP-160 over the fields of records.
//!
//! `aip-160` parses; here is what a filter may ask for, and whether a record is let through.
//! **Invariant:** what cannot be asked is refused before any record is looked at, and how much work
//! a filter makes has a bound.

use std::ops::Range;

use aip_160::{Arg, Comparable, Comparator, Expression, FilterError};
use corridor_rules::Reader;

use super::facts::{Facts, Words};
use super::fields::{self, Field, Sort};
use super::fold::fold;
use super::when;
use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};

/// A filter that can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    node: Option<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Is(Field, Test),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Any value at all.
    Given,
    /// A text is like this.
    Text(Pattern),
    /// A code is this one.
    Code(Pattern),
    /// A tag is this one, or a more exact one.
    Tag(String),
    /// A number, or a moment, lies in there.
    Within(Range<u64>),
    /// It is so.
    Flag(bool),
}

/// How a text is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    part: String,
    /// Whether something may stand before it, and behind it.
    open: [bool; 2],
}

impl Pattern {
    /// A star at either end stands for anything.
    fn of(text: &str) -> Self {
        let (first, text) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (last, text) = match text.strip_suffix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Self {
            part: text.to_owned(),
            open: [first, last],
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self.open {
            [false, false] => text == self.part,
            [false, true] => text.starts_with(&self.part),
            [true, false] => text.ends_with(&self.part),
            [true, true] => text.contains(&self.part),
        }
    }
}

/// A record that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its resource name.
    pub name: &'a str,
    /// Its RCP in base32.
    pub rcp: &'a str,
    /// The word of its kind.
    pub kind: &'a str,
    /// The word of its state.
    pub state: &'a str,
    /// The version in force, or 0.
    pub version: u64,
    /// When it was signed, Unix milliseconds; 0 where that is not known.
    pub time: u64,
    /// Our circles in which it stands, by name.
    pub circles: &'a [String],
    /// What it says.
    pub facts: &'a Facts,
    /// Its texts.
    pub words: &'a Words,
}

impl Filter {
    /// Reads a filter of a reader; an empty one lets everything through.
    ///
    /// # Errors
    /// What is wrong with it, to follow the word "filter".
    pub fn parse(text: &str, reader: &Reader) -> Result<Self, String> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(format!(
                "is longer than {FILTER_BYTES_MAX} bytes; ask for less"
            ));
        }
        let parsed = aip_160::parse_filter_with_max_depth(text, FILTER_DEPTH_MAX);
        let parsed = parsed.map_err(|error| match error {
            FilterError::TooDeep { limit } => {
                format!("has more than {limit} brackets in one another; ask for less")
            }
            error => format!("cannot be read: {error}; put values with signs in quotes"),
        })?;
        let mut terms = 0;
        let node = parsed.expression.map(|root| node(root, reader, &mut terms));
        Ok(Self {
            node: node.transpose()?,
        })
    }

    /// The filter that lets through whatever has all of some words, each folded.
    pub fn and_words(self, words: &[String]) -> Self {
        let word = |word: &String| {
            let part = word.clone();
            let open = [true, true];
            Node::Is(Field::Text, Test::Text(Pattern { part, open }))
        };
        let words = words.iter().map(word);
        let all: Vec<Node> = words.chain(self.node).collect();
        Self {
            node: (!all.is_empty()).then_some(Node::All(all)),
        }
    }

    /// Whether it lets everything through.
    pub const fn is_empty(&self) -> bool {
        self.node.is_none()
    }

    /// Whether it asks for what only the texts say.
    pub fn needs_words(&self) -> bool {
        self.asks(|field| matches!(field, Field::Summary | Field::Text))
    }

    /// Whether it asks for one of some fields.
    pub fn asks(&self, is_it: impl Fn(Field) -> bool + Copy) -> bool {
        self.node.as_ref().is_some_and(|node| node.asks(is_it))
    }

    /// Whether it lets a record through.
    pub fn lets_through(&self, subject: &Subject<'_>) -> bool {
        self.node.as_ref().is_none_or(|node| node.holds(subject))
    }
}

fn node(expression: Expression, reader: &Reader, terms: &mut usize) -> Result<Node, String> {
    let mut nodes = |all: Vec<Expression>| {
        let all = all.into_iter();
        all.map(|one| node(one, reader, terms))
            .collect::<Result<Vec<_>, _>>()
    };
    match expression {
        Expression::And(all) | Expression::Sequence(all) => Ok(Node::All(nodes(all)?)),
        Expression::Or(all) => Ok(Node::Any(nodes(all)?)),
        Expression::Not(one) => Ok(Node::Not(Box::new(node(*one, reader, terms)?))),
        Expression::Global(word) => {
            count(terms)?;
            let part = fold(&value(Arg::Comparable(word))?);
            let open = [true, true];
            Ok(Node::Is(Field::Text, Test::Text(Pattern { part, open })))
        }
        Expression::Restriction(restriction) => {
            count(terms)?;
            let name = restriction.comparable.field_path();
            let name = name.ok_or_else(|| "compares something that is no field".to_owned())?;
            let (field, sort) = fields::field(&name, reader)?;
            let value = value(restriction.arg)?;
            let negated = restriction.comparator == Comparator::NotEqual;
            let test = test(&name, sort, restriction.comparator, &value)?;
            let is = Node::Is(field, test);
            Ok(if negated { Node::Not(Box::new(is)) } else { is })
        }
    }
}

fn count(terms: &mut usize) -> Result<(), String> {
    *terms += 1;
    if *terms > FILTER_TERMS_MAX {
        return Err(format!(
            "has more than {FILTER_TERMS_MAX} terms; ask for less"
        ));
    }
    Ok(())
}

/// The value on the right of a comparison, or the word that stands alone.
fn value(arg: Arg) -> Result<String, String> {
    let found = match &arg {
        Arg::Comparable(Comparable::Member(member)) if member.is_simple() => {
            Some(member.value.as_str().to_owned())
        }
        Arg::Comparable(comparable) => comparable.field_path(),
        Arg::Composite(_) => None,
    };
    found.ok_or_else(|| {
        "compares with something that is no value; write kind = practice OR kind = lesson, and no \
         functions"
            .to_owned()
    })
}

fn test(name: &str, sort: Sort, comparator: Comparator, value: &str) -> Result<Test, String> {
    use Comparator::{Equal, Has, NotEqual};
    let is_equal = matches!(comparator, Equal | NotEqual | Has);
    if value == "*" && is_equal {
        return Ok(Test::Given);
    }
    let orders = matches!(sort, Sort::Number | Sort::Time);
    if !is_equal && !orders {
        return Err(format!(
            "puts {name} in an order, which it has not; use =, != or :"
        ));
    }
    let wrong = |what: &str| Err(format!("compares {name} with {value:?}, which is {what}"));
    Ok(match sort {
        Sort::Text => {
            let mut pattern = Pattern::of(value);
            pattern.part = fold(&pattern.part);
            if comparator == Has {
                pattern.open = [true, true];
            }
            Test::Text(pattern)
        }
        Sort::Word(words) => {
            let is_later = name == "kind" && value.starts_with("kind ");
            let known = words();
            if !is_later && !known.iter().any(|known| known == value) {
                return wrong(&format!("none of its values: {}", known.join(", ")));
            }
            Test::Code(Pattern::of(value))
        }
        Sort::Codes => {
            let value = match name {
                "rcp" => value.strip_prefix("rcps/").unwrap_or(value),
                _ => value,
            };
            Test::Code(Pattern::of(&value.to_lowercase()))
        }
        Sort::Tags if value.starts_with('*') || value.ends_with('*') => {
            Test::Code(Pattern::of(&value.to_lowercase()))
        }
        Sort::Tags => Test::Tag(value.to_lowercase()),
        Sort::Flag => match value {
            "true" => Test::Flag(true),
            "false" => Test::Flag(false),
            _ => return wrong("neither true nor false"),
        },
        Sort::Number => match value.parse::<u64>() {
            Ok(number) => Test::Within(within(comparator, number..number.saturating_add(1))),
            Err(_) => return wrong("no whole number"),
        },
        Sort::Time => match when::stretch(value) {
            Some(stretch) => Test::Within(within(comparator, stretch)),
            None => return wrong("no time; write \"2026-11-24\" or \"2026-11-24T09:00:00Z\""),
        },
    })
}

/// What a comparison with a stretch leaves.
const fn within(comparator: Comparator, of: Range<u64>) -> Range<u64> {
    match comparator {
        Comparator::LessThan => 0..of.start,
        Comparator::LessThanOrEqual => 0..of.end,
        Comparator::GreaterThan => of.end..u64::MAX,
        Comparator::GreaterThanOrEqual => of.start..u64::MAX,
        Comparator::Equal | Comparator::NotEqual | Comparator::Has => of,
    }
}

impl Node {
    fn asks(&self, is_it: impl Fn(Field) -> bool + Copy) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.asks(is_it)),
            Self::Not(node) => node.asks(is_it),
            Self::Is(field, _) => is_it(*field),
        }
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(subject)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(subject)),
            Self::Not(node) => !node.holds(subject),
            Self::Is(field, test) => test.holds(*field, subject),
        }
    }
}

impl Test {
    fn holds(&self, field: Field, subject: &Subject<'_>) -> bool {
        let mut any = false;
        subject.values(field, &mut |value| any |= self.fits(&value));
        any
    }

    fn fits(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Given, Value::Text(text)) => !text.is_empty(),
            (Self::Given, Value::Code(code)) => !code.is_empty(),
            (Self::Given, _) => true,
            (Self::Text(pattern), Value::Text(text)) => pattern.fits(text),
            (Self::Code(pattern), Value::Code(code)) => pattern.fits(&code.to_lowercase()),
            (Self::Tag(tag), Value::Code(code)) => {
                let code = code.to_lowercase();
                let rest = code.strip_prefix(tag.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            }
            (Self::Within(range), Value::Number(number)) => range.contains(number),
            (Self::Flag(wanted), Value::Flag(is)) => wanted == is,
            _ => false,
        }
    }
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text, folded.
    Text(std::borrow::Cow<'a, str>),
    /// A code, a tag or a word.
    Code(&'a str),
    /// A number, or a moment.
    Number(u64),
    /// Whether it is so.
    Flag(bool),
}

impl Subject<'_> {
    /// Shows the values that the record has in a field, folded or as they were written.
    pub fn values(&self, field: Field, each: &mut dyn FnMut(Value<'_>)) {
        let facts = self.facts;
        let one = |text: &str, each: &mut dyn FnMut(Value<'_>)| {
            if !text.is_empty() {
                each(Value::Code(text));
            }
        };
        let all = |codes: &[String], each: &mut dyn FnMut(Value<'_>)| {
            codes.iter().for_each(|code| each(Value::Code(code)));
        };
        let year = |year: Option<u64>, each: &mut dyn FnMut(Value<'_>)| {
            year.into_iter().for_each(|year| each(Value::Number(year)));
        };
        match field {
            Field::Name => one(self.name, each),
            Field::Rcp => one(self.rcp, each),
            Field::Kind => one(self.kind, each),
            Field::State => one(self.state, each),
            Field::Version => each(Value::Number(self.version)),
            Field::PublishTime if self.time == 0 => {}
            Field::PublishTime => each(Value::Number(self.time)),
            Field::Title => facts.titles.iter().for_each(|title| each(text(title))),
            Field::Summary => each(text(&self.words.summary)),
            Field::Text => self.words.all.lines().for_each(|line| each(text(line))),
            Field::Language => all(&facts.languages, each),
            Field::SourceLang => one(&facts.source_lang, each),
            Field::Countries => all(&facts.countries, each),
            Field::GcmObjectives => {
                let numbers = facts.gcm_objectives.iter();
                numbers.for_each(|number| each(Value::Number(*number)));
            }
            Field::GcmPrinciples => all(&facts.gcm_principles, each),
            Field::Themes => {
                let themes = facts.themes.iter();
                themes.for_each(|theme| each(Value::Text(fold(theme).into())));
            }
            Field::Marking => one(&facts.marking, each),
            Field::Standing => one(&facts.standing, each),
            Field::AuthorRole => one(&facts.author_role, each),
            Field::OurRef => each(Value::Text(fold(&facts.our_ref).into())),
            Field::CorridorFrom => all(&facts.corridor[0], each),
            Field::CorridorTo => all(&facts.corridor[1], each),
            Field::FirstYear => year(facts.years[0], each),
            Field::LastYear => year(facts.years[1], each),
            Field::Demonstration => each(Value::Flag(facts.demonstration)),
            Field::NoAttribution => each(Value::Flag(facts.no_attribution)),
            Field::Circle => all(self.circles, each),
        }
    }
}

fn text(folded: &str) -> Value<'_> {
    Value::Text(folded.into())
}

#[cfg(test)]
mod tests;
