//! What a cell holds, whichever file it comes from.

use crate::limits::CELL_CHARS_MAX;
use crate::words::{flag_of, plain};

/// The value of a cell; an empty one has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, as it was typed.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A day, in the form of a body: `2026-05-12`.
    Day(String),
    /// A list, which only JSON has.
    List(Vec<Self>),
    /// Something that is no value: why, as a predicate.
    Wrong(&'static str),
}

/// What is wrong with a cell: a predicate, and what to do.
pub(crate) type Wrong = String;

impl Value {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) | Self::Day(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Self::List(values) => values.iter().map(Self::bytes).sum(),
            Self::Number(_) | Self::Flag(_) | Self::Wrong(_) => 0,
        }
    }

    /// As a text: numbers as they were typed, as far as that is known.
    pub(crate) fn text(&self) -> Result<String, Wrong> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number_text(*number),
            Self::Flag(flag) => if *flag { "true" } else { "false" }.to_owned(),
            Self::Day(day) => day.clone(),
            Self::List(_) => return Err("holds a list; give one value".to_owned()),
            Self::Wrong(what) => return Err((*what).to_owned()),
        };
        if text.chars().count() > CELL_CHARS_MAX {
            return Err(format!(
                "has more than {CELL_CHARS_MAX} characters; shorten it, or attach it as a file"
            ));
        }
        Ok(text)
    }

    /// The texts of a list, or of a cell as `split` divides it.
    pub(crate) fn texts(&self, split: impl Fn(&str) -> Vec<String>) -> Result<Vec<String>, Wrong> {
        match self {
            Self::List(values) => values.iter().map(Self::text).collect(),
            value => Ok(split(&value.text()?)),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, Wrong> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            value => {
                let text = value.text()?;
                flag_of(&text).ok_or_else(|| format!("\"{}\" is neither yes nor no", quoted(&text)))
            }
        }
    }

    pub(crate) fn number(&self) -> Result<u32, Wrong> {
        let text = plain(&self.text()?);
        text.parse().map_err(|_| match self {
            Self::Day(_) => "is a date; write the number alone".to_owned(),
            _ => format!("\"{}\" is no whole number", quoted(&text)),
        })
    }
}

/// A number as it was typed: whole ones without a point.
fn number_text(number: f64) -> String {
    format!("{number}")
}

/// A text as a message quotes it: its beginning, on one line, with nothing that acts on the line.
pub(crate) fn quoted(text: &str) -> String {
    const CHARS: usize = 40;
    let is_unsafe =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut quoted: String = text
        .chars()
        .take(CHARS)
        .map(|c| if is_unsafe(c) { ' ' } else { c })
        .collect();
    if text.chars().nth(CHARS).is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(Value::Number(2014.0).number(), Ok(2014));
        assert_eq!(text(" ٢٠١٤ ").number(), Ok(2014));
        assert_eq!(Value::Number(6.0).text().as_deref(), Ok("6"));
        assert_eq!(Value::Number(6.3).text().as_deref(), Ok("6.3"));
        for wrong in [
            text("x"),
            text(""),
            Value::Number(-1.0),
            Value::Number(f64::NAN),
        ] {
            assert!(wrong.number().is_err(), "{wrong:?}");
        }
        assert!(Value::Day("2014-01-01".into()).number().is_err());
    }

    #[test]
    fn what_is_quoted_is_short_and_acts_on_nothing() {
        assert_eq!(quoted("a\u{202E}b\nc"), "a b c");
        assert_eq!(quoted(&"x".repeat(50)).chars().count(), 41);
    }
}
