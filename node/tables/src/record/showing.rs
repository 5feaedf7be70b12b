//! From the fields of a message to the cells of a row.

use std::collections::BTreeSet;

use corridor_proto::kinds::Kind;
use corridor_proto::{RcpId, RecordId};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as FieldKind, ReflectMessage, Value as Field,
};

use super::{SOURCE, Use};
use crate::cell::Value;
use crate::columns::{Part, Shape, columns};
use crate::items::{join_parts, join_texts, join_values};
use crate::message::{descriptor, field, find, list, string, text_in, word_of};
use crate::themes::{write_concept, write_label};
use crate::words::{Language, label};

/// How words of lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// By their keys, for programs.
    Keys,
    /// In a language, for people.
    In(Language),
}

impl Wording {
    fn word(self, list: &str, word: &str) -> String {
        match self {
            Self::Keys => word.to_owned(),
            Self::In(language) => label(language, list, word),
        }
    }
}

/// The values of a body for these columns; `None` for a body that cannot be read.
pub fn values(
    kind: Kind,
    uses: &[Use],
    body: &[u8],
    wording: Wording,
) -> Option<Vec<Option<Value>>> {
    let message = DynamicMessage::decode(descriptor(kind)?, body).ok()?;
    let source = find(&message, SOURCE).and_then(Field::as_str).unwrap_or("");
    let value = |one: &Use| value(&message, one, source, wording);
    Some(uses.iter().map(value).collect())
}

/// The columns of a body in other languages than that in which it was written, by key and tag.
pub fn tags(kind: Kind, body: &[u8]) -> Option<BTreeSet<(&'static str, String)>> {
    let message = DynamicMessage::decode(descriptor(kind)?, body).ok()?;
    let source = find(&message, SOURCE).and_then(Field::as_str).unwrap_or("");
    let mut found = BTreeSet::new();
    for column in columns(kind).iter().filter(|column| column.is_translated()) {
        let mut tags = BTreeSet::new();
        for one in list(&message, column.path)
            .iter()
            .filter_map(Field::as_message)
        {
            collect(one, &mut tags);
        }
        let tags = tags.into_iter().filter(|tag| *tag != source);
        found.extend(tags.map(|tag| (column.key, tag.to_owned())));
    }
    Some(found)
}

/// The tags of a text or a translation, or of the texts within an item.
fn collect<'a>(message: &'a DynamicMessage, tags: &mut BTreeSet<&'a str>) {
    if message.descriptor().get_field_by_name("tag").is_some() {
        tags.insert(string(message, "tag"));
        return;
    }
    for (_, value) in message.fields() {
        let inner = value.as_list().unwrap_or_default();
        for one in inner.iter().filter_map(Field::as_message) {
            collect(one, tags);
        }
    }
}

/// A value as one cell of a sheet has it: without lists.
pub fn flat(shape: Shape, value: Value) -> Value {
    let Value::List(values) = value else {
        return value;
    };
    let texts: Vec<String> = values.iter().filter_map(|one| one.text().ok()).collect();
    Value::Text(match shape {
        Shape::Items(_) => join_texts(&texts),
        _ => join_values(&texts),
    })
}

fn value(message: &DynamicMessage, one: &Use, source: &str, wording: Wording) -> Option<Value> {
    let path = one.column.path;
    let of = field(&message.descriptor(), path)?;
    let found = find(message, path)?;
    let tag = one.tag.as_deref().unwrap_or(source);
    let text = |text: &str| Some(Value::Text(text.to_owned())).filter(|_| !text.is_empty());
    let texts = |texts: Vec<String>| {
        let is_empty = texts.is_empty();
        let values = texts.into_iter().map(Value::Text).collect();
        Some(Value::List(values)).filter(|_| !is_empty)
    };
    let each = |told: &dyn Fn(&Field) -> Option<String>| {
        texts(found.as_list()?.iter().filter_map(told).collect())
    };
    match one.column.shape {
        Shape::Line | Shape::Tag | Shape::Date | Shape::Country => text(found.as_str()?),
        Shape::Lines | Shape::Tags | Shape::Countries => {
            each(&|one| one.as_str().map(str::to_owned))
        }
        Shape::Principles => each(&|one| Some(wording.word("Principle", one.as_str()?))),
        Shape::Text => text(text_in(found.as_list()?, tag)),
        Shape::Labels => {
            let mine = |label: &DynamicMessage| string(label, "tag") == tag;
            each(&|one| {
                let label = one.as_message().filter(|label| mine(label))?;
                Some(string(label, "text").to_owned())
            })
        }
        Shape::Word(list) => word(&of, list, found, wording).and_then(|word| text(&word)),
        Shape::Words(list) => each(&|one| word(&of, list, one, wording)),
        Shape::Number => Some(Value::Number(f64::from(found.as_u32()?))),
        Shape::Numbers => {
            let numbers = found.as_list()?.iter().filter_map(Field::as_u32);
            let numbers: Vec<_> = numbers.map(|one| Value::Number(f64::from(one))).collect();
            Some(Value::List(numbers)).filter(|_| found.as_list().is_some_and(|l| !l.is_empty()))
        }
        Shape::Flag => flag(found.as_bool()?, wording),
        Shape::Themes => each(&|one| theme(one.as_message()?, source)),
        Shape::Link => text(&link(found.as_message()?)?),
        Shape::Links => each(&|one| link(one.as_message()?)),
        Shape::Processes => each(&|one| {
            let id = RcpId::from_slice(one.as_bytes()?).ok()?;
            Some(format!("rcps/{id}"))
        }),
        Shape::Items(parts) => items(found.as_list()?, parts, one.tag.as_deref(), source, wording),
        Shape::Translation => {
            let all = found.as_list()?.iter().filter_map(Field::as_message);
            let made = all.into_iter().find(|one| string(one, "tag") == tag)?;
            let of = made.descriptor().get_field_by_name("origin")?;
            let origin = find(made, "origin")?;
            text(&word(&of, "TranslationOrigin", origin, wording)?)
        }
    }
}

fn flag(flag: bool, wording: Wording) -> Option<Value> {
    flag.then(|| match wording {
        Wording::Keys => Value::Flag(true),
        Wording::In(language) => Value::Text(language.say("yes")),
    })
}

fn word(of: &FieldDescriptor, list: &str, value: &Field, wording: Wording) -> Option<String> {
    let FieldKind::Enum(of) = of.kind() else {
        return None;
    };
    let word = word_of(&of, value.as_enum_number()?)?;
    Some(wording.word(list, &word))
}

fn theme(theme: &DynamicMessage, source: &str) -> Option<String> {
    match string(theme, "concept") {
        "" => {
            let label = find(theme, "label")?.as_message()?;
            let (tag, text) = (string(label, "tag"), string(label, "text"));
            Some(write_label(tag, text, source))
        }
        id => Some(write_concept(id)),
    }
}

fn link(link: &DynamicMessage) -> Option<String> {
    let bytes = |name: &str| find(link, name)?.as_bytes();
    let rcp = RcpId::from_slice(bytes("rcp")?).ok()?;
    let record = RecordId::from_slice(bytes("record")?).ok()?;
    Some(format!("rcps/{rcp}/records/{record}"))
}

fn items(
    items: &[Field],
    parts: &'static [Part],
    tag: Option<&str>,
    source: &str,
    wording: Wording,
) -> Option<Value> {
    let told = items.iter().filter_map(Field::as_message).map(|item| {
        let parts = parts
            .iter()
            .filter(|part| tag.is_none() || part.shape == Shape::Text);
        let parts = parts.map(|part| part_text(item, part, tag.unwrap_or(source), wording));
        join_parts(&parts.collect::<Vec<_>>())
    });
    let told: Vec<String> = told.collect();
    // As first written every item counts, so that the list is as long as it is.
    let is_empty = tag.is_some() && told.iter().all(String::is_empty);
    let values = told.into_iter().map(Value::Text).collect();
    Some(Value::List(values)).filter(|_| !is_empty)
}

/// An item as it was first written, with the keys of its words.
pub(super) fn item_text(item: &DynamicMessage, parts: &[Part], source: &str) -> String {
    let parts = parts
        .iter()
        .map(|part| part_text(item, part, source, Wording::Keys));
    join_parts(&parts.collect::<Vec<_>>())
}

fn part_text(item: &DynamicMessage, part: &Part, tag: &str, wording: Wording) -> String {
    let told = || match part.shape {
        Shape::Text => Some(text_in(list(item, part.field), tag).to_owned()),
        Shape::Number => Some(find(item, part.field)?.as_u32()?.to_string()),
        Shape::Word(list) => {
            let of = item.descriptor().get_field_by_name(part.field)?;
            word(&of, list, find(item, part.field)?, wording)
        }
        _ => Some(find(item, part.field)?.as_str()?.to_owned()),
    };
    told().unwrap_or_default()
}
