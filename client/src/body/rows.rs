//! What a body says, field by field, for kinds whose screens have no words of their own.
//!
//! **Invariant:** what a body holds and this version does not understand is said to be so.

use corridor_proto::kinds::{self, Kind as RecordKind};
use corridor_proto::{RcpId, RecordId};
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, ReflectMessage, Value};

use super::read;
use crate::names::RecordName;

/// Fields that are told elsewhere.
const TOLD: [&str; 3] = ["envelope", "title", "summary"];

/// Name and value of each field of a body that is filled in, in the order of the message: all but
/// envelope, title and summary. Nothing for a body that cannot be read.
pub(crate) fn of(kind: RecordKind, body: &[u8]) -> Vec<(String, String)> {
    let Ok(message) = read(kinds::message_name(kind), body) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (field, value) in message.fields() {
        if TOLD.contains(&field.name()) {
            continue;
        }
        let name = field.name().replace('_', " ");
        match value {
            // Each part is a row of its own: a paragraph is to be read.
            Value::List(parts) if is_parts(&field) => {
                let parts = parts.iter().zip(1_usize..);
                rows.extend(parts.map(|(part, at)| (format!("{name} {at}"), one_of(&field, part))));
            }
            value => rows.push((name, told(&field, value))),
        }
    }
    if message.unknown_fields().next().is_some() {
        let what = "some of it needs a newer version of this program";
        rows.push(("not understood".to_owned(), what.to_owned()));
    }
    rows
}

fn told(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::List(values) if is_text(field) => texts(values),
        Value::List(values) => {
            let told = values.iter().map(|one| one_of(field, one));
            told.collect::<Vec<_>>().join(", ")
        }
        value => one_of(field, value),
    }
}

/// Whether it is a text in languages.
fn is_text(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.name() == "LanguageText")
}

/// Whether it is a list of parts, each with texts of its own.
fn is_parts(field: &FieldDescriptor) -> bool {
    let is_part = |name: &str| !matches!(name, "Link" | "LanguageText");
    matches!(field.kind(), Kind::Message(message) if is_part(message.name()))
}

fn one_of(field: &FieldDescriptor, value: &Value) -> String {
    match (field.kind(), value) {
        (Kind::Enum(of), Value::EnumNumber(number)) => word(&of, *number),
        (_, Value::Bool(true)) => "yes".to_owned(),
        (_, Value::Bool(false)) => "no".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bytes(bytes)) => id(bytes),
        (_, Value::U32(number)) => number.to_string(),
        (_, Value::U64(number)) => number.to_string(),
        (_, Value::Message(message)) => within(message),
        _ => "not understood".to_owned(),
    }
}

/// A value of an enum without what all of its values begin with.
fn word(of: &EnumDescriptor, number: i32) -> String {
    let zero = of.default_value();
    let prefix = zero.name().trim_end_matches("UNSPECIFIED");
    of.get_value(number).map_or_else(
        || "not understood".to_owned(),
        |value| {
            let name = value.name();
            let word = name.strip_prefix(prefix).unwrap_or(name);
            word.to_lowercase().replace('_', " ")
        },
    )
}

fn id(bytes: &[u8]) -> String {
    // All identifiers of 32 bytes are written alike.
    let id = RcpId::from_slice(bytes).map(|id| id.to_string());
    id.unwrap_or_else(|_| "not understood".to_owned())
}

/// A record by its name; of any other part what it says, in its order.
fn within(message: &DynamicMessage) -> String {
    if message.descriptor().name() == "Link" {
        return link(message).unwrap_or_else(|| "not understood".to_owned());
    }
    let told = message.fields().map(|(field, value)| told(&field, value));
    told.collect::<Vec<_>>().join(" ")
}

fn link(message: &DynamicMessage) -> Option<String> {
    let bytes = |name: &str| message.get_field_by_name(name)?.as_bytes().cloned();
    let name = RecordName {
        rcp: RcpId::from_slice(&bytes("rcp")?).ok()?,
        record: RecordId::from_slice(&bytes("record")?).ok()?,
    };
    Some(name.to_string())
}

/// A text in the first of its languages; how many more there are is said of the record.
fn texts(values: &[Value]) -> String {
    let text = |value: &Value| -> Option<String> {
        let text = value.as_message()?.get_field_by_name("text")?;
        text.as_str().map(str::to_owned)
    };
    values.first().and_then(text).unwrap_or_default()
}
