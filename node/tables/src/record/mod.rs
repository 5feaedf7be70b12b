//! A row as a body, and a body as a row.
//!
//! **Invariant:** what a table has no column for stays as it is in the body that a row changes.

mod reading;
mod showing;

use std::borrow::Cow;

use corridor_proto::kinds::{self, FieldViolation, Kind};
use oxilangtag::LanguageTag;
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value as Field};

use crate::cell::Value;
use crate::columns::{Column, Need, Shape, columns};
use crate::message::{self, descriptor, find, list, string};

pub use showing::{Wording, flat, tags, values};

/// The field that says in which language a record was written.
const SOURCE: &str = "envelope.source_lang";

/// A column as a table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Which column.
    pub column: &'static Column,
    /// The language of its texts; `None` for that in which the record was written.
    pub tag: Option<String>,
}

impl Use {
    /// Every column of a kind, each in the language in which a record was written.
    pub fn all(kind: Kind) -> Vec<Self> {
        let own = columns(kind)
            .iter()
            .filter(|column| column.shape != Shape::Translation);
        own.map(|column| Self { column, tag: None }).collect()
    }

    /// Its key, with the language behind an `@`.
    pub fn key(&self) -> Cow<'static, str> {
        match &self.tag {
            None => Cow::Borrowed(self.column.key),
            Some(tag) => Cow::Owned(format!("{}@{tag}", self.column.key)),
        }
    }
}

/// Something about a row: which of its cells, by the place in the row; `None` for the row as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which cell.
    pub at: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What a row makes of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The body, in canonical form.
    pub body: Vec<u8>,
    /// What keeps the row from being taken.
    pub problems: Vec<Remark>,
    /// What is still to be filled in before the record can be shared.
    pub needs: Vec<Remark>,
}

/// What a row makes of a body, or of an empty one.
///
/// `row` has a value or none for each of `uses`; `base` is an encoded message of the kind. Cells
/// that are empty empty their field.
pub fn apply(kind: Kind, uses: &[Use], row: &[Option<Value>], base: Option<&[u8]>) -> Applied {
    let Some(descriptor) = descriptor(kind) else {
        return refused("is of a kind that has no table");
    };
    let decoded = match base {
        Some(bytes) => DynamicMessage::decode(descriptor, bytes),
        None => Ok(DynamicMessage::new(descriptor)),
    };
    let Ok(mut message) = decoded else {
        return refused("changes a record that cannot be read");
    };
    let mut problems = reading::fill(&mut message, uses, row);
    let body = match kinds::canonical(kind, &message.encode_to_vec()) {
        Ok(body) => body,
        Err(found) => {
            problems.extend(found.iter().map(|one| remark(None, one)));
            Vec::new()
        }
    };
    let mut needs = Vec::new();
    let canonical = DynamicMessage::decode(message.descriptor(), body.as_slice());
    if let (Ok(message), true) = (canonical, problems.is_empty()) {
        missing(kind, uses, &message, &mut problems);
        for violation in kinds::check(kind, &body).err().unwrap_or_default() {
            let at = place(uses, &message, &violation.field);
            let is_filled = at.is_some_and(|at| row.get(at).is_some_and(Option::is_some));
            if is_filled {
                problems.push(remark(at, &violation));
            } else {
                needs.push(remark(at, &violation));
            }
        }
        problems.dedup();
    }
    Applied {
        body,
        problems,
        needs,
    }
}

fn refused(what: &str) -> Applied {
    let what = what.to_owned();
    Applied {
        problems: vec![Remark { at: None, what }],
        ..Applied::default()
    }
}

fn remark(at: Option<usize>, violation: &FieldViolation) -> Remark {
    let place = match at {
        Some(_) => String::new(),
        None => format!("{} ", violation.field),
    };
    let what = format!("{place}{}; {}", violation.what, violation.remedy);
    Remark { at, what }
}

/// What has to be filled in before a row is a draft.
fn missing(kind: Kind, uses: &[Use], message: &DynamicMessage, problems: &mut Vec<Remark>) {
    let is_empty = |path: &str| find(message, path).is_none();
    let needed = columns(kind)
        .iter()
        .filter(|column| column.need == Need::Draft && is_empty(column.path));
    for column in needed {
        let also = "envelope.other_framework";
        if column.key == "gcm_objectives" && !is_empty(also) {
            continue;
        }
        let at = uses
            .iter()
            .position(|one| one.column == column && one.tag.is_none());
        let what = match at {
            Some(_) => "is empty; fill it in".to_owned(),
            None => format!(
                "has no column {}; add it, or begin from the template",
                column.key
            ),
        };
        problems.push(Remark { at, what });
    }
}

/// The cell of a field that breaks a rule.
fn place(uses: &[Use], message: &DynamicMessage, field: &str) -> Option<usize> {
    let is_at = |path: &str| {
        let rest = field.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
    };
    let source = find(message, SOURCE).and_then(Field::as_str).unwrap_or("");
    let tag = tag_at(message, field).filter(|tag| tag != source);
    let found = |tag: &Option<String>| {
        uses.iter()
            .position(|one| is_at(one.column.path) && one.tag == *tag)
    };
    found(&tag).or_else(|| found(&None))
}

/// The language of the text at a field such as `steps[2].title[1].text`.
fn tag_at(message: &DynamicMessage, field: &str) -> Option<String> {
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    let (name, index) = match first.split_once('[') {
        Some((name, index)) => (name, index.strip_suffix(']')?.parse::<usize>().ok()),
        None => (first, None),
    };
    let value = find(message, name)?;
    let inner = match index {
        Some(index) => value.as_list()?.get(index)?,
        None => value,
    };
    let inner = inner.as_message()?;
    match inner.descriptor().name() {
        "LanguageText" => Some(string(inner, "tag").to_owned()),
        _ => tag_at(inner, rest),
    }
}

/// A language tag in canonical case, where it is one.
pub(crate) fn canonical_tag(tag: &str) -> Option<String> {
    Some(
        LanguageTag::parse_and_normalize(tag.trim())
            .ok()?
            .into_inner(),
    )
}

/// The text by which a record is compared with others: its title, and the year if it has one.
pub fn title_of(kind: Kind, body: &[u8]) -> Option<(String, Option<u32>)> {
    let message = DynamicMessage::decode(descriptor(kind)?, body).ok()?;
    let path = match kind {
        Kind::Term => "pref_label",
        _ => "title",
    };
    let source = find(&message, SOURCE).and_then(Field::as_str).unwrap_or("");
    let title = message::text_in(list(&message, path), source).to_owned();
    let year = find(&message, "start_year").and_then(Field::as_u32);
    Some((title, year))
}

/// The office's own reference in a body; empty where it has none.
pub fn reference_of(kind: Kind, body: &[u8]) -> Option<String> {
    let message = DynamicMessage::decode(descriptor(kind)?, body).ok()?;
    let found = find(&message, "envelope.our_ref").and_then(Field::as_str);
    Some(found.unwrap_or("").to_owned())
}
