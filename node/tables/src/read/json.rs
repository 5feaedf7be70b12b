//! JSON: an array of objects, or an object with such an array for each kind of record.

use std::fmt;
use std::io::BufReader;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{File, Piece, ReadError, Visit};
use crate::cell::Value;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX, LIST_MAX};

fn deserialize<'a, S: DeserializeSeed<'a>>(
    file: &'a mut dyn File,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(file));
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn damaged(why: &serde_json::Error) -> ReadError {
    ReadError::damaged(format!("line {}", why.line()), why)
}

pub(super) fn sheets(file: &mut dyn File) -> Result<Vec<String>, ReadError> {
    deserialize(file, Names).map_err(|why| damaged(&why))
}

pub(super) fn rows(
    file: &mut dyn File,
    sheets: &[String],
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let mut ended = None;
    let tables = Tables {
        sheets,
        visit,
        ended: &mut ended,
    };
    match deserialize(file, tables) {
        Ok(()) => Ok(()),
        Err(why) => Err(ended.unwrap_or_else(|| damaged(&why))),
    }
}

/// The names of the sheets, whatever is in them.
struct Names;

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHAPE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(vec![String::new()])
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = entries.next_entry::<String, _>()? {
            if names.len() > LIST_MAX {
                return Err(A::Error::custom("it has too many names"));
            }
            names.push(name);
        }
        Ok(names)
    }
}

const SHAPE: &str = "an array of objects, or an object with one for each kind of record";

/// The tables of a file, handed over row by row.
struct Tables<'a, 'b> {
    sheets: &'a [String],
    visit: &'a mut Visit<'b>,
    /// Why whoever takes the rows wants no more.
    ended: &'a mut Option<ReadError>,
}

impl<'de> DeserializeSeed<'de> for Tables<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHAPE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        Rows {
            name: "",
            visit: self.visit,
            ended: self.ended,
        }
        .visit_seq(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(name) = entries.next_key::<String>()? {
            if !self.sheets.contains(&name) {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            entries.next_value_seed(Rows {
                name: &name,
                visit: self.visit,
                ended: self.ended,
            })?;
        }
        Ok(())
    }
}

/// The rows of a table.
struct Rows<'a, 'b> {
    name: &'a str,
    visit: &'a mut Visit<'b>,
    ended: &'a mut Option<ReadError>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut hand_over = |piece: Piece<'_>| {
            (self.visit)(piece).map_err(|why| {
                *self.ended = Some(why);
                A::Error::custom("ended")
            })
        };
        hand_over(Piece::Sheet(self.name))?;
        let mut number: u32 = 0;
        while let Some(cells) = items.next_element_seed(Row)? {
            number = number.saturating_add(1);
            hand_over(Piece::Named(number, cells))?;
        }
        Ok(())
    }
}

/// One row.
struct Row;

impl<'de> DeserializeSeed<'de> for Row {
    type Value = Vec<(String, Value)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a value for each column")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut cells = Vec::new();
        let most = usize::try_from(COLUMNS_MAX).unwrap_or(usize::MAX);
        while let Some(name) = entries.next_key::<String>()? {
            if cells.len() == most {
                return Err(A::Error::custom("a row has too many values"));
            }
            cells.push((name, entries.next_value_seed(Cell { is_inner: false })?));
        }
        let filled = cells.into_iter();
        Ok(filled
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }
}

/// A value; nothing for null.
#[derive(Clone, Copy)]
struct Cell {
    is_inner: bool,
}

impl<'de> DeserializeSeed<'de> for Cell {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

const NESTED: Value = Value::Wrong("holds an object or a list within a list; give texts");

impl<'de> Visitor<'de> for Cell {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, null, or a list of these")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Flag(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(match text.trim() {
            "" if !self.is_inner => None,
            _ if text.len() > 8 * CELL_CHARS_MAX => Some(Value::Wrong(super::TOO_LONG)),
            _ => Some(Value::Text(text.to_owned())),
        })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if self.is_inner {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Some(NESTED));
        }
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Self { is_inner: true })? {
            if values.len() == LIST_MAX {
                return Err(A::Error::custom("a list has too many values"));
            }
            values.push(value.unwrap_or(Value::Text(String::new())));
        }
        Ok((!values.is_empty()).then_some(Value::List(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(NESTED))
    }
}
